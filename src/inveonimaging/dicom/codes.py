"""Coded concepts: free text of the console -> codes. The tables are data, in `code_tables/`; each names its CID."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

from pydicom.dataset import Dataset

from inveonimaging.animal.sheet_values import Code
from inveonimaging.dicom.encode import LT, SH, lo, text
from inveonimaging.errors import OptionError, printable
from inveonimaging.storage.bounded import read_bounded
from inveonimaging.storage.strict_json import json_of

_MASS_FIRST = re.compile(r"(\d+)(m?)([a-z]+)", re.ASCII)
_MASS_LAST = re.compile(r"([a-z]+)(\d+)(m?)", re.ASCII)
_LABEL = re.compile(r"\^(\d+m?)\^([A-Za-z]{1,2})\b|\b([A-Z][a-z]?)\^(\d+m?)\^")
_KEYS = ("key", "code", "meaning", "system")
_LARGEST_TABLE = 1024 * 1024


UNKNOWN = Code("261665006", "SCT", "Unknown")
LOCAL_SCHEME = "99INVEON"  # what was typed at a console, as its own code
_BEGINNING, _SUM = 9, 6  # of a text's code: how many characters of the text, and of its checksum


def is_long(code: Code) -> bool:
    """Return whether a code needs Long Code Value (0008,0119), whose VR, UC, several programs cannot read."""
    return len(code.value) > SH


def items(code: Code | None, *, unlimited: bool) -> list[Dataset]:
    """Return the items of a Code Sequence of at most one code; none for a long code, unless that may be written.

    Args:
        code: if there is one.
        unlimited: whether elements of VR UC may be written.
    """
    return [] if code is None or (is_long(code) and not unlimited) else [item(code)]


def item(code: Code) -> Dataset:
    """Return a Code Sequence item (PS3.3 8.8); a value beyond 16 characters goes to Long Code Value."""
    made = Dataset()
    setattr(made, "LongCodeValue" if is_long(code) else "CodeValue", code.value)
    made.CodingSchemeDesignator = code.scheme
    made.CodeMeaning = lo(code.meaning)
    return made


@dataclass(frozen=True)
class CodeTable:
    """Codes of a site for what is typed at its console; they win over the built-in ones."""

    by_key: Mapping[str, Code] = field(default_factory=dict)

    def radionuclide(self, typed: str) -> Code | None:
        """Return the code of an isotope as typed, from this table, else from CID 4020 or 18; None if in none."""
        if typed in self.by_key:
            return self.by_key[typed]
        plain, isotope = _plain(typed), isotope_of(typed)
        for key, code in self.by_key.items():
            if (plain and _plain(key) == plain) or (isotope is not None and isotope_of(key) == isotope):
                return code
        return _radionuclides().get(isotope or "")


def read_code_table(path: Path) -> CodeTable:
    """Read `[{"key": ..., "code": ..., "meaning": ..., "system": ...}, ...]`.

    Raises:
        OptionError: the file cannot be read or is not of this form.
    """
    try:
        rows = json_of(read_bounded(path, _LARGEST_TABLE))
    except OSError as error:
        raise OptionError(f"the code table cannot be read: {error.strerror}", path=path) from error
    except (ValueError, RecursionError) as error:
        raise OptionError(f"the code table is not JSON: {printable(error)}", path=path) from error
    if not isinstance(rows, list):
        raise OptionError("the code table is not a list", path=path, expected='[{"key": "F-18", "code": ...}, ...]')
    coded = [_row(row, number, path) for number, row in enumerate(rows, 1)]
    again = [key for key, times in Counter(key for key, _ in coded).items() if times > 1]
    if again:
        raise OptionError(f"the key '{printable(again[0])}' is in the code table twice", path=path)
    return CodeTable(dict(coded))


def _row(row: Any, number: int, path: Path) -> tuple[str, Code]:
    for key in _KEYS:
        if not isinstance(row, dict) or not isinstance(row.get(key), str) or not row[key].strip():
            raise OptionError(
                f"entry {number} of the code table has no text '{key}'", path=path, expected=", ".join(_KEYS)
            )
    for key, length in (("code", LT), ("system", SH)):
        if text(row[key], length) != row[key].strip():
            expected = f"one line of at most {length} characters, without backslash"
            raise OptionError(
                f"entry {number} of the code table: {key} is '{printable(row[key])}'", path=path, expected=expected
            )
    return row["key"], Code(row["code"].strip(), row["system"].strip(), row["meaning"])


def isotope_of(typed: str) -> str | None:
    """Return `F-18` for `F-18`, `F18`, `18F`, `18-F`, `^18^Fluorine`, `fluorine-18`, in any case; None if unknown."""
    plain = _plain(typed)
    for mass, metastable, element in _readings(plain):
        symbol = _elements().get(element)
        if symbol and f"{symbol}-{mass}{metastable}" in _radionuclides():
            return f"{symbol}-{mass}{metastable}"
    return None


def radiopharmaceutical(typed: str, isotope: str | None) -> Code | None:
    """Return the code in CID 4021 of a compound with this isotope (`F-18`); None if it is not there."""
    if isotope is None:
        return None
    symbol, mass = isotope.split("-")
    known = _radiopharmaceuticals()
    unlabelled = _plain(typed).removeprefix(mass)  # 18FDG is 18F-FDG, 13NH3 is 13N-NH3
    return known.get((_compound(typed, symbol, mass), isotope)) or known.get((unlabelled, isotope))


def species(typed: str) -> Code | None:
    """Return the code of a species or genus in CID 7454, by its Latin or its English name; None if not there."""
    return _species().get(" ".join(typed.lower().split()))


def registry(table: str, given: Code | str | None) -> Code | None:
    """Return the code of a registry: as it is given, or by its name in a table; None if it is not there.

    Args:
        table: `breed_registry` (CID 7481) or `strain_source_registry` (CID 7490).
        given: a code or a name.
    """
    if isinstance(given, Code):
        return given
    name = " ".join((given or "").split()).casefold()
    return next((code for code, _ in _table(table) if code.meaning.casefold() == name), None)


def anatomic_region(body_part: str) -> Code:
    """Return the code in CID 4031 of a Body Part Examined; UNKNOWN if it is not there."""
    return next((code for code, row in _table("anatomic_region") if row["body_part"] == body_part), UNKNOWN)


def local(typed: str | None) -> Code:
    """Return a code of our own scheme for text that is in no code table; UNKNOWN for no text.

    The code is the text itself; of more than 16 characters it is the first nine and a checksum, so that texts that
    begin alike keep codes of their own.
    """
    value = lo(typed or "")
    if not value:
        return UNKNOWN
    short = value if len(value) <= SH else f"{value[:_BEGINNING].strip()}-{sha256(value.encode()).hexdigest()[:_SUM]}"
    return Code(short, LOCAL_SCHEME, value)


def orientation_code(table: str, meaning: str) -> Code:
    """Return a code of one of the orientation tables by its meaning."""
    return next(code for code, _ in _table(table) if code.meaning == meaning)


def _plain(text: str) -> str:
    return re.sub(r"[\W_]", "", text.lower())


def _readings(plain: str) -> Iterator[tuple[str, str, str]]:
    """Yield (mass, `m` or nothing, element) in every way the text can be read: 52mn is 52 Mn, or 52m N."""
    if match := _MASS_FIRST.fullmatch(plain):
        mass, metastable, element = match.groups()
        yield mass, metastable, element
        yield mass, "", metastable + element
    if match := _MASS_LAST.fullmatch(plain):
        element, mass, metastable = match.groups()
        yield mass, metastable, element


@cache
def _table(name: str) -> tuple[tuple[Code, Mapping[str, Any]], ...]:
    text = (resources.files("inveonimaging.dicom") / "code_tables" / f"{name}.json").read_text("utf-8")
    return tuple((Code(row["value"], row["scheme"], row["meaning"]), row) for row in json.loads(text)["codes"])


@cache
def _radionuclides() -> dict[str, Code]:
    """Return the codes for PET (CID 4020) and those for SPECT that are not among them (CID 18), by `F-18`."""
    return {row["isotope"]: code for table in ("isotope", "radionuclide") for code, row in _table(table)}


@cache
def _elements() -> dict[str, str]:
    """Names and symbols in lower case -> symbol."""
    names = {code.meaning.rpartition("^")[2].lower(): isotope for isotope, code in _radionuclides().items()}
    spelled = {name: isotope.partition("-")[0] for name, isotope in names.items()}
    return spelled | {symbol.lower(): symbol for symbol in spelled.values()}


@cache
def _radiopharmaceuticals() -> dict[tuple[str, str], Code]:
    found: dict[tuple[str, str], Code] = {}
    for code, row in _table("radiopharmaceutical"):
        if match := _LABEL.search(code.meaning):
            mass, symbol = (match[1], match[2]) if match[1] else (match[4], match[3])
            for name in (_LABEL.sub("", code.meaning), *row.get("aliases", ())):
                found.setdefault((_plain(name), f"{symbol}-{mass}"), code)
    return found


def _compound(typed: str, symbol: str, mass: str) -> str:
    """Return a compound's name without its label: `[18F]FDG`, `18F-FDG`, `FDG F 18` and `FDG` are one."""
    label = rf"(?<!\d){mass}\^?[\s-]?{symbol}|(?<![A-Za-z]){symbol}[\s-]?\^?{mass}(?!\d)"
    return _plain(re.sub(label, "", typed, flags=re.IGNORECASE))


@cache
def _species() -> dict[str, Code]:
    found: dict[str, Code] = {}
    for code, row in _table("species"):
        for name in (code.meaning, *row.get("aliases", ())):
            found.setdefault(name.lower(), code)
    return found
