"""DICOM that says it is de-identified: what it must not hold any more, and the source as it must then be.

Dates may be moved by whole days, all of a study by as many: times of day and all intervals are compared as ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from inveonimaging.animal import Animal, Source
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.pairs import Pair
from inveonimaging.redaction.context import neutral
from inveonimaging.redaction.free_text import folded
from inveonimaging.verification.identity import KEPT, Name, Search, names_of
from inveonimaging.verification.planes import Plane
from inveonimaging.verification.result import Difference, Kind
from inveonimaging.verification.source import SourceScan

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
        names: what must be gone.
        pairs: what the files are called, by what they were.
    """

    days: int
    is_moved: bool
    names: tuple[Name, ...]
    pairs: dict[Pair, Pair]

    def scan(self, scan: SourceScan) -> SourceScan:
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
        search = Search(self.names)
        for file in files:
            for key in search.keys_in(file.path):
                found.setdefault(key, []).append(file.path)
        for key, paths in found.items():
            what = f"what the header says in {key}{', with a date or a path,' if key in KEPT else ''}"
            message = f"{what} is still there, in {len(paths)} files that say otherwise"
            yield Difference(
                code="identity-left", kind=Kind.IDENTITY, message=message, path=str(paths[0]), planes=len(paths)
            )
        if self.is_moved and not self.days and series:
            message = "dates are marked as modified, but are those of the header"
            path = str(series[0][0].file.path)
            yield Difference(code="dates-left", kind=Kind.IDENTITY, message=message, path=path)


def hidden_of(scans: Sequence[SourceScan], series: Sequence[Series]) -> Hidden:
    """Return what de-identified DICOM made of these scans must be."""
    is_moved = any(planes[0].get("LongitudinalTemporalInformationModified") == "MODIFIED" for planes in series)
    days = _days(scans, series) if is_moved else 0
    pairs = {pair: neutral(n) for n, pair in enumerate(dict.fromkeys(scan.image.pair for scan in scans), 1)}
    return Hidden(days, is_moved, _names(scans), pairs)


def _days(scans: Sequence[SourceScan], series: Sequence[Series]) -> int:
    """Return how many days the earliest series was moved by; the others, and all else, must agree."""
    true = [scan.start.date() for scan in scans if scan.start is not None]
    stated = [day for planes in series if (day := _day(planes[0]))]
    days = (min(stated) - min(true)).days if true and stated else 0
    return days if abs(days) <= _MOST_DAYS else 0


def _day(plane: Plane) -> date | None:
    moment = plane.moment("SeriesDate", "SeriesTime") or plane.acquired
    return moment.date() if moment else None


def _names(scans: Sequence[SourceScan]) -> tuple[Name, ...]:
    """Return what must be gone, but for what was given anew."""
    given = [folded(str(getattr(scan.animal, name))) for scan in scans for name in _given(scan.animal)]
    lines = (line for scan in scans for line in scan.header.source)
    names = dict.fromkeys(name for line in lines for name in names_of(line.key, line.value))
    return tuple(name for name in names if not name.stands_in(given))


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
            acquisition, scan_time=later(acquisition.started_at), gmt_scan_time=later(acquisition.started_at_gmt)
        ),
        tracer=replace(
            tracer,
            activity_before_injection_time=later(tracer.activity_before_injection_time),
            residual_activity_time=later(tracer.residual_activity_time),
        ),
    )
