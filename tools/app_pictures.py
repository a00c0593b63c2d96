"""Photograph the pages of `inveon app` for its documentation, with the demo and a phantom of several animals.

    pip install ".[app,split,test]"
    python tools/app_pictures.py docs/images

It makes both in the system's temporary folder, goes the whole way in Debian's Chromium, headless, without a network but
the app, and writes a PNG of each page. Each is reduced to 256 colours, so that it stays below 120 kB.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.phantom import write_scan, write_study
from report_pictures import save
from several_mice import Hotel

WIDTH, LOWEST, HIGHEST = 1280, 480, 1100
LARGEST = 120_000  # bytes
LONGEST_S = 120.0
_NOT_QUIET = (
    "return document.querySelector('.htmx-request') || /(Checking|Reading|Looking).*…/.test(document.body.innerText)"
)
_HEIGHT = "return Math.ceil(document.querySelector('footer').getBoundingClientRect().bottom + scrollY)"


def main() -> None:
    """Make the data, then the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures go, docs/images")
    folder = parser.parse_args().folder.resolve()
    with contextlib.ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = stack.enter_context(made())
        address = stack.enter_context(running(data, work))
        App(stack.enter_context(chromium(work / "profile")), address, data, folder).go()


@contextlib.contextmanager
def made() -> Iterator[Path]:
    """Write the demo's mouse and a hotel; yield the folder that holds both, whose name is in the pictures."""
    data = Path(tempfile.gettempdir(), "Inveon")
    data.mkdir()
    try:
        for name in ("mouse_study", "hotel"):
            (data / name).mkdir()
        write_study(data / "mouse_study")
        hotel = Hotel.of("left", "right")
        write_scan(data / "hotel" / "two_mice.ct.img", hotel.scan(Modality.CT, 0.8), mouse=hotel.mouse)
        yield data
    finally:
        shutil.rmtree(data)


@contextlib.contextmanager
def running(data: Path, work: Path) -> Iterator[str]:
    """Run the app; yield its address."""
    places = ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "LOCALAPPDATA", "APPDATA")
    environment = {**os.environ, **dict.fromkeys(places, str(work / "state"))}
    command = [sys.executable, "-m", "inveonimaging", "app", "--no-browser", "--root", str(data)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            process.kill()


@contextlib.contextmanager
def chromium(profile: Path) -> Iterator[Chrome]:
    """Start a browser that reaches no network but this computer."""
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    rules = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-gpu", "--no-first-run"):
        options.add_argument(argument)
    options.add_argument(f"--host-resolver-rules={rules}")
    options.add_argument(f"--user-data-dir={profile}")
    browser = Chrome(options, Service(shutil.which("chromedriver")))
    try:
        yield browser
    finally:
        browser.quit()


class App:
    """The way through the app, with a picture of each page."""

    def __init__(self, browser: Chrome, address: str, data: Path, folder: Path) -> None:
        self.browser, self.data, self.folder = browser, data, folder
        browser.get(address)
        self.wait(lambda: "Choose a folder" in self.text())
        self.base = browser.current_url.rstrip("/")

    def go(self) -> None:
        """Photograph every page."""
        study, hotel = self.data / "mouse_study", self.data / "hotel"
        self.photograph("app-choose")
        self.open("/look", source=study)
        self.photograph("app-look")
        self.photograph("app-look-dark", dark=True)
        self.open("/correct", source=study)
        self.photograph("app-correct")
        self.open("/correct/hotel", source=hotel)
        self.photograph("app-hotel")
        self.open("/make", source=study)
        self.photograph("app-make")
        self.press("Convert")
        self.wait(lambda: "done and verified" in self.text())
        self.photograph("app-results")
        self.open("/send", folder=self.data / "mouse_study-dicom")
        self.photograph("app-send")
        self.open("/batch", source=self.data)
        self.photograph("app-batch")

    def open(self, path: str, **values: Path) -> None:
        """Open a page and wait until nothing on it changes any more."""
        self.browser.get(f"{self.base}{path}?{urlencode({name: str(each) for name, each in values.items()})}")
        self.wait(lambda: not self.browser.execute_script(_NOT_QUIET))

    def press(self, words: str) -> None:
        """Press the button of these words."""
        self.browser.find_element(By.XPATH, f"//button[normalize-space()='{words}']").click()

    def text(self) -> str:
        """Return the words on the page."""
        return str(self.browser.execute_script("return document.body.innerText"))

    def wait(self, until: Callable[[], bool]) -> None:
        """Wait for a page.

        Raises:
            TimeoutError: it does not come.
        """
        end = time.monotonic() + LONGEST_S
        while not until():
            if time.monotonic() > end:
                raise TimeoutError(f"{self.browser.current_url} does not become what it should")
            time.sleep(0.1)

    def photograph(self, name: str, *, dark: bool = False) -> None:
        """Save a picture of the page as it is, as high as it is, within limits."""
        wanted = {"prefers-color-scheme": "dark" if dark else "light", "prefers-reduced-motion": "reduce"}
        features = [{"name": name, "value": value} for name, value in wanted.items()]
        self.command("Emulation.setEmulatedMedia", features=features)
        self.resize(LOWEST)
        self.resize(min(max(self.browser.execute_script(_HEIGHT), LOWEST), HIGHEST))
        self.wait(lambda: all(self.browser.execute_script("return [...document.images].map((each) => each.complete)")))
        time.sleep(0.5)
        png = base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"])
        save(png, self.folder / f"{name}.png", LARGEST)

    def resize(self, height: int) -> None:
        """Give the page a height."""
        size = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", **size)

    def command(self, name: str, **values: Any) -> dict[str, Any]:
        """Do a command of the DevTools protocol."""
        answer: dict[str, Any] = self.browser.execute_cdp_cmd(name, values)
        return answer


if __name__ == "__main__":
    main()
