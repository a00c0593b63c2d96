"""`inveon restore`: the files that were converted, byte for byte or as near as their DICOM is."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian

import inveonimaging
from helpers import CT, PET, header_text, instances, inveon, write_small_study
from inveonimaging import Options, RestoredPair, convert, restore
from inveonimaging.commands.split import split_inveon
from inveonimaging.inveon.hdr.enums import DataType, Modality, Orientation
from inveonimaging.inveon.pairs import data_name
from inveonimaging.phantom import PhantomScan, frames_of, write_scan
from inveonimaging.restoring.names import safe_name
from truth import truth_of

STATIC = frames_of(600.0)
INTEGERS = replace(PET, data_type=DataType.INT16_LE, scale_factor=500.0)
SPECT = replace(PET, modality=Modality.SPECT, data_type=DataType.INT16_LE, scale_factor=500.0, energy_windows=2)
LOSSLESS: dict[str, tuple[PhantomScan, dict[str, Any]]] = {
    "a CT": (CT, {}),
    "big-endian": (replace(CT, data_type=DataType.INT16_BE), {}),
    "32 bits": (replace(CT, data_type=DataType.INT32_LE), {"form": "enhanced"}),
    "32 bits, big-endian": (replace(CT, data_type=DataType.INT32_BE), {"form": "legacy"}),
    "8 bits": (replace(PET, data_type=DataType.INT8), {"form": "enhanced"}),
    "Windows' lines": (replace(CT, newline="\r\n"), {"compression": "rle"}),
    "JPEG-LS, Legacy": (CT, {"form": "legacy", "compression": "jpegls"}),
    "deflated": (CT, {"compression": "deflated"}),
    "a flipped axis": (CT, {"form": "enhanced", "flip": "z"}),
    "two flipped axes, and another posture": (CT, {"form": "legacy", "flip": "xz", "orientation": "FFDL"}),
    "Hounsfield applied": (replace(CT, scale_factor=0.5), {"apply_hounsfield": True, "form": "enhanced"}),
    "time frames of several factors": (replace(PET, data_type=DataType.INT16_LE), {"rescale": "frame"}),
    "the order of time, Enhanced": (replace(INTEGERS, frames=STATIC, gates=4), {"form": "enhanced", "cycle_ms": 200}),
    "gates, each a series": (replace(INTEGERS, frames=STATIC, gates=3), {"form": "enhanced"}),
    "frames apart": (INTEGERS, {"separate_frames": True}),
    "bed positions, Legacy": (
        replace(INTEGERS, beds=(300.0, 340.0, 320.0)),
        {"bed_direction": "reverse", "form": "legacy"},
    ),
    "SPECT, feet first": (replace(SPECT, orientation=Orientation.FFS), {}),
    "SPECT, another posture": (replace(SPECT, orientation=Orientation.HFP, energy_windows=1), {"orientation": "FFP"}),
    "SPECT, gated": (replace(SPECT, frames=STATIC, gates=4, energy_windows=1), {"cycle_ms": 200}),
    "a concatenation": (replace(CT, shape=(512, 256, 6)), {"form": "enhanced", "largest_object": "1MiB"}),
}
LOSSY: dict[str, tuple[PhantomScan, dict[str, Any]]] = {
    "big-endian float": (replace(PET, data_type=DataType.FLOAT32_BE), {"form": "enhanced"}),
    "integers of several factors under one slope": (replace(PET, data_type=DataType.INT16_LE), {}),
    "one slope of all frames": (PET, {"rescale": "series", "form": "legacy"}),
    "a slope a slice": (PET, {"rescale": "slice"}),
    "a CT of 32 bits beyond 16": (replace(CT, data_type=DataType.INT32_LE, scale_factor=0.01), {}),
    "a mu map": (replace(PET, mu_map=True, frames=STATIC), {"form": "enhanced"}),
}


def made(folder: Path, scan: PhantomScan, options: dict[str, Any]) -> tuple[Path, Path]:
    """Write a scan and convert it; return the data file and the DICOM."""
    (folder / "in").mkdir()
    data = folder / "in" / "mäuse 7.img"
    write_scan(data, scan)
    convert(data.parent, folder / "dicom", Options(**options))
    return data, folder / "dicom"


def pair_of(folder: Path, source: Path) -> RestoredPair:
    """Restore one pair."""
    (pair,) = restore(source, folder / "back").pairs
    return pair


@pytest.mark.parametrize("name", LOSSLESS)
def test_integers_and_headers_come_back_byte_for_byte(tmp_path: Path, name: str) -> None:
    data, dicom = made(tmp_path, *LOSSLESS[name])
    pair = pair_of(tmp_path, dicom)
    assert [pair.data.name, pair.header.name] == [data.name, f"{data.name}.hdr"]
    assert pair.data.read_bytes() == data.read_bytes()
    assert pair.header.read_bytes() == data.with_name(f"{data.name}.hdr").read_bytes()
    assert (pair.max_error, pair.is_original, pair.missing) == (0, True, ())


@pytest.mark.parametrize("name", LOSSY)
def test_other_values_are_within_half_a_step_and_converted_again_are_the_same(tmp_path: Path, name: str) -> None:
    data, dicom = made(tmp_path, *LOSSY[name])
    pair = pair_of(tmp_path, dicom)
    assert pair.header.read_bytes() == data.with_name(f"{data.name}.hdr").read_bytes()
    before, after = truth_of(data), truth_of(pair.data)
    steps = [max(slopes_in(dicom))]
    if LOSSY[name][0].dtype.kind == "i":  # and the file's own, of frames in which it is another one
        stored = np.fromfile(data, LOSSY[name][0].dtype).reshape(before.values.shape)
        own = before.values[stored != 0] / stored[stored != 0]
        steps.append(own[own < 0.999 * steps[0]].max())
    assert pair.max_error == pytest.approx(sum(steps) / 2, rel=1 / 250)  # what float32 rounds, as well
    assert 0 < np.abs(after.values - before.values).max() <= pair.max_error
    convert(pair.data, tmp_path / "again", Options(**LOSSY[name][1]))
    for one, two in zip(instances(dicom), instances(tmp_path / "again"), strict=True):
        assert np.array_equal(one.pixel_array, two.pixel_array)
    assert sorted(slopes_in(tmp_path / "again")) == pytest.approx(sorted(slopes_in(dicom)), rel=2e-7)


def slopes_in(folder: Path) -> list[float]:
    """Return all rescale slopes, as pydicom finds them."""
    return [
        float(element.value)
        for ds in instances(folder)
        for element in ds.iterall()
        if element.keyword == "RescaleSlope"
    ]


# What other programs do to DICOM.


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a CT and a dynamic PET in `in`, and their DICOM in `dicom`; tests only read it."""
    folder = tmp_path_factory.mktemp("study")
    convert(write_small_study(folder / "in"), folder / "dicom")
    return folder


@pytest.fixture
def dicom(study: Path, tmp_path: Path) -> Path:
    """Return a copy of the DICOM that a test may change, without its manifest."""
    shutil.copytree(study / "dicom", tmp_path / "dicom")
    (tmp_path / "dicom" / "inveon-manifest.json").unlink()
    return tmp_path / "dicom"


def changed(path: Path, change: Callable[[pydicom.FileDataset], object]) -> None:
    """Change a file with pydicom."""
    ds = pydicom.dcmread(path)
    change(ds)
    ds.save_as(path)


def one_line(source: Path, output: Path) -> str:
    """Return the error of a restoration, in one line; nothing is left."""
    with pytest.raises(inveonimaging.InveonError) as found:
        restore(source, output)
    assert not output.exists()
    assert "\n" not in str(found.value)
    return str(found.value)


def test_a_study_comes_back_under_its_names(study: Path, tmp_path: Path) -> None:
    result = inveon("restore", study / "dicom", tmp_path / "back")
    step = max(slopes_in(study / "dicom" / "2"))
    near = f"voxels within {step * (0.5 + 2**-9):.3g} Bq/mL of those that were converted, half a step of the DICOM"
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        f"{tmp_path / 'back' / 'm1.ct.img'}: byte for byte the files that were converted",
        f"{tmp_path / 'back' / 'm1.pet.img'}: {near}",
    ]
    assert sorted(path.name for path in (tmp_path / "back").iterdir()) == [
        "m1.ct.img",
        "m1.ct.img.hdr",
        "m1.pet.img",
        "m1.pet.img.hdr",
    ]


@pytest.mark.parametrize("order", ["names", "implicit", "big-endian"])
def test_what_an_archive_stored_anew_comes_back(study: Path, dicom: Path, tmp_path: Path, order: str) -> None:
    """Files get other names, and lose the VR of private elements, or have the other byte order."""
    (tmp_path / "export").mkdir()
    for number, path in enumerate(sorted(dicom.rglob("*.dcm"), reverse=True)):
        ds = pydicom.dcmread(path)
        if order == "implicit":
            ds.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
            ds.save_as(tmp_path / "export" / f"I{number}", implicit_vr=True, little_endian=True)
        elif order == "big-endian":
            ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
            ds.PixelData = np.frombuffer(ds.PixelData, "<i2").byteswap().tobytes()
            pydicom.dcmwrite(tmp_path / "export" / f"I{number}", ds, implicit_vr=False, little_endian=False)
        else:
            path.rename(tmp_path / "export" / f"I{number}")
    restore(tmp_path / "export", tmp_path / "back")
    for name in ("m1.ct.img", "m1.ct.img.hdr", "m1.pet.img.hdr"):
        assert (tmp_path / "back" / name).read_bytes() == (study / "in" / name).read_bytes()


def test_pixels_that_were_changed_are_what_is_written(study: Path, tmp_path: Path) -> None:
    """The manifest says that another file was converted."""
    shutil.copytree(study / "dicom", tmp_path / "dicom")

    def blacken(ds: pydicom.FileDataset) -> None:
        ds.PixelData = b"\x07\x00" * (8 * 7)

    changed(tmp_path / "dicom" / "1" / "CT-000004.dcm", blacken)
    pair, _ = restore(tmp_path / "dicom", tmp_path / "back").pairs
    assert (pair.is_original, pair.max_error) == (False, 0)
    before, after = (np.fromfile(path, "<i2").reshape(6, 7, 8) for path in (study / "in" / "m1.ct.img", pair.data))
    assert np.array_equal(np.delete(after, 3, 0), np.delete(before, 3, 0))
    assert np.all(after[3] == 7)
    assert "not the file that the manifest names" in inveon("restore", tmp_path / "dicom", tmp_path / "x").stdout


def test_another_slope_is_taken_into_account(dicom: Path, tmp_path: Path) -> None:
    """A stored 3 of 2.0 HU each, and 1 more, is 7 HU; the file's stored 1 is 1 HU."""

    def rescaled(ds: pydicom.FileDataset) -> None:
        ds.RescaleSlope, ds.RescaleIntercept, ds.PixelData = "2", "1", b"\x03\x00" * (8 * 7)

    changed(dicom / "1" / "CT-000001.dcm", rescaled)
    pair, _ = restore(dicom, tmp_path / "back").pairs
    assert np.all(np.fromfile(pair.data, "<i2")[: 8 * 7] == 7)
    assert pair.max_error == 1.5  # half a step of 2 HU, and half of the file's own


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a slice is missing": (
        lambda dicom: (dicom / "2" / "PET-000009.dcm").unlink(),
        "series 2 has 11 slices, expected 12, as its header says; give the folder with all of its files",
    ),
    "the first file is missing": (
        lambda dicom: (dicom / "1" / "CT-000001.dcm").unlink(),
        "no file of series 1 has its Inveon header, expected the file with Instance Number 1, and its private",
    ),
    "private elements were removed": (
        lambda dicom: changed(dicom / "1" / "CT-000001.dcm", lambda ds: ds.remove_private_tags()),
        "no file of series 1 has its Inveon header",
    ),
    "a slice is there twice": (
        lambda dicom: shutil.copy(dicom / "1" / "CT-000002.dcm", dicom / "1" / "copy.dcm"),
        "slices of series 1 occur twice, expected 6",
    ),
    "a number is senseless": (
        lambda dicom: changed(dicom / "1" / "CT-000002.dcm", lambda ds: setattr(ds, "InstanceNumber", "77")),
        "CT-000002.dcm: InstanceNumber of CT-000002.dcm is '77', expected 1 to 6",
    ),
    "an image was turned": (
        lambda dicom: changed(
            dicom / "1" / "CT-000003.dcm", lambda ds: setattr(ds, "ImageOrientationPatient", [1, 0, 0, 0, 1, 0])
        ),
        "CT-000003.dcm: Image Orientation (Patient) is 1 0 0 0 1 0, expected -1 0 0 0 -1 0; another program has turned",
    ),
    "an image was cropped": (
        lambda dicom: changed(dicom / "1" / "CT-000003.dcm", lambda ds: setattr(ds, "Rows", 6)),
        "CT-000003.dcm: its image has 8 x 6, expected 8 x 7, as its header says",
    ),
    "pixels end early": (
        lambda dicom: (dicom / "1" / "CT-000005.dcm").write_bytes((dicom / "1" / "CT-000005.dcm").read_bytes()[:-9]),
        "CT-000005.dcm: ends early, after 103 of 112 bytes of its pixels",
    ),
    "a slope is none": (
        lambda dicom: changed(dicom / "2" / "PET-000003.dcm", lambda ds: setattr(ds, "RescaleSlope", "0")),
        "PET-000003.dcm: slope and intercept of PET-000003.dcm are 0.0 and 0.0, expected a slope above 0",
    ),
    "the text was cut": (
        lambda dicom: changed(dicom / "1" / "CT-000001.dcm", lambda ds: setattr(ds[0x00991004], "value", 9)),
        "bytes, expected 9",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_whole_is_refused_and_nothing_is_written(dicom: Path, tmp_path: Path, name: str) -> None:
    spoil, message = REFUSED[name]
    spoil(dicom)
    assert message in one_line(dicom, tmp_path / "back")


def test_dicom_of_others_is_refused_or_left_out(dicom: Path, tmp_path: Path) -> None:
    def foreign(ds: pydicom.FileDataset) -> None:
        ds.remove_private_tags()
        ds.ContributingEquipmentSequence[0].Manufacturer = "Somebody\x1b"
        ds.SeriesInstanceUID = UID("1.2.3")
        ds.Manufacturer = "Siemens\x1b"
        ds.file_meta.ImplementationClassUID = UID("1.2.3.4")

    (tmp_path / "dicom" / "other").mkdir()
    shutil.copy(dicom / "1" / "CT-000001.dcm", dicom / "other" / "x.dcm")
    changed(dicom / "other" / "x.dcm", foreign)
    message = one_line(dicom / "other", tmp_path / "back")
    assert message.startswith(f"{dicom / 'other' / 'x.dcm'}: was not made by inveonimaging (Siemens\\x1b")
    assert message.endswith("has no Inveon header, expected DICOM that inveon convert or inveon split wrote")
    result = inveon("restore", dicom, tmp_path / "back")
    assert (result.exit_code, len(result.stdout.splitlines())) == (0, 2)
    assert result.stderr.startswith(f"{dicom / 'other' / 'x.dcm'}: left out: was not made by inveonimaging")
    assert inveon("restore", dicom / "other", tmp_path / "none").exit_code == 1
    assert inveon("restore", tmp_path / "missing", tmp_path / "none").exit_code == 1


def test_several_forms_of_one_scan_are_refused(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study / "dicom" / "1", tmp_path / "dicom" / "classic")
    convert(study / "in" / "m1.ct.img", tmp_path / "one", Options(uids="random"))
    convert(study / "in", tmp_path / "dicom" / "legacy", Options(form="legacy"))
    message = "one scan is there in several forms, expected one; CT Image Storage and Legacy Converted Enhanced CT"
    assert message in one_line(tmp_path / "dicom", tmp_path / "back")
    shutil.copytree(tmp_path / "one" / "1", tmp_path / "dicom" / "more")
    shutil.rmtree(tmp_path / "dicom" / "legacy")
    assert f"{tmp_path / 'dicom'}: two scans are called m1.ct.img" in one_line(tmp_path / "dicom", tmp_path / "back")


# Names and headers are untrusted.


NAMES = {
    "mouse 7 (2).pet.img.hdr": "mouse 7 (2).pet.img",
    "Mäuse.IMG.HDR": "Mäuse.IMG",
    "short.hdr": "short.img",
    "../../etc/passwd.img.hdr": "etc_passwd.img",
    "/etc/x.img.hdr": "etc_x.img",
    "C:\\x.img.hdr": "C_x.img",
    "con.img.hdr": "scan-con.img",
    ".img.hdr": "scan.img",
    "-rf.img.hdr": "rf.img",
    "a\x1b[2J.img.hdr": "a_2J.img",
    "no suffix": "no_suffix.img",
    "": "scan.img",
}


def test_a_name_is_kept_where_every_system_can_have_it_and_never_is_a_path(dicom: Path, tmp_path: Path) -> None:
    assert {name: data_name(Path(safe_name(name))) for name in NAMES} == NAMES
    name = "../../etc/passwd.img.hdr"
    changed(dicom / "1" / "CT-000001.dcm", lambda ds: setattr(ds[0x00991002], "value", name))
    (pair,) = restore(dicom / "1", tmp_path / "back").pairs
    assert pair.data == tmp_path / "back" / NAMES[name]
    assert pair.header.parent == tmp_path / "back"
    assert inveonimaging.read(pair.data).grid.shape == (8, 7, 6)


LONG = "a mouse whose name is longer than the 64 characters of a Long String, and has  two blanks.img"


def test_a_name_that_no_long_string_holds_comes_back(tmp_path: Path) -> None:
    write_scan(tmp_path / LONG, CT)
    convert(tmp_path / LONG, tmp_path / "dicom")
    (pair,) = restore(tmp_path / "dicom", tmp_path / "back").pairs
    assert (pair.data.name, pair.is_original) == (LONG, True)


HEADERS: dict[str, str | bytes] = {
    "a byte order mark": "\ufeff" + header_text(),
    "Windows-1252": header_text({"investigator": "Müller €"}).encode("cp1252"),
    "bytes that Windows-1252 lacks": header_text({"investigator": "M"}).encode() + b"\x81\x8d",
    "an escape": header_text({"investigator": "a\x1b[31mb"}),
    "carriage returns, blanks and tabs at the end": header_text(newline="\r\n") + "\t \r\n   \t  ",
    "no end": header_text().rstrip("\n"),
    "blanks at both ends": "   \n" + header_text() + "    ",
    "form feed and vertical tab": header_text() + "\x0b\x0c",
    "a backslash and Greek": header_text({"investigator": "µ\\ß"}),
    "longer than 64 KiB": header_text() + "# and more\n" * 9000,
}


@pytest.mark.parametrize(
    ("name", "form"), [*((name, "classic") for name in HEADERS), ("longer than 64 KiB", "enhanced")]
)
def test_any_header_comes_back(tmp_path: Path, name: str, form: str) -> None:
    text = HEADERS[name]
    data = text if isinstance(text, bytes) else text.encode()
    data = data.replace(b"modality 0", b"modality 1")  # a CT may be Enhanced with so little
    (tmp_path / "a.img").write_bytes(np.arange(24, dtype="<i2").tobytes())
    (tmp_path / "a.img.hdr").write_bytes(data)
    convert(tmp_path / "a.img", tmp_path / "dicom", Options(form=form))
    (pair,) = restore(tmp_path / "dicom", tmp_path / "back").pairs
    assert pair.header.read_bytes() == data
    assert pair.is_original


def test_seeded_headers_come_back(tmp_path: Path) -> None:
    """Bytes that are put somewhere between the lines of a header."""
    random = np.random.default_rng(20)
    (tmp_path / "a.img").write_bytes(np.arange(24, dtype="<i2").tobytes())
    lines = header_text({"modality": "1"}).encode().split(b"\n")
    for number in range(12):
        noise = b"# " + bytes(random.integers(1, 256, 5, dtype=np.uint8)).replace(b"\n", b"\r")
        at = int(random.integers(0, len(lines)))
        data = b"\n".join([*lines[:at], noise, *lines[at:]]) + b" " * int(random.integers(0, 4))
        (tmp_path / "a.img.hdr").write_bytes(data)
        convert(tmp_path / "a.img", tmp_path / f"{number}", Options(manifest=False))
        (pair,) = restore(tmp_path / f"{number}", tmp_path / "back", overwrite=True).pairs
        assert pair.header.read_bytes() == data, noise


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("data_file_pointer 0 0", "data_file_pointer 9 0", "by its header the data file has 38654705"),
        ("data_type 2", "data_type 77", "data_type is '77'"),
        ("z_dimension 2", "z_dimension 3", "series 1 has 2 slices, expected 3"),
        ("scale_factor 1.0", "scale_factor -1", "line 32 of its Inveon header: scale_factor of frame 0 is '-1'"),
    ],
)
def test_a_header_that_was_changed_on_its_way_is_refused_in_one_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    (tmp_path / "a.img").write_bytes(np.arange(24, dtype="<i2").tobytes())
    (tmp_path / "a.img.hdr").write_text(header_text({"modality": "1"}), "ascii")
    convert(tmp_path / "a.img", tmp_path / "dicom")

    def spoil(ds: pydicom.FileDataset) -> None:
        ds[0x00991001].value = ds[0x00991001].value.replace(old, new)
        ds[0x00991004].value = len(ds[0x00991001].value)

    changed(tmp_path / "dicom" / "1" / "CT-000001.dcm", spoil)
    found = one_line(tmp_path / "dicom", tmp_path / "back")
    assert message in found
    assert "CT-000001.dcm" in found or "dicom/1:" in found


# De-identified studies, and animals of a group.


def test_a_deidentified_study_gives_what_is_left(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVEON_DEIDENTIFY_KEY", "a secret of some length")
    convert(study / "in", tmp_path / "dicom", Options(deidentify=True))
    result = inveon("restore", tmp_path / "dicom", tmp_path / "back", "--json")
    ct, pet = json.loads(result.stdout)["pairs"]
    assert [Path(each["data"]).name for each in (ct, pet)] == ["1.img", "2.img"]
    assert Path(ct["data"]).read_bytes() == (study / "in" / "m1.ct.img").read_bytes()
    assert ct["is_original"] is None
    assert {"file_name", "investigator", "institution"} <= set(pet["missing"])
    header = Path(pet["header"]).read_bytes()
    assert b"M0042" not in header
    assert b"\nisotope_half_life 6586.2" in header
    shown = inveon("restore", tmp_path / "dicom", tmp_path / "other").stdout.splitlines()[0]
    assert "; the header has what de-identification left, without " in shown
    convert(tmp_path / "back", tmp_path / "again")
    one, two = (instances(tmp_path / each)[0] for each in ("dicom", "again"))
    assert np.array_equal(one.pixel_array, two.pixel_array)


SHEET = """patient_id,position,weight_g,dose_MBq,injection_time,posture,sex,birth_date
m12,left,20.5,7.4,2014-06-17 13:51:37,,F,2014-03-05
m13,right,,6.9,2014-06-17 13:50:00,FFS,M,
"""
BOXES = {
    "schema": 1,
    "program": "inveonimaging",
    "animals": [
        {"position": "left", "low_mm": [-11, -8, -18], "high_mm": [-4, 8, 18]},
        {"position": "right", "low_mm": [4, -8, -18], "high_mm": [8, 8, 10]},
    ],
}


@pytest.mark.parametrize(
    ("scan", "form"),
    [
        (replace(PET, data_type=DataType.INT16_BE, newline="\r\n"), "enhanced"),
        (replace(INTEGERS, frames=STATIC, beds=(300.0, 340.0)), "legacy"),
        (replace(SPECT, orientation=Orientation.FFP, energy_windows=1), "classic"),
    ],
    ids=["PET", "bed positions", "SPECT"],
)
def test_animals_of_a_group_come_back_as_split_writes_them(tmp_path: Path, scan: PhantomScan, form: str) -> None:
    """`inveon split --as inveon` cuts the scanner's files themselves."""
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "a.img", scan)
    (tmp_path / "hotel.csv").write_text(SHEET, "ascii")
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps(BOXES), "ascii")
    options = Options(sheet=tmp_path / "hotel.csv", form=form, rescale="frame")
    expected = split_inveon(tmp_path / "in", tmp_path / "cut", options, boxes=boxes)
    inveonimaging.split(tmp_path / "in", tmp_path / "out", options, boxes=boxes)
    found = [pair for name in ("m12", "m13") for pair in restore(tmp_path / "out" / name, tmp_path / name).pairs]
    assert [each.data.name for each in found] == [each.data.name for each in expected]
    for pair, cut in zip(found, expected, strict=True):
        assert pair.is_cut
        assert pair.data.read_bytes() == cut.data.read_bytes()
        if scan.modality is not Modality.SPECT:  # whose DICOM has no day of the injection
            assert pair.header.read_bytes() == cut.header.read_bytes()
        assert b"# Header file for data file" in pair.header.read_bytes()[:128]  # by which Bio-Formats knows them
        assert inveonimaging.read(pair.data).grid == inveonimaging.read(cut.data).grid
    assert "the header is that of the part" in inveon("restore", tmp_path / "out" / "m12", tmp_path / "again").stdout


@pytest.mark.debian
def test_medcon_reads_what_is_restored(study: Path, tmp_path: Path, tool: Callable[[str], str]) -> None:
    import nibabel

    (pair,) = restore(study / "dicom" / "1", tmp_path / "back").pairs
    command = [tool("medcon"), "-f", str(pair.header), "-c", "nifti", "-n", "-noprefix", "-o", "x"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    values = np.asarray(nibabel.Nifti1Image.from_filename(tmp_path / "x.nii").dataobj)
    assert np.array_equal(np.sort(values.ravel()), np.sort(np.fromfile(study / "in" / "m1.ct.img", "<i2")))


# The command.


def test_nothing_is_overwritten_unasked_and_a_dry_run_writes_nothing(study: Path, tmp_path: Path) -> None:
    tried = inveon("restore", study / "dicom", tmp_path / "back", "--dry-run")
    assert tried.exit_code == 0
    message = "m1.ct.img: would have 672 bytes, voxels bit for bit as they were converted"
    assert tried.stdout.splitlines()[0].endswith(message)
    assert not (tmp_path / "back").exists()
    (tmp_path / "back").mkdir()
    (tmp_path / "back" / "m1.pet.img").write_text("mine")
    (tmp_path / "back" / "notes.txt").write_text("mine, too")
    for flag in ((), ("--dry-run",)):
        refused = inveon("restore", study / "dicom", tmp_path / "back", *flag)
        assert refused.exit_code == 1
        assert "exists already; nothing is overwritten; name a new file, or replace with" in refused.stderr
    assert len(list((tmp_path / "back").iterdir())) == 2
    assert inveon("restore", study / "dicom", tmp_path / "back", "--overwrite").exit_code == 0
    assert (tmp_path / "back" / "m1.pet.img").stat().st_size == 8 * 7 * 6 * 2 * 4
    assert len(list((tmp_path / "back").iterdir())) == 5


def test_json_has_one_document(study: Path, tmp_path: Path) -> None:
    for flags, is_dry in ((("--dry-run",), True), ((), False)):
        document = json.loads(inveon("restore", study / "dicom", tmp_path / "back", "--json", *flags).stdout)
        assert (document["schema"], document["dry_run"], document["left_out"]) == (1, is_dry, [])
        assert [each["max_error"] == 0 for each in document["pairs"]] == [True, False]
        assert [each["unit"] for each in document["pairs"]] == ["HU", "Bq/mL"]
    assert document["pairs"][0]["is_original"] is True
    assert "error" in json.loads(inveon("restore", study / "dicom", tmp_path / "back", "--json").stdout)


def test_progress_counts_slices_and_what_it_raises_leaves_nothing(study: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    restore(study / "dicom", tmp_path / "back", progress=lambda *each: seen.append(each))
    assert seen == [(n, 18) for n in range(1, 19)]

    def stop(done: int, _total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(study / "dicom", tmp_path / "none", progress=stop)
    assert not (tmp_path / "none").exists()


def test_memory_does_not_grow_with_the_volume(tmp_path: Path) -> None:
    """A CT of 20 MiB."""
    import tracemalloc

    write_scan(tmp_path / "a.img", replace(CT, shape=(512, 512, 40), spacing_mm=(0.1, 0.1, 1.0)))
    convert(tmp_path / "a.img", tmp_path / "dicom", Options(form="enhanced"))
    tracemalloc.start()
    (pair,) = restore(tmp_path / "dicom", tmp_path / "back").pairs
    assert tracemalloc.get_traced_memory()[1] < 10 * 2**20
    tracemalloc.stop()
    digests = [hashlib.sha256(path.read_bytes()).digest() for path in (tmp_path / "a.img", pair.data)]
    assert digests[0] == digests[1]
