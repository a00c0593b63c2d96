"""DICOM that is damaged, or made to do harm: one line with the file's name, in bounded time and memory."""

from __future__ import annotations

import io
import struct
import tracemalloc
import warnings
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from fuzz_dicom import WAYS, case_of, run_case
from fuzzing import Report
from helpers import inveon
from inveonimaging import InveonError, Options, check, convert, verify
from inveonimaging.cli.messages import prepare
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.pixels import Compression
from inveonimaging.dicom_reading import opening
from inveonimaging.dicom_reading.codestreams import check_frame
from inveonimaging.dicom_reading.opening import inflated, opened
from inveonimaging.dicom_reading.pixels import _plugin
from inveonimaging.dicom_reading.planes import File, Reader
from inveonimaging.errors import InputError
from inveonimaging.phantom import CT_SCAN, PET_SCAN, frames_of, write_scan
from inveonimaging.sending.files import survey

CT = replace(CT_SCAN, shape=(9, 8, 4), spacing_mm=(3.1, 2.9, 13.7))
PET = replace(PET_SCAN, shape=(8, 7, 3), spacing_mm=(3.5, 4.0, 9.0), frames=frames_of(20, 40))


def written(folder: Path, scan: Any = CT, form: Form = Form.CLASSIC, **options: Any) -> list[Path]:
    """Convert a scan; return its DICOM files."""
    (folder / "in").mkdir()
    write_scan(folder / "in" / "m.img", scan)
    convert(folder / "in", folder / "out", Options(form=form, **options))
    return sorted((folder / "out").rglob("*.dcm"))


def alter(file: Path, change: Callable[[Any], None]) -> None:
    ds = pydicom.dcmread(file)
    change(ds)
    ds.save_as(file)


def minimal(syntax: UID = ExplicitVRLittleEndian) -> Dataset:
    """Return a CT of 2 x 2 pixels."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = syntax
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = UID("1.2.3")
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.BitsAllocated, ds.BitsStored = 2, 2, 1, 16, 16
    ds.PixelRepresentation, ds.PhotometricInterpretation, ds.Modality = 0, "MONOCHROME2", "CT"
    ds.PixelData = bytes(range(8))
    return ds


def saved(ds: Dataset, path: Path) -> Path:
    ds.save_as(path, enforce_file_format=True)
    return path


def deflated(head: bytes, zeros: int, path: Path) -> Path:
    """Write a deflated file that holds a dataset, and then so many zeros."""
    file = saved(minimal(DeflatedExplicitVRLittleEndian), path)
    at = len(file.read_bytes()) - len(zlib_of(minimal()))
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = deflate.compress(head) + b"".join(deflate.compress(bytes(2**20)) for _ in range(zeros >> 20))
    file.write_bytes(file.read_bytes()[:at] + data + deflate.flush())
    return file


def zlib_of(ds: Dataset) -> bytes:
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = deflate.compress(body(ds)) + deflate.flush()
    return data + b"\0" * (len(data) % 2)


def body(ds: Dataset) -> bytes:
    """Return a dataset's bytes without file meta information."""
    stream = io.BytesIO()
    pydicom.dcmwrite(stream, Dataset(ds), implicit_vr=False, little_endian=True)
    return stream.getvalue()


@pytest.mark.parametrize("place", ["before the pixels", "in the pixels"])
def test_a_deflated_file_that_holds_much_is_inflated_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr(opening, "MOST_INFLATED", 2**20)
    ds = minimal()
    if place == "before the pixels":
        del ds.PixelData
        head = body(ds) + struct.pack("<HH2sHI", 0x0029, 0x1010, b"UN", 0, 100 << 20)
    else:
        ds.Rows = ds.Columns = 4096
        head = body(ds)[:-16] + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, 100 << 20)
    file = deflated(head, 100 << 20, tmp_path / "bomb.dcm")
    assert file.stat().st_size < 2**18
    tracemalloc.start()
    try:
        found = check(tmp_path).all_findings
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 10 * 2**20
    assert [each.code for each in found] in ([], ["unreadable"])


def test_deflated_data_is_given_in_pieces_up_to_a_bound(tmp_path: Path) -> None:
    file = tmp_path / "zeros"
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    file.write_bytes(b"head" + deflate.compress(bytes(10**6)) + deflate.flush() + b"behind it")
    pieces = list(inflated(file, 4))
    assert max(map(len, pieces)) <= 64 * 1024
    assert b"".join(pieces) == bytes(10**6)
    assert b"".join(inflated(file, 4, 12345)) == bytes(12345)
    file.write_bytes(file.read_bytes()[:200])
    assert len(b"".join(inflated(file, 4))) < 10**6  # cut off: what is there, and an end


@pytest.mark.parametrize("is_defined", [False, True])
def test_items_of_sequences_have_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_defined: bool) -> None:
    """pydicom takes 0.1 ms for each item, however small: 3 MB are a minute."""
    monkeypatch.setattr(opening, "_MOST_ITEMS", 1000)
    ds = minimal()
    ds.ReferencedSeriesSequence = [Dataset() for _ in range(1001)]
    ds["ReferencedSeriesSequence"].is_undefined_length = not is_defined
    file = saved(ds, tmp_path / "items.dcm")
    with pytest.raises(InputError, match=r"items.dcm: is damaged: its sequences have more than 1000 items"):
        Reader().read(file)
    ds.ReferencedSeriesSequence = [Dataset() for _ in range(400)]
    Reader().read(saved(ds, file))


def test_sequences_within_sequences_have_an_end(tmp_path: Path) -> None:
    file = saved(minimal(), tmp_path / "deep.dcm")
    data = file.read_bytes()
    begin = struct.pack("<HH2sHIHHI", 8, 0x1115, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    at = data.rfind(b"\x28\x00\x02\x00")
    file.write_bytes(data[:at] + begin * 20000 + data[at:])
    with pytest.raises(InputError, match=r"deep.dcm: is damaged: its sequences are nested too deep$"):
        Reader().read(file)


def put(**values: Any) -> Callable[[Any], None]:
    """Give attributes values as they are, whatever the standard says."""

    def change(ds: Any) -> None:
        for keyword, value in values.items():
            setattr(ds, keyword, value)

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (put(NumberOfFrames=2147483647), "says that it has 2147483647 frames, for which it is too small"),
        (put(Rows=65535, Columns=65535), "says that its image has 65535 x 65535 pixels"),
        (put(Rows=8192, Columns=8192), "after 144 of 134217728 bytes of its pixels"),
        (put(NumberOfFrames=9), "after 144 of 1296 bytes of its pixels"),
    ],
)
def test_sizes_beyond_the_files_bytes_are_refused_before_memory_is_taken(
    tmp_path: Path, change: Callable[[Any], None], words: str
) -> None:
    files = written(tmp_path)
    alter(files[1], change)
    tracemalloc.start()
    try:
        result = check(tmp_path / "out", orientation_test="left")
        differences = verify(tmp_path / "in", tmp_path / "out").differences
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20 * 2**20
    [finding] = [each for each in result.all_findings if each.code == "unreadable"]
    assert words in finding.message
    assert finding.path == str(files[1])
    assert any(each.path == str(files[1]) for each in differences)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("compression", [Compression.NONE, Compression.RLE])
def test_an_enhanced_file_whose_copy_broke_off_is_one_line(
    tmp_path: Path, share: float, compression: Compression
) -> None:
    [file] = written(tmp_path, PET, Form.ENHANCED, compression=compression)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    result = inveon("check", tmp_path / "out", "--json")
    assert result.exit_code == 1
    assert result.stdout.count('"unreadable"') == 1
    assert "ends early, " in result.stdout
    assert "its copy broke off: copy it again" in result.stdout


def test_a_damaged_file_is_one_line_and_the_others_are_looked_at(tmp_path: Path) -> None:
    files = written(tmp_path, PET)
    files[2].write_bytes(files[2].read_bytes()[:3000])
    result = check(tmp_path / "out")
    assert [(each.code, each.path) for each in result.all_findings] == [("unreadable", str(files[2]))]
    assert sum(each.suv is not None for each in result.files) == 1
    assert [(each.code, each.path) for each in check(files[2]).all_findings] == [("unreadable", str(files[2]))]


def frame_of_j2k(rows: int, columns: int) -> bytes:
    return struct.pack(">HHHHIIIIIIIIH", 0xFF4F, 0xFF51, 41, 0, columns, rows, 0, 0, columns, rows, 0, 0, 1) + bytes(9)


def frame_of_jpeg_ls(rows: int, columns: int) -> bytes:
    return b"\xff\xd8\xff\xe8\x00\x04ab\xff\xf7" + struct.pack(">HBHHB", 11, 16, rows, columns, 1) + bytes(9)


@pytest.mark.parametrize(("syntax", "frame"), [(JPEG2000Lossless, frame_of_j2k), (JPEGLSLossless, frame_of_jpeg_ls)])
def test_a_frame_that_says_it_is_larger_than_its_file_says_is_not_decoded(
    tmp_path: Path, syntax: UID, frame: Callable[[int, int], bytes]
) -> None:
    ds = minimal(syntax)
    ds.PixelData = encapsulate([frame(60000, 50000)])
    ds["PixelData"].is_undefined_length = True
    file = Reader().read(saved(ds, tmp_path / "large.dcm"))
    with pytest.raises(InputError, match=r"says that it has 60000 x 50000 x 1 pixels, expected 2 x 2 x 1"):
        list(file.pixels())
    check_frame(frame(2, 2), syntax, (2, 2, 1), 8)
    with pytest.raises(ValueError, match="has 100000 bytes, for 8 bytes of pixels"):
        check_frame(bytes(100000), syntax, (2, 2, 1), 8)
    with pytest.raises(ValueError, match="says that it has no size pixels"):
        check_frame(b"JFIF", syntax, (2, 2, 1), 8)


@pytest.mark.parametrize(
    ("offsets", "segments"),
    [
        ((64, 66), b"\xfd\x07\xf0\x07"),  # 17 bytes in the second segment, for 4 pixels
        ((64, 2000), b"\xfd\x07\xfd\x07"),
        ((66, 64), b"\xfd\x07\xfd\x07"),
        ((64, 64), b"\xfd\x07\xfd\x07"),
    ],
)
def test_compressed_segments_that_hold_more_than_their_pixels_do_not_make_the_decoder_panic(
    tmp_path: Path, offsets: tuple[int, int], segments: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    ds = minimal(RLELossless)
    ds.PixelData = encapsulate([struct.pack("<16I", 2, *offsets, *[0] * 13) + segments])
    ds["PixelData"].is_undefined_length = True
    file = Reader().read(saved(ds, tmp_path / "rle.dcm"))
    with pytest.raises(InputError, match=r"rle.dcm: the pixels cannot be read: "):
        list(file.pixels())
    assert capfd.readouterr() == ("", "")


def test_a_decoders_panic_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        """What Rust's panics are in Python."""

    def panic(*_: Any, **__: Any) -> None:
        raise PanicException("index out of bounds\nat src/lib.rs")

    [file, *_] = written(tmp_path, compression=Compression.RLE)
    monkeypatch.setattr("inveonimaging.dicom_reading.pixels.get_decoder", panic)
    with pytest.raises(InputError, match=r"the pixels cannot be read: index out of bounds\\nat src/lib.rs$"):
        list(Reader().read(file).pixels())


@pytest.mark.parametrize("syntax", [RLELossless, DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian])
@pytest.mark.parametrize("keyword", ["SamplesPerPixel", "BitsStored"])
def test_no_list_is_multiplied_by_a_size(tmp_path: Path, syntax: UID, keyword: str) -> None:
    """`rows * columns * [1, 1]` is a list of twice so many elements; with bits it took gigabytes."""
    ds = minimal(syntax)
    put(Rows=2000, Columns=2000, **{keyword: [1, 1]})(ds)
    ds.PixelData = encapsulate([bytes(64)]) if syntax == RLELossless else bytes(8_000_000)
    ds["PixelData"].is_undefined_length = syntax == RLELossless
    file = Reader().read(saved(ds, tmp_path / "several.dcm"))
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=f"several.dcm: the pixels cannot be read: {keyword} is not one number$"):
            list(file.pixels())
        assert tracemalloc.get_traced_memory()[1] < 40 * 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("values", "keyword", "expected"),
    [
        ({"Rows": [2, 2]}, "Rows", "2\\2"),
        ({"StudyInstanceUID": ["1.2", "1.3"]}, "StudyInstanceUID", "1.2\\1.3"),
        ({"PatientSpeciesDescription": ["mouse", "rat"]}, "PatientSpeciesDescription", "mouse\\rat"),
        ({"CorrectedImage": ["DECY", "ATTN"]}, "CorrectedImage", ("DECY", "ATTN")),
        ({"RadiopharmaceuticalInformationSequence": Sequence()}, "RadiopharmaceuticalInformationSequence", None),
    ],
)
def test_several_values_where_the_standard_has_one_are_the_text_that_they_are(
    tmp_path: Path, values: dict[str, Any], keyword: str, expected: Any
) -> None:
    ds = minimal()
    for name, value in values.items():
        setattr(ds, name, value)
    assert read(ds, tmp_path).values.get(keyword) == expected


def read(ds: Dataset, folder: Path) -> File:
    return Reader().read(saved(ds, folder / "a.dcm"))


@pytest.mark.parametrize(("keyword", "vr"), [("RadionuclideCodeSequence", "LO"), ("SeriesDescription", "SQ")])
def test_texts_and_sequences_are_never_one_another(tmp_path: Path, keyword: str, vr: str) -> None:
    ds = minimal()
    tag = pydicom.datadict.tag_for_keyword(keyword)
    assert tag is not None
    ds.add_new(tag, vr, "a" if vr == "LO" else [Dataset()])
    assert read(ds, tmp_path).values.get(keyword) is None


def test_large_texts_are_left_in_the_file(tmp_path: Path) -> None:
    """A hundred megabytes of numbers would be gigabytes of Python's."""
    ds = minimal()
    ds.add_new("WindowCenter", "DS", ["1"] * 10)
    data = saved(ds, tmp_path / "a.dcm").read_bytes()
    assert Reader().read(tmp_path / "a.dcm").values["WindowCenter"] == (1.0,) * 10
    at = data.find(b"\x28\x00\x50\x10DS")
    text = struct.pack("<HH2sHI", 0x28, 0x1050, b"UN", 0, 200_000) + b"1\\" * 100_000
    (tmp_path / "a.dcm").write_bytes(data[:at] + text + data[at + 8 + 20 :])
    file = Reader().read(tmp_path / "a.dcm")
    assert "WindowCenter" not in file.values
    assert [plane.tolist() for plane in file.pixels()] == [np.frombuffer(bytes(range(8)), "<u2").reshape(2, 2).tolist()]
    with opened(tmp_path / "a.dcm", is_whole=True) as whole:
        assert len(whole.header.get_item("WindowCenter").value) == 200_000


@pytest.mark.parametrize(
    ("keyword", "old"),
    [
        ("SpecificCharacterSet", b"\x08\x00\x08\x00CS"),
        ("PatientName", b"M0042"),
        ("SeriesDescription", b"PET "),
        ("Units", b"BQML"),
        ("CorrectedImage", b"NORM"),
        ("Modality", b"PT"),
        ("SOPClassUID", b"1.2.840.10008.5.1.4.1.1.128"),
        ("RadiopharmaceuticalStartDateTime", b"20140617135137"),
    ],
)
def test_no_text_of_a_file_reaches_the_terminal_as_it_is(tmp_path: Path, keyword: str, old: bytes) -> None:
    files = written(tmp_path, replace(PET, frames=frames_of(60)))
    new = (b"\x1b[31m\x9b2J\x07\x1b]0;" * 9)[: len(old)]
    if keyword == "SpecificCharacterSet":  # in front of the first element, since the file has none
        new = b"\x08\x00\x05\x00CS\x0a\x00\x1b[31m\x07\x9bxyz" + old
    for file in files:
        assert old in file.read_bytes(), keyword
        file.write_bytes(file.read_bytes().replace(old, new))
    for command in (["check"], ["check", "--orientation-test", "left"], ["verify", tmp_path / "in"]):
        done = inveon(*command, tmp_path / "out")
        assert done.exit_code in {0, 1}
        assert not {"\x1b", "\x07", "\x9b"} & set(done.stdout + done.stderr)
    assert all(str(each).isprintable() for each in survey([tmp_path / "out"])[1])


def test_only_errors_of_this_package_come_out(tmp_path: Path) -> None:
    file = tmp_path / "a.dcm"
    for data in (b"", b"\0" * 132, b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 500):
        file.write_bytes(data)
        with pytest.raises(InveonError, match=r"a\.dcm: "):
            check(file)


def test_files_spoiled_at_random_end_in_results_or_in_one_line() -> None:
    """150 of those of tools/fuzz.py, each read in one of the ways."""
    report = Report()
    for number in range(150):
        run_case(case_of(2014, number), report, [WAYS[number % len(WAYS)]])
    assert report.failures == {}, report.first
    assert report.cases == 150
    assert sum(report.outcomes.values()) == 150
    assert sum(count for outcome, count in report.outcomes.items() if outcome.endswith("InputError")) > 5


def test_pixels_that_abort_gdcm_end_in_one_line() -> None:
    """Noise in a JPEG 2000 stream, of which GDCM throws what Python cannot catch: other decoders go before it."""
    report = Report()
    run_case(case_of(7001, 191), report, ["check --orientation-test"])
    assert report.failures == {}, report.first
    assert report.cases == 1


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless])
def test_gdcm_decodes_only_what_no_other_can(syntax: UID) -> None:
    assert _plugin(get_decoder(syntax)) in {"pydicom", "pylibjpeg", "pyjpegls"}


def test_warnings_of_python_are_harmless_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        prepare()
        warnings.warn("\x1b[31mred\nof a file", stacklevel=1)
    assert capsys.readouterr().err == "warning: \\x1b[31mred\\nof a file\n"


def test_looking_at_files_to_send_is_counted(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).write_bytes(b"\0" * 128 + b"DICM")
    seen: list[tuple[int, int]] = []
    survey([tmp_path], lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]
