"""Tables on the terminal; what they show is data and never markup."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text


def show(title: str, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table with column titles."""
    table = Table(title=Text(title), title_justify="left")
    for name in titles:
        table.add_column(name, overflow="fold")
    _print(table, rows)


def show_facts(title: str, facts: Sequence[tuple[str, str]]) -> None:
    """Print names and values, one pair a row."""
    table = Table(title=Text(title), title_justify="left", show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    _print(table, facts)


def _print(table: Table, rows: Sequence[Sequence[str]]) -> None:
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
