"""What is bounded in plain connections is so in encrypted ones, and before they are made."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from helpers import LAST_RESORT_S
from inveonimaging import TargetError
from inveonimaging.sending import SendOptions, send
from orthanc import Certificates, make_certificates
from servers import HASTY, NOBODY, PATIENT, SILENCES_S, Act, request_on, stage, write_instance

LATE = f"gave no answer within {SILENCES_S[0]:g} s"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/dicom+json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return certificates for a server and a client."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return an instance."""
    return write_instance(tmp_path / "1.dcm", 1)


def encrypted(certificates: Certificates, act: Act) -> Act:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server, certificates.server_key)

    def wrapped(held: socket.socket) -> None:
        with context.wrap_socket(held, server_side=True) as inside:
            act(inside)

    return wrapped


def dripping(first: bytes) -> Act:
    def act(held: socket.socket) -> None:
        held.recv(2**16)
        held.sendall(first)
        while True:
            held.sendall(b"0")
            time.sleep(0.03)

    return act


def flooding(held: socket.socket) -> None:
    request_on(held)
    held.sendall(HEAD)
    while True:
        held.sendall(b"10000\r\n" + b" " * 2**16 + b"\r\n")


def half_a_handshake(held: socket.socket) -> None:
    """Send a byte now and then of what may become a ServerHello."""
    held.recv(2**16)
    for byte in b"\x16\x03\x03\x40\x00\x02" + bytes(15_000):
        held.sendall(bytes([byte]))
        time.sleep(0.03)


def silent(held: socket.socket) -> None:
    while held.recv(2**16):
        pass


def failed(path: Path, target: str, options: SendOptions) -> str:
    """Return what is printed, without having waited."""
    start = time.monotonic()
    with pytest.raises(TargetError) as caught:
        send([path], target, options, environment=NOBODY)
    assert time.monotonic() - start < LAST_RESORT_S
    return str(caught.value)


@pytest.mark.parametrize(
    ("act", "expected"),
    [(dripping(HEAD), LATE), (flooding, "answered without an end")],
    ids=["drip", "flood"],
)
def test_an_encrypted_answer_is_bounded(path: Path, certificates: Certificates, act: Act, expected: str) -> None:
    options = replace(HASTY if expected == LATE else PATIENT, tls_ca=certificates.authority)
    with stage(encrypted(certificates, act)) as server:
        shown = failed(path, server.url.replace("http:", "https:"), options)
    assert expected in shown


@pytest.mark.parametrize(
    ("act", "expected"),
    [
        (dripping(b"\2\0\0\0\x40\0"), LATE),
        (dripping(b"\2\0\xff\xff\xff\xff"), "sends 4294967295 bytes at a time"),
    ],
    ids=["drip", "4 GB"],
)
def test_an_encrypted_association_is_bounded(path: Path, certificates: Certificates, act: Act, expected: str) -> None:
    options = replace(HASTY if expected == LATE else PATIENT, tls_ca=certificates.authority)
    with stage(encrypted(certificates, act)) as server:
        shown = failed(path, f"dicom://US@THEM:127.0.0.1:{server.port}", options)
    assert expected in shown


@pytest.mark.parametrize("act", [half_a_handshake, silent])
@pytest.mark.parametrize("form", ["dicom://US@THEM:127.0.0.1:{}", "https://127.0.0.1:{}/dicom-web"])
def test_a_handshake_that_does_not_end_is_left(path: Path, act: Callable[[socket.socket], None], form: str) -> None:
    with stage(act) as server:
        shown = failed(path, form.format(server.port), replace(HASTY, tls=True))
    assert LATE.removeprefix("gave ") in shown
