"""Associations with a DICOM server through pynetdicom, with guard rails: made, or the reason why not.

pynetdicom 3.0 reads ahead of the network without limit, waits for ever for a peer that stops to read, leaves sockets
open that the peer has closed, and its own thread, which serves what the server asks, takes the server's answers now and
then. Here what waits to be sent is bounded, silence has an end, sockets are closed, and answers are left alone. It
reports failures in logs only, so a connection that fails is tried once more by hand, to learn why.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import PresentationContext, build_context

from inveonimaging.errors import TargetError
from inveonimaging.sending.result import LostError
from inveonimaging.sending.target import DicomTarget
from inveonimaging.sending.tls import why

VERIFICATION = UID("1.2.840.10008.1.1")  # PS3.4 A.4
MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd numbers from 1 to 255
_TRANSIENT = 2  # PS3.8 9.3.4
_WAITING = 64  # PDUs that wait to be sent, of 16 KiB most often
_TICK_S = 1.0
OVER = "broke off the connection"

Handlers = Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class Server:
    """A DICOM server and how it is reached.

    Attributes:
        target: its address and the AE titles.
        tls: what encrypts, and the name that the server's certificate must have; None for no encryption.
        timeout_s: how long it may be silent.
    """

    target: DicomTarget
    tls: tuple[ssl.SSLContext, str] | None
    timeout_s: float


class Link:
    """An association that was requested; `is_established` says whether it was made and still is.

    Args:
        server: to be reached.
        contexts: presentation contexts.
        handlers: for what the server asks.

    Raises:
        OSError: the server cannot be reached.
    """

    def __init__(self, server: Server, contexts: Sequence[PresentationContext], handlers: Handlers = ()) -> None:
        self._sockets: list[socket.socket] = []
        target = server.target
        entity = AE(target.calling)
        entity.acse_timeout = entity.dimse_timeout = entity.connection_timeout = server.timeout_s
        entity.network_timeout = None  # of idle associations
        self.association: Association = entity.associate(
            target.host,
            target.port,
            list(contexts),
            target.called,
            tls_args=server.tls,
            evt_handlers=[*handlers, (evt.EVT_CONN_OPEN, self._opened), (evt.EVT_PDU_SENT, _acknowledge)],
        )
        if self.association.is_established:
            outbox = _Outbox(self.association, server.timeout_s)  # nothing is under way yet
            self.association.dul.to_provider_queue = outbox
            self.association.bind(evt.EVT_CONN_CLOSE, outbox.close)
            _leave_answers(self.association)

    @property
    def is_established(self) -> bool:
        """Whether it was made, and is not over."""
        return bool(self.association.is_established)

    def end(self) -> None:
        """Release it if it is established and nothing is under way, else abort it."""
        with contextlib.suppress(Exception):  # whatever is left of it
            if self.association.is_established and not self.association.dul.to_provider_queue.qsize():
                self.association.release()
        self.drop()

    def drop(self) -> None:
        """End it at once, and its threads, also if the server has stopped to read."""
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(Exception):
            if self.association.dul.is_alive() and not self.association.is_released:
                self.association.abort()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.close()

    def _opened(self, event: evt.Event) -> None:
        """Keep the socket, and send small packets at once: a request ends with one."""
        held = event.assoc.dul.socket
        if held is not None and held.socket is not None:
            self._sockets.append(held.socket)
            held.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class _Outbox(queue.Queue[Any]):
    """What waits to be sent: a few PDUs of data, and none once the connection is over."""

    def __init__(self, association: Association, silence_s: float) -> None:
        super().__init__()
        self._association, self._silence_s, self._is_over = association, silence_s, False

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        if isinstance(item, P_DATA):
            self._wait_for_room()
        super().put(item, block, timeout)

    def close(self, _event: object = None) -> None:
        """Let nobody wait any longer."""
        with self.not_full:
            self._is_over = True
            self.not_full.notify_all()

    def _wait_for_room(self) -> None:
        silent_s = 0.0
        with self.not_full:
            while len(self.queue) >= _WAITING and not self._is_over:
                silent_s = 0.0 if self.not_full.wait(_TICK_S) else silent_s + _TICK_S
                if silent_s >= self._silence_s:
                    raise LostError(f"took no data for {self._silence_s:g} s")
                self._is_over = self._is_over or not self._association.dul.is_alive()
            if self._is_over:
                raise LostError(OVER)


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Say so if an association is over just when something is asked; LostError."""
    try:
        yield
    except RuntimeError as error:  # pynetdicom's
        raise LostError(OVER, while_connecting=True) from error


def _leave_answers(association: Association) -> None:
    """Leave answers to the one who asked: pynetdicom's own thread takes one now and then, and drops it.

    It is to pause while a request is under way, but goes on if it looks just before it is paused. What it may take is
    a request of the server's.
    """
    dimse = association.dimse
    take = dimse.get_msg

    def get_msg(block: bool = False) -> Any:
        message = dimse.peek_msg()[1]
        if block or (message is not None and message.is_valid_request):
            return take(block)
        return None, None

    dimse.get_msg = get_msg  # type: ignore[method-assign]


def _acknowledge(event: evt.Event) -> None:
    """Acknowledge at once what comes: servers whose answer is two packets wait 40 ms for it otherwise. Linux only."""
    option = getattr(socket, "TCP_QUICKACK", None)
    held = event.assoc.dul.socket
    if option is not None and held is not None and held.socket is not None:
        with contextlib.suppress(OSError):
            held.socket.setsockopt(socket.IPPROTO_TCP, option, 1)


# Made, or why not.


def connect(server: Server, contexts: Sequence[PresentationContext], handlers: Handlers = ()) -> Link:
    """Make an association; it may be one in which the server accepted none of the contexts, and which is over.

    Raises:
        TargetError: the server does not want it; there is no use in trying again.
        LostError: it is not there, or not ready.
    """
    try:
        link = Link(server, contexts, handlers)
    except OSError as error:
        raise LostError(_why_not(server) or str(error), while_connecting=True) from error
    if link.is_established:
        return link
    link.end()
    answer = link.association.acceptor.primitive
    if link.association.is_rejected and answer is not None:
        reason = _rejection(server.target, int(answer.result_source or 0), int(answer.diagnostic or 0))
        if answer.result == _TRANSIENT:
            raise LostError(reason, while_connecting=True)
        raise TargetError(reason, path=str(server.target))
    if answer is None or answer.result != 0:
        missing = "a certificate of this side (--tls-cert, --tls-key)" if server.tls else "TLS (--tls)"
        silent = f"ended the connection without an answer; is it a DICOM port, and does it want {missing}?"
        raise LostError(_why_not(server) or silent, while_connecting=True)
    return link


def echo(server: Server) -> None:
    """Ask the server whether it is there (C-ECHO); as `connect`."""
    link = connect(server, [build_context(VERIFICATION)])
    if not link.is_established:
        return  # it is there, but answers no C-ECHO
    try:
        with asking():
            status = link.association.send_c_echo()
        if "Status" not in status:
            raise LostError("did not answer C-ECHO", while_connecting=True)
        if status.Status:
            raise TargetError(f"answered C-ECHO with status {status.Status:04X}", path=str(server.target))
    finally:
        link.end()


def _rejection(target: DicomTarget, source: int, diagnostic: int) -> str:
    """Return what a rejection means (PS3.8 9.3.4)."""
    reasons = {
        (1, 3): f"does not know the calling AE title {target.calling}; let its administrator enter it, or give another",
        (1, 7): f"is not called {target.called}; give the AE title by which it is configured",
        (3, 1): "is too busy now",
        (3, 2): "has too many connections now",
    }
    unknown = f"rejected the association (source {source}, reason {diagnostic}); ask its administrator"
    return reasons.get((source, diagnostic), unknown)


def _why_not(server: Server) -> str:
    """Return why no connection comes about, or nothing if one does."""
    name = server.tls[1] if server.tls else ""
    try:
        with socket.create_connection((server.target.host, server.target.port), server.timeout_s) as plain:
            if server.tls:
                server.tls[0].wrap_socket(plain, server_hostname=name).close()
    except ssl.SSLError as error:
        return why(error, name)
    except OSError as error:
        return _no_connection(error, server.timeout_s, is_encrypted=server.tls is not None)
    return ""


def _no_connection(error: OSError, timeout_s: float, *, is_encrypted: bool) -> str:
    """Return why a server cannot be reached, and what to do."""
    if isinstance(error, socket.gaierror):
        return "no such host; is its name right?"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there; are host and port right, and does the server run?"
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s; are host and port right, and does a firewall let it through?"
    if isinstance(error, ConnectionResetError):
        return f"ended the connection at once; {'does it speak TLS?' if is_encrypted else 'does it want TLS (--tls)?'}"
    return f"cannot be reached: {error.strerror or error}"
