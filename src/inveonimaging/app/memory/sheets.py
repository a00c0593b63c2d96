"""What was typed into the table of page 3, by source: kept with every change, also over a restart."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from inveonimaging.app.memory.state import State
from inveonimaging.commands.correct import EDITABLE, boxes_beside
from inveonimaging.sheet.reading import LARGEST
from inveonimaging.storage.bounded import read_bounded

_FOLDER = "sheets"
_MOST_KEPT, _MOST_FILES = 50, 200
_ENDS = 6
FARTHEST_MM = 10_000.0


@dataclass(frozen=True)
class Kept:
    """What is kept of a source.

    Attributes:
        typed: texts of cells, by row and title.
        columns: titles that were asked for beyond the usual ones.
        saved: the sheet that was saved last, and the SHA-256 of what it held; empty if none was.
        digest: see there.
        is_saved: whether nothing was changed since.
        is_whole: whether that sheet says all that was typed; what was typed of scans that were not there is not in it.
        boxes: of animals that were scanned together, once they were moved: their lower and upper ends along i, j and k,
            mm in the gantry, by row.
        number: how many animals someone sees; 0 leaves it to what is found.
        side: from which positions are seen.
    """

    typed: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    columns: tuple[str, ...] = ()
    saved: str = ""
    digest: str = ""
    is_saved: bool = False
    is_whole: bool = False
    boxes: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    number: int = 0
    side: str = "front"

    @property
    def is_unsaved(self) -> bool:
        """Whether something was typed, moved or taken back since the sheet was saved."""
        return bool(self.typed or self.saved) and not self.is_saved

    @property
    def is_elsewhere(self) -> bool:
        """Whether the sheet that was saved is there, unchanged, and says all of this; boxes are not seen there."""
        return self.is_saved and self.is_whole and not self.boxes and self.is_unchanged

    @property
    def is_unchanged(self) -> bool:
        """Whether the sheet that was saved, or it and its boxes, is there as it was saved."""
        sheet = Path(self.saved)
        return self.digest in {digest_of(sheet), digest_of(sheet, with_boxes=False)}


def digest_of(sheet: Path, *, with_boxes: bool = True) -> str:
    """Return the SHA-256 of a sheet, and of the boxes beside it, if there are some."""
    held = b""
    for each in (sheet, boxes_beside(sheet))[: 1 + with_boxes]:
        with contextlib.suppress(OSError):
            held += read_bounded(each, LARGEST)
    return hashlib.sha256(held).hexdigest()


class Sheets:
    """What was typed, of each source; a change is one step, so that two pages do not lose each other's cells."""

    def __init__(self, state: State) -> None:
        """Keep it in the state."""
        self._state = state
        self._lock = threading.Lock()
        self._known: OrderedDict[str, Kept] = OrderedDict()

    def of(self, source: Path) -> Kept:
        """Return what is kept of a source."""
        with self._lock:
            return self._of(str(source))

    def change(self, source: Path, step: Callable[[Kept], Kept]) -> Kept:
        """Change what is kept of a source, and return it."""
        with self._lock:
            kept = step(self._of(str(source)))
            self._known[str(source)] = kept
            self._state.write(_file(str(source)), {"source": os.fsencode(source).hex(), **asdict(kept)})
            self._forget_oldest()
            return kept

    def forget(self, sources: Iterable[str]) -> None:
        """Remove what is kept of sources, if the sheet that was saved has all of it.

        What lies on the disk counts, which another app may have changed.
        """
        with self._lock:
            for source in sources:
                kept = _kept(self._state.read(_file(source)))
                if kept.is_elsewhere and kept == self._of(source):
                    self._known.pop(source)
                    with contextlib.suppress(OSError):
                        (self._state.folder / _file(source)).unlink()

    def _forget_oldest(self) -> None:
        """Remove what was changed longest ago, beyond so many sources."""
        with contextlib.suppress(OSError):
            files = list((self._state.folder / _FOLDER).glob("*.json"))
            if len(files) > _MOST_FILES:
                min(files, key=lambda each: each.stat().st_mtime_ns).unlink()

    def _of(self, source: str) -> Kept:
        if source not in self._known:
            self._known[source] = _kept(self._state.read(_file(source)))
        self._known.move_to_end(source)
        while len(self._known) > _MOST_KEPT:
            self._known.popitem(last=False)
        return self._known[source]


def _file(source: str) -> str:
    return f"{_FOLDER}/{hashlib.sha256(os.fsencode(source)).hexdigest()[:32]}.json"


def _kept(document: Any) -> Kept:
    """Return what a document says; nothing if it is damaged, or of another version."""
    if not isinstance(document, dict):
        return Kept()
    typed, columns = document.get("typed"), document.get("columns")
    saved, digest = document.get("saved"), document.get("digest")
    if not (isinstance(typed, dict) and isinstance(columns, list) and isinstance(saved, str)):
        return Kept()
    if not all(isinstance(cells, dict) and all(map(_is_text, cells.values())) for cells in typed.values()):
        return Kept()
    read = {key: {title: text for title, text in cells.items() if title in EDITABLE} for key, cells in typed.items()}
    typed = {key: cells for key, cells in read.items() if cells}
    kept = Kept(typed, tuple(filter(_is_text, columns)), saved, digest if isinstance(digest, str) else "")
    kept = replace(kept, is_saved=document.get("is_saved") is True, is_whole=document.get("is_whole") is True)
    boxes, number, side = document.get("boxes"), document.get("number"), document.get("side")
    if not (isinstance(boxes, dict) and all(map(_is_box, boxes.values())) and type(number) is int):
        return kept
    places = {key: tuple(map(float, box)) for key, box in boxes.items()}
    return replace(kept, boxes=places, number=number, side="back" if side == "back" else "front")


def _is_box(value: object) -> bool:
    """Return whether a value is that of a box: its lower and then its upper ends, mm; no NaN is."""
    ends = value if isinstance(value, list) and len(value) == _ENDS else []
    is_near = bool(ends) and all(type(each) in (int, float) and abs(each) <= FARTHEST_MM for each in ends)
    return is_near and all(a < b for a, b in zip(ends[:3], ends[3:], strict=True))


def _is_text(value: object) -> bool:
    return isinstance(value, str)
