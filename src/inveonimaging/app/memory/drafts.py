"""What was chosen for a folder or a scan on the pages, kept between starts of the app: paths and values, no secrets."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from inveonimaging.app.choices.table import LONGEST
from inveonimaging.app.memory.state import State

_FILE = "choices.json"
_MOST_SOURCES, _MOST_VALUES = 40, 200


class Drafts(dict[str, dict[str, str]]):
    """Values by the names of fields, by source; those that were changed last are kept on the disk."""

    def __init__(self, state: State) -> None:
        """Read what is kept; what is damaged is forgotten."""
        super().__init__(_read(state))
        self._state, self._lock = state, threading.Lock()

    def of(self, source: Path | str) -> dict[str, str]:
        """Return what was chosen for a source; nothing for one that is not known."""
        with self._lock:
            return dict(self.get(str(source), {}))

    def keep_own(
        self, source: Path | str, values: Mapping[str, str], first: Mapping[str, str], more: Mapping[str, str]
    ) -> None:
        """Keep those values of a form that are not what it would hold anyway, so that a later change of that shows.

        Args:
            source: what the form is about.
            values: all of its fields.
            first: what it holds before anything is chosen, as the settings have it.
            more: what is kept in any case.
        """
        own = {name: value for name, value in values.items() if value != first.get(name)}
        self.keep(source, {**own, **more}, without=values.keys() - own.keys())

    def keep(self, source: Path | str, values: Mapping[str, str], without: Collection[str] = ()) -> None:
        """Keep values beside those that are known; those named in `without` are forgotten."""
        with self._lock:
            kept = {**self.pop(str(source), {}), **values}
            self[str(source)] = {name: value for name, value in kept.items() if name not in without}
            for oldest in list(self)[:-_MOST_SOURCES]:
                del self[oldest]
            # Another app may have written, too.
            on_disk = {name: each for name, each in _read(self._state).items() if name != str(source)}
            on_disk[str(source)] = self[str(source)]
            self._state.write(_FILE, dict(list(on_disk.items())[-_MOST_SOURCES:]))


def _read(state: State) -> dict[str, dict[str, str]]:
    found = state.read(_FILE)
    return {name: each for name, each in found.items() if _is_draft(each)} if isinstance(found, dict) else {}


def _is_draft(values: Any) -> bool:
    return (
        isinstance(values, dict)
        and len(values) <= _MOST_VALUES
        and all(isinstance(each, str) and len(each) <= LONGEST for pair in values.items() for each in pair)
    )
