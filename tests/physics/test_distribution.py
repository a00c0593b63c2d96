"""How large the values of an image are: usual sizes, wild voxels, air of a CT, and what 16 bits leave."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest

from conftest import skip_or_fail
from helpers import header_text, inveon
from inveonimaging.conversion import Options, convert
from inveonimaging.dicom.iods import Form
from inveonimaging.findings import Severity
from inveonimaging.inveon.hdr import parse
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.physics.distribution import Collector, Distribution, distribution_of, physical, quantile
from inveonimaging.physics.geometry import grid_of
from inveonimaging.physics.plausibility import data_type_findings, hounsfield_findings, value_findings
from inveonimaging.physics.quantification import Policy, ValueRange, extent_of, lost_steps, scaling_of, slopes_of
from vendor import REAL, Session

Float = npt.NDArray[Any]
CLASS = 1 / 16  # of a value: the widest class there is


def random(*shape: int, seed: int = 0) -> Float:
    """Return values from 0 to 100."""
    return np.random.default_rng(seed).random(shape) * 100


def counted(values: npt.ArrayLike, dtype: str = "<f4") -> Distribution:
    stored = np.asarray(values, dtype=dtype).reshape(1, 1, -1)
    return distribution_of(stored, extent_of(stored).largest)


# ---------------------------------------------------------------------------------------------------------------------
# Counting.


@pytest.mark.parametrize("dtype", ["i1", "<i2", ">i2", "<i4", ">i4", "<f4", ">f4"])
def test_values_are_counted_by_size_and_sign(dtype: str) -> None:
    values, counts = counted([-100, -100, -3, 0, 0, 0, 1, 96], dtype).values()
    assert counts.tolist() == [2, 1, 3, 1, 1]
    assert values == pytest.approx([-100, -3, 0, 1, 96], rel=CLASS / 2)


def test_what_is_no_number_is_not_counted() -> None:
    values, counts = counted([np.nan, np.inf, -np.inf, 5, -0.0]).values()
    assert counts.tolist() == [1, 1]
    assert values == pytest.approx([0, 5], rel=CLASS / 2)


def test_a_large_slab_is_sampled_and_its_wild_voxel_is_found_all_the_same() -> None:
    stored = random(32, 64, 64).astype("<f4")  # 131072 voxels
    every = distribution_of(stored, 100.0)
    assert every.values()[1].sum() == pytest.approx(stored.size, rel=1e-4)  # a seventh, times seven
    assert every.usual == pytest.approx(99.5, rel=CLASS)
    stored[1, 1, 1] = 1e6  # no seventh voxel: 64 * 64 + 64 + 1 = 4161 = 594 * 7 + 3
    assert distribution_of(stored, 1e6).has_wild


def test_the_collector_adds_slabs_and_keeps_a_sample_from_the_middle_of_slices() -> None:
    collector = Collector(130)
    for n in range(130):  # of 64 runs, every third slab gives one
        collector.add("a", np.full((3, 50, 50), n, "<i2"), n)
    assert collector["a"].values()[1].sum() == 130 * 7500
    assert collector.sample.size == 44 * 1024
    assert sorted(set(collector.sample.tolist())) == list(range(0, 130, 3))


def test_physical_values_and_quantiles_by_hand() -> None:
    values, counts = physical([counted([0, 0, 1, 2]), counted([1, 1])], [10.0, 100.0], -1000.0)
    assert counts.tolist() == [1, 1, 2]  # zeros are left out
    assert values == pytest.approx([-990, -980, -900], abs=100 * CLASS / 2)
    assert quantile(values, counts, 0.25) == values[0]
    assert quantile(values, counts, 0.5) == values[1]
    assert quantile(values, counts, 0.51) == values[2]


# ---------------------------------------------------------------------------------------------------------------------
# Usual, and wild.


def with_values(*places: tuple[int, float]) -> Float:
    """Return 5760 values from 0 to 100, but for some."""
    values = random(5760)
    for place, value in places:
        values[place] = value
    return values


WILD: dict[str, tuple[Float, bool]] = {
    "nothing": (with_values(), False),
    "one voxel": (with_values((3, 1e6)), True),
    "one voxel below 0": (with_values((3, -1e6)), True),
    "the largest float": (with_values((3, 3.4e38)), True),
    "several, of all sizes": (with_values(*((n, 10.0**n) for n in range(4, 14))), True),
    "a block of 25 with a sharp edge": (with_values(*((n, 1e7) for n in range(25))), True),
    "one voxel 50 times as hot": (with_values((3, 5e3)), False),
    "a bladder with an edge": (with_values(*((n, 1e5 * np.exp(-n / 40)) for n in range(300))), False),
    "zeros, and a hot rod": (np.r_[np.zeros(5000), 1e6 * np.exp(-np.arange(200) / 15)], False),
    "dust beside a hot sphere": (np.r_[10 ** -(random(5000) / 10), 1e4 * np.exp(-np.arange(100) / 9)], False),
    "all zero": (np.zeros(100), False),
}


@pytest.mark.parametrize("case", WILD)
def test_what_is_wild(case: str) -> None:
    values, is_wild = WILD[case]
    assert counted(values).has_wild is is_wild


@pytest.mark.parametrize("wild", [[], [1e6], [-1e6, 3e7, 3.4e38]])
def test_the_usual_size_does_not_move_with_a_few_wild_voxels(wild: Sequence[float]) -> None:
    # of 5760 values the 28.8 largest are left out, 0.5 %: 99.5 of evenly spread ones up to 100
    assert counted(with_values(*enumerate(wild))).usual == pytest.approx(99.5, rel=CLASS)


def test_the_usual_size_of_few_values_leaves_an_eighth_out() -> None:
    assert counted([1, 2, 4, 8, 16, 32, 64, 1e9]).usual == pytest.approx(64, rel=CLASS)
    assert counted([0, 0, 0]).usual == 0


# ---------------------------------------------------------------------------------------------------------------------
# Slopes. Values up to 100 with an artefact of 1e6: in its slope, 1e6 / 32767 = 30.52, they have 3.3 steps.


def extent_with(stored: Float) -> ValueRange:
    """Return the extent of (n, ny, nx), with its usual size."""
    extent = extent_of(stored)
    counts = distribution_of(stored, extent.largest)
    return ValueRange(
        extent.lowest,
        extent.highest,
        extent.not_finite,
        whole=extent.whole,
        usual=counts.usual,
        has_wild=counts.has_wild,
    )


def frame(artefact: float = 0.0) -> Float:
    stored = random(3, 24, 24).astype("<f4")
    stored[:, 0, 0] = 100
    if artefact:
        stored[1, 5, 7] = artefact
    return stored


@pytest.mark.parametrize("artefact", [1e6, -1e6])
def test_auto_has_a_slope_for_each_slice_of_a_frame_with_an_artefact(artefact: float) -> None:
    extents = [extent_with(frame()), extent_with(frame(artefact))]
    slopes = slopes_of(extents, [1.0, 1.0], Policy.AUTO)
    fine, coarse = 100 / 32767, 1e6 / (32767 if artefact > 0 else 32768)
    assert [slope.value for slope in slopes[0]] == pytest.approx([fine] * 3, rel=1e-9)
    assert [slope.value for slope in slopes[1]] == pytest.approx([fine, coarse, fine], rel=1e-9)
    (lost,) = lost_steps(extents, [1.0, 1.0], slopes)
    assert (lost.frame, list(lost.steps)) == (1, [1])
    assert lost.steps[1] == pytest.approx(99.5 / coarse, rel=CLASS)  # 3.3


@pytest.mark.parametrize("policy", [Policy.SERIES, Policy.FRAME, Policy.AUTO])
def test_slices_that_must_share_a_slope_lose_their_values_and_it_is_reported(policy: Policy) -> None:
    extents = [extent_with(frame()), extent_with(frame(1e6))]
    slopes = slopes_of(extents, [1.0, 1.0], policy, slices_share=True)
    lost = {each.frame: sorted(each.steps) for each in lost_steps(extents, [1.0, 1.0], slopes)}
    assert lost == ({0: [0, 1, 2], 1: [0, 1, 2]} if policy is Policy.SERIES else {1: [0, 1, 2]})


@pytest.mark.parametrize(("artefact", "is_lost"), [(1e5, False), (1.2e5, True)])
def test_30_steps_are_enough(artefact: float, is_lost: bool) -> None:
    # usual size 99.5, as a class 98: 98 * 32767 / 1e5 = 32.1 steps, / 1.2e5 = 26.8
    extents = [extent_with(frame(artefact))]
    slopes = slopes_of(extents, [1.0], Policy.AUTO)
    assert bool(lost_steps(extents, [1.0], slopes)) is is_lost
    assert (len(set(slopes[0])) > 1) is is_lost


def test_integers_that_keep_their_steps_lose_nothing() -> None:
    stored = np.ones((3, 24, 24), "<i2")
    stored[1, 5, 7] = 32767
    extents = [extent_with(stored)]
    assert extents[0].has_wild
    slopes = slopes_of(extents, [0.5], Policy.AUTO)
    assert {slope.text for slope in slopes[0]} == {"0.5"}
    assert lost_steps(extents, [0.5], slopes) == ()


# ---------------------------------------------------------------------------------------------------------------------
# On disk.


def pair(folder: Path, stored: Float, main: Mapping[str, str] | None = None, code: str = "4") -> Path:
    """Write frames (frames, nz, ny, nx) as a pair."""
    count, nz, ny, nx = stored.shape
    sizes = {"x_dimension": str(nx), "y_dimension": str(ny), "z_dimension": str(nz), "data_type": code}
    size = stored[0].nbytes
    frames = [{"data_file_pointer": f"0 {n * size}", "frame_start": str(60 * n)} for n in range(count)]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "m.img").write_bytes(stored.tobytes())
    (folder / "m.img.hdr").write_text(header_text({**sizes, **(main or {})}, frames), "utf-8")
    return folder


CT = {"modality": "1", "acquisition_mode": "9", "isotope": "", "isotope_half_life": "0"}
READY = {
    "injection_time": "Thu Mar  5 10:00:30 2015",
    "dose": "7",
    "dose_units": "2",
    "subject_weight": "25",
    "subject_weight_units": "1",
    "subject_genus": "mouse",
    "decay_correction_applied": "1",
    "attenuation_applied": "1",
    "scatter_correction": "1",
    "normalization_applied": "1",
}
SPECT = {"modality": "2", "acquisition_mode": "12", "isotope": "Tc-99m", "isotope_half_life": "21600"}


def written(folder: Path) -> list[pydicom.FileDataset]:
    return [pydicom.dcmread(path) for path in sorted(folder.rglob("*.dcm"))]


def messages(folder: Path, output: Path, code: str, **options: Any) -> list[str]:
    """Return what a conversion says under a code."""
    found = [finding for study in convert(folder, output, Options(**options)) for finding in study.all_findings]
    return [finding.message for finding in found if finding.code == code]


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("main", [{}, CT], ids=["PET", "CT"])
def test_an_artefact_costs_its_own_slice_only_and_is_named(tmp_path: Path, form: Form, main: dict[str, str]) -> None:
    stored = np.stack([frame(), frame(1e6)])[: 1 if main else 2]
    stored[-1, 1, 5, 7] = 1e6
    source = pair(tmp_path / "in", stored, {**main, "injection_time": "Thu Mar  5 10:00:30 2015"})
    (shown,) = messages(source, tmp_path / "out", "values-lost", form=form)
    unit, steps = ("HU", "3") if main else ("Bq/mL", "3")
    value = 1e6 if main else 1e6 / 0.967
    assert shown == (
        f"slice 1 of frame {len(stored) - 1}: nearly all values keep only {steps} grey levels; "
        f"voxel (7, 5, 1) is {value:.4g} {unit}, 1e+04 times as large as they are"
    )
    result = inveon("verify", source, tmp_path / "out")
    assert result.exit_code == 0, result.output
    checked = inveon("check", source)
    assert "values-lost" in checked.output


def test_other_slices_keep_their_values_within_half_a_step(tmp_path: Path) -> None:
    source = pair(tmp_path / "in", frame(1e6)[np.newaxis])
    messages(source, tmp_path / "out", "values-lost")
    for k, dataset in enumerate(written(tmp_path / "out")):
        away = dataset.pixel_array * float(dataset.RescaleSlope) - frame(1e6)[k] / 0.967
        largest = 1e6 if k == 1 else 100
        assert np.abs(away).max() <= 0.5001 * largest / 0.967 / 32767


@pytest.mark.parametrize("policy", Policy)
def test_an_artefact_in_nuclear_medicine_is_reported_whatever_the_slopes(tmp_path: Path, policy: Policy) -> None:
    source = pair(tmp_path / "in", frame(1e6)[np.newaxis], SPECT)
    (shown,) = messages(source, tmp_path / "out", "values-lost", rescale=policy)
    assert "and so in 2 more slices" in shown
    assert "--rescale" not in shown


def test_who_asks_for_one_slope_sees_the_other_one(tmp_path: Path) -> None:
    source = pair(tmp_path / "in", frame(1e6)[np.newaxis])
    (shown,) = messages(source, tmp_path / "out", "values-lost", rescale=Policy.SERIES)
    assert shown.endswith("(--rescale slice keeps those of other slices)")


@pytest.mark.parametrize("case", ["syringe", "mostly zero", "nothing"])
def test_hot_objects_and_empty_images_are_no_artefacts(tmp_path: Path, case: str) -> None:
    stored = frame()[np.newaxis]
    if case == "syringe":
        stored[0, :, 5:9, 5:9] = 1e5  # a thousand times the rest
    elif case == "mostly zero":
        stored[0, :, :23] = 0
        stored[0, 0, 0, 0] = 2e4
    assert messages(pair(tmp_path / "in", stored), tmp_path / "out", "values-lost") == []


# ---------------------------------------------------------------------------------------------------------------------
# Hounsfield units.

GENUINE = {
    "calibration_units": "2",
    "calibration_factor": "2.7205",
    "ct_hounsfield_scale": "0",
    "ct_hounsfield_offset": "0",
}
SCALED = {"ct_hounsfield_scale": "4719", "ct_hounsfield_offset": "-1000"}
CALIBRATED = "with calibration_factor 2.7205 it is (multiply scale_factor by it in a copy of the header)"


def animal(noise: float = 50.0, air: float = -1000.0) -> Float:
    """Return HU (10, 40, 40): an animal of 40 HU, a bone of 1500 HU, and air around: 77 % of the voxels."""
    y, x = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 40), indexing="ij")
    plane = np.where(y**2 + x**2 < 0.3, 40.0, air)
    plane[y**2 + (x - 0.3) ** 2 < 0.02] = 1500
    return np.tile(plane, (10, 1, 1)) + np.random.default_rng(1).normal(0, noise, (10, 40, 40))


def where(condition: Callable[[Float, Float], Any], value: float) -> Float:
    """Return the animal with a value where a condition of y and x holds."""
    y, x = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 40), indexing="ij")
    return np.where(condition(y, x), value, animal())


HU: dict[str, tuple[Float, str, dict[str, str]]] = {
    "as it should be": (animal(), "<i2", {}),
    "a genuine header": (animal(), "<i2", GENUINE),
    "scale and offset that were applied": (animal(), "<i2", SCALED),
    "without noise": (animal(noise=0), "<i2", {}),
    "much noise": (animal(noise=250), "<i2", {}),
    "calibrated badly": (animal(air=-900), "<i2", {}),
    "clipped at -1000": (np.maximum(animal(), -1000), "<i2", {}),
    "padded with 0": (where(lambda _, x: x < -0.2, 0), "<i2", {}),
    "padded with -32768": (where(lambda _, x: x < -0.2, -32768), "<i2", {}),
    "a padded corner": (where(lambda y, x: y**2 + x**2 > 1, -2000), "<i2", {}),
    "floats": (animal(), "<f4", {}),
    "hardly any air": (np.r_[animal()[:1, :2, :30].ravel(), 40 + 0 * random(9940)].reshape(1, 1, -1), "<i2", {}),
    "one value": (animal() * 0 + 7, "<i2", {}),
}


def hounsfield(
    stored: Float, dtype: str, main: Mapping[str, str], scale: str = "1", *, apply: bool = False
) -> list[str]:
    """Return the warnings on the values of a CT."""
    header, _ = parse(header_text({**CT, **main}, [{"scale_factor": scale}]).encode())
    scaling, _ = scaling_of(header, Modality.CT, apply_hounsfield=apply)
    rounded = (np.rint(stored) if dtype[1] == "i" else stored).astype(dtype)
    found = hounsfield_findings(header, scaling, [distribution_of(rounded, extent_of(rounded).largest)])
    assert {finding.severity for finding in found} <= {Severity.WARNING}
    return [finding.message for finding in found]


@pytest.mark.parametrize("case", HU)
def test_hounsfield_units_are_known_by_their_air(case: str) -> None:
    assert hounsfield(*HU[case]) == []


def test_a_scale_factor_counts() -> None:
    assert hounsfield(animal() * 100, "<i4", {}, "0.01") == []
    assert len(hounsfield(animal() * 100, "<i4", {})) == 1


NOT_HU: dict[str, tuple[Float, str, dict[str, str], str]] = {
    "calibration": (animal() / 2.7205, "<i2", GENUINE, CALIBRATED),
    "scale and offset": ((animal() + 1000) / 4719, "<f4", SCALED, "offset -1000 it is (--apply-hounsfield)"),
    "air at 0": (animal() + 1000, "<i2", GENUINE, ""),
    "air at 0 and nothing below": (np.maximum(animal() + 1000, 0), "<i2", {}, ""),
    "air at -2000": (animal() - 1000, "<i2", {}, ""),
    "air at -2000 without noise": (animal(noise=0) - 1000, "<i2", {}, ""),
    "air at -700": (animal() * 0.7, "<i2", {}, ""),
    "times 2.7": (animal() * 2.7205, "<i2", GENUINE, ""),
    "1/cm": ((animal() + 1000) * 5e-4, "<f4", {}, ""),
}


@pytest.mark.parametrize("case", NOT_HU)
def test_values_that_are_no_hounsfield_units_are_reported_with_what_helps(case: str) -> None:
    stored, dtype, main, helps = NOT_HU[case]
    (shown,) = hounsfield(stored, dtype, main)
    assert shown.startswith("air is not near -1000 HU: ")
    assert shown.endswith(helps)
    assert ("; with " in shown) is bool(helps)


def test_scale_and_offset_that_are_applied_twice_are_reported() -> None:
    assert hounsfield((animal() + 1000) / 4719, "<f4", SCALED, apply=True) == []
    (shown,) = hounsfield(animal(), "<f4", SCALED, apply=True)
    assert shown.endswith("with the stored values it is (without --apply-hounsfield)")


def test_convert_says_of_air_what_check_says(tmp_path: Path) -> None:
    stored = np.rint(animal() / 2.7205).astype("<i2")[np.newaxis]
    source = pair(tmp_path / "in", stored, {**CT, **GENUINE}, code="2")
    for message in (inveon("convert", source, tmp_path / "out").output, inveon("check", source).output):
        assert " ".join(message.split()).count("air is not near -1000 HU") == 1
    assert inveon("convert", source, tmp_path / "no", "--strict").exit_code != 0


GENUINE_CT = [
    (lambda hu: hu, ""),
    (lambda hu: np.rint(hu / 2.7205).astype("<i2"), CALIBRATED),  # what the factor of that header would make right
    (lambda hu: hu.byteswap(), "which is likelier: correct it in a copy of the header"),
]


@pytest.mark.parametrize(("change", "helps"), GENUINE_CT, ids=["as it is", "divided", "bytes turned about"])
def test_the_air_of_a_genuine_ct(change: Callable[[Any], Any], helps: str) -> None:
    if not REAL.is_dir():
        skip_or_fail(f"{REAL} is not there")
    (path,) = REAL.glob("*.ct.img.hdr")
    header, _ = parse(path.read_bytes())
    stored = change(Session().hounsfield[::4])  # a slice of four: as much of it is air
    collector = Collector(1)
    collector.add(0, stored, extent_of(stored).largest)
    scaling, _ = scaling_of(header, Modality.CT)
    found = value_findings(header, scaling, [collector[0]], collector.sample)
    assert [each.message.endswith(helps) for each in found] == [True] * bool(helps)
    assert "voxel-size-implausible" not in {each.code for each in grid_of(header)[1]}


# ---------------------------------------------------------------------------------------------------------------------
# Types and byte orders.


def picture(scale: float = 1.0, noise: float = 0.1) -> Float:
    """Return (40, 40) of a blob on a ground, with noise, and a frame of zeros."""
    y, x = np.meshgrid(np.linspace(-1, 1, 40), np.linspace(-1, 1, 40), indexing="ij")
    values = 20 + 300 * np.exp(-4 * (x**2 + y**2))
    values *= 1 + np.random.default_rng(4).normal(0, noise, values.shape)
    values[:4] = 0
    return values * scale


CODES = {"<i2": "2", "<i4": "3", "<f4": "4", ">f4": "5", ">i2": "6", ">i4": "7"}


def likelier(values: Float, true: str, read: str, main: Mapping[str, str] | None = None) -> list[str]:
    """Return the warnings on values that were written in one type and are read in another."""
    header, _ = parse(header_text({"data_type": CODES[read], **(main or {})}).encode())
    stored = (np.rint(values) if true[1] == "i" else values).astype(true).reshape(-1).view(read)
    return [finding.message for finding in data_type_findings(header, stored)]


WRONG = [(true, read) for true in CODES for read in CODES if true != read and true[2] == read[2]]


@pytest.mark.parametrize(("true", "read"), WRONG)
def test_another_type_or_byte_order_is_named(true: str, read: str) -> None:
    (shown,) = likelier(picture(30), true, read)
    assert f"; data_type {CODES[true]} (" in shown
    assert "which is likelier" in shown


@pytest.mark.parametrize(("true", "read"), WRONG)
def test_small_integers_are_named_too(true: str, read: str) -> None:
    (shown,) = likelier(np.arange(1200) % 97, true, read)  # as floats whole numbers, as integers one byte
    assert f"; data_type {CODES[true]} (" in shown


@pytest.mark.parametrize("dtype", CODES)
@pytest.mark.parametrize(
    "values",
    [
        picture(30),
        picture(1e-3),
        picture(100, noise=3),
        np.random.default_rng(5).normal(0, 1000, (40, 40)),  # nothing but noise
        np.random.default_rng(5).normal(0, 3, (40, 40)),
        np.random.default_rng(5).uniform(-32768, 32767, (40, 40)),
        np.zeros((40, 40)),
        np.tile([0, 256], 800),  # a mask
        256.0 * picture(0.3),
    ],
    ids=["picture", "faint", "noisy", "noise", "faint noise", "all 16 bits", "zeros", "mask", "multiples"],
)
def test_what_was_read_as_it_was_written_is_let_be(values: Float, dtype: str) -> None:
    assert likelier(values, dtype, dtype) == []


@pytest.mark.parametrize("dtype", ["<f4", ">f4"])
@pytest.mark.parametrize(
    "values",
    [
        picture(1e-15),  # a tiny calibration
        picture(1e15),
        np.where(picture() > 100, picture(), 1e-25 * picture()),  # dust beside it
        np.where(picture() > 100, np.nan, picture()),
        np.r_[picture().ravel(), 3.4e38],
    ],
    ids=["tiny", "huge", "dust", "NaN", "an artefact"],
)
def test_floats_of_any_calibration_are_let_be(values: Float, dtype: str) -> None:
    assert likelier(values, dtype, dtype) == []


def test_floats_beyond_reason_are_reported_even_if_no_type_helps() -> None:
    (shown,) = likelier(picture(1e-36), "<f4", "<f4")
    assert shown.endswith("which is not plausible, and no other type or byte order gives plausible ones")


@pytest.mark.parametrize(("true", "read"), [("<i2", ">i2"), (">i2", "<i2"), ("<i4", ">i4"), (">i4", "<i4")])
def test_the_air_of_a_ct_shows_its_byte_order(tmp_path: Path, true: str, read: str) -> None:
    stored = np.rint(animal()).astype(true)[np.newaxis]
    source = pair(tmp_path / "in", stored, CT, code=CODES[read])
    (shown,) = messages(source, tmp_path / "out", "data-type-implausible")
    assert f"; data_type {CODES[true]} (" in shown
    assert messages(source, tmp_path / "again", "hounsfield-odd") == []


@pytest.mark.parametrize(("true", "read"), WRONG)
def test_suv_is_not_simply_ready_in_a_wrong_type(tmp_path: Path, true: str, read: str) -> None:
    stored = np.tile(picture(30), (1, 4, 1, 1))
    stored = (np.rint(stored) if true[1] == "i" else stored).astype(true)
    source = pair(tmp_path / "in", stored, READY, code=CODES[read])
    assert "data-type-implausible" in inveon("convert", source, tmp_path / "out", "--json").output
    (file,) = json.loads(inveon("check", source, "--json").stdout)["files"]
    assert "data-type-implausible" in {finding["code"] for finding in file["findings"]}
    assert file["suv"]["verdict"] != "ready"
    right = pair(tmp_path / "right", stored, READY, code=CODES[true])
    (file,) = json.loads(inveon("check", right, "--json").stdout)["files"]
    assert file["suv"]["verdict"] == "ready", file


# ---------------------------------------------------------------------------------------------------------------------
# The first look.


@pytest.mark.parametrize("form", Form)
def test_the_window_of_a_ct_shows_tissue(tmp_path: Path, form: Form) -> None:
    stored = np.rint(animal()).astype("<i2")[np.newaxis]
    stored[0, 0, 0, 0] = 17954  # metal
    convert(pair(tmp_path / "in", stored, CT, code="2"), tmp_path / "out", Options(form=form))
    for window in windows(tmp_path / "out"):
        assert window == (250, 1500)  # -500 to 1000 HU


def windows(folder: Path) -> list[tuple[float, float]]:
    """Return centre and width of all files."""
    found = []
    for dataset in written(folder):
        shared = dataset.get("SharedFunctionalGroupsSequence")
        item = shared[0].FrameVOILUTSequence[0] if shared else dataset
        found.append((float(item.WindowCenter), float(item.WindowWidth)))
    return found


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("main", [{}, SPECT], ids=["PET", "SPECT"])
def test_the_window_of_a_tracer_leaves_a_hot_voxel_out(tmp_path: Path, form: Form, main: dict[str, str]) -> None:
    stored = random(2, 4, 24, 24).astype("<f4")  # 4608 values, of which 0.1 % are 4.6
    stored[1, 2, 3, 4] = 2000
    main = {**main, "injection_time": "Thu Mar  5 10:00:30 2015"}
    convert(pair(tmp_path / "in", stored, main), tmp_path / "out", Options(form=form))
    highest = 100 / (1 if "modality" in main else 0.967)
    for centre, width in windows(tmp_path / "out"):
        assert centre == pytest.approx(width / 2)  # from 0
        assert highest * 0.95 < width < highest * 1.15


def test_the_window_of_a_ct_in_another_unit_is_that_of_its_values(tmp_path: Path) -> None:
    stored = ((animal() + 1000) * 5e-4).astype("<f4")[np.newaxis]  # 0 and 0.52, up to 1.25 1/cm
    stored[0, 0, 0, 0] = 9
    convert(pair(tmp_path / "in", stored, CT), tmp_path / "out")
    centre, width = windows(tmp_path / "out")[0]
    assert centre - width / 2 == pytest.approx(-0.08, abs=0.1)
    assert 1.2 < centre + width / 2 < 1.5
