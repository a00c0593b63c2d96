"""Photograph a report of the demo for the pages: animal and CT, PET, and the viewer, as PNG files.

    pip install ".[viewer,test]"
    python tools/report_pictures.py docs/images

It makes the demo in a temporary folder and opens its report in Debian's Chromium, headless, without a network. Each
picture is reduced to 256 colours, so that it stays below 300 kB.
"""

from __future__ import annotations

import argparse
import base64
import io
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

WIDTH = 1240
MARGIN = 12
COLOURS = 256
LARGEST = 300_000  # bytes
DRAWN_S = 5.0  # the viewer draws by software
PICTURES = {  # file: from the top of the first element to the bottom of the last, and whether of the page with viewer
    "report-ct.png": ("body", "#series-1", False),
    "report-pet.png": ("#series-2", "#series-2 .curves", False),
    "report-viewer.png": ("#viewer", "#viewer", True),
}


def main() -> None:
    """Make the reports, then the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where the pictures go, docs/images")
    folder = parser.parse_args().folder.resolve()
    with tempfile.TemporaryDirectory() as work:
        pages = {viewer: report(Path(work), viewer=viewer) for viewer in (False, True)}
        browser = chromium(Path(work))
        try:
            for name, (first, last, viewer) in PICTURES.items():
                browser.get(pages[viewer].as_uri())
                time.sleep(DRAWN_S)
                save(photograph(browser, first, last), folder / name)
        finally:
            browser.quit()


def report(work: Path, *, viewer: bool) -> Path:
    """Write the demo's report, with or without the viewer; return its page."""
    if not (work / "demo").exists():
        inveon(work, "demo", "demo")
        (work / "demo" / "inveon").rename(work / "mouse_study")
    page = work / f"report-{viewer}.html"
    inveon(work, "report", "mouse_study", "-o", page.name, *(["--viewer"] if viewer else []))
    return page


def inveon(work: Path, *arguments: str) -> None:
    """Run `inveon` in a folder."""
    subprocess.run([sys.executable, "-m", "inveonimaging", *arguments], cwd=work, check=True, capture_output=True)


def chromium(work: Path) -> Chrome:
    """Start a browser that reaches no network."""
    options = ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    options.add_argument("--headless=new")
    options.add_argument("--no-sandbox")
    options.add_argument("--hide-scrollbars")
    options.add_argument("--enable-unsafe-swiftshader")
    options.add_argument("--host-resolver-rules=MAP * ~NOTFOUND")
    options.add_argument(f"--user-data-dir={work / 'profile'}")
    options.add_argument(f"--window-size={WIDTH},1400")
    return Chrome(options, Service(shutil.which("chromedriver")))


def photograph(browser: Chrome, first: str, last: str) -> bytes:
    """Return a PNG from the top of one element to the bottom of another, over the whole width of the page."""

    def found(selector: str) -> WebElement:
        return browser.find_element(By.CSS_SELECTOR, selector)

    top = 0 if first == "body" else found(first).location["y"] - MARGIN
    bottom = found(last).location["y"] + found(last).size["height"] + MARGIN
    clip = {"x": 0, "y": top, "width": WIDTH, "height": bottom - top, "scale": 1}
    asked = {"format": "png", "clip": clip, "captureBeyondViewport": True}
    answer = browser.execute_cdp_cmd("Page.captureScreenshot", asked)
    return base64.b64decode(answer["data"])


def save(png: bytes, path: Path, largest: int = LARGEST) -> None:
    """Write a picture in few colours.

    Raises:
        ValueError: it has more bytes than `largest`, too many for the pages.
    """
    Image.open(io.BytesIO(png)).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    if path.stat().st_size > largest:
        raise ValueError(f"{path} has {path.stat().st_size} bytes, expected at most {largest}")


if __name__ == "__main__":
    main()
