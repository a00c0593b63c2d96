"""`xnat/command.json`: valid for the Container Service, in step with the image; all combinations of its inputs run."""

from __future__ import annotations

import copy
import itertools
import json
import re
import shlex
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pydicom
import pytest
import typer
from typer.testing import CliRunner, Result

from container_service import ILLEGAL, IllegalValueError, problems, resolved, shell_split
from helpers import ROOT, assert_one_line_error, instances, write_small_study
from inveonimaging.cli.main import app
from inveonimaging.hotels import cutting
from inveonimaging.hotels.locating import Located
from inveonimaging.study.cut import Extent
from inveonimaging.version import __version__

COMMAND: dict[str, Any] = json.loads((ROOT / "xnat" / "command.json").read_text("utf-8"))
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
PUBLISHED = {
    "code_table", "ct_prefix", "pet_prefix", "file", "legacy_converted", "multiframe", "study_description",
    "patient_name", "patient_id", "patient_dob", "patient_sex", "ignore_all_extra_files", "ignore_file_with_ext",
}  # fmt: skip
INPUTS = {each["name"]: each for each in COMMAND["inputs"]}

# A value for each input, and the parameter of `inveon xnat` that it becomes.
GIVEN = {
    "code_table": "codes.json",
    "ct_prefix": "my CT ",
    "pet_prefix": "P$HOME'",
    "file": 'the "mouse".dcm',
    "legacy_converted": "true",
    "multiframe": "true",
    "study_description": "FDG --multiframe 50% \\ O'Brien",
    "patient_name": 'O\'Brien^Mouse "7" $PATH -x',
    "patient_id": "--patient-id=other 'x",
    "patient_dob": "2014-03-04",
    "patient_sex": "F",
    "ignore_all_extra_files": "true",
    "ignore_file_with_ext": ".txt, JSON",
    "xnat_route": "P/S/L",
    "subjects": "my hotel's.csv",
    "mask_others": "true",
    "frame_of_reference": "separate",
}
FLAGS = {"legacy_converted", "multiframe", "ignore_all_extra_files", "mask_others"}
DEFAULTS = {
    "ct_prefix": "CT-",
    "pet_prefix": "PET-",
    "ignore_file_with_ext": ".xml",
    "frame_of_reference": "shared",
    **dict.fromkeys(FLAGS, False),
}


def broken(path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """Return the command with something else at a place."""
    command: Any = copy.deepcopy(COMMAND)
    place = command
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return dict(command)


# The JSON.


def test_the_command_is_valid() -> None:
    assert list(problems(COMMAND)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("image",), "inveonimaging"),
        (("entrypoint",), "x"),
        (("command-line",), "xnat #nothing# /input /output"),
        (("command-line",), "xnat /input /output"),
        (("inputs", 0, "flag"), "-C"),
        (("inputs", 0, "name"), "ct_prefix"),
        (("inputs", 0, "type"), "text"),
        (("inputs", 16, "default-value"), "none"),
        (("outputs", 0, "mount"), "out"),
        (("xnat", 0, "external-inputs", 0, "type"), "Scans"),
        (("xnat", 0, "derived-inputs", 0, "derived-from-wrapper-input"), "session"),
        (("xnat", 0, "derived-inputs", 0, "provides-files-for-command-mount"), "in"),
        (("xnat", 0, "output-handlers"), []),
        (("xnat", 1, "output-handlers", 0, "as-a-child-of"), "scan"),
        (("xnat", 1, "external-inputs", 0, "provides-value-for-command-input"), "input"),
        (("environment-variables", "XNAT_HOST"), "x"),
    ],
)
def test_the_check_finds_what_is_wrong(path: tuple[Any, ...], value: Any) -> None:
    assert list(problems(broken(path, value)))


def test_all_published_inputs_are_there() -> None:
    assert PUBLISHED <= set(INPUTS) == set(GIVEN)


def test_there_is_a_wrapper_for_a_scan_and_one_for_a_session() -> None:
    scan, session = COMMAND["xnat"]
    assert (COMMAND["name"], scan["name"]) == ("inveonFolder2DICOM", "inveonFolder2DICOM")  # automations bind to them
    assert scan["external-inputs"][0]["name"] == "scan"
    assert (scan["contexts"], session["contexts"]) == (["xnat:imageScanData"], ["xnat:imageSessionData"])
    (resource,) = scan["derived-inputs"]
    assert (resource["type"], resource["matcher"]) == ("Resource", "@.label == 'INVEON'")
    assert session["external-inputs"][0]["provides-files-for-command-mount"] == "input"
    assert [wrapper["output-handlers"][0]["label"] for wrapper in (scan, session)] == ["DICOM", "DICOM"]


def test_versions_are_those_of_the_package() -> None:
    assert COMMAND["version"] == __version__
    assert COMMAND["image"] == f"inveonimaging:{__version__}"
    assert f'LABEL org.opencontainers.image.version="{__version__}"' in DOCKERFILE


# The image's label.


def label(dockerfile: str, name: str) -> str:
    """Return a label's value, by the rules of a shell's double quotes, which are those of a Dockerfile."""
    (line,) = re.findall(rf"^LABEL {re.escape(name)}=.*$", dockerfile, re.MULTILINE)
    (word,) = shlex.split(line)[1:]
    return word.partition("=")[2]


def test_the_label_is_the_command() -> None:
    assert json.loads(label(DOCKERFILE, "org.nrg.commands")) == [COMMAND]
    assert "$" not in label(DOCKERFILE, "org.nrg.commands")


def test_the_script_keeps_them_in_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    import image_label

    text = (ROOT / "xnat" / "command.json").read_text("utf-8")
    assert image_label.labelled(DOCKERFILE, text) == DOCKERFILE
    other = json.dumps({**COMMAND, "description": 'a "quoted" word and a back\\slash'})
    made = image_label.labelled(DOCKERFILE, other)
    assert json.loads(label(made, "org.nrg.commands")) == [json.loads(other)]
    with pytest.raises(SystemExit, match="0 lines"):
        image_label.labelled("FROM scratch\n", text)


# Every combination of inputs.


ON_THE_LINE = FLAGS | {"frame_of_reference"}  # the others are variables of the environment


def combinations() -> Iterator[dict[str, str]]:
    """Yield sets of inputs: each that becomes arguments, with none or one of the others, and with all or all but one.

    Without any of those, and with all of them, two others are there or not, too.
    """
    others = set(GIVEN) - ON_THE_LINE
    for chosen in itertools.product((False, True), repeat=len(ON_THE_LINE)):
        first = set(itertools.compress(sorted(ON_THE_LINE), chosen))
        counts = (0, 1, 2) if len(set(chosen)) == 1 else (0, 1)
        few = [set(names) for count in counts for names in itertools.combinations(sorted(others), count)]
        for names in (*few, *(others - each for each in few)):
            yield {name: value for name, value in GIVEN.items() if name in first | names}


def expected(values: Mapping[str, str]) -> dict[str, Any]:
    """Return what `inveon xnat` is to get."""
    given = {name: True if name in FLAGS else value for name, value in values.items()}
    empty = dict.fromkeys(GIVEN)
    return {**empty, **DEFAULTS, **given, "source": "/input", "output": "/output"}


def test_every_combination_of_inputs_reaches_the_program_as_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    command = typer.main.get_command(app).commands["xnat"]  # type: ignore[attr-defined]
    environment: dict[str, str] = {}
    monkeypatch.setattr("os.environ", environment)
    lines = set()
    for values in combinations():
        arguments, variables = resolved(COMMAND, values)
        environment.clear()
        environment.update(variables)
        parsed = command.make_context("xnat", arguments[1:]).params
        assert parsed == expected(values)
        lines.add(tuple(arguments))
    assert len(lines) == 2**5  # four flags and the frame of reference: no text is on the command line


@pytest.mark.parametrize("name", sorted(set(GIVEN) - ON_THE_LINE))
@pytest.mark.parametrize(
    "value", ["'", '"', "\\", "a b", "$HOME", "--help", "-m", "a#b", "*", "a\\", "|x>y<z&", "%", "{x}", "é ü"]
)
def test_no_text_becomes_an_argument(name: str, value: str) -> None:
    arguments, variables = resolved(COMMAND, {name: value})
    assert arguments == ["xnat", "--frame-of-reference=shared", "/input", "/output"]
    assert variables[f"INVEON_{name.upper()}"] == value


@pytest.mark.parametrize("bad", [*ILLEGAL, "Mouse^7^x"])
def test_xnat_refuses_these_itself(bad: str) -> None:
    with pytest.raises(IllegalValueError):
        resolved(COMMAND, {"patient_name": f"a{bad}b"})


def test_the_splitter_does_as_xnats_own_tests_say() -> None:
    assert shell_split("""a 'b c' "d 'e'" f\\ g '' h""") == ["a", "b c", "d 'e'", "f g", "h"]


# Running them.

FORMS = {"legacy_converted", "multiframe"}
CHOICES = {
    "level": ("resource", "session"),
    "form": ("", *sorted(FORMS)),
    **{name: ("", name) for name in sorted(set(GIVEN) - FORMS - {"subjects"})},
}


def covering(choices: Mapping[str, tuple[str, ...]]) -> Iterator[dict[str, str]]:
    """Yield rows of choices in which every three of them have every combination of their values."""
    random = Random(7)  # noqa: S311 - the same rows each time
    missing = dict.fromkeys(
        tuple(zip(names, values, strict=True))
        for names in itertools.combinations(choices, 3)
        for values in itertools.product(*(choices[name] for name in names))
    )
    while missing:
        first = dict(next(iter(missing)))
        rows = [{name: random.choice(values) for name, values in choices.items()} | first for _ in range(8)]
        kept = [[each for each in itertools.combinations(row.items(), 3) if each in missing] for row in rows]
        best = max(range(len(rows)), key=lambda number: len(kept[number]))
        yield rows[best]
        for each in kept[best]:
            del missing[each]


RUNS = [
    *((level, frozenset[str]()) for level in CHOICES["level"]),
    *((row.pop("level"), frozenset(row.values()) - {""}) for row in covering(CHOICES)),
]
FILE = "mouse.dcm"  # the name in GIVEN is refused, as it must be: it has quotes
CODES = [{"key": "F-18", "code": "C-111A1", "meaning": "^18^Fluorine", "system": "SRT"}]


@pytest.fixture(scope="module")
def resource(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a resource with its catalog and a code table."""
    folder = write_small_study(tmp_path_factory.mktemp("resource"))
    (folder / "INVEON_catalog.xml").write_text("<cat:Catalog/>")
    (folder / "codes.json").write_text(json.dumps(CODES))
    return folder


@pytest.fixture(scope="module")
def session(resource: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a session of two scans, with a code table among its resources and DICOM from elsewhere."""
    folder = tmp_path_factory.mktemp("session")
    for number, other in ((1, "pet"), (2, "ct")):
        place = folder / "SCANS" / str(number) / "INVEON"
        shutil.copytree(resource, place, ignore=shutil.ignore_patterns("codes.json", f"*.{other}.*"))
        (place.parent / "DICOM").mkdir()
        (place.parent / "DICOM" / "1.dcm").write_text("x")
    (folder / "RESOURCES").mkdir()
    (folder / "RESOURCES" / "codes.json").write_text(json.dumps(CODES))
    return folder


@pytest.mark.parametrize(("level", "given"), RUNS, ids=lambda each: each if isinstance(each, str) else "")
def test_combinations_run(request: pytest.FixtureRequest, tmp_path: Path, level: str, given: frozenset[str]) -> None:
    source: Path = request.getfixturevalue(level)
    changed = {"file": FILE, "code_table": "RESOURCES/codes.json" if level == "session" else "codes.json"}
    values = {name: changed.get(name, value) for name, value in GIVEN.items() if name in given}
    if level == "resource" and "code_table" not in values:  # a file that nobody asked for is a stray
        values = {"ignore_file_with_ext": "json", **values}
    ran = run(values, source, tmp_path / "out")
    assert ran.exit_code == 0, ran.stderr
    check(values, instances(tmp_path / "out"))
    names = {path.name for path in (tmp_path / "out").rglob("*.dcm")}
    is_multi = "multiframe" in values or "legacy_converted" in values
    assert (names == {FILE}) == (is_multi and "file" in values)
    if not is_multi:
        assert {name[:-10] for name in names} == {values.get("ct_prefix", "CT-"), values.get("pet_prefix", "PET-")}


def test_a_file_name_with_quotes_is_refused(resource: Path, tmp_path: Path) -> None:
    ran = run({"file": GIVEN["file"], "ignore_all_extra_files": "true"}, resource, tmp_path / "out")
    assert_one_line_error(ran.exit_code, ran.stdout, ran.stderr, expected_code=2)


def test_a_sheet_with_positions_gives_a_study_an_animal(
    session: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extents = (Extent((-11.0, -8.0, -18.0), (-4.0, 8.0, 18.0)), Extent((4.0, -8.0, -18.0), (8.0, 8.0, 10.0)))
    monkeypatch.setattr(cutting, "locate", lambda _group: Located(extents, None, extents))
    source = tmp_path / "session"
    shutil.copytree(session, source)
    (source / "RESOURCES" / "hotel.csv").write_text("patient_id,position\nm12,left\nm13,right\n", "ascii")
    ran = run({"subjects": "RESOURCES/hotel.csv"}, source, tmp_path / "out")
    assert ran.exit_code == 0, ran.stderr
    folders = {path.parent.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.dcm")}
    assert folders == {"m12/1", "m12/2", "m13/1", "m13/2"}
    for name in ("m12", "m13"):
        found = instances(tmp_path / "out" / name)
        assert {ds.PatientID for ds in found} == {name}
        assert {ds.Modality for ds in found} == {"CT", "PT"}
        assert len({ds.StudyInstanceUID for ds in found}) == len({ds.FrameOfReferenceUID for ds in found}) == 1
    (tmp_path / "hotel.csv").write_text("patient_id,position\nm12,left\n", "ascii")
    ran = run({"subjects": "../hotel.csv"}, source, tmp_path / "other")
    line = assert_one_line_error(ran.exit_code, ran.stdout, ran.stderr, expected_code=2)
    assert "subjects" in line
    assert "a path inside INPUT" in line


def run(values: Mapping[str, str], source: Path, output: Path) -> Result:
    """Run what the Container Service would run, with other folders in the places of its mounts."""
    arguments, variables = resolved(COMMAND, values)
    places = {"/input": str(source), "/output": str(output)}
    runner = CliRunner(env={**variables, "COLUMNS": "400"})
    return runner.invoke(app, [places.get(each, each) for each in arguments], catch_exceptions=False)


def check(values: Mapping[str, str], found: list[pydicom.FileDataset]) -> None:
    """Show that the instances say what was typed."""
    first = found[0]
    for name, keyword in (
        ("study_description", "StudyDescription"),
        ("patient_name", "PatientName"),
        ("patient_id", "PatientID"),
        ("patient_dob", "PatientBirthDate"),
        ("patient_sex", "PatientSex"),
    ):
        if name in values:
            typed = values[name].replace("-", "") if name == "patient_dob" else values[name].replace("\\", "/")
            assert {str(ds[keyword].value) for ds in found} == {typed}
    classes = {ds.SOPClassUID.name for ds in found}
    forms = {"multiframe": "Enhanced ", "legacy_converted": "Legacy Converted Enhanced "}
    form = next((words for name, words in forms.items() if name in values), "")
    assert all(name.startswith(form) for name in classes), classes
    assert len(found) == (2 if form else 18)
    assert ("PatientComments" in first) == ("xnat_route" in values)
    assert len({ds.FrameOfReferenceUID for ds in found}) == (2 if "frame_of_reference" in values else 1)


# What is pinned.


def pinned(name: str) -> dict[str, list[tuple[str, str, int]]]:
    """Return version, marker and number of hashes of each requirement in a lock file."""
    text = (ROOT / "xnat" / name).read_text("utf-8").replace("\\\n", "")
    found: dict[str, list[tuple[str, str, int]]] = {}
    for line in (line for line in text.splitlines() if line and not line.startswith("#")):
        one = re.fullmatch(r"([a-z0-9-]+)==(\S+)( ; .*?)?((?:\s+--hash=sha256:[0-9a-f]{64})+)", line)
        assert one, line
        found.setdefault(one[1], []).append((one[2], (one[3] or "").strip(" ;"), one[4].count("--hash=")))
    return found


def test_the_lock_satisfies_pyproject() -> None:
    requirements = pytest.importorskip("packaging.requirements")
    from importlib.metadata import requires

    locked = pinned("requirements.txt")
    needed = [requirements.Requirement(text) for text in requires("inveonimaging") or ()]
    wanted = [each for each in needed if not each.marker or each.marker.evaluate({"extra": "compress"})]
    assert {"numpy", "pydicom", "pyjpegls"} <= {each.name for each in wanted}
    for each in wanted:
        versions = [version for version, _, _ in locked[each.name]]
        assert versions
        assert all(each.specifier.contains(version) for version in versions), each


def test_the_lock_builds_the_package() -> None:
    (line,) = re.findall(r"^requires = \[(.+)\]$", (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    needed = re.findall(r'"([a-z-]+)>=([\d.]+)"', line)
    assert len(needed) == line.count('"') / 2
    for name, least in needed:
        ((version, _, hashes),) = pinned("build-requirements.txt")[name]
        assert tuple(map(int, version.split("."))) >= tuple(map(int, least.split(".")))
        assert hashes >= 2


def test_both_stages_have_one_base_pinned_by_tag_and_digest() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert len(bases) == 2
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", bases[0])


def test_the_image_runs_as_no_root_and_has_an_entry_point() -> None:
    assert re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE) == [("65532", "65532")]
    (entry,) = re.findall(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.MULTILINE)
    assert json.loads(entry) == ["sh", "/opt/inveonimaging/entrypoint.sh"]
    assert COMMAND["override-entrypoint"] is False


def test_the_entry_point_knows_every_command() -> None:
    (listed,) = re.findall(
        r"^ +(\w[\w |]+) \| -\*\) ;;$", (ROOT / "xnat" / "entrypoint.sh").read_text("utf-8"), re.MULTILINE
    )
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert sorted(listed.split(" | ")) == sorted(commands)
