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
from inveonimaging.sending.association import VERIFICATION, Connector
from inveonimaging.sending.pynetdicom_link import Link, asking
from inveonimaging.sending.result import Fate, Item, LostError, Verdict
from inveonimaging.sending.status import told
from inveonimaging.sending.target import DicomTarget

_PUSH_MODEL = UID("1.2.840.10008.1.20.1")  # PS3.4 J.3.5
_INSTANCE = UID("1.2.840.10008.1.20.1.1")
_AT_ONCE = 1000  # instances of a request
_PUSH = 1  # Action Type ID: Request Storage Commitment
_TICK_S = 0.2


class _Answers:
    """What the server said, by transaction and SOP Instance UID; nothing for what it keeps, else why not."""

    def __init__(self) -> None:
        self._arrived = threading.Condition()
        self._said: dict[str, dict[str, str]] = {}

    def handle(self, event: evt.Event) -> tuple[int, None]:
        """Take an N-EVENT-REPORT."""
        said = _said(event.event_information)
        with self._arrived:
            transaction = str(event.event_information.get("TransactionUID", ""))
            self._said[transaction] = said
            self._arrived.notify_all()
        return 0x0000, None

    def wait(self, transaction: str, timeout_s: float, link: Link, *, is_listening: bool) -> dict[str, str]:
        """Return what the server said of a transaction.

        Raises:
            LostError: it says nothing in time, or cannot any more.
        """
        end_at = time.monotonic() + timeout_s
        with self._arrived:
            while transaction not in self._said and time.monotonic() < end_at:
                if not is_listening and not link.stands:
                    raise LostError("ended the association before it committed; does it answer to a --commit-port?")
                self._arrived.wait(_TICK_S)
            if transaction not in self._said:
                hint = "does it know where we listen?" if is_listening else "does it answer to a --commit-port?"
                raise LostError(f"did not commit within {timeout_s:g} s; {hint}")
            return self._said.pop(transaction)


class Committer:
    """Asks a server to commit to what it has.

    Args:
        target: the server.
        connector: makes the association of the request.
        timeout_s: how long to wait for the answer.
        port: where to listen for it, or None.
        tls: what this side shows to a server that connects, or None.
    """

    def __init__(
        self,
        target: DicomTarget,
        connector: Connector,
        timeout_s: float,
        port: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._target, self._connector, self._timeout_s = target, connector, timeout_s
        self._port, self._tls = port, tls

    def commit(self, items: Sequence[Item]) -> Iterator[Verdict]:
        """Yield what the server says of each item.

        Raises:
            TargetError: the server has no storage commitment, or does not want this side.
            LostError: the server is not there, or does not answer.
            OutputError: this side cannot listen.
        """
        answers = _Answers()
        with _listening(self._target, self._port, answers, self._tls):
            for first in range(0, len(items), _AT_ONCE):
                yield from self._ask(items[first : first + _AT_ONCE], answers)

    def _ask(self, items: Sequence[Item], answers: _Answers) -> list[Verdict]:
        link = self._connector.connect([build_context(_PUSH_MODEL)], [(evt.EVT_N_EVENT_REPORT, answers.handle)])
        try:
            if not link.stands:
                raise TargetError("has no storage commitment", path=str(self._target), hint="send without --commit")
            request = _request(items)
            with asking():
                status, _ = link.association.send_n_action(request, _PUSH, _PUSH_MODEL, _INSTANCE)
            if "Status" not in status:
                raise LostError("gave no answer to the request to commit; does it know this side's AE title?")
            if status.Status:
                reason = f"refused to commit: status {status.Status:04X}"
                raise TargetError(reason, path=str(self._target), hint="does it know this side's AE title?")
            transaction = str(request.TransactionUID)
            said = answers.wait(transaction, self._timeout_s, link, is_listening=self._port is not None)
        finally:
            link.end()
        return [_verdict(item, said) for item in items]


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


def _said(report: Dataset) -> dict[str, str]:
    """Return what a report (PS3.4 Table J.3-2) says of each instance."""
    said = {str(each.get("ReferencedSOPInstanceUID")): "" for each in report.get("ReferencedSOPSequence") or ()}
    for each in report.get("FailedSOPSequence") or ():
        code = int(each.get("FailureReason") or 0)
        why = f"the server does not commit to keep it: {told('reason', code)}"
        said[str(each.get("ReferencedSOPInstanceUID"))] = why
    return said


def _verdict(item: Item, said: dict[str, str]) -> Verdict:
    reason = said.get(item.uid, "the server did not say whether it commits to keep it")
    return Verdict(item, Fate.FAILED if reason else Fate.ACCEPTED, reason)


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
