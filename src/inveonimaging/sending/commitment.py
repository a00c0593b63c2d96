"""Storage commitment (PS3.4 J): the server says of each instance whether it will keep it.

The server answers on the association of the request, or on one of its own to a port on which this side listens.
"""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Iterator, Sequence

from pydicom.dataset import Dataset
from pydicom.uid import UID, generate_uid
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context

from inveonimaging.errors import OutputError, TargetError
from inveonimaging.sending.association import VERIFICATION, Link, Server, asking, connect
from inveonimaging.sending.result import Fate, Item, LostError, Verdict
from inveonimaging.sending.status import coded
from inveonimaging.sending.target import DicomTarget

_PUSH_MODEL = UID("1.2.840.10008.1.20.1")  # PS3.4 J.3.5
_INSTANCE = UID("1.2.840.10008.1.20.1.1")
_AT_ONCE = 1000  # instances of a request
_PUSH = 1  # Action Type ID: Request Storage Commitment
_TICK_S = 0.2


class _Answers:
    """Why the server does not keep an instance, by transaction and SOP Instance UID; empty for what it keeps."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._reasons: dict[str, dict[str, str]] = {}

    def handle(self, event: evt.Event) -> tuple[int, None]:
        """Take an N-EVENT-REPORT (PS3.4 Table J.3-2)."""
        report = event.event_information
        reasons = {str(each.get("ReferencedSOPInstanceUID")): "" for each in report.get("ReferencedSOPSequence") or ()}
        for each in report.get("FailedSOPSequence") or ():
            code = coded("reason", int(each.get("FailureReason") or 0))
            reasons[str(each.get("ReferencedSOPInstanceUID"))] = f"the server does not commit to keep it: {code}"
        with self._arrived:
            self._reasons[str(report.get("TransactionUID", ""))] = reasons
            self._arrived.notify_all()
        return 0x0000, None

    def wait(self, transaction: str, timeout_s: float, link: Link, *, is_listening: bool) -> dict[str, str]:
        """Return what the server answered to a transaction.

        Raises:
            LostError: it says nothing in time, or cannot any more.
        """
        end_at = time.monotonic() + timeout_s
        with self._arrived:
            while transaction not in self._reasons and time.monotonic() < end_at:
                if not is_listening and not link.is_established:
                    raise LostError("ended the association before it committed; does it answer to a --commit-port?")
                self._arrived.wait(_TICK_S)
            if transaction not in self._reasons:
                hint = "does it know where we listen?" if is_listening else "does it answer to a --commit-port?"
                raise LostError(f"did not commit within {timeout_s:g} s; {hint}")
            return self._reasons.pop(transaction)


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
    with _listening(server.target, port, answers, tls):
        for first in range(0, len(items), _AT_ONCE):
            yield from _ask(server, items[first : first + _AT_ONCE], answers, is_listening=port is not None)


def _ask(server: Server, items: Sequence[Item], answers: _Answers, *, is_listening: bool) -> list[Verdict]:
    link = connect(server, [build_context(_PUSH_MODEL)], [(evt.EVT_N_EVENT_REPORT, answers.handle)])
    try:
        if not link.is_established:
            raise TargetError("has no storage commitment", path=str(server.target), hint="send without --commit")
        request = _request(items)
        with asking():
            status, _ = link.association.send_n_action(request, _PUSH, _PUSH_MODEL, _INSTANCE)
        if "Status" not in status:
            raise LostError("gave no answer to the request to commit; does it know this side's AE title?")
        if status.Status:
            reason = f"refused to commit: status {status.Status:04X}"
            raise TargetError(reason, path=str(server.target), hint="does it know this side's AE title?")
        reasons = answers.wait(str(request.TransactionUID), server.timeout_s, link, is_listening=is_listening)
    finally:
        link.end()
    unknown = "the server did not say whether it commits to keep it"
    found = [(item, reasons.get(item.uid, unknown)) for item in items]
    return [Verdict(item, Fate.FAILED if reason else Fate.ACCEPTED, reason) for item, reason in found]


def _request(items: Sequence[Item]) -> Dataset:
    """Return the information of the action (PS3.4 Table J.3-1)."""
    request = Dataset()
    request.TransactionUID = generate_uid()
    request.ReferencedSOPSequence = []
    for item in items:
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = item.sop_class, item.uid
        request.ReferencedSOPSequence.append(reference)
    return request


@contextlib.contextmanager
def _listening(target: DicomTarget, port: int | None, answers: _Answers, tls: ssl.SSLContext | None) -> Iterator[None]:
    """Listen for a server that connects back; it must call this side by its name, and be the one that was asked."""
    if port is None:
        yield
        return
    entity = AE(target.calling)
    entity.require_called_aet = True
    entity.require_calling_aet = [target.called]
    entity.add_supported_context(VERIFICATION)
    entity.add_supported_context(_PUSH_MODEL, scu_role=True, scp_role=True)
    try:
        server = entity.start_server(
            ("", port), block=False, ssl_context=tls, evt_handlers=[(evt.EVT_N_EVENT_REPORT, answers.handle)]
        )
    except OSError as error:
        raise OutputError(f"cannot listen on port {port}: {error.strerror or error}", hint="name another") from error
    try:
        yield
    finally:
        if server is not None:
            server.shutdown()
