"""Animals are found in a CT: their number, their extent and their volume; or the doubt is reported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from hotels import scenes
from inveonimaging.errors import InputError, OptionError
from inveonimaging.hotels.bodies import Found, find_in_ct, find_in_emission
from inveonimaging.phantom import CT_SCAN, PET_SCAN, write_scan
from inveonimaging.study.image import Image, read
from vendor import PET_MM, PET_SHAPE, PET_SLICE_MM, Session


def test_the_genuine_hotel_has_two_animals_and_every_bone_is_in_the_box_of_its_own(
    genuine: Image, in_genuine: Found
) -> None:
    assert in_genuine.is_certain
    left, right = in_genuine.bodies
    assert left.centre_mm[0] < right.centre_mm[0]
    assert left.volume_ml == pytest.approx(15.4, rel=0.1)  # 37.9 g of both, with their tails
    assert right.volume_ml == pytest.approx(16.1, rel=0.1)
    hounsfield = Session().hounsfield[scenes.FROM :, 100:200, 50:236]  # without the posts and walls of the hotel
    k, j, i = np.nonzero(hounsfield > 900)
    places = scenes.gantry_mm(genuine, i + 50, j + 100, k + scenes.FROM)
    own = np.where(places[:, 0] < (left.high_mm[0] + right.low_mm[0]) / 2, 0, 1)
    low, high = (np.array([getattr(each, name) for each in in_genuine.bodies]) for name in ("low_mm", "high_mm"))
    outside = np.max(np.maximum(low[own] - places, places - high[own]), axis=1)
    assert len(places) > 20_000
    assert outside.max() <= 0


DOUBTFUL = {"a syringe of contrast agent between"}


@pytest.mark.parametrize("name", list(scenes.SCENES)[::8])
def test_a_scene_has_the_right_number_or_a_doubt(name: str) -> None:
    scenes.skip_without_real()
    count, _ = scenes.SCENES[name]
    found = scenes.looked_at(name).found
    if name in DOUBTFUL:  # say so, rather than take the syringe for an animal
        assert [each.code for each in found.findings] == ["animals-in-doubt"]
        assert not found.bodies
    else:
        assert found.is_certain
        assert len(found.bodies) == count


def test_coarse_and_noisy_voxels_do_not_make_heads_of_animals(tmp_path: Path) -> None:
    scenes.skip_without_real()
    from scipy import ndimage

    _, made = scenes.SCENES["two, 6 mm apart"]
    values, _ = scenes.compose(made(*scenes.genuine(binned=2)))
    spacing = 1.17
    coarse = ndimage.zoom(ndimage.gaussian_filter(values, 0.6), 2 * scenes.REAL_MM / spacing, order=1, mode="nearest")
    coarse += np.random.default_rng(1).normal(0, 60, coarse.shape).astype(np.float32)
    found = find_in_ct(read(scenes.write_ct(tmp_path / "hotel.ct.img", coarse, (spacing,) * 3)))
    assert not found.bodies  # bones of the necks are lost in the noise: four trunks at all depths
    (doubt,) = found.findings
    assert "two lie in line along the bed and are joined" in doubt.message


def test_noise_that_hides_a_neck_makes_no_two_animals_of_one(tmp_path: Path) -> None:
    scenes.skip_without_real()
    from scipy import ndimage

    _, made = scenes.SCENES["the first alone"]
    values, _ = scenes.compose(made(*scenes.genuine(binned=2)))
    coarse = ndimage.zoom(ndimage.gaussian_filter(values, 0.6), 2 * scenes.REAL_MM / 1.25, order=1, mode="nearest")
    coarse += np.random.default_rng(53).normal(0, 60, coarse.shape).astype(np.float32)
    found = find_in_ct(read(scenes.write_ct(tmp_path / "hotel.ct.img", coarse, (1.25,) * 3)))
    assert not found.bodies  # head and trunk, of 4.5 and 7.7 mL, which nothing joins any more
    assert "two in line along the bed are too small" in found.findings[0].message


def test_the_late_frames_of_the_genuine_pet_show_both_animals_where_the_ct_does(
    in_genuine: Found, tmp_path: Path
) -> None:
    session = Session()
    late = [n for n in session.stored if n > 28 * PET_SHAPE[2]]  # the last twelve frames; some slices of each are there
    slopes = [float(each["RescaleSlope"]) for each in session.frames]
    planes: dict[int, list[npt.NDArray[np.floating]]] = {}
    for number in late:
        frame, k = divmod(number - 1, PET_SHAPE[2])
        planes.setdefault(k, []).append(session.stored[number] * slopes[frame])
    nearest = [min(planes, key=lambda known, k=k: abs(known - k)) for k in range(PET_SHAPE[2])]  # type: ignore[misc]
    values = np.array([np.mean(planes[k], axis=0) for k in nearest])
    size = (PET_MM, PET_MM, PET_SLICE_MM)
    pet = find_in_emission(read(scenes.write_pet(tmp_path / "hotel.pet.img", values, size)))
    assert pet.is_certain
    assert len(pet.bodies) == 2
    # Both lie in one space, with its shift of each image.
    for one, other in zip(pet.bodies, in_genuine.bodies, strict=True):
        assert one.centre_mm == pytest.approx(other.centre_mm, abs=8)
        assert one.volume_ml is None
        assert np.abs(np.subtract(one.low_mm, other.low_mm))[:2].max() < 6
        assert np.abs(np.subtract(one.high_mm, other.high_mm))[:2].max() < 6


def test_without_scipy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("inveonimaging.extras.find_spec", lambda _: None)
    image = read(write_scan(tmp_path / "m.ct.img", CT_SCAN).data)
    with pytest.raises(OptionError, match=r'^finding animals needs scipy; pip install "inveonimaging\[split\]"$'):
        find_in_ct(image)


def test_a_pet_is_no_ct(tmp_path: Path) -> None:
    image = read(write_scan(tmp_path / "m.pet.img", PET_SCAN).data)
    with pytest.raises(InputError, match="is not a CT but a PET, expected a CT in Hounsfield units"):
        find_in_ct(image)


@pytest.mark.parametrize(("factor", "offset"), [(0.001, 1.0), (1.0, 1000.0), (2.7205, 0.0), (0.3676, 0.0)])
def test_a_ct_that_is_not_in_hounsfield_units_is_not_guessed_at(factor: float, offset: float, tmp_path: Path) -> None:
    scenes.skip_without_real()
    one, _ = scenes.genuine(binned=4)
    path = scenes.write_ct(tmp_path / "m.ct.img", one.values * factor + offset, (one.mm,) * 3, code="4")
    found = find_in_ct(read(path))
    assert [each.code for each in found.findings] == ["ct-not-hounsfield"]
    assert not found.bodies
