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


def refuse_incomplete(path: Path, told: SheetValues, headers: Sequence[Header]) -> None:
    """Refuse a part of what DICOM has as a whole.

    Raises:
        InputError: with the row that gives the part, and what is missing.
    """
    for names in _TOGETHER:
        given = [name for name in names if told.get(name)]
        missing = [name for name in names if not told.get(name)]
        if given and missing:
            raise _needs(path, told, given[0], f"{_TITLES.get(missing[0], missing[0])} beside it")
    codes, modifications = told.get("modifications_codes") or (), told.get("modifications") or ()
    if codes and len(codes) != len(modifications):
        raise _needs(path, told, "modifications_codes", f"as many as genetic_modifications: {len(modifications)}")
    known = told.get("investigator") or any(header.acquisition.investigator for header in headers)
    if told.get("responsible_role") and not known:
        raise _needs(path, told, "responsible_role", "responsible_person beside it")


def _needs(path: Path, told: SheetValues, name: str, what: str) -> InputError:
    cell = told.cells[name]
    return InputError(f"{cell.title} is given", path=path, line=cell.row, expected=what)
