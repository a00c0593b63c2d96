"""Servers on loopback that do as a test says, and instances to send to them."""

from __future__ import annotations

import base64
import json
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import BaseRequestHandler, BaseServer, ThreadingTCPServer
from typing import Any, TypeVar

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian
from pynetdicom import AE, evt

from helpers import LAST_RESORT_S
from inveonimaging import TargetError
from inveonimaging.sending import SendOptions

CT = "1.2.840.10008.5.1.4.1.1.2"
ROOT = "1.2.826.0.1.3680043.10.1474"
SECRET = "s3cr3t-of-the-tests"  # noqa: S105 - opens nothing
QUICK = SendOptions(retries=2, first_wait_s=0.01, timeout_s=60)
PATIENT = replace(QUICK, retries=0, timeout_s=2 * LAST_RESORT_S)  # waits longer than any test
SILENCES_S = (0.3, 3.0, 30.0)  # for tests of a silent server: the next one where it had to be longer
HASTY = replace(PATIENT, timeout_s=SILENCES_S[0])
NOBODY: dict[str, str] = {"NETRC": os.devnull}


def write_instance(path: Path, number: int, sop_class: str = CT, pixels: int = 32) -> Path:
    """Write a DICOM file with a UID of its own, and so many bytes of zeros as its pixels, sparse."""
    dataset = Dataset()
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, f"{ROOT}.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{ROOT}.8", f"{ROOT}.9"
    dataset.PatientID = "M1"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.save_as(path, enforce_file_format=True)
    with path.open("ab") as file:
        file.write(b"\xe0\x7f\x10\x00OW\0\0" + pixels.to_bytes(4, "little"))
    os.truncate(path, path.stat().st_size + pixels)
    return path


def uid(number: int) -> str:
    return f"{ROOT}.{number}"


def basic(text: str) -> str:
    """Return a header of RFC 7617."""
    return "Basic " + base64.b64encode(text.encode()).decode()


Answer = tuple[int, dict[str, str], bytes]


class Service(ThreadingHTTPServer):
    """A service on loopback; `answers` are given to POST requests in turn, the last one again and again."""

    daemon_threads = True

    def __init__(
        self, answers: Sequence[Answer | Callable[[list[str]], Answer]], tls: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self._scheme = "https" if tls else "http"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.answers = list(answers)
        self.posted: list[list[str]] = []
        self.sizes: list[int] = []
        self.headers: list[dict[str, str]] = []
        self.search: Answer = (200, {"Content-Type": "application/dicom+json"}, b"[]")

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.server_address[1]}/dicom-web"

    def handle_error(self, *_: object) -> None:
        """Clients may go."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Service

    def do_GET(self) -> None:
        self.server.headers.append(dict(self.headers))
        self._give(self.server.search)

    def do_POST(self) -> None:
        self.server.headers.append(dict(self.headers))
        left = int(self.headers["Content-Length"])
        self.server.sizes.append(left)
        kept = b""
        while left:
            part = self.rfile.read(min(left, 2**20))
            if not part:  # the client has gone away
                self.close_connection = True
                return
            kept, left = (kept + part)[: 2**24], left - len(part)
        found = [f"{ROOT}.{number}" for number in range(1, 6) if f"{ROOT}.{number}\0".encode() in kept]
        self.server.posted.append(found)
        answer = self.server.answers[0] if len(self.server.answers) == 1 else self.server.answers.pop(0)
        self._give(answer(found) if callable(answer) else answer)

    def _give(self, answer: Answer) -> None:
        status, headers, content = answer
        self.send_response(status, "A reason \x1b[31m with markup <b>" if status >= 400 else None)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


Found = TypeVar("Found")


def soonest(attempt: Callable[[float], Found]) -> tuple[Found, float]:
    """Return what comes of the shortest silence, in s, for which a server says in time that it is there, and that."""
    for silence_s in SILENCES_S:
        with suppress(TargetError):
            return attempt(silence_s), silence_s
    raise AssertionError("it was never there")


@contextmanager
def service(*answers: Answer | Callable[[list[str]], Answer], tls: ssl.SSLContext | None = None) -> Iterator[Service]:
    with Service(answers, tls) as server, _serving(server):
        yield server


@contextmanager
def _serving(server: BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()


def stow_reply(status: int, stored: Sequence[str], failed: dict[str, int] | None = None, warning: int = 0) -> Answer:
    """Return an answer of PS3.18 10.5.3, in DICOM JSON (PS3.18 F)."""

    def item(uid: str, **codes: int) -> dict[str, Any]:
        more = {tag: {"vr": "US", "Value": [code]} for tag, code in codes.items()}
        return {"00081150": {"vr": "UI", "Value": [CT]}, "00081155": {"vr": "UI", "Value": [uid]}, **more}

    warned = {"00081196": warning} if warning else {}
    document = {
        "00081199": {"vr": "SQ", "Value": [item(uid, **warned) for uid in stored]},
        "00081198": {"vr": "SQ", "Value": [item(uid, **{"00081197": code}) for uid, code in (failed or {}).items()]},
    }
    return status, {"Content-Type": "application/dicom+json"}, json.dumps(document).encode()


def all_stored(found: list[str]) -> Answer:
    return stow_reply(200, found)


class Store:
    """A C-STORE SCP on loopback: what it received, over which associations."""

    def __init__(self, answer: Callable[[evt.Event, str], Any] | None = None, classes: Sequence[str] = (CT,)) -> None:
        self.received: list[str] = []
        self.associations: list[int] = []  # presentation contexts of each
        self._answer = answer
        entity = AE("THEM")
        entity.maximum_associations = 1000  # those that are over count until their threads are
        for sop_class in classes:
            entity.add_supported_context(sop_class, [ExplicitVRLittleEndian])
        entity.add_supported_context("1.2.840.10008.1.1")
        entity.add_supported_context("1.2.840.10008.1.20.1", scu_role=True, scp_role=True)
        self.entity = entity
        self.server: Any = None

    @property
    def target(self) -> str:
        return f"dicom://US@THEM:127.0.0.1:{self.server.server_address[1]}"

    def stored(self, event: evt.Event) -> Any:
        request: Any = event.request
        found = str(request.AffectedSOPInstanceUID)
        self.received.append(found)
        return 0x0000 if self._answer is None else self._answer(event, found)

    def asked(self, event: evt.Event) -> None:
        self.associations.append(len(event.assoc.requestor.requested_contexts))


@contextmanager
def store(
    answer: Callable[[evt.Event, str], Any] | None = None, classes: Sequence[str] = (CT,), more: Sequence[Any] = ()
) -> Iterator[Store]:
    found = Store(answer, classes)
    handlers = [(evt.EVT_C_STORE, found.stored), (evt.EVT_ACCEPTED, found.asked), *more]
    found.server = found.entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    try:
        yield found
    finally:
        found.server.shutdown()


class Gate(ThreadingTCPServer):
    """Is before a server on loopback; closed, from a moment on, it lets nothing through one way.

    Args:
        port: of the server.
        is_time: whether that moment has come; asked before each part that would pass.
        holds_answers: close the way back. Else the way there is closed in the middle of a part.
    """

    daemon_threads = True

    def __init__(self, port: int, is_time: Callable[[], bool], *, holds_answers: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Passage)
        self.server_port, self.holds_answers = port, holds_answers
        self.is_holding = threading.Event()
        self._is_open = threading.Event()
        self._is_time = is_time

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def open(self) -> None:
        """Let everything through from now on; what was held back is lost with its connection."""
        self._is_open.set()

    def handle_error(self, *_: object) -> None:
        """Both sides may go."""

    def pass_on(self, source: socket.socket, sink: socket.socket, *, is_held: bool) -> None:
        """Pass on what comes, until one of them goes."""
        with suppress(OSError):
            while part := source.recv(2**16):
                _acknowledge(source)
                if is_held and not self._is_open.is_set() and self._is_time():
                    sink.sendall(b"" if self.holds_answers else part[: len(part) // 2])
                    self.is_holding.set()
                    self._is_open.wait()
                    break
                sink.sendall(part)
        for each in (source, sink):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _acknowledge(held: socket.socket) -> None:
    """Acknowledge at once what came: servers whose answer is two packets wait 40 ms for it otherwise. Linux only."""
    if option := getattr(socket, "TCP_QUICKACK", None):
        held.setsockopt(socket.IPPROTO_TCP, option, 1)


class _Passage(BaseRequestHandler):
    server: Gate

    def handle(self) -> None:
        here: socket.socket = self.request
        holds_answers = self.server.holds_answers
        with socket.create_connection(("127.0.0.1", self.server.server_port)) as there:
            for each in (here, there):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(
                target=self.server.pass_on, args=(there, here), kwargs={"is_held": holds_answers}, daemon=True
            )
            back.start()
            self.server.pass_on(here, there, is_held=not holds_answers)
            back.join()


@contextmanager
def gate(port: int, is_time: Callable[[], bool], *, holds_answers: bool) -> Iterator[Gate]:
    with Gate(port, is_time, holds_answers=holds_answers) as server, _serving(server):
        try:
            yield server
        finally:
            server.open()


Act = Callable[[socket.socket], None]


class Stage(ThreadingTCPServer):
    """A server on loopback that does what a test says with each connection, until the test is over."""

    daemon_threads = True

    def __init__(self, act: Act) -> None:
        super().__init__(("127.0.0.1", 0), _Scene)
        self.act, self.held = act, []

    held: list[socket.socket]

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/dicom-web"

    def handle_error(self, *_: object) -> None:
        """Clients may go."""


class _Scene(BaseRequestHandler):
    server: Stage

    def handle(self) -> None:
        self.server.held.append(self.request)
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.act(self.request)


@contextmanager
def stage(act: Act) -> Iterator[Stage]:
    with Stage(act) as server, _serving(server):
        try:
            yield server
        finally:
            for each in server.held:
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)


def request_on(held: socket.socket) -> bytes:
    """Read an HTTP request with its body, of which the first line is returned; nothing at the end."""
    head = b""
    while b"\r\n\r\n" not in head:
        if not (part := held.recv(2**16)):
            return b""
        head += part
    head, _, body = head.partition(b"\r\n\r\n")
    sizes = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    left = int(sizes[0]) - len(body) if sizes else 0
    while left > 0 and (part := held.recv(min(left, 2**16))):
        left -= len(part)
    return head.partition(b"\r\n")[0]


def answering(search: Act | None, stored: Act | None = None) -> Act:
    """Return what answers a search and a request to store; None is an answer that finds none."""

    def act(held: socket.socket) -> None:
        while line := request_on(held):
            answer = search if line.startswith(b"GET") else stored
            if answer:
                answer(held)
            else:
                held.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nContent-Length: 2\r\n\r\n[]")

    return act
