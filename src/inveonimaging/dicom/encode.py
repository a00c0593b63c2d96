"""Values -> DICOM text, in the lengths and repertoires of PS3.5 section 6.2; the only place that makes it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from functools import cache

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag
from pydicom.valuerep import format_number_as_ds

from inveonimaging.errors import one_line

LO, SH, ST, LT, CS, PN, DS = 64, 16, 1024, 10240, 16, 64, 16
_LARGEST_IS = 2**31 - 1
_COMPONENT_GROUPS = 3
_COMPONENTS = 5
LARGEST_US = 65535


def text(value: str, length: int) -> str:
    """Return text as one line of a string VR: no control characters, no value delimiter, cut to a length."""
    return one_line(value.replace("\\", "/"))[:length].strip()


def lo(value: str) -> str:
    """Return a Long String."""
    return text(value, LO)


def sh(value: str) -> str:
    """Return a Short String."""
    return text(value, SH)


def pn(value: str) -> str:
    """Return a Person Name: carets that separate five components stay, each of three groups is cut to 64 characters."""
    groups = text(value, LT).split("=")
    if len(groups) > _COMPONENT_GROUPS:
        groups = [" ".join(groups)]
    return "=".join(_group(group)[:PN].strip() for group in groups)


def _group(name: str) -> str:
    return name if name.count("^") < _COMPONENTS else name.replace("^", " ")


def cs(value: str) -> str | None:
    """Return a Code String, None if the text cannot be one."""
    code = text(value, LT).upper()
    usable = len(code) <= CS and code and all(c.isascii() and (c.isalnum() or c in " _") for c in code)
    return code if usable else None


def ds(value: float) -> str:
    """Return a Decimal String: the number to 16 characters, without idle zeros; empty if it is not finite."""
    if not math.isfinite(value):
        return ""
    shown = format_number_as_ds(float(value) + 0.0)
    if "." in shown and "e" not in shown:
        shown = shown.rstrip("0").rstrip(".")  # of 17 characters for 9.999999999999998 before
    return shown


def whole(value: float | None) -> str | None:
    """Return an Integer String of the nearest whole number; None if unknown or beyond 32 bits."""
    if value is None or not abs(value) <= _LARGEST_IS:
        return None
    return str(int(value + 0.5) if value >= 0 else -int(-value + 0.5))


def us(value: int | None) -> int | None:
    """Return a count as an Unsigned Short; None if unknown, not above 0, or beyond 16 bits."""
    return value if value and 0 < value <= LARGEST_US else None


def da(value: date) -> str:
    """Return a Date."""
    return f"{value.year:04}{value.month:02}{value.day:02}"


def tm(value: datetime) -> str:
    """Return a Time; with a fraction only if there is one."""
    clock = f"{value.hour:02}{value.minute:02}{value.second:02}"
    return f"{clock}.{value.microsecond:06}" if value.microsecond else clock


def dt(value: datetime) -> str:
    """Return a DateTime; its zone is that of Timezone Offset From UTC, of the same dataset."""
    return da(value) + tm(value)


def zone(offset: timedelta) -> str:
    """Return an offset from UTC, `+0100`."""
    minutes = int(offset.total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}{abs(minutes) % 60:02}"


def put(dataset: Dataset, **values: object) -> Dataset:
    """Set attributes of type 3 by keyword, leaving out what is None or empty; return the dataset."""
    for keyword, value in values.items():
        if value or value == 0:
            dataset.add_new(*_known(keyword), value)
    return dataset


def merged(modules: Iterable[Dataset]) -> Dataset:
    """Return one dataset of several, which share their elements with it."""
    return Dataset({tag: element for module in modules for tag, element in module.items()})


def group(keyword: str, item: Dataset, *needed: str) -> Dataset:
    """Return a functional group: a sequence of one item; nothing if it is empty, or lacks a needed value (type 1)."""
    is_complete = all(each in item and item[each].value not in (None, "") for each in needed)
    return dataset(**{keyword: [item]}) if item and is_complete else Dataset()


def dataset(**values: object) -> Dataset:
    """Return a dataset of attributes of type 1 and 2 by keyword; None and empty become an empty value."""
    elements = (DataElement(*_known(keyword), value) for keyword, value in values.items())
    return Dataset({element.tag: element for element in elements})


@cache
def _known(keyword: str) -> tuple[BaseTag, str]:
    """Return tag and value representation of a keyword, which pydicom looks up each time."""
    tag = Tag(keyword)
    return tag, dictionary_VR(tag)
