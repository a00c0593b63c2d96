"""DICOMweb services that are broken or mean harm: what they say is bounded in bytes and time, escaped, and no proof."""

from __future__ import annotations

import gzip
import json
import random
import socket
import time
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from requests.adapters import HTTPAdapter

from helpers import LAST_RESORT_S, assert_harmless, assert_one_line_error, inveon
from inveonimaging import TargetError
from inveonimaging.sending import SendOptions, SendResult, deadline, send
from inveonimaging.sending.result import Fate
from inveonimaging.sending.target import WebTarget
from inveonimaging.sending.web.credentials import Credentials
from inveonimaging.sending.web.http_session import reply_to, session_for
from inveonimaging.sending.web.stow_answer import answer_of
from servers import (
    HASTY,
    NOBODY,
    PATIENT,
    QUICK,
    SECRET,
    SILENCES_S,
    Act,
    all_stored,
    answering,
    service,
    soonest,
    stage,
    stow_reply,
    uid,
    write_instance,
)

JSON = "application/dicom+json"
MIB = 2**20


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Return two instances."""
    folder = tmp_path / "dicom"
    folder.mkdir()
    return [write_instance(folder / f"{number}.dcm", number) for number in (1, 2)]


def head(*lines: str, status: int = 200) -> bytes:
    fields = [f"HTTP/1.1 {status} OK", f"Content-Type: {JSON}", *lines]
    return "\r\n".join([*fields, "", ""]).encode()


def endless(first: bytes, part: bytes) -> Act:
    """Return an answer that goes on as long as anybody listens."""

    def act(held: socket.socket) -> None:
        held.sendall(first)
        while True:
            held.sendall(part)

    return act


def dribble(content: bytes) -> Act:
    """Return an answer that comes a byte at a time, for longer than `LAST_RESORT_S`."""

    def act(held: socket.socket) -> None:
        for byte in content:
            held.sendall(bytes([byte]))
            time.sleep(0.1)

    return act


def silent(held: socket.socket) -> None:
    while held.recv(2**16):
        pass


BOMB = gzip.compress(bytes(300 * MIB), 9)
CHUNK = b"10000\r\n" + b" " * 2**16 + b"\r\n"
ENDLESS = {
    "chunks": endless(head("Transfer-Encoding: chunked"), CHUNK),
    "until it is closed": endless(head(), b" " * 2**16),
    "a length of 2 GiB": endless(head("Content-Length: 2147483648"), b" " * 2**16),
    "the size of a chunk": endless(head("Transfer-Encoding: chunked"), b"0" * 2**16),
    "what follows the chunks": endless(head("Transfer-Encoding: chunked") + b"0\r\n", b"a" * 2**16),
    "headers": endless(b"HTTP/1.1 200 OK\r\n", b"X-A: " + b"a" * 60_000 + b"\r\n"),
    "a header": endless(b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * 2**16),
    "a status line": endless(b"HTTP/1.1 200 ", b"a" * 2**16),
    "promises": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "gzip": lambda held: held.sendall(head("Content-Encoding: gzip", f"Content-Length: {len(BOMB)}") + BOMB),
    "chunks of gzip": lambda held: held.sendall(
        head("Content-Encoding: gzip", "Transfer-Encoding: chunked") + b"%x\r\n%b\r\n0\r\n\r\n" % (len(BOMB), BOMB)
    ),
    "gzip elsewhere": lambda held: held.sendall(
        head("Content-Encoding: gzip", f"Content-Length: {len(BOMB)}", "Location: /", status=302) + BOMB
    ),
}
DRIBBLES = {
    "a status line": dribble(b"HTTP/1.1 200 " + b"a" * 5000),
    "headers": dribble(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 500),
    "content": dribble(head("Content-Length: 10000") + b" " * 5000),
    "chunks": dribble(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 1000),
    "promises": dribble(b"HTTP/1.1 100 Continue\r\n\r\n" * 200),
    "nothing": silent,
}


def measured(act: Callable[[], Any]) -> tuple[Any, float]:
    """Return what something returns without having waited, and the most memory that it took, in MiB."""
    tracemalloc.start()
    start = time.monotonic()
    try:
        found = act()
        assert time.monotonic() - start < LAST_RESORT_S
        return found, tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()


def sent(files: list[Path], url: str, timeout_s: float = PATIENT.timeout_s) -> SendResult:
    return send(files, url, replace(PATIENT, timeout_s=timeout_s), environment=NOBODY)


def sent_soon(files: list[Path], url: str) -> SendResult:
    return soonest(lambda silence_s: sent(files, url, silence_s))[0]


def failed_search(files: list[Path], url: str, options: SendOptions) -> TargetError:
    with pytest.raises(TargetError) as caught:
        send(files, url, options, environment=NOBODY)
    return caught.value


@pytest.mark.parametrize("kind", ENDLESS)
def test_an_answer_without_an_end_takes_little_memory_and_little_time(files: list[Path], kind: str) -> None:
    """Whether a search or a request to store is answered so."""
    is_waited_for = kind == "promises"
    options = HASTY if is_waited_for else PATIENT
    with stage(answering(ENDLESS[kind])) as server:
        error, mib = measured(lambda: failed_search(files, server.url, options))
    assert "\n" not in str(error)
    with stage(answering(None, ENDLESS[kind])) as server:
        result, more_mib = measured(lambda: (sent_soon if is_waited_for else sent)(files, server.url))
    assert result.accepted == 0
    assert not result.is_complete
    assert max(mib, more_mib) < 50


@pytest.mark.parametrize("kind", DRIBBLES)
def test_an_answer_of_a_byte_now_and_then_is_not_waited_for_longer_than_silence(files: list[Path], kind: str) -> None:
    with stage(answering(DRIBBLES[kind])) as server:
        error, _ = measured(lambda: failed_search(files, server.url, HASTY))
    assert "gave no answer within 0.3 s" in str(error)
    with stage(answering(None, DRIBBLES[kind])) as server:
        result, _ = measured(lambda: sent_soon(files, server.url))
    assert result.stopped in {f"gave no answer within {silence_s:g} s" for silence_s in SILENCES_S}
    assert (result.accepted, len(result.unsent)) == (0, 2)


def test_a_service_that_takes_a_few_bytes_now_and_then_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large = write_instance(tmp_path / "large.dcm", 1, pixels=30 * MIB)
    monkeypatch.setattr(deadline, "_SLOWEST", 100 * MIB)

    def slowly(held: socket.socket) -> None:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**12)
        while held.recv(2**16):
            time.sleep(0.1)

    def act(held: socket.socket) -> None:
        if held.recv(4, socket.MSG_PEEK) == b"POST":
            slowly(held)
        else:
            request_line(held)

    def request_line(held: socket.socket) -> None:
        held.recv(2**16)
        held.sendall(head("Content-Length: 2", "Connection: close") + b"[]")
        held.close()

    with stage(act) as server:
        result, _ = measured(lambda: sent_soon([large], server.url))
    assert result.stopped in {"took no more than 102400 KiB a second", "took no data in time"}


def test_a_slow_answer_leaves_its_whole_time_to_the_next_request() -> None:
    """Over the same connection, whose reader had less and less."""
    with (
        service(all_stored) as server,
        session_for(WebTarget(server.url, "127.0.0.1"), Credentials(), QUICK, {}) as held,
    ):
        assert reply_to(held, "GET", server.url, QUICK.timeout_s, {}).status == 200
        adapter = held.get_adapter(server.url)
        assert isinstance(adapter, HTTPAdapter)
        (key,) = adapter.poolmanager.pools.keys()
        connection: Any = adapter.poolmanager.pools[key].pool.get_nowait()
        assert connection.sock.gettimeout() == QUICK.timeout_s
        connection.close()


def test_garbled_answers_are_no_tracebacks(files: list[Path], capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever a few bytes are changed to, it is a result or an error of one line."""
    document = stow_reply(200, [uid(1)])[2]
    chunk = b"%x\r\n%b\r\n0\r\n\r\n" % (len(document), document)
    plain = head(f"Content-Length: {len(document)}") + document
    kinds = [
        plain,
        head("Transfer-Encoding: chunked") + chunk,
        head("Content-Encoding: gzip") + gzip.compress(document),
    ]
    for seed in range(45):
        chance = random.Random(seed)  # noqa: S311 - no secret
        content = bytearray(kinds[seed % 3])
        for _ in range(4):
            content[chance.randrange(len(content))] = chance.randrange(256)

        def act(held: socket.socket, content: bytes = bytes(content)) -> None:
            held.sendall(content)
            held.shutdown(socket.SHUT_RDWR)

        with stage(answering(act if seed % 2 else None, act)) as server:
            try:
                shown = str(send(files[:1], server.url, HASTY, environment=NOBODY))
            except TargetError as error:
                shown = str(error)
        assert_harmless(shown)
        assert "\n" not in shown
    assert capfd.readouterr() == ("", "")


# What a search may answer.


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 200_000 + b"]" * 200_000,
        b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
        b"[" + b"9" * 6000 + b"]",
        b"[" + b"9" * 3_000_000 + b"]",
        b"[1,",
        b"\xff\xfe[\0]\0",
        b"[NaN]",
        b"\x1b[31m",
    ],
    ids=["lists", "objects", "digits", "very many digits", "half", "UTF-16", "no number", "colour"],
)
def test_a_search_that_cannot_be_read_is_one_line(files: list[Path], content: bytes) -> None:
    with service(all_stored) as server:
        server.search = (200, {"Content-Type": JSON}, content)
        done = inveon("send", *files, server.url)
        assert server.posted == []
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr)
    assert "does not answer as a DICOMweb service; is the path right?" in line


def test_a_warning_of_the_service_reaches_no_terminal_and_no_log(
    files: list[Path], capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Content-Type": JSON, "Warning": "299 x: \x1b[31mcrimson\x07", "Retry-After": "\x1b[31mcrimson"}
    with service((503, headers, b"")) as server:
        server.search = (200, headers, b"[]")
        done = inveon("send", *files, server.url, "--retries", 0)
        assert len(server.posted) == 3
    out, err = capfd.readouterr()
    for text in (out, err, done.output, caplog.text):
        assert_harmless(text)
        assert "crimson" not in text


def test_an_answer_in_gzip_that_was_not_asked_for_is_read(files: list[Path]) -> None:
    status, headers, content = stow_reply(200, [uid(1), uid(2)])
    packed = [("gzip", gzip.compress(content)), ("deflate", zlib.compress(content))]
    for encoding, body in packed:
        with service((status, {**headers, "Content-Encoding": encoding}, body)) as server:
            assert send(files, server.url, QUICK, environment=NOBODY).is_complete
        with service((status, {**headers, "Content-Encoding": encoding}, body[:-9])) as server:
            assert send(files, server.url, QUICK, environment=NOBODY).accepted == 0


# What counts as stored.

XML = """<?xml version="1.0" encoding="UTF-8"?>
<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM">
  <DicomAttribute tag="00081199" vr="SQ" keyword="ReferencedSOPSequence">
    <Item number="1"><DicomAttribute tag="00081155" vr="UI"><Value number="1">1.2.3</Value></DicomAttribute></Item>
  </DicomAttribute>
  <DicomAttribute tag="00081198" vr="SQ" keyword="FailedSOPSequence">
    <Item number="1">
      <DicomAttribute tag="00081155" vr="UI"><Value number="1">1.2.4</Value></DicomAttribute>
      <DicomAttribute tag="00081197" vr="US"><Value number="1">42752</Value></DicomAttribute>
    </Item>
  </DicomAttribute>
</NativeDicomModel>"""
STORED = {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.3"]}}]}


def fates(document: object, media_type: str = JSON) -> dict[str, Fate]:
    content = document if isinstance(document, str) else json.dumps(document)
    return {uid: fate for uid, (fate, _) in answer_of(content.encode(), media_type).items()}


def test_an_answer_in_xml_is_read() -> None:
    found = answer_of(XML.encode(), "application/dicom+xml")
    assert found["1.2.3"] == (Fate.ACCEPTED, "")
    assert found["1.2.4"] == (Fate.FAILED, "the server refused it: reason A700, refused: out of resources")  # 42752


def test_an_answer_in_a_list_and_with_padded_uids_is_read() -> None:
    padded = {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2.3\0"]}}]}
    assert fates([{"00081199": padded}]) == {"1.2.3": Fate.ACCEPTED}


@pytest.mark.parametrize(
    ("document", "kind"),
    [(json.dumps({"00081199": STORED}), JSON), (XML, "application/dicom+xml")],
    ids=["JSON", "XML"],
)
def test_an_answer_may_begin_with_the_mark_of_utf_8(document: str, kind: str) -> None:
    assert fates("\ufeff" + document, kind)["1.2.3"] is Fate.ACCEPTED


def test_what_is_listed_as_stored_and_as_failed_is_failed() -> None:
    assert fates({"00081199": STORED, "00081198": STORED}) == {"1.2.3": Fate.FAILED}


@pytest.mark.parametrize(
    "failures",
    [
        7,
        "x",
        None,
        [],
        {"vr": "SQ", "Value": 7},
        {"vr": "SQ", "Value": {"00081155": {"vr": "UI", "Value": ["1.2.3"]}}},
        {"vr": "SQ", "Value": [7]},
        {"vr": "SQ", "Value": [None]},
        {"vr": "SQ", "Value": [{}]},
        {"vr": "SQ", "Value": [{"00081155": {"vr": "UI"}}]},
        {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": [7]}}]},
        {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1", "2"]}}]},
        {"vr": "SQ", "Value": [{"00081155": "1.2.3"}]},
    ],
)
def test_failures_that_cannot_be_read_confirm_nothing(failures: object) -> None:
    """Which instance failed is not known; it may be any."""
    assert fates({"00081199": STORED}) == {"1.2.3": Fate.ACCEPTED}
    assert fates({"00081199": STORED, "00081198": failures}) == {}


@pytest.mark.parametrize(
    ("document", "media_type"),
    [
        ({"00081199": STORED}, "text/html"),
        ({"00081199": STORED}, ""),
        ({"ReferencedSOPSequence": STORED}, JSON),
        ({"00081199": {"vr": "SQ", "Value": ["1.2.3"]}}, JSON),
        ({"00081199": ["1.2.3"]}, JSON),
        ([[{"00081199": STORED}]], JSON),
        (json.dumps({"00081199": STORED, "a": 7, "b": {}}).replace('"a"', '"b"'), JSON),
        (json.dumps({"00081199": STORED, "a": 7}).replace("7", "[" * 10**5 + "]" * 10**5), JSON),
        (json.dumps({"00081199": STORED, "a": 7}).replace("7", "9" * 5000), JSON),
        (json.dumps({"00081199": STORED})[:-1], JSON),
        (XML.replace("NativeDicomModel", "html"), "application/dicom+xml"),
        (XML.replace("?>", '?><!DOCTYPE a [<!ENTITY b "1.2.3">]>'), "application/dicom+xml"),
        (XML[:-5], "application/dicom+xml"),
        ("<a>" * 10**5, "application/dicom+xml"),
        (json.dumps({"00081199": STORED}), "application/dicom+xml"),
    ],
)
def test_an_answer_in_another_form_confirms_nothing(document: object, media_type: str) -> None:
    assert fates(document, media_type) == {}


@pytest.mark.parametrize("reason", [{}, {"Value": ["x"]}, {"Value": [2**40]}, {"Value": [-1]}, {"Value": [None]}])
def test_a_failure_whose_reason_cannot_be_read_is_a_failure(reason: object) -> None:
    item = {"00081155": {"vr": "UI", "Value": ["1.2.3"]}, "00081197": reason}
    found = answer_of(json.dumps({"00081198": {"vr": "SQ", "Value": [item]}}).encode(), JSON)
    assert found == {"1.2.3": (Fate.FAILED, "the server refused it: without a reason that can be read")}


def test_failures_that_cannot_be_read_are_in_no_journal(files: list[Path], tmp_path: Path) -> None:
    status, headers, content = stow_reply(200, [uid(1), uid(2)])
    document = json.loads(content)
    document["00081198"] = {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": 3}}]}
    options = replace(QUICK, journal=tmp_path / "sent.jsonl")
    with service((status, headers, json.dumps(document).encode())) as server:
        result = send(files, server.url, options, environment=NOBODY)
        assert [failure.reason for failure in result.failures] == ["the server did not confirm it"] * 2
        assert len((tmp_path / "sent.jsonl").read_text().splitlines()) == 1  # the target
        server.answers = [all_stored]
        assert send(files, server.url, options, environment=NOBODY).accepted == 2


@pytest.mark.parametrize("status", [201, 204, 206, 301, 302, 404, 409, 500])
def test_only_a_status_of_success_confirms(files: list[Path], status: int) -> None:
    with service(lambda found: stow_reply(status, found)) as server:
        result = send(files, server.url, QUICK, environment=NOBODY)
    assert result.accepted == 0
    assert not result.is_complete
    if status < 300:
        assert [failure.reason for failure in result.failures] == ["the server did not confirm it"] * 2


def test_an_answer_on_another_instance_confirms_nothing(files: list[Path]) -> None:
    with service(stow_reply(200, [uid(3)])) as server:
        result = send(files, server.url, QUICK, environment=NOBODY)
    assert [failure.reason for failure in result.failures] == ["the server did not confirm it"] * 2


def test_half_an_answer_confirms_nothing(files: list[Path]) -> None:
    _, _, content = stow_reply(200, [uid(1), uid(2)])

    def half(held: socket.socket) -> None:
        held.sendall(head(f"Content-Length: {len(content) + 9}") + content)
        held.shutdown(socket.SHUT_RDWR)

    with stage(answering(None, half)) as server:
        result = send(files, server.url, PATIENT, environment=NOBODY)
    assert result.accepted == 0


# Credentials.


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("search", [True, False], ids=["search", "store"])
def test_credentials_and_files_go_to_no_other_host(
    files: list[Path], monkeypatch: pytest.MonkeyPatch, status: int, search: bool
) -> None:
    monkeypatch.setenv("INVEON_TOKEN", SECRET)
    with service(all_stored) as other:
        elsewhere = {"Location": f"{other.url}/studies", "Refresh": f"0; url={other.url}", "Link": f"<{other.url}>"}
        with service((status, elsewhere, b"")) as server:
            if search:
                server.search = (status, elsewhere, b"")
            done = inveon("send", *files, server.url)
            assert {each["Authorization"] for each in server.headers} == {f"Bearer {SECRET}"}
        assert other.headers == []
    assert done.exit_code == 1
    assert "redirects to another address" in done.stderr
    assert SECRET not in done.output


def test_an_answer_is_no_more_than_data(files: list[Path]) -> None:
    """Nothing of a result but what this side wrote."""

    def result(content: bytes) -> SendResult:
        with service((409, {"Content-Type": JSON}, content)) as server:
            return send(files[:1], server.url, QUICK, environment=NOBODY)

    item = {"00081155": {"vr": "UI", "Value": [uid(1)]}, "00081197": {"vr": "US", "Value": ["\x1b[31m"]}}
    hostile = result(json.dumps({"00081198": {"vr": "SQ", "Value": [item]}}).encode())
    assert_harmless(str(hostile.failures[0]))
