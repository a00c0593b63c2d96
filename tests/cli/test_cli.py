"""The command `inveon`: what it writes, says, refuses, and with which exit code it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.uid import CTImageStorage, PositronEmissionTomographyImageStorage

import inveonimaging
from defects import Defect, write_scan
from forked import on_terminal, run_forked
from helpers import (
    CT,
    CT_FILES,
    PET,
    PET_FILES,
    assert_harmless,
    assert_one_line_error,
    digests,
    files_below,
    instances,
    inveon,
    python,
    write_small_study,
)
from inveonimaging.cli import progress
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.inveon.hdr.values import GateBins
from inveonimaging.phantom import files, frames_of

HOSTILE = "M1 \x1b[31mred\x1b[0m [red]x[/red] \u202etxt\u2028\x9b2J\x07\r."
HOSTILE_NAME = "m\n\x1b[2J[red]\u202e\x07"
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such file names, terminals or pipes")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Return a folder with a CT and a PET."""
    return write_small_study(tmp_path / "in")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a folder that does not exist, in one that does not exist."""
    return tmp_path / "new" / "out"


def refused(*arguments: object, code: int = 1) -> str:
    """Run `inveon` and show that it ends with one line; return the line."""
    result = inveon(*arguments)
    return assert_one_line_error(result.exit_code, result.stdout, result.stderr, code)


def converted(*arguments: object) -> list[Any]:
    """Run `inveon convert ... OUTPUT` and show that it does; return the instances."""
    result = inveon("convert", *arguments)
    assert result.exit_code == 0, result.output
    return instances(Path(str(arguments[-1])))


# What is written.


def test_a_folder_becomes_a_study_with_a_series_for_each_pair(study: Path, out: Path) -> None:
    result = inveon("convert", study, out)
    assert result.exit_code == 0
    assert files_below(out) == CT_FILES + PET_FILES
    assert result.stdout.splitlines() == [
        f"{out / '1'}: 6 CT Image files from m1.ct.img.hdr",
        f"{out / '2'}: 12 PET Image files from m1.pet.img.hdr",
    ]
    ct, pet = instances(out / "1"), instances(out / "2")
    assert {ds.SOPClassUID for ds in ct} == {CTImageStorage}
    assert {ds.SOPClassUID for ds in pet} == {PositronEmissionTomographyImageStorage}
    assert [ds.InstanceNumber for ds in ct] == list(range(1, 7))
    assert [ds.InstanceNumber for ds in pet] == list(range(1, 13))
    assert len({ds.StudyInstanceUID for ds in ct + pet}) == 1
    assert [len({ds.SeriesInstanceUID for ds in series}) for series in (ct, pet, ct + pet)] == [1, 1, 2]
    assert len({ds.SOPInstanceUID for ds in ct + pet}) == 18


def test_the_input_is_not_touched(study: Path, out: Path) -> None:
    before = digests(study)
    assert inveon("convert", study, out).exit_code == 0
    assert digests(study) == before


@pytest.mark.parametrize("name", ["m1.ct.img", "m1.ct.img.hdr"])
def test_one_file_becomes_one_series(study: Path, out: Path, name: str) -> None:
    assert inveon("convert", study / name, out).exit_code == 0
    assert files_below(out) == CT_FILES


def test_the_header_may_be_named_without_img(study: Path, out: Path) -> None:
    (study / "m1.pet.img.hdr").rename(study / "m1.pet.hdr")
    assert inveon("convert", study / "m1.pet.hdr", out).exit_code == 0
    assert files_below(out) == [name.replace("2/", "1/") for name in PET_FILES]


def test_a_file_in_the_current_folder_needs_no_path(study: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(study)
    assert inveon("convert", "m1.ct.img", out).exit_code == 0
    assert files_below(out) == CT_FILES


def test_series_follow_the_order_of_file_names(tmp_path: Path, out: Path) -> None:
    for name in ("b.img", "a10.img", "a9.img", "C.img"):
        write_scan(tmp_path / name, PET if name == "a10.img" else CT)
    result = inveon("convert", tmp_path, out, "--json")
    order = [Path(series["source"]).name for series in json.loads(result.stdout)["studies"][0]["series"]]
    assert order == ["C.img.hdr", "a10.img.hdr", "a9.img.hdr", "b.img.hdr"]
    assert [ds.Modality for ds in instances(out / "2")] == ["PT"] * 12
    assert [ds.SeriesNumber for ds in instances(out / "4")] == [4] * 6


def test_an_empty_output_folder_is_used(study: Path, out: Path) -> None:
    out.mkdir(parents=True)
    assert inveon("convert", study, out).exit_code == 0
    assert files_below(out) == CT_FILES + PET_FILES


@pytest.mark.parametrize("held", ["old.dcm", ".hidden", "1/CT-000001.dcm"])
def test_an_output_folder_that_holds_anything_is_refused(study: Path, out: Path, held: str) -> None:
    (out / held).parent.mkdir(parents=True)
    (out / held).write_bytes(b"precious")
    assert str(out) in refused("convert", study, out)
    assert files_below(out) == [held]
    assert (out / held).read_bytes() == b"precious"


def test_the_input_folder_is_no_output_folder(study: Path) -> None:
    before = digests(study)
    assert "is not empty; nothing is overwritten; name a new folder; inveon convert --overwrite replaces" in refused(
        "convert", study, study
    )
    assert digests(study) == before


# Options.


def test_prefixes_start_the_names(study: Path, out: Path) -> None:
    assert inveon("convert", study, out, "-c", "x", "--pet-prefix", "Maus 7_").exit_code == 0
    assert files_below(out)[0] == "1/x000001.dcm"
    assert files_below(out)[-1] == "2/Maus 7_000012.dcm"


def test_an_empty_prefix_leaves_the_number(study: Path, out: Path) -> None:
    assert inveon("convert", study, out, "--ct-prefix", "", "-p", "").exit_code == 0
    assert files_below(out)[:1] == ["1/000001.dcm"]
    assert files_below(out)[-1:] == ["2/000012.dcm"]


@pytest.mark.parametrize("prefix", ["../x", "a/b", "a\\b", "C:", "x\ny", "a*", "\x1b[31m"])
@pytest.mark.parametrize("option", ["-c", "-p", "--nm-prefix"])
def test_a_prefix_that_is_no_start_of_a_file_name_is_wrong_usage(
    study: Path, out: Path, option: str, prefix: str
) -> None:
    assert f"{option} is " in refused("convert", study, out, option, prefix, code=2)
    assert not out.parent.exists()


# Image Orientation (Patient) of each posture: patient directions of a row and a column, by the table of the design.
IMAGE_ORIENTATION = {
    "FFP": [1, 0, 0, 0, -1, 0],
    "HFP": [-1, 0, 0, 0, -1, 0],
    "FFS": [-1, 0, 0, 0, 1, 0],
    "HFS": [1, 0, 0, 0, 1, 0],
    "FFDR": [0, -1, 0, -1, 0, 0],
    "HFDR": [0, 1, 0, -1, 0, 0],
    "FFDL": [0, 1, 0, 1, 0, 0],
    "HFDL": [0, -1, 0, 1, 0, 0],
}


@pytest.mark.parametrize("posture", IMAGE_ORIENTATION)
def test_an_orientation_overrides_the_headers(study: Path, out: Path, posture: str) -> None:
    datasets = converted("--orientation", posture, study, out)
    assert {tuple(ds.ImageOrientationPatient) for ds in datasets} == {tuple(IMAGE_ORIENTATION[posture])}
    assert {ds.PatientPosition for ds in datasets if ds.Modality == "CT"} == {posture}


def test_an_orientation_heals_one_that_is_not_known(tmp_path: Path, out: Path) -> None:
    write_scan(tmp_path / "a.img", CT, defects=(Defect.NO_ORIENTATION,))
    result = inveon("convert", tmp_path / "a.img", out, "--orientation", "HFS")
    assert result.exit_code == 0
    assert "subject_orientation" not in result.stderr
    assert "subject_orientation" in inveon("convert", tmp_path / "a.img", tmp_path / "other").stderr


def test_flip_turns_patient_directions_about_and_leaves_the_values(study: Path, tmp_path: Path) -> None:
    kept = converted(study / "m1.ct.img", tmp_path / "kept")
    flipped = converted("--flip", "xz", study / "m1.ct.img", tmp_path / "flipped")
    for one, other in zip(kept, flipped, strict=True):
        turned = [-1, -1, -1, 1, 1, 1] * np.array(one.ImageOrientationPatient)
        np.testing.assert_array_equal(turned, np.array(other.ImageOrientationPatient))
        mirrored = np.array([-1, 1, -1]) * one.ImagePositionPatient
        np.testing.assert_allclose(mirrored, np.array(other.ImagePositionPatient), atol=1e-9)  # of mm, in a DS
        assert one.PixelData == other.PixelData


@pytest.mark.parametrize("flip", ["w", "xx", "xyzx", "X,Y", "\x1b[31m"])
def test_a_flip_of_no_axes_is_wrong_usage(study: Path, out: Path, flip: str) -> None:
    assert "flip" in refused("convert", study, out, "--flip", flip, code=2)
    assert not out.parent.exists()


@pytest.mark.parametrize(("rescale", "slopes"), [("series", 1), ("frame", 2), ("slice", 12)])
def test_rescale_says_what_shares_a_slope(study: Path, out: Path, rescale: str, slopes: int) -> None:
    datasets = converted("--rescale", rescale, study / "m1.pet.img", out)
    found = len({ds.RescaleSlope for ds in datasets})
    assert found == slopes if rescale != "slice" else 2 < found <= slopes  # slices without activity may share one
    if rescale == "frame":
        assert len({(ds.AcquisitionNumber, ds.RescaleSlope) for ds in datasets}) == 2


def test_uids_come_from_the_content_unless_random(study: Path, tmp_path: Path) -> None:
    arguments = {
        "one": (),
        "same": (),
        "other": ("--patient-id", "X"),
        "random": ("--uids", "random"),
        "again": ("--uids", "random"),
    }
    uids = {
        name: {ds.SOPInstanceUID for ds in converted(*given, study, tmp_path / name)}
        for name, given in arguments.items()
    }
    assert uids["one"] == uids["same"]
    different = [uids[name] for name in ("one", "other", "random", "again")]
    assert len(set.union(*different)) == 4 * 18


def of_the_epoch(header: Header) -> Header:
    epoch = datetime(1970, 1, 1)
    return replace(header, acquisition=replace(header.acquisition, scan_time=epoch, gmt_scan_time=epoch))


NO_TIMES: dict[str, dict[str, Any]] = {
    "none": {"defects": (Defect.NO_SCAN_TIME,)},
    "the epoch": {"change": of_the_epoch},  # what a console writes for none
}


@pytest.mark.parametrize("lacking", NO_TIMES.values(), ids=NO_TIMES)
def test_a_scan_time_is_given_to_headers_that_have_none(tmp_path: Path, out: Path, lacking: dict[str, Any]) -> None:
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "a.pet.img", PET, **lacking)
    write_scan(tmp_path / "in" / "b.pet.img", PET)
    assert "--scan-time 2014-03-04T14:05:09" in refused("convert", tmp_path / "in", out)
    assert not out.parent.exists()
    datasets = converted("--scan-time", "2014-03-04T14:05:09", tmp_path / "in", out)
    times = {ds.SeriesNumber: (ds.SeriesDate, ds.SeriesTime) for ds in datasets}
    assert times == {1: ("20140304", "140509"), 2: ("20140617", "135207")}
    assert [ds.AcquisitionTime for ds in datasets[:12:6]] == ["140509", "140529"]  # the second frame starts at 20 s
    assert "TimezoneOffsetFromUTC" not in datasets[0]
    assert inveon("verify", tmp_path / "in", out, "--scan-time", "2014-03-04T14:05:09").exit_code == 0


@pytest.mark.parametrize(
    "time", ["yesterday", "2014-03-04T14:05:09+01:00", "2014-02-30T14:05:09", "14:05", "2014-03-04"]
)
def test_a_scan_time_that_is_no_local_date_and_time_is_wrong_usage(study: Path, out: Path, time: str) -> None:
    result = inveon("convert", study, out, "--scan-time", time)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "scan-time" in result.stderr
    assert "Traceback" not in result.stderr
    assert not out.parent.exists()


def test_the_animal_can_be_given(study: Path, out: Path) -> None:
    given = ("--patient-name", "Mouse^Minnie", "--patient-id", "M 12", "--patient-birth-date", "2013-12-25")
    for ds in converted(*given, "--patient-sex", "male", "-s", "Pilot", study, out):
        assert (str(ds.PatientName), ds.PatientID) == ("Mouse^Minnie", "M 12")
        assert (ds.PatientBirthDate, ds.PatientSex) == ("20131225", "M")
        assert ds.StudyDescription == "Pilot"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--patient-birth-date", "03/04/2014"), ("--patient-birth-date", "soon"), ("--patient-sex", "x\x1b[31m")],
)
def test_an_animal_that_cannot_be_is_wrong_usage(study: Path, out: Path, option: str, value: str) -> None:
    refused("convert", study, out, option, value, code=2)
    assert not out.parent.exists()


@pytest.mark.parametrize("option", ["-C", "--code-table"])
def test_a_code_table_wins(study: Path, out: Path, tmp_path: Path, option: str) -> None:
    rows = [{"key": "F-18", "code": "C-111A1", "meaning": "^18^Fluorine", "system": "SNM3"}]
    (tmp_path / "codes.json").write_text(json.dumps(rows))
    for ds in converted(option, tmp_path / "codes.json", study / "m1.pet.img", out):
        [code] = ds.RadiopharmaceuticalInformationSequence[0].RadionuclideCodeSequence
        assert (code.CodeValue, code.CodingSchemeDesignator) == ("C-111A1", "SNM3")


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[1]"])
def test_a_code_table_that_is_none_is_wrong_usage(
    study: Path, out: Path, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "codes.json"
    if content is not None:
        path.write_bytes(content)
    assert str(path) in refused("convert", study, out, "-C", path, code=2)
    assert not out.parent.exists()


def test_an_isotope_in_no_table_is_an_empty_sequence_and_a_finding(tmp_path: Path, out: Path) -> None:
    write_scan(tmp_path / "a.img", replace(PET, tracer=replace(PET.tracer, isotope="Ac-225")))
    result = inveon("convert", tmp_path / "a.img", out)
    assert result.exit_code == 0
    assert re.search(r"^warning: .*a\.img\.hdr:\d+: isotope is 'Ac-225'", result.stderr, re.MULTILINE)
    [item] = instances(out)[0].RadiopharmaceuticalInformationSequence
    assert list(item.RadionuclideCodeSequence) == []


# Multi-frame objects.

OBJECTS = {
    "enhanced": ["Enhanced CT Image", "Enhanced PET Image"],
    "legacy": ["Legacy Converted Enhanced CT Image", "Legacy Converted Enhanced PET Image"],
}


@pytest.mark.parametrize("form", OBJECTS)
def test_a_series_becomes_one_object(study: Path, out: Path, form: str) -> None:
    result = inveon("convert", study, out, "--as", form)
    assert result.exit_code == 0
    assert files_below(out) == ["1/CT-000001.dcm", "2/PET-000001.dcm"]
    assert [ds.SOPClassUID.name.removesuffix(" Storage") for ds in instances(out)] == OBJECTS[form]
    assert [ds.NumberOfFrames for ds in instances(out)] == [6, 12]
    assert [line.partition(": ")[2] for line in result.stdout.splitlines()] == [
        f"1 {name} file from m1.{kind}.img.hdr" for name, kind in zip(OBJECTS[form], ("ct", "pet"), strict=True)
    ]


def test_single_frames_are_the_default(study: Path, tmp_path: Path) -> None:
    assert inveon("convert", study, tmp_path / "one", "--as", "classic").exit_code == 0
    assert inveon("convert", study, tmp_path / "other").exit_code == 0
    assert digests(tmp_path / "one") == digests(tmp_path / "other")


def test_forms_share_their_study_and_nothing_else(study: Path, tmp_path: Path) -> None:
    made = [converted(study, "--as", form, tmp_path / form) for form in ("classic", "enhanced", "legacy")]
    for keyword, number in (("StudyInstanceUID", 1), ("FrameOfReferenceUID", 1), ("SeriesInstanceUID", 6)):
        assert len({ds[keyword].value for datasets in made for ds in datasets}) == number, keyword
    assert len({ds.SOPInstanceUID for datasets in made for ds in datasets}) == 18 + 2 + 2


@pytest.mark.parametrize("option", ["-f", "--file"])
@pytest.mark.parametrize("form", OBJECTS)
def test_objects_can_be_named(study: Path, out: Path, form: str, option: str) -> None:
    assert inveon("convert", study, out, "--as", form, option, "mouse 7.ima").exit_code == 0
    assert files_below(out) == ["1/mouse 7.ima", "2/mouse 7.ima"]


def test_single_frames_take_no_name(study: Path, out: Path) -> None:
    assert inveon("convert", study, out, "-f", "mouse.dcm").exit_code == 0
    assert files_below(out) == CT_FILES + PET_FILES


@pytest.mark.parametrize("name", ["", " ", "..", "../x", "a/b", "a\\b", "C:", "x\ny", "a*", "\x1b[31m"])
def test_a_name_that_is_no_file_name_is_wrong_usage(study: Path, out: Path, name: str) -> None:
    assert "-f is " in refused("convert", study, out, "--as", "enhanced", "-f", name, code=2)
    assert not out.parent.exists()


def test_a_name_too_long_for_a_file_is_one_line(study: Path, out: Path) -> None:
    refused("convert", study, out, "--as", "enhanced", "-f", "x" * 300)
    assert not out.parent.exists()


@pytest.fixture
def long_pet(tmp_path: Path) -> Path:
    """Return a folder with a PET of 120 frames of 6 slices, of which 256 and not 300 fit into 1 MiB."""
    (tmp_path / "long").mkdir()
    write_scan(tmp_path / "long" / "m1.pet.img", replace(PET, frames=frames_of(*[5.0] * 120)))
    return tmp_path / "long"


def test_large_objects_become_several(long_pet: Path, out: Path) -> None:
    whole = converted("--as", "enhanced", long_pet, out.with_name("whole"))
    parts = converted("--as", "enhanced", "--max-object-size", "1MiB", long_pet, out)
    assert [ds.NumberOfFrames for ds in whole] == [720]
    assert [ds.InConcatenationNumber for ds in parts] == list(range(1, len(parts) + 1))
    assert len(parts) > 2
    assert sum(ds.NumberOfFrames for ds in parts) == 720
    assert files_below(out) == [f"1/PET-{number:06}.dcm" for number in range(1, len(parts) + 1)]
    assert max(path.stat().st_size for path in out.rglob("*.dcm")) <= 2**20


def test_parts_of_a_named_object_are_numbered(long_pet: Path, out: Path) -> None:
    options = ("--as", "legacy", "--max-object-size", "1 MiB", "-f", "mouse.dcm")
    parts = converted(*options, long_pet, out)
    assert files_below(out) == [f"1/mouse-{number:06}.dcm" for number in range(1, len(parts) + 1)]
    assert len(parts) > 2


@pytest.mark.parametrize("size", ["", "0", "1", "1023KiB", "4GiB", "-2GiB", "2.5GiB", "two", "2TB"])
def test_a_size_that_is_none_is_wrong_usage(study: Path, out: Path, size: str) -> None:
    assert "--max-object-size is " in refused("convert", study, out, "--max-object-size", size, code=2)
    assert not out.parent.exists()


@pytest.mark.parametrize("form", ["classic", "enhanced", "legacy"])
@pytest.mark.parametrize("compression", ["none", "rle", "deflated"])
def test_compression_changes_no_value(tmp_path: Path, form: str, compression: str) -> None:
    write_scan(tmp_path / "a.img", replace(CT, shape=(32, 33, 6)))
    plain = converted("--as", form, tmp_path / "a.img", tmp_path / "plain")
    packed = converted("--as", form, "--compress", compression, tmp_path / "a.img", tmp_path / "packed")
    for one, other in zip(plain, packed, strict=True):
        assert one.SOPInstanceUID == other.SOPInstanceUID
        np.testing.assert_array_equal(one.pixel_array, other.pixel_array)
    assert {ds.file_meta.TransferSyntaxUID.name for ds in packed} == {
        {
            "none": "Explicit VR Little Endian",
            "rle": "RLE Lossless",
            "deflated": "Deflated Explicit VR Little Endian",
        }[compression]
    }


# Bed positions and gates.


@pytest.mark.parametrize(("arguments", "distance"), [((), -50), (("forward",), -50), (("reverse",), 50)])
def test_a_second_bed_position_lies_further_along_the_slices_or_before(
    tmp_path: Path, arguments: tuple[str, ...], distance: float
) -> None:
    write_scan(tmp_path / "a.img", replace(PET, beds=(300.0, 350.0)))  # head first, prone: z runs to the feet
    options = [f"--bed-direction={each}" for each in arguments]
    result = inveon("convert", tmp_path / "a.img", tmp_path / "out", *options)
    assert result.exit_code == 0
    assert ("--bed-direction" in result.stderr) == (not arguments)  # reported where it is assumed
    places = [[ds.ImagePositionPatient for ds in instances(tmp_path / "out" / folder)] for folder in ("1", "2")]
    moved = np.array(places[1], dtype=float) - np.array(places[0], dtype=float)
    np.testing.assert_allclose(moved, np.broadcast_to([0, 0, distance], moved.shape), atol=1e-9)


@pytest.mark.parametrize(("arguments", "slot_ms"), [((), 275), (("--cycle-length", "400"), 100)])
def test_a_cycle_length_says_where_gates_are(tmp_path: Path, arguments: tuple[str, ...], slot_ms: float) -> None:
    write_scan(tmp_path / "a.img", replace(PET, gates=4, gate_bins=(GateBins(1, 4, 0.8, 1.4),), frames=frames_of(60)))
    gated = converted(*arguments, tmp_path / "a.img", tmp_path / "out")
    assert [float(ds.TriggerTime) for ds in gated[::6]] == [slot_ms * gate for gate in range(4)]
    assert {ds.FrameTime for ds in gated} == {slot_ms}
    assert {ds.SeriesType[0] for ds in gated} == {"GATED"}


def test_gates_of_an_unknown_cycle_are_series_until_its_length_is_given(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.img", replace(PET, gates=4, gate_bins=(GateBins(1, 4, 0, 0),), frames=frames_of(60)))
    result = inveon("convert", tmp_path / "a.img", tmp_path / "split")
    assert "--cycle-length" in result.stderr
    assert sorted(path.name for path in (tmp_path / "split").iterdir() if path.is_dir()) == ["1", "2", "3", "4"]
    gated = converted("--cycle-length", "1000.5", tmp_path / "a.img", tmp_path / "gated")
    assert {ds.SeriesNumber for ds in gated} == {1}
    assert float(gated[6].TriggerTime) == 250.125


@pytest.mark.parametrize("length", ["0", "-5", "nan", "inf", "60000.1"])
def test_a_cycle_length_beyond_reason_is_wrong_usage(study: Path, out: Path, length: str) -> None:
    assert "--cycle-length is " in refused("convert", study, out, "--cycle-length", length, code=2)
    assert not out.parent.exists()


# Trees of studies.


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """Return a folder of studies: in itself, below it, and deep below it; with strays."""
    root = write_small_study(tmp_path / "archive")
    (root / "protocol.pdf").write_bytes(b"%PDF")
    for place in ("mouse 1", "group/mouse 2/day 3"):
        (root / place).mkdir(parents=True)
        write_scan(root / place / "a.ct.img", CT)
    (root / "empty").mkdir()
    (root / "papers").mkdir()
    (root / "papers" / "notes.txt").write_text("x")
    return root


@pytest.mark.parametrize("option", ["--recursive", "-r"])
def test_each_folder_of_a_tree_becomes_a_study_at_its_relative_path(archive: Path, out: Path, option: str) -> None:
    datasets = converted(option, archive, out)
    expected = CT_FILES + PET_FILES
    expected += [f"{place}/{name}" for place in ("group/mouse 2/day 3", "mouse 1") for name in CT_FILES]
    assert files_below(out) == sorted(expected)
    assert {path.name for path in out.rglob("*") if path.is_dir()} == {"1", "2", "mouse 1", "group", "mouse 2", "day 3"}
    assert len({ds.StudyInstanceUID for ds in datasets}) == 1 + 1  # equal files are the same study
    assert [ds.SeriesNumber for ds in instances(out / "mouse 1")] == [1] * 6


def test_studies_of_a_tree_have_uids_of_their_own(archive: Path, out: Path) -> None:
    shutil.rmtree(archive / "mouse 1")
    (archive / "mouse 1").mkdir()
    write_scan(archive / "mouse 1" / "a.ct.img", replace(CT, scan_time=PET.scan_time))
    assert len({ds.StudyInstanceUID for ds in converted("-r", archive, out)}) == 3


def test_without_recursive_sub_folders_are_named_and_left(archive: Path, out: Path) -> None:
    result = inveon("convert", archive, out)
    assert result.exit_code == 0
    assert files_below(out) == CT_FILES + PET_FILES
    (file,) = re.findall(r"^warning: (.*): skipped: neither", result.stderr, re.MULTILINE)
    (folders,) = re.findall(r"^warning: (.*skipped: a nested folder.*)$", result.stderr, re.MULTILINE)
    assert Path(file).name == "protocol.pdf"
    assert all(name in folders for name in ("mouse 1", "group", "empty", "papers"))


def test_a_folder_whose_sub_folders_hold_the_pairs_says_how(archive: Path, out: Path) -> None:
    assert "--recursive" in refused("convert", archive / "group", out)
    assert not out.parent.exists()


def test_a_tree_without_pairs_is_refused(tmp_path: Path, out: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    assert "no Inveon files" in refused("convert", "-r", tmp_path / "in", out)
    assert not out.parent.exists()


def test_an_output_inside_the_tree_is_not_taken_for_input(archive: Path) -> None:
    inside = archive / "dicom"
    inside.mkdir()
    assert inveon("convert", "-r", archive, inside).exit_code == 0
    assert not (inside / "dicom").exists()


def test_one_bad_study_stops_a_tree_before_anything_is_written(archive: Path, out: Path) -> None:
    write_scan(archive / "mouse 1" / "b.ct.img", CT, defects=(Defect.SHORT_DATA,))
    assert "b.ct.img" in refused("convert", "-r", archive, out)
    assert not out.parent.exists()


def test_a_sub_folder_that_is_named_like_a_series_is_refused_before_anything_is_written(
    archive: Path, out: Path
) -> None:
    (archive / "mouse 1").rename(archive / "1")
    assert str(archive / "1") in refused("convert", "-r", archive, out)
    assert not out.parent.exists()


def test_a_study_inside_a_folder_that_is_named_like_a_series_is_refused(archive: Path, out: Path) -> None:
    (archive / "group").rename(archive / "2")
    assert str(archive / "2") in refused("convert", "-r", archive, out)
    assert not out.parent.exists()


@posix
def test_links_that_go_round_in_a_tree_end(archive: Path, out: Path) -> None:
    (archive / "mouse 1" / "up").symlink_to(archive, target_is_directory=True)
    assert inveon("convert", "-r", archive, out).exit_code == 0
    assert not (out / "mouse 1" / "up").exists()


# Forgiving and strict.


def orphan_header(folder: Path) -> None:
    shutil.copy(folder / "m1.ct.img.hdr", folder / "other.img.hdr")


def orphan_data(folder: Path) -> None:
    shutil.copy(folder / "m1.ct.img", folder / "other.img")


def stray(folder: Path) -> None:
    (folder / "other.txt").write_text("x")


def nested(folder: Path) -> None:
    (folder / "other").mkdir()


EXTRAS = [orphan_header, orphan_data, stray, nested]


@pytest.mark.parametrize("extra", EXTRAS)
def test_what_is_no_pair_is_reported_and_skipped(study: Path, out: Path, extra: Callable[[Path], None]) -> None:
    extra(study)
    result = inveon("convert", study, out)
    assert result.exit_code == 0
    assert files_below(out) == CT_FILES + PET_FILES
    assert re.search(r"^warning: .*other.*skipped", result.stderr, re.MULTILINE)


@pytest.mark.parametrize("extra", EXTRAS)
def test_strict_refuses_what_is_no_pair(study: Path, out: Path, extra: Callable[[Path], None]) -> None:
    extra(study)
    assert "other" in refused("convert", "--strict", study, out)
    assert not out.parent.exists()


@pytest.mark.parametrize("extension", ["txt", ".txt", "TXT"])
def test_strict_lets_ignored_extensions_pass(study: Path, out: Path, extension: str) -> None:
    stray(study)
    (study / "more.log").write_text("x")
    assert "more.log" in refused("convert", "--strict", "--ignore", extension, study, out)
    result = inveon("convert", "--strict", "--ignore", extension, "--ignore", "log", study, out)
    assert (result.exit_code, files_below(out)) == (0, CT_FILES + PET_FILES)
    assert "other.txt" not in result.stderr


def test_strict_takes_a_clean_study(study: Path, out: Path) -> None:
    assert len(converted("--strict", study, out)) == 18


@pytest.mark.parametrize("defect", [Defect.NO_WEIGHT, Defect.NO_ORIENTATION, Defect.NAN_VOXELS, Defect.NO_CALIBRATION])
def test_warnings_fail_under_strict_only(tmp_path: Path, out: Path, defect: Defect) -> None:
    write_scan(tmp_path / "a.img", PET, defects=(defect,))
    assert "--strict" in refused("convert", "--strict", tmp_path / "a.img", out)
    assert not out.parent.exists()
    result = inveon("convert", tmp_path / "a.img", out)
    assert result.exit_code == 0
    assert result.stderr.startswith("warning: ")


def test_notes_do_not_fail_under_strict(tmp_path: Path, out: Path) -> None:
    write_scan(tmp_path / "a.img", PET, defects=(Defect.UNKNOWN_KEYS,))
    result = inveon("convert", "--strict", tmp_path / "a.img", out)
    assert result.exit_code == 0
    assert result.stderr.startswith("note: ")


def test_long_data_is_taken_on_request(tmp_path: Path, out: Path) -> None:
    pair = write_scan(tmp_path / "a.img", PET, defects=(Defect.LONG_DATA,))
    assert "--allow-long-data" in refused("convert", pair.data, out)
    assert not out.parent.exists()
    assert len(converted("--allow-long-data", pair.data, out)) == 12


# Dry runs.


@pytest.mark.parametrize("option", ["--dry-run", "-n"])
def test_a_dry_run_shows_a_table_and_writes_nothing(study: Path, out: Path, option: str) -> None:
    result = inveon("convert", study, out, option)
    assert result.exit_code == 0
    assert not out.parent.exists()
    assert str(out) in result.stdout
    rows = [line for line in result.stdout.splitlines() if "m1." in line]
    assert [re.findall(r"[^\s│|]+", row.replace(" Image", "_Image"))[:4] for row in rows] == [
        ["m1.ct.img", "1/CT-000001.dcm", "6", "CT_Image"],
        ["m1.pet.img", "2/PET-000001.dcm", "12", "PET_Image"],
    ]
    assert "8 x 7 x 6 x 2" in rows[1]
    assert "Bq/mL" in rows[1]


def test_a_dry_run_as_json_says_the_same(study: Path, out: Path) -> None:
    result = inveon("convert", study, out, "--dry-run", "--json")
    document = json.loads(result.stdout)
    assert document["dry_run"] is True
    ct, pet = document["series"]
    assert ct["source"] == str(study / "m1.ct.img.hdr")
    assert [Path(each["folder"], each["first_file"]) for each in (ct, pet)] == [out / CT_FILES[0], out / PET_FILES[0]]
    assert (ct["instances"], pet["instances"], pet["frames"], pet["shape"]) == (6, 12, 2, [8, 7, 6])
    assert (ct["sop_class"], pet["unit"]) == ("CT Image", "Bq/mL")
    assert not out.parent.exists()


@pytest.mark.parametrize("form", OBJECTS)
def test_a_dry_run_shows_objects(study: Path, out: Path, form: str) -> None:
    result = inveon("convert", study, out, "-n", "--as", form, "-f", "mouse.dcm")
    assert result.exit_code == 0
    assert not out.parent.exists()
    rows = [re.split(r"\s*[│|]\s*", line.strip(" │|")) for line in result.stdout.splitlines() if "m1." in line]
    for row, source, first, name in zip(rows, ("ct", "pet"), "12", OBJECTS[form], strict=True):
        assert {f"m1.{source}.img", f"{first}/mouse.dcm", "1", name} <= set(row)
    document = json.loads(inveon("convert", study, out, "-n", "--as", form, "-f", "mouse.dcm", "--json").stdout)
    messages = [
        (each["sop_class"], each["instances"], each["first_file"], each["frames"]) for each in document["series"]
    ]
    assert messages == [(OBJECTS[form][0], 1, "mouse.dcm", 1), (OBJECTS[form][1], 1, "mouse.dcm", 2)]
    assert not out.parent.exists()


def test_a_dry_run_shows_how_many_objects_a_large_one_becomes(long_pet: Path, out: Path) -> None:
    options = ("--as", "enhanced", "--max-object-size", "1MiB", "-f", "mouse.dcm")
    [planned] = json.loads(inveon("convert", long_pet, out, *options, "-n", "--json").stdout)["series"]
    parts = converted(*options, long_pet, out)
    assert planned["instances"] == len(parts) > 2
    assert planned["first_file"] == "mouse-000001.dcm"


def test_a_dry_run_reports_what_is_doubtful(tmp_path: Path, out: Path) -> None:
    write_scan(tmp_path / "a.img", PET, defects=(Defect.NO_WEIGHT,))
    assert "subject_weight" in inveon("convert", tmp_path / "a.img", out, "-n").stderr


def test_a_dry_run_refuses_what_the_run_would_refuse(study: Path, out: Path) -> None:
    (study / "m1.ct.img").write_bytes(b"")
    assert "m1.ct.img" in refused("convert", study, out, "-n")
    out.mkdir(parents=True)
    (out / "old.dcm").write_bytes(b"")
    assert "not empty" in refused("convert", study / "m1.pet.img", out, "-n")


def test_a_strict_dry_run_fails_on_warnings(tmp_path: Path, out: Path) -> None:
    write_scan(tmp_path / "a.img", PET, defects=(Defect.NO_WEIGHT,))
    assert "--strict" in refused("convert", "--strict", tmp_path / "a.img", out, "-n")


# JSON.


def test_json_shows_everything_that_was_written(study: Path, out: Path) -> None:
    stray(study)
    result = inveon("convert", study, out, "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["schema"] == 1
    assert document["dry_run"] is False
    [found] = document["studies"]
    assert (found["source"], found["output"]) == (str(study), str(out))
    skipped, shared = found["findings"]
    assert (shared["code"], shared["severity"]) == ("space-shared", "info")
    assert (skipped["code"], skipped["severity"]) == ("skipped", "warning")
    assert skipped["path"] == str(study / "other.txt")
    assert "other.txt" in result.stderr
    ct, pet = found["series"]
    for series in (ct, pet):
        datasets = instances(out / series["folder"])
        assert len(datasets) == series["instances"]
        assert {ds.SeriesInstanceUID for ds in datasets} == {series["series_instance_uid"]}
        assert {ds.StudyInstanceUID for ds in datasets} == {found["study_instance_uid"]}
        assert len({ds.RescaleSlope for ds in datasets}) == series["rescale_slopes"]
        assert all(finding["severity"] == "info" for finding in series["findings"])
    assert (ct["sop_class"], ct["modality"], ct["unit"], ct["frames"]) == ("CT Image", "CT", "HU", 1)
    assert (pet["sop_class"], pet["modality"], pet["unit"], pet["frames"]) == ("PET Image", "PET", "Bq/mL", 2)
    assert pet["source"] == str(study / "m1.pet.img.hdr")


@pytest.mark.parametrize("form", OBJECTS)
def test_json_has_objects(study: Path, out: Path, form: str) -> None:
    [found] = json.loads(inveon("convert", study, out, "--as", form, "--json").stdout)["studies"]
    for series, name, expected in zip(found["series"], OBJECTS[form], instances(out), strict=True):
        assert (series["sop_class"], series["instances"]) == (name, 1)
        assert series["series_instance_uid"] == expected.SeriesInstanceUID
        assert found["study_instance_uid"] == expected.StudyInstanceUID


def test_json_names_findings_by_code_key_and_line(tmp_path: Path, out: Path) -> None:
    pair = write_scan(tmp_path / "a.img", PET, defects=(Defect.NO_BRANCHING_FRACTION,))
    document = json.loads(inveon("convert", pair.data, out, "--json").stdout)
    [finding] = document["studies"][0]["series"][0]["findings"]
    assert (finding["severity"], finding["key"]) == ("warning", "isotope_branching_fraction")
    assert finding["path"] == str(pair.header)
    lines = pair.header.read_text("utf-8").split("\n")
    assert lines[finding["line"] - 1] == "isotope_branching_fraction 0"


@pytest.mark.parametrize("command", ["convert", "info"])
def test_json_shows_errors_too(tmp_path: Path, out: Path, command: str) -> None:
    source = tmp_path / "none"
    result = inveon(command, source, *([out] if command == "convert" else []), "--json")
    assert result.exit_code == 1
    error = json.loads(result.stdout)["error"]
    assert error["path"] == str(source)
    assert result.stderr == f"error: {error['message']}\n"


def test_json_errors_have_the_line(tmp_path: Path, out: Path) -> None:
    pair = write_scan(tmp_path / "a.img", CT, defects=(Defect.ZERO_DIMENSION,))
    result = inveon("convert", pair.header, out, "--json")
    error = json.loads(result.stdout)["error"]
    lines = pair.header.read_text("utf-8").split("\n")
    assert lines[error["line"] - 1] == "y_dimension 0"
    assert (error["path"], result.exit_code) == (str(pair.header), 1)


def test_json_of_wrong_usage_ends_with_2(study: Path, out: Path) -> None:
    result = inveon("convert", study, out, "--json", "--flip", "w")
    assert result.exit_code == 2
    assert "flip" in json.loads(result.stdout)["error"]["message"]


# info.


def test_info_shows_a_file_as_a_table(study: Path) -> None:
    result = inveon("info", study / "m1.pet.img")
    assert result.exit_code == 0
    facts = {
        match[1].strip(): match[2].strip()
        for match in re.finditer(r"^\W*?(\w[\w ]*?)\s*[│|] (.*?)\s*[│|]?$", result.stdout, re.MULTILINE)
    }
    assert facts["Subject"] == "M0042"
    assert facts["Species"] == "Mus musculus"
    assert facts["Scan time"] == "2014-06-17 13:52:07"
    assert facts["Tracer"] == "F-18 FDG"
    assert facts["Voxels"] == "8 x 7 x 6"
    assert facts["Voxel size"] == "3.5 x 4 x 9 mm"
    assert facts["Frames"] == "2, 0 to 60 s"
    assert facts["Unit"] == "Bq/mL"
    assert "head first, prone" in facts["Orientation"]
    assert "float32" in facts["Stored as"]


def test_info_shows_a_folder_as_rows(study: Path) -> None:
    result = inveon("info", study)
    assert result.exit_code == 0
    ct, pet = [line for line in result.stdout.splitlines() if "m1." in line]
    assert "HU" in ct
    assert "2014-06-17 13:31:44" in ct
    assert all(part in pet for part in ("m1.pet.img", "PET", "M0042", "8 x 7 x 6", "Bq/mL"))


def test_info_as_json_holds_the_whole_header(study: Path) -> None:
    result = inveon("info", study, "--json")
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["errors"] == []
    _, pet = document["files"]
    image = inveonimaging.read(study / "m1.pet.img")
    assert pet["header_file"] == str(study / "m1.pet.img.hdr")
    assert (pet["shape"], pet["spacing_mm"]) == ([8, 7, 6], [3.5, 4.0, 9.0])
    np.testing.assert_array_equal(np.array(pet["affine_lps_mm"]), image.grid.affine)
    assert pet["header"]["tracer"]["isotope"] == "F-18"
    assert pet["header"]["acquisition"]["scan_time"] == "2014-06-17T13:52:07"
    assert [frame["start_s"] for frame in pet["header"]["frames"]] == [0.0, 20.0]
    assert pet["factors"] == list(image.scaling.factors)
    groups = {name for name in Header.__dataclass_fields__ if name != "source"}
    assert set(pet["header"]) == groups


def test_info_shows_the_good_files_beside_a_broken_one(study: Path) -> None:
    write_scan(study / "a.img", PET, defects=(Defect.ZERO_DIMENSION,))
    result = inveon("info", study)
    assert result.exit_code == 1
    assert "m1.ct.img" in result.stdout
    assert "m1.pet.img" in result.stdout
    assert re.search(r"^error: .*a\.img\.hdr:\d+: y_dimension is '0'", result.stderr, re.MULTILINE)
    document = json.loads(inveon("info", study, "--json").stdout)
    assert len(document["files"]) == 2
    [error] = document["errors"]
    assert "a.img.hdr" in error


def test_info_reports_findings(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.img", PET, defects=(Defect.NO_ORIENTATION,))
    result = inveon("info", tmp_path / "a.img")
    assert result.exit_code == 0
    assert re.search(r"^warning: .*a\.img\.hdr:\d+: subject_orientation", result.stderr, re.MULTILINE)
    [image] = json.loads(inveon("info", tmp_path / "a.img", "--json").stdout)["files"]
    assert "orientation-unknown" in {finding["code"] for finding in image["findings"]}


@pytest.mark.parametrize("defect", [Defect.SINOGRAM, Defect.NO_SCAN_TIME])
def test_info_shows_what_cannot_be_converted(tmp_path: Path, defect: Defect) -> None:
    write_scan(tmp_path / "a.img", PET, defects=(defect,))
    result = inveon("info", tmp_path)
    assert result.exit_code == 0
    assert "M0042" in result.stdout


@pytest.mark.parametrize("name", ["none.img", "m1.ct.txt"])
def test_info_of_what_is_no_inveon_file_is_one_line(study: Path, name: str) -> None:
    (study / "m1.ct.txt").write_text("x")
    assert name in refused("info", study / name)


# demo.


@pytest.fixture
def small_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the demo write a small study."""
    monkeypatch.setattr(files, "STUDY", {"a.ct.img": CT, "b.pet.img": PET})


@pytest.mark.usefixtures("small_demo")
def test_the_demo_writes_both_and_says_what_next(out: Path) -> None:
    result = inveon("demo", out)
    assert result.exit_code == 0
    pairs = ["a.ct.img", "a.ct.img.hdr", "b.pet.img", "b.pet.img.hdr"]
    assert files_below(out / "inveon") == pairs
    assert files_below(out / "dicom") == CT_FILES + PET_FILES
    assert sorted(path.name for path in out.iterdir()) == ["dicom", "inveon"]
    assert str(out / "dicom") in result.stdout
    assert f"inveon info {out / 'inveon'}" in result.stdout
    assert "viewer" in result.stdout


@pytest.mark.usefixtures("small_demo")
def test_the_demo_overwrites_nothing(out: Path) -> None:
    out.mkdir(parents=True)
    (out / "mine").write_text("precious")
    assert "not empty" in refused("demo", out)
    assert files_below(out) == ["mine"]


@pytest.mark.usefixtures("small_demo")
def test_a_demo_that_cannot_be_written_leaves_nothing(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_write_frames", full)
    assert "No space left" in refused("demo", out)
    assert not out.parent.exists()


def test_the_real_demo_is_quick_and_small(out: Path) -> None:
    result = inveon("demo", out)
    assert result.exit_code == 0
    assert "warning" not in result.stderr
    ct, pet = ([pydicom.dcmread(path, True) for path in (out / "dicom" / name).iterdir()] for name in "12")
    assert [len(ct), len(pet)] == [320, 98 * 16]
    assert {ds.SeriesType[0] for ds in pet} == {"DYNAMIC"}
    assert {ds.Units for ds in pet} == {"BQML"}
    assert len({ds.FrameOfReferenceUID for ds in (*ct, *pet)}) == 1  # registered: viewers overlay them
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    assert size < 100e6  # a few tens of MB, files of the scanner and DICOM


# Help, version and usage.


@pytest.mark.parametrize("command", ["convert", "info", "demo"])
def test_help_has_examples_one_a_line(command: str) -> None:
    result = inveon(command, "--help", columns=80)
    assert result.exit_code == 0
    examples = [line for line in result.stdout.splitlines() if re.fullmatch(rf"\s+inveon {command} \S.*", line)]
    assert examples
    assert "Example" in result.stdout
    assert_harmless(result.stdout)


def test_the_examples_of_the_help_are_valid_usage(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example runs; its input is there under the name that the example uses."""
    monkeypatch.setattr(files, "STUDY", {"a.ct.img": CT})
    monkeypatch.chdir(tmp_path)
    shown = (("convert", "--help-all"), ("info", "--help-all"), ("demo", "--help"))
    text = "".join(inveon(*words, columns=80).stdout for words in shown)
    examples = re.findall(r"^\s+inveon ((?:convert|info|demo) .*)$", text, re.MULTILINE)
    assert len(examples) >= 6
    for number, example in enumerate(examples):
        command, *arguments = re.findall(r'"[^"]*"|\S+', example)
        here = tmp_path / str(number)
        here.mkdir()
        monkeypatch.chdir(here)
        for name in ("mouse_study", "archive", "study"):
            shutil.copytree(study, here / name)
        for kind in ("ct", "pet"):
            shutil.copy(study / f"m1.{kind}.img", here / f"scan.{kind}.img")
            shutil.copy(study / f"m1.{kind}.img.hdr", here / f"scan.{kind}.img.hdr")
        result = inveon(command, *(argument.strip('"') for argument in arguments))
        assert result.exit_code == 0, (example, result.output)


def test_the_commands_and_exit_codes_are_listed() -> None:
    result = inveon("--help", columns=100)
    assert result.exit_code == 0
    assert all(name in result.stdout for name in ("convert", "info", "demo", "--version"))
    assert "0 done, 1 the data cannot be converted, 2 wrong usage" in result.stdout


def test_the_version_is_shown() -> None:
    assert inveon("--version").stdout == f"inveon {inveonimaging.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("convert",),
        ("convert", "only-input"),
        ("convert", "in", "out", "surplus"),
        ("convert", "in", "out", "--no-such-option"),
        ("convert", "in", "out", "--orientation", "up"),
        ("convert", "in", "out", "--rescale", "voxel"),
        ("convert", "in", "out", "--uids", "mine"),
        ("convert", "in", "out", "--as", "multiframe"),
        ("convert", "in", "out", "--compress", "gzip"),
        ("convert", "in", "out", "--bed-direction", "up"),
        ("convert", "in", "out", "--cycle-length", "fast"),
        ("info",),
        ("no-such-command",),
    ],
)
def test_wrong_usage_ends_with_2(arguments: tuple[str, ...]) -> None:
    result = inveon(*arguments)
    assert result.exit_code == 2
    assert not arguments or len(result.stderr.splitlines()) == 1  # test_usage.py has the words


@pytest.mark.parametrize("source", ["none", "none.img", "x" * 300, "x/" * 3000, "\x1b[31m.img"])
def test_an_input_that_is_not_there_is_one_line(tmp_path: Path, source: str) -> None:
    refused("convert", tmp_path / source, tmp_path / "out")
    refused("info", tmp_path / source)
    assert not (tmp_path / "out").exists()


def test_a_name_too_long_for_the_output_is_one_line(study: Path, tmp_path: Path) -> None:
    refused("convert", study, tmp_path / "new" / ("x" * 300))
    refused("convert", study, tmp_path / "new" / "out", "-p", "x" * 300)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["a.img", "a.img.hdr", "a.hdr"])
def test_half_a_pair_says_what_is_missing(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"version 1\n")
    missing = "a.img.hdr" if name == "a.img" else "a.img"
    line = refused("convert", tmp_path / name, tmp_path / "out")
    assert re.search(rf'expected ".*[\\/]{re.escape(missing)}"$', line.rstrip())


# Processes: what the real program does, and does not load.


def test_the_program_converts(study: Path, out: Path) -> None:
    done = python("-m", "inveonimaging", "convert", study, out)
    assert done.returncode == 0
    assert "warning" not in done.stderr
    assert files_below(out) == CT_FILES + PET_FILES
    assert len(done.stdout.splitlines()) == 2


def test_the_program_ends_with_one_line_and_1(tmp_path: Path) -> None:
    done = run_forked("-m", "inveonimaging", "convert", tmp_path, tmp_path / "out")
    assert "no Inveon files" in assert_one_line_error(done.returncode, done.stdout, done.stderr)


def test_json_is_all_there_is_on_stdout(study: Path, out: Path) -> None:
    stray(study)
    done = inveon("convert", study, out, "--json")
    assert json.loads(done.stdout)["studies"]
    assert "other.txt" in done.stderr


DRAWS = {"jinja2", "matplotlib"}
SENDS = {"pynetdicom", "requests", "ssl", "urllib3"}


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import inveonimaging; inveonimaging.__version__", {"numpy", "pydicom", "rich", "typer"}),
        ("import inveonimaging.cli.main", {"numpy", "pydicom", *DRAWS, *SENDS}),
        ("from inveonimaging.cli.main import app; app(['--version'], standalone_mode=False)", {"numpy", "pydicom"}),
        ("import inveonimaging.__main__", {"numpy", "pydicom", "rich", "typer"}),
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(code: str, heavy: set[str]) -> None:
    done = python("-c", f"{code}\nimport sys\nprint(*sorted(sys.modules), sep=chr(10), file=sys.stderr)")
    assert done.returncode == 0
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "inveonimaging" in loaded
    assert not loaded & heavy


Run = Callable[..., subprocess.CompletedProcess[str]]
ENCODED: dict[str, dict[tuple[str, ...], Run]] = {  # one by a Python that takes the encoding by itself
    "ascii": {("info", "a.img"): run_forked, ("convert", ".", "größe 鼠"): python},
    "cp1252": {("info", "."): run_forked, ("info", ".", "--json"): run_forked},
}


@pytest.mark.parametrize("encoding", ENCODED)
def test_a_terminal_of_another_encoding_gets_what_it_can_show(tmp_path: Path, encoding: str) -> None:
    subject = replace(CT.subject, identifier="Mäuschen 鼠")
    for name in ("a.img", "b.img"):
        write_scan(tmp_path / name, replace(CT, subject=subject))
    for arguments, run in ENCODED[encoding].items():
        done = run("-m", "inveonimaging", *arguments, cwd=tmp_path, environment={"PYTHONIOENCODING": encoding})
        assert done.returncode == 0, done.stderr
        assert done.stdout
        assert "Traceback" not in done.stderr


@posix
@pytest.mark.parametrize(("command", "run"), [("info", python), ("convert", run_forked)])  # one real end of a Python
def test_a_reader_that_goes_away_gets_no_traceback(study: Path, out: Path, command: str, run: Run) -> None:
    arguments = [study, *([out] if command == "convert" else [])]
    read, write = os.pipe()
    os.close(read)
    done = run("-m", "inveonimaging", command, *arguments, streams={"stdout": write})
    os.close(write)
    assert "Traceback" not in done.stderr
    if command == "convert":
        assert files_below(out) == CT_FILES + PET_FILES


@posix
def test_a_terminal_gets_a_progress_bar_on_stderr(study: Path, out: Path) -> None:
    command = ("-m", "inveonimaging", "convert", study, out)
    done, shown = on_terminal({"stderr"}, *command, environment={"TERM": "xterm", "COLUMNS": "100"})
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 2
    assert_harmless(done.stdout)
    assert "Writing" in shown


def test_without_a_terminal_there_is_no_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.bar() as advance:
        advance(1, 2)
        advance(2, 2)
    assert capsys.readouterr() == ("", "")


# Text from files never steers a terminal.


def hostile(header: Header) -> Header:
    """Return a header whose texts would colour, clear or reorder a terminal."""
    return replace(
        header,
        study=HOSTILE,
        institution=HOSTILE,
        subject=replace(
            header.subject, identifier=HOSTILE, genus=HOSTILE, sex=HOSTILE, age=HOSTILE, date_of_birth=HOSTILE
        ),
        tracer=replace(header.tracer, isotope=HOSTILE, compound=HOSTILE),
        acquisition=replace(header.acquisition, operator=HOSTILE),
    )


@pytest.fixture
def hostile_study(tmp_path: Path) -> Path:
    """Return a folder with a PET that is hostile in its texts and, where the system allows it, in its name."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    pair = write_scan(folder / "a.img", PET, change=hostile)
    if os.name != "nt":
        pair.data.rename(folder / f"{HOSTILE_NAME}.img")
        pair.header.rename(folder / f"{HOSTILE_NAME}.img.hdr")
    return folder


def assert_tame(*arguments: object, code: int = 0) -> str:
    result = inveon(*arguments)
    assert result.exit_code == code, result.output
    assert_harmless(result.stdout)
    assert_harmless(result.stderr)
    return result.output


def test_hostile_text_is_shown_escaped(hostile_study: Path, out: Path) -> None:
    [data] = hostile_study.glob("*.img")
    for arguments in (("info", hostile_study), ("info", data), ("info", hostile_study, "--json")):
        output = assert_tame(*arguments)
        assert "[red]x[/red]" in output
        assert "\\x1b" in output or "\\u001b" in output
    assert "\\x1b" in assert_tame("convert", hostile_study, out, "-n")
    assert_tame("convert", hostile_study, out, "-n", "--json")
    assert "\\x1b" in assert_tame("convert", hostile_study, out)
    assert_tame("convert", hostile_study, out.with_name("json"), "--json")
    assert len(instances(out)) == 12


@posix
def test_hostile_names_are_shown_escaped(hostile_study: Path, out: Path) -> None:
    for name in ("stray.txt", "orphan.img", "orphan2.img.hdr"):
        (hostile_study / (HOSTILE_NAME + name)).write_bytes(b"x")
    output = assert_tame("convert", hostile_study, out / HOSTILE_NAME)
    assert output.count("[skipped]") == 3
    for path in hostile_study.iterdir():
        assert_tame("convert", "--strict", hostile_study, out / "strict", code=1)
        if "orphan" in path.name or "stray" in path.name:
            refused("convert", path, out / "other")
            refused("info", path)


@posix
@pytest.mark.parametrize("defect", [Defect.EMPTY_DATA, Defect.ZERO_DIMENSION, Defect.BINARY_HEADER])
def test_errors_in_files_with_hostile_names_are_one_harmless_line(tmp_path: Path, out: Path, defect: Defect) -> None:
    pair = write_scan(tmp_path / "a.img", PET, defects=(defect,))
    hostile_data = pair.data.rename(tmp_path / f"{HOSTILE_NAME}.img")
    pair.header.rename(tmp_path / f"{HOSTILE_NAME}.img.hdr")
    refused("convert", hostile_data, out)
    refused("info", hostile_data)


@posix
def test_a_name_that_is_no_text_is_shown_escaped(study: Path, tmp_path: Path) -> None:
    """A file name of bytes that are no UTF-8, as old systems left them."""
    doubtful = Path(os.fsdecode(os.fsencode(tmp_path) + b"/m\xe4use"))
    shutil.copytree(study, doubtful)
    for arguments in (("info", doubtful), ("convert", doubtful, doubtful / "out", "--json")):
        done = run_forked("-m", "inveonimaging", *arguments)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
    assert "\\udce4" in run_forked("-m", "inveonimaging", "convert", study, doubtful / "new").stdout


def test_every_posture_of_the_header_can_be_asked_for() -> None:
    assert set(IMAGE_ORIENTATION) == {posture.name for posture in Orientation if posture}
