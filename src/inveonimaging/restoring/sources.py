"""DICOM read back -> the headers that it carries, and the series that hold the frames of each."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from inveonimaging.dicom_reading.planes import uid_name
from inveonimaging.dicom_reading.private import HAS_HEADER, OriginalHeader, original_header
from inveonimaging.dicom_reading.series import Series, read_series
from inveonimaging.dicom_reading.writer import own_class
from inveonimaging.errors import InputError, printable


@dataclass(frozen=True)
class Held:
    """A series with the header that it carries."""

    series: Series
    header: OriginalHeader

    @property
    def path(self) -> Path:
        """Its first file, for messages."""
        return self.series.files[0].path


@dataclass(frozen=True)
class SeriesOfFile:
    """The series that were made from one file.

    Attributes:
        header: of the file.
        held: the series, in the order of their frames.
    """

    header: OriginalHeader
    held: tuple[Held, ...]

    @property
    def first(self) -> Series:
        """One of the series."""
        return self.held[0].series


def sources_of(path: Path) -> tuple[tuple[SeriesOfFile, ...], tuple[str, ...]]:
    """Return the files from which DICOM was made, and what is left aside, since it was made by another program.

    Args:
        path: a file, or a folder with all that is below it.

    Raises:
        InputError: a file cannot be read, a series has lost its header, or none was made by this program.
    """
    read = read_series([path])
    for error in read.damaged:
        raise error
    own, others = [], []
    for series in read.series:
        carrying = next((file for file in series.files if file.values.get(HAS_HEADER)), None)
        if carrying:
            own.append(Held(series, original_header(carrying.path)))
        elif own_class(series.first):
            raise _without_header(series)
        else:
            others.append(series)
    if not own:
        raise _of_others(others)
    return tuple(_grouped(own)), tuple(map(_named, others))


def _grouped(own: Iterable[Held]) -> Iterable[SeriesOfFile]:
    """Yield the series of each file together; those of a part of a group, and whole ones, never are of one file."""
    found: dict[tuple[object, ...], list[Held]] = {}
    for each in own:
        study = each.series.first.get("StudyInstanceUID")
        found.setdefault((study, each.header.name, each.header.data), []).append(each)
    for held in found.values():
        forms = {str(each.series.first.get("SOPClassUID")): each for each in held}
        if len(forms) > 1:
            names = " and ".join(sorted(map(uid_name, forms)))
            hint = "give the folder of one of them"
            raise InputError(
                "one scan is there in several forms", path=held[0].path, expected="one", hint=f"{names}: {hint}"
            )
        yield SeriesOfFile(held[0].header, tuple(sorted(held, key=lambda each: each.header.frames or ())))


def _without_header(series: Series) -> InputError:
    number = series.first.get("SeriesNumber")
    return InputError(
        f"no file of series {printable(number, 20)} has its Inveon header",
        path=series.files[0].path,
        expected="the file with Instance Number 1, and its private elements",
        hint="they were left out or removed by another program",
    )


def _of_others(others: Iterable[Series]) -> InputError:
    first = next(iter(others))
    message = f"was not made by inveonimaging ({_maker(first)}): it has no Inveon header"
    return InputError(message, path=first.files[0].path, expected="DICOM that inveon convert or inveon split wrote")


def _named(series: Series) -> str:
    return f"{printable(series.files[0].path, 300)}: left out: was not made by inveonimaging ({_maker(series)})"


def _maker(series: Series) -> str:
    stated = (series.first.get(keyword) for keyword in ("Manufacturer", "SoftwareVersions"))
    return printable(", ".join(str(each) for each in stated if each) or "no manufacturer is named")
