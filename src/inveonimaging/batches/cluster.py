"""The workers of a Dask scheduler, on this computer or on many that see the same files by the same paths.

A worker may die, or be thought dead: its studies go to another one. A study appears whole or not at all, one run at a
time writes it, and the other one finds it complete, so that none is there twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import pickle
import time
import uuid
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from functools import lru_cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from inveonimaging.batches.study import Job, Record, Study, failed
from inveonimaging.batches.work import convert_one
from inveonimaging.errors import InveonError, OptionError, OutputError, printable
from inveonimaging.extras import refuse_without_extra
from inveonimaging.storage.bounded import read_bounded
from inveonimaging.version import __version__

if TYPE_CHECKING:
    from distributed import Client

_CLUSTERS = {
    **dict.fromkeys(
        ("HTCondorCluster", "LSFCluster", "MoabCluster", "OARCluster", "PBSCluster", "SGECluster", "SLURMCluster"),
        "dask_jobqueue",
    ),
    "LocalCluster": "dask_jobqueue.local",  # jobs of this computer, to try a file
}
_OF_CLUSTERS = {"dask_jobqueue": "dask-jobqueue", "yaml": "PyYAML"}
_NO_PLAIN_VALUES = {"job_cls", "scheduler_cls", "loop", "asynchronous"}
_KEYS = {"class", "jobs", "arguments"}
_NO_DASHBOARD = "127.0.0.1:0"  # no page that anybody else can open
_CONNECT_S = 10
_LOGGERS = {"asyncio", "bokeh", "dask", "dask_jobqueue", "distributed", "tornado"}
_SCHEMES = ("tcp", "tls", "ucx", "ws", "wss")
_MOST_JOBS = 10_000
_LOOK_S = 5.0
_CLOSED = {"closing", "closed"}
_WAITING_FOR_EACH = 2  # studies for each thread of the workers, so that none is idle
_LEAST = 8
_LARGEST = 1024 * 1024  # bytes of a file that describes a cluster
_SCHEDULER = "tcp://HOST:PORT, or a scheduler file that is there"


@contextlib.contextmanager
def on_dask(job: Job, scheduler: str | None, cluster: Path | None) -> Iterator[OnDask]:
    """Open an engine on a scheduler, or on a cluster that is started for it, and closed with it.

    Raises:
        OptionError: a package is missing, or the address or the file makes no sense.
        InveonError: the scheduler does not answer, or its workers cannot convert.
    """
    refuse_without_extra("Dask", "dask", {"distributed": "distributed", **(_OF_CLUSTERS if cluster else {})})
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet())
        if cluster is not None:
            client = stack.enter_context(_client(stack.enter_context(_started(cluster)), str(cluster)))
        else:
            client = stack.enter_context(_client(str(scheduler), str(scheduler)))
        _refuse_other_workers(client)
        engine = OnDask(job, client)
        stack.callback(engine.close)
        yield engine


class OnDask:
    """The workers of a scheduler; as of `Engine`."""

    def __init__(self, job: Job, client: Client) -> None:
        self._job, self._client = zlib.compress(pickle.dumps(job), level=1), client
        self._run = uuid.uuid4().hex
        self._tasks: dict[str, Any] = {}  # a task that nobody holds is forgotten by the scheduler
        self._most, self._looked = _LEAST, -_LOOK_S

    @property
    def most(self) -> int:
        """As of `Engine`."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_S:
            self._looked = now
            with contextlib.suppress(OSError, ValueError):
                self._most = max(_LEAST, _WAITING_FOR_EACH * sum(self._client.nthreads().values()))
        return self._most

    def submit(self, study: Study, before: Record | None) -> Future[Record]:
        """As of `Engine`."""
        key, record = f"inveon-{self._run}-{study.output}", Future[Record]()
        task = self._tasks[key] = self._client.submit(converted, self._job, study, before, key=key, pure=False)
        task.add_done_callback(partial(self._fetch, study, record))
        return record

    def close(self) -> None:
        """As of `Engine`; what a worker is at it finishes, and the next run finds it."""
        with contextlib.suppress(Exception):  # the scheduler may be gone
            self._client.cancel(list(self._tasks.values()), force=True)

    def _fetch(self, study: Study, record: Future[Record], task: Any) -> None:
        """Fetch a record; if its worker is lost, and the record with it, wait for another worker to make it."""
        try:
            error = self._answer(task.exception)
            if isinstance(error, CancelledError):
                raise error  # noqa: TRY301 - as the next line may
            record.set_result(self._answer(task.result) if error is None else failed(study, *_cause(error)))
        except (CancelledError, OSError):
            hint = "run the same command again: it goes on where it stopped"
            record.set_exception(InveonError("the Dask scheduler cannot be reached any more", hint=hint))
        except Exception as other:  # noqa: BLE001 - raised where the record is awaited
            record.set_exception(other)
        finally:
            self._tasks.pop(str(task.key), None)

    def _answer(self, ask: Callable[..., Any]) -> Any:
        """Return what a task answers as soon as it can, however long that takes, unless the client is closed meanwhile.

        Dask itself would wait for ever on a client that is closed.

        Raises:
            CancelledError: the client is closed.
        """
        while self._client.status not in _CLOSED:
            with contextlib.suppress(asyncio.TimeoutError):  # of Python 3.10, TimeoutError is another one
                return ask(timeout=_LOOK_S)
        raise CancelledError


def converted(job: bytes, study: Study, before: Record | None) -> Record:
    """Do a study on a worker."""
    return convert_one(_unpacked(job), study, before)


@lru_cache(maxsize=1)
def _unpacked(job: bytes) -> Job:
    """Return a job as it was packed once; a worker keeps the last one, with a sheet whose rows it looked up before."""
    unpacked: Job = pickle.loads(zlib.decompress(job))  # noqa: S301 - Dask sends its tasks the same way
    return unpacked


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Let Dask log nothing: what matters is shown in one line."""
    import_module("distributed")  # which gives its loggers their levels
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in _LOGGERS]
    levels = {name: logging.getLogger(name).level for name in names}
    for name in names:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _cause(error: BaseException) -> tuple[str, str]:
    """Return kind and message of what Dask says of a study."""
    kind = type(error).__name__
    if kind == "KilledWorker":
        return "ProcessEnded", "each worker that converted it ended; is there enough memory?"
    return kind, f"Dask could not convert it: {printable(f'{kind}: {error}', 300)}"


@contextlib.contextmanager
def _client(where: Any, name: str) -> Iterator[Client]:
    """Connect to a scheduler: by its address or file, or as a cluster that was started here."""
    from distributed import Client

    is_file = isinstance(where, str) and "://" not in where
    if isinstance(where, str) and not (Path(where).is_file() if is_file else _is_address(where)):
        raise OptionError("is not a Dask scheduler", path=name, expected=_SCHEDULER)
    how = {"scheduler_file": where} if is_file else {"address": where}
    try:
        client = Client(**how, timeout=_CONNECT_S, set_as_default=False, name="inveon-batch")
    except (OSError, TimeoutError) as error:
        raise InveonError("the Dask scheduler does not answer", path=name, hint="is it running there?") from error
    except (ValueError, TypeError, LookupError) as error:
        message = f"is not a Dask scheduler: {printable(error)}"
        raise OptionError(message, path=name, expected=_SCHEDULER) from error
    try:
        yield client
    finally:
        with contextlib.suppress(Exception):  # the scheduler may be gone
            client.close(timeout=_CONNECT_S)


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in _SCHEMES and bool(parts.hostname and parts.port)
    except ValueError:
        return False


def _refuse_other_workers(client: Client) -> None:
    """Refuse workers that have no inveonimaging, or another version; those that come later refuse by themselves."""
    try:
        versions = set(client.run(worker_version).values())
    except ModuleNotFoundError as error:
        hint = "install it for the workers, too"
        raise InveonError(f"the Dask workers have no {error.name}", hint=hint) from error
    except Exception as error:
        message = f"the Dask workers do not answer: {printable(f'{type(error).__name__}: {error}')}"
        raise InveonError(message) from error
    others = sorted(str(each) for each in versions - {__version__})
    if others:
        message = f"the Dask workers have inveonimaging {', '.join(others)}, expected {__version__}"
        raise InveonError(message, hint="install the same version everywhere")


def worker_version() -> str:
    """Return the version of a worker."""
    return __version__


# Clusters.


@contextlib.contextmanager
def _started(path: Path) -> Iterator[Any]:
    """Start the cluster that a file describes.

    Raises:
        OptionError: what in the file makes no sense.
        OutputError: its jobs cannot be submitted.
    """
    name, jobs, arguments = cluster_of(path)
    kind = getattr(import_module(_CLUSTERS[name]), name)
    options = {"dashboard": False, "dashboard_address": _NO_DASHBOARD, **arguments.pop("scheduler_options", {})}
    try:
        cluster = kind(scheduler_options=options, **arguments)
    except (TypeError, ValueError, LookupError) as error:
        raise OptionError(f"{name} cannot be made: {printable(error, 300)}", path=path) from error
    except (OSError, RuntimeError) as error:
        raise OutputError(f"{name} cannot be started: {printable(error, 300)}", path=path) from error
    try:
        cluster.scale(jobs=jobs)
        yield cluster
    finally:
        with contextlib.suppress(Exception):
            cluster.close()


def cluster_of(path: Path) -> tuple[str, int, dict[str, Any]]:
    """Return what a file of a cluster says: the class of dask_jobqueue, the number of jobs, the class's arguments.

    The file is data: it names one of the known classes, and plain values.

    Raises:
        OptionError: it cannot be read, or is not of this form.
    """
    import yaml

    try:
        document = yaml.safe_load(read_bounded(path, _LARGEST).decode("utf-8-sig"))
    except OSError as error:
        raise OptionError(f"cannot be read: {error.strerror}", path=path) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise OptionError(
            f"is neither YAML nor JSON: {printable(' '.join(str(error).split()), 200)}", path=path
        ) from error
    if not isinstance(document, dict) or not document.keys() <= _KEYS or "class" not in document:
        raise OptionError("does not describe a cluster", path=path, expected="class, jobs and arguments")
    name, jobs, arguments = document["class"], document.get("jobs", 1), document.get("arguments") or {}
    if not isinstance(name, str) or name not in _CLUSTERS:
        raise OptionError(
            f"the class is {printable(json.dumps(name, default=str))}", path=path, expected=", ".join(_CLUSTERS)
        )
    if not isinstance(jobs, int) or isinstance(jobs, bool) or not 1 <= jobs <= _MOST_JOBS:
        raise OptionError(f"jobs is {printable(jobs)}", path=path, expected=f"1 to {_MOST_JOBS}")
    if not isinstance(arguments, dict) or not all(isinstance(key, str) for key in arguments):
        raise OptionError("arguments is not a mapping", path=path, expected="names and values")
    if refused := sorted(_NO_PLAIN_VALUES & arguments.keys()):
        raise OptionError(f"the argument {refused[0]} cannot be given in a file", path=path)
    return name, jobs, dict(arguments)
