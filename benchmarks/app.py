"""What `inveon app` costs: the size of the extra, and the time from the command to the first page.

    python benchmarks/app.py [FOLDER]

The size is that of `pip install --target` of the extra and all that it needs, less what the package needs without it.
The times are of the process: from its start to the address that it prints, and to the first page; processor time is
user and system time. FOLDER is what the first page shows; a page of a folder with many others in it takes longer.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
RUNS = 3


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folder", type=Path, nargs="?", default=HERE)
    parser.add_argument("--without-size", action="store_true", help="leave out what pip has to fetch")
    given = parser.parse_args()
    if not given.without_size:
        plain, app = (size_of(f"{HERE}{extra}") for extra in ("", "[app]"))
        print(f"extra app: {(app[0] - plain[0]) / 2**20:.1f} MiB, {app[1] - plain[1]} packages")
    print(f"{'':12}{'address s':>12}{'first page s':>14}{'processor s':>13}{'MB':>6}")
    for number in range(RUNS):
        address, page, processor, megabytes = started(given.folder)
        print(f"start {number + 1:<6}{address:12.2f}{page:14.2f}{processor:13.2f}{megabytes:6.0f}")


def size_of(requirement: str) -> tuple[int, int]:
    """Return how many bytes an installation takes, and how many packages it has."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "install", "-q", "--no-compile", "--target", folder, requirement]
        subprocess.run(command, check=True)
        files = [each.stat().st_size for each in Path(folder).rglob("*") if each.is_file()]
        return sum(files), len(list(Path(folder).glob("*.dist-info")))


def started(folder: Path) -> tuple[float, float, float, float]:
    """Return seconds to the address, to the first page, of the processor, and the largest memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryDirectory() as state:
        environment = {**os.environ, "XDG_STATE_HOME": state}
        command = [sys.executable, "-m", "inveonimaging", "app", "--no-browser", "--root", str(folder)]
        start = time.monotonic()
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            if process.stdout is None:
                raise RuntimeError
            address = process.stdout.readline().strip()
            to_address = time.monotonic() - start
            opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
            led = opener.open(address).read().decode()
            found = re.search(r"url=(/[^\"]+)", led)
            opener.open(address.partition("/start")[0] + (found[1] if found else "/")).read()
            to_page = time.monotonic() - start
            process.send_signal(signal.SIGINT)
            process.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return to_address, to_page, processor, after.ru_maxrss / 1024


if __name__ == "__main__":
    main()
