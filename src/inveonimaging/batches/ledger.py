"""`batch.jsonl`: a line for each study, written when it ends; of several lines of a study the last one counts."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from inveonimaging.batches.names import LEDGER
from inveonimaging.batches.study import SCHEMA, Outcome, Record
from inveonimaging.errors import OutputError
from inveonimaging.storage.folders import make_folder
from inveonimaging.storage.interruptions import Interruptions
from inveonimaging.storage.jsonl import append, locked, whole_lines

_LOCK = ".inveon-batch.lock"
_DRAFT = ".batch.jsonl.draft"
_TEXTS = ("output", "source", "result", "options", "manifest", "made_from", "files")


class Ledger:
    """The lines of a batch; in memory is only where each study's last one begins."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a+b")
        self._begins = {line["output"]: begin for begin, text in whole_lines(self._file) if (line := _read(text))}
        self._seen: set[str] = set()

    @property
    def unseen(self) -> int:
        """How many studies have a line of an earlier run only."""
        return len(self._begins.keys() - self._seen)

    def before(self, output: str) -> Record | None:
        """Return what a later run needs of the last line about a study, None if there is none."""
        line = _read(self._line(output)) if output in self._begins else None
        if line is None:
            return None
        texts = {name: line[name] for name in _TEXTS}
        return Record(**texts | {"result": Outcome(line["result"]), "rows": tuple(line["rows"])})

    def append(self, record: Record) -> None:
        """Write a line; it is in the system's hands when this returns.

        If the study failed, its line keeps what made its existing output.
        """
        before = None if record.manifest else self.before(record.output)
        if before is not None:
            record = replace(record, manifest=before.manifest, made_from=before.made_from)
        document = {"schema": SCHEMA, **{each.name: getattr(record, each.name) for each in fields(record)}}
        document["instances"] = record.instances
        self._begins[record.output] = append(self._file, document)
        self._seen.add(record.output)

    def compact(self) -> None:
        """Leave the last line of each study, sorted by output."""
        draft = self.path.with_name(_DRAFT)
        with draft.open("wb") as file:
            file.writelines(map(self._line, sorted(self._begins)))
        self.close()
        draft.replace(self.path)

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):  # of a full disk: it was heard when the line was written
            self._file.close()

    def _line(self, output: str) -> bytes:
        self._file.seek(self._begins[output])
        return self._file.readline()


@contextlib.contextmanager
def kept(output: Path) -> Iterator[Ledger]:
    """Open the ledger of a batch's output, which no other batch then can; it is compact afterwards.

    What interrupts its opening or its end waits for the end of that.

    Raises:
        OutputError: another batch is at work there, or the ledger cannot be written.
    """
    made = [each for each in (output, *output.parents) if not each.exists()]
    with Interruptions() as interruptions:
        stack = contextlib.ExitStack()
        try:
            with Interruptions(wait=True):
                make_folder(output)
                ledger = stack.enter_context(_opened(output))
            yield ledger
            interruptions.wait = True
            ledger.compact()
        except OSError as error:
            raise OutputError(f"cannot be written: {error.strerror or error}", path=error.filename or output) from error
        finally:
            interruptions.wait = True
            stack.close()
            with contextlib.suppress(OSError):  # those that hold something stay
                for folder in made:
                    folder.rmdir()


@contextlib.contextmanager
def _opened(output: Path) -> Iterator[Ledger]:
    busy = OutputError("another batch is at work here", path=output, hint="wait for its end")
    with locked(output / _LOCK, busy):
        ledger = Ledger(output / LEDGER)
        try:
            yield ledger
        finally:
            ledger.close()
            with contextlib.suppress(OSError):
                if not ledger.path.stat().st_size:
                    ledger.path.unlink()


def last_results(output: Path) -> dict[str, str]:
    """Return the last result of each study in a ledger, by output; nothing is written."""
    try:
        with (output / LEDGER).open("rb") as file:
            return {line["output"]: line["result"] for each in file if (line := _read(each))}
    except OSError:
        return {}


def _read(text: bytes) -> dict[str, Any] | None:
    """Return a line if it is about a study; a damaged one is none."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(line, dict) or not all(isinstance(line.get(name), str) for name in _TEXTS):
        return None
    rows = line.get("rows")
    is_whole = line["result"] in list(Outcome) and isinstance(rows, list) and all(type(row) is int for row in rows)
    return line if is_whole else None
