"""The whole way in a real browser, which reaches no network but the app."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

import inveonimaging
from app import axe, every_page
from app.driving import front_of, jobs_in_this_process
from app.person import WAIT_S, Person, heard
from browser import console, events, started
from conftest import Measures, Tool, skip_or_fail
from helpers import CT, LAST_RESORT_S, header_text, write_coarse_demo
from inveonimaging.app.pages.front import Front, link
from inveonimaging.app.pages.pictures import Pictures
from inveonimaging.app.serving import server
from inveonimaging.commands import correct
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.phantom import write_scan

pytestmark = pytest.mark.faults

PLANES = 320 // 8 + 16 * (98 // 8)  # of the demo in an eighth of its slices
LARGEST_SHIFT = 0.001  # of what is seen
SHIFTS_OF_PAGES = """return (window.shifts || []).reduce((sum, each) => sum + each, 0)"""
WIDE = "return Math.max(0, document.documentElement.scrollWidth - innerWidth)"
QUIET = (
    "return !document.querySelector('.htmx-request') && document.body"
    " && !/(Checking|Reading|Looking).*…/.test(document.body.innerText)"
)
OF_ALL_STATES = """const [names, done] = arguments;
window.shifts = Object.assign([...window.shifts], {push() {}});  // what comes from now on moves others
Promise.all(names.map((name) => fetch(`${location.pathname.replace(/[^/]*$/, name)}/progress`).then((it) => it.text())))
  .then((parts) => {
    for (const part of parts) {
      const shown = document.createElement('div');
      shown.innerHTML = part;
      for (const each of shown.querySelectorAll('[id]')) each.removeAttribute('id');
      document.getElementById('main').append(shown);
    }
    done();
  })"""
"""Put what is shown of a job in other states into the page of one, where nothing of it does anything."""


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
    with started(profile, "127.0.0.1", pretends="evil.example", tells_all=True) as browser:
        browser.get("about:blank")
        events(browser)  # of the browser's own first page
        yield browser


def other_tab(chrome: Chrome) -> None:
    """Go to a second tab; that of the browser's own page would ask for much."""
    chrome.switch_to.window(chrome.execute_cdp_cmd("Target.createTarget", {"url": "about:blank"})["targetId"])


def see(chrome: Chrome, words: str) -> None:
    """Wait until words are on the page."""
    body = "return document.body?.innerText ?? ''"
    WebDriverWait(chrome, WAIT_S, 0.25).until(lambda _: words in chrome.execute_script(body))


@pytest.mark.usefixtures("blank")
def test_from_the_address_to_a_verified_study_by_the_keyboard_alone(
    chrome: Chrome, tmp_path: Path, measures: Measures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the demo in fewer voxels, with a file that is refused, a reload, and a second tab."""
    jobs_in_this_process(monkeypatch)
    study = write_coarse_demo(tmp_path / "data" / "study")
    (study / "refused.img").write_bytes(b"")
    (study / "refused.img.hdr").write_text(header_text({"modality": "9"}), "utf-8")
    with served(tmp_path / "data") as front:
        person = Person(chrome)
        chrome.get(server.address_of(front))
        person.see("Choose a folder of scans")
        assert "token" not in chrome.current_url
        assert person.tab() == "Skip to the content"
        person.key(Keys.ENTER)
        assert chrome.execute_script("return document.activeElement.id") == "main"
        person.press("Look at 3 scans of study")
        person.see("SUV: ")
        person.see("modality")
        person.press("Make DICOM of 3 scans")
        person.type("Patient ID", f"M12{Keys.ENTER}")
        person.see("--patient-id=M12")
        assert front.jobs.all == [], "Enter in a line of the form starts nothing"
        person.press("Convert")
        person.see("refused.img.hdr")
        assert front.jobs.all == [], "what is refused is shown on the form"
        for each in study.glob("refused*"):
            each.unlink()
        person.press("Convert")
        person.see("done and verified")
        address = chrome.current_url
        chrome.refresh()
        person.see(f"no difference in {PLANES} planes")
        person.leave()
        first = chrome.current_window_handle
        other_tab(chrome)
        chrome.get(address)
        person.see("done and verified")
        chrome.get(f"{address}/report")
        person.see("Findings")
        assert chrome.execute_script("return self.origin") == "null"
        assert chrome.execute_script("return document.querySelectorAll('figure img').length") > 0
        chrome.close()
        chrome.switch_to.window(first)
        assert heard(chrome, front.port) == []
    assert person.bad == []
    assert max(person.shifts.values()) < LARGEST_SHIFT, person.shifts
    measures.largest("clicks from start to a verified study, with a file that was refused", person.pressed)
    given = inveonimaging.Corrections(subject={"id": "M12"})
    assert inveonimaging.verify(study, tmp_path / "data" / "study-dicom", given).same


def late(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return what a busy computer makes of a function."""

    def waits(*given: Any, **how: Any) -> Any:
        time.sleep(0.4)
        return function(*given, **how)

    return waits


_SCROLLED_AWAY = """
const done = arguments[0], bar = document.querySelector(".command"), main = document.getElementById("main");
const next = (step) => requestAnimationFrame(() => requestAnimationFrame(step));
const field = [...main.querySelectorAll("input[type=text]")].filter((each) => each.checkVisibility()).at(-1);
field.focus();
scrollBy(0, field.getBoundingClientRect().top - (innerHeight - bar.offsetHeight) - 2);
next(() => {
  const before = scrollY, { bottom } = field.getBoundingClientRect();
  main.append(Object.assign(document.createElement("div"), { style: "height: 40px" }));
  next(() => done([bottom > innerHeight - bar.offsetHeight, scrollY - before]));
});
"""
"""Scrolls a field that has the focus below the bar, lets the page grow, says whether it lay there, and what moved."""

_GROWN = """
const done = arguments[0], bar = document.querySelector(".command");
const [before, field] = [...document.querySelectorAll("#sheet input[type=text]")].slice(-2);
const more = Object.assign(document.createElement("div"), { style: "height: 250px" });
before.focus();
scrollBy(0, field.getBoundingClientRect().bottom - (innerHeight - bar.offsetHeight) + 4);
document.getElementById("saved").append(more);
Promise.resolve().then(() => {
  field.focus();
  const isSeen = field.getBoundingClientRect().bottom <= innerHeight - bar.offsetHeight;
  more.remove();
  done(isSeen);
});
"""
"""Lets the bar grow, and goes on to a field above it at once, before the page is drawn: says whether it is seen."""


@pytest.mark.usefixtures("blank")
def test_two_animals_of_one_scan_become_a_study_each(
    chrome: Chrome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the boxes that were found, and two IDs that are typed; they are saved at once, before they can be kept."""
    jobs_in_this_process(monkeypatch)
    monkeypatch.setattr(correct, "normal", late(correct.normal))
    hotel, root = every_page.HOTEL, tmp_path / f"{'a long name, ' * 15}of which commands are long"
    (root / "hotel").mkdir(parents=True)
    write_scan(root / "hotel" / "h.ct.img", hotel.scan(Modality.CT, 2.5), mouse=hotel.mouse)
    with served(root) as front:
        person = Person(chrome)
        chrome.get(server.address_of(front))
        person.press("Look at 1 scan of hotel")
        person.see("Make DICOM")
        person.press("Correct")
        person.press("Several animals in one scan")
        person.see("Which animal is where")
        person.type("Patient ID, row 1", f"M1{Keys.ENTER}M2{Keys.ENTER}")
        chrome.execute_script("document.querySelector('form.command button.main').click()")
        person.see("Saved")
        assert chrome.execute_async_script(_GROWN)
        person.press("Go on to Make")
        person.see("What to make of hotel")
        assert chrome.find_element(By.CSS_SELECTOR, "input[type=radio]:checked").get_attribute("value") == "split"
        assert chrome.execute_async_script(_SCROLLED_AWAY) == [True, 0]
        person.press("Convert")
        person.see("done and verified")
        chrome.get("about:blank")
        assert heard(chrome, front.port) == []
    assert person.bad == []
    made = {path.parent.parent.name for path in tmp_path.rglob("*.dcm")}
    assert made == {"M1", "M2"}


@pytest.mark.npm
def test_every_page_keeps_no_one_out_stays_where_it_is_and_fits(
    chrome: Chrome, tmp_path: Path, tool: Tool, measures: Measures
) -> None:
    """By axe, in light and in dark; with hostile texts and long names, of which none does anything."""
    try:
        axe_core = axe.fetched(tool("npm"), tmp_path)
    except OSError as error:
        skip_or_fail(str(error))
    found: dict[str, object] = {}
    root = tmp_path / "data"
    study = every_page.prepared(root)
    with served(root) as front:
        every_page.filled(front, study)
        Person(chrome)
        has_axe = {"source": f"window.has_axe = () => {{{axe_core}\n}}"}
        added = chrome.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", has_axe)
        chrome.get(server.address_of(front))
        see(chrome, "Choose a folder of scans")
        pages = every_page.addresses(root)
        pages["/jobs/{name}"] = ["/jobs/running", "/jobs/nothing"]
        for page in (each for some in pages.values() for each in some):
            shows_in(chrome, "light")
            resize(chrome, 1280, 1600)  # what is not in sight is not asked for
            chrome.get(f"http://127.0.0.1:{front.port}{front.access.base}{page}")
            WebDriverWait(chrome, WAIT_S, 0.25).until(lambda _: chrome.execute_script(QUIET))
            chrome.execute_script("has_axe()")
            if page == "/jobs/running":
                chrome.execute_async_script(OF_ALL_STATES, list(every_page.states()))
            found[f"{page} light"] = axe.violations(chrome)
            if any(page == some[0] for some in pages.values()):
                shows_in(chrome, "dark")
                found[f"{page} dark"] = axe.violations(chrome, "color-contrast")
            found[f"{page} wider than 1280"] = chrome.execute_script(WIDE)
            shift = chrome.execute_script(SHIFTS_OF_PAGES)
            found[f"{page} moves"] = shift if shift >= LARGEST_SHIFT else 0
            measures.largest("layout shift of a page", shift)
            resize(chrome, 800, 900)
            found[f"{page} wider than 800"] = chrome.execute_script(WIDE)
            assert chrome.title != "owned"
        chrome.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
        messages = [each for each in heard(chrome, front.port) if "Failed to load resource" not in each]
        assert messages == []
    assert {what: each for what, each in found.items() if each} == {}


def shows_in(chrome: Chrome, scheme: str) -> None:
    """Let pages be light or dark, without motion."""
    wanted = {"prefers-color-scheme": scheme, "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in wanted.items()]
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def resize(chrome: Chrome, width: int, height: int) -> None:
    """Give the page a size."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def test_the_first_page_of_two_thousand_scans_is_there_soon(
    chrome: Chrome, tmp_path: Path, measures: Measures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Pictures, "of", lambda *_: b"")  # which come later
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "header").write_text(header_text(), "utf-8")
    (tmp_path / "voxels").write_bytes(bytes(4 * 3 * 2 * 2))
    for number in range(2000):
        (folder / f"m{number:04}.img").hardlink_to(tmp_path / "voxels")
        (folder / f"m{number:04}.img.hdr").hardlink_to(tmp_path / "header")
    with served(folder) as front:
        chrome.get(server.address_of(front))
        see(chrome, "Look at 2000 scans")
        before = time.process_time()
        chrome.get(f"http://127.0.0.1:{front.port}{front.access.base}{link('/look', source=folder)}")
        taken = time.process_time() - before
        see(chrome, "Page 1 of 84")
        chrome.get("about:blank")  # the checks of 24 scans
    measures.largest("CPU seconds to the first page of 2,000 scans", taken)
    assert taken < 2


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


@contextlib.contextmanager
def running_app(root: Path, state: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run the command, as people do; yield its process and the address. Who is held when it dies is not hung up on."""
    way = str(Path(inveonimaging.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": way, "XDG_STATE_HOME": str(state), "LOCALAPPDATA": str(state)}
    command = ["nohup", sys.executable, "-m", "inveonimaging", "app", "--no-browser", "--root", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True) as it:
        try:
            assert it.stdout is not None
            yield it, it.stdout.readline().strip()
        finally:
            it.kill()


def held(app: int, root: Path) -> int:
    """Hold the process of a job as soon as it has begun to write; return its number."""
    end = time.monotonic() + LAST_RESORT_S
    while len(list(root.iterdir())) == 1 and time.monotonic() < end:
        time.sleep(0.005)
    numbers = [
        int(each) for task in Path(f"/proc/{app}/task").iterdir() for each in (task / "children").read_text().split()
    ]
    [worker] = [each for each in numbers if b"multiprocessing-fork" in Path(f"/proc/{each}/cmdline").read_bytes()]
    os.kill(worker, signal.SIGSTOP)
    return worker


def test_what_an_app_that_was_killed_left_is_done_by_the_next_one(
    chrome: Chrome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In two tabs, of which one is loaded again in the middle; what half was written goes by itself."""
    root, state = tmp_path / "data", tmp_path / "state"
    (root / "study").mkdir(parents=True)
    write_scan(root / "study" / "m.ct.img", replace(CT, shape=(32, 32, 300), spacing_mm=(0.5, 0.5, 0.1)))
    first = chrome.current_window_handle
    with running_app(root, state) as (process, address):
        person = Person(chrome)
        chrome.get(address)
        person.see("Look at 1 scan of study")
        chrome.get(chrome.current_url.rstrip("/") + link("/make", source=root / "study"))
        person.press("Write a page of pictures beside the DICOM", Keys.SPACE)
        person.press("Convert")
        worker = held(process.pid, root)
        person.see("Writing DICOM")
        job = chrome.current_url
        other_tab(chrome)
        chrome.get(job)
        chrome.refresh()
        person.see("Stop")
        process.kill()
        process.wait()
        os.kill(worker, signal.SIGCONT)
        person.see("The app does not answer.")
        chrome.close()
        chrome.switch_to.window(first)
        person.see("The app does not answer.")
    end = time.monotonic() + LAST_RESORT_S
    while any(path.name == "study-dicom" for path in root.iterdir()) and time.monotonic() < end:
        time.sleep(0.05)  # its process ends by itself, and takes away what it wrote
    jobs_in_this_process(monkeypatch)
    with served(root, state / "inveon" / "app") as front:
        chrome.get(server.address_of(front))
        person.press("See what is left")
        person.press("Convert again")
        person.see("done and verified")
        chrome.get("about:blank")
    assert inveonimaging.verify(root / "study", root / "study-dicom").same
    console(chrome)
    events(chrome)
