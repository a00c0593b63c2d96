"""De-identification of what is planned: the pairs of a study by their new names, with what is left of their headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import TypeVar

from inveonimaging.animal import several_animals, stem_of
from inveonimaging.animal.free_text import text_of
from inveonimaging.animal.sheet_values import NOTHING, Told
from inveonimaging.conversion.options import Options
from inveonimaging.errors import InveonError, OptionError
from inveonimaging.findings import Finding
from inveonimaging.inveon.pairs import Pair
from inveonimaging.redaction.context import Cover, cover_of, neutral, parsed
from inveonimaging.redaction.header_text import covered
from inveonimaging.sheet.matching import told_of
from inveonimaging.study.image import Instead, header_bytes

D = TypeVar("D", bound=date | None)

_SHEET = Path("sheet")
_UNNAMED = (
    "subject_identifier is missing; Patient ID and Name are a pseudonym made from the name of the first file "
    "(--patient-id, or a sheet for --subjects, name the animal)"
)


@dataclass(frozen=True)
class Covering:
    """What is read instead of the files of a study; nothing of it is changed unless that is asked for.

    Attributes:
        options: of the conversion, with the dates in them shifted as those of the headers.
        instead: names and text of each pair; None for the pair as it is.
        findings: on what was removed.
        told: what a sheet says of each scan and of the study, which only the true names and headers tell; None if
            nothing is de-identified.
        several: errors on headers that are of several animals, where the text that is left does not show it.
    """

    options: Options
    instead: tuple[Instead | None, ...]
    findings: tuple[Finding, ...] = ()
    told: tuple[tuple[Told, ...], Told] | None = None
    several: tuple[Finding, ...] = ()


def covering_of(pairs: Sequence[Pair], options: Options) -> Covering:
    """Return what is read instead of the pairs of a study, in their order.

    Raises:
        InveonError: a header cannot be read; a secret is needed and not there.
    """
    if options.deidentify is None:
        return Covering(options, (None,) * len(pairs))
    texts = [header_bytes(pair.header) for pair in pairs]
    told, whole = _told(pairs, texts, options)
    start = options.scan_time.date() if options.scan_time else None
    patient_id = options.subject.id or whole.get("id")
    cover = cover_of(list(zip(pairs, texts, strict=True)), options.deidentify, patient_id, start)
    instead: list[Instead] = []
    findings: list[Finding] = []
    for number, (pair, data) in enumerate(zip(pairs, texts, strict=True), 1):
        try:
            text, found = covered(data, cover)
        except InveonError as error:
            raise error.at(pair.header) from error
        named = neutral(number)
        instead.append(Instead(named, text))
        findings += [replace(each, path=str(named.header)) for each in found]
    covered_told = tuple(_shifted_told(each, cover) for each in told), _shifted_told(whole, cover)
    headers = [parsed(pair, text) for pair, text in zip(pairs, texts, strict=True)]
    several = tuple(each for each in several_animals(headers, options.subject, whole) if each.key == "animal_number")
    if not patient_id and not any(text_of(each.subject.identifier) for each in headers):
        patient_id = options.deidentify.pseudonym(stem_of(pairs[0].header.name))
        options = replace(options, subject=replace(options.subject, id=patient_id))
        findings.append(Finding("subject-unknown", _UNNAMED, key="subject_identifier"))
    return Covering(_shifted(options, cover), tuple(instead), tuple(findings), covered_told, several)


def folder_of(output: Path, source: Path, folder: Path, number: int, options: Options) -> Path:
    """Return where the study of a folder below the source goes: in a folder of the same name, or of a number alone."""
    if options.deidentify is None or folder == source:
        return output / folder.relative_to(source)
    return output / f"study-{number}"


def without_paths(findings: Sequence[Finding], covering: Covering) -> tuple[Finding, ...]:
    """Return findings that name no file or folder but by its new name, if anything is de-identified."""
    names = {str(path) for each in covering.instead if each for path in (each.pair.header, each.pair.data)}
    if not names:
        return tuple(findings)
    return tuple(dict.fromkeys(each if each.path in names else replace(each, path=None) for each in findings))


def _shifted(options: Options, cover: Cover) -> Options:
    """Return options whose dates are moved by as many days as those of the headers; names are what the user wants."""
    subject = replace(options.subject, birth_date=_moved(options.subject.birth_date, cover))
    sheet = options.sheet and replace(options.sheet, path=_SHEET)
    return replace(options, scan_time=_moved(options.scan_time, cover), subject=subject, sheet=sheet)


def _told(pairs: Sequence[Pair], texts: Sequence[bytes], options: Options) -> tuple[tuple[Told, ...], Told]:
    """Return what a sheet says of each scan, and of the study, by their true names and headers."""
    if options.sheet is None:
        return (NOTHING,) * len(pairs), NOTHING
    return told_of(options.sheet, [(pair, parsed(pair, text)) for pair, text in zip(pairs, texts, strict=True)])


def _shifted_told(told: Told, cover: Cover) -> Told:
    """Return what a sheet says, with its dates moved as those of the headers, and without the sheet's name."""
    if told.path is None:
        return told
    cells = {
        name: cell._replace(value=_moved(cell.value, cover)) if isinstance(cell.value, date) else cell
        for name, cell in told.cells.items()
    }
    return replace(told, path=Path(_SHEET), cells=cells)


def _moved(day: D, cover: Cover) -> D:
    """Return a date, or a moment, moved by as many days as all others; None stays.

    Raises:
        OptionError: there is no such date.
    """
    try:
        return day + timedelta(days=cover.days) if isinstance(day, date) else day
    except OverflowError as error:
        raise OptionError("a date cannot be shifted by so many days", hint="see --shift-days") from error
