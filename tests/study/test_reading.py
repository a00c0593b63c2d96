"""A study is read once: all commands show the same series, numbers and findings of it, and refuse the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

import inveonimaging
from helpers import CT, PET, digests, inveon, write_small_study
from inveonimaging import Corrections, Deidentify, InveonError, OptionError, Options, Severity, read_study
from inveonimaging.conversion.plan import StudyPlan, plan
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.values import GateBins
from inveonimaging.phantom import PhantomScan, frames_of, write_scan
from inveonimaging.reports.contents import contents_of

NOW = datetime(2026, 1, 1)
STATIC = frames_of(600.0)
OPEN = GateBins(input=1, bins=4, minimum_s=-1.0, maximum_s=-1.0)
GATED = replace(PET, frames=STATIC, gates=4, gate_description="ECG R-wave", gate_bins=(OPEN,))
BEDS = replace(PET, frames=STATIC, beds=(0.0, 38.5, 77.0))


def another_animal(header: Header) -> Header:
    return replace(header, subject=replace(header.subject, identifier="M0099"))


def without_units(header: Header) -> Header:
    return replace(header, array=replace(header.array, x=None))


def pair_of_scans(pet: PhantomScan, change: Callable[[Header], Header] | None = None) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        write_scan(folder / "m.ct.img", CT)
        write_scan(folder / "m.pet.img", pet, change=change)

    return write


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
    "a header without a size": pair_of_scans(PET, without_units),
}
SHEET = "subject,file,weight_g\nM0042,,24\nM0042,,25\n"


def planned(folder: Path, corrections: Corrections) -> StudyPlan:
    (study,) = plan(folder, folder / "never", Options(**corrections.values))
    return study


@pytest.mark.usefixtures("blank")
@pytest.mark.parametrize("name", STUDIES)
def test_all_show_the_same_series(tmp_path: Path, name: str) -> None:
    write, corrections = STUDIES[name]
    (folder := tmp_path / "in").mkdir()
    write(folder)
    study = read_study(folder, corrections)
    expected = [
        (each.number, each.image.pair.name, each.image.part_name, each.frame_of_reference) for each in study.series
    ]
    assert [number for number, *_ in expected] == list(range(1, len(expected) + 1))
    for series in (planned(folder, corrections).series, contents_of(study, NOW).series):
        assert [
            (each.number, each.image.pair.name, each.image.part_name, each.frame_of_reference) for each in series
        ] == expected
    (converted,) = inveonimaging.convert(folder, tmp_path / "out", Options(**corrections.values))
    assert [(int(each.folder), Path(each.source).name, each.part) for each in converted.series] == [
        (number, f"{file}.hdr", part) for number, file, part, _ in expected
    ]
    verified = inveonimaging.verify(folder, tmp_path / "out")
    assert verified.same
    assert len(verified.studies[0].series) == len(expected)


@pytest.mark.parametrize("name", STUDIES)
def test_all_find_the_same(tmp_path: Path, name: str) -> None:
    write, corrections = STUDIES[name]
    (folder := tmp_path / "in").mkdir()
    write(folder)
    study = read_study(folder, corrections)
    read = {each.code for each in (*study.findings, *(one for scan in study.scans for one in scan.all_findings))}
    plans = {each.code for each in planned(folder, corrections).all_findings}
    checked = {each.code for each in inveonimaging.check(folder, corrections, now=NOW).all_findings}
    shown = {each.code for each in contents_of(study, NOW).findings}
    assert read <= plans <= checked
    assert read <= shown <= checked


@pytest.mark.usefixtures("batches_here")
@pytest.mark.parametrize("name", REFUSED)
def test_what_a_conversion_refuses_is_an_error_everywhere(tmp_path: Path, name: str) -> None:
    (folder := tmp_path / "in").mkdir()
    REFUSED[name](folder)
    with pytest.raises(InveonError) as caught:
        planned(folder, Corrections())
    result = inveonimaging.check(folder, now=NOW)
    errors = [each for each in result.all_findings if each.severity is Severity.ERROR]
    assert any(str(caught.value.message or "missing") in each.message for each in errors)
    study = read_study(folder)
    assert study.errors or any(each.severity is Severity.ERROR for each in study.findings)
    failed = inveonimaging.batch(folder, tmp_path / "batch")
    assert (failed.converted, failed.failed) == (0, 1)


def test_a_sheet_that_contradicts_itself_is_refused_alike(tmp_path: Path) -> None:
    (folder := tmp_path / "in").mkdir()
    pair_of_scans(PET)(folder)
    (tmp_path / "s.csv").write_text(SHEET)
    told = set()
    for command in (
        ["convert", str(folder), str(tmp_path / "out"), "--dry-run"],
        ["info", str(folder)],
        ["report", str(folder), "-o", str(tmp_path / "r.html")],
        ["subjects", str(folder), "-o", str(tmp_path / "t.csv")],
        ["verify", str(folder), str(folder)],
    ):
        done = inveon(*command, "--subjects", str(tmp_path / "s.csv"))
        assert done.exit_code == 1, command
        told.add(done.stderr.strip())
    assert len(told) == 1
    done = inveon("check", str(folder), "--subjects", str(tmp_path / "s.csv"), "--json")
    assert done.exit_code == 1
    (error,) = (each for each in json.loads(done.stdout)["findings"] if each["severity"] == "error")
    assert error["message"] in told.pop()


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
