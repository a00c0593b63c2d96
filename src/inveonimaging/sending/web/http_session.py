"""Requests to a web server whose answers have an end: in bytes, in time, and once inflated.

requests waits for ever for a server that sends a byte now and then, and holds an answer of any size in memory. Here
what is read of a connection is measured, from the status line to the last chunk.
"""

from __future__ import annotations

import http.client
import io
import os
import socket
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.exceptions import HTTPError, ReadTimeoutError

from inveonimaging.sending.deadline import of_answer
from inveonimaging.sending.options import SendOptions
from inveonimaging.sending.result import LostError
from inveonimaging.sending.target import WebTarget
from inveonimaging.sending.web.credentials import Credentials

LONGEST_ANSWER = 8 * 2**20  # bytes; one on 500 instances has less than 1 MiB
_ENDLESS = "answered without an end"
_STEP = 2**16
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32


@dataclass(frozen=True)
class Reply:
    """What a server answered.

    Attributes:
        status: of HTTP.
        headers: by name, which is looked up in any case.
        content: what came, inflated if it was deflated.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def media_type(self) -> str:
        """The content type that the answer states, in lower case and without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def session_for(
    target: WebTarget, credentials: Credentials, options: SendOptions, environment: Mapping[str, str]
) -> requests.Session:
    """Return a session that takes nothing from the environment but proxies and certificates, and follows nowhere."""
    session = _Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter(options.timeout_s))
    session.trust_env = False
    session.auth = credentials
    session.headers.update({"User-Agent": "inveon", "Accept-Encoding": "identity"})
    if not target.is_loopback:
        session.proxies.update(get_environ_proxies(target.url))
    trusted = options.tls_ca or environment.get("REQUESTS_CA_BUNDLE") or environment.get("CURL_CA_BUNDLE")
    session.verify = os.fspath(trusted) if trusted else True
    if options.tls_cert:
        certificate = os.fspath(options.tls_cert)
        session.cert = (certificate, os.fspath(options.tls_key)) if options.tls_key else certificate
    return session


def reply_to(
    session: requests.Session,
    method: str,
    url: str,
    timeout_s: float,
    headers: Mapping[str, str],
    body: Iterable[bytes] | None = None,
) -> Reply:
    """Send a request and return the whole answer.

    Raises:
        LostError: the answer has no end, or does not come in time.
        requests.RequestException: there is none.
    """
    with session.request(
        method, url, data=body, headers=headers, timeout=timeout_s, allow_redirects=False, stream=True
    ) as response:
        content = bytearray()
        try:
            for part in response.raw.stream(_STEP, decode_content=False):
                content += part
                if len(content) > LONGEST_ANSWER:
                    raise LostError(_ENDLESS)
        except ReadTimeoutError as error:
            raise requests.Timeout(error) from error
        except HTTPError as error:
            raise requests.ConnectionError(error) from error
        return Reply(response.status_code, response.headers, _inflated(bytes(content), response.headers))


def _inflated(content: bytes, headers: Mapping[str, str]) -> bytes:
    """Return content as it was before gzip or deflate, if the headers say so; else, or if it is damaged, as it is.

    Raises:
        LostError: it becomes too much.
    """
    if headers.get("Content-Encoding", "").strip().lower() not in {"gzip", "x-gzip", "deflate"}:
        return content
    inflater = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        plain = inflater.decompress(content, LONGEST_ANSWER + 1)
    except zlib.error:
        return content
    if len(plain) > LONGEST_ANSWER:
        raise LostError(_ENDLESS)
    return plain if inflater.eof else content


# Answers that are measured while they come.


class _Session(requests.Session):
    """The session of requests, without redirects: it reads all of their content before it does not follow them."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:  # noqa: ARG002 - the base has it
        """Return none."""
        return None


class _Adapter(HTTPAdapter):
    """The adapter of requests, with answers that are measured."""

    def __init__(self, timeout_s: float) -> None:
        self._pools = {
            "http": _pool_of(HTTPConnectionPool, timeout_s),
            "https": _pool_of(HTTPSConnectionPool, timeout_s),
        }
        super().__init__()

    def init_poolmanager(self, *args: Any, **more: Any) -> None:
        """Make the pools of connections."""
        super().init_poolmanager(*args, **more)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **more: Any) -> PoolManager:
        """Return the pools of a proxy."""
        manager: PoolManager = super().proxy_manager_for(*args, **more)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pool_of(kind: type[HTTPConnectionPool], timeout_s: float) -> type[HTTPConnectionPool]:
    """Return a kind of pool whose connections measure answers."""

    class Measured(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *args: Any, **more: Any) -> None:
            super().__init__(sock, *args, **more)  # once the request is sent
            self.fp = io.BufferedReader(_Meter(sock, self.fp.detach(), timeout_s))

    connection = type("Connection", (kind.ConnectionCls,), {"response_class": Measured})
    return type("Pool", (kind,), {"ConnectionCls": connection})


class _Meter(io.RawIOBase):
    """What comes on a socket, up to a number of bytes and a moment."""

    def __init__(self, sock: socket.socket, raw: io.RawIOBase, timeout_s: float) -> None:
        self._socket, self._raw, self._timeout_s = sock, raw, timeout_s
        self._deadline = of_answer(timeout_s, is_final=True)
        self._left = 2 * LONGEST_ANSWER  # with headers, and what surrounds chunks

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what is there; LostError if it is too much or too late."""
        self._socket.settimeout(self._deadline.left_s())
        count = self._raw.readinto(buffer)
        self._socket.settimeout(self._timeout_s)  # of the next request
        self._left -= count or 0
        if self._left < 0:
            raise LostError(_ENDLESS)
        return count

    def close(self) -> None:
        """Close what is read."""
        self._raw.close()
        super().close()
