"""How results, findings and errors reach people (stderr, tables) and programs (JSON on stdout)."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import sys
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, NoReturn

import typer

from inveonimaging.errors import InveonError, OptionError, printable
from inveonimaging.findings import Finding

SCHEMA = 1
_INTERRUPTED = 130
_LONGEST = 1000


@contextlib.contextmanager
def one_line_errors(*, as_json: bool = False) -> Iterator[None]:
    """Turn errors into one line on stderr and an exit code: 1 for the data, 2 for wrong usage, 130 for Ctrl-C."""
    _forgive_encoding()
    try:
        yield
    except InveonError as error:
        if as_json:
            print_json({"error": {"message": str(error), "path": error.path, "line": error.line}})
        _end(str(error), 2 if isinstance(error, OptionError) else 1)
    except KeyboardInterrupt:
        _end("interrupted; nothing half-written is left behind", _INTERRUPTED)
    except MemoryError:
        _end("out of memory", 1)


def _forgive_encoding() -> None:
    """Let stdout escape the characters that its encoding lacks, as stderr does, instead of failing."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _end(message: str, code: int) -> NoReturn:
    typer.echo(f"error: {printable(message, _LONGEST)}", err=True)
    raise typer.Exit(code)


def say(findings: Iterable[Finding]) -> None:
    """Print findings, one line each, on stderr."""
    for finding in dict.fromkeys(findings):
        typer.echo(f"{finding.severity.label}: {printable(finding, _LONGEST)}", err=True)


def print_json(document: dict[str, Any]) -> None:
    """Print one JSON document on stdout."""
    text = json.dumps({"schema": SCHEMA, **document}, indent=2, default=_plain, ensure_ascii=True)
    sys.stdout.write(text + "\n")


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Enum):
        return value.value
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return str(value)


def shown(path: str | Path) -> str:
    """Return a path as one harmless line."""
    return printable(path, 300)
