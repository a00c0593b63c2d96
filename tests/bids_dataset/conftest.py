"""The BIDS validator, which runs without a network."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import skip_or_fail
from helpers import LAST_RESORT_S

Validated = Callable[[Path], list[str]]
"""Returns the errors of a data set, each with its code, key and file."""


@pytest.fixture(scope="session")
def errors_of() -> Validated:
    """Return what runs the validator of the package bids-validator-deno."""
    name = "bids-validator-deno"
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        skip_or_fail(f"{name} is not installed")
    validator = str(found)

    def errors(dataset: Path) -> list[str]:
        command = [validator, str(dataset), "--format", "json"]
        done = subprocess.run(command, capture_output=True, check=False, encoding="utf-8", timeout=LAST_RESORT_S)
        issues = json.loads(done.stdout)["issues"]["issues"]
        shown = ("code", "subCode", "location", "issueMessage")
        return [" ".join(str(each.get(key) or "") for key in shown) for each in issues if each["severity"] == "error"]

    return errors
