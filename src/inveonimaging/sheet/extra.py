"""Packages of the extras `[xlsx]` and `[yaml]`, which may be missing."""

from __future__ import annotations

from importlib.util import find_spec

from inveonimaging.errors import OptionError

_PACKAGES = {"xlsx": "openpyxl", "yaml": "yaml"}


def refuse_without_extra(kind: str) -> None:
    """Refuse to read or write sheets of a kind, `xlsx` or `yaml`, without the package that does.

    Raises:
        OptionError: what is missing, and how to get it.
    """
    if find_spec(_PACKAGES[kind]) is None:
        raise OptionError(f".{kind} files need {_PACKAGES[kind]}", hint=f"pip install 'inveonimaging[{kind}]'")
