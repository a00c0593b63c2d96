"""Redaction of a study that is read: the pairs by their new names, with what is left of their headers."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from inveonimaging.animal import several_animals, stem_of
from inveonimaging.animal.free_text import text_of
from inveonimaging.animal.sheet_values import SheetValues
from inveonimaging.errors import InveonError, OptionError
from inveonimaging.findings import Finding
from inveonimaging.given import YEARS, is_possible
from inveonimaging.inveon.pairs import Pair
from inveonimaging.redaction.context import RedactionContext, neutral, parsed, redaction_context_of
from inveonimaging.redaction.header_text import redacted
from inveonimaging.redaction.request import Deidentify
from inveonimaging.sheet.hotels import Hotel
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.image import RedactedSource, header_bytes
from inveonimaging.study.typed import GivenValues, values_of_scans

D = TypeVar("D", bound=date | None)

_SHEET = Path("sheet")
_UNNAMED = (
    "subject_identifier is missing; Patient ID and Name are a pseudonym made from the name of the first file "
    "(--patient-id, or a sheet for --subjects, name the animal)"
)


@dataclass(frozen=True)
class StudyRedaction:
    """What is read instead of the files of a study; nothing of it is changed unless that is asked for.

    Attributes:
        corrections: with their dates shifted as those of the headers.
        instead: names and text of each pair; None for the pair as it is.
        findings: on what was removed.
        sheet_values: what a sheet says of each scan and of the study, by the true names and headers; None if nothing
            is de-identified.
        several: errors on headers that are of several animals, where the text that is left does not show it.
    """

    corrections: Corrections
    instead: tuple[RedactedSource | None, ...]
    findings: tuple[Finding, ...] = ()
    sheet_values: GivenValues | None = None
    several: tuple[Finding, ...] = ()


def study_redaction_of(
    pairs: Sequence[Pair], corrections: Corrections, deidentify: Deidentify | None
) -> StudyRedaction:
    """Return what is read instead of the pairs of a study, in their order.

    Raises:
        InveonError: a header cannot be read; a secret is needed and not there.
    """
    if deidentify is None:
        return StudyRedaction(corrections, (None,) * len(pairs))
    texts = [header_bytes(pair.header) for pair in pairs]
    headers = [parsed(pair, text) for pair, text in zip(pairs, texts, strict=True)]
    sheet_values, whole, hotel = values_of_scans(corrections, list(zip(pairs, headers, strict=True)))
    start = corrections.scan_time.date() if corrections.scan_time else None
    patient_id = corrections.subject.id or whole.get("id")
    context = redaction_context_of(list(zip(pairs, texts, strict=True)), deidentify, patient_id, start)
    instead: list[RedactedSource] = []
    findings: list[Finding] = []
    for number, (pair, data) in enumerate(zip(pairs, texts, strict=True), 1):
        try:
            text, found = redacted(data, context)
        except InveonError as error:
            raise error.at(pair.header) from error
        named = neutral(number)
        instead.append(RedactedSource(named, text))
        findings += [replace(each, path=str(named.header)) for each in found]
    shifted = GivenValues(
        tuple(_shifted_values(each, context) for each in sheet_values),
        _shifted_values(whole, context),
        hotel and _shifted_hotel(hotel, context),
    )
    several = tuple(
        each for each in several_animals(headers, corrections.subject, whole) if each.key == "animal_number"
    )
    if not patient_id and not any(text_of(each.subject.identifier) for each in headers):
        patient_id = deidentify.pseudonym(stem_of(pairs[0].header.name))
        corrections = replace(corrections, subject=replace(corrections.subject, id=patient_id))
        findings.append(Finding("subject-unknown", _UNNAMED, key="subject_identifier"))
    return StudyRedaction(_shifted(corrections, context), tuple(instead), tuple(findings), shifted, several)


def without_paths(findings: Sequence[Finding], redaction: StudyRedaction) -> tuple[Finding, ...]:
    """Return findings that name no file or folder but by its new name, if anything is de-identified."""
    names = {str(path) for each in redaction.instead if each for path in (each.pair.header, each.pair.data)}
    if not names:
        return tuple(findings)
    names.add(str(_SHEET))
    return tuple(
        dict.fromkeys(each if each.path in names else replace(each, path=None, line=None) for each in findings)
    )


def _shifted(corrections: Corrections, context: RedactionContext) -> Corrections:
    """Return corrections whose dates are moved as those of the headers; names are what the user wants."""
    subject = replace(corrections.subject, birth_date=_moved(corrections.subject.birth_date, context))
    sheet = corrections.sheet and replace(corrections.sheet, path=_SHEET)
    moved = {name: _moved(getattr(corrections, name), context) for name in ("scan_time", "injected_at")}
    return replace(corrections, **moved, subject=subject, sheet=sheet)


def _shifted_values(sheet_values: SheetValues, context: RedactionContext) -> SheetValues:
    """Return what is given, with its dates moved as those of the headers, and without the sheet's name."""
    cells = {
        name: cell._replace(value=_moved(cell.value, context)) if isinstance(cell.value, date) else cell
        for name, cell in sheet_values.cells.items()
    }
    return replace(sheet_values, path=sheet_values.path and _SHEET, cells=cells)


def _shifted_hotel(hotel: Hotel, context: RedactionContext) -> Hotel:
    """Return a hotel whose animals' dates are moved, without the sheet's name; IDs are what the sheet says."""
    positions = tuple(
        replace(
            each,
            of_scans=tuple(_shifted_values(values, context) for values in each.of_scans),
            of_study=_shifted_values(each.of_study, context),
        )
        for each in hotel.positions
    )
    return replace(hotel, path=_SHEET, positions=positions)


def _moved(day: D, context: RedactionContext) -> D:
    """Return a date, or a moment, moved by as many days as all others; None stays.

    Raises:
        OptionError: there is no such date.
    """
    if not isinstance(day, date):
        return day
    with contextlib.suppress(OverflowError):
        moved = day + timedelta(days=context.days)
        if not isinstance(moved, datetime) or is_possible(moved):
            return moved
    raise OptionError(f"{day} cannot be shifted by {context.days} days", expected=YEARS, hint="see --shift-days")
