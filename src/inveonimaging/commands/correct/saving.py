"""What was typed, saved as a sheet, and the boxes of animals that were scanned together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from inveonimaging.commands.correct.cells import (
    EDITABLE,
    NAMED,
    SUBJECT,
    Animals,
    Listing,
    Typed,
    values_of,
    wrong_with,
)
from inveonimaging.commands.correct.naming import files_of
from inveonimaging.commands.correct.rows import animal_row, placed
from inveonimaging.commands.split import check_boxes
from inveonimaging.errors import InputError, OutputError, listed, printable
from inveonimaging.hotels.boxes import boxes_json, boxes_of
from inveonimaging.prefill import Filled, refuse_kind, sheet_bytes
from inveonimaging.sheet.matching import Sheet
from inveonimaging.sheet.reading import sheet_of
from inveonimaging.sheet.values import escaped
from inveonimaging.storage.folders import is_same_folder, real_path
from inveonimaging.storage.whole_files import refuse_taken, write_whole


def sheet_name(output: Path) -> str:
    """Return what the sheet for an output is called, which lies beside it."""
    return f"{output.name.removesuffix('-dicom')}-subjects.csv"


class Saved(NamedTuple):
    """What was written: the sheet and what it holds, and likewise the boxes of animals that were scanned together.

    Its rows are those of some keys of the table.
    """

    sheet: Path
    content: bytes
    keys: frozenset[str]
    boxes: Path | None = None
    held: bytes = b""


def boxes_beside(path: Path) -> Path:
    """Return the path of the boxes of the animals in a sheet."""
    return path.with_name(f"{path.stem}-boxes.json")


def save(
    path: Path, listing: Listing, typed: Typed, *, animals: Animals | None = None, overwrite: bool = False
) -> Saved:
    """Write what was typed as a sheet, `.csv`, `.tsv` or `.xlsx`, and where animals lie as `NAME-boxes.json`.

    It is read back before it gets its name, and appears whole or not at all. What is left to the headers is not in it.

    Args:
        path: the sheet.
        listing: the scans of the table.
        typed: what was typed.
        animals: of scans that show several; None, or none of them with a name, if they do not.
        overwrite: replace files of the same names.

    Raises:
        InputError: nothing was typed, what was typed cannot be read, or boxes do not fit it.
        OptionError: the name has no ending of a sheet, or what is needed is not installed.
        OutputError: a file is there already, lies among the scans, or cannot be written.
    """
    refuse_kind(path)
    refuse_among(path, listing)
    refuse_taken(path, overwrite=overwrite)
    is_hotel = animals is not None and bool(animals.named(typed))
    of_animals = list(_rows_of(animals, typed)) if animals and is_hotel else []
    rows = [*of_animals, *_rows_of_subjects(typed), *_rows_of_scans(listing, typed, typed if of_animals else None)]
    if wrong := [f"{each.name}, {title}: {why}" for each in rows for title, why in _wrong(each.cells)]:
        shown = listed([printable(each, 120) for each in wrong], NAMED)
        raise InputError(f"cells cannot be read yet: {shown}", hint="correct or empty them")
    if not any(each.cells for each in rows):
        raise InputError("nothing is typed, so there is nothing to save: the headers' values are used")
    content, keys = _content(path, rows), frozenset(each.key for each in rows)
    if not (animals and is_hotel):
        write_whole(path, content, overwrite=overwrite)
        return Saved(path, content, keys)
    boxes = boxes_beside(path)
    refuse_taken(boxes, overwrite=overwrite)
    held = boxes_json([(typed[key]["position"], animals.extents[key]) for key in animals.named(typed)])
    check_boxes(listing.root, sheet_of(path, content), boxes_of(boxes, held), boxes)
    write_whole(boxes, held, overwrite=overwrite)
    write_whole(path, content, overwrite=overwrite)
    return Saved(path, content, keys, boxes, held)


def refuse_boxes(listing: Listing, typed: Typed, animals: Animals) -> None:
    """Refuse boxes that are not those of the animals that were typed.

    None is refused before an animal has a name, or while a position cannot be read.

    Raises:
        InputError: what does not fit.
    """
    named = [(typed[key].get("position", ""), animals.extents[key]) for key in animals.named(typed)]
    if not named or any(wrong_with("position", name) or not name for name, _ in named):
        return
    rows = [animal_row(n, typed.get(key, {}), animals.side) for n, key in enumerate(animals.extents, 1)]
    path = listing.root / "boxes.json"
    sheet = Sheet(listing.root, "", tuple(row for row in rows if row.slot))
    check_boxes(listing.root, sheet, boxes_of(path, boxes_json(named)), path)


class _Written(NamedTuple):
    """A row of a sheet: its key in the table, what it is called in messages, what scans it is about, and its cells."""

    key: str
    name: str
    cells: Mapping[str, str]
    file: str = ""
    subject: str = ""


def _rows_of(animals: Animals, typed: Typed) -> Iterator[_Written]:
    for key in animals.extents:
        cells = typed.get(key, {})
        if not cells.get("position"):
            raise InputError("an animal has no position", expected="a position in each row, such as left")
        yield _Written(key, cells["position"], placed(cells, animals.side))


def _rows_of_subjects(typed: Typed) -> Iterator[_Written]:
    names = {key: key.removeprefix(SUBJECT) for key in typed if key.startswith(SUBJECT)}
    return (_Written(key, name, typed[key], subject=escaped(name)) for key, name in names.items())


def _rows_of_scans(listing: Listing, typed: Typed, only: Collection[str] | None) -> Iterator[_Written]:
    files = files_of(listing, typed).items()
    return (
        _Written(key, key, typed.get(key, {}), file=escaped(name)) for key, name in files if not only or key in only
    )


def _content(path: Path, rows: Sequence[_Written]) -> bytes:
    """Return what a sheet's file holds; reading it gives what its rows say.

    Raises:
        OutputError: it does not.
    """
    used = {title for each in rows for title in each.cells}
    named = [title for title in ("file", "subject") if any(getattr(each, title) for each in rows)]
    titles = (*named, *(title for title in EDITABLE if title in used))
    texts = [
        {"file": row.file, "subject": row.subject, **{title: escaped(text) for title, text in row.cells.items()}}
        for row in rows
    ]
    content = sheet_bytes(Filled(titles, tuple(texts), (), (), frozenset()), path)
    meant = [{name: each.value for name, each in values_of(0, row.cells)} for row in rows]
    if [{name: each.value for name, each in row.cells.items()} for row in sheet_of(path, content).rows] != meant:
        raise OutputError("the sheet would not say what was typed, and is not written", path=path)
    return content


def _wrong(typed: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    return ((title, why) for title, text in typed.items() if (why := wrong_with(title, text)))


def refuse_among(path: Path, listing: Listing) -> None:
    """Refuse to write into a folder of scans, or below it.

    Raises:
        OutputError: the path lies there.
    """
    folders = {listing.root} if listing.root.is_dir() else {each.data.parent for each in listing.pairs.values()}
    for folder in map(real_path, folders):
        for above in (real_path(path.parent), *real_path(path.parent).parents):
            if is_same_folder(above, folder):
                raise OutputError("is in a folder of the scanner's files, where nothing is written", path=path)
