"""Names of files that are no text, and those of Windows, go through pages and forms and come back as they were."""

from __future__ import annotations

import html
import json
import ntpath
import os
import re
import sys
import threading
import time
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import pytest

import inveonimaging
from app.driving import change, front_of, opened
from helpers import LAST_RESORT_S, write_thin_study
from inveonimaging.app.access import roots as roots_
from inveonimaging.app.choices.shell import line_of
from inveonimaging.app.jobs.kinds import KINDS
from inveonimaging.app.jobs.status import JobStatus
from inveonimaging.app.pages.carried import brought, carried
from inveonimaging.app.pages.front import link, values_of
from inveonimaging.errors import InputError

TEXTS = [
    "a",
    "",
    "\udcff",
    "\ud800x\udfff",
    "\U0010f000",
    "\U0010f7ff\udc80",
    "\U0010f800",
    "\U0010f800\U0010f800\udcff",
]


@pytest.mark.parametrize("text", [*TEXTS, "".join(TEXTS), "".join(reversed(TEXTS))])
def test_what_is_carried_comes_back_as_it_was(text: str) -> None:
    assert brought(carried(text)) == text
    carried(text).encode("utf-8")
    query = urlsplit(link("/look", source=text)).query.encode()
    assert values_of(query, 9).get("source", "") == text
    if text.isascii():
        assert carried(text) == text
    assert len({carried(each) for each in TEXTS}) == len(TEXTS)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes any bytes as a name")
def test_a_folder_whose_name_is_no_text_goes_the_whole_way(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir()
    folder = Path(os.fsdecode(os.fsencode(root) + b"/M\xe4use \xff"))  # Latin-1, and what is nothing
    write_thin_study(folder)
    front = front_of(root)
    client = opened(front)
    (address,) = re.findall(r'href="(/\?folder=[^"]*(?:M%|M\W)[^"]*)"', html.unescape(client.get("/").text))
    page = client.get(address).text
    (look,) = set(re.findall(r'href="(/look[^"]*)"', html.unescape(page)))
    shown = client.get(look)
    assert "2 scans" in shown.text
    picture = re.findall(r'src="(/picture[^"]*)"', html.unescape(shown.text))[0]
    assert client.get(picture).headers["content-type"] == "image/png"
    given = next(json.loads(each) for each in re.findall(r"hx-vals='([^']*source[^']*)'", html.unescape(shown.text)))
    assert brought(given["source"]) == str(folder)
    made = client.get(html.unescape(re.findall(r'href="(/make[^"]*)"', shown.text)[0])).text
    fields = dict(re.findall(r'name="(source|output)"[^>]*value="([^"]*)"', made))
    assert brought(fields["source"]) == str(folder)
    line = change(client, front, "/command", fields).text
    assert "problem" not in line
    assert r"/M\344use \377'" in html.unescape(line)
    assert "problem" not in change(client, front, "/preview", fields).text
    started: dict[str, object] = {}

    def start(kind: str, task: dict[str, object], **_: object) -> SimpleNamespace:
        started.update(kind=kind, task=task)
        return SimpleNamespace(id="1")

    front.jobs.start = start  # type: ignore[method-assign, assignment]
    assert change(client, front, "/convert", {**fields, "verify": "yes"}).headers["hx-redirect"] == "/jobs/1"
    task = started["task"]
    assert isinstance(task, dict)
    KINDS[str(started["kind"])](task, JobStatus(lambda *_: None))
    assert inveonimaging.verify(folder, Path(brought(fields["output"]))).same


def test_the_shell_gets_the_bytes_of_a_name_that_is_no_text() -> None:
    assert line_of(["inveon", "a\udcff'\\b"], windows=False) == r"inveon $'a\377\047\134b'"
    assert line_of(["inveon", "M\u00e4use 'b'"], windows=False) == """inveon 'M\u00e4use '"'"'b'"'"''"""


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> roots_.Roots:
    """Return roots as Windows has them: a drive, and a share of a server."""
    monkeypatch.setattr(roots_, "Path", PureWindowsPath)
    monkeypatch.setattr(roots_, "os", SimpleNamespace(path=ntpath))
    monkeypatch.setattr(roots_, "_is_folder", lambda _: True)
    return roots_.Roots([PureWindowsPath(r"\\server\share"), PureWindowsPath("D:\\")])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "text",
    [
        r"\\server\share",
        "\\\\server\\share\\",
        r"\\server\share\mouse 3\m.img",
        r"\\SERVER\Share\mouse",
        "//server/share/mouse",
        "D:\\",
        r"d:\data\mouse",
        '"D:\\data\\mouse"',
    ],
)
def test_shares_and_drives_of_windows_are_opened(windows: roots_.Roots, text: str) -> None:
    assert str(windows.pasted(text)) == str(PureWindowsPath(text.strip('"')))


@pytest.mark.parametrize(
    "text",
    [
        r"\\server\other\mouse",
        r"\\server",
        r"\\attacker\share\mouse",
        r"\\server\share2",
        r"\\.\PhysicalDrive0",
        r"\\.\pipe\x",
        r"\\?\C:\Users",
        r"\\?\D:\data",
        r"\\?\UNC\attacker\share",
        r"C:\data",
        "D:data",
        r"\data",
        r"D:\data\..\..\C",
        r"\\server\share\..\other",
        "D:\\a\0b",
    ],
)
def test_other_servers_devices_and_half_paths_of_windows_are_refused(windows: roots_.Roots, text: str) -> None:
    with pytest.raises(InputError):
        windows.pasted(text)


def test_a_drive_that_does_not_answer_is_left_out_and_keeps_nobody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    gone, release = tmp_path / "gone", threading.Event()
    monkeypatch.setattr(roots_, "_is_folder", lambda path: path != gone or release.wait(2 * LAST_RESORT_S))
    start = time.monotonic()
    assert roots_.answering([gone, tmp_path], 0.2) == [tmp_path]
    assert time.monotonic() - start < LAST_RESORT_S
    release.set()


def test_links_keep_what_other_addresses_mean() -> None:
    """A byte of a name in an address that was written by hand."""
    assert values_of(b"source=/a%FF&empty=", 9) == {"source": "/a\udcff", "empty": ""}
    assert parse_qs(urlsplit(link("/look", source="/a b&c", page=None)).query) == {"source": ["/a b&c"]}
