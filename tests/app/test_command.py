"""The command `inveon app`: what it refuses, its settings, and its end."""

from __future__ import annotations

import signal
import sys
import urllib.request
from pathlib import Path

import pytest

from helpers import assert_one_line_error, inveon, running_python
from inveonimaging.app.choices.table import FIELDS
from inveonimaging.cli import app


def test_what_cannot_be_shown_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = inveon("app", "--root", tmp_path / "nothing", "--no-browser")
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr)
    assert line.endswith("nothing: there is no such folder\n")
    monkeypatch.setitem(sys.modules, "webview", None)
    done = inveon("app", "--window")
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr, expected_code=2)
    assert line == "error: --window needs pywebview; pip install pywebview\n"


def test_settings_of_a_folder_are_fields_of_the_form(tmp_path: Path) -> None:
    (tmp_path / "inveon.toml").write_text('posture = "HFP"\npet-prefix = "P-"\nbed-direction = "reverse"\n', "utf-8")
    found = app._settings(tmp_path)
    assert found == {"orientation": "HFP", "pet_prefix": "P-", "bed_direction": "reverse"}
    assert found.keys() <= FIELDS.keys()


APP = """
import sys
from inveonimaging.__main__ import main

try:
    main()
finally:
    print("matplotlib" in sys.modules)
"""


@pytest.mark.faults
def test_it_prints_its_address_and_ends_by_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And its first page needs no matplotlib, which is a third of the time of a start."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with running_python("-c", APP, "app", "--root", tmp_path, "--no-browser") as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:")
        with urllib.request.urlopen(address, timeout=60) as answer:  # noqa: S310 - our own
            assert answer.status == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "False\n", "note: Ctrl-C ends the app, as does Quit on the page\n")
