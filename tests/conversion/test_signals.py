"""A conversion that a signal ends, and the progress of one that goes on."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from forked import Running
from helpers import LAST_RESORT_S, assert_one_line_error, write_small_study
from inveonimaging import convert
from inveonimaging.phantom import CT_SCAN, PET_SCAN, frames_of, write_scan
from storage.test_faults import PARTIAL, assert_all_end, is_alive, running, running_held, tree, wait_for

pytestmark = pytest.mark.faults

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
SLICES = 120  # of a CT, and of a PET's two frames: some tenths of a second
LAST = f"PET-{SLICES:06}.dcm"  # the last of the files


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Return a folder with a small CT and a small PET."""
    return write_small_study(tmp_path / "in")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a folder that does not exist, in one that does not exist."""
    return tmp_path / "new" / "out"


@pytest.fixture(scope="module")
def long_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a study that takes some tenths of a second."""
    folder = tmp_path_factory.mktemp("long")
    ct = replace(CT_SCAN, shape=(4, 4, SLICES), spacing_mm=(8.0, 8.0, 60 / SLICES))
    pet = replace(PET_SCAN, shape=(4, 4, SLICES // 2), spacing_mm=(8.0, 8.0, 120 / SLICES), frames=frames_of(20, 40))
    write_scan(folder / "m1.ct.img", ct)
    write_scan(folder / "m1.pet.img", pet)
    return folder


def test_progress_reaches_the_total(study: Path, out: Path) -> None:
    values: list[tuple[int, int]] = []
    convert(study, out, progress=lambda done, total: values.append((done, total)))
    assert {total for _, total in values} == {18}
    assert [done for done, _ in values] == sorted(done for done, _ in values)
    assert values[-1] == (18, 18)


def test_progress_is_reported_meanwhile(long_study: Path, out: Path) -> None:
    values: list[int] = []
    convert(long_study, out, progress=lambda done, _: values.append(done))
    assert values[-1] == 2 * SLICES
    assert len({done for done in values if 0 < done < 2 * SLICES}) > 2


# Signals.


def assert_interrupted(process: Running, code: int) -> None:
    stdout, stderr = process.communicate(timeout=LAST_RESORT_S)
    line = assert_one_line_error(process.returncode, stdout, stderr, code)
    assert line == "error: interrupted; nothing half-written is left behind\n"
    assert_all_end(process.pid)


def held(out: Path, *arguments: object) -> contextlib.AbstractContextManager[Running]:
    """Run `inveon convert ARGUMENTS OUT` so that it is not over before a signal, however late that comes."""
    return running_held(out.parent.with_name("held.py"), LAST, "convert", *arguments, out)


def is_writing(out: Path) -> Path:
    return out / PARTIAL / "new" / "1" / "CT-000001.dcm"


UNFLUSHED = 120  # of a Python that could not write its last output
TO_ALL = getattr(os, "killpg", os.kill)
SENDERS: dict[str, tuple[Callable[[int, signal.Signals], None], signal.Signals, int]] = {
    "Ctrl-C": (TO_ALL, signal.SIGINT, 130),  # all processes of a terminal hear it
    "SIGINT": (os.kill, signal.SIGINT, 130),
    "SIGTERM": (os.kill, signal.SIGTERM, 143),
    "SIGTERM to all": (TO_ALL, signal.SIGTERM, 143),
}


@posix
@pytest.mark.parametrize(("send", "sent", "code"), SENDERS.values(), ids=SENDERS)
def test_a_signal_while_files_are_written_leaves_nothing(
    long_study: Path, out: Path, send: Callable[[int, signal.Signals], None], sent: signal.Signals, code: int
) -> None:
    with held(out, long_study) as process:
        wait_for(is_writing(out), process)
        assert process.poll() is None
        send(process.pid, sent)
        assert_interrupted(process, code)
    assert not out.parent.exists()


@posix
def test_ctrl_c_at_any_moment_leaves_the_older_study_or_the_new_one(
    long_study: Path, study: Path, tmp_path: Path
) -> None:
    for source, name in ((study, "older"), (long_study, "newer")):
        convert(source, tmp_path / name)
    older, newer = tree(tmp_path / "older"), tree(tmp_path / "newer")
    chance = random.Random(1)  # noqa: S311 - repeatable
    for number in range(4):
        target = tmp_path / str(number) / "out"
        shutil.copytree(tmp_path / "older", target)
        is_held = number < 2
        options = ("--overwrite", long_study)
        with held(target, *options) if is_held else running("convert", *options, target) as process:
            wait_for(target / PARTIAL, process)
            time.sleep(chance.uniform(0, 0.15) if number else 0)
            if is_alive(process.pid):
                os.killpg(process.pid, signal.SIGINT)
            stdout, stderr = process.communicate(timeout=LAST_RESORT_S)
            assert_all_end(process.pid)
        is_older = tree(target) == older
        assert is_older or (tree(target) == newer and not is_held), "neither the older study nor the new one"
        if is_older:
            assert "interrupted" in assert_one_line_error(process.returncode, stdout, stderr, 130)
        else:  # it had its place before; the process may have heard of it in its last moments
            assert process.returncode in {0, 130, -signal.SIGINT, UNFLUSHED}, stderr


@posix
def test_two_ctrl_c_leave_nothing_that_the_next_run_minds(long_study: Path, out: Path) -> None:
    with held(out, long_study) as process:
        wait_for(is_writing(out), process)
        for _ in range(5):
            if is_alive(process.pid):
                os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.01)
        process.communicate(timeout=LAST_RESORT_S)
        assert process.returncode != 0
        assert_all_end(process.pid)
    assert not out.exists() or {path.name for path in out.iterdir()} <= {PARTIAL}
