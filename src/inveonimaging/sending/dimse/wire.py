"""Protocol data units (PS3.8 9.3) over a connection: each whole, not too long and in time, or the server is lost."""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import struct
from enum import IntEnum

from inveonimaging.sending.deadline import Deadline
from inveonimaging.sending.result import LostError

LONGEST_PDU = 16382  # bytes that this side says it takes
OVER = "broke off the connection"
STRANGE = "answers in a form that is not DICOM"
_LONGEST = 2**16  # that it really takes: some servers do not keep to the other
_HEAD = struct.Struct(">BxL")
_GOODBYE_S = 1.0


class Kind(IntEnum):
    """Kinds of units (PS3.8 9.3.1)."""

    REQUEST = 1
    ACCEPT = 2
    REJECT = 3
    DATA = 4
    RELEASE = 5
    RELEASED = 6
    ABORT = 7


class Wire:
    """Units over a connection.

    Args:
        connection: connected, and encrypted if it is to be.
        timeout_s: how long the other side may take nothing of a unit.
    """

    def __init__(self, connection: socket.socket, timeout_s: float) -> None:
        self._socket, self._timeout_s = connection, timeout_s
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # a request ends with a small packet

    @property
    def is_quiet(self) -> bool:
        """Whether nothing has come; between requests that would be the end of the association."""
        if isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
            return False
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return not selector.select(0)

    def send(self, kind: Kind, body: bytes, whole: Deadline) -> None:
        """Send a unit.

        Args:
            kind: of it.
            body: what follows its length.
            whole: until when all must be sent that it is part of.

        Raises:
            LostError: the other side is gone, or does not take it in time.
        """
        left = memoryview(_HEAD.pack(kind, len(body)) + body)
        silence = Deadline(self._timeout_s, f"took no data for {self._timeout_s:g} s")
        while left:
            self._socket.settimeout(min(whole.left_s(), silence.left_s()))
            try:
                left = left[self._socket.send(left) :]
            except TimeoutError:
                continue  # a deadline says so
            except OSError as error:
                raise LostError(OVER) from error

    def read(self, deadline: Deadline) -> tuple[Kind, bytes]:
        """Return the next unit, and what follows its length.

        Raises:
            LostError: the other side is gone, ends the association, is late, or sends what is no such unit.
        """
        number, length = _HEAD.unpack(self._exactly(_HEAD.size, deadline))
        try:
            kind = Kind(number)
        except ValueError as error:
            raise LostError(STRANGE) from error
        if length > _LONGEST:
            raise LostError(f"sends {length} bytes at a time, where {LONGEST_PDU} are agreed")
        body = self._exactly(length, deadline)
        if kind is Kind.ABORT:
            raise LostError(OVER)
        return kind, body

    def _exactly(self, size: int, deadline: Deadline) -> bytes:
        content = bytearray()
        while len(content) < size:
            self._acknowledge()
            self._socket.settimeout(deadline.left_s())
            try:
                part = self._socket.recv(size - len(content))
            except TimeoutError:
                continue  # the deadline says so
            except OSError as error:
                raise LostError(OVER) from error
            if not part:
                raise LostError(OVER)
            content += part
        return bytes(content)

    def _acknowledge(self) -> None:
        """Acknowledge at once what comes: servers whose answer is two packets wait 40 ms for it otherwise. Linux."""
        if option := getattr(socket, "TCP_QUICKACK", None):
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.IPPROTO_TCP, option, 1)

    def release(self) -> None:
        """End the association as both sides should, without waiting long, and close the connection."""
        with contextlib.suppress(LostError):
            soon = Deadline(_GOODBYE_S, OVER)
            self.send(Kind.RELEASE, bytes(4), soon)
            while self.read(soon)[0] is not Kind.RELEASED:
                pass
        self.close()

    def abort(self) -> None:
        """End the association at once, and close the connection."""
        with contextlib.suppress(OSError):
            self._socket.settimeout(0)
            self._socket.send(_HEAD.pack(Kind.ABORT, 4) + bytes(4))
        self.close()

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self._socket.close()
