"""DICOM servers that are broken or mean harm: stalls, garbage, aborts in the middle, and answers to something else.

Their units and messages are written here byte by byte, as PS3.8 9.3 and PS3.7 E have them.
"""

from __future__ import annotations

import random
import re
import signal
import socket
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE

from forked import import_before, running_forked
from helpers import LAST_RESORT_S, assert_harmless, assert_one_line_error, inveon
from inveonimaging import TargetError
from inveonimaging.dicom_reading import opening
from inveonimaging.sending import SendResult, send
from inveonimaging.sending.deadline import Deadline
from inveonimaging.sending.dimse import c_store, commitment
from orthanc import free_ports
from servers import CT, HASTY, PATIENT, QUICK, Act, soonest, stage, store, uid, write_instance

MIB = 2**20
PUSH_MODEL, PUSH_INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
LATE = "gave no answer within 0.3 s"
ECHO = "1.2.840.10008.1.1"
ANOTHER_CLASS = "1.2.840.10008.5.1.4.1.1.4"  # MR
REJECT, DATA, RELEASE, RELEASED, ABORT = 3, 4, 5, 6, 7
import_before("inveonimaging.sending.dimse.c_store", "inveonimaging.sending.job", "inveonimaging.sending.web.stow_rs")
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")


# Units and messages.


def noise(seed: int, size: int) -> bytes:
    return random.Random(seed).randbytes(size)  # noqa: S311 - no secret


def unit(kind: int, body: bytes) -> bytes:
    return struct.pack(">BBL", kind, 0, len(body)) + body


def read_unit(held: socket.socket) -> tuple[int, bytes]:
    """Return a unit; of kind 0 at the end."""
    head = exactly(held, 6)
    if len(head) < 6:
        return 0, b""
    kind, _, length = struct.unpack(">BBL", head)
    return kind, exactly(held, length)


def exactly(held: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size and (part := held.recv(size - len(content))):
        content += part
    return content


def items_of(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield kind and content of items of PS3.8 9.3.2."""
    at = 0
    while at < len(body):
        kind, _, length = struct.unpack_from(">BBH", body, at)
        yield kind, body[at + 4 : at + 4 + length]
        at += 4 + length


def item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBH", kind, 0, len(content)) + content


def proposed(body: bytes) -> dict[int, tuple[str, list[str]]]:
    """Return abstract and transfer syntaxes of each context that is proposed."""
    found = {}
    for kind, content in items_of(body[68:]):
        if kind == 0x20:
            names = [(each, name.decode()) for each, name in items_of(content[4:])]
            found[content[0]] = (names[0][1], [name for each, name in names[1:] if each == 0x40])
    return found


def acceptance(body: bytes, longest: int = 16384, syntax: str = "") -> bytes:
    """Return the answer that accepts all contexts in the first syntax of each."""
    contexts = b"".join(
        item(0x21, bytes([number, 0, 0, 0]) + item(0x40, (syntax or syntaxes[0]).encode()))
        for number, (_, syntaxes) in proposed(body).items()
    )
    user = item(0x50, item(0x51, struct.pack(">L", longest)) + item(0x52, b"1.2.3"))
    return unit(2, body[:68] + item(0x10, b"1.2.840.10008.3.1.1.1") + contexts + user)


def element(number: int, value: int | str | bytes) -> bytes:
    content = (
        struct.pack("<H", value) if isinstance(value, int) else value if isinstance(value, bytes) else value.encode()
    )
    content += b"\0" * (len(content) % 2)
    return struct.pack("<HHL", 0, number, len(content)) + content


def command(*elements: bytes) -> bytes:
    body = b"".join(elements)
    return struct.pack("<HHLL", 0, 0, 4, len(body)) + body


def fragment(context: int, control: int, content: bytes) -> bytes:
    return struct.pack(">LBB", len(content) + 2, context, control) + content


def message(context: int, *elements: bytes) -> bytes:
    return unit(DATA, fragment(context, 3, command(*elements)))


def asked(content: bytes) -> dict[int, bytes]:
    """Return the elements of a command set."""
    found, at = {}, 0
    while at < len(content):
        _, number, length = struct.unpack_from("<HHL", content, at)
        found[number] = content[at + 8 : at + 8 + length]
        at += 8 + length
    return found


class Request:
    """A request that came: its context, message ID, class and instance."""

    def __init__(self, context: int, elements: dict[int, bytes], data: bytes) -> None:
        self.context, self.data = context, data
        self.field, self.number = (int.from_bytes(elements[each], "little") for each in (0x0100, 0x0110))
        self.sop_class = (elements.get(0x0002) or elements.get(0x0003) or b"").decode().strip("\0")
        self.instance = (elements.get(0x1000) or elements.get(0x1001) or b"").decode().strip("\0")

    def response(self, **other: Any) -> bytes:
        """Return the response of success, but for what is otherwise; None is left out."""
        fields: dict[str, Any] = {
            "sop_class": self.sop_class,
            "field": self.field | 0x8000,
            "number": self.number,
            "data_set": 0x0101,
            "status": 0,
            "instance": self.instance,
            **other,
        }
        numbers = {
            "sop_class": 0x0002,
            "field": 0x0100,
            "number": 0x0120,
            "data_set": 0x0800,
            "status": 0x0900,
            "comment": 0x0902,
            "instance": 0x1000,
        }
        context = fields.pop("context", self.context)
        return message(context, *(element(numbers[name], each) for name, each in fields.items() if each is not None))


def request_of(held: socket.socket) -> Request | None:
    """Return the next request, with its data set; None at the end, after an abort or a release, which is answered."""
    content, data, elements = b"", b"", None
    while True:
        kind, body = read_unit(held)
        if kind == RELEASE:
            held.sendall(unit(RELEASED, bytes(4)))
        if kind != DATA:
            return None
        at = 0
        while at < len(body):
            length, context, control = struct.unpack_from(">LBB", body, at)
            part = body[at + 6 : at + 4 + length]
            at += 4 + length
            if control & 1:
                content += part
                elements = asked(content) if control & 2 else None
            else:
                data += part
            if control & 2 and elements and (not control & 1 or elements[0x0800] == b"\x01\x01"):
                return Request(context, elements, data)


Reply = Callable[[socket.socket, Request], None]


def well(held: socket.socket, request: Request) -> None:
    held.sendall(request.response())


def pacs(store: Reply = well, echo: Reply = well, accept: Callable[[socket.socket, bytes], None] | None = None) -> Act:
    """Return a server: how it answers C-STORE and what else is asked, C-ECHO, and a proposed association."""

    def act(held: socket.socket) -> None:
        _, body = read_unit(held)
        is_echo = [abstract for abstract, _ in proposed(body).values()] == [ECHO]
        if accept and not is_echo:
            accept(held, body)
        else:
            held.sendall(acceptance(body))
        while request := request_of(held):
            (echo if is_echo else store)(held, request)

    return act


def target(port: int) -> str:
    return f"dicom://US@THEM:127.0.0.1:{port}"


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Return two instances."""
    folder = tmp_path / "dicom"
    folder.mkdir()
    return [write_instance(folder / f"{number}.dcm", number) for number in (1, 2)]


@contextmanager
def bounded(mib: float = 8) -> Iterator[None]:
    """Bound time and memory; no thread stays."""
    before = set(threading.enumerate())
    tracemalloc.start()
    start = time.monotonic()
    try:
        yield
        assert time.monotonic() - start < LAST_RESORT_S
        assert tracemalloc.get_traced_memory()[1] < mib * MIB
    finally:
        tracemalloc.stop()
    assert not [each for each in set(threading.enumerate()) - before if "process_request" not in each.name]


def sent(files: list[Path], act: Act, **options: Any) -> SendResult:
    with stage(act) as server, bounded():
        return send(files, target(server.port), replace(PATIENT, **options))


def sent_in_time(files: list[Path], act: Act, expected: str, **options: Any) -> tuple[SendResult, str]:
    """Return what came of it, and the expected message: of a server that is waited for, after how long."""
    if LATE not in expected:
        return sent(files, act, **options), expected
    result, silence_s = soonest(lambda silence_s: sent(files, act, timeout_s=silence_s, **options))
    return result, expected.replace("0.3", f"{silence_s:g}")


def test_a_server_of_these_tests_is_one(files: list[Path]) -> None:
    """Else nothing of what follows would show anything."""
    result = sent(files, pacs())
    assert (result.accepted, result.is_complete) == (2, True)


# Associations.


def drip(content: bytes) -> Callable[[socket.socket, bytes], None]:
    def act(held: socket.socket, _body: bytes) -> None:
        for byte in content:
            held.sendall(bytes([byte]))
            time.sleep(0.03)

    return act


def giving(content: bytes) -> Callable[[socket.socket, bytes], None]:
    return lambda held, _body: held.sendall(content)


def flooding(content: bytes) -> Callable[[socket.socket, Any], None]:
    def act(held: socket.socket, _body: object) -> None:
        while True:
            held.sendall(content)

    return act


TOO_LONG = "sends 4294967295 bytes at a time, where 16382 are agreed"
NO_DICOM = "is it a DICOM port"
ASSOCIATIONS: dict[str, tuple[Callable[[socket.socket, bytes], None], str]] = {
    "silence": (lambda _held, _body: None, "gave no answer within 0.3 s"),
    "half a head": (giving(b"\2\0\0"), "gave no answer within 0.3 s"),
    "half an acceptance": (lambda held, body: held.sendall(acceptance(body)[:90]), "gave no answer within 0.3 s"),
    "a byte now and then": (drip(unit(2, bytes(15_000))), "gave no answer within 0.3 s"),
    "4 GB": (
        flooding(b"\2\0\xff\xff\xff\xff" + bytes(2**16)),
        TOO_LONG,
    ),
    "another protocol": (giving(b"HTTP/1.1 400 Bad Request\r\n\r\n"), NO_DICOM),
    "noise": (giving(noise(1, 500)), NO_DICOM),
    "an acceptance of noise": (giving(unit(2, noise(2, 300))), NO_DICOM),
    "an empty acceptance": (giving(unit(2, b"")), NO_DICOM),
    "an abort": (giving(unit(ABORT, bytes(4))), NO_DICOM),
    "a release": (giving(unit(RELEASE, bytes(4))), NO_DICOM),
    "data": (giving(message(1, element(0x0100, 0x8001))), NO_DICOM),
    "a closed connection": (lambda held, _body: held.shutdown(socket.SHUT_RDWR), NO_DICOM),
    "a rejection of noise": (giving(unit(REJECT, b"\0")), NO_DICOM),
    "an unknown rejection": (
        giving(unit(REJECT, bytes([0, 77, 88, 99]))),
        "rejected the association (source 88, reason 99); ask its administrator",
    ),
    "an unknown transient rejection": (
        giving(unit(REJECT, bytes([0, 2, 3, 99]))),
        "rejected the association (source 3, reason 99); ask its administrator",
    ),
    "bytes one at a time": (
        lambda held, body: held.sendall(acceptance(body, longest=7)),
        "takes 7 bytes at a time only",
    ),
}


@pytest.mark.parametrize("kind", ASSOCIATIONS)
def test_an_association_that_does_not_come_about_is_one_line(
    files: list[Path], kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    accept, expected = ASSOCIATIONS[kind]
    result, shown = sent_in_time(files, pacs(accept=accept), expected)
    assert (result.accepted, len(result.unsent) + len(result.failures)) == (0, 2)
    assert shown in (result.stopped or result.failures[0].reason)
    assert capfd.readouterr() == ("", "")

    def act(held: socket.socket) -> None:  # the association of C-ECHO
        accept(held, read_unit(held)[1])
        read_unit(held)

    options = HASTY if LATE in expected else PATIENT
    with stage(act) as server, bounded(), pytest.raises(TargetError, match=re.escape(expected)) as caught:
        send(files, target(server.port), options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("spoilt", ["contexts", "syntax", "numbers", "result"])
def test_a_context_counts_only_as_it_was_proposed(files: list[Path], spoilt: str) -> None:
    def accept(held: socket.socket, body: bytes) -> None:
        content = acceptance(body, syntax="1.2.840.10008.1.2.2" if spoilt == "syntax" else "")
        if spoilt == "contexts":
            content = acceptance(body[:68] + item(0x20, bytes([99, 0, 0, 0]) + item(0x30, b"1.2") + item(0x40, b"1.2")))
        if spoilt == "numbers":
            content = content.replace(b"\x21\0\0", b"\x21\0\xff", 1)
        if spoilt == "result":
            content = content.replace(bytes([1, 0, 0, 0, 0x40]), bytes([1, 0, 9, 0, 0x40])).replace(
                bytes([3, 0, 0, 0, 0x40]), bytes([3, 0, 9, 0, 0x40])
            )
        held.sendall(content)

    result = sent(files, pacs(accept=accept))
    assert result.accepted == 0
    assert not result.is_complete


@pytest.mark.parametrize("longest", [0, 8, 9, 100, 2**32 - 1])
def test_a_server_may_take_few_bytes_at_a_time_or_any(tmp_path: Path, longest: int) -> None:
    path = write_instance(tmp_path / "1.dcm", 1, pixels=300_000 if longest in {0, 2**32 - 1} else 32)
    requests: list[Request] = []
    largest: list[int] = []

    def act(held: socket.socket, request: Request) -> None:
        requests.append(request)
        well(held, request)

    def counted(held: socket.socket) -> tuple[int, bytes]:
        kind, body = read_whole(held)
        largest.append(len(body) if kind == DATA else 0)
        return kind, body

    read_whole = read_unit
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "read_unit", counted)
        result = sent([path], pacs(act, accept=lambda held, body: held.sendall(acceptance(body, longest=longest))))
    assert result.is_complete, result
    assert path.read_bytes().endswith(requests[0].data)
    assert len(requests[0].data) > len(path.read_bytes()) - 400
    if 0 < longest < 2**32 - 1:
        assert max(largest[3:]) <= longest  # after C-ECHO


# Answers to C-STORE.


def other(**fields: Any) -> Reply:
    return lambda held, request: held.sendall(request.response(**fields))


def instead(content: bytes) -> Reply:
    return lambda held, _request: held.sendall(content)


def flood_of(make: Callable[[Request], bytes]) -> Reply:
    def act(held: socket.socket, request: Request) -> None:
        content = make(request)
        while True:
            held.sendall(content)

    return act


def slowly(make: Callable[[Request], bytes]) -> Reply:
    def act(held: socket.socket, request: Request) -> None:
        for byte in make(request):
            held.sendall(bytes([byte]))
            time.sleep(0.03)

    return act


def early(held: socket.socket, request: Request) -> None:
    held.sendall(request.response()[:-4])


def endless_data(held: socket.socket, request: Request) -> None:
    held.sendall(request.response(data_set=0))
    flooding(unit(DATA, fragment(request.context, 0, bytes(16000))))(held, b"")


def garbled(seed: int) -> Reply:
    """Return a response of which a few bytes of the command set are others."""

    def act(held: socket.socket, request: Request) -> None:
        content, chance = bytearray(request.response()), random.Random(seed)  # noqa: S311 - no secret
        for _ in range(3):
            content[chance.randrange(12, len(content))] = chance.randrange(256)
        held.sendall(content)

    return act


ELSE = "answered something else than what it was asked"
STRANGE = "answers in a form that is not DICOM"
GONE = "broke off the connection"
ENDLESS = "answered without an end"
ANSWERS: dict[str, tuple[Reply, str]] = {
    "another message ID": (lambda held, request: held.sendall(request.response(number=request.number + 1)), ELSE),
    "no message ID": (other(number=None), ELSE),
    "a C-ECHO answer": (other(field=0x8030), ELSE),
    "a C-ECHO answer to another message": (other(field=0x8030, number=9), ELSE),
    "a C-FIND answer": (other(field=0x8020), ELSE),
    "another context": (lambda held, request: held.sendall(request.response(context=4 - request.context)), ELSE),
    "a context that is not there": (other(context=99), STRANGE),
    "another instance": (other(instance=uid(5)), ELSE),
    "another class": (other(sop_class=ANOTHER_CLASS), ELSE),
    "no status": (other(status=None), "answered without a status that can be read"),
    "a long status": (other(status=b"\0\0\0\0"), "answered without a status that can be read"),
    "an empty status": (other(status=b""), "answered without a status that can be read"),
    "no command": (other(field=None), ELSE),
    "its own request": (other(field=0x0001), ELSE),
    "a data set that does not come": (other(data_set=0), LATE),
    "half a unit": (early, LATE),
    "half a head": (instead(b"\4\0\0"), LATE),
    "a byte now and then": (slowly(lambda request: request.response(comment=bytes(15_000))), LATE),
    "silence": (lambda _held, _request: None, LATE),
    "noise": (instead(noise(3, 600)), STRANGE),
    "a command set of noise": (instead(unit(DATA, fragment(1, 3, noise(4, 200)))), STRANGE),
    "an element longer than all": (instead(unit(DATA, fragment(1, 3, struct.pack("<HHL", 0, 0x100, 2**31)))), STRANGE),
    "an element twice": (instead(message(1, element(0x0100, 0x8001), element(0x0100, 0x8001))), STRANGE),
    "another group": (instead(unit(DATA, fragment(1, 3, struct.pack("<HHL", 8, 0x100, 0)))), STRANGE),
    "an empty command set": (instead(unit(DATA, fragment(1, 3, b""))), LATE),
    "a data set before the command": (instead(unit(DATA, fragment(1, 2, bytes(4)))), STRANGE),
    "half a fragment": (instead(unit(DATA, b"\0\0")), STRANGE),
    "a fragment longer than its unit": (instead(unit(DATA, struct.pack(">LBB", 2**31, 1, 3))), STRANGE),
    "a fragment without content": (instead(unit(DATA, struct.pack(">L", 0))), STRANGE),
    "a fragment of a byte": (instead(unit(DATA, struct.pack(">LBB", 1, 1, 3))), STRANGE),
    "an acceptance": (instead(unit(2, bytes(100))), STRANGE),
    "a proposal": (instead(unit(1, bytes(100))), STRANGE),
    "an unknown unit": (instead(unit(9, bytes(4))), STRANGE),
    "4 GB": (
        flood_of(lambda _: b"\4\0\xff\xff\xff\xff" + bytes(2**16)),
        TOO_LONG,
    ),
    "64 MiB": (instead(b"\4\0\4\0\0\0"), "sends 67108864 bytes at a time, where 16382 are agreed"),
    "a command set without an end": (
        flood_of(lambda _: unit(DATA, fragment(1, 1, bytes(16000)))),
        "answered without an end",
    ),
    "a data set without an end": (endless_data, ENDLESS),
    "empty units without an end": (flood_of(lambda _: unit(DATA, b"") * 1000), LATE),
    "empty fragments without an end": (flood_of(lambda _: unit(DATA, fragment(1, 1, b"") * 1000)), LATE),
    "an abort": (instead(unit(ABORT, bytes(4))), GONE),
    "half an abort": (instead(unit(ABORT, bytes(4))[:7]), LATE),
    "a release": (instead(unit(RELEASE, bytes(4))), GONE),
    "a closed connection": (lambda held, _request: held.shutdown(socket.SHUT_RDWR), GONE),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_only_the_answer_to_what_was_asked_counts(
    files: list[Path], kind: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answer, expected = ANSWERS[kind]
    journal = tmp_path / "sent.jsonl"
    result, shown = sent_in_time(files[:1], pacs(answer), expected, journal=journal)
    assert result.accepted == 0
    (failure,) = result.failures
    hint = "; does it know the calling AE title US?" if expected == GONE else ""
    assert failure.reason == f"{shown}{hint}"
    assert capfd.readouterr() == ("", "")  # no traceback of a thread
    assert len(journal.read_text().splitlines()) == 1  # the target


@pytest.mark.parametrize("kind", ["another message ID", "half a unit", "noise", "4 GB", "an abort", "no status"])
def test_an_answer_to_c_echo_is_read_as_strictly(files: list[Path], kind: str) -> None:
    answer, expected = ANSWERS[kind]
    with stage(pacs(echo=answer)) as server, bounded():
        timeout_s = 1 if expected == LATE else int(PATIENT.timeout_s)
        done = inveon("send", *files, target(server.port), "--timeout", timeout_s, "--retries", 0)
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr)
    assert f"{expected.replace('0.3 s', '1 s')} (C-ECHO)" in line


def test_garbled_answers_are_no_tracebacks(files: list[Path], capfd: pytest.CaptureFixture[str]) -> None:
    """A few of the bytes may be of no meaning; whatever they are, it is a result of one line."""
    with bounded():
        for seed in range(40):
            with stage(pacs(garbled(seed))) as server, suppress(TargetError):  # it was too slow for C-ECHO
                for failure in send(files[:1], target(server.port), replace(PATIENT, timeout_s=0.1)).failures:
                    assert_harmless(str(failure))
                    assert "\n" not in failure.reason
    assert capfd.readouterr() == ("", "")


def test_a_response_may_leave_out_class_and_instance(files: list[Path]) -> None:
    """PS3.7 9.1.1.1: they are optional in it."""
    assert sent(files, pacs(other(sop_class=None, instance=None))).accepted == 2


def test_a_comment_is_escaped(files: list[Path]) -> None:
    result = sent(files, pacs(other(status=0xA700, comment="\x1b[31mfull\u202e".encode())))
    assert len(result.failures) == 2
    for failure in result.failures:
        assert_harmless(str(failure))
        assert "A700" in failure.reason


@pytest.mark.parametrize("status", [0xFF00, 0xFE00, 0x1234, 0xFFFF, 0x0001 + 0xC000])
def test_a_status_that_is_no_success_is_none(files: list[Path], status: int) -> None:
    result = sent(files, pacs(other(status=status)))
    assert (result.accepted, len(result.failures)) == (0, 2)
    assert f"status {status:04X}" in result.failures[0].reason


def test_what_comes_after_a_broken_answer_is_sent_over_a_new_association(files: list[Path]) -> None:
    answered: list[int] = []

    def once(held: socket.socket, request: Request) -> None:
        answered.append(request.number)
        held.sendall(request.response(number=99) if len(answered) == 2 else request.response())

    with stage(pacs(once)) as server, bounded():
        result = send(files, target(server.port), replace(PATIENT, retries=1))
    assert (result.accepted, len(answered)) == (2, 3)


def test_a_server_that_takes_a_few_bytes_now_and_then_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = write_instance(tmp_path / "large.dcm", 1, pixels=20 * MIB)
    monkeypatch.setattr("inveonimaging.sending.deadline._SLOWEST", 100 * MIB)

    def accept(held: socket.socket, body: bytes) -> None:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**12)
        held.sendall(acceptance(body))
        while held.recv(2**16):
            time.sleep(0.05)

    result, _ = soonest(lambda silence_s: sent([large], pacs(accept=accept), timeout_s=silence_s))
    (failure,) = result.failures
    assert failure.reason.startswith(("took no more than 102400 KiB a second", "took no data for "))


@pytest.mark.faults
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX only")
@pytest.mark.parametrize("kind", ["half a unit", "silence"])
def test_who_waits_for_half_an_answer_can_be_ended(files: list[Path], kind: str) -> None:
    is_asked = threading.Event()

    def act(held: socket.socket, request: Request) -> None:
        ANSWERS[kind][0](held, request)
        is_asked.set()

    command = ["-m", "inveonimaging", "send", *files, "", "--timeout", int(PATIENT.timeout_s)]
    with stage(pacs(act)) as server:
        command[-3] = target(server.port)
        with running_forked(*command) as process:
            assert is_asked.wait(60)
            time.sleep(0.1)
            start = time.monotonic()
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate()
            assert time.monotonic() - start < LAST_RESORT_S
    assert process.returncode == 143
    assert "Traceback" not in err


# Storage commitment.


def report(transaction: str, *, kept: list[str], lost: list[str] = (), explicit: bool = False) -> bytes:  # type: ignore[assignment]
    """Return the data set of an N-EVENT-REPORT (PS3.4 Table J.3-2)."""
    from pynetdicom.dsutils import encode

    dataset = Dataset()
    dataset.TransactionUID = transaction
    dataset.ReferencedSOPSequence = [reference(each) for each in kept]
    if lost:
        dataset.FailedSOPSequence = [reference(each) for each in lost]
    return encode(dataset, not explicit, True) or b""


def reference(instance: str) -> Dataset:
    found = Dataset()
    found.ReferencedSOPClassUID, found.ReferencedSOPInstanceUID = CT, instance
    return found


def event(context: int, data: bytes, *, sop_class: str = PUSH_MODEL, instance: str = PUSH_INSTANCE) -> bytes:
    elements = [element(0x0002, sop_class), element(0x0100, 0x0100), element(0x0110, 7), element(0x0800, 0)]
    return message(context, *elements, element(0x1000, instance), element(0x1002, 1)) + b"".join(
        unit(DATA, fragment(context, 2 if at + 8000 >= len(data) else 0, data[at : at + 8000]))
        for at in range(0, len(data), 8000)
    )


def transaction_of(request: Request) -> str:
    from io import BytesIO

    from pynetdicom.dsutils import decode

    return str(decode(BytesIO(request.data), True, True).TransactionUID)


def committing(make: Callable[[Request, str], bytes]) -> Reply:
    """Return what stores, and answers an N-ACTION and then sends the commitment."""

    def act(held: socket.socket, request: Request) -> None:
        well(held, request)
        if request.field == 0x0130:
            held.sendall(make(request, transaction_of(request)))

    return act


KEPT = [uid(1), uid(2)]
REPORTS: dict[str, tuple[Callable[[Request, str], bytes], int]] = {
    "as it should": (lambda request, name: event(request.context, report(name, kept=KEPT)), 2),
    "kept and lost": (lambda request, name: event(request.context, report(name, kept=KEPT, lost=KEPT[:1])), 1),
    "before that another": (
        lambda request, name: (
            event(request.context, report("1.2.3", kept=KEPT)) + event(request.context, report(name, kept=KEPT[:1]))
        ),
        1,
    ),
    "another transaction": (lambda request, _: event(request.context, report("1.2.3", kept=KEPT)), 0),
    "another class": (lambda request, name: event(request.context, report(name, kept=KEPT), sop_class=CT), 0),
    "another instance": (lambda request, name: event(request.context, report(name, kept=KEPT), instance="1.2"), 0),
    "noise": (lambda request, _: event(request.context, noise(5, 999)), 0),
    "half": (lambda request, name: event(request.context, report(name, kept=KEPT)[:-9]), 0),
    "a C-STORE response": (lambda request, _: request.response(field=0x8001), 0),
    "an abort": (lambda _, __: unit(ABORT, bytes(4)), 0),
    "a request to store": (lambda request, _: request.response(field=0x0001), 0),
    "sequences in sequences": (
        lambda request, _: event(
            request.context, struct.pack("<HHLHHL", 8, 0x1199, 2**32 - 1, 0xFFFE, 0xE000, 2**32 - 1) * 5000
        ),
        0,
    ),
}


@pytest.mark.parametrize("kind", REPORTS)
def test_a_commitment_is_read_strictly(
    files: list[Path], kind: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make, expected = REPORTS[kind]
    silence_s = 20 if expected == 2 or kind == "kept and lost" else 0.5
    monkeypatch.setattr(commitment, "Deadline", lambda _seconds, reason: Deadline(silence_s, reason))
    with stage(pacs(committing(make))) as server, bounded(mib=60):
        result = send(files, target(server.port), replace(PATIENT, commit=True))
    assert (result.accepted, result.committed) == (2, expected)
    assert result.is_complete is (expected == 2)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "content", [b"", b"\1\0\0", b"\1\0\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", unit(1, bytes(99))]
)
def test_strangers_at_the_port_of_a_commitment_change_nothing(
    files: list[Path], content: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """More than are let in at a time come before the server does, and say nothing or something else."""
    (port,) = free_ports(1)
    strangers: list[socket.socket] = []

    def act(held: socket.socket, request: Request) -> None:
        if request.field == 0x0130:
            for _ in range(20):
                strangers.append(socket.create_connection(("127.0.0.1", port)))
                strangers[-1].sendall(content)
            transaction = transaction_of(request)
            threading.Timer(0.1, answer, [transaction]).start()
        well(held, request)

    def answer(transaction: str) -> None:
        entity = AE("THEM")
        entity.add_requested_context(PUSH_MODEL, [ImplicitVRLittleEndian, ExplicitVRLittleEndian])
        association = connected_back(entity, port)
        dataset = Dataset()
        dataset.TransactionUID = transaction
        dataset.ReferencedSOPSequence = [reference(each) for each in KEPT]
        statuses.append(association.send_n_event_report(dataset, 1, PUSH_MODEL, PUSH_INSTANCE)[0].Status)
        association.release()

    statuses: list[int] = []
    with stage(pacs(act)) as server:
        options = replace(PATIENT, commit=True, commit_port=port)
        result = send(files, target(server.port), options)
    for each in strangers:
        each.close()
    assert (result.committed, result.is_complete, statuses) == (2, True, [0])
    assert capfd.readouterr() == ("", "")


def connected_back(entity: AE, port: int) -> Any:
    """Return an association with this side as storage commitment has it: the one who asks is the SCP."""
    from pynetdicom import build_role

    return entity.associate("127.0.0.1", port, ae_title="US", ext_neg=[build_role(PUSH_MODEL, scp_role=True)])


@pytest.mark.parametrize(("ours", "theirs"), [("US", "OTHERS"), ("OTHERS", "THEM")])
def test_another_title_is_not_let_in(files: list[Path], ours: str, theirs: str) -> None:
    (port,) = free_ports(1)
    associations: list[Any] = []

    def act(held: socket.socket, request: Request) -> None:
        if request.field == 0x0130:
            entity = AE(theirs)
            entity.add_requested_context(ECHO)
            associations.append(entity.associate("127.0.0.1", port, ae_title=ours))
        well(held, request)

    def send_once(silence_s: float) -> SendResult:
        result = send(files, target(server.port), replace(PATIENT, timeout_s=silence_s, commit=True, commit_port=port))
        if not any(each.is_rejected for each in associations):
            raise TargetError("it was too slow to be rejected before this side stopped to listen")
        return result

    with stage(pacs(act)) as server:
        result, _ = soonest(send_once)
    assert not any(each.is_established for each in associations)
    assert result.committed == 0


def test_an_instance_goes_to_pynetdicom_as_to_others(files: list[Path]) -> None:
    with store() as server:
        assert send(files, server.target, QUICK).is_complete


# Files of this side.


def test_a_file_that_inflates_without_an_end_is_not_converted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server takes neither what is deflated nor so much memory."""
    monkeypatch.setattr(c_store, "_MOST_INFLATED", MIB)
    monkeypatch.setattr(opening, "MOST_INFLATED", MIB)
    bomb, small = (write_instance(tmp_path / f"{number}.dcm", number) for number in (1, 2))
    for path, pixels in ((bomb, 64 * MIB), (small, 32)):
        dataset = dcmread(path)
        dataset.PixelData = bytes(pixels)
        dataset.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        dataset.save_as(path)
        assert path.stat().st_size < MIB
    received: list[bytes] = []

    def act(held: socket.socket, request: Request) -> None:
        received.append(request.data)
        well(held, request)

    def accept_implicit(held: socket.socket, body: bytes) -> None:
        content = bytearray(acceptance(body))
        content[content.index(bytes([1, 0, 0, 0, 0x40])) + 2] = 4  # transfer syntax not supported
        held.sendall(content)

    result = sent([bomb, small], pacs(act, accept=accept_implicit))
    (data,) = received
    (failure,) = result.failures
    assert data.endswith(b"\xe0\x7f\x10\0" + struct.pack("<L", 32) + bytes(32))  # Pixel Data, without a VR
    expected = "inflates to more than 1 MiB, and the server wants it inflated; convert without --compress"
    assert (failure.path, failure.reason) == (str(bomb), expected)


def test_lengths_that_a_file_does_not_have_take_no_memory(tmp_path: Path) -> None:
    whole = write_instance(tmp_path / "1.dcm", 1)
    content = bytearray(whole.read_bytes())
    at = content.index(b"\2\0\2\0UI")
    content[at + 4 : at + 8] = b"OB\0\0"  # Media Storage SOP Class UID, of 4 GB
    content[at + 8 : at + 12] = b"\xf0\xff\xff\xff"
    (tmp_path / "2.dcm").write_bytes(content)
    result = sent([tmp_path], pacs())
    assert result.accepted == 1
    assert len(result.failures) == 1
