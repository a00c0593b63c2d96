"""The one animal of a study, put together from all that is known of it; and as it was on the day of each scan."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any, TypeVar

from inveonimaging.animal.free_text import LONGEST_AGE, age_of, birth_date_of, sex_of, text_of
from inveonimaging.animal.from_header import FROM_HEADER, first
from inveonimaging.animal.given import GivenSubject
from inveonimaging.animal.sheet_values import NO_SHEET_VALUES, Code, Origin, SheetValues, Source
from inveonimaging.errors import printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import LengthUnits, Modality, WeightUnits
from inveonimaging.inveon.modality import is_mu_map, modality_of
from inveonimaging.units import plain

T = TypeVar("T")

_GIVEN = ("name", "id", "birth_date", "sex")
_IDENTIFIER = "subject_identifier"
_OF_A_SCAN = ("weight_kg", "length_m", "age")  # as the animal was on that day: each series has its own header's
_G_PER_KG = 1e3
_MM_PER_M = 1e3


@dataclass(frozen=True, kw_only=True)
class Animal:
    """The animal of a study; None or empty is unknown.

    Attributes:
        name, id: as typed, one line.
        sex: `M`, `F`, `O` or empty.
        neutered: whether it was.
        age: a DICOM Age String such as `012W`.
        species, strain, breed: as typed.
        species_code, strain_codes: what a sheet gives for them.
        strain_nomenclature: how the strain is written, such as `MGI_2013`.
        strain_stock, strain_source, strain_registry: number in a stock, who keeps it, and the registry: a code, or its
            name.
        breed_registration, breed_registry: number in a registry, and the registry: a code, or its name.
        modifications: genetic ones, as typed.
        modifications_nomenclature: how they are written.
        modifications_codes: one of each modification, or none at all.
        weight_kg, length_m: above 0.
        investigator: the responsible person, as typed.
        responsible_role: what that person is, a defined term of DICOM.
        responsible_organization: as typed.
        institution: where the scanner is, as typed.
        history: drugs, food, water and the like, one sentence each.
        sources: where each known value came from, by attribute name.
    """

    name: str = ""
    id: str = ""
    birth_date: date | None = None
    sex: str = ""
    neutered: bool | None = None
    age: str | None = None
    species: str | None = None
    species_code: Code | None = None
    strain: str | None = None
    strain_nomenclature: str | None = None
    strain_codes: tuple[Code, ...] = ()
    strain_stock: str | None = None
    strain_source: str | None = None
    strain_registry: Code | str | None = None
    breed: str | None = None
    breed_registration: str | None = None
    breed_registry: Code | str | None = None
    modifications: tuple[str, ...] = ()
    modifications_nomenclature: str | None = None
    modifications_codes: tuple[Code, ...] = ()
    weight_kg: float | None = None
    length_m: float | None = None
    investigator: str | None = None
    responsible_role: str = "INVESTIGATOR"
    responsible_organization: str | None = None
    institution: str | None = None
    history: str | None = None
    sources: Mapping[str, Origin] = field(default_factory=dict)


OF_ANIMALS = frozenset(Animal.__dataclass_fields__) - {"sources"}
"""What can be known of an animal."""


def animal_of(
    headers: Sequence[Header],
    given: GivenSubject,
    sheet_values: SheetValues = NO_SHEET_VALUES,
    files: Sequence[str] = (),
) -> tuple[Animal, tuple[Finding, ...]]:
    """Return the one animal of a study's headers: for each value the first header that gives it.

    A DICOM study has one patient: headers that disagree are a finding, and the first counts unless the user gives it.
    Headers of several subjects are a finding that is an error, unless the user names the one.

    Args:
        headers: of all scans.
        given: on the command line; wins over all else.
        sheet_values: by a sheet, of the study; wins over the headers.
        files: the headers' file names, for the sources; the first names an animal that nothing else names.
    """
    findings: list[Finding] = list(several_animals(headers, given, sheet_values))
    typed = dict.fromkeys(given.unknown) | {
        name: value for name in _GIVEN if (value := getattr(given, name)) is not None
    }
    of_sheet = {name: cell.value for name, cell in sheet_values.cells.items() if name in OF_ANIMALS}
    known, sources = _known(headers, {**of_sheet, **typed}, files, findings)
    if "birth_date" in typed and typed["birth_date"] != known.get("birth_date"):
        known.pop("age", None)  # that of another birth date
    known |= {**of_sheet, **typed}
    unnamed = {} if "id" in sheet_values.cells else _named_by_file(known, files)  # a sheet may want it to be empty
    known |= unnamed
    findings += birth_findings(known.get("birth_date"), headers)
    if known.get("responsible_organization") == known.get("institution"):
        known.pop("responsible_organization", None)  # which it is anyway
    sources |= {name: sheet_values.origin(name) for name in of_sheet} | dict.fromkeys(
        typed, Origin(Source.COMMAND_LINE)
    )
    if unnamed:
        sources |= dict.fromkeys(unnamed, Origin(Source.FILE_NAME, files[0]))
        findings.append(_unnamed_finding(files[0], unnamed))
    if "id" in sources:
        sources.setdefault("name", sources["id"])
    if known.get("id") and not known.get("name") and "name" not in sheet_values.cells:
        known["name"] = known["id"]
    derived = None if known.get("age") else _age_at_scan(known.get("birth_date"), headers)
    if derived:
        known["age"], sources["age"] = derived, Origin(Source.DERIVED)
    values = {name: value for name, value in known.items() if value is not None}
    sources = {name: origin for name, origin in sources.items() if name in values}
    return Animal(**values, sources=sources), tuple(dict.fromkeys(findings))


def _known(
    headers: Sequence[Header], instead: Mapping[str, Any], files: Sequence[str], findings: list[Finding]
) -> tuple[dict[str, Any], dict[str, Origin]]:
    """Return what the headers hold, and where; what is given `instead` raises no findings."""
    known: dict[str, Any] = _identity(headers, instead.get("id"))
    named = next((number for number, each in enumerate(headers) if text_of(each.subject.identifier)), 0)
    sources = dict.fromkeys(known, _origin(headers, named, _IDENTIFIER, files))
    if known.get("name") == instead.get("id"):
        sources.pop("name", None)  # of several subjects it is the given ID
    for name, key, from_header in FROM_HEADER:
        value, number = first(headers, key, from_header, [] if name in instead else findings)
        if value is not None:
            known[name], sources[name] = value, _origin(headers, number, key, files)
    return known, sources


def _origin(headers: Sequence[Header], number: int, key: str, files: Sequence[str]) -> Origin:
    file = files[number] if number < len(files) else ""
    line = headers[number].line_of(key) if number < len(headers) else None
    return Origin(Source.HEADER, file, line)


def _identity(headers: Sequence[Header], given_id: str | None) -> dict[str, Any]:
    """Return ID and name as the headers have them; what a user gives for several subjects is both."""
    subjects = _subjects(headers)
    if len(subjects) > 1 and given_id is not None:
        return {"name": given_id}
    return {"id": subjects[0], "name": subjects[0]} if subjects else {}


def _subjects(headers: Sequence[Header]) -> list[str]:
    """Return the identifiers of headers, those that differ in case and blanks alone as one."""
    typed = [text for header in headers if (text := text_of(header.subject.identifier))]
    return list({" ".join(text.split()).casefold(): text for text in reversed(typed)}.values())[::-1]


def several_animals(
    headers: Sequence[Header], given: GivenSubject, sheet_values: SheetValues = NO_SHEET_VALUES
) -> Iterator[Finding]:
    """Yield that headers are those of several animals, unless the user names the one.

    They have other identifiers, or other places in a group that a program cut apart; or none has an identifier, and
    they differ in what an animal keeps.
    """
    if given.id or sheet_values.get("id"):
        return
    subjects, numbers = _subjects(headers), list(dict.fromkeys(filter(None, map(animal_number_of, headers))))
    differing: dict[str, Iterable[Any]] = {_IDENTIFIER: subjects, "animal_number": numbers}
    if not subjects and not given.sex:
        differing["subject_sex"] = filter(None, (sex_of(each.subject.sex or "") for each in headers))
    if not subjects and not given.birth_date:
        differing["subject_date_of_birth"] = filter(
            None, (birth_date_of(each.subject.date_of_birth or "") for each in headers)
        )
    for key, each_own in differing.items():
        if len(values := list(dict.fromkeys(each_own))) > 1:
            shown = ", ".join(f"'{printable(value, 30)}'" for value in values)
            without = "" if subjects or numbers else ", and no header names the subject"
            message = f"{key} differs within the study: {shown}{without}"
            yield Finding("several-subjects", message, Severity.ERROR, key=key)
            return


def animal_number_of(header: Header) -> str | None:
    """Return the place of an animal in a group that was scanned together, as text; None if it is not given."""
    if header.subject.animal_number is not None:
        return str(header.subject.animal_number)
    return next((text for each in header.extras if each.key == "animal_number" and (text := text_of(each.value))), None)


def _named_by_file(known: Mapping[str, Any], files: Sequence[str]) -> dict[str, Any]:
    """Return the first file's name as ID, and as name if there is none, of an animal that nothing else names."""
    if known.get("id") or not files:
        return {}
    stem = stem_of(files[0])
    return {"id": stem} if known.get("name") else {"id": stem, "name": stem}


def stem_of(file: str) -> str:
    """Return the name of a header without `.img.hdr` or `.hdr`, as the vendor's workstation names patients."""
    return re.sub(r"(?:\.img)?(?:\.hdr)?$", "", file, flags=re.IGNORECASE) or file


def _unnamed_finding(file: str, unnamed: Mapping[str, Any]) -> Finding:
    what = "Patient ID and Name are" if "name" in unnamed else "Patient ID is"
    message = (
        f"{_IDENTIFIER} is missing; {what} the name of the first file, '{printable(stem_of(file), 40)}' "
        "(--patient-id and --patient-name, or a sheet for --subjects, name the animal)"
    )
    return Finding("subject-unknown", message, key=_IDENTIFIER)


def birth_findings(born: date | None, headers: Iterable[Header]) -> Iterator[Finding]:
    """Yield that an animal was born after a scan, with the first such scan."""
    for header in headers:
        when = header.acquisition.started_at
        if born and when and born > when.date():
            message = f"the birth date is {born}, after the scan at {when}"
            yield Finding("birth-after-scan", message, key="subject_date_of_birth")
            return


def _age_at_scan(birth: object, headers: Sequence[Header]) -> str | None:
    scan = min((h.acquisition.started_at for h in headers if h.acquisition.started_at), default=None)
    if not isinstance(birth, date) or scan is None:
        return None
    days = (scan.date() - birth).days
    return f"{days:03}D" if 0 <= days <= LONGEST_AGE else None


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
    for header, of_scan in zip(headers, sheet_values, strict=True):
        subject, found = header.subject, tuple[Finding, ...]()
        if weight and not subject.weight_kg and "weight_kg" not in of_scan.cells:
            subject = replace(subject, weight=weight, weight_units=WeightUnits.KILOGRAM)
            found = _weight_taken(header, weight)
        if length and not subject.length_m:
            subject = replace(subject, length=length * _MM_PER_M, length_units=LengthUnits.MM)
        if age and not age_of(subject.age or "") and "birth_date" not in of_scan.cells:
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
        animal_of([each], given, of_scan, [file])[0]
        for each, of_scan, file in zip(headers, sheet_values, names, strict=True)
    ]
    return tuple(_at_scan(animal, own) for own in owns)


def _at_scan(animal: Animal, own: Animal) -> Animal:
    values: dict[str, Any] = {name: getattr(own, name) for name in _OF_A_SCAN}
    values["age"] = own.age or animal.age
    differing = [name for name, value in values.items() if value != getattr(animal, name)]
    sources = {name: origin for name, origin in animal.sources.items() if name not in differing}
    sources |= {name: own.sources[name] for name in differing if name in own.sources}
    return replace(animal, **values, sources=sources)
