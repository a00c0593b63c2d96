"""Where the voxels are: posture, positions, spacing, and what is reported of senseless sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import header_text
from inveonimaging.errors import HeaderError, OptionError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Header, parse
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.physics.geometry import Box, Grid, grid_of, moved_along_bed

# The table of design.md, section 4, written out: LPS vectors of the stored axes i, j and k.
# LPS: left is +x, posterior is +y, head is +z; so R is -x, A is -y, F is -z.
POSTURES: dict[int, tuple[tuple[int, int, int], tuple[int, int, int], tuple[int, int, int]]] = {
    0: ((-1, 0, 0), (0, 1, 0), (0, 0, 1)),  # unknown, as 3
    1: ((1, 0, 0), (0, -1, 0), (0, 0, 1)),  # FFP  L A H
    2: ((-1, 0, 0), (0, -1, 0), (0, 0, -1)),  # HFP  R A F
    3: ((-1, 0, 0), (0, 1, 0), (0, 0, 1)),  # FFS  R P H
    4: ((1, 0, 0), (0, 1, 0), (0, 0, -1)),  # HFS  L P F
    5: ((0, -1, 0), (-1, 0, 0), (0, 0, 1)),  # FFDR A R H
    6: ((0, 1, 0), (-1, 0, 0), (0, 0, -1)),  # HFDR P R F
    7: ((0, 1, 0), (1, 0, 0), (0, 0, 1)),  # FFDL P L H
    8: ((0, -1, 0), (1, 0, 0), (0, 0, -1)),  # HFDL A L F
}
NAMES = ["UNKNOWN", "FFP", "HFP", "FFS", "HFS", "FFDR", "HFDR", "FFDL", "HFDL"]
SHAPE = (4, 3, 2)
SPACING = (0.5, 0.25, 2.0)
SHIFT = (1.0, -2.0, 3.0)
TOLERANCE = 1e-9  # mm; sums of a few float64 of up to 1e5


def header_of(main: Mapping[str, str | None] | None = None) -> Header:
    """Return a header with some keys changed; None leaves a key out."""
    return parse(header_text(main).encode())[0]


def grid(main: Mapping[str, str | None] | None = None, **options: Any) -> Grid:
    """Return the grid of a header with some keys changed."""
    return grid_of(header_of(main), **options)[0]


def findings(main: Mapping[str, str | None], **options: Any) -> tuple[Finding, ...]:
    """Return problems in the geometry of a header with some keys changed."""
    return grid_of(header_of(main), **options)[1]


def expected_position(code: int, index: tuple[float, float, float], flip: str = "") -> list[float]:
    """Return the LPS position of a voxel: g = (index - (n - 1) / 2) s + d per axis, p = A g."""
    gantry = [
        (n - (count - 1) / 2) * size + shift for n, count, size, shift in zip(index, SHAPE, SPACING, SHIFT, strict=True)
    ]
    signs = [-1 if axis in flip else 1 for axis in "xyz"]
    return [sum(s * axis[c] * g for s, axis, g in zip(signs, POSTURES[code], gantry, strict=True)) for c in range(3)]


POSED = {"image_ref_shift": " ".join(map(str, SHIFT))}


@pytest.mark.parametrize("code", POSTURES)
def test_axes_and_orientation(code: int) -> None:
    placed = grid({**POSED, "subject_orientation": str(code)})
    assert (placed.shape, placed.spacing_mm, placed.shift_mm) == (SHAPE, SPACING, SHIFT)
    assert placed.orientation.name == NAMES[code]
    assert placed.axes.T.tolist() == [list(axis) for axis in POSTURES[code]]
    assert list(placed.image_orientation) == [*POSTURES[code][0], *POSTURES[code][1]]
    assert placed.runs_against_normal
    assert np.linalg.det(placed.axes) == pytest.approx(-1)


@pytest.mark.parametrize("code", POSTURES)
def test_positions_and_affine(code: int) -> None:
    placed = grid({**POSED, "subject_orientation": str(code)})
    assert placed.positions.shape == (2, 3)
    for k in range(2):
        assert placed.positions[k] == pytest.approx(expected_position(code, (0, 0, k)), abs=TOLERANCE)
    for index in [(0, 0, 0), (3, 0, 0), (0, 2, 0), (0, 0, 1), (3, 2, 1), (1.5, 1, 0.5)]:
        assert placed.affine @ (*index, 1) == pytest.approx([*expected_position(code, index), 1], abs=TOLERANCE)
    assert placed.slice_locations == pytest.approx([3.0 - 1.0, 3.0 + 1.0], abs=TOLERANCE)


def test_feet_first_supine_by_hand() -> None:
    # i: (0 - 1.5) * 0.5 + 1 = 0.25 to the right; j: (0 - 1) * 0.25 - 2 = -2.25 to the back; k: -1 + 3 = 2, then 4
    placed = grid({**POSED, "subject_orientation": "3"})
    assert placed.positions.tolist() == [[-0.25, -2.25, 2.0], [-0.25, -2.25, 4.0]]
    assert placed.affine.tolist() == [[-0.5, 0, 0, -0.25], [0, 0.25, 0, -2.25], [0, 0, 2, 2], [0, 0, 0, 1]]


def test_head_first_prone_by_hand() -> None:
    # the same numbers, now right, to the front, and towards the feet
    placed = grid({**POSED, "subject_orientation": "2"})
    assert placed.positions.tolist() == [[-0.25, 2.25, -2.0], [-0.25, 2.25, -4.0]]
    assert placed.affine.tolist() == [[-0.5, 0, 0, -0.25], [0, -0.25, 0, 2.25], [0, 0, -2, -2], [0, 0, 0, 1]]


def test_feet_first_decubitus_left_by_hand() -> None:
    # i runs to the back, j to the left: x is what j gives, y is what i gives
    placed = grid({**POSED, "subject_orientation": "7"})
    assert placed.positions.tolist() == [[-2.25, 0.25, 2.0], [-2.25, 0.25, 4.0]]
    assert placed.affine.tolist() == [[0, 0.25, 0, -2.25], [0.5, 0, 0, 0.25], [0, 0, 2, 2], [0, 0, 0, 1]]


def test_without_shift_the_volume_is_centred() -> None:
    placed = grid()
    assert placed.shift_mm == (0.0, 0.0, 0.0)
    assert placed.affine @ (1.5, 1, 0.5, 1) == pytest.approx([0, 0, 0, 1], abs=TOLERANCE)


@pytest.mark.parametrize("value", ["0", None, "", "9", "-1", "prone"])
def test_unknown_orientation_is_a_finding_and_placed_like_feet_first_supine(value: str | None) -> None:
    placed, found = grid_of(header_of({"subject_orientation": value}))
    assert placed.orientation is Orientation.UNKNOWN
    assert placed.directions == "RPH"
    assert [(f.code, f.key, f.severity) for f in found] == [
        ("orientation-unknown", "subject_orientation", Severity.WARNING)
    ]


@pytest.mark.parametrize("code", range(1, 9))
@pytest.mark.parametrize("given_code", ["0", "1", "2", None])
def test_override(code: int, given_code: str | None) -> None:
    placed, found = grid_of(header_of({**POSED, "subject_orientation": given_code}), Orientation.of(code))
    assert placed.orientation == code
    assert placed.positions[0] == pytest.approx(expected_position(code, (0, 0, 0)), abs=TOLERANCE)
    assert found == ()


@pytest.mark.parametrize("flip", ["x", "y", "z", "xy", "zx", "xyz"])
@pytest.mark.parametrize("code", POSTURES)
def test_flip(code: int, flip: str) -> None:
    placed = grid({**POSED, "subject_orientation": str(code)}, flip=flip)
    assert placed.positions[1] == pytest.approx(expected_position(code, (0, 0, 1), flip), abs=TOLERANCE)
    assert placed.runs_against_normal == (len(flip) % 2 == 0)
    assert placed.orientation == code


@pytest.mark.parametrize("flip", ["", "x", "y", "z", "xyz"])
@pytest.mark.parametrize("code", POSTURES)
def test_reversed_columns_leave_each_voxel_in_its_place(code: int, flip: str) -> None:
    placed = grid({**POSED, "subject_orientation": str(code)}, flip=flip)
    other = moved_along_bed(placed, 7.5).with_columns_reversed()
    assert other.points_to_feet != placed.points_to_feet
    bed = [7.5 * (-1 if "z" in flip else 1) * part for part in POSTURES[code][2]]
    for i in range(SHAPE[0]):
        true = np.add(expected_position(code, (SHAPE[0] - 1 - i, 2, 1), flip), bed)
        assert (other.affine @ [i, 2, 1, 1])[:3] == pytest.approx(true, abs=TOLERANCE)


@pytest.mark.parametrize("code", range(1, 9))
def test_row_x_column_points_to_the_feet_of_animals_feet_first(code: int) -> None:
    assert grid({"subject_orientation": str(code)}).points_to_feet == NAMES[code].startswith("FF")


@pytest.mark.parametrize("flip", ["w", "X", "xx", "x,y", " "])
def test_flip_of_no_axis(flip: str) -> None:
    with pytest.raises(OptionError, match=f"^flip is '{flip}', expected letters of xyz, each once$"):
        grid(flip=flip)


def test_rotation_is_reported_and_not_applied() -> None:
    placed, found = grid_of(header_of({"image_ref_rotation": "0 0 5"}))
    assert [(f.code, f.key) for f in found] == [("rotation-not-applied", "image_ref_rotation")]
    # 4 x 3 x 2 voxels of 0.5, 0.25 and 2 mm: half a diagonal of 2.2671 mm, turned by 5 degrees
    assert found[0].message.endswith("corners by up to 0.2 mm")
    assert placed.positions.tolist() == grid().positions.tolist()
    assert findings({"image_ref_rotation": "0 0.0 0"}) == ()


# ---------------------------------------------------------------------------------------------------------------------
# Voxel sizes. Old headers give cm in the plane, and nothing or an indirect size between slices.

OLD: dict[str, str | None] = {"pixel_size_x": None, "pixel_size_y": None, "pixel_size_z": None, "pixel_size": "0.0949"}


@pytest.mark.parametrize(
    ("main", "spacing", "codes"),
    [
        ({}, (0.5, 0.25, 2.0), []),
        ({"pixel_size": "0.05", "pixel_size_y": "0.5"}, (0.5, 0.5, 2.0), []),
        ({"pixel_size": "0.0502"}, (0.5, 0.25, 2.0), ["pixel-size-disagrees"]),  # y only: x is within 1 %
        ({"pixel_size": "0.5"}, (0.5, 0.25, 2.0), ["pixel-size-disagrees"] * 2),
        ({"pixel_size": "0"}, (0.5, 0.25, 2.0), []),
        ({"pixel_size": "0.05", "pixel_size_x": None, "pixel_size_y": ""}, (0.5, 0.5, 2.0), []),
        ({**OLD, "pixel_size_z": "0.8"}, (0.949, 0.949, 0.8), []),
        ({**OLD, "axial_plane_size": "0.0796"}, (0.949, 0.949, 0.796), ["slice-spacing-derived"]),
        ({**OLD, "axial_crystal_pitch": "0.1592"}, (0.949, 0.949, 0.796), ["slice-spacing-derived"]),
        (
            {**OLD, "axial_plane_size": "0.1", "axial_crystal_pitch": "0.1592"},
            (0.949, 0.949, 1.0),
            ["slice-spacing-derived", "voxel-size-implausible"],
        ),
        (
            {**OLD, "axial_plane_size": "0", "axial_crystal_pitch": "0.1592"},
            (0.949, 0.949, 0.796),
            ["slice-spacing-derived"],
        ),
        ({"axial_plane_size": "0.1", "axial_crystal_pitch": "0.1592"}, (0.5, 0.25, 2.0), []),
    ],
)
def test_spacing(main: dict[str, str | None], spacing: tuple[float, float, float], codes: list[str]) -> None:
    placed, found = grid_of(header_of(main))
    assert placed.spacing_mm == pytest.approx(spacing, rel=1e-12)  # decimal cm to mm, then one float division
    assert [f.code for f in found] == codes


@pytest.mark.parametrize("key", ["axial_plane_size", "axial_crystal_pitch"])
def test_derived_spacing_says_from_what(key: str) -> None:
    (found,) = findings({**OLD, key: "0.1"})
    assert (found.key, found.severity) == (key, Severity.INFO)
    source, size = (key, "1") if key == "axial_plane_size" else (f"{key} / 2", "0.5")
    assert found.message == f"no pixel_size_z; {source} gives {size} mm between slices"


def error_of(main: Mapping[str, str | None]) -> HeaderError:
    """Return the error that the geometry of a header ends in."""
    with pytest.raises(HeaderError) as caught:
        grid(main)
    return caught.value


def line_of(key: str, main: Mapping[str, str | None]) -> int:
    """Return the number of a key's line in the header's text."""
    return next(n for n, line in enumerate(header_text(main).split("\n"), 1) if line.split(" ")[0] == key)


SENSELESS = ["0", "-4", "65536", "99999999", "100000000000000000000", "four", "4,5", "4.5", ""]


@pytest.mark.parametrize("value", SENSELESS)
@pytest.mark.parametrize("key", ["x_dimension", "y_dimension", "z_dimension"])
def test_senseless_dimension(key: str, value: str) -> None:
    error = error_of({key: value})
    found = f"'{value}'" if value else "empty"
    assert str(error) == f"line {line_of(key, {key: value})}: {key} is {found}, expected 1 to 65535"


@pytest.mark.parametrize("key", ["x_dimension", "y_dimension", "z_dimension"])
def test_missing_dimension(key: str) -> None:
    error = error_of({key: None})
    assert (str(error), error.line) == (f"{key} is missing, expected 1 to 65535", None)


@pytest.mark.parametrize("key", ["x_dimension", "y_dimension", "z_dimension"])
def test_largest_dimension(key: str) -> None:
    assert sorted(grid({"x_dimension": "1", "y_dimension": "1", "z_dimension": "1", key: "65535"}).shape) == [
        1,
        1,
        65535,
    ]


@pytest.mark.parametrize("value", ["0", "-0.5", "0.0", "half", "0,5", "nan"])
@pytest.mark.parametrize("key", ["pixel_size_x", "pixel_size_y", "pixel_size_z"])
def test_senseless_voxel_size(key: str, value: str) -> None:
    error = error_of({key: value})
    line = line_of(key, {key: value})
    assert str(error) == f"line {line}: {key} is '{value}', expected a voxel size above 0, up to 1000 mm"


@pytest.mark.parametrize("key", ["pixel_size_x", "pixel_size_y", "pixel_size_z"])
def test_missing_voxel_size(key: str) -> None:
    assert str(error_of({key: None})) == f"{key} is missing, expected a voxel size above 0, up to 1000 mm"


@pytest.mark.parametrize("main", [{"pixel_size": "0"}, {"pixel_size": "-0.1"}])
def test_senseless_old_voxel_size(main: dict[str, str | None]) -> None:
    assert error_of({**OLD, "axial_plane_size": "0.1", **main}).key == "pixel_size_x"


def test_crystal_pitch_gives_no_slice_spacing_for_ct() -> None:
    ct = {"modality": "1", "pixel_size_z": None, "axial_plane_size": "0.1", "axial_crystal_pitch": "0.1592"}
    assert str(error_of(ct)) == "pixel_size_z is missing, expected a voxel size above 0, up to 1000 mm"


NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32).map(repr) | st.integers(-(10**9), 10**9).map(str)


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.sampled_from(
            ["x_dimension", "z_dimension", "pixel_size_x", "pixel_size_z", "pixel_size", "subject_orientation"]
        ),
        NUMBERS,
    ),
    st.lists(NUMBERS, min_size=3, max_size=3),
)
def test_any_numbers_end_in_a_finite_grid_or_an_error(main: dict[str, str], shift: list[str]) -> None:
    try:
        placed = grid({**main, "image_ref_shift": " ".join(shift)})
    except HeaderError as error:
        refused = error.key
    else:
        refused = None
        assert_finite(placed)
    assert refused is None or refused in {*main, "image_ref_shift"}


def assert_finite(placed: Grid) -> None:
    """Check that a grid's numbers are numbers."""
    assert min(placed.spacing_mm) > 0
    assert np.isfinite(placed.positions).all()
    assert np.isfinite(placed.affine).all()


BOXES = (  # of 4 x 3 x 2 voxels of 0.5, 0.25 and 2 mm, shifted by (1, -2, 3): from (0, -2.375, 1) to (2, -1.625, 5)
    ((0, -2.375, 1), (2, -1.625, 5), Box((0, 0, 0), (4, 3, 2))),
    ((-9, -9, -9), (9, 9, 9), Box((0, 0, 0), (4, 3, 2))),
    ((0.5, -2.125, 3), (1.5, -1.875, 5), Box((1, 1, 1), (3, 2, 2))),  # faces of voxels: nothing beyond them
    ((0.49, -2.13, 2.99), (1.51, -1.87, 5), Box((0, 0, 0), (4, 3, 2))),  # a little more touches the next ones
    ((0.6, -2.1, 3.5), (0.7, -2.0, 3.6), Box((1, 1, 1), (2, 2, 2))),
    ((2, -2, 2), (3, -1.9, 3), None),
    ((-3, -2, 2), (0, -1.9, 3), None),
)


@pytest.mark.parametrize(("low", "high", "box"), BOXES)
def test_an_extent_is_the_box_of_the_voxels_that_it_touches(
    low: tuple[float, float, float], high: tuple[float, float, float], box: Box | None
) -> None:
    assert grid({"image_ref_shift": "1 -2 3"}).box_of(low, high) == box


def test_a_box_of_a_bed_position_counts_from_the_bed() -> None:
    moved = moved_along_bed(grid({"image_ref_shift": "1 -2 3"}), 10.0)
    assert moved.box_of((0, -2.375, 13), (2, -1.625, 15)) == Box((0, 0, 1), (4, 3, 2))
    assert moved.box_of((0, -2.375, 1), (2, -1.625, 5)) is None


def test_a_box_of_the_finest_voxels_has_no_more_than_it_touches() -> None:
    fine = grid({"pixel_size_x": "0.1", "x_dimension": "700", "image_ref_shift": "0.3 0 0"})
    for n in range(0, 700, 7):  # faces at 0.3 - 35 + n / 10
        box = fine.box_of((-34.7 + n / 10, -0.1, 0), (-34.7 + (n + 7) / 10, 0.1, 1))
        assert box is not None
        assert (box.first[0], box.stop[0]) == (n, n + 7)


@pytest.mark.parametrize("code", range(9))
def test_a_cut_moves_no_voxel_in_any_posture(code: int) -> None:
    whole = grid({"subject_orientation": str(code), "image_ref_shift": "1 -2 3"})
    part = whole.cut(Box((1, 2, 1), (4, 3, 2)))
    assert part.shape == (3, 1, 1)
    assert part.orientation is whole.orientation
    for index in ((0, 0, 0), (2, 0, 0)):
        i, j, k = index
        assert np.allclose(
            part.affine @ (i, j, k, 1), [*expected_position(code, (i + 1, j + 2, k + 1)), 1], rtol=0, atol=TOLERANCE
        )
