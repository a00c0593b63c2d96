"""Associations with a DICOM server: made, or the reason why not.

pynetdicom negotiates: it writes and reads the units in which an association is proposed and accepted. The connection is
of this package: pynetdicom's own waits for ever for half a unit, holds in memory what a server says is to come, and
takes any answer for the one that was asked for.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydicom.uid import UID
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ
from pynetdicom.pdu_primitives import (
    A_ASSOCIATE,
    ImplementationClassUIDNotification,
    ImplementationVersionNameNotification,
    MaximumLengthNotification,
)
from pynetdicom.presentation import PresentationContext, build_context

from inveonimaging.errors import TargetError
from inveonimaging.sending.deadline import of_answer
from inveonimaging.sending.dimse.messages import Association, Field, Serve, Tag, refuse
from inveonimaging.sending.dimse.wire import LONGEST_PDU, OVER, STRANGE, Kind, Wire
from inveonimaging.sending.result import LostError
from inveonimaging.sending.target import DicomTarget
from inveonimaging.sending.tls import why

VERIFICATION = UID("1.2.840.10008.1.1")  # PS3.4 A.4
MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd numbers from 1 to 255
APPLICATION_CONTEXT = UID("1.2.840.10008.3.1.1.1")  # PS3.7 A.2.1
_TRANSIENT = 2  # PS3.8 9.3.4
_REJECTION = 4  # bytes


@dataclass(frozen=True)
class Server:
    """A DICOM server and how it is reached.

    Attributes:
        target: its address and the AE titles.
        tls: what encrypts, and the name that the server's certificate must have; None for no encryption.
        timeout_s: how long it may take to answer.
    """

    target: DicomTarget
    tls: tuple[ssl.SSLContext, str] | None
    timeout_s: float


def connect(server: Server, contexts: Sequence[PresentationContext], serve: Serve = refuse) -> Association:
    """Make an association; it may be one in which the server accepted none of the contexts.

    Args:
        server: to be reached.
        contexts: that are proposed, at most 128.
        serve: what answers the server's requests.

    Raises:
        TargetError: the server does not want it; there is no use in trying again.
        LostError: it is not there, or not ready.
    """
    wire = Wire(_connection(server), server.timeout_s)
    try:
        return _associated(wire, server, contexts, serve)
    except LostError as lost:
        wire.abort()
        reason = _no_answer(server) if lost.reason in {OVER, STRANGE} else lost.reason
        raise LostError(reason, while_connecting=True, is_lasting=lost.is_lasting) from lost
    except BaseException:
        wire.abort()
        raise


def _associated(wire: Wire, server: Server, contexts: Sequence[PresentationContext], serve: Serve) -> Association:
    for number, context in enumerate(contexts):
        context.context_id = 2 * number + 1
    deadline = of_answer(server.timeout_s)
    wire.send(Kind.REQUEST, _request(server.target, contexts), deadline)
    kind, body = wire.read(deadline)
    if kind is Kind.REJECT:
        raise _rejected(server.target, body)
    if kind is not Kind.ACCEPT:
        raise LostError(STRANGE)
    proposed = {each.context_id: (str(each.abstract_syntax), set(each.transfer_syntax)) for each in contexts}
    accepted: dict[int, tuple[str, str]] = {}
    try:
        answer = proposed_or_accepted(A_ASSOCIATE_AC(), Kind.ACCEPT, body)
        for each in answer.presentation_context_definition_results_list:
            abstract, syntaxes = proposed[each.context_id]
            if each.result == 0 and each.transfer_syntax[0] in syntaxes:
                accepted[int(each.context_id or 0)] = (abstract, str(each.transfer_syntax[0]))
        longest_pdu = longest_of(answer)
    except Exception as error:
        raise LostError(STRANGE) from error
    return Association(wire, accepted, longest_pdu, server.timeout_s, serve)


def _request(target: DicomTarget, contexts: Sequence[PresentationContext]) -> bytes:
    primitive = A_ASSOCIATE()
    primitive.calling_ae_title, primitive.called_ae_title = target.calling, target.called
    primitive.presentation_context_definition_list = list(contexts)
    return body_of(A_ASSOCIATE_RQ, primitive)


def body_of(unit: type[Any], primitive: A_ASSOCIATE, more: Sequence[Any] = ()) -> bytes:
    """Return what follows the length of a unit that proposes or accepts an association.

    Args:
        unit: its kind.
        primitive: its AE titles and presentation contexts.
        more: user information that is not in each of them.
    """
    length, uid, version = (
        MaximumLengthNotification(),
        ImplementationClassUIDNotification(),
        ImplementationVersionNameNotification(),
    )
    length.maximum_length_received = LONGEST_PDU
    uid.implementation_class_uid = UID(PYNETDICOM_IMPLEMENTATION_UID)
    version.implementation_version_name = PYNETDICOM_IMPLEMENTATION_VERSION
    primitive.application_context_name = APPLICATION_CONTEXT
    primitive.user_information = [length, uid, version, *more]
    return bytes(unit(primitive).encode()[6:])


def proposed_or_accepted(unit: Any, kind: Kind, body: bytes) -> A_ASSOCIATE:
    """Return what a unit proposes or accepts; any error, if it is damaged."""
    unit.decode(bytes([kind, 0]) + len(body).to_bytes(4, "big") + body)
    return unit.to_primitive()  # type: ignore[no-any-return]


def longest_of(primitive: A_ASSOCIATE) -> int:
    """Return how many bytes the other side takes at a time; 0 for any number."""
    lengths = [each for each in primitive.user_information if isinstance(each, MaximumLengthNotification)]
    return int(lengths[0].maximum_length_received) if lengths else 0


def echo(server: Server) -> None:
    """Ask the server whether it is there (C-ECHO); as `connect`."""
    association = connect(server, [build_context(VERIFICATION)])
    context = association.context_of(VERIFICATION)
    if context is None:
        association.end()  # it is there, but answers no C-ECHO
        return
    try:
        answer = association.ask(context, Field.C_ECHO, {Tag.AFFECTED_CLASS: VERIFICATION})
    except LostError as lost:
        association.drop()
        raise LostError(f"{lost.reason} (C-ECHO)", while_connecting=True) from lost
    except BaseException:
        association.drop()
        raise
    association.end()
    if status := answer.number(Tag.STATUS):
        raise TargetError(f"answered C-ECHO with status {status:04X}", path=str(server.target))


# Why not.


def _connection(server: Server) -> socket.socket:
    """Return a connection, encrypted if it is to be; LostError."""
    is_encrypted = server.tls is not None
    name = server.tls[1] if server.tls else ""
    try:
        plain = socket.create_connection((server.target.host, server.target.port), server.timeout_s)
        if server.tls is None:
            return plain
        with contextlib.ExitStack() as stack:
            stack.callback(plain.close)
            encrypted = server.tls[0].wrap_socket(plain, server_hostname=name)
            stack.pop_all()
            return encrypted
    except ssl.SSLError as error:
        raise LostError(why(error, name), while_connecting=True) from error
    except OSError as error:
        reason = _no_connection(error, server.timeout_s, is_encrypted=is_encrypted)
        raise LostError(reason, while_connecting=True) from error


def _no_answer(server: Server) -> str:
    missing = "a client certificate (--tls-cert, --tls-key)" if server.tls else "TLS (--tls)"
    return f"ended the connection without an answer; is it a DICOM port, and does it want {missing}?"


def _rejected(target: DicomTarget, body: bytes) -> Exception:
    """Return what a rejection means (PS3.8 9.3.4)."""
    if len(body) != _REJECTION:
        return LostError(STRANGE)
    _, result, source, diagnostic = body
    reasons = {
        (1, 3): f"does not know the calling AE title {target.calling}; let its administrator enter it, or give another",
        (1, 7): f"is not called {target.called}; give the AE title by which it is configured",
        (3, 1): "is too busy now",
        (3, 2): "has too many connections now",
    }
    unknown = f"rejected the association (source {source}, reason {diagnostic}); ask its administrator"
    reason = reasons.get((source, diagnostic), unknown)
    return LostError(reason) if result == _TRANSIENT else TargetError(reason, path=str(target))


def _no_connection(error: OSError, timeout_s: float, *, is_encrypted: bool) -> str:
    """Return why a server cannot be reached, and what to do."""
    if isinstance(error, socket.gaierror):
        return "no such host; is its name right?"
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there; are host and port right, and does the server run?"
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout_s:g} s; are host and port right, and does a firewall let it through?"
    if isinstance(error, ConnectionResetError):
        return f"ended the connection at once; {'does it speak TLS?' if is_encrypted else 'does it want TLS (--tls)?'}"
    return f"cannot be reached: {error.strerror or error}"
