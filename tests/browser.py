"""A browser for pages that are written: Debian's chromium, headless, without a network."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from conftest import skip_or_fail

WAIT_S = 240
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_QUIET = (
    *("--headless=new", "--no-sandbox", "--disable-quic", "--no-first-run", "--disable-sync", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    "--window-size=1280,1000",
)
_LITTLE = (  # WebGL by software, and pages without it; one process for all pages; no page of the browser's own
    *("--disable-gpu", "--enable-unsafe-swiftshader", "--disable-site-isolation-trials", "--renderer-process-limit=1"),
    "--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup",
)
_EMPTY = {"session.restore_on_startup": 4, "session.startup_urls": ["about:blank"]}
_NOTHING = "MAP * ~NOTFOUND"


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """Return a browser that reaches no network."""
    with started(tmp_path_factory.mktemp("profile")) as chrome:
        yield chrome


@contextlib.contextmanager
def started(profile: Path, may_reach: str = "", *, pretends: str = "", tells_all: bool = False) -> Iterator[Chrome]:
    """Run a browser with a profile of its own, and no network but one address.

    Args:
        profile: a folder of its own.
        may_reach: the address.
        pretends: name of another site that leads to that address, as DNS rebinding does.
        tells_all: its requests and dialogs can be asked for, too, by `events`.
    """
    program = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        skip_or_fail("chromium or chromedriver is not installed")
    options = ChromeOptions()
    options.binary_location = str(program)
    rules = f"{_NOTHING}, EXCLUDE {may_reach}" if may_reach else _NOTHING
    if pretends:
        rules = f"MAP {pretends} {may_reach}, {rules}"
    for argument in (*_QUIET, *_LITTLE, f"--host-resolver-rules={rules}", f"--user-data-dir={profile}"):
        options.add_argument(argument)
    options.add_experimental_option("prefs", _EMPTY)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", **({"performance": "ALL"} if tells_all else {})})
    chrome = Chrome(options, Service(str(driver)))
    chrome.set_script_timeout(WAIT_S)
    try:
        yield chrome
    finally:
        chrome.quit()


def resize(browser: Chrome, width: int, height: int) -> None:
    """Give the window a size, and wait until the page has it."""
    browser.set_window_size(width, height)
    WebDriverWait(browser, WAIT_S, 0.05).until(lambda _: browser.execute_script("return innerWidth") == width)
    drawn(browser)


def drawn(browser: Chrome) -> None:
    """Wait until what was changed in the page is on the screen: with the picture after the next one."""
    browser.execute_async_script(
        "const done = arguments[0]; requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))"
    )


def opened(browser: Chrome, page: Path) -> list[dict[str, Any]]:
    """Open a page from disk; return what the console printed."""
    browser.get("about:blank")
    console(browser)
    browser.get(page.resolve().as_uri())
    return console(browser)


def console(browser: Chrome) -> list[dict[str, Any]]:
    """Return what the console printed since the last call."""
    lines: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return lines


def events(browser: Chrome) -> list[dict[str, Any]]:
    """Return what a browser that reports all did since the last call: methods of DevTools, with their parameters."""
    lines: list[dict[str, Any]] = browser.get_log("performance")  # type: ignore[no-untyped-call]
    return [json.loads(each["message"])["message"] for each in lines]
