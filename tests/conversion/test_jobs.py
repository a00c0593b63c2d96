"""Several processes that write, and what ends them: signals, failures, and the end of the first one."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from helpers import LAST_RESORT_S, assert_one_line_error, inveon, python, write_small_study
from inveonimaging import DataError, OptionError, Options, OutputError, convert
from inveonimaging.conversion import job
from inveonimaging.conversion.processes import Processes
from inveonimaging.conversion.workers import team
from inveonimaging.phantom import CT_SCAN, PET_SCAN, frames_of, write_scan
from storage.test_faults import PARTIAL, assert_all_end, is_alive, running, running_held, tree, wait_for

pytestmark = pytest.mark.faults

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
SLICES = 400  # of a CT, and of a PET's two frames: about a second
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
    """Return a folder with a study that takes about a second."""
    folder = tmp_path_factory.mktemp("long")
    ct = replace(CT_SCAN, shape=(4, 4, SLICES), spacing_mm=(8.0, 8.0, 60 / SLICES))
    pet = replace(PET_SCAN, shape=(4, 4, SLICES // 2), spacing_mm=(8.0, 8.0, 120 / SLICES), frames=frames_of(20, 40))
    write_scan(folder / "m1.ct.img", ct)
    write_scan(folder / "m1.pet.img", pet)
    return folder


# What is asked for.


def test_the_help_names_the_option() -> None:
    text = inveon("convert", "--help").stdout
    assert "--jobs" in text
    assert "0 takes what helps" in text


@pytest.mark.parametrize("number", ["-1", "257", "x", "1.5", "", "1e9"])
def test_other_numbers_are_wrong_usage(study: Path, out: Path, number: str) -> None:
    result = inveon("convert", f"--jobs={number}", study, out)
    assert result.exit_code == 2
    assert not out.parent.exists()


@pytest.mark.parametrize("number", [-1, 257])
def test_the_api_refuses_other_numbers(number: int) -> None:
    with pytest.raises(OptionError, match=f"the number of jobs is {number}, expected 0 to 256"):
        Options(jobs=number)


def processes_for(monkeypatch: pytest.MonkeyPatch, jobs: int, files: int) -> int:
    """Return how many processes are started beside this one, which writes too."""
    started = [0]
    monkeypatch.setattr(Processes, "start", lambda _, count: started.append(count))
    with team(jobs, files):
        pass
    return started[-1]


@pytest.mark.parametrize(
    ("jobs", "files", "cores", "expected"),
    [
        (1, 10_000, 8, 0),
        (2, 10_000, 1, 1),
        (2, 2, 8, 1),
        (5, 2, 8, 1),  # no more than there are files
        (2, 1, 8, 0),
        (256, 10_000, 8, 59),
        (0, 10, 8, 0),
        (0, 1500, 1, 0),
        (0, 1500, 2, 1),
        (0, 1500, 64, 3),
    ],
)
def test_how_many_processes_are_started(
    monkeypatch: pytest.MonkeyPatch, jobs: int, files: int, cores: int, expected: int
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert processes_for(monkeypatch, jobs, files) == expected


# What is told, and what is left.


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_progress_reaches_the_total(study: Path, out: Path, jobs: int) -> None:
    told: list[tuple[int, int]] = []
    convert(study, out, Options(jobs=jobs), progress=lambda done, total: told.append((done, total)))
    assert {total for _, total in told} == {18}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (18, 18)


def test_progress_is_told_meanwhile(long_study: Path, out: Path) -> None:
    told: list[int] = []
    convert(long_study, out, Options(jobs=2), progress=lambda done, _: told.append(done))
    assert told[-1] == 2 * SLICES
    assert len({done for done in told if 0 < done < 2 * SLICES}) > 2


def test_no_process_is_left(study: Path, out: Path) -> None:
    convert(study, out, Options(jobs=3))
    assert multiprocessing.active_children() == []
    with pytest.raises(OutputError):
        convert(study, out, Options(jobs=3))
    (study / "m1.pet.img").unlink()
    (study / "m1.pet.img").write_bytes(b"")
    with pytest.raises(DataError):
        convert(study, out.with_name("other"), Options(jobs=3))
    assert multiprocessing.active_children() == []


def test_no_process_is_left_when_the_survey_fails(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(_: object) -> None:
        assert multiprocessing.active_children()
        raise DataError("is odd")

    monkeypatch.setattr(job, "_surveys", failing)
    with pytest.raises(DataError, match="is odd"):
        convert(study, out, Options(jobs=2))
    assert multiprocessing.active_children() == []
    assert not out.parent.exists()


@posix
def test_the_limit_of_the_system_for_those_who_write_is_one_line(study: Path, out: Path) -> None:
    """The processes may write files as large as half a header, and a series' first file holds the whole one."""
    pytest.importorskip("resource")
    limit = (study / "m1.ct.img.hdr").stat().st_size // 2
    code = f"""if True:
        import resource, runpy, sys
        if __name__ == "__main__":
            resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
            sys.argv = ["inveon", "convert", "--jobs", "2", {str(study)!r}, {str(out)!r}]
            runpy.run_module("inveonimaging", run_name="__main__", alter_sys=True)
    """
    done = python("-B", "-c", code)
    assert "File too large" in assert_one_line_error(done.returncode, done.stdout, done.stderr)
    assert not out.parent.exists()


# Scripts.

SCRIPT = """
import sys
from inveonimaging import InveonError, Options, convert

def main():
    print(len(convert(sys.argv[1], sys.argv[2], Options(jobs=2))[0].series))
"""


def test_a_script_with_the_guard_works(study: Path, out: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT + '\nif __name__ == "__main__":\n    main()\n')
    done = python(tmp_path / "script.py", study, out)
    assert (done.returncode, done.stdout, done.stderr) == (0, "2\n", "")
    convert(study, tmp_path / "expected")
    assert tree(out) == tree(tmp_path / "expected")


def test_a_script_without_the_guard_ends_with_an_error_that_tells_of_it(study: Path, out: Path, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT + "\nmain()\n")
    done = python(tmp_path / "script.py", study, out)  # within a minute
    assert done.returncode == 1
    assert 'a script needs the guard `if __name__ == "__main__":`' in done.stderr.splitlines()[-1]
    assert not out.parent.exists()


# Signals.


def assert_interrupted(process: subprocess.Popen[str], code: int) -> None:
    stdout, stderr = process.communicate(timeout=LAST_RESORT_S)
    line = assert_one_line_error(process.returncode, stdout, stderr, code)
    assert line == "error: interrupted; nothing half-written is left behind\n"
    assert_all_end(process.pid)


def held(out: Path, *arguments: object) -> contextlib.AbstractContextManager[subprocess.Popen[str]]:
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
@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(("send", "sent", "code"), SENDERS.values(), ids=SENDERS)
def test_a_signal_while_files_are_written_leaves_nothing(
    long_study: Path, out: Path, jobs: int, send: Callable[[int, signal.Signals], None], sent: signal.Signals, code: int
) -> None:
    with held(out, "--jobs", jobs, long_study) as process:
        wait_for(is_writing(out), process)
        assert process.poll() is None
        send(process.pid, sent)
        assert_interrupted(process, code)
    assert not out.parent.exists()


def group_size(group: int) -> int:
    found = subprocess.run(["ps", "-A", "-o", "pgid="], capture_output=True, check=True, encoding="ascii")
    return found.stdout.split().count(str(group))


@posix
@pytest.mark.skipif(not shutil.which("ps"), reason="needs ps")
@pytest.mark.parametrize("name", ["Ctrl-C", "SIGTERM"])
def test_a_signal_while_processes_are_started_leaves_nothing(long_study: Path, out: Path, name: str) -> None:
    """Processes that have only just been started, and still import, say nothing of their own."""
    send, sent, code = SENDERS[name]
    for delay in (0.0, 0.05):
        with held(out, "--jobs", 2, long_study) as process:
            while group_size(process.pid) < 3 and process.poll() is None:
                time.sleep(0.005)
            time.sleep(delay)
            send(process.pid, sent)
            assert_interrupted(process, code)
        assert not out.parent.exists()


@posix
@pytest.mark.parametrize("jobs", [1, 2])
def test_ctrl_c_at_any_moment_leaves_the_older_study_or_the_new_one(
    long_study: Path, study: Path, tmp_path: Path, jobs: int
) -> None:
    for source, name in ((study, "older"), (long_study, "newer")):
        convert(source, tmp_path / name)
    older, newer = tree(tmp_path / "older"), tree(tmp_path / "newer")
    chance = random.Random(jobs)  # noqa: S311 - repeatable
    for number in range(4):
        target = tmp_path / str(number) / "out"
        shutil.copytree(tmp_path / "older", target)
        is_held = number < 2
        options = ("--jobs", jobs, "--overwrite", long_study)
        with held(target, *options) if is_held else running("convert", *options, target) as process:
            wait_for(target / PARTIAL, process)
            time.sleep(chance.uniform(0, 0.3) if number else 0)
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
    with held(out, "--jobs", 2, long_study) as process:
        wait_for(is_writing(out), process)
        for _ in range(5):
            if is_alive(process.pid):
                os.killpg(process.pid, signal.SIGINT)
            time.sleep(0.01)
        process.communicate(timeout=LAST_RESORT_S)
        assert process.returncode != 0
        assert_all_end(process.pid)
    assert not out.exists() or {path.name for path in out.iterdir()} <= {PARTIAL}


def other_than(first: subprocess.Popen[str]) -> int:
    """Return the process that writes beside the first one, as soon as it has its name."""
    while first.poll() is None:
        command = ["ps", "-A", "-ww", "-o", "pid=,pgid=,args="]
        found = subprocess.run(command, capture_output=True, check=True, text=True)
        rows = [line.split(maxsplit=2) for line in found.stdout.splitlines() if "spawn_main" in line]
        own = [int(pid) for pid, group, _ in rows if int(group) == first.pid]
        if own:
            assert len(own) == 1
            return own[0]
    pytest.fail("the first one has ended")


@posix
@pytest.mark.skipif(not shutil.which("ps"), reason="needs ps")
@pytest.mark.parametrize("sent", ["SIGKILL", "SIGTERM"])
def test_the_end_of_one_that_writes_is_one_line(long_study: Path, out: Path, sent: str) -> None:
    """As by the system, when memory runs out."""
    with held(out, "--jobs", 2, long_study) as process:
        wait_for(is_writing(out), process)
        os.kill(other_than(process), signal.Signals[sent])
        stdout, stderr = process.communicate(timeout=LAST_RESORT_S)
        line = assert_one_line_error(process.returncode, stdout, stderr)
        assert "a process that writes has come to an end; is there memory for them?" in line
        assert_all_end(process.pid)
    assert not out.parent.exists()


def own_jobs(arguments: Sequence[str]) -> str:
    return f"""if True:
        import sys
        from inveonimaging.cli.main import app
        if __name__ == "__main__":
            sys.argv = {["inveon", *arguments]!r}
            app()
    """


def test_a_command_without_a_file_of_its_own_works_too(study: Path, out: Path) -> None:
    done = python("-c", own_jobs(["convert", "--jobs", "2", str(study), str(out)]))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir()} == {"1", "2", "inveon-manifest.json"}
