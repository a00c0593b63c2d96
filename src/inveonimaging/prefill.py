"""A sheet of subjects pre-filled from headers: one row a scan, or a subject, with what a conversion takes from them.

A cell is filled only if reading it back gives the very same value, so that a sheet that nobody edits changes nothing.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from inveonimaging import units
from inveonimaging.animal import Animal, animal_of, animals_of_scans
from inveonimaging.animal.free_text import NOT_GIVEN
from inveonimaging.errors import InputError, InveonError, OptionError, UnsupportedError, one_line
from inveonimaging.findings import Finding, Severity
from inveonimaging.hotels.locating import seen
from inveonimaging.hotels.splitting import refuse_several_sessions, refuse_values_of_one
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.modality import modality_of
from inveonimaging.inveon.pairs import Pair
from inveonimaging.sheet.application import has_tracer
from inveonimaging.sheet.books import book_of, refuse_without_openpyxl
from inveonimaging.sheet.columns import COLUMNS, NOTE, OF_AN_ANIMAL, Column, Scope
from inveonimaging.sheet.matching import pattern_of, plain_subject, sheet_findings
from inveonimaging.sheet.positions import Side
from inveonimaging.sheet.reading import refuse_other_kind
from inveonimaging.sheet.values import escaped, unescaped
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.folder import below
from inveonimaging.study.reading import Study, read_pairs

Cells = dict[str, str]
Looked = Iterable[Sequence[Pair] | InputError]
"""The pairs of each study, and folders that cannot be read."""

_OTHER_UNITS = {"weight_kg", "dose_mCi", "residual_mCi"}
_OF_A_DOSE = {"dose_time", "residual_MBq", "residual_time"}
_FILLED = sorted(
    (each for each in COLUMNS if each.scope is not Scope.MATCH and each.title not in _OTHER_UNITS),
    key=lambda each: not each.is_basic,
)
OF_SUBJECT = tuple(each for each in _FILLED if each.scope is Scope.STUDY)
_TO_BQ = units.BQ_PER_MBQ


@dataclass(frozen=True)
class Filled:
    """A pre-filled sheet: titles, rows by title, what was left aside, and errors of headers that cannot be read.

    `given` has the names of values that did not come from the headers.
    """

    titles: tuple[str, ...]
    rows: tuple[Cells, ...]
    findings: tuple[Finding, ...]
    errors: tuple[InveonError, ...]
    given: frozenset[str]


@dataclass(frozen=True)
class _Scan:
    """A scan: its file as seen from the root, its header, its values by their names, and the names of those given."""

    file: str
    header: Header
    values: dict[str, Any]
    given: frozenset[str]


def filled_by_scan(root: Path, looked: Looked, corrections: Corrections) -> Filled:
    """Return a row for each scan.

    Args:
        root: the folder below which they lie, or the file of the one.
        looked: what was found there.
        corrections: what counts instead of the headers.

    Raises:
        InputError: there is none.
    """
    scans, findings, errors = _scans(root, looked, corrections)
    notes = tuple(f"{NOTE} {name}" for name in ("kind", "scan start", "subject_identifier"))
    rows = tuple({"file": escaped(each.file), **_notes(notes, each.header), **_cells(_FILLED, each)} for each in scans)
    return Filled(("file", *notes, *(each.title for each in _FILLED)), rows, findings, errors, _given(scans))


def basic(filled: Filled) -> Filled:
    """Return a sheet with the columns that people need, with what was given, and what doses are made from.

    What is left out is as an empty cell: the header's value counts.
    """
    left_out = {each.title for each in _FILLED if not (each.is_basic or each.name in filled.given)}
    left_out -= {title for title in _OF_A_DOSE if any(row.get(title) for row in filled.rows)}
    return replace(filled, titles=tuple(title for title in filled.titles if title not in left_out))


def filled_by_subject(root: Path, looked: Looked, corrections: Corrections) -> Filled:
    """Return a row for each subject, with what all its studies agree on; arguments and errors as `filled_by_scan`."""
    scans, findings, errors = _scans(root, looked, corrections)
    subjects: dict[str, list[_Scan]] = {}
    for each in scans:
        subjects.setdefault(plain_subject(each.header.subject.identifier), []).append(each)
    nameless = subjects.pop("", [])
    note = f"{NOTE} scans"
    rows = []
    for group in subjects.values():
        first, *others = (_cells(OF_SUBJECT, each) for each in group)
        agreed = {title: text for title, text in first.items() if all(other.get(title) == text for other in others)}
        subject = escaped(one_line(str(group[0].header.subject.identifier)))
        rows.append({"subject": subject, note: str(len(group)), **agreed})
    if nameless:
        message = f"{len(nameless)} scans have no subject_identifier, and so no row: {nameless[0].file} is the first"
        findings = (*findings, Finding("scan-without-subject", message, key="subject_identifier"))
    titles = ("subject", note, *(each.title for each in OF_SUBJECT))
    return Filled(titles, tuple(rows), findings, errors, _given(scans))


def filled_by_animal(root: Path, pairs: Sequence[Pair], corrections: Corrections) -> Filled:
    """Return a row for each animal that scans of one session show, with what their headers say of all of them.

    What is of one animal, as ID and weight, is left empty: in the headers it is of the group. Posture is that of the
    headers.

    Args:
        root: the folder of the session, or the one file.
        pairs: its scans.
        corrections: what counts instead of the headers.

    Raises:
        InputError: no animal is found, their number is in doubt, or the scans are of several sessions.
        OptionError: what was typed is of one animal, or a sheet; SciPy is not installed.
        InveonError: no scan can be read.
    """
    if corrections.sheet is not None:
        raise OptionError("a sheet is given, and a new one of its animals is asked for", expected="one of them")
    refuse_values_of_one(corrections)
    study = read_pairs(pairs, root, corrections)
    if not study.scans and study.errors:
        raise next(iter(study.errors.values()))
    refuse_several_sessions(study)
    animals = seen(study)
    scans, findings, errors = _scans(root, [pairs], corrections)
    of_all = [each for each in _FILLED if each.name not in OF_AN_ANIMAL or each.name == "posture"]
    first, *others = (_cells(of_all, scan) for scan in scans)
    agreed = {title: text for title, text in first.items() if all(other.get(title) == text for other in others)}
    note = f"{NOTE} volume, mL"
    rows = tuple(
        {
            **agreed,
            "position": str(slot),
            "seen_from": Side.FRONT.value,
            note: "" if body.volume_ml is None else f"{body.volume_ml:.1f}",
        }
        for slot, body in animals
    )
    of_hotel = ("position", "seen_from")
    titles = (*of_hotel, note, *(each.title for each in _FILLED if each.scope is not Scope.HOTEL))
    return Filled(titles, rows, findings, errors, _given(scans).union(of_hotel, ("posture",)))


def _given(scans: Iterable[_Scan]) -> frozenset[str]:
    return frozenset[str]().union(*(each.given for each in scans))


def refuse_kind(path: Path) -> None:
    """Refuse a file's name of no kind of sheet, and a kind that cannot be written here.

    Raises:
        OptionError: what the name should end in, or which package is missing.
    """
    refuse_other_kind(path)
    if path.suffix.lower() == ".xlsx":
        refuse_without_openpyxl()


def sheet_bytes(filled: Filled, path: Path) -> bytes:
    """Return what a sheet's file holds, .csv, .tsv or .xlsx by its name; `refuse_kind` comes first."""
    kind = path.suffix.lower()
    rows = [[row.get(title, "") for title in filled.titles] for row in filled.rows]
    if kind == ".xlsx":
        return book_of(filled.titles, rows)
    text = io.StringIO(newline="")
    csv.writer(text, delimiter="\t" if kind == ".tsv" else ",").writerows([filled.titles, *rows])
    return text.getvalue().encode("utf-8-sig")  # without the mark, Excel takes it for its old encoding


def cells_of(root: Path, study: Study) -> dict[Pair, Cells]:
    """Return what a conversion takes for each scan of a study, as text that is read back as the same, by title.

    Args:
        root: the folder below which the scans lie, or the file of the one.
        study: that was read, with what a sheet says.
    """
    found = zip(study.scans, _of_study(root, study, []), strict=True)
    return {scan.pair: {t: unescaped(text) for t, text in _cells(_FILLED, each).items()} for scan, each in found}


def own_cells_of(study: Study) -> dict[Pair, Cells]:
    """Return what each scan's own header says of the animal, with what a sheet says of that scan, by title.

    A conversion takes most of it from the first header that says it; this reports where headers differ.
    """
    given = study.corrections.subject
    owns = ((each, animal_of([each.image.header], given, each.sheet_values)[0]) for each in study.scans)
    found = ((each, _Scan("", each.image.header, _of_animal(own), frozenset())) for each, own in owns)
    return {each.pair: {t: unescaped(text) for t, text in _cells(OF_SUBJECT, own).items()} for each, own in found}


def _scans(
    root: Path, looked: Looked, corrections: Corrections
) -> tuple[list[_Scan], tuple[Finding, ...], tuple[InveonError, ...]]:
    scans: list[_Scan] = []
    findings: list[Finding] = []
    errors: list[InveonError] = []
    raw: list[InveonError] = []
    rows: list[int] = []
    for pairs in looked:
        if isinstance(pairs, InputError):
            errors.append(pairs)
            continue
        if not pairs:
            continue
        study = read_pairs(pairs, root, corrections)
        for pair, error in study.errors.items():
            if isinstance(error, UnsupportedError):
                raw.append(error)
                findings.append(Finding("skipped", f"skipped: {error.message}", path=str(pair.header)))
            else:
                errors.append(error)
        scans += _of_study(root, study, findings)
        rows += study.matched_rows
    if not scans and not errors:
        expected = "pairs of NAME.img and NAME.img.hdr"
        raise raw[0] if raw else InputError("no Inveon images here", path=root, expected=expected)
    return scans, (*sheet_findings(corrections.sheet, rows), *findings), tuple(errors)


def _of_study(root: Path, study: Study, findings: list[Finding]) -> Iterator[_Scan]:
    """Yield the scans of a folder with what a conversion takes from their headers together.

    Scans of several subjects have rows of their own: what a conversion refuses is a warning here.
    """
    given, headers = study.corrections.subject, study.headers
    animal, found = animal_of(headers, given, study.sheet_values)
    is_one = not any(each.severity is Severity.ERROR for each in found)
    description = next((header.study for header in headers if header.study), None)
    if headers and not is_one:
        errors = (each for each in found if each.severity is Severity.ERROR)
        folder = str(study.scans[0].pair.data.parent)
        findings += [replace(each, severity=Severity.WARNING, path=folder) for each in errors]
    typed = frozenset(name for name in ("name", "id", "birth_date", "sex") if getattr(given, name))
    typed |= {"posture"} if study.corrections.orientation else set()
    at_scans = animals_of_scans(animal, headers, given, [scan.sheet_values for scan in study.scans])
    for scan, at_scan in zip(study.scans, at_scans, strict=True):
        header = scan.image.header
        findings += scan.doubts
        who = at_scan if is_one else animal_of([header], given, scan.sheet_values)[0]
        yield _Scan(
            pattern_of(below(scan.pair.data, root)),
            header,
            {
                **_of_animal(who),
                "study_description": description if is_one else header.study,
                "posture": scan.image.grid.orientation,
                **_of_scan(header),
            },
            typed.union(scan.sheet_values.cells),
        )


def _of_animal(animal: Animal) -> dict[str, Any]:
    names = ("name", "id", "birth_date", "sex", "species", "strain", "weight_kg", "investigator")
    found = {name: getattr(animal, name) for name in names}
    found["responsible_role"] = animal.responsible_role if animal.investigator else None
    found["responsible_organization"] = animal.institution
    return found


def _of_scan(header: Header) -> dict[str, Any]:
    tracer = header.tracer
    if not has_tracer(header):
        return {}
    found: dict[str, Any] = {"injection_time": tracer.injected_at, "dose_mbq": _mbq(tracer.entered_dose_bq)}
    if (tracer.measured_dose_bq or 0.0) > 0:
        found |= {
            "dose_mbq": _mbq(tracer.before_injection_bq),
            "dose_time": tracer.activity_before_injection_time,
            "residual_mbq": _mbq(tracer.residual_bq),
            "residual_time": tracer.residual_activity_time,
        }
    return found


def _mbq(activity_bq: float | None) -> float | None:
    """Return Bq as MBq, if that gives the same Bq again."""
    if activity_bq is None:
        return None
    mbq = units.number(units.spell(activity_bq, _TO_BQ))
    return mbq if units.convert(mbq, _TO_BQ) == activity_bq else None


def _cells(columns: Iterable[Column], scan: _Scan) -> Cells:
    return {each.title: _cell(each, scan.values.get(each.name)) for each in columns}


def _cell(column: Column, value: Any) -> str:
    """Return a value as its cell is written, nothing if that would not be read as the same."""
    if value is None or value == "":
        return ""
    spelled = column.codec.spell(value)
    cell = escaped(spelled)
    try:
        is_same = cell.lower() not in NOT_GIVEN and column.codec.parse(unescaped(cell)) == value
    except ValueError:
        is_same = False
    return cell if is_same else ""


def _notes(titles: Sequence[str], header: Header) -> Cells:
    texts = (modality_of(header)[0].label, header.acquisition.started_at, header.subject.identifier)
    return {title: escaped(one_line(str(text or ""))) for title, text in zip(titles, texts, strict=True)}
