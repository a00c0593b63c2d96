"""`inveon config`: what is set, and where each value comes from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from inveonimaging.cli.messages import shown
from inveonimaging.cli.outcome import one_line_errors, print_json

if TYPE_CHECKING:
    from inveonimaging.cli.settings import Value

EXAMPLES = """\b
Examples:
  inveon config
  inveon config mouse_study
"""


def config(
    path: Annotated[
        Path | None, typer.Argument(metavar="[PATH]", help="Where the Inveon files are; none is this folder.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON on stdout.")] = False,
) -> None:
    """Show the settings of inveon.toml that count for files at PATH, and where each value comes from."""
    with one_line_errors(as_json=as_json):
        from inveonimaging.cli.settings import SETTINGS, files_for, settings_for
        from inveonimaging.inveon.pairs import SETTINGS_FILE

        place = path or Path()
        for_reading, for_sending = settings_for(place), settings_for(None)
        rows: list[tuple[str, Value | None, str]] = []
        for each in SETTINGS:
            source = for_reading if each.argument else for_sending
            rows.append((each.name, source.values.get(each.name), each.default))
        rows += [(f"targets.{name}", value, "") for name, value in for_sending.targets.items()]
        files = files_for(place)
        if as_json:
            print_json({"files": files, "settings": [_document(*row) for row in rows]})
            return
        from inveonimaging.cli.table import show_or_list

        cells = [
            (name, _text(value, default), shown(value.place) if value else "default") for name, value, default in rows
        ]
        show_or_list("Settings", ("Setting", "Value", "From"), cells)
        for whose, file in files.items():
            where = "nowhere above" if file is None else shown(file) + ("" if file.exists() else ", which is not there")
            typer.echo(f"{SETTINGS_FILE} of the {whose}: {where}")


def _text(value: Value | None, default: str) -> str:
    return default if value is None else shown(value.taken)


def _document(name: str, value: Value | None, default: str) -> dict[str, Any]:
    if value is None:
        return {"name": name, "value": None, "default": default, "from": "default", "file": None, "line": None}
    found = {"name": name, "value": str(value.taken), "default": default or None}
    return {**found, "from": value.whose, "file": str(value.path), "line": value.line}
