"""What a report is about: the series of a folder, of a pair, or of a study that is converted."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from inveonimaging.animal import Animal, GivenSubject, animal_of, animals_of_scans
from inveonimaging.animal.sheet_values import NOTHING, Told
from inveonimaging.checks.readiness import Readiness
from inveonimaging.checks.source import check_image
from inveonimaging.conversion.checks import bed_findings
from inveonimaging.conversion.options import BedDirection, Options
from inveonimaging.conversion.plan import StudyPlan, completed_images, reason_of
from inveonimaging.errors import InveonError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.frame_groups import Part, parts_of
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.inveon.modality import refuse_unconvertible
from inveonimaging.inveon.pairs import Folder, Pair, pair_of, scan_folder
from inveonimaging.sheet.application import applied
from inveonimaging.sheet.matching import Sheet, told_of, unmatched_scan
from inveonimaging.study.image import Image, locate, read_again, read_pair, series_parts, split, with_header
from inveonimaging.study.registration import Space, spaces_of

_OF_SHIFTED_DATES = {"scan-time-odd"}  # before there were such scanners
_GRAVEST_FIRST = (Severity.ERROR, Severity.WARNING, Severity.INFO)


@dataclass(frozen=True)
class Series:
    """One series.

    Attributes:
        image: a pair, or the part of it that makes a series.
        number: its number in the study, from 1.
        space: number of the first series whose space it shares.
        told: what a sheet says of it, which the image's header says, too.
        animal: as it was at the scan.
    """

    image: Image
    number: int
    space: int
    told: Told = NOTHING
    animal: Animal = field(default_factory=Animal)


@dataclass(frozen=True)
class Study:
    """What one page shows.

    Attributes:
        source: the folder or file.
        series: at least one.
        animal: whose headers these are.
        findings: of the files, the folder and the animal, gravest first.
        errors: of pairs that cannot be shown.
        readiness: whether an SUV can be computed, of each PET that was checked, by header file.
    """

    source: Path
    series: tuple[Series, ...]
    animal: Animal
    findings: tuple[Finding, ...]
    errors: tuple[InveonError, ...] = ()
    readiness: Mapping[Path, Readiness] = field(default_factory=dict)

    @property
    def images(self) -> tuple[Image, ...]:
        """The images of its series."""
        return tuple(each.image for each in self.series)

    @property
    def weights_kg(self) -> tuple[float, ...]:
        """The weights of the animal at its scans, each once; several if their headers disagree."""
        return tuple(dict.fromkeys(each.animal.weight_kg for each in self.series if each.animal.weight_kg))


def read_study(
    path: str | os.PathLike[str],
    now: datetime | None = None,
    *,
    orientation: Orientation | str | None = None,
    flip: str | Iterable[str] = "",
    apply_hounsfield: bool = False,
    bed_direction: BedDirection | str | None = None,
    frame_of_reference: Space | str = Space.AUTO,
    sheet: Sheet | str | os.PathLike[str] | None = None,
) -> Study:
    """Read what stands in a folder, or one pair, given by its header or its data file, and check it.

    A pair of a folder that cannot be read is among the study's errors; the others are shown.

    Args:
        path: the folder or file.
        now: local time, to tell times in the future; None takes the clock's.
        orientation: the animal's posture, instead of what the headers say.
        flip: stored axes (letters of `xyz`) whose patient direction is turned about.
        apply_hounsfield: of a CT, apply `ct_hounsfield_scale` and `ct_hounsfield_offset`.
        bed_direction: `"reverse"` if a larger `bed_offset` shows what lies less far along the stored slice axis.
        frame_of_reference: which series share one space.
        sheet: what rows say of subjects and scans instead of the headers, or the path of such a sheet.

    Raises:
        InveonError: nothing can be shown.
        OptionError: an option makes no sense; the options are those of `Options`, by the same names.
    """
    asked = Options(
        orientation=orientation,
        flip=flip,
        apply_hounsfield=apply_hounsfield,
        bed_direction=bed_direction,
        frame_of_reference=frame_of_reference,
        sheet=sheet,
    )
    return _read_study(Path(path), now or datetime.now(), asked)


def _read_study(path: Path, now: datetime, options: Options) -> Study:
    folder = scan_folder(path) if os.path.isdir(path) else None  # noqa: PTH112 - raises for no name
    pairs = folder.pairs if folder else (pair_of(path),)
    if folder and not pairs:
        raise folder.without_pairs()
    images: list[Image] = []
    errors: list[InveonError] = []
    for pair in pairs:
        try:
            image = read_pair(
                pair, orientation=options.orientation, flip=options.flip, apply_hounsfield=options.apply_hounsfield
            )
            images.append(image)
        except InveonError as error:
            errors.append(error)
    told, of_study = told_of(options.sheet, [(image.pair, image.header) for image in images])
    said_of = dict(zip((image.pair for image in images), told, strict=True))
    images = _with_sheet(images, said_of, errors)
    files: list[_File] = []
    for image in completed_images(images, [said_of[image.pair] for image in images]):
        said = said_of[image.pair]
        try:
            files.append(_file(image, said, options, now))
        except InveonError as error:
            errors.append(error)
    if not files:
        raise errors[0]
    return _study(path, files, errors, _skipped(folder), of_study, options.frame_of_reference, options.orientation)


def planned_study(planned: StudyPlan, found: Iterable[Finding], options: Options, now: datetime) -> Study:
    """Return what is shown of a study that was converted.

    Args:
        planned: the study.
        found: what was found while it was converted.
        options: of the conversion.
        now: local time, to tell times in the future.

    Raises:
        InveonError: a file cannot be read any more.
    """
    findings = [*planned.all_findings, *found]
    readiness: dict[Path, Readiness] = {}
    said = {each.image.pair: each.told for each in planned.series}
    for pair, part in {each.image.pair: each.image for each in reversed(planned.series)}.items():
        image = read_again(
            part, orientation=options.orientation, flip=options.flip, apply_hounsfield=options.apply_hounsfield
        )
        header = replace(applied(image.header, said[pair]), subject=part.header.subject)
        image = replace(image, header=header)
        told, ready = check_image(image, [each for each in findings if each.path == str(pair.header)], now)
        findings += [each for each in told if not (options.deidentify and each.code in _OF_SHIFTED_DATES)]
        readiness |= {pair.header: ready} if ready else {}
    series = tuple(Series(each.image, each.number, each.space, each.told, each.animal) for each in planned.series)
    source = Path("De-identified") if options.deidentify else planned.source
    return Study(source, series, planned.animal, _sorted(findings), readiness=readiness)


def _with_sheet(images: Sequence[Image], told: Mapping[Pair, Told], errors: list[InveonError]) -> list[Image]:
    """Return images whose headers say what a sheet says; those of which it says what makes no sense are errors."""
    found: list[Image] = []
    for image in images:
        try:
            found.append(with_header(image, applied(image.header, told[image.pair])))
        except InveonError as error:
            errors.append(error.at(image.pair.header))
    return found


@dataclass(frozen=True)
class _File:
    """A pair: its series, what is odd in it, and the SUV readiness of a PET."""

    parts: tuple[Image, ...]
    findings: tuple[Finding, ...]
    readiness: Readiness | None
    told: Told


def _file(image: Image, said: Told, options: Options, now: datetime) -> _File:
    unmatched = unmatched_scan(options.sheet, said) if options.sheet else ()
    try:
        odd = refuse_unconvertible(image.header, image.modality)
        direction = options.bed_direction or BedDirection.FORWARD
        groups, alike = _frame_groups(image)
        parts = split(image, groups, direction.sign)
    except InveonError as error:
        raise error.at(image.pair.header) from error
    told = [locate(each, image.pair.header, image.header) for each in (*unmatched, *odd, *alike, *bed_findings(parts))]
    return _File(parts, *check_image(image, (*image.findings, *told), now), said)


def _frame_groups(image: Image) -> tuple[tuple[Part, ...], tuple[Finding, ...]]:
    """Return what becomes a series each; frame blocks that nothing tells apart are shown one by one."""
    try:
        groups, _, findings = series_parts(image.header)
    except InveonError as error:
        finding = Finding("frames-alike", str(error), line=error.line)
        return parts_of(image.header, separate=True), (finding,)
    return groups, findings


def _study(
    source: Path,
    files: Sequence[_File],
    errors: Sequence[InveonError],
    findings: tuple[Finding, ...],
    told: Told,
    space: Space,
    orientation: Orientation | None,
) -> Study:
    images = [file.parts[0] for file in files]
    headers = [image.header for image in images]
    firsts = [1 + sum(len(file.parts) for file in files[:index]) for index in range(len(files))]
    spaces, shared = spaces_of(headers, space, firsts, orientation=orientation)
    names = [image.pair.header.name for image in images]
    animal, odd = animal_of(headers, GivenSubject(), told, names)
    animals = animals_of_scans(animal, headers, GivenSubject(), [file.told for file in files], names)
    series = tuple(
        Series(image, number, place, file.told, at_scan)
        for file, first, place, at_scan in zip(files, firsts, spaces, animals, strict=True)
        for number, image in enumerate(file.parts, first)
    )
    found = (
        *findings,
        *(finding for file in files for finding in file.findings),
        *(replace(finding, path=str(source)) for finding in shared),
        *(locate(finding, images[0].pair.header, headers[0]) for finding in odd),
    )
    readiness = {file.parts[0].pair.header: file.readiness for file in files if file.readiness}
    return Study(source, series, animal, _sorted(found), tuple(errors), readiness)


def _skipped(folder: Folder | None) -> tuple[Finding, ...]:
    if folder is None:
        return ()
    half = "half of a pair: the other of .img and .img.hdr is missing"
    skipped = [*((each.header, reason_of(each)) for each in folder.foreign), *((path, half) for path in folder.orphans)]
    return tuple(Finding("skipped", f"skipped: {reason}", path=str(path)) for path, reason in skipped)


def _sorted(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(sorted(dict.fromkeys(findings), key=lambda each: _GRAVEST_FIRST.index(each.severity)))
