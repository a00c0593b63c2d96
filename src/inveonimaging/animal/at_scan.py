"""What headers say of the animal on the day of a scan: weight, length and age, which each series has from its own.

A header that lacks one of them has that of the study's others, if these agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from inveonimaging.animal.animal import Animal, animal_of, several_animals
from inveonimaging.animal.free_text import age_of
from inveonimaging.animal.given import GivenSubject
from inveonimaging.animal.sheet_values import NO_SHEET_VALUES, SheetValues
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import LengthUnits, Modality, WeightUnits
from inveonimaging.inveon.modality import is_mu_map, modality_of
from inveonimaging.units import plain

T = TypeVar("T")

_OF_A_SCAN = ("weight_kg", "length_m", "age")
_G_PER_KG = 1e3
_MM_PER_M = 1e3


def completed_headers(
    headers: Sequence[Header], sheet_values: Sequence[SheetValues], given: GivenSubject | None = None
) -> tuple[tuple[Header, ...], tuple[tuple[Finding, ...], ...]]:
    """Return the headers of a study, each with weight, length and age if all others that give one give the same.

    The second are findings on each: a weight that SUV is computed from, and that another header gives.

    Headers of several animals stay as they are.

    Args:
        headers: with what a sheet says of their scans.
        sheet_values: what the sheet says of each; what it takes away is not filled in.
        given: on the command line.
    """
    named = next((each for each in sheet_values if each.get("id")), NO_SHEET_VALUES)
    if any(several_animals(headers, given or GivenSubject(), named)):
        return tuple(headers), ((),) * len(headers)
    weight, length = _only(each.subject.weight_kg for each in headers), _only(each.subject.length_m for each in headers)
    age = _only(each.subject.age for each in headers if age_of(each.subject.age or ""))
    filled: list[Header] = []
    findings: list[tuple[Finding, ...]] = []
    for header, said in zip(headers, sheet_values, strict=True):
        subject, found = header.subject, tuple[Finding, ...]()
        if weight and not subject.weight_kg and "weight_kg" not in said.cells:
            subject = replace(subject, weight=weight, weight_units=WeightUnits.KILOGRAM)
            found = _weight_taken(header, weight)
        if length and not subject.length_m:
            subject = replace(subject, length=length * _MM_PER_M, length_units=LengthUnits.MM)
        if age and not age_of(subject.age or "") and "birth_date" not in said.cells:
            subject = replace(subject, age=age)
        filled.append(header if subject is header.subject else replace(header, subject=subject))
        findings.append(found)
    return tuple(filled), tuple(findings)


def _only(values: Iterable[T | None]) -> T | None:
    found = dict.fromkeys(value for value in values if value)
    return next(iter(found)) if len(found) == 1 else None


def _weight_taken(header: Header, weight_kg: float) -> tuple[Finding, ...]:
    if modality_of(header)[0] is Modality.CT or is_mu_map(header):
        return ()
    message = (
        f"this header gives no weight; taken is {plain(weight_kg * _G_PER_KG)} g, the only one that the headers of "
        "this study give"
    )
    return (Finding("weight-of-study", message, Severity.INFO, key="subject_weight"),)


def animals_of_scans(
    animal: Animal,
    headers: Sequence[Header],
    given: GivenSubject,
    sheet_values: Sequence[SheetValues],
    files: Sequence[str] = (),
) -> tuple[Animal, ...]:
    """Return the animal as it was at each scan.

    Args:
        animal: of the study, from `animal_of`.
        headers: of all scans, completed.
        given: on the command line.
        sheet_values: by a sheet, of each scan.
        files: the headers' file names, for the sources.
    """
    names = files or ("",) * len(headers)
    owns = [
        animal_of([each], given, said, [file])[0] for each, said, file in zip(headers, sheet_values, names, strict=True)
    ]
    return tuple(_at_scan(animal, own) for own in owns)


def _at_scan(animal: Animal, own: Animal) -> Animal:
    values: dict[str, Any] = {name: getattr(own, name) for name in _OF_A_SCAN}
    values["age"] = own.age or animal.age
    differing = [name for name, value in values.items() if value != getattr(animal, name)]
    sources = {name: origin for name, origin in animal.sources.items() if name not in differing}
    sources |= {name: own.sources[name] for name in differing if name in own.sources}
    return replace(animal, **values, sources=sources)
