"""Interruptions at every line of the code that brings files to their places, and what waits for what."""

from __future__ import annotations

import contextlib
import functools
import json
import linecache
import shutil
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from hashlib import sha256
from itertools import count
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from inveonimaging.storage import leftovers
from inveonimaging.storage import staging as output
from inveonimaging.storage.interruptions import SIGNALS, Interruptions
from inveonimaging.storage.leftovers import Journal
from inveonimaging.storage.manifests import MANIFEST
from inveonimaging.storage.staging import staged, sweep, write_file
from storage.test_faults import PARTIAL, tree

pytestmark = pytest.mark.faults

TURNS = 3  # a series, another one and the manifest
TRACED = {output.__file__, leftovers.__file__}
DICOM = b"\0" * 128 + b"DICM"
FILE = "000001.dcm"


def manifest(text: str, *names: str) -> bytes:
    """Return a manifest of series that hold one file."""
    series = [{"folder": name, "files": [{"name": FILE}]} for name in names]
    return json.dumps({"program": "inveonimaging", "version": text, "series": series}).encode()


OLD, NEW = manifest("old", "1"), manifest("new", "1", "2")


Tracer = Callable[[FrameType, str, Any], Any]


class TerminatedError(BaseException):
    """Raised on SIGTERM."""


EXPECTED: dict[signal.Signals, type[BaseException]] = {
    signal.SIGINT: KeyboardInterrupt,
    signal.SIGTERM: TerminatedError,
}


@pytest.fixture(autouse=True)
def sigterm_raises() -> Iterator[None]:
    """Let SIGTERM be an exception, as in the commands."""

    def terminate(_number: int, _frame: object) -> None:
        raise TerminatedError

    before = signal.signal(signal.SIGTERM, terminate)
    yield
    signal.signal(signal.SIGTERM, before)


def write_older(folder: Path) -> None:
    """Write what an earlier run left: a series and its manifest."""
    (folder / "1").mkdir(parents=True)
    (folder / "1" / FILE).write_bytes(b"old")
    (folder / MANIFEST).write_bytes(OLD)


def replace_it(folder: Path) -> None:
    """Write two series in its place."""
    with staged(folder, may_be_used=True) as stage:
        series = {name: [write_file(stage.folder(name) / FILE, (DICOM,))] for name in "12"}
        stage.write_manifest(NEW)
        stage.commit(series, ("1", MANIFEST))


def begin_again(folder: Path) -> None:
    """Begin to write there, which takes back what a killed run began, and come to no end."""
    with staged(folder, may_be_used=True) as stage:
        write_file(stage.folder("1") / FILE, (DICOM,))


def write_new(folder: Path) -> None:
    """Write a series where nothing is."""
    with staged(folder) as stage:
        stage.commit({"1": [write_file(stage.folder("1") / FILE, (DICOM,))]})


def begin_and_die(folder: Path) -> None:
    """Leave what a run leaves that is killed between two renames."""
    write_older(folder)
    (folder / PARTIAL / "new").mkdir(parents=True)
    (folder / PARTIAL / "old").mkdir()
    (folder / MANIFEST).rename(folder / PARTIAL / "old" / MANIFEST)
    names = {MANIFEST: sha256(NEW).hexdigest(), f"1/{FILE}": sha256(DICOM).hexdigest()}
    Journal(names, frozenset({"1", MANIFEST})).write(folder / PARTIAL)
    (folder / "1").rename(folder / PARTIAL / "old" / "1")
    (folder / MANIFEST).write_bytes(NEW)
    (folder / PARTIAL / "new" / "1").mkdir()


def nothing(_: Path) -> None:
    """Prepare nothing."""


def apart(work: Callable[[], object]) -> Iterator[object]:
    """Do work in a generator.

    Where no signal would be heard, as at the end of a block, Python keeps an exception of a tracer as one that is being
    handled: in the innermost generator, and so not for all tests that follow.
    """
    yield work()


@functools.cache
def is_deaf(file: str, line: int) -> bool:
    """Return whether Python looks for no signal in a line."""
    return linecache.getline(file, line).strip().startswith(("with ", "pass", "interruptions.wait"))


def is_interrupted(line: int, number: signal.Signals, work: Callable[[], object]) -> bool:
    """Send this process a signal at the nth line that is run of what is traced; return whether it came that far.

    A line counts the first times that it is run from one place: the turns of a loop that come later are no others.
    """
    seen, sent, runs = count(), [], Counter[tuple[CodeType, int, int]]()

    def at_line(frame: FrameType, event: str, _: object) -> Tracer:
        if event != "line" or is_deaf(frame.f_code.co_filename, frame.f_lineno):
            return at_line
        place = frame.f_code, frame.f_lineno, frame.f_back.f_lineno if frame.f_back else 0
        runs[place] += 1
        if runs[place] <= TURNS and next(seen) == line:
            sent.append(f"{frame.f_code.co_name}, line {frame.f_lineno}")
            signal.raise_signal(number)
        return at_line

    def at_call(frame: FrameType, _event: str, _: object) -> Tracer | None:
        return at_line if frame.f_code.co_filename in TRACED else None

    before = sys.gettrace()
    sys.settrace(at_call)
    try:
        next(apart(work))
    except EXPECTED[number]:
        assert sent
    else:
        assert not sent, f"the interruption was lost: {sent}"
    finally:
        sys.settrace(before)
    return bool(sent)


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # between the opening of a file and the block that closes it
@pytest.mark.parametrize(
    ("prepare", "work"),
    [(nothing, write_new), (write_older, replace_it), (begin_and_die, sweep), (begin_and_die, begin_again)],
    ids=["new", "overwrite", "sweep", "what a killed run left"],
)
def test_who_is_interrupted_at_any_line_leaves_the_older_or_the_new(
    tmp_path: Path, prepare: Callable[[Path], None], work: Callable[[Path], None]
) -> None:
    """And nothing beside it, so that no next run is needed but for what a killed one left. Signals come in turn."""
    older, newer = tmp_path / "older", tmp_path / "newer"
    for folder in (older, newer):
        prepare(folder)
    sweep(older)
    work(newer)
    allowed = [tree(older), tree(newer)]
    assert work in (sweep, begin_again) or allowed[0] != allowed[1]
    for line in count():
        target = tmp_path / str(line)
        prepare(target)
        number = SIGNALS[line % len(SIGNALS)]
        if not is_interrupted(line, number, lambda target=target: work(target)):  # type: ignore[misc]
            break
        if prepare is begin_and_die:
            sweep(target)  # which may not have begun
        assert tree(target) in allowed, f"interrupted at line {line}"
        assert prepare is not nothing or target.exists() == bool(tree(target))
        shutil.rmtree(target, ignore_errors=True)
    assert line > 50


@pytest.mark.parametrize("number", SIGNALS, ids=lambda each: each.name)
class TestWaiting:
    """What waits, and for what."""

    def goes_on(self, number: signal.Signals, times: int, wait: bool) -> bool:
        """Return whether work comes to its end that is interrupted so many times."""
        done = False
        with contextlib.suppress(EXPECTED[number]):
            with Interruptions() as interruptions:
                interruptions.wait = wait
                for _ in range(times):
                    signal.raise_signal(number)
                done = True
            pytest.fail("the interruption was lost")
        return done

    def test_an_interruption_counts_at_once(self, number: signal.Signals) -> None:
        assert not self.goes_on(number, times=1, wait=False)

    def test_it_waits_for_the_end_when_it_is_to(self, number: signal.Signals) -> None:
        assert self.goes_on(number, times=1, wait=True)

    def test_a_second_one_does_not_wait(self, number: signal.Signals) -> None:
        assert not self.goes_on(number, times=2, wait=True)

    def test_what_heard_them_before_hears_them_after(self, number: signal.Signals) -> None:
        before = signal.getsignal(number)
        with Interruptions():
            assert signal.getsignal(number) != before
        assert signal.getsignal(number) == before

    def test_what_is_ignored_or_ends_the_process_stays_so(self, number: signal.Signals) -> None:
        for handler in (signal.SIG_IGN, signal.SIG_DFL):
            before = signal.signal(number, handler)
            with Interruptions(wait=True):
                assert signal.getsignal(number) == handler
            signal.signal(number, before)

    def test_threads_hear_none(self, number: signal.Signals) -> None:
        before, seen = signal.getsignal(number), []

        def work() -> None:
            with Interruptions(wait=True):
                seen.append(signal.getsignal(number))

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert seen == [before]
