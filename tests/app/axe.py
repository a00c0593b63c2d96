"""axe-core, as npm has it: what it finds on a page that keeps people out."""

from __future__ import annotations

from pathlib import Path

from selenium.webdriver import Chrome

from helpers import ROOT
from npm import install

PINNED = ROOT / "tools" / "axe"
_ASK = """const done = arguments[1];
axe.run(document, {resultTypes: ["violations"], ...arguments[0]}).then((found) => done(found.violations.map(
  (each) => [each.id, each.impact, ...each.nodes.slice(0, 3).map((node) => node.html.slice(0, 200))])), String)"""


def fetched(npm: str, folder: Path) -> str:
    """Return the script that npm has of the pinned version.

    Raises:
        OSError: npm cannot install it.
    """
    install(npm, PINNED, folder)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


def violations(browser: Chrome, *rules: str) -> list[list[str]]:
    """Return what axe finds by the rules of WCAG A and AA and by good practice, or by some of them, on this page."""
    found: list[list[str]] = browser.execute_async_script(_ASK, {"runOnly": list(rules)} if rules else {})
    return found
