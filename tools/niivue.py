"""Put NiiVue, which `inveon report --viewer` writes into the page, into the package.

    python tools/niivue.py

npm installs what `tools/niivue/package-lock.json` pins by SHA-512. One file of it is kept, NiiVue with all that it
needs, and the licences of what is in that file. To move to another version, change it in `tools/niivue/package.json`
and run `npm install --package-lock-only` there first.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PINNED = ROOT / "tools" / "niivue"
KEPT = ROOT / "src" / "inveonimaging" / "reports" / "niivue"
_NAME = "@niivue/niivue"
_SCRIPT = Path("dist", "niivue.umd.js")
_TIMEOUT_S = 300


def made(npm: str, folder: Path) -> dict[str, bytes]:
    """Return the files of the package, by their names.

    Args:
        npm: the program.
        folder: where npm installs, and keeps its cache.

    Raises:
        OSError: npm cannot install what the lock file pins.
    """
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PINNED / name, folder)
    options = ("--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "--cache", str(folder / "cache"))
    command = [npm, "ci", *options]
    done = subprocess.run(command, cwd=folder, capture_output=True, check=False, encoding="utf-8", timeout=_TIMEOUT_S)
    if done.returncode:
        message = f"npm ci failed: {done.stderr}"
        raise OSError(message)
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


def main() -> None:
    """Write the files."""
    npm = shutil.which("npm")
    if npm is None:
        message = "npm is not there; it comes with Node.js"
        raise SystemExit(message)
    KEPT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, data in made(npm, Path(folder)).items():
            (KEPT / name).write_bytes(data)


if __name__ == "__main__":
    main()
