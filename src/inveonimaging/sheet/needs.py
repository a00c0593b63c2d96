"""Values that only make sense together: DICOM has them as one item, all of type 1."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inveonimaging.animal.sheet_values import SheetValues
from inveonimaging.errors import InputError
from inveonimaging.inveon.hdr import Header

_TOGETHER = (
    ("breed_registration", "breed_registry"),
    ("modifications", "modifications_nomenclature"),
    ("strain_stock", "strain_source", "strain_registry"),
)
_TITLES = {"modifications": "genetic_modifications", "modifications_nomenclature": "genetic_modifications_nomenclature"}


def refuse_incomplete(path: Path, sheet_values: SheetValues, headers: Sequence[Header]) -> None:
    """Refuse a part of what DICOM has as a whole.

    Raises:
        InputError: with the row that gives the part, and what is missing.
    """
    for names in _TOGETHER:
        given = [name for name in names if sheet_values.get(name)]
        missing = [name for name in names if not sheet_values.get(name)]
        if given and missing:
            raise _needs(path, sheet_values, given[0], f"{_TITLES.get(missing[0], missing[0])} beside it")
    codes, modifications = sheet_values.get("modifications_codes") or (), sheet_values.get("modifications") or ()
    if codes and len(codes) != len(modifications):
        raise _needs(
            path, sheet_values, "modifications_codes", f"as many as genetic_modifications: {len(modifications)}"
        )
    known = sheet_values.get("investigator") or any(header.acquisition.investigator for header in headers)
    if sheet_values.get("responsible_role") and not known:
        raise _needs(path, sheet_values, "responsible_role", "responsible_person beside it")


def _needs(path: Path, sheet_values: SheetValues, name: str, what: str) -> InputError:
    cell = sheet_values.cells[name]
    return InputError(f"{cell.title} is given", path=path, line=cell.row, expected=what)
