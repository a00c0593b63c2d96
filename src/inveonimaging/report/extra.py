"""What draws and lays out: packages of the extra `[report]`, which may be missing."""

from __future__ import annotations

from importlib.util import find_spec

from inveonimaging.errors import OptionError

_PACKAGES = ("matplotlib", "jinja2")


def refuse_without_extra() -> None:
    """Refuse to draw without the packages that do.

    Raises:
        OptionError: what is missing, and how to get it.
    """
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise OptionError(f"a report needs {' and '.join(missing)}", hint="pip install 'inveonimaging[report]'")
