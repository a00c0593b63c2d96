"""`inveon explain`: what the code of a finding means, and what to do."""

from __future__ import annotations

import difflib
import shutil
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.errors import OptionError, printable

if TYPE_CHECKING:
    from inveonimaging.remedies import Remedy

EXAMPLES = """\b
Examples:
  inveon explain
  inveon explain orientation-unknown
"""
_NEAR = 0.6  # of difflib: how much of two codes must be alike


def explain(
    code: Annotated[str | None, typer.Argument(metavar="[CODE]", help="Code of a finding; none lists all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON on stdout.")] = False,
) -> None:
    """Explain a finding by its code, which stands in brackets at its end: what it means, and what to do."""
    with one_line_errors(as_json=as_json):
        from inveonimaging.remedies import remedies

        if code is None:
            _print_all(as_json=as_json)
            return
        found = _code_of(code)
        if as_json:
            print_json(_document(found, remedies()[found]))
        else:
            _show(found, remedies()[found])


def _code_of(typed: str) -> str:
    """Return the code that was meant; brackets and capitals do not matter.

    Raises:
        OptionError: no finding has this code; the message has the nearest ones.
    """
    from inveonimaging.remedies import remedies

    code = typed.strip().strip("[]").lower()
    if code in remedies():
        return code
    near = difflib.get_close_matches(code[:100], remedies(), cutoff=_NEAR)
    hint = f"did you mean {', '.join(near)}?" if near else 'list all codes with "inveon explain"'
    raise OptionError(f"no finding has the code '{printable(typed)}'", hint=hint)


def _show(code: str, known: Remedy) -> None:
    from inveonimaging.cli.table import show_groups
    from inveonimaging.remedies import plain

    facts = [
        ("Severity", known.severity.label),
        ("Means", plain(known.means)),
        ("What to do", known.advice),
        *(("Remark", plain(remark)) for remark in known.remarks),
    ]
    show_groups(code, [(plain(known.about), facts)])


def _print_all(*, as_json: bool) -> None:
    from inveonimaging.remedies import plain, remedies

    if as_json:
        print_json({"codes": [_document(code, known) for code, known in remedies().items()]})
        return
    longest = max(map(len, remedies()))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    for code, known in remedies().items():
        line = f"{code:{longest}}  {known.severity.label:7}  {plain(known.means)}"
        typer.echo(line if len(line) <= width else line[: width - 1] + "…")


def _document(code: str, known: Remedy) -> dict[str, Any]:
    from inveonimaging.remedies import plain

    return {
        "code": code,
        "severity": known.severity,
        "about": plain(known.about),
        "means": plain(known.means),
        "remedy": known.advice,
        "remarks": [plain(remark) for remark in known.remarks],
    }
