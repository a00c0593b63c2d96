"""Read an earlier conversion's manifest; decide whether its output is complete and up to date."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from inveonimaging.conversion.manifest import SCHEMA, recorded_options
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import StudyPlan
from inveonimaging.conversion.summary import digest_of
from inveonimaging.conversion.uids import StudyNames
from inveonimaging.dicom_reading.opening import opened
from inveonimaging.errors import InputError, OutputError
from inveonimaging.findings import Severity
from inveonimaging.inveon.pairs import Pair
from inveonimaging.storage.digest import sha256_of
from inveonimaging.storage.leftovers import PARTIAL
from inveonimaging.storage.manifests import MANIFEST, is_instance_name, is_series_folder, read_manifest
from inveonimaging.storage.shapes import fits
from inveonimaging.storage.staging import sweep
from inveonimaging.study.image import Image

_FILE = {"name": str, "size": int, "sha256": str}
_FINDING = {
    "code": str,
    "severity": {each.label for each in Severity},
    "message": str,
    "file": (str, None),
    "line": (int, None),
}
_SERIES = {
    **dict.fromkeys(("folder", "modality", "sop_class", "series_instance_uid"), str),
    "files": [_FILE],
    "findings": [_FINDING],
}
_SHAPE = {
    "schema": int,
    **dict.fromkeys(("version", "study_instance_uid"), str),
    "options": {},
    "frames_of_reference": [str],
    "sources": [_FILE],
    "series": [_SERIES],
    "findings": [_FINDING],
}


@dataclass(frozen=True)
class ExistingStudy:
    """A study in its output: its manifest, and the manifest's SHA-256."""

    document: dict[str, Any]
    sha256: str

    @property
    def sources(self) -> dict[str, tuple[int, str]]:
        """Size and SHA-256 of the files that it was made from, by name."""
        return {each["name"]: (each["size"], each["sha256"]) for each in self.document["sources"]}

    @property
    def listed(self) -> list[dict[str, Any]]:
        """The series as the manifest lists them."""
        listed: list[dict[str, Any]] = self.document["series"]
        return listed

    @property
    def series(self) -> tuple[dict[str, Any], ...]:
        """What a ledger has of each series."""
        names = ("folder", "modality", "sop_class", "series_instance_uid")
        return tuple({name: each[name] for name in names} | {"instances": len(each["files"])} for each in self.listed)

    @property
    def findings(self) -> tuple[dict[str, Any], ...]:
        """Problems in the study and in its series, each once."""
        lists = [self.document["findings"], *(each["findings"] for each in self.listed)]
        return tuple({json.dumps(each, sort_keys=True): each for found in lists for each in found}.values())


def existing_study(output: Path) -> ExistingStudy | None:
    """Return the study in a folder, None if there is no manifest of ours, or another run works there.

    What a killed run left there is undone first.

    Raises:
        OutputError: somebody or something has changed the manifest, so that nobody knows what the study is.
    """
    sweep(output)
    return None if is_busy(output) else stated_study(output)


def stated_study(output: Path) -> ExistingStudy | None:
    """Return the study that the manifest in a folder states, None if there is none of ours; nothing is changed.

    Raises:
        OutputError: as `existing_study`.
    """
    read = read_manifest(output)
    if read is None:
        return None
    found = ExistingStudy(read[0], sha256(read[1]).hexdigest())
    is_whole = fits(found.document, _SHAPE) and found.document["schema"] == SCHEMA and all(map(_is_plain, found.listed))
    if (
        not is_whole
        or not (found.sources and found.series)
        or not _are_different(each["folder"] for each in found.listed)
    ):
        hint = "move the study elsewhere, or name another OUTPUT"
        raise OutputError("is not as a conversion wrote it", path=output / MANIFEST, hint=hint)
    return found


def is_busy(output: Path) -> bool:
    """Return whether another run works in a folder."""
    return os.path.lexists(output / PARTIAL)


def _is_plain(series: Mapping[str, Any]) -> bool:
    """Return whether a series of a manifest names files inside its folder, each once, and nothing else."""
    names = [file["name"] for file in series["files"]]
    return is_series_folder(series["folder"]) and all(map(is_instance_name, names)) and _are_different(names)


def _are_different(names: Iterable[str]) -> bool:
    """Return whether no two names are one file, also where systems take capitals for small letters."""
    folded = [name.casefold() for name in names]
    return len(set(folded)) == len(folded)


def is_whole(output: Path, study: ExistingStudy, *, by_digest: bool) -> bool:
    """Return whether all files that a manifest lists are there, with their sizes, or with their SHA-256."""
    files = ((output / each["folder"] / file["name"], file) for each in study.listed for file in each["files"])
    return all(is_as_listed(path, file, by_digest=by_digest) for path, file in files)


def is_as_listed(path: Path, listed: Mapping[str, Any], *, by_digest: bool) -> bool:
    """Return whether a file is there, with the size that a manifest lists, or with the SHA-256."""
    try:
        status = path.lstat()
        is_there = stat.S_ISREG(status.st_mode) and status.st_size == listed["size"]
        return is_there and (not by_digest or sha256_of(path) == listed["sha256"])
    except OSError:
        return False


def stamp(pairs: Iterable[Pair], source: Path) -> str:
    """Return what changes with the files of pairs: a SHA-256 of their names, sizes and times.

    The time of change of a file's entry, which cannot be set back, is among them; Windows has none.

    Raises:
        OSError: a file is not there.
    """
    files = sorted(path for pair in pairs for path in (pair.header, pair.data))
    found = [(os.path.relpath(path, source), path.stat()) for path in files]
    seen = [(name, status.st_size, status.st_mtime_ns, status.st_ctime_ns) for name, status in found]
    return sha256(repr(seen).encode("utf-8", "surrogateescape")).hexdigest()


def patient_and_date(output: Path, study: ExistingStudy) -> tuple[str, str]:
    """Return Patient ID and Study Date, as `2014-03-04`, of the first file of a study; empty if they are not there."""
    first = study.listed[0]
    try:
        with opened(output / first["folder"] / first["files"][0]["name"]) as found:
            patient, date = (str(found.header.get(name) or "") for name in ("PatientID", "StudyDate"))
    except (InputError, LookupError):
        return "", ""
    is_date = re.fullmatch("[0-9]{8}", date)
    return patient, f"{date[:4]}-{date[4:6]}-{date[6:]}" if is_date else ""


def is_made_from(study: ExistingStudy, planned: StudyPlan) -> bool:
    """Return whether a study was made from the files of a plan, by the SHA-256 of each."""
    try:
        found = {name: content for each in planned.series for name, content in _sums(planned, each.image)}
    except OSError:
        return False
    return found == {name: content for name, (_, content) in study.sources.items()}


def has_scan_of(study: ExistingStudy, planned: StudyPlan) -> bool:
    """Return whether a study was made from one scan of a plan at least, by the SHA-256 of its header and of its data.

    Names do not matter: archives call different scans alike.

    Raises:
        OSError: a file cannot be read.
    """
    known = {content for _, content in study.sources.values()}
    return any(all(content in known for _, content in _sums(planned, each.image)) for each in planned.series)


def _sums(planned: StudyPlan, image: Image) -> Iterator[tuple[str, str]]:
    """Yield the files of an image, by the names that a manifest has for them, with what its header counts as."""
    yield planned.inside(image.pair.header), sha256(image.header_bytes).hexdigest()
    yield planned.inside(image.pair.data), sha256_of(image.source.path)


def is_the_same(study: ExistingStudy, planned: StudyPlan, options: Options) -> bool:
    """Return whether a study is what a conversion of the same data would be, by its options and its UIDs.

    UIDs are made from all that instances hold. Random ones say nothing, and are never the same.
    """
    sums = {name: content for name, (_, content) in study.sources.items()}
    digests = [digest_of(each.image, sums[planned.inside(each.image.pair.data)]) for each in planned.series]
    names = StudyNames(planned, digests, options)
    document = study.document
    series = [(str(each.number), list(each.files), str(names.series(each))) for each in planned.series]
    listed = [
        (each["folder"], [file["name"] for file in each["files"]], each["series_instance_uid"]) for each in study.listed
    ]
    uids = document["study_instance_uid"], document["frames_of_reference"]
    spaces = sorted({str(names.frame_of_reference_uid(each)) for each in planned.series})
    return document["options"] == recorded_options(options) and series == listed and uids == (names.study.uid, spaces)
