"""The program as PyInstaller makes it: it runs where no Python is, and does the whole way through the app."""

from __future__ import annotations

import http.cookiejar
import os
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import inveonimaging
from helpers import CT, LAST_RESORT_S, PET, write_small_study
from inveonimaging.phantom import write_scan

pytestmark = pytest.mark.slow

SPECIFICATION = Path(__file__).parents[2] / "packaging" / "inveon.spec"
LEFT_OUT = ("scipy", "openpyxl", "pynetdicom", "requests", "urllib3")
"""What this test does not use, and what would take a third more time to look through."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("frozen")
    places = ["--distpath", work / "dist", "--workpath", work / "work", "--log-level", "ERROR"]
    command = [sys.executable, "-m", "PyInstaller", *map(str, places), str(SPECIFICATION), "--", *LEFT_OUT]
    environment = {**os.environ, "PYINSTALLER_CONFIG_DIR": str(work)}
    subprocess.run(command, check=True, cwd=work, env=environment, timeout=LAST_RESORT_S)
    return work / "dist" / "inveon" / ("inveon.exe" if sys.platform == "win32" else "inveon")


def bare(home: Path) -> dict[str, str]:
    """Return an environment without Python, and without what pytest set."""
    kept = {name: os.environ[name] for name in ("SYSTEMROOT", "TMPDIR", "TEMP") if name in os.environ}
    return {**kept, "PATH": str(home / "nothing"), "HOME": str(home), "LOCALAPPDATA": str(home), "LC_ALL": "C.UTF-8"}


class Browser:
    """Who opens the address of an app, and sends the forms of its pages."""

    def __init__(self, address: str) -> None:
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar)
        self._site = address.partition("/start")[0]
        self._token = ""
        self._base = self._found(r"url=(/[^/]+)/", self.get(address))
        self._token = self._found('X-Inveon-Token": "([^"]+)', self.get("/"))

    def get(self, path: str) -> str:
        address = path if path.startswith("http") else f"{self._site}{self._base}{path}"
        with self._opener.open(address, timeout=LAST_RESORT_S) as answer:
            return str(answer.read().decode("latin-1"))

    def post(self, path: str, **fields: str) -> Any:
        headers = {"origin": self._site, "x-inveon-token": self._token, "hx-request": "true"}
        form = urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(f"{self._site}{self._base}{path}", form, headers)  # noqa: S310 - our own
        with self._opener.open(request, timeout=LAST_RESORT_S) as answer:
            leads_to = answer.headers.get("hx-redirect", "").removeprefix(self._base)
            return leads_to or answer.read().decode()

    def done(self, job: str) -> str:
        """Wait until a job is over; return its page."""
        end = time.monotonic() + LAST_RESORT_S
        while time.monotonic() < end:
            page = self.get(f"{job}/progress")
            if 'hx-trigger="every' not in page:
                return page
            time.sleep(0.1)
        raise TimeoutError(page)

    @staticmethod
    def _found(pattern: str, text: str) -> str:
        found = re.search(pattern, text)
        assert found, text
        return found[1]


@pytest.fixture
def app(program: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [str(program), "app", "--no-browser", "--root", str(tmp_path)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=bare(tmp_path), cwd=tmp_path, **pipes) as process:
        yield process
        process.kill()
        print(*(each.read() for each in (process.stdout, process.stderr) if each))


def test_the_whole_way_through_the_app(app: subprocess.Popen[str], tmp_path: Path) -> None:
    study = tmp_path / "study"
    study.mkdir()
    for scan in (CT, PET):  # JPEG 2000 needs some size
        write_scan(study / f"m1.{scan.modality.name}.img", replace(scan, shape=(40, 40, 6)))
    assert app.stdout is not None
    browser = Browser(app.stdout.readline().strip())
    quoted = urllib.parse.quote(str(study))
    assert "Look at 2 scans" in browser.get(f"/?folder={urllib.parse.quote(str(tmp_path))}/study")
    image = next(study.glob("*.img"))
    assert browser.get(f"/picture?scan={urllib.parse.quote(str(image))}").startswith("\x89PNG")
    assert "SUV: " in "".join(
        browser.get(f"/card?scan={urllib.parse.quote(str(each))}") for each in study.glob("*.img")
    )
    assert "<form" in browser.get(f"/make?source={quoted}")
    for method in ("jpegls", "j2k"):
        output = str(tmp_path / method)
        job = browser.post("/convert", source=str(study), output=output, compress=method, verify="yes")
        assert "done and verified" in browser.done(job)
    viewer = browser.post("/report", source=str(study), viewer="yes")
    assert "failed" not in browser.done(viewer)
    assert "<figure" in browser.get(f"{viewer}/report")
    assert "can be closed" in browser.post("/quit")
    assert app.wait(LAST_RESORT_S) == 0
    assert app.stderr is not None
    assert app.stderr.read() == "note: Ctrl-C ends the app, as does Quit on the page\n"
    for method in ("jpegls", "j2k"):
        assert inveonimaging.verify(study, tmp_path / method).same


def test_the_other_commands_are_there_and_say_what_is_not(program: Path, tmp_path: Path) -> None:
    write_small_study(tmp_path / "all" / "one")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(program), *arguments]
        return subprocess.run(command, check=False, env=bare(tmp_path), cwd=tmp_path, capture_output=True, text=True)

    assert run("--version").stdout == f"inveon {inveonimaging.__version__}\n"
    batch = run("batch", "all", "out", "--jobs", "2")  # its processes are of the program, too
    assert batch.returncode == 0, batch.stderr
    assert inveonimaging.verify(tmp_path / "all" / "one", tmp_path / "out" / "one").same
    reported = run("zarr", "all/one", "zarr")
    message = (
        'error: inveon zarr needs zarr; this program comes without; where Python is: pip install "inveonimaging[zarr]"'
    )
    assert reported.stderr.splitlines()[-1] == message


def test_nothing_in_the_folder_names_the_computer_that_built_it(program: Path) -> None:
    here = {str(Path(inveonimaging.__file__).parents[1]), str(SPECIFICATION.parent), sys.prefix}
    texts = [each for each in program.parent.rglob("*") if each.is_file() and not each.name.endswith((".so", ".pyd"))]
    assert {"base.html", "page.js", "htmx.min.js", "niivue.umd.js"} < {each.name for each in texts}
    assert [str(each) for each in texts if any(place.encode() in each.read_bytes() for place in here)] == []
    kept = [each for each in texts if each.name == "LICENSE"]
    assert len(kept) >= 2  # of htmx and NiiVue
