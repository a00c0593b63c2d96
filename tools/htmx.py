"""Put htmx, with which the pages of `inveon app` change in place, into the package.

    python tools/htmx.py

npm installs what `tools/htmx/package-lock.json` pins by SHA-512. One file of it is kept, and its licence. To move to
another version, change it in `tools/htmx/package.json` and run `npm install --package-lock-only` there first.
"""

from __future__ import annotations

from pathlib import Path

from npm import install, keep

ROOT = Path(__file__).parent.parent
PINNED = ROOT / "tools" / "htmx"
KEPT = ROOT / "src" / "inveonimaging" / "app" / "static" / "htmx"
_FILES = {"htmx.min.js": "dist/htmx.min.js", "LICENSE": "LICENSE"}


def made(npm: str, folder: Path) -> dict[str, bytes]:
    """Return the files of the package, by their names.

    Args:
        npm: the program.
        folder: where npm installs, and keeps its cache.

    Raises:
        OSError: npm cannot install what the lock file pins.
    """
    install(npm, PINNED, folder)
    return {name: (folder / "node_modules" / "htmx.org" / path).read_bytes() for name, path in _FILES.items()}


if __name__ == "__main__":
    keep(made, KEPT)
