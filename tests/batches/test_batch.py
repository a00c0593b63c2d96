"""`inveon batch`: which studies there are, what is done and what is not done again, and what is reported."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pydicom
import pytest

from helpers import THIN_CT as CT
from helpers import THIN_PET as PET
from helpers import assert_harmless, assert_one_line_error, held_by, inveon, write_thin_study
from in_process import batches_in_this_process
from inveonimaging import InputError, OptionError, Options, OutputError, convert, read
from inveonimaging.animal import GivenSubject
from inveonimaging.batches import (
    Batch,
    BatchProgress,
    BatchResult,
    Check,
    Grouping,
    Outcome,
    Record,
    SkippedCounts,
    Study,
    Watch,
    plan_batch,
    run_batch,
    work,
)
from inveonimaging.batches.ledger import kept as ledger_kept
from inveonimaging.batches.names import name_of, names_below
from inveonimaging.batches.study import Job, failed, fingerprint
from inveonimaging.batches.summary import Pace
from inveonimaging.cli.batch_progress import _Lines, progress_watch
from inveonimaging.conversion.job import convert_planned
from inveonimaging.dicom.iods import Form
from inveonimaging.inveon.hdr import Header
from inveonimaging.phantom import write_scan
from inveonimaging.redaction.request import Deidentify
from inveonimaging.sheet.reading import read_sheet
from inveonimaging.version import __version__

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
LEDGER, PARTIAL, MANIFEST = "batch.jsonl", ".inveon-partial", "inveon-manifest.json"
Tree = dict[str, bytes | None]


def tree(folder: Path) -> Tree:
    """Return all that is below a folder but for the ledger: what files hold, None for folders."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    return {name: held_by(path) if path.is_file() else None for name, path in found.items() if name != LEDGER}


def ledger(output: Path) -> dict[str, dict[str, Any]]:
    """Return the lines of a ledger by output; each study has one."""
    lines = [json.loads(line) for line in (output / LEDGER).read_text("ascii").splitlines()]
    assert len({line["output"] for line in lines}) == len(lines)
    return {line["output"]: line for line in lines}


def results(output: Path) -> dict[str, str]:
    return {name: line["result"] for name, line in ledger(output).items()}


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "processes" not in request.fixturenames:
        batches_in_this_process(monkeypatch)


@pytest.fixture
def processes() -> None:
    """Let a test have real processes."""


def alone(**options: Any) -> Batch:
    """Return a batch of one process."""
    return Batch(jobs=1, **options)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a CT and a PET, to be copied."""
    return write_thin_study(tmp_path_factory.mktemp("small") / "study")


@pytest.fixture
def root(small: Path, tmp_path: Path) -> Path:
    """Return a tree with three studies: `a`, `a/deep/er` and `b`."""
    for name in ("a", "a/deep/er", "b"):
        shutil.copytree(small, tmp_path / "root" / name, dirs_exist_ok=True)
    return tmp_path / "root"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


# Which studies there are.


def planned(
    root: Path, out: Path, group: Grouping = Grouping.FOLDER, options: Options | None = None
) -> tuple[list[Study], list[InputError], SkippedCounts]:
    passed = SkippedCounts()
    found = list(plan_batch(root, out, options or Options(), group, passed))
    studies = [each for each in found if isinstance(each, Study)]
    return studies, [each for each in found if isinstance(each, InputError)], passed


def test_every_folder_with_pairs_is_a_study_of_the_same_name(root: Path, out: Path) -> None:
    (root / "empty" / "er").mkdir(parents=True)
    studies, unread, _ = planned(root, out)
    expected = [(str(root / name), name) for name in ("a", "a/deep/er", "b")]
    assert [(each.source, each.output) for each in studies] == expected
    assert unread == []


def test_the_root_itself_may_be_a_study(small: Path, out: Path) -> None:
    assert [each.output for each in planned(small, out)[0]] == ["."]


def test_the_first_study_comes_before_the_tree_is_walked(root: Path, out: Path) -> None:
    steps = plan_batch(root, out, Options(), Grouping.FOLDER, SkippedCounts())
    assert next(step for step in steps if isinstance(step, Study)).output == "a"
    shutil.rmtree(root / "b")
    assert [step.output for step in steps if isinstance(step, Study)] == ["a/deep/er"]


@posix
def test_links_hidden_folders_and_the_output_are_left_aside(root: Path, small: Path) -> None:
    (root / "link").symlink_to(small)
    (root / "loop").symlink_to(root)
    shutil.copytree(small, root / ".earlier" / "old")
    shutil.copytree(small, root / "dicom" / "inside")
    shutil.copytree(small, root / "b" / PARTIAL)
    (root / "half").mkdir()
    shutil.copy(small / "m1.ct.img", root / "half")
    studies, unread, passed = planned(root, root / "dicom")
    assert [each.output for each in studies] == ["a", "a/deep/er", "b"]
    assert unread == []
    assert passed == SkippedCounts(hidden=2, links=2, halves=1, first_half=root / "half" / "m1.ct.img")


@posix
def test_a_link_to_the_output_is_the_output(root: Path, small: Path, tmp_path: Path) -> None:
    shutil.copytree(small, root / "dicom" / "inside")
    (tmp_path / "link").symlink_to(root / "dicom")
    assert [each.output for each in planned(root, tmp_path / "link")[0]] == ["a", "a/deep/er", "b"]


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named_and_passed_over(root: Path, out: Path) -> None:
    (root / "a" / "deep").chmod(0)
    try:
        result = inveon("batch", root, out)
    finally:
        (root / "a" / "deep").chmod(0o700)
    assert result.exit_code == 1
    assert results(out) == {"a": "converted", "b": "converted"}
    assert "Permission denied" in result.stderr


def test_a_folder_that_cannot_be_read_is_named_and_passed_over(
    root: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def refusing(path: Any) -> Any:
        if str(path).endswith("deep"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", refusing)
    studies, unread, _ = planned(root, out)
    assert [each.output for each in studies] == ["a", "b"]
    assert [str(each) for each in unread] == [f"{root / 'a' / 'deep'}: cannot be read: Permission denied"]
    monkeypatch.setattr(os, "scandir", lambda path: refusing(Path(path) / "deep"))
    with pytest.raises(InputError, match="cannot be read"):
        planned(root, out)


NAMES = [
    (["a", "b"], {}, ["a", "b"]),
    (["A", "a", "a_"], {}, ["A", "a__", "a_"]),  # one name on some systems; who can keep its name does
    (["1", "2x", "x"], {}, ["1", "2x", "x"]),
    (["1", "1_", "2x", "02"], {"is_study": True}, ["1__", "1_", "2x", "02"]),  # series folders are called so
    ([MANIFEST, "Report.html"], {"is_study": True}, [MANIFEST + "_", "Report.html_"]),
    ([LEDGER, MANIFEST], {"is_root": True}, [LEDGER + "_", MANIFEST]),
    (["Ma\u0308use", "M\u00e4use"], {}, ["Ma\u0308use", "M\u00e4use_"]),
    (["A", "a"], {"existing": ["a"]}, ["A_", "a"]),  # what is there keeps its name
    (["A", "a"], {"existing": ["A", "a_"]}, ["A", "a_"]),
    (["a"], {"existing": ["A", "a_"]}, ["a_"]),  # also when its neighbour is gone
    (["a", "a_"], {"existing": ["A", "a_"]}, ["a", "a_"]),
    (["a"], {"existing": ["a_"]}, ["a"]),
    (["1", "2"], {"is_study": True, "existing": ["1"]}, ["1", "2_"]),
]


@pytest.mark.parametrize(("names", "where", "expected"), NAMES, ids=str)
def test_names_that_are_taken_get_another_one(names: list[str], where: dict[str, Any], expected: list[str]) -> None:
    assert names_below(names, **({"is_root": False, "is_study": False} | where)) == expected


def test_studies_inside_studies_do_not_meet_their_series(root: Path, small: Path, out: Path) -> None:
    shutil.copytree(small, root / "a" / "1" / "2")
    shutil.copytree(small, root / "a" / "2")
    assert run_batch(root, out, batch=alone()).is_fine
    assert sorted(ledger(out)) == ["a", "a/1_/2", "a/2_", "a/deep/er", "b"]
    for name in ("a", "a/1_/2", "a/2_"):
        assert {path.name for path in (out / name / "1").iterdir()} == {f"CT-{n:06}.dcm" for n in range(1, 4)}


def test_a_new_neighbour_leaves_a_study_where_it_is(root: Path, small: Path, out: Path) -> None:
    """As does one that goes."""
    shutil.copytree(small, root / "s1")
    run_batch(root, out, batch=alone())
    shutil.copytree(small, root / "S1" / "deep")
    if (root / "s1" / "deep").exists():
        pytest.skip("upper and lower case are one here")
    result = run_batch(root, out, batch=alone())
    assert (outcome(result), result.gone) == ((1, 4, 0), 0)
    assert results(out)["s1"] == "skipped"
    assert results(out)["S1_/deep"] == "converted"
    shutil.rmtree(root / "s1")
    result = run_batch(root, out, batch=alone())
    assert (outcome(result), result.gone) == ((0, 4, 0), 1)
    (out / LEDGER).unlink()
    assert outcome(run_batch(root, out, batch=alone())) == (0, 4, 0)
    assert "S1_/deep" in results(out)


def test_de_identified_a_neighbour_makes_no_difference(root: Path, small: Path, out: Path) -> None:
    """Names that are made with a secret need no other one."""
    options = Options(deidentify=Deidentify(key=b"a secret of many letters"))
    before = {each.source: each.output for each in planned(root, out, options=options)[0]}
    shutil.copytree(small, root / "A" / "1")
    shutil.copytree(small, root / "a" / "1", dirs_exist_ok=True)
    after = {each.source: each.output for each in planned(root, out, options=options)[0]}
    assert len(set(after.values())) == len(after) > len(before)
    assert before.items() <= after.items()


def test_a_study_stays_where_it_is_when_scans_come_above_it(root: Path, small: Path, out: Path) -> None:
    """Those are refused until the name of their series is free; what gives way is found where it then belongs."""
    shutil.copytree(small, root / "s" / "1")
    run_batch(root, out, batch=alone())
    before = tree(out)
    shutil.copytree(small, root / "s", dirs_exist_ok=True)
    for _ in range(2):
        result = run_batch(root, out, batch=alone())
        assert (outcome(result), result.gone) == ((0, 4, 1), 0)
        assert "move it elsewhere" in result.failures[0].message
        assert "--overwrite" not in result.failures[0].message
        assert tree(out) == before
    (out / "s" / "1").rename(out / "s" / "1_")
    assert outcome(run_batch(root, out, batch=alone())) == (1, 4, 0)
    assert (results(out)["s"], results(out)["s/1_"]) == ("converted", "skipped")


def test_no_study_goes_into_a_series_when_the_scans_above_it_are_gone(root: Path, small: Path, out: Path) -> None:
    shutil.copytree(small, root / "a" / "1")
    run_batch(root, out, batch=alone())
    before = tree(out)
    for path in (root / "a").glob("*.*"):
        path.unlink()
    assert outcome(run_batch(root, out, batch=alone())) == (0, 3, 0)
    assert tree(out) == before
    assert results(out)["a/1_"] == "skipped"


def test_who_has_no_study_is_reported(tmp_path: Path, out: Path) -> None:
    (tmp_path / "empty").mkdir()
    expected = {"empty": "no Inveon files below it", "missing": "no such folder", "file": "is not a folder"}
    for name, message in expected.items():
        (tmp_path / "file").touch()
        result = inveon("batch", tmp_path / name, out)
        assert message in assert_one_line_error(result.exit_code, result.stdout, result.stderr)
        assert not out.exists()


def test_a_root_that_may_not_be_read_is_one_line(root: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(path: Any) -> Any:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        patch.setattr(os, "scandir", refusing)
        result = inveon("batch", root, out)
    line = assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert line == f"error: {root}: cannot be read: Permission denied\n"
    assert not out.exists()


@pytest.mark.parametrize("place", [".", "..", "../.."])
def test_the_output_is_not_the_root_nor_above_it(root: Path, place: str) -> None:
    before = tree(root)
    result = inveon("batch", root, root / place)
    assert "contains it" in assert_one_line_error(result.exit_code, result.stdout, result.stderr, 2)
    assert tree(root) == before


# By header.


def changed(**values: Any) -> Callable[[Header], Header]:
    """Return a change of the phantom's header; names as `subject__identifier`."""

    def change(header: Header) -> Header:
        for name, value in values.items():
            group, _, field = name.partition("__")
            header = replace(header, **{group: replace(getattr(header, group), **{field: value}) if field else value})
        return header

    return change


@pytest.fixture
def scans(tmp_path: Path) -> Callable[..., None]:
    """Return a function that writes a scan below `root`, with other values in its header."""

    def write(name: str, scan: Any = CT, **values: Any) -> None:
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_scan(path, scan, change=changed(**values))

    return write


def groups(root: Path, out: Path, options: Options | None = None) -> list[list[str]]:
    studies, _, _ = planned(root, out, Grouping.HEADER, options)
    found = [sorted(Path(each.source, data).relative_to(root).as_posix() for _, data in each.files) for each in studies]
    return sorted(found)


def test_pairs_of_one_scanner_subject_and_day_are_one_study(
    scans: Callable[..., None], tmp_path: Path, out: Path
) -> None:
    scans("ct/x.ct.img", subject__identifier="M 1")
    scans("pet/deep/x.pet.img", PET, subject__identifier=" m  1")
    scans("pet/y.pet.img", PET, subject__identifier="M 2")
    scans("pet/z.pet.img", PET, subject__identifier="M 1", institution="Elsewhere")
    found = groups(tmp_path / "root", out)
    assert found == [["ct/x.ct.img", "pet/deep/x.pet.img"], ["pet/y.pet.img"], ["pet/z.pet.img"]]


def test_another_day_is_another_study(scans: Callable[..., None], tmp_path: Path, out: Path) -> None:
    for number, moment in enumerate((datetime(2014, 3, 4), datetime(2014, 3, 4, 23, 59), datetime(2014, 3, 5))):
        scans(f"{number}/x{number}.img", acquisition__scan_time=moment)
    assert groups(tmp_path / "root", out) == [["0/x0.img", "1/x1.img"], ["2/x2.img"]]


def test_pairs_without_subject_or_day_stay_with_their_folder(
    scans: Callable[..., None], tmp_path: Path, out: Path
) -> None:
    for folder in ("a", "b"):
        scans(f"{folder}/x.img", subject__identifier=None)
        scans(f"{folder}/y.img", subject__identifier="unknown")
        scans(f"{folder}/z.img")
        scans(f"{folder}/t.img", acquisition__scan_time=None)
    (tmp_path / "root" / "c").mkdir()
    (tmp_path / "root" / "c" / "odd.img").write_bytes(b"")
    (tmp_path / "root" / "c" / "odd.img.hdr").write_bytes(b"")
    lacking = [[f"{folder}/{name}.img" for name in "txy"] for folder in "ab"]
    assert groups(tmp_path / "root", out) == sorted([*lacking, ["a/z.img", "b/z.img"], ["c/odd.img"]])
    assert planned(tmp_path / "root", out, Grouping.HEADER)[2].not_grouped == 7
    reported = Options(scan_time=datetime(2020, 1, 1))  # gives those without a day theirs
    assert ["a/t.img", "b/t.img"] in groups(tmp_path / "root", out, reported)


def test_the_blocks_of_frames_are_not_read(scans: Callable[..., None], tmp_path: Path, out: Path) -> None:
    scans("a/x.img", PET, subject__identifier="M 1")
    header = tmp_path / "root" / "a" / "x.img.hdr"
    end = header.read_bytes().index(b"end_of_header") + len(b"end_of_header")
    header.write_bytes(header.read_bytes()[:end] + b"\nsubject_identifier other\nscan_time never\n" + b"\0" * 100_000)
    study = planned(tmp_path / "root", out, Grouping.HEADER)[0][0]
    assert study.output.startswith("m_1_")


def test_a_study_keeps_its_folder_however_a_new_header_spells_its_subject(
    scans: Callable[..., None], tmp_path: Path, out: Path
) -> None:
    root, how = tmp_path / "root", alone(group=Grouping.HEADER)
    scans("b/x.ct.img", subject__identifier="M 1")
    assert run_batch(root, out, batch=how).converted == 1
    scans("a/x.pet.img", PET, subject__identifier=" m  1")  # comes first
    result = run_batch(root, out, batch=how)
    assert (outcome(result), result.gone) == ((1, 0, 0), 0)
    ((name, line),) = ledger(out).items()
    assert name.startswith("m_1_2014-")
    assert [each["modality"] for each in line["series"]] == ["CT", "PET"]
    assert {path.name for path in out.iterdir()} == {name, LEDGER}


def test_the_folder_of_pairs_without_a_subject_does_not_show_where_the_root_lies(
    scans: Callable[..., None], tmp_path: Path, out: Path
) -> None:
    scans("x.img", subject__identifier=None)
    (before,) = planned(tmp_path / "root", out, Grouping.HEADER)[0]
    moved = (tmp_path / "root").rename(tmp_path / "moved")
    (after,) = planned(moved, out, Grouping.HEADER)[0]
    assert before.output == after.output


def test_the_epoch_is_no_day(scans: Callable[..., None], tmp_path: Path, out: Path) -> None:
    """A console writes it for no time: scans that have it may be of any day."""
    root = tmp_path / "root"
    for folder in "ab":
        scans(f"{folder}/x.img", acquisition__scan_time=datetime(1970, 1, 1, 0, 0))
    assert groups(root, out) == [["a/x.img"], ["b/x.img"]]
    assert planned(root, out, Grouping.HEADER)[2].not_grouped == 2
    assert groups(root, out, Options(scan_time=datetime(2020, 1, 1))) == [["a/x.img", "b/x.img"]]


@pytest.mark.parametrize(
    "subject", ["../../../etc", "CON", "a/b\\c:d*", "\u202e\x1b[31m", ".hidden", "-x", "x" * 500, "鼠", "M 1."]
)
def test_no_text_of_a_header_becomes_a_path(
    scans: Callable[..., None], tmp_path: Path, out: Path, subject: str
) -> None:
    scans("a/x.img", subject__identifier=subject)
    result = inveon("batch", tmp_path / "root", out, "--group", "header", "-j", 1)
    assert result.exit_code == 0, result.stderr
    assert_harmless(result.stdout)
    (name,) = ledger(out)
    assert {path.name for path in out.iterdir()} == {name, LEDGER}
    assert set(name) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert name[0] not in "-."
    assert len(name) <= 64
    assert (out / name / MANIFEST).exists()


def test_names_differ_by_what_they_stand_for() -> None:
    assert name_of("a/b", "1") != name_of("a/b", "2")
    assert name_of("a/b", "1") == name_of("a/b", "1")
    assert name_of("a/b", "1").startswith("a_b-")
    assert name_of("", "1").startswith("study-")


def test_a_study_of_several_folders_is_converted_once(scans: Callable[..., None], tmp_path: Path, out: Path) -> None:
    """It has the UIDs that it would have in one folder, and a copy of a scan is left aside."""
    root = tmp_path / "root"
    scans("ct/x.ct.img")
    scans("pet/x.pet.img", PET)
    shutil.copytree(root / "pet", root / "zbackup")
    (tmp_path / "one").mkdir()
    for path in (root / "ct" / "x.ct.img", root / "pet" / "x.pet.img"):
        for suffix in ("", ".hdr"):
            shutil.copy(f"{path}{suffix}", tmp_path / "one")
    (expected,) = convert(tmp_path / "one", tmp_path / "expected")
    how = alone(group=Grouping.HEADER)
    result = run_batch(root, out, batch=how)
    assert (result.found, result.converted, result.instances) == (1, 1, 7)
    ((name, line),) = ledger(out).items()
    assert line["study_instance_uid"] == expected.study_instance_uid
    assert [each["series_instance_uid"] for each in line["series"]] == [
        each.series_instance_uid for each in expected.series
    ]
    copies = [each for each in line["findings"] if each["code"] == "skipped"]
    assert [each["message"] for each in copies] == ["skipped: a copy of pet/x.pet.img, header and data"]
    before = tree(out)
    for check in Check:
        assert run_batch(root, out, batch=replace(how, check=check)).skipped == 1
    (root / "zbackup" / "x.pet.img").write_bytes(b"\1" * (root / "pet" / "x.pet.img").stat().st_size)
    assert run_batch(root, out, batch=how).converted == 1
    assert len(ledger(out)[name]["series"]) == 3
    assert tree(out) != before


# What is done.


@pytest.mark.usefixtures("processes")
def test_it_writes_what_a_recursive_conversion_writes(root: Path, out: Path, tmp_path: Path) -> None:
    convert(root, tmp_path / "expected", Options(recursive=True))
    result = run_batch(root, out, batch=Batch(jobs=2))
    assert (result.found, result.converted, result.skipped, result.failed) == (3, 3, 0, 0)
    assert result.instances == 3 * 7
    assert tree(out) == tree(tmp_path / "expected")


def test_a_line_shows_result_findings_time_and_uids(root: Path, out: Path) -> None:
    run_batch(root, out, batch=alone())
    line = ledger(out)["a/deep/er"]
    assert (line["schema"], line["source"], line["result"]) == (1, str(root / "a" / "deep" / "er"), "converted")
    first = pydicom.dcmread(out / "a" / "deep" / "er" / "1" / "CT-000001.dcm")
    assert line["study_instance_uid"] == first.StudyInstanceUID
    assert line["series"][0]["series_instance_uid"] == first.SeriesInstanceUID
    assert [each["instances"] for each in line["series"]] == [3, 4]
    assert line["instances"] == 7
    assert 0 < line["seconds"] < 600
    assert line["finished"].endswith("+00:00")
    assert {each["code"] for each in line["findings"]} == {"hounsfield-not-applied", "space-shared"}
    assert all(set(each) == {"code", "severity", "message", "file", "line"} for each in line["findings"])
    assert line["error"] is None


def no_header(folder: Path) -> None:
    (folder / "m1.ct.img.hdr").write_bytes(b"")


def short_data(folder: Path) -> None:
    os.truncate(folder / "m1.pet.img", 7)


def two_animals(folder: Path) -> None:
    write_scan(folder / "m2.ct.img", CT, change=changed(subject__identifier="M 2"))


BAD = {"HeaderError": no_header, "DataError": short_data, "InputError": two_animals}


@pytest.mark.parametrize(("kind", "spoil"), BAD.items(), ids=BAD)
def test_a_bad_study_stops_no_other(root: Path, out: Path, spoil: Callable[[Path], None], kind: str) -> None:
    spoil(root / "a")
    result = inveon("batch", root, out, "-j", 2)
    found = ledger(out)
    assert results(out) == {"a": "failed", "a/deep/er": "converted", "b": "converted"}
    assert result.exit_code == 1
    assert found["a"]["error"]["kind"] == kind
    assert result.stderr == f"error: {found['a']['error']['message']}\n"
    assert f"failed: {found['a']['error']['message']}\n" in result.stdout
    assert {path.name for path in (out / "a").iterdir()} == {"deep"}


def test_options_reach_every_study_and_strict_fails_each_alone(root: Path, out: Path, tmp_path: Path) -> None:
    (root / "a" / "notes.txt").touch()
    result = inveon("batch", root, out, "--strict", "--as", "enhanced", "--patient-id", "M <12>", "-j", 1)
    assert result.exit_code == 1
    assert results(out) == {"a": "failed", "a/deep/er": "converted", "b": "converted"}
    convert(root / "b", tmp_path / "expected", Options(form=Form.ENHANCED))
    names = {path.name for path in (tmp_path / "expected").rglob("*.dcm")}
    assert {path.name for path in (out / "b").rglob("*.dcm")} == names
    assert pydicom.dcmread(next((out / "b").rglob("*.dcm"))).PatientID == "M <12>"


def test_what_differs_from_its_source_is_a_failure(root: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_batch(root, out / "fine", batch=alone(verify=True)).converted == 3

    def spoiling(*arguments: Any) -> Any:
        done = convert_planned(*arguments)
        path = Path(done[0].output) / "2" / "PET-000003.dcm"
        path.write_bytes(path.read_bytes()[:-2] + b"\x11\x11")
        return done

    monkeypatch.setattr(work, "convert_planned", spoiling)
    job = Job(output=out, options=Options(), asked="", version=__version__, verify=True)
    record = work.convert_one(job, Study(str(root / "a"), "a"), None)
    assert (record.result, record.error and record.error["kind"]) == ("failed", "Differs")
    assert record.instances == 7


@pytest.mark.parametrize(
    "error", [KeyError("x\x1b[31m\n"), MemoryError(), OSError(5, "Input/output error"), RecursionError()]
)
def test_whatever_goes_wrong_is_one_line_of_its_study(
    root: Path, out: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def failing(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(work, "convert_planned", failing)
    record = work.convert_one(
        Job(output=out, options=Options(), asked="", version=__version__), Study(str(root / "a"), "a"), None
    )
    assert record.result == "failed"
    assert record.error is not None
    assert_harmless(record.error["message"])
    assert record.error["kind"] == type(error).__name__


# What is not done again.


def outcome(result: BatchResult) -> tuple[int, int, int]:
    return result.converted, result.skipped, result.failed


def test_what_is_complete_and_unchanged_is_skipped(root: Path, out: Path) -> None:
    run_batch(root, out, batch=alone())
    before, lines = tree(out), ledger(out)
    for check in Check:
        assert outcome(run_batch(root, out, batch=alone(check=check))) == (0, 3, 0)
        assert tree(out) == before
        for name, line in ledger(out).items():
            same = ("study_instance_uid", "series", "findings", "files", "manifest", "options", "source", "version")
            assert {key: line[key] for key in same} == {key: lines[name][key] for key in same}
            assert line["result"] == "skipped"


def test_without_the_ledger_manifest_and_files_show(root: Path, out: Path) -> None:
    run_batch(root, out, Options(study_description="x"), alone())
    before = tree(out)
    (out / LEDGER).unlink()
    assert outcome(run_batch(root, out, Options(study_description="x"), alone())) == (0, 3, 0)
    assert tree(out) == before
    (out / LEDGER).unlink()
    assert outcome(run_batch(root, out, Options(study_description="y"), alone())) == (3, 0, 0)


def change_data(root: Path) -> None:
    """Change a byte, and set size and time back."""
    path = root / "a" / "m1.pet.img"
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    while path.stat().st_ctime_ns == status.st_ctime_ns:  # some file systems count in steps
        path.write_bytes(data)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def change_header(root: Path) -> None:
    path = root / "a" / "m1.pet.img.hdr"
    path.write_bytes(path.read_bytes() + b"# a comment\n")


def more_scans(root: Path) -> None:
    write_scan(root / "a" / "m0.ct.img", CT)


def fewer_scans(root: Path) -> None:
    (root / "a" / "m1.pet.img.hdr").unlink()
    (root / "a" / "m1.pet.img").unlink()


def renamed_scan(root: Path) -> None:
    for suffix in (".img", ".img.hdr"):
        (root / "a" / f"m1.pet{suffix}").rename(root / "a" / f"m0.pet{suffix}")


IN_CHANGES = {each.__name__: each for each in (change_data, change_header, more_scans, fewer_scans, renamed_scan)}


@pytest.mark.parametrize("change", IN_CHANGES.values(), ids=IN_CHANGES)
def test_what_has_changed_is_done_again(root: Path, out: Path, tmp_path: Path, change: Callable[[Path], None]) -> None:
    if os.name == "nt" and change is change_data:
        pytest.skip("Windows keeps no time that cannot be set back: --check digest")
    run_batch(root, out, batch=alone())
    without_ledger = shutil.copytree(out, tmp_path / "without ledger", ignore=shutil.ignore_patterns(LEDGER))
    change(root)
    convert(root, tmp_path / "expected", Options(recursive=True))
    for output in (out, without_ledger):
        assert outcome(run_batch(root, output, batch=alone())) == (1, 2, 0)
        assert results(output) == {"a": "converted", "a/deep/er": "skipped", "b": "skipped"}
        assert tree(output) == tree(tmp_path / "expected")


def test_what_was_only_touched_is_read_and_skipped(root: Path, out: Path) -> None:
    run_batch(root, out, batch=alone())
    stamp = ledger(out)["a"]["files"]
    os.utime(root / "a" / "m1.pet.img", ns=(1, 1))
    assert outcome(run_batch(root, out, batch=alone())) == (0, 3, 0)
    assert ledger(out)["a"]["files"] != stamp  # the next time a look is enough


def file_gone(study: Path) -> None:
    (study / "2" / "PET-000003.dcm").unlink()


def file_cut(study: Path) -> None:
    os.truncate(study / "2" / "PET-000003.dcm", 100)


def series_gone(study: Path) -> None:
    shutil.rmtree(study / "1")


def all_gone(study: Path) -> None:
    (study / MANIFEST).unlink()
    for name in "12":
        shutil.rmtree(study / name)


OUT_CHANGES = {each.__name__: each for each in (file_gone, file_cut, series_gone, all_gone)}


@pytest.mark.parametrize("change", OUT_CHANGES.values(), ids=OUT_CHANGES)
def test_output_that_is_not_whole_is_made_again(root: Path, out: Path, change: Callable[[Path], None]) -> None:
    run_batch(root, out, batch=alone())
    before = tree(out)
    change(out / "a")
    assert outcome(run_batch(root, out, batch=alone())) == (1, 2, 0)
    assert tree(out) == before


def test_a_changed_byte_of_the_output_is_found_by_digest(root: Path, out: Path) -> None:
    run_batch(root, out, batch=alone())
    before = tree(out)
    path = out / "a" / "2" / "PET-000003.dcm"
    path.write_bytes(path.read_bytes()[:-1] + b"\x55")
    assert outcome(run_batch(root, out, batch=alone())) == (0, 3, 0)
    assert outcome(run_batch(root, out, batch=alone(check=Check.DIGEST))) == (1, 2, 0)
    assert tree(out) == before


OTHER_OPTIONS: dict[str, list[str]] = {
    "form": ["--as", "legacy"],
    "patient": ["--patient-id", "M12"],
    "prefix": ["--ct-prefix", "X-"],
    "compression": ["--compress", "deflated"],
    "posture": ["--orientation", "HFP"],
    "uids": ["--uids", "random"],
}


@pytest.mark.parametrize("with_ledger", [True, False], ids=["ledger", "no ledger"])
@pytest.mark.parametrize("options", OTHER_OPTIONS.values(), ids=OTHER_OPTIONS)
def test_other_options_do_it_again(root: Path, out: Path, options: list[str], with_ledger: bool) -> None:
    shutil.rmtree(root / "a")
    assert inveon("batch", root, out, "-j", 1).exit_code == 0
    if not with_ledger:
        (out / LEDGER).unlink()
    assert inveon("batch", root, out, "-j", 1, *options).exit_code == 0
    assert results(out) == {"b": "converted"}
    assert inveon("batch", root, out, "-j", 1, *options).exit_code == 0
    assert results(out) == {"b": "skipped"}


def test_options_that_change_nothing_do_not(root: Path, out: Path) -> None:
    run_batch(root, out, batch=alone())
    before = tree(out)
    given = GivenSubject(id=read(root / "a" / "m1.ct.img").header.subject.identifier)
    assert outcome(run_batch(root, out, Options(subject=given), alone())) == (0, 3, 0)
    assert tree(out) == before


def test_what_failed_is_tried_again(root: Path, out: Path) -> None:
    header = root / "a" / "m1.ct.img.hdr"
    whole = header.read_bytes()
    header.write_bytes(b"")
    assert outcome(run_batch(root, out, batch=alone())) == (2, 0, 1)
    assert outcome(run_batch(root, out, batch=alone())) == (0, 2, 1)
    header.write_bytes(whole)
    assert outcome(run_batch(root, out, batch=alone())) == (1, 2, 0)


def test_what_failed_alone_is_tried_again_and_nothing_else_is_looked_at(root: Path, out: Path) -> None:
    """The others have other options now, which would convert them again."""
    header = root / "a" / "m1.ct.img.hdr"
    whole = header.read_bytes()
    header.write_bytes(b"")
    run_batch(root, out, batch=alone())
    header.write_bytes(whole)
    (out / "b" / "1" / "CT-000001.dcm").unlink()
    assert "study" in inveon("batch", root, out, "--only-failed", "--dry-run").stdout.splitlines()[-1]
    found = run_batch(root, out, Options(form="enhanced"), alone(only_failed=True))
    assert (found.found, *outcome(found), found.gone) == (1, 1, 0, 0, 0)
    assert sorted(path.name for path in (out / "b" / "1").iterdir()) == [f"CT-{n:06}.dcm" for n in range(2, 4)]
    nothing = run_batch(root, out, Options(form="enhanced"), alone(only_failed=True))
    assert (nothing.found, nothing.is_fine) == (0, True)


def test_the_ledger_says_whose_a_study_is_and_whether_it_was_verified(root: Path, out: Path) -> None:
    def reported() -> set[tuple[str, str, bool]]:
        return {(each["patient_id"], each["study_date"], each["verified"]) for each in ledger(out).values()}

    run_batch(root, out, batch=alone())
    first = pydicom.dcmread(out / "b" / "1" / "CT-000001.dcm")
    assert (first.PatientID, first.StudyDate) == ("M0042", "20140617")
    assert reported() == {("M0042", "2014-06-17", False)}
    given = Options(subject={"id": "M 7"})
    run_batch(root, out, given, alone(verify=True))
    assert reported() == {("M 7", "2014-06-17", True)}
    run_batch(root, out, given, alone())
    assert reported() == {("M 7", "2014-06-17", True)}
    (root / "b" / "m1.ct.img.hdr").write_bytes(b"")
    run_batch(root, out, given, alone())
    assert (ledger(out)["b"]["patient_id"], ledger(out)["b"]["result"]) == ("M 7", "failed")


def test_who_fails_keeps_what_stood_there(root: Path, out: Path) -> None:
    run_batch(root, out, batch=alone())
    before = tree(out)
    (root / "a" / "m1.ct.img.hdr").write_bytes(b"")
    assert outcome(run_batch(root, out, batch=alone())) == (0, 2, 1)
    assert tree(out) == before


def test_nothing_but_our_own_is_replaced(root: Path, out: Path) -> None:
    run_batch(root, out, batch=alone())
    (out / "a" / "1" / "notes.txt").write_text("precious")
    (out / "b" / "notes.txt").write_text("precious")
    result = run_batch(root, out, Options(study_description="x"), alone())
    assert outcome(result) == (2, 0, 1)
    assert "is of no earlier conversion" in result.failures[0].message
    assert (out / "a" / "1" / "notes.txt").read_text() == "precious"
    assert (out / "b" / "notes.txt").read_text() == "precious"


def other_names(folder: Path) -> None:
    for path in list(folder.iterdir()):
        path.rename(path.with_name(f"quite.other.{path.name}"))
    other_voxels(folder)


def other_voxels(folder: Path) -> None:
    """Change the data alone: two scans of one minute may have the same header."""
    for path in folder.glob("*.img"):
        path.write_bytes(path.read_bytes()[::-1])


def other_subject(folder: Path) -> None:
    for path in folder.glob("*.hdr"):
        path.write_bytes(path.read_bytes().replace(b"subject_identifier ", b"subject_identifier X"))


ANOTHER = {each.__name__: each for each in (other_names, other_voxels, other_subject)}


@pytest.mark.parametrize("spoil", ANOTHER.values(), ids=ANOTHER)
def test_a_study_of_another_archive_is_not_replaced(
    root: Path, out: Path, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    run_batch(root, out, batch=alone())
    before = tree(out)
    shutil.copytree(root / "b", tmp_path / "other" / "b")
    spoil(tmp_path / "other" / "b")
    for _ in range(3):  # that it was refused is no proof that it came from there
        result = run_batch(tmp_path / "other", out, batch=alone())
        assert outcome(result) == (0, 0, 1)
        assert "has a study of other files" in result.failures[0].message
        assert tree(out) == before
        assert ledger(out)["b"]["made_from"] == str(root / "b")
    other_voxels(root / "b")
    other_subject(root / "b")
    assert outcome(run_batch(root, out, batch=alone())) == (1, 2, 0)  # its own archive still may replace it


def test_an_archive_that_has_moved_is_known(root: Path, out: Path) -> None:
    run_batch(root, out, batch=alone())
    moved = root.rename(root.with_name("moved"))
    assert outcome(run_batch(moved, out, batch=alone())) == (0, 3, 0)
    assert ledger(out)["b"]["source"] == ledger(out)["b"]["made_from"] == str(moved / "b")
    more_scans(moved.rename(root))
    assert outcome(run_batch(root, out, batch=alone())) == (1, 2, 0)


def test_what_failed_may_come_back_as_something_else(root: Path, out: Path) -> None:
    """The ledger still says that what is there came from this folder."""
    run_batch(root, out, batch=alone())
    header = root / "a" / "m1.ct.img.hdr"
    whole = header.read_bytes()
    header.write_bytes(b"")
    assert outcome(run_batch(root, out, batch=alone())) == (0, 2, 1)
    header.write_bytes(whole)
    other_voxels(root / "a")
    assert outcome(run_batch(root, out, batch=alone())) == (1, 2, 0)


def test_a_conversion_that_was_made_alone_is_known(root: Path, out: Path) -> None:
    convert(root, out, Options(recursive=True))
    assert outcome(run_batch(root, out, batch=alone())) == (0, 3, 0)


def test_what_is_gone_from_the_root_keeps_its_line_and_its_files(root: Path, out: Path) -> None:
    run_batch(root, out, batch=alone())
    before = tree(out)
    shutil.rmtree(root / "b")
    result = run_batch(root, out, batch=alone())
    assert (outcome(result), result.gone) == ((0, 2, 0), 1)
    assert tree(out) == before
    assert "b" in ledger(out)


# The ledger.


def test_a_torn_line_and_damaged_ones_are_tolerated(root: Path, out: Path) -> None:
    run_batch(root, out, batch=alone())
    before = tree(out)
    lines = (out / LEDGER).read_bytes().splitlines(keepends=True)
    (out / LEDGER).write_bytes(lines[0] + b"no JSON\n[1]\n{}\n" + lines[1] + lines[2][:-30])
    seen: list[str] = []
    watch = Watch()
    watch.record = lambda record: seen.append(record.output)  # type: ignore[method-assign]
    assert outcome(run_batch(root, out, batch=alone(), watch=watch)) == (0, 3, 0)
    assert sorted(seen) == ["a", "a/deep/er", "b"]
    assert tree(out) == before
    assert results(out) == dict.fromkeys(("a", "a/deep/er", "b"), "skipped")


DAMAGED: list[dict[str, Any]] = [
    {"source": 1},
    {"result": 2, "options": 3, "manifest": 4, "files": 5, "rows": 6},
    {"rows": None},
    {"rows": [1, "2"]},
    {"rows": [[]]},
    {"files": None},
    {"made_from": {}},
]


def test_a_line_with_a_damaged_field_counts_as_none(root: Path, out: Path) -> None:
    run_batch(root, out, batch=alone())
    before, whole, line_of_a = tree(out), (out / LEDGER).read_bytes(), ledger(out)["a"]
    for fields in DAMAGED:
        (out / LEDGER).write_bytes(whole + json.dumps({**line_of_a, **fields}).encode() + b"\n")
        assert "-> a [converted]" in inveon("batch", root, out, "--dry-run").stdout, fields  # the line before it counts
        assert outcome(run_batch(root, out, batch=alone())) == (0, 3, 0), fields
        assert tree(out) == before
        assert {name: line["rows"] for name, line in ledger(out).items()} == {"a": [], "a/deep/er": [], "b": []}


def test_lines_stand_there_as_soon_as_studies_end(root: Path, out: Path) -> None:
    counts: list[int] = []

    class Counting(Watch):
        def record(self, record: Record) -> None:
            lines = (out / LEDGER).read_bytes().splitlines(keepends=True)
            assert json.loads(lines[-1])["output"] == record.output
            counts.append(len(lines))

    run_batch(root, out, batch=alone(), watch=Counting())
    assert counts == [1, 2, 3]


def test_one_batch_at_a_time_works_in_an_output(root: Path, out: Path) -> None:
    found: list[str] = []

    class Second(Watch):
        def record(self, record: Record) -> None:
            with pytest.raises(OutputError, match="another batch is running here; wait until it has ended"):
                run_batch(root, out, batch=alone())
            found.append(record.output)

    assert run_batch(root, out, batch=alone(), watch=Second()).is_fine
    assert len(found) == 3
    assert {path.name for path in out.iterdir()} == {"a", "b", LEDGER}


def test_a_ledger_that_cannot_be_written_is_one_line(root: Path, out: Path) -> None:
    (out / LEDGER).mkdir(parents=True)
    result = inveon("batch", root, out)
    assert "cannot be written" in assert_one_line_error(result.exit_code, result.stdout, result.stderr)


def test_an_error_that_an_interruption_brings_about_is_the_interruption(out: Path) -> None:
    """As of a file that it closed half way."""

    def interrupted() -> None:
        try:
            raise KeyboardInterrupt
        finally:
            os.close(-1)

    with pytest.raises(KeyboardInterrupt), ledger_kept(out):
        interrupted()
    assert not out.exists()
    with pytest.raises(OutputError, match="cannot be written"), ledger_kept(out):
        os.close(-1)


# The command.


def test_the_summary_shows_numbers_findings_and_failures(root: Path, out: Path) -> None:
    (root / "a" / "m1.ct.img.hdr").write_bytes(b"")
    (root / "b" / "notes.txt").touch()
    result = inveon("batch", root, out, "-j", 1)
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.stdout.splitlines() if "│" in line]
    assert ["converted", "2"] in [row[:2] for row in rows]
    assert ["failed", "1"] in [row[:2] for row in rows]
    assert ["skipped", "warning", "1"] in rows
    assert ["hounsfield-not-applied", "note", "2"] in rows
    assert f"failed: {root / 'a' / 'm1.ct.img.hdr'}: " in result.stdout
    assert str(out / LEDGER) in result.stdout


def test_json_is_one_document(root: Path, out: Path) -> None:
    (root / "a" / "m1.ct.img.hdr").write_bytes(b"")
    result = inveon("batch", root, out, "-j", 1, "--json")
    document = json.loads(result.stdout)
    assert (document["schema"], document["dry_run"]) == (1, False)
    reported = document["batch"]
    assert (reported["found"], reported["converted"], reported["failed"], reported["instances"]) == (3, 2, 1, 14)
    assert reported["failures"][0]["output"] == "a"
    assert {"code": "space-shared", "severity": "note", "studies": 2} in reported["finding_counts"]


@pytest.mark.parametrize("group", ["folder", "header"])
def test_a_dry_run_lists_and_writes_nothing(root: Path, out: Path, group: str) -> None:
    result = inveon("batch", root, out, "--dry-run", "--group", group)
    assert result.exit_code == 0
    assert not out.exists()
    assert result.stdout.splitlines()[-1] == ("3 studies" if group == "folder" else "1 study")
    run_batch(root, out, batch=alone())
    before = tree(out), (out / LEDGER).read_bytes()
    lines = inveon("batch", root, out, "--dry-run").stdout.splitlines()
    assert lines[0] == f"{root / 'a'} -> a [converted]"
    assert before == (tree(out), (out / LEDGER).read_bytes())
    document = json.loads(inveon("batch", root, out, "-n", "--json", "--group", group).stdout)
    assert document["dry_run"]
    assert len(document["studies"]) == (3 if group == "folder" else 1)


WRONG = [
    ["--jobs", "257"],
    ["--group", "colour"],
    ["--dask", "tcp://x:1", "--dask-cluster", "x"],
    ["--dask", "tcp://x:1", "--jobs", "2"],
    ["--group", "header", "--verify"],
    ["--check", "never"],
    ["--compress", "zip"],
    ["--deidentify", "--shift-days", "10"],
]


@pytest.mark.parametrize("options", WRONG, ids=" ".join)
def test_wrong_usage_is_reported(root: Path, out: Path, options: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INVEON_DEIDENTIFY_KEY", raising=False)
    result = inveon("batch", root, out, *options)
    assert result.exit_code == 2
    assert not out.exists()


def test_the_api_refuses_what_makes_no_sense() -> None:
    with pytest.raises(OptionError, match="jobs is 257, expected 0 to 256"):
        Batch(jobs=257)


def test_pace_is_that_of_late() -> None:
    """100 were skipped in a second, then one a second is converted: a minute takes 60."""
    pace = Pace(0.0)
    assert (pace.per_minute(), pace.left_s(5)) == (None, None)
    for number in range(100):
        pace.ended((number + 1) / 100)
    assert pace.per_minute() == pytest.approx(6000)
    for number in range(300):
        pace.ended(2.0 + number)
    assert pace.per_minute() == pytest.approx(60)
    assert pace.left_s(90) == pytest.approx(90)


def test_progress_reaches_the_end(root: Path, out: Path) -> None:
    values: list[BatchProgress] = []

    class Listening(Watch):
        def progress(self, progress: BatchProgress) -> None:
            values.append(progress)

    run_batch(root, out, batch=alone(), watch=Listening())
    last = values[-1]
    assert (last.done, last.found, last.is_found, last.failed, last.left_s) == (3, 3, True, 0, 0.0)
    assert str(last).startswith("3 of 3 studies, ")
    assert str(BatchProgress(12, 1, 30, False, 24.04, None)) == "12 of 30 or more studies, 1 failed, 24.0 a minute"
    assert str(BatchProgress(12, 0, 30, True, 24.0, 45.0)) == "12 of 30 studies, 24.0 a minute, 45 s left"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_and_failures_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "200")
    with progress_watch() as watch:
        watch.progress(BatchProgress(1, 1, 4, True, 24.0, 7.0))
        error = {"kind": "X", "message": "[red]is \x1b[31mno markup[/red]", "path": "/a", "line": None}
        watch.record(Record(source="/a", output="a", result=Outcome.FAILED, error=error))
        watch.unread(InputError("cannot be read", path="/b"))
    shown = re.sub(r"\x1b\[[0-9;]*m", "", terminal.getvalue())
    assert terminal.getvalue().count("\x1b[1;31merror:\x1b[0m ") == 2
    assert "error: /a: [red]is \\x1b[31mno markup[/red]\n" in shown
    assert "error: /b: cannot be read\n" in shown
    assert "1 of 4 studies, 1 failed, 24.0 a minute, 7 s left" in shown


def test_without_a_terminal_there_is_a_line_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    seconds = iter(range(0, 1000, 25))
    lines = _Lines(lambda: float(next(seconds)))
    for done in range(8):
        lines(BatchProgress(done, 0, 30, True, 24.0, 45.0))
    shown = capsys.readouterr().err.splitlines()
    assert 2 <= len(shown) <= 4
    assert shown[0].startswith("progress: ")
    assert shown[0].endswith(" of 30 studies, 24.0 a minute, 45 s left")


# The subjects' sheet, and de-identification.


def test_rows_of_a_sheet_reach_their_studies_and_unused_ones_are_named(root: Path, out: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "subjects.csv"
    sheet.write_text("folder,patient_id\na,FROM SHEET\nnowhere,X\nb,FROM SHEET TOO\n")
    options = ["--subjects", sheet, "-j", 1]
    found = []
    for _ in range(2):
        result = inveon("batch", root, out, *options)
        assert result.exit_code == 0, result.stderr
        found.append(results(out))
        messages = [line for line in result.stderr.splitlines() if "match no scan" in line]
        assert len(messages) == 1
        assert "1 of 3 rows match no scan: 3" in messages[0]
    assert [set(each.values()) for each in found] == [{"converted"}, {"skipped"}]
    ids = {name: pydicom.dcmread(out / name / "1" / "CT-000001.dcm").PatientID for name in ("a", "b")}
    assert ids == {"a": "FROM SHEET", "b": "FROM SHEET TOO"}
    assert {name: line["rows"] for name, line in ledger(out).items()} == {"a": [2], "a/deep/er": [], "b": [4]}
    assert {each["code"] for each in ledger(out)["a/deep/er"]["findings"]} >= {"scan-not-in-sheet"}
    sheet.write_text("folder,patient_id\na,FROM SHEET\nnowhere,X\nb,ANOTHER\n")
    assert inveon("batch", root, out, *options).exit_code == 0
    assert results(out) == {"a": "skipped", "a/deep/er": "skipped", "b": "converted"}


SPOILED: dict[str, Callable[[Path], object]] = {
    "no frame's scale": lambda folder: write_scan(folder / "m2.pet.img", PET, change=no_scale),
    "short data": short_data,
    "one of two headers": no_header,
    "another animal": two_animals,
}


def no_scale(header: Header) -> Header:
    return replace(header, frames=tuple(replace(frame, scale_factor=0.0) for frame in header.frames))


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_rows_of_a_study_that_fails_are_not_reported_to_match_no_scan(
    root: Path, out: Path, tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    spoil(root / "a")
    sheet = tmp_path / "subjects.csv"
    subject = read(root / "b" / "m1.ct.img").header.subject.identifier
    sheet.write_text(f"folder,subject,sex\nroot/a,{subject},F\na,,F\nnowhere,,F\n")
    for _ in range(2):
        result = inveon("batch", root, out, "--subjects", sheet, "-j", 1)
        assert results(out)["a"] == "failed"
        assert ledger(out)["a"]["rows"] == [2, 3]
        assert "1 of 3 rows match no scan: 4" in result.stderr


def test_rows_that_contradict_each_other_are_not_reported_to_match_no_scan(
    root: Path, out: Path, tmp_path: Path
) -> None:
    (tmp_path / "subjects.csv").write_text("folder,sex\nb,F\nb,M\n")
    result = inveon("batch", root, out, "--subjects", tmp_path / "subjects.csv", "-j", 1)
    assert results(out) == {"a": "converted", "a/deep/er": "converted", "b": "failed"}
    assert "both match" in result.stderr
    assert "match no scan" not in result.stderr


def test_rows_of_an_earlier_sheet_do_not_count(root: Path, out: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "subjects.csv"
    sheet.write_text("folder,sex\nnowhere,F\na,F\n")
    inveon("batch", root, out, "--subjects", sheet, "-j", 1)
    short_data(root / "a")
    sheet.write_text("folder,sex\na,F\nnowhere,F\n")
    result = inveon("batch", root, out, "--subjects", sheet, "-j", 1)
    assert ledger(out)["a"]["rows"] == [2]
    assert "1 of 2 rows match no scan: 3" in result.stderr


def test_a_study_whose_process_is_lost_has_its_rows(
    root: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "subjects.csv").write_text("file,sex\na/m1.pet.img,F\nnowhere/m1.pet.img,F\n")
    sheet = read_sheet(tmp_path / "subjects.csv")
    monkeypatch.setattr(work, "convert_one", lambda _job, study, _before: failed(study, "ProcessEnded", "it ended"))
    result = run_batch(root, out, Options(sheet=sheet), alone())
    assert outcome(result) == (0, 0, 3)
    assert [each.message for each in result.sheet] == ["1 of 2 rows match no scan: 3"]
    assert {name: line["rows"] for name, line in ledger(out).items()} == {"a": [2], "a/deep/er": [], "b": []}


def test_de_identified_output_and_ledger_name_no_folder_and_no_file(
    root: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVEON_DEIDENTIFY_KEY", "a secret of many letters")
    subject = str(read(root / "b" / "m1.ct.img").header.subject.identifier)
    (root / "b").rename(root / "telltale")
    (root / "a" / "m1.ct.img.hdr").write_bytes(b"")
    for again in ("converted", "skipped"):
        result = inveon("batch", root, out, "--deidentify", "-j", 1)
        assert result.exit_code == 1
        assert str(root / "a") in result.stderr  # who runs it sees it
        found = results(out)
        assert sorted(found.values()) == sorted(["failed", again, again])
        assert all(name.startswith("study-") and len(name) == 22 for name in found)
    for path in [out, *out.rglob("*")]:
        assert "telltale" not in path.name
        if path.is_file():
            held = path.read_bytes()
            for text in ("telltale", "m1.ct.img", "m1.pet.img", str(root), subject):
                assert text.encode() not in held, f"{text} in {path}"
    before = tree(out)
    with (root / "telltale" / "m1.pet.img").open("r+b") as file:
        file.write(b"\x07\x07")
    (out / LEDGER).unlink()
    inveon("batch", root, out, "--deidentify", "-j", 1)
    assert sorted(results(out).values()) == ["converted", "failed", "skipped"]
    assert tree(out) != before
    other = inveon("batch", root, tmp_path / "other", "--deidentify", "--group", "header", "-j", 1)
    assert all(name.startswith("study-") for name in ledger(tmp_path / "other")), other.stdout


def test_no_sum_in_the_ledger_shows_the_secret_or_the_dates() -> None:
    """Whoever guesses them has nothing to compare the guesses with."""
    keys = (b"a secret of many letters", b"another secret of many letters")
    sums = {fingerprint(Options(deidentify=Deidentify(key=key))) for key in keys}
    assert len(sums) == 1
    shifts = {fingerprint(Options(deidentify=Deidentify(key=keys[0], shift_days=days))) for days in (-3000, -3001)}
    times = {
        fingerprint(Options(deidentify=Deidentify(key=keys[0]), scan_time=time, injected_at=time))
        for time in ("2014-03-04 10:00:00", "2014-03-05 10:00:00")
    }
    born = {
        fingerprint(Options(deidentify=Deidentify(key=keys[0]), subject={"birth_date": day}))
        for day in ("2014-01-01", "2014-01-02")
    }
    assert len(shifts | times | born) == 1
    assert not shifts & sums
    kept = fingerprint(Options(deidentify=Deidentify(key=keys[0], dates="keep")))
    assert kept not in shifts | sums | {fingerprint(Options())}
    plain = {fingerprint(Options(scan_time=f"2014-03-0{day} 10:00:00")) for day in (4, 5)}
    assert len(plain) == 2


def test_another_secret_or_shift_is_seen_and_the_same_is_skipped(root: Path, out: Path) -> None:
    """Also of a study that goes to the output itself, whose name says nothing of the secret."""
    keys = (b"a secret of many letters", b"another secret of many letters")
    (root / "one").mkdir()
    for name in ("m1.ct.img", "m1.ct.img.hdr"):
        shutil.copy(root / "b" / name, root / "one" / name)
    for key, days, expected in (
        (keys[0], None, "converted"),
        (keys[0], None, "skipped"),
        (keys[0], -3000, "converted"),
        (keys[0], -3000, "skipped"),
        (keys[0], -3001, "converted"),
        (keys[0], None, "converted"),
        (keys[0], None, "skipped"),
        (keys[1], None, "failed"),  # it may be another archive, whose study is not replaced
    ):
        run_batch(root / "one", out, Options(deidentify=Deidentify(key=key, shift_days=days)), alone())
        assert list(results(out).values()) == [expected], (key, days)
