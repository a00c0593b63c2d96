"""`--xnat-route`: Patient Comments that XNAT routes by, and the one study that a scan or session becomes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pydicom
import pytest

from helpers import CT, PET, assert_one_line_error, digests, files_below, instances, inveon, write_small_study
from inveonimaging import Options, convert
from inveonimaging.animal.xnat_route import Route, checked_label, route_of
from inveonimaging.conversion.archive import plan_archive
from inveonimaging.conversion.job import convert_planned
from inveonimaging.conversion.plan import plan_pairs
from inveonimaging.dicom.iods import Form
from inveonimaging.errors import InputError, OptionError
from inveonimaging.inveon.pairs import pair_of
from inveonimaging.phantom import write_scan
from inveonimaging.study.registration import RegistrationPolicy

ROUTE = "PIXI_01/mouse-7/mouse-7_PETCT"
COMMENTS = "Project: PIXI_01 Subject: mouse-7 Session: mouse-7_PETCT"


def extracted(comments: str, label: str) -> str | None:
    r"""Return what XNAT takes from Patient Comments.

    The expression is that of `org.nrg.dcm.ContainedAssignmentExtractor` (dicom-xnat-util): START, id, spaces, `\:`,
    spaces, `([\w\-]*)`, END, with CASE_INSENSITIVE; `MatchedPatternExtractorWithLengthLimit` asks that all of the text
    matches. Java's `\w` and `\s` are those of ASCII.
    """
    start, end = r"(?:\A|(?:.*[\s,;]))", r"(?:(?:[\s,;].*\Z)|\Z)"
    pattern = start + label + r"\s*\:\s*([\w\-]*)" + end
    found = re.fullmatch(pattern, comments, re.IGNORECASE | re.ASCII)
    return found[1] if found else None


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_small_study(tmp_path / "in")


# The text.


@pytest.mark.parametrize("form", ["classic", "enhanced", "legacy"])
def test_every_instance_has_the_comments_and_xnat_finds_the_labels(study: Path, tmp_path: Path, form: str) -> None:
    done = inveon("convert", study, tmp_path / "out", "--as", form, "--xnat-route", ROUTE)
    assert done.exit_code == 0, done.stderr
    found = instances(tmp_path / "out")
    assert len(found) == (18 if form == "classic" else 2)
    assert {(ds["PatientComments"].VR, ds.PatientComments) for ds in found} == {("LT", COMMENTS)}
    for ds in found:
        labels = [extracted(ds.PatientComments, label) for label in ("Project", "Subject", "Session")]
        assert labels == ROUTE.split("/")
        assert extracted(ds.PatientComments, "AA") is None  # the server decides whether to archive at once


@pytest.mark.parametrize(
    "labels",
    [
        ("Project", "Subject", "Session"),
        ("Session", "Project", "Subject"),
        ("a", "0", "-"),
        ("AA", "AA", "AA"),
        ("x" * 255,) * 3,
    ],
)
def test_labels_that_look_like_keys_are_found_whole(labels: tuple[str, str, str]) -> None:
    comments = Route(*labels).comments
    assert tuple(extracted(comments, kind) for kind in ("project", "subject", "session")) == labels
    assert len(comments) <= 10240  # LT, PS3.5 section 6.2


def test_without_a_route_there_are_no_comments(study: Path, tmp_path: Path) -> None:
    convert(study, tmp_path / "out")
    assert all("PatientComments" not in ds for ds in instances(tmp_path / "out"))


def test_another_route_gives_other_uids_and_the_same_route_the_same(study: Path, tmp_path: Path) -> None:
    uids = {}
    for name, route in (("none", None), ("one", ROUTE), ("again", ROUTE), ("other", "P/S/L")):
        convert(study, tmp_path / name, Options(xnat_route=route_of(route) if route else None))
        uids[name] = {ds.SOPInstanceUID for ds in instances(tmp_path / name)}
    assert uids["one"] == uids["again"]
    assert digests(tmp_path / "one") == digests(tmp_path / "again")
    assert not uids["none"] & uids["one"]
    assert not uids["one"] & uids["other"]


def test_the_manifest_shows_the_route(study: Path, tmp_path: Path) -> None:
    convert(study, tmp_path / "out", Options(xnat_route=route_of(ROUTE)))
    assert json.loads((tmp_path / "out" / "inveon-manifest.json").read_bytes())["options"]["xnat_route"] == ROUTE


# What is refused.


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "PROJECT/SUBJECT/SESSION"),
        ("P/S", "PROJECT/SUBJECT/SESSION"),
        ("P/S/L/x", "PROJECT/SUBJECT/SESSION"),
        ("P//L", "subject is ''"),
        ("P/S/", "session is ''"),
        ("P 1/S/L", "project is 'P 1'"),
        ("P/mouse 7/L", "subject is 'mouse 7'"),
        ("P/S/L.1", "session is 'L.1'"),
        ("P/S/L;AA:true", "session is 'L;AA:true'"),
        ("P/Mäuse/L", "subject is 'Mäuse'"),
        ("P/٣/L", "subject is '٣'"),
        ("P/S/L\n", r"session is 'L\n'"),
        ("P/S/\x1b[31m", "session is"),
        (f"P/S/{'x' * 256}", "256 characters"),
    ],
)
def test_what_xnat_would_cut_is_one_line(study: Path, tmp_path: Path, text: str, named: str) -> None:
    done = inveon("convert", study, tmp_path / "out", "--xnat-route", text)
    assert named in assert_one_line_error(done.exit_code, done.stdout, done.stderr, expected_code=2)
    assert not (tmp_path / "out").exists()


def test_a_project_alone_is_checked_likewise() -> None:
    assert checked_label("PIXI-01_a") == "PIXI-01_a"
    with pytest.raises(OptionError, match="XNAT project is 'a b', expected letters"):
        checked_label("a b")
    with pytest.raises(OptionError, match="XNAT session is ''"):
        Route("P", "S", "")


# Many folders, one study.


def write_session(root: Path, scans: str = "SCANS/{}/INVEON/{}") -> Path:
    """Write two CTs of one name and a PET, a scan each."""
    for number, (name, scan) in enumerate((("m.img", CT), ("m.img", CT), ("a.pet.img", PET)), 1):
        path = root / scans.format(number, name)
        path.parent.mkdir(parents=True)
        write_scan(path, scan)
    return root


LAYOUTS = {
    "archive": "SCANS/{}/INVEON/{}",
    "download": "scans/{}-PET/resources/INVEON/files/{}",
    "scans alone": "{}/resources/INVEON/files/{}",
    "no resource folder": "{}/{}",
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_a_session_is_one_study_in_one_frame_of_reference(tmp_path: Path, layout: str) -> None:
    session = write_session(tmp_path / "in", layout)
    before = digests(session)
    done = inveon("xnat", session, tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    found = instances(tmp_path / "out")
    assert len({ds.StudyInstanceUID for ds in found}) == 1
    assert len({ds.FrameOfReferenceUID for ds in found}) == 1
    series = {(int(ds.SeriesNumber), ds.Modality, ds.SeriesInstanceUID) for ds in found}
    assert sorted((number, modality) for number, modality, _ in series) == [(1, "PT"), (2, "CT"), (3, "CT")]
    assert len({ds.SOPInstanceUID for ds in found}) == len(found) == 12 + 6 + 6
    assert digests(session) == before
    lines = [line.rpartition(" from ")[2] for line in done.stdout.splitlines()]
    assert lines == [f"{layout.format(*each)}.hdr" for each in ((3, "a.pet.img"), (1, "m.img"), (2, "m.img"))]


def test_the_study_is_the_same_wherever_the_files_lie(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    write_scan(tmp_path / "one" / "a.pet.img", PET)
    write_scan(tmp_path / "one" / "m.img", CT)
    for name, path in (("SCANS/2/INVEON", PET), ("SCANS/10/INVEON", CT)):
        (tmp_path / "many" / name).mkdir(parents=True)
        write_scan(tmp_path / "many" / name / ("a.pet.img" if path is PET else "m.img"), path)
    for name in ("one", "many"):
        assert inveon("xnat", tmp_path / name, tmp_path / f"{name} out").exit_code == 0
    assert digests(tmp_path / "one out") == digests(tmp_path / "many out")


@pytest.mark.parametrize(("space", "count"), [("shared", 1), ("separate", 3)])
def test_the_frame_of_reference_can_be_chosen(tmp_path: Path, space: str, count: int) -> None:
    session = write_session(tmp_path / "in")
    assert inveon("xnat", session, tmp_path / "out", "--frame-of-reference", space).exit_code == 0
    assert len({ds.FrameOfReferenceUID for ds in instances(tmp_path / "out")}) == count


def test_what_xnat_keeps_beside_is_no_stray(tmp_path: Path) -> None:
    session = write_session(tmp_path / "in")
    others = (
        "SCANS/1/INVEON/INVEON_catalog.xml",
        "SCANS/1/DICOM/1.dcm",
        "SCANS/2/SNAPSHOTS/a.gif",
        "RESOURCES/x/y.img",
    )
    for name in others:
        (session / name).parent.mkdir(parents=True, exist_ok=True)
        (session / name).write_text("x")
    done = inveon("xnat", session, tmp_path / "out")
    assert (done.exit_code, done.stderr.count("skipped")) == (0, 0), done.stderr
    assert len(files_below(tmp_path / "out")) == 24


@pytest.mark.parametrize(
    ("name", "options", "code"),
    [
        ("notes.txt", (), 1),
        ("notes.txt", ("--ignore-file-with-ext", "pdf"), 1),
        ("notes.txt", ("--ignore-file-with-ext", ".pdf, TXT"), 0),
        ("notes.txt", ("--ignore-all-extra-files",), 0),
        ("half.img", (), 1),
        ("half.img", ("--ignore-all-extra-files",), 1),
        ("my.xml", (), 0),
        ("my.xml", ("--ignore-file-with-ext", "pdf"), 1),
    ],
)
def test_extra_files_are_refused_as_the_published_command_does(
    tmp_path: Path, name: str, options: tuple[str, ...], code: int
) -> None:
    session = write_session(tmp_path / "in")
    (session / "SCANS" / "2" / "INVEON" / name).write_text("x")
    done = inveon("xnat", session, tmp_path / "out", *options)
    assert done.exit_code == code, done.stderr
    if code:
        assert name in assert_one_line_error(done.exit_code, done.stdout, done.stderr)


def test_only_the_inveon_resource_of_a_scan_is_read(tmp_path: Path) -> None:
    (tmp_path / "in" / "INVEON").mkdir(parents=True)
    (tmp_path / "in" / "NIFTI").mkdir()
    write_scan(tmp_path / "in" / "INVEON" / "m.img", CT)
    write_scan(tmp_path / "in" / "NIFTI" / "m.img", CT)
    assert inveon("xnat", tmp_path / "in", tmp_path / "out").exit_code == 0
    assert {ds.SeriesNumber for ds in instances(tmp_path / "out")} == {1}


def test_nothing_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "in" / "SCANS" / "1").mkdir(parents=True)
    done = inveon("xnat", tmp_path / "in", tmp_path / "out")
    assert "resource named INVEON" in assert_one_line_error(done.exit_code, done.stdout, done.stderr)


def test_a_code_table_comes_with_the_files(tmp_path: Path) -> None:
    session = write_session(tmp_path / "in")
    row = {"key": "F-18", "code": "C-111A1", "meaning": "^18^Fluor der Klinik", "system": "SRT"}
    (session / "SCANS" / "3" / "INVEON" / "codes.json").write_text(json.dumps([row]))
    done = inveon("xnat", session, tmp_path / "out", "--code-table", "SCANS/3/INVEON/codes.json")
    assert done.exit_code == 0, done.stderr
    (pet,) = {ds.RadiopharmaceuticalInformationSequence[0].RadionuclideCodeSequence[0].CodeMeaning
              for ds in instances(tmp_path / "out") if ds.Modality == "PT"}  # fmt: skip
    assert pet == row["meaning"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../codes.json", "SCANS/../../codes.json", "link.json"])
def test_a_code_table_from_outside_is_refused(tmp_path: Path, name: str) -> None:
    session = write_session(tmp_path / "in")
    (tmp_path / "codes.json").write_text("[]")
    if name == "link.json":
        try:
            (session / name).symlink_to(tmp_path / "codes.json")
        except OSError:
            pytest.skip("may not make links")
    done = inveon("xnat", session, tmp_path / "out", "--code-table", name)
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr, expected_code=2)
    assert line == f"error: code_table is '{name}', expected a path inside INPUT\n"
    assert not (tmp_path / "out").exists()


def test_both_kinds_of_multi_frame_objects_are_refused(study: Path, tmp_path: Path) -> None:
    done = inveon("xnat", study, tmp_path / "out", "--multiframe", "--legacy-converted")
    assert "one of them" in assert_one_line_error(done.exit_code, done.stdout, done.stderr, expected_code=2)


def test_pairs_of_one_name_keep_apart_in_the_manifest(tmp_path: Path) -> None:
    session = write_session(tmp_path / "in")
    planned = plan_archive(
        session, tmp_path / "out", Options(frame_of_reference=RegistrationPolicy.SHARED, form=Form.ENHANCED)
    )
    convert_planned((planned,), tmp_path / "out", Options(form=Form.ENHANCED))
    manifest = json.loads((tmp_path / "out" / "inveon-manifest.json").read_bytes())
    assert [each["source"] for each in manifest["series"]] == [
        f"SCANS/{name}.hdr" for name in ("3/INVEON/a.pet.img", "1/INVEON/m.img", "2/INVEON/m.img")
    ]
    assert {each["name"]: each["size"] for each in manifest["sources"]} == {
        path.relative_to(session).as_posix(): path.stat().st_size for path in session.rglob("*") if path.is_file()
    }


def test_pairs_from_anywhere_are_one_study_and_none_is_an_error(tmp_path: Path) -> None:
    session = write_session(tmp_path / "in")
    pairs = [pair_of(path) for path in session.rglob("*.img")]
    planned = plan_pairs(pairs[::-1], session, tmp_path / "out", Options())
    assert planned.series == plan_pairs(pairs, session, tmp_path / "out", Options()).series
    assert [each.number for each in planned.series] == [1, 2, 3]
    with pytest.raises(InputError, match="no Inveon files here"):
        plan_pairs([], session, tmp_path / "out", Options())


def test_the_written_files_are_those_that_other_readers_read(study: Path, tmp_path: Path) -> None:
    assert inveon("xnat", study, tmp_path / "out", "--xnat-route", ROUTE).exit_code == 0
    path = tmp_path / "out" / "1" / "CT-000001.dcm"
    assert pydicom.dcmread(path).PatientComments == COMMENTS
    assert COMMENTS.encode("ascii") in path.read_bytes()
