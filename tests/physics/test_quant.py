"""Stored values to Bq/mL or HU, and to signed 16 bit with a rescale slope."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helpers import header_text
from inveonimaging.errors import HeaderError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Header, parse
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.voxels import DTYPES
from inveonimaging.physics.quantification import (
    Policy,
    Scaling,
    Slope,
    Unit,
    ValueRange,
    branching_fraction,
    extent_of,
    quantise,
    scaling_of,
    slopes_of,
)

Stored = npt.NDArray[Any]

# ---------------------------------------------------------------------------------------------------------------------
# Factors.

EXACT = 1e-12  # relative; a factor is the product of at most five float64


def header_of(main: Mapping[str, str | None], scale_factors: Sequence[str | None] = ("1.0",)) -> Header:
    """Return a header with these keys and frames."""
    return parse(header_text(main, [{"scale_factor": factor} for factor in scale_factors]).encode())[0]


def pet(main: Mapping[str, str | None], scale_factors: Sequence[str | None] = ("1.0",)) -> tuple[Scaling, list[str]]:
    """Return the scaling of a PET header, and the codes of findings."""
    scaling, findings = scaling_of(header_of(main, scale_factors), Modality.PET)
    assert all(finding.severity is Severity.WARNING for finding in findings)
    return scaling, [finding.code for finding in findings]


def calibrated(units: str, factor: str, fraction: str | None) -> dict[str, str | None]:
    """Return the three keys of the calibration."""
    return {"calibration_units": units, "calibration_factor": factor, "isotope_branching_fraction": fraction}


def test_becquerel_by_hand() -> None:
    # 0.002 * 3.0e4 / 0.96 = 62.5, and twice that
    scaling, codes = pet(calibrated("2", "30000", "0.96"), ["0.002", "0.004"])
    assert (scaling.unit, codes) == (Unit.BQML, [])
    assert scaling.factors == pytest.approx((62.5, 125.0), rel=EXACT)


def test_nanocurie_by_hand() -> None:
    # 0.002 * 3.0e4 / 0.96 * 37 = 2312.5
    scaling, codes = pet(calibrated("1", "30000", "0.96"), ["0.002"])
    assert (scaling.unit, codes) == (Unit.BQML, [])
    assert scaling.factors == pytest.approx((2312.5,), rel=EXACT)


@pytest.mark.parametrize("fraction", ["0", "-0.5", "1.0000001", "96.7", None, "", "all"])
def test_a_doubtful_branching_fraction_counts_as_1(fraction: str | None) -> None:
    scaling, codes = pet(calibrated("2", "30000", fraction), ["0.002"])
    assert scaling.factors == pytest.approx((60.0,), rel=EXACT)
    assert codes == ["branching-fraction-odd"]


@pytest.mark.parametrize(
    ("text", "fraction"), [("1", 1.0), ("0.967", 0.967), ("1e-9", 1e-9), ("0", None), ("1.1", None), (None, None)]
)
def test_branching_fraction(text: str | None, fraction: float | None) -> None:
    assert branching_fraction(header_of({"isotope_branching_fraction": text})) == fraction


@pytest.mark.parametrize(
    ("units", "factor"),
    [("0", "30000"), ("3", "30000"), (None, "30000"), ("2", "0"), ("1", "0.0"), ("2", "-1"), ("2", None), ("1", "x")],
)
def test_uncalibrated_images_are_never_becquerel(units: str | None, factor: str | None) -> None:
    scaling, codes = pet({"calibration_units": units, "calibration_factor": factor}, ["0.002", "0.5"])
    assert scaling == Scaling(Unit.PROPCNTS, (0.002, 0.5))
    assert codes == ["not-calibrated"]


def test_the_calibration_source_and_the_decay_factors_are_not_applied() -> None:
    others: dict[str, str | None] = {
        "calibration_branching_fraction": "0.5",
        "injection_decay_correction": "2",
        "dose": "9",
    }
    text = header_text(
        {**calibrated("2", "10", "1"), **others}, [{"decay_correction": "3", "deadtime_correction": "5"}]
    )
    assert scaling_of(parse(text.encode())[0], Modality.PET)[0].factors == (10.0,)


def ct(main: Mapping[str, str | None], scale_factor: str = "1.0") -> tuple[Scaling, tuple[Finding, ...]]:
    """Return the scaling of a CT header, which calibration has no part in, and findings."""
    return scaling_of(header_of({**calibrated("1", "30000", "0.96"), **main}, [scale_factor]), Modality.CT)


@pytest.mark.parametrize("scale_factor", [1.0, 0.5])
def test_hounsfield(scale_factor: float) -> None:
    assert ct({}, str(scale_factor)) == (Scaling(Unit.HU, (scale_factor,)), ())


@pytest.mark.parametrize("main", [{"ct_hounsfield_scale": "5000"}, {"ct_hounsfield_offset": "-1000"}])
def test_hounsfield_scale_and_offset_are_reported_and_not_applied(main: dict[str, str]) -> None:
    scaling, (finding,) = ct(main)
    assert (scaling.factors, finding.code) == ((1.0,), "hounsfield-not-applied")
    assert next(iter(main.values())) in finding.message


def test_hounsfield_scale_and_offset_of_nothing_are_no_finding() -> None:
    assert ct({"ct_hounsfield_scale": "0", "ct_hounsfield_offset": "0"})[1] == ()


@pytest.mark.parametrize(
    ("text", "what"), [(None, "missing"), ("", "empty"), ("0,8", "'0,8'"), ("0", "'0'"), ("-2", "'-2'")]
)
@pytest.mark.parametrize("modality", [Modality.PET, Modality.CT])
def test_a_frame_without_scale_factor(modality: Modality, text: str | None, what: str) -> None:
    header = header_of({}, ["1", text])
    with pytest.raises(HeaderError) as caught:
        scaling_of(header, modality)
    line = header.frames[1].line_of("scale_factor") or header.frames[1].line_of("frame")
    assert str(caught.value) == f"line {line}: scale_factor of frame 1 is {what}, expected a number above 0"


POSITIVE = st.floats(min_value=5e-324, allow_infinity=False)


@settings(max_examples=200)
@given(POSITIVE, POSITIVE, st.floats(min_value=5e-324, max_value=1), st.sampled_from("12"))
def test_any_factor_is_finite_and_above_0_or_an_error(
    scale: float, calibration: float, fraction: float, units: str
) -> None:
    header = header_of(calibrated(units, repr(calibration), repr(fraction)), [repr(scale)])
    try:
        scaling = scaling_of(header, Modality.PET)[0]
    except HeaderError:
        per_unit = Fraction(calibration) / Fraction(fraction) * (37 if units == "1" else 1)
        assert not all(Fraction(1e-99) < product < Fraction(1e99) for product in (per_unit, per_unit * Fraction(scale)))
    else:
        assert scaling.unit is Unit.BQML
        assert 1e-100 <= scaling.factors[0] <= 1e100


@pytest.mark.parametrize("modality", [Modality.PET, Modality.CT])
def test_a_factor_beyond_all_reason(modality: Modality) -> None:
    header = header_of(calibrated("0", "1", "1"), ["1", "1e200"])
    unit = "HU" if modality is Modality.CT else "proportional to counts"
    with pytest.raises(
        HeaderError,
        match=rf"line {header.frames[1].line_of('scale_factor')}: a stored 1 in frame 1 is 1e\+200 {unit}, expected",
    ):
        scaling_of(header, modality)


# ---------------------------------------------------------------------------------------------------------------------
# Extents.


def plane(*values: float, dtype: str = "<f4") -> Stored:
    """Return one slice with these values."""
    return np.array(values, dtype=dtype).reshape(1, 1, -1)


def frame(*planes: Stored) -> Stored:
    """Return a frame of slices."""
    return np.concatenate(planes)


NAN, INF = float("nan"), float("inf")


def test_extent_is_of_finite_values_in_each_slice() -> None:
    extent = extent_of(frame(plane(1, NAN, -2), plane(INF, 3, 4), plane(-INF, NAN, INF), plane(5, 6, 7)))
    assert extent.lowest.tolist() == [-2, 3, 0, 5]
    assert extent.highest.tolist() == [1, 4, 0, 7]
    assert (extent.not_finite, extent.whole) == (5, False)


@pytest.mark.parametrize("dtype", DTYPES.values())
def test_extent_of_every_type(dtype: str) -> None:
    extent = extent_of(frame(plane(-100, 3, dtype=dtype), plane(7, 100, dtype=dtype)))
    assert (extent.lowest.tolist(), extent.highest.tolist(), extent.not_finite) == ([-100, 7], [3, 100], 0)
    assert extent.whole == (dtype[-2] == "i")


@pytest.mark.parametrize("dtype", ["<u4", ">u4"])
def test_signalling_nan_counts_like_any_other(dtype: str) -> None:
    stored = (
        np.array([0x7FA00000, 0xFF800001, 0x7FC00000, 0x3F800000], dtype=dtype)
        .view(dtype.replace("u", "f"))
        .reshape(1, 2, 2)
    )
    extent = extent_of(stored)
    assert (extent.lowest.tolist(), extent.highest.tolist(), extent.not_finite) == ([1], [1], 3)
    ((slope,),) = slopes_of([extent], [1.0], Policy.FRAME)
    assert quantise(stored, 1.0, [slope]).ravel().tolist() == [0, 0, 0, 32767]


# ---------------------------------------------------------------------------------------------------------------------
# Slopes and quantisation, whatever the values.

DECIMAL_STRING = re.compile(r"\d+(\.\d+)?(E[+-]?\d+)?", re.ASCII)
# A reader and this test compute in float64: 32768 steps times a few roundings of 1.1e-16 is 1e-11 of a slope.
HALF = Fraction(1, 2) * (1 + Fraction(1, 10**9))


def check(stored: Sequence[Stored], factors: Sequence[float], policy: Policy) -> tuple[tuple[Slope, ...], ...]:
    """Check each voxel of a series against its physical value, exactly; return the slopes."""
    slopes = slopes_of([extent_of(voxels) for voxels in stored], factors, policy)
    assert [len(of_frame) for of_frame in slopes] == [len(voxels) for voxels in stored]
    for voxels, factor, of_frame in zip(stored, factors, slopes, strict=True):
        quantised = quantise(voxels, factor, of_frame)
        assert (quantised.dtype, quantised.shape) == (np.dtype("<i2"), voxels.shape)
        for slope, values, steps in zip(of_frame, voxels, quantised, strict=True):
            check_slice(slope, values, factor, steps)
    return slopes


def check_slice(slope: Slope, values: Stored, factor: float, steps: Stored) -> None:
    """Check that `|q * slope - true| <= slope / 2` with the number that a reader makes of the slope's text."""
    assert len(slope.text) <= 16
    assert DECIMAL_STRING.fullmatch(slope.text)
    read = Fraction(float(slope.text))
    assert read > 0
    for value, q in zip(values.ravel().tolist(), steps.ravel().tolist(), strict=True):
        if np.isfinite(value):
            assert abs(q * read - Fraction(value) * Fraction(factor)) <= HALF * read
        else:
            assert q == 0


def elements(dtype: np.dtype[Any]) -> st.SearchStrategy[Any]:
    """Return all values of a type, its extremes often."""
    if dtype.kind == "f":
        return st.floats(width=32) | st.sampled_from([NAN, INF, -INF, 0.0, 1e-30, -1e-30, 1e30, 3.4e38, -3.4e38, 1e-45])
    limits = np.iinfo(dtype)
    return st.integers(int(limits.min), int(limits.max)) | st.sampled_from([int(limits.min), int(limits.max), 0, 1])


SHAPES = st.tuples(st.integers(1, 3), st.just(1), st.integers(1, 4))
FACTORS = st.floats(1e-30, 1e30) | st.sampled_from([1.0, 0.1, 1e-30, 1e30, 1 / 3, 3.0517578125e-05, 32768 / 32767])


@st.composite
def series(draw: st.DrawFn) -> tuple[list[Stored], list[float]]:
    """Return the frames of a series, of one type and shape, and their factors."""
    dtype = np.dtype(draw(st.sampled_from(list(DTYPES.values()))))
    shape = draw(SHAPES)
    count = draw(st.integers(1, 3))
    stored = [draw(hnp.arrays(dtype, shape, elements=elements(dtype))) for _ in range(count)]
    shared = draw(st.booleans())
    factors = [draw(FACTORS)] * count if shared else [draw(FACTORS) for _ in range(count)]
    return stored, factors


@pytest.mark.parametrize("policy", Policy)
@settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(series())
@example(([plane(1e30, -3.3e38), plane(1e-30, 1e-45)], [1e30, 1e-30]))
@example(([plane(0, 0)], [1.0]))
@example(([plane(NAN, INF), plane(1, 2)], [0.5, 0.5]))
@example(([plane(-(2**31), 2**31 - 1, dtype=">i4")], [1 / 3]))
@example(([plane(-32769, 32767, dtype="<i4"), plane(-32768, 32768, dtype="<i4")], [0.1, 0.1]))
@example(([plane(-32768, 32767, dtype="<i2")], [1.2345678901234567e-123]))
def test_every_voxel_is_within_half_a_slope(policy: Policy, frames: tuple[list[Stored], list[float]]) -> None:
    slopes = check(*frames, policy)
    if policy is Policy.SERIES:
        assert len({slope for of_frame in slopes for slope in of_frame}) == 1
    elif policy is not Policy.SLICE:
        assert all(len(set(of_frame)) == 1 for of_frame in slopes)


@given(st.integers(-32768, 32767), st.integers(-32768, 32767), FACTORS)
def test_a_float_frame_uses_the_whole_range(lowest: int, highest: int, factor: float) -> None:
    assume(lowest < highest and (lowest < 0 or highest > 0))
    stored = plane(lowest, highest)
    ((slope,),) = check([stored], [factor], Policy.FRAME)
    reached = quantise(stored, factor, [slope])
    assert reached.max() == 32767 or reached.min() == -32768


def test_slopes_of_one_series_by_hand() -> None:
    stored = [frame(plane(-4.0, 8.0), plane(0.0, 16.0)), frame(plane(0.0, 32.0), plane(-64.0, 1.0))]
    extents = [extent_of(voxels) for voxels in stored]
    factors = [32767.0, 32768.0]

    def values(policy: Policy) -> list[list[float]]:
        return [[slope.value for slope in of_frame] for of_frame in slopes_of(extents, factors, policy)]

    # frame 0: the largest is 16 * 32767 / 32767; frame 1: the lowest is -64 * 32768 / -32768
    assert values(Policy.FRAME) == [[16, 16], [64, 64]]
    assert values(Policy.SERIES) == [[64, 64], [64, 64]]
    above = 32 * 32768 / 32767
    assert values(Policy.SLICE) == [[8, 16], [pytest.approx(above, rel=1e-12), 64]]  # 12 digits or more fit
    assert values(Policy.SLICE)[1][0] >= above  # rounded up, so that 32767 is never passed


@pytest.mark.parametrize("dtype", ["<i2", ">i2"])
@pytest.mark.parametrize("policy", Policy)
def test_ct_passes_bit_for_bit(dtype: str, policy: Policy) -> None:
    stored = np.arange(-32768, 32768).astype(dtype).reshape(4, 128, 128)
    slopes = slopes_of([extent_of(stored), extent_of(stored[::-1])], [1.0, 1.0], policy)
    assert {slope.text for of_frame in slopes for slope in of_frame} == {"1"}
    assert quantise(stored, 1.0, slopes[0]).tobytes() == stored.astype("<i2").tobytes()


@pytest.mark.parametrize("factor", [1.0, 62.5, 1 / 3, 3.14159265358979e-05, 1.2345678901234567e22, 9.87654321e-130])
@pytest.mark.parametrize(
    ("dtype", "policy"), [("<i2", Policy.AUTO), (">i2", Policy.FRAME), ("<i2", Policy.SLICE), ("i1", Policy.SERIES)]
)
def test_16_bit_integers_under_one_factor_lose_nothing(dtype: str, policy: Policy, factor: float) -> None:
    limits = np.iinfo(np.dtype(dtype))
    one = np.linspace(limits.min, limits.max, 256).astype(dtype).reshape(1, 16, 16)
    two = np.arange(-100, 100, dtype=dtype).reshape(1, 20, 10)
    slopes = slopes_of([extent_of(one), extent_of(two)], [factor, factor], policy)
    for stored, of_frame in zip((one, two), slopes, strict=True):
        assert quantise(stored, factor, of_frame).tolist() == stored.tolist()
        assert of_frame[0].value == pytest.approx(factor, rel=1e-9)  # 10 digits or more fit into 16 characters


def test_32_bit_integers_that_fit_lose_nothing() -> None:
    stored = plane(-32768, 5, 32767, dtype=">i4")
    slopes = slopes_of([extent_of(stored)], [0.25], Policy.AUTO)
    assert slopes == ((Slope("0.25"),),)
    assert quantise(stored, 0.25, slopes[0]).tolist() == stored.tolist()


# AUTO: frames whose largest values are 32767 and n have slopes 1 and n / 32767; under a slope of 1, n steps are kept.
BITS_12 = 4096


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize(
    ("largest", "shared"), [(BITS_12, True), (BITS_12 - 1, False), (32767, True), (20_000, True), (1, False), (0, True)]
)
def test_auto_shares_a_slope_where_12_bits_are_kept(largest: int, shared: bool, swapped: bool) -> None:
    stored = [plane(0, 32767), plane(0, largest)]
    slopes = [
        of_frame[0].value
        for of_frame in slopes_of([extent_of(s) for s in stored[:: -1 if swapped else 1]], [1.0, 1.0], Policy.AUTO)
    ]
    if swapped:
        slopes.reverse()
    assert slopes == ([1.0, 1.0] if shared else [1.0, pytest.approx(largest / 32767, rel=1e-12)])  # 12 digits fit


def test_auto_counts_the_range_on_both_sides_of_0() -> None:
    wide, narrow = plane(-32768, 32767), plane(-BITS_12 // 2, BITS_12 // 2)
    assert slopes_of([extent_of(wide), extent_of(narrow)], [1.0, 1.0], Policy.AUTO) == ((Slope("1"),), (Slope("1"),))


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 1, 0], [1, 2, 0]])
def test_auto_looks_at_every_frame(order: list[int]) -> None:
    frames = [plane(0, 32767), plane(0, 30_000), plane(0, 100)]
    extents = [extent_of(frames[n]) for n in order]
    assert slopes_of(extents, [1.0] * 3, Policy.AUTO) == slopes_of(extents, [1.0] * 3, Policy.FRAME)


def test_auto_of_integers_with_their_own_scale_factors() -> None:
    # late frames with small scale factors keep their 16 bits instead of 1
    stored = [plane(0, 32767, dtype="<i2")] * 2
    slopes = slopes_of([extent_of(s) for s in stored], [100.0, 1e-3], Policy.AUTO)
    assert [of_frame[0].value for of_frame in slopes] == [100, 0.001]
    assert quantise(stored[1], 1e-3, slopes[1]).ravel().tolist() == [0, 32767]


@pytest.mark.parametrize(
    ("extent", "factor", "text"),
    [
        (ValueRange(np.array([0.0]), np.array([32767.0]), 0, whole=False), 1 / 3, "0.33333333333334"),
        (ValueRange(np.array([-32768.0]), np.array([0.0]), 0, whole=False), 1 / 3, "0.33333333333334"),
        (ValueRange(np.array([0.0]), np.array([32767.0]), 0, whole=True), 1 / 3, "0.33333333333333"),
        (ValueRange(np.array([0.0]), np.array([32767.0]), 0, whole=True), 2 / 3, "0.66666666666667"),
        (ValueRange(np.array([0.0]), np.array([1.0]), 0, whole=True), 1.2345678901234567e-100, "1.23456789E-100"),
        (ValueRange(np.array([0.0]), np.array([0.0]), 7, whole=False), 1 / 3, "1"),
    ],
)
def test_slope_text(extent: ValueRange, factor: float, text: str) -> None:
    ((slope,),) = slopes_of([extent], [factor], Policy.FRAME)
    assert slope.text == text
