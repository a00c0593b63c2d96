"""Files of regions: lists of spheres (.csv, .json), NIfTI masks, DICOM SEG and RTSTRUCT."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inveonimaging.errors import InputError, InveonError, printable
from inveonimaging.findings import Finding
from inveonimaging.inveon.pairs import is_dicom
from inveonimaging.storage.bounded import read_bounded
from inveonimaging.time_activity.region_masks import NIFTI, masks_of_nifti
from inveonimaging.time_activity.regions import Region, Sphere, named, sphere_of

COLUMNS = ("name", "x_mm", "y_mm", "z_mm", "diameter_mm")
_LARGEST_LIST = 1024 * 1024
_MOST_SPHERES = 1000
_SEPARATORS = (",", ";", "\t")
_KINDS = "a file: .csv, .json, .nii, .nii.gz, or DICOM SEG or RTSTRUCT"
_TITLES = f"the columns {', '.join(COLUMNS)}"
_JSON = '{"schema": 1, "program": "inveonimaging", "spheres": [{"name": "heart", "centre_mm": [1.5, -3, 20], '
_JSON += '"diameter_mm": 4}]}'


@dataclass(frozen=True)
class RegionFile:
    """The regions of a file.

    Attributes:
        path: of it.
        regions: in their order.
        is_typed: whether a person typed their names into a list.
        findings: on what was taken how.
    """

    path: Path
    regions: tuple[Region, ...]
    is_typed: bool = False
    findings: tuple[Finding, ...] = ()


def read_regions(path: Path) -> RegionFile:
    """Read a file of regions, by what its name ends in, or as DICOM.

    Raises:
        InputError: it cannot be read, or holds no regions; with the line or entry.
        OptionError: a package for it is not installed.
    """
    ending = path.name.lower()
    if ending.endswith(".csv"):
        return RegionFile(path, _spheres_of_csv(path), is_typed=True)
    if ending.endswith(".json"):
        return RegionFile(path, _spheres_of_json(path), is_typed=True)
    if ending.endswith(NIFTI):
        return RegionFile(path, masks_of_nifti(path))
    if is_dicom(path):
        from inveonimaging.time_activity.dicom_regions import regions_of_dicom  # pydicom takes half a second

        regions, findings = regions_of_dicom(path)
        return RegionFile(path, regions, findings=findings)
    if not path.is_file():
        raise InputError("is a folder" if path.is_dir() else "there is no such file", path=path, expected=_KINDS)
    raise InputError("is not a file of regions", path=path, expected=_KINDS)


def _text(path: Path) -> str:
    try:
        return read_bounded(path, _LARGEST_LIST).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"the regions cannot be read: {error.strerror or error}", path=path) from error
    except UnicodeDecodeError as error:
        raise InputError("is not text in UTF-8", path=path, hint='save it as "CSV UTF-8"') from error


def _spheres_of_csv(path: Path) -> tuple[Sphere, ...]:
    text = _text(path)
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(_SEPARATORS, key=first.count), strict=True)
    found: list[Sphere] = []
    titles: list[str] = []
    try:
        for row in reader:
            cells = [each.strip() for each in row]
            if not any(cells):
                continue
            if not titles:
                titles = [each.lower() for each in cells]
                if sorted(titles) != sorted(COLUMNS):
                    raise InputError(
                        "the titles are not those of a list of spheres", path=path, line=1, expected=_TITLES
                    )
                continue
            given = dict(zip(titles, cells, strict=False))
            found.append(_sphere([given.get(name, "") for name in COLUMNS], path, reader.line_num))
    except csv.Error as error:
        raise InputError(f"cannot be read as text in columns: {error}", path=path, line=reader.line_num) from error
    return _checked(found, path, _TITLES)


def _sphere(texts: list[str], path: Path, line: int | None, entry: str = "") -> Sphere:
    try:
        return sphere_of(named("name", texts[0]), texts[1:])
    except InveonError as error:
        raise InputError(f"{entry}{error.sentence}", path=path, line=line) from error
    except ValueError as error:
        shown = printable(", ".join(texts), 80)
        expected = "x, y, z and a diameter in mm, with a point as decimal mark, as 1.5, -3, 20, 4"
        raise InputError(f"{entry}'{shown}' is not a sphere", path=path, line=line, expected=expected) from error


def _checked(spheres: list[Sphere], path: Path, expected: str) -> tuple[Sphere, ...]:
    if not 1 <= len(spheres) <= _MOST_SPHERES:
        message = f"has {len(spheres)} spheres" if spheres else "has no sphere"
        raise InputError(message, path=path, expected=f"{expected}; 1 to {_MOST_SPHERES} of them")
    return tuple(spheres)


def _spheres_of_json(path: Path) -> tuple[Sphere, ...]:
    try:
        document = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"is not JSON: {printable(error, 100)}", path=path, expected=_JSON) from error
    is_known = isinstance(document, dict) and document.get("schema") == 1 and document.get("program") == "inveonimaging"
    entries = document.get("spheres") if is_known else None
    if not isinstance(entries, list):
        raise InputError("is not a list of spheres", path=path, expected=_JSON)
    found = [_entry(entry, path, f"entry {number} of spheres: ") for number, entry in enumerate(entries, 1)]
    return _checked(found, path, _JSON)


def _entry(entry: Any, path: Path, where: str) -> Sphere:
    centre = entry.get("centre_mm") if isinstance(entry, dict) else None
    if not isinstance(centre, list) or set(entry) != {"name", "centre_mm", "diameter_mm"}:
        raise InputError(f"{where}is not of its form", path=path, expected="name, centre_mm, diameter_mm")
    numbers = [*centre, entry["diameter_mm"]]
    texts = [repr(each) if isinstance(each, int | float) and not isinstance(each, bool) else "" for each in numbers]
    return _sphere([entry["name"] if isinstance(entry["name"], str) else "", *texts], path, None, where)
