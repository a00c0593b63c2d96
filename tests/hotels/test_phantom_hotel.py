"""Animals of made-up hotels are found in CT, PET and SPECT, where the phantom says that they are."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hotels import scenes
from inveonimaging.errors import InputError, OptionError
from inveonimaging.findings import Severity
from inveonimaging.hotels import emission
from inveonimaging.hotels.bodies import Found, find_animals, find_in_ct, find_in_emission
from inveonimaging.inveon.hdr.enums import DataType, Modality, Orientation
from inveonimaging.phantom import frames_of, write_scan
from inveonimaging.study.image import read
from inveonimaging.study.reading import read_study
from several_mice import Hotel, HotelMouse, place_of

TAIL_MM = 14.0  # beyond its last vertebra, at low k of an animal that lies feet first
NEAR_MM = 9.0
HOTELS = {
    "a row": ("left", "middle", "right"),
    "one above two": ("top", "bottom left", "bottom right"),
    "two by two": ("top left", "top right", "bottom left", "bottom right"),
    "one": ("right",),
}


def found_in(hotel: Hotel, modality: Modality, path: Path, spacing_mm: float = 1.0, **changes: object) -> Found:
    scan = replace(hotel.scan(modality, spacing_mm), **changes)  # type: ignore[arg-type]
    image = read(write_scan(path / f"hotel.{modality.name.lower()}.img", scan, mouse=hotel.mouse).data)
    return find_in_ct(image) if modality is Modality.CT else find_in_emission(image)


def assert_where_they_are(found: Found, hotel: Hotel, within_mm: float, tail_mm: float = 0.0) -> None:
    assert found.is_certain
    assert len(found.bodies) == len(hotel.animals)
    truth = sorted(zip(hotel.boxes_mm, hotel.animals, strict=True), key=lambda each: each[1].place_mm)
    near = [
        (body, box)
        for body in found.bodies
        for box, animal in truth
        if math.dist(body.centre_mm, animal.place_mm) < NEAR_MM
    ]
    assert len(near) == len(truth)
    for body, (low, high) in near:
        assert np.subtract(body.low_mm, low)[:2] == pytest.approx(0, abs=within_mm)
        assert np.subtract(body.high_mm, high) == pytest.approx(0, abs=within_mm)
        assert body.low_mm[2] - low[2] == pytest.approx(0, abs=within_mm + tail_mm)


@pytest.mark.parametrize("names", HOTELS.values(), ids=HOTELS)
def test_ct_pet_and_spect_show_the_same_animals(names: tuple[str, ...], tmp_path: Path) -> None:
    hotel = Hotel.of(*names)
    assert_where_they_are(found_in(hotel, Modality.CT, tmp_path, 1.2), hotel, 1.5, TAIL_MM)
    assert_where_they_are(found_in(hotel, Modality.PET, tmp_path, 1.5), hotel, 2.2)
    assert_where_they_are(found_in(hotel, Modality.SPECT, tmp_path, 1.5), hotel, 2.2)


def test_labels_are_the_bodies_and_their_grid_leads_to_the_gantry(tmp_path: Path) -> None:
    hotel = Hotel.of("left", "right")
    found = found_in(hotel, Modality.CT, tmp_path, 0.4)  # blocks of 2 x 2 x 2
    k, j, i = (found.labels == 2).nonzero()
    low = found.gantry_mm([axis.min() - 0.5 for axis in (i, j, k)])
    high = found.gantry_mm([axis.max() + 0.5 for axis in (i, j, k)])
    assert low == pytest.approx(found.bodies[1].low_mm)
    assert high == pytest.approx(found.bodies[1].high_mm)
    assert found.values.shape == found.labels.shape == found.grid.shape[::-1]
    volume_ml = np.count_nonzero(found.labels == 2) * math.prod(found.grid.spacing_mm) / 1000
    assert found.bodies[1].volume_ml == pytest.approx(volume_ml)


def test_young_and_old_animals_and_one_that_is_turned_round(tmp_path: Path) -> None:
    animals = (
        HotelMouse(place_mm=(-20, 1, 3), weight_g=20, injected_bq=5e6),
        HotelMouse(place_mm=(17, -1, -2), weight_g=32, injected_bq=9e6, is_turned=True),
    )
    hotel = Hotel(animals=animals, orientation=Orientation.HFP)
    found = found_in(hotel, Modality.CT, tmp_path, 0.7, data_type=DataType.FLOAT32_BE)
    one, other = found.bodies
    assert one.volume_ml
    assert other.volume_ml
    assert other.volume_ml / one.volume_ml == pytest.approx(32 / 20, rel=0.06)
    scan = hotel.scan(Modality.PET)
    assert scan.subject.weight == 52
    assert scan.tracer.dose == pytest.approx(14e6 / 37e6)


def test_the_dose_of_each_is_where_it_lies(tmp_path: Path) -> None:
    doses = {"left": 4e6, "right": 8e6}
    animals = tuple(HotelMouse(place_mm=place_of(name), injected_bq=dose) for name, dose in doses.items())
    hotel = Hotel(animals=animals)
    found = found_in(hotel, Modality.PET, tmp_path, 1.5)
    left, right = (float(found.values[found.labels == number].sum()) for number in (1, 2))
    assert right / left == pytest.approx(2, rel=0.05)


def test_only_the_late_frames_of_a_dynamic_scan_count(tmp_path: Path) -> None:
    hotel = Hotel.of("left", "right")
    scan = replace(hotel.scan(Modality.PET, 2.0), frames=frames_of(10, 20, 30, 240, 300, 600))
    image = read(write_scan(tmp_path / "m.pet.img", scan, mouse=hotel.mouse).data)
    assert emission.late(image.frames) == (5,)  # of 1200 s
    assert len(find_in_emission(image).bodies) == 2
    assert emission.late(image.frames[:1]) == (0,)


def test_organs_of_one_animal_in_line_are_a_doubt(tmp_path: Path) -> None:
    """Two spots one behind the other may be heart and bladder of one animal, or two animals."""
    hotel = Hotel.of("middle")
    pet = hotel.scan(Modality.PET, 1.5)
    anatomy = tuple(each for each in hotel.mouse.anatomy if each.tissue.name in {"bladder", "Harderian gland", "brain"})
    image = read(write_scan(tmp_path / "m.pet.img", pet, mouse=replace(hotel.mouse, anatomy=anatomy)).data)
    found = find_in_emission(image)
    assert [each.code for each in found.findings] == ["animals-in-doubt"]
    assert not found.bodies
    assert len(found.candidates) == 2


def test_the_ct_of_a_study_is_looked_at_first_and_the_pet_where_it_is_not_in_hounsfield_units(tmp_path: Path) -> None:
    hotel = Hotel.of("left", "right")
    ct, pet = hotel.scan(Modality.CT, 1.2), hotel.scan(Modality.PET, 1.5)
    for folder in ("both", "other"):
        (tmp_path / folder).mkdir()
    write_scan(tmp_path / "both" / "m.pet.img", pet, mouse=hotel.mouse)
    write_scan(tmp_path / "other" / "m.pet.img", pet, mouse=hotel.mouse)
    write_scan(tmp_path / "both" / "m.ct.img", ct, mouse=hotel.mouse)
    pair = write_scan(tmp_path / "other" / "m.ct.img", ct, mouse=hotel.mouse)
    stored = np.fromfile(pair.data, "<i2") + 1000
    stored.astype("<i2").tofile(pair.data)
    by_ct = find_animals(read_study(tmp_path / "both"))
    assert all(each.volume_ml for each in by_ct.bodies)
    by_pet = find_animals(read_study(tmp_path / "other"))
    assert [(each.code, each.severity) for each in by_pet.findings] == [("ct-not-hounsfield", Severity.WARNING)]
    assert [each.volume_ml for each in by_pet.bodies] == [None, None]
    assert by_pet.is_certain


@pytest.mark.parametrize("pitch_mm", [26.0])
def test_animals_that_touch_are_a_doubt_in_emission(pitch_mm: float, tmp_path: Path) -> None:
    animals = tuple(HotelMouse(place_mm=(n * pitch_mm, 2.0 * n, 0)) for n in range(2))
    found = found_in(Hotel(animals=animals), Modality.PET, tmp_path, 1.0)
    assert not found.bodies
    assert [each.code for each in found.findings[:1]] == ["animals-in-doubt"]


def test_animals_in_bed_positions_that_are_not_joined_are_a_doubt(tmp_path: Path) -> None:
    hotel = Hotel.of("left", "right")
    pet = replace(hotel.scan(Modality.PET, 2.0), beds=(0.0, 40.0))
    write_scan(tmp_path / "m.pet.img", pet, mouse=hotel.mouse)
    found = find_animals(read_study(tmp_path))
    assert not found.bodies
    assert [each.message for each in found.findings if each.severity is Severity.ERROR][-1] == (
        "the number of animals is in doubt: 2 in one of 2 bed positions that are not joined"
    )


def test_an_empty_bed_has_no_animal(tmp_path: Path) -> None:
    values = np.full((40, 40, 40), -1000.0)
    values[:, 30:34] = 120
    found = find_in_ct(read(scenes.write_ct(tmp_path / "m.ct.img", values, (0.8, 0.8, 0.8))))
    assert [each.code for each in found.findings] == ["animals-not-found"]
    assert not found.is_certain


def test_ct_is_no_emission_and_a_position_must_be_known(tmp_path: Path) -> None:
    hotel = Hotel.of("middle")
    with pytest.raises(InputError, match="shows no activity: it is a CT, expected PET or SPECT"):
        find_in_emission(read(write_scan(tmp_path / "m.ct.img", hotel.scan(Modality.CT, 2.0), mouse=hotel.mouse).data))
    with pytest.raises(OptionError, match="the phantom has no position 'upper left', expected one of left, middle"):
        place_of("upper left")
