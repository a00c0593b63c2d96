"""STOW-RS: what a DICOMweb service may answer, and that it learns no more than it should."""

from __future__ import annotations

import contextlib
import logging
import ssl
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from helpers import assert_harmless, assert_one_line_error, inveon
from inveonimaging import TargetError
from inveonimaging.sending import send
from inveonimaging.sending.job import try_target
from orthanc import Certificates, make_certificates
from servers import (
    NOBODY,
    QUICK,
    SECRET,
    SILENCES_S,
    Answer,
    all_stored,
    basic,
    service,
    stow_reply,
    uid,
    write_instance,
)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Return five instances."""
    folder = tmp_path / "dicom"
    folder.mkdir()
    return [write_instance(folder / f"{number}.dcm", number) for number in range(1, 6)]


def test_instances_are_sent_in_requests_under_the_limit(files: list[Path], tmp_path: Path) -> None:
    big = write_instance(tmp_path / "dicom" / "0.dcm", 5_000, pixels=100_000)
    one = files[0].stat().st_size
    with service(all_stored) as server:
        server.answers = [lambda _: stow_reply(200, [uid(5_000)]), all_stored]
        result = send([tmp_path / "dicom"], server.url, replace(QUICK, chunk_size=2 * one), environment=NOBODY)
        assert result.is_complete, result
        assert server.posted == [[], [uid(1), uid(2)], [uid(3), uid(4)], [uid(5)]]  # the large one alone
        assert big.stat().st_size < server.sizes[0] < big.stat().st_size + 500
        assert max(server.sizes[1:]) < 2 * one + 500


def test_what_the_service_lists_as_failed_is_listed(files: list[Path]) -> None:
    with service(stow_reply(202, [uid(1), uid(2), uid(4)], {uid(3): 0xA700, uid(5): 0x0122})) as server:
        done = inveon("send", *files, server.url)
    assert done.exit_code == 1
    assert "3 of 5 files accepted" in done.stdout
    assert done.stderr.splitlines() == [
        f"error: {files[2]}: the server refused it: reason A700, refused: out of resources",
        f"error: {files[4]}: the server refused it: reason 0122, refused: sop class not supported",
    ]


def test_all_failed_is_listed(files: list[Path]) -> None:
    with service(stow_reply(409, [], {uid(1): 0xC000, uid(2): 0x0110})) as server:
        result = send(files[:2], server.url, QUICK, environment=NOBODY)
        assert len(server.posted) == 1
    assert [failure.reason for failure in result.failures] == [
        "the server refused it: reason C000, cannot understand",
        "the server refused it: reason 0110, processing failure",
    ]


def test_a_warning_is_reported_and_counts_as_accepted(files: list[Path]) -> None:
    with service(lambda found: stow_reply(200, found, warning=0xB000)) as server:
        done = inveon("send", files[0], server.url)
    assert done.exit_code == 0
    assert "1 of 1 file accepted" in done.stdout
    assert done.stderr == (
        f"warning: {files[0]}: was accepted with a warning: reason B000, coercion of data elements\n"
    )


@pytest.mark.parametrize("status", [400, 409, 413, 500])
def test_a_request_that_fails_as_a_whole_is_sent_one_by_one(files: list[Path], status: int) -> None:
    def answer(found: list[str]) -> Answer:
        return (status, {}, b"<b>no</b>") if uid(3) in found else all_stored(found)

    with service(answer) as server:
        result = send(files, server.url, QUICK, environment=NOBODY)
        assert server.posted == [[uid(n) for n in range(1, 6)], *([uid(n)] for n in range(1, 6))]
    assert result.accepted == 4
    (failure,) = result.failures
    assert failure.sop_instance_uid == uid(3)
    assert f"HTTP status {status}" in failure.reason


def test_an_instance_that_is_not_mentioned_is_sent_alone_and_then_not_confirmed(files: list[Path]) -> None:
    def answer(found: list[str]) -> Answer:
        return stow_reply(200, [each for each in found if each != uid(2)] or [uid(1)])

    with service(answer) as server:
        result = send(files[:3], server.url, QUICK, environment=NOBODY)
        assert server.posted == [[uid(1), uid(2), uid(3)], [uid(2)]]
    assert [failure.reason for failure in result.failures] == ["the server did not confirm it"]
    assert result.accepted == 2


@pytest.mark.parametrize(
    "answer",
    [
        (200, {"Content-Type": "application/dicom+json"}, b"{}"),
        (200, {"Content-Type": "application/dicom+json; charset=utf-8"}, b'{"00081190": {"vr": "UR"}}'),
        (200, {"Content-Type": "application/dicom+xml"}, b"<NativeDicomModel/>"),
    ],
)
def test_success_without_a_list_means_none(files: list[Path], answer: Answer) -> None:
    with service(answer) as server:
        result = send(files, server.url, QUICK, environment=NOBODY)
        assert len(server.posted) == 1
    assert [failure.reason for failure in result.failures] == ["the server did not confirm it"] * 5


@pytest.mark.parametrize(
    "answer",
    [
        (200, {}, b""),
        (200, {"Content-Type": "text/html"}, b"<html>Log in</html>"),
        (200, {"Content-Type": "application/json"}, b'{"message": "Log in"}'),
    ],
)
def test_success_that_is_not_of_dicomweb_means_none(files: list[Path], answer: Answer) -> None:
    with service(answer) as server:
        done = inveon("send", *files, server.url)
        assert len(server.posted) == 1
    assert done.exit_code == 1
    assert "0 of 5 files accepted" in done.stdout
    assert done.stderr.splitlines() == [f"error: {path}: the server did not confirm it" for path in files]


def test_partly_without_a_list_means_none(files: list[Path]) -> None:
    with service((202, {}, b"")) as server:
        result = send(files[:2], server.url, QUICK, environment=NOBODY)
    assert (result.accepted, len(result.failures)) == (0, 2)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"[1]", b'{"00081199": 7}', b'{"00081199": {"vr": "SQ", "Value": ["x", null]}}', b"[" * 10**5],
)
def test_an_answer_that_makes_no_sense_is_no_more_than_its_status(files: list[Path], content: bytes) -> None:
    with service((409, {"Content-Type": "application/dicom+json"}, content)) as server:
        result = send(files[:1], server.url, QUICK, environment=NOBODY)
    assert [failure.reason for failure in result.failures] == ["the server refused it with HTTP status 409"]


def test_a_service_that_is_busy_is_asked_again(files: list[Path]) -> None:
    with service((503, {"Retry-After": "0"}, b""), (429, {}, b""), all_stored) as server:
        assert send(files, server.url, QUICK, environment=NOBODY).accepted == 5
        assert len(server.posted) == 3


def test_a_service_that_stays_busy_is_left(files: list[Path]) -> None:
    with service((503, {}, b"")) as server:
        options = replace(QUICK, chunk_size=files[0].stat().st_size)
        result = send(files, server.url, options, environment=NOBODY)
        assert len(server.posted) == 3 * 3  # three instances, each thrice, then it is enough
    assert result.stopped == "answered with 503 Service Unavailable"
    assert (len(result.failures), len(result.unsent)) == (2, 3)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "401 Unauthorized; set INVEON_TOKEN"),
        (403, "403 Forbidden; these credentials may not do that"),
        (404, "404 Not Found; is the path right?"),
        (302, "redirects"),
        (500, "500 Internal Server Error"),
        (418, "418"),
    ],
)
def test_a_service_that_does_not_want_us_is_one_line(files: list[Path], status: int, expected: str) -> None:
    with service(all_stored) as server:
        server.search = (status, {"Location": "http://127.0.0.1:9/"}, b"\x1b[31m<script>")
        done = inveon("send", *files, server.url)
        assert server.posted == []
    assert expected in assert_one_line_error(done.exit_code, done.stdout, done.stderr)


@pytest.mark.parametrize("status", [401, 404, 302, 501])
def test_a_service_that_does_not_want_what_we_send_stops(files: list[Path], status: int) -> None:
    with service((status, {"Location": "http://127.0.0.1:9/"}, b"\x1b[31m")) as server:
        done = inveon("send", *files, server.url)
        assert len(server.posted) == 1
    assert done.exit_code == 1
    assert "0 of 5 files accepted" in done.stdout
    assert done.stderr.count("\n") == 1
    assert " (5 files were not sent)" in done.stderr
    assert_harmless(done.stderr)


@pytest.mark.parametrize("status", [400, 405, 501])
def test_a_service_without_a_search_is_sent_to(files: list[Path], status: int) -> None:
    with service(all_stored) as server:
        server.search = (status, {}, b"")
        assert send(files, server.url, QUICK, environment=NOBODY).is_complete


def test_a_connection_is_tried_and_nothing_is_sent() -> None:
    with service() as there:
        try_target(there.url, QUICK, {"INVEON_TOKEN": SECRET, **NOBODY})
        assert there.headers[-1]["Authorization"] == f"Bearer {SECRET}"
        there.search = (401, {}, SECRET.encode())
        with pytest.raises(TargetError, match="401") as refused:
            try_target(there.url, QUICK, {"INVEON_TOKEN": SECRET, **NOBODY})
        assert there.posted == []
    assert SECRET not in str(refused.value)
    with pytest.raises(TargetError, match="nothing listens there"):
        try_target(there.url, QUICK, NOBODY)


def test_a_page_is_no_dicomweb_service(files: list[Path]) -> None:
    with service(all_stored) as server:
        server.search = (200, {"Content-Type": "text/html"}, b"<html>Log in</html>")
        with pytest.raises(TargetError, match="does not answer as a DICOMweb service; is the path right"):
            send(files, server.url, QUICK, environment=NOBODY)


def test_a_secret_is_in_no_output_and_no_log_even_if_the_server_repeats_it(
    files: list[Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    encoded = basic(f"ann:{SECRET}")
    for token, user in ((SECRET, ""), ("", "ann")):
        monkeypatch.setenv("INVEON_TOKEN", token)
        monkeypatch.setenv("INVEON_USER", user)
        monkeypatch.setenv("INVEON_PASSWORD", SECRET if user else "")
        repeated = {"Content-Type": "text/plain", "X-Was": SECRET}
        for status in (200, 401, 404, 409, 500):
            with service((status, repeated, f"{SECRET} {encoded}".encode())) as server:
                texts = [inveon("send", *files, server.url, *more) for more in ((), ("--json",))]
                sent = {each["Authorization"] for each in server.headers}
                server.search = (status if status > 200 else 403, repeated, SECRET.encode())
                texts += [inveon("send", *files, server.url, *more) for more in ((), ("--json",))]
            assert sent == {f"Bearer {SECRET}" if token else encoded}  # it went where it should
            for done in texts:
                assert SECRET not in done.output
                assert encoded not in done.output
    assert caplog.records
    assert SECRET not in caplog.text
    assert encoded not in caplog.text


def test_netrc_is_not_asked_for_http_elsewhere_and_token_wins_over_it(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ann password secret\n")
    with service(all_stored) as server:
        send(files, server.url, QUICK, environment={"NETRC": str(tmp_path / "netrc")})
        send(files, server.url, QUICK, environment={"NETRC": str(tmp_path / "netrc"), "INVEON_TOKEN": "abc"})
        found = [each.get("Authorization") for each in server.headers]
    assert found == [basic("ann:secret")] * 2 + ["Bearer abc"] * 2


# HTTPS.


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return certificates for a server and a client."""
    return make_certificates(tmp_path_factory.mktemp("certificates"))


def context(certificates: Certificates, *, client_required: bool = False) -> ssl.SSLContext:
    found = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates.authority)
    found.load_cert_chain(certificates.server, certificates.server_key)
    found.verify_mode = ssl.CERT_REQUIRED if client_required else ssl.CERT_NONE
    return found


def test_https_with_an_authority_of_ones_own(files: list[Path], certificates: Certificates) -> None:
    environment = {**NOBODY, "REQUESTS_CA_BUNDLE": str(certificates.stranger)}
    with service(all_stored, tls=context(certificates)) as server:
        options = replace(QUICK, tls_ca=certificates.authority)
        assert send(files, server.url, options, environment=environment).accepted == 5


def test_https_with_a_certificate_of_this_side(files: list[Path], certificates: Certificates) -> None:
    ours = {"tls_cert": certificates.client, "tls_key": certificates.client_key}
    options = replace(QUICK, tls_ca=certificates.authority, **ours)  # type: ignore[arg-type]
    with service(all_stored, tls=context(certificates, client_required=True)) as server:
        assert send(files, server.url, options, environment=NOBODY).accepted == 5
        with pytest.raises(TargetError, match=r"wants a client certificate|broke off"):
            send(files, server.url, replace(QUICK, tls_ca=certificates.authority), environment=NOBODY)


def test_https_of_a_stranger_gets_nothing(
    files: list[Path], certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVEON_TOKEN", SECRET)
    with service(all_stored, tls=context(certificates)) as server:
        for options in ([], ["--tls-ca", certificates.stranger]):
            done = inveon("send", *files, server.url, *options)
            line = assert_one_line_error(done.exit_code, done.stdout, done.stderr)
            assert "the server's certificate is not trusted, or is of another name; --tls-ca names the file" in line
        other = server.url.replace("127.0.0.1", "127.0.0.2")
        done = inveon("send", *files, other, "--tls-ca", certificates.authority)
        if "nothing listens there" not in done.stderr:  # not every system has that address
            assert "is of another name" in assert_one_line_error(done.exit_code, done.stdout, done.stderr)
        assert server.headers == []


def test_a_service_that_is_silent_is_one_line(files: list[Path]) -> None:
    wait = threading.Event()

    def silent(_found: list[str]) -> Answer:
        wait.wait(600)
        return stow_reply(200, [])

    with service(silent) as server:
        for silence_s in SILENCES_S:
            with contextlib.suppress(TargetError):  # it was too slow to say that it is there
                result = send(files, server.url, replace(QUICK, timeout_s=silence_s, retries=0), environment=NOBODY)
                if server.posted:
                    break
        wait.set()
    assert server.posted
    assert f"gave no answer within {silence_s:g} s" in result.stopped
    assert len(result.unsent) == 5
