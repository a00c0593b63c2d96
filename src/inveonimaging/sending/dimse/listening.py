"""A port on which a server may connect back, to answer; nobody else is let in, and nobody stays for long."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence

from pydicom.uid import UID
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import A_ASSOCIATE, SCP_SCU_RoleSelectionNegotiation
from pynetdicom.presentation import PresentationContext, negotiate_as_acceptor

from inveonimaging.errors import OutputError
from inveonimaging.sending.deadline import Deadline, of_answer
from inveonimaging.sending.dimse.association import body_of, longest_of, proposed_or_accepted
from inveonimaging.sending.dimse.messages import Association, Serve
from inveonimaging.sending.dimse.wire import STRANGE, Kind, Wire
from inveonimaging.sending.result import LostError
from inveonimaging.sending.target import DicomTarget

_MOST_AT_ONCE = 64  # connections; more are closed
_LONGEST_PROPOSAL_S = 10.0
_TICK_S = 0.1
_UNKNOWN_CALLING, _UNKNOWN_CALLED = 3, 7  # PS3.8 9.3.4


@contextlib.contextmanager
def listening(
    target: DicomTarget,
    port: int,
    tls: ssl.SSLContext | None,
    timeout_s: float,
    contexts: Sequence[PresentationContext],
    serve: Serve,
) -> Iterator[None]:
    """Listen for a server; it must call this side by its name, and be the one that was asked.

    Args:
        target: the server and this side.
        port: where to listen.
        tls: what this side shows to who connects, or None.
        timeout_s: how long each unit of who connects may take.
        contexts: that are accepted.
        serve: what answers requests.

    Raises:
        OutputError: the port is taken, or may not be.
    """
    try:
        door = socket.create_server(("", port))
    except OSError as error:
        raise OutputError(f"cannot listen on port {port}: {error.strerror or error}", hint="name another") from error
    is_over = threading.Event()
    places = threading.BoundedSemaphore(_MOST_AT_ONCE)

    def receive(connection: socket.socket) -> None:
        with connection, contextlib.suppress(Exception):  # whatever a stranger sends
            connection.settimeout(min(timeout_s, _LONGEST_PROPOSAL_S))
            held = tls.wrap_socket(connection, server_side=True) if tls else connection
            with held:
                association = _accepted(Wire(held, timeout_s), target, timeout_s, contexts, serve)
                while not is_over.is_set():
                    association.answer(association.next(of_answer(timeout_s)))
        places.release()

    def wait() -> None:
        while not is_over.is_set():
            with contextlib.suppress(OSError):  # nobody in time, or gone again
                connection, _ = door.accept()
                if not places.acquire(blocking=False):
                    connection.close()
                    continue
                threading.Thread(target=receive, args=[connection], daemon=True).start()

    with door:
        door.settimeout(_TICK_S)
        waiting = threading.Thread(target=wait, daemon=True)
        waiting.start()
        try:
            yield
        finally:
            is_over.set()
            waiting.join()


def _accepted(
    wire: Wire, target: DicomTarget, timeout_s: float, contexts: Sequence[PresentationContext], serve: Serve
) -> Association:
    """Return the association that another side proposes; LostError if it is refused."""
    deadline = of_answer(min(timeout_s, _LONGEST_PROPOSAL_S))
    kind, body = wire.read(deadline)
    if kind is not Kind.REQUEST:
        raise LostError(STRANGE)
    request = proposed_or_accepted(A_ASSOCIATE_RQ(), kind, body)
    if request.called_ae_title.strip() != target.calling:
        _reject(wire, _UNKNOWN_CALLED, deadline)
    if request.calling_ae_title.strip() != target.called:
        _reject(wire, _UNKNOWN_CALLING, deadline)
    items = [each for each in request.user_information if isinstance(each, SCP_SCU_RoleSelectionNegotiation)]
    roles = {UID(each.sop_class_uid or ""): (each.scu_role, each.scp_role) for each in items}
    found, roles_taken = negotiate_as_acceptor(request.presentation_context_definition_list, list(contexts), roles)
    answer = A_ASSOCIATE()
    answer.called_ae_title, answer.calling_ae_title = request.called_ae_title, request.calling_ae_title
    answer.presentation_context_definition_results_list = found
    answer.result = 0
    wire.send(Kind.ACCEPT, body_of(A_ASSOCIATE_AC, answer, roles_taken), deadline)
    taken = [each for each in found if not each.result]
    accepted = {int(each.context_id or 0): (str(each.abstract_syntax), str(each.transfer_syntax[0])) for each in taken}
    return Association(wire, accepted, longest_of(request), timeout_s, serve)


def _reject(wire: Wire, reason: int, deadline: Deadline) -> None:
    """Say that an AE title is not known; LostError."""
    wire.send(Kind.REJECT, bytes([0, 1, 1, reason]), deadline)
    raise LostError("is refused")
