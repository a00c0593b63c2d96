"""What a header must say before it can be DICOM, and what DICOM will lack because it does not say it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from inveonimaging.animal import Animal, Source
from inveonimaging.animal.several import names_of, several_in, texts_of
from inveonimaging.animal.sheet_values import Code
from inveonimaging.dicom.codes import CodeTable, is_long, isotope_of, radiopharmaceutical, registry, species
from inveonimaging.dicom.iods import IODS, LEGACY_PET_IMAGE, PET_IMAGE, Form, Iod
from inveonimaging.dicom.modules.patient import is_non_human
from inveonimaging.dicom.modules.pet import is_decay_corrected
from inveonimaging.errors import InputError, UnsupportedError, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.given import LAST_YEAR
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.hdr.need import missing, missing_in_frame
from inveonimaging.inveon.modality import is_mu_map, is_transmission
from inveonimaging.physics.quantification import branching_fraction
from inveonimaging.physics.timing import dose_findings, expected_decay_factor, utc_offset
from inveonimaging.study.image import Image

_MOST_IMAGES = 65535  # Image Index is an unsigned 16 bit number
_INDEXED = (PET_IMAGE, LEGACY_PET_IMAGE)
_ENHANCED_HINT = "--as enhanced has no such limit"
_LONGEST_SCAN_S = 366 * 24 * 3600.0  # bounds what is added to a date
_LARGEST_COUNT = 2**31 - 1  # of an Integer String
_REGISTRIES = {"breed_registry": "breed_registry", "strain_registry": "strain_source_registry"}
_OF_SPECIES = (
    "breed",
    "breed_registration",
    "strain_codes",
    "strain_nomenclature",
    "strain_stock",
    "modifications_codes",
)
_OF_CODES = ("species_code", "strain_codes", "strain_registry", "breed_registry")
_UNLIMITED_HINT = "--unlimited-text writes it, though VTK, MRtrix, MINC and (X)MedCon cannot read such files"
_SCAN_TIME_HINT = "give it with: inveon convert --scan-time 2014-03-04T14:05:09"


def iod_of(image: Image, form: Form) -> Iod:
    """Return the SOP class that an image is written as.

    An Enhanced PET object must name a tracer, which a mu map or a transmission image has not; it becomes a
    Legacy Converted one.
    """
    is_untraced = form is Form.ENHANCED and image.modality is Modality.PET and is_transmission(image.header)
    return IODS[Form.LEGACY if is_untraced else form][image.modality]


def checked(
    image: Image, start: datetime | None, codes: CodeTable, form: Form, *, unlimited: bool = False
) -> tuple[Finding, ...]:
    """Return what was found for DICOM in a file whose scan started then.

    `unlimited` allows elements that several programs cannot read.

    Raises:
        UnsupportedError: the file holds no image, or one whose SOP class is not written.
        HeaderError: the header lacks, or has beyond reason, what DICOM must have (type 1 and 1C).
    """
    _refuse_impossible_times(image.header, start)
    _, zone = utc_offset(image.header)
    if start is None and (image.modality is Modality.PET or form is not Form.CLASSIC):
        raise missing(image.header, "scan_time", "the start of the scan").at(image.pair.header, _SCAN_TIME_HINT)
    if image.modality is Modality.SPECT:
        coded = _isotope_findings(image.header, codes, unlimited=unlimited)
        return (*zone, *coded, *dose_findings(image.header))
    if image.modality is not Modality.PET:
        return zone
    _refuse_incomplete_pet(image)
    if is_transmission(image.header):
        frames = () if is_mu_map(image.header) else _frame_findings(image.header)
        return (*zone, *_mu_map_findings(form), *frames)
    if form is Form.ENHANCED:
        _refuse_unknown_tracer(image.header)
    traced = _tracer_findings(image.header, codes, unlimited=unlimited)
    doubts = several_in(names_of(image.header, image.pair.header.name), texts_of(image.header))
    several = () if image.group or image.whole else doubts  # a sheet says who they are
    return (*zone, *traced, *several, *_frame_findings(image.header))


def animal_findings(animal: Animal, *, unlimited: bool = False) -> Iterator[Finding]:
    """Yield what DICOM will lack of the animal; `unlimited` allows elements that several programs cannot read.

    Raises:
        InputError: a registry has no code, without which DICOM cannot name it.
    """
    _refuse_uncoded(animal)
    given = [name for name in _OF_SPECIES if name in animal.sources and animal.sources[name].source is Source.SHEET]
    if given and not is_non_human(animal):
        message = f"the species is not known; left out, since DICOM allows them only with a species: {', '.join(given)}"
        yield Finding("species-needed", message, key="subject_genus")
    if is_non_human(animal) and not unlimited:
        yield from _unreadable(animal)
    if is_non_human(animal) and animal.species_code is None and species(animal.species or "") is None:
        message = f"subject_genus is '{printable(animal.species)}', which is in no code table; written as text only"
        yield Finding("species-not-coded", message, Severity.INFO, key="subject_genus")


def _unreadable(animal: Animal) -> Iterator[Finding]:
    """Yield what only elements of VR UC could say."""
    if animal.modifications_codes:
        message = f"codes of genetic modifications are left out; their text is written ({_UNLIMITED_HINT})"
        yield Finding("code-left-out", message, Severity.INFO)
    for name in _OF_CODES:
        given = getattr(animal, name)
        for code in given if name == "strain_codes" else (given,):
            if isinstance(code, Code) and is_long(code):
                yield _left_out(name, code.value)


def _left_out(what: str, code: str) -> Finding:
    shown = printable(code, 40)
    message = f"the code '{shown}' of {what} has more than 16 characters and is left out ({_UNLIMITED_HINT})"
    return Finding("code-left-out", message, Severity.INFO)


def _refuse_uncoded(animal: Animal) -> None:
    for name, table in _REGISTRIES.items():
        given = getattr(animal, name)
        if given and registry(table, given) is None:
            file, line = animal.sources[name].file, animal.sources[name].line
            expected = "VALUE^SCHEME^MEANING, or a name that has a code; docs/how-to/subjects.md lists them"
            raise InputError(path=file, line=line, key=name, got=given, expected=expected)


def _refuse_impossible_times(header: Header, start: datetime | None) -> None:
    if start is not None and start.year > LAST_YEAR:
        raise missing(header, "scan_time", f"a year up to {LAST_YEAR}")
    for index, frame in enumerate(header.frames):
        if not 0 <= (frame.duration_s or 0.0) <= _LONGEST_SCAN_S:
            raise missing_in_frame(frame, index, "frame_duration", "seconds, at most a year")
        if abs(frame.start_s or 0.0) > _LONGEST_SCAN_S:
            raise missing_in_frame(frame, index, "frame_start", "seconds after scan_time, at most a year")


def refuse_too_many(image: Image, iod: Iod) -> None:
    """Refuse a series whose slices Image Index (0054,1330) cannot count.

    Raises:
        UnsupportedError: with how many there are and may be.
    """
    frames, slices = len(image.frames), image.grid.shape[2]
    if iod in _INDEXED and frames * slices > _MOST_IMAGES:
        message = f"{frames} frames of {slices} slices in one {iod.name}"
        raise UnsupportedError(message, expected=f"at most {_MOST_IMAGES} images in a series", hint=_ENHANCED_HINT)


def _refuse_incomplete_pet(image: Image) -> None:
    header = image.header
    for index, frame in enumerate(header.frames):
        if frame.start_s is None:
            raise missing_in_frame(frame, index, "frame_start", "seconds after scan_time")
        factor = frame.decay_correction or expected_decay_factor(frame, header.tracer.half_life_s)
        if is_decay_corrected(header) and not factor:
            raise missing_in_frame(frame, index, "decay_correction", "the decay factor that was applied")


def _refuse_unknown_tracer(header: Header) -> None:
    """Refuse what an Enhanced PET Isotope Module cannot do without (type 1)."""
    known = {
        "injection_time": header.tracer.injected_at,
        "isotope_half_life": header.tracer.half_life_s if (header.tracer.half_life_s or 0) > 0 else None,
        "isotope_branching_fraction": branching_fraction(header),
    }
    for key, value in known.items():
        if value is None:
            error = missing(header, key)
            error.hint = "Enhanced PET requires it; --as legacy and --as classic do without"
            raise error


def _mu_map_findings(form: Form) -> tuple[Finding, ...]:
    if form is not Form.ENHANCED:
        return ()
    message = (
        "a mu map or transmission image has no tracer, which Enhanced PET must name; written as Legacy Converted "
        "Enhanced PET"
    )
    return (Finding("mu-map-not-enhanced", message, Severity.INFO, key="file_type"),)


def _isotope_findings(header: Header, codes: CodeTable, *, unlimited: bool) -> Iterator[Finding]:
    isotope = header.tracer.isotope
    code = codes.radionuclide(isotope) if isotope else None
    if code and is_long(code) and not unlimited:
        yield replace(_left_out("isotope", code.value), key="isotope")
    if code is None:
        got = f"'{printable(isotope)}'" if isotope else "missing"
        message = f"isotope is {got}; no code for it, --code-table can give one"
        yield Finding("isotope-not-coded", message, key="isotope")


def _tracer_findings(header: Header, codes: CodeTable, *, unlimited: bool) -> Iterator[Finding]:
    tracer = header.tracer
    yield from _isotope_findings(header, codes, unlimited=unlimited)
    isotope = isotope_of(tracer.isotope or "")
    is_coded = bool(tracer.isotope and codes.radionuclide(tracer.isotope))
    if is_coded and tracer.compound and radiopharmaceutical(tracer.compound, isotope) is None:
        message = (
            f"injected_compound is '{printable(tracer.compound)}', which is in no code table; written as text only"
        )
        yield Finding("compound-not-coded", message, Severity.INFO, key="injected_compound")
    yield from dose_findings(header)
    if tracer.dose_bq is None:
        yield Finding("dose-unknown", "dose is missing, 0 or has no unit; left out, SUV cannot be computed", key="dose")
    if header.tracer.injected_at is None:
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
