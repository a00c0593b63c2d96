"""What goes to a process that converts, and what comes back from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import Any

from inveonimaging.conversion.options import Options
from inveonimaging.errors import InputError
from inveonimaging.inveon.pairs import Pair

SCHEMA = 1
_HIDDEN = ("scan_time", "injected_at", "sheet")  # true dates; whose sheet it is
_NOT_ASKED = {
    "overwrite",
    "manifest",
    "recursive",
    "settings",
    "only",
}  # of a batch they are always the same, or change nothing


class Check(str, Enum):
    """How it is found out whether a study is complete and unchanged."""

    QUICK = "quick"  # by sizes and times of files
    DIGEST = "digest"  # by the SHA-256 of all of them


class Outcome(str, Enum):
    """What became of a study."""

    CONVERTED = "converted"
    SKIPPED = "skipped"  # complete and unchanged
    FAILED = "failed"


@dataclass(frozen=True)
class Study:
    """The files that become one study; small, since there may be tens of thousands.

    Attributes:
        source: the folder below which the files lie.
        output: the study's folder inside the batch's output, with forward slashes; `.` for the output itself.
        files: names of header and data file of each pair inside `source`; none for all pairs in it.
        position: of one animal of several that were scanned together, as the sheet says it; empty for the whole.
    """

    source: str
    output: str
    files: tuple[tuple[str, str], ...] = ()
    position: str = ""

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The pairs that are named."""
        folder = Path(self.source)
        return tuple(Pair(folder / header, folder / data) for header, data in self.files)


Planned = Study | InputError | None
"""A study, a folder that cannot be read, or something else that was looked at."""


@dataclass(frozen=True)
class Job:
    """What is the same for all studies of a batch.

    Attributes:
        output: the batch's folder.
        options: of the conversion.
        asked: fingerprint of the options.
        version: of the program that asks.
        check: how to find out whether a study is complete.
        verify: whether to read back what was written.
        patience_s: how long to wait for another run that writes the same study.
    """

    output: Path
    options: Options
    asked: str
    version: str
    check: Check = Check.QUICK
    verify: bool = False
    patience_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Record:
    """What became of a study: one line of `batch.jsonl`.

    Attributes:
        source, output: of the study; `source` in full.
        result: see `Outcome`.
        error: why it failed: `kind`, `message`, `path` and `line`.
        findings: problems in the data: `code`, `severity`, `message`, `file` and `line`, each once.
        seconds: how long it took.
        finished: when it ended, UTC.
        study_instance_uid: of the study in the output; empty if there is none.
        series: `folder`, `modality`, `sop_class`, `series_instance_uid` and `instances` of each.
        files: what names, sizes and times of the files that it was made from come to, as SHA-256.
        options: fingerprint of the options that it was made with.
        manifest: SHA-256 of the manifest.
        made_from: the source of the study in the output; of a study that failed, too, if an earlier batch made it.
        version: of the program that made it.
        rows: of a sheet of subjects, that are about it.
        patient_id, study_date: of the study in the output, as its first file has them; the date as `2014-03-04`.
        verified: whether all values of the study in the output were compared with its source, without a difference.
    """

    source: str
    output: str
    result: Outcome
    error: dict[str, Any] | None = None
    findings: tuple[dict[str, Any], ...] = ()
    seconds: float = 0.0
    finished: str = ""
    study_instance_uid: str = ""
    series: tuple[dict[str, Any], ...] = ()
    files: str = ""
    options: str = ""
    manifest: str = ""
    made_from: str = ""
    version: str = ""
    rows: tuple[int, ...] = ()
    patient_id: str = ""
    study_date: str = ""
    verified: bool = False

    @property
    def instances(self) -> int:
        """How many files there are."""
        return sum(int(each["instances"]) for each in self.series)


def failed(study: Study, kind: str, message: str) -> Record:
    """Return the record of a study whose process cannot say what became of it."""
    error = {"kind": kind, "message": message, "path": study.source, "line": None}
    return Record(source=study.source, output=study.output, result=Outcome.FAILED, error=error)


def fingerprint(options: Options) -> str:
    """Return the SHA-256 of all options that decide what is written, or refused; the same on every computer.

    A sum can be compared with those of guesses. So of a de-identification it has neither the secret nor what only its
    owner is to know, but whether that is given: `has_hidden`.
    """
    values = {each.name: _canonical(getattr(options, each.name)) for each in fields(options)}
    asked = {name: value for name, value in values.items() if name not in _NOT_ASKED}
    if options.deidentify is not None:
        asked["subject"] = _canonical(replace(options.corrections.subject, birth_date=None))
        asked |= dict.fromkeys(_HIDDEN) | {"deidentify": options.deidentify.dates.value, "hidden": has_hidden(options)}
    return sha256(json.dumps(asked, sort_keys=True, ensure_ascii=True).encode()).hexdigest()


def has_hidden(options: Options) -> bool:
    """Return whether anything is given, beside the secret, that no line of a de-identified batch may reveal."""
    if options.deidentify is None:
        return False
    given = (
        options.deidentify.shift_days,
        options.corrections.subject.birth_date,
        *(getattr(options, name) for name in _HIDDEN),
    )
    return any(value is not None for value in given)


def _canonical(value: Any) -> Any:
    """Return a value as JSON has it, whatever it is made of."""
    if isinstance(value, Enum):
        return _canonical(value.value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _canonical(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return sorted(([_canonical(key), _canonical(each)] for key, each in value.items()), key=repr)
    if isinstance(value, set | frozenset):
        return sorted((_canonical(each) for each in value), key=repr)
    if isinstance(value, list | tuple):
        return [_canonical(each) for each in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
