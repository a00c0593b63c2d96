"""The comparison itself: read both sides, pair series with scans, place planes, compare."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.dicom_reading.series import dicom_files
from inveonimaging.errors import printable
from inveonimaging.inveon.pairs import no_pairs, scan_folder
from inveonimaging.study.corrections import Corrections
from inveonimaging.verification.deidentified import DEIDENTIFIED, Hidden, hidden_of, is_deidentified
from inveonimaging.verification.manifest import Manifest, manifest_beside
from inveonimaging.verification.pairing import paired
from inveonimaging.verification.planes import Found, Plane, read_files, values_of
from inveonimaging.verification.result import Difference, Kind, StudyCheck, Verification
from inveonimaging.verification.series import check_series, sop_class_of
from inveonimaging.verification.source import SourceScan, SourceStudy, read_source, scans_of
from inveonimaging.verification.vendor import has_own_time, study_notes

Progress = Callable[[int, int], None]
"""Called with how many files and planes are done, and how many there are as far as is known."""

_NAMED = 3


def _no_progress(_done: int, _total: int) -> None:
    """Show no progress."""


def verify(
    source: str | os.PathLike[str],
    dicom: str | os.PathLike[str],
    corrections: Corrections | None = None,
    *,
    recursive: bool = False,
    progress: Progress = _no_progress,
) -> Verification:
    """Compare DICOM with the Inveon files that it was made from.

    Args:
        source: a folder of pairs, or one pair, given by its header or by its data file.
        dicom: a folder, or one file; of a folder, all DICOM files below it.
        corrections: those of the conversion; what they leave to the headers is taken from the manifest beside the
            DICOM files.
        recursive: sub-folders with pairs are compared with the sub-folders of the same names.
        progress: see `Progress`.

    Raises:
        InveonError: the source cannot be read, or there is no DICOM.
    """
    places = [(Path(source), Path(dicom))]
    if recursive:
        places = list(_below(Path(source), Path(dicom)))
    counter = _Counter(progress)
    outputs = [output for _, output in places]
    return Verification(
        studies=tuple(
            compare(each, [output], corrections or Corrections(), counter, _inside(output, outputs), name=output)
            for each, output in places
        )
    )


def verify_written(
    source: Path, output: Path, folders: Sequence[Path], corrections: Corrections, progress: Progress = _no_progress
) -> StudyCheck:
    """Compare what was just written: the series in these folders of a study, and nothing else in its folder."""
    return compare(source, folders, corrections, _Counter(progress), set(), name=output)


class _Counter:
    def __init__(self, progress: Progress) -> None:
        self._progress, self._done, self._total = progress, 0, 0

    def expect(self, steps: int) -> None:
        self._total += steps

    def step(self) -> None:
        self._done += 1
        self._progress(self._done, max(self._total, self._done))


def _inside(folder: Path, others: Iterable[Path]) -> set[Path]:
    """Return those of the folders that are below this one."""
    return {other for other in others if folder in other.parents}


def _below(source: Path, dicom: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the folders of a tree that hold pairs, with their folders of DICOM."""
    folders = [source]
    found = False
    while folders:
        folder = scan_folder(folders.pop(0))
        folders += [each for each in folder.folders if not each.is_symlink() and each.resolve() != dicom.resolve()]
        if folder.pairs:
            found = True
            yield folder.path, dicom / folder.path.relative_to(source)
    if not found:
        raise no_pairs(source)


def compare(
    source: Path, paths: Sequence[Path], corrections: Corrections, counter: _Counter, others: set[Path], *, name: Path
) -> StudyCheck:
    """Compare one study.

    Args:
        source: folder or pair.
        paths: files, or folders, of DICOM.
        corrections: those of the conversion.
        counter: of progress.
        others: folders of other studies, which are left out.
        name: what stands for `paths`.
    """
    manifest = manifest_beside([name, *paths])
    given = corrections.completed(manifest.corrections)
    study = read_source(source, given)
    files = [file for file in dicom_files(paths) if not any(other in file.parents for other in others)]
    counter.expect(len(files))
    found = read_files(files, counter.step)
    scans = scans_of(study, [_size(planes) for planes in found.series])
    if not is_deidentified(found.series):
        return _Comparison(study, scans, found, manifest, name, counter).check(given)
    hidden = hidden_of(scans, found.series)
    scans = tuple(map(hidden.scan, scans))
    return _Comparison(study, scans, found, manifest, name, counter, hidden).check(given)


def _size(planes: Sequence[Plane]) -> tuple[int, int, int]:
    return int(planes[0].get("Columns")), int(planes[0].get("Rows")), len(planes)


@dataclass(frozen=True)
class _Comparison:
    study: SourceStudy
    scans: tuple[SourceScan, ...]
    found: Found
    manifest: Manifest
    name: Path
    counter: _Counter
    hidden: Hidden | None = None

    def check(self, given: Corrections) -> StudyCheck:
        series = self.found.series
        pairs = paired(series, self.scans, self.manifest.sources)
        for n in pairs.made:
            self.counter.expect(len(series[n]))
        checks = {n: check_series(series[n], self.scans[m], self.counter.step) for n, m in pairs.made.items()}
        differences = [
            *(self._missing(self.scans[m]) for m in pairs.missing),
            *(self._extra(series[n]) for n in pairs.extra),
            *self._damaged(),
            *_doubled_uids(series),
            *self._study([series[n] for n in pairs.made]),
            *self._study_time([series[n] for n in pairs.made]),
            *(self.hidden.left(series) if self.hidden else ()),
        ]
        return StudyCheck(
            source=str(self.study.study.source),
            dicom=str(self.name),
            series=tuple(checks[n] for n, _ in sorted(pairs.made.items(), key=lambda pair: pair[1])),
            differences=tuple(differences),
            notes=(
                *self.study.notes,
                *self.manifest.note(given),
                *self._others(),
                *study_notes([series[n] for n in pairs.made]),
                *((DEIDENTIFIED,) if self.hidden else ()),
            ),
            assumed=given.shown,
        )

    def _missing(self, scan: SourceScan) -> Difference:
        message = f"{scan.name} has no series: {scan.planes} planes of {scan.modality} are missing"
        return Difference(
            code="series-missing",
            kind=Kind.INSTANCES,
            message=message,
            path=str(scan.image.pair.header),
            planes=scan.planes,
        )

    def _extra(self, planes: Sequence[Plane]) -> Difference:
        first = planes[0]
        size = f"{len(planes)} planes of {first.get('Columns')} x {first.get('Rows')}"
        message = f"a series that fits no scan: {size}, {sop_class_of(first)}"
        path = str(first.file.path)
        return Difference(code="series-extra", kind=Kind.INSTANCES, message=message, path=path, planes=len(planes))

    def _damaged(self) -> Iterator[Difference]:
        for error in self.found.damaged:
            message = error.message or str(error)
            yield Difference(code="file-unreadable", kind=Kind.INSTANCES, message=message, path=error.path)

    def _others(self) -> Iterator[str]:
        if self.found.others:
            names = ", ".join(printable(path.name, 40) for path in self.found.others[:_NAMED])
            yield f"{len(self.found.others)} DICOM files without an image are left aside: {names}"
        if self.hidden:
            yield DEIDENTIFIED

    def _study(self, series: Sequence[Sequence[Plane]]) -> Iterator[Difference]:
        planes = [planes[0] for planes in series]
        for code, label, keyword in (
            ("study-uid", "Study Instance UID", "StudyInstanceUID"),
            ("study-date-time", "Study Date", "StudyDate"),
            ("study-date-time", "Study Time", "StudyTime"),
        ):
            is_known = code == "study-date-time" and all(map(has_own_time, planes))
            if self.study.is_whole and not is_known and len(values_of(planes, keyword)) > 1:
                message = f"the series have {len(values_of(planes, keyword))} different values of {label}, expected one"
                yield Difference(code=code, kind=Kind.IDENTITY, message=message, path=str(planes[0].file.path))
        yield from _shared_uids(series)

    def _study_time(self, series: Sequence[Sequence[Plane]]) -> Iterator[Difference]:
        starts = [scan.start for scan in self.scans if scan.start is not None]
        if not starts:
            return
        for planes in series:
            if has_own_time(planes[0]):
                continue
            stated = planes[0].moment("StudyDate", "StudyTime")
            is_wrong = stated is not None and (stated != min(starts) if self.study.is_whole else stated > min(starts))
            if is_wrong:
                message = f"Study Date and Time is {stated}, expected {min(starts)}, the start of the first scan"
                yield Difference(code="study-time", kind=Kind.TIMES, message=message, path=str(planes[0].file.path))
                return


def _shared_uids(series: Sequence[Sequence[Plane]]) -> Iterator[Difference]:
    """Yield a Series Instance UID that is that of several series."""
    counts = Counter(str(planes[0].get("SeriesInstanceUID")) for planes in series)
    for planes in series:
        uid = str(planes[0].get("SeriesInstanceUID"))
        if counts.pop(uid, 0) > 1:
            message = f"series of different kinds share the Series Instance UID {printable(uid)}"
            yield Difference(code="series-uid", kind=Kind.IDENTITY, message=message, path=str(planes[0].file.path))


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
        yield Difference(
            code="sop-instance-uid", kind=Kind.INSTANCES, message=message, path=str(paths[0]), planes=len(doubled)
        )
