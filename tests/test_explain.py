"""`inveon explain`: what a finding's code means, from data that the wheel has."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from helpers import inveon

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "findings.md"
COPY = (
    "Copy both files, edit the copy's .img.hdr with a text editor that saves plain text, and convert the copy. "
    "Keep the original."
)


def words(text: str) -> str:
    """Return a text that was broken into lines, as one, without the lines of its table."""
    return " ".join(text.replace("│", " ").split())


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


def test_how_to_copy_a_header_is_said_where_it_is_asked_for_only() -> None:
    assert COPY not in words(inveon("explain", "frames-overlap").stdout)
    assert "Remark" not in inveon("explain", "beds-joined").stdout


def test_brackets_and_capitals_of_a_pasted_code_do_not_matter() -> None:
    assert inveon("explain", "[Beds-Joined]").stdout == inveon("explain", "beds-joined").stdout != ""


def test_an_unknown_code_is_one_line_with_the_nearest() -> None:
    result = inveon("explain", "orientation-unkown")
    assert result.exit_code == 2
    assert result.stdout == ""
    line = "error: no finding has the code 'orientation-unkown'; did you mean orientation-unknown"
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
    assert [tuple(line.split()[:2]) for line in lines] == rows
    assert all(len(line.split()) > 3 for line in lines)


def test_json_has_the_same_for_one_and_for_all() -> None:
    one = json.loads(inveon("explain", "dose-implausible", "--json").stdout)
    assert one["schema"] == 1
    assert (one["code"], one["severity"], one["about"]) == (
        "dose-implausible",
        "warning",
        "What only inveon check looks for: SUV",
    )
    assert one["remedy"] == "give it in a sheet (docs/how-to/subjects.md): dose_MBq"
    every = json.loads(inveon("explain", "--json").stdout)["codes"]
    assert {key: value for key, value in one.items() if key != "schema"} in every
    assert [each["severity"] for each in every if each["code"] == "beds-joined"] == ["info"]


@pytest.mark.parametrize("arguments", [("explain", "nonsense", "--json"), ("explain", "", "--json")])
def test_json_of_an_unknown_code_is_an_error(arguments: tuple[str, ...]) -> None:
    result = inveon(*arguments)
    assert result.exit_code == 2
    assert "no finding has the code" in json.loads(result.stdout)["error"]["message"]
