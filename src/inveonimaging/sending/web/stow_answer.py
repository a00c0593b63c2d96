"""What a STOW-RS answer (PS3.18 10.5.3) says of instances, in DICOM JSON (PS3.18 F) or XML (PS3.19 A).

It is read strictly: what cannot be read confirms nothing, and a list of failures that cannot be read makes the whole
answer count for nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn
from xml.etree import ElementTree as ET

from inveonimaging.sending.result import Fate
from inveonimaging.sending.status import coded
from inveonimaging.storage.strict_json import json_of, once

Answer = dict[str, tuple[Fate, str]]
"""What became of instances, by SOP Instance UID: accepted, with a warning or none, or failed, and why."""

_JSON = {"application/dicom+json", "application/json"}
_XML = {"application/dicom+xml", "application/xml", "text/xml"}
_STORED, _FAILED = "00081199", "00081198"  # Referenced and Failed SOP Sequence
_UID, _FAILURE, _WARNING = "00081155", "00081197", "00081196"  # Referenced SOP Instance UID, reasons
_UTF_8 = "utf-8-sig"  # some servers begin with its mark


def answer_of(content: bytes, media_type: str) -> Answer:
    """Return what an answer says of the instances that it names; nothing if it cannot be read."""
    try:
        if media_type in _JSON:
            found = json_of(content)
        elif media_type in _XML:
            found = _xml_of(content)
        else:
            return {}
        datasets = found if isinstance(found, list) else [found]
        return dict(fate for dataset in datasets for fate in _fates(dataset))
    except (ValueError, SyntaxError, RecursionError):  # also of UTF-8, JSON and XML
        return {}


def _xml_of(content: bytes) -> dict[str, Any]:
    """Return a Native DICOM Model as DICOM JSON has it."""
    text = content.decode(_UTF_8)
    if "<!DOCTYPE" in text:
        raise ValueError("it has a document type")
    root = ET.fromstring(text)  # noqa: S314 - without a document type it has no entities
    if _name(root) != "NativeDicomModel":
        raise ValueError("it is another document")
    return _attributes(root)


def _attributes(parent: ET.Element) -> dict[str, Any]:
    return once(
        [
            (each.get("tag", ""), {"Value": [_attributes(v) if _name(v) == "Item" else v.text for v in each]})
            for each in parent
            if _name(each) == "DicomAttribute"
        ]
    )


def _name(element: ET.Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _fates(dataset: Any) -> Iterator[tuple[str, tuple[Fate, str]]]:
    """Yield what a data set says of each instance; a failure last, since it wins. ValueError if that is not clear."""
    for item in _values(dataset, _STORED):
        if uid := _uid_of(item):
            warning = f"was accepted with a warning: {_reason(item, _WARNING)}" if _values(item, _WARNING) else ""
            yield uid, (Fate.ACCEPTED, warning)
    for item in _values(dataset, _FAILED):
        yield _uid_of(item) or _unclear(), (Fate.FAILED, f"the server refused it: {_reason(item, _FAILURE)}")


def _values(dataset: Any, tag: str) -> list[Any]:
    """Return the values of an attribute, none if it is missing; ValueError if it has another form."""
    attribute = dataset.get(tag, {}) if isinstance(dataset, dict) else _unclear()
    values = attribute.get("Value", []) if isinstance(attribute, dict) else _unclear()
    return values if isinstance(values, list) else _unclear()


def _uid_of(item: Any) -> str:
    values = _values(item, _UID)
    return values[0].strip(" \0") if len(values) == 1 and isinstance(values[0], str) else ""


def _reason(item: Any, tag: str) -> str:
    values = _values(item, tag)
    text = str(values[0]) if len(values) == 1 else ""
    is_code = text.isdecimal() and text.isascii() and int(text[:9]) < 2**16
    return coded("reason", int(text)) if is_code else "without a reason that can be read"


def _unclear() -> NoReturn:
    raise ValueError("it is not clear what it says")
