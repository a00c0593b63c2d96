"""The text of one cell <-> its value. What cannot be read raises ValueError, which says what is expected."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from inveonimaging import units
from inveonimaging.animal.free_text import birth_date_of, sex_of
from inveonimaging.animal.sheet_values import Code
from inveonimaging.animal.xnat_route import checked_label
from inveonimaging.errors import OptionError, one_line
from inveonimaging.given import LOCAL_TIME, YEARS, in_unit, is_possible
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.sheet.positions import side_of, slot_of

LO, SH, LONG = 64, 16, 1024
SEPARATOR = "|"
ROLES = (
    "OWNER",
    "PARENT",
    "CHILD",
    "SPOUSE",
    "SIBLING",
    "RELATIVE",
    "GUARDIAN",
    "CUSTODIAN",
    "AGENT",
    "INVESTIGATOR",
    "VETERINARIAN",
)
_MIDNIGHT = re.compile(r"(\d{4}-\d\d-\d\d)[ T]00:00(?::00(?:\.0+)?)?")
_MOMENT = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d?:\d\d)(:\d\d)?(?:\.(\d{1,6})0*)?")
_REGIONAL = re.compile(r"\d{1,2}[./-]\d{1,2}[./-](\d{4}|\d\d)\b.*", re.DOTALL)
_FORMAT = ", as a spreadsheet program saves it from a column of the format yyyy-mm-dd"
ADMINISTRATIONS = ("bolus", "infusion", "bolus-infusion")
_RRID = re.compile(r"RRID:\s?[A-Za-z]+[_:][A-Za-z0-9_:.-]+", re.ASCII)
_YES = frozenset({"yes", "y", "true", "1", "neutered", "altered", "castrated", "spayed"})
_NO = frozenset({"no", "n", "false", "0", "intact", "unaltered"})
_GROUPS, _COMPONENTS = 3, 5  # of a Person Name, PS3.5 6.2
_PARTS = 3  # of a code
_AT_RISK = re.compile(r"""((?:^|[,;\t"])\s*)(?='*[=+\-@])""")
_ESCAPED = re.compile(r"""((?:^|[,;\t"])\s*)'(?='*[=+\-@])""")


@dataclass(frozen=True)
class Codec:
    """How a cell is read, how a value is spelled so that it is read again, and an example."""

    parse: Callable[[str], Any]
    spell: Callable[[Any], str]
    example: str


def escaped(text: str) -> str:
    """Return text in which nothing can start a formula; `unescaped` gives it back.

    Spreadsheets run what starts with `=`, `+`, `-` or `@`; a file that they split in another place than we did may
    start a cell after any comma, semicolon, tab or quotation mark. An apostrophe before it makes it text.
    """
    return _AT_RISK.sub(r"\1'", text)


def unescaped(text: str) -> str:
    """Return what was escaped; all other text as it is."""
    return _ESCAPED.sub(r"\1", text)


def line(longest: int) -> Callable[[str], str]:
    """Return what reads one line of text; several lines are joined."""

    def parse(text: str) -> str:
        flat = " ".join(text.split())
        if "\\" in flat or not flat.isprintable():
            raise ValueError("text without backslash and control characters")
        if len(flat) > longest:
            raise ValueError(f"at most {longest} characters, and not {len(flat)}")
        return flat

    return parse


def fitted(text: str, longest: int = LO) -> str:
    """Return any text as `line` reads it: as it is written to DICOM, cut, without backslash and control characters."""
    return one_line(text.replace("\\", "/"))[:longest].strip()


def text(longest: int = LO, example: str = "") -> Codec:
    """Return the codec of one line of text."""
    return Codec(line(longest), lambda value: fitted(str(value), longest), example)


def quantity(
    factor: Decimal, example: str, known: Mapping[str, Decimal] = MappingProxyType({}), *, zero: bool = False
) -> Codec:
    """Return the codec of a number in a unit, which becomes `factor` times as much; above 0, or 0 too.

    Args:
        factor: of the unit that the title names.
        example: of a cell.
        known: factors of units that may stand behind the number, and then count instead.
        zero: whether it may be 0.
    """
    what = "0 or above" if zero else "above 0"
    unit = "alone or with its unit" if known else "without its unit"

    def parse(text: str) -> float:
        typed, by = in_unit(text, known) or (text, factor)
        try:
            value = units.number(typed, by)
        except (ValueError, ArithmeticError):
            point = ", with a point as decimal mark" if "," in text else ""
            raise ValueError(f"a number like {example}{point}, {unit}") from None
        if value < 0 or (not value and not zero):
            raise ValueError(f"a number {what}")
        return value

    return Codec(parse, lambda value: units.spell(value, factor), example)


def _person(text: str) -> str:
    flat = line(LO * _GROUPS)(text)
    groups = flat.split("=")
    is_name = len(groups) <= _GROUPS and all(each.count("^") < _COMPONENTS for each in groups)
    if not is_name or any(len(each) > LO for each in groups):
        raise ValueError(f"a name of at most {LO} characters, such as Family^Given")
    return flat


def _date(text: str) -> Any:
    midnight = _MIDNIGHT.fullmatch(text)  # how spreadsheets hold a date
    parsed = birth_date_of(midnight[1] if midnight else text)
    if parsed is None:
        raise ValueError("a date like 2014-03-04" + (_FORMAT if _REGIONAL.fullmatch(text) else ""))
    return parsed


def _moment(text: str) -> datetime:
    expected = f"a date and a time like 2014-06-17 13:51:37, {LOCAL_TIME}"
    match = _MOMENT.fullmatch(text)
    if match is None:
        raise ValueError(expected + (f"{_FORMAT} hh:mm:ss" if _REGIONAL.fullmatch(text) else ""))
    day, clock, seconds, fraction = match.groups()
    micros = f".{(fraction or '0'):0<6}"
    clock = clock.rjust(len("10:05"), "0")
    try:
        moment = datetime.fromisoformat(f"{day}T{clock}{seconds or ':00'}{micros}")
    except ValueError:
        raise ValueError(expected) from None
    if not is_possible(moment):
        raise ValueError(f"{expected}, of {YEARS}")
    return moment


def _sex(text: str) -> str:
    parsed = sex_of(text)
    if parsed is None:
        raise ValueError("M, F or O")
    return parsed


def _yes_or_no(text: str) -> bool:
    word = text.lower()
    if word not in _YES | _NO:
        raise ValueError("yes or no")
    return word in _YES


def _role(text: str) -> str:
    if text.upper() not in ROLES:
        raise ValueError(f"one of {', '.join(ROLES)}")
    return text.upper()


def _administration(text: str) -> str:
    if text.lower() not in ADMINISTRATIONS:
        raise ValueError(f"one of {', '.join(ADMINISTRATIONS)}")
    return text.lower()


def _rrid(text: str) -> str:
    if not _RRID.fullmatch(text):
        raise ValueError("a Research Resource Identifier, such as RRID:IMSR_JAX:000664")
    return text.replace(" ", "")


def _code(text: str) -> Code:
    parts = [line(LO)(part) for part in text.split("^")]
    if len(parts) != _PARTS or not all(parts) or len(parts[1]) > SH:
        raise ValueError("a code as VALUE^SCHEME^MEANING, such as 3028467^MGI^C57BL/6J")
    return Code(*parts)


def _spell_code(code: Code | str) -> str:
    return code if isinstance(code, str) else "^".join(code)


def _label(text: str) -> str:
    try:
        return checked_label(text)
    except OptionError as error:
        raise ValueError(error.expected) from None


def _posture(text: str) -> Orientation:
    posture = Orientation.__members__.get(text.upper())
    if not posture:
        raise ValueError(f"one of {', '.join(each.name for each in Orientation if each)}")
    return posture


def several(codec: Codec) -> Codec:
    """Return the codec of several values, separated by `|`."""

    def parse(text: str) -> tuple[Any, ...]:
        return tuple(codec.parse(part.strip()) for part in text.split(SEPARATOR) if part.strip())

    return Codec(parse, lambda values: f" {SEPARATOR} ".join(map(codec.spell, values)), codec.example)


PERSON = Codec(_person, lambda value: fitted(str(value)), "Mouse^Minnie")
DATE = Codec(_date, str, "2014-03-04")
MOMENT = Codec(_moment, str, "2014-06-17 13:51:37")
SEX = Codec(_sex, str, "F")
YES_OR_NO = Codec(_yes_or_no, lambda value: "yes" if value else "no", "no")
ROLE = Codec(_role, str, "VETERINARIAN")
ADMINISTRATION = Codec(_administration, str, "bolus")
RRID = Codec(_rrid, str, "RRID:IMSR_JAX:000664")
CODE = Codec(_code, _spell_code, "3028467^MGI^C57BL/6J")
REGISTRY = Codec(lambda text: _code(text) if "^" in text else line(LO)(text), _spell_code, "ILCR")
LABEL = Codec(_label, str, "FDG_pilot")
POSITION = Codec(slot_of, str, "top left")
SIDE = Codec(side_of, lambda value: value.value, "front")
POSTURE = Codec(_posture, lambda value: value.name if value else "", "HFP")
