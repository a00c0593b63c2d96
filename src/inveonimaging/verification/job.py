"""The comparison itself: read both sides, pair series with scans, place planes, compare."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from inveonimaging.dicom_reading.planes import Plane, values_of
from inveonimaging.dicom_reading.series import dicom_files, read_files
from inveonimaging.dicom_reading.writer import own_class
from inveonimaging.errors import InputError, InveonError, printable
from inveonimaging.inveon.pairs import scan_folder
from inveonimaging.progress import Progress, StepCounter, no_progress
from inveonimaging.storage.folders import is_same_folder, real_path
from inveonimaging.study.corrections import Corrections
from inveonimaging.units import counted
from inveonimaging.verification.attributes.deidentified import DEIDENTIFIED, hidden_of, is_deidentified
from inveonimaging.verification.attributes.facts import keywords_of
from inveonimaging.verification.attributes.vendor import has_own_time, study_notes
from inveonimaging.verification.consistency import study_inconsistent
from inveonimaging.verification.manifest import manifest_beside
from inveonimaging.verification.parts import AnimalParts, animals_of, is_part, of_all, shared_uids
from inveonimaging.verification.planes.pairing import paired
from inveonimaging.verification.result import Difference, Kind, StudyCheck, Verification
from inveonimaging.verification.series import check_series, sop_class_of
from inveonimaging.verification.source import (
    SourceScan,
    SourceStudy,
    read_source,
    refuse_without_effect,
    scans_of,
)

_NAMED = 3
_SERIES = ("SeriesInstanceUID", "Modality", "Rows", "Columns")


def verify(
    source: str | os.PathLike[str],
    dicom: str | os.PathLike[str],
    corrections: Corrections | None = None,
    *,
    recursive: bool = False,
    progress: Progress = no_progress,
) -> Verification:
    """Compare DICOM with the Inveon files that it was made from.

    Args:
        source: a folder of pairs, or one pair, given by its header or by its data file.
        dicom: a folder, or one file; of a folder, all DICOM files below it.
        corrections: those of the conversion; what they leave to the headers is taken from the manifest beside the
            DICOM files.
        recursive: sub-folders with pairs are compared with the sub-folders of the same names.
        progress: called with how many folders, files and planes are done, and how many there are as far as is known.

    Raises:
        InveonError: the source cannot be read, or there is no DICOM; of one folder among several, this is a difference.
        OptionError: a correction has no effect on any scan, so that nothing would be compared.
    """
    given, counter = corrections or Corrections(), StepCounter(progress)
    if not recursive:
        alone = compare(Path(source), [Path(dicom)], given, counter, set(), name=Path(dicom), refuses=True)
        return Verification(studies=alone)
    places = list(_below(Path(source), Path(dicom), counter))
    outputs = [output for _, output in places]
    return Verification(
        studies=tuple(
            study
            for each, output in places
            for study in _one_of_several(
                each, output, given, counter, {other for other in outputs if output in other.parents}
            )
        )
    )


def _one_of_several(
    source: Path, output: Path, corrections: Corrections, counter: StepCounter, others: set[Path]
) -> tuple[StudyCheck, ...]:
    """Compare one study among several, arguments as `compare`; why that is not possible is a difference."""
    try:
        return compare(source, [output], corrections, counter, others, name=output, required=False)
    except InveonError as error:
        reported = Difference("source-unreadable", Kind.INSTANCES, error.sentence, error.path or str(source))
        nothing: dict[str, Any] = {"series": (), "notes": (), "assumed": corrections.shown}
        return (StudyCheck(source=str(source), dicom=str(output), differences=(reported,), **nothing),)


def verify_written(
    source: Path, output: Path, folders: Sequence[Path], corrections: Corrections, progress: Progress = no_progress
) -> StudyCheck:
    """Compare what was just written: the series in these folders of a study, and nothing else in its folder."""
    (study,) = compare(source, folders, corrections, StepCounter(progress), set(), name=output)
    return study


def _below(source: Path, dicom: Path, counter: StepCounter) -> Iterator[tuple[Path, Path]]:
    """Yield the folders of a tree that hold pairs, with their folders of DICOM; count the folders that are looked into.

    Raises:
        InputError: there is no pair, or no folder of DICOM.
    """
    if not os.path.isdir(dicom):  # noqa: PTH112 - Path.is_dir raises for names that no file can have
        raise InputError("no such folder", path=dicom)
    folders = [source]
    output, found = real_path(dicom), False
    counter.expect(1)
    while folders:
        folder = scan_folder(folders.pop(0))
        entered = [each for each in folder.entered if not is_same_folder(each, output)]
        folders += entered
        counter.expect(len(entered))
        counter.step()
        if folder.pairs:
            found = True
            yield folder.path, dicom / folder.path.relative_to(source)
    if not found:
        raise scan_folder(source).without_pairs()


def compare(
    source: Path,
    paths: Sequence[Path],
    corrections: Corrections,
    counter: StepCounter,
    others: set[Path],
    *,
    name: Path,
    required: bool = True,
    refuses: bool = False,
) -> tuple[StudyCheck, ...]:
    """Compare one study, or those of the animals that were cut from one.

    Args:
        source: folder or pair.
        paths: files, or folders, of DICOM.
        corrections: those of the conversion.
        counter: of progress.
        others: folders of other studies, which are left out.
        name: what `paths` are called.
        required: whether no DICOM at all is an error; else all its series are missing.
        refuses: whether a correction that has no effect is refused; else it is passed over.

    Raises:
        InveonError: the source cannot be read, or there is no DICOM.
        OptionError: a correction has no effect.
    """
    manifest = manifest_beside([name, *paths])
    given = corrections.completed(manifest.corrections)
    study = read_source(source, given)
    if refuses:
        refuse_without_effect(corrections, study)
    files = [
        file for file in _dicom_files(paths, required=required) if not any(other in file.parents for other in others)
    ]
    counter.expect(len(files))
    found = _read(files, counter.step)
    if any(map(is_part, found.series)):
        of_part = corrections.completed(manifest_beside([files[0].parent]).corrections)
        study = study if of_part == given else read_source(source, of_part)
        return _compare_parts(study, found, of_part, counter, name)
    sizes = [(planes[0].get("Columns"), planes[0].get("Rows"), len(planes)) for planes in found.series]
    scans = scans_of(study, sizes)
    hidden = hidden_of(scans, found.series) if is_deidentified(found.series) else None
    scans = tuple(map(hidden.scan, scans)) if hidden else scans
    pairs = paired(found.series, scans, manifest.sources)
    counter.expect(sum(len(found.series[n]) for n in pairs.made))
    checks = {n: check_series(found.series[n], scans[m], counter.step) for n, m in pairs.made.items()}
    made = [found.series[n] for n in pairs.made]
    reported = keywords_of(difference for check in checks.values() for difference in check.differences)
    differences = [
        *(_missing(scans[m]) for m in pairs.missing),
        *(_extra(found.series[n]) for n in pairs.extra),
        *_damaged(found.damaged),
        *_doubled_uids(found.series),
        *((*_of_study(made), *study_inconsistent(made, reported)) if study.is_whole else ()),
        *_shared_uids(made),
        *_spaces(made, [scans[m].space for m in pairs.made.values()]),
        *_study_time(made, [scan.start for scan in scans if scan.start is not None], is_whole=study.is_whole),
        *(hidden.left(found.series) if hidden else ()),
    ]
    checked = StudyCheck(
        source=str(study.study.source),
        dicom=str(name),
        series=tuple(checks[n] for n, _ in sorted(pairs.made.items(), key=lambda pair: pair[1])),
        differences=tuple(differences),
        notes=(
            *study.notes,
            *manifest.note(given),
            *_left_aside(found.others),
            *study_notes(made),
            *((DEIDENTIFIED,) if hidden else ()),
        ),
        assumed=given.shown,
        doubts=tuple(doubt for scan in study.study.scans for doubt in scan.doubts),
    )
    return (checked,)


def _compare_parts(
    source: SourceStudy, found: _Found, given: Corrections, counter: StepCounter, name: Path
) -> tuple[StudyCheck, ...]:
    """Compare the studies of single animals with the scans of their group; what concerns none is of the first."""
    animals = animals_of(source, found.series, lambda planes: manifest_beside([planes[0].file.path.parent]))
    counter.expect(sum(len(planes) for animal in animals for planes in animal.series))
    is_all = len(animals) > 1 or any(path.parent.parent != name for path in _paths(found))
    together = [*_damaged(found.damaged), *_doubled_uids(found.series), *shared_uids(animals)]
    together += of_all(animals, source) if is_all and name.is_dir() else ()
    studies = []
    for number, animal in enumerate(animals):
        check = _check_parts(animal, source, counter)
        notes = (*source.notes, *animal.notes, *(_left_aside(found.others) if number == 0 else ()), *check.notes)
        differences = (*check.differences, *(together if number == 0 else ()))
        folder = name if len(animals) == 1 else animal.series[0][0].file.path.parent.parent
        study = replace(check, dicom=str(folder), differences=differences, notes=notes, assumed=given.shown)
        studies.append(study)
    return tuple(studies)


def _paths(found: _Found) -> set[Path]:
    return {planes[0].file.path for planes in found.series}


def _check_parts(animal: AnimalParts, source: SourceStudy, counter: StepCounter) -> StudyCheck:
    """Compare the series of one animal."""
    pairs = [(planes, scan) for planes, scan in zip(animal.series, animal.scans, strict=True) if scan]
    made, scans = [planes for planes, _ in pairs], [scan for _, scan in pairs if scan]
    hidden = hidden_of(scans, made) if scans and is_deidentified(made) else None
    scans = [hidden.scan(scan) for scan in scans] if hidden else scans
    checks = tuple(check_series(planes, scan, counter.step) for planes, scan in zip(made, scans, strict=True))
    reported = keywords_of(difference for check in checks for difference in check.differences)
    starts = [scan.start for scan in scans if scan.start is not None]
    differences = [
        *animal.differences,
        *map(_missing, animal.missing),
        *(_extra(planes) for planes, scan in zip(animal.series, animal.scans, strict=True) if scan is None),
        *_of_study(made),
        *study_inconsistent(made, reported),
        *_shared_uids(made),
        *_study_time(made, starts, is_whole=source.is_whole),
        *(hidden.left(made) if hidden else ()),
    ]
    return StudyCheck(
        source=str(source.study.source),
        dicom="",
        series=checks,
        differences=tuple(differences),
        notes=(DEIDENTIFIED,) if hidden else (),
        assumed={},
    )


def _dicom_files(paths: Sequence[Path], *, required: bool) -> tuple[Path, ...]:
    try:
        return dicom_files(paths)
    except InputError:
        if required:
            raise
        return ()


@dataclass(frozen=True)
class _Found:
    """What was read: planes by series, and files that are no images or cannot be read."""

    series: tuple[tuple[Plane, ...], ...]
    damaged: tuple[InputError, ...]
    others: tuple[Path, ...]


def _read(paths: Sequence[Path], step: Callable[[], None]) -> _Found:
    """Read files but for their pixels, and call `step` after each.

    Series are in the order in which files name them. Instances of several modalities or sizes that share a Series
    Instance UID are kept apart.
    """
    files, damaged = read_files(paths, step)
    series: dict[tuple[Any, ...], list[Plane]] = {}
    for file in files:
        if file.size is not None:
            series.setdefault(tuple(map(file.values.get, _SERIES)), []).extend(file.planes)
    others = [file for file in files if file.size is None]
    lost = [file.lost for file in others if file.lost is not None]
    aside = [file.path for file in others if file.lost is None]
    return _Found(tuple(map(tuple, series.values())), (*damaged, *lost), tuple(aside))


def _missing(scan: SourceScan) -> Difference:
    message = f"{scan.name} has no series: {counted(scan.planes, 'plane')} of {scan.modality} missing"
    return Difference("series-missing", Kind.INSTANCES, message, str(scan.image.pair.header), scan.planes)


def _extra(planes: Sequence[Plane]) -> Difference:
    first = planes[0]
    size = f"{counted(len(planes), 'plane')} of {first.get('Columns')} x {first.get('Rows')}"
    message = f"a series that fits no scan: {size}, {sop_class_of(first)}"
    return Difference("series-extra", Kind.INSTANCES, message, str(first.file.path), len(planes))


def _damaged(errors: Iterable[InputError]) -> Iterator[Difference]:
    for error in errors:
        yield Difference("file-unreadable", Kind.INSTANCES, error.sentence, error.path)


def _left_aside(others: Sequence[Path]) -> Iterator[str]:
    if others:
        names = ", ".join(printable(path.name, 40) for path in others[:_NAMED])
        yield f"skipped, without an image: {counted(len(others), 'DICOM file')}: {names}"


def _of_study(series: Sequence[Sequence[Plane]]) -> Iterator[Difference]:
    """Yield what is not the same in all series of a study."""
    planes = [planes[0] for planes in series]
    for code, label, keyword in (
        ("study-uid", "Study Instance UID", "StudyInstanceUID"),
        ("study-date-time", "Study Date", "StudyDate"),
        ("study-date-time", "Study Time", "StudyTime"),
    ):
        is_known = code == "study-date-time" and all(map(has_own_time, planes))
        count = len(values_of(planes, keyword))
        if count > 1 and not is_known:
            message = f"the series have {count} different values of {label}, expected one"
            yield Difference(code, Kind.IDENTITY, message, str(planes[0].file.path))


def _study_time(
    series: Sequence[Sequence[Plane]], starts: Sequence[datetime], *, is_whole: bool
) -> Iterator[Difference]:
    """Yield one difference if a Study Date and Time is not the start of the first scan; of a part it may be earlier."""
    for first in (planes[0] for planes in series if starts):
        stated = None if has_own_time(first) else first.moment("StudyDate", "StudyTime")
        if stated is not None and (stated != min(starts) if is_whole else stated > min(starts)):
            message = f"Study Date and Time is {stated}, expected {min(starts)}, the start of the first scan"
            yield Difference("study-time", Kind.TIMES, message, str(first.file.path))
            return


def _spaces(series: Sequence[Sequence[Plane]], spaces: Sequence[int | None]) -> Iterator[Difference]:
    """Yield one difference if series that this program wrote share a frame of reference, and should not; or reverse."""
    own = [(planes[0], space) for planes, space in zip(series, spaces, strict=True) if own_class(planes[0])]
    for n, (plane, space) in enumerate(own):
        for other, its in own[:n]:
            is_one = plane.get("FrameOfReferenceUID") == other.get("FrameOfReferenceUID")
            if None not in (space, its) and is_one is not (space == its):
                what = "is that of" if is_one else "is not that of"
                why = "lie in different spaces" if is_one else "lie in one space"
                where = printable(other.file.path.name, 60)
                message = f"Frame of Reference UID {what} {where}, but the scans of the two series {why}"
                yield Difference("frame-of-reference", Kind.IDENTITY, message, str(plane.file.path))
                return


def _shared_uids(series: Sequence[Sequence[Plane]]) -> Iterator[Difference]:
    """Yield a Series Instance UID that is that of several series."""
    counts = Counter(str(planes[0].get("SeriesInstanceUID")) for planes in series)
    for planes in series:
        uid = str(planes[0].get("SeriesInstanceUID"))
        if counts.pop(uid, 0) > 1:
            message = f"series of different kinds share the Series Instance UID {printable(uid)}"
            yield Difference("series-uid", Kind.IDENTITY, message, str(planes[0].file.path))


def _doubled_uids(series: Iterable[Sequence[Plane]]) -> Iterator[Difference]:
    """Yield one difference for all SOP Instance UIDs that several files have."""
    files: dict[str, dict[Path, None]] = defaultdict(dict)
    for planes in series:
        for plane in planes:
            files[str(plane.get("SOPInstanceUID"))][plane.file.path] = None
    doubled = {uid: list(paths) for uid, paths in files.items() if len(paths) > 1}
    if doubled:
        paths = next(iter(doubled.values()))
        names = " and ".join(printable(path.name, 40) for path in paths[:_NAMED])
        message = f"{len(doubled)} SOP Instance UIDs are those of several files: {names} have one"
        yield Difference("sop-instance-uid", Kind.INSTANCES, message, str(paths[0]), len(doubled))
