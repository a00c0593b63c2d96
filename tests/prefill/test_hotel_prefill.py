"""`inveon subjects --hotel`: a row for each animal that a scan shows, by which `inveon split` finds it again."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from helpers import CT, assert_one_line_error, inveon
from inveonimaging.errors import InputError
from inveonimaging.hotels.bodies import Body
from inveonimaging.hotels.locating import locate
from inveonimaging.hotels.positions import slots_of
from inveonimaging.hotels.splitting import read_group
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.pairs import scan_folder
from inveonimaging.phantom import write_scan
from inveonimaging.sheet.reading import read_sheet
from inveonimaging.study.corrections import Corrections
from several_mice import Hotel, place_of

NAMES = ("top", "bottom left", "bottom right")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the CT of three animals; tests read it only."""
    folder = tmp_path_factory.mktemp("hotel") / "in"
    folder.mkdir()
    hotel = Hotel.of(*NAMES)
    write_scan(folder / "a.ct.img", hotel.scan(Modality.CT, 1.0), mouse=hotel.mouse)
    return folder


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_each_animal_has_a_row_by_which_it_is_found_again(source: Path, tmp_path: Path) -> None:
    done = inveon("subjects", source, "-o", tmp_path / "hotel.csv", "--hotel", "--species", "mouse")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.endswith("hotel.csv: 3 rows, one an animal\n")
    rows = rows_of(tmp_path / "hotel.csv")
    assert sorted(row["position"] for row in rows) == sorted(NAMES)
    for row in rows:
        assert (row["seen_from"], row["species"], row["posture"]) == ("front", "mouse", "FFS")
        # what the header says of the group is of no animal
        assert {
            row[each] for each in ("patient_id", "birth_date", "sex", "weight_g", "dose_MBq", "injection_time")
        } == {""}
        assert 8 < float(row["# volume, mL"]) < 40  # a mouse of 24.6 g
        row["patient_id"] = "of-" + row["position"].replace(" ", "-")
    with (tmp_path / "filled.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    group = read_group(scan_folder(source).pairs, source, Corrections(sheet=read_sheet(tmp_path / "filled.csv")))
    located = locate(group)
    for animal, body in zip(group.hotel.animals, located.bodies, strict=True):
        assert body.centre_mm == pytest.approx(place_of(str(animal.slot)), abs=9)


def refused(source: Path, output: Path, *options: object, code: int = 1) -> str:
    done = inveon("subjects", source, "-o", output, "--hotel", *options)
    return assert_one_line_error(done.exit_code, done.stdout, done.stderr, code)


def test_where_no_animal_is_found_there_is_no_sheet(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_scan(folder / "a.ct.img", CT)
    line = refused(folder, tmp_path / "hotel.csv")
    assert "a.ct.img: " in line
    assert "animal" in line
    assert not (tmp_path / "hotel.csv").exists()
    for options, message in (
        (("--by", "subject"), "--hotel and --by are given"),
        (("--weight", "20 g"), "--weight is for one animal"),
        (("--patient-id", "m1"), "--patient-id is for one animal"),
    ):
        assert message in refused(source, tmp_path / "h.csv", *options, code=2)
    assert not (tmp_path / "h.csv").exists()


def bodies(*places: tuple[float, float, float]) -> tuple[Body, ...]:
    """Return bodies of 20 x 20 x 80 mm, with their middles at i, j, k."""
    return tuple(Body((x - 10, y - 10, z - 40), (x + 10, y + 10, z + 40), (x, y, z), None) for x, y, z in places)


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (((0, 0, 0),), "middle"),
        (((33, 4, 0), (-33, -4, 9)), "right; left"),
        (((-33, 0, 0), (0, 5, 0), (33, 0, 0)), "left; middle; right"),
        (((-16, -12, 0), (16, -12, 0), (-16, 12, 0), (16, 12, 0)), "top left; top right; bottom left; bottom right"),
        (((0, 12, 0), (0, -12, 0)), "bottom; top"),
        (((0, 0, 60), (0, 0, -60)), "front; back"),  # k grows towards the front
        (((-60, 0, 0), (-30, 0, 0), (0, 0, 0), (30, 0, 0), (60, 0, 0)), "1,1; 2,1; 3,1; 4,1; 5,1"),
    ],
)
def test_positions_are_as_seen_from_the_front(places: tuple[tuple[float, float, float], ...], expected: str) -> None:
    assert "; ".join(map(str, slots_of(bodies(*places)))) == expected


def test_animals_that_no_positions_distinguish_are_refused() -> None:
    with pytest.raises(InputError, match="do not distinguish 2 animals"):
        slots_of(bodies((0, 0, 0), (2, 3, 5)))
