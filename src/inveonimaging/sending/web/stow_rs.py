"""STOW-RS: items -> a DICOMweb service, several in a request under a size limit.

A search for one study shows whether the service is there. Files are sent as they are, and only instances that the
answer names as stored are.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus

import requests

from inveonimaging.errors import TargetError
from inveonimaging.sending.deadline import of_data
from inveonimaging.sending.options import SendOptions
from inveonimaging.sending.result import Fate, Item, LostError, Verdict
from inveonimaging.sending.target import WebTarget
from inveonimaging.sending.web.credentials import PASSWORD, TOKEN, USER, Credentials
from inveonimaging.sending.web.http_session import Reply, reply_to, session_for
from inveonimaging.sending.web.multipart import Multipart, UnreadableError
from inveonimaging.sending.web.stow_answer import Answer, answer_of
from inveonimaging.storage.strict_json import json_of

_AT_ONCE = 500  # instances of a request: after a kill they are sent again
_LONGEST_WAIT_S = 60.0
_PASSING = {408, 425, 429, 502, 503, 504}
_NO_SEARCH = {400, 405, 406, 501}  # it is there, but has no QIDO-RS
_WHOLE = {400, 409, 413, 415, 422, 500}  # one instance may have spoiled the whole request
_OK, _NOT_ALL, _NOTHING, _TOO_LARGE = 200, 202, 204, 413
_STORED = {_OK, _NOT_ALL}


class Stower:
    """Sends items with STOW-RS.

    Args:
        target: the service.
        credentials: what it asks for.
        options: certificates, sizes and times.
        environment: variables by name, for proxies and certificates.
    """

    def __init__(
        self, target: WebTarget, credentials: Credentials, options: SendOptions, environment: Mapping[str, str]
    ) -> None:
        self._target, self._options = target, options
        self._session = session_for(target, credentials, options, environment)

    def batches(self, items: Sequence[Item]) -> Iterator[list[Item]]:
        """Yield what goes into one request: items under the size limit, or one that is larger."""
        batch: list[Item] = []
        size = 0
        for item in items:
            if batch and (size + item.size > self._options.chunk_size or len(batch) == _AT_ONCE):
                yield batch
                batch, size = [], 0
            batch.append(item)
            size += item.size
        if batch:
            yield batch

    def check(self) -> None:
        """Ask the service for one study (QIDO-RS), to know whether it is there and lets us in.

        Raises:
            TargetError: it does not want us, or is no DICOMweb service.
            LostError: it is not there, or not ready.
        """
        reply = self._reply("GET", "studies?limit=1", {"Accept": "application/dicom+json, application/json"})
        if reply.status in _NO_SEARCH:
            return
        if reply.status not in {_OK, _NOTHING}:
            self._refuse(reply.status)
            raise self._error(f"answered with {_named(reply.status)}", "is the path right?")
        try:
            if reply.content:
                json_of(reply.content)
        except (ValueError, RecursionError):
            raise self._error("does not answer as a DICOMweb service", "is the path right?") from None

    def send(self, batch: Sequence[Item]) -> list[Verdict]:
        """Send items in one request.

        Returns:
            a verdict for each; it is `UNDECIDED` where the request failed as a whole, and may succeed with one alone.

        Raises:
            LostError: the service was lost on the way; it is not known what it has.
            TargetError: the service does not want us.
        """
        size = sum(item.size for item in batch)
        body = Multipart(batch, uuid.uuid4().hex, of_data(self._options.timeout_s, size))
        headers = {"Content-Type": body.content_type, "Accept": "application/dicom+json"}
        try:
            reply = self._reply("POST", "studies", headers, body)
        except UnreadableError as error:
            failed = Verdict(error.item, Fate.FAILED, error.reason)
            return [failed if item == error.item else Verdict(item, Fate.UNDECIDED) for item in batch]
        if reply.status in _PASSING:
            raise LostError(f"answered with {_named(reply.status)}", wait_s=_wait_s(reply))
        if reply.status not in _STORED | _WHOLE:
            self._refuse(reply.status)
        fates = _fates_in(reply)
        unnamed = _fate_of_unnamed(reply.status, fates, is_alone=len(batch) == 1)
        return [Verdict(item, *fates.get(item.uid, unnamed)) for item in batch]

    def close(self) -> None:
        """End all connections."""
        self._session.close()

    def _reply(self, method: str, resource: str, headers: Mapping[str, str], body: Multipart | None = None) -> Reply:
        """Return the answer to a request; TargetError, LostError."""
        url = f"{self._target.url}/{resource}"
        try:
            return reply_to(self._session, method, url, self._options.timeout_s, headers, body)
        except requests.RequestException as error:
            raise self._failure(error) from None

    def _refuse(self, status: int) -> None:
        """Raise for a status that is about the service, not about an instance."""
        hints = {
            401: f"set {TOKEN}, or {USER} and {PASSWORD}, or a netrc file; what is set there is not accepted",
            403: "these credentials may not do that; ask its administrator",
            404: "is the path right? Often it ends in /dicom-web",
            405: "is the path right? It does not take STOW-RS there",
            407: "the proxy wants credentials",
            501: "it has no STOW-RS",
        }
        if status in _PASSING:
            raise LostError(f"answered with {_named(status)}", while_connecting=True)
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            raise self._error(f"redirects to another address ({_named(status)})", "give that address")
        if status in hints or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise self._error(f"answered with {_named(status)}", hints.get(status, "see its log"))

    def _error(self, message: str, hint: str) -> TargetError:
        return TargetError(message, path=self._target.url, hint=hint)

    def _failure(self, error: requests.RequestException) -> Exception:
        """Return what a failed request means; its own text is not shown."""
        if isinstance(error, requests.exceptions.SSLError):
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                wrong = "the server's certificate is not trusted, or is of another name"
                return self._error(wrong, "--tls-ca names the file of the authority that signed it")
            return self._error("does not answer in TLS, or wants a client certificate", "is it http://?")
        if isinstance(error, requests.exceptions.ProxyError):
            return self._error("cannot be reached through the proxy", "see HTTPS_PROXY and NO_PROXY")
        if isinstance(error, requests.Timeout):
            return LostError(f"gave no answer within {self._options.timeout_s:g} s", while_connecting=True)
        return LostError(_no_connection(error), while_connecting=True)


def _fates_in(reply: Reply) -> Answer:
    """Return what an answer says of instances; only with a status of success it says that they are stored."""
    fates = answer_of(reply.content, reply.media_type)
    return {uid: fate for uid, fate in fates.items() if reply.status in _STORED or fate[0] is Fate.FAILED}


def _fate_of_unnamed(status: int, fates: Answer, *, is_alone: bool) -> tuple[Fate, str]:
    """Return what became of an item that an answer does not name.

    An answer that names none means nothing, whatever its status: any web page has 200.
    """
    unconfirmed = Fate.FAILED, "the server did not confirm it"
    if status == _OK and not fates:
        return unconfirmed
    if not is_alone:
        return Fate.UNDECIDED, ""
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return unconfirmed
    hint = ": too large for it" if status == _TOO_LARGE else ""
    return Fate.FAILED, f"the server refused it with HTTP status {status}{hint}"


def _named(status: int) -> str:
    """Return a status with its name in the standard, not with what the server says."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"status {status}"


def _wait_s(reply: Reply) -> float:
    """Return how long a server asks to wait (RFC 9110 10.2.3), at most a minute; 0 if it does not say."""
    text = reply.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_WAIT_S) if text.isdecimal() and text.isascii() else 0.0


def _no_connection(error: BaseException) -> str:
    text = str(error)
    if "timed out" in text:
        return "took no data in time"
    if "NameResolution" in text or "Name or service" in text or "getaddrinfo" in text:
        return "no such host; is its name right?"
    if "refused" in text:
        return "nothing listens there; are host and port right, and does the server run?"
    return "broke off the connection; is the address right, and does the server run?"
