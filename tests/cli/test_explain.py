"""`inveon explain`: what a finding's code means, from data that the wheel has."""

from __future__ import annotations

import json
import re
import runpy

import pytest

from helpers import ROOT, inveon

PAGE = ROOT / "docs" / "reference" / "findings.md"
COPY = (
    "Copy both files, edit the copy's .img.hdr with a text editor that saves plain text, and convert the copy. "
    "Keep the original."
)


def words(text: str) -> str:
    """Return a text that was broken into lines, as one, without the lines of its table."""
    return " ".join(text.replace("│", " ").split())


@pytest.mark.parametrize(("name", "made"), [("findings", "entries"), ("cli", "differences")])
def test_data_and_pages_are_in_step(name: str, made: str) -> None:
    tool = runpy.run_path(str(ROOT / "tools" / "remedies.py"))
    file = {"cli": "differences.json", "findings": "remedies.json"}[name]
    data = (ROOT / "src" / "inveonimaging" / file).read_text("utf-8")
    assert json.loads(data) == dict(tool[made](PAGE.with_name(f"{name}.md").read_text("utf-8"))), (
        "run tools/remedies.py"
    )


def test_a_code_is_explained_in_the_words_of_the_page() -> None:
    result = inveon("explain", "half-life-disagrees", columns=80)
    assert result.exit_code == 0
    shown = words(result.stdout)
    assert shown.startswith("half-life-disagrees What only inveon check looks for: SUV Severity warning ")
    assert "Means the half-life differs by more than 2 % from that of the isotope" in shown
    assert "What to do find out which isotope it was; correct isotope or isotope_half_life in a copy" in shown
    assert "Remark A conversion does not make these findings" in shown
    assert f"Remark {COPY}" in shown
    assert result.stderr == ""


def test_how_to_copy_a_header_is_explained_where_it_is_asked_for_only() -> None:
    assert COPY not in words(inveon("explain", "frames-overlap").stdout)
    assert "Remark" not in inveon("explain", "beds-joined").stdout


def test_brackets_and_capitals_of_a_pasted_code_do_not_matter() -> None:
    assert inveon("explain", "[Beds-Joined]").stdout == inveon("explain", "beds-joined").stdout != ""


def test_an_unknown_code_is_one_line_with_the_nearest() -> None:
    result = inveon("explain", "orientation-unkown")
    assert result.exit_code == 2
    assert result.stdout == ""
    line = "error: there is no code 'orientation-unkown'; did you mean orientation-unknown"
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1


def test_a_code_like_none_is_one_harmless_line() -> None:
    result = inveon("explain", "\x1b[31m§§§" * 10_000)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "\x1b" not in result.stderr
    assert result.stderr.endswith('list all codes with "inveon explain"\n')
    assert len(result.stderr) < 250


def test_all_codes_are_listed_one_a_line_in_the_order_of_the_page() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(rows) > 100
    lines = inveon("explain").stdout.splitlines()
    assert [tuple(line.split()[:2]) for line in lines if line.split()[1] != "differs"] == rows
    assert all(len(line.split()) > 3 for line in lines)


def test_a_code_of_verify_is_explained_too() -> None:
    shown = words(inveon("explain", "clipped", columns=80).stdout)
    assert shown.startswith("clipped What inveon verify compares Severity differs Means values beyond a limit are cut")
    assert "What to do" not in shown
    missing = json.loads(inveon("explain", "[dose-missing]", "--json").stdout)
    assert missing["means"] == "missing in the DICOM: Radionuclide Total Dose"
    assert (missing["code"], missing["severity"]) == ("dose-missing", None)
    assert inveon("explain", "skipped-missing").exit_code == 2  # a finding's code has no such form


def test_every_code_of_verify_is_listed_once_and_is_none_of_a_finding() -> None:
    table = PAGE.with_name("cli.md").read_text("utf-8").split("| Code | What differs |")[1].partition("\n\n")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    codes = re.findall(r"`([a-z-]+)`", " ".join(rows))
    listed = [line.split()[0] for line in inveon("explain").stdout.splitlines()]
    assert len(codes) > 60
    assert listed[-len(codes) :] == codes
    assert len(set(listed)) == len(listed)


def test_json_has_the_same_for_one_and_for_all() -> None:
    one = json.loads(inveon("explain", "dose-implausible", "--json").stdout)
    assert one["schema"] == 1
    assert (one["code"], one["severity"], one["about"]) == (
        "dose-implausible",
        "warning",
        "What only inveon check looks for: SUV",
    )
    assert one["remedy"] == "--dose 7.03MBq; for many scans dose_MBq in a sheet (docs/how-to/subjects.md)"
    every = json.loads(inveon("explain", "--json").stdout)["codes"]
    assert {key: value for key, value in one.items() if key != "schema"} in every
    assert [each["severity"] for each in every if each["code"] == "beds-joined"] == ["info"]


@pytest.mark.parametrize("arguments", [("explain", "nonsense", "--json"), ("explain", "", "--json")])
def test_json_of_an_unknown_code_is_an_error(arguments: tuple[str, ...]) -> None:
    result = inveon(*arguments)
    assert result.exit_code == 2
    assert "there is no code" in json.loads(result.stdout)["error"]["message"]
