"""The layout holds: imports go downward only, and heavy packages stay in their rooms."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer.main

import inveonimaging
from helpers import CT, write_small_study
from helpers import ROOT as REPOSITORY
from inveonimaging.cli import main
from inveonimaging.phantom import write_scan

ROOT = Path(inveonimaging.__file__).parent
PACKAGE = ROOT.name
OURS = re.compile(rf"{PACKAGE}(?:\.\w+)+")
OF_NO_MODULE = {"inveonimaging.as_inveon", "inveonimaging.help_all", "inveonimaging.typed"}  # names in click's contexts

# From the top down: a module imports only from its own room or from one below.
ROOMS = (
    "__main__",
    "inveonFile2DICOM",
    "inveonFolder2DICOM",
    "cli",
    "app",
    "commands",
    "phantom",
    "batches",
    "napari_reader",
    "reports",
    "prefill",
    "verification",
    "checks",
    "sending",
    "conversion",
    "restoring",
    "bids_dataset",
    "zarr_files",
    "nifti_files",
    "time_activity",
    "dicom",
    "dicom_reading",
    "hotels",
    "study",
    "redaction",
    "sheet",
    "animal",
    "physics",
    "inveon",
    "storage",
    "given",
    "remedies",
    "findings",
    "units",
    "progress",
    "extras",
    "errors",
    "version",
)
CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"
PLACE = {room: place for place, room in enumerate(ROOMS)}
OF_THE_APP = ("serving", "pages", "jobs", "memory", "choices", "access")  # likewise
ONLY_IN = {
    "pydicom": {"dicom", "dicom_reading", "verification", "checks", "sending", "restoring"},
    "pynetdicom": {"sending"},
    "requests": {"sending"},
    "urllib3": {"sending"},
    "openpyxl": {"sheet"},
    "nibabel": {"study", "time_activity", "reports"},
    "SimpleITK": {"study"},
    "xarray": {"study"},
    "dask": {"study"},
    "distributed": {"batches"},
    "dask_jobqueue": {"batches"},
    "yaml": {"batches"},
    "filelock": {"storage", "app"},
    "starlette": {"app"},
    "uvicorn": {"app"},
    "h11": {"app"},
    "webview": {"app"},
    "jinja2": {"reports", "app"},
    "markupsafe": {"reports"},
    "matplotlib": {"reports"},
    "scipy": {"hotels"},
    "zarr": {"zarr_files"},
    "numcodecs": {"zarr_files"},
    "typer": {"cli"},
    "rich": {"cli"},
    "argparse": {"cli", "inveonFolder2DICOM", "inveonFile2DICOM"},
}


def modules() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Return the full names of what a module imports, wherever in it."""
    return imported_in(path.read_text("utf-8"))


@functools.cache
def imported_in(text: str) -> set[str]:
    """Return the full names that a text imports: in functions and for types, too, and those of our modules in texts."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and OURS.fullmatch(node.value):
            names.add(node.value)
    return names


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_imports_go_downward_and_heavy_ones_stay_in_their_rooms(path: Path) -> None:
    here = room(path)
    if here == "__init__":
        return
    assert here in PLACE, f"{here} has no place in this test"
    for name in imported(path) - OF_NO_MODULE:
        top, *rest = name.split(".")
        if top == PACKAGE:
            assert rest, f"{here} imports the package as a whole, which has all rooms"
            assert rest[0] in PLACE, f"{here} imports {name}, which is no room"
            assert PLACE[rest[0]] >= PLACE[here], f"{here} imports {name}, which is above it"
        assert here in ONLY_IN.get(top, {here}), f"{here} imports {top}"
        assert top != "numpy" or "hdr" not in path.parts


@pytest.mark.parametrize("path", sorted(ROOT.glob("app/*/*.py")), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_rooms_of_the_app_lie_one_above_the_other(path: Path) -> None:
    below = OF_THE_APP[OF_THE_APP.index(path.parent.name) :]
    above = {name for name in imported(path) if name.startswith(f"{PACKAGE}.app.") and name.split(".")[2] not in below}
    assert not above


@pytest.mark.parametrize(
    ("room", "foreign"),
    [
        ("sending.dimse", ("sending.web", "sending.job")),
        ("sending.web", ("sending.dimse", "sending.job")),
        ("verification.attributes", ("verification.planes", "verification.series", "verification.job")),
        ("verification.planes", ("verification.series", "verification.job")),
    ],
)
def test_rooms_within_a_room_know_nothing_of_what_is_above_or_beside(room: str, foreign: tuple[str, ...]) -> None:
    paths = [*ROOT.joinpath(*room.split(".")).glob("*.py")]
    assert len(paths) > 1
    others = tuple(f"{PACKAGE}.{each}." for each in foreign)
    assert not [name for path in paths for name in imported(path) if f"{name}.".startswith(others)]


def import_graph(root: Path) -> dict[str, set[str]]:
    """Return which modules each module of a package imports; with a module also the packages that hold it."""
    paths = {".".join(path.relative_to(root.parent).with_suffix("").parts): path for path in root.rglob("*.py")}
    paths = {name.removesuffix(".__init__"): path for name, path in paths.items()}
    graph = {}
    for name, path in paths.items():
        found = {each if each in paths else each.rpartition(".")[0] for each in imported(path)}
        holding = {parent for each in found for parent in parents(each) if not f"{name}.".startswith(f"{parent}.")}
        graph[name] = ((found | holding) & paths.keys()) - {name}
    return graph


def parents(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[:count]) for count in range(1, len(parts))}


def circle_in(graph: dict[str, set[str]]) -> list[str]:
    """Return modules of which each imports the next one, and the last the first; none if there is no circle."""
    done: set[str] = set()

    def search(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        found: list[str] = []
        if name not in done:
            found = next(filter(None, (search(each, [*way, name]) for each in sorted(graph[name]))), [])
            done.add(name)
        return found

    return next(filter(None, (search(name, []) for name in sorted(graph))), [])


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = import_graph(ROOT)
    assert graph[f"{PACKAGE}.verification.job"] > {f"{PACKAGE}.verification.source", f"{PACKAGE}.errors"}
    assert not circle_in(graph)


def test_imports_are_seen_wherever_they_are() -> None:
    text = """
if TYPE_CHECKING:
    from inveonimaging.cli import options
def f():
    import inveonimaging.app.jobs as jobs
    return import_module("inveonimaging.batches.job"), f"{jobs} inveonimaging.no"
"""
    assert imported_in(text) == {"inveonimaging.cli.options", "inveonimaging.app.jobs", "inveonimaging.batches.job"}


def test_every_module_has_a_place_in_the_order() -> None:
    assert {room(path) for path in modules()} == {*ROOMS, "__init__"}


@pytest.mark.skipif(not CONTRIBUTING.exists(), reason="an installed package has no CONTRIBUTING.md")
def test_the_page_shows_the_house_in_the_same_order() -> None:
    table = CONTRIBUTING.read_text("utf-8").partition("| Room of ")[2].partition("\n\n")[0]
    first = [row.split("|")[1] for row in table.splitlines()[2:]]
    assert [name.rstrip("/") for cell in first for name in re.findall("`([^`*]+)`", cell)] == list(ROOMS[3:])


def test_a_circle_of_imports_is_found_inside_functions_and_for_types_alone_too(tmp_path: Path) -> None:
    root = tmp_path / "some"
    (root / "room").mkdir(parents=True)
    (root / "__init__.py").write_text("", "utf-8")
    (root / "room" / "__init__.py").write_text("from some.room.one import A", "utf-8")
    (root / "room" / "one.py").write_text("def f():\n    from some import two", "utf-8")
    (root / "two.py").write_text("import some.three", "utf-8")
    (root / "three.py").write_text("if TYPE_CHECKING:\n    from some.room import A", "utf-8")
    graph = import_graph(root)
    assert circle_in(graph) == ["some.room", "some.room.one", "some.two", "some.three", "some.room"]
    (root / "three.py").write_text("", "utf-8")
    assert not circle_in(import_graph(root))


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, inveonimaging; print(sorted({'numpy', 'pydicom', 'rich', 'typer'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


WITHOUT_A_TERMINAL = """
import sys
import inveonimaging as inveon

inveon.convert("in", "dicom")
assert inveon.verify("in", "dicom").same
assert inveon.check("in").files and inveon.check("dicom").files
assert inveon.report("in", "report.html", pictures="pictures").page
assert inveon.subjects("in", "sheet.csv").rows == 1
assert inveon.batch("in", "batch", batch=inveon.Batch(jobs=1)).converted == 1
print(sorted(name for name in sys.modules if name.startswith(("inveonimaging.cli", "typer", "rich"))))
"""


def test_what_commands_do_can_be_called_without_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "m.img", replace(CT, shape=(8, 7, 2), spacing_mm=(3.5, 4.0, 27.0)))
    code = [sys.executable, "-c", WITHOUT_A_TERMINAL]
    done = subprocess.run(code, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


class StoppedError(Exception):
    """What a front raises to end the work."""


def stop(_done: int, _total: int) -> None:
    raise StoppedError


def test_progress_can_end_the_work_and_nothing_is_left(tmp_path: Path) -> None:
    study, made = write_small_study(tmp_path / "in"), tmp_path / "made"
    inveonimaging.convert(study, made)
    never, hottest = tmp_path / "out", inveonimaging.CurvesOptions(hottest_mm=3)
    several: list[Callable[[], object]] = [
        lambda: inveonimaging.convert(study, never, progress=stop),
        lambda: inveonimaging.check(study, progress=stop),
        lambda: inveonimaging.report(study, tmp_path / "report.html", progress=stop),
        lambda: inveonimaging.nifti(study, never, progress=stop),
        lambda: inveonimaging.bids(study, never, inveonimaging.BidsOptions(incomplete=True), progress=stop),
        lambda: inveonimaging.curves(study, tmp_path / "tac.csv", hottest, progress=stop),
        lambda: inveonimaging.restore(made, never, progress=stop),
        lambda: inveonimaging.verify(study, made, progress=stop),
        lambda: inveonimaging.subjects(study, tmp_path / "s.csv", progress=stop),
        lambda: inveonimaging.remove(made, progress=stop),
    ]
    if find_spec("zarr"):  # which needs Python 3.11
        several.append(lambda: inveonimaging.zarr(study, never, progress=stop))
    before = sorted(tmp_path.rglob("*"))
    for work in several:
        with pytest.raises(StoppedError):
            work()
    assert sorted(tmp_path.rglob("*")) == before


PAGE = REPOSITORY / "docs" / "reference" / "api.md"
WITHOUT_PROGRESS = {"batch", "explain", "read_study"}  # it has a watch; they read no voxel


def test_each_command_is_a_typed_function_that_shows_how_far_it_is() -> None:
    """Or the page says why it is none."""
    text = PAGE.read_text("utf-8")
    rows = re.findall(
        r"^\| `inveon ([a-z]+)` \| (?:`([a-z_]+)|none)(.*) \|$", text[text.index("\n## Commands\n") :], re.MULTILINE
    )
    assert [command for command, *_ in rows] == sorted(typer.main.get_command(main.app).commands)  # type: ignore[attr-defined]
    assert all(function or reason.startswith(": ") or command == "help" for command, function, reason in rows)
    for function in filter(None, (function for _, function, _ in rows)):
        assert function in inveonimaging.__all__
        called = inspect.signature(getattr(inveonimaging, function))
        assert called.return_annotation is not called.empty
        assert ("progress" in called.parameters) == (function not in WITHOUT_PROGRESS)


def test_every_public_name_is_there() -> None:
    for name in inveonimaging.__all__:
        assert getattr(inveonimaging, name) is not None


@pytest.mark.parametrize("judge", ["dicom_reading", "verification", "checks"])
def test_who_judges_shares_nothing_with_who_writes(judge: str) -> None:
    for path in modules():
        if room(path) == judge:
            assert not [
                name for name in imported(path) if name.startswith(("inveonimaging.dicom.", "inveonimaging.conversion"))
            ]
