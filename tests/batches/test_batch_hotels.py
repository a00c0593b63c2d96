"""`inveon batch` with a sheet that has positions: each animal of a scan is a study of its own, with its own line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pydicom
import pytest

import inveonimaging
from helpers import inveon, write_small_study
from in_process import batches_in_this_process
from inveonimaging import InputError, Options
from inveonimaging.batches import Batch, run_batch
from inveonimaging.batches.names import free_names
from inveonimaging.hotels import cutting
from inveonimaging.hotels.locating import Located
from inveonimaging.hotels.splitting import Group
from inveonimaging.redaction.request import Deidentify
from inveonimaging.sheet.reading import read_sheet
from inveonimaging.study.cut import Extent
from inveonimaging.study.masking import Mask

SHEET = """folder,patient_id,position,weight_g,dose_MBq,injection_time
pair,m12,left,20.5,7.1,2014-06-17 13:51:37
pair,m13,right,17.4,6.9,2014-06-17 13:50:00
alone,m7,,,,
doubt,m1,left,,,
doubt,m2,right,,,
"""
EXTENTS = (Extent((-11.0, -8.0, -18.0), (-4.0, 8.0, 18.0)), Extent((4.0, -8.0, -18.0), (8.0, 8.0, 10.0)))
BOXES = {
    "schema": 1,
    "program": "inveonimaging",
    "animals": [
        {"position": position, "low_mm": extent.low_mm, "high_mm": extent.high_mm}
        for position, extent in zip(("left", "right"), EXTENTS, strict=True)
    ],
}


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Convert in this process, with two animals in the place of what would be found; none is certain in `doubt`."""

    def located(group: Group) -> Located:
        if group.study.source.name == "doubt":
            return Located(None, InputError("3 animals were found, and the sheet has 2"), EXTENTS)
        return Located(EXTENTS, None, EXTENTS)

    batches_in_this_process(monkeypatch)
    monkeypatch.setattr(cutting, "locate", located)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    root = tmp_path / "archive"
    write_small_study(root / "pair")
    for other in ("alone", "doubt"):
        shutil.copytree(root / "pair", root / other)
    (tmp_path / "hotel.csv").write_text(SHEET, "ascii")
    return root


def lines(output: Path) -> dict[str, dict[str, object]]:
    found = [json.loads(line) for line in (output / "batch.jsonl").read_text("ascii").splitlines()]
    assert len({line["output"] for line in found}) == len(found)
    return {line["output"]: line for line in found}


def test_a_batch_masks_neighbours_and_does_again_only_what_that_changes(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(archive / "doubt")
    paw = Mask(np.ones((5, 4, 5), np.bool_), (-4.0, 0.0, -8.0), (4.0, 4.0, 4.0))
    nothing = Mask(np.zeros((1, 1, 1), np.bool_), (0.0, 0.0, 0.0), (4.0, 4.0, 4.0))
    masks = Located(EXTENTS, None, EXTENTS, masks=lambda: (paw, nothing))
    monkeypatch.setattr(cutting, "locate", lambda _: masks)
    out, given = tmp_path / "out", ("--subjects", tmp_path / "hotel.csv", "--verify")
    path = out / "pair" / "m12" / "1" / "CT-000004.dcm"
    assert inveon("batch", archive, out, *given).exit_code == 0
    assert pydicom.dcmread(path).pixel_array[4, 3] != -1000
    for made, passed in ((1, 2), (0, 3)):  # the left animal's; nothing of a neighbour lies in the right one's box
        run = inveon("batch", archive, out, *given, "--mask-others", "--json")
        result = json.loads(run.stdout)["batch"]
        assert (result["converted"], result["skipped"], result["failed"]) == (made, passed, 0)
        assert pydicom.dcmread(path).pixel_array[4, 3] == -1000


def test_each_animal_is_a_study_as_split_makes_it(archive: Path, tmp_path: Path) -> None:
    sheet, out = tmp_path / "hotel.csv", tmp_path / "out"
    result = run_batch(archive, out, Options(sheet=read_sheet(sheet)), Batch(verify=True))
    assert (result.found, result.converted, result.failed) == (5, 3, 2)
    assert {name: line["result"] for name, line in lines(out).items()} == {
        "alone": "converted",
        "doubt/m1": "failed",
        "doubt/m2": "failed",
        "pair/m12": "converted",
        "pair/m13": "converted",
    }
    assert "3 animals were found" in str(lines(out)["doubt/m1"]["error"])
    assert "writes boxes.json for --boxes" in str(lines(out)["doubt/m1"]["error"])
    assert not (out / "doubt").exists()
    assert not [each for each in result.sheet if each.code == "sheet-row-unused"]
    # the same bytes as `inveon split` writes
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps(BOXES), "ascii")
    inveonimaging.split(archive / "pair", tmp_path / "split", Options(sheet=sheet), boxes=boxes)
    made = {path.relative_to(out / "pair"): path.read_bytes() for path in (out / "pair").rglob("*.dcm")}
    assert made == {p.relative_to(tmp_path / "split"): p.read_bytes() for p in (tmp_path / "split").rglob("*.dcm")}
    first = pydicom.dcmread(out / "pair" / "m13" / "1" / "CT-000001.dcm")
    assert (first.PatientID, float(first.PatientWeight)) == ("m13", 0.0174)
    # once more: nothing to do but what failed
    again = run_batch(archive, out, Options(sheet=read_sheet(sheet)))
    assert (again.converted, again.skipped, again.failed) == (0, 3, 2)
    # another weight of one: the studies of the group are made again where they differ, no other
    sheet.write_text(SHEET.replace("17.4", "17.9"), "ascii")
    changed = run_batch(archive, out, Options(sheet=read_sheet(sheet)))
    assert (changed.converted + changed.skipped, changed.failed) == (3, 2)
    first = pydicom.dcmread(out / "pair" / "m13" / "1" / "CT-000001.dcm")
    assert float(first.PatientWeight) == 0.0179


def test_a_dry_run_lists_the_animals(archive: Path, tmp_path: Path) -> None:
    run = inveon("batch", archive, tmp_path / "out", "--subjects", tmp_path / "hotel.csv", "--dry-run")
    assert run.exit_code == 0, run.stderr
    outputs = [line.rpartition(" -> ")[2] for line in run.stdout.splitlines() if " -> " in line]
    assert outputs == ["alone [new]", "doubt/m1 [new]", "doubt/m2 [new]", "pair/m12 [new]", "pair/m13 [new]"]


def test_de_identified_no_folder_shows_the_animal(archive: Path, tmp_path: Path) -> None:
    options = Options(sheet=read_sheet(tmp_path / "hotel.csv"), deidentify=Deidentify(key=b"x" * 32))
    run_batch(archive, tmp_path / "out", options)
    assert {name[:6] for name in lines(tmp_path / "out")} == {"study-"}
    assert len(lines(tmp_path / "out")) == 5


def test_a_wrong_sheet_fails_the_study_and_no_other(archive: Path, tmp_path: Path) -> None:
    shutil.rmtree(archive / "doubt")
    sheet = tmp_path / "hotel.csv"
    sheet.write_text(SHEET.replace("m13,right", "m13,left"), "ascii")
    run_batch(archive, tmp_path / "out", Options(sheet=read_sheet(sheet)))
    found = lines(tmp_path / "out")
    assert {name: line["result"] for name, line in found.items()} == {"alone": "converted", "pair": "failed"}
    assert "'m13' is at 'left', and so is 'm12'" in str(found["pair"]["error"])


def test_folders_of_animals_meet_no_others() -> None:
    assert free_names(["m12", "M13", "1", "m14"], ["M12", "m12_", "m13"], is_root=False) == (
        "m12__",
        "M13_",
        "1_",
        "m14",
    )
    assert free_names(["batch.jsonl"], [], is_root=True) == ("batch.jsonl_",)
