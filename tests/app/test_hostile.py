"""What was tried against the app: another user's browser, a state that anybody edited, paths that lead away."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import signal
import socket
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from app.driving import change, front_of, job_of, opened, stranger
from helpers import LAST_RESORT_S, ROOT, write_thin_study
from inveonimaging.app.jobs import queue as jobs
from inveonimaging.app.jobs import worker
from inveonimaging.app.jobs.queue import Job, Jobs
from inveonimaging.app.memory import kept_jobs
from inveonimaging.app.memory.kept_jobs import job_kept
from inveonimaging.app.memory.state import State
from inveonimaging.app.pages.front import Front
from inveonimaging.app.serving import peers, server

OTHERS = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: {own}:C000 {to}:B000 01 00000000:00000000 00:00000000 00000000  {user}        0 1906601 1 0000000000000000 20 4
"""


@pytest.fixture
def front(tmp_path: Path) -> Front:
    write_thin_study(tmp_path / "data" / "study")
    return front_of(tmp_path / "data")


def study_of(front: Front) -> str:
    return str(front.roots.folders[0] / "study")


# Who comes.


@pytest.mark.parametrize("address", ["0100007F", "0000000000000000FFFF00000100007F"])
def test_a_connection_of_another_user_is_known_by_the_systems_tables(tmp_path: Path, address: str) -> None:
    """The address is on the browser's command line; the port is 0xC000, and the app's 0xB000."""
    table = tmp_path / "tcp"
    for user, is_others in ((os.getuid() + 1, True), (os.getuid(), False), (0, False)):
        table.write_text(OTHERS.format(own=address, to=address, user=user))
        assert peers.is_of_others(0xC000, 0xB000, [tmp_path / "none", table]) is is_others
        assert not peers.is_of_others(0xC001, 0xB000, [table])
        assert not peers.is_of_others(0xC000, 0xB001, [table])


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="a system without these tables")
def test_a_real_connection_is_found_and_is_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        server.listening() as listener,
        socket.create_connection(listener.getsockname()) as ours,
        socket.socket(socket.AF_INET6) as mapped,
    ):
        to = listener.getsockname()[1]
        mapped.connect(("::ffff:127.0.0.1", to))
        ports = [each.getsockname()[1] for each in (ours, mapped)]
        assert [peers.is_of_others(each, to) for each in ports] == [False, False]
        monkeypatch.setattr(peers, "_ROOT", -1)
        monkeypatch.setattr(os, "getuid", lambda: -2)
        assert [peers.is_of_others(each, to) for each in ports] == [True, True]


def test_another_user_who_read_the_address_opens_nothing_and_uses_nothing_up(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"/start?token={front.access.token}"
    monkeypatch.setattr(server, "is_of_others", lambda *_: True)
    answer = stranger(front).get(address)
    assert (answer.status_code, "set-cookie" in answer.headers) == (403, False)
    assert "Another user of this computer" in answer.text
    monkeypatch.undo()
    assert stranger(front).get(address).status_code == 200


# The state.

RESULT: dict[str, Any] = {
    "output": "/data/m1-dicom",
    "report": None,
    "verified": True,
    "planes": 6,
    "findings": [],
    "files": 3,
}
GOOD: dict[str, Any] = {
    "id": "a" * 32,
    "owner": "b" * 32,
    "kind": "convert",
    "title": "m1",
    "source": "/data/m1",
    "output": "/data/m1-dicom",
    "fields": {"make": "convert"},
    "state": "done",
    "started": "2026-11-29 10:00:00",
    "result": RESULT,
}
ODD: tuple[Any, ...] = (
    None,
    5,
    True,
    1e308,
    "x",
    [],
    {},
    [1],
    {"a": 1},
    [[]],
    "\udcff\0\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}",
)


def test_a_job_that_was_edited_or_torn_hides_no_other_and_breaks_no_page(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value of each attribute, and of all that pages show of results, is replaced by what it is not."""
    monkeypatch.setattr(jobs, "_MOST_KEPT", 1000)
    folder = front.state.folder / "jobs"
    folder.mkdir(parents=True)
    names = sorted(set(re.findall(r'(?:found|result)\.get\("(\w+)"', templates())))
    documents: list[Any] = [*ODD, *({**GOOD, name: doubtful} for name in GOOD for doubtful in ODD)]
    documents += [
        {**GOOD, "kind": kind, "result": dict.fromkeys(names, doubtful)}
        for kind in ("batch", "send", "curves")
        for doubtful in ODD
    ]
    documents += [{**GOOD, "result": {**RESULT, name: ODD[n % len(ODD)]}} for n, name in enumerate(names)]
    for number, document in enumerate(documents):
        name = f"{number:032x}"
        if isinstance(document, dict) and document.get("id") == GOOD["id"]:
            document["id"] = name
        (folder / f"{name}.json").write_text(json.dumps(document))
    client = opened(front)
    assert client.get("/").status_code == client.get("/jobs").status_code == 200
    assert len(front.jobs.all) > len(documents) / 2
    for job in front.jobs.all:
        answer = client.get(f"/jobs/{job.id}/progress")
        assert answer.status_code == 200
        assert not {"\x1b", "\N{RIGHT-TO-LEFT OVERRIDE}"} & set(answer.text)
        assert client.get(f"/jobs/{job.id}/report").status_code == 400
    front.close()


def test_a_report_that_leads_away_is_not_shown(front: Front, tmp_path: Path) -> None:
    """The file of a job was edited, or a link was put where its report was."""
    away = tmp_path / "away.html"
    away.write_text("away")
    link = front.roots.folders[0] / "report.html"
    link.symlink_to(away)
    folder = front.state.folder / "jobs"
    folder.mkdir(parents=True)
    for name, path in (("1" * 32, away), ("2" * 32, link)):
        document = {**GOOD, "id": name, "result": {**RESULT, "report": str(path)}}
        (folder / f"{name}.json").write_text(json.dumps(document))
    client = opened(front)
    for job in front.jobs.all:
        answer = client.get(f"/jobs/{job.id}/report")
        assert (answer.status_code, "is not in a folder" in answer.text) == (400, True)
    front.close()


def templates() -> str:
    folder = ROOT / "src" / "inveonimaging" / "app" / "templates"
    return "".join(path.read_text("utf-8") for path in folder.glob("*.html"))


def test_all_that_pages_show_of_a_result_is_kept() -> None:
    assert set(re.findall(r'(?:found|result)\.get\("(\w+)"', templates())) <= kept_jobs._RESULT.keys()
    assert job_kept(GOOD) == {**GOOD}
    assert job_kept({**GOOD, "later": 1}) == GOOD
    assert job_kept(json.loads(json.dumps(vars(Job(*"abcde"))))) is not None


def test_an_app_that_can_keep_nothing_shows_its_pages(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "state").write_text("a file where the folder should be")
    front = front_of(tmp_path / "data", tmp_path / "state")
    client = opened(front)
    assert [client.get(path).status_code for path in ("/", "/jobs")] == [200, 200]
    front.close()


# Jobs.


def test_a_double_click_starts_one_job(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them would be done one after the other, and the second fail for what the first has written."""
    study, client = study_of(front), opened(front)
    monkeypatch.setattr(Jobs, "_work", lambda _: None)  # all wait
    form = {"source": study, "make": "convert", "output": f"{study}-dicom", "verify": "yes"}
    first, second = (job_of(change(client, front, "/convert", form)) for _ in range(2))
    other = job_of(change(client, front, "/convert", {**form, "verify": ""}))
    assert (first == second, first == other) == (True, False)
    front.jobs.stop(first)
    assert job_of(change(client, front, "/convert", form)) != first
    pages = {job_of(change(client, front, "/report", {"source": study, "viewer": each})) for each in ("", "", "yes")}
    assert len(pages) == 2
    front.close()


def test_what_takes_long_on_a_page_leaves_the_browser_room_for_others(front: Front) -> None:
    """A browser has six connections to the app, in all tabs together: six pictures of 4 GB held up all else."""
    root, client = front.roots.folders[0], opened(front)
    shown = client.get("/look", params={"source": study_of(front)}).text
    assert len(re.findall(r'<img class="picture"[^>]* data-src="/picture', shown)) == 2  # app.js: one by one
    assert ' src="/picture' not in shown
    parts = re.findall(r"<[^>]*hx-trigger=.revealed[^>]*>", shown)
    assert [each.count('hx-sync="closest .cards:queue all"') for each in parts] == [1, 1]
    assert "static/app.js" in shown
    source = (ROOT / "src/inveonimaging/app/templates/choose.html").read_text("utf-8")
    assert source.count("revealed") == source.count('hx-trigger="revealed" hx-sync="closest table:queue all"') == 1
    assert client.get("/", params={"folder": str(root)}).status_code == 200


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="a system that wakes nobody")
def test_a_job_that_waits_for_a_silent_disk_stops() -> None:
    """The flag that Python sets alone is not seen before the system answers."""
    control, its_control = multiprocessing.Pipe()
    waiting, answer = os.pipe()
    begin = time.monotonic()
    rescue = threading.Timer(2 * LAST_RESORT_S, os.write, [answer, b"x"])
    rescue.daemon = True
    rescue.start()
    stopper = threading.Thread(target=worker._stop_at_a_word, args=[its_control])

    def wait() -> None:
        stopper.start()
        control.send("stop")
        os.read(waiting, 1)
        time.sleep(1)

    with pytest.raises(KeyboardInterrupt):
        wait()
    rescue.cancel()
    stopper.join()
    for each in (waiting, answer):
        os.close(each)
    assert time.monotonic() - begin < LAST_RESORT_S


# The state, again: what is large, and what others could read.


def test_what_was_typed_for_thousands_of_scans_is_read_again(tmp_path: Path) -> None:
    state = State(tmp_path / "state")
    state.write("large.json", ["x" * 5_000_000])
    assert state.read("large.json") == ["x" * 5_000_000]


@pytest.mark.skipif(os.name == "nt", reason="a system without modes")
def test_a_state_that_all_could_read_is_closed(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)
    State(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_link_that_leads_away_says_which_folder_to_open(front: Front, tmp_path: Path) -> None:
    (tmp_path / "away").mkdir()
    link = front.roots.folders[0] / "link"
    link.symlink_to(tmp_path / "away")
    shown = opened(front).get("/look", params={"source": str(link)}).text
    assert f"inveon app --root &#34;{tmp_path / 'away'}&#34;" in shown


# Paths that are kept before they are refused.


def test_what_a_form_kept_opens_nothing_outside_the_roots(front: Front, tmp_path: Path) -> None:
    study = study_of(front)
    sheet = tmp_path / "outside.csv"
    sheet.write_text("file,patient_id\nm1.ct.img,OUTSIDE\nm1.pet.img,OUTSIDE\n")
    client = opened(front)
    shown = change(client, front, "/command", {"source": study, "make": "split", "output": "x", "subjects": str(sheet)})
    assert "is not in a folder" in shown.text
    assert "outside.csv" not in client.get("/card", params={"scan": f"{study}/m1.ct.img"}).text
    change(client, front, "/command", {"source": study, "make": "split", "output": "x", "boxes": str(sheet)})
    assert "no sheet of several animals is saved" in checked(client, study)


def checked(client: Any, study: str) -> str:
    return str(client.get("/correct/check", params={"source": study}, headers={"hx-request": "true"}).text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes")
def test_boxes_that_are_a_pipe_or_endless_are_refused(front: Front) -> None:
    study, client = study_of(front), opened(front)
    boxes = front.roots.folders[0] / "boxes.json"
    os.mkfifo(boxes)
    form = {"source": study, "make": "split", "output": str(boxes.with_name("o")), "boxes": str(boxes)}
    change(client, front, "/command", form)
    assert "is not a regular file" in checked(client, study)
    boxes.unlink()
    with boxes.open("wb") as file:
        file.truncate(1 << 40)
    assert "is larger than" in checked(client, study)


def test_a_number_of_animals_is_read_as_a_whole(front: Front) -> None:
    client = opened(front)
    for text in ("00019999", "0001" + "9" * 5000):
        shown = change(client, front, "/correct/number", {"source": study_of(front), "number": text})
        assert "the number of animals is not possible" in shown.text
