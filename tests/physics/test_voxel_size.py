"""Voxel sizes beside the detector: slips are reported, and what scanners and programs do write is not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from helpers import CT as SMALL_CT
from helpers import PET as SMALL_PET
from helpers import header_text, inveon, write_small_study
from inveonimaging.inveon.hdr import parse
from inveonimaging.phantom import CT_SCAN, PET_SCAN, SPECT_SCAN, PhantomScan, write_scan
from inveonimaging.physics.geometry import grid_of

# An Inveon PET: 80 crystals of 1.592 mm along the axis, 127.36 mm; slices of 0.796 mm; a ring of 161 mm.
PET = {
    "axial_crystals_per_block": "20",
    "axial_blocks": "4",
    "axial_crystal_pitch": "0.1592",
    "radius": "8.05",
    "radial_fov": "10",
    "x_dimension": "128",
    "y_dimension": "128",
    "z_dimension": "159",
    "pixel_size_x": "0.776383",
    "pixel_size_y": "0.776383",
    "pixel_size_z": "0.796",
}
# A genuine CT of two beds: 1024 pixels of 97.891 um at the centre of rotation are 100.24 mm, 800 are 78.3 mm.
CT = {
    "modality": "1",
    "axial_plane_size": "0.0195782",
    "number_of_bed_positions": "2",
    "bed_motion": "2",
    "ct_proj_size_transaxial": "1024",
    "ct_proj_size_axial": "800",
    "ct_xray_detector_pitch": "97.891",
    "ct_transaxial_bin_factor": "4",
    "ct_axial_bin_factor": "4",
    "x_dimension": "512",
    "y_dimension": "512",
    "z_dimension": "679",
    "pixel_size": "0",
    "pixel_size_x": "0.195782",
    "pixel_size_y": "0.195782",
    "pixel_size_z": "0.195782",
}
ONE_BED = {"number_of_bed_positions": "1", "bed_motion": "0", "z_dimension": "400"}


def cubes(size: str, *shape: str) -> dict[str, str | None]:
    """Return voxels of one size, and how many there are along x, y, z."""
    sizes: dict[str, str | None] = {f"pixel_size_{axis}": size for axis in "xyz"}
    return sizes | {f"{axis}_dimension": count for axis, count in zip("xyz", shape, strict=False)}


def messages_of(base: Mapping[str, str], changes: Mapping[str, str | None]) -> list[str]:
    """Return what is reported of voxel sizes."""
    header, _ = parse(header_text({**base, **changes}).encode())
    return [finding.message for finding in grid_of(header)[1] if finding.code == "voxel-size-implausible"]


OLD: dict[str, str | None] = {"pixel_size_x": None, "pixel_size_y": None, "pixel_size_z": None, "pixel_size": "0.0776"}
SOUND: dict[str, tuple[dict[str, str], dict[str, str | None]]] = {
    "PET": (PET, {}),
    "zoom 2": (PET, {"zoom": "2", "pixel_size_x": "0.388", "pixel_size_y": "0.388"}),
    "zoom 0.97": (PET, {"zoom": "0.97045", "pixel_size_x": "0.800024", "pixel_size_y": "0.800024"}),
    "isotropic": (PET, {"pixel_size_x": "0.8", "pixel_size_y": "0.8", "pixel_size_z": "0.8"}),
    "slices rebinned": (PET, {"pixel_size_z": "1.592", "z_dimension": "80"}),
    "four slices in one": (PET, {"pixel_size_z": "3.184", "z_dimension": "40"}),
    "resliced to a CT": (PET, {**cubes("0.195782", "512", "512", "679")}),
    "resliced to a fine CT": (PET, {**cubes("0.0796", "512", "512", "1024")}),
    "two beds joined": (PET, {"number_of_bed_positions": "2", "bed_motion": "2", "z_dimension": "270"}),
    "bed in motion": (PET, {"bed_motion": "1", "z_dimension": "400"}),
    "an old header": (PET, {**OLD, "axial_plane_size": "0.0796"}),
    "an old header without planes": (PET, OLD),
    "no detector": ({}, {}),
    "CT": (CT, {}),
    "CT of one bed": (CT, {**ONE_BED}),
    "CT without planes": (CT, {"axial_plane_size": None}),
    "CT of unbinned pixels": (CT, {"ct_xray_detector_pitch": "27"}),
    "downsampled by 2": (CT, {**cubes("0.391564", "256", "256", "340")}),
    "downsampled by 4": (CT, {**cubes("0.783128", "128", "128", "170")}),
    "zoomed CT": (CT, {**cubes("0.0489455", "512", "512", "679")}),
    "thick slices": (CT, {"pixel_size_z": "0.783128", "z_dimension": "170"}),
}


@pytest.mark.parametrize("case", SOUND)
def test_what_is_sound_is_not_reported(case: str) -> None:
    assert messages_of(*SOUND[case]) == []


TENTH, TEN_TIMES = (
    "a tenth of the 0.796 mm of axial_crystal_pitch / 2",
    "ten times the 0.796 mm of axial_crystal_pitch / 2",
)
SLIPS: dict[str, tuple[dict[str, str], dict[str, str | None], str]] = {
    "z in cm": (PET, {"pixel_size_z": "0.0796"}, TENTH),
    "all in cm": (PET, {**cubes("0.0796"), "pixel_size_x": "0.0776", "pixel_size_y": "0.0776"}, TENTH),
    "z ten times": (PET, {"pixel_size_z": "7.96"}, TEN_TIMES),
    "z beside a plane": (
        PET,
        {"axial_crystal_pitch": None, "axial_plane_size": "0.0796", "pixel_size_z": "7.96"},
        "plane",
    ),
    # 159 * 1.592 = 253.1
    "z twice": (
        PET,
        {"pixel_size_z": "1.592"},
        "159 slices of 1.592 mm are 253.1 mm long, but the detector ring is 127.4",
    ),
    # 128 * 8 = 1024
    "x ten times": (
        PET,
        {"pixel_size_x": "8", "pixel_size_y": "8"},
        "128 voxels of 8 mm are 1024 mm, but the detector",
    ),
    "y ten times": (PET, {"pixel_size_y": "8"}, "128 voxels of 8 mm are 1024 mm"),
    "x in cm": (PET, {"pixel_size_x": "0.0776", "pixel_size_y": "0.0776"}, "a voxel is 0.0776 x 0.0776 x 0.796 mm"),
    "old key in mm": (PET, {**OLD, "pixel_size": "0.8"}, "128 voxels of 8 mm"),
    "planes twice": (
        PET,
        {**OLD, "axial_plane_size": "0.1592"},
        "axial_plane_size says 1.592 mm between slices, axial_cr",
    ),
    "planes in mm": (
        PET,
        {**OLD, "axial_plane_size": "0.796"},
        "axial_plane_size says 7.96 mm between slices, axial_cr",
    ),
    "CT in cm": (CT, cubes("0.0195782"), "a tenth of the 0.195782 mm of axial_plane_size"),
    # 512 * 0.0195782 = 10.02, of 1024 * 0.097891 = 100.24
    "CT in cm without planes": (
        CT,
        {**cubes("0.0195782"), "axial_plane_size": "0"},
        "10.02 mm, but the detector is 100.2",
    ),
    "CT ten times": (CT, cubes("1.95782"), "ten times the 0.195782 mm of axial_plane_size"),
    "CT ten times without planes": (
        CT,
        {**cubes("1.95782"), "axial_plane_size": None},
        "1002 mm, but the detector is 100.2",
    ),
    # 400 * 0.391564 = 156.6, of 800 * 0.097891 = 78.3
    "CT twice": (CT, {**ONE_BED, "pixel_size_z": "0.391564"}, "156.6 mm long, but the detector is 78.31 mm long"),
    "SPECT": ({"modality": "2", "pixel_size_y": "0.5", "pixel_size_z": "5"}, {}, "a voxel is 0.5 x 0.5 x 5 mm"),
}


@pytest.mark.parametrize("case", SLIPS)
def test_slips_are_reported(case: str) -> None:
    base, changes, says = SLIPS[case]
    (message,) = messages_of(base, changes)
    assert says in message


@pytest.mark.parametrize("scan", [CT_SCAN, PET_SCAN, SPECT_SCAN, SMALL_CT, SMALL_PET], ids=lambda scan: str(scan.shape))
def test_the_phantom_is_sound(scan: PhantomScan, tmp_path: Path) -> None:
    header, _ = parse(write_scan(tmp_path / "m.img", scan).header.read_bytes())
    assert "voxel-size-implausible" not in {each.code for each in grid_of(header)[1]}


def test_convert_and_check_say_it(tmp_path: Path) -> None:
    folder = write_small_study(tmp_path / "in")
    path = folder / "m1.pet.img.hdr"
    path.write_text(path.read_text("utf-8").replace("pixel_size_z 9", "pixel_size_z 7.96"), "utf-8")
    for result in (inveon("convert", folder, tmp_path / "out"), inveon("check", folder)):
        assert " ".join(result.output.split()).count("ten times the 0.796 mm") == 1
