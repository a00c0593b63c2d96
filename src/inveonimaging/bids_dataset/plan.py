"""What a data set is to hold: studies -> animals, sessions, images with names and sidecars. Nothing is written."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from inveonimaging.bids_dataset.dataset import PARTICIPANTS, SESSIONS
from inveonimaging.bids_dataset.names import BidsPlace, label_of, session_label, subject_label
from inveonimaging.bids_dataset.options import BidsOptions
from inveonimaging.bids_dataset.rows import participant_of, session_of
from inveonimaging.bids_dataset.sidecar import Sidecar, plain_sidecar_of, sidecar_of, with_origins
from inveonimaging.bids_dataset.tables import rows_of
from inveonimaging.errors import InputError, OutputError, listed, printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.modality import is_transmission
from inveonimaging.nifti_files.volume import Volume
from inveonimaging.storage.bounded import read_bounded
from inveonimaging.study.cut import first_voxel
from inveonimaging.study.image import Image
from inveonimaging.study.reading import Scan, Series, Study
from inveonimaging.study.redacting import without_paths
from inveonimaging.study.sessions import sessions_of
from inveonimaging.study.usable import refuse_unusable
from inveonimaging.units import plain

SOURCE = "SourceHeaderSHA256"
PART = "SourcePart"
"""Names in a sidecar of what an image was made from: the header's digest, and the part of its frames."""

SOURCEDATA = "sourcedata"
_LARGEST_SIDECAR = 16 * 1024 * 1024
_RUN = re.compile(r"_run-(\d+)_")
_MISSING = "bids-value-missing"
_SUFFIXES = {Modality.CT: "ct", Modality.PET: "pet", Modality.SPECT: "spect"}
_NAMED = 12


@dataclass(frozen=True, kw_only=True)
class ImagePlan:
    """One image that is to be written.

    Attributes:
        series: whose frames they are.
        place: where it goes; `run` distinguishes it from others of the same names.
        sidecar: what is in the JSON file beside it.
        findings: on values that BIDS requires and that are missing.
    """

    series: Series
    place: BidsPlace
    run: int | None
    sidecar: Mapping[str, Any]
    findings: tuple[Finding, ...]

    @property
    def path(self) -> str:
        """Where it goes, without extension, as seen from the data set."""
        return self.place.path(self.run)

    @property
    def file(self) -> str:
        """The file of its voxels, likewise."""
        return f"{self.path}.nii.gz"

    @property
    def source(self) -> tuple[str, str]:
        """What distinguishes it from all other images: of which header it was made, and of what part."""
        return self.sidecar[SOURCE], self.sidecar.get(PART, "")


@dataclass(frozen=True, kw_only=True)
class DatasetPlan:
    """What is to be written.

    Attributes:
        output: the data set.
        studies: that were read, in the order of the inputs.
        images: in the order of the studies.
        participants: a row of the table for each study.
        sessions: rows of the table of each animal, by its label.
        findings: on studies as a whole.
    """

    output: Path
    studies: tuple[Study, ...]
    images: tuple[ImagePlan, ...]
    participants: tuple[Mapping[str, str], ...]
    sessions: Mapping[str, tuple[Mapping[str, str], ...]]
    findings: tuple[Finding, ...]

    @property
    def has_ct(self) -> bool:
        """Whether a CT is among the images."""
        return any(each.place.suffix == "ct" for each in self.images)

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """Those of studies, scans and images."""
        of_scans = (
            finding
            for study in self.studies
            for finding in without_paths([one for scan in study.scans for one in scan.all_findings], study.redaction)
        )
        return (*self.findings, *of_scans, *(finding for each in self.images for finding in each.findings))


class DatasetDraft:
    """Collects the studies of a data set; one that is refused leaves it as it was."""

    def __init__(self, options: BidsOptions) -> None:
        """Begin a data set of these options."""
        self._options = options
        self._animals: dict[str, str] = {}
        self._sources: dict[tuple[str, ...], ImagePlan] = {}
        self._studies: list[Study] = []
        self._images: list[ImagePlan] = []
        self._participants: list[Mapping[str, str]] = []
        self._known: dict[str, list[Mapping[str, str]]] = {}
        self._sessions: dict[str, list[Mapping[str, str]]] = {}
        self._findings: list[Finding] = []

    def add(self, study: Study) -> None:
        """Add a study.

        Raises:
            InveonError: it cannot become part of a data set, or not of this one: labels collide, a scan is there twice,
                or what BIDS requires is not known.
        """
        refuse_unusable(study, "bids")
        subject, by_session = self._subject(study), _sessions(study)
        images = [_image(each, subject, by_session[each.scan.pair], self._options) for each in study.series]
        sources = self._new_sources(images)
        refuse_missing(images, self._options)
        firsts = _firsts(study, by_session)
        rows = [session_of(label, scans) for label, scans in firsts.items()]
        participant = participant_of(subject, study, [row["age"] for row in rows])
        rows_of(("participant_id", *PARTICIPANTS), [*self._known.get(subject, ()), participant], study.source)
        rows_of(("session_id", *SESSIONS), [*self._sessions.get(subject, ()), *rows], study.source)
        found = (*study.findings, *_species(study), *_weights(firsts))
        self._animals[subject.casefold()] = study.animal.id
        self._sources |= sources
        self._studies.append(study)
        self._images += images
        self._participants.append(participant)
        self._known.setdefault(subject, []).append(participant)
        self._sessions.setdefault(subject, []).extend(rows)
        self._findings += without_paths(found, study.redaction)

    def planned(self, output: Path) -> DatasetPlan:
        """Return what the studies become.

        Raises:
            OutputError: a sidecar that is there cannot be read.
        """
        return DatasetPlan(
            output=output,
            studies=tuple(self._studies),
            images=tuple(_numbered(self._images, output)),
            participants=tuple(self._participants),
            sessions={subject: tuple(rows) for subject, rows in self._sessions.items()},
            findings=tuple(self._findings),
        )

    def _subject(self, study: Study) -> str:
        """Return the label of a study's animal.

        Raises:
            InputError: another animal has it.
        """
        label = subject_label(study.animal.id, study.source)
        other = self._animals.get(label.casefold(), study.animal.id)
        if other != study.animal.id:
            message = (
                f"the animals '{printable(other, 40)}' and '{printable(study.animal.id, 40)}' would both be sub-{label}"
            )
            expected = "IDs that differ in letters or digits, and not by case alone"
            raise InputError(message, path=study.source, expected=expected, hint="--patient-id or a sheet names them")
        return label

    def _new_sources(self, images: Sequence[ImagePlan]) -> dict[tuple[str, ...], ImagePlan]:
        """Return what images are made from, and where they go.

        Raises:
            InputError: another one is made from the same.
        """
        found: dict[tuple[str, ...], ImagePlan] = {}
        for image in images:
            key = (image.path.casefold(), *image.source)
            other = self._sources.get(key) or found.get(key)
            if other:
                message = f"is the same scan as {printable(other.series.scan.pair.header, 200)}"
                raise InputError(message, path=image.series.scan.pair.header, hint="give each scan once")
            found[key] = image
        return found


def _sessions(study: Study) -> dict[Any, str]:
    """Return the label of each scan's session, by its pair: what a sheet says, or the date of the session's start.

    A scan without a start is of the only session that there is.

    Raises:
        InputError: a session has no label.
    """
    numbers = sessions_of(study.headers, study.corrections.scan_time)
    days: dict[int | None, date] = {}
    for scan, number in zip(study.scans, numbers, strict=True):
        if scan.start and number is not None:
            days[number] = min(days.get(number, scan.start.date()), scan.start.date())
    only = next(iter(days.values())) if len(days) == 1 else None
    found, typed = {}, dict[str, str]()
    for scan, number in zip(study.scans, numbers, strict=True):
        named, day = scan.sheet_values.get("session"), days.get(number, only)
        label = session_label(str(named)) if named else f"{day:%Y%m%d}" if day else ""
        if not label:
            message = "the session has no label: " + (
                f"'{printable(str(named), 40)}'" if named else "no scan_time is known"
            )
            hint = "give one in the sheet's column session, in letters and digits" + (
                "" if named else ", or --scan-time"
            )
            raise InputError(message, path=scan.image.pair.header, hint=hint)
        other = typed.setdefault(label.casefold(), str(named or label))
        if named and other != str(named):
            message = (
                f"the sessions '{printable(other, 40)}' and '{printable(str(named), 40)}' would both be ses-{label}"
            )
            raise InputError(message, path=scan.image.pair.header, expected="sessions that differ in letters or digits")
        found[scan.pair] = label
    return found


def _firsts(study: Study, by_session: Mapping[Any, str]) -> dict[str, list[Scan]]:
    """Return the scans of each session, the earliest first."""
    found: dict[str, list[Scan]] = {}
    for scan in sorted(study.scans, key=lambda each: each.start or datetime.max):
        found.setdefault(by_session[scan.pair], []).append(scan)
    return found


def _image(series: Series, subject: str, session: str, options: BidsOptions) -> ImagePlan:
    image = series.image
    place = _place(series, subject, session)
    series = replace(series, image=_in_order(series))
    is_pet = place.datatype == "pet" and not place.root
    made = sidecar_of(series, options.administration) if is_pet else plain_sidecar_of(series)
    made_from = {
        SOURCE: sha256(image.header_bytes).hexdigest(),
        PART: image.part_name,
        "SourceFirstVoxel": first_voxel(image),
        "MaskedVoxels": image.source.hidden_voxels,
    }
    return ImagePlan(
        series=series,
        place=place,
        run=None,
        sidecar={**made.values, **{name: value for name, value in made_from.items() if value}},
        findings=tuple(_findings(series, made, place)),
    )


def _in_order(series: Series) -> Image:
    """Return the image with its frames in the order in which they are written."""
    image = series.image
    order = Volume(image=image, gating=series.gating).frames
    return replace(
        image,
        header=replace(image.header, frames=tuple(image.frames[index] for index in order)),
        source=image.source.of_frames(order),
        scaling=replace(image.scaling, factors=tuple(image.scaling.factors[index] for index in order)),
    )


def _place(series: Series, subject: str, session: str) -> BidsPlace:
    """Return where a series goes; BIDS has no form for what is gated, for SPECT, and for transmission."""
    image = series.image
    is_a_gate = image.part is not None and image.part.place.gate is not None
    is_gated = series.gating is not None or is_a_gate or any(frame.gate for frame in image.frames)
    is_ct, is_pet = image.modality is Modality.CT, image.modality is Modality.PET
    kind = "mumap" if is_pet and is_transmission(image.header) else _SUFFIXES[image.modality]
    has_form = is_ct or (kind == "pet" and not is_gated)
    entities = {} if is_ct else {"trc": label_of(image.header.tracer.compound or "")}
    if kind == "pet":
        entities["rec"] = _reconstruction(series, is_gated=is_gated)
    known = tuple((name, label) for name, label in entities.items() if label)
    return BidsPlace(subject, session, "pet" if kind == "mumap" else kind, known, kind, "" if has_form else SOURCEDATA)


def _reconstruction(series: Series, *, is_gated: bool) -> str:
    """Return the label `acdyn` or `nacstat`: whether attenuation was corrected, and how frames differ."""
    attenuation = series.image.header.corrections.attenuation
    corrected = "" if attenuation is None else "ac" if attenuation else "nac"
    return corrected + ("gated" if is_gated else "dyn" if len(series.image.frames) > 1 else "stat")


def _findings(series: Series, made: Sidecar, place: BidsPlace) -> Iterator[Finding]:
    path = str(series.image.pair.header)
    if place.root:
        kind = "gated PET" if place.suffix == "pet" else series.image.kind
        message = f"BIDS has no form for this {kind}: it goes to {place.folder}"
        yield Finding("bids-no-form", message, Severity.INFO, path=path)
    if made.missing:
        names = listed(list(with_origins(made.missing)), _NAMED)
        message = f"BIDS requires values that are missing for sub-{place.subject}: {names}"
        yield Finding("bids-value-missing", message, path=path)
    if made.not_known:
        names = listed(list(with_origins(made.not_known)), _NAMED)
        yield Finding("bids-value-unknown", f"not known, written as n/a: {names}", Severity.INFO, path=path)


def _species(study: Study) -> Iterator[Finding]:
    if not study.animal.species and not study.animal.species_code:
        message = "the species is not known, and BIDS takes participants without one for humans (column species)"
        yield Finding("bids-no-species", message, key="subject_genus", path=str(study.source))


def _weights(firsts: Mapping[str, Sequence[Scan]]) -> Iterator[Finding]:
    """Yield sessions whose scans have several weights; a table has one for each session."""
    for session, scans in firsts.items():
        weights = dict.fromkeys(plain(each.animal.weight_kg) for each in scans if each.animal.weight_kg)
        if len(weights) > 1:
            taken = session_of(session, scans)["body_weight"]
            message = f"scans of ses-{session} differ in weight: {', '.join(weights)} kg; sessions.tsv has {taken}"
            yield Finding("bids-weight-differs", message, key="subject_weight", path=str(scans[0].image.pair.header))


def refuse_missing(images: Sequence[ImagePlan], options: BidsOptions) -> None:
    """Refuse images that lack values that BIDS requires, unless that is allowed.

    Raises:
        InputError: with all that the first one lacks.
    """
    for image in () if options.incomplete else images:
        for finding in image.findings:
            if finding.code == _MISSING:
                hint = "columns are those of a sheet for --subjects; --incomplete writes without what is missing"
                more = "" if "ModeOfAdministration" in image.sidecar else "--administration bolus is for all scans; "
                path = image.series.scan.pair.header
                raise InputError(finding.message, path=path, hint=more + hint)


# Runs.


def _numbered(images: Sequence[ImagePlan], output: Path) -> Iterator[ImagePlan]:
    """Yield images with numbers where names alone do not distinguish them, also from those in the data set.

    What is there keeps its name: an image made from the same header has that one's number, a new one the next.

    Raises:
        OutputError: a sidecar that is there cannot be read.
    """
    groups: dict[str, list[ImagePlan]] = {}
    for image in images:
        groups.setdefault(image.path.casefold(), []).append(image)
    taken = {path: _existing(group[0].place, output) for path, group in groups.items()}
    given: dict[int, ImagePlan] = {}
    for path, group in groups.items():
        there = taken[path]
        free = 1 + max((run or 1 for run in there.values()), default=0)
        ordered = sorted(group, key=lambda each: (each.series.start or datetime.max, each.series.number))
        for image in ordered:
            if image.source in there:
                run = there[image.source]
            else:
                run, free = (free if there or len(group) > 1 else None), free + 1
            given[id(image)] = replace(image, run=run)
    for image in images:
        yield given[id(image)]


def _existing(place: BidsPlace, output: Path) -> dict[tuple[str, str], int | None]:
    """Return the numbers of images that have a place's names in a data set, by what they were made from.

    Raises:
        OutputError: a sidecar cannot be read, or does not say what its image was made from.
    """
    folder, alone = output / place.folder, place.path().rpartition("/")[2]
    found: dict[tuple[str, str], int | None] = {}
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        match = _RUN.search(path.name)
        if path.name.replace(match[0] if match else "\0", "_").casefold() == f"{alone}.json".casefold():
            found[_source_of(path)] = int(match[1]) if match else None
    return found


def _source_of(path: Path) -> tuple[str, str]:
    try:
        document = json.loads(read_bounded(path, _LARGEST_SIDECAR))
        return str(document[SOURCE]), str(document.get(PART, ""))
    except OSError as error:
        raise OutputError(f"cannot be read: {error.strerror}", path=path) from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return path.name, ""  # of another program: its name is taken
