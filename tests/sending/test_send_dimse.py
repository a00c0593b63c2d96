"""C-STORE and storage commitment: what a DICOM server may do, and that large instances are not held in memory."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom.config
import pytest
from pydicom.dataset import Dataset
from pynetdicom import _config, evt

from helpers import assert_one_line_error, inveon
from inveonimaging import TargetError
from inveonimaging.sending import send
from inveonimaging.sending.deadline import Deadline
from inveonimaging.sending.dimse import commitment
from servers import (
    NOBODY,
    QUICK,
    ROOT,
    SILENCES_S,
    all_stored,
    service,
    store,
    uid,
    write_instance,
)

# pynetdicom leaves sockets that a server closed to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Return five instances."""
    folder = tmp_path / "dicom"
    folder.mkdir()
    return [write_instance(folder / f"{number}.dcm", number) for number in range(1, 6)]


def test_more_kinds_than_an_association_can_negotiate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_config, "UNRESTRICTED_STORAGE_SERVICE", True)
    classes = [f"{ROOT}.1000.{number}" for number in range(150)]
    for number, sop_class in enumerate(classes):
        write_instance(tmp_path / f"{number:03}.dcm", 10_000 + number, sop_class)
    with store(classes=classes) as server:
        result = send([tmp_path], server.target, QUICK)
        assert result.is_complete, result
        assert server.received == [uid(10_000 + number) for number in range(150)]
        assert len(server.associations) == 1 + 3  # C-ECHO, and 64 kinds each with two contexts
        assert max(server.associations) <= 128


def test_each_refusal_is_listed_and_what_the_server_says_is_escaped(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pydicom.config.settings, "reading_validation_mode", pydicom.config.WARN)  # as outside of tests
    monkeypatch.setattr(pydicom.config.settings, "writing_validation_mode", pydicom.config.WARN)

    def answer(_event: evt.Event, found: str) -> Any:
        status = Dataset()
        status.Status = {uid(2): 0xA700, uid(3): 0xB007, uid(4): 0xC123}.get(found, 0x0000)
        if status.Status:
            status.ErrorComment = "full \x1b[31m<b>"
        return status

    with store(answer) as server:
        done = inveon("send", *files, server.target)
    assert done.exit_code == 1
    assert "3 of 5 files accepted" in done.stdout
    shown = r"full \x1b[31m<b>"
    assert done.stderr.splitlines() == [
        f"warning: {files[2]}: was accepted with a warning: status B007, data set does not match sop class, {shown}",
        f"error: {files[1]}: the server refused it: status A700, refused: out of resources, {shown}",
        f"error: {files[3]}: the server refused it: status C123, cannot understand, {shown}",
    ]


def test_a_broken_association_is_made_anew_and_nothing_is_sent_twice_but_what_was_in_flight(files: list[Path]) -> None:
    broken: list[str] = []

    def answer(event: evt.Event, found: str) -> Any:
        if found in {uid(2), uid(4)} and found not in broken:
            broken.append(found)
            event.assoc.abort()
        return 0x0000

    with store(answer) as server:
        result = send(files, server.target, QUICK)
        assert result.is_complete, result
        assert server.received == [uid(n) for n in (1, 2, 2, 3, 4, 4, 5)]


def test_an_instance_that_breaks_every_association_is_listed_and_the_rest_is_sent(files: list[Path]) -> None:
    def answer(event: evt.Event, found: str) -> Any:
        if found == uid(3):
            event.assoc.abort()
        return 0x0000

    with store(answer) as server:
        result = send(files, server.target, QUICK)
        assert server.received == [uid(n) for n in (1, 2, 3, 3, 3, 4, 5)]
    assert result.accepted == 4
    (failure,) = result.failures
    assert failure.path == str(files[2])
    assert failure.reason.endswith(", 3 times")


def test_a_server_that_breaks_every_association_is_left(files: list[Path]) -> None:
    def answer(event: evt.Event, _found: str) -> Any:
        event.assoc.abort()
        return 0x0000

    with store(answer) as server:
        result = send(files, server.target, QUICK)
        assert server.received == [uid(n) for n in (1, 1, 2, 3)]
    hint = "; does it know the calling AE title US?"
    assert result.stopped.endswith(hint)
    assert [failure.reason.endswith(hint) for failure in result.failures] == [True, True]
    assert (result.accepted, len(result.unsent)) == (0, 3)


def test_a_first_instance_that_breaks_every_association_is_listed_and_the_rest_is_sent(files: list[Path]) -> None:
    def answer(event: evt.Event, found: str) -> Any:
        if found == uid(1):
            event.assoc.abort()
        return 0x0000

    with store(answer) as server:
        result = send(files, server.target, QUICK)
        assert server.received == [uid(n) for n in (1, 1, 2, 3, 4, 5)]
    assert result.accepted == 4
    assert [failure.path for failure in result.failures] == [str(files[0])]


def test_a_first_instance_whose_association_breaks_once_is_sent_again(files: list[Path]) -> None:
    def answer(event: evt.Event, _found: str) -> Any:
        if len(server.received) == 1:
            event.assoc.abort()
        return 0x0000

    with store(answer) as server:
        assert send(files, server.target, QUICK).is_complete
        assert server.received == [uid(n) for n in (1, 1, 2, 3, 4, 5)]


def test_a_server_that_does_not_answer_is_left(files: list[Path]) -> None:
    wait = threading.Event()

    def answer(_event: evt.Event, _found: str) -> Any:
        wait.wait(600)
        return 0x0000

    with store(answer) as server:
        for silence_s in SILENCES_S:
            with contextlib.suppress(TargetError):  # it was too slow to say that it is there
                result = send(files, server.target, replace(QUICK, timeout_s=silence_s, retries=0))
                if server.received:
                    break
        wait.set()
    assert server.received
    assert result.accepted == 0
    assert len(result.failures) + len(result.unsent) == 5


def test_a_calling_title_that_the_server_does_not_know_is_one_line(files: list[Path]) -> None:
    with store() as server:
        server.entity.require_calling_aet = ["OTHERS"]
        done = inveon("send", *files, server.target)
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr)
    assert "does not know the calling AE title US; let its administrator enter it" in line


@pytest.mark.parametrize("times", [2, 4])
def test_a_server_that_is_full_is_asked_again(files: list[Path], times: int) -> None:
    asked: list[int] = []

    def full(event: evt.Event) -> None:
        asked.append(1)
        if 1 < len(asked) <= 1 + times:  # after C-ECHO
            event.assoc.acse.send_reject(0x02, 0x03, 0x02)  # PS3.8 9.3.4: transient, local limit exceeded
            event.assoc.kill()  # once that is sent

    with store(more=[(evt.EVT_REQUESTED, full)]) as server:
        result = send(files, server.target, QUICK)
    if times <= QUICK.retries:
        assert (result.is_complete, result.accepted) == (True, 5)
    else:
        assert (result.stopped, len(result.unsent)) == ("has too many connections now", 5)


def test_an_association_that_the_server_ended_meanwhile_is_made_anew(files: list[Path]) -> None:
    ended: list[str] = []

    def answer(event: evt.Event, found: str) -> Any:
        if not ended:
            ended.append(found)
            threading.Timer(0.05, event.assoc.abort).start()
        return 0x0000

    def pause(done: int, _total: int) -> None:
        if done == 1:
            time.sleep(0.3)

    with store(answer) as server:
        result = send(files, server.target, replace(QUICK, retries=0), pause)
        assert result.is_complete, result
        assert server.received == [uid(n) for n in range(1, 6)]


def test_an_association_that_ends_just_when_a_commitment_is_asked_is_one_line(files: list[Path]) -> None:
    def ended(event: evt.Event) -> Any:
        event.assoc.abort()
        return 0x0000, None

    with store(more=[(evt.EVT_N_ACTION, ended)]) as server:
        done = inveon("send", *files, server.target, "--commit")
    assert done.exit_code == 1
    expected = "no commitment: broke off the connection; does it know the calling AE title?"
    assert done.stderr == f"error: {server.target}: {expected}\n"


def test_a_commitment_on_the_same_association(files: list[Path]) -> None:
    def action(event: evt.Event) -> Any:
        request = event.action_information
        report = Dataset()
        report.TransactionUID = request.TransactionUID
        report.ReferencedSOPSequence = list(request.ReferencedSOPSequence)[:3]
        lost = list(request.ReferencedSOPSequence)[3]
        lost.FailureReason = 0x0213
        report.FailedSOPSequence = [lost]  # and nothing of the fifth
        threading.Thread(target=answer_later, args=(event.assoc, report)).start()
        return 0x0000, None

    def answer_later(association: Any, report: Dataset) -> None:
        association.send_n_event_report(report, 2, "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1")

    with store(more=[(evt.EVT_N_ACTION, action)]) as server:
        result = send(files, server.target, replace(QUICK, commit=True))
    assert (result.accepted, result.committed) == (5, 3)
    assert {failure.sop_instance_uid: failure.reason for failure in result.failures} == {
        uid(4): "the server refuses storage commitment for it: reason 0213, resource limitation",
        uid(5): "the server did not answer whether it commits to storage",
    }


def test_a_commitment_that_does_not_come_is_one_line(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commitment, "Deadline", lambda _seconds, reason: Deadline(0.3, reason))
    with store(more=[(evt.EVT_N_ACTION, lambda _event: (0x0000, None))]) as server:
        done = inveon("send", *files, server.target, "--commit")
    assert done.exit_code == 1
    assert "5 of 5 files accepted, 0 committed to storage" in done.stdout
    assert done.stderr.count("\n") == 1
    assert "no commitment: did not commit within 120 s; does it answer to a --commit-port?" in done.stderr


# Memory.


MEASURED = """
import resource, sys
from inveonimaging.cli.main import app

sys.stdout = sys.stderr
for path in sys.argv[2:]:
    try:
        app(["send", path, sys.argv[1]])
    except SystemExit as end:
        print(end.code or 0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.__stdout__)
"""


def peaks_mib(paths: Sequence[Path], target: str, environment: dict[str, str] | None = None) -> list[float]:
    """Return the most memory that a process had taken when `inveon send` had sent each file, one after the other, MiB.

    What a process took counts for those that it forks, too: a small one starts it.
    """
    measured = [sys.executable, "-c", MEASURED, target, *map(str, paths)]
    small = [sys.executable, "-c", "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:]))", *measured]
    done = subprocess.run(small, env={**os.environ, **(environment or {})}, capture_output=True, text=True, check=True)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [code for code, _ in lines] == ["0"] * len(paths), done.stderr
    return [int(peak) / (2**20 if sys.platform == "darwin" else 2**10) for _, peak in lines]


@posix
@pytest.mark.parametrize("is_web", [False, True], ids=["C-STORE", "STOW-RS"])
def test_a_large_instance_is_not_held_in_memory(tmp_path: Path, is_web: bool) -> None:
    small = write_instance(tmp_path / "small.dcm", 1)
    large = write_instance(tmp_path / "large.dcm", 2, pixels=24 * 2**20)
    if is_web:
        with service(all_stored) as web:
            peaks = peaks_mib([small, large], web.url, NOBODY)
            assert web.sizes[1] > 24 * 2**20
    else:
        received: list[int] = []

        def answer(event: evt.Event, _found: str) -> int:
            received.append(Path(event.dataset_path).stat().st_size)
            return 0x0000

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_config, "STORE_RECV_CHUNKED_DATASET", True)
            with store(answer) as server:
                peaks = peaks_mib([small, large], server.target)
        assert received[1] > 24 * 2**20
    assert peaks[1] - peaks[0] < 16
