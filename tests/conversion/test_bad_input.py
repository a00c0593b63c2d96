"""Bad input and bad luck: one line that says where and what, exit code 1, no traceback, and nothing left behind."""

from __future__ import annotations

import errno
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from defects import Defect, write_scan
from helpers import (
    CT,
    PET,
    THIN_CT,
    THIN_PET,
    assert_one_line_error,
    digests,
    files_below,
    header_text,
    in_time,
    instances,
    inveon,
    published,
    write_small_study,
)
from inveonimaging import InveonError, OutputError, convert, read
from inveonimaging.conversion import job, summary, writing
from inveonimaging.conversion.plan import plan
from inveonimaging.dicom.modules.header_text import header_bytes
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.phantom import PhantomScan
from inveonimaging.storage import staging as output

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")

# Each defect either prevents a conversion, or is a finding, or is nothing to speak of. What prevents a
# way is named with the file, with the line where the header has the key, with what was found and what was expected.
REFUSED = {
    Defect.NO_DATA: r"a\.img\.hdr: half of a pair: its data file is missing, expected .*a\.img\"$",
    Defect.EMPTY_DATA: r"a\.img: the file has 0 bytes, expected \d+ for",
    Defect.SHORT_DATA: r"a\.img: the file has \d+ bytes, expected \d+ for (2 frames of 8 x 7 x 2|1 .* 8 x 7 x 3) ",
    Defect.LONG_DATA: r"a\.img: the file has \d+ bytes, expected \d+ for .*--allow-long-data",
    Defect.NO_HEADER: r"a\.img: half of a pair: its header is missing, expected .*a\.img\.hdr\"$",
    Defect.EMPTY_HEADER: r"a\.img\.hdr: the file is empty, expected an Inveon header",
    Defect.BINARY_HEADER: r"a\.img\.hdr: .*binary data, expected an Inveon header",
    Defect.UTF16_HEADER: r"a\.img\.hdr: .*, expected an Inveon header",
    Defect.FOREIGN_HEADER: r"no Inveon files here.*a\.img\.hdr is an Interfile header",
    Defect.TRUNCATED_HEADER: r"a\.img\.hdr:\d+: \w+ of frame \d is missing",
    Defect.HALF_HEADER: r"a\.img\.hdr: x_dimension is missing, expected 1 to 65535",
    Defect.NO_FRAMES: r"a\.img\.hdr: no frame block",
    Defect.LONG_LINE: r"a\.img\.hdr:\d+: the line has 1000\d\d characters, expected at most \d+",
    Defect.REPEATED_KEY: r"a\.img",  # 999 columns do not fit the file
    Defect.MISSING_DIMENSION: r"a\.img\.hdr: y_dimension is missing, expected 1 to 65535",
    Defect.EMPTY_DIMENSION: r"a\.img\.hdr:\d+: y_dimension is empty, expected 1 to 65535",
    Defect.ZERO_DIMENSION: r"a\.img\.hdr:\d+: y_dimension is '0', expected 1 to 65535",
    Defect.NEGATIVE_DIMENSION: r"a\.img\.hdr:\d+: y_dimension is '-64', expected 1 to 65535",
    Defect.ABSURD_DIMENSION: r"a\.img\.hdr:\d+: y_dimension is '2147483647', expected 1 to 65535",
    Defect.TEXT_DIMENSION: r"a\.img\.hdr:\d+: y_dimension is 'many', expected 1 to 65535",
    Defect.MISSING_DATA_TYPE: r"a\.img\.hdr: data_type is missing, expected 1 to 7",
    Defect.UNKNOWN_DATA_TYPE: r"a\.img\.hdr:\d+: data_type is '9', expected 1 to 7",
    Defect.NEGATIVE_POINTERS: r"a\.img\.hdr:\d+: data_file_pointer of frame 0 is .*expected a byte offset",
    Defect.POINTER_BEYOND_END: r"a\.img: the file has \d+ bytes, expected \d+ for",
    Defect.OVERLAPPING_FRAMES: r"a\.img\.hdr:\d+: frames 0 and 1 overlap in the data file",
    Defect.MISSING_SCALE_FACTOR: r"a\.img\.hdr:\d+: scale_factor of frame 0 is missing",
    Defect.ZERO_SCALE_FACTOR: r"a\.img\.hdr:\d+: scale_factor of frame 0 is '?0",
    Defect.NAN_SCALE_FACTOR: r"a\.img\.hdr:\d+: scale_factor of frame 0 is 'nan'",
    Defect.DECIMAL_COMMA: r"a\.img\.hdr:\d+: scale_factor of frame 0 is '0,0125'",
    Defect.MISSING_PIXEL_SIZE: r"a\.img\.hdr: pixel_size_x is missing, expected a voxel size above 0",
    Defect.ZERO_PIXEL_SIZE: r"a\.img\.hdr:\d+: pixel_size_x is '0', expected a voxel size above 0",
    Defect.UNKNOWN_MODALITY: r"a\.img\.hdr:\d+: modality is '7', expected -1 to 2",
    Defect.SINOGRAM: r"a\.img\.hdr:\d+: file_type is 2 \(sinogram\)",
}
PET_ONLY = {  # a CT needs no time
    Defect.NO_SCAN_TIME: r"a\.img\.hdr: scan_time is missing, .*inveon convert --scan-time 2014-03-04T14:05:09",
    Defect.IMPOSSIBLE_SCAN_TIME: r"a\.img\.hdr:\d+: scan_time is 'Mon Feb 31 12:00:00 2014', .*--scan-time",
}
FOUND = {
    Defect.NAN_VOXELS: "3 voxels are NaN or infinite and are written as 0",
    Defect.NO_END_OF_HEADER: "no end_of_header",
    Defect.UNKNOWN_KEYS: "future_key",
    Defect.WRONG_FRAME_COUNT: "total_frames is 999, but the file holds",
    Defect.MISSING_POINTERS: "no data_file_pointer",
    Defect.NO_CALIBRATION: "not Bq/mL",
    Defect.NO_BRANCHING_FRACTION: "isotope_branching_fraction is 0; taken as 1",
    Defect.OTHER_DECAY: "decay_correction of frame 0 is 1.9",
    Defect.PIXEL_SIZES_DISAGREE: "pixel_size says 45 mm",
    Defect.NO_ORIENTATION: "subject_orientation is not known",
    Defect.UNKNOWN_ORIENTATION: "subject_orientation is '12', expected 0 to 8",
    Defect.ROTATED: "degrees and is not applied",
    Defect.IMPOSSIBLE_TIME_ZONE: "not a time zone",
    Defect.NO_WEIGHT: "subject_weight is 0",
}
HARMLESS = {Defect.ESCAPE_SEQUENCE, Defect.STALE_EXTREMES, Defect.STALE_FILE_NAME, Defect.SIGNED_LOW_POINTER}
NOT_IN_A_CT = {
    Defect.NAN_VOXELS,
    Defect.OVERLAPPING_FRAMES,
    Defect.NO_CALIBRATION,
    Defect.NO_BRANCHING_FRACTION,
    Defect.OTHER_DECAY,
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Return an empty folder for input."""
    folder = tmp_path / "in"
    folder.mkdir()
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a folder that does not exist, in one that does not exist."""
    return tmp_path / "new" / "deep" / "out"


@pytest.fixture
def study(source: Path) -> Path:
    """Return a folder with a CT and a PET."""
    return write_small_study(source)


def refused(source: Path, out: Path, *options: str, code: int = 1) -> str:
    """Convert, and show that it ends with one line, leaves the input as it was, and leaves nothing behind."""
    folder = source if source.is_dir() else source.parent
    before = digests(folder)
    existed = out.exists()
    result = inveon("convert", source, out, *options)
    line = assert_one_line_error(result.exit_code, result.stdout, result.stderr, code)
    assert digests(folder) == before
    assert files_below(out) == []
    assert out.exists() == existed
    assert existed or out.parent.parent.exists() is False
    return line


def test_every_defect_of_the_phantom_has_its_place_here() -> None:
    places = [*REFUSED, *PET_ONLY, *FOUND, *HARMLESS]
    assert set(places) == set(Defect)
    assert len(places) == len(Defect)


def defects_and_scans(defects: dict[Defect, str]) -> list[Any]:
    pet = [pytest.param(THIN_PET, defect, message, id=f"PET-{defect.name}") for defect, message in defects.items()]
    not_in_ct = NOT_IN_A_CT | set(PET_ONLY)
    ct = [
        pytest.param(THIN_CT, each, message, id=f"CT-{each.name}")
        for each, message in defects.items()
        if each not in not_in_ct
    ]
    return pet + ct


@pytest.mark.parametrize(("scan", "defect", "message"), defects_and_scans({**REFUSED, **PET_ONLY}))
def test_what_is_in_the_way_is_one_line(
    source: Path, out: Path, scan: PhantomScan, defect: Defect, message: str
) -> None:
    write_scan(source / "a.img", scan, defects=(defect,))
    assert re.search(message, refused(source, out))


@pytest.mark.parametrize(("scan", "defect", "message"), defects_and_scans(FOUND))
def test_what_is_doubtful_is_converted_and_reported(
    source: Path, out: Path, scan: PhantomScan, defect: Defect, message: str
) -> None:
    write_scan(source / "a.img", scan, defects=(defect,))
    before = digests(source)
    result = inveon("convert", source, out)
    assert result.exit_code == 0
    assert re.search(rf"^(warning|note): .*{re.escape(message)}", result.stderr, re.MULTILINE), result.stderr
    assert len(files_below(out)) == scan.shape[2] * len(scan.frames)
    assert digests(source) == before


@pytest.mark.parametrize(
    "defect", sorted(HARMLESS - {Defect.SIGNED_LOW_POINTER}, key=str), ids=lambda defect: defect.name
)
def test_what_does_not_matter_is_converted_without_a_word(source: Path, out: Path, defect: Defect) -> None:
    write_scan(source / "a.img", THIN_PET, defects=(defect,))
    result = inveon("convert", "--strict", source, out)
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(files_below(out)) == 4


def test_a_header_with_an_escape_sequence_travels_whole_and_can_be_read(source: Path, out: Path) -> None:
    pair = write_scan(source / "a.img", PET, defects=(Defect.ESCAPE_SEQUENCE,))
    assert inveon("convert", source, out).exit_code == 0
    datasets = instances(out)
    assert all("M0042" in str(ds) for ds in datasets)  # every element of it is decoded
    assert header_bytes(datasets[0]) == pair.header.read_bytes()


def test_frames_beyond_2_gib_are_read(source: Path, out: Path, tmp_path: Path) -> None:
    """A whole conversion would read the gap, too; test_large.py converts what is beyond."""
    plain = read(write_scan(tmp_path / "b.img", PET).data)
    beyond = read(write_scan(source / "a.img", PET, defects=(Defect.SIGNED_LOW_POINTER,)).data)
    assert (source / "a.img").stat().st_size > 2**31
    assert np.asarray(plain).any()
    np.testing.assert_array_equal(beyond, plain)
    done = inveon("convert", "--strict", "--dry-run", source, out)
    assert (done.exit_code, "12" in done.stdout) == (0, True), done.output


@pytest.mark.parametrize("defect", [Defect.NO_SCAN_TIME, Defect.IMPOSSIBLE_SCAN_TIME])
def test_a_ct_without_a_time_has_empty_dates(source: Path, out: Path, defect: Defect) -> None:
    write_scan(source / "a.img", CT, defects=(defect,))
    assert inveon("convert", source, out).exit_code == 0
    for ds in instances(out):
        assert (ds.StudyDate, ds.StudyTime, ds.AcquisitionDate) == ("", "", "")
        assert "SeriesDate" not in ds


@pytest.mark.parametrize(("scan", "defect", "message"), defects_and_scans(REFUSED))
def test_the_api_raises_the_same_line(source: Path, out: Path, scan: PhantomScan, defect: Defect, message: str) -> None:
    write_scan(source / "a.img", scan, defects=(defect,))
    with pytest.raises(InveonError, match=message) as caught:
        convert(source, out)
    assert str(caught.value).isprintable()
    assert not out.parent.parent.exists()


@pytest.mark.parametrize("place", ["before", "after"])
@pytest.mark.parametrize(
    "defect", [Defect.SHORT_DATA, Defect.ZERO_DIMENSION, Defect.BINARY_HEADER, Defect.NO_SCAN_TIME]
)
def test_one_bad_pair_stops_the_whole_study(study: Path, out: Path, defect: Defect, place: str) -> None:
    name = "a.img" if place == "before" else "z.img"
    write_scan(study / name, PET, defects=(defect,))
    assert name in refused(study, out)


# Headers and data files of other kinds.


def write_pair(folder: Path, header: bytes, data: bytes = b"\0" * 96) -> Path:
    (folder / "a.img.hdr").write_bytes(header)
    (folder / "a.img").write_bytes(data)
    return folder


@pytest.mark.parametrize("axis", "xyz")
@pytest.mark.parametrize("size", ["0", "-1", "65536", "99999999999999999999", "1e9", "4.5", "nan", "", None])
def test_absurd_dimensions_are_refused(source: Path, out: Path, axis: str, size: str | None) -> None:
    header = header_text({f"{axis}_dimension": size})
    line = refused(write_pair(source, header.encode()), out)
    found = {None: "missing", "": "empty"}.get(size, f"'{size}'")
    assert f"{axis}_dimension is {found}, expected 1 to 65535" in line


def test_an_absurd_volume_needs_no_memory(source: Path, out: Path) -> None:
    header = header_text({f"{axis}_dimension": "65535" for axis in "xyz"})
    line = refused(write_pair(source, header.encode()), out)
    assert f"expected {2 * 65535**3} for 1 frames of 65535 x 65535 x 65535 int16" in line


@pytest.mark.parametrize("key", ["pixel_size_x", "pixel_size_y", "pixel_size_z"])
@pytest.mark.parametrize("size", ["0", "-0.5", "1e999", "nan", None])
def test_voxels_without_a_size_are_refused(source: Path, out: Path, key: str, size: str | None) -> None:
    header = header_text({key: size})
    assert f"{key} is" in refused(write_pair(source, header.encode()), out)


RUBBISH = {
    "zeros": b"\0" * 5000,
    "all bytes": bytes(range(256)) * 20,
    "one byte": b"x",
    "spaces": b" \n" * 500,
    "a byte order mark": b"\xef\xbb\xbf",
    "DICOM": b"\0" * 128 + b"DICM" + b"\x02\x00\x00\x00UL\x04\x00",
    "JSON": b'{"x_dimension": 4}',
    "comments": b"#\n# Header file for data file\n#\n" * 10,
    "a script": b"#!/bin/sh\nrm -rf /\n",
    "escape sequences": b"\x1b[2J\x1b]0;x\x07 \x1b[31m\n" * 10,
    "one long line": b"x" * 1_000_000,
    "many lines": b"x 1\n" * 1_100_000,
}


@pytest.mark.parametrize("content", RUBBISH.values(), ids=RUBBISH)
@pytest.mark.parametrize("which", ["header", "both"])
def test_rubbish_is_one_line_that_names_the_header(source: Path, out: Path, content: bytes, which: str) -> None:
    write_pair(source, content, content if which == "both" else b"\0" * 96)
    assert "a.img.hdr" in refused(source, out)


def test_a_header_of_100_mb_is_refused_without_reading_it(source: Path, out: Path) -> None:
    write_scan(source / "a.img", CT)
    os.truncate(source / "a.img.hdr", 100 * 1024**2)  # sparse
    read = Path.read_bytes

    def no_reading(path: Path) -> bytes:
        assert path.name != "a.img.hdr"
        return read(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "read_bytes", no_reading)
        result = inveon("convert", source, out)
    line = assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert re.search(r"a\.img\.hdr: the header has 104857600 bytes, expected at most \d+", line)
    assert not out.parent.parent.exists()


def test_a_spect_is_refused_by_name(source: Path, out: Path) -> None:
    line = refused(write_pair(source, header_text({"modality": str(int(Modality.SPECT))}).encode()), out)
    assert re.search(r"a\.img\.hdr:\d+: .*SPECT", line)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_pet_without_a_single_finite_voxel_is_zero_and_reported(source: Path, out: Path, value: float) -> None:
    pair = write_scan(source / "a.img", PET)
    pair.data.write_bytes(np.full(8 * 7 * 6 * 2, value, "<f4").tobytes())
    result = inveon("convert", source, out)
    assert result.exit_code == 0
    assert "672 voxels are NaN or infinite and are written as 0" in result.stderr
    assert {ds.PixelData for ds in instances(out)} == {b"\0" * (8 * 7 * 2)}


# Folders and files that are not what they seem.


def test_a_folder_without_pairs_is_refused(source: Path, out: Path) -> None:
    assert str(source) in refused(source, out)
    (source / "notes.txt").write_text("x")
    (source / "a.img").mkdir()
    assert str(source) in refused(source, out)


def test_a_file_that_is_no_folder_is_refused(source: Path, out: Path) -> None:
    (source / "a.txt").write_text("x")
    assert "expected NAME.img or NAME.img.hdr" in refused(source / "a.txt", out)


@posix
@pytest.mark.parametrize("name", ["a.img", "a.img.hdr"])
@pytest.mark.parametrize("command", ["convert", "info"])
def test_a_pipe_is_refused_without_waiting_for_it(source: Path, out: Path, name: str, command: str) -> None:
    write_scan(source / "a.img", CT)
    (source / name).unlink()
    os.mkfifo(source / name)
    arguments = [source / "a.img", *([out] if command == "convert" else [])]
    with in_time():
        done = inveon(command, *arguments)
    assert name in assert_one_line_error(done.exit_code, done.stdout, done.stderr)
    assert not out.parent.parent.exists()


@posix
@pytest.mark.parametrize("name", ["a.img", "a.img.hdr"])
@pytest.mark.parametrize("target", ["nowhere", "a.img", "a.img.hdr", "."])
def test_a_link_to_nowhere_round_or_to_a_folder_is_refused(source: Path, out: Path, name: str, target: str) -> None:
    write_scan(source / "a.img", CT)
    (source / name).unlink()
    (source / name).symlink_to(target)
    result = inveon("convert", source, out)
    assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert not out.parent.parent.exists()


def failing(function: Callable[..., Any], number: int, name: str = "") -> Callable[..., Any]:
    """Return a function that fails with an error number for paths that end with a name."""

    def wrapped(path: Any, *arguments: Any, **options: Any) -> Any:
        if str(path).endswith(name):
            raise OSError(number, os.strerror(number), str(path))
        return function(path, *arguments, **options)

    return wrapped


def test_an_unreadable_header_is_refused(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Path, "read_bytes", failing(Path.read_bytes, errno.EACCES, "m1.pet.img.hdr"))
        result = inveon("convert", study, out)
    line = assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert re.search(r"m1\.pet\.img\.hdr: cannot be read: Permission denied", line)
    assert not out.parent.parent.exists()


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO])
def test_unreadable_data_are_refused(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(np, "fromfile", failing(np.fromfile, number, "m1.pet.img"))
    assert re.search(r"m1\.pet\.img: cannot be read", refused(study, out))


def test_an_unreadable_folder_is_refused(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", failing(os.scandir, errno.EACCES, "in"))
        result = inveon("convert", study, out)
    assert str(study) in assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert not out.parent.parent.exists()


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() == 0, reason="root may read and write everything")
def test_permissions_are_respected(study: Path, out: Path) -> None:
    (study / "m1.pet.img").chmod(0)
    result = inveon("convert", study, out)
    (study / "m1.pet.img").chmod(0o600)
    assert "m1.pet.img" in assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    out.mkdir(parents=True)
    out.chmod(0o500)
    result = inveon("convert", study, out)
    out.chmod(0o700)
    assert str(out) in assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert files_below(out) == []


# An output that cannot be written.


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES, errno.ENOSPC])
def test_a_read_only_place_is_one_line(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(Path, "mkdir", failing(Path.mkdir, number, "out"))
    line = refused(study, out)
    assert line == f"error: {out}: cannot be written: {os.strerror(number)}\n"


def test_an_output_that_takes_no_files_keeps_nothing(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "write_text", failing(Path.write_text, errno.EROFS))
    refused(study, out)
    out.mkdir(parents=True)
    refused(study, out)  # an empty folder of the user stays


def test_an_output_below_a_file_is_one_line(study: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"precious")
    for out in (tmp_path / "file", tmp_path / "file" / "out"):
        result = inveon("convert", study, out)
        assert str(out) in assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert (tmp_path / "file").read_bytes() == b"precious"


@posix
def test_an_output_that_is_a_link_to_nowhere_is_one_line(study: Path, tmp_path: Path) -> None:
    (tmp_path / "out").symlink_to("nowhere")
    result = inveon("convert", study, tmp_path / "out")
    assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert not (tmp_path / "nowhere").exists()


Write = Callable[[Path, Iterable[bytes]], output.Written]


def in_the_middle_of(series: str, error: BaseException) -> Write:
    """Return a `write_file` that fails in the middle of a series, after half of a file."""

    def write(path: Path, parts: Iterable[bytes]) -> output.Written:
        if path.parent.name == series and "000004" in path.name:
            content = b"".join(parts)
            path.write_bytes(content[: len(content) // 2])
            raise error
        return output.write_file(path, parts)

    return write


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("series", ["1", "2"])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    study: Path, out: Path, monkeypatch: pytest.MonkeyPatch, series: str
) -> None:
    monkeypatch.setattr(writing, "write_file", in_the_middle_of(series, FULL))
    assert refused(study, out) == f"error: {out}: cannot be written: No space left on device\n"
    out.mkdir(parents=True)
    refused(study, out)  # an empty folder of the user stays, and stays empty
    assert list(out.iterdir()) == []


def test_after_a_full_disk_the_same_command_works(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(writing, "write_file", in_the_middle_of("2", FULL))
        refused(study, out)
    assert inveon("convert", study, out).exit_code == 0
    assert len(files_below(out)) == 18


def test_the_api_raises_for_a_full_disk(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "write_file", in_the_middle_of("2", FULL))
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        convert(study, out)
    assert not out.parent.parent.exists()


@posix
@pytest.mark.parametrize("module", ["inveonimaging", "inveonimaging.inveonFolder2DICOM"])
def test_a_limit_of_the_system_is_one_line_and_leaves_nothing(
    study: Path, out: Path, module: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A real failure of write(2): a file may be as large as half a header, and a series' first holds the whole one."""
    resource = pytest.importorskip("resource")
    limit = (study / "m1.ct.img.hdr").stat().st_size // 2
    arguments = [*(["convert"] if module == "inveonimaging" else []), study, out]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        code = published(monkeypatch, "inveonimaging.__main__" if module == "inveonimaging" else module, *arguments)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "File too large" in assert_one_line_error(code, *capsys.readouterr())
    assert not out.parent.parent.exists()


@pytest.mark.parametrize("error", [FULL, KeyboardInterrupt()], ids=["full", "interrupted"])
def test_a_study_appears_whole_or_not_at_all(
    study: Path, out: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Renaming the second series' folder fails: the first one goes away again."""
    rename = Path.rename

    def failing_rename(path: Path, target: Path) -> Path:
        if target.name == "2":
            raise error
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing_rename)
    refused(study, out, code=1 if error is FULL else 130)


def test_of_a_tree_whole_studies_stay(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full in the middle of the second study: the first one is whole, of the second there is nothing."""
    shutil.copytree(study, study / "mouse 2")
    written: list[Path] = []

    def write(path: Path, parts: Iterable[bytes]) -> output.Written:
        written.append(path)
        if len(written) > 18 + 9:
            raise FULL
        return output.write_file(path, parts)

    monkeypatch.setattr(writing, "write_file", write)
    result = inveon("convert", "-r", study, out)
    assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert len(files_below(out)) == 18
    assert sorted(path.name for path in out.iterdir()) == ["1", "2", "inveon-manifest.json"]


# Interruptions.


@pytest.mark.parametrize("series", ["1", "2"])
def test_ctrl_c_ends_with_130_and_leaves_nothing(
    study: Path, out: Path, monkeypatch: pytest.MonkeyPatch, series: str
) -> None:
    monkeypatch.setattr(writing, "write_file", in_the_middle_of(series, KeyboardInterrupt()))
    assert "interrupted" in refused(study, out, code=130)


@pytest.mark.parametrize(("module", "where"), [(writing, "slopes_of"), (summary, "extent_of"), (writing, "quantise")])
def test_ctrl_c_while_reading_leaves_nothing(
    study: Path, out: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType, where: str
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, where, interrupted)
    assert "interrupted" in refused(study, out, code=130)


def test_too_little_memory_is_one_line_and_leaves_nothing(
    study: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "write_file", in_the_middle_of("2", MemoryError()))
    assert "out of memory" in refused(study, out)


def test_data_that_vanish_meanwhile_are_one_line(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data file goes away between the plan and the conversion, as files on a server do."""

    def plan_and_lose(*arguments: Any) -> Any:
        studies = plan(*arguments)
        (study / "m1.pet.img").unlink()
        return studies

    monkeypatch.setattr(job, "plan", plan_and_lose)
    with pytest.raises(InveonError, match=r"m1\.pet\.img: cannot be read"):
        convert(study, out)
    assert not out.parent.parent.exists()


def test_what_is_written_before_a_failure_is_hidden(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a study is being written, no file of it is in its place: who watches the folder sees none half-written."""
    seen: list[str] = []

    def write(path: Path, parts: Iterable[bytes]) -> output.Written:
        seen.extend(each.name for each in out.iterdir())
        return output.write_file(path, parts)

    monkeypatch.setattr(writing, "write_file", write)
    assert inveon("convert", study, out).exit_code == 0
    assert seen
    assert all(name.startswith(".") for name in seen)
    assert sorted(path.name for path in out.iterdir()) == ["1", "2", "inveon-manifest.json"]


@posix
def test_files_have_the_permissions_that_the_user_wants(study: Path, out: Path) -> None:
    mask = os.umask(0o027)
    try:
        assert inveon("convert", study, out).exit_code == 0
    finally:
        os.umask(mask)
    assert {path.stat().st_mode & 0o777 for path in out.rglob("*") if path.is_file()} == {0o640}
    assert {path.stat().st_mode & 0o777 for path in out.rglob("*") if path.is_dir()} == {0o750}


def test_an_old_header_without_a_time_is_converted_with_the_option_that_its_error_names(
    source: Path, out: Path
) -> None:
    """As (X)MedCon writes headers: `modality -1` and no scan_time."""
    text = header_text({"modality": "-1", "scan_time": None})
    write_pair(source, text.encode(), np.arange(24, dtype="<i2").tobytes())
    line = refused(source, out)
    option = re.search(r"inveon convert (--scan-time) (\S+)", line)
    assert option
    assert inveon("convert", source, out, option[1], option[2]).exit_code == 0
    assert {(ds.Modality, ds.SeriesDate) for ds in instances(out)} == {("PT", "20140304")}
