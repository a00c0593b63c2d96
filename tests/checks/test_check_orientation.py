"""`--orientation-test`: the phantom's syringe lies on the mouse's left; another claim is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from helpers import inveon
from inveonimaging import Options, convert
from inveonimaging.checks.checked import check_dicom, check_scan
from inveonimaging.checks.components import labels_of
from inveonimaging.checks.marker import Outcome, Side
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom_reading.series import read_series
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import DataType, Orientation
from inveonimaging.phantom import CT_SCAN, PET_SCAN, Mouse, PhantomScan, frames_of, write_scan
from inveonimaging.phantom.mouse import ANATOMY, PLASTIC, SYRINGE
from inveonimaging.study.reading import read_study
from truth import AXES

PET = replace(PET_SCAN, shape=(48, 48, 40), spacing_mm=(1.0, 1.0, 2.0), frames=frames_of(600.0))
CT = replace(CT_SCAN, shape=(64, 64, 30), spacing_mm=(0.75, 0.75, 2.7))
POSTURES = [posture for posture in Orientation if posture]
SCANS = {"PET": PET, "CT": CT}
TRUE = [Orientation.HFP, Orientation.FFS, Orientation.FFDL, Orientation.HFDR]
NOW = datetime(2020, 1, 1)


def outcome_of(
    folder: Path,
    scan: PhantomScan,
    side: Side = Side.LEFT,
    *,
    claimed: Orientation | None = None,
    mirrored: str = "",
    mouse: Mouse | None = None,
) -> Outcome:
    """Test a scan whose header claims a posture, and whose voxels are mirrored along stored axes."""
    folder.mkdir(exist_ok=True)

    def change(header: Header) -> Header:
        return replace(header, geometry=replace(header.geometry, orientation=claimed or scan.orientation))

    pair = write_scan(folder / "m.img", scan, change=change, mouse=mouse or Mouse())
    if mirrored:
        stored = np.fromfile(pair.data, scan.dtype).reshape(scan.shape[::-1])
        np.flip(stored, tuple("zyx".index(axis) for axis in mirrored)).tofile(pair.data)
    test = check_scan(read_study(pair.header).scans[0], (), NOW, side).orientation_test
    assert test is not None
    return test.outcome


@pytest.mark.parametrize("kind", SCANS)
@pytest.mark.parametrize("posture", POSTURES)
def test_a_true_header_is_confirmed(tmp_path: Path, kind: str, posture: Orientation) -> None:
    scan = replace(SCANS[kind], orientation=posture)
    assert outcome_of(tmp_path / "left", scan) is Outcome.AGREES
    assert outcome_of(tmp_path / "right", scan, Side.RIGHT) is Outcome.CONTRADICTS


def left_in(claimed: Orientation, true: Orientation) -> tuple[int, ...]:
    """Return where the animal's left lies in the patient's coordinates of a header that claims another posture."""
    to_patient, really = (np.array(AXES[int(code)], float).T for code in (claimed, true))
    return tuple(int(part) for part in to_patient @ (really.T @ [1, 0, 0]))


@pytest.mark.parametrize("claimed", POSTURES)
@pytest.mark.parametrize("true", TRUE)
def test_another_posture_is_found_where_it_changes_left(
    tmp_path: Path, true: Orientation, claimed: Orientation
) -> None:
    kind = list(SCANS)[(TRUE.index(true) + POSTURES.index(claimed)) % 2]
    outcome = outcome_of(tmp_path, replace(SCANS[kind], orientation=true), claimed=claimed)
    is_left = left_in(claimed, true) == (1, 0, 0)
    assert outcome is (Outcome.AGREES if is_left else Outcome.CONTRADICTS)


@pytest.mark.parametrize("posture", POSTURES)
def test_mirrored_data_are_found(tmp_path: Path, posture: Orientation) -> None:
    kind = list(SCANS)[POSTURES.index(posture) // 2 % 2]
    scan = replace(SCANS[kind], orientation=posture, shift_mm=(0.0, 0.0, 0.0))
    sideways = "xyz"[[abs(axis[0]) for axis in AXES[int(posture)]].index(1)]
    assert outcome_of(tmp_path / "mirrored", scan, mirrored=sideways) is Outcome.CONTRADICTS
    turned = "".join(axis for axis in "xy" if axis != sideways)
    assert outcome_of(tmp_path / "other axis", scan, mirrored=turned) is Outcome.AGREES
    assert outcome_of(tmp_path / "along the body", scan, mirrored="z") is Outcome.AGREES


def test_without_a_marker_it_cannot_tell(tmp_path: Path) -> None:
    bare = Mouse(anatomy=tuple(each for each in ANATOMY if each.tissue not in (PLASTIC, SYRINGE)))
    for number, scan in enumerate(SCANS.values()):
        assert outcome_of(tmp_path / str(number), scan, mouse=bare) is Outcome.UNCLEAR


def test_with_a_marker_on_each_side_it_cannot_tell(tmp_path: Path) -> None:
    syringe = [each for each in ANATOMY if each.tissue in (PLASTIC, SYRINGE)]
    other = (replace(each, centre_mm=(-18.33, *each.centre_mm[1:])) for each in syringe)
    both = Mouse(anatomy=(*ANATOMY, *other))
    for number, scan in enumerate(SCANS.values()):
        assert outcome_of(tmp_path / str(number), scan, mouse=both) is Outcome.UNCLEAR


def test_an_empty_image_cannot_tell(tmp_path: Path) -> None:
    assert outcome_of(tmp_path, replace(PET, scale_factor=1e30, data_type=DataType.INT16_LE)) is Outcome.UNCLEAR


@pytest.mark.parametrize("form", Form)
def test_dicom_is_tested_by_its_own_coordinates(tmp_path: Path, form: Form) -> None:
    dynamic = replace(PET, shape=(48, 48, 20), spacing_mm=(1.0, 1.0, 4.0), frames=frames_of(60.0, 600.0))
    for name, scan in (("pet", dynamic), ("ct", CT)):
        pair = write_scan(tmp_path / f"{name}.img", scan)
        convert(pair.data, tmp_path / name, Options(form=form))
        convert(pair.data, tmp_path / f"{name} mirrored", Options(form=form, flip="x"))
        for folder, expected in ((name, Outcome.AGREES), (f"{name} mirrored", Outcome.CONTRADICTS)):
            (series,) = read_series([tmp_path / folder]).series
            test = check_dicom(series, Side.LEFT).orientation_test
            assert test is not None
            assert test.outcome is expected
            assert test.certain
            # the syringe's middle is 16.33 mm left of the midline; the body's, in its slices, near it
            assert test.marker is not None
            assert abs(test.marker.offset_mm[0]) == pytest.approx(16.33, abs=1.0)


def test_the_command_says_so_and_ends_with_1_if_sides_are_wrong(tmp_path: Path) -> None:
    write_scan(tmp_path / "m.pet.img", PET)
    right = inveon("check", tmp_path, "--orientation-test", "left")
    assert right.exit_code == 0
    assert "Left and right of m.pet.img: as the header claims (clearly): the marker lies 16" in right.stdout
    wrong = inveon("check", tmp_path, "--orientation-test", "right")
    assert wrong.exit_code == 1
    assert "not as the header claims" in wrong.stdout
    assert "left-right-wrong" in wrong.stdout
    assert inveon("check", tmp_path, "--orientation-test", "right", "--flip", "x").exit_code == 0
    supine = inveon("check", tmp_path, "--orientation-test", "left", "--orientation", "HFS", "--json")
    assert json.loads(supine.stdout)["files"][0]["orientation_test"]["outcome"] == "not as the header claims"
    empty = replace(PET, shape=(4, 4, 4))
    (tmp_path / "coarse").mkdir()
    write_scan(tmp_path / "coarse" / "m.pet.img", empty)
    unclear = inveon("check", tmp_path / "coarse", "--orientation-test", "left", "--json")
    assert "left-right-unclear" in unclear.stdout
    assert unclear.exit_code == 0


def flooded(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """Return the regions of a mask, voxel by voxel."""
    labels = np.zeros(mask.shape, int)
    for seed in zip(*np.nonzero(mask), strict=True):
        if labels[seed]:
            continue
        number = labels.max() + 1
        todo = [seed]
        while todo:
            at = todo.pop()
            if not all(0 <= n < size for n, size in zip(at, mask.shape, strict=True)) or not mask[at] or labels[at]:
                continue
            labels[at] = number
            z, y, x = at
            todo += [(z - 1, y, x), (z + 1, y, x), (z, y - 1, x), (z, y + 1, x), (z, y, x - 1), (z, y, x + 1)]
    return labels


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.9, 1.0])
def test_regions_are_those_of_a_flood(share: float) -> None:
    mask = np.random.default_rng(7).random((7, 9, 11)) < share
    ours, theirs = labels_of(mask), flooded(mask)
    pairs = set(zip(ours.reshape(-1).tolist(), theirs.reshape(-1).tolist(), strict=True))
    assert len(pairs) == len({one for one, _ in pairs}) == len({two for _, two in pairs})
    assert np.array_equal(ours > 0, mask)
