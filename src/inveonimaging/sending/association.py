"""Associations with a DICOM server: made, or the reason why not.

pynetdicom tells failures in logs only, so a connection that fails is tried once more by hand, to learn why.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence

from pydicom.uid import UID
from pynetdicom.presentation import PresentationContext, build_context

from inveonimaging.errors import TargetError
from inveonimaging.sending.pynetdicom_link import Handlers, Link, asking
from inveonimaging.sending.result import LostError
from inveonimaging.sending.target import DicomTarget
from inveonimaging.sending.tls import why

VERIFICATION = UID("1.2.840.10008.1.1")  # PS3.4 A.4
MOST_CONTEXTS = 128  # PS3.8 9.3.2.2: odd numbers from 1 to 255
_TRANSIENT = 2  # PS3.8 9.3.4


class Connector:
    """Makes associations with a server.

    Args:
        target: the server.
        tls: what encrypts, or None, and the name that the server's certificate must have.
        timeout_s: how long the server may be silent.
    """

    def __init__(self, target: DicomTarget, tls: tuple[ssl.SSLContext, str] | None, timeout_s: float) -> None:
        self._target, self._tls, self._timeout_s = target, tls, timeout_s

    @property
    def calling(self) -> str:
        """The AE title of this side."""
        return self._target.calling

    def connect(self, contexts: Sequence[PresentationContext], handlers: Handlers = ()) -> Link:
        """Make an association; it may be one in which the server accepted none of the contexts, and which is over.

        Raises:
            TargetError: the server does not want it; there is no use in trying again.
            LostError: it is not there, or not ready.
        """
        try:
            link = Link(self._target, self._tls, self._timeout_s, contexts, handlers)
        except OSError as error:
            raise LostError(self._why_not() or str(error), while_connecting=True) from error
        if not link.stands:
            self._refuse(link)
        return link

    def echo(self) -> None:
        """Ask the server whether it is there (C-ECHO); as `connect`."""
        link = self.connect([build_context(VERIFICATION)])
        if not link.stands:
            return  # it is there, but answers no C-ECHO
        try:
            with asking():
                status = link.association.send_c_echo()
            if "Status" not in status:
                raise LostError("did not answer C-ECHO", while_connecting=True)
            if status.Status:
                raise TargetError(f"answered C-ECHO with status {status.Status:04X}", path=str(self._target))
        finally:
            link.end()

    def _refuse(self, link: Link) -> None:
        """Raise for an association that was not made, but for one in which only the contexts were refused."""
        link.end()
        answer = link.association.acceptor.primitive
        if link.association.is_rejected and answer is not None:
            reason = self._rejection(int(answer.result_source or 0), int(answer.diagnostic or 0))
            if answer.result == _TRANSIENT:
                raise LostError(reason, while_connecting=True)
            raise TargetError(reason, path=str(self._target))
        if answer is None or answer.result != 0:
            raise LostError(self._why_not() or self._silent(), while_connecting=True)

    def _silent(self) -> str:
        encrypted = "a certificate of this side (--tls-cert, --tls-key)" if self._tls else "TLS (--tls)"
        return f"ended the connection without an answer; is it a DICOM port, and does it want {encrypted}?"

    def _rejection(self, source: int, diagnostic: int) -> str:
        """Return what a rejection means (PS3.8 9.3.4)."""
        calling, called = self._target.calling, self._target.called
        reasons = {
            (1, 3): f"does not know the calling AE title {calling}; let its administrator enter it, or give another",
            (1, 7): f"is not called {called}; give the AE title by which it is configured",
            (3, 1): "is too busy now",
            (3, 2): "has too many connections now",
        }
        told = f"rejected the association (source {source}, reason {diagnostic}); ask its administrator"
        return reasons.get((source, diagnostic), told)

    def _why_not(self) -> str:
        """Return why no connection comes about, or nothing if one does."""
        address = (self._target.host, self._target.port)
        try:
            with socket.create_connection(address, self._timeout_s) as plain:
                if self._tls:
                    self._tls[0].wrap_socket(plain, server_hostname=self._tls[1]).close()
        except ssl.SSLError as error:
            return why(error, self._tls[1] if self._tls else "")
        except OSError as error:
            return _no_connection(error, self._timeout_s, is_encrypted=self._tls is not None)
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
