"""A study is read: pairs of files, sheet, animal, frame groups, frames of reference; once, for every command."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path, PureWindowsPath

from inveonimaging.animal import Animal, animal_of, animals_of_scans, completed_headers
from inveonimaging.animal.sheet_values import NO_SHEET_VALUES, SheetValues
from inveonimaging.errors import InputError, InveonError, UnsupportedError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.frame_groups import FrameGroup, frame_groups_of
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Modality, Orientation
from inveonimaging.inveon.modality import refuse_unconvertible
from inveonimaging.inveon.pairs import TAKES_ALL, Pair, no_pairs, only_named
from inveonimaging.physics.gating import Gating
from inveonimaging.physics.timing import factor_to_injection
from inveonimaging.redaction.request import Deidentify
from inveonimaging.sheet.application import with_sheet_values
from inveonimaging.sheet.hotels import Hotel
from inveonimaging.sheet.matching import sheet_findings, unmatched_scan
from inveonimaging.study.corrections import BedDirection, Corrections
from inveonimaging.study.cut import Extent, cut_like, cut_out
from inveonimaging.study.folder import below, pairs_at
from inveonimaging.study.group import group_findings, members_of, sum_findings
from inveonimaging.study.image import (
    Image,
    locate,
    read_pair,
    series_groups,
    split,
    with_header,
    with_posture_of_header,
)
from inveonimaging.study.masking import Mask, mask_findings
from inveonimaging.study.nobody import of_no_animal
from inveonimaging.study.plausible import animal_findings, given_findings
from inveonimaging.study.redacting import StudyRedaction, study_redaction_of
from inveonimaging.study.registration import frames_of_reference
from inveonimaging.study.sessions import sessions_of
from inveonimaging.study.typed import GivenValues, values_of_scans

_NO_IMAGE = "file-type-odd"
_LONG_DATA = ("data-too-long", "frame-blocks-missing")


@dataclass(frozen=True, kw_only=True)
class Scan:
    """One pair of files.

    Attributes:
        pair: the files that were read; `image.pair` has their new names if the study is redacted.
        image: all frames; its header has what the sheet says, and what other headers of the study say of the animal.
        start: start of the scan, local time.
        groups: the frame groups, each an image that becomes a series.
        gating: of frames that differ by gate.
        findings: on the frame groups and on what is given; those of the file are the image's.
        doubts: of these, those on what is given.
        sheet_values: what a sheet says of the scan.
        animal: as it was at the scan, with the weight of that day.
        refusal: why the frame blocks cannot be distinguished, so that each is a group of its own here; None if they can
            be.
    """

    pair: Pair
    image: Image
    start: datetime | None
    groups: tuple[Image, ...]
    gating: Gating | None
    findings: tuple[Finding, ...]
    doubts: tuple[Finding, ...] = ()
    sheet_values: SheetValues = NO_SHEET_VALUES
    animal: Animal = field(default_factory=Animal)
    refusal: InveonError | None = None

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Those of the file and of its frame groups."""
        return (*self.image.findings, *self.findings)


@dataclass(frozen=True, kw_only=True)
class Series:
    """One frame group, which becomes one series.

    Attributes:
        image: the frames of the group.
        number: Series Number, from 1.
        frame_of_reference: number of the first series whose frame of reference it shares.
        attenuation: number of the series that its attenuation was corrected with, if it is in the study.
        scan: the pair of files.
    """

    image: Image
    number: int
    frame_of_reference: int
    attenuation: int | None
    scan: Scan

    @property
    def start(self) -> datetime | None:
        """Start of the scan, local time."""
        return self.scan.start

    @property
    def gating(self) -> Gating | None:
        """Of frames that differ by gate."""
        return self.scan.gating

    @property
    def sheet_values(self) -> SheetValues:
        """What a sheet says of its scan; the image's header says it, too."""
        return self.scan.sheet_values

    @property
    def animal(self) -> Animal:
        """The animal as it was at the scan."""
        return self.scan.animal


@dataclass(frozen=True, kw_only=True)
class Part:
    """One animal of a group that was scanned together.

    Attributes:
        whole: the study of the group, read by the same corrections.
        position: where the animal lies, as the sheet says it.
        extent: which part of the images it is; None leaves them uncut.
        mask: where its neighbours lie, which are read as nothing; None leaves them.
    """

    whole: Study
    position: str
    extent: Extent | None
    mask: Mask | None = None


@dataclass(frozen=True, kw_only=True)
class Study:
    """What was read of a folder of pairs, or of one pair.

    Attributes:
        source: the folder or the file.
        corrections: that hold for it; their dates are shifted if it is redacted.
        scans: in the order of their names; those that can be read.
        series: in the order of their numbers.
        animal: whose headers these are.
        sheet_values: what a sheet says of the study.
        hotel: what it says of several animals in one scan; None if it says nothing of the kind.
        findings: on the frames of reference, the animal, the redaction, and what was left out; an error among them is
            why the scans make no study.
        errors: why pairs cannot be read, or hold no image.
        raw: of these, images of raw data, of which no DICOM is made.
        redaction: new names of a redacted study.
        part: of an animal that was scanned with others, which part of the images it is; None for what is not cut.
    """

    source: Path
    corrections: Corrections
    scans: tuple[Scan, ...]
    series: tuple[Series, ...]
    animal: Animal
    sheet_values: SheetValues
    hotel: Hotel | None
    findings: tuple[Finding, ...]
    errors: Mapping[Pair, InveonError]
    raw: tuple[Image, ...]
    redaction: StudyRedaction
    part: Part | None = None

    @property
    def headers(self) -> tuple[Header, ...]:
        """The header of each scan."""
        return tuple(each.image.header for each in self.scans)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Those of the study and of its scans."""
        return (*self.findings, *(finding for scan in self.scans for finding in scan.all_findings))

    @property
    def matched_rows(self) -> tuple[int, ...]:
        """The numbers of a sheet's rows that its scans match; of a part those of the group, empty positions too."""
        return (*self.sheet_values.rows, *(self.part.whole.sheet_values.rows if self.part else ()))

    @property
    def weights_kg(self) -> tuple[float, ...]:
        """The weights of the animal at its scans, each once; several if their headers disagree."""
        return tuple(dict.fromkeys(each.animal.weight_kg for each in self.scans if each.animal.weight_kg))


def read_study(
    path: str | os.PathLike[str],
    corrections: Corrections | None = None,
    *,
    all_below: str = TAKES_ALL,
    deidentify: Deidentify | None = None,
) -> Study:
    """Read what is in a folder, or one pair, given by its header or its data file; sub-folders are not entered.

    A pair that cannot be read is among the study's errors; the others are read. How a sheet was read, and which of its
    rows match no scan, is among the findings.

    Args:
        path: the folder or the file.
        corrections: what counts instead of the headers.
        all_below: how pairs in sub-folders are taken, for the message that there is none in the folder itself.
        deidentify: how headers are redacted; None leaves them as they are.

    Raises:
        InveonError: there is no pair; a redaction lacks its secret.
    """
    pairs, source, left_out = pairs_at(path, all_below)
    study = read_pairs(pairs, source, corrections or Corrections(), deidentify)
    on_sheet = sheet_findings(study.corrections.sheet, study.matched_rows)
    return replace(study, findings=(*left_out, *on_sheet, *study.findings))


def read_pairs(
    pairs: Sequence[Pair],
    source: Path,
    corrections: Corrections,
    deidentify: Deidentify | None = None,
    part: Part | None = None,
) -> Study:
    """Read pairs that make one study, wherever they lie.

    They become series in the order of their names; equal names in that of their folders. So the study and its UIDs are
    the same wherever the files lie.

    Args:
        pairs: at least one.
        source: the folder below which they lie, or the one file.
        corrections: what counts instead of the headers.
        deidentify: how headers are redacted; None leaves them as they are.
        part: of an animal that was scanned with others, which part of the images is read; the headers' values of an
            animal are then nobody's.

    Raises:
        InveonError: there is no pair, or none of a name that is asked for; rows of the sheet contradict each other; a
            redaction lacks its secret.
    """
    if not pairs:
        raise no_pairs(source)
    pairs = only_named(pairs, corrections.only, source)
    ordered = sorted(pairs, key=lambda pair: (pair.name, below(pair.data, source)))
    redaction = study_redaction_of(ordered, corrections, deidentify)
    corrections = redaction.corrections
    files, raw, errors = _read_all(ordered, redaction)
    if part:
        files = [replace(each, image=with_header(each.image, of_no_animal(each.image.header))) for each in files]
    given = redaction.sheet_values
    if given is None:  # numbered as the files that can be read, not as the pairs
        given = values_of_scans(corrections, [(each.image.pair, each.image.header) for each in files])
        files = [replace(each, number=number) for number, each in enumerate(files)]
    scans = list(_scans(_completed(_with_sheet(files, given, errors, corrections), corrections), corrections, errors))
    headers, values = [each.image.header for each in scans], [each.sheet_values for each in scans]
    names = [each.image.pair.header.name for each in scans]
    animal, found = animal_of(headers, corrections.subject, given.of_study, names) if scans else (Animal(), ())
    animals = animals_of_scans(animal, headers, corrections.subject, values, names)
    scans = [replace(scan, animal=each) for scan, each in zip(scans, animals, strict=True)]
    series, shared = _series(scans, corrections)
    first = scans[0].image if scans else None
    study = Study(
        source=source,
        corrections=corrections,
        scans=tuple(scans),
        series=series,
        animal=animal,
        sheet_values=given.of_study,
        hotel=given.hotel,
        findings=(
            *(replace(finding, path=str(source)) for finding in shared),
            *redaction.findings,
            *redaction.several,
            *(
                locate(finding, first.pair.header, first.header)
                for finding in (*found, *group_findings(first.group if first else ()))
                if first
            ),
        ),
        errors=errors,
        raw=tuple(raw),
        redaction=redaction,
        part=part,
    )
    return _cut(study, part, part.extent) if part and part.extent else study


def _cut(study: Study, part: Part, extent: Extent) -> Study:
    """Return a study of the group's images as that of one animal's part of them.

    Series keep their numbers; images in which the animal does not lie are left out.
    """
    _refuse_other_injection(study, part)
    beside: list[Finding] = []
    scans: dict[Pair, Scan] = {}
    for scan in study.scans:
        groups = tuple(each for image in scan.groups if (each := cut_out(image, extent, part.mask)))
        if groups:
            of_mask = mask_findings(groups, part.mask, part.position) if part.mask else ()
            image = cut_like(scan.image, groups, part.mask)
            scans[scan.pair] = replace(scan, groups=groups, image=image, findings=(*scan.findings, *of_mask))
        elif not scan.refusal:
            message = f"the animal at '{part.position}' is not in this image; no series is written of it"
            beside.append(Finding("animal-beside-image", message, path=str(scan.image.pair.header)))
    cuts = ((each, cut_out(each.image, extent, part.mask)) for each in study.series if each.scan.pair in scans)
    series = tuple(replace(each, image=image, scan=scans[each.scan.pair]) for each, image in cuts if image)
    return replace(study, scans=tuple(scans.values()), series=series, findings=(*study.findings, *beside))


def _refuse_other_injection(study: Study, part: Part) -> None:
    """Refuse values that are corrected for decay to the moment of an injection that is not the animal's."""
    of_group = {scan.pair: scan.image.header for scan in part.whole.scans}
    for scan in study.scans:
        header = of_group.get(scan.pair)
        if header and factor_to_injection(header) and not factor_to_injection(scan.image.header):
            message = f"values are corrected for decay to the injection at {header.tracer.injected_at}"
            raise InputError(message, path=scan.pair.header, expected=f"the same for the animal at '{part.position}'")


@dataclass(frozen=True)
class _File:
    """A pair that was read, its place among the ordered pairs, and what a sheet says of it."""

    pair: Pair
    number: int
    image: Image
    sheet_values: SheetValues = NO_SHEET_VALUES


def _read(pair: Pair, redaction: StudyRedaction, number: int) -> _File:
    corrections = redaction.corrections
    image = read_pair(
        pair,
        orientation=corrections.orientation,
        flip=corrections.flip,
        apply_hounsfield=corrections.apply_hounsfield,
        instead=redaction.instead[number],
    )
    if corrections.scan_time and image.header.acquisition.started_at is None:
        image = with_header(image, _started(image.header, corrections.scan_time))
    return _File(pair, number, image)


def _started(header: Header, scan_time: datetime) -> Header:
    """Return a header with a scan time, without the line of its own one."""
    source = tuple(line for line in header.source if line.key != "scan_time")
    return replace(header, acquisition=replace(header.acquisition, scan_time=scan_time), source=source)


def _read_all(
    pairs: Sequence[Pair], redaction: StudyRedaction
) -> tuple[list[_File], list[Image], dict[Pair, InveonError]]:
    """Return the pairs that hold images, images of raw data, and why pairs are not among the first."""
    files, raw, errors = list[_File](), list[Image](), dict[Pair, InveonError]()
    for number, pair in enumerate(pairs):
        try:
            file = _read(pair, redaction, number)
        except InveonError as error:
            errors[pair] = error
            continue
        try:
            refuse_unconvertible(file.image.header, file.image.modality)
            files.append(file)
        except UnsupportedError as error:
            errors[pair] = error.at(pair.header)
            raw.append(file.image)
    return files, raw, errors


def _with_sheet(
    files: Sequence[_File],
    given: GivenValues,
    errors: dict[Pair, InveonError],
    corrections: Corrections,
) -> Iterator[_File]:
    """Yield files whose headers say what is given for them; what makes no sense in it is an error."""
    for each in files:
        image, sheet, values = each.image, corrections.sheet, given.of_scans[each.number]
        try:
            if sheet is not None:
                on_sheet = (*unmatched_scan(sheet, values), *_overruled(values, corrections.orientation))
                on_sheet = tuple(locate(one, image.pair.header, image.header) for one in on_sheet)
                image = replace(image, findings=(*image.findings, *on_sheet))
            if values.cells:
                image = with_header(image, with_sheet_values(image.header, values))
            if "posture" in values.cells and not corrections.orientation:
                image = with_posture_of_header(image, corrections.flip)
            group = members_of(given.hotel, each.number, image.header, image.grid.orientation)
            image = replace(image, group=group)
            doubts = animal_findings(image, given.hotel, each.number, corrections.scan_time)
            located = (locate(one, image.pair.header, image.header) for one in doubts)
            yield replace(each, image=replace(image, findings=(*image.findings, *located)), sheet_values=values)
        except InveonError as error:
            errors[each.pair] = error.at(each.pair.header)


def _overruled(values: SheetValues, orientation: Orientation | None) -> Iterator[Finding]:
    """Yield that a sheet's posture does not count, since another one was given for all scans."""
    of_sheet = values.get("posture")
    if orientation and of_sheet and of_sheet is not orientation:
        message = (
            f"row {values.cells['posture'].row} of the sheet says posture {of_sheet.name}, but {orientation.name} "
            "counts: it was given for all scans, as an option or in inveon.toml"
        )
        yield Finding("posture-overruled", message, key="subject_orientation")


def _completed(files: Iterator[_File], corrections: Corrections) -> Iterator[_File]:
    """Yield files whose headers have what only other headers of the study say of the animal, with notes on it."""
    known = list(files)
    headers, found = completed_headers(
        [each.image.header for each in known], [each.sheet_values for each in known], corrections.subject
    )
    for each, header, notes in zip(known, headers, found, strict=True):
        located = (locate(note, each.image.pair.header, header) for note in notes)
        image = replace(each.image, header=header, findings=(*each.image.findings, *located))
        yield replace(each, image=image)


def _scans(files: Iterator[_File], corrections: Corrections, errors: dict[Pair, InveonError]) -> Iterator[Scan]:
    for each in files:
        try:
            yield _scan(each, corrections)
        except InveonError as error:
            errors[each.pair] = error.at(each.pair.header)


def _scan(file: _File, corrections: Corrections) -> Scan:
    image = file.image
    kind = (*refuse_unconvertible(image.header, image.modality), *sum_findings(image.header, image.group))
    if corrections.allow_long_data:
        image = replace(image, findings=long_data_taken(image.findings, kind))
    parts, gating, findings, refusal = _frame_groups(image.header, corrections)
    direction = corrections.bed_direction or BedDirection.FORWARD
    groups = split(image, parts, direction.sign)
    if corrections.bed_direction is None:
        findings = (*findings, *_bed_findings(groups))
    typed = given_findings(image, file.sheet_values, corrections.scan_time)
    kind, findings, doubts = (
        tuple(locate(each, image.pair.header, image.header) for each in found) for found in (kind, findings, typed)
    )
    return Scan(
        pair=file.pair,
        image=replace(image, findings=(*image.findings, *kind)),
        start=image.header.acquisition.started_at,
        groups=groups,
        gating=gating,
        findings=(*findings, *_alike(image, refusal), *doubts),
        doubts=doubts,
        sheet_values=file.sheet_values,
        refusal=refusal and refusal.at(file.pair.header),
    )


def long_data_taken(findings: Sequence[Finding], kind: Sequence[Finding] = ()) -> tuple[Finding, ...]:
    """Return findings of a file whose data may be longer than its header says: that they are is a warning then.

    It stays an error of what may be no image.

    Args:
        findings: of the file.
        kind: what else was found in it.
    """
    if any(each.code == _NO_IMAGE for each in (*findings, *kind)):
        return tuple(findings)
    return tuple(replace(each, severity=Severity.WARNING) if each.code in _LONG_DATA else each for each in findings)


def _frame_groups(
    header: Header, corrections: Corrections
) -> tuple[tuple[FrameGroup, ...], Gating | None, tuple[Finding, ...], InveonError | None]:
    try:
        return *series_groups(header, corrections.cycle_ms, separate=bool(corrections.separate_frames)), None
    except InveonError as error:
        return frame_groups_of(header, separate=True), None, (), error


def _alike(image: Image, refusal: InveonError | None) -> Iterator[Finding]:
    """Yield why frame blocks are a group each."""
    if refusal:
        yield Finding("frames-alike", refusal.sentence, line=refusal.line, path=str(image.pair.header))


def _bed_findings(groups: Sequence[Image]) -> tuple[Finding, ...]:
    """Return what is to be known of bed positions that were placed, one image each."""
    places = {image.part.place.bed: image.grid.bed_mm for image in groups if image.part}
    if len(places) <= 1:
        return ()
    shown = ", ".join(f"{distance:+g}" for distance in places.values())
    message = (
        f"{len(places)} bed positions are placed by bed_offset, at {shown} mm along the slice axis; which way the bed "
        "counts is not documented (--bed-direction reverse turns it)"
    )
    return (Finding("bed-direction-assumed", message, key="number_of_bed_positions"),)


def _series(scans: Sequence[Scan], corrections: Corrections) -> tuple[tuple[Series, ...], tuple[Finding, ...]]:
    """Return the series of a study, and findings on the frames of reference that they share."""
    headers = [each.image.header for each in scans]
    firsts = [1 + sum(len(scan.groups) for scan in scans[:index]) for index in range(len(scans))]
    frames, findings = frames_of_reference(
        headers,
        corrections.frame_of_reference,
        firsts,
        orientation=corrections.orientation,
        scan_time=corrections.scan_time,
    )
    series = tuple(
        Series(image=image, number=number, frame_of_reference=frame_of_reference, attenuation=None, scan=scan)
        for scan, first, frame_of_reference in zip(scans, firsts, frames, strict=True)
        for number, image in enumerate(scan.groups, first)
    )
    sessions = sessions_of(headers, corrections.scan_time)
    by_number = {
        number: session
        for scan, first, session in zip(scans, firsts, sessions, strict=True)
        for number in range(first, first + len(scan.groups))
    }
    return tuple(replace(each, attenuation=_attenuation_of(each, series, by_number)) for each in series), findings


def _attenuation_of(corrected: Series, series: Sequence[Series], sessions: Mapping[int, int | None]) -> int | None:
    """Return the number of the first CT whose file's name is that of `attenuation_filename`, but for its suffix.

    A CT of another session has the same name by chance. `sessions` has the session of each series, by its number.
    """
    wanted = _stem(corrected.image.header.corrections.attenuation_file)
    if not wanted or corrected.image.modality is not Modality.PET:
        return None
    own = {sessions[corrected.number], None}
    for each in series:
        names = each.image.header.acquisition_file_name, each.image.pair.name
        is_named = each.image.modality is Modality.CT and wanted in map(_stem, names)
        if is_named and (sessions[each.number] in own or sessions[corrected.number] is None):
            return each.number
    return None


def _stem(name: str | None) -> str:
    """Return the file name of a path of any system, in lower case, up to its first dot."""
    return PureWindowsPath(name or "").name.partition(".")[0].lower()
