"""What would be written: folders and headers -> studies and series; reads headers only, writes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path

from inveonimaging.animal import Animal
from inveonimaging.animal.sheet_values import SheetValues
from inveonimaging.conversion.checks import animal_findings, checked, iod_of, refuse_too_many
from inveonimaging.conversion.instance_layout import file_names, objects_of
from inveonimaging.conversion.options import Options
from inveonimaging.dicom.iods import Iod
from inveonimaging.errors import InputError, InveonError, OptionError, listed, printable
from inveonimaging.findings import Finding
from inveonimaging.hotels.checks import MeasuredGroup
from inveonimaging.inveon.pairs import TAKES_ALL, Folder, Pair, pair_of, scan_folder
from inveonimaging.sheet.hotels import refuse_for_several_studies
from inveonimaging.sheet.matching import sheet_findings
from inveonimaging.storage.folders import is_same_folder, real_path
from inveonimaging.study.folder import below, skipped, skipped_findings
from inveonimaging.study.image import locate
from inveonimaging.study.reading import Scan, Series, Study, read_pairs
from inveonimaging.study.redacting import without_paths
from inveonimaging.study.usable import refuse_errors, refuse_scan, refuse_several_animals, without

_DEEPER = "--recursive converts all that are below"
_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class SeriesPlan(Series):
    """A series that is to be written; the findings of its image are all of its scan's.

    Attributes:
        iod: the SOP class.
        objects: which slices each SOP instance holds.
        files: their files' names.
    """

    iod: Iod
    objects: tuple[range, ...]
    files: tuple[str, ...]

    @property
    def slices(self) -> int:
        """How many slices of all frames there are to be written."""
        return len(self.image.frames) * self.image.grid.shape[2]


@dataclass(frozen=True, kw_only=True)
class StudyPlan:
    """A study that is to be written to `output`; its series have one more finding or another than those of `study`.

    `whole` is what the study of the group would be from which it is cut, if that could be written; `measured` is what
    was measured of its animals.
    """

    study: Study
    output: Path
    description: str
    series: tuple[SeriesPlan, ...]
    findings: tuple[Finding, ...]
    whole: StudyPlan | None = None
    measured: MeasuredGroup | None = None

    @property
    def source(self) -> Path:
        """The folder or file."""
        return self.study.source

    @property
    def animal(self) -> Animal:
        """Whose headers these are."""
        return self.study.animal

    @property
    def sheet_values(self) -> SheetValues:
        """What a sheet says of the study."""
        return self.study.sheet_values

    @property
    def matched_rows(self) -> tuple[int, ...]:
        """The numbers of a sheet's rows that its scans match."""
        return self.study.matched_rows

    @property
    def id(self) -> str:
        """Study ID: the first `study_identifier`."""
        ids = (header.acquisition.study_identifier for header in self.study.headers)
        return next(filter(None, ids), "")

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
        return below(path, self.source)


def plan(source: Path, output: Path, options: Options) -> tuple[StudyPlan, ...]:
    """Return the studies that a file, a folder, or a tree of folders becomes.

    Raises:
        OptionError: neighbours are to be masked, and nothing is split.
        InveonError: the first reason why it cannot be converted as a whole.
    """
    if options.mask_others:
        raise OptionError("neighbours are masked only where a scan is split", hint="split it, with inveon split")
    if not os.path.isdir(source):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        return (plan_pairs((pair_of(source),), source, output, options),)
    folders = list(_walk(source, output)) if options.recursive else [scan_folder(source)]
    if sum(bool(each.pairs) for each in folders) > 1:
        refuse_for_several_studies(options.corrections.sheet)
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


def sheet_findings_of(studies: Sequence[StudyPlan], options: Options) -> tuple[Finding, ...]:
    """Return how the sheet of subjects was read, and which of its rows no scan matched."""
    return sheet_findings(options.corrections.sheet, (row for each in studies for row in each.matched_rows))


def folder_of(output: Path, source: Path, folder: Path, number: int, options: Options) -> Path:
    """Return where the study of a folder below the source goes: in a folder of the same name, or of a number alone."""
    if options.deidentify is None or folder == source:
        return output / folder.relative_to(source)
    return output / f"study-{number}"


def _refuse_collisions(studies: Sequence[StudyPlan]) -> None:
    """Refuse a sub-folder whose study would stand where a series of the folder above it goes."""
    series = {study.output / str(each.number) for study in studies for each in study.series}
    for study in studies:
        if series & {study.output, *study.output.parents}:
            raise InputError(
                "has the name of a series folder of the study above it", path=study.source, hint="rename it"
            )


def _nothing(folder: Folder, options: Options) -> InputError:
    return folder.without_pairs(TAKES_ALL if options.recursive or options.refuse_strays else _DEEPER)


def _walk(source: Path, output: Path) -> Iterator[Folder]:
    """Yield the folders of a tree; links to folders, hidden folders and the output itself are not entered."""
    waiting, real_output = [source], real_path(output)
    while waiting:
        folder = scan_folder(waiting.pop())
        yield folder
        waiting += reversed([each for each in folder.entered if not is_same_folder(each, real_output)])


def strays_of(folder: Folder, options: Options) -> tuple[Finding, ...]:
    """Return what is skipped as findings, or refuse it.

    Raises:
        InputError: under `refuse_strays`.
    """
    found = skipped(folder, options.ignored_suffixes, is_nested=options.recursive)
    if found and options.refuse_strays:
        names = listed([f"{printable(path.name)} ({reason})" for path, reason in found], _NAMED)
        raise InputError(f"does not belong here: {names}", path=folder.path, expected="pairs of .img and .img.hdr only")
    return skipped_findings(found)


def plan_pairs(
    pairs: Sequence[Pair], source: Path, output: Path, options: Options, skipped: tuple[Finding, ...] = ()
) -> StudyPlan:
    """Return the study that these pairs become; arguments as `read_pairs` and `plan_study`.

    Raises:
        InveonError: one of them cannot be converted; there is none.
    """
    return plan_study(read_pairs(pairs, source, options, options.deidentify), output, options, skipped)


def plan_study(study: Study, output: Path, options: Options, skipped: tuple[Finding, ...] = ()) -> StudyPlan:
    """Return what a study becomes.

    Args:
        study: what was read.
        output: where it goes.
        options: of the conversion.
        skipped: what was found beside the pairs.

    Raises:
        InveonError: the first reason why it cannot be converted as a whole.
    """
    refuse_errors(study, "convert")
    found = {}
    for scan in study.scans:
        try:
            found[scan.pair] = scan_findings(scan, options)
        except InveonError as error:
            raise error.hinted(without(study, scan.pair, "convert")) from error
    refuse_several_animals(study)
    first = study.scans[0].image
    doubts = (
        locate(each, first.pair.header, first.header)
        for each in animal_findings(study.animal, unlimited=options.unlimited_text)
    )
    return StudyPlan(
        study=study,
        output=output,
        description=options.study_description or next((h.study for h in study.headers if h.study), ""),
        series=tuple(_planned(each, found.pop(each.scan.pair, ()), options) for each in study.series),  # each once
        findings=without_paths((*skipped, *study.findings, *doubts), study.redaction),
        whole=_whole(study, output, options),
    )


def _whole(study: Study, output: Path, options: Options) -> StudyPlan | None:
    if study.part is None:
        return None
    try:
        return plan_study(study.part.whole, output, options)
    except InveonError:
        return None


def scan_findings(scan: Scan, options: Options) -> tuple[Finding, ...]:
    """Return all that was found in a scan, with what DICOM will lack of it.

    Raises:
        InveonError: why it cannot be converted.
    """
    image = scan.image
    try:
        found = checked(image, scan.start, options.codes, options.form, unlimited=options.unlimited_text)
    except InveonError as error:
        raise error.at(scan.pair.header) from error
    refuse_scan(scan, allow_long_data=bool(options.allow_long_data))
    located = (locate(each, image.pair.header, image.header) for each in found)
    return (*image.findings, *located, *scan.findings)


def _planned(series: Series, findings: tuple[Finding, ...], options: Options) -> SeriesPlan:
    image = replace(series.image, findings=findings)
    iod = iod_of(image, options.form)
    try:
        refuse_too_many(image, iod)
        objects = objects_of(image, iod, options.largest_object)
    except InveonError as error:
        raise error.at(series.scan.pair.header) from error
    prefix = options.prefixes.get(image.modality, "")
    known = {each.name: getattr(series, each.name) for each in fields(Series)} | {"image": image}
    return SeriesPlan(**known, iod=iod, objects=objects, files=file_names(prefix, objects, iod, options.file_name))
