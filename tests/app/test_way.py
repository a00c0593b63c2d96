"""Pages 2, 4 and 5 without a browser: what is shown of scans, the command, and jobs in their processes."""

from __future__ import annotations

import html
import os
import re
import shutil
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import inveonimaging
from app.driving import change, ended, job_of, jobs_in_this_process
from helpers import CT, THIN_PET, digests, header_text, write_thin_study
from inveonimaging.app.access.rules import REPORT_POLICY
from inveonimaging.app.choices.faults import in_words
from inveonimaging.app.choices.forms import defaults
from inveonimaging.app.jobs.makes import run_convert, run_report, run_split
from inveonimaging.app.jobs.queue import Job, Jobs
from inveonimaging.app.jobs.status import COMPARING, DRAWING, WRITING, JobStatus
from inveonimaging.app.memory.sheets import Kept, Sheets, digest_of
from inveonimaging.app.memory.state import State
from inveonimaging.app.pages import look, watch
from inveonimaging.app.pages.front import Front, link
from inveonimaging.commands.check import check
from inveonimaging.conversion.options import Options
from inveonimaging.errors import OutputError
from inveonimaging.findings import in_few_lines
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.pairs import Pair
from inveonimaging.phantom import write_scan
from inveonimaging.reports.pictures import card_picture
from inveonimaging.storage.leftovers import _OF_OUR_REPORT
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.image import Image, read_pair

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_thin_study(tmp_path / "data" / "study").parent


def form(root: Path, **given: str) -> dict[str, str]:
    return {"source": str(root / "study"), "output": str(root / "dicom"), "form": "classic", **given}


# Look.


def test_each_scan_is_a_card_with_what_its_header_says(client: TestClient, front: Front, root: Path) -> None:
    html = client.get(link("/look", source=root / "study")).text
    assert html.count('<article class="card') == 2
    assert ">CT<" in html
    assert ">PET<" in html
    assert "<dt>Frames</dt><dd>2</dd>" in html
    assert front.state.recent == (str(root / "study"),)


def test_what_is_found_and_whether_suv_can_be_computed_is_on_the_card(client: TestClient, root: Path) -> None:
    html = client.get(link("/card", scan=root / "study" / "m1.pet.img")).text
    verdict = inveonimaging.check(root / "study" / "m1.pet.img").files[0].suv
    assert verdict is not None
    assert f"SUV: {verdict.verdict.value}" in html
    picture = client.get(link("/picture", scan=root / "study" / "m1.pet.img"))
    assert picture.headers["content-type"] == "image/png"
    assert picture.content[:8] == b"\x89PNG\r\n\x1a\n"


def without_weight(header: Header) -> Header:
    return replace(header, subject=replace(header.subject, weight=None))


def test_a_card_has_what_the_check_of_the_folder_has_of_the_scan(client: TestClient, front: Front, root: Path) -> None:
    """The weight is in the CT's header alone: a conversion of both takes it, one of the PET has none."""
    scan = root / "study" / "m1.pet.img"
    for path in scan.parent.glob(f"{scan.name}*"):
        path.unlink()
    write_scan(scan, THIN_PET, change=without_weight)
    (sheet := root / "s.csv").write_text("file,dose_mbq\nm1.pet.img,7\nm9.img,7\n")
    front.drafts.keep(scan.parent, {"subjects": str(sheet)})
    _, of_folder = check(scan.parent, Corrections(sheet=sheet)).files
    (alone,) = check(scan).files
    verdicts = []
    for source, checked in ((scan.parent, of_folder), (scan, alone)):
        assert checked.suv is not None
        verdicts.append(checked.suv.verdict.value)
        page = client.get(link("/look", source=source)).text
        address = link("/card", scan=scan, source=source)
        assert html.escape(address) in page
        card = client.get(address).text
        assert f"SUV: {verdicts[-1]}<" in card
        assert card.count("<li>") == len(in_few_lines(checked.findings))
        assert all(html.escape(in_words(each.message)) in card for each in checked.findings)
        assert ("rows match no scan" in page) == (source == scan.parent)
    assert verdicts == ["ready", "not ready"]


def test_a_scan_that_is_opened_alone_is_shown_as_its_own_form_says(
    client: TestClient, front: Front, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = root / "study" / "m1.ct.img"
    postures = {scan.parent: "FFP", scan: "HFS"}
    for source, posture in postures.items():
        front.drafts.keep(source, {"orientation": posture})
        shown = client.get(link("/picture", scan=scan, source=source)).content
        assert shown == card_picture(inveonimaging.read(scan, orientation=posture)).png
    started: list[Corrections] = []

    def start(_kind: str, task: dict[str, Any], **_about: object) -> Job:
        started.append(task["corrections"])
        raise OutputError("enough")

    monkeypatch.setattr(front.jobs, "start", start)
    change(client, front, "/report", {"source": str(scan)})
    assert [each.shown for each in started] == [Corrections(orientation="HFS").shown]


def test_what_is_found_of_a_folder_as_a_whole_is_shown_above_the_cards(
    client: TestClient, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = root / "study"
    keys = {"subject_identifier": "M7", "subject_sex": "male"}
    (study / "m2.pet.img").write_bytes(bytes(48))
    (study / "m2.pet.img.hdr").write_text(header_text(keys), "utf-8")
    found = check(study).all_findings
    words = {each.code: in_words(each.message) for each in found}
    above = client.get(link("/look", source=study)).text.partition('<div class="cards">')[0]
    assert words["several-subjects"] == "subject_identifier differs within the study: 'M0042', 'M7'"
    codes = ("several-subjects", "subject-disagrees", "space-separate")
    at = [html.unescape(above).find(words[each]) for each in codes]
    assert -1 not in at
    assert at == sorted(at)  # the worst first
    assert "put the files of each animal into a folder of its own" in above
    assert '<span class="dim"></span>' in above  # no line of a header that is not named
    alone = client.get(link("/look", source=study / "m1.pet.img")).text
    assert "subject_identifier differs" not in alone
    monkeypatch.setattr(look, "PER_PAGE", 2)  # of many scans it comes when the page is there
    page = client.get(link("/look", source=study)).text
    assert "subject_identifier differs" not in page
    assert html.escape(link("/whole", source=study)) in page
    assert "subject_identifier differs" in client.get(link("/whole", source=study)).text


def test_a_folder_of_studies_says_what_is_there_and_leads_on(client: TestClient, root: Path) -> None:
    write_thin_study(root / "mouse 8" / "week 2")
    page = client.get(link("/look", source=root))
    assert page.status_code == 200
    assert "Below it are 2 studies" in page.text
    assert re.findall(r'<td><a href="([^"]*)">([^<]*)<.*?>(\d)</a></td></tr>', page.text) == [
        (html.escape(link("/look", source=root / "mouse 8" / "week 2")), "mouse 8/week 2", "2"),
        (html.escape(link("/look", source=root / "study")), "study", "2"),
    ]
    assert html.escape(link("/batch", source=root)) in page.text
    assert html.escape(link("/batch", source=root)) in client.get(link("/make", source=root)).text
    (root / "empty").mkdir()
    nothing = client.get(link("/look", source=root / "empty"))
    assert nothing.status_code == 400


def test_a_file_that_is_refused_is_a_card_and_the_others_are_shown(client: TestClient, root: Path) -> None:
    (root / "study" / "bad.img").write_bytes(b"")
    (root / "study" / "bad.img.hdr").write_text(header_text({"modality": "9"}), "utf-8")
    html = client.get(link("/look", source=root / "study")).text
    assert html.count('<article class="card') == 3
    assert html.count('class="problem"') == 1
    assert client.get(link("/picture", scan=root / "study" / "bad.img")).status_code == 404


def test_texts_of_headers_are_inert(client: TestClient, root: Path) -> None:
    folder = root / "hostile"
    folder.mkdir()
    (folder / "a.img").write_bytes(bytes(4 * 3 * 2 * 2))
    (folder / "a.img.hdr").write_text(
        header_text({"subject_identifier": HOSTILE, "isotope": HOSTILE, "study": HOSTILE}), "utf-8"
    )
    for address in (link("/look", source=folder), link("/card", scan=folder / "a.img"), link("/make", source=folder)):
        answer = client.get(address)
        assert answer.status_code == 200
        assert "<script>" not in answer.text


@pytest.mark.parametrize("page", ["/look", "/make"])
def test_a_source_elsewhere_is_refused(client: TestClient, tmp_path: Path, page: str) -> None:
    write_thin_study(tmp_path / "secret")
    (tmp_path / "data" / "way").symlink_to(tmp_path / "secret")
    for source in (tmp_path / "secret", tmp_path / "data" / "way", tmp_path / "data" / "nothing"):
        answer = client.get(link(page, source=source))
        assert answer.status_code == 400
        assert "m1.ct.img" not in answer.text


def test_two_thousand_scans_are_quick_and_paged(
    client: TestClient, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = root / "many"
    folder.mkdir()
    text = header_text()
    for number in range(2000):
        (folder / f"m{number:04}.img").touch()
        (folder / f"m{number:04}.img.hdr").write_text(text, "utf-8")
    looked: list[Pair] = []

    def counted(pair: Pair) -> Image:
        looked.append(pair)
        return read_pair(pair)

    monkeypatch.setattr(look, "read_pair", counted)
    html = client.get(link("/look", source=folder)).text
    assert len(looked) == look.PER_PAGE
    assert html.count('<article class="card') == 24
    assert "Page 1 of 84" in html


# Convert.


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, object], list[tuple[str, object]], Path]:
    """Return what a conversion in this process comes to, and what it reports."""
    folder = tmp_path_factory.mktemp("run")
    source, shown = write_thin_study(folder / "in"), list[tuple[str, object]]()
    options = Options(manifest=True)
    task = {"source": source, "output": folder / "out", "options": options, "verify": True, "report": False}
    return run_convert(task, JobStatus(lambda name, value: shown.append((name, value)))), shown, folder


def test_a_conversion_writes_what_the_command_writes(
    run: tuple[dict[str, object], list[tuple[str, object]], Path],
) -> None:
    found, shown, folder = run
    inveonimaging.convert(folder / "in", folder / "other")
    assert digests(folder / "out") == digests(folder / "other")
    assert (found["verified"], found["differences"], found["planes"]) == (True, [], 7)
    assert [value for name, value in shown if name == "phase"] == [
        "Reading headers",
        "Writing DICOM",
        "Comparing with the scanner's files",
    ]
    assert ("steps", [("CT m1.ct.img", 3), ("PET m1.pet.img", 4)]) in shown
    assert ("progress", (7, 7)) in shown


def test_how_far_each_scan_is_follows_from_the_whole() -> None:
    job = Job("a", "b", "convert", "t", "s", steps=[("CT", 6), ("PET", 12)], done=8, total=18)
    assert job.scans == [("CT", 6, 6), ("PET", 2, 12)]


def test_a_report_brings_its_own_policy_and_belongs_to_no_site(
    client: TestClient, front: Front, root: Path, blank: None
) -> None:
    task = {"source": root / "study", "page": root / "r.html", "viewer": False, "corrections": None}
    found = run_report(task, JobStatus(lambda *_: None))
    job = Job("1" * 32, "x", "report", "r", str(root), state="done", result=found)
    front.jobs._jobs[job.id] = job
    answer = client.get(f"/jobs/{job.id}/report")
    assert answer.headers.get_list("content-security-policy") == [REPORT_POLICY]
    assert "allow-same-origin" not in REPORT_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert blank is None


@pytest.mark.faults
def test_a_conversion_is_done_in_its_process_and_seen_by_every_tab(
    client: TestClient, front: Front, root: Path
) -> None:
    name = job_of(change(client, front, "/convert", form(root, verify="yes")))
    assert ended(front, name).state == "done"
    for _ in range(2):
        html = client.get(f"/jobs/{name}").text
        assert "done and verified" in html
        assert "no difference in 7 planes" in html
        assert "/progress" not in html
    assert inveonimaging.verify(root / "study", root / "dicom").same
    assert "is not empty" in change(client, front, "/convert", form(root)).text
    assert [each.id for each in front.jobs.all] == [name]


@pytest.mark.faults
def test_a_job_is_stopped_as_by_ctrl_c_one_that_waits_at_once_and_nothing_is_left(
    client: TestClient, front: Front, root: Path
) -> None:
    write_scan(root / "study" / "large.ct.img", CT.__class__(**{**vars(CT), "shape": (64, 64, 900)}))
    first = job_of(change(client, front, "/convert", form(root)))
    second = job_of(change(client, front, "/convert", form(root, output=str(root / "second"))))
    while (job := front.jobs.get(first)) and not job.phase:
        time.sleep(0.02)
    assert 'hx-trigger="every' in client.get(f"/jobs/{first}").text
    change(client, front, f"/jobs/{second}/stop")
    change(client, front, f"/jobs/{first}/stop")
    assert (ended(front, first).state, ended(front, second).state) == ("stopped", "stopped")
    assert sorted(path.name for path in root.iterdir()) == ["study"]
    page = client.get(f"/jobs/{first}").text  # what is refused is below the buttons, not in their place
    assert 'hx-target="#refusal">Convert again' in page
    assert '<div id="refusal">' in page


def test_a_job_that_was_killed_once_its_output_was_there_is_repeated_by_one_click(
    client: TestClient, front: Front, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs_in_this_process(monkeypatch)
    output = root / "dicom"
    task = {"source": root / "study", "output": output, "options": Options(), "verify": False, "report": False}
    run_convert(task, JobStatus(lambda *_: None))
    before = (output / "inveon-manifest.json").stat().st_mtime_ns
    (output / "mine.txt").write_text("of someone")
    fields = {**defaults(), "form": "classic", "verify": "yes", "report": ""}
    job = Job("1", "x", "convert", "t", str(root / "study"), str(output), fields)
    front.jobs._jobs["1"] = job
    ends = {"left": True, "stopped": True, "failed": True, "done": False}
    for job.phase, is_written in (("Reading headers", ()), (WRITING, ("left", "stopped")), (COMPARING, ends)):
        for job.state in ends:
            assert job.has_written is (job.state in is_written and job.state != "done")
    job.state, job.phase = "failed", WRITING
    assert "is not empty" in change(client, front, "/jobs/1/again").text
    job.state, job.phase = "left", DRAWING
    assert "It is replaced when this is done again" in client.get("/jobs/1").text
    assert ended(front, job_of(change(client, front, "/jobs/1/again"))).result["verified"] is True
    assert (output / "inveon-manifest.json").stat().st_mtime_ns != before
    assert (output / "mine.txt").read_text() == "of someone"
    assert "overwrite" not in front.drafts.of(root / "study")  # that was asked for this once


def test_what_another_run_wrote_in_the_place_of_a_killed_job_or_somebody_changed_is_not_replaced(
    client: TestClient, front: Front, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs_in_this_process(monkeypatch)
    shutil.copytree(root / "study", root / "another")
    with (root / "another" / "m1.ct.img").open("r+b") as data:
        data.write(b"\1")
    (root / "s.csv").write_text("file,weight_g\nm1.pet.img,31\n")
    fields = {**defaults(), "form": "classic", "verify": "", "report": "", "output": str(root / "dicom")}
    job = Job("1", "x", "convert", "t", str(root / "study"), str(root / "dicom"), fields, state="left", phase=WRITING)
    choices = {"another": Options(), "study": Options(sheet=root / "s.csv"), "edited": Options(), "noted": Options()}
    for name, options in choices.items():
        source = root / ("another" if name == "another" else "study")
        inveonimaging.convert(source, root / "dicom", replace(options, overwrite=True))
        if name == "edited":
            with next((root / "dicom").glob("*/*.dcm")).open("r+b") as file:
                file.write(b"\1")
        if name == "noted":
            (root / "dicom" / "report.html").write_bytes(_OF_OUR_REPORT + b" and notes of someone")
        before = digests(root / "dicom")
        front.jobs._jobs["1"] = job
        again = ended(front, job_of(change(client, front, "/jobs/1/again")))
        assert "has files that an earlier run did not write" in again.error
        assert digests(root / "dicom") == before
    front.jobs._jobs["1"] = replace(job, fields={**fields, "overwrite": "yes"})  # which was asked for
    assert ended(front, job_of(change(client, front, "/jobs/1/again"))).state == "done"
    task = {"source": root, "output": root / "o", "options": Options(), "verify": False, "preview": root / "s.csv"}
    with pytest.raises(OutputError, match="exists already"):  # and no picture of boxes
        run_split({**task, "replaces": True}, JobStatus(lambda *_: None))


def _instead(kept: Kept, _before: Kept) -> Kept:
    return kept


def test_finished_jobs_are_forgotten_together_with_what_a_saved_sheet_says(
    client: TestClient, front: Front, root: Path
) -> None:
    saved, sheets = root / "s.csv", front.state.folder / "sheets"
    saved.write_text("file,weight_g\n")
    states = {
        "done": "done",
        "failed": "failed",
        "left": "left",
        "running": "running",
        "unsaved": "done",
        "gone": "done",
        "partly": "done",
        "changed": "done",
        "elsewhere": "done",
    }
    for number, (name, state) in enumerate(states.items()):
        job = Job(str(number), "x", "convert", name, str(root / name), state=state)
        front.jobs._jobs[job.id] = job
        path = str(root / "removed.csv") if name == "gone" else str(saved)
        kept = Kept({"a.img": {"weight_g": "1"}}, saved=path, digest=digest_of(saved), is_saved=name != "unsaved")
        kept = replace(kept, is_whole=name != "partly", digest="0" * 64 if name == "changed" else kept.digest)
        front.sheets.change(root / name, partial(_instead, kept))
    (sheets / "notes.json").write_text("{}")
    Sheets(front.state).change(root / "elsewhere", lambda kept: replace(kept, is_saved=False))  # in another app
    assert "Forget finished jobs" in client.get("/jobs").text
    assert change(client, front, "/jobs/forget").headers["hx-redirect"] == "/jobs"
    assert sorted(each.title for each in front.jobs.all) == ["left", "running"]
    assert [name for name in states if front.sheets.of(root / name).typed] == [
        *("left", "running", "unsaved", "gone", "partly", "changed", "elsewhere"),
    ]
    assert len(list(sheets.iterdir())) == 8
    assert saved.exists()
    assert "Forget finished jobs" not in client.get("/jobs").text


def test_the_next_app_says_what_was_left_and_leaves_those_of_an_app_that_runs(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    running = Jobs(state)
    try:
        for owner, name in (("gone", "a" * 32), (running._owner, "b" * 32)):
            running._keep(Job(name, owner, "convert", "mouse", "s", "o", {"form": "classic"}, state="running"))
        (tmp_path / "state" / "jobs" / "c.json").write_text("[", "utf-8")
        (tmp_path / "state" / "jobs" / "d.json").write_text('{"id": "../x"}', "utf-8")
        following = Jobs(state)
        assert [(each.id[0], each.state) for each in following.all] == [("a", "left")]
        following.close()
    finally:
        running.close()
    assert [each.state for each in Jobs(state).all] == ["left", "left"]


def test_a_viewer_that_cannot_be_made_is_refused_before_anything_is_drawn(
    client: TestClient, front: Front, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inveonimaging.extras.find_spec", lambda _: None)
    answer = change(client, front, "/report", {"source": str(root / "study"), "viewer": "yes"})
    assert "hx-redirect" not in answer.headers
    assert "needs nibabel; pip install &#34;inveonimaging[viewer]&#34;" in answer.text


def test_reports_that_were_only_looked_at_go_with_the_app_also_if_it_was_killed(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    running = Jobs(state)
    ours, gone = running.new_page(), tmp_path / "state" / "reports" / f"gone-{'1' * 32}.html"
    for page in (ours, gone):
        page.touch()
    running._keep(Job("a" * 32, "gone", "report", "mouse", "s", state="done"))
    following = Jobs(state)
    assert following.all == []
    assert [path.name for path in gone.parent.iterdir()] == [ours.name]
    following.close()
    running.close()
    assert list(gone.parent.iterdir()) == []
    assert list((tmp_path / "state" / "jobs").iterdir()) == []


def test_a_folder_is_shown_by_its_path_alone(
    client: TestClient, front: Front, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Path] = []

    def show(folder: Path) -> bool:
        shown.append(folder)
        return True

    monkeypatch.setattr(watch, "open_folder", show)
    for name, output in (("1" * 32, root), ("2" * 32, Path("/"))):
        front.jobs._jobs[name] = Job(name, "x", "convert", "t", "s", str(output), state="done")
        change(client, front, f"/jobs/{name}/folder")
    assert shown == [root]


@pytest.mark.skipif(os.name == "nt", reason="Windows has a file manager")
@pytest.mark.parametrize("script", ["", "#!/bin/sh\nexit 3\n", "#!/bin/sh\nexit 0\n"])
def test_a_folder_that_no_file_manager_shows_is_named_with_its_path_to_copy(
    client: TestClient, front: Front, root: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    """There is none, it fails as where there is no screen, or it opens."""
    tools, doubtful = root / "tools", root / "a&b"
    for each in (tools, doubtful):
        each.mkdir()
    for name in ("xdg-open", "open") if script else ():
        (tools / name).write_text(script)
        (tools / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    front.jobs._jobs["1"] = Job("1", "x", "convert", "t", "s", str(doubtful), state="done")
    shown = change(client, front, "/jobs/1/folder").text
    is_shown = script.endswith("exit 0\n")
    assert ("The folder is open in the file manager" in shown) is is_shown
    assert ("No file manager was found" in shown) is not is_shown
    assert (f'id="folder-path" tabindex="0">{html.escape(str(doubtful))}</pre>' in shown) is not is_shown
    assert ('data-copies="folder-path"' in shown) is not is_shown
    page = client.get("/jobs/1").text
    assert page.count('hx-post="/jobs/1/folder" hx-target="#refusal"') == page.count("Open folder")
