"""A batch on Dask: a real scheduler and workers, processes of their own on this computer, some of which die."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import pickle
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from batches.test_batch import Tree, ledger, results, tree
from batches.test_batch_faults import STUDIES, Gate, batch, goes_on, lines, root, wait_until
from forked import Running, import_before, run_forked, running_forked
from helpers import LAST_RESORT_S, assert_one_line_error, inveon
from inveonimaging import InveonError, OptionError, Options, convert, extras
from inveonimaging.batches import cluster, work
from inveonimaging.batches.cluster import OnDask, cluster_of
from inveonimaging.batches.existing import is_busy
from inveonimaging.batches.study import Job, Study
from inveonimaging.sheet.matching import Sheet
from inveonimaging.sheet.reading import read_sheet
from inveonimaging.storage.staging import Stage
from inveonimaging.version import __version__
from storage.test_faults import posix

import_before(
    "distributed.cli.dask_scheduler",
    "distributed.cli.dask_worker",
    "inveonimaging.batches.cluster",
    "inveonimaging.batches.work",
    "inveonimaging.cli.batch_progress",
)
pytestmark = pytest.mark.faults

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["root"]  # a fixture


class Cluster:
    """A scheduler and its workers."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder, self.file = folder, folder / "scheduler.json"
        self.workers: list[Running] = []
        self._environment = environment
        self._running = contextlib.ExitStack()
        options = ("--host", "127.0.0.1", "--port", 0, "--no-dashboard", "--no-show", "--scheduler-file", self.file)
        self.scheduler = self._start("scheduler", *options)
        until = time.monotonic() + LAST_RESORT_S
        while (address := self._told_address()) is None:
            assert self.scheduler.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        self.address = address

    def _start(self, name: str, *options: object) -> Running:
        words = ("-m", f"distributed.cli.dask_{name}", *options)
        return self._running.enter_context(running_forked(*words, forks=True, environment=self._environment))

    def _told_address(self) -> str | None:
        """Return what the scheduler's file says; None before it is whole."""
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads(self.file.read_text())["address"])
        return None

    def start_worker(self, *options: object) -> None:
        """Start a worker; without options one process, which nobody starts again."""
        folder = self.folder / f"worker{len(self.workers)}"
        common = ("--host", "127.0.0.1", "--nthreads", 1, "--no-dashboard", "--local-directory", folder)
        self.workers.append(self._start("worker", self.address, *common, *(options or ("--no-nanny",))))

    def wait_for_workers(self, count: int) -> None:
        """Wait until so many are known to the scheduler."""
        from distributed import Client

        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, timeout=LAST_RESORT_S)

    def end(self) -> None:
        """End all, and what they started."""
        self._running.close()


@pytest.fixture(scope="module")
def expected(root: Path) -> Tree:
    """Return what a conversion in this process makes of the studies."""
    convert(root, root.parent / "made here", Options(recursive=True))
    return tree(root.parent / "made here")


@pytest.fixture(scope="class")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a scheduler with two workers; they take processor time also while they wait."""
    made = Cluster(tmp_path_factory.mktemp("dask"))
    try:
        for _ in range(2):
            made.start_worker()
        made.wait_for_workers(2)
        yield made
    finally:
        made.end()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[..., Cluster]]:
    """Return a function that starts a scheduler for one test."""
    made: list[Cluster] = []

    def start(**environment: str) -> Cluster:
        made.append(Cluster(tmp_path, **environment))
        return made[-1]

    yield start
    for each in made:
        each.end()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


class TestTwoWorkers:
    """What a scheduler with two workers does that nobody ends."""

    def test_the_result_is_that_of_this_computer(self, root: Path, out: Path, expected: Tree, two: Cluster) -> None:
        done = run_forked(*batch(root, out, "--dask", two.address))
        assert (done.returncode, done.stderr) == (0, "")
        assert tree(out) == expected
        assert set(results(out).values()) == {"converted"}
        assert len(results(out)) == STUDIES
        done = run_forked(*batch(root, out, "--dask", two.file))  # the same scheduler, by its file
        assert (done.returncode, done.stderr) == (0, "")
        assert set(results(out).values()) == {"skipped"}
        goes_on(root, out)  # and none
        assert set(results(out).values()) == {"skipped"}
        assert tree(out) == expected

    def test_options_reach_the_workers_and_failures_come_back(
        self, root: Path, out: Path, two: Cluster, tmp_path: Path
    ) -> None:
        copy = tmp_path / "root"
        shutil.copytree(root, copy)
        (copy / "g0" / "s2" / "m1.ct.img.hdr").write_bytes(b"")
        done = run_forked(*batch(copy, out, "--dask", two.address, "--as", "enhanced", "--ct-prefix", "X-"))
        assert done.returncode == 1
        found = ledger(out)
        assert found["g0/s2"]["error"]["kind"] == "HeaderError"
        assert done.stderr == f"error: {found['g0/s2']['error']['message']}\n"
        assert [path.name for path in (out / "g0" / "s0" / "1").iterdir()] == ["X-000001.dcm"]

    def test_another_version_is_refused(
        self, root: Path, out: Path, two: Cluster, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        version = __version__
        code = f"""if True:
            from inveonimaging.batches import cluster
            cluster.__version__ = "9.9"
            from inveonimaging.cli.main import app
            app(["batch", {str(root)!r}, {str(out)!r}, "--dask", {two.address!r}], prog_name="inveon")
        """
        done = run_forked("-c", code)
        line = assert_one_line_error(done.returncode, done.stdout, done.stderr)
        assert f"the Dask workers have inveonimaging {version}, expected 9.9" in line
        assert not out.exists()
        monkeypatch.setattr(work, "__version__", "9.9")  # of a worker that came later
        job = Job(output=out, options=Options(), asked="", version=version)
        error = work.convert_one(job, Study(str(root / "g0" / "s0"), "s0"), None).error
        assert error is not None
        assert f"a worker has inveonimaging 9.9, expected {version}" in error["message"]


@posix
@pytest.mark.parametrize("place", ["half in its place", "converted"])
def test_a_worker_that_is_killed_in_the_middle_loses_nothing(
    root: Path, out: Path, expected: Tree, own: Callable[..., Cluster], tmp_path: Path, place: str
) -> None:
    made, gate = own(), Gate(tmp_path / "gate", place)
    for _ in range(2):
        made.start_worker("--no-nanny", "--preload", gate.script)
    made.wait_for_workers(2)
    with running_forked(*batch(root, out, "--dask", made.address)) as process:
        wait_until(lambda: gate.held() and lines(out) >= 1, process)
        (worker,) = [worker for worker in made.workers if worker.pid in gate.held()]
        worker.kill()
        worker.wait()
        gate.open()
        _, stderr = process.communicate(timeout=LAST_RESORT_S)
    assert (process.returncode, stderr) == (0, "")
    assert tree(out) == expected  # nothing is lost, nothing is there twice, nothing half-written
    found = ledger(out)
    assert len(found) == STUDIES
    assert found.pop(f"g1/s{STUDIES - 1}")["result"] == ("skipped" if place == "converted" else "converted")
    assert {line["result"] for line in found.values()} <= {"converted", "skipped"}  # its other records may be lost


DYING = """
import os
from inveonimaging.batches import work

write = work.convert_planned

def dying(studies, *rest):
    if studies[0].source.name == "s2":
        os._exit(3)
    return write(studies, *rest)

work.convert_planned = dying
"""


@posix
def test_a_study_that_kills_every_worker_is_given_up(
    root: Path, out: Path, expected: Tree, own: Callable[..., Cluster], tmp_path: Path
) -> None:
    made = own(DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES="1")
    (tmp_path / "dying.py").write_text(DYING)
    made.start_worker("--nanny", "--preload", tmp_path / "dying.py")
    made.wait_for_workers(1)
    done = run_forked(*batch(root, out, "--dask", made.address))
    assert done.returncode == 1
    error = ledger(out)["g0/s2"]["error"]
    assert error["kind"] == "ProcessEnded"
    assert "each worker that converted it ended; is there enough memory?" in error["message"]
    assert f"error: {root / 'g0' / 's2'}: {error['message']}\n" in done.stderr
    goes_on(root, out)
    assert tree(out) == expected


@posix
def test_a_scheduler_that_is_killed_is_one_line_and_the_next_run_goes_on(
    root: Path, out: Path, expected: Tree, own: Callable[..., Cluster], tmp_path: Path
) -> None:
    made, gate = own(), Gate(tmp_path / "gate")
    made.start_worker("--no-nanny", "--preload", gate.script)
    made.wait_for_workers(1)
    with running_forked(*batch(root, out, "--dask", made.address)) as process:
        wait_until(lambda: gate.held() and lines(out) >= 1, process)
        made.scheduler.kill()
        _, stderr = process.communicate(timeout=LAST_RESORT_S)
    assert process.returncode == 1
    hint = "run the same command again: it goes on where it stopped"
    assert stderr == f"error: the Dask scheduler cannot be reached any more; {hint}\n"
    made.end()
    goes_on(root, out)
    assert tree(out) == expected


@posix
def test_ctrl_c_ends_it_and_the_next_run_goes_on(
    root: Path, out: Path, expected: Tree, own: Callable[..., Cluster], tmp_path: Path
) -> None:
    made, gate = own(), Gate(tmp_path / "gate", held="s2")
    made.start_worker("--no-nanny", "--preload", gate.script)
    made.wait_for_workers(1)
    with running_forked(*batch(root, out, "--dask", made.address)) as process:
        wait_until(lambda: gate.held() and lines(out) >= 1, process)
        os.killpg(process.pid, signal.SIGINT)
        stdout, stderr = process.communicate(timeout=LAST_RESORT_S)
    assert_one_line_error(process.returncode, stdout, stderr, 130)
    assert not list(out.glob(".*"))
    made.start_worker()
    made.wait_for_workers(2)
    with running_forked(*batch(root, out, "--dask", made.address)) as process:
        wait_until(lambda: list(out.glob(".*")), process)  # it has begun
        gate.open()  # what a worker was at it may finish only now
        _, stderr = process.communicate(timeout=LAST_RESORT_S)
    assert process.returncode == 0, stderr
    assert tree(out) == expected
    assert len(results(out)) == STUDIES


# What Dask says of a study.


class Ended:
    """A future that has ended, with an error or a result; what it gives it may raise, too."""

    key = ""

    def __init__(self, error: BaseException | None, result: object) -> None:
        self._error, self._result = error, result

    def add_done_callback(self, call: Callable[[Ended], None]) -> None:
        call(self)

    def exception(self, timeout: float) -> BaseException | None:  # noqa: ARG002 - of Dask
        return self._error

    def result(self, timeout: float) -> object:  # noqa: ARG002 - of Dask
        if isinstance(self._result, BaseException):
            raise self._result
        return self._result


class FakeClient:
    """A client whose scheduler gives one future."""

    status = "running"

    def __init__(self, future: Ended) -> None:
        self._future = future
        self.sent: list[bytes] = []

    def submit(self, *task: object, key: str, **__: object) -> Ended:
        self._future.key = key
        self.sent.append(pickle.dumps(task))
        return self._future


@pytest.mark.parametrize(
    "future",
    [Ended(CancelledError(), None), Ended(None, CancelledError()), Ended(None, OSError("closed"))],
    ids=["before", "while it is fetched", "and nobody answers"],
)
def test_a_scheduler_that_is_gone_with_a_record_is_one_line(future: Ended) -> None:
    job = Job(output=Path("out"), options=Options(), asked="", version=__version__)
    engine = OnDask(job, cast("Client", FakeClient(future)))
    record = engine.submit(Study("a", "a"), None)
    with pytest.raises(InveonError, match="the Dask scheduler cannot be reached any more"):
        record.result(0)


def test_a_record_of_a_client_that_is_closed_meanwhile_is_not_awaited() -> None:
    class Waiting(Ended):
        def result(self, timeout: float) -> object:  # noqa: ARG002 - of Dask
            client.status = "closed" if self.asked else "running"
            self.asked += 1
            raise asyncio.TimeoutError

        asked = 0

    future = Waiting(None, None)
    client = FakeClient(future)
    record = OnDask(Job(output=Path("out"), options=Options(), asked="", version=__version__), cast("Client", client))
    with pytest.raises(InveonError, match="the Dask scheduler cannot be reached any more"):
        record.submit(Study("a", "a"), None).result(0)
    assert future.asked == 2


def test_a_sheet_is_packed_once_and_unpacked_once_by_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "subjects.csv").write_text("subject,patient_id\n" + "".join(f"M{n},{n}\n" for n in range(2000)))
    packed: list[Sheet] = []
    state = Sheet.__getstate__

    def counting(sheet: Sheet) -> dict[str, object]:
        packed.append(sheet)
        return state(sheet)

    monkeypatch.setattr(Sheet, "__getstate__", counting)
    sheet = read_sheet(tmp_path / "subjects.csv")
    job = Job(output=tmp_path, options=Options(sheet=sheet), asked="", version=__version__)
    client = FakeClient(Ended(None, None))
    engine = OnDask(job, cast("Client", client))
    names = ["a", "b", "c"]
    for name in names:
        engine.submit(Study(name, name), None)
    assert len(packed) == 1
    heard: list[tuple[Job, str]] = []

    def hearing(job: Job, study: Study, _before: object) -> None:
        heard.append((job, study.output))

    monkeypatch.setattr(cluster, "convert_one", hearing)
    for sent in client.sent:
        call, *arguments = pickle.loads(sent)  # noqa: S301 - our own
        call(*arguments)
    assert [output for _, output in heard] == names
    assert heard[0][0] == job
    assert all(each is heard[0][0] for each, _ in heard)  # so that its rows are looked up in one index


# Two workers with one study, if one was thought dead.


def test_a_study_that_another_one_writes_is_waited_for(root: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study(str(root / "g0" / "s0"), "s0")
    job = Job(output=out, options=Options(), asked="x", version=__version__, patience_s=LAST_RESORT_S)
    held, seen = threading.Event(), threading.Event()
    commit = Stage.commit

    def committing(stage: Stage, *replaced: Any) -> None:
        held.set()
        seen.wait(LAST_RESORT_S)
        commit(stage, *replaced)

    def seeing(folder: Path) -> bool:
        if found := is_busy(folder):
            seen.set()
        return found

    monkeypatch.setattr(Stage, "commit", committing)
    thread = threading.Thread(target=convert, args=(root / "g0" / "s0", out / "s0"))
    thread.start()
    try:
        assert held.wait(LAST_RESORT_S)
        impatient = work.convert_one(Job(output=out, options=Options(), asked="x", version=job.version), study, None)
        assert impatient.error is not None
        assert "another conversion is writing here" in impatient.error["message"]
        monkeypatch.setattr(work, "is_busy", seeing)
        record = work.convert_one(job, study, None)
    finally:
        seen.set()
        thread.join()
    assert record.error is None
    assert record.instances > 0


# What cannot be.


@pytest.mark.parametrize(
    ("address", "code", "message"),
    [
        ("tcp://127.0.0.1:1", 1, "the Dask scheduler does not answer"),
        ("xyz://127.0.0.1:1", 2, "is not a Dask scheduler"),
        ("no/such/file.json", 2, "is not a Dask scheduler"),
        ("tcp://127.0.0.1:port", 2, "is not a Dask scheduler"),
    ],
)
def test_a_scheduler_that_is_none_is_one_line(
    root: Path, out: Path, address: str, code: int, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "_CONNECT_S", 1)
    script = f"""if True:
        from inveonimaging.batches import cluster
        cluster._CONNECT_S = 1
        from inveonimaging.cli.main import app
        app(["batch", {str(root)!r}, {str(out)!r}, "--dask", {address!r}], prog_name="inveon")
    """
    done = run_forked("-c", script)
    assert message in assert_one_line_error(done.returncode, done.stdout, done.stderr, code)
    assert not out.exists()


def test_without_the_extra_it_says_how_to_get_it(root: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "distributed" else find(name))
    result = inveon("batch", root, out, "--dask", "tcp://127.0.0.1:1")
    line = assert_one_line_error(result.exit_code, result.stdout, result.stderr, 2)
    assert line == 'error: Dask needs distributed; pip install "inveonimaging[dask]"\n'


def test_options_can_be_sent() -> None:
    """Those by default hold what cannot be pickled."""
    sent = pickle.loads(pickle.dumps(Options()))  # noqa: S301 - our own
    assert sent == Options()


# Clusters of dask_jobqueue.

LOCAL = {"class": "LocalCluster", "jobs": 1, "arguments": {"cores": 1, "memory": "1GB", "processes": 1}}


def test_a_cluster_is_started_from_a_file(root: Path, out: Path, expected: Tree, tmp_path: Path) -> None:
    document = json.loads(json.dumps(LOCAL))
    document["arguments"] |= {
        "scheduler_options": {"host": "127.0.0.1", "port": 0},
        "local_directory": str(tmp_path / "work"),
        "shared_temp_directory": str(tmp_path),
        "death_timeout": LAST_RESORT_S,
    }
    (tmp_path / "cluster.yaml").write_text(json.dumps(document))
    done = run_forked(*batch(root, out, "--dask-cluster", tmp_path / "cluster.yaml"))
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(out) == expected
    assert set(results(out).values()) == {"converted"}


def test_yaml_says_the_same_as_json(tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text("class: SLURMCluster\njobs: 4\narguments:\n  queue: short\n  cores: 8\n  memory: 16GB\n")
    assert cluster_of(path) == ("SLURMCluster", 4, {"queue": "short", "cores": 8, "memory": "16GB"})
    path.write_text(json.dumps({"class": "PBSCluster"}))
    assert cluster_of(path) == ("PBSCluster", 1, {})


WRONG_FILES: dict[str, tuple[Any, str]] = {
    "empty": ("", "does not describe a cluster"),
    "no mapping": ("[1]", "does not describe a cluster"),
    "no YAML": ("a: [", "is neither YAML nor JSON"),
    "code": ("class: !!python/name:os.system\n", "is neither YAML nor JSON"),
    "another class": ("class: os.system\n", 'the class is "os.system", expected HTCondorCluster'),
    "a private class": ("class: JobQueueCluster\n", "the class is"),
    "a list for a class": ("class: [SLURMCluster]\n", "the class is"),
    "another key": ("class: SLURMCluster\nrun: x\n", "does not describe a cluster"),
    "no number": ("class: SLURMCluster\njobs: many\n", "jobs is many, expected 1 to 10000"),
    "too many": ("class: SLURMCluster\njobs: 1000000\n", "jobs is 1000000"),
    "no arguments": ("class: SLURMCluster\narguments: [1]\n", "arguments is not a mapping"),
    "an object": ("class: SLURMCluster\narguments: {job_cls: x}\n", "the argument job_cls cannot be given"),
}


@pytest.mark.parametrize(("text", "message"), WRONG_FILES.values(), ids=WRONG_FILES)
def test_a_file_that_describes_no_cluster_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "cluster.yaml"
    path.write_text(text)
    with pytest.raises(OptionError) as caught:
        cluster_of(path)
    assert message in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_cluster_that_cannot_be_made_is_one_line(root: Path, out: Path, tmp_path: Path) -> None:
    path = tmp_path / "cluster.yaml"
    for arguments, code, message in (
        ({}, 2, "LocalCluster cannot be made"),
        ({"cores": 1, "memory": "x"}, 2, "LocalCluster"),
    ):
        path.write_text(json.dumps({"class": "LocalCluster", "arguments": arguments}))
        done = run_forked(*batch(root, out, "--dask-cluster", path))
        assert message in assert_one_line_error(done.returncode, done.stdout, done.stderr, code)
    done = run_forked(*batch(root, out, "--dask-cluster", tmp_path / "missing.yaml"))
    assert "cannot be read" in assert_one_line_error(done.returncode, done.stdout, done.stderr, 2)
    assert not out.exists()
