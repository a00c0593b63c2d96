"""The pictures on the cards of page 2."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from inveonimaging.app.pages.looks import stamp_of
from inveonimaging.inveon.pairs import pair_of
from inveonimaging.study.image import read

_MOST_PICTURES = 200


class Pictures:
    """The pictures of scans, drawn one at a time and kept while the app runs."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def of(self, path: Path) -> bytes:
        """Return the picture of a scan as PNG.

        Raises:
            InveonError: it cannot be read.
        """
        from inveonimaging.reports.pictures import card_picture  # matplotlib: a third of the time of a start

        pair = pair_of(path)
        key = (path, *stamp_of([pair]))
        with self._one_at_a_time:
            if key not in self._kept:
                self._kept[key] = card_picture(read(path)).png
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST_PICTURES:
                self._kept.popitem(last=False)
            return self._kept[key]
