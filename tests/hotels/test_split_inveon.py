"""`--as inveon`: the cuts as pairs of Inveon files, with the stored bytes and the lines of the scanner."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers import CT, PET, assert_one_line_error, inveon
from inveonimaging import Image, Options, convert, read, read_study
from inveonimaging.commands.split import split_inveon
from inveonimaging.inveon.hdr.enums import DataType
from inveonimaging.phantom import PhantomScan, frames_of, write_scan

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
STATIC = frames_of(600.0)
SCANS: dict[str, PhantomScan] = {
    "ct": CT,
    "big-endian int16": replace(PET, data_type=DataType.INT16_BE),
    "big-endian float": replace(PET, data_type=DataType.FLOAT32_BE),
    "little-endian int32": replace(PET, data_type=DataType.INT32_LE),
    "bytes": replace(PET, data_type=DataType.INT8),
    "gates": replace(PET, frames=STATIC, gates=4, gate_description="ECG R-wave"),
    "gaps": replace(PET, gap=13, first_offset=512),
    "windows": replace(PET, newline="\r\n"),
}


def split(folder: Path, scan: PhantomScan) -> tuple[Image, Image, Image]:
    """Write a scan, split it, and return the whole and the images of both animals."""
    (folder / "in").mkdir()
    write_scan(folder / "in" / "a.img", scan)
    (folder / "hotel.csv").write_text(SHEET, "ascii")
    (folder / "boxes.json").write_text(json.dumps(BOXES), "ascii")
    options = Options(sheet=folder / "hotel.csv")
    pairs = split_inveon(folder / "in", folder / "out", options, boxes=folder / "boxes.json")
    assert [pair.data for pair in pairs] == [folder / "out" / name / "inveon" / "a.img" for name in ("m12", "m13")]
    one, other = (read(pair.data) for pair in pairs)
    return read(folder / "in" / "a.img"), one, other


def first_voxel(part: Image, whole: Image) -> list[int]:
    """Return where the first voxel of a part lies in the whole, i, j, k, by their gantry's places."""
    own, of_whole = (
        [shift - (n - 1) / 2 * size for shift, n, size in zip(g.shift_mm, g.shape, g.spacing_mm, strict=True)]
        for g in (part.grid, whole.grid)
    )
    places = (np.array(own) - of_whole) / whole.grid.spacing_mm
    assert places == pytest.approx(np.round(places), abs=1e-6)
    return [int(each) for each in np.round(places)]


@pytest.mark.parametrize("name", SCANS)
def test_stored_bytes_are_untouched_and_lie_where_they_did(tmp_path: Path, name: str) -> None:
    whole, *parts = split(tmp_path, SCANS[name])
    for part in parts:
        i, j, k = first_voxel(part, whole)
        nx, ny, nz = part.grid.shape
        assert part.source.dtype == whole.source.dtype
        assert len(part.frames) == len(whole.frames)
        stored = b"".join(
            whole.voxels(frame)[k : k + nz, j : j + ny, i : i + nx].tobytes() for frame in range(len(whole.frames))
        )
        assert part.pair.data.read_bytes() == stored
        assert not [each for each in part.findings if each.severity.label == "error"]
        assert part.scaling == whole.scaling
    assert parts[0].grid.directions == whole.grid.directions
    assert parts[1].grid.directions == "RPH"  # feet first, supine


CHANGED = {  # of the left animal: the line of the header, and what becomes of it
    "x_dimension": ("8", "4"),
    "y_dimension": ("7", "6"),
    "volume_origin_x": ("0", "1"),  # 4 // 2 - 1
    "volume_origin_y": ("0", "2"),
    "volume_origin_z": ("0", "2"),
    # 8 voxels of 3.5 mm, the first 4 of them: 2 voxels to the left; 7 of 4 mm, the first 6: half a voxel up.
    "image_ref_shift": ("-0.63 1.17 -1.31", "-7.63 -0.83 -1.31"),
    "dose": ("0.19", "0.2"),  # mCi: 7.4 / 37
    "subject_identifier": ("M0042", "m12"),
    "subject_length": ("75", ""),
    "subject_weight": ("24.6", "20.5"),  # g
    "subject_date_of_birth": ("Mar 4 2014", "Mar 5 2014"),
    "subject_age": ("15 weeks", ""),
    "subject_glucose_level": ("7.1 mmol/L", ""),
    "data_file_pointer": ("0 1344", "0 576"),  # 8 x 7 x 6 and 4 x 6 x 6 voxels of 4 bytes
}


def test_only_the_lines_that_must_change_do(tmp_path: Path) -> None:
    whole, part, other = split(tmp_path, PET)
    before, after = (each.header_bytes.decode("ascii").splitlines() for each in (whole, part))
    assert len(before) == len(after)
    changed = {
        one.partition(" ")[0]: (one.partition(" ")[2].strip(), two.partition(" ")[2].strip())
        for one, two in zip(before, after, strict=True)
        if one != two
    }
    assert changed == CHANGED
    assert other.header["subject_weight"] in (None, "")  # the sheet does not say it, and the header's is the group's
    assert other.header["injection_time"] == "Tue Jun 17 13:50:00 2014"
    assert other.header["subject_orientation"] == "3"
    assert other.header["subject_sex"] == "male"
    assert other.header["injection_decay_correction"] in (None, "")  # of another injection


def test_bed_positions_become_a_pair_each_at_their_places(tmp_path: Path) -> None:
    beds = replace(PET, frames=STATIC, beds=(0.0, 20.0))
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "a.img", beds)
    (tmp_path / "hotel.csv").write_text(SHEET, "ascii")
    (tmp_path / "boxes.json").write_text(json.dumps(BOXES), "ascii")
    options = Options(sheet=tmp_path / "hotel.csv")
    pairs = split_inveon(tmp_path / "in", tmp_path / "out", options, boxes=tmp_path / "boxes.json")
    assert [pair.data.name for pair in pairs] == ["a_1.img", "a_2.img"] * 2
    wholes = read(tmp_path / "in" / "a.img").series()
    for pair, whole in zip(pairs[:2], wholes, strict=True):
        (part,) = read(pair.data).series()
        own, of_whole = part.grid.affine[:3, 3], whole.grid.affine[:3, 3]
        i, j, k = (round(each) for each in (own - of_whole) @ whole.grid.axes / whole.grid.spacing_mm)
        assert own == pytest.approx((whole.grid.affine @ (i, j, k, 1))[:3])
        nx, ny, nz = part.grid.shape
        assert np.array_equal(part.voxels(), whole.voxels()[k : k + nz, j : j + ny, i : i + nx])


def test_what_was_cut_is_a_study_like_any_other(tmp_path: Path) -> None:
    split(tmp_path, PET)
    study = read_study(tmp_path / "out" / "m12" / "inveon")
    assert (study.animal.id, study.animal.weight_kg, study.animal.sex) == ("m12", 0.0205, "F")
    assert study.scans[0].image.header.tracer.dose_bq == 7.4e6
    convert(tmp_path / "out" / "m12" / "inveon", tmp_path / "dicom")


def test_the_command_refuses_what_is_of_dicom(tmp_path: Path) -> None:
    split(tmp_path, CT)
    given = ("--subjects", tmp_path / "hotel.csv", "--boxes", tmp_path / "boxes.json", "--as", "inveon")
    run = inveon("split", tmp_path / "in", tmp_path / "again", *given)
    assert run.exit_code == 0
    assert run.stdout.splitlines() == [str(tmp_path / "again" / name / "inveon" / "a.img") for name in ("m12", "m13")]
    run = inveon("split", tmp_path / "in", tmp_path / "again", *given)
    assert "nothing is overwritten" in assert_one_line_error(run.exit_code, run.stdout, run.stderr)
    run = inveon("split", tmp_path / "in", tmp_path / "new", *given, "--verify")
    assert "--verify is of DICOM" in assert_one_line_error(run.exit_code, run.stdout, run.stderr, 2)
    run = inveon("split", tmp_path / "in", tmp_path / "new", *given, "--dry-run")
    assert run.exit_code == 0
    assert str(tmp_path / "new" / "m13" / "inveon" / "a.img") in run.stdout
    assert not (tmp_path / "new").exists()
