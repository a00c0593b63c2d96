"""Sent to a real Orthanc, every SOP class, both ways: what comes back is what was sent, whatever happens on the way."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import signal
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.policy import HTTP
from io import BytesIO
from pathlib import Path
from threading import Event, Thread

import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID

import orthanc
from conftest import Measures, skip_or_fail
from forked import import_before, running_forked
from helpers import assert_one_line_error, inveon
from inveonimaging import Options, TargetError, convert
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.pixels import Compression
from inveonimaging.phantom import CT_SCAN, PET_SCAN, SPECT_SCAN, frames_of, write_scan
from inveonimaging.sending import SendOptions, SendResult, send
from orthanc import Certificates, Orthanc
from servers import SILENCES_S, gate, write_instance

# pynetdicom leaves sockets that a server closed to the garbage collector
import_before("inveonimaging.sending.dimse.c_store", "inveonimaging.sending.job", "inveonimaging.sending.web.stow_rs")
pytestmark = [pytest.mark.faults, pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")]
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")

SHAPE = (36, 33, 2)  # OpenJPEG takes 32 rows and columns and more
SPACING = (1.5, 1.5, 18.0)
SCANS = {
    "ct": replace(CT_SCAN, shape=SHAPE, spacing_mm=SPACING),
    "dynamic.pet": replace(PET_SCAN, shape=SHAPE, spacing_mm=SPACING, frames=frames_of(20, 40)),
    "static.pet": replace(PET_SCAN, shape=SHAPE, spacing_mm=SPACING, frames=frames_of(600)),
    "gated.pet": replace(PET_SCAN, shape=SHAPE, spacing_mm=SPACING, frames=frames_of(600), gates=2),
    "static.spect": replace(SPECT_SCAN, shape=SHAPE, spacing_mm=SPACING),
    "dynamic.spect": replace(SPECT_SCAN, shape=SHAPE, spacing_mm=SPACING, frames=frames_of(300, 300)),
}
CLASSES = {  # PS3.6 A
    "1.2.840.10008.5.1.4.1.1.2": "CT",
    "1.2.840.10008.5.1.4.1.1.2.1": "Enhanced CT",
    "1.2.840.10008.5.1.4.1.1.2.2": "Legacy Converted Enhanced CT",
    "1.2.840.10008.5.1.4.1.1.128": "PET",
    "1.2.840.10008.5.1.4.1.1.130": "Enhanced PET",
    "1.2.840.10008.5.1.4.1.1.128.1": "Legacy Converted Enhanced PET",
    "1.2.840.10008.5.1.4.1.1.20": "NM",
}
CREDENTIALS = {"INVEON_USER": orthanc.USER, "INVEON_PASSWORD": orthanc.PASSWORD}
WAYS = ("C-STORE", "C-STORE over TLS", "STOW-RS")
MANY = 70  # instances of a CT, more than two requests of STOW-RS of 1 MiB hold
SIZE = 2**15  # bytes of the pixels of each
WAIT_S = 300.0


@pytest.fixture(scope="module")
def program() -> tuple[str, str]:
    """Return where Orthanc and its plugin are."""
    found = orthanc.find_orthanc()
    if found is None:
        skip_or_fail("orthanc or orthanc-dicomweb is not installed")
        raise AssertionError
    return found


@pytest.fixture(scope="module")
def plain(program: tuple[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """Return a server that talks in plain."""
    with orthanc.running(tmp_path_factory.mktemp("plain"), program) as server:
        yield server


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Return certificates for a server and a client."""
    return orthanc.make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def encrypted(
    program: tuple[str, str], certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Orthanc]:
    """Return a server that talks in TLS and wants a certificate."""
    settings = orthanc.tls_settings(certificates)
    with orthanc.running(tmp_path_factory.mktemp("encrypted"), program, settings) as server:
        yield server


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set what the DICOMweb service asks for."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a study with every kind of scan."""
    folder = tmp_path_factory.mktemp("source")
    for name, scan in SCANS.items():
        write_scan(folder / f"m1.{name}.img", scan)
    return folder


@pytest.fixture(scope="module")
def converted(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Compression], Path]:
    """Return a function that converts the study to all forms; once for each compression."""
    done: dict[Compression, Path] = {}

    def folder_of(compression: Compression) -> Path:
        if compression not in done:
            done[compression] = tmp_path_factory.mktemp(compression.value)
            for form in Form:
                convert(source, done[compression] / form.value, Options(form=form, compression=compression))
        return done[compression]

    return folder_of


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a CT of many small instances."""
    folder = tmp_path_factory.mktemp("many")
    scan = replace(CT_SCAN, shape=(128, 128, MANY), spacing_mm=(0.3, 0.3, 1.0))
    (folder / "in").mkdir()
    write_scan(folder / "in" / "m1.ct.img", scan)
    convert(folder / "in", folder / "dicom")
    return folder / "dicom"


@dataclass(frozen=True)
class Way:
    """A way to a server."""

    server: Orthanc
    target: str
    options: SendOptions
    keeps_files: bool

    @property
    def arguments(self) -> list[str]:
        """The options of the command."""
        named = {
            "--tls-ca": self.options.tls_ca,
            "--tls-cert": self.options.tls_cert,
            "--tls-key": self.options.tls_key,
        }
        return [str(each) for name, path in named.items() if path for each in (name, path)]


@pytest.fixture(params=WAYS)
def way(
    request: pytest.FixtureRequest, plain: Orthanc, encrypted: Orthanc, certificates: Certificates
) -> Iterator[Way]:
    """Return each way, to an empty server."""
    if request.param == "C-STORE over TLS":
        found = Way(encrypted, encrypted.target, tls_of(certificates), keeps_files=False)
    elif request.param == "C-STORE":
        found = Way(plain, plain.target, SendOptions(), keeps_files=False)
    else:
        found = Way(plain, plain.web, SendOptions(), keeps_files=True)
    found.server.clear()
    yield found
    found.server.clear()


def tls_of(certificates: Certificates) -> SendOptions:
    return SendOptions(tls_ca=certificates.authority, tls_cert=certificates.client, tls_key=certificates.client_key)


# What comes back.


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a tree that are DICOM, by SOP Instance UID; copies count once."""
    found = [path.read_bytes() for path in sorted(folder.rglob("*.dcm"))]
    return {
        str(dcmread(BytesIO(content), specific_tags=["SOPInstanceUID"]).SOPInstanceUID): content for content in found
    }


def digests_of(files: Mapping[str, bytes]) -> dict[str, str]:
    return {uid: hashlib.sha256(content).hexdigest() for uid, content in files.items()}


def meta_of(content: bytes) -> FileMetaDataset:
    """Return the File Meta Information of a file."""
    return dcmread(BytesIO(content), stop_before_pixels=True, specific_tags=[]).file_meta


def dataset_bytes(content: bytes) -> bytes:
    """Return what follows the File Meta Information, whose length is in its first element (PS3.10 7.1)."""
    assert content[128:140] == b"DICM\x02\x00\x00\x00UL\x04\x00"
    (length,) = struct.unpack_from("<L", content, 140)
    body = content[144 + length :]
    is_deflated = meta_of(content).TransferSyntaxUID.is_deflated
    return zlib.decompressobj(-zlib.MAX_WBITS).decompress(body) if is_deflated else body  # Orthanc deflates anew


def assert_same(returned: bytes, sent: bytes) -> None:
    """Show that a file holds what another one does, byte by byte after the File Meta Information, and in one syntax."""
    here, there = (meta_of(content) for content in (returned, sent))
    for name in ("MediaStorageSOPClassUID", "MediaStorageSOPInstanceUID", "TransferSyntaxUID"):
        assert here[name] == there[name]
    is_same = dataset_bytes(returned) == dataset_bytes(sent)
    assert is_same, here.MediaStorageSOPInstanceUID


def retrieved(server: Orthanc, dataset: FileDataset) -> bytes:
    """Return an instance by WADO-RS, as it is stored."""
    path = f"/studies/{dataset.StudyInstanceUID}/series/{dataset.SeriesInstanceUID}/instances/{dataset.SOPInstanceUID}"
    accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
    answer = server.get(f"/dicom-web{path}", headers={"Accept": accept})
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    message = message_from_bytes(head + answer.content, policy=HTTP)
    (part,) = message.iter_parts()
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


@pytest.mark.parametrize(
    ("way", "compression"),
    [
        *((way, compression) for way in ("C-STORE", "STOW-RS") for compression in Compression),
        ("C-STORE over TLS", Compression.JPEG_2000),  # which knows of no compression
    ],
    indirect=["way"],
    ids=lambda each: each.value if isinstance(each, Compression) else each,
)
def test_every_sop_class_comes_back_as_it_was_sent(
    way: Way, converted: Callable[[Compression], Path], compression: Compression, measures: Measures
) -> None:
    folder = converted(compression)
    files = files_of(folder)
    result = send([folder], way.target, way.options)
    assert result.is_complete, result
    assert (result.accepted, result.failures, result.warnings) == (len(files), (), ())
    stored = way.server.stored()
    assert set(stored) == set(files)
    for uid, content in files.items():
        assert_same(stored[uid], content)
        is_kept = stored[uid] == content
        assert is_kept or not way.keeps_files, uid
    kinds = [str(meta_of(content).MediaStorageSOPClassUID) for content in files.values()]
    assert set(kinds) == set(CLASSES)
    syntaxes = {str(meta_of(content).TransferSyntaxUID) for content in files.values()}
    assert len(syntaxes) == 1
    for kind in set(kinds):
        measures.largest(f"number of {CLASSES[kind]} sent and read back at a time", kinds.count(kind))


def test_wado_returns_what_was_sent(way: Way, converted: Callable[[Compression], Path]) -> None:
    folder = converted(Compression.NONE)
    assert send([folder], way.target, way.options).is_complete
    seen = set()
    for content in files_of(folder).values():
        dataset = dcmread(BytesIO(content), stop_before_pixels=True)
        if dataset.SOPClassUID not in seen:  # one of each class
            seen.add(dataset.SOPClassUID)
            assert_same(retrieved(way.server, dataset), content)
    assert seen == set(CLASSES)


def test_sending_again_changes_nothing(way: Way, many: Path) -> None:
    some = sorted(many.rglob("*.dcm"))[:5]
    assert send(some, way.target, way.options).accepted == 5
    before = digests_of(way.server.stored())
    assert send(some, way.target, way.options).is_complete
    assert digests_of(way.server.stored()) == before


# The command.


def test_the_command_prints_what_it_did(way: Way, many: Path) -> None:
    some = sorted(many.rglob("*.dcm"))[:3]
    done = inveon("send", *some, way.target, *way.arguments)
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{way.target}: 3 of 3 files accepted, ")
    assert done.stdout.count("\n") == 1


def test_the_command_prints_json_of_what_it_did(way: Way, many: Path) -> None:
    some = sorted(many.rglob("*.dcm"))[:3]
    done = inveon("send", *some, way.target, *way.arguments, "--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, done.stderr) == (0, "")
    assert (document["schema"], document["complete"], document["accepted"]) == (1, True, 3)
    assert document["bytes"] == sum(path.stat().st_size for path in some)
    assert (document["failures"], document["unsent"], document["stopped"]) == ([], [], "")


def test_a_dry_run_sends_nothing(way: Way, converted: Callable[[Compression], Path]) -> None:
    done = inveon("send", converted(Compression.NONE), way.target, *way.arguments, "--dry-run")
    assert (done.exit_code, done.stderr) == (0, "")
    for kind in CLASSES:
        assert UID(kind).name in done.stdout
    assert way.server.count() == 0


@pytest.mark.parametrize("way", ["C-STORE", "STOW-RS"], indirect=True)
def test_a_converted_study_is_sent(way: Way, source: Path, tmp_path: Path) -> None:
    done = inveon("convert", source, tmp_path / "out", "--send", way.target)
    assert (done.exit_code, [line for line in done.stderr.splitlines() if line.startswith("error")]) == (0, [])
    files = files_of(tmp_path / "out")
    assert f"{way.target}: {len(files)} of {len(files)} files accepted" in done.stdout
    assert set(way.server.stored()) == set(files)


# Broken off, and gone on with.


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def lines_of(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def confirmed(journal: Path) -> list[str]:
    """Return the instances of a journal, whole lines only."""
    lines = journal.read_bytes().split(b"\n")[1:-1]
    return [json.loads(line)["sop_instance_uid"] for line in lines]


@posix
@pytest.mark.parametrize(
    ("way", "name", "is_there"),
    [  # half is sent; the last of it is there, and no answer came yet
        ("C-STORE", "SIGKILL", False),
        ("C-STORE", "SIGINT", True),
        ("C-STORE over TLS", "SIGKILL", True),
        ("STOW-RS", "SIGKILL", False),
        ("STOW-RS", "SIGTERM", True),
    ],
    indirect=["way"],
)
def test_who_is_killed_in_the_middle_goes_on_where_it_ended(
    way: Way, many: Path, tmp_path: Path, name: str, is_there: bool
) -> None:
    sent = signal.Signals[name]
    journal = tmp_path / "sent.jsonl"
    port = way.server.http_port if way.keeps_files else way.server.dicom_port
    with gate(port, lambda: lines_of(journal) > 5, holds_answers=is_there) as before:
        target = way.target.replace(f":{port}", f":{before.port}")
        command = ["-m", "inveonimaging", "send", many, target, *way.arguments]
        with running_forked(*command, "--resume", journal, "--chunk-size", 1) as process:
            wait_until(lambda: before.is_holding.is_set() or process.poll() is not None)
            process.send_signal(sent)
            _, stderr = process.communicate(timeout=WAIT_S)
        code = {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130, signal.SIGTERM: 143}[sent]
        assert process.returncode == code, stderr
        files, known = files_of(many), confirmed(journal)
        if sent != signal.SIGKILL:
            assert [line.partition(":")[0] for line in stderr.splitlines()] == ["note", "error"], stderr
            assert f"note: {len(known)} of {len(files)} instances are confirmed or refused; " in stderr
        there = way.server.uids()
        assert set(known) <= there < set(files)  # what is confirmed is there; not all is
        in_flight = 2**20 // SIZE if way.keeps_files else 1  # instances of a request, at most
        assert len(there) - len(known) in (range(1, in_flight + 1) if is_there else [0])
        before.open()
        result = send([many], target, replace(way.options, journal=journal))
        assert result.is_complete, result
        assert (result.skipped, result.accepted) == (len(known), len(files) - len(known))
        assert sorted(confirmed(journal)) == sorted(files)  # each once
        stored = way.server.stored()
        assert set(stored) == set(files)
        for uid, content in files.items():
            assert_same(stored[uid], content)
        assert send([many], target, replace(way.options, journal=journal)).skipped == len(files)


WITHOUT_TLS = pytest.mark.parametrize("way", ["C-STORE", "STOW-RS"], indirect=True)


@WITHOUT_TLS
def test_a_server_that_dies_in_the_middle_and_stays_away_is_one_line(way: Way, many: Path, tmp_path: Path) -> None:
    options = SendOptions(journal=tmp_path / "sent.jsonl", retries=1, first_wait_s=0.05, chunk_size=3 * SIZE)
    result = interrupted(many, way.target, options, way.server.kill)
    way.server.start()
    assert result.stopped
    assert "nothing listens there" in result.stopped
    assert not result.failures
    assert len(result.unsent) == MANY - result.accepted > 0
    again = send([many], way.target, options)
    assert again.is_complete
    assert (again.skipped, again.accepted) == (result.accepted, MANY - result.accepted)
    assert way.server.count() == MANY


def interrupted(folder: Path, target: str, options: SendOptions, then: Callable[[], None]) -> SendResult:
    """Send, and do something once some of it is there."""
    acted: list[bool] = []

    def step(done: int, _total: int) -> None:
        if done >= 5 and not acted:
            acted.append(True)
            then()

    result = send([folder], target, options, step)
    assert acted
    return result


@WITHOUT_TLS
def test_a_server_that_dies_in_the_middle_and_comes_back_gets_all(way: Way, many: Path) -> None:
    options = SendOptions(retries=20, first_wait_s=0.2, chunk_size=3 * SIZE)
    threads: list[Thread] = []

    def restart() -> None:
        way.server.kill()
        threads.append(Thread(target=way.server.start))
        threads[0].start()

    try:
        result = interrupted(many, way.target, options, restart)
    finally:
        threads[0].join()
    assert result.is_complete, result
    assert result.accepted == MANY
    assert set(way.server.stored()) == set(files_of(many))


@posix
@pytest.mark.parametrize("is_web", [False, True], ids=["C-STORE", "STOW-RS"])
def test_a_server_that_stops_to_read_is_left(plain: Orthanc, tmp_path: Path, is_web: bool) -> None:
    large = write_instance(tmp_path / "large.dcm", 2, pixels=64 * 2**20)
    small = write_instance(tmp_path / "small.dcm", 1)
    port, target = (plain.http_port, plain.web) if is_web else (plain.dicom_port, plain.target)
    for silence_s in SILENCES_S:
        options = SendOptions(retries=0, timeout_s=silence_s, chunk_size=2**20)
        with contextlib.suppress(TargetError):  # it was too slow to say that it is there
            result = sent_until_nothing_is_read([small, large], target, port, options)
            if result.accepted:
                break
    plain.clear()
    assert result.accepted == 1
    assert [failure.path for failure in result.failures] + list(result.unsent) == [str(large)]
    assert result.seconds < WAIT_S


def sent_until_nothing_is_read(files: list[Path], target: str, port: int, options: SendOptions) -> SendResult:
    """Send to a server that stops to read in the middle of the second file."""
    stops = Event()
    with gate(port, stops.is_set, holds_answers=False) as before:
        there = target.replace(f":{port}", f":{before.port}")
        return send(files, there, options, lambda _done, _total: stops.set())


# What a server does not want.


def one(folder: Path) -> Path:
    return min(folder.rglob("*.dcm"))


def failing(*arguments: object, code: int = 1) -> str:
    done = inveon("send", *arguments)
    return assert_one_line_error(done.exit_code, done.stdout, done.stderr, code)


def test_a_wrong_port_is_one_line(many: Path) -> None:
    (port,) = orthanc.free_ports(1)
    for target in (f"dicom://A@B:127.0.0.1:{port}", f"http://127.0.0.1:{port}/dicom-web"):
        assert "nothing listens there; are host and port right" in failing(one(many), target)


def test_a_wrong_ae_title_is_one_line(plain: Orthanc, many: Path) -> None:
    target = plain.target.replace(orthanc.AE_TITLE, "NOBODY")
    assert "is not called NOBODY; give the AE title" in failing(one(many), target)


def test_a_calling_title_that_may_not_store_is_reported(program: tuple[str, str], tmp_path: Path) -> None:
    sizes = (32, 2**25)  # it is over when all is sent, and in the middle of it
    files = [write_instance(tmp_path / f"{n}.dcm", n, pixels=size) for n, size in enumerate(sizes)]
    with orthanc.running(tmp_path / "server", program, {"DicomAlwaysAllowStore": False}) as server:
        for path in files:
            reason = failing_one(path, server.target)
            assert "broke off the connection" in reason
            assert reason.endswith(", 2 times; does it know the calling AE title INVEON?\n")


def failing_one(path: Path, target: str) -> str:
    done = inveon("send", path, target)
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "0 of 1 file accepted" in done.stdout
    return done.stderr


def test_a_port_of_another_protocol_is_one_line(plain: Orthanc, many: Path) -> None:
    dimse = f"dicom://A@B:127.0.0.1:{plain.http_port}"
    assert "is it a DICOM port" in failing(one(many), dimse)
    assert "broke off the connection" in failing(one(many), f"http://127.0.0.1:{plain.dicom_port}/dicom-web")


def test_a_wrong_path_is_one_line(plain: Orthanc, many: Path) -> None:
    assert "404 Not Found; is the path right?" in failing(one(many), f"http://127.0.0.1:{plain.http_port}/dicomweb")


def test_wrong_credentials_are_one_line(plain: Orthanc, many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INVEON_PASSWORD", "not so secret")
    line = failing(one(many), plain.web)
    assert "401 Unauthorized; set INVEON_TOKEN" in line
    assert "not so secret" not in line


def test_tls_to_a_plain_port_and_plain_to_a_tls_port_are_one_line(
    plain: Orthanc, encrypted: Orthanc, certificates: Certificates, many: Path
) -> None:
    assert "TLS" in failing(one(many), plain.target, "--tls-ca", certificates.authority)
    assert "does it want TLS (--tls)?" in failing(one(many), encrypted.target)
    assert "does not answer in TLS" in failing(one(many), plain.web.replace("http:", "https:"))


def test_a_wrong_authority_is_one_line(encrypted: Orthanc, certificates: Certificates, many: Path) -> None:
    line = failing(one(many), encrypted.target, "--tls-ca", certificates.stranger)
    assert re.search("certificate is not trusted: [a-z -]+; --tls-ca names the authority", line)
    assert "certificate is not trusted" in failing(one(many), encrypted.target, "--tls")


def test_a_certificate_of_another_name_is_one_line(encrypted: Orthanc, certificates: Certificates, many: Path) -> None:
    options = ["--tls-ca", certificates.authority, "--tls-name", "archive.example.org"]
    line = failing(one(many), encrypted.target, *options)
    assert "not one of archive.example.org; --tls-name gives the name that it has" in line


def test_the_name_of_the_certificate_can_be_given(encrypted: Orthanc, certificates: Certificates, many: Path) -> None:
    options = replace(tls_of(certificates), tls_name="localhost")
    assert send([one(many)], encrypted.target, options).is_complete
    encrypted.clear()


def test_no_certificate_where_one_is_wanted_is_one_line(
    encrypted: Orthanc, certificates: Certificates, many: Path
) -> None:
    line = failing(one(many), encrypted.target, "--tls-ca", certificates.authority)
    assert "does it want a client certificate (--tls-cert, --tls-key)?" in line


def test_a_refused_syntax_is_listed_and_the_rest_is_sent(
    program: tuple[str, str], converted: Callable[[Compression], Path], many: Path, tmp_path: Path
) -> None:
    settings = {"AcceptedTransferSyntaxes": ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1"]}
    packed = sorted((converted(Compression.RLE) / "enhanced").rglob("*.dcm"))[:2]
    with orthanc.running(tmp_path / "server", program, settings) as server:
        done = inveon("send", *packed, one(many), server.target)
        assert done.exit_code == 1
        assert "1 of 3 files accepted" in done.stdout
        lines = done.stderr.splitlines()
        assert [line.partition(".dcm: ")[2].partition(" does not take ")[0] for line in lines] == ["the server"] * 2
        assert all("in RLE Lossless; convert without --compress" in line for line in lines)
        assert [str(path) in line for path, line in zip(packed, lines, strict=True)] == [True, True]
        assert server.count() == 1


def test_what_is_deflated_goes_without_to_a_server_that_does_not_take_that(
    program: tuple[str, str], converted: Callable[[Compression], Path], tmp_path: Path
) -> None:
    folder = converted(Compression.DEFLATED) / "enhanced"
    with orthanc.running(tmp_path / "server", program, {"AcceptedTransferSyntaxes": ["1.2.840.10008.1.2"]}) as server:
        assert send([folder], server.target).is_complete
        stored = server.stored()
    files = files_of(folder)
    assert set(stored) == set(files)
    for uid, content in files.items():
        here, there = dcmread(BytesIO(stored[uid])), dcmread(BytesIO(content))
        assert here.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2"
        is_same = here.PixelData == there.PixelData
        assert is_same, uid
        assert {each.tag: each.value for each in here if not each.tag.is_private and each.VR not in {"SQ", "UN"}} == {
            each.tag: each.value for each in there if not each.tag.is_private and each.VR not in {"SQ", "UN"}
        }


def test_a_refused_class_is_listed_and_the_rest_is_sent(plain: Orthanc, many: Path, tmp_path: Path) -> None:
    dataset = dcmread(one(many))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.826.0.1.3680043.10.999.1")
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.826.0.1.3680043.10.999.2")
    dataset.save_as(tmp_path / "odd.dcm")
    plain.clear()
    done = inveon("send", tmp_path, one(many), plain.target)
    plain.clear()
    assert done.exit_code == 1
    assert "1 of 2 files accepted" in done.stdout
    assert done.stderr.count("\n") == 1
    assert f"{tmp_path / 'odd.dcm'}: the server does not take 1.2.826.0.1.3680043.10.999.1; let its" in done.stderr


def test_a_damaged_file_is_listed_and_the_rest_is_sent(way: Way, many: Path, tmp_path: Path) -> None:
    good = sorted(many.rglob("*.dcm"))[:3]
    content = one(many).read_bytes()
    at = content.index(b"1.2.840.10008.5.1.4.1.1.2\0")
    (tmp_path / "a.dcm").write_bytes(content[: at + 4])  # ends in the File Meta Information
    (tmp_path / "b.dcm").write_bytes(b"hello")
    done = inveon("send", tmp_path / "a.dcm", tmp_path / "b.dcm", *good, way.target, *way.arguments)
    assert done.exit_code == 1
    assert "3 of 5 files accepted" in done.stdout
    lines = done.stderr.splitlines()
    assert [name in line for name, line in zip(("a.dcm", "b.dcm: is not a DICOM file"), lines, strict=True)] == [
        True
    ] * 2
    assert way.server.count() == 3


def test_a_part_of_a_request_that_fails_is_listed_and_the_rest_is_sent(
    plain: Orthanc, many: Path, tmp_path: Path
) -> None:
    good = sorted(many.rglob("*.dcm"))[:3]
    content = one(many).read_bytes()
    uid = dcmread(one(many)).SOPInstanceUID.encode()
    cut = content[: len(content) - len(dataset_bytes(content)) + 40].replace(uid, uid[:-1] + b"0")
    (tmp_path / "cut.dcm").write_bytes(cut)  # whole File Meta Information, and two elements
    plain.clear()
    done = inveon("send", good[0], tmp_path / "cut.dcm", *good[1:], plain.web)
    assert done.exit_code == 1
    assert "3 of 4 files accepted" in done.stdout
    (line,) = done.stderr.splitlines()
    assert f"{tmp_path / 'cut.dcm'}: the server refused it" in line
    assert plain.count() == 3
    plain.clear()


# Storage commitment.


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
def committing(
    request: pytest.FixtureRequest, program: tuple[str, str], certificates: Certificates, tmp_path: Path
) -> Iterator[tuple[Orthanc, SendOptions]]:
    """Return a server that commits, and answers to a port, and options for it."""
    (port,) = orthanc.free_ports(1)
    modality = {"AET": "INVEON", "Host": "127.0.0.1", "Port": port, "UseDicomTls": request.param}
    settings = orthanc.tls_settings(certificates) if request.param else {}
    options = tls_of(certificates) if request.param else SendOptions()
    with orthanc.running(tmp_path / "server", program, {**settings, "DicomModalities": {"us": modality}}) as server:
        yield server, replace(options, commit=True, commit_port=port)


def test_a_server_commits(committing: tuple[Orthanc, SendOptions], many: Path, tmp_path: Path) -> None:
    server, options = committing
    files = sorted(many.rglob("*.dcm"))[:12]
    options = replace(options, journal=tmp_path / "sent.jsonl")
    result = send(files, server.target, options)
    assert result.is_complete, result
    assert (result.accepted, result.committed) == (12, 12)
    again = send(files, server.target, options)
    assert (again.accepted, again.skipped, again.committed, again.is_complete) == (0, 12, 12, True)


def test_what_a_server_does_not_commit_to_is_listed_and_sent_again(
    committing: tuple[Orthanc, SendOptions], many: Path, tmp_path: Path
) -> None:
    server, options = committing
    files = sorted(many.rglob("*.dcm"))[:3]
    journal = tmp_path / "sent.jsonl"
    assert send(files, server.target, replace(options, commit=False, commit_port=None, journal=journal)).is_complete
    gone = server.get("/instances").json()[0]
    uid = server.get(f"/instances/{gone}").json()["MainDicomTags"]["SOPInstanceUID"]
    server._ask("DELETE", f"/instances/{gone}")
    result = send(files, server.target, replace(options, journal=journal))
    assert (result.accepted, result.skipped, result.committed, result.is_complete) == (0, 3, 2, False)
    (failure,) = result.failures
    assert failure.sop_instance_uid == uid
    assert "refuses storage commitment for it: reason 0112, no such sop instance" in failure.reason
    again = send(files, server.target, replace(options, journal=journal))
    assert (again.accepted, again.skipped, again.committed, again.is_complete) == (1, 2, 3, True)


def test_a_server_that_does_not_know_us_does_not_commit_in_one_line(plain: Orthanc, many: Path) -> None:
    plain.clear()
    done = inveon("send", one(many), plain.target, "--commit")
    plain.clear()
    assert done.exit_code == 1
    assert "1 of 1 file accepted, 0 committed" in done.stdout
    (line,) = done.stderr.splitlines()
    assert "no commitment: " in line
