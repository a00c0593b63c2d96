"""DICOM that says it is de-identified: what it must not hold any more, and the source as it must then be.

Dates may be moved by whole days, all of a study by as many: times of day and all intervals are compared as ever.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset

from inveonimaging.deidentification.cover import neutral
from inveonimaging.discover import Pair
from inveonimaging.hdr import Header
from inveonimaging.subject import Animal, Source
from inveonimaging.verification.comparison import plain
from inveonimaging.verification.moments import acquired, joined
from inveonimaging.verification.planes import File, Plane
from inveonimaging.verification.result import Difference, Kind
from inveonimaging.verification.source import Scan

_IDENTIFYING = (  # what must be gone, whatever the profile of who removed it
    "investigator",
    "operator",
    "acquisition_user_id",
    "histogram_user_id",
    "reconstruction_user_id",
    "scatter_correction_user_id",
    "institution",
    "subject_identifier",
    "acquisition_notes",
)
_SHORTEST = 4
_UNKNOWN = {"unknown", "none", "not specified"}

_MOST_DAYS = 100 * 366

DEIDENTIFIED = "the DICOM is de-identified: files have numbers in the order of their names, and patients pseudonyms"

Series = Sequence[Plane]


def is_deidentified(series: Sequence[Series]) -> bool:
    """Return whether anything says that the identity was removed."""
    return any(planes[0].get("PatientIdentityRemoved") == "YES" for planes in series)


@dataclass(frozen=True)
class Hidden:
    """What the DICOM says of its de-identification, and what the source must then be.

    Attributes:
        days: that all dates are moved by; 0 if they are not.
        is_moved: whether it says that dates are modified.
        names: what must be gone, by key.
        pairs: what the files are called, by what they were.
    """

    days: int
    is_moved: bool
    names: dict[str, str]
    pairs: dict[Pair, Pair]

    def scan(self, scan: Scan) -> Scan:
        """Return a scan as it is after the de-identification."""
        days = timedelta(days=self.days)
        image = replace(scan.image, header=_moved(scan.header, days), pair=self.pairs[scan.image.pair])
        start = None if scan.start is None else scan.start + days
        return replace(scan, image=image, start=start, animal=self._animal(scan.animal))

    def _animal(self, animal: Animal) -> Animal:
        """Return an animal with what was given instead of the headers, and with its birth date if that is moved too."""
        given = _given(animal)
        born = animal.birth_date if self.is_moved or "birth_date" in given else None
        return replace(
            animal,
            id=animal.id if "id" in given else "",
            name=animal.name if "name" in given else "",
            birth_date=born and born + timedelta(days=self.days),
        )

    def left(self, series: Sequence[Series]) -> Iterator[Difference]:
        """Yield what is still there and should not be."""
        files = {id(plane.file): plane.file for planes in series for plane in planes}.values()
        found: dict[str, list[Path]] = {}
        for file in files:
            for key in self._keys_in(file):
                found.setdefault(key, []).append(file.path)
        for key, paths in found.items():
            message = f"what the header says in {key} is still there, in {len(paths)} files that say otherwise"
            yield Difference(
                code="identity-left", kind=Kind.IDENTITY, message=message, path=str(paths[0]), planes=len(paths)
            )
        if self.is_moved and not self.days and series:
            message = "dates are said to be modified, and are those of the header"
            path = str(series[0][0].file.path)
            yield Difference(code="dates-left", kind=Kind.IDENTITY, message=message, path=path)

    def _keys_in(self, file: File) -> tuple[str, ...]:
        """Return the keys whose value stands in a file; bytes that look like it are read as the text that they are."""
        if file.native is not None and not any(_may_be_in(name, _head(file)) for name in self.names.values()):
            return ()
        texts = "\n".join(_texts(dcmread(file.path, stop_before_pixels=True)))
        return tuple(key for key, name in self.names.items() if _word(name).search(texts))


def hidden_of(scans: Sequence[Scan], series: Sequence[Series]) -> Hidden:
    """Return what de-identified DICOM made of these scans must be."""
    is_moved = any(planes[0].get("LongitudinalTemporalInformationModified") == "MODIFIED" for planes in series)
    days = _days(scans, series) if is_moved else 0
    pairs = {pair: neutral(n) for n, pair in enumerate(dict.fromkeys(scan.image.pair for scan in scans), 1)}
    return Hidden(days, is_moved, _names(scans), pairs)


def _days(scans: Sequence[Scan], series: Sequence[Series]) -> int:
    """Return how many days the earliest series was moved by; the others, and all else, must agree."""
    true = [scan.start.date() for scan in scans if scan.start is not None]
    stated = [day for planes in series if (day := _day(planes[0]))]
    days = (min(stated) - min(true)).days if true and stated else 0
    return days if abs(days) <= _MOST_DAYS else 0


def _day(plane: Plane) -> date | None:
    moment = joined(plane.get("SeriesDate"), plane.get("SeriesTime")) or acquired(plane)
    return moment.date() if moment else None


def _names(scans: Sequence[Scan]) -> dict[str, str]:
    """Return the values that must be gone, by key, but for what was given anew."""
    given = [str(getattr(scan.animal, name)).casefold() for scan in scans for name in _given(scan.animal)]
    found: dict[str, str] = {}
    for scan in scans:
        for line in scan.header.source:
            value = line.value.strip()
            is_name = len(value) >= _SHORTEST and not value.isdigit() and value.casefold() not in _UNKNOWN
            if line.key in _IDENTIFYING and is_name and not any(value.casefold() in text for text in given):
                found[line.key] = value
    return found


def _given(animal: Animal) -> frozenset[str]:
    """Return what of an animal is not from the headers."""
    own = (Source.COMMAND_LINE, Source.SHEET)
    return frozenset(name for name, origin in animal.sources.items() if origin.source in own)


def _moved(header: Header, days: timedelta) -> Header:
    def later(moment: datetime | None) -> datetime | None:
        return None if moment is None else moment + days

    acquisition, tracer = header.acquisition, header.tracer
    if tracer.injected_at is not None:  # the epoch stands for no time, and is moved by none
        tracer = replace(tracer, injection_time=later(tracer.injection_time))
    return replace(
        header,
        acquisition=replace(
            acquisition, scan_time=later(acquisition.scan_time), gmt_scan_time=later(acquisition.gmt_scan_time)
        ),
        tracer=replace(
            tracer,
            activity_before_injection_time=later(tracer.activity_before_injection_time),
            residual_activity_time=later(tracer.residual_activity_time),
        ),
    )


def _head(file: File) -> bytes:
    with file.path.open("rb") as opened:
        return opened.read(file.native.offset if file.native else -1).lower()


def _may_be_in(name: str, head: bytes) -> bool:
    spellings = {text.lower().encode(code, "replace") for text in (name, plain(name)) for code in ("utf-8", "latin-1")}
    return any(spelling in head for spelling in spellings)


def _word(name: str) -> re.Pattern[str]:
    spellings = "|".join(re.escape(each) for each in {name, plain(name)})
    return re.compile(rf"(?<!\w)(?:{spellings})(?!\w)", re.IGNORECASE)


def _texts(dataset: Dataset) -> Iterator[str]:
    """Yield all values of a dataset as text, those of its sequences and private blocks too."""
    for element in dataset.iterall():
        yield from _text(element.value)


def _text(value: Any) -> Iterator[str]:
    if isinstance(value, bytes):
        yield value.decode("utf-8", "replace")
        yield value.decode("latin-1")
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _text(each)
    elif not isinstance(value, Dataset):
        yield str(value)
