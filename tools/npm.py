"""What npm has of the packages that a lock file pins by SHA-512, for the files that are kept in this package."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

_TIMEOUT_S = 300
_OPTIONS = ("--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional")


def install(npm: str, pinned: Path, folder: Path) -> None:
    """Install the packages of a lock file into `folder`, where npm keeps its cache, too.

    Args:
        npm: the program.
        pinned: holds `package.json` and `package-lock.json`.
        folder: is empty.

    Raises:
        OSError: npm cannot install what the lock file pins.
    """
    for name in ("package.json", "package-lock.json"):
        shutil.copy(pinned / name, folder)
    command = [npm, "ci", *_OPTIONS, "--cache", str(folder / "cache")]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, encoding="utf-8", timeout=_TIMEOUT_S)
    if done.returncode:
        message = f"npm ci failed: {done.stderr}"
        raise OSError(message)


def keep(made: Callable[[str, Path], dict[str, bytes]], kept: Path) -> None:
    """Write the files that `made` returns of a program and an empty folder."""
    npm = shutil.which("npm")
    if npm is None:
        message = "npm is not there; it comes with Node.js"
        raise SystemExit(message)
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, data in made(npm, Path(folder)).items():
            (kept / name).write_bytes(data)
