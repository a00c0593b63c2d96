"""Rate of `inveon send` to an Orthanc on this computer: C-STORE, C-STORE over TLS and STOW-RS, beside DCMTK's storescu.

    python benchmarks/send.py                  # 400 slices of a PET, 100 of a CT, an Enhanced CT of 256 MiB
    python benchmarks/send.py --scan pet --runs 5 --times 4

All run in turn, as whole processes, each time to an empty server; the start of the command counts. It needs Debian's
orthanc and orthanc-dicomweb, and the extra `test`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from inveonimaging import Options, convert
from inveonimaging.dicom.iods import Form
from inveonimaging.phantom import CT_SCAN, PET_SCAN, PhantomScan, frames_of, write_scan

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import orthanc
from orthanc import Orthanc


class Kind(NamedTuple):
    """What is sent: a scan, in a form."""

    scan: PhantomScan
    form: Form


SLICES = replace(CT_SCAN, shape=(512, 512, 100), spacing_mm=(0.1, 0.1, 0.8))
KINDS = {
    "pet": Kind(replace(PET_SCAN, shape=(128, 128, 80), frames=frames_of(*[60.0] * 5)), Form.CLASSIC),
    "ct": Kind(SLICES, Form.CLASSIC),
    "large": Kind(replace(SLICES, shape=(512, 512, 512), spacing_mm=(0.1, 0.1, 0.16)), Form.ENHANCED),
}

# Runs a command; prints the seconds, and the peak memory in KiB, which Windows hides.
WATCHED = """
import subprocess, sys, time
start = time.perf_counter()
subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL)
took, peak = time.perf_counter() - start, 0
if sys.platform != "win32":
    import resource
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(took, peak)
"""


def main() -> None:
    """Convert, send, and print the rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scan", choices=KINDS, action="append")
    parser.add_argument("--times", type=int, default=1, help="how many times as many slices")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where to work; default is the system's temporary folder")
    given = parser.parse_args()
    found = orthanc.find_orthanc()
    if found is None:
        parser.error("orthanc and orthanc-dicomweb are not installed")
    print(f"{'':24} {'seconds (min to max)':>24} {'files/s':>8} {'MB/s':>6} {'peak MB':>8}")
    with tempfile.TemporaryDirectory(dir=given.folder) as work, servers(Path(work), found) as (plain, encrypted):
        for name in given.scan or KINDS:
            folder = converted(Path(work, name), KINDS[name], given.times)
            compare(name, folder, commands(plain, encrypted, folder), given.runs)
            shutil.rmtree(folder)


@contextmanager
def servers(work: Path, found: tuple[str, str]) -> Iterator[tuple[Orthanc, Orthanc]]:
    """Run a server that talks in plain, and one that talks in TLS."""
    certificates = orthanc.make_certificates(work / "certificates")
    settings = orthanc.tls_settings(certificates)
    with (
        orthanc.running(work / "plain", found) as plain,
        orthanc.running(work / "encrypted", found, settings) as encrypted,
    ):
        yield plain, encrypted


def converted(folder: Path, kind: Kind, times: int) -> Path:
    """Return a folder with what is sent."""
    x, y, z = kind.scan.shape
    (folder / "in").mkdir(parents=True)
    write_scan(
        folder / "in" / f"mouse.{kind.scan.modality.name.lower()}.img", replace(kind.scan, shape=(x, y, z * times))
    )
    convert(folder / "in", folder / "dicom", Options(form=kind.form, largest_object=4095 * 2**20, manifest=False))
    shutil.rmtree(folder / "in")
    return folder / "dicom"


def commands(plain: Orthanc, encrypted: Orthanc, folder: Path) -> dict[str, tuple[Orthanc, list[str]]]:
    """Return what is compared: a server, and what sends a folder to it."""
    inveon = [sys.executable, "-m", "inveonimaging", "send", str(folder)]
    files = encrypted.folder.parent / "certificates"
    tls = ["--tls-ca", "authority.pem", "--tls-cert", "client.pem", "--tls-key", "client_key.pem"]
    certified = [str(files / each) if each.endswith(".pem") else each for each in tls]
    found = {
        "C-STORE": (plain, [*inveon, plain.target]),
        "C-STORE over TLS": (encrypted, [*inveon, encrypted.target, *certified]),
        "STOW-RS": (plain, [*inveon, plain.web]),
    }
    if storescu := shutil.which("storescu"):
        to = ["-aec", orthanc.AE_TITLE, "127.0.0.1", str(plain.dicom_port)]
        found["storescu"] = (plain, [storescu, "-R", "+sd", "+r", *to, str(folder)])
    return found


def compare(name: str, folder: Path, ways: dict[str, tuple[Orthanc, list[str]]], runs: int) -> None:
    """Time all ways in turn, and print a row for each."""
    sizes = [path.stat().st_size for path in folder.rglob("*.dcm")]
    taken: dict[str, list[tuple[float, int]]] = {way: [] for way in ways}
    for _ in range(runs):
        for way, (server, command) in ways.items():
            server.clear()
            taken[way].append(watched(command))
            if server.count() != len(sizes):
                raise SystemExit(f"{way}: {server.count()} of {len(sizes)} files arrived")
    for way, found in taken.items():
        times = [took for took, _ in found]
        median = statistics.median(times)
        rates = f"{len(sizes) / median:8.0f} {sum(sizes) / 1e6 / median:6.0f} {max(peak for _, peak in found) >> 10:8}"
        print(f"{name}, {way}".ljust(24), f"{spread(times):>24}", rates, flush=True)


def watched(command: Sequence[str]) -> tuple[float, int]:
    """Return how long a command takes, in seconds, and its peak memory in KiB, 0 where it is not known."""
    environment = {**os.environ, "INVEON_USER": orthanc.USER, "INVEON_PASSWORD": orthanc.PASSWORD}
    run = [sys.executable, "-c", WATCHED, *command]
    took, peak = subprocess.run(run, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout.split()
    return float(took), int(peak)


def spread(times: Sequence[float]) -> str:
    """Return median, shortest and longest time."""
    return f"{statistics.median(times):.2f} ({min(times):.2f} to {max(times):.2f})"


if __name__ == "__main__":
    main()
