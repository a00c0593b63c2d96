"""Which regions of which series are measured, and into which files; reads no voxels."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from inveonimaging.errors import InputError, InveonError, OptionError, listed, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.hotels.cutting import animals_of, places_of
from inveonimaging.hotels.splitting import read_group
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.modality import is_transmission
from inveonimaging.physics.timing import frame_time_findings
from inveonimaging.sheet.matching import sheet_findings
from inveonimaging.study.cut import Extent
from inveonimaging.study.folder import pairs_at
from inveonimaging.study.image import Image, locate
from inveonimaging.study.late_frames import is_gated
from inveonimaging.study.reading import Series, Study, read_study
from inveonimaging.study.redacting import without_paths
from inveonimaging.study.suv import suv_factor
from inveonimaging.study.usable import refuse_unusable
from inveonimaging.time_activity.measuring import Wanted, unmeasured, voxels_in
from inveonimaging.time_activity.options import CurvesOptions
from inveonimaging.time_activity.region_files import RegionFile, read_regions
from inveonimaging.time_activity.regions import Cuboid, Region, reaches_beyond, touches
from inveonimaging.time_activity.tables import TABLES, refuse_without_times

HOTTEST = "hottest"
_NAMED = 8


@dataclass(frozen=True)
class Animal:
    """An animal of a group: its region, and its study."""

    region: Cuboid
    study: Study = field(repr=False)


@dataclass(frozen=True)
class SeriesPlan:
    """What is measured in a series.

    Attributes:
        series: of the study.
        wanted: regions that have voxels in it.
        voxels: how many each has.
        animals: of a group.
    """

    series: Series
    wanted: tuple[Wanted, ...]
    voxels: tuple[int, ...]
    animals: tuple[Animal, ...] = ()

    @property
    def image(self) -> Image:
        """The series' image."""
        return self.series.image


@dataclass(frozen=True)
class CurvesPlan:
    """What is to be measured and written.

    Attributes:
        study: what was read.
        folder: where the files go.
        names: of the files.
        series: in which something is measured.
        hottest_mm: diameter of the hottest sphere; None makes none.
        findings: of the files, the animal and the regions.
    """

    study: Study
    folder: Path
    names: tuple[str, ...]
    series: tuple[SeriesPlan, ...]
    hottest_mm: float | None
    findings: tuple[Finding, ...]


def plan_curves(source: Path, outputs: Sequence[Path], options: CurvesOptions) -> CurvesPlan:
    """Return what is to be measured; nothing is written.

    Raises:
        InveonError: the first reason why it cannot be.
    """
    folder, names = _files(outputs, options)
    study, animals, found = _read(source, options)
    refuse_unusable(study, "curves")
    series = _measured_series(study, options)
    files = [read_regions(path) for path in options.regions]
    regions = _regions(files, animals, options)
    spaces = _spaces(files, study, options)
    findings = [*study.findings, *found, *(one for scan in study.scans for one in scan.all_findings)]
    findings += [each for file in files for each in file.findings]
    findings += [*_of_others(study, series, options), *_of_spaces(regions, series)]
    placed, of_regions = _placed(regions, series, spaces)
    findings += of_regions
    plans = tuple(_of_series(each, placed[each.number], animals) for each in series)
    plans = tuple(each for each in plans if each.wanted or options.hottest_mm)
    if not plans:
        raise InputError(of_regions[0].message, path=source, expected="a region with voxels", hint=_WHERE)
    for each in plans:
        findings += _of_plan(each)
    _refuse_tables(plans, names, options)
    return CurvesPlan(study, folder, names, plans, options.hottest_mm, without_paths(findings, study.redaction))


_WHERE = "places are LPS mm, as the report has them"


def _files(outputs: Sequence[Path], options: CurvesOptions) -> tuple[Path, tuple[str, ...]]:
    """Return where the files go, and their names.

    Raises:
        OptionError: one has another ending, is named twice or is an input; they are in several folders.
    """
    for path in outputs:
        if path.suffix.lower() not in TABLES:
            raise OptionError("no such table is known", path=path, expected=f"a name that ends in {', '.join(TABLES)}")
    plain = [Path(os.path.abspath(each)) for each in outputs]  # noqa: PTH100 - links stay as they are
    if len({each.parent for each in plain}) > 1:
        raise OptionError("the files are in several folders", expected="one folder, so that all appear or none")
    if len(set(plain)) < len(plain):
        raise OptionError(
            "a file is named twice", path=next(each for n, each in enumerate(outputs) if each in outputs[:n])
        )
    sheet = options.corrections.sheet
    inputs = [*options.regions, *filter(None, (options.boxes, sheet.path if sheet else None))]
    for path in outputs:
        if any(_is_same(path, each) for each in inputs):
            raise OptionError("is an input, which is never replaced", path=path, expected="another name")
    return outputs[0].parent if outputs else Path(), tuple(each.name for each in outputs)


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):
        return False


def _read(source: Path, options: CurvesOptions) -> tuple[Study, tuple[Animal, ...], tuple[Finding, ...]]:
    """Read a study; of a group also each of its animals."""
    if not options.animals and options.boxes is None:
        return read_study(source, options.corrections, deidentify=options.deidentify), (), ()
    pairs, place, found = pairs_at(source)
    group = read_group(pairs, place, options.corrections)
    places = places_of(group, options.boxes)
    studies = animals_of(group, places, options.deidentify).studies
    animals = tuple(
        Animal(Cuboid(str(each.slot) if options.deidentify else each.id, extent), study)
        for each, extent, study in zip(group.hotel.animals, places.extents, studies, strict=True)
    )
    whole = next((each.part.whole for each in studies if each.part), group.study)
    own = [one for each in studies for one in each.findings if one not in whole.findings]
    on_sheet = sheet_findings(whole.corrections.sheet, whole.matched_rows)
    return whole, animals, (*on_sheet, *found, *places.findings, *own)


def _is_emission(series: Series) -> bool:
    return series.image.modality is not Modality.CT and not is_transmission(series.image.header)


def _measured_series(study: Study, options: CurvesOptions) -> tuple[Series, ...]:
    """Return the series that are measured.

    Raises:
        InputError: there is no PET and no SPECT.
        OptionError: there is no such series, or it is none of these.
    """
    emission = tuple(filter(_is_emission, study.series))
    if not emission:
        kinds = ", ".join(dict.fromkeys(each.image.kind for each in study.series))
        message = f"there is no PET and no SPECT here, but {kinds}: curves are of activity"
        raise InputError(message, path=study.source, expected="a dynamic or static PET or SPECT")
    if options.series is None:
        return emission
    chosen = tuple(each for each in emission if each.number == options.series)
    if not chosen:
        known = [f"{each.number} ({_name(each)})" for each in emission]
        raise OptionError(key="--series", got=str(options.series), expected=f"one of {listed(known, _NAMED)}")
    return chosen


def _name(series: Series) -> str:
    return ", ".join(filter(None, (printable(series.image.pair.name, 60), series.image.part_name)))


def _regions(files: Sequence[RegionFile], animals: Sequence[Animal], options: CurvesOptions) -> tuple[Region, ...]:
    """Return all regions; names that masks, SEG and RTSTRUCT give are numbers of a de-identified study.

    Of regions of one name that these give the later ones are numbered, since nobody can name them otherwise.

    Raises:
        OptionError: two that were typed have one name.
    """
    found: list[Region] = [*options.spheres]
    hidden = 0
    for file in files:
        for each in file.regions:
            if options.deidentify and not file.is_typed:
                hidden += 1
                found.append(replace(each, name=f"region-{hidden}"))  # type: ignore[type-var]
            else:
                found.append(each if file.is_typed else _numbered(each, found))
    found += [each.region for each in animals]
    names = [each.name for each in found]
    if options.hottest_mm:
        names += [hottest_name(each.region.name) for each in animals] or [HOTTEST]
    again = next((name for n, name in enumerate(names) if name.casefold() in map(str.casefold, names[:n])), None)
    if again:
        raise OptionError(f"two regions are called '{printable(again)}'", hint="give each a name of its own")
    return tuple(found)


def _numbered(region: Region, others: Sequence[Region]) -> Region:
    taken = {each.name.casefold() for each in others}
    number, name = 1, region.name
    while name.casefold() in taken:
        number, name = number + 1, f"{region.name} {number + 1}"
    return replace(region, name=name)  # type: ignore[type-var]


def hottest_name(animal: str) -> str:
    """Return the name of the hottest sphere in an animal of a group."""
    return f"{animal} {HOTTEST}"


def _spaces(files: Sequence[RegionFile], study: Study, options: CurvesOptions) -> Mapping[int, str]:
    """Return the Frame of Reference UID of each series, if a region needs it.

    Raises:
        InputError: a region was drawn in another one, or it is not known in which conversion.
    """
    drawn = [(each, file.path) for file in files for each in file.regions if each.space]
    spaces: Mapping[int, str] = {}
    if options.dicom:
        from inveonimaging.time_activity.dicom_regions import spaces_of  # pydicom takes half a second

        spaces = spaces_of(study, options.dicom)
    for region, path in drawn:
        if region.space not in spaces.values():
            name = printable(region.name, 60)
            message = f"'{name}' was drawn in the frame of reference {printable(region.space, 64)}"
            known = ", ".join(sorted(set(spaces.values())))
            hint = "name the folder of the DICOM that it was drawn on: --dicom FOLDER"
            raise InputError(message, path=path, expected=known or "that of a conversion of this input", hint=hint)
    return spaces


def _of_others(study: Study, series: Sequence[Series], options: CurvesOptions) -> Iterator[Finding]:
    """Yield a note on each series that is not measured, unless one was chosen."""
    for each in () if options.series else study.series:
        if each not in series:
            message = f"a {each.image.kind} has no activity: no curve is made of it"
            yield Finding("curve-left-out", message, Severity.INFO, path=str(each.image.pair.header))


def _of_spaces(regions: Sequence[Region], series: Sequence[Series]) -> Iterator[Finding]:
    """Yield that regions are in more than one space."""
    if len({each.frame_of_reference for each in series}) > 1 and any(each.space is None for each in regions):
        numbers = ", ".join(str(each.number) for each in series)
        message = f"series {numbers} are in different frames of reference: regions are at the same mm in each of them"
        yield Finding("region-in-several-spaces", message, path=str(series[0].image.pair.header))


def _placed(
    regions: Sequence[Region], series: Sequence[Series], spaces: Mapping[int, str]
) -> tuple[dict[int, list[tuple[Region, int]]], list[Finding]]:
    """Return the regions of each series, by its number, with their voxels; and what lies outside."""
    found: dict[int, list[tuple[Region, int]]] = {each.number: [] for each in series}
    findings: list[Finding] = []
    for region in regions:
        name = printable(region.name, 60)
        there = [each for each in series if region.space in (None, spaces.get(each.number))]
        inside = [each for each in there if touches(each.image.grid, region)]
        for each in inside:
            count = voxels_in(each.image, region)
            if count:
                found[each.number].append((region, count))
            path = str(each.image.pair.header)
            if not count:
                size = " x ".join(f"{mm:.3g}" for mm in each.image.grid.spacing_mm)
                message = f"'{name}' has no voxel: no centre of the voxels of {size} mm is in it"
                findings.append(Finding("region-empty", message, path=path))
            elif reaches_beyond(each.image.grid, region):
                message = f"'{name}' reaches beyond the image; what is inside is measured"
                findings.append(Finding("region-partly-outside", message, path=path))
        if not inside:
            findings.append(Finding("region-outside", f"'{name}' lies outside the image", path=_path(there or series)))
    return found, findings


def _path(series: Sequence[Series]) -> str:
    return str(series[0].image.pair.header)


def _of_series(series: Series, placed: Sequence[tuple[Region, int]], animals: Sequence[Animal]) -> SeriesPlan:
    wanted = tuple(wanted_of(region, series, animals) for region, _ in placed)
    return SeriesPlan(series, wanted, tuple(count for _, count in placed), tuple(animals))


def wanted_of(region: Region, series: Series, animals: Sequence[Animal]) -> Wanted:
    """Return a region with what is known of the animal that it is in: of a group the one whose box it is in."""
    image = _whose(region, series, animals)
    if image.group:
        return Wanted(region)
    injected, start = image.header.tracer.injected_at, series.start
    after = (injected - start).total_seconds() if injected and start and not is_gated(image) else None
    try:
        return Wanted(region, suv_factor(image), after)
    except InputError:
        return Wanted(region, None, after)


def _whose(region: Region, series: Series, animals: Sequence[Animal]) -> Image:
    """Return the image of the animal that a region is in, else that of the series.

    Its middle is in the animal's box, and it reaches into no other one.
    """
    grid = series.image.grid
    low, high = region.bounds(grid)
    near: list[tuple[Animal, bool]] = []
    for animal in animals:
        if animal.region is region:
            near = [(animal, True)]
            break
        first, last = animal.region.bounds(grid)
        if np.all(high > first + _SAME) and np.all(low < last - _SAME):
            near.append((animal, bool(np.all(low + high >= 2 * first) and np.all(low + high <= 2 * last))))
    if len(near) != 1 or not near[0][1]:
        return series.image
    own = (each.image for each in near[0][0].study.series if each.number == series.number)
    return next(own, series.image)


_SAME = 1e-6


def _of_plan(plan: SeriesPlan) -> Iterator[Finding]:
    """Yield what is to be known of a series' times, and why it has no SUV."""
    image, path = plan.image, plan.image.pair.header
    if not is_gated(image):
        yield from (locate(each, path, image.header) for each in frame_time_findings(image.frames))
    if image.modality is not Modality.PET or (all(each.suv_per_value for each in plan.wanted) and plan.wanted):
        return
    try:
        suv_factor(image)
    except InveonError as error:
        yield Finding("curve-without-suv", error.sentence, path=str(path))


def _refuse_tables(plans: Sequence[SeriesPlan], names: Sequence[str], options: CurvesOptions) -> None:
    """Refuse tables of one series and of times, where there are several or none.

    Raises:
        OptionError: there are several series.
        InputError: frames have no times.
    """
    of_one = [name for name in names if not name.lower().endswith(".csv")]
    if not of_one:
        return
    if len(plans) > 1:
        known = listed([f"{each.series.number} ({_name(each.series)})" for each in plans], _NAMED)
        message = f"{len(plans)} series are measured, and {of_one[0]} holds one"
        raise OptionError(message, expected=f"--series N, one of {known}", hint="or write a .csv alone")
    (plan,) = plans
    wanted = plan.wanted or (Wanted(Cuboid(HOTTEST, Extent((0, 0, 0), (0, 0, 0)))),)
    if not plan.wanted:
        wanted = (wanted_of(wanted[0].region, plan.series, ()),)
    refuse_without_times([unmeasured(plan.image, each) for each in wanted], options.time_zero)
