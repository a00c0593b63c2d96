"""What talks to servers: packages of the extra `[send]`, which may be missing."""

from __future__ import annotations

from importlib.util import find_spec

from inveonimaging.errors import OptionError

_PACKAGES = {"pynetdicom": "pynetdicom", "dicomweb_client": "dicomweb-client"}


def refuse_without_extra() -> None:
    """Refuse to send without the packages that do.

    Raises:
        OptionError: what is missing, and how to get it.
    """
    missing = [package for name, package in _PACKAGES.items() if find_spec(name) is None]
    if missing:
        raise OptionError(f"sending needs {' and '.join(missing)}", hint="pip install 'inveonimaging[send]'")
