"""The pictures on the cards of page 2."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from inveonimaging.app.pages.looks import stamp_of
from inveonimaging.inveon.pairs import pair_of
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.image import Image
from inveonimaging.study.reading import read_study

_MOST_PICTURES = 200


class Pictures:
    """The pictures of scans, drawn one at a time and kept while the app runs."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[object, ...], bytes] = OrderedDict()
        self._one_at_a_time = threading.Lock()

    def of(self, path: Path, corrections: Corrections) -> bytes:
        """Return the picture of a scan as PNG, with the animal lying as the corrections say.

        Raises:
            InveonError: it cannot be read.
        """
        from inveonimaging.reports.pictures import card_picture  # matplotlib: a third of the time of a start

        pair, sheet = pair_of(path), corrections.sheet
        key = (path, *stamp_of([pair]), str(corrections.shown), sheet.sha256 if sheet else "")
        with self._one_at_a_time:
            if key not in self._kept:
                self._kept[key] = card_picture(_image(path, corrections)).png
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST_PICTURES:
                self._kept.popitem(last=False)
            return self._kept[key]


def _image(path: Path, corrections: Corrections) -> Image:
    study = read_study(path, corrections)
    images = (*(each.image for each in study.scans), *study.raw)
    if not images:
        raise next(iter(study.errors.values()))
    return images[0]
