"""What would be written: folders and headers -> studies and series; reads headers only, writes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path, PureWindowsPath

from inveonimaging.animal import Animal, GivenSubject, animal_of, animals_of_scans, completed_headers
from inveonimaging.animal.sheet_values import NOTHING, Told
from inveonimaging.conversion.checks import animal_findings, bed_findings, checked, iod_of, refuse_too_many
from inveonimaging.conversion.instance_layout import file_names, objects_of
from inveonimaging.conversion.options import BedDirection, Options
from inveonimaging.conversion.redacting import covering_of, folder_of, without_paths
from inveonimaging.dicom.iods import Iod
from inveonimaging.errors import DataError, InputError, InveonError, listed, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.pairs import Folder, Foreign, Pair, no_pairs, pair_of, scan_folder
from inveonimaging.physics.gating import Gating
from inveonimaging.sheet.application import applied
from inveonimaging.sheet.matching import told_of, unmatched_scan
from inveonimaging.study.image import Image, Instead, locate, read_pair, series_parts, split, with_header
from inveonimaging.study.registration import spaces_of
from inveonimaging.study.sessions import sessions_of

_NAMED = 3
_NO_IMAGE = "file-type-odd"
_LONG_DATA = ("data-too-long", "frame-blocks-missing")
_SEVERAL_SUBJECTS_HINT = "give each animal a folder of its own; if all are of one animal: --patient-id names it"


@dataclass(frozen=True, kw_only=True)
class SeriesPlan:
    """One pair, or a part of it, that becomes one series.

    Attributes:
        image: the pair, or its part.
        number: Series Number, which names its folder.
        space: number of the first series whose frame of reference it shares.
        iod: the SOP class.
        start: start of the scan.
        gating: of frames that differ by gate.
        attenuation: number of the series that its attenuation was corrected with, if it is in the study.
        objects: which slices each SOP instance holds.
        files: their files' names.
        told: what a sheet says of its scan; it stands in the image's header, too.
        animal: as it was at the scan, with the weight of that day.
    """

    image: Image
    number: int
    space: int
    iod: Iod
    start: datetime | None
    gating: Gating | None
    attenuation: int | None
    objects: tuple[range, ...]
    files: tuple[str, ...]
    told: Told = NOTHING
    animal: Animal = field(default_factory=Animal)

    @property
    def slices(self) -> int:
        """How many slices of all frames there are to be written."""
        return len(self.image.frames) * self.image.grid.shape[2]


@dataclass(frozen=True)
class StudyPlan:
    """The pairs of one folder that become one study in `output`; `told` is what a sheet says of it."""

    source: Path
    output: Path
    description: str
    id: str
    animal: Animal
    series: tuple[SeriesPlan, ...]
    findings: tuple[Finding, ...]
    told: Told = NOTHING

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Those of the study and of its images."""
        return (*self.findings, *(finding for each in self.series for finding in each.image.findings))

    @property
    def start(self) -> datetime | None:
        """The earliest start of a scan."""
        return min((each.start for each in self.series if each.start), default=None)

    def inside(self, path: Path) -> str:
        """Return a path as seen from the source folder, with forward slashes; only its name if it is not below."""
        return _below(path, self.source)


def plan(source: Path, output: Path, options: Options) -> tuple[StudyPlan, ...]:
    """Return the studies that a file, a folder, or a tree of folders becomes.

    Raises:
        InveonError: one thing that stands in the way of converting all of it.
    """
    if not os.path.isdir(source):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        return (plan_pairs((pair_of(source),), source, output, options),)
    folders = list(_walk(source, output)) if options.recursive else [scan_folder(source)]
    places = ((each, n) for n, each in enumerate((each for each in folders if each.pairs), 1))
    studies = tuple(
        plan_pairs(
            each.pairs, each.path, folder_of(output, source, each.path, n, options), options, strays_of(each, options)
        )
        for each, n in places
    )
    if not studies:
        raise _nothing(folders[0], options)
    _refuse_collisions(studies)
    return studies


def _refuse_collisions(studies: Sequence[StudyPlan]) -> None:
    """Refuse a sub-folder whose study would stand where a series of the folder above it goes."""
    series = {study.output / str(each.number) for study in studies for each in study.series}
    for study in studies:
        if series & {study.output, *study.output.parents}:
            raise InputError(
                "has the name of a series folder of the study above it", path=study.source, hint="rename it"
            )


def _nothing(folder: Folder, options: Options) -> InputError:
    may_look_deeper = folder.folders and not options.recursive and not options.refuse_strays
    hint = "--recursive looks into its sub-folders" if may_look_deeper else None
    return folder.without_pairs(hint)


def _walk(source: Path, output: Path) -> Iterator[Folder]:
    """Yield the folders of a tree; links to folders and the output itself are not entered."""
    folder = scan_folder(source)
    yield folder
    for each in folder.folders:
        if not each.is_symlink() and each.resolve() != output.resolve():
            yield from _walk(each, output)


def strays_of(folder: Folder, options: Options) -> tuple[Finding, ...]:
    """Return what is skipped as findings, or refuse it.

    Raises:
        InputError: under `refuse_strays`.
    """
    ignored = options.ignored_suffixes
    strays = [] if ignored is None else [file for file in folder.strays if not _ends(file.name, ignored)]
    others = [] if ignored is None else [each for each in folder.foreign if not _ends(each.header.name, ignored)]
    nested = () if options.recursive else folder.folders
    reasons = {
        "half of a pair: the other of .img and .img.hdr is missing": folder.orphans,
        "neither .img nor .img.hdr": strays,
        "a nested folder": nested,
    }
    found = [(each.header, reason_of(each)) for each in others]
    found += [(path, reason) for reason, paths in reasons.items() for path in paths]
    if found and options.refuse_strays:
        names = listed([f"{printable(path.name)} ({reason})" for path, reason in found], _NAMED)
        raise InputError(f"does not belong here: {names}", path=folder.path, expected="pairs of .img and .img.hdr only")
    return tuple(Finding("skipped", f"skipped: {reason}", path=str(path)) for path, reason in found)


def reason_of(foreign: Foreign) -> str:
    """Return why a header of another format is skipped."""
    data = f", which describes {printable(foreign.data.name)}" if foreign.data else ""
    return f"{foreign.kind}{data}, no Inveon header"


def _ends(name: str, suffixes: frozenset[str]) -> bool:
    """Return whether a name ends with one of the suffixes, of which `.` is that of names without one."""
    return name.lower().endswith(tuple(suffixes)) or ("." in suffixes and not Path(name).suffix)


def plan_pairs(
    pairs: Sequence[Pair], source: Path, output: Path, options: Options, skipped: tuple[Finding, ...] = ()
) -> StudyPlan:
    """Return the study that these pairs become, wherever they lie.

    They become series in the order of their names; equal names in that of their folders. So the study and its UIDs are
    the same wherever the files lie.

    Args:
        pairs: at least one.
        source: the folder below which they lie, or the one file.
        output: where the study goes.
        options: of the conversion.
        skipped: what was found beside them.

    Raises:
        InveonError: one of them stands in the way of converting all; there is none.
    """
    if not pairs:
        raise no_pairs(source)
    ordered = sorted(pairs, key=lambda pair: (pair.name, _below(pair.data, source)))
    covering = covering_of(ordered, options)
    options = covering.options
    images = [_image(pair, options, instead) for pair, instead in zip(ordered, covering.instead, strict=True)]
    told, of_study = covering.told or told_of(options.sheet, [(image.pair, image.header) for image in images])
    images = [_with_told(image, each, options) for image, each in zip(images, told, strict=True)]
    images = completed_images(images, told, options.subject)
    files = [_read(pair, image, options) for pair, image in zip(ordered, images, strict=True)]
    headers = [image.header for image in images]
    series, shared = _series(files, headers, told, options)
    names = [image.pair.header.name for image in images]
    animal, odd = animal_of(headers, options.subject, of_study, names)
    for finding in (*covering.several, *odd):
        if finding.severity is Severity.ERROR:
            raise InputError(finding.message, path=source, expected="one animal", hint=_SEVERAL_SUBJECTS_HINT)
    animals = animals_of_scans(animal, headers, options.subject, told, names)
    by_scan = {image.pair: each for image, each in zip(images, animals, strict=True)}
    series = tuple(replace(each, animal=by_scan[each.image.pair]) for each in series)
    first = series[0].image
    odd = (*odd, *animal_findings(animal, unlimited=options.unlimited_text))
    shared = tuple(replace(finding, path=str(source)) for finding in shared)
    located = (locate(finding, first.pair.header, first.header) for finding in odd)
    findings = without_paths((*skipped, *shared, *covering.findings, *located), covering)
    return StudyPlan(
        source=source,
        output=output,
        description=options.study_description or next((h.study for h in headers if h.study), ""),
        id=next((h.acquisition.study_identifier for h in headers if h.acquisition.study_identifier), ""),
        animal=animal,
        series=series,
        findings=findings,
        told=of_study,
    )


def _below(path: Path, folder: Path) -> str:
    """Return a path as seen from a folder, with forward slashes; only its name if it is not below."""
    return path.relative_to(folder).as_posix() if folder in path.parents else path.name


_File = tuple[tuple[Image, ...], Gating | None]
"""The parts of a pair, and the gating of those that are gated."""


def _image(pair: Pair, options: Options, instead: Instead | None) -> Image:
    return read_pair(
        pair,
        orientation=options.orientation,
        flip=options.flip,
        apply_hounsfield=options.apply_hounsfield,
        instead=instead,
    )


def _with_told(image: Image, told: Told, options: Options) -> Image:
    """Return an image whose header says what the sheet says."""
    if options.sheet is None:
        return image
    odd = (locate(each, image.pair.header, image.header) for each in unmatched_scan(options.sheet, told))
    image = with_header(image, applied(image.header, told))
    return replace(image, findings=(*image.findings, *odd))


def completed_images(images: Sequence[Image], told: Sequence[Told], given: GivenSubject | None = None) -> list[Image]:
    """Return images whose headers have what only other headers of the study say of the animal, with notes on it."""
    headers, found = completed_headers([image.header for image in images], told, given)
    return [
        replace(
            image,
            header=header,
            findings=(*image.findings, *(locate(each, image.pair.header, header) for each in notes)),
        )
        for image, header, notes in zip(images, headers, found, strict=True)
    ]


def _read(pair: Pair, image: Image, options: Options) -> _File:
    """Return a pair, with all that is odd in it, as one image a series, or refuse it."""
    try:
        start = _start(image, options)
        found = checked(image, start, options.codes, options.form, unlimited=options.unlimited_text)
        parts, gating, odd = _parts(image, options)
    except InveonError as error:
        raise error.at(pair.header) from error
    may_be_long = options.allow_long_data and not any(finding.code == _NO_IMAGE for finding in found)
    for finding in image.findings:
        if finding.severity is Severity.ERROR and not (finding.code in _LONG_DATA and may_be_long):
            hint = "--allow-long-data takes it all the same"
            path = pair.data if finding.path == str(image.pair.data) else pair.header
            raise DataError(finding.message, path=path, line=finding.line, hint=hint)
    located = (*image.findings, *(locate(each, image.pair.header, image.header) for each in (*found, *odd)))
    first, *others = parts  # what is odd in the file is said once
    return (replace(first, findings=located), *(replace(other, findings=()) for other in others)), gating


def _parts(image: Image, options: Options) -> tuple[tuple[Image, ...], Gating | None, tuple[Finding, ...]]:
    """Return the parts of a file that become one series each; gates whose times nobody knows are parts too."""
    parts, gating, findings = series_parts(image.header, options.cycle_ms, separate=options.separate_frames)
    direction = options.bed_direction or BedDirection.FORWARD
    images = split(image, parts, direction.sign)
    return images, gating, (*findings, *(() if options.bed_direction else bed_findings(images)))


def _series(
    files: Sequence[_File], headers: Sequence[Header], told: Sequence[Told], options: Options
) -> tuple[tuple[SeriesPlan, ...], tuple[Finding, ...]]:
    """Return the series of a study, and findings on the spaces that they share."""
    firsts = [1 + sum(len(parts) for parts, _ in files[:index]) for index in range(len(files))]
    spaces, findings = spaces_of(
        headers,
        options.frame_of_reference,
        firsts,
        orientation=options.orientation,
        scan_time=options.scan_time,
    )
    planned = tuple(
        replace(_planned(image, number, space, gating, options), told=said)
        for (parts, gating), first, space, said in zip(files, firsts, spaces, told, strict=True)
        for number, image in enumerate(parts, first)
    )
    sessions = sessions_of(headers, options.scan_time)
    by_number = {
        number: session
        for (parts, _), first, session in zip(files, firsts, sessions, strict=True)
        for number in range(first, first + len(parts))
    }
    return tuple(replace(each, attenuation=_attenuation_of(each, planned, by_number)) for each in planned), findings


def _planned(image: Image, number: int, space: int, gating: Gating | None, options: Options) -> SeriesPlan:
    iod = iod_of(image, options.form)
    try:
        refuse_too_many(image, iod)
        objects = objects_of(image, iod, options.largest_object)
    except InveonError as error:
        raise error.at(image.pair.header) from error
    prefix = options.prefixes.get(image.modality, "")
    return SeriesPlan(
        image=image,
        number=number,
        space=space,
        iod=iod,
        start=_start(image, options),
        gating=gating,
        attenuation=None,
        objects=objects,
        files=file_names(prefix, objects, iod, options.file_name),
    )


def _start(image: Image, options: Options) -> datetime | None:
    return image.header.acquisition.started_at or options.scan_time


def _attenuation_of(
    planned: SeriesPlan, series: Sequence[SeriesPlan], sessions: Mapping[int, int | None]
) -> int | None:
    """Return the number of the first CT whose file's name is that of `attenuation_filename`, but for its suffix.

    A CT of another session has the same name by chance. `sessions` has the session of each series, by its number.
    """
    wanted = _stem(planned.image.header.corrections.attenuation_file)
    if not wanted or planned.image.modality is not Modality.PET:
        return None
    own = {sessions[planned.number], None}
    for each in series:
        names = each.image.header.acquisition_file_name, each.image.pair.name
        is_named = each.image.modality is Modality.CT and wanted in map(_stem, names)
        if is_named and (sessions[each.number] in own or sessions[planned.number] is None):
            return each.number
    return None


def _stem(name: str | None) -> str:
    """Return the file name of a path of any system, in lower case, up to its first dot."""
    return PureWindowsPath(name or "").name.partition(".")[0].lower()
