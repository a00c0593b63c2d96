"""What a batch that de-identifies tells instead of names of folders and files, in its output and its ledger."""

from __future__ import annotations

import hmac
from dataclasses import replace
from hashlib import sha256

from inveonimaging.batches.study import Record, Study
from inveonimaging.conversion.options import Options
from inveonimaging.errors import OptionError

_DIGITS = 16


def refuse_without_key(options: Options) -> None:
    """Refuse to name the studies of a de-identification without a secret.

    Raises:
        OptionError: there is none.
    """
    if options.deidentify is not None and options.deidentify.key is None:
        hint = "give it in a file (--key-file) or in the variable INVEON_DEIDENTIFY_KEY"
        raise OptionError(
            "a batch that de-identifies needs a secret, which names the folders of the studies", hint=hint
        )


def folder_told(options: Options, place: str) -> str:
    """Return the name of a study's folder: its place, or what only who has the secret can make from it."""
    if options.deidentify is None or place == ".":
        return place
    return f"study-{_sealed(options, place)}"


def source_told(options: Options, study: Study) -> str:
    """Return what the ledger calls the source of a study."""
    return study.source if options.deidentify is None else f"sealed {_sealed(options, study.source)}"


def told(options: Options, record: Record) -> Record:
    """Return a record as it stands in the ledger."""
    if options.deidentify is None:
        return record
    source = source_told(options, Study(record.source, record.output))
    error = record.error and {"kind": record.error["kind"], "message": "shown on the terminal only"}
    made_from = source if record.made_from else ""
    return replace(record, source=source, made_from=made_from, error=error and {**error, "path": None, "line": None})


def _sealed(options: Options, text: str) -> str:
    key = (options.deidentify and options.deidentify.key) or b""
    message = f"inveonimaging batch\0{text}".encode("utf-8", "surrogateescape")
    return hmac.new(key, message, sha256).hexdigest()[:_DIGITS]
