"""`inveon explain`: what the code of a finding or of a difference means, and what to do."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from inveonimaging.cli.outcome import one_line_errors, print_json

if TYPE_CHECKING:
    from inveonimaging.commands.explain import Explanation

EXAMPLES = """\b
Examples:
  inveon explain
  inveon explain orientation-unknown
"""


def explain(
    code: Annotated[str | None, typer.Argument(metavar="[CODE]", help="Code of a finding; none lists all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON on stdout.")] = False,
) -> None:
    """Explain the code at the end of a finding or of a difference: what it means, and what to do."""
    with one_line_errors(as_json=as_json):
        if code is None:
            _print_all(as_json=as_json)
            return
        from inveonimaging.commands.explain import explain as find

        found = find(code)
        if as_json:
            print_json(vars(found))
        else:
            _show(found)


def _label(known: Explanation) -> str:
    return known.severity.label if known.severity else "differs"


def _show(known: Explanation) -> None:
    from inveonimaging.cli.table import show_groups

    facts = (("Severity", _label(known)), ("Means", known.means), ("What to do", known.remedy))
    remarks = [("Remark", remark) for remark in known.remarks]
    show_groups(known.code, [(known.about, [*((name, text) for name, text in facts if text), *remarks])])


def _print_all(*, as_json: bool) -> None:
    from inveonimaging.commands.explain import explanations

    codes = list(explanations())
    if as_json:
        print_json({"codes": codes})
        return
    longest = max(len(known.code) for known in codes)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    for known in codes:
        line = f"{known.code:{longest}}  {_label(known):7}  {known.means}"
        typer.echo(line if len(line) <= width else line[: width - 1] + "…")
