"""What to do about a finding, in the words of the form."""

from __future__ import annotations

from pathlib import Path

import pytest

from inveonimaging.app.choices.words import advice, finding_row
from inveonimaging.findings import Finding


@pytest.mark.parametrize(
    ("of_the_commands", "of_the_pages"),
    [
        (
            "--dose 7.03MBq; for many scans in a sheet (docs/how-to/subjects.md)",
            "“Injected dose”; for many scans in a sheet",
        ),
        (
            "--orientation with the true posture; see docs/how-to/orientation.md",
            "“How the animal lay” with the true posture",
        ),
        ("of the row that was meant: docs/how-to/subjects.md", "of the row that was meant"),
        (
            'move this one out, or name one file: inveon convert "/d/m1.ct.img" OUTPUT',
            "move this one out, or select the others on page Look",
        ),
        (
            'some in "/d/m1": name it; "inveon batch" converts all that are below',
            'some in "/d/m1": choose it; page Choose converts all below',
        ),
        ("--frame-of-reference separate if not", "“Scans that lie in one space: None” if not"),
        ("give the true time: --injected-at TIME, or", "give the true time: “Time of injection”, or"),
        (
            "look at the picture of --preview, or --root",
            "look at the picture of “Page that shows the boxes”, or --root",
        ),
    ],
)
def test_options_of_commands_are_labels_of_the_form(of_the_commands: str, of_the_pages: str) -> None:
    assert advice(of_the_commands) == of_the_pages


def test_the_scan_of_a_card_is_not_named_in_each_of_its_lines() -> None:
    found = Finding("dose-unknown", "dose is missing", path="/data/m1.pet.img.hdr", line=7)
    assert finding_row(found, Path("/data/m1.pet.img"))["where"] == "line 7"
    assert (
        finding_row(found, Path("/data/m2.pet.img"))["where"] == finding_row(found)["where"] == "m1.pet.img.hdr line 7"
    )
