"""The image: its Dockerfile without a warning, and what it holds, built as it says, run as XNAT runs it.

No container engine is needed: the steps of the Dockerfile are done in a folder, with its paths put below that.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from container_service import resolved
from helpers import ROOT, digests, instances, write_small_study
from inveonimaging.version import __version__

COMMAND: dict[str, Any] = json.loads((ROOT / "xnat" / "command.json").read_text("utf-8"))
_TIMEOUT_S = 600
# Modules are compiled where they are first run, as all of them are in the image: those that are never run cost nothing.
UNCOMPILED, COMPILED = {"PIP_COMPILE": "0"}, {"PYTHONDONTWRITEBYTECODE": ""}
pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform == "win32", reason="the image is one of Linux")]


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile, with what they say."""
    lines = (line for line in (ROOT / "Dockerfile").read_text("utf-8").splitlines() if not line.startswith("#"))
    whole = "\n".join(lines).replace("\\\n", " ")
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in whole.splitlines() if line)]


@dataclass(frozen=True)
class Image:
    """The root of what the image holds, the variables that it sets, and its entry point."""

    root: Path
    environment: Mapping[str, str]
    entry: tuple[str, ...]

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the entry point with the image's variables and these, and no others."""
        return subprocess.run(
            ["/bin/sh", *self.entry[1:], *arguments],
            capture_output=True,
            check=False,
            cwd=self.root,
            encoding="utf-8",
            env={"PATH": str(self.root / "python" / "bin"), **self.environment, **COMPILED, **variables},
            stdin=subprocess.DEVNULL,
            timeout=_TIMEOUT_S,
        )


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Return what the Dockerfile makes; Python and pip are those of this computer."""
    root = tmp_path_factory.mktemp("image")
    make_python(root / "python")
    environment: dict[str, str] = {}
    entry: tuple[str, ...] = ()
    for name, text in instructions():
        if name == "COPY" and not text.startswith("--from=build "):
            copy(*below(text, root).split(), into=root / "build")
        elif name == "RUN":
            build(text, root)
        elif name == "ENV":
            environment |= dict(pair.split("=", 1) for pair in below(text, root).split())
        elif name == "ENTRYPOINT":
            entry = tuple(json.loads(below(text, root)))
    assert entry[0] == "sh"
    return Image(root, environment, entry)


def make_python(folder: Path) -> None:
    """Make an environment with the pip of this one, if it has one: a link spares its installation.

    uv, if it is here, installs for pip: by the same options, pins and hashes, in a tenth of the time.
    """
    found = importlib.util.find_spec("pip")
    venv.create(folder, with_pip=found is None)
    if found and found.origin:
        (packages,) = folder.glob("lib/python*/site-packages")
        (packages / "pip").symlink_to(Path(found.origin).parent)
        uv = shutil.which("uv", path=str(Path(sys.executable).parent))
        installs = f'[ "$1" = install ] && exec {shlex.quote(uv)} pip "$@" --python "${{0%/*}}/python"\n' if uv else ""
        program = folder / "bin" / "pip"
        program.write_text(f'#!/bin/sh\n{installs}exec "${{0%/*}}/python" -m pip "$@"\n')
        program.chmod(0o755)


def copy(*names: str, into: Path) -> None:
    """Link the sources of COPY into the place of the image's working directory, if .dockerignore lets them pass."""
    allowed = re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE)
    *sources, target = names
    place = (into / target) if target.endswith("/") or len(sources) > 1 else (into / target).parent
    place.mkdir(parents=True, exist_ok=True)
    for source in sources:
        assert source.partition("/")[0] in allowed, f"{source} is not let pass by .dockerignore"
        (place / Path(source).name).symlink_to(ROOT / source)


def below(text: str, root: Path) -> str:
    """Return a text of the Dockerfile with the image's folder put below another."""
    return text.replace("/opt/inveonimaging", str(root / "opt" / "inveonimaging"))


def build(script: str, root: Path) -> None:
    """Do one RUN."""
    path = os.pathsep.join([str(root / "python" / "bin"), os.environ.get("PATH", os.defpath)])
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        ["/bin/sh", "-c", below(script, root).replace("--no-cache-dir", "--disable-pip-version-check")],
        capture_output=True,
        check=False,
        cwd=root / "build",
        encoding="utf-8",
        env={**variables, **UNCOMPILED, "PATH": path},
        timeout=_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def resource(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a scan's resource that nobody can write to."""
    folder = write_small_study(tmp_path_factory.mktemp("resource"))
    (folder / "INVEON_catalog.xml").write_text("<cat:Catalog/>")
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


def test_the_dockerfile_has_no_warning(tool: Callable[[str], str]) -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or tool("hadolint")
    done = subprocess.run(
        [program, "Dockerfile"], cwd=ROOT, capture_output=True, check=False, text=True, timeout=_TIMEOUT_S
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stdout + done.stderr


def test_it_holds_the_package_and_nothing_but_what_is_pinned(image: Image) -> None:
    folder = image.root / "opt" / "inveonimaging"
    found = {path.name.partition("-")[0].replace("_", "-").lower() for path in folder.glob("*.dist-info")}
    pinned = set(re.findall(r"^([a-z0-9-]+)==", (ROOT / "xnat" / "requirements.txt").read_text("utf-8"), re.MULTILINE))
    assert found - {"inveonimaging"} <= pinned
    assert {"inveonimaging", "numpy", "pydicom", "pyjpegls"} <= found


def test_it_runs_its_own_package(image: Image) -> None:
    done = image.run("--version")
    assert (done.returncode, done.stdout) == (0, f"inveon {__version__}\n"), done.stderr
    where = subprocess.run(
        [sys.executable, "-c", "import inveonimaging, numpy; print(inveonimaging.__file__, numpy.__file__)"],
        env=dict(image.environment),
        capture_output=True,
        check=True,
        text=True,
        timeout=_TIMEOUT_S,
    )
    assert all(path.startswith(str(image.root / "opt")) for path in where.stdout.split())


@pytest.mark.skipif(sys.version_info < (3, 11), reason="PYTHONSAFEPATH is of Python 3.11, as the image's is newer")
def test_modules_of_the_working_directory_are_not_run(image: Image) -> None:
    (image.root / "numpy.py").write_text("raise SystemExit('taken from the working directory')")
    try:
        done = image.run("xnat", "nothing", "out")
    finally:
        (image.root / "numpy.py").unlink()
    assert "cannot be read" in done.stderr, done.stderr


def test_it_makes_reports_for_a_user_without_a_home(image: Image, resource: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    done = image.run(
        "report", str(resource / "m1.ct.img"), "-o", str(page), HOME="/proc", MPLCONFIGDIR=str(tmp_path / "fonts")
    )
    assert done.returncode == 0, done.stderr
    assert "atplotlib" not in done.stderr
    assert "<svg" in page.read_text("utf-8")
    assert Path(image.environment["MPLCONFIGDIR"]).parent == Path("/tmp")  # noqa: S108 - everybody may write there


VALUES: dict[str, dict[str, str]] = {
    "nothing": {},
    "texts": {"patient_name": 'O\'Brien "7" $(x', "study_description": "a b $HOME | c", "ct_prefix": "my CT "},
    "objects": {"multiframe": "true", "file": "mouse of 7.dcm", "xnat_route": "P/S/L"},
    "legacy": {"legacy_converted": "true", "patient_id": "--help", "frame_of_reference": "auto"},
}


@pytest.mark.parametrize(
    ("wrapper", "name"),
    [("resource", "nothing"), ("scan", "texts"), ("session", "objects"), ("resource", "legacy")],
)
def test_the_entry_point_runs_what_xnat_asks_for(
    image: Image, resource: Path, tmp_path: Path, wrapper: str, name: str
) -> None:
    values = {key: value.replace("$(x", "$x") for key, value in VALUES[name].items()}
    mounted = tmp_path / "in"
    inside = {"resource": mounted, "scan": mounted / "INVEON", "session": mounted / "SCANS" / "7" / "INVEON"}[wrapper]
    inside.mkdir(parents=True)
    for path in resource.iterdir():
        os.link(path, inside / path.name)
    output = tmp_path / "out"
    output.mkdir()
    before = digests(mounted)
    arguments, variables = resolved(COMMAND, values)
    places = {"/input": str(mounted), "/output": str(output)}
    done = image.run(*(places.get(each, each) for each in arguments), **variables)
    assert done.returncode == 0, done.stderr
    found = instances(output)
    assert len(found) == (2 if name in {"objects", "legacy"} else 18)
    assert len({ds.StudyInstanceUID for ds in found}) == 1
    assert [ds.get("PatientComments") for ds in found[:1]] == [
        "Project: P Subject: S Session: L" if name == "objects" else None
    ]
    if name == "texts":
        assert {(str(ds.PatientName), ds.StudyDescription) for ds in found} == {
            (values["patient_name"], values["study_description"])
        }
    assert digests(mounted) == before
    assert not [path for path in output.rglob("*") if path.is_file() and path.suffix != ".dcm"]


# The published command line with its defaults, as the Container Service fills it.
PUBLISHED = (
    "python3 -m inveonimaging.inveonFolder2DICOM --ct CT --pet PET --patientid m7 --ignoreFileWithExt .xml"
    " /input/INVEON /output"
)


def test_the_published_command_runs(image: Image, resource: Path, tmp_path: Path) -> None:
    shutil.copytree(resource, tmp_path / "in" / "INVEON")
    places = {"/input/INVEON": str(tmp_path / "in" / "INVEON"), "/output": str(tmp_path / "out")}
    done = image.run(*(places.get(each, each) for each in PUBLISHED.split()))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out" / "1").iterdir()} == {f"CT{n:06}.dcm" for n in range(1, 7)}
    assert {ds.PatientID for ds in instances(tmp_path / "out")} == {"m7"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("python3", "-c", "import sys; print(sys.argv[1:])", "a b", "$HOME", "", "*"), "['a b', '$HOME', '', '*']\n"),
        (("inveon", "--version"), f"inveon {__version__}\n"),
        (("--version",), f"inveon {__version__}\n"),
    ],
)
def test_other_programs_run_with_their_words_as_given(image: Image, words: tuple[str, ...], message: str) -> None:
    done = image.run(*words)
    assert (done.returncode, done.stdout) == (0, message), done.stderr


def test_a_command_goes_before_a_program_of_its_name(image: Image, tmp_path: Path) -> None:
    (tmp_path / "convert").write_text("#!/bin/sh\necho another program\n")
    (tmp_path / "convert").chmod(0o755)
    done = image.run("convert", "--help", PATH=f"{tmp_path}{os.pathsep}{image.root / 'python' / 'bin'}")
    assert (done.returncode, "another program" in done.stdout) == (0, False), done.stderr
    assert "OUTPUT" in done.stdout


@pytest.mark.parametrize("word", ["convrt", ""])
def test_what_is_neither_a_command_nor_a_program_is_reported_by_inveon(image: Image, word: str) -> None:
    done = image.run(word)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"there is no command '{word}'" in done.stderr


def test_what_is_wrong_ends_with_one_line_and_an_exit_code(image: Image, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    done = image.run("xnat", str(tmp_path / "in"), str(tmp_path / "out"))
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"error: .*no Inveon files here.*\n", done.stderr)
