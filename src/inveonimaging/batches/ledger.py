"""`batch.jsonl`: a line for each study, written when it ends; of several lines of a study the last one counts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from inveonimaging.batches.names import LEDGER
from inveonimaging.batches.study import SCHEMA, Outcome, Record
from inveonimaging.errors import OutputError
from inveonimaging.storage.folders import make_folder
from inveonimaging.storage.interruptions import Interruptions, interruption_of
from inveonimaging.storage.jsonl import append, document_of, lines, locked, whole_lines
from inveonimaging.storage.shapes import fits

T = TypeVar("T")

_LOCK = ".inveon-batch.lock"
_DRAFT = ".batch.jsonl.draft"
_START = b'{"schema": '
_TEXTS = ("output", "source", "options", "manifest", "made_from", "files")
_LINE = dict.fromkeys(_TEXTS, str) | {"result": {each.value for each in Outcome}, "rows": [int]}
_LATER = {"patient_id": str, "study_date": str, "verified": bool}


class Ledger:
    """The lines of a batch; in memory is only where each study's last one begins.

    Attributes:
        path: of the file.
        unread: numbers of the lines that are not what a batch writes, from 1; they do not count.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a+b")
        self._begins: dict[str, int] = {}
        self._seen: set[str] = set()
        try:
            self.unread = tuple(self._found())
        except ValueError as error:
            self.close()
            raise _no_ledger(path) from error

    def _found(self) -> Iterator[int]:
        """Find the lines; yield the numbers of those that are none of a batch; ValueError if all are."""
        number = 0
        for number, (begin, text) in enumerate(whole_lines(self._file, _START), 1):
            if line := _read(text):
                self._begins[line["output"]] = begin
            elif text.strip():
                yield number
        if number and not self._begins:
            raise ValueError("no line of a batch")

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
        later = {name: line[name] for name, kind in _LATER.items() if fits(line.get(name), kind)}
        return Record(**texts, **later, result=Outcome(line["result"]), rows=tuple(line["rows"]))

    def append(self, record: Record) -> None:
        """Write a line; it is in the system's hands when this returns.

        If the study failed, its line keeps what made its existing output.
        """
        before = None if record.manifest else self.before(record.output)
        if before is not None:
            kept = {name: getattr(before, name) for name in ("manifest", "made_from", *_LATER)}
            record = replace(record, **kept)
        document = {"schema": SCHEMA, **{each.name: getattr(record, each.name) for each in fields(record)}}
        document["instances"] = record.instances
        self._begins[record.output] = append(self._file, document)
        self._seen.add(record.output)

    def compact(self) -> None:
        """Leave the last line of each study, sorted by output."""
        draft = self.path.with_name(_DRAFT)
        draft.unlink(missing_ok=True)  # of a batch that was killed; a link is not followed
        with draft.open("xb") as file:
            file.writelines(map(self._line, sorted(self._begins)))
        self.close()
        draft.replace(self.path)

    def close(self) -> None:
        """Close the file."""
        with contextlib.suppress(OSError):  # of a full disk: it was heard when the line was written
            self._file.close()

    def _line(self, output: str) -> bytes:
        self._file.seek(self._begins[output])
        return self._file.readline().rstrip(b"\n") + b"\n"


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
            if interruption := interruption_of(error):
                raise interruption from None
            raise OutputError(f"cannot be written: {error.strerror or error}", path=error.filename or output) from error
        finally:
            interruptions.wait = True
            stack.close()
            with contextlib.suppress(OSError):  # those that hold something stay
                for folder in made:
                    folder.rmdir()


@contextlib.contextmanager
def _opened(output: Path) -> Iterator[Ledger]:
    busy = OutputError("another batch is running here", path=output, hint="wait until it has ended")
    with locked(output / _LOCK, busy):
        ledger = Ledger(output / LEDGER)
        try:
            yield ledger
        finally:
            ledger.close()
            with contextlib.suppress(OSError):
                if not ledger.path.stat().st_size:
                    ledger.path.unlink()


def last_results(output: Path) -> tuple[dict[str, str], tuple[int, ...]]:
    """Return the last result of each study in a ledger, by output, and the numbers of lines that are not of a batch.

    Nothing is written.

    Raises:
        OutputError: it is no ledger.
    """
    return last_lines(output, lambda line: str(line["result"]))


def last_lines(output: Path, of: Callable[[dict[str, Any]], T]) -> tuple[dict[str, T], tuple[int, ...]]:
    """Return what is made of the last line of each study; as `last_results`.

    Args:
        output: of the batch.
        of: makes it; of a line is sure what `Ledger.before` reads. People may have edited the rest.
    """
    results: dict[str, T] = {}
    unread = []
    try:
        for number, text in enumerate(lines(output / LEDGER), 1):
            if line := _read(text):
                results[line["output"]] = of(line)
            elif text.strip():
                unread.append(number)
    except OSError:
        return {}, ()
    except ValueError as error:
        raise _no_ledger(output / LEDGER) from error
    if unread and not results:
        raise _no_ledger(output / LEDGER)
    return results, tuple(unread)


def _no_ledger(path: Path) -> OutputError:
    hint = "move it elsewhere, or name another OUTPUT"
    return OutputError("is not a ledger of a batch", path=path, expected="a line of JSON for each study", hint=hint)


def _read(text: bytes) -> dict[str, Any] | None:
    """Return a line if it is about a study; a damaged one is none."""
    line = document_of(text)
    return line if fits(line, _LINE) else None
