"""Writes docs/reference/schema/info.schema.json: what `inveon info --json` prints, from the classes that hold it.

python tools/info_schema.py
"""

from __future__ import annotations

import json
import types
import typing
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Any

from inveonimaging.cli.outcome import SCHEMA
from inveonimaging.findings import Severity
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.physics.quantification import Unit

Schema = dict[str, Any]

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "schema" / "info.schema.json"
_NUMBERS = {int: "integer", float: "number", str: "string", bool: "boolean"}
_LOCAL_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?$"


def info_schema() -> Schema:
    """Return the JSON Schema of the document."""
    failed = _object({"message": _text(), "path": _text(null=True), "line": {"type": ["integer", "null"]}})
    told = {
        "files": {"type": "array", "items": _ref("file")},
        "findings": {
            "type": "array",
            "items": _ref("finding"),
            "description": "on the folder, the animal and the sheet",
        },
        "errors": {"type": "array", "items": _text()},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "inveon info --json",
        "description": "What is in Inveon files. A value that is not known is null. New fields may be added; the "
        "number in `schema` changes when one is removed or changes its meaning.",
        "oneOf": [
            _object({"schema": {"const": SCHEMA}, **told}),
            _object({"schema": {"const": SCHEMA}, "error": failed}),
        ],
        "$defs": {"file": _file(), "finding": _finding(), "header": _of_class(Header)},
    }


def _file() -> Schema:
    number = {"type": "number"}
    fields: dict[str, Schema] = {
        "header_file": _text("path of the header"),
        "data_file": _text("path of the voxels"),
        "modality": {"enum": [kind.label for kind in Modality if kind is not Modality.UNKNOWN]},
        "unit": {"enum": [unit.value for unit in Unit], "description": "of the physical values"},
        "shape": {**_several({"type": "integer", "minimum": 1}, 3), "description": "columns, rows, slices"},
        "spacing_mm": {**_several({"type": "number", "exclusiveMinimum": 0}, 3), "description": "along them"},
        "affine_lps_mm": {**_several(_several(number, 4), 4), "description": "voxel index -> patient, LPS"},
        "directions": {"type": "string", "pattern": "^[LRPAHF]{3}$", "description": "of +x, +y and +z, in the patient"},
        "factors": {"type": "array", "items": number, "description": "of each frame: physical value of a stored 1"},
        "header": _ref("header"),
        "findings": {"type": "array", "items": _ref("finding")},
    }
    return _object(fields)


def _finding() -> Schema:
    fields: dict[str, Schema] = {
        "code": {"type": "string", "pattern": "^[a-z0-9-]+$", "description": "explained in docs/reference/findings.md"},
        "message": _text(),
        "severity": {"enum": [severity.value for severity in Severity]},
        "key": _text("of the header", null=True),
        "line": {"type": ["integer", "null"], "description": "of the header, from 1"},
        "path": _text(null=True),
    }
    return _object(fields)


def _of_class(kind: Any) -> Schema:
    """Return the schema of a dataclass or a named tuple; what was read, line by line, is not printed."""
    names = [name for name in typing.get_type_hints(kind) if name != "source"]
    hints = typing.get_type_hints(kind)
    summary = str(kind.__doc__).split("\n", maxsplit=1)[0]
    return {**_object({name: _of_type(hints[name]) for name in names}), "description": summary}


def _of_type(hint: Any) -> Schema:
    parts = typing.get_args(hint)
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        (inner,) = (part for part in parts if part is not type(None))
        return _or_null(_of_type(inner))
    if typing.get_origin(hint) is tuple:
        items = _of_type(parts[0])
        return {"type": "array", "items": items} if parts[-1] is Ellipsis else _several(items, len(parts))
    if hint in _NUMBERS:
        return {"type": _NUMBERS[hint]}
    if hint is datetime:
        return {"type": "string", "pattern": _LOCAL_TIME, "description": "local time of the workstation"}
    if issubclass(hint, IntEnum):
        words = ", ".join(f"{int(code)} {getattr(code, 'label', code.name)}" for code in hint)
        return {"enum": [int(code) for code in hint], "description": words}
    return _of_class(hint)


def _or_null(schema: Schema) -> Schema:
    if "enum" in schema:
        return {**schema, "enum": [*schema["enum"], None]}
    return {**schema, "type": [schema["type"], "null"]}


def _object(fields: dict[str, Schema]) -> Schema:
    return {"type": "object", "properties": fields, "required": list(fields)}


def _several(items: Schema, count: int) -> Schema:
    return {"type": "array", "items": items, "minItems": count, "maxItems": count}


def _text(description: str = "", *, null: bool = False) -> Schema:
    schema: Schema = {"type": ["string", "null"] if null else "string"}
    return {**schema, "description": description} if description else schema


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def text() -> str:
    """Return the file's text."""
    return json.dumps(info_schema(), indent=2, ensure_ascii=True) + "\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(text(), "utf-8", newline="\n")
