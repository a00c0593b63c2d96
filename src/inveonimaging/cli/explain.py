"""`inveon explain`: what the code of a finding or of a difference means, and what to do."""

from __future__ import annotations

import difflib
import shutil
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from inveonimaging.cli.outcome import one_line_errors, print_json
from inveonimaging.errors import OptionError, printable

EXAMPLES = """\b
Examples:
  inveon explain
  inveon explain orientation-unknown
"""
_DIFFERENCES = "What inveon verify compares"
_MISSING = "-missing"
_LONGEST = 100  # characters of what was typed that are compared


def explain(
    code: Annotated[str | None, typer.Argument(metavar="[CODE]", help="Code of a finding; none lists all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON on stdout.")] = False,
) -> None:
    """Explain the code at the end of a finding or of a difference: what it means, and what to do."""
    with one_line_errors(as_json=as_json):
        if code is None:
            _print_all(as_json=as_json)
            return
        found = _explanation(code)
        if as_json:
            print_json(found)
        else:
            _show(found)


def _explanation(typed: str) -> dict[str, Any]:
    """Return what is known of the code that was meant; brackets and capitals do not matter.

    Raises:
        OptionError: nothing has this code; the message has the nearest ones.
    """
    code = typed.strip().strip("[]").lower()
    known = {each["code"]: each for each in _all()}
    if code in known:
        return known[code]
    if code.endswith(_MISSING) and (present := known.get(code.removesuffix(_MISSING))) and not present["remedy"]:
        return {**present, "code": code, "means": f"missing in the DICOM: {present['means']}"}
    near = difflib.get_close_matches(code[:_LONGEST], known)
    hint = f"did you mean {', '.join(near)}?" if near else 'list all codes with "inveon explain"'
    raise OptionError(f"there is no code '{printable(typed)}'", hint=hint)


def _all() -> Iterator[dict[str, Any]]:
    """Yield all codes as plain text: findings in the order of their page, then the differences of `inveon verify`."""
    from inveonimaging.remedies import differences, plain, remedies

    for code, known in remedies().items():
        yield {
            "code": code,
            "severity": known.severity,
            "about": plain(known.about),
            "means": plain(known.means),
            "remedy": known.advice,
            "remarks": [plain(remark) for remark in known.remarks],
        }
    for code, means in differences().items():
        yield {
            "code": code,
            "severity": None,
            "about": _DIFFERENCES,
            "means": plain(means),
            "remedy": None,
            "remarks": [],
        }


def _label(known: dict[str, Any]) -> str:
    return known["severity"].label if known["severity"] else "differs"


def _show(known: dict[str, Any]) -> None:
    from inveonimaging.cli.table import show_groups

    facts = (("Severity", _label(known)), ("Means", known["means"]), ("What to do", known["remedy"]))
    remarks = [("Remark", remark) for remark in known["remarks"]]
    show_groups(known["code"], [(known["about"], [*((name, text) for name, text in facts if text), *remarks])])


def _print_all(*, as_json: bool) -> None:
    codes = list(_all())
    if as_json:
        print_json({"codes": codes})
        return
    longest = max(len(known["code"]) for known in codes)
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    for known in codes:
        line = f"{known['code']:{longest}}  {_label(known):7}  {known['means']}"
        typer.echo(line if len(line) <= width else line[: width - 1] + "…")
