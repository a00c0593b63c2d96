"""Packages that only some commands need: each set is an extra of this package, and may be missing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import requires
from importlib.util import find_spec
from pathlib import Path

from inveonimaging.errors import OptionError


def refuse_without_extra(
    what: str, extra: str, packages: Mapping[str, str], *, python: tuple[int, int] = (3, 10)
) -> None:
    """Refuse what needs the packages of an extra, unless they are installed.

    Args:
        what: needs them, as the start of a sentence.
        extra: that brings them.
        packages: by the names of their modules.
        python: the oldest that they run on; an older one installs the extra without them.

    Raises:
        OptionError: which are missing, and what to type.
    """
    if sys.version_info < python:
        raise OptionError(f"{what} needs Python {'.'.join(map(str, python))} or newer")
    missing = [package for module, package in packages.items() if find_spec(module) is None]
    if missing:
        raise OptionError(f"{what} needs {' and '.join(missing)}", hint=how_to_install(extra))


def how_to_install(extra: str) -> str:
    """Return the command that adds an extra to this installation, for a POSIX shell, PowerShell and cmd alike.

    In an environment of pipx there is no pip; packages are injected into it. Into a frozen program nothing is put.
    """
    if getattr(sys, "frozen", False):
        return f"this program comes without; where Python is: pip install {_quoted(f'inveonimaging[{extra}]')}"
    environment = Path(sys.prefix)
    if (environment / "pipx_metadata.json").exists():
        return f"pipx inject {environment.name} {' '.join(map(_quoted, _requirements(extra)))}"
    return f"pip install {_quoted(f'inveonimaging[{extra}]')}"


def _requirements(extra: str) -> list[str]:
    """Return what the extra brings, as its installed metadata say: `pynetdicom<3.1,>=3.0`."""
    found = (each.partition(";") for each in requires("inveonimaging") or ())
    return [name.strip() for name, _, marker in found if f"extra == '{extra}'" in marker.replace('"', "'")]


def _quoted(text: str) -> str:
    return f'"{text}"'  # cmd takes single quotes for a part of the name
