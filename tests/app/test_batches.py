"""Many studies: the form and its command, the job, and the table of what became of each."""

from __future__ import annotations

import csv
import io
import json
import multiprocessing
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from app.driving import change, ended, job_of, jobs_in_this_process
from app.test_make import CODES, the_commands, values_of
from helpers import inveon, write_thin_study
from in_process import batches_in_this_process
from inveonimaging.app.choices import table as choices
from inveonimaging.app.choices.forms import command_of, defaults
from inveonimaging.app.choices.table import STUDIES
from inveonimaging.app.jobs.kinds import KINDS
from inveonimaging.app.jobs.queue import Job, Jobs
from inveonimaging.app.memory.targets import Kept
from inveonimaging.app.pages import batch_table, batches
from inveonimaging.app.pages.front import Front, link

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs_in_this_process(monkeypatch)
    batches_in_this_process(monkeypatch)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_thin_study(tmp_path_factory.mktemp("small") / "study")


@pytest.fixture
def root(small: Path, tmp_path: Path) -> Path:
    """Return a root with an archive of two studies, of which one cannot be read."""
    for name in ("a", "b/deep"):
        shutil.copytree(small, tmp_path / "data" / "archive" / name)
    (tmp_path / "data" / "archive" / "b" / "deep" / "m1.ct.img.hdr").write_bytes(b"")
    return tmp_path / "data"


def form(root: Path, **given: str) -> dict[str, str]:
    return {"source": str(root / "archive"), "output": str(root / "dicom"), **given}


def write_ledger(folder: Path, lines: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True)
    texts = dict.fromkeys(("source", "options", "manifest", "made_from", "files"), "")
    (folder / "batch.jsonl").write_text(
        "".join(json.dumps({**texts, "rows": [], "result": "converted", **each}) + "\n" for each in lines), "utf-8"
    )


def studies(html: str) -> list[str]:
    return [re.sub("<[^>]*>", "", row.partition("</td>")[0]) for row in html.split("<tr><td>")[1:]]


# Choose, and the form.


def test_a_folder_offers_the_studies_below_it(client: TestClient, root: Path) -> None:
    assert "Convert the 2 studies below" in client.get(link("/batch/offer", folder=root / "archive")).text
    assert "Convert the study below" in client.get(link("/batch/offer", folder=root / "archive" / "b")).text
    assert "Convert" not in client.get(link("/batch/offer", folder=root / "archive" / "a")).text
    assert "/batch/offer?" in client.get(link("/", folder=root / "archive")).text


def test_a_folder_elsewhere_is_refused(client: TestClient, front: Front, tmp_path: Path) -> None:
    write_ledger(tmp_path / "secret", [{"output": "a"}])
    for page in ("/batch", "/batch/offer", "/studies", "/studies.csv"):
        answer = client.get(link(page, source=tmp_path / "secret", folder=tmp_path / "secret"))
        assert (answer.status_code, "is not in a folder" in answer.text) == (400, True)
    for path in ("/batch", "/batch/command", "/batch/preview"):
        assert (
            "is not in a folder"
            in change(client, front, path, form(tmp_path / "data", output=str(tmp_path / "x"))).text
        )
    assert front.jobs.all == []


@pytest.mark.skipif(os.name == "nt", reason="read as a POSIX shell does")
def test_the_command_does_what_the_form_does(front: Front, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no field, and with each value of each field: the parser's options are the form's, and no field is idle."""
    for name, text in {
        "hotel.csv": "patient_id,file\nm12,m1.ct.img\n",
        "codes.json": CODES,
        "key.txt": "0123456789abcdef",
    }.items():
        (root / name).write_text(text, "ascii")
    monkeypatch.setattr(front.drafts, "keep", lambda *_, **_how: None)
    caught: list[tuple[Any, ...]] = []
    monkeypatch.setattr("inveonimaging.cli.batch._run", lambda *given, **_: caught.append(given))

    def both(given: dict[str, str]) -> tuple[Any, ...]:
        asked_for = batches._asked_for(front, form(root, **(defaults(STUDIES) | given)))
        task = batches._task(front, asked_for)
        the_commands().main(command_of(*asked_for, STUDIES, without_settings=True)[1:], standalone_mode=False)
        source, output, options, how = caught.pop()
        ours = task["root"], task["output"], vars(task["options"]), task["batch"]
        assert ours == (source, output, vars(options), how), given
        return ours

    secret = {"deidentify": "yes", "key_file": str(root / "key.txt")}
    first, with_secret = both({}), both(secret)
    for field in STUDIES.fields:
        more, without = (secret, with_secret) if field in choices.PRIVACY else ({}, first)
        for value in values_of(field, root):
            is_alone = field.name in {"verify", "group"}  # which go not together
            given = {"verify": ""} if is_alone else {}
            changed = {**given, **more, field.name: value}
            assert field.name in secret or both(changed) != without, (field.name, value)


def test_what_makes_no_sense_is_reported_and_not_started(client: TestClient, front: Front, root: Path) -> None:
    for given in ({"jobs": "many"}, {"jobs": "257"}, {"group": "header", "verify": "yes"}, {"deidentify": "yes"}):
        html = change(client, front, "/batch/preview", form(root, **given)).text
        assert 'class="problem"' in change(client, front, "/batch/command", form(root, **given)).text
        assert 'class="problem"' in change(client, front, "/batch", form(root, **given)).text
        assert 'class="problem"' in html, given
    doubtful = form(root, group=HOSTILE, check=HOSTILE)
    assert "&lt;script" not in change(client, front, "/batch/command", doubtful).text


def test_what_was_chosen_is_there_after_a_reload(client: TestClient, front: Front, root: Path) -> None:
    change(client, front, "/batch/command", form(root, jobs="3", species="rat"))
    html = client.get(link("/batch", source=root / "archive")).text
    assert 'value="3"' in html
    assert 'value="rat"' in html
    assert f'value="{root / "dicom"}"' in html


def test_the_studies_are_listed_before_with_what_became_of_them(client: TestClient, front: Front, root: Path) -> None:
    html = change(client, front, "/batch/preview", form(root)).text
    assert "2 studies would go to" in html
    assert html.count("<td>new</td>") == 2
    assert not (root / "dicom").exists()


# The job.


def test_a_batch_from_the_form_to_the_table_and_the_failed_again(
    client: TestClient, front: Front, root: Path, small: Path
) -> None:
    done = ended(front, job_of(change(client, front, "/batch", form(root, verify="yes"))))
    assert (done.state, done.result["converted"], done.result["failed"]) == ("done", 1, 1)
    page = client.get(f"/jobs/{done.id}").text
    assert "Try the failed studies again" in page
    assert "done, 1 failed" in page
    html = client.get(link("/studies", folder=root / "dicom")).text
    assert studies(html) == ["a", "b/deep"]
    assert all(
        words in html for words in ("M0042", "2014-06-17", "CT, PET", "done, verified", "failed", "m1.ct.img.hdr")
    )
    shutil.copy(small / "m1.ct.img.hdr", root / "archive" / "b" / "deep" / "m1.ct.img.hdr")
    again = ended(front, job_of(change(client, front, f"/jobs/{done.id}/again", {"only_failed": "yes"})))
    assert (again.result["found"], again.result["converted"], again.result["skipped"]) == (1, 1, 0)
    everything = ended(front, job_of(change(client, front, f"/jobs/{again.id}/again")))
    assert (everything.result["found"], everything.result["skipped"]) == (2, 2)
    assert client.get(link("/studies", folder=root / "dicom")).text.count("done before, verified") == 2


def test_it_says_how_far_it_is(client: TestClient, front: Front, root: Path) -> None:
    running = Job("1" * 32, "x", "batch", "t", str(root), state="running", words="12 of 40 studies, 2 min left")
    running.done, running.total = 12, 40
    front.jobs._jobs[running.id] = running
    html = client.get(f"/jobs/{running.id}/progress").text
    assert "12 of 40 studies, 2 min left" in html
    assert 'max="40" value="12"' in html
    assert "The studies so far" in html
    front.jobs._kept = -1e9
    front.jobs._hear(running, "progress", (13, 40))
    following = Jobs(front.state)
    assert [(each.state, each.done, each.total) for each in following.all] == [("left", 13, 40)]
    following.close()
    running.total = 0  # as long as it is not known
    assert "value=" not in client.get(f"/jobs/{running.id}/progress").text.partition("<progress")[2].partition(">")[0]


def test_a_batch_that_was_left_goes_on(client: TestClient, front: Front, root: Path) -> None:
    fields = form(root)
    left = Job("1" * 32, "gone", "batch", "t", fields["source"], fields["output"], {"form": "classic"}, state="left")
    front.jobs._jobs[left.id] = left
    assert "Go on" in client.get(f"/jobs/{left.id}").text
    done = ended(front, job_of(change(client, front, f"/jobs/{left.id}/again")))
    assert (done.state, done.result["converted"]) == ("done", 1)
    assert front.jobs.get(left.id) is None
    assert "ended before" not in client.get("/").text


def test_a_job_of_any_kind_that_was_left_is_gone_on_with(
    client: TestClient, front: Front, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kind more is tried here, too: its page is shown, and its button starts it."""
    source = root / "archive" / "a"
    front.targets.keep(Kept("Archive", "dicom://A@B:h:1"))
    started: list[str] = []

    def noted(kind: str, _task: object, **_: object) -> Job:
        started.append(kind)
        return Job("2", "", "", "", "")

    monkeypatch.setattr(front.jobs, "start", noted)
    for kind in KINDS:
        fields = {"make": kind, "target": "Archive", "address": "h, port 1; A calls B"}
        output = root / "out.csv" if kind == "curves" else root / "out.html" if kind == "page" else root / "out"
        fields |= {"output": str(output), "hottest": "3"}
        front.jobs._jobs["1"] = Job("1", "gone", kind, "t", str(source), str(output), fields, state="left")
        assert "/jobs/1/again" in client.get("/jobs/1").text, kind
        answer = change(client, front, "/jobs/1/again")
        assert answer.headers.get("hx-redirect") == "/jobs/2", answer.text
        assert front.jobs.get("1") is None
    assert started == [*KINDS]


def test_why_a_study_failed_is_reported_also_if_the_ledger_may_not(
    client: TestClient, front: Front, root: Path
) -> None:
    (root / "key.txt").write_text("0123456789abcdef", "ascii")
    given = form(root, deidentify="yes", key_file=str(root / "key.txt"))
    done = ended(front, job_of(change(client, front, "/batch", given)))
    assert (done.result["converted"], done.result["failed"]) == (1, 1), done
    assert "m1.ct.img.hdr: the file is empty" in client.get(f"/jobs/{done.id}").text
    html = client.get(link("/studies", folder=root / "dicom", show="failed")).text
    assert "it may contain a name" in html
    assert "archive" not in html.partition("<tbody>")[2]


def test_a_batch_of_the_command_line_is_opened(client: TestClient, root: Path) -> None:
    inveon("batch", root / "archive", root / "dicom")
    assert "Results of a batch" in client.get(link("/batch/offer", folder=root / "dicom")).text
    html = client.get(link("/studies", folder=root / "dicom", show="failed")).text
    assert studies(html) == ["b/deep"]
    assert "To the batch" not in html
    again = html.partition('">Do it again')[0].rpartition('href="')[2].replace("&amp;", "&")
    form = client.get(again).text
    assert f'name="source" value="{root / "archive"}"' in form
    assert f'name="output" value="{root / "dicom"}"' in form


def test_the_process_of_a_job_may_start_others(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemonic one, as Python calls it, may not, and a batch could convert nothing."""
    made: list[dict[str, Any]] = []

    class Processes:
        Pipe = staticmethod(multiprocessing.Pipe)

        def Process(self, **how: Any) -> Any:  # noqa: N802 - as its name is
            made.append(how)
            raise OSError(11, "none is left")

    monkeypatch.undo()
    monkeypatch.setattr(multiprocessing, "get_context", lambda _: Processes())
    with pytest.raises(OSError, match="none is left"):
        front.jobs._do(Job("1", "x", "batch", "t", "s"), {})
    assert made[0].get("daemon", False) is False


# The table.


def test_the_table_is_filtered_by_state_and_text_and_as_csv(client: TestClient, root: Path) -> None:
    found = [{"code": "NoDose", "severity": "warning"}, {"code": "Note", "severity": "note"}]
    error = {"kind": "HeaderError", "message": "line 3 is strange", "path": "/x/a.hdr", "line": 3}
    lines: list[dict[str, Any]] = [
        {"output": "one", "patient_id": "M1", "findings": found, "series": [{"modality": "PET"}] * 2},
        {"output": "two", "patient_id": "=cmd|x", "result": "failed", "error": error, "source": "/data/two"},
        {"output": "three", "result": "skipped", "verified": True},
    ]
    write_ledger(root / "out", lines)

    def shown(**asked: str) -> list[str]:
        return studies(client.get(link("/studies", folder=root / "out", **asked)).text)

    assert shown() == ["one", "three", "two"]
    assert shown(show="failed") == ["two"]
    assert shown(show="warnings") == ["one"]
    assert shown(text="STRANGE") == ["two"]
    assert shown(text="nodose") == ["one"]
    assert shown(show="failed", text="m1") == []
    html = client.get(link("/studies", folder=root / "out")).text
    assert all(words in html for words in ("All 3", "Failed 1", "Warnings 1", "2 PET", "done before, verified"))
    answer = client.get(link("/studies.csv", folder=root / "out", show="failed"))
    assert "attachment" in answer.headers["content-disposition"]
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert rows == [
        ["study", "animal", "date", "scans", "state", "reason", "warnings", "source"],
        ["two", "'=cmd|x", "", "", "failed", "/x/a.hdr: line 3 is strange", "", "/data/two"],
    ]


def test_whatever_a_ledger_holds_is_text(client: TestClient, root: Path) -> None:
    lines: list[dict[str, Any]] = [
        dict.fromkeys(("output", "source", "patient_id", "study_date"), HOSTILE) | {"error": {"message": HOSTILE}},
        {"output": "a", "series": 7, "findings": [None], "error": [], "patient_id": 3, "verified": "yes"},
        {"output": "b", "series": [{"modality": HOSTILE}], "findings": [{"code": HOSTILE, "severity": "error"}]},
    ]
    write_ledger(root / "out", lines)
    with (root / "out" / "batch.jsonl").open("a") as file:
        file.write("{nothing}\n")
    html = client.get(link("/studies", folder=root / "out")).text
    assert "<script>" not in html
    assert "1 lines of batch.jsonl" in html
    (root / "out" / "batch.jsonl").write_text("nothing\n")
    assert client.get(link("/studies", folder=root / "out")).status_code == 400
    assert client.get(link("/studies", folder=root / "archive")).status_code == 400


def test_two_thousand_studies_are_quick_and_paged(client: TestClient, root: Path) -> None:
    findings = [{"code": f"C{number}", "severity": "warning", "message": "m" * 100} for number in range(5)]
    write_ledger(root / "out", [{"output": f"s{number:04}", "findings": findings} for number in range(2000)])
    html = client.get(link("/studies", folder=root / "out")).text
    assert "Page 1 of 40" in html
    assert studies(client.get(link("/studies", folder=root / "out", page=40)).text)[-1] == "s1999"
    assert studies(client.get(link("/studies", folder=root / "out", page=99)).text)[-1] == "s1999"
    assert len(studies(client.get(link("/studies", folder=root / "out", text="s150")).text)) == 10
    assert len(studies(html)) == 50
    assert batch_table.table_of(root / "out").pages == 40
