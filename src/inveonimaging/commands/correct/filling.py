"""What comes as a whole: a block of the clipboard, or a sheet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from inveonimaging.animal.sheet_values import Cell as Value
from inveonimaging.commands.correct.cells import (
    EDITABLE,
    LONGEST,
    NAMED,
    OF_A_SUBJECT,
    SUBJECT,
    TITLE_OF,
    Animals,
    Listing,
    normal,
)
from inveonimaging.errors import InputError, InveonError, listed, printable
from inveonimaging.hotels.positions import assigned
from inveonimaging.hotels.splitting import read_group
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.pairs import Pair
from inveonimaging.sheet.columns import Scope, column_of
from inveonimaging.sheet.matching import Row, Sheet, plain_subject
from inveonimaging.sheet.pasted import Block
from inveonimaging.sheet.reading import TAKEN_AWAY
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.image import read_pair
from inveonimaging.units import counted


class Filling(NamedTuple):
    """What a block or a sheet says: key, title and text of each cell, and what of it is not taken."""

    changes: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...] = ()


def pasted(
    block: Block, keys: Sequence[str], titles: Sequence[str], at: tuple[str, str], matched: Mapping[int, Sequence[str]]
) -> Filling:
    """Return what a block of the clipboard fills.

    Args:
        block: its cells.
        keys: of the rows of the table, in their order.
        titles: of its columns, in their order.
        at: key and title of the cell that it is pasted into: rows follow downwards from there; columns to the right, if
            the block has no titles.
        matched: of rows of the block that name scans, the keys of those.

    Raises:
        InputError: there is no such cell, or two rows say different things of one.
    """
    if at[0] not in keys or at[1] not in titles:
        raise InputError("there is no such cell to paste into")
    named = [each.title if each else "" for each in block.titles]
    columns = named or list(titles[titles.index(at[1]) :])
    names_scans = any(each and each.scope is Scope.MATCH for each in block.titles)
    below_it, beyond = keys[keys.index(at[0]) :], 0
    changes: list[tuple[str, str, str]] = []
    for number, row in enumerate(block.rows):
        into = matched.get(number, ()) if names_scans else below_it[number : number + 1]
        beyond += any(row) and not into
        for title, text in zip(columns, row, strict=False):
            column = column_of(title) if title else None
            if column and column.name in TITLE_OF and (text or not block.titles):
                changes += [(key, *normal(column.title, text, has_comma=block.has_decimal_comma)) for key in into]
    _refuse_twice(changes)
    wider = max((len(row) for row in block.rows), default=0) - len(columns)
    notes = [f"not read: {listed([printable(each, 40) for each in block.unread], NAMED)}"] if block.unread else []
    notes += (
        [
            f"{counted(beyond, 'row')} without a scan in the table"
            if names_scans
            else f"{counted(beyond, 'row')} too many"
        ]
        if beyond
        else []
    )
    notes += [f"{counted(wider, 'column')} too many"] if wider > 0 and not block.titles else []
    return Filling(tuple(changes), tuple(notes))


def _refuse_twice(changes: Iterable[tuple[str, str, str]]) -> None:
    """Refuse two texts for one cell, as of two rows that name one scan.

    Raises:
        InputError: naming the first.
    """
    known: dict[tuple[str, str], str] = {}
    for key, title, text in changes:
        if (other := known.setdefault((key, title), text)) != text:
            shown = printable(key.removeprefix(SUBJECT), 120)
            message = f"two rows differ for {shown}, {title}: '{printable(other, 40)}' and '{printable(text, 40)}'"
            raise InputError(message, hint="leave one of them out")


def subjects_named(block: Block, keys: Iterable[str]) -> dict[int, list[str]]:
    """Return the key of the animal that each row of a block names in the column `subject`; none if it has no such."""
    at = next((n for n, each in enumerate(block.titles) if each and each.title == "subject"), None)
    known = {plain_subject(key.removeprefix(SUBJECT)): key for key in keys}
    names = ((n, plain_subject(row[at])) for n, row in enumerate(block.rows) if at is not None and at < len(row))
    return {n: [known[name]] for n, name in names if name in known}


def scans_named(block: Block, listing: Listing) -> dict[int, list[str]]:
    """Return the keys of the scans that each row of a block names, in columns such as `file`; none if it has none."""
    places = {each.name: at for at, each in enumerate(block.titles) if each and each.scope is Scope.MATCH}
    rows = []
    for number, row in enumerate(block.rows):
        named = {name: row[at] if at < len(row) else "" for name, at in places.items()}
        if any(named.values()):
            rows.append(Row(number, named.get("file", ""), named.get("folder", ""), named.get("subject", ""), {}))
    if not rows:
        return {}
    sheet, found = Sheet(listing.root, "", tuple(rows)), dict[int, list[str]]()
    for key, pair in listing.pairs.items():
        for number in sheet.rows_of(pair, _header(pair)):
            found.setdefault(number, []).append(key)
    return found


def taken(sheet: Sheet, listing: Listing) -> Filling:
    """Return what a sheet says of each scan of a table; rows of animals that were scanned together are left aside.

    Raises:
        InputError: rows that match a scan alike say different things.
    """
    plain = Sheet(sheet.path, sheet.sha256, tuple(row for row in sheet.rows if row.slot is None), sheet.findings)
    used: set[int] = set()
    changes = []
    for key, pair in listing.pairs.items():
        values = plain.of_scan(pair, _header(pair))
        used |= set(values.rows)
        changes += [(key, *spelled) for name, cell in values.cells.items() if (spelled := _spelled(name, cell))]
    notes = [printable(each.message, LONGEST) for each in sheet.findings]
    if unused := sorted({row.number for row in plain.rows} - used):
        notes.append(f"rows that match no scan here: {listed(list(map(str, unused)), NAMED)}")
    return Filling(tuple(changes), tuple(notes))


def taken_subjects(sheet: Sheet, keys: Iterable[str]) -> Filling:
    """Return what a sheet says of animals by their names; rows on some of their scans are left aside."""
    known = {plain_subject(key.removeprefix(SUBJECT)): key for key in keys}
    changes, left = list[tuple[str, str, str]](), 0
    for row in sheet.rows:
        key = None if row.file or row.folder or row.slot else known.get(plain_subject(row.subject))
        left += key is None and bool(row.cells)
        spelled = (_spelled(name, cell) for name, cell in row.cells.items())
        changes += [(key, *each) for each in spelled if key and each and each[0] in OF_A_SUBJECT]
    notes = [printable(each.message, LONGEST) for each in sheet.findings]
    notes += [f"{counted(left, 'row')} not imported: of no animal here, or of only some of its scans"] if left else []
    return Filling(tuple(changes), tuple(notes))


def taken_animals(sheet: Sheet, listing: Listing, animals: Animals) -> tuple[Filling, str]:
    """Return what a sheet says of the animals of boxes, by their positions, and from which side these are seen.

    Raises:
        InputError: it has no positions, not as many animals as there are boxes, or they do not lie as it says.
    """
    pairs = tuple(listing.pairs.values())
    hotel = read_group(pairs, listing.root, Corrections(sheet=sheet)).hotel
    keys = list(animals.extents)
    changes: list[tuple[str, str, str]] = []
    for animal, number in zip(hotel.animals, assigned(list(animals.extents.values()), hotel), strict=True):
        cells = {name: cell for row in sheet.rows if row.slot == animal.slot for name, cell in row.cells.items()}
        spelled = (_spelled(name, cell) for name, cell in cells.items() if name != "seen_from")
        changes += [(keys[number], *each) for each in spelled if each]
    notes = tuple(printable(each.message, LONGEST) for each in sheet.findings)
    return Filling(tuple(changes), notes), hotel.side.value


def _spelled(name: str, cell: Value) -> tuple[str, str] | None:
    title = TITLE_OF.get(name)
    if title is None:
        return None
    return title, TAKEN_AWAY if cell.value is None else EDITABLE[title].codec.spell(cell.value)


def _header(pair: Pair) -> Header:
    """Return the header of a scan; an empty one of what cannot be read, which rows by file match all the same."""
    try:
        return read_pair(pair).header
    except InveonError:
        return Header()
