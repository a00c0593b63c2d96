"""Sending: where to, what is kept and what never is, and what the server answered."""

from __future__ import annotations

import _thread
import ast
import gc
import json
import logging
import os
import pickle
import re
import stat
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from starlette.testclient import TestClient

import inveonimaging.sending
from app.driving import change, ended, front_of, job_of, jobs_in_this_process, opened
from helpers import LAST_RESORT_S, write_thin_study
from inveonimaging import convert
from inveonimaging.app.jobs.queue import Job, Jobs
from inveonimaging.app.jobs.send import run_send
from inveonimaging.app.jobs.status import JobStatus
from inveonimaging.app.memory.targets import Kept, in_words
from inveonimaging.app.pages import sending
from inveonimaging.app.pages.front import Front, link
from inveonimaging.cli import app as command_line
from inveonimaging.errors import OptionError
from servers import SECRET, all_stored, basic, service, stage, store, stow_reply, uid, write_instance

pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # of pynetdicom
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module", autouse=True)
def _left_sockets() -> Iterator[None]:
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs_in_this_process(monkeypatch)
    for name in ("INVEON_USER", "INVEON_PASSWORD", "INVEON_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", os.devnull)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data" / "dicom"
    folder.mkdir(parents=True)
    for number in (1, 2, 3):
        write_instance(folder / f"{number}.dcm", number)
    return tmp_path / "data"


def web(client: TestClient, front: Front, root: Path, url: str, name: str = "Research") -> dict[str, str]:
    """Add a DICOMweb server as a page does; return the fields that choose it."""
    form = {"folder": str(root / "dicom"), "kind": "web", "name": name, "url": url}
    answer = change(client, front, "/send/add", form)
    assert answer.headers["hx-redirect"] == link("/send", folder=root / "dicom", target=name), answer.text
    return {"folder": str(root / "dicom"), "target": name}


def pacs(client: TestClient, front: Front, root: Path, port: int, **given: str) -> dict[str, str]:
    form = {"folder": str(root / "dicom"), "kind": "dicom", "name": "Archive", "host": "127.0.0.1", "port": str(port)}
    change(client, front, "/send/add", {**form, "called": "THEM", "calling": "US", **given})
    return {"folder": str(root / "dicom"), "target": "Archive"}


def everything(folder: Path) -> bytes:
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


# Servers.


def test_a_server_is_kept_and_chosen_with_its_host_in_sight(client: TestClient, front: Front, root: Path) -> None:
    pacs(client, front, root, 11112, host="pacs.example", tls="yes")
    assert front.targets.all == [Kept("Archive", "dicom://US@THEM:pacs.example:11112", tls=True)]
    html = client.get(link("/send", folder=root / "dicom")).text
    assert "pacs.example, port 11112; US calls THEM" in html
    html = client.get(link("/send", folder=root / "dicom", target="Archive")).text
    assert "<strong>pacs.example</strong>" in html
    assert "3 files in" in html
    assert "<dd>encrypted</dd>" in html
    assert "dicom://US@THEM:pacs.example:11112 --tls" in html
    change(client, front, "/send/remove", {"folder": str(root / "dicom"), "target": "Archive"})
    assert front_of(root).targets.all == []


def test_servers_of_the_settings_are_there_and_not_removed(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "inveon").mkdir()
    (tmp_path / "inveon" / "inveon.toml").write_text('[targets]\nlab = "https://lab.example/dicom-web"\n')
    monkeypatch.setenv("APPDATA" if os.name == "nt" else "XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(root)
    front = front_of(root)
    front._servers = command_line._servers
    client = opened(front)
    html = client.get(link("/send", folder=root / "dicom")).text
    assert "https://lab.example/dicom-web" in html
    assert "Remove lab" not in html
    front.targets.keep(Kept("own", "dicom://A@B:h:1"))
    front.targets.remove("lab")
    assert [(each.name, each.is_set) for each in front.targets.all] == [("lab", True), ("own", False)]
    assert "lab.example" in client.get(link("/send", folder=root / "dicom", target="lab")).text


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"port": "70000"}, "1 to 65535"),
        ({"port": HOSTILE}, "the port is not a number"),
        ({"host": ""}, "the server&#39;s host is missing"),
        ({"called": "A TITLE THAT IS TOO LONG"}, "an AE title has 1 to 16 characters"),
        ({"host": "a b"}, "not a DICOM address"),
        ({"name": "\x1b[31m"}, "needs a name"),
        ({"tls_key": "/etc/hostname"}, "is not in a folder"),
        ({"kind": "web", "url": f"https://me:{SECRET}@pacs.example/"}, "user or password in it"),
        ({"kind": "web", "url": f"https://pacs.example/?key={SECRET}"}, "has a query"),
        ({"kind": "web", "url": "file:///etc/passwd"}, "not an address"),
    ],
)
def test_what_is_no_server_is_refused_and_not_repeated(
    client: TestClient, front: Front, root: Path, given: dict[str, str], words: str
) -> None:
    form = {"folder": str(root / "dicom"), "kind": "dicom", "name": "A", "host": "h", "port": "104"}
    answer = change(client, front, "/send/add", {**form, "called": "THEM", "calling": "US", **given})
    assert words in answer.text
    assert SECRET not in answer.text
    assert "<script>" not in answer.text
    assert front.targets.all == []


def test_what_is_no_server_in_the_file_is_left_out(front: Front) -> None:
    doubtful = [
        None,
        3,
        {},
        {"name": "x"},
        {"name": "\x1b[31m", "address": "dicom://A@B:h:1"},
        {"name": 3, "address": "dicom://A@B:h:1"},
        {"name": "y", "address": "nowhere"},
    ]
    good = {"name": "z", "address": "dicom://A@B:h:1", "tls": "yes", "password": SECRET}
    front.state.write("targets.json", [*doubtful, good])
    assert front.targets.all == [Kept("z", "dicom://A@B:h:1")]
    front.state.write("targets.json", [{**good, "name": f"n{number}"} for number in range(50)])
    with pytest.raises(OptionError, match="servers are kept already"):
        front.targets.keep(Kept("another", "dicom://A@B:h:1"))


def test_a_folder_elsewhere_is_not_sent(client: TestClient, front: Front, root: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    given = web(client, front, root, "http://127.0.0.1:9/dicom-web") | {"folder": str(tmp_path / "secret")}
    assert "is not in a folder" in client.get(link("/send", folder=tmp_path / "secret")).text
    for path in ("/send", "/send/add"):
        assert "is not in a folder" in change(client, front, path, given).text
    assert front.jobs.all == []


def test_files_that_were_put_beside_a_result_are_reported_before_they_go(
    client: TestClient, front: Front, root: Path
) -> None:
    pacs(client, front, root, 11112)
    made = root / "made"
    convert(write_thin_study(root / "study"), made / "m1")

    def shown(folder: Path = made) -> str:
        return str(client.get(link("/send", folder=folder, target="Archive")).text)

    assert "7 files in" in shown()
    assert "not of what was made here" not in shown()
    for number, place in enumerate((made / "m1" / "1", made / "other"), 4):
        place.mkdir(exist_ok=True)
        write_instance(place / "stranger.dcm", number)
    assert "9 files in" in shown()
    assert "2 of these files were not made here, and are sent as well" in shown()
    assert "1 of these files was not made here, and is sent as well" in shown(made / "m1")
    (made / "m1" / "inveon-manifest.json").write_text('{"program": "inveonimaging", "series": [1]}')
    assert "9 files in" in shown()
    assert "not of what was made here" not in shown(root / "dicom")  # of which nothing is known


def test_nothing_goes_without_the_extra(
    client: TestClient, front: Front, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = pacs(client, front, root, 11112)

    def missing(*_: object) -> None:
        raise OptionError("sending needs pynetdicom", hint='pip install "inveonimaging[send]"')

    monkeypatch.setattr(sending, "refuse_without_extra", missing)
    for page in (link("/send", folder=root / "dicom"), link("/send", **given)):
        assert "pip install" in client.get(page).text
    assert "pip install" in change(client, front, "/send", given).text
    assert front.jobs.all == []


def test_messages_name_no_option_of_the_command() -> None:
    """Whatever the room of sending says, but for what the pages do not ask for."""
    texts = [
        node.value
        for path in Path(inveonimaging.sending.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search("--[a-z]", node.value)
    ]
    assert len(texts) > 8
    asked = [text for text in texts if not re.search("--commit|is for dicom://", text)]
    assert [text for text in map(in_words, asked) if re.search("--[a-z]", text)] == []


# To a PACS.


def test_a_pacs_takes_refuses_and_is_sent_the_rest(client: TestClient, front: Front, root: Path) -> None:
    refusing = [uid(2)]

    def answer(_event: object, found: str) -> Any:
        status = Dataset()
        status.Status = 0xA700 if found in refusing else 0x0000
        if found in refusing:
            status.ErrorComment = f"full {HOSTILE}"
        return status

    with store(answer) as server:
        given = pacs(client, front, root, server.server.server_address[1])
        assert "Archive answers" in change(client, front, "/send/try", given).text
        assert server.received == []
        first = ended(front, job_of(change(client, front, "/send", given)))
        assert (first.state, first.result["sent"], first.result["failed"]) == ("done", 2, 1)
        html = client.get(f"/jobs/{first.id}").text
        assert "not all sent" in html
        assert "2.dcm" in html
        assert "&lt;script&gt;" in html
        assert "<script>alert" not in html
        refusing.clear()
        again = ended(front, job_of(change(client, front, f"/jobs/{first.id}/again")))
        assert (again.result["sent"], again.result["before"], again.result["complete"]) == (1, 2, True)
        assert server.received == [uid(1), uid(2), uid(3), uid(2)]
        assert "anew" in client.get(link("/send", **given)).text
        anew = ended(front, job_of(change(client, front, "/send", {**given, "anew": "yes"})))
        assert (anew.result["sent"], anew.result["before"]) == (3, 0)
    assert "nothing listens there" in change(client, front, "/send/try", given).text
    lost = ended(front, job_of(change(client, front, "/send", {**given, "anew": "yes"})))
    assert (lost.state, "nothing listens there" in lost.error) == ("failed", True)
    assert "Try again" in client.get(f"/jobs/{lost.id}").text


def test_a_job_that_waits_for_a_server_is_stopped_at_once(root: Path) -> None:
    is_there, is_over = threading.Event(), threading.Event()

    def silent(_held: object) -> None:
        is_there.set()
        is_over.wait()

    def interrupt() -> None:
        is_there.wait()
        _thread.interrupt_main()

    with stage(silent) as server:
        options = Kept("s", server.url).options(timeout_s=2 * LAST_RESORT_S)
        task = {"source": root, "target": server.url, "options": options, "credentials": {}, "anew": False}
        threading.Thread(target=interrupt, daemon=True).start()
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            run_send(task, JobStatus(lambda *_: None))
        assert time.monotonic() - start < LAST_RESORT_S
        is_over.set()


def test_what_is_remembered_of_sending_does_not_grow_for_ever(client: TestClient, front: Front, root: Path) -> None:
    folder = front.state.folder / "sent"
    folder.mkdir()
    for number in range(103):
        (folder / f"{number}.jsonl").touch()
        os.utime(folder / f"{number}.jsonl", (number, number))
    with service(all_stored) as server:
        ended(front, job_of(change(client, front, "/send", web(client, front, root, server.url))))
    assert [(folder / f"{number}.jsonl").exists() for number in (2, 3)] == [False, True]


def test_it_says_how_many_files_are_sent(client: TestClient, front: Front, root: Path) -> None:
    front.jobs._jobs["1"] = Job("1", "x", "send", "t", str(root), state="running", phase="Sending", done=3, total=9)
    assert "3 of 9 files" in client.get("/jobs/1/progress").text


def test_a_server_that_is_another_now_is_asked_for_again(client: TestClient, front: Front, root: Path) -> None:
    given = pacs(client, front, root, 11112)
    job = Job("1" * 32, "x", "send", "t", given["folder"], "", {"target": "Archive", "address": "old"}, state="left")
    front.jobs._jobs[job.id] = job
    answer = change(client, front, f"/jobs/{job.id}/again")
    assert answer.headers["hx-redirect"] == link("/send", folder=root / "dicom", target="Archive")
    job.fields["target"] = "gone"
    assert change(client, front, f"/jobs/{job.id}/again").headers["hx-redirect"] == link("/send", folder=root / "dicom")


# To DICOMweb, and secrets.


def test_a_secret_is_held_in_memory_and_nowhere_else(
    client: TestClient,
    front: Front,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Whatever the server answers, and whatever page is shown afterwards."""
    caplog.set_level(logging.DEBUG)
    pages: list[str] = []
    tasks: list[dict[str, Any]] = []
    start = Jobs.start

    def noted(jobs: Jobs, kind: str, task: dict[str, Any], **more: Any) -> Job:
        tasks.append(task)
        return start(jobs, kind, task, **more)

    monkeypatch.setattr(Jobs, "start", noted)

    def seen(answer: Any) -> str:
        pages.append(answer.text + str(answer.headers))
        return str(answer.text)

    with service(stow_reply(200, [uid(1)], {uid(2): 0xA700, uid(3): 0xC000})) as server:
        given = web(client, front, root, server.url)
        secret = {"user": "keeper", "password": SECRET}
        server.search = (401, {}, SECRET.encode())
        refused = seen(change(client, front, "/send/try", {**given, **secret}))
        assert "answered with 401 Unauthorized; give another password; this one is not accepted" in refused
        server.search = (200, {"Content-Type": "application/dicom+json"}, b"[]")
        assert "Research answers" in seen(change(client, front, "/send/try", given))
        assert server.headers[-1]["Authorization"] == basic(f"keeper:{SECRET}")
        done = ended(front, job_of(change(client, front, "/send", given)))
        assert (done.result["sent"], done.result["failed"]) == (1, 2)
        assert server.headers[-1]["Authorization"] == basic(f"keeper:{SECRET}")
        server.search = (403, {}, SECRET.encode())
        failed = ended(front, job_of(change(client, front, f"/jobs/{done.id}/again", {})))
        assert (failed.state, "403" in failed.error) == ("failed", True)
        seen(change(client, front, "/send", {**given, "password": SECRET}))  # without a user
        for page in ("/", "/jobs", f"/jobs/{done.id}", f"/jobs/{failed.id}", link("/send", folder=root / "dicom")):
            seen(client.get(page))
        assert "still in memory" in seen(client.get(link("/send", **given)))
        assert "INVEON_PASSWORD" in pages[-1]
    assert tasks[0]["credentials"]["INVEON_PASSWORD"] == SECRET
    assert pickle.loads(pickle.dumps(tasks[0]))["credentials"] == tasks[0]["credentials"]  # noqa: S301 - our own
    kept = (
        everything(front.state.folder) + everything(root) + json.dumps([vars(each) for each in front.jobs.all]).encode()
    )
    assert b"keeper" not in kept
    out, err = capfd.readouterr()
    encoded = basic(f"keeper:{SECRET}").partition(" ")[2]
    for text in (kept.decode("latin-1"), *pages, caplog.text, out, err, str(front.drafts)):
        assert SECRET not in text
        assert encoded not in text


def test_a_token_is_held_until_it_is_forgotten_and_dies_with_the_app(
    client: TestClient, front: Front, root: Path
) -> None:
    with service(all_stored) as server:
        given = web(client, front, root, server.url)
        done = ended(front, job_of(change(client, front, "/send", {**given, "bearer": SECRET})))
        assert done.result["complete"], done
        assert server.headers[-1]["Authorization"] == f"Bearer {SECRET}"
        change(client, front, "/send/forget", given)
        assert "still in memory" not in client.get(link("/send", **given)).text
        where = link("/send", folder=root / "dicom", target="Research")
        assert change(client, front, f"/jobs/{done.id}/again").headers["hx-redirect"] == where
        following = front_of(root)
        assert following.targets.get("Research").where == server.url
        assert following.targets.credentials("Research") == {}


def test_a_server_of_the_same_name_gets_no_password_of_another(client: TestClient, front: Front, root: Path) -> None:
    web(client, front, root, "https://one.example/dicom-web")
    front.targets.hold("Research", "keeper", SECRET, "")
    web(client, front, root, "https://two.example/dicom-web")
    assert front.targets.credentials("Research") == {}


def test_a_password_goes_unencrypted_only_if_that_is_ticked(client: TestClient, front: Front, root: Path) -> None:
    given = web(client, front, root, "http://pacs.example/dicom-web") | {"user": "keeper", "password": SECRET}
    assert "not encrypted" in client.get(link("/send", folder=root / "dicom", target="Research")).text
    answer = change(client, front, "/send/try", given).text
    assert "would go unencrypted" in answer
    assert SECRET not in answer


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
def test_what_is_kept_is_for_this_user_alone(client: TestClient, front: Front, root: Path) -> None:
    with service(all_stored) as server:
        ended(front, job_of(change(client, front, "/send", web(client, front, root, server.url))))
    for path in front.state.folder.rglob("*"):
        if path.is_dir():
            assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
    assert stat.S_IMODE(front.state.folder.stat().st_mode) & 0o077 == 0


def test_the_footer_says_what_is_true(client: TestClient) -> None:
    assert "Nothing leaves this computer unless you send it" in client.get("/").text
