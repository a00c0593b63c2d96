"""A study is read once: all commands show the same series, numbers and findings of it, and refuse the same."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import inveonimaging
from helpers import CT, PET, digests, inveon, write_small_study
from in_process import batches_in_this_process
from inveonimaging import (
    BidsOptions,
    Corrections,
    CurvesOptions,
    Deidentify,
    Finding,
    InveonError,
    Modality,
    NiftiOptions,
    OptionError,
    Options,
    Severity,
    Sphere,
    ZarrOptions,
    read_study,
)
from inveonimaging.app.choices.previews import preview_of
from inveonimaging.commands import bids, curves, nifti, zarr
from inveonimaging.commands.split import plan_split
from inveonimaging.commands.studies import gathered
from inveonimaging.conversion.plan import StudyPlan, plan, sheet_findings_of
from inveonimaging.hotels import cutting
from inveonimaging.hotels.locating import Located
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import FileType
from inveonimaging.inveon.hdr.values import GateBins
from inveonimaging.napari_reader import layers_of
from inveonimaging.phantom import PhantomScan, frames_of, write_scan
from inveonimaging.reports.contents import contents_of
from inveonimaging.study.cut import Extent
from inveonimaging.study.reading import Series

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="zarr-python 3 needs Python 3.11")

NOW = datetime(2026, 1, 1)
STATIC = frames_of(600.0)
OPEN = GateBins(input=1, bins=4, minimum_s=-1.0, maximum_s=-1.0)
GATED = replace(PET, frames=STATIC, gates=4, gate_description="ECG R-wave", gate_bins=(OPEN,))
BEDS = replace(PET, frames=STATIC, beds=(0.0, 38.5, 77.0))


def another_animal(header: Header) -> Header:
    return replace(header, subject=replace(header.subject, identifier="M0099"))


def without_size(header: Header) -> Header:
    return replace(header, array=replace(header.array, x=None))


def alike(header: Header) -> Header:
    return replace(header, frames=tuple(replace(each, start_s=0.0) for each in header.frames))


def pair_of_scans(pet: PhantomScan, change: Callable[[Header], Header] | None = None) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        write_scan(folder / "m.ct.img", CT)
        write_scan(folder / "m.pet.img", pet, change=change)

    return write


def with_long_data(folder: Path) -> None:
    pair_of_scans(PET)(folder)
    with (folder / "m.pet.img").open("ab") as file:
        file.write(bytes(4))


Write = Callable[[Path], None]
STUDIES: dict[str, tuple[Write, Corrections]] = {
    "a plain study": (pair_of_scans(PET), Corrections()),
    "gates of unknown cycle and a CT": (pair_of_scans(GATED), Corrections()),
    "gates of a cycle that is given": (pair_of_scans(GATED), Corrections(cycle_ms=250)),
    "several beds": (pair_of_scans(BEDS), Corrections()),
    "several beds the other way": (pair_of_scans(BEDS), Corrections(bed_direction="reverse")),
    "another posture": (pair_of_scans(PET), Corrections(orientation="HFP", flip="x")),
    "each frame alone": (pair_of_scans(PET), Corrections(separate_frames=True)),
    "no common space": (pair_of_scans(PET), Corrections(frame_of_reference="separate")),
}
REFUSED: dict[str, Write] = {
    "two animals": pair_of_scans(PET, another_animal),
    "a header without a size": pair_of_scans(PET, without_size),
    "frames alike": pair_of_scans(PET, alike),
    "data that are too long": with_long_data,
}
SHEET = "subject,file,weight_g\nM0042,,24\nM0042,,25\n"


Shown = list[tuple[int, str, str]]
"""Number, file and part of each series."""


def planned(folder: Path, corrections: Corrections) -> StudyPlan:
    (study,) = plan(folder, folder / "never", Options(**corrections.values))
    return study


def shown(series: Iterable[Series]) -> Shown:
    return [(each.number, each.image.pair.name, each.image.part_name) for each in series]


def task_of(folder: Path, make: type[Corrections], corrections: Corrections) -> dict[str, Any]:
    """Return what a form of the app asks for."""
    never = folder.parent / "never"
    more: dict[str, Any] = {"incomplete": True} if make is BidsOptions else {}
    options = make(**corrections.values, **more)
    return {"source": folder, "output": never, "options": options, "report": False, "overwrite": False}


def previewed(kind: str, make: type[Corrections]) -> Output:
    """Return what a kind of the app's products would be made from: a table whose first column names the series."""

    def rows(folder: Path, corrections: Corrections) -> tuple[Shown, Iterable[Finding]]:
        preview = preview_of(kind, task_of(folder, make, corrections))
        names = (each[0].partition(", ")[::2] for each in preview.rows)
        return [(number, *name) for number, name in enumerate(names, 1)], preview.findings

    return rows


def of_nifti(folder: Path, corrections: Corrections) -> tuple[Shown, Iterable[Finding]]:
    options = NiftiOptions(**corrections.values)
    made = gathered(nifti.planned(folder, folder.parent / "never", options), options)
    return shown(each.series for plan in made.studies for each in plan.files), made.findings


def of_zarr(folder: Path, corrections: Corrections) -> tuple[Shown, Iterable[Finding]]:
    options = ZarrOptions(**corrections.values)
    made = gathered(zarr.planned(folder, folder.parent / "never", options), options)
    return shown(each.series for plan in made.studies for each in plan.files), made.findings


def of_bids(folder: Path, corrections: Corrections) -> tuple[Shown, Iterable[Finding]]:
    made = bids.plan_bids([folder], folder / "never", BidsOptions(incomplete=True, **corrections.values))
    return shown(each.series for each in made.dataset.images), made.findings


def of_curves(folder: Path, corrections: Corrections) -> tuple[Shown, Iterable[Finding]]:
    """With what is not measured: a CT, and what the finding of it names."""
    everywhere = Sphere("everywhere", (0.0, 0.0, 0.0), 1e4)
    made = curves.planned(folder, [], CurvesOptions(spheres=[everywhere], **corrections.values))
    ct = (each for each in made.study.series if each.image.modality is Modality.CT)
    return sorted(shown([*ct, *(each.series for each in made.series)])), made.findings


def of_plan(folder: Path, corrections: Corrections) -> tuple[Shown, Iterable[Finding]]:
    made = planned(folder, corrections)
    return shown(made.series), (*sheet_findings_of([made], Options(**corrections.values)), *made.all_findings)


def of_report(folder: Path, corrections: Corrections) -> tuple[Shown, Iterable[Finding]]:
    contents = contents_of(read_study(folder, corrections), NOW)
    return shown(contents.series), contents.findings


Output = Callable[[Path, Corrections], tuple[Shown, Iterable[Finding]]]
OUTPUTS: dict[str, Output] = {  # that refuse what makes no study
    "convert": of_plan,
    "nifti": of_nifti,
    "zarr": of_zarr,
    "bids": of_bids,
    "curves": of_curves,
    "app: convert": previewed("convert", Options),
    "app: nifti": previewed("nifti", NiftiOptions),
    "app: zarr": previewed("zarr", ZarrOptions),
    "app: bids": previewed("bids", BidsOptions),
}
VIEWS: dict[str, Output] = {"report": of_report, "app: page": previewed("page", Corrections)}
OWN = {  # what only DICOM, BIDS, or a look at the voxels can find
    "all-zero",
    "bids-no-form",
    "bids-value-missing",
    "bids-value-unknown",
    "curve-left-out",
    "frames-overlap",
    "region-partly-outside",
}


@pytest.mark.parametrize("name", STUDIES)
def test_all_show_the_same_series_and_find_the_same(tmp_path: Path, name: str) -> None:
    write, corrections = STUDIES[name]
    (folder := tmp_path / "in").mkdir()
    write(folder)
    study = read_study(folder, corrections)
    expected = shown(study.series)
    assert [number for number, *_ in expected] == list(range(1, len(expected) + 1))
    read = {each.code for each in study.all_findings}
    for output, look in (OUTPUTS | VIEWS).items():
        series, findings = look(folder, corrections)
        assert series == expected, output
        assert {each.code for each in findings} - OWN == read, output
    checked = inveonimaging.check(folder, corrections, now=NOW)
    assert [each.name for each in checked.files] == list(dict.fromkeys(file for _, file, _ in expected))
    assert {each.code for each in checked.all_findings} - OWN == read
    spaces = [each.frame_of_reference for each in study.series]
    assert [each.frame_of_reference for each in planned(folder, corrections).series] == spaces
    assert [each.frame_of_reference for each in contents_of(study, NOW).series] == spaces
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.usefixtures("blank", "batches_here")
@pytest.mark.parametrize("name", STUDIES)
def test_what_is_written_compared_and_restored_is_what_was_read(tmp_path: Path, name: str) -> None:
    write, corrections = STUDIES[name]
    (folder := tmp_path / "in").mkdir()
    write(folder)
    study = read_study(folder, corrections)
    expected = shown(study.series)
    (converted,) = inveonimaging.convert(folder, tmp_path / "out", Options(**corrections.values))
    assert [(int(each.folder), Path(each.source).name, each.part) for each in converted.series] == [
        (number, f"{file}.hdr", part) for number, file, part in expected
    ]
    verified = inveonimaging.verify(folder, tmp_path / "out")
    assert verified.same
    assert [(Path(each.source).name, each.part) for each in verified.studies[0].series] == [
        (f"{file}.hdr", part) for _, file, part in expected
    ]
    restored = inveonimaging.restore(tmp_path / "out", tmp_path / "back")
    assert restored.left_out == ()
    for pair in restored.pairs:
        assert pair.header.read_bytes() == (folder / pair.header.name).read_bytes()
    assert sorted(each.data.name for each in restored.pairs) == sorted({file for _, file, _ in expected})
    done = inveonimaging.batch(folder, tmp_path / "batch", Options(**corrections.values))
    assert {each.code for each in done.finding_counts} == {each.code for each in study.all_findings}
    assert inveonimaging.subjects(folder, tmp_path / "s.csv", corrections=corrections).rows == len(study.scans)
    assert digests(tmp_path / "batch") | digests(tmp_path / "out") == digests(tmp_path / "batch")


def test_napari_has_a_layer_of_each_series_and_warns_of_what_it_cannot_show(tmp_path: Path) -> None:
    """Without corrections, which napari has no place for."""
    for name in ("gates of unknown cycle and a CT", "several beds", "frames alike"):
        (folder := tmp_path / name).mkdir()
        ({name: write for name, (write, _) in STUDIES.items()} | REFUSED)[name](folder)
        study = read_study(folder)
        layers = layers_of(str(folder))
        kinds = [" ".join(filter(None, (each.image.kind, *shown([each])[0][1:]))) for each in study.series]
        assert [message["name"] for _, message, _ in layers] == kinds
        found = [[str(each) for each in series.scan.all_findings] for series in study.series]
        assert [message["metadata"]["findings"] for _, message, _ in layers] == found
    (folder := tmp_path / "bad").mkdir()
    REFUSED["a header without a size"](folder)
    with pytest.warns(UserWarning, match=r"m\.pet\.img\.hdr: x_dimension is missing"):
        assert [message["name"] for _, message, _ in layers_of(str(folder))] == ["CT m.ct.img"]


@pytest.mark.usefixtures("batches_here")
@pytest.mark.parametrize("name", REFUSED)
def test_what_a_conversion_refuses_is_refused_or_an_error_everywhere(tmp_path: Path, name: str) -> None:
    (folder := tmp_path / "in").mkdir()
    REFUSED[name](folder)
    with pytest.raises(InveonError) as caught:
        planned(folder, Corrections())
    refusal = caught.value
    for output, look in OUTPUTS.items():
        with pytest.raises(type(refusal)) as caught:
            look(folder, Corrections())
        assert [caught.value.path, caught.value.message, caught.value.got] == [
            refusal.path,
            refusal.message,
            refusal.got,
        ], output
        assert output != "curves" or "m.ct.img" not in str(caught.value.hint)  # of which there are no curves
    if name != "two animals":  # which a sheet of several animals names itself
        sheet, boxes = hotel_in(tmp_path)
        with pytest.raises(type(refusal), match=re.escape(str(refusal.message or "x_dimension"))):
            inveonimaging.split(folder, tmp_path / "split", Options(sheet=sheet), boxes=boxes)
    failed = inveonimaging.batch(folder, tmp_path / "batch")
    assert (failed.converted, failed.failed) == (0, 1)
    words = str(refusal.message or "missing")
    result = inveonimaging.check(folder, now=NOW)
    assert any(words in each.message for each in result.all_findings if each.severity is Severity.ERROR)
    study = read_study(folder)
    of_scans = (one for scan in study.scans for one in scan.all_findings)
    entries = [*map(str, (*study.findings, *of_scans)), *map(str, study.errors.values())]
    assert any(words in each for each in entries)
    report = contents_of(study, NOW)
    assert any(words in str(each) for each in (*report.findings, *report.errors))
    assert words in inveon("info", folder).stderr
    preview = preview_of("page", task_of(folder, Corrections, Corrections()))
    assert any(words in text for text in (*map(str, preview.findings), *preview.failures))


def test_a_sheet_that_contradicts_itself_is_refused_alike(tmp_path: Path) -> None:
    (folder := tmp_path / "in").mkdir()
    pair_of_scans(PET)(folder)
    (tmp_path / "s.csv").write_text(SHEET)
    output = str(tmp_path / "out")
    reported = set()
    for command in (
        ["convert", str(folder), output, "--dry-run"],
        ["info", str(folder)],
        ["report", str(folder), "-o", str(tmp_path / "r.html")],
        ["subjects", str(folder), "-o", str(tmp_path / "t.csv")],
        ["verify", str(folder), str(folder)],
        ["nifti", str(folder), output],
        ["zarr", str(folder), output],
        ["bids", str(folder), output],
        ["curves", str(folder), "-o", f"{output}.csv", "--hottest", "3"],
        ["split", str(folder), output],
    ):
        done = inveon(*command, "--subjects", str(tmp_path / "s.csv"))
        assert done.exit_code == 1, command
        reported.add(done.stderr.strip())
    assert len(reported) == 1
    done = inveon("check", str(folder), "--subjects", str(tmp_path / "s.csv"), "--json")
    assert done.exit_code == 1
    (error,) = (each for each in json.loads(done.stdout)["findings"] if each["severity"] == "error")
    assert error["message"] in reported.pop()


@pytest.mark.usefixtures("blank")
def test_all_show_which_rows_of_a_sheet_match_no_scan(tmp_path: Path) -> None:
    """The file has rows 2 and 3; the second is about an animal that is not there."""
    (folder := tmp_path / "in").mkdir()
    pair_of_scans(PET)(folder)
    (tmp_path / "s.csv").write_text("subject,weight_g\nM0042,24\nM0099,25\n")
    line = f"note: {tmp_path / 's.csv'}:3: 1 of 2 rows match no scan: 3 [sheet-row-unused]"
    for command in (
        ["convert", folder, tmp_path / "out"],
        ["info", folder],
        ["report", folder, "--png", tmp_path / "png"],
        ["subjects", folder, "-o", tmp_path / "t.csv"],
        ["nifti", folder, tmp_path / "nifti", "--dry-run"],
        ["zarr", folder, tmp_path / "zarr", "--dry-run"],
        ["bids", folder, tmp_path / "bids", "--incomplete", "--dry-run"],
        ["curves", folder, "-o", tmp_path / "c.csv", "--hottest", "3", "--dry-run"],
    ):
        done = inveon(*command, "--subjects", tmp_path / "s.csv")
        assert done.exit_code == 0, done.stderr
        assert done.stderr.splitlines().count(line) == 1, command


# Several animals.

ANIMALS = """folder,patient_id,position,weight_g,dose_MBq,injection_time
in,m12,left,20.5,7.1,2014-06-17 13:51:37
in,m13,right,17.4,6.9,2014-06-17 13:50:00
"""
EXTENTS = {
    "left": Extent((-11.0, -8.0, -18.0), (-4.0, 8.0, 18.0)),
    "right": Extent((4.0, -8.0, -18.0), (8.0, 8.0, 10.0)),
}


def hotel_in(folder: Path) -> tuple[Path, Path]:
    """Write a sheet of two animals, and where each lies; return both files."""
    animals = [
        {"position": name, "low_mm": extent.low_mm, "high_mm": extent.high_mm} for name, extent in EXTENTS.items()
    ]
    (folder / "hotel.csv").write_text(ANIMALS)
    (folder / "boxes.json").write_text(json.dumps({"schema": 1, "program": "inveonimaging", "animals": animals}))
    return folder / "hotel.csv", folder / "boxes.json"


Cut = list[tuple[int, str, str, tuple[int, ...]]]
"""Number, file, part and shape of each series."""


def cuts(series: Iterable[Series]) -> Cut:
    return [(*one, each.image.grid.shape) for each in series for one in shown([each])]


def test_animals_of_one_scan_are_cut_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder := tmp_path / "in").mkdir()
    pair_of_scans(GATED)(folder)
    sheet, boxes = hotel_in(tmp_path)
    never = tmp_path / "never"
    given: dict[str, Any] = {"sheet": sheet}
    cut = plan_split(folder, never, Options(**given), boxes)
    expected = [cuts(each.series) for each in cut.studies]
    assert [[file for _, file, *_ in each] for each in expected] == [["m.ct.img", *["m.pet.img"] * 4]] * 2
    found = {each.code for study in cut.studies for each in study.all_findings}
    assert "gate-cycle-unknown" in found
    in_boxes = {**given, "boxes": boxes}
    of_files = NiftiOptions(split=True, **in_boxes)
    files = gathered(nifti.planned(folder, never, of_files), of_files)
    assert [cuts(each.series for each in made.files) for made in files.studies] == expected
    assert {each.code for each in files.findings} == found
    of_stores = ZarrOptions(split=True, **in_boxes)
    stores = gathered(zarr.planned(folder, never, of_stores), of_stores)
    assert [cuts(each.series for each in made.files) for made in stores.studies] == expected
    assert {each.code for each in stores.findings} == found
    data = bids.plan_bids([folder], never, BidsOptions(incomplete=True, **in_boxes))
    assert cuts(each.series for each in data.dataset.images) == [one for each in expected for one in each]
    assert {each.code for each in data.findings} - OWN == found
    task = task_of(folder, Options, Corrections(**given)) | {"boxes": boxes, "inveon": False, "verify": True}
    preview = preview_of("split", task)
    names = [", ".join(filter(None, (file, part))) for each in expected for _, file, part, _ in each]
    assert [row[0] for row in preview.rows] == names
    assert {each.code for each in preview.findings} == found
    measured = curves.planned(folder, [], CurvesOptions(animals=True, **in_boxes))
    assert {wanted.region.name for each in measured.series for wanted in each.wanted} == {"m12", "m13"}
    assert found <= {each.code for each in measured.findings}
    results = inveonimaging.split(folder, tmp_path / "out", Options(**given), boxes=boxes)
    assert inveonimaging.verify(folder, tmp_path / "out", Corrections(**given)).same
    monkeypatch.setattr(cutting, "locate", lambda _: Located(tuple(EXTENTS.values()), None, ()))
    batches_in_this_process(monkeypatch)
    assert inveonimaging.batch(folder, tmp_path / "batch", Options(**given)).converted == len(results) == 2
    made = {f"{animal}/{each.folder}" for animal in ("m12", "m13") for each in results[0].series}
    assert {Path(name).parent.as_posix() for name in digests(tmp_path / "batch")} - {"."} == made
    written = {name: digest for name, digest in digests(tmp_path / "out").items() if name.endswith(".dcm")}
    assert written.items() <= digests(tmp_path / "batch").items()


def test_only_the_scans_that_are_named_are_read(tmp_path: Path) -> None:
    """By data file or header; a name that is not there is refused with those that are."""
    study = write_small_study(tmp_path / "study")
    read = read_study(study, Corrections(only="m1.pet.img"))
    assert [(each.scan.pair.name, each.number) for each in read.series] == [("m1.pet.img", 1)]
    both = read_study(study, Corrections(only=["m1.pet.img.hdr", "m1.ct.img"]))
    assert [each.scan.pair.name for each in both.series] == ["m1.ct.img", "m1.pet.img"]
    with pytest.raises(OptionError, match=r"study: holds no scan 'm1', expected one of m1\.ct\.img, m1\.pet\.img$"):
        read_study(study, Corrections(only="m1"))
    with pytest.raises(OptionError, match="single scans are named, and a batch takes many folders"):
        inveonimaging.batch(study, tmp_path / "batch", Options(only="m1.pet.img"))


def test_what_is_made_of_a_named_scan_is_what_is_made_of_it_alone(tmp_path: Path) -> None:
    study, alone = write_small_study(tmp_path / "study"), write_small_study(tmp_path / "alone")
    for path in alone.glob("m1.ct.*"):
        path.unlink()
    done = inveon("convert", study, tmp_path / "one", "--only", "m1.pet.img", "--verify")
    assert done.exit_code == 0, done.stderr
    inveonimaging.convert(alone, tmp_path / "other")
    made = {name: digest for name, digest in digests(tmp_path / "one").items() if name.endswith(".dcm")}
    assert len(made) == 12
    assert made.items() <= digests(tmp_path / "other").items()


def test_names_of_scans_that_are_asked_for_are_in_no_file_of_a_redacted_study(tmp_path: Path) -> None:
    study = tmp_path / "in"
    study.mkdir()
    write_scan(study / "miller.pet.img", PET)
    options = Options(only="miller.pet.img", deidentify=Deidentify(key="0123456789abcdef", shift_days=-3000))
    inveonimaging.convert(study, tmp_path / "out", options)
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(written) == 13
    assert [path for path in written if b"miller" in path.read_bytes()] == []


@pytest.mark.usefixtures("blank")
def test_what_is_no_image_is_named_by_each_command_by_the_same_reason(tmp_path: Path) -> None:
    """Raw data alone are no empty folder, and are not shown as an image in which nothing was found."""
    (folder := tmp_path / "in").mkdir()
    write_scan(folder / "m.pet.img", PET, change=lambda header: replace(header, file_type=FileType.LIST_MODE))
    reason = "file_type is 1 (list mode), which is not converted"
    for command in (
        ["convert", folder, tmp_path / "out"],
        ["report", folder, "-o", tmp_path / "r.html"],
        ["subjects", folder, "-o", tmp_path / "s.csv"],
        ["verify", folder, folder],
        ["nifti", folder, tmp_path / "out"],
        ["curves", folder, "-o", tmp_path / "c.csv", "--hottest", "3"],
    ):
        done = inveon(*command)
        assert done.exit_code == 1, command
        assert re.search(rf"m\.pet\.img\.hdr:\d+: {re.escape(reason)}", done.stderr), command
    write_scan(folder / "m.ct.img", CT)
    done = inveon("info", folder, "--json")
    assert done.exit_code == 0
    found = [[each["code"] for each in file["findings"]] for file in json.loads(done.stdout)["files"]]
    assert found[1] == ["not-convertible"]
    assert reason in done.stderr


@pytest.mark.usefixtures("blank")
def test_long_data_that_are_taken_are_a_warning_of_each_command(tmp_path: Path) -> None:
    """And a check says what a conversion does: it converts them."""
    (folder := tmp_path / "in").mkdir()
    with_long_data(folder)
    for command in (
        ["convert", folder, tmp_path / "never", "--dry-run"],
        ["convert", folder, tmp_path / "out"],
        ["info", folder],
        ["report", folder, "-o", tmp_path / "r.html"],
        ["nifti", folder, tmp_path / "nifti", "--dry-run"],
        ["curves", folder, "-o", tmp_path / "c.csv", "--hottest", "3", "--dry-run"],
    ):
        done = inveon(*command, "--allow-long-data")
        assert done.exit_code == 0, command
        (line,) = (each for each in done.stderr.splitlines() if "[data-too-long]" in each)
        assert line.startswith("warning: "), command
    checked = inveon("check", folder, "--json")
    assert checked.exit_code == 1
    checked = inveon("check", folder, "--json", "--allow-long-data")
    assert checked.exit_code == 0
    assert "SUV of m.pet.img: ready" in inveon("check", folder, "--allow-long-data").stdout
