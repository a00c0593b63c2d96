"""Associations with a DICOM server: made, or the reason why not.

pynetdicom reports failures in logs only, so a connection that fails is tried once more by hand, to learn why.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

from pydicom.uid import UID
from pynetdicom.presentation import PresentationContext, build_context

from inveonimaging.errors import TargetError
from inveonimaging.sending.pynetdicom_link import Handlers, Link, Server, asking
from inveonimaging.sending.result import LostError
from inveonimaging.sending.target import DicomTarget
from inveonimaging.sending.tls import why

VERIFICATION = UID("1.2.840.10008.1.1")  # PS3.4 A.4
MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd numbers from 1 to 255
_TRANSIENT = 2  # PS3.8 9.3.4


def connect(server: Server, contexts: Sequence[PresentationContext], handlers: Handlers = ()) -> Link:
    """Make an association; it may be one in which the server accepted none of the contexts, and which is over.

    Raises:
        TargetError: the server does not want it; there is no use in trying again.
        LostError: it is not there, or not ready.
    """
    try:
        link = Link(server, contexts, handlers)
    except OSError as error:
        raise LostError(_why_not(server) or str(error), while_connecting=True) from error
    if link.is_established:
        return link
    link.end()
    answer = link.association.acceptor.primitive
    if link.association.is_rejected and answer is not None:
        reason = _rejection(server.target, int(answer.result_source or 0), int(answer.diagnostic or 0))
        if answer.result == _TRANSIENT:
            raise LostError(reason, while_connecting=True)
        raise TargetError(reason, path=str(server.target))
    if answer is None or answer.result != 0:
        missing = "a certificate of this side (--tls-cert, --tls-key)" if server.tls else "TLS (--tls)"
        silent = f"ended the connection without an answer; is it a DICOM port, and does it want {missing}?"
        raise LostError(_why_not(server) or silent, while_connecting=True)
    return link


def echo(server: Server) -> None:
    """Ask the server whether it is there (C-ECHO); as `connect`."""
    link = connect(server, [build_context(VERIFICATION)])
    if not link.is_established:
        return  # it is there, but answers no C-ECHO
    try:
        with asking():
            status = link.association.send_c_echo()
        if "Status" not in status:
            raise LostError("did not answer C-ECHO", while_connecting=True)
        if status.Status:
            raise TargetError(f"answered C-ECHO with status {status.Status:04X}", path=str(server.target))
    finally:
        link.end()


def _rejection(target: DicomTarget, source: int, diagnostic: int) -> str:
    """Return what a rejection means (PS3.8 9.3.4)."""
    reasons = {
        (1, 3): f"does not know the calling AE title {target.calling}; let its administrator enter it, or give another",
        (1, 7): f"is not called {target.called}; give the AE title by which it is configured",
        (3, 1): "is too busy now",
        (3, 2): "has too many connections now",
    }
    unknown = f"rejected the association (source {source}, reason {diagnostic}); ask its administrator"
    return reasons.get((source, diagnostic), unknown)


def _why_not(server: Server) -> str:
    """Return why no connection comes about, or nothing if one does."""
    name = server.tls[1] if server.tls else ""
    try:
        with socket.create_connection((server.target.host, server.target.port), server.timeout_s) as plain:
            if server.tls:
                server.tls[0].wrap_socket(plain, server_hostname=name).close()
    except ssl.SSLError as error:
        return why(error, name)
    except OSError as error:
        return _no_connection(error, server.timeout_s, is_encrypted=server.tls is not None)
    return ""


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
