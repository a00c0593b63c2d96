"""A batch that is killed, interrupted or loses its processes: nothing half-written, and the next run does the rest."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from itertools import count
from pathlib import Path
from unittest import mock

import pytest

from batches.test_batch import LEDGER, PARTIAL, Tree, ledger, results, tree
from forked import Running, import_before, run_forked, running_forked
from helpers import CT, LAST_RESORT_S, assert_one_line_error, inveon, write_small_study
from in_process import Here
from inveonimaging import Options, convert
from inveonimaging.batches import Batch, Record, Study, Watch, run_batch
from inveonimaging.batches import job as batch_job
from inveonimaging.batches import ledger as batch_ledger
from inveonimaging.batches.local import cleared
from inveonimaging.batches.study import Job, Outcome, Planned
from inveonimaging.phantom import CT_SCAN, write_scan
from inveonimaging.storage import jsonl
from storage import test_interruptions
from storage.test_faults import assert_all_end, posix
from storage.test_interruptions import is_interrupted

import_before("inveonimaging.batches.work", "inveonimaging.cli.batch_progress", "inveonimaging.sending.job")
pytestmark = pytest.mark.faults

STUDIES = 6
SLICES = 20  # some tens of milliseconds


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tree of studies."""
    folder = tmp_path_factory.mktemp("archive") / "root"
    scan = replace(CT_SCAN, shape=(6, 6, SLICES), spacing_mm=(5.0, 5.0, 60 / SLICES))
    for number in range(STUDIES):
        name = folder / f"g{number % 2}" / f"s{number}"
        name.mkdir(parents=True)
        write_scan(name / "m1.ct.img", scan)
    return folder


@pytest.fixture(scope="module")
def expected(root: Path) -> Tree:
    """Return what becomes of it."""
    convert(root, root.parent / "expected", Options(recursive=True))
    return tree(root.parent / "expected")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "new" / "out"


def batch(root: Path, out: Path, *options: object) -> tuple[object, ...]:
    return ("-m", "inveonimaging", "batch", root, out, *options)


def goes_on(root: Path, out: Path) -> None:
    """Run it once more, which finds no fault."""
    with mock.patch.object(batch_job, "Local", Here):
        result = inveon("batch", root, out, "-j", 1)
    assert result.exit_code == 0, result.stderr


def wait_until(is_so: Callable[[], object], process: Running) -> None:
    """Wait for something that comes before the end of a process."""
    until = time.monotonic() + LAST_RESORT_S
    while True:
        has_ended = process.poll() is not None
        if is_so():
            return
        assert not has_ended, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.002)


HOLDING = """
import os, sys, time
from pathlib import Path
from inveonimaging.batches import work
from inveonimaging.storage.manifests import MANIFEST
from inveonimaging.storage.staging import Stage

folder, place, held = Path({folder!r}), {place!r}, {held!r}
if "write" not in globals():  # Dask loads it anew
    write, commit, rename = work.convert_planned, Stage.commit, Path.rename

def hold(here, name):
    if here == place and name == held:
        (folder / str(os.getpid())).touch()
        while not (folder / "open").exists():
            time.sleep(0.01)

def convert_planned(studies, *rest):
    hold("to be converted", studies[0].source.name)
    done = write(studies, *rest)
    hold("converted", studies[0].source.name)
    return done

def committing(stage, *rest):
    hold("written", stage._output.name)
    commit(stage, *rest)

def renaming(path, target):
    if path.name == MANIFEST and path.parent.name == "new":
        hold("half in its place", Path(target).parent.name)
    return rename(path, target)

work.convert_planned, Stage.commit, Path.rename = convert_planned, committing, renaming

if __name__ == "__main__":
    from inveonimaging.cli.main import app
    app(sys.argv[1:], prog_name="inveon")
"""
PLACES = ("to be converted", "written", "half in its place", "converted")  # each is in two and more of the tests


class Gate:
    """Holds a batch at a study, by default the last one, so that the batch does not end until it is opened."""

    def __init__(self, folder: Path, place: str = "written", held: str = f"s{STUDIES - 1}") -> None:
        folder.mkdir()
        self._folder, self.script = folder, folder / "holding.py"
        self.script.write_text(HOLDING.format(folder=str(folder), place=place, held=held))

    def batch(self, root: Path, out: Path, *options: object) -> tuple[object, ...]:
        """Return the arguments of a batch that it holds."""
        return (self.script, "batch", root, out, *options)

    def held(self) -> list[int]:
        """Return the processes that came to the gate."""
        return pids_in(self._folder)

    def open(self) -> None:
        (self._folder / "open").touch()


def is_at_work(out: Path) -> bool:
    """Return whether a study is just being written; folders may come and go meanwhile."""
    with contextlib.suppress(OSError):
        return any(out.rglob(PARTIAL))
    return False


def lines(out: Path) -> int:
    return (out / LEDGER).read_bytes().count(b"\n") if (out / LEDGER).exists() else 0


def assert_whole(out: Path, expected: Tree) -> None:
    """Show that all that has its name is as it is to be, but for hidden folders."""
    for name, content in tree(out).items():
        if PARTIAL not in name and ".inveon-batch.lock" not in name and ".batch.jsonl" not in name:
            assert expected[name] == content, f"{name} is not whole"


# The first process.


@posix
@pytest.mark.parametrize("place", ["written", "half in its place"])
def test_a_batch_that_is_killed_at_any_moment_goes_on(
    root: Path, out: Path, expected: Tree, tmp_path: Path, place: str
) -> None:
    """It is killed twice: after so many studies and some time, and at a place of the last study."""
    chance = random.Random(place)  # noqa: S311 - repeatable
    after = chance.randrange(STUDIES)
    for number, gate in enumerate((Gate(tmp_path / "some"), Gate(tmp_path / "place", place))):
        with running_forked(*gate.batch(root, out, "-j", 2), forks=True) as process:
            if number:
                wait_until(gate.held, process)
            else:
                wait_until(lambda: lines(out) >= after, process)
                time.sleep(chance.uniform(0, 0.1))
            process.kill()
            process.wait()
            assert_all_end(process.pid, LAST_RESORT_S)
        assert_whole(out, expected)
        assert f"g1/s{STUDIES - 1}" not in results_so_far(out)
    goes_on(root, out)
    assert tree(out) == expected
    assert set(results(out).values()) <= {"converted", "skipped"}
    assert len(results(out)) == STUDIES


def results_so_far(target: Path) -> set[str]:
    whole = (target / LEDGER).read_bytes().splitlines(keepends=True) if (target / LEDGER).exists() else []
    return {json.loads(line)["output"] for line in whole if line.endswith(b"\n")}


TO_ALL = getattr(os, "killpg", os.kill)
SENDERS = {
    "Ctrl-C": (TO_ALL, "SIGINT", 130),
    "SIGINT": (os.kill, "SIGINT", 130),
    "SIGTERM": (os.kill, "SIGTERM", 143),
    "SIGTERM to all": (TO_ALL, "SIGTERM", 143),
}


@posix
@pytest.mark.parametrize(
    ("send", "sent", "code", "place"),
    [(*sender, place) for sender, place in zip(SENDERS.values(), PLACES, strict=True)],
    ids=SENDERS,
)
def test_an_interrupted_batch_leaves_nothing_half_written(
    root: Path,
    out: Path,
    expected: Tree,
    tmp_path: Path,
    send: Callable[[int, int], None],
    sent: str,
    code: int,
    place: str,
) -> None:
    gate = Gate(tmp_path / "gate", place)
    command = gate.batch(root, out, "-j", 2 if send is TO_ALL else 1)
    with running_forked(*command, forks=(send, sent) != (TO_ALL, "SIGINT")) as process:  # one sees real starts
        wait_until(lambda: gate.held() and lines(out) >= 2, process)
        send(process.pid, signal.Signals[sent])
        stdout, stderr = process.communicate(timeout=LAST_RESORT_S)
        assert_all_end(process.pid, LAST_RESORT_S)
    line = assert_one_line_error(process.returncode, stdout, stderr, code)
    assert line == "error: interrupted; nothing half-written is left behind\n"
    assert not list(out.rglob(".*"))
    assert_whole(out, expected)
    assert all(any(path.iterdir()) for path in out.rglob("*") if path.is_dir())  # no empty folders
    before = lines(out)
    assert before >= 2
    goes_on(root, out)
    assert tree(out) == expected
    assert list(results(out).values()).count("skipped") >= before


@posix
@pytest.mark.parametrize("delay", [0.0, 0.2, 0.5])
def test_an_interruption_while_it_starts_leaves_nothing(
    root: Path, out: Path, expected: Tree, tmp_path: Path, delay: float
) -> None:
    gate = Gate(tmp_path / "gate")
    with running_forked(*gate.batch(root, out, "-j", 2)) as process:
        wait_until(out.exists, process)
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=LAST_RESORT_S)
        assert_all_end(process.pid, LAST_RESORT_S)
    assert_one_line_error(process.returncode, stdout, stderr, 130)
    if out.exists():
        assert not list(out.rglob(".*"))
        assert_whole(out, expected)


def test_an_interruption_at_any_line_leaves_ledger_and_engine_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At any line of what keeps them: no lock and no draft is left behind, and no engine open that was used."""
    in_use: list[Closing] = []

    class Closing(Instant):
        def submit(self, study: Study, before: Record | None) -> Future[Record]:
            in_use.append(self)
            return super().submit(study, before)

        def close(self) -> None:
            in_use.clear()

    traced = {batch_ledger.__file__, batch_job.__file__, jsonl.__file__}
    monkeypatch.setattr(test_interruptions, "TRACED", traced)
    monkeypatch.setattr(batch_job, "Local", Closing)
    source = tmp_path / "in"
    source.mkdir()
    write_scan(source / "a.img", CT)
    for line in count():
        out = tmp_path / str(line)
        if not is_interrupted(line, signal.SIGINT, lambda out=out: run_batch(source, out)):  # type: ignore[misc]
            break
        assert not in_use, f"interrupted at line {line}"
        assert not list(out.rglob(".*")), f"interrupted at line {line}"
        assert run_batch(source, out).converted == 1
        assert lines(out) == 1
    assert line > 50


def test_what_a_killed_process_had_made_is_taken_away(out: Path) -> None:
    job = Job(output=out, options=Options(), asked="", version="")
    (out / "a" / "b").mkdir(parents=True)  # on its way to a/b/c
    (out / "x" / "y" / PARTIAL / "new" / "1").mkdir(parents=True)
    (out / "x" / "notes.txt").touch()
    for name in ("a/b/c", "x/y", "never"):
        cleared(job, Study("", name))
    assert tree(out) == {"x": None, "x/notes.txt": b""}


# The other processes.

SCRIPT = """
import os, signal, sys
from pathlib import Path
from inveonimaging.batches import work

write = work.convert_planned

def dying(studies, *rest):
    name = studies[0].source.name
    if name in sys.argv[1].split(","):
        {how}
    return write(studies, *rest)

work.convert_planned = dying

if __name__ == "__main__":
    from inveonimaging.cli.main import app
    app(sys.argv[2:], prog_name="inveon")
"""
DEATHS = {
    "killed": ("os.kill(os.getpid(), 9)", "was ended by SIGKILL"),
    "exits": ("os._exit(3)", "ended with code 3"),
}


@posix
@pytest.mark.parametrize(("how", "wording"), DEATHS.values(), ids=DEATHS)
def test_a_study_that_ends_its_process_fails_alone(
    root: Path, out: Path, expected: Tree, tmp_path: Path, how: str, wording: str
) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(how=how))
    done = run_forked(script, "s2,s3", "batch", root, out, "-j", 2, forks=True)
    assert done.returncode == 1
    found = ledger(out)
    failed = {name: line["error"] for name, line in found.items() if line["result"] == "failed"}
    assert set(failed) == {"g0/s2", "g1/s3"}
    for error in failed.values():
        assert error["kind"] == "ProcessEnded"
        assert f"the process that converted it {wording}, twice; is there enough memory?" in error["message"]
    assert sorted(done.stderr.splitlines()) == sorted(
        f"error: {root / name}: {error['message']}" for name, error in failed.items()
    )
    assert tree(out) == {name: held for name, held in expected.items() if "s2" not in name and "s3" not in name}
    goes_on(root, out)
    assert tree(out) == expected


@posix
@pytest.mark.skipif(not shutil.which("ps"), reason="needs ps")
def test_processes_that_are_killed_at_any_moment_cost_nothing(
    root: Path, out: Path, expected: Tree, tmp_path: Path
) -> None:
    chance = random.Random(11)  # noqa: S311 - repeatable
    for number in range(2):
        target, gate = out / str(number), Gate(tmp_path / str(number))
        with running_forked(*gate.batch(root, target, "-j", 2), forks=True) as process:
            wait_until(lambda target=target: is_at_work(target), process)  # type: ignore[misc]
            time.sleep(chance.uniform(0, 0.1))
            os.kill(chance.choice(workers_of(process.pid)), signal.SIGKILL)
            gate.open()
            _, stderr = process.communicate(timeout=LAST_RESORT_S)
        assert (process.returncode, stderr) == (0, "")
        assert tree(target) == expected
        assert set(results(target).values()) <= {"converted", "skipped"}


@posix
@pytest.mark.parametrize("place", ["to be converted", "converted"])
def test_a_process_that_is_killed_at_a_study_costs_nothing(
    root: Path, out: Path, expected: Tree, tmp_path: Path, place: str
) -> None:
    gate = Gate(tmp_path / "gate", place, "s2")
    with running_forked(*gate.batch(root, out, "-j", 2), forks=True) as process:
        wait_until(gate.held, process)
        os.kill(gate.held()[0], signal.SIGKILL)
        gate.open()
        _, stderr = process.communicate(timeout=LAST_RESORT_S)
    assert (process.returncode, stderr) == (0, "")
    assert tree(out) == expected
    found = results(out)
    assert found.pop("g0/s2") == ("skipped" if place == "converted" else "converted")
    assert set(found.values()) == {"converted"}


STARTING = """
import contextlib, os, sys, time
from pathlib import Path

if __name__ == "__mp_main__":  # imported by a process that starts
    with contextlib.suppress(FileExistsError):
        (Path(sys.argv[1]) / "first").touch(exist_ok=False)
        (Path(sys.argv[1]) / str(os.getpid())).touch()
        time.sleep(3600)

if __name__ == "__main__":
    from inveonimaging.cli.main import app
    app(sys.argv[2:], prog_name="inveon")
"""


@posix
def test_a_process_that_is_killed_while_it_starts_costs_nothing(
    root: Path, out: Path, expected: Tree, tmp_path: Path
) -> None:
    script = tmp_path / "starting.py"
    script.write_text(STARTING)
    with running_forked(script, tmp_path, "batch", root, out, "-j", 2, forks=True) as process:
        wait_until(lambda: pids_in(tmp_path), process)
        os.kill(pids_in(tmp_path)[0], signal.SIGKILL)
        _, stderr = process.communicate(timeout=LAST_RESORT_S)
    assert (process.returncode, stderr) == (0, "")
    assert tree(out) == expected
    assert set(results(out).values()) == {"converted"}


def pids_in(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]


def workers_of(group: int) -> list[int]:
    found = subprocess.run(["ps", "-A", "-o", "pid=,pgid=,args="], capture_output=True, check=True, text=True)
    rows = [line.split(maxsplit=2) for line in found.stdout.splitlines() if "resource_tracker" not in line]
    return [int(pid) for pid, of, *_ in rows if int(of) == group != int(pid)]


def test_a_script_without_the_guard_is_reported(root: Path, out: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from inveonimaging.batches import Batch, local, run_batch\nlocal._STARTS = 2\n"
        f"run_batch({str(root)!r}, {str(out)!r}, batch=Batch(jobs=1))\n",
    )
    done = run_forked(script, forks=True)
    assert done.returncode == 1
    assert 'A script needs the guard `if __name__ == "__main__":`' in done.stderr.splitlines()[-1]
    assert not out.exists()


def test_no_process_is_left(root: Path, out: Path) -> None:
    import multiprocessing

    class Failing(Watch):
        def record(self, record: Record) -> None:
            raise KeyError(record.output)

    with pytest.raises(KeyError):
        run_batch(root, out, batch=Batch(jobs=2), watch=Failing())
    assert multiprocessing.active_children() == []
    assert not list(out.rglob(".*"))


# What it costs.


class Instant:
    """Has done everything at once."""

    def __init__(self, _job: Job, _jobs: int) -> None:
        pass

    @property
    def most(self) -> int:
        return 2

    def submit(self, study: Study, _before: Record | None) -> Future[Record]:
        record = Future[Record]()
        record.set_result(Record(source=study.source, output=study.output, result=Outcome.CONVERTED, files="0" * 64))
        return record

    def close(self) -> None:
        pass


def test_thousands_of_studies_take_little_memory(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that the search finds before anything is converted, and the ledger: less than a kilobyte for each."""
    count, room = 3_000, [0]

    def many(*_: object) -> Iterator[Planned]:
        for number in range(count):
            yield Study(
                f"/archive/of/many/years/group {number % 100}/study {number}", f"group {number % 100}/study {number}"
            )
        room[0] = 2

    class Late(Instant):
        @property
        def most(self) -> int:
            return room[0]

    monkeypatch.setattr(batch_job, "plan_batch", many)
    monkeypatch.setattr(batch_job, "Local", Late)
    (tmp_path / "root").mkdir()
    run_batch(tmp_path / "root", out / "warm")
    tracemalloc.start()
    try:
        result = run_batch(tmp_path / "root", out)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.converted == count
    assert peak < count * 1024
    assert len(results(out)) == count


def test_the_first_study_is_converted_before_the_search_ends(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_job, "Local", Instant)
    for number in range(50):
        (tmp_path / "root" / f"{number:02}").mkdir(parents=True)
        for name in ("x.img", "x.img.hdr"):
            (tmp_path / "root" / f"{number:02}" / name).touch()
    values: list[int] = []

    class Adding(Watch):
        def record(self, record: Record) -> None:
            values.append(len(values))
            if len(values) == 1:
                write_small_study(tmp_path / "root" / "49" / "late")
            assert record.output

    assert run_batch(tmp_path / "root", out, watch=Adding()).converted == 51
