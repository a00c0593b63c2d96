"""STOW-RS: items -> a DICOMweb service, several in a request under a size limit.

dicomweb-client asks the service whether it is there, over a session that has the credentials and certificates. The
files go over the same session, but not through its `store_instances`: that decodes each file and encodes it anew, holds
all of a request in memory several times, and hides which instances failed.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus

import requests
from dicomweb_client.web import DICOMwebClient
from pydicom.config import disable_value_validation
from pydicom.dataset import Dataset
from requests.utils import get_environ_proxies

from inveonimaging.errors import TargetError
from inveonimaging.sending.credentials import PASSWORD, TOKEN, USER, Credentials
from inveonimaging.sending.multipart import Multipart, UnreadableError
from inveonimaging.sending.options import SendOptions
from inveonimaging.sending.result import Fate, Item, LostError, Verdict
from inveonimaging.sending.status import coded
from inveonimaging.sending.target import WebTarget

_AT_ONCE = 500  # instances of a request: after a kill they are sent again
_LONGEST_ANSWER = 64 * 2**20
_LONGEST_WAIT_S = 60.0
_PASSING = {408, 425, 429, 502, 503, 504}
_NO_SEARCH = {400, 405, 406, 501}  # it is there, but has no QIDO-RS
_WHOLE = {400, 409, 413, 415, 422, 500}  # one instance may have spoiled the whole request
_OK, _NOT_ALL, _TOO_LARGE = 200, 202, 413
_JSON = ("application/dicom+json", "application/json")
_DICOM = ("application/dicom+json", "application/dicom+xml")

Answer = dict[str, tuple[Fate, str]]
"""What became of instances, by SOP Instance UID: accepted, with a warning or none, or failed, and why."""


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
        self._session = _session(target, credentials, options, environment)
        self._client = DICOMwebClient(target.url, session=self._session, timeout=options.timeout_s)
        self._client.host = target.url.split("/")[2]  # else it sends a Host without the port
        self._client.set_http_retry_params(retry=False)

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
        try:
            self._client.search_for_studies(limit=1)
        except requests.HTTPError as error:
            status = 0 if error.response is None else error.response.status_code
            if status not in _NO_SEARCH:
                self._refuse(status)
                raise self._error(f"answered with {_named(status)}", "is the path right?") from None
        except requests.exceptions.JSONDecodeError:
            raise self._error("does not answer as a DICOMweb service", "is the path right?") from None
        except requests.RequestException as error:
            raise self._failure(error) from None

    def send(self, batch: Sequence[Item]) -> list[Verdict]:
        """Send items in one request.

        Returns:
            a verdict for each; it is `UNDECIDED` where the request failed as a whole, and may succeed with one alone.

        Raises:
            LostError: the service was lost on the way; it is not known what it has.
            TargetError: the service does not want us.
        """
        try:
            status, answer = self._post(Multipart(batch, uuid.uuid4().hex))
        except UnreadableError as error:
            failed = Verdict(error.item, Fate.FAILED, error.reason)
            return [failed if item == error.item else Verdict(item, Fate.UNDECIDED) for item in batch]
        except requests.RequestException as error:
            raise self._failure(error) from None
        if not answer and status not in _WHOLE:
            self._refuse(status)
        unnamed = _fate_of_unnamed(status, answer, is_alone=len(batch) == 1)
        return [Verdict(item, *(answer or {}).get(item.uid, unnamed)) for item in batch]

    def close(self) -> None:
        """End all connections."""
        self._session.close()

    def _post(self, body: Multipart) -> tuple[int, Answer | None]:
        """Return the status of a request and what it says of the instances, if it does."""
        with self._session.post(
            f"{self._target.url}/studies",
            data=body,
            headers={"Content-Type": body.content_type, "Accept": "application/dicom+json"},
            timeout=self._options.timeout_s,
            allow_redirects=False,
            stream=True,
        ) as response:
            if response.status_code in _PASSING:
                raise LostError(f"answered with {_named(response.status_code)}", wait_s=_wait_s(response))
            content = bytearray()
            for part in response.iter_content(2**16):
                content += part
                if len(content) > _LONGEST_ANSWER:
                    raise LostError("answered without an end")
            return response.status_code, _read_answer(bytes(content), response.headers.get("Content-Type", ""))

    def _refuse(self, status: int) -> None:
        """Raise for a status that tells of the service, not of an instance."""
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
            raise self._error(f"sends us elsewhere ({_named(status)})", "give the final address")
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
            return self._error("does not answer in TLS, or wants a certificate of this side", "is it http://?")
        if isinstance(error, requests.TooManyRedirects):
            return self._error("sends us elsewhere", "give the final address")
        if isinstance(error, requests.exceptions.ProxyError):
            return self._error("cannot be reached through the proxy", "see HTTPS_PROXY and NO_PROXY")
        if isinstance(error, requests.Timeout):
            return LostError(f"gave no answer within {self._options.timeout_s:g} s", while_connecting=True)
        return LostError(_no_connection(error), while_connecting=True)


def _session(
    target: WebTarget, credentials: Credentials, options: SendOptions, environment: Mapping[str, str]
) -> requests.Session:
    """Return a session that takes nothing from the environment but proxies and certificates, and follows nowhere."""
    session = requests.Session()
    session.trust_env = False
    session.auth = credentials
    session.max_redirects = 0
    session.headers["User-Agent"] = "inveon"
    if not target.is_loopback:
        session.proxies.update(get_environ_proxies(target.url))
    trusted = options.tls_ca or environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE")
    session.verify = os.fspath(trusted) if trusted else True
    if options.tls_cert:
        certificate = os.fspath(options.tls_cert)
        session.cert = (certificate, os.fspath(options.tls_key)) if options.tls_key else certificate
    return session


def _read_answer(content: bytes, media_type: str) -> Answer | None:
    """Return what a response (PS3.18 10.5.3) says of instances, if anything; None if it is not one of DICOMweb."""
    kind = media_type.partition(";")[0].strip().lower()
    if kind in _JSON:
        try:
            with disable_value_validation():
                dataset = Dataset.from_json(content.decode())
                if "ReferencedSOPSequence" in dataset or "FailedSOPSequence" in dataset:
                    return dict(_fates(dataset))
        except Exception:  # noqa: BLE001, S110 - whatever a server sends
            pass
    return {} if kind in _DICOM else None


def _fates(dataset: Dataset) -> Iterator[tuple[str, tuple[Fate, str]]]:
    for each in dataset.get("ReferencedSOPSequence") or ():
        reason = each.get("WarningReason")
        warning = f"was accepted with a warning: {coded('reason', int(reason))}" if reason else ""
        yield str(each.ReferencedSOPInstanceUID), (Fate.ACCEPTED, warning)
    for each in dataset.get("FailedSOPSequence") or ():
        reason = coded("reason", int(each.get("FailureReason") or 0))
        yield str(each.ReferencedSOPInstanceUID), (Fate.FAILED, f"the server refused it: {reason}")


def _fate_of_unnamed(status: int, answer: Answer | None, *, is_alone: bool) -> tuple[Fate, str]:
    """Return what became of an item that an answer does not name.

    If the answer names none, 200 means that all are stored; without an answer it means nothing: any web page has it.
    """
    unconfirmed = Fate.FAILED, "the server did not confirm it"
    if status == _OK and not answer:
        return unconfirmed if answer is None else (Fate.ACCEPTED, "")
    if not is_alone:
        return Fate.UNDECIDED, ""
    if status in {_OK, _NOT_ALL}:
        return unconfirmed
    hint = ": too large for it" if status == _TOO_LARGE else ""
    return Fate.FAILED, f"the server refused it with HTTP status {status}{hint}"


def _named(status: int) -> str:
    """Return a status with its name in the standard, not with what the server says."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"status {status}"


def _wait_s(response: requests.Response) -> float:
    """Return how long a server asks to wait (RFC 9110 10.2.3), at most a minute; 0 if it does not say."""
    text = response.headers.get("Retry-After", "")
    return min(float(text), _LONGEST_WAIT_S) if text.isdecimal() and text.isascii() else 0.0


def _no_connection(error: BaseException) -> str:
    text = str(error)
    if "NameResolution" in text or "Name or service" in text or "getaddrinfo" in text:
        return "no such host; is its name right?"
    if "refused" in text:
        return "nothing listens there; are host and port right, and does the server run?"
    return "broke off the connection; is the address right, and does the server run?"
