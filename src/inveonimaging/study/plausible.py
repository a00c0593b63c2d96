"""Whether what was typed, or what a sheet says, makes sense for the scan; it is taken all the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from inveonimaging.animal.limits import dose_finding, weight_finding
from inveonimaging.animal.sheet_values import SheetValues
from inveonimaging.findings import Finding
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.physics.injection import ScanTimes, injection_findings
from inveonimaging.physics.timing import extent, factor_to_injection
from inveonimaging.sheet.application import has_tracer
from inveonimaging.sheet.hotels import Hotel
from inveonimaging.study.group import of_one
from inveonimaging.study.image import Image

_OF_WEIGHT = ("weight_kg", "species")
_OF_DOSE = ("dose_mbq", "residual_mbq", "dose_time", "residual_time", "species")
_OF_INJECTION = ("injection_time",)


def given_findings(image: Image, given: SheetValues, scan_time: datetime | None) -> Iterator[Finding]:
    """Yield what makes no sense in values that do not come from the header, each with where it comes from.

    Args:
        image: whose header has the values.
        given: the values; those of the header itself are `inveon check`'s.
        scan_time: that was given, for headers without one.
    """
    header, animals = image.header, len(image.group) or 1
    species, strain = header.subject.genus, header.subject.phenotype
    if origin := _origin(given, _OF_WEIGHT):
        yield from _with_origin(weight_finding(header.subject.weight_kg, species, animals, strain=strain), origin)
    if not has_tracer(header):
        return
    if origin := _origin(given, _OF_DOSE):
        is_spect = image.modality is Modality.SPECT
        found = dose_finding(header.tracer.dose_bq, species, animals, strain=strain, is_spect=is_spect)
        yield from _with_origin(found, origin)
    injected, start = header.tracer.injected_at, header.acquisition.started_at
    origin = _origin(given, _OF_INJECTION) or ("--scan-time" if start and start == scan_time else None)
    if injected is not None and origin:
        for finding in injection_findings(injected, _scan_times(image, start)):
            yield from _with_origin(finding, origin)


def animal_findings(image: Image, hotel: Hotel | None, number: int, scan_time: datetime | None) -> tuple[Finding, ...]:
    """Return the same of each animal of a scan that is of several; `number` is the scan's among those of the hotel."""
    if hotel is None or not image.group:
        return ()
    found: list[Finding] = []
    for each in hotel.animals:
        values = each.of_scans[number]
        alone = replace(image, header=of_one(image.header, values), group=())
        found += given_findings(alone, values, scan_time)
    return tuple(dict.fromkeys(found))


def _scan_times(image: Image, start: datetime | None) -> ScanTimes:
    starts = {frame.start_s for frame in image.frames}
    half_life, end = image.header.tracer.half_life_s, extent(image.frames, start)[1]
    return ScanTimes(start, end, len(starts), half_life, is_from_injection=bool(factor_to_injection(image.header)))


def _origin(given: SheetValues, names: tuple[str, ...]) -> str | None:
    """Return the option, or the column and row, of the first of these values that is given."""
    cell = next((given.cells[name] for name in names if name in given.cells), None)
    if cell is None:
        return None
    return cell.title if cell.row is None else f"{cell.title} of row {cell.row}"


def _with_origin(finding: Finding | None, origin: str) -> Iterator[Finding]:
    if finding is not None:
        yield replace(finding, message=f"{finding.message} ({origin})")
