"""Sheets as JSON and YAML: a list with one object a row. Values are taken as they are written: 007 stays 007."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from inveonimaging.errors import OptionError, printable
from inveonimaging.sheet.extra import refuse_without_extra
from inveonimaging.sheet.tables import MOST_ROWS, Raw

_EXPECTED = "a list with one object a row"
_NULL = "tag:yaml.org,2002:null"


class _Pairs(list[tuple[str, Any]]):
    """The pairs of a JSON object, in their order."""


def read_json(path: Path, data: bytes) -> Iterator[Raw]:
    """Yield the objects of a list as rows, counted from 1.

    Raises:
        OptionError: it is no JSON, or no list of objects with plain values.
    """
    try:
        rows = json.loads(
            data.decode("utf-8-sig"),
            object_pairs_hook=_Pairs,
            parse_float=str,
            parse_int=str,
            parse_constant=str,
        )
    except (ValueError, RecursionError) as error:
        raise OptionError(f"is no JSON: {printable(error)}", path=path, expected=_EXPECTED) from error
    if isinstance(rows, _Pairs) or not isinstance(rows, list):
        raise OptionError("is no list", path=path, expected=_EXPECTED)
    for number, row in enumerate(rows, 1):
        if not isinstance(row, _Pairs):
            raise OptionError("is no object", path=path, line=number, expected=_EXPECTED)
        yield _row(path, number, ((title, _plain(path, number, title, value)) for title, value in row))


def _plain(path: Path, number: int, title: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        raise _not_plain(path, number, title)
    return value.strip()


def _not_plain(path: Path, number: int, title: str) -> OptionError:
    message = f"{printable(title, 40)} is no plain value"
    return OptionError(message, path=path, line=number, expected="a text or a number; several parted by |")


def _row(path: Path, number: int, cells: Iterator[tuple[str, str]]) -> Raw:
    found: dict[str, str] = {}
    for title, content in cells:
        if title in found:
            raise OptionError(f"{printable(title, 40)} is given twice", path=path, line=number)
        found[title] = content
    return Raw(number, tuple((title.strip(), content) for title, content in found.items() if content))


def read_yaml(path: Path, data: bytes) -> Iterator[Raw]:
    """Yield the mappings of a list as rows, by their lines; no object is made but text.

    Raises:
        OptionError: PyYAML is missing, it is no YAML, or no list of mappings with plain values.
    """
    refuse_without_extra("yaml")
    import yaml

    try:
        tree = yaml.compose(data.decode("utf-8-sig"), Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        line = None if mark is None else mark.line + 1
        message = f"is no YAML: {printable(getattr(error, 'problem', None) or error)}"
        raise OptionError(message, path=path, line=line, expected=_EXPECTED) from error
    if not isinstance(tree, yaml.SequenceNode):
        raise OptionError("is no list", path=path, expected=_EXPECTED)
    for each in tree.value[: MOST_ROWS + 1]:
        number = each.start_mark.line + 1
        if not isinstance(each, yaml.MappingNode):
            raise OptionError("is no mapping", path=path, line=number, expected=_EXPECTED)
        yield _row(path, number, _scalars(path, each.value))


def _scalars(path: Path, pairs: Sequence[tuple[Any, Any]]) -> Iterator[tuple[str, str]]:
    import yaml

    for key, value in pairs:
        number = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise OptionError("a title is no text", path=path, line=number, expected=_EXPECTED)
        if not isinstance(value, yaml.ScalarNode):
            raise _not_plain(path, number, str(key.value))
        yield str(key.value), "" if value.tag == _NULL else str(value.value).strip()


def json_of(rows: Sequence[Mapping[str, str]]) -> bytes:
    """Return rows as JSON, all values as text."""
    return (json.dumps(list(map(dict, rows)), indent=1, ensure_ascii=False) + "\n").encode()


def yaml_of(rows: Sequence[Mapping[str, str]]) -> bytes:
    """Return rows as YAML, all values as text."""
    refuse_without_extra("yaml")
    import yaml

    told = list(map(dict, rows))
    made = yaml.dump(told, Dumper=yaml.SafeDumper, allow_unicode=True, sort_keys=False, width=1000, encoding="utf-8")
    return bytes(made)
