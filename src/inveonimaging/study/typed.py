"""What was typed of the animal and the injection, as a sheet would say it of every scan; it wins over the sheet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from inveonimaging.animal.free_text import text_of
from inveonimaging.animal.sheet_values import Cell, SheetValues
from inveonimaging.errors import InputError, printable
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.pairs import Pair
from inveonimaging.sheet.application import has_tracer
from inveonimaging.sheet.columns import SCAN_NAMES
from inveonimaging.sheet.hotels import Hotel, hotel_of
from inveonimaging.sheet.matching import sheet_values_of
from inveonimaging.study.corrections import Corrections

_OF_AN_INJECTION = {"dose_mbq": "--dose", "injection_time": "--injected-at"}
_TOLD_MORE_OF = {
    "dose_mbq": ("dose_time", "residual_mbq", "residual_time"),
    "species": ("species_code",),
    "strain": (
        "strain_codes",
        "strain_nomenclature",
        "strain_stock",
        "strain_source",
        "strain_registry",
        "strain_rrid",
    ),
}
"""What a sheet says beside a value, and of that value alone."""


class GivenValues(NamedTuple):
    """What is given for each scan of a study, for the study and that alone, and for the animals of a hotel."""

    of_scans: tuple[SheetValues, ...]
    of_study: SheetValues
    hotel: Hotel | None = None


def values_of_scans(corrections: Corrections, scans: Sequence[tuple[Pair, Header]]) -> GivenValues:
    """Return what is given for the scans of a study.

    What was typed is for all scans, and wins over the sheet's rows. If a hotel has one animal, it is the study's.

    Raises:
        InputError: rows contradict each other; a dose or an injection was typed, and the headers have several.
    """
    hotel = hotel_of(corrections.sheet, scans)
    if hotel and len(hotel.animals) == 1:
        of_scans, whole = hotel.animals[0].of_scans, hotel.animals[0].of_study
    else:
        of_scans, whole = sheet_values_of(corrections.sheet, scans)
    if hotel:
        of_scans = tuple(replace(each, rows=rows) for each, rows in zip(of_scans, hotel.rows, strict=True))
        whole = replace(whole, rows=tuple(sorted({row for rows in hotel.rows for row in rows})))
    typed = dict(_typed(corrections))
    if not typed:
        return GivenValues(of_scans, whole, hotel)
    _refuse_several_injections(typed, scans)
    of_study = {name: cell for name, cell in typed.items() if name not in SCAN_NAMES}
    return GivenValues(tuple(_with(each, typed) for each in of_scans), _with(whole, of_study), hotel)


def _typed(corrections: Corrections) -> Iterator[tuple[str, Cell]]:
    """Yield what was typed, by the names of the sheet's columns."""
    subject = corrections.subject
    texts = {"species": corrections.species, "strain": corrections.strain}
    options = {
        "birth_date": ("--patient-birth-date", subject.birth_date),
        "sex": ("--sex", subject.sex),
        "weight_kg": ("--weight", corrections.weight_kg),
        "dose_mbq": ("--dose", corrections.dose_mbq),
        "injection_time": ("--injected-at", corrections.injected_at),
        **{name: (f"--{name}", text_of(text)) for name, text in texts.items()},
    }
    unknown = {*subject.unknown, *(name for name, text in texts.items() if text and not text_of(text))}
    for name, (option, value) in options.items():
        if value is not None or name in unknown:
            yield name, Cell(value, None, option, str(value))


def _with(sheet_values: SheetValues, typed: Mapping[str, Cell]) -> SheetValues:
    """Return a sheet's values with those that were typed, without what the sheet says of values that they replace."""
    cells = dict(sheet_values.cells)
    for name, cell in typed.items():
        own = cells.get(name)
        if name == "dose_mbq" or own is None or str(own.value).casefold() != str(cell.value).casefold():
            for other in _TOLD_MORE_OF.get(name, ()):
                cells.pop(other, None)
    return replace(sheet_values, cells={**cells, **typed})


def _refuse_several_injections(typed: Mapping[str, Cell], scans: Sequence[tuple[Pair, Header]]) -> None:
    """Refuse one dose, or one moment, for scans of several tracers, or of injections on several days."""
    option = next((option for name, option in _OF_AN_INJECTION.items() if name in typed), None)
    if option is None:
        return
    found: dict[str, tuple[Pair, str]] = {}
    days: dict[str, tuple[Pair, str]] = {}
    for pair, header in scans:
        if not has_tracer(header):
            continue
        if isotope := text_of(header.tracer.isotope):
            found.setdefault(_plain(isotope), (pair, isotope))
        if moment := header.tracer.injected_at:
            days.setdefault(str(moment.date()), (pair, str(moment)))
    for each in (found, days):
        if len(each) > 1:
            (_, one), (pair, other), *_ = each.values()
            message = (
                f"{option} is for one injection, and the headers have several: '{printable(one)}' and "
                f"'{printable(other)}'"
            )
            hint = "convert file by file, or with a sheet of scans: inveon subjects FOLDER -o subjects.csv"
            raise InputError(message, path=pair.header, hint=hint)


def _plain(isotope: str) -> str:
    """Return an isotope as isotopes are compared: `F-18` and `18F` are one."""
    characters = isotope.casefold()
    return "".join(filter(str.isalpha, characters)) + "".join(filter(str.isdigit, characters))
