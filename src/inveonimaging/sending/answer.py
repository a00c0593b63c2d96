"""What a STOW-RS response (PS3.18 10.5.3) says of each instance; it comes from a server, and is taken as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset

from inveonimaging.sending.result import Fate, Item, Verdict
from inveonimaging.sending.status import told

_OK, _NOT_ALL, _TOO_LARGE = 200, 202, 413
_JSON = ("application/dicom+json", "application/json")
_DICOM = ("application/dicom+json", "application/dicom+xml")
_UNCONFIRMED = "the server did not confirm it"


@dataclass(frozen=True)
class Answer:
    """By SOP Instance UID: what is stored, with a warning or with none; what failed, and why."""

    stored: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.stored or self.failed)


def read_answer(content: bytes, media_type: str) -> Answer | None:
    """Return what a response says of instances, which may be nothing; None if it is not one of DICOMweb."""
    kind = media_type.partition(";")[0].strip().lower()
    listed = _listed(content) if kind in _JSON else None
    return Answer() if listed is None and kind in _DICOM else listed


def _listed(content: bytes) -> Answer | None:
    try:
        with disable_value_validation():
            dataset = Dataset.from_json(content.decode())
            return _answer(dataset)
    except Exception:  # noqa: BLE001 - whatever a server sends
        return None


def _answer(dataset: Dataset) -> Answer | None:
    if "ReferencedSOPSequence" not in dataset and "FailedSOPSequence" not in dataset:
        return None
    stored, failed = {}, {}
    for each in dataset.get("ReferencedSOPSequence") or ():
        warning = each.get("WarningReason")
        note = "" if not warning else f"was accepted with a warning: {told('reason', int(warning))}"
        stored[str(each.ReferencedSOPInstanceUID)] = note
    for each in dataset.get("FailedSOPSequence") or ():
        reason = told("reason", int(each.get("FailureReason") or 0))
        failed[str(each.ReferencedSOPInstanceUID)] = f"the server refused it: {reason}"
    return Answer(stored, failed)


def verdicts(batch: Sequence[Item], status: int, answer: Answer | None) -> list[Verdict]:
    """Return what became of the items of a request.

    Args:
        batch: the items.
        status: of the response.
        answer: what it says of them. If that is nothing, 200 means that all are stored, and other codes that it is not
            known. Without an answer 200 means nothing: any web page has it.
    """
    return [_verdict(item, status, answer, is_alone=len(batch) == 1) for item in batch]


def _verdict(item: Item, status: int, answer: Answer | None, *, is_alone: bool) -> Verdict:
    found = answer or Answer()
    if item.uid in found.failed:
        return Verdict(item, Fate.FAILED, found.failed[item.uid])
    if item.uid in found.stored:
        return Verdict(item, Fate.ACCEPTED, found.stored[item.uid])
    if status == _OK and not found:
        return Verdict(item, Fate.FAILED, _UNCONFIRMED) if answer is None else Verdict(item, Fate.ACCEPTED)
    if not is_alone:
        return Verdict(item, Fate.UNDECIDED)
    if status in {_OK, _NOT_ALL}:
        return Verdict(item, Fate.FAILED, _UNCONFIRMED)
    hint = ": too large for it" if status == _TOO_LARGE else ""
    return Verdict(item, Fate.FAILED, f"the server refused it with HTTP status {status}{hint}")
