"""What a file of a job may hold: people edit such files, disks tear them, and other versions wrote some of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from inveonimaging.errors import printable
from inveonimaging.storage.shapes import Shape, fits

_JOB: Mapping[str, Shape] = {
    **dict.fromkeys(("id", "owner", "kind", "title", "source", "output", "state", "phase", "words", "error"), str),
    **dict.fromkeys(("started", "ended"), str),
    **dict.fromkeys(("done", "total"), int),
    "fields": dict,
    "result": dict,
}
_NEEDED = ("id", "owner", "kind", "title", "source")
_TEXTS, _NUMBER = [str], (int, float)
_FINDINGS = [dict.fromkeys(("severity", "code", "message", "where", "todo"), str)]
_REASONS = [{"reason": str, "count": int, "first": str}]
_RESULT: Mapping[str, Shape] = {
    **dict.fromkeys(("output", "target", "stopped"), str),
    **dict.fromkeys(("more_series", "more_differences"), int),
    **dict.fromkeys(("planes", "sent", "before", "twice", "unsent"), int),
    **dict.fromkeys(("found", "converted", "skipped", "failed", "unread", "instances"), int),
    **dict.fromkeys(("compared", "differences", "notes", "reasons"), _TEXTS),
    **dict.fromkeys(("refused", "doubted"), _REASONS),
    "complete": bool,
    "failures": [{"source": str, "error": str}],
    "files": (int, _TEXTS),
    "findings": _FINDINGS,
    "made": {"titles": _TEXTS, "rows": [_TEXTS], "more": int},
    "megabytes": _NUMBER,
    "report": (str, None),
    "series": [{"source": str, "folder": str, "class": str, "files": int}],
    "verified": (bool, None),
}
"""What the pages show of results of all kinds, by name; what is not here is forgotten."""
_PATHS = {"source", "output", "report", "folder", "rows"}  # which the pages make harmless, and open
_LONGEST = 1000


def job_kept(document: Any) -> dict[str, Any] | None:
    """Return the attributes of a job as its file has them, without those that make no sense.

    Args:
        document: what the file holds as JSON.

    Returns:
        The attributes; None if it is no job.
    """
    if not isinstance(document, dict) or not fits(document, {name: _JOB[name] for name in _NEEDED}):
        return None
    kept = {name: value for name, value in document.items() if name in _JOB and fits(value, _JOB[name])}
    for name in {"fields", "result"} & kept.keys():
        shapes = _RESULT if name == "result" else dict.fromkeys(kept[name], str)
        kept[name] = {key: value for key, value in kept[name].items() if key in shapes and fits(value, shapes[key])}
    return {name: value if name == "fields" else _harmless(name, value) for name, value in kept.items()}


def _harmless(name: str, value: Any) -> Any:
    """Return a value whose texts are harmless lines, as those that a job was given."""
    if name in _PATHS:
        return value
    if isinstance(value, dict):
        return {key: _harmless(key, each) for key, each in value.items()}
    if isinstance(value, list):
        return [_harmless(name, each) for each in value]
    return printable(value, _LONGEST) if isinstance(value, str) else value
