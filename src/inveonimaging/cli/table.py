"""Tables on the terminal; what they show is data and never markup."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Cell = str | tuple[str, str]
"""A text, or a text and its style, which shows only on terminals that have colours."""


def show(title: str, titles: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table with column titles."""
    table = Table(title=Text(title), title_justify="left")
    for name in titles:
        table.add_column(name, overflow="fold")
    _print(table, rows)


Group = tuple[Cell, Sequence[tuple[str, Cell]]]
"""A heading, and names with their values."""


def show_groups(title: str, groups: Sequence[Group]) -> None:
    """Print names and values under headings, no wider than they need; what is too long goes on in the next line."""
    console = Console()
    widest = max((len(name) for _, facts in groups for name, _ in facts), default=0)
    console.print(Text(title, "bold", overflow="fold"))
    for heading, facts in groups:
        text = _text(heading)
        text.stylize("bold cyan")
        text.overflow = "fold"
        console.print(text)
        table = Table(show_header=False, show_edge=False, box=box.MINIMAL, padding=(0, 1))
        table.add_column(width=widest, no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in facts:
            table.add_row(Text(name), _text(value))
        console.print(table)


def show_or_list(title: str, titles: Sequence[str], rows: Sequence[Sequence[Cell]]) -> None:
    """Print a table with column titles; on a terminal too narrow for it, each row as a list of its own.

    The first column names a row.
    """
    table = Table(title=Text(title), title_justify="left")
    for name in titles:
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*map(_text, row))
    console = Console()
    if table.__rich_measure__(console, console.options.update(width=_WIDEST)).maximum <= console.width:
        console.print(table)
    else:
        show_groups(title, [(row[0], _labelled(titles[1:], row[1:])) for row in rows])


_WIDEST = 100_000


def _labelled(titles: Sequence[str], cells: Sequence[Cell]) -> list[tuple[str, Cell]]:
    return [(name, cell) for name, cell in zip(titles, cells, strict=True) if _text(cell)]


def say(*parts: Cell) -> None:
    """Print one line of texts."""
    Console().print(Text.assemble(*map(_text, parts)), soft_wrap=True)


def _print(table: Table, rows: Sequence[Sequence[Cell]]) -> None:
    for row in rows:
        table.add_row(*map(_text, row))
    Console().print(table)


def _text(cell: Cell) -> Text:
    return Text(cell) if isinstance(cell, str) else Text(*cell)
