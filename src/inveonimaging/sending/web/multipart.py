"""The body of a STOW-RS request (PS3.18 10.5): files as they are, one part each, read while they are sent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from inveonimaging.sending.deadline import Deadline
from inveonimaging.sending.result import Item

_STEP = 2**18


class UnreadableError(Exception):
    """A file could not be read to its end. No OSError: that would be taken for the network's."""

    def __init__(self, item: Item, reason: str) -> None:
        self.item, self.reason = item, reason
        super().__init__(f"{item.path}: {reason}")


class Multipart:
    """A body of known length, which can be sent again.

    Args:
        items: the files.
        boundary: the text between parts, found in none of them.
        deadline: until when all must be taken.
    """

    def __init__(self, items: Sequence[Item], boundary: str, deadline: Deadline) -> None:
        self._items, self._deadline = items, deadline
        self._head = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
        self._end = f"--{boundary}--\r\n".encode()
        self.content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'

    def __len__(self) -> int:
        return sum(len(self._head) + item.size + 2 for item in self._items) + len(self._end)

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes.

        Raises:
            UnreadableError: a file cannot be read, or became shorter.
            LostError: the server takes them too slowly.
        """
        for item in self._items:
            yield self._head
            for part in _content(item):
                self._deadline.left_s()
                yield part
            yield b"\r\n"
        yield self._end


def _content(item: Item) -> Iterator[bytes]:
    left = item.size
    try:
        with item.path.open("rb") as file:
            while left:
                part = file.read(min(_STEP, left))
                if not part:
                    raise UnreadableError(item, "became shorter while it was sent")
                left -= len(part)
                yield part
    except OSError as error:
        raise UnreadableError(item, f"cannot be read: {error.strerror or error}") from error
