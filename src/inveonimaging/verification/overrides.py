"""What was said at conversion instead of the headers, so that it is no difference: given, or from the manifest."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from inveonimaging.animal import GivenSubject
from inveonimaging.animal.given import subject_given
from inveonimaging.errors import printable
from inveonimaging.given import (
    Given,
    PathLike,
    axes,
    kept_or_read,
    local_time,
    named,
    number,
    optional,
    refused,
    switch,
)
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.sheet.matching import Sheet
from inveonimaging.sheet.reading import read_sheet

MANIFEST = "inveon-manifest.json"
_LARGEST_MANIFEST = 256 * 1024 * 1024
_DIRECTIONS = ("forward", "reverse")
_OF_SUBJECT = {"subject", "sheet"}


def _posture_name(name: str, value: Any) -> str:
    return named(Orientation)(name, value).name


def _direction(_name: str, value: Any) -> str:
    """Read a direction as text; the enumeration of the conversion is text, too."""
    typed = value.lower() if isinstance(value, str) else None
    for direction in _DIRECTIONS:
        if typed == direction:
            return direction
    raise refused("the bed direction", value, "forward or reverse")


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """What the conversion was told instead of the headers; None takes what the manifest says, else the headers.

    Takes what `inveonimaging.Options` takes for options of the same names.

    Attributes:
        orientation: posture, for example `"HFP"`.
        flip: stored axes, letters of `xyz`, whose patient direction was turned about.
        bed_direction: `"forward"` or `"reverse"`.
        scan_time: start of scans whose header has none.
        separate_frames: whether each frame block became a series of its own.
        cycle_ms: nominal length of a cycle of gated scans.
        apply_hounsfield: whether `ct_hounsfield_scale` and `ct_hounsfield_offset` were applied.
        subject: what was said of the animal; the manifest never tells it.
        sheet: what rows said of subjects and scans; the manifest tells its name alone.
    """

    orientation: Given[Orientation | str | None, str | None] = Given(optional(_posture_name), None)
    flip: Given[str | Iterable[str] | None, str | None] = Given(optional(axes), None)
    bed_direction: Given[str | None, str | None] = Given(optional(_direction), None)
    scan_time: Given[datetime | str | None, datetime | None] = Given(optional(local_time), None)
    cycle_ms: Given[float | str | None, float | None] = Given(optional(number), None)
    separate_frames: Given[bool | None, bool | None] = Given(optional(switch), None)
    apply_hounsfield: Given[bool | None, bool | None] = Given(optional(switch), None)
    subject: Given[GivenSubject | Mapping[str, Any] | None, GivenSubject] = Given(subject_given, None)
    sheet: Given[Sheet | PathLike | None, Sheet | None] = Given(
        optional(kept_or_read(Sheet, read_sheet, "the path of a sheet, or what read_sheet returns")), None
    )

    @property
    def said(self) -> dict[str, str]:
        """Those that are not left to the headers, as text."""
        names = (each.name for each in fields(self) if each.name not in _OF_SUBJECT)
        values = {name: getattr(self, name) for name in names} | {
            f"subject.{name}": value for name, value in vars(self.subject).items()
        }
        values["subjects"] = self.sheet and self.sheet.name
        return {name: printable(value) for name, value in values.items() if value}

    def completed(self, other: Overrides) -> Overrides:
        """Return these, and where they say nothing the other ones."""
        names = [each.name for each in fields(self) if each.name not in _OF_SUBJECT]
        return replace(self, **{name: getattr(other, name) for name in names if getattr(self, name) is None})


@dataclass(frozen=True)
class Manifest:
    """What a conversion left beside its series: its options, the source of each series by UID, the sheet it used."""

    overrides: Overrides = field(default_factory=Overrides)
    sources: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    sheet: str = ""

    def note(self, told: Overrides) -> tuple[str, ...]:
        """Return that a sheet was used, unless one was given."""
        if not self.sheet or told.sheet is not None:
            return ()
        return (f"converted with the sheet {printable(self.sheet, 60)}: --subjects takes it into account",)


def manifest_beside(paths: Iterable[Path]) -> Manifest:
    """Return the first manifest that stands in one of these folders, or in that above a file; else an empty one.

    It is a hint, not evidence: what cannot be understood in it is left aside.
    """
    for path in paths:
        for folder in (path, path.parent, path.parent.parent):
            document = _document(folder / MANIFEST)
            if document:
                sheet = _sheet(document.get("subjects"))
                return Manifest(_overrides(document.get("options")), _sources(document.get("series")), sheet)
    return Manifest()


def _document(path: Path) -> dict[str, Any]:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST_MANIFEST:
            return {}
        document = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) and document.get("program") == "inveonimaging" else {}


def _overrides(options: Any) -> Overrides:
    if not isinstance(options, dict):
        return Overrides()
    cycle, hounsfield = options.get("cycle_ms"), options.get("apply_hounsfield")
    direction, flip = options.get("bed_direction"), options.get("flip")
    separate = options.get("separate_frames")
    return Overrides(
        orientation=_posture(options.get("orientation")),
        flip=flip if isinstance(flip, str) and set(flip) <= set("xyz") and len(set(flip)) == len(flip) else None,
        bed_direction=direction if direction in _DIRECTIONS else None,
        scan_time=_time(options.get("scan_time")),
        cycle_ms=float(cycle) if isinstance(cycle, int | float) and cycle > 0 else None,
        separate_frames=separate if isinstance(separate, bool) else None,
        apply_hounsfield=hounsfield if isinstance(hounsfield, bool) else None,
    )


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
