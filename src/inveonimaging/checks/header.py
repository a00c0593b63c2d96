"""Problems in a header and does not hinder a conversion; the conversion's own findings are not repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import PureWindowsPath

from inveonimaging.animal import birth_date_of, birth_findings, sex_of
from inveonimaging.errors import printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.frame_groups import FrameGroup
from inveonimaging.inveon.hdr import Header
from inveonimaging.physics.timing import dose_findings, frame_time_findings
from inveonimaging.study.image import Image

_FIRST_YEAR = 2000  # microPET, and the Inveon after it, are not older
_TOMORROW = timedelta(days=1)  # clocks of other zones
_NOT_GIVEN = {"", "unknown", "n/a", "na", "none", "-", "?", "not specified"}


def header_findings(image: Image, parts: tuple[FrameGroup, ...], now: datetime) -> Iterator[Finding]:
    """Yield problems in the header of an image with these parts, seen at a moment of local time."""
    header = image.header
    yield from _scan_time(header, now)
    yield from _file_name(image)
    for part in parts:
        if not part.is_gated:
            yield from frame_time_findings([header.frames[index] for index in part.frames])
    for judge in _SUBJECT:
        yield from judge(header)


def _scan_time(header: Header, now: datetime) -> Iterator[Finding]:
    when = header.acquisition.started_at
    if when is None:
        yield Finding("scan-time-unknown", "scan_time is missing, or of 1970 or before", key="scan_time")
    elif when.year < _FIRST_YEAR or when > now + _TOMORROW:
        what = "before there were such scanners" if when.year < _FIRST_YEAR else "in the future"
        yield Finding("scan-time-odd", f"scan_time is {when}, which is {what}", key="scan_time")


def _file_name(image: Image) -> Iterator[Finding]:
    named = PureWindowsPath(image.header.file_name or "").name
    if named and named.casefold() != image.pair.name.casefold():
        message = f"file_name is '{printable(named)}', and the data file has another name"
        yield Finding("file-renamed", message, Severity.INFO, key="file_name")


def _species(header: Header) -> Iterator[Finding]:
    if not _is_given(header.subject.genus):
        yield Finding("species-unknown", "subject_genus is missing", Severity.INFO, key="subject_genus")


def _sex(header: Header) -> Iterator[Finding]:
    if not _is_given(header.subject.sex) or sex_of(header.subject.sex or "") is None:
        yield Finding("sex-unknown", "subject_sex is missing or not known", Severity.INFO, key="subject_sex")


def _is_given(text: str | None) -> bool:
    return (text or "").strip().lower() not in _NOT_GIVEN


_SUBJECT: tuple[Callable[[Header], Iterable[Finding]], ...] = (
    _species,
    _sex,
    lambda header: birth_findings(birth_date_of(header.subject.date_of_birth or ""), [header]),
    dose_findings,
)
