"""What would be written: folders and headers -> studies and series; reads headers only, writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from inveonimaging.conversion.options import Options
from inveonimaging.dicom.codes import isotope_of, radiopharmaceutical, species
from inveonimaging.dicom.iods import CLASSIC, Iod
from inveonimaging.dicom.modules.patient import is_non_human
from inveonimaging.dicom.modules.pet import injection_time
from inveonimaging.discover import Folder, Pair, pair_of, scan_folder
from inveonimaging.errors import DataError, HeaderError, InputError, UnsupportedError, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.hdr.enums import Modality
from inveonimaging.image import Image, locate, located_error, read_pair
from inveonimaging.scan import refuse_unconvertible
from inveonimaging.subject import Animal, animal_of
from inveonimaging.timing import expected_decay_factor, utc_offset

_MOST_IMAGES = 65535  # Image Index is an unsigned 16 bit number
_LONGEST_SCAN_S = 366 * 24 * 3600.0
_LARGEST_COUNT = 2**31 - 1  # of an Integer String
_NAMED = 3


@dataclass(frozen=True)
class SeriesPlan:
    """One pair that becomes one series: `number` names its folder, `prefix` its files."""

    image: Image
    number: int
    iod: Iod
    prefix: str
    start: datetime | None

    @property
    def instances(self) -> int:
        """How many files it becomes."""
        return len(self.image.frames) * self.image.grid.shape[2]

    def file_name(self, number: int) -> str:
        """Return the name of the file of an Instance Number."""
        return f"{self.prefix}{number:06}.dcm"


@dataclass(frozen=True)
class StudyPlan:
    """The pairs of one folder that become one study in `output`."""

    source: Path
    output: Path
    description: str
    id: str
    animal: Animal
    series: tuple[SeriesPlan, ...]
    findings: tuple[Finding, ...]

    @property
    def start(self) -> datetime | None:
        """The earliest start of a scan."""
        return min((each.start for each in self.series if each.start), default=None)


def plan(source: Path, output: Path, options: Options) -> tuple[StudyPlan, ...]:
    """Return the studies that a file, a folder, or a tree of folders becomes.

    Raises:
        InveonError: one thing that stands in the way of converting all of it.
    """
    if not source.is_dir():
        return (_study(source, output, (pair_of(source),), (), options),)
    if not options.recursive:
        folder = scan_folder(source)
        if not folder.pairs:
            raise _nothing(
                source,
                "; --recursive looks into its sub-folders" if folder.folders and not options.refuse_strays else "",
            )
        return (_study(source, output, folder.pairs, _strays(folder, options), options),)
    folders = [folder for folder in _walk(source, output) if folder.pairs]
    if not folders:
        raise _nothing(source, "")
    studies = tuple(
        _study(each.path, output / each.path.relative_to(source), each.pairs, _strays(each, options), options)
        for each in folders
    )
    _refuse_collisions(studies)
    return studies


def _refuse_collisions(studies: Sequence[StudyPlan]) -> None:
    """Refuse a sub-folder whose study would stand where a series of the folder above it goes."""
    series = {study.output / str(each.number) for study in studies for each in study.series}
    for study in studies:
        if study.output in series:
            raise InputError(
                "has the name of a series folder of the study above it", path=study.source, hint="rename it"
            )


def _nothing(source: Path, hint: str) -> InputError:
    return InputError("no Inveon files here", path=source, expected=f"pairs of NAME.img and NAME.img.hdr{hint}")


def _walk(source: Path, output: Path) -> Iterator[Folder]:
    """Yield the folders of a tree; links to folders and the output itself are not entered."""
    folder = scan_folder(source)
    yield folder
    for each in folder.folders:
        if not each.is_symlink() and each.resolve() != output.resolve():
            yield from _walk(each, output)


def _strays(folder: Folder, options: Options) -> tuple[Finding, ...]:
    """Return what is skipped as findings, or refuse it.

    Raises:
        InputError: under `refuse_strays`.
    """
    ignored = options.ignored_suffixes
    strays = [file for file in folder.strays if ignored is not None and file.suffix.lower() not in ignored]
    nested = () if options.recursive else folder.folders
    reasons = {
        "half of a pair: the other of .img and .img.hdr is missing": folder.orphans,
        "neither .img nor .img.hdr": strays,
        "a nested folder": nested,
    }
    found = [(path, reason) for reason, paths in reasons.items() for path in paths]
    if found and options.refuse_strays:
        names = ", ".join(f"{printable(path.name)} ({reason})" for path, reason in found[:_NAMED])
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise InputError(
            f"does not belong here: {names}{more}", path=folder.path, expected="pairs of .img and .img.hdr only"
        )
    return tuple(Finding("skipped", f"skipped: {reason}", path=str(path)) for path, reason in found)


def _study(
    source: Path, output: Path, pairs: Sequence[Pair], skipped: tuple[Finding, ...], options: Options
) -> StudyPlan:
    ordered = sorted(pairs, key=lambda pair: pair.name)
    series = tuple(_series(pair, number, options) for number, pair in enumerate(ordered, 1))
    headers = [each.image.header for each in series]
    animal, findings = animal_of(headers, options.subject)
    first = series[0].image
    findings = (*skipped, *(locate(finding, first.pair.header, first.header) for finding in findings))
    return StudyPlan(
        source=source,
        output=output,
        description=options.study_description or next((h.study for h in headers if h.study), ""),
        id=next((h.acquisition.study_identifier for h in headers if h.acquisition.study_identifier), ""),
        animal=animal,
        series=series,
        findings=(*findings, *_uncoded_species(animal, first)),
    )


def _uncoded_species(animal: Animal, image: Image) -> tuple[Finding, ...]:
    if not is_non_human(animal) or species(animal.species or ""):
        return ()
    message = f"subject_genus is '{printable(animal.species)}', which is in no code table; written as text only"
    return (
        locate(
            Finding("species-not-coded", message, Severity.INFO, key="subject_genus"), image.pair.header, image.header
        ),
    )


def _series(pair: Pair, number: int, options: Options) -> SeriesPlan:
    image = read_pair(
        pair, orientation=options.orientation, flip=options.flip, apply_hounsfield=options.apply_hounsfield
    )
    try:
        kind = refuse_unconvertible(image.header, image.modality)
        start = image.header.acquisition.scan_time or options.scan_time
        _refuse_unknown(image, start)
    except (HeaderError, UnsupportedError) as error:
        raise located_error(error, pair.header) from error
    for finding in image.findings:
        if finding.severity is Severity.ERROR and not (finding.code == "data-too-long" and options.allow_long_data):
            raise DataError(
                finding.message, path=finding.path, line=finding.line, hint="--allow-long-data takes it all the same"
            )
    _, zone = utc_offset(image.header)
    found = (*kind, *zone, *_tracer_findings(image, options))
    image = replace(image, findings=(*image.findings, *(locate(each, pair.header, image.header) for each in found)))
    return SeriesPlan(image, number, CLASSIC[image.modality], options.prefixes.get(image.modality, ""), start)


def _refuse_unknown(image: Image, start: datetime | None) -> None:
    """Refuse a header that lacks, or has beyond reason, what DICOM must have (type 1 and 1C)."""
    header = image.header
    for index, frame in enumerate(header.frames):
        if abs(frame.start_s or 0.0) > _LONGEST_SCAN_S:
            message = f"frame_start of frame {index} is {frame.start_s:g}"
            raise HeaderError(message, line=frame.line_of("frame_start"), expected="seconds after scan_time")
    if image.modality is not Modality.PET:
        return
    if start is None:
        raise HeaderError(key="scan_time", expected="the start of the scan", hint=_SCAN_TIME_HINT)
    if len(header.frames) * image.grid.shape[2] > _MOST_IMAGES:
        raise UnsupportedError(
            f"{len(header.frames)} frames of {image.grid.shape[2]} slices",
            expected=f"at most {_MOST_IMAGES} images in a series",
        )
    for index, frame in enumerate(header.frames):
        if frame.start_s is None:
            raise HeaderError(
                f"frame_start of frame {index} is missing",
                line=_block_line(frame.source),
                expected="seconds after scan_time",
            )
        if header.corrections.decay and not (
            frame.decay_correction or expected_decay_factor(frame, header.tracer.half_life_s)
        ):
            raise HeaderError(
                f"decay_correction of frame {index} is missing",
                line=_block_line(frame.source),
                expected="the decay factor that was applied",
            )


_SCAN_TIME_HINT = "give it with: inveon convert --scan-time 2014-03-04T14:05:09"


def _block_line(block: Sequence[object]) -> int | None:
    return getattr(block[0], "number", None) if block else None


def _tracer_findings(image: Image, options: Options) -> Iterator[Finding]:
    if image.modality is not Modality.PET:
        return
    tracer = image.header.tracer
    if not tracer.isotope or options.codes.radionuclide(tracer.isotope) is None:
        got = f"'{printable(tracer.isotope)}'" if tracer.isotope else "missing"
        yield Finding(
            "isotope-not-coded", f"isotope is {got}; no code for it, --code-table can give one", key="isotope"
        )
    elif tracer.compound and radiopharmaceutical(tracer.compound, isotope_of(tracer.isotope)) is None:
        message = (
            f"injected_compound is '{printable(tracer.compound)}', which is in no code table; written as text only"
        )
        yield Finding("compound-not-coded", message, Severity.INFO, key="injected_compound")
    if tracer.dose_bq is None:
        yield Finding("dose-unknown", "dose is missing, 0 or has no unit; left out, SUV cannot be computed", key="dose")
    if injection_time(image.header) is None:
        yield Finding(
            "injection-time-unknown",
            "injection_time is missing; left out, SUV cannot be computed",
            key="injection_time",
        )
    if not tracer.half_life_s or tracer.half_life_s < 0:
        yield Finding("half-life-unknown", "isotope_half_life is missing or 0; left out", key="isotope_half_life")
    if image.header.corrections.decay is None:
        message = "decay_correction_applied is missing; taken as not corrected"
        yield Finding("decay-correction-unknown", message, key="decay_correction_applied")
    if any(max(frame.prompts or 0, frame.delays or 0) > _LARGEST_COUNT for frame in image.frames):
        yield Finding("counts-too-large", "prompts or delays beyond 2147483647; left out", Severity.INFO, key="prompts")
    if any(not frame.duration_s for frame in image.frames):
        yield Finding("frame-duration-unknown", "frame_duration is missing or 0; left empty", key="frame_duration")
