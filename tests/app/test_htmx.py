"""htmx is what npm has, and it runs nothing that the pages' policy forbids."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from conftest import Tool, skip_or_fail
from helpers import ROOT

KEPT = ROOT / "src" / "inveonimaging" / "app" / "static" / "htmx"


def test_it_is_the_version_that_is_pinned() -> None:
    version = json.loads((ROOT / "tools" / "htmx" / "package.json").read_text("utf-8"))["dependencies"]["htmx.org"]
    assert f'version:"{version}"' in (KEPT / "htmx.min.js").read_text("utf-8")


@pytest.mark.npm
def test_it_is_what_npm_has_of_that_version(tmp_path: Path, tool: Tool) -> None:
    made = runpy.run_path(str(ROOT / "tools" / "htmx.py"))["made"]
    try:
        fetched: dict[str, bytes] = made(tool("npm"), tmp_path)
    except OSError as error:
        skip_or_fail(str(error))
    assert {path.name: path.read_bytes() for path in KEPT.iterdir()} == fetched, "run tools/htmx.py"


def test_pages_keep_it_from_what_the_policy_forbids() -> None:
    html = (ROOT / "src" / "inveonimaging" / "app" / "templates" / "base.html").read_text("utf-8")
    settings = json.loads(html.split("htmx-config\" content='")[1].split("'")[0])
    assert settings["allowEval"] is settings["allowScriptTags"] is settings["includeIndicatorStyles"] is False
    assert settings["selfRequestsOnly"] is True
