"""The posture that a sheet gives a scan: as one that was typed, and a typed one wins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers import write_small_study
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.reading import Study, read_study


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_small_study(tmp_path / "study")


def read(folder: Path, row: str, **corrections: Any) -> Study:
    sheet = folder.parent / "sheet.csv"
    sheet.write_text(f"file,posture\n{row}\n")
    return read_study(folder, Corrections(sheet=sheet, **corrections))


def codes(study: Study) -> set[str]:
    return {each.code for scan in study.scans for each in scan.all_findings}


def test_a_posture_of_the_sheet_places_voxels_as_a_typed_one(folder: Path) -> None:
    typed = read_study(folder, Corrections(orientation="FFP"))
    given = read(folder, "*,ffp")
    for one, other in zip(given.series, typed.series, strict=True):
        assert one.image.grid == other.image.grid
        assert one.image.grid.directions == "LAH"
        assert one.image.header.geometry.orientation is Orientation.FFP
    before = read_study(folder).series[0].image.grid
    assert not np.array_equal(before.affine, given.series[0].image.grid.affine)


def test_a_typed_posture_wins_and_mirrored_axes_stay(folder: Path) -> None:
    assert read(folder, "*,FFP", orientation="HFS").series[0].image.grid.directions == "LPF"
    assert read(folder, "*,FFP", flip="x").series[0].image.grid.directions == "RAH"


def test_a_posture_that_is_taken_away_is_not_known(folder: Path) -> None:
    assert "orientation-unknown" not in codes(read_study(folder))
    study = read(folder, "*,unknown")
    assert study.series[0].image.grid.orientation is Orientation.UNKNOWN
    assert "orientation-unknown" in codes(study)
