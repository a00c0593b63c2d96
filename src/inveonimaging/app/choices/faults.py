"""What is wrong, in the words of the page: fields by their labels, where commands name options."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from inveonimaging.app.choices.table import DICOM, FIELDS, OVERWRITE, Field, Product
from inveonimaging.errors import InveonError, OptionError, printable
from inveonimaging.storage.staging import UsedError

_OTHER_NAMES = {"--orientation": "--posture", "--patient-sex": "--sex", "--patient-dob": "--patient-birth-date"}
_BY_OPTION = {
    **{each.option: each for each in FIELDS.values() if each.option != "--output"},  # of one kind not the only one
    **{flag: each for each in FIELDS.values() for _, flag in each.flags},
}
_OPTION = re.compile(
    r"(?P<command>\binveon [a-z]+[^,;:)]*)|(?P<option>--[a-z][a-z-]*[a-z])(?:[ =](?P<value>\w(?:[\w.-]*\w)?))?"
)
_PHRASES = (
    (re.compile(r'name one file: inveon [a-z]+ "[^"]*" OUTPUT'), "select the others on page Look"),
    (re.compile(r'name it; "inveon batch" converts all that are below'), "choose it; page Choose converts all below"),
)
_METAVAR = re.compile(r"[A-Z]+")


def in_words(text: str) -> str:
    """Return a text in which options are named as their fields, and what a page does as the page; commands stay."""
    for of_the_commands, of_the_pages in _PHRASES:
        text = of_the_commands.sub(of_the_pages, text)
    return _OPTION.sub(_named, text)


def _named(match: re.Match[str]) -> str:
    field, value = _field_of(match["option"]), match["value"] or ""
    if field is None:
        return match[0]
    words = dict(field.choices).get(value.lower())
    if value and words:
        return f"“{field.label}: {words}”"
    rest = match[0][len(match["option"]) :]
    is_example = bool(_METAVAR.fullmatch(value)) or value == field.example
    return f"“{field.label}”{'' if is_example else rest}"


def _field_of(option: str | None) -> Field | None:
    return _BY_OPTION.get(_OTHER_NAMES.get(option or "", option or ""))


class Fault(NamedTuple):
    """What is wrong, in words, and the name of the field; empty if it is of none."""

    words: str
    field: str


_OUTPUT = "output"
_PARTS = {"id": "patient_id", "name": "patient_name", "key": "key_file"}


def fault_of(error: InveonError, product: Product = DICOM, values: Mapping[str, str] | None = None) -> Fault:
    """Return what is wrong as the page says it, with the field that it is about.

    Args:
        error: that a function behind a command raised.
        product: what is made.
        values: of the form, with its output.
    """
    if isinstance(error, UsedError):
        words = in_words(printable(error, _LONGEST_FAULT))
        return Fault(f"{words}, or tick “{OVERWRITE.label}”", OVERWRITE.name)
    field = _by_attribute(error, product)
    if isinstance(error, OptionError) and field and error.path is None:
        return Fault(in_words(printable(error.named(f"“{field.label}”"), _LONGEST_FAULT)), field.name)
    text = printable(error, _LONGEST_FAULT)
    named = [found for each in _OPTION.finditer(text) if (found := _field_of(each["option"])) in product.fields]
    field = field or next((each for each in named if each), None) or _by_path(error, product, values or {})
    is_output = error.path is not None and error.path == (values or {}).get(_OUTPUT)
    return Fault(in_words(text), field.name if field else _OUTPUT if is_output else "")


_LONGEST_FAULT = 1000


def _by_attribute(error: InveonError, product: Product) -> Field | None:
    wanted = getattr(error, "attribute", None)
    name = _PARTS.get(wanted or "", wanted)
    return next((each for each in product.fields if wanted and (each.attribute == wanted or each.name == name)), None)


def _by_path(error: InveonError, product: Product, values: Mapping[str, str]) -> Field | None:
    named = (each for each in product.fields if each.is_path)
    return next((each for each in named if error.path and error.path in each.lines(values.get(each.name, ""))), None)
