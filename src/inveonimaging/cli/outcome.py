"""How the sub-commands end, and what they print for programs: JSON on stdout."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys
from collections.abc import Iterator
from enum import Enum
from typing import Any

import typer

from inveonimaging.cli.messages import FAILURES, prepare, say_failure
from inveonimaging.errors import InveonError

SCHEMA = 1


@contextlib.contextmanager
def one_line_errors(*, as_json: bool = False) -> Iterator[None]:
    """Turn failures into one line on stderr and an exit code, and into JSON if that is asked for."""
    prepare()
    try:
        yield
    except FAILURES as error:
        if as_json and isinstance(error, InveonError):
            print_failure(error)
        raise typer.Exit(say_failure(error)) from error


def print_failure(error: InveonError) -> None:
    """Print an error for programs."""
    print_json({"error": {"message": str(error), "path": error.path, "line": error.line}})


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
