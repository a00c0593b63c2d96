"""What outputs that are no DICOM are asked for: which studies are read, and with what instead of their headers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inveonimaging.given import Given, PathLike, optional, switch, text
from inveonimaging.redaction.request import Deidentify, deidentify_given
from inveonimaging.study.corrections import Corrections


def _path(name: str, value: Any) -> Path:
    return Path(os.fspath(text(name, value)))


@dataclass(frozen=True, kw_only=True)
class StudyOptions(Corrections):
    """Which studies are read, with the corrections of what is read.

    Attributes:
        recursive: each folder below the source that holds pairs is a study; one that cannot be taken stops no other.
        boxes: a file of boxes: where each animal of one scan lies, mm in the gantry; None finds them, which needs
            SciPy.
        mask_others: of a scan of several animals that is cut, read the neighbours in each animal's box as nothing: air
            in a CT, 0 in PET and SPECT. Not with boxes.
        deidentify: how the headers are de-identified; None leaves them as they are.
    """

    recursive: Given[bool, bool] = Given(switch, False)
    boxes: Given[PathLike | None, Path | None] = Given(optional(_path), None)
    mask_others: Given[bool, bool] = Given(switch, False)
    deidentify: Given[Deidentify | bool | None, Deidentify | None] = Given(deidentify_given, None)


@dataclass(frozen=True, kw_only=True)
class FilesOptions(StudyOptions):
    """What is asked of files of each series, whatever their form.

    Attributes:
        overwrite: replace what has the same names: files, or stores that this program wrote.
        split: cut scans of several animals, for which the sheet has positions: each animal has a folder.
    """

    overwrite: Given[bool, bool] = Given(switch, False)
    split: Given[bool, bool] = Given(switch, False)

    @property
    def is_hotel(self) -> bool:
        """Whether each animal of a scan of several becomes a study."""
        return self.split or self.boxes is not None
