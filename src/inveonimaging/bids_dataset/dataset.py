"""Files of a data set as a whole: its description, README, `.bidsignore`, and what columns mean."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from inveonimaging.bids_dataset.tables import text_of
from inveonimaging.errors import OutputError
from inveonimaging.version import __version__

DESCRIPTION, IGNORED = "dataset_description.json", ".bidsignore"
BIDS_VERSION = "1.10.1"
CT_IGNORED = "**/ct"
_README = "README.md"
_READMES = ("README", "README.md", "README.rst", "README.txt")

PARTICIPANTS: Mapping[str, Mapping[str, Any]] = {
    "animal_id": {"Description": "ID of the animal as it was typed, of which participant_id has letters and digits"},
    "species": {"Description": "Species, binomial"},
    "strain": {"Description": "Strain"},
    "strain_rrid": {"Description": "Research Resource Identifier of the strain"},
    "sex": {"Description": "Sex", "Levels": {"M": "male", "F": "female", "O": "other"}},
    "age": {"Description": "Age at the first session", "Units": "year"},
}
SESSIONS: Mapping[str, Mapping[str, Any]] = {
    "acq_time": {"Description": "Start of the first scan of the session, local time"},
    "age": {"Description": "Age at the session", "Units": "year"},
    "body_weight": {"Description": "Body weight at the session", "Units": "kg"},
}
_TEXT = """\
# {name}

PET of small animals from a Siemens Inveon, converted by inveonimaging {version} from the scanner's files.

Voxels are in the unit of each sidecar, in true millimetres, and not resampled. TimeZero is the start of each scan.
BIDS has no form for CT: it is in folders `ct`, which `.bidsignore` keeps from the validator. What else BIDS has no form
for, such as gated PET and SPECT, is in `sourcedata`.
"""


def json_bytes(document: Mapping[str, Any]) -> bytes:
    """Return a JSON file, as people read it."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode(
        "utf-8", "backslashreplace"
    )


def root_files(output: Path, name: str, sources: Sequence[str], *, has_ct: bool) -> dict[str, bytes]:
    """Return the files of a data set that are missing, by their names; those that are there stay as they are.

    Only `.bidsignore` is added to.

    Args:
        output: the data set.
        name: of a new one.
        sources: DOIs or URLs of what it was made from.
        has_ct: whether a CT is in it.

    Raises:
        OutputError: it is a data set of derivatives, or its description is none.
    """
    files: dict[str, bytes] = {}
    if not _is_described(output):
        files[DESCRIPTION] = json_bytes(_description(name, sources))
    if not any((output / each).exists() for each in _READMES):
        files[_README] = _TEXT.format(name=name, version=__version__).encode()
    for title, meanings in (("participants.json", PARTICIPANTS), ("sessions.json", SESSIONS)):
        if not (output / title).exists():
            files[title] = json_bytes(meanings)
    ignored = text_of(output / IGNORED) if (output / IGNORED).exists() else ""
    if has_ct and CT_IGNORED not in ignored.split("\n"):
        before = f"{ignored}\n" if ignored and not ignored.endswith("\n") else ignored
        files[IGNORED] = f"{before}{CT_IGNORED}\n".encode()
    return files


def _description(name: str, sources: Sequence[str]) -> dict[str, Any]:
    found = {
        "Name": name,
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "inveonimaging", "Version": __version__}],
    }
    return found | ({"SourceDatasets": [_source(each) for each in sources]} if sources else {})


def _source(text: str) -> dict[str, str]:
    is_doi = text.lower().startswith(("doi:", "10."))
    return {"DOI": text if text.lower().startswith("doi:") else f"doi:{text}"} if is_doi else {"URL": text}


def _is_described(output: Path) -> bool:
    """Return whether a folder is a data set already.

    Raises:
        OutputError: what describes it cannot be read, or says that it holds no raw data.
    """
    path = output / DESCRIPTION
    if not path.exists():
        return False
    try:
        document = json.loads(text_of(path))
    except (ValueError, RecursionError) as error:
        raise OutputError("is not JSON", path=path, hint="nothing is added to such a data set") from error
    kind = document.get("DatasetType", "raw") if isinstance(document, dict) else None
    if kind != "raw":
        raise OutputError("is not of raw data", path=path, expected='"DatasetType": "raw"', hint="name another OUTPUT")
    return True
