"""Packages that only some commands need: each set is an extra of this package, and may be missing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

from inveonimaging.errors import OptionError

OLDEST_PYTHON = {"zarr": (3, 11)}
"""Of extras whose packages need a newer one than this package; on an older one pip installs them without packages."""


def refuse_without_extra(what: str, extra: str, packages: Mapping[str, str]) -> None:
    """Refuse what needs the packages of an extra, unless they are installed.

    Args:
        what: needs them, as the start of a sentence.
        extra: that brings them.
        packages: by the names of their modules.

    Raises:
        OptionError: which are missing, and what to type.
    """
    if needed := _newer_python(extra):
        raise OptionError(f"{what} needs {needed}")
    missing = [package for module, package in packages.items() if find_spec(module) is None]
    if missing:
        raise OptionError(f"{what} needs {' and '.join(missing)}", hint=how_to_install(extra))


def how_to_install(extra: str) -> str:
    """Return the command that adds an extra to this installation, for a POSIX shell, PowerShell and cmd alike.

    In an environment of pipx there is no pip; packages are injected into it. Into a frozen program nothing is put.
    If the extra needs a newer Python, it says so instead.
    """
    if needed := _newer_python(extra):
        return f"it needs {needed}"
    if getattr(sys, "frozen", False):
        return f"this program comes without; where Python is: pip install {_quoted(f'inveonimaging[{extra}]')}"
    environment = Path(sys.prefix)
    if (environment / "pipx_metadata.json").exists():
        return f"pipx inject {environment.name} {' '.join(map(_quoted, _requirements(extra)))}"
    return f"pip install {_quoted(f'inveonimaging[{extra}]')}"


def _newer_python(extra: str) -> str:
    """Return which Python an extra needs; empty if this one will do."""
    oldest = OLDEST_PYTHON.get(extra, (3, 10))
    return "" if sys.version_info >= oldest else f"Python {'.'.join(map(str, oldest))} or newer"


def _requirements(extra: str) -> list[str]:
    """Return what the extra brings, as its installed metadata say: `pynetdicom<3.1,>=3.0`."""
    found = (each.partition(";") for each in requires("inveonimaging") or ())
    return [name.strip() for name, _, marker in found if f"extra == '{extra}'" in marker.replace('"', "'")]


def _quoted(text: str) -> str:
    return f'"{text}"'  # cmd takes single quotes for a part of the name
