"""What a header must say before it can be DICOM, and what DICOM will lack because it does not say it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from inveonimaging.dicom.codes import CodeTable, isotope_of, radiopharmaceutical, species
from inveonimaging.dicom.modules.patient import is_non_human
from inveonimaging.dicom.modules.pet import injection_time
from inveonimaging.errors import UnsupportedError, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.hdr import Header
from inveonimaging.hdr.enums import Modality
from inveonimaging.hdr.need import missing, missing_in_frame
from inveonimaging.image import Image
from inveonimaging.scan import refuse_unconvertible
from inveonimaging.subject import Animal
from inveonimaging.timing import expected_decay_factor, utc_offset

_MOST_IMAGES = 65535  # Image Index is an unsigned 16 bit number
_LAST_YEAR = 2200
_LONGEST_SCAN_S = 366 * 24 * 3600.0  # bounds what is added to a date
_LARGEST_COUNT = 2**31 - 1  # of an Integer String
_SCAN_TIME_HINT = "give it with: inveon convert --scan-time 2014-03-04T14:05:09"


def checked(image: Image, start: datetime | None, codes: CodeTable) -> tuple[Finding, ...]:
    """Return what is odd for DICOM in an image whose scan started then.

    Raises:
        UnsupportedError: the file holds no image, or one whose SOP class is not written.
        HeaderError: the header lacks, or has beyond reason, what DICOM must have (type 1 and 1C).
    """
    kind = refuse_unconvertible(image.header, image.modality)
    _refuse_odd_times(image.header, start)
    _, zone = utc_offset(image.header)
    if image.modality is not Modality.PET:
        return (*kind, *zone)
    _refuse_incomplete_pet(image, start)
    return (*kind, *zone, *_tracer_findings(image.header, codes), *_frame_findings(image.header))


def animal_findings(animal: Animal) -> Iterator[Finding]:
    """Yield what DICOM will lack of the animal."""
    if is_non_human(animal) and species(animal.species or "") is None:
        message = f"subject_genus is '{printable(animal.species)}', which is in no code table; written as text only"
        yield Finding("species-not-coded", message, Severity.INFO, key="subject_genus")


def _refuse_odd_times(header: Header, start: datetime | None) -> None:
    if start is not None and start.year > _LAST_YEAR:
        raise missing(header, "scan_time", f"a year up to {_LAST_YEAR}")
    for index, frame in enumerate(header.frames):
        if not 0 <= (frame.duration_s or 0.0) <= _LONGEST_SCAN_S:
            raise missing_in_frame(frame, index, "frame_duration", "seconds, at most a year")
        if abs(frame.start_s or 0.0) > _LONGEST_SCAN_S:
            raise missing_in_frame(frame, index, "frame_start", "seconds after scan_time, at most a year")


def _refuse_incomplete_pet(image: Image, start: datetime | None) -> None:
    header, slices = image.header, image.grid.shape[2]
    if start is None:
        raise missing(header, "scan_time", "the start of the scan").at(image.pair.header, _SCAN_TIME_HINT)
    if len(header.frames) * slices > _MOST_IMAGES:
        message = f"{len(header.frames)} frames of {slices} slices"
        raise UnsupportedError(message, expected=f"at most {_MOST_IMAGES} images in a series")
    for index, frame in enumerate(header.frames):
        if frame.start_s is None:
            raise missing_in_frame(frame, index, "frame_start", "seconds after scan_time")
        factor = frame.decay_correction or expected_decay_factor(frame, header.tracer.half_life_s)
        if header.corrections.decay and not factor:
            raise missing_in_frame(frame, index, "decay_correction", "the decay factor that was applied")


def _tracer_findings(header: Header, codes: CodeTable) -> Iterator[Finding]:
    tracer = header.tracer
    if not tracer.isotope or codes.radionuclide(tracer.isotope) is None:
        got = f"'{printable(tracer.isotope)}'" if tracer.isotope else "missing"
        message = f"isotope is {got}; no code for it, --code-table can give one"
        yield Finding("isotope-not-coded", message, key="isotope")
    elif tracer.compound and radiopharmaceutical(tracer.compound, isotope_of(tracer.isotope)) is None:
        message = (
            f"injected_compound is '{printable(tracer.compound)}', which is in no code table; written as text only"
        )
        yield Finding("compound-not-coded", message, Severity.INFO, key="injected_compound")
    if tracer.dose_bq is None:
        yield Finding("dose-unknown", "dose is missing, 0 or has no unit; left out, SUV cannot be computed", key="dose")
    if injection_time(header) is None:
        message = "injection_time is missing; left out, SUV cannot be computed"
        yield Finding("injection-time-unknown", message, key="injection_time")
    if not tracer.half_life_s or tracer.half_life_s < 0:
        yield Finding("half-life-unknown", "isotope_half_life is missing or 0; left out", key="isotope_half_life")


def _frame_findings(header: Header) -> Iterator[Finding]:
    if header.corrections.decay is None:
        message = "decay_correction_applied is missing; taken as not corrected"
        yield Finding("decay-correction-unknown", message, key="decay_correction_applied")
    if any(max(frame.prompts or 0, frame.delays or 0) > _LARGEST_COUNT for frame in header.frames):
        message = f"prompts or delays beyond {_LARGEST_COUNT}; left out"
        yield Finding("counts-too-large", message, Severity.INFO, key="prompts")
    if any(not frame.duration_s for frame in header.frames):
        yield Finding("frame-duration-unknown", "frame_duration is missing or 0; left empty", key="frame_duration")
