"""The data file: types, byte order, offsets, and files that are not what the header says."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from helpers import header_text
from inveonimaging.errors import DataError, HeaderError, OptionError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import parse
from inveonimaging.inveon.hdr.enums import Modality, Orientation
from inveonimaging.inveon.voxels import Voxels, voxels_of
from inveonimaging.study.image import LARGEST_HEADER, read

SHAPE = (2, 3, 4)  # z, y, x of the header in helpers.py
COUNT = 24
FRAME_BYTES = 2 * COUNT  # int16
INTEGERS = [n * 5 - 60 for n in range(COUNT)]
FLOATS = [n * 0.5 - 6.0 for n in range(COUNT)]
LIMITS = {"b": (-128, 127), "h": (-32768, 32767), "i": (-(1 << 31), (1 << 31) - 1), "f": (-1e30, 1.5e-40)}


def open_frames(
    path: Path, frames: Sequence[Mapping[str, str | None]], main: Mapping[str, str | None] | None = None
) -> Voxels:
    """Return the voxels of a file, which fits its header to the byte."""
    voxels, findings = voxels_of(path, parse(header_text(main, frames).encode())[0])
    assert findings == ()
    return voxels


def findings_of(path: Path, frames: Sequence[Mapping[str, str | None]] = ({},)) -> tuple[Finding, ...]:
    """Return problems in a file's size or place."""
    return voxels_of(path, parse(header_text(frames=frames).encode())[0])[1]


def refusal(
    path: Path, frames: Sequence[Mapping[str, str | None]] = ({},), main: Mapping[str, str | None] | None = None
) -> str:
    """Return the sentence of the error that reading a file's voxels ends in."""
    with pytest.raises((HeaderError, DataError)) as caught:
        voxels_of(path, parse(header_text(main, frames).encode())[0])
    return str(caught.value)


def at(*offsets: int | str) -> list[dict[str, str | None]]:
    """Return frames that start at these offsets."""
    return [{"data_file_pointer": str(offset)} for offset in offsets]


def ramp(start: int) -> list[int]:
    """Return the values of a frame, counted up from a start."""
    return list(range(start, start + COUNT))


def packed(values: Sequence[float], code: str = "<h") -> bytes:
    """Return values as they stand in a file."""
    return b"".join(struct.pack(code, value) for value in values)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the data file is to be."""
    return tmp_path / "mouse.img"


@pytest.mark.parametrize(
    ("code", "fmt"), [("1", "<b"), ("2", "<h"), ("3", "<i"), ("4", "<f"), ("5", ">f"), ("6", ">h"), ("7", ">i")]
)
def test_types_and_byte_order(path: Path, code: str, fmt: str) -> None:
    values = [*(FLOATS if fmt[1] == "f" else INTEGERS)[:-2], *LIMITS[fmt[1]]]
    path.write_bytes(packed(values, fmt) + packed(values[::-1], fmt))
    size = struct.calcsize(fmt) * COUNT
    voxels = open_frames(path, at(0, size), {"data_type": code})
    assert (voxels.shape, voxels.frame_bytes, voxels.offsets) == (SHAPE, size, (0, size))
    first, second = voxels.frame(0), voxels.frame(1)
    assert first.shape == second.shape == SHAPE
    expected = [struct.unpack(fmt, struct.pack(fmt, value))[0] for value in values]
    assert first.ravel().tolist() == expected
    assert second.ravel().tolist() == expected[::-1]


def test_x_is_fastest_then_y_then_z(path: Path) -> None:
    path.write_bytes(packed([100 * z + 10 * y + x for z in range(2) for y in range(3) for x in range(4)]))
    frame = open_frames(path, at(0)).frame(0)
    assert [frame[0, 0, 3], frame[0, 2, 0], frame[1, 0, 0], frame[1, 2, 3]] == [3, 20, 100, 123]


@pytest.mark.parametrize("code", [None, "", "0", "8", "9", "-1", "float"])
def test_unknown_type(path: Path, code: str | None) -> None:
    path.write_bytes(bytes(FRAME_BYTES))
    found = f"'{code}'" if code else "missing" if code is None else "empty"
    assert refusal(path, main={"data_type": code}).endswith(f"data_type is {found}, expected 1 to 7")


@pytest.mark.parametrize("key", ["x_dimension", "y_dimension", "z_dimension"])
@pytest.mark.parametrize("size", [None, "0", "-4", "many"])
def test_senseless_size(path: Path, key: str, size: str | None) -> None:
    path.write_bytes(b"")
    assert "expected 1 to 65535" in refusal(path, main={key: size})


def test_frames_are_mapped_and_read_only(path: Path) -> None:
    path.write_bytes(packed(ramp(0)))
    frame = open_frames(path, at(0)).frame(0)
    assert isinstance(frame, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        frame[0, 0, 0] = 1


@pytest.mark.parametrize("offset", [1, 7, 512, 4096, 4097, 65537])
@pytest.mark.parametrize(("code", "fmt"), [("2", "<h"), ("5", ">f")])
def test_offsets_need_no_alignment(path: Path, code: str, fmt: str, offset: int) -> None:
    path.write_bytes(b"\xff" * offset + packed(ramp(5), fmt))
    assert open_frames(path, at(offset), {"data_type": code}).frame(0).ravel().tolist() == ramp(5)


def test_gaps_and_any_order(path: Path) -> None:
    gap = b"\x7f" * 13
    path.write_bytes(gap + packed(ramp(100)) + gap + packed(ramp(200)) + gap + gap + packed(ramp(300)))
    one, two, three = 13, 26 + FRAME_BYTES, 52 + 2 * FRAME_BYTES
    voxels = open_frames(path, at(two, f"0 {three}", one))
    assert [voxels.frame(n).ravel().tolist() for n in range(3)] == [ramp(200), ramp(300), ramp(100)]


def test_a_gap_at_the_end_is_an_error_finding(path: Path) -> None:
    path.write_bytes(packed(ramp(0)) + b"x")
    (found,) = findings_of(path)
    assert (found.code, found.severity, found.path) == ("data-too-long", Severity.ERROR, str(path))
    assert found.message.startswith("the file has 49 bytes, expected 48 for 1 frames of 4 x 3 x 2 int16")


def sparse(path: Path, offset: int, data: bytes) -> None:
    """Write data far into a file that takes no room before it; skip where files cannot be so."""
    try:
        with path.open("wb") as file:
            file.truncate(1 << 24)
            if path.stat().st_blocks * 512 > 1 << 20:
                pytest.skip("the file system has no sparse files")
            file.seek(offset)
            file.write(data)
    except OSError as error:
        pytest.skip(f"no file of {offset} bytes: {error}")


@pytest.mark.parametrize(
    ("pointer", "offset"),
    [
        ("0 -2147483648", 0x80000000),
        ("0 -2", 0xFFFFFFFE),
        ("1 6", 0x100000006),
        ("4294967302", 0x100000006),
        ("1 -2147483646", 0x180000002),
        ("1 2147483650", 0x180000002),
    ],
)
def test_offsets_beyond_2_and_4_gib(path: Path, pointer: str, offset: int) -> None:
    sparse(path, offset, packed(ramp(7)))
    voxels = open_frames(path, at("0 0", pointer))
    assert voxels.offsets == (0, offset)
    assert voxels.frame(0).ravel().tolist() == [0] * COUNT
    assert voxels.frame(1).ravel().tolist() == ramp(7)


@pytest.mark.parametrize("count", [1, 3])
def test_without_pointers_frames_fill_the_file(path: Path, count: int) -> None:
    path.write_bytes(b"".join(packed(ramp(100 * n)) for n in range(count)))
    frames: list[dict[str, str | None]] = [{"data_file_pointer": None}] * count
    voxels, findings = voxels_of(path, parse(header_text(frames=frames).encode())[0])
    assert [voxels.frame(n).ravel().tolist() for n in range(count)] == [ramp(100 * n) for n in range(count)]
    assert [(f.code, f.severity) for f in findings] == [("offsets-derived", Severity.INFO)]


def test_without_pointers_the_file_must_fit(path: Path) -> None:
    path.write_bytes(bytes(2 * FRAME_BYTES + 1))
    assert "data_file_pointer of frame 0 is missing, expected a byte offset" in refusal(
        path, [{"data_file_pointer": None}] * 2
    )


@pytest.mark.parametrize(
    ("pointer", "what"),
    [(None, "missing"), ("", "empty"), ("x", "'x'"), ("-1 5", "'-1 5'")],
)
def test_senseless_pointer(path: Path, pointer: str | None, what: str) -> None:
    path.write_bytes(bytes(2 * FRAME_BYTES))
    text = header_text(frames=[{}, {"data_file_pointer": pointer}]).split("\n")
    line = 1 + (text.index("frame 1") if pointer is None else text.index(f"data_file_pointer {pointer}".rstrip()))
    expected = f"line {line}: data_file_pointer of frame 1 is {what}, expected a byte offset"
    assert refusal(path, [{}, {"data_file_pointer": pointer}]) == expected


@pytest.mark.parametrize("size", [0, 1, FRAME_BYTES - 1])
def test_short_file(path: Path, size: int) -> None:
    path.write_bytes(bytes(size))
    words = f"the file has {size} bytes, expected 48 for 1 frames of 4 x 3 x 2 int16: the copy may have broken off"
    assert refusal(path) == f"{path}: {words}"


@pytest.mark.parametrize("pointer", [str(FRAME_BYTES + 1), "1 0", "2147483647 -1", "99999999999999999999"])
def test_pointer_beyond_the_file(path: Path, pointer: str) -> None:
    path.write_bytes(bytes(2 * FRAME_BYTES))
    assert "the file has 96 bytes, expected " in refusal(path, at(0, pointer))


def test_huge_sizes_do_not_overflow(path: Path) -> None:
    path.write_bytes(bytes(FRAME_BYTES))
    sizes = {f"{axis}_dimension": "65535" for axis in "xyz"}
    assert f"expected {65535**3 * 2} for" in refusal(path, main=sizes)


@pytest.mark.parametrize(
    ("offsets", "pair"), [((0, 0), "0 and 1"), ((0, FRAME_BYTES - 1), "0 and 1"), ((50, 100, 4), "0 and 2")]
)
def test_overlapping_frames(path: Path, offsets: tuple[int, ...], pair: str) -> None:
    path.write_bytes(bytes(10 * FRAME_BYTES))
    message = refusal(path, at(*offsets))
    assert f"frames {pair} overlap in the data file, expected offsets at least 48 bytes apart" in message
    text = header_text(frames=at(*offsets)).split("\n")
    line = [n for n, row in enumerate(text, 1) if row.startswith("data_file_pointer")][int(pair[-1])]
    assert message.startswith(f"line {line}: ")


@pytest.mark.parametrize("total", ["1", "3", "0", "-2"])
def test_the_frame_blocks_decide_how_many_frames_there_are(path: Path, total: str) -> None:
    path.write_bytes(bytes(2 * FRAME_BYTES))
    assert len(open_frames(path, at(0, FRAME_BYTES), {"total_frames": total}).offsets) == 2


def test_blocks_that_total_frames_counts_and_the_file_holds_are_missing(path: Path) -> None:
    path.write_bytes(bytes(3 * FRAME_BYTES))
    header = pair(path, bytes(3 * FRAME_BYTES), {"total_frames": "3"}, at(0, FRAME_BYTES))
    (_, found) = read(path).findings
    assert (found.code, found.severity, found.path) == ("frame-blocks-missing", Severity.ERROR, str(header))


def test_no_frame_block(path: Path) -> None:
    path.write_bytes(bytes(FRAME_BYTES))
    assert refusal(path, []) == "no frame block in the header, expected lines from 'frame 0' to 'end_of_header'"


def test_number_of_frames_need_not_be_given(path: Path) -> None:
    path.write_bytes(bytes(2 * FRAME_BYTES))
    assert len(open_frames(path, at(0, FRAME_BYTES), {"total_frames": None}).offsets) == 2


def test_missing_file(path: Path) -> None:
    assert refusal(path) == f"{path}: cannot be read: No such file or directory"


def test_directory(path: Path) -> None:
    path.mkdir()
    assert refusal(path) == f"{path}: is not a regular file"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_named_pipe_is_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    assert refusal(path) == f"{path}: is not a regular file"


@pytest.mark.parametrize("left", [None, 0, FRAME_BYTES - 1])
def test_file_that_changes_after_the_check(path: Path, left: int | None) -> None:
    path.write_bytes(bytes(FRAME_BYTES))
    voxels = open_frames(path, at(0))
    path.unlink()
    if left is not None:
        path.write_bytes(bytes(left))
    with pytest.raises(DataError, match="cannot be read: "):
        voxels.frame(0)


# ---------------------------------------------------------------------------------------------------------------------
# Both files together.


def pair(
    path: Path,
    data: bytes,
    main: Mapping[str, str | None] | None = None,
    frames: Sequence[Mapping[str, str | None]] = ({},),
) -> Path:
    """Write a data file and its header; return the header's path."""
    path.write_bytes(data)
    header = path.with_name(f"{path.name}.hdr")
    header.write_text(header_text(main, frames), encoding="utf-8")
    return header


def test_read_gives_stored_and_physical_values(path: Path) -> None:
    frames = [{**frame, "scale_factor": factor} for frame, factor in zip(at(0, FRAME_BYTES), ("0.5", "2"), strict=True)]
    main = {"calibration_units": "1", "calibration_factor": "4", "isotope_branching_fraction": "0.5"}
    header = pair(path, packed(ramp(-3)) + packed(ramp(1000)), main, frames)
    image = read(path)
    assert image == read(str(header))
    assert (image.modality, image.header_bytes) == (Modality.PET, header.read_bytes())
    assert image.voxels(1).ravel().tolist() == ramp(1000)
    assert image.values(0).dtype == np.float32
    assert image.values(0).ravel().tolist() == [value * 0.5 * 4 / 0.5 * 37 for value in ramp(-3)]
    assert image.values(1).ravel().tolist() == [value * 2 * 4 / 0.5 * 37 for value in ramp(1000)]


def test_read_takes_values_that_are_no_numbers(path: Path) -> None:
    pair(
        path,
        packed([0x7FA00000, 0x7F800000, 0xFF800000, 0x40000000] * 6, "<I"),
        {"data_type": "4", "isotope_branching_fraction": "1"},
    )
    assert np.array_equal(
        read(path).values().ravel()[:4], [float("nan"), float("inf"), float("-inf"), 2.0], equal_nan=True
    )


def test_read_locates_findings_and_errors(path: Path) -> None:
    header = pair(path, bytes(FRAME_BYTES), {"subject_orientation": "0"})
    (found,) = read(path).findings
    line = 1 + header.read_text().split("\n").index("subject_orientation 0")
    assert (found.path, found.line) == (str(header), line)
    header.write_text(header_text({"x_dimension": "0"}))
    with pytest.raises(HeaderError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{header}:")


def test_read_keeps_the_line_of_a_finding_in_a_frame(path: Path) -> None:
    frame = {"decay_correction": "9"}
    header = pair(path, bytes(FRAME_BYTES), {"decay_correction_applied": "1"}, [frame])
    (found,) = read(path).findings
    assert (found.code, found.path) == ("decay-factor-disagrees", str(header))
    assert found.line == 1 + header.read_text().split("\n").index("decay_correction 9")


@pytest.mark.parametrize("posture", ["HFP", Orientation.HFP])
def test_read_overrides_orientation(path: Path, posture: str | Orientation) -> None:
    pair(path, bytes(FRAME_BYTES))
    assert read(path, orientation=posture, flip="x").grid.directions == "LAF"


@pytest.mark.parametrize("posture", ["HFX", "", "UNKNOWN", "\x1b[2J"])
def test_read_refuses_what_is_no_orientation(path: Path, posture: str) -> None:
    pair(path, bytes(FRAME_BYTES))
    with pytest.raises(
        OptionError, match=r"^orientation is ('.+'|empty), expected one of FFP, HFP, FFS, HFS, FFDR, HFDR, FFDL, HFDL$"
    ) as caught:
        read(path, orientation=posture)
    assert str(caught.value).isprintable()


def test_read_refuses_a_huge_header(path: Path) -> None:
    header = pair(path, bytes(FRAME_BYTES))
    os.truncate(header, LARGEST_HEADER + 1)
    with pytest.raises(HeaderError, match=f"{header}: the header has {LARGEST_HEADER + 1} bytes, expected at most"):
        read(path)
