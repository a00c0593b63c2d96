"""`inveon check`: problems in Inveon files or DICOM, whether SUV can be computed, and whether left is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inveonimaging.cli.messages import STYLES, shown
from inveonimaging.cli.options import AskedCorrections, takes_corrections
from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.errors import printable
from inveonimaging.findings import Finding, Severity, in_few_lines
from inveonimaging.units import counted, plain

if TYPE_CHECKING:
    from inveonimaging.checks.checked import Checked
    from inveonimaging.checks.marker import OrientationTest
    from inveonimaging.checks.readiness import Readiness
    from inveonimaging.cli.table import Cell

EXAMPLES = """\b
Examples:
  inveon check mouse_study
  inveon check dicom --json
  inveon check syringe_scan --orientation-test left
"""
_LONGEST = 1000
_SEVERITIES = ("error", "warning", "note")
_STATES = {"present": "green", "not needed": "", "doubtful": "yellow", "not usable": "bold red", "missing": "bold red"}
_VERDICTS = {
    "ready": "bold green",
    "ready with doubts": "bold yellow",
    "not ready": "bold red",
    "already SUV": "bold green",
}
_OUTCOMES = {"as the header claims": "bold green", "cannot tell": "bold yellow", "not as the header claims": "bold red"}


@takes_corrections
def check(
    path: Annotated[
        Path,
        typer.Argument(metavar="PATH", help="Inveon files or DICOM: a folder, one .img or .hdr, or one DICOM file."),
    ],
    side: Annotated[
        Literal["left", "right"] | None,
        typer.Option("--orientation-test", help="Side of the animal on which a marker, such as a syringe, lies."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit code 1 on warnings, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON on stdout.")] = False,
    *,
    corrections: AskedCorrections,
) -> None:
    """Find problems, say what to do about them, and whether a viewer can compute SUV; nothing is written."""
    with one_line_errors(as_json=as_json):
        from inveonimaging.cli.progress import bar
        from inveonimaging.commands.check import check as look

        given = corrections()
        with bar("Checking") as advance:
            result = look(path, given, orientation_test=side, progress=advance)
        if as_json:
            print_json(_document(result.kind.value, result.findings, result.files))
        else:
            _show(path, result.findings, result.files, is_dicom=result.kind.value == "dicom")
        bad = {Severity.ERROR, Severity.WARNING} if strict else {Severity.ERROR}
        raise typer.Exit(int(any(finding.severity in bad for finding in result.all_findings)))


def _show(path: Path, general: Sequence[Finding], files: Sequence[Checked], *, is_dicom: bool) -> None:
    from inveonimaging.cli.table import say

    _show_findings("the folder", general, path)
    for each in files:
        name = shown(each.name)
        _show_findings(name, each.findings)
        if is_dicom and not each.suv and not each.findings:
            say(f"{name}: not looked at; in DICOM only PET is, for SUV")
        elif not each.findings:
            say(f"{name}: ", ("no findings", "green"))
        if each.suv:
            _show_suv(name, each.suv)
        if each.orientation_test:
            _show_test(name, each.orientation_test)
    counts = Counter(finding.severity.label for finding in (*general, *(f for each in files for f in each.findings)))
    say(", ".join(counted(counts[label], label) for label in _SEVERITIES))


def _show_findings(name: str, findings: Sequence[Finding], folder: Path | None = None) -> None:
    """Show findings, the most severe first, those of one code together with what to do.

    Args:
        name: of what they are about.
        findings: they.
        folder: if it is a folder: findings on what is in it name that.
    """
    from inveonimaging.cli.table import show
    from inveonimaging.remedies import remedies

    order = list(_SEVERITIES)
    codes = dict.fromkeys(
        finding.code for finding in sorted(findings, key=lambda each: order.index(each.severity.label))
    )
    rows: list[list[Cell]] = []
    for code in codes:
        alike = in_few_lines(finding for finding in findings if finding.code == code)
        label = alike[0].severity.label
        lines = dict.fromkeys(_line(finding, folder) for finding in alike)
        rows.append([(label, STYLES[label]), "\n".join((code, *lines, f"-> {remedies()[code].advice}"))])
    if rows:
        show(f"Findings in {name}", ("Severity", "What, and what to do"), rows)


def _line(finding: Finding, folder: Path | None) -> str:
    line = f"line {finding.line}" if finding.line is not None else ""
    path = Path(finding.path) if folder and finding.path else folder
    where = ", ".join(filter(None, ("" if path is None or path == folder else path.name, line)))
    return printable(f"{where}: {finding.message}" if where else finding.message, _LONGEST)


def _show_suv(name: str, readiness: Readiness) -> None:
    from inveonimaging.cli.table import say, show

    rows: list[list[Cell]] = [
        [
            row.attribute,
            (row.state.value, _STATES[row.state.value]),
            printable("; ".join(filter(None, (row.value, *(each.code for each in row.findings)))), _LONGEST),
        ]
        for row in readiness.rows
    ]
    show(f"SUV of {name}", ("Attribute", "State", "Value"), rows)
    one = "" if not readiness.suv_per_bqml else f"; 1 g/mL is {plain(1 / readiness.suv_per_bqml)} Bq/mL"
    say(f"SUV of {name}: ", (readiness.verdict.value, _VERDICTS[readiness.verdict.value]), one)


def _show_test(name: str, test: OrientationTest) -> None:
    from inveonimaging.cli.table import say

    how = "" if test.marker is None else " (clearly)" if test.certain else " (perhaps)"
    outcome = test.outcome.value, _OUTCOMES[test.outcome.value]
    say(f"Left and right of {name}: ", outcome, f"{how}: {test.reason}")


def _document(kind: str, general: Sequence[Finding], files: Sequence[Checked]) -> dict[str, Any]:
    return {
        "kind": kind,
        "findings": [_of_finding(finding) for finding in general],
        "files": [
            {
                "name": each.name,
                "path": each.path,
                "modality": each.kind or None,
                "findings": [_of_finding(finding) for finding in each.findings],
                "suv": each.suv and _of_suv(each.suv),
                "orientation_test": each.orientation_test and _of_test(each.orientation_test),
            }
            for each in files
        ],
    }


def _of_finding(finding: Finding) -> dict[str, Any]:
    from inveonimaging.remedies import plain, remedies

    known = remedies()[finding.code]
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "key": finding.key,
        "line": finding.line,
        "path": finding.path,
        "means": plain(known.means),
        "remedy": known.advice,
    }


def _of_suv(readiness: Readiness) -> dict[str, Any]:
    from inveonimaging.remedies import remedies

    return {
        "verdict": readiness.verdict,
        "suv_per_bqml": readiness.suv_per_bqml,
        "attributes": [
            {
                "name": row.attribute,
                "tag": row.tag,
                "state": row.state,
                "value": row.value or None,
                "findings": [finding.code for finding in row.findings],
                "messages": [finding.message for finding in row.findings],
                "remedies": list(dict.fromkeys(remedies()[finding.code].advice for finding in row.findings)),
            }
            for row in readiness.rows
        ],
    }


def _of_test(test: OrientationTest) -> dict[str, Any]:
    marker = test.marker
    return {
        "side": test.side,
        "outcome": test.outcome,
        "certain": test.certain,
        "message": test.reason,
        "marker_offset_mm": marker and list(marker.offset_mm),
        "marker_volume_mm3": marker and marker.volume_mm3,
    }
