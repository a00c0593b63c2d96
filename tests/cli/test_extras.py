"""What is printed where the packages of an extra are missing: a command that works where it is read."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from helpers import PET, ROOT
from inveonimaging import extras
from inveonimaging.errors import OptionError
from inveonimaging.phantom import frames_of, write_scan

MODULES = (
    "dask_jobqueue",
    "distributed",
    "jpeg_ls",
    "nibabel",
    "openpyxl",
    "openjpeg",
    "pylibjpeg",
    "pynetdicom",
    "requests",
    "scipy",
    "starlette",
    "urllib3",
    "uvicorn",
    "yaml",
)
EXTRAS = ("app", "arrays", "bids", "compress", "dask", "nifti", "send", "split", "viewer", "xlsx")


def test_what_is_there_is_not_refused() -> None:
    extras.refuse_without_extra("counting", "numbers", {"json": "json", "csv": "csv"})


def test_what_is_missing_is_named_with_what_to_type() -> None:
    packages = {"json": "json", "no_such_module": "no-such-package", "nor_this": "Nor-This"}
    with pytest.raises(OptionError) as caught:
        extras.refuse_without_extra("counting", "numbers", packages)
    message = 'counting needs no-such-package and Nor-This; pip install "inveonimaging[numbers]"'
    assert str(caught.value) == message


def test_what_needs_a_newer_python_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """On an older one pip would install the extra without its packages, and say nothing."""
    monkeypatch.setattr(sys, "version_info", (3, 10, 13))
    with pytest.raises(OptionError, match=r"^inveon zarr needs Python 3\.11 or newer$"):
        extras.refuse_without_extra("inveon zarr", "zarr", {"json": "json"})
    assert extras.how_to_install("zarr") == "it needs Python 3.11 or newer"
    extras.refuse_without_extra("inveon nifti", "nifti", {"json": "json"})


def test_the_python_that_an_extra_needs_is_that_of_its_packages() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extra_of = re.compile(r"""^(\w+) = \[.*; python_version >= '3\.(\d+)'"]$""", re.MULTILINE)
    assert extra_of.findall(text) == [(extra, str(minor)) for extra, (_, minor) in extras.OLDEST_PYTHON.items()]


def test_under_pipx_the_packages_are_injected(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """pip is not in its environments, and what was installed from a folder is on no index, to be installed again."""
    environment = tmp_path / "inveonimaging"
    environment.mkdir()
    monkeypatch.setattr(sys, "prefix", str(environment))
    assert extras.how_to_install("send").startswith("pip install ")
    (environment / "pipx_metadata.json").touch()
    command = shlex.split(extras.how_to_install("send"))
    assert command[:3] == ["pipx", "inject", "inveonimaging"]
    assert sorted(re.split("[<>=]", each)[0] for each in command[3:]) == [
        "pynetdicom",
        "requests",
        "urllib3",
    ]


def test_nothing_is_put_into_a_frozen_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    message = 'this program comes without; where Python is: pip install "inveonimaging[send]"'
    assert extras.how_to_install("send") == message


@pytest.mark.parametrize("is_pipx", [False, True])
@pytest.mark.parametrize("extra", EXTRAS)
def test_no_shell_takes_the_hint_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, extra: str, *, is_pipx: bool
) -> None:
    """cmd knows double quotes only; within them < and > redirect nothing. Other shells find nothing to replace."""
    if is_pipx:
        (tmp_path / "pipx_metadata.json").touch()
        monkeypatch.setattr(sys, "prefix", str(tmp_path))
    hint = extras.how_to_install(extra)
    assert hint.count('"') >= 2
    assert hint.count('"') % 2 == 0
    assert not set(hint) & set("'`$%^&|;!\\")
    outside = "".join(hint.split('"')[::2])
    assert not set(outside) & set("<>[](),*")


def test_conversions_and_reports_need_no_extra(tmp_path: Path) -> None:
    """In a process of its own, in which nothing can be imported that an extra brings."""
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "m.pet.img", replace(PET, frames=frames_of(60.0)))
    code = f"""if True:
        import sys
        sys.modules.update(dict.fromkeys({MODULES!r}))
        sys.argv = ["inveon", "convert", "in", "out", "--report"]
        from inveonimaging.__main__ import main
        main()
    """
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert "<svg" in (tmp_path / "out" / "report.html").read_text("utf-8")
