"""The whole way in a real browser, which reaches no network but the app."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

import inveonimaging
from app.driving import front_of
from browser import WAIT_S, console, started
from helpers import LAST_RESORT_S, header_text, write_small_study
from inveonimaging.app import server
from inveonimaging.app.pages import Front

pytestmark = pytest.mark.faults

HOSTILE = """"'><img src=x onerror="document.title='owned'"><script>document.title='owned'</script>"""


@contextlib.contextmanager
def served(root: Path, state: Path | None = None) -> Iterator[Front]:
    listener = server.listening()
    front = front_of(root, state)
    front.port = listener.getsockname()[1]
    try:
        with server.serving(front, listener):
            yield front
    finally:
        front.close()


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    profile = tmp_path_factory.mktemp("profile")
    with started(profile, "127.0.0.1", pretends="evil.example") as browser:
        yield browser


def press(chrome: Chrome, words: str) -> None:
    """Press the button, or follow the link, of these words."""
    path = f"//*[self::a or self::button][normalize-space()='{words}']"
    WebDriverWait(chrome, WAIT_S).until(lambda _: chrome.find_elements(By.XPATH, path))[0].click()


def see(chrome: Chrome, words: str) -> None:
    """Wait until words are on the page."""
    body = "return document.body.innerText"
    WebDriverWait(chrome, WAIT_S, 0.1).until(lambda _: words in chrome.execute_script(body))


def test_from_the_address_to_a_verified_study(chrome: Chrome, tmp_path: Path) -> None:
    """With a file that is refused, hostile text, a reload and a second tab; six clicks and no typed word."""
    root = tmp_path / "data"
    study = write_small_study(root / "study")
    (study / "hostile.img").write_bytes(bytes(4 * 3 * 2 * 2))
    (study / "hostile.img.hdr").write_text(header_text({"subject_identifier": HOSTILE, "study": HOSTILE}), "utf-8")
    with served(root) as front:
        chrome.get(server.address_of(front))
        see(chrome, "Choose a folder of scans")
        assert "token" not in chrome.current_url
        press(chrome, "study")
        press(chrome, "Look at 3 scans")
        see(chrome, "SUV: ")
        (study / "hostile.img").unlink()
        (study / "hostile.img.hdr").unlink()
        press(chrome, "Make DICOM of 3 scans")
        see(chrome, "The command for this")
        box = chrome.find_element(By.NAME, "patient_id")
        box.send_keys("M12\t")
        see(chrome, "--patient-id=M12")
        press(chrome, "Convert")
        see(chrome, "done and verified")
        address = chrome.current_url
        chrome.refresh()
        see(chrome, "no difference in 18 planes")
        first = chrome.current_window_handle
        chrome.switch_to.new_window("tab")
        chrome.get(address)
        see(chrome, "done and verified")
        chrome.get(f"{address}/report")
        see(chrome, "Findings")
        assert chrome.execute_script("return self.origin") == "null"
        assert chrome.execute_script("return document.querySelectorAll('figure img').length") > 0
        chrome.close()
        chrome.switch_to.window(first)
        assert chrome.title != "owned"
    given = inveonimaging.Corrections(subject={"id": "M12"})
    assert inveonimaging.verify(study, root / "study-dicom", given).same
    said = [each["message"] for each in console(chrome)]
    assert not said, said


def test_a_page_of_another_name_of_this_computer_gets_nothing(chrome: Chrome, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with served(tmp_path / "data") as front:
        chrome.get(f"http://evil.example:{front.port}/start?token={front.access.token}")
        see(chrome, "This address is not that of the app.")
        chrome.get(server.address_of(front))
        see(chrome, "Choose a folder of scans")
        chrome.get(f"http://evil.example:{front.port}/")
        see(chrome, "This address is not that of the app.")
        asks = """const done = arguments[1];
        fetch(arguments[0], {method: 'POST', credentials: 'include', mode: 'no-cors'}).then(
          (answer) => done(answer.type + answer.status), (error) => done('refused'))"""
        assert chrome.execute_async_script(asks, f"http://127.0.0.1:{front.port}/convert") in {"refused", "opaque0"}
        assert front.jobs.all == []
        console(chrome)


def test_another_server_of_this_computer_gets_no_cookie_and_can_set_none_that_locks_out(
    chrome: Chrome, tmp_path: Path
) -> None:
    """Cookies know no ports."""
    heard: list[str] = []

    class Other(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers.get("cookie", ""))
            self.send_response(200)
            self.send_header("set-cookie", f"inveon-{front.port}=theirs; path=/")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    (tmp_path / "data").mkdir()
    with served(tmp_path / "data") as front, HTTPServer(("127.0.0.1", 0), Other) as other:
        threading.Thread(target=other.serve_forever, daemon=True).start()
        chrome.get(server.address_of(front))
        see(chrome, "Choose a folder of scans")
        inside = chrome.current_url
        for path in ("/", "/look", "/start"):
            chrome.get(f"http://127.0.0.1:{other.server_port}{path}")
        chrome.get(inside)
        see(chrome, "Choose a folder of scans")
        other.shutdown()
        assert heard
        assert front.access.base in inside
        assert not [each for each in heard if each not in {"", f"inveon-{front.port}=theirs"}], heard
        console(chrome)


KILLED = """
import sys, time
from pathlib import Path
from app.driving import change, front_of, opened
from inveonimaging.app.jobs import RUNNING

if __name__ == "__main__":
    root = Path(sys.argv[1])
    front = front_of(root)
    client = opened(front)
    change(client, front, "/convert", {"source": str(root / "study"), "output": str(root / "dicom"), "verify": "yes"})
    while not front.jobs.all[0].done:
        time.sleep(0.01)
    print("now", flush=True)
    time.sleep(600)
"""


def test_what_an_app_that_was_killed_left_is_done_by_the_next_one(tmp_path: Path) -> None:
    from dataclasses import replace

    from app.driving import change, opened
    from helpers import CT
    from inveonimaging.phantom import write_scan

    root = tmp_path / "data"
    (root / "study").mkdir(parents=True)
    write_scan(root / "study" / "m.ct.img", replace(CT, shape=(32, 32, 300), spacing_mm=(0.5, 0.5, 0.1)))
    script = tmp_path / "killed.py"
    script.write_text(KILLED, "utf-8")
    here = Path(__file__).parent.parent
    way = os.pathsep.join([str(Path(inveonimaging.__file__).parent.parent), str(here)])
    environment = {**os.environ, "PYTHONPATH": way}
    command = [sys.executable, str(script), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "now\n"
        process.send_signal(signal.SIGKILL)
    front = front_of(root)
    try:
        client = opened(front)
        assert "The app ended before" in client.get("/").text
        (left,) = front.jobs.all
        end = time.monotonic() + LAST_RESORT_S
        while any(path.name == "dicom" for path in root.iterdir()) and time.monotonic() < end:
            time.sleep(0.05)  # its process ends by itself, and takes away what it wrote
        answer = change(client, front, f"/jobs/{left.id}/again")
        name = answer.headers["hx-redirect"].rpartition("/")[2]
        while not front.jobs.get(name).is_over and time.monotonic() < end:  # type: ignore[union-attr]
            time.sleep(0.05)
        done = front.jobs.get(name)
        assert done is not None
        assert (done.state, done.result.get("verified")) == ("done", True), json.dumps(vars(done))
    finally:
        front.close()
