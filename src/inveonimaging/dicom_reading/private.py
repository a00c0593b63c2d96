"""Private blocks of DICOM: that of the vendor's workstation, group 0079, creator SMIL_PB79, one of GE, and our own.

The workstation's elements repeat keys of the Inveon header as text. Which element is which key was found by comparing
exports of a CT and of a PET with what is known of their headers. Element 04 (3 in a dynamic PET, absent from a CT) is
not settled.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, PrivateBlock
from pydicom.tag import BaseTag

from inveonimaging.dicom_reading.opening import opened
from inveonimaging.errors import InputError, printable
from inveonimaging.inveon.hdr.lexer import decode, encode

CREATOR = "SMIL_PB79"
GROUP = 0x0079
KEYS = {  # element in the block: key of the header
    0x02: "bed_motion",
    0x06: "injection_decay_correction",
    0x07: "isotope",
    0x09: "rebinning_type",
    0x0A: "rebinning_version",
    0x0B: "recon_algorithm",
    0x0C: "recon_version",
    0x0D: "injected_compound",
    0x11: "version",
    0x13: "x_offset",
    0x14: "y_offset",
    0x15: "zoom",
    0x17: "subject_orientation",
}


WORKSTATION = "workstation"
"""In the place of a keyword: the text of each known element by the header's key, if the workstation wrote the file."""

GE_SCAN_TIME = "ge scan time"
"""In the place of a keyword: the DateTime when a PET scan started, which GE keeps to itself."""

HAS_HEADER = "original header"
"""In the place of a keyword: true if the file carries the header that it was made from, see `original_header`."""

_HEADER_BLOCK = (0x0099, "INVEONIMAGING HEADER 1")
_TEXT, _NAME, _ENCODING, _LENGTH, _BYTES, _FRAMES, _READ = range(1, 8)
_MOST_FRAMES = 65_536
_PADDING = (b"", b" ", b"\0")

_GE_BLOCK = (0x0009, "GEMS_PETD_01")
_GE_ELEMENT = 0x0D
_GROUPS = frozenset((GROUP, _GE_BLOCK[0], _HEADER_BLOCK[0]))


class OriginalHeader(NamedTuple):
    """The header that a series was made from.

    Attributes:
        data: the bytes of its file.
        name: of its file; nothing is known of what is in it.
        frames: which of its frame blocks the series holds, in the order of the series; None for all of them.
        read: what counted instead of it, as options are typed: `flip z`.
    """

    data: bytes
    name: str
    frames: tuple[int, ...] | None
    read: tuple[str, ...]


def private_values(dataset: Dataset) -> dict[str, Any]:
    """Return what is known of private blocks."""
    values: dict[str, Any] = {}
    if not any(tag >> 16 in _GROUPS for tag in dataset.keys()):  # noqa: SIM118 - a Dataset iterates over its elements
        return values  # of most files; to look for a block takes as long as to read the others
    with suppress(KeyError):
        block = dataset.private_block(GROUP, CREATOR)
        texts = {key: _text(dataset, block.get_tag(element)) for element, key in KEYS.items() if element in block}
        values[WORKSTATION] = {key: text for key, text in texts.items() if text}
    with suppress(KeyError):
        values[HAS_HEADER] = _LENGTH in dataset.private_block(*_HEADER_BLOCK)
    with suppress(KeyError):
        values[GE_SCAN_TIME] = _text(dataset, dataset.private_block(*_GE_BLOCK)[_GE_ELEMENT].tag)
    return values


def _text(dataset: Dataset, tag: BaseTag) -> str:
    """Return an element's value as text, as it is in the file, whatever its VR says."""
    value = _as_it_is(dataset, tag)
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value or "")
    return text.strip("\0 ")


def original_header(path: Path) -> OriginalHeader:
    """Return the header that a file carries, byte for byte.

    An odd length is padded: the stated length shows it. Programs that do not know the elements may have stored them
    without their VR.

    Raises:
        InputError: it carries none, or what it carries is not as long as it says, or is senseless.
    """
    with opened(path, is_whole=True) as file:
        dataset = file.header
        try:
            block = dataset.private_block(*_HEADER_BLOCK)
            length = _unsigned(dataset, block.get_tag(_LENGTH))
        except KeyError as error:
            raise InputError("has no Inveon header", path=path) from error
        charset = convert_encodings(dataset.get("SpecificCharacterSet") or "ISO_IR 6")
        texts = {n: _decoded(dataset, block, n, charset) for n in (_TEXT, _NAME, _ENCODING, _FRAMES, _READ)}
        data = _bytes(dataset, block.get_tag(_BYTES)) if _BYTES in block else _spelled(texts, path)
        if len(data) < length or data[length:] not in _PADDING:
            raise InputError(f"its Inveon header has {len(data)} bytes", path=path, expected=f"{length}, as it says")
        frames = _numbers(texts[_FRAMES], path) if _FRAMES in block else None
        read = tuple(each.strip() for each in texts[_READ].split("\\") if each.strip())
        return OriginalHeader(data[:length], texts[_NAME], frames, read)


def _spelled(texts: dict[int, str], path: Path) -> bytes:
    """Return the text of a header as the bytes that it was read from."""
    try:
        data = encode(texts[_TEXT], texts[_ENCODING])
        if decode(data)[0] == texts[_TEXT]:
            return data
    except (UnicodeEncodeError, LookupError):
        pass
    raise InputError(f"its Inveon header is no text in '{printable(texts[_ENCODING])}'", path=path)


def _decoded(dataset: Dataset, block: PrivateBlock, element: int, charset: list[str]) -> str:
    """Return an element's text, of whatever VR; empty if it is not there."""
    if element not in block:
        return ""
    value = _as_it_is(dataset, block.get_tag(element))
    text = decode_bytes(value, charset, set()) if isinstance(value, bytes) else str(value or "")
    return text.rstrip("\0 ")


def _bytes(dataset: Dataset, tag: BaseTag) -> bytes:
    value = _as_it_is(dataset, tag)
    return value if isinstance(value, bytes) else b""


def _as_it_is(dataset: Dataset, tag: BaseTag) -> Any:
    """Return an element's bytes, as they are in the file; the value of one that was so large that it was read later."""
    raw: object = dataset.get_item(tag)
    return raw.value if isinstance(raw, RawDataElement) else dataset[tag].value


def _unsigned(dataset: Dataset, tag: BaseTag) -> int:
    raw: object = dataset.get_item(tag)
    is_little = not isinstance(raw, RawDataElement) or raw.is_little_endian
    return int.from_bytes(_bytes(dataset, tag), "little" if is_little else "big")


def _numbers(text: str, path: Path) -> tuple[int, ...]:
    """Return the numbers that `0-3,8` names."""
    numbers: list[int] = []
    try:
        for run in text.split(","):
            first, _, last = run.partition("-")
            numbers += range(int(first), min(int(last or first), _MOST_FRAMES) + 1)
            if len(numbers) > _MOST_FRAMES:
                break
    except ValueError:
        numbers = []
    if not 0 < len(numbers) <= _MOST_FRAMES:
        raise InputError(f"names the frame blocks '{printable(text)}'", path=path, expected="numbers, as 0-3,8")
    return tuple(numbers)
