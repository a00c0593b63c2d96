"""The manifest beside the DICOM files: the corrections of the conversion, and the source of each series."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from inveonimaging.errors import InveonError, printable
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.storage.manifests import read_manifest
from inveonimaging.study.corrections import NOT_IN_A_MANIFEST, Corrections
from inveonimaging.study.masking import Mask, mask_of


@dataclass(frozen=True)
class Manifest:
    """What a conversion left beside its series: its options, the source of each series by UID, the sheet it used.

    `mask` is where neighbours were masked in the images of one animal; None if it is not known.
    """

    corrections: Corrections = field(default_factory=Corrections)
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    sheet: str = ""
    mask: Mask | None = None

    def note(self, given: Corrections) -> tuple[str, ...]:
        """Return that a sheet was used, unless one was given."""
        if not self.sheet or given.sheet is not None:
            return ()
        return (f"converted with the sheet {printable(self.sheet, 60)}: --subjects takes it into account",)


def manifest_beside(paths: Iterable[Path]) -> Manifest:
    """Return the first manifest in one of these folders, or in that above a file; else an empty one.

    It is a hint, not evidence: what cannot be understood in it is left aside.
    """
    for path in paths:
        for folder in (path, path.parent, path.parent.parent):
            if found := read_manifest(folder, follow=True):
                document, _ = found
                sheet = _sheet(document.get("subjects"))
                sources = _sources(document.get("series"))
                return Manifest(_corrections(document.get("options")), sources, sheet, mask_of(document.get("mask")))
    return Manifest()


def _corrections(options: Any) -> Corrections:
    """Return the corrections that a manifest holds; what cannot be one is left aside."""
    if not isinstance(options, dict):
        return Corrections()
    found: dict[str, Any] = {name: options.get(name) for name in Corrections().values.keys() - NOT_IN_A_MANIFEST}
    found |= {"orientation": _posture(options.get("orientation")), "flip": options.get("flip") or None}
    found |= {name: _time(options.get(name)) for name in ("scan_time", "injected_at")}
    return Corrections(**{name: value for name, value in found.items() if _is_taken(name, value)})


def _is_taken(name: str, value: Any) -> bool:
    try:
        Corrections(**{name: value})
    except (InveonError, OverflowError, TypeError, ValueError):  # whatever was typed into it
        return False
    return True


def _posture(value: Any) -> str | None:
    """Return the name of a posture that is given by its name or by the header's code."""
    for each in Orientation:
        if each and (value in (each.name, str(int(each))) or (value == int(each) and not isinstance(value, bool))):
            return each.name
    return None


def _time(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(value).replace(tzinfo=None)
    except (TypeError, ValueError):
        return None


def _sheet(subjects: Any) -> str:
    name = subjects.get("name") if isinstance(subjects, dict) else None
    return name if isinstance(name, str) else ""


def _sources(series: Any) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for each in series if isinstance(series, list) else []:
        if isinstance(each, dict):
            values = [each.get(key) for key in ("series_instance_uid", "source", "part")]
            if all(isinstance(value, str) for value in values):
                found[str(values[0])] = (str(values[1]).rpartition("/")[2], str(values[2]))
    return found
