"""Storage commitment (PS3.4 J): the server says of each instance whether it will keep it.

The server answers on the association of the request, or on one of its own to a port on which this side listens.
"""

from __future__ import annotations

import contextlib
import io
import ssl
import threading
from collections.abc import Iterator, Sequence
from typing import Any

from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid
from pynetdicom.dsutils import decode, encode
from pynetdicom.presentation import build_context

from inveonimaging.errors import TargetError
from inveonimaging.sending.deadline import Deadline
from inveonimaging.sending.dimse.association import VERIFICATION, Server, connect
from inveonimaging.sending.dimse.listening import listening
from inveonimaging.sending.dimse.messages import Association, Elements, Field, Message, Tag, refuse
from inveonimaging.sending.result import Fate, Item, LostError, Verdict
from inveonimaging.sending.status import coded
from inveonimaging.sending.target import DicomTarget

_PUSH_MODEL = UID("1.2.840.10008.1.20.1")  # PS3.4 J.3.5
_INSTANCE = UID("1.2.840.10008.1.20.1.1")
_SYNTAXES: list[str | UID] = [ImplicitVRLittleEndian, ExplicitVRLittleEndian]  # nothing to inflate
_AT_ONCE = 1000  # instances of a request
_PUSH = 1  # Action Type ID: Request Storage Commitment
_UNDEFINED = 0xFFFFFFFF  # length
_TICK_S = 0.05
_DONE, _FAILED, _NO_SUCH_INSTANCE = 0x0000, 0x0110, 0x0112  # statuses: PS3.7 C


class _Answers:
    """What the server answered to the transaction that is open: why it does not keep an instance, empty if it does."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._open = ""
        self._reasons: dict[str, str] | None = None

    def begin(self, transaction: str) -> None:
        """Take answers to a transaction, and to no other."""
        with self._arrived:
            self._open, self._reasons = transaction, None

    def wait(self, seconds: float) -> dict[str, str] | None:
        """Return the answer by SOP Instance UID; None if there is none yet."""
        with self._arrived:
            if self._reasons is None:
                self._arrived.wait(seconds)
            return self._reasons

    def serve(self, message: Message) -> int:
        """Answer a request of the server's: an N-EVENT-REPORT (PS3.4 J.3.3), or a C-ECHO."""
        field = message.number(Tag.FIELD)
        if field == Field.C_ECHO:
            return _DONE
        if field != Field.N_EVENT_REPORT:
            return refuse(message)
        if (message.text(Tag.AFFECTED_CLASS), message.text(Tag.AFFECTED_INSTANCE)) != (_PUSH_MODEL, _INSTANCE):
            return _NO_SUCH_INSTANCE
        try:
            transaction, reasons = _read_report(message)
        except Exception:  # noqa: BLE001 - whatever a server sends
            return _FAILED
        with self._arrived:
            if transaction != self._open:
                return _FAILED
            self._reasons = reasons
            self._arrived.notify_all()
        return _DONE


def _read_report(message: Message) -> tuple[str, dict[str, str]]:
    """Return transaction and reasons of a report (PS3.4 Table J.3-2); any error, if it cannot be read."""
    report = decode(io.BytesIO(message.data), message.syntax == ImplicitVRLittleEndian, True)
    kept = _whole(report).get("ReferencedSOPSequence") or ()
    reasons = {str(_whole(each).ReferencedSOPInstanceUID): "" for each in kept}
    for each in report.get("FailedSOPSequence") or ():
        code = coded("reason", int(each.get("FailureReason") or 0))
        reasons[str(_whole(each).ReferencedSOPInstanceUID)] = f"the server refuses storage commitment for it: {code}"
    return str(report.TransactionUID), reasons


def _whole(dataset: Dataset) -> Dataset:
    """Return a data set none of whose values is cut off: half a UID may be the UID of another; ValueError."""
    for tag in dataset.keys():  # noqa: SIM118 - iterating would decode them
        raw: Any = dataset.get_item(tag)
        if isinstance(raw, RawDataElement) and raw.length not in {len(raw.value or b""), _UNDEFINED}:
            raise ValueError("it is cut off")
    return dataset


def commit(server: Server, port: int | None, tls: ssl.SSLContext | None, items: Sequence[Item]) -> Iterator[Verdict]:
    """Ask a server to commit to what it has, and yield what it says of each item.

    Args:
        server: to be asked.
        port: where this side listens for the answer, or None.
        tls: what this side shows to a server that connects, or None.
        items: that it has.

    Raises:
        TargetError: the server has no storage commitment, or does not want this side.
        LostError: the server is not there, or does not answer.
        OutputError: this side cannot listen.
    """
    answers = _Answers()
    with contextlib.ExitStack() as stack:
        if port is not None:
            contexts = [build_context(VERIFICATION, _SYNTAXES), build_context(_PUSH_MODEL, _SYNTAXES)]
            for each in contexts:
                each.scu_role = each.scp_role = True
            stack.enter_context(listening(server.target, port, tls, server.timeout_s, contexts, answers.serve))
        for first in range(0, len(items), _AT_ONCE):
            yield from _ask(server, items[first : first + _AT_ONCE], answers, is_listening=port is not None)


def _ask(server: Server, items: Sequence[Item], answers: _Answers, *, is_listening: bool) -> list[Verdict]:
    association = connect(server, [build_context(_PUSH_MODEL, _SYNTAXES)], answers.serve)
    try:
        _request(server.target, association, items, answers)
        reasons = _wait(association, answers, server.timeout_s, is_listening=is_listening)
    except BaseException:
        association.drop()
        raise
    association.end()
    unknown = "the server did not answer whether it commits to storage"
    found = [(item, reasons.get(item.uid, unknown)) for item in items]
    return [Verdict(item, Fate.FAILED if reason else Fate.ACCEPTED, reason) for item, reason in found]


def _request(target: DicomTarget, association: Association, items: Sequence[Item], answers: _Answers) -> None:
    """Ask for the commitment (PS3.4 Table J.3-1); TargetError, LostError."""
    context = association.context_of(_PUSH_MODEL)
    if context is None:
        raise TargetError("has no storage commitment", path=str(target), hint="send without --commit")
    request = Dataset()
    request.TransactionUID = generate_uid()
    request.ReferencedSOPSequence = []
    for item in items:
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = item.sop_class, item.uid
        request.ReferencedSOPSequence.append(reference)
    is_implicit = association.accepted[context][1] == ImplicitVRLittleEndian
    content = encode(request, is_implicit, True) or b""
    answers.begin(str(request.TransactionUID))
    what: Elements = {
        Tag.REQUESTED_CLASS: _PUSH_MODEL,
        Tag.REQUESTED_INSTANCE: _INSTANCE,
        Tag.ACTION_TYPE: _PUSH,
    }
    hint = "does it know the calling AE title?"
    try:
        answer = association.ask(context, Field.N_ACTION, what, io.BytesIO(content), len(content))
    except LostError as lost:
        raise LostError(f"{lost.reason}; {hint}") from lost
    if status := answer.number(Tag.STATUS):
        raise TargetError(f"refused to commit: status {status:04X}", path=str(target), hint=hint)


def _wait(association: Association, answers: _Answers, timeout_s: float, *, is_listening: bool) -> dict[str, str]:
    """Return what the server answers; LostError if it says nothing in time, or cannot any more."""
    hint = (
        "does it know this computer's address and --commit-port?"
        if is_listening
        else "does it answer to a --commit-port?"
    )
    deadline = Deadline(timeout_s, f"did not commit within {timeout_s:g} s; {hint}")
    is_over = False
    while (found := answers.wait(min(_TICK_S, deadline.left_s()))) is None:
        if is_over or association.wire.is_quiet:
            continue
        try:
            association.answer(association.next(deadline))
        except LostError as lost:
            deadline.left_s()
            is_over = True
            if not is_listening:
                raise LostError(f"ended the association before it committed; {hint}") from lost
    return found
