"""Put NiiVue, which `inveon report --viewer` writes into the page, into the package.

    python tools/niivue.py

npm installs what `tools/niivue/package-lock.json` pins by SHA-512. One file of it is kept, NiiVue with all that it
needs, and the licences of what is in that file. To move to another version, change it in `tools/niivue/package.json`
and run `npm install --package-lock-only` there first.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from npm import install, keep

ROOT = Path(__file__).parent.parent
PINNED = ROOT / "tools" / "niivue"
KEPT = ROOT / "src" / "inveonimaging" / "reports" / "niivue"
_NAME = "@niivue/niivue"
_SCRIPT = Path("dist", "niivue.umd.js")


def made(npm: str, folder: Path) -> dict[str, bytes]:
    """Return the files of the package, by their names.

    Args:
        npm: the program.
        folder: where npm installs, and keeps its cache.

    Raises:
        OSError: npm cannot install what the lock file pins.
    """
    install(npm, PINNED, folder)
    licences = "\n\n".join(_licences(folder))
    return {
        "niivue.umd.js": (folder / "node_modules" / _NAME / _SCRIPT).read_bytes(),
        "LICENSE": (licences.replace("\r\n", "\n").rstrip() + "\n").encode(),
    }


def _licences(folder: Path) -> Iterator[str]:
    """Yield name, version and licence of NiiVue, then of what is built into it."""
    packages = json.loads((folder / "package-lock.json").read_text("utf-8"))["packages"]
    installed = [name for name, about in packages.items() if name and not about.get("optional")]
    for name in sorted(installed, key=lambda name: (not name.endswith(_NAME), name)):
        plain = name.removeprefix("node_modules/")
        where = PINNED if plain == _NAME else folder / name  # NiiVue's package holds no copy of its licence
        (text,) = (each for each in sorted(where.iterdir()) if each.name.lower().startswith("licen"))
        yield f"{plain} {packages[name]['version']}\n\n{text.read_text('utf-8').strip()}"


if __name__ == "__main__":
    keep(made, KEPT)
