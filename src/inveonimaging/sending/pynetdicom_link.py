"""One DICOM association through pynetdicom, with guard rails.

pynetdicom reads ahead of the network without limit, waits for ever for a peer that stops to read, leaves sockets open
that the peer has closed, and its own thread, which serves what the server asks, takes the server's answers now and
then. Here what waits to be sent is bounded, silence has an end, sockets are closed, and answers are left alone.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.pdu_primitives import P_DATA
from pynetdicom.presentation import PresentationContext

from inveonimaging.sending.result import LostError
from inveonimaging.sending.target import DicomTarget

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

    It is to pause while a request is under way, but goes on if it looks just before it is told to. What it may take is
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
