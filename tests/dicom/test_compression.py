"""Compression without loss: other decoders read what is written without compression, and nothing else changes."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import SimpleITK as sitk
from pydicom import dcmread
from pydicom.dataset import FileDataset
from pydicom.pixels.encoders.base import Encoder, get_encoder
from pydicom.uid import UID

from conftest import Tool
from conversion.test_objects import write_pair
from helpers import CT, PET, assert_one_line_error, files_below, inveon
from inveonimaging import InveonError, OptionError, Options, convert
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.pixels import Compression
from inveonimaging.phantom import SPECT_SCAN, write_scan
from inveonimaging.physics.quantification import Policy

UIDS: Mapping[Compression, str] = {  # PS3.6 A
    Compression.RLE: "1.2.840.10008.1.2.5",
    Compression.JPEG_LS: "1.2.840.10008.1.2.4.80",
    Compression.JPEG_2000: "1.2.840.10008.1.2.4.90",
    Compression.DEFLATED: "1.2.840.10008.1.2.1.99",
}
ENCAPSULATED = [Compression.RLE, Compression.JPEG_LS, Compression.JPEG_2000]
SHAPE = (36, 33, 3)  # OpenJPEG takes 32 rows and columns and more


@pytest.fixture(params=UIDS, ids=lambda each: each.value)
def compression(request: pytest.FixtureRequest) -> Compression:
    return Compression(request.param)


@dataclass(frozen=True)
class Both:
    """A conversion without compression, and with it."""

    plain: Path
    compressed: Path

    def pairs(self) -> list[tuple[Path, Path]]:
        names = files_below(self.plain)
        assert names
        assert files_below(self.compressed) == names
        return [(self.plain / name, self.compressed / name) for name in names]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study of a CT, which has values below 0, a PET whose slices have slopes of their own, and a SPECT."""
    folder = tmp_path_factory.mktemp("study")
    for name, scan, spacing in (("ct", CT, 0.9), ("pet", PET, 0.8), ("spect", SPECT_SCAN, 0.7)):
        write_scan(folder / f"m1.{name}.img", replace(scan, shape=SHAPE, spacing_mm=(spacing, spacing, 45.0)))
    return folder


def converted(source: Path, folder: Path, compression: Compression, form: Form = Form.CLASSIC) -> Path:
    convert(source, folder, Options(form=form, rescale=Policy.SLICE, compression=compression))
    return folder


Pairs = Callable[[Compression, Form], list[tuple[Path, Path]]]


@pytest.fixture(scope="module")
def pairs_of(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    """Return a function that converts the study without compression and with it, each once: nobody changes a file."""

    @functools.cache
    def made(compression: Compression, form: Form) -> Path:
        return converted(study, tmp_path_factory.mktemp("made") / "out", compression, form)

    @functools.cache
    def pairs(compression: Compression, form: Form) -> list[tuple[Path, Path]]:
        return Both(made(Compression.NONE, form), made(compression, form)).pairs()

    return pairs


def stored(dataset: FileDataset) -> npt.NDArray[np.int16]:
    """Return the pixels of a file without compression, (frames, rows, columns), read by hand."""
    frames = int(dataset.get("NumberOfFrames", 1))
    return np.frombuffer(dataset.PixelData, "<i2").reshape(frames, dataset.Rows, dataset.Columns)


@pytest.mark.parametrize("form", list(Form))
def test_only_transfer_syntax_and_encoding_of_the_pixels_change(
    pairs_of: Pairs, compression: Compression, form: Form
) -> None:
    for plain, compressed in pairs_of(compression, form):
        before, after = dcmread(plain), dcmread(compressed)
        assert before.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
        assert after.file_meta.TransferSyntaxUID == UIDS[compression]
        np.testing.assert_array_equal(after.pixel_array.reshape(stored(before).shape), stored(before))
        assert after["PixelData"].is_undefined_length == (compression in ENCAPSULATED)
        del before.PixelData, after.PixelData
        assert before == after  # SOP Instance UID, slopes, and Lossy Image Compression 00 among all else
        for meta in (before.file_meta, after.file_meta):
            del meta.TransferSyntaxUID, meta.FileMetaInformationGroupLength
        assert before.file_meta == after.file_meta


def test_the_tests_have_values_below_0_and_constant_slices(study: Path, tmp_path: Path) -> None:
    convert(study, tmp_path / "out")
    pixels = [stored(dcmread(file)) for file in sorted((tmp_path / "out").rglob("*.dcm"))]
    assert min(int(each.min()) for each in pixels) < -900
    assert any(np.ptp(plane) == 0 for each in pixels for plane in each)


@pytest.mark.parametrize("compression", ENCAPSULATED)
@pytest.mark.parametrize("form", list(Form))
def test_frames_are_fragments_without_an_offset_table(pairs_of: Pairs, compression: Compression, form: Form) -> None:
    """PS3.5 A.4: an empty Basic Offset Table, one fragment of even length a frame, and a delimiter."""
    for _, file in pairs_of(compression, form):
        dataset, content = dcmread(file), file.read_bytes()
        at = content.rindex(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff") + 12
        assert content[at : at + 8] == b"\xfe\xff\x00\xe0\0\0\0\0"
        at += 8
        fragments = 0
        while content[at : at + 4] == b"\xfe\xff\x00\xe0":
            length = int.from_bytes(content[at + 4 : at + 8], "little")
            assert length % 2 == 0
            at += 8 + length
            fragments += 1
        assert content[at:] == b"\xfe\xff\xdd\xe0\0\0\0\0"
        assert fragments == dataset.get("NumberOfFrames", 1)


# Decoders that are not those that pydicom uses.


@pytest.mark.parametrize("form", list(Form))
def test_gdcm_decodes_the_same_values(pairs_of: Pairs, compression: Compression, form: Form) -> None:
    for plain, compressed in pairs_of(compression, form):
        one, other = sitk.ReadImage(str(plain)), sitk.ReadImage(str(compressed))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(one), sitk.GetArrayFromImage(other))
        assert (one.GetOrigin(), one.GetSpacing()) == (other.GetOrigin(), other.GetSpacing())


PROGRAMS = {
    Compression.RLE: ("dcmdrle",),
    Compression.JPEG_LS: ("dcmdjpls",),
    Compression.JPEG_2000: ("gdcmconv", "--raw"),
    Compression.DEFLATED: ("dcmconv", "+te"),
}


def decompressed(tool: Tool, file: Path, compression: Compression) -> FileDataset:
    """Return a file as a program of DCMTK or GDCM decompresses it."""
    program, *arguments = PROGRAMS[compression]
    raw = file.with_suffix(".raw")
    done = subprocess.run([tool(program), *arguments, file, raw], capture_output=True, check=True)
    assert not done.stderr
    found = dcmread(raw)
    assert found.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.1"
    return found


@pytest.mark.debian
@pytest.mark.parametrize("form", list(Form))
def test_dcmtk_and_gdcm_decompress_to_the_same_pixels(
    pairs_of: Pairs, tool: Tool, compression: Compression, form: Form
) -> None:
    pairs = pairs_of(compression, form)
    for plain, compressed in {compressed.parent: (plain, compressed) for plain, compressed in pairs}.values():
        raw = decompressed(tool, compressed, compression)
        np.testing.assert_array_equal(stored(raw), stored(dcmread(plain)))


@pytest.mark.debian
def test_dcmdump_reads_the_compressed_files(pairs_of: Pairs, tool: Tool, compression: Compression) -> None:
    for _, compressed in pairs_of(compression, Form.ENHANCED):
        done = subprocess.run([tool("dcmdump"), "-Un", compressed], capture_output=True, check=True)
        assert not done.stderr
        assert f"[{UIDS[compression]}]".encode() in done.stdout


@pytest.mark.parametrize("compression", ENCAPSULATED)  # dciodvfy does not inflate
def test_dciodvfy_finds_no_error(pairs_of: Pairs, dciodvfy: str, compression: Compression) -> None:
    for form in Form:
        files = [compressed for _, compressed in pairs_of(compression, form)]
        for file in {file.parent: file for file in files}.values():
            done = subprocess.run([dciodvfy, file], capture_output=True, text=True, check=False)
            assert "Image" in done.stderr  # the name of the SOP class
            assert "Error" not in done.stderr + done.stdout


# Unusual pictures.

NOISE = np.random.default_rng(7).integers(-32768, 32768, (3, 65, 67)).astype(np.int16)
ODD: Mapping[str, npt.NDArray[np.int16]] = {
    "constant": np.full((3, 33, 35), -1000, np.int16),
    "nothing": np.zeros((2, 32, 32), np.int16),
    "extremes": np.where(NOISE > 0, 32767, -32768).astype(np.int16),
    "noise": NOISE,
}
SMALL: Mapping[str, npt.NDArray[np.int16]] = {
    "one voxel": np.array([[[-5]]], np.int16),
    "single pixels": np.array([[[-32768]], [[0]], [[32767]]], np.int16),
    "odd length": np.arange(-7, 8, dtype=np.int16).reshape(1, 3, 5),
    "31 rows": NOISE[:, :31, :],
}


def in_order(values: npt.NDArray[np.int16], form: Form) -> npt.NDArray[np.int16]:
    """Return the slices of a file in the order of a form's frames: Enhanced ones run along the normal, so backwards."""
    return values if form is Form.CLASSIC else values[::-1]


@pytest.mark.parametrize("form", [Form.CLASSIC, Form.ENHANCED])
@pytest.mark.parametrize("picture", ODD)
def test_odd_pictures_are_kept_bit_for_bit(tmp_path: Path, compression: Compression, form: Form, picture: str) -> None:
    values = ODD[picture]
    write_pair(tmp_path / "in" / "a.img", values)
    output = converted(tmp_path / "in" / "a.img", tmp_path / "out", compression, form)
    files = sorted(output.rglob("*.dcm"))
    found = np.stack([dcmread(file).pixel_array for file in files])
    np.testing.assert_array_equal(found.reshape(values.shape), in_order(values, form))
    gdcm = np.stack([sitk.GetArrayFromImage(sitk.ReadImage(str(file))) for file in files])
    np.testing.assert_array_equal(gdcm.reshape(values.shape), in_order(values, form))


@pytest.mark.debian
@pytest.mark.parametrize("form", [Form.CLASSIC, Form.ENHANCED])
@pytest.mark.parametrize("picture", SMALL)
def test_small_pictures_are_kept_bit_for_bit_or_refused_in_one_line(
    tmp_path: Path, tool: Tool, compression: Compression, form: Form, picture: str
) -> None:
    """OpenJPEG refuses less than 32 rows or columns, and pyjpegls less than 33 pixels; DCMTK decodes all others."""
    values = SMALL[picture]
    write_pair(tmp_path / "in" / "a.img", values)
    try:
        output = converted(tmp_path / "in" / "a.img", tmp_path / "out", compression, form)
    except InveonError as error:
        assert compression in {Compression.JPEG_LS, Compression.JPEG_2000}
        assert compression.value in str(error)  # noqa: PT017 - whether it is refused depends on the codec
        assert not (tmp_path / "out").exists()
        return
    files = sorted(output.rglob("*.dcm"))
    found = np.stack([stored(decompressed(tool, file, compression)) for file in files])
    np.testing.assert_array_equal(found.reshape(values.shape), in_order(values, form))


def test_compression_makes_files_smaller(tmp_path: Path, compression: Compression) -> None:
    smooth = np.add.outer(np.arange(128), np.arange(128))[np.newaxis].astype(np.int16)
    write_pair(tmp_path / "in" / "a.img", smooth)
    plain, compressed = (
        converted(tmp_path / "in" / "a.img", tmp_path / each.value, each) for each in (Compression.NONE, compression)
    )
    [(plain, compressed)] = Both(plain, compressed).pairs()
    assert compressed.stat().st_size < 0.9 * plain.stat().st_size


# The option.


@pytest.mark.parametrize("name", ["rle", "jpegls", "j2k", "deflated", "none"])
def test_the_command_compresses(study: Path, tmp_path: Path, name: str) -> None:
    assert inveon("convert", study, tmp_path / "out", "--compress", name).exit_code == 0
    files = sorted((tmp_path / "out").rglob("*.dcm"))
    assert len(files) == 3 + 6 + 1
    expected = UIDS.get(Compression(name), "1.2.840.10008.1.2.1")
    assert {dcmread(file).file_meta.TransferSyntaxUID for file in files} == {expected}


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("name", ["rle", "jpegls", "j2k"])
def test_a_codec_that_is_not_installed_is_wrong_usage_before_any_work(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, *, dry_run: bool
) -> None:
    monkeypatch.setattr(Encoder, "is_available", property(lambda _: False))
    monkeypatch.setattr("inveonimaging.conversion.job.data_summaries", lambda _: pytest.fail("voxels are read"))
    arguments = ["convert", study, tmp_path / "new" / "out", "--compress", name, *(["-n"] if dry_run else [])]
    done = inveon(*arguments)
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
    assert name in line
    assert 'pip install "inveonimaging[compress]"' in line
    assert "--compress none" in line
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("compression", [Compression.NONE, Compression.DEFLATED])
def test_what_needs_no_codec_works_without_one(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, compression: Compression
) -> None:
    monkeypatch.setattr(Encoder, "is_available", property(lambda _: False))
    [found] = convert(study, tmp_path / "out", Options(compression=compression))
    assert sum(series.instances for series in found.series) == 10


def test_an_absent_codec_is_an_option_error(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Encoder, "is_available", property(lambda _: False))
    with pytest.raises(OptionError, match="nothing is installed that compresses to jpegls"):
        convert(study, tmp_path / "out", Options(compression=Compression.JPEG_LS))
    assert not (tmp_path / "out").exists()


def test_an_unknown_compression_is_wrong_usage(study: Path, tmp_path: Path) -> None:
    done = inveon("convert", study, tmp_path / "out", "--compress", "jpeg")
    assert done.exit_code == 2
    assert "--compress is " in done.output


def test_the_test_extra_installs_all_codecs() -> None:
    """Without this, the tests above could be skipped for want of a codec; they are not, and would fail."""
    assert all(get_encoder(UID(UIDS[each])).is_available for each in ENCAPSULATED)
