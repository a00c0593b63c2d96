"""`inveon info`: good to look at on every terminal, and documents that keep their published schema."""

from __future__ import annotations

import copy
import json
import re
import runpy
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator, ValidationError

from defects import Defect, write_scan
from forked import on_terminal, run_forked
from helpers import CT, PET, ROOT, files_below, inveon, write_small_study
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.phantom import SPECT_SCAN, PhantomScan, frames_of

SCHEMA = ROOT / "docs" / "reference" / "schema" / "info.schema.json"
ESCAPE = "\x1b["
COLOURED = {"TERM": "xterm-256color", "FORCE_COLOR": "1", "COLUMNS": "100"}
SCANS = {
    "pet": PET,
    "ct": CT,
    "gated": replace(PET, gates=3, frames=frames_of(60)),
    "beds": replace(PET, beds=(300.0, 320.0)),
    "mu map": replace(PET, mu_map=True, frames=frames_of(60)),
    "spect": replace(SPECT_SCAN, shape=(8, 8, 8), spacing_mm=(4, 4, 4)),
    "unknown posture": replace(PET, orientation=Orientation.UNKNOWN),
    "old text": replace(PET, encoding="latin-1", newline="\r\n", one_token_pointers=True),
}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_study(tmp_path_factory.mktemp("study"))


def facts(output: str) -> dict[str, dict[str, str]]:
    """Return names and values, by the headings that they stand under; lines that go on are joined."""
    values: dict[str, dict[str, str]] = {}
    name = ""
    for line in output.splitlines():
        left, bar, right = line.partition("│")
        if not bar:
            group = values.setdefault(line.strip(), {})
            continue
        name = left.strip() or name
        group[name] = f"{group.get(name, '')} {right.strip()}".strip()
    return values


# On the terminal.


def test_what_is_reported_is_grouped(study: Path) -> None:
    reported = facts(inveon("info", study / "m1.pet.img").stdout)
    assert list(reported) == ["m1.pet.img", "Animal", "Tracer", "Scan", "Image", "Findings"]
    assert reported["Animal"]["Subject"] == "M0042"
    assert reported["Animal"]["Strain"] == "C57BL/6J"
    assert reported["Animal"]["Weight"] == "24.6 g"
    assert reported["Tracer"]["Dose"] == "7.03 MBq"
    assert reported["Tracer"]["Injected"] == "2014-06-17 13:51:37"
    assert reported["Tracer"]["Half-life"] == "6586.2 s"
    assert reported["Scan"]["Frames"] == "2, 0 to 60 s"
    assert reported["Image"]["Size"] == "28 x 28 x 54 mm"  # 8 x 3.5, 7 x 4, 6 x 9
    assert reported["Findings"] == {"Found": "nothing"}


def test_what_suv_needs_and_is_not_given_is_reported(tmp_path: Path) -> None:
    """The scanner's console lets dose, injection time and weight empty; a CT needs none of them."""
    nothing = replace(PET, tracer=replace(PET.tracer, dose=None), subject=replace(PET.subject, weight=None))
    write_scan(tmp_path / "a.pet.img", nothing)
    header = tmp_path / "a.pet.img.hdr"
    header.write_bytes(re.sub(rb"injection_time .*", b"", header.read_bytes()))
    reported = facts(inveon("info", tmp_path / "a.pet.img").stdout)
    missing = "not given: no SUV"
    assert (reported["Animal"]["Weight"], reported["Tracer"]["Dose"], reported["Tracer"]["Injected"]) == (missing,) * 3
    write_scan(tmp_path / "b.ct.img", replace(CT, subject=nothing.subject))
    write_scan(tmp_path / "c.pet.img", replace(PET, subject=nothing.subject))
    reported = facts(inveon("info", tmp_path, columns=60).stdout)
    assert reported["a.pet.img"]["Dose, weight"] == "no dose and no weight and no injection time: no SUV"
    assert reported["c.pet.img"]["Dose, weight"] == "7.03 MBq, no weight: no SUV"
    assert "Dose, weight" not in reported["b.ct.img"]
    assert "Weight" not in facts(inveon("info", tmp_path / "b.ct.img").stdout)["Animal"]


def test_a_posture_that_is_only_assumed_has_question_marks(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.img", SCANS["unknown posture"])
    reported = facts(inveon("info", tmp_path / "a.img").stdout)["Image"]["Orientation"]
    assert reported == "not known, placed as feet first, supine (+x R?, +y P?, +z H?)"


def test_a_mu_map_is_called_so(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.img", SCANS["mu map"])
    assert facts(inveon("info", tmp_path / "a.img").stdout)["Scan"]["Kind"].startswith("mu map")


def test_a_ct_has_x_rays_and_no_tracer(study: Path) -> None:
    reported = facts(inveon("info", study / "m1.ct.img").stdout)
    assert reported["X-rays"] == {"Voltage": "80 kV", "Current": "500 uA", "Exposure": "180 ms"}
    assert "Tracer" not in reported
    assert reported["Image"]["Unit"] == "HU"


def test_findings_are_counted_by_severity(tmp_path: Path) -> None:
    write_scan(tmp_path / "a.img", PET, defects=(Defect.NO_ORIENTATION,))
    result = inveon("info", tmp_path / "a.img")
    assert facts(result.stdout)["Findings"] == {"Found": "1 warning", "What to do": "see inveon check"}
    assert result.stderr.count("\nwarning: ") + result.stderr.startswith("warning: ") == 1


@pytest.mark.parametrize("columns", [24, 40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost(study: Path, columns: int) -> None:
    for path in (study, study / "m1.pet.img", study / "m1.ct.img"):
        output = inveon("info", path, columns=columns).stdout
        assert max(map(len, output.splitlines())) <= columns
        assert "…" not in output
        squeezed = re.sub(r"[\s│┃]", "", output)
        expected = ["HU", "M0042", "8x7x6"] if path != study / "m1.pet.img" else ["Bq/mL", "M0042", "8x7x6"]
        assert all(text in squeezed for text in expected)


def test_forty_columns_are_read_line_by_line(study: Path) -> None:
    reported = facts(inveon("info", study, columns=40).stdout)
    assert list(reported) == ["2 Inveon images", "m1.ct.img", "m1.pet.img"]
    assert reported["m1.ct.img"] == {
        "Kind": "CT",
        "Subject": "M0042",
        "Scan time": "2014-06-17 13:31:44",
        "Voxels": "8 x 7 x 6",
        "Voxel size, mm": "3.5 x 4 x 9",
        "Frames": "1",
        "Unit": "HU",
        "Findings": "1 note",
    }
    assert reported["m1.pet.img"]["Frames"] == "2"
    assert "Findings" not in reported["m1.pet.img"]


def test_a_long_name_is_folded_and_not_cut(tmp_path: Path) -> None:
    name = "a_very_long_name_of_a_scan_that_no_narrow_terminal_can_hold_in_one_line.pet.img"
    write_scan(tmp_path / name, PET)
    write_scan(tmp_path / "b.img", PET)
    for path in (tmp_path, tmp_path / name):
        output = inveon("info", path, columns=40).stdout
        assert max(map(len, output.splitlines())) <= 40
        assert name in output.replace("\n", "")


def test_a_wide_terminal_has_one_line_for_each_file(study: Path) -> None:
    lines = inveon("info", study, columns=160).stdout.splitlines()
    assert len([line for line in lines if "m1." in line]) == 2
    (ct,) = (line for line in lines if "m1.ct.img" in line)
    cells = [cell.strip() for cell in ct.strip("│").split("│")]
    assert cells[1:] == ["CT", "M0042", "2014-06-17 13:31:44", "", "8 x 7 x 6", "3.5 x 4 x 9", "1", "HU", "1 note"]


def test_colours_are_for_terminals_and_for_those_who_want_them(study: Path) -> None:
    def shown(**environment: str) -> str:
        return run_forked("-m", "inveonimaging", "info", study / "m1.ct.img", environment=environment).stdout

    plain = shown(COLUMNS="100")
    assert ESCAPE not in plain
    assert f"{ESCAPE}1;36mAnimal" in shown(**COLOURED)
    without = shown(**COLOURED, NO_COLOR="1")
    assert re.findall(r"\x1b\[([\d;]*)m", without)  # bold is no colour
    assert not re.findall(r"\x1b\[[\d;]*3\d", without)
    assert re.sub(r"\x1b\[[\d;]*m", "", without) == plain


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals")
def test_a_terminal_gets_colours_by_itself(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    command = ("-m", "inveonimaging", "info", study / "m1.ct.img")
    done, shown = on_terminal({"stdout"}, *command, environment={"TERM": "xterm-256color", "COLUMNS": "100"})
    assert done.returncode == 0
    assert f"{ESCAPE}1;36mAnimal" in shown
    assert ESCAPE not in done.stderr


def test_names_and_texts_are_data_and_never_markup(tmp_path: Path) -> None:
    subject = replace(PET.subject, identifier="[red]M[/red] \x1b[31m", phenotype="[link=x]")
    write_scan(tmp_path / "[bold]a.img", replace(PET, subject=subject))
    write_scan(tmp_path / "b.img", PET)
    for path in (tmp_path / "[bold]a.img", tmp_path):
        for columns in (40, 200):
            output = inveon("info", path, columns=columns).stdout
            assert "[bold]a.img" in output
            assert "[red]M[/red]" in output
            assert "\x1b" not in output


# For programs.


def schema() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(SCHEMA.read_text("utf-8"))
    return document


def strict(part: Any) -> Any:
    """Return the schema without room for fields that it does not name."""
    if isinstance(part, list):
        return [strict(each) for each in part]
    if not isinstance(part, dict):
        return part
    closed = {"additionalProperties": False} if part.get("type") == "object" else {}
    return {**{name: strict(each) for name, each in part.items()}, **closed}


VALIDATOR = Draft202012Validator(strict(schema()))


def document(*arguments: object) -> Any:
    return json.loads(inveon("info", *arguments, "--json").stdout, parse_constant=pytest.fail)


def test_the_schema_is_one_and_is_made_from_the_code() -> None:
    Draft202012Validator.check_schema(schema())
    made = runpy.run_path(str(ROOT / "tools" / "info_schema.py"))["text"]()
    assert SCHEMA.read_text("utf-8") == made, "run tools/info_schema.py"


@pytest.mark.parametrize("name", SCANS)
def test_documents_keep_the_schema(tmp_path: Path, name: str) -> None:
    scan: PhantomScan = SCANS[name]
    write_scan(tmp_path / "a.img", scan)
    printed = document(tmp_path / "a.img")
    VALIDATOR.validate(printed)
    assert printed["schema"] == 1
    (file,) = printed["files"]
    assert len(file["header"]["frames"]) == len(file["factors"]) == len(scan.blocks)


@pytest.mark.parametrize("defect", list(Defect), ids=lambda defect: defect.name)
def test_documents_about_what_is_wrong_keep_the_schema(tmp_path: Path, defect: Defect) -> None:
    write_scan(tmp_path / "a.img", PET, defects=(defect,))
    VALIDATOR.validate(document(tmp_path))


def test_a_document_of_failure_keeps_the_schema(tmp_path: Path) -> None:
    printed = document(tmp_path)
    VALIDATOR.validate(printed)
    assert set(printed) == {"schema", "error"}
    assert files_below(tmp_path) == []


def test_the_schema_distinguishes_good_from_bad(study: Path) -> None:
    good = document(study)
    VALIDATOR.validate(good)
    bad: list[tuple[Any, ...]] = [
        ("schema", 2),
        ("files", 0, "unit", "Bq/cc"),
        ("files", 0, "shape", [8, 7]),
        ("files", 0, "directions", "XYZ"),
        ("files", 1, "header", "acquisition", "scan_time", "yesterday"),
        ("files", 1, "header", "tracer", "half_life_s", "6586.2"),
        ("files", 1, "header", "array", "data_type", 99),
        ("files", 1, "header", "frames", 0, "start_s", "0"),
        ("files", 0, "findings", 0, "severity", "grave"),
        ("files", 0, "nobody_described_it", 1),
    ]
    for *path, last, value in bad:
        changed = copy.deepcopy(good)
        part = changed
        for step in path:
            part = part[step]
        part[last] = value
        with pytest.raises(ValidationError):
            VALIDATOR.validate(changed)
    for name in ("unit", "header", "findings", "affine_lps_mm"):
        changed = copy.deepcopy(good)
        del changed["files"][0][name]
        with pytest.raises(ValidationError):
            VALIDATOR.validate(changed)


def test_the_schema_has_every_field_of_the_header() -> None:
    properties = schema()["$defs"]["header"]["properties"]
    assert set(properties) == set(Header.__dataclass_fields__) - {"source"}
    assert properties["tracer"]["properties"]["half_life_s"] == {"type": ["number", "null"]}
    assert properties["subject"]["required"][0] == "identifier"
