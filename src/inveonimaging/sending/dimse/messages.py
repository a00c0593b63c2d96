"""DIMSE messages (PS3.7 6.3) over an association: commands as plain values, data sets as bytes.

A response counts only if it is the one to what was asked: of its command, message ID and presentation context, and, if
it names them, of its SOP class and instance.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import count
from typing import BinaryIO

from inveonimaging.sending.deadline import Deadline, of_answer, of_data
from inveonimaging.sending.dimse.wire import OVER, STRANGE, Kind, Wire
from inveonimaging.sending.result import LostError

_LONGEST_MESSAGE = 2**19  # bytes; a commitment on 1000 instances has less than 200 KB
_LARGEST_PDU = 2**17
_OVERHEAD = 6  # bytes of a fragment's length, context and control header
_IS_COMMAND, _IS_LAST = 1, 2
_RESPONSE = 0x8000
_NO_DATA = 0x0101
_LAST_ID = 65535
_ELEMENT = struct.Struct("<HHL")  # PS3.7 6.3.1: Implicit VR Little Endian
_FRAGMENT = struct.Struct(">LBB")


class Tag(IntEnum):
    """Elements of group 0000 (PS3.7 E.1)."""

    AFFECTED_CLASS = 0x0002
    REQUESTED_CLASS = 0x0003
    FIELD = 0x0100
    MESSAGE_ID = 0x0110
    RESPONDED_ID = 0x0120
    PRIORITY = 0x0700
    DATA_SET_TYPE = 0x0800
    STATUS = 0x0900
    COMMENT = 0x0902
    AFFECTED_INSTANCE = 0x1000
    REQUESTED_INSTANCE = 0x1001
    EVENT_TYPE = 0x1002
    ACTION_TYPE = 0x1008


class Field(IntEnum):
    """Commands (PS3.7 E.1)."""

    C_STORE = 0x0001
    C_ECHO = 0x0030
    N_EVENT_REPORT = 0x0100
    N_ACTION = 0x0130


@dataclass(frozen=True)
class Message:
    """A message that came.

    Attributes:
        context: ID of its presentation context.
        syntax: transfer syntax of that.
        elements: of the command set, by element number; their bytes.
        data: the data set's bytes.
    """

    context: int
    syntax: str
    elements: Mapping[int, bytes]
    data: bytes = b""

    def number(self, tag: Tag) -> int | None:
        """Return an unsigned short; None if there is none."""
        value = self.elements.get(tag, b"")
        return int.from_bytes(value, "little") if len(value) == 2 else None  # noqa: PLR2004 - US

    def text(self, tag: Tag) -> str:
        """Return text, as a server may send it: untrusted."""
        return self.elements.get(tag, b"").decode("ascii", "replace").strip(" \0")


Elements = Mapping[Tag, int | str]
"""A command set that is sent: unsigned shorts and UIDs."""

Serve = Callable[[Message], int]
"""What answers a request of the other side: message -> status."""


def refuse(_message: Message) -> int:
    """Answer that there is no such operation (PS3.7 C.5.25)."""
    return 0x0211


class Association:
    """An association that was made.

    Args:
        wire: its connection.
        accepted: abstract and transfer syntax of each presentation context that both sides take.
        longest_pdu: bytes that the other side takes at a time; 0 for any number.
        timeout_s: how long an answer may take.
        serve: what answers the other side's requests.
    """

    def __init__(
        self, wire: Wire, accepted: Mapping[int, tuple[str, str]], longest_pdu: int, timeout_s: float, serve: Serve
    ) -> None:
        self.wire, self.accepted = wire, accepted
        self._timeout_s, self._serve = timeout_s, serve
        largest = min(longest_pdu or _LARGEST_PDU, _LARGEST_PDU)
        self._fragment = (largest - _OVERHEAD) // 2 * 2  # PS3.8 E.2: of even length
        self._ids = count(1)
        if self._fragment <= 0:
            raise LostError(f"takes {longest_pdu} bytes at a time only", is_lasting=True)

    def context_of(self, abstract: str, transfer: str | None = None) -> int | None:
        """Return the presentation context of an abstract syntax, in a transfer syntax or in any."""
        found = (number for number, pair in self.accepted.items() if pair == (abstract, transfer or pair[1]))
        return next(found, None)

    def ask(
        self, context: int, field: Field, elements: Elements, data: BinaryIO | None = None, size: int = 0
    ) -> Message:
        """Send a request and return the response to it; requests that come before it are answered.

        Args:
            context: ID of a presentation context.
            field: what is asked.
            elements: of the command, without those that each has.
            data: the data set, encoded; it is read part by part.
            size: of it, in bytes.

        Raises:
            LostError: the server is lost, or answers something else.
            OSError: the data cannot be read. Some of it may be sent.
        """
        number = next(self._ids) % _LAST_ID + 1
        more = {Tag.FIELD: field, Tag.MESSAGE_ID: number, Tag.DATA_SET_TYPE: _NO_DATA if data is None else 0}
        self._send(context, {**elements, **more}, _parts(data, size, self._fragment) if data else (), size)
        deadline = of_answer(self._timeout_s)
        while True:
            message = self.next(deadline)
            if message.number(Tag.FIELD) == field | _RESPONSE:
                self._refuse_other(message, context, number, elements)
                return message
            self.answer(message)

    def _refuse_other(self, message: Message, context: int, number: int, elements: Elements) -> None:
        """Raise LostError for a response that is not one to a request."""
        asked = {elements.get(Tag.AFFECTED_CLASS) or elements.get(Tag.REQUESTED_CLASS)}
        instance = {elements.get(Tag.AFFECTED_INSTANCE) or elements.get(Tag.REQUESTED_INSTANCE)}
        is_ours = (
            (message.context, message.number(Tag.RESPONDED_ID)) == (context, number)
            and message.text(Tag.AFFECTED_CLASS) in asked | {""}
            and message.text(Tag.AFFECTED_INSTANCE) in instance | {""}
        )
        if not is_ours:
            raise LostError("answered something else than what it was asked")
        if message.number(Tag.STATUS) is None:
            raise LostError("answered without a status that can be read")

    def answer(self, message: Message) -> None:
        """Answer a request of the other side; LostError if it is none."""
        field, number = message.number(Tag.FIELD), message.number(Tag.MESSAGE_ID)
        if field is None or number is None or field & _RESPONSE:
            raise LostError("answered something else than what it was asked")
        named = {
            tag: message.text(tag) for tag in (Tag.AFFECTED_CLASS, Tag.AFFECTED_INSTANCE) if tag in message.elements
        }
        fixed = {Tag.FIELD: field | _RESPONSE, Tag.RESPONDED_ID: number, Tag.DATA_SET_TYPE: _NO_DATA}
        self._send(message.context, {**named, **fixed, Tag.STATUS: self._serve(message)}, (), 0)

    def _send(self, context: int, elements: Elements, data: Iterable[bytes], size: int) -> None:
        whole = of_data(self._timeout_s, size)
        command = encoded(elements)
        parts = [command[at : at + self._fragment] for at in range(0, len(command), self._fragment)]
        for kind, content in ((_IS_COMMAND, iter(parts)), (0, iter(data))):
            part = next(content, None)
            while part is not None:
                following = next(content, None)
                control = kind | (_IS_LAST if following is None else 0)
                self.wire.send(Kind.DATA, _FRAGMENT.pack(len(part) + 2, context, control) + part, whole)
                part = following

    def next(self, deadline: Deadline) -> Message:
        """Return the next message.

        Raises:
            LostError: there is none in time, or none that can be read.
        """
        command, data = bytearray(), bytearray()
        message: Message | None = None
        while True:
            for context, control, fragment in self._fragments(deadline):
                is_command = bool(control & _IS_COMMAND)
                if is_command is not (message is None) or (message and message.context != context):
                    raise LostError(STRANGE)
                (command if is_command else data).extend(fragment)
                if len(command) + len(data) > _LONGEST_MESSAGE:
                    raise LostError("answered without an end")
                if not control & _IS_LAST:
                    continue
                if message is None:
                    message = Message(context, self.accepted[context][1], decoded(bytes(command)))
                if not is_command or message.number(Tag.DATA_SET_TYPE) == _NO_DATA:
                    return replace(message, data=bytes(data))

    def _fragments(self, deadline: Deadline) -> Iterator[tuple[int, int, bytes]]:
        """Yield context, control header and content of each fragment of the next unit (PS3.8 9.3.5.1)."""
        kind, body = self.wire.read(deadline)
        if kind is Kind.RELEASE:
            self.wire.send(Kind.RELEASED, bytes(4), deadline)
            raise LostError(OVER)
        if kind is not Kind.DATA:
            raise LostError(STRANGE)
        at = 0
        while at < len(body):
            if len(body) - at < _FRAGMENT.size:
                raise LostError(STRANGE)
            length, context, control = _FRAGMENT.unpack_from(body, at)
            end = at + 4 + length
            if length < 2 or end > len(body) or context not in self.accepted:  # noqa: PLR2004 - context and control
                raise LostError(STRANGE)
            yield context, control, body[at + _FRAGMENT.size : end]
            at = end

    def end(self) -> None:
        """Release it."""
        self.wire.release()

    def drop(self) -> None:
        """Abort it."""
        self.wire.abort()


def _parts(data: BinaryIO, size: int, step: int) -> Iterator[bytes]:
    """Yield content in parts of a size; OSError if there is less of it than there was."""
    for left in range(size, 0, -step):
        part = data.read(min(step, left))
        if len(part) < min(step, left):
            raise OSError("became shorter while it was sent")
        yield part


def encoded(elements: Elements) -> bytes:
    """Return a command set in bytes: unsigned shorts and UIDs."""
    body = bytearray()
    for tag, value in sorted(elements.items()):
        content = value.to_bytes(2, "little") if isinstance(value, int) else value.encode("ascii", "replace")
        content += b"\0" * (len(content) % 2)
        body += _ELEMENT.pack(0, tag, len(content)) + content
    return _ELEMENT.pack(0, 0, 4) + len(body).to_bytes(4, "little") + bytes(body)


def decoded(content: bytes) -> dict[int, bytes]:
    """Return the elements of a command set; LostError if it is none."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(content):
        if len(content) - at < _ELEMENT.size:
            raise LostError(STRANGE)
        group, element, length = _ELEMENT.unpack_from(content, at)
        at += _ELEMENT.size
        if group or element in found or length > len(content) - at:
            raise LostError(STRANGE)
        found[element] = content[at : at + length]
        at += length
    return found
