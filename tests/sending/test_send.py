"""`inveon send`: addresses, credentials, files, the journal and the command."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from filelock import FileLock
from pydicom import dcmread
from pydicom.uid import MediaStorageDirectoryStorage
from pynetdicom import _config, evt

from helpers import CT_FILES, PET_FILES, assert_harmless, assert_one_line_error, files_below, inveon, write_small_study
from inveonimaging import InveonError, OptionError, OutputError, TargetError, extras
from inveonimaging.cli import convert as convert_command
from inveonimaging.cli.verify import verify_converted
from inveonimaging.conversion.job import StudyResult
from inveonimaging.conversion.options import Options
from inveonimaging.sending import send
from inveonimaging.sending.journal import State, opened
from inveonimaging.sending.target import DicomTarget, WebTarget, target_of
from inveonimaging.sending.web.credentials import credentials_for
from inveonimaging.verification import StudyCheck
from orthanc import free_ports
from servers import (
    NOBODY,
    QUICK,
    SECRET,
    Store,
    all_stored,
    basic,
    service,
    store,
    stow_reply,
    uid,
    write_instance,
)

# pynetdicom leaves sockets that a server closed to the garbage collector
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Return five instances."""
    folder = tmp_path / "dicom"
    folder.mkdir()
    return [write_instance(folder / f"{number}.dcm", number) for number in range(1, 6)]


# Addresses.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dicom://US@THEM:pacs:104", DicomTarget("US", "THEM", "pacs", 104)),
        ("dicom://INVEON 1@A-B_C.D:10.0.0.7:11112/", DicomTarget("INVEON 1", "A-B_C.D", "10.0.0.7", 11112)),
        ("dicom://A@B:[::1]:104", DicomTarget("A", "B", "::1", 104)),
        ("DICOM://A@1234567890123456:h:65535", DicomTarget("A", "1234567890123456", "h", 65535)),
        ("https://pacs.example.org/dicom-web/", WebTarget("https://pacs.example.org/dicom-web", "pacs.example.org")),
        ("HTTP://Localhost:8042/a/b", WebTarget("http://localhost:8042/a/b", "localhost")),
        ("https://[::1]:8042", WebTarget("https://[::1]:8042", "::1")),
    ],
)
def test_an_address_is_understood(text: str, expected: DicomTarget | WebTarget) -> None:
    found = target_of(text)
    assert found == expected
    assert target_of(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pacs:104",
        "ftp://a/b",
        "dicom://B:pacs:104",
        "dicom://A@B:pacs",
        "dicom://A@B:pacs:0",
        "dicom://A@B:pacs:65536",
        "dicom://A@B:pacs:99999999999999999999",
        "dicom://A@12345678901234567:pacs:104",
        "dicom://@B:pacs:104",
        "dicom:// @B:pacs:104",
        "dicom://A\\B@C:pacs:104",
        "dicom://A@B:pacs:104/more",
        "dicom://A@B:pa\x1b[31mcs:104",
        "dicom://A@B:pacs:١٠٤",
        "https://",
        "https:///dicom-web",
        "https://host:99999/dicom-web",
        "https://host:x/dicom-web",
        "https://ho st/dicom-web",
        "https://host/<b>",
        "https://[::1/dicom-web",
        f"https://host/dicom-web?access_token={SECRET}",
        f"https://host/dicom-web#{SECRET}",
        f"https://user:{SECRET}@host/dicom-web",
        f"https://{SECRET}@host/dicom-web",
        f"http://user:{SECRET}@[::1]x/dicom-web",
    ],
)
def test_another_address_is_wrong_usage_and_is_not_repeated(text: str, files: list[Path]) -> None:
    done = inveon("send", files[0], text)
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
    assert SECRET not in line


def test_a_password_in_the_address_is_distinguished(files: list[Path]) -> None:
    done = inveon("send", files[0], f"https://user:{SECRET}@host/dicom-web")
    assert "a user or password in it" in done.stderr
    assert "INVEON_USER and INVEON_PASSWORD" in done.stderr


# Credentials.


def header(environment: dict[str, str], target: str = "https://pacs.example.org/x", *, plain: bool = False) -> str:
    found = target_of(target)
    assert isinstance(found, WebTarget)
    return credentials_for(found, {**NOBODY, **environment}, plain=plain)._header


def test_credentials_come_from_the_environment() -> None:
    assert header({"INVEON_TOKEN": "abc.def"}) == "Bearer abc.def"
    assert header({"INVEON_USER": "ann", "INVEON_PASSWORD": "pä:ss"}) == basic("ann:pä:ss")
    assert header({}) == ""


def test_credentials_come_from_netrc_if_the_environment_has_none(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine pacs.example.org login ann password secret\n")
    netrc = {"NETRC": str(tmp_path / "netrc")}
    assert header(netrc) == basic("ann:secret")
    assert header(netrc, "https://elsewhere.example.org/x") == ""
    assert header({**netrc, "INVEON_TOKEN": "abc"}) == "Bearer abc"


@pytest.mark.parametrize(
    "environment",
    [
        {"INVEON_USER": "ann", "INVEON_PASSWORD": f"{SECRET}\udcff"},  # a byte that is not UTF-8, as Python has it
        {"INVEON_USER": "ann\udcff", "INVEON_PASSWORD": SECRET},
        {"INVEON_TOKEN": f"{SECRET}\udcff"},
        {"INVEON_TOKEN": SECRET, "INVEON_USER": "ann", "INVEON_PASSWORD": "x"},
        {"INVEON_USER": "ann"},
        {"INVEON_PASSWORD": SECRET},
        {"INVEON_TOKEN": f"{SECRET}\r\nX-Evil: 1"},
        {"INVEON_USER": "ann:x", "INVEON_PASSWORD": SECRET},
    ],
)
def test_credentials_that_make_no_sense_are_refused_without_repeating_them(environment: dict[str, str]) -> None:
    with pytest.raises(OptionError) as caught:
        header(environment)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value.__context__)


@pytest.mark.parametrize("spoilt", [b"", b"\xff"], ids=["word", "no text"])
def test_a_netrc_file_that_makes_no_sense_is_refused_without_repeating_it(tmp_path: Path, spoilt: bytes) -> None:
    line = f"machine pacs.example.org login ann {'password ' if spoilt else ''}{SECRET}"
    (tmp_path / "netrc").write_bytes(line.encode() + spoilt + b" x\n")
    with pytest.raises(OptionError) as caught:
        header({"NETRC": str(tmp_path / "netrc")})
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None


def test_credentials_go_unencrypted_only_to_this_computer_or_if_that_is_asked_for() -> None:
    token = {"INVEON_TOKEN": "abc"}
    for host in ("127.0.0.1:8042", "localhost", "[::1]:80", "127.1.2.3"):
        assert header(token, f"http://{host}/x")
    for host in ("pacs.example.org", "10.0.0.7", "127.0.0.1.example.org", "localhost.example.org"):
        with pytest.raises(OptionError, match="unencrypted"):
            header(token, f"http://{host}/x")
        assert header(token, f"http://{host}/x", plain=True)
        assert header({}, f"http://{host}/x") == ""


# The journal.


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_journal_has_what_is_confirmed_and_no_more(files: list[Path], tmp_path: Path) -> None:
    journal = tmp_path / "sent.jsonl"
    with service(stow_reply(202, [uid(1), uid(3)], {uid(2): 0xA700})) as server:
        assert not send(files[:3], server.url, replace(QUICK, journal=journal), environment=NOBODY).is_complete
        assert lines(journal)[0] == {"program": "inveon send", "schema": 1, "target": server.url}
        assert [(each["sop_instance_uid"], each["state"]) for each in lines(journal)[1:]] == [
            (uid(1), "sent"),
            (uid(3), "sent"),
        ]
        server.answers = [all_stored]
        result = send(files[:3], server.url, replace(QUICK, journal=journal), environment=NOBODY)
        assert (result.accepted, result.skipped, result.is_complete) == (1, 2, True)
        assert server.posted[-1] == [uid(2)]
    assert not journal.with_name("sent.jsonl.lock").exists()


def test_a_file_that_was_changed_since_is_sent_again(files: list[Path], tmp_path: Path) -> None:
    journal = tmp_path / "sent.jsonl"
    options = replace(QUICK, journal=journal)
    with service(all_stored) as server:
        send(files, server.url, options, environment=NOBODY)
        dataset = dcmread(files[1])
        dataset.PatientID = "M2"
        dataset.save_as(files[1])
        result = send(files, server.url, options, environment=NOBODY)
    assert (result.accepted, result.skipped) == (1, 4)
    assert server.posted[-1] == [uid(2)]


def test_a_journal_is_of_one_target(files: list[Path], tmp_path: Path) -> None:
    journal = tmp_path / "sent.jsonl"
    with service(all_stored) as server, service(all_stored) as other:
        send(files, server.url, replace(QUICK, journal=journal), environment=NOBODY)
        with pytest.raises(OutputError, match="is the journal of another target"):
            send(files, other.url, replace(QUICK, journal=journal), environment=NOBODY)
        assert other.posted == []


@pytest.mark.parametrize(
    "content",
    [b"hello\n", b"{}\n", b'{"program": "inveon send"}\n', b"\0" * 100, b"[" * 10**5 + b"\n", b'"x"\n', b"no end"],
)
def test_another_file_is_no_journal_and_stays_as_it_is(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(OutputError, match="is not a journal"), opened(path, "x"):
        pass
    assert path.read_bytes() == content


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_line_that_was_cut_off_does_not_count(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "sent.jsonl"
    with opened(path, "x") as journal:
        journal.record(uid(1), "a", State.SENT)
        journal.record(uid(2), "b", State.SENT)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    with opened(path, "x") as journal:
        assert journal.state(uid(1), "a") is State.SENT
        is_whole = cut == 1  # but for the line feed, as an editor may leave it
        assert journal.state(uid(2), "b") is (State.SENT if is_whole else State.LOST)
        if not is_whole:
            journal.record(uid(2), "b", State.SENT)
    assert path.read_bytes() == whole[: -cut if is_whole else None]


@pytest.mark.parametrize("kept", [0, 1, 20])
def test_a_first_line_that_was_cut_off_does_not_count(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "sent.jsonl"
    with opened(path, "x"):
        pass
    whole = path.read_bytes()
    path.write_bytes(whole[:kept])
    with opened(path, "x"):
        pass
    assert path.read_bytes() == whole


def test_two_runs_do_not_write_one_journal(files: list[Path], tmp_path: Path) -> None:
    journal = tmp_path / "sent.jsonl"
    with service(all_stored) as server, FileLock(tmp_path / "sent.jsonl.lock"):
        with pytest.raises(OutputError, match="another inveon send writes this journal"):
            send(files, server.url, replace(QUICK, journal=journal), environment=NOBODY)
        assert server.posted == []


def test_a_journal_does_not_stand_in_what_is_sent(files: list[Path], tmp_path: Path) -> None:
    before = sorted(path.name for path in (tmp_path / "dicom").iterdir())
    for journal in (tmp_path / "dicom" / "sent.jsonl", files[0]):
        done = inveon("send", tmp_path / "dicom", "dicom://A@B:127.0.0.1:9", "--resume", journal)
        line = assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
        assert "the journal lies in what is sent; name a place elsewhere" in line
    assert sorted(path.name for path in (tmp_path / "dicom").iterdir()) == before


def test_a_journal_that_cannot_be_written_is_one_line(files: list[Path], tmp_path: Path) -> None:
    journal = tmp_path / "missing" / "sent.jsonl"
    (tmp_path / "missing").write_text("a file")
    done = inveon("send", files[0], "dicom://A@B:127.0.0.1:9", "--resume", journal)
    assert "cannot be written" in assert_one_line_error(done.exit_code, done.stdout, done.stderr)


# Files.


def test_copies_are_sent_once_and_others_with_the_same_uid_not_at_all(files: list[Path], tmp_path: Path) -> None:
    shutil.copy(files[0], tmp_path / "dicom" / "6 copy.dcm")
    dataset = dcmread(files[1])
    dataset.PatientID = "M2"
    dataset.save_as(tmp_path / "dicom" / "7 other.dcm")
    with store() as server:
        result = send([tmp_path / "dicom", files[2]], server.target, QUICK)
        assert server.received == [uid(n) for n in range(1, 6)]
    assert (result.accepted, result.skipped, result.files) == (5, 2, 8)
    assert [failure.path for failure in result.failures] == [str(tmp_path / "dicom" / "7 other.dcm")]
    assert "has the SOP Instance UID of" in result.failures[0].reason


def test_what_is_no_dicom_and_a_dicomdir_are_passed_over(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "dicom" / "inveon-manifest.json").write_text("{}")
    (tmp_path / "dicom" / "report.html").write_text("<html>")
    write_instance(tmp_path / "dicom" / "DICOMDIR", 99, MediaStorageDirectoryStorage)
    with store() as server:
        result = send([tmp_path / "dicom"], server.target, QUICK)
        assert result.is_complete
        assert len(server.received) == len(files)


@posix
def test_what_cannot_be_read_is_listed_and_the_rest_is_sent(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir
    (tmp_path / "dicom" / "closed").mkdir()
    (tmp_path / "dicom" / "6.dcm").symlink_to(tmp_path / "away")

    def closed(path: Path | str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", closed)
    with store() as server:
        assert_two_are_listed(tmp_path / "dicom", server)
        assert len(server.received) == len(files)


def assert_two_are_listed(folder: Path, server: Store) -> None:
    done = inveon("send", folder, server.target)
    assert (done.exit_code, done.stderr.count("\n")) == (1, 2)
    assert "5 of 7 files accepted" in done.stdout
    assert f"error: {folder / '6.dcm'}: cannot be read: " in done.stderr
    assert f"error: {folder / 'closed'}: cannot be read: " in done.stderr
    assert inveon("send", folder, server.target, "--dry-run").exit_code == 1


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="POSIX only; root may read everything")
def test_what_may_not_be_read_is_listed_and_the_rest_is_sent(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "dicom" / "closed").mkdir(mode=0)
    write_instance(tmp_path / "dicom" / "6.dcm", 6).chmod(0)
    try:
        with store() as server:
            assert_two_are_listed(tmp_path / "dicom", server)
            assert len(server.received) == len(files)
    finally:
        (tmp_path / "dicom" / "closed").chmod(0o700)


@posix
def test_a_pipe_is_refused_and_passed_over_in_folders(files: list[Path], tmp_path: Path) -> None:
    pipe = tmp_path / "dicom" / "pipe.dcm"
    os.mkfifo(pipe)
    done = inveon("send", pipe, "dicom://A@B:127.0.0.1:9")
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr)
    assert line == f"error: {pipe}: is not a regular file\n"
    with store() as server:
        result = send([tmp_path / "dicom"], server.target, QUICK)
    assert (result.is_complete, result.accepted) == (True, len(files))


def test_a_name_and_a_uid_that_are_hostile_are_harmless(tmp_path: Path) -> None:
    hostile = write_instance(tmp_path / "[red]\x1b[31m<b>.dcm", 7)
    content = hostile.read_bytes().replace(uid(7).encode(), b"\x1b[31m<b>"[:7].ljust(len(uid(7)), b"x"))
    hostile.write_bytes(content)
    good = write_instance(tmp_path / "[bold]x.dcm", 8)
    with store(lambda _event, _found: 0xC000) as server:
        done = inveon("send", hostile, good, server.target)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 2
    assert "has no valid SOP Instance UID" in done.stderr
    assert "[bold]x.dcm: the server refused it" in done.stderr
    assert_harmless(done.output)


def test_a_file_that_changes_while_it_is_sent_is_not_taken_for_sent(files: list[Path]) -> None:
    def answer(_event: evt.Event, found: str) -> int:
        if found == uid(2):
            os.utime(files[1], ns=(1, 1))
        return 0x0000

    with store(answer) as server:
        result = send(files, server.target, QUICK)
    assert [(failure.path, failure.reason) for failure in result.failures] == [
        (str(files[1]), "changed while it was sent; send it again")
    ]


@pytest.mark.parametrize("is_web", [False, True], ids=["C-STORE", "STOW-RS"])
def test_a_file_that_goes_or_shrinks_is_listed_and_the_rest_is_sent(files: list[Path], is_web: bool) -> None:
    def spoil(_done: int, _total: int) -> None:
        files[1].unlink(missing_ok=True)
        os.truncate(files[3], 500)

    options = replace(QUICK, chunk_size=files[0].stat().st_size)
    if is_web:
        with service(all_stored) as web:
            result = send(files, web.url, options, spoil, NOBODY)
    else:
        with store() as server:
            result = send(files, server.target, options, spoil)
    assert [failure.path for failure in result.failures] == [str(files[1]), str(files[3])]
    assert (result.accepted, result.unsent, result.stopped) == (3, (), "")


# `inveon convert --send`.


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Return a folder with a small CT and a small PET."""
    return write_small_study(tmp_path / "in")


def test_a_study_that_cannot_be_sent_stays(study: Path, tmp_path: Path) -> None:
    (port,) = free_ports(1)
    target = f"dicom://A@B:127.0.0.1:{port}"
    done = inveon("convert", study, tmp_path / "out", "--send", target)
    assert done.exit_code == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("error")]
    reason = "nothing listens there; are host and port right, and does the server run?"
    assert errors == [f"error: {target}: {reason} (18 files were not sent)"]
    assert files_below(tmp_path / "out") == [*CT_FILES, *PET_FILES]
    done = inveon("convert", study, tmp_path / "json", "--send", target, "--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["sent"]["complete"], len(document["sent"]["unsent"])) == (1, False, 18)
    assert len(document["studies"]) == 1


@pytest.mark.parametrize("target", ["pacs", f"https://user:{SECRET}@host/x", "dicom://A@B:c:0"])
def test_a_wrong_target_is_refused_before_anything_is_converted(study: Path, tmp_path: Path, target: str) -> None:
    done = inveon("convert", study, tmp_path / "out", "--send", target)
    assert SECRET not in assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_study_that_differs_is_not_sent(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    def spoiled(results: Sequence[StudyResult], options: Options) -> tuple[StudyCheck, ...]:
        for path in (tmp_path / "out").rglob("CT-000001.dcm"):
            path.unlink()
        return verify_converted(results, options)

    monkeypatch.setattr(convert_command, "verify_converted", spoiled)
    with store() as server:
        done = inveon("convert", study, tmp_path / "out", "--verify", "--send", server.target, *options)
        assert server.associations == []
    assert done.exit_code == 1


def test_only_what_was_converted_is_sent(study: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert inveon("convert", study, tmp_path / "out").exit_code == 0
    write_instance(tmp_path / "out" / "mine.dcm", 1)
    kinds = ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.128"]
    with store(classes=kinds) as server:
        done = inveon("convert", study, tmp_path / "out", "--overwrite", "--send", server.target)
        assert (done.exit_code, len(server.received)) == (0, 18)
        assert uid(1) not in server.received


# The command.


def test_without_the_extra_it_says_what_is_missing(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "pynetdicom" else object())
    done = inveon("send", files[0], "dicom://A@B:c:104")
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
    assert line == 'error: sending needs pynetdicom; pip install "inveonimaging[send]"\n'


@pytest.mark.parametrize(
    ("target", "options", "expected"),
    [
        ("https://host/x", ["--commit"], "DICOMweb has no storage commitment"),
        ("https://host/x", ["--tls-name", "y"], "--tls-name is for dicom:// targets"),
        ("http://host/x", ["--tls"], "give an https:// address"),
        ("dicom://A@B:c:104", ["--tls-key", "key.pem"], "--tls-key without --tls-cert"),
        ("dicom://A@B:c:104", ["--tls-ca", "missing.pem"], "missing.pem: no such file"),
        ("dicom://A@B:c:104", ["--tls", "--commit-port", "1104"], "--commit-port with TLS needs a certificate"),
    ],
)
def test_options_that_make_no_sense_are_wrong_usage(
    files: list[Path], target: str, options: list[str], expected: str
) -> None:
    done = inveon("send", files[0], target, *options)
    assert expected in assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)


def test_certificates_that_are_none_are_wrong_usage(files: list[Path], tmp_path: Path) -> None:
    (tmp_path / "x.pem").write_text("hello")
    for option, expected in (
        ("--tls-ca", "is not a certificate in PEM"),
        ("--tls-cert", "is not a certificate with its key"),
    ):
        done = inveon("send", files[0], "dicom://A@B:c:104", option, tmp_path / "x.pem")
        assert expected in assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)


@pytest.mark.parametrize(
    "option", [["--retries", "-1"], ["--chunk-size", "0"], ["--commit-port", "0"], ["--timeout", "0"]]
)
def test_numbers_that_make_no_sense_are_wrong_usage(files: list[Path], option: list[str]) -> None:
    assert inveon("send", files[0], "dicom://A@B:c:104", *option).exit_code == 2


@pytest.mark.parametrize("timeout", ["nan", "inf", "1e300", "86401"])
def test_a_timeout_without_an_end_is_wrong_usage(files: list[Path], timeout: str) -> None:
    done = inveon("send", files[0], "dicom://A@B:127.0.0.1:9", "--timeout", timeout)
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
    assert line == f"error: the timeout is {float(timeout):g} s, expected above 0, to 86400 s\n"


def test_no_files_are_one_line(tmp_path: Path) -> None:
    for path, expected in ((tmp_path, "no DICOM files here"), (tmp_path / "x", "no such file or folder")):
        done = inveon("send", path, "dicom://A@B:127.0.0.1:9")
        assert expected in assert_one_line_error(done.exit_code, done.stdout, done.stderr)


def test_an_error_is_json_too(files: list[Path]) -> None:
    done = inveon("send", files[0], "dicom://A@B:no.such.host.invalid:104", "--json")
    assert done.exit_code == 1
    error = json.loads(done.stdout)["error"]
    assert error["path"] == "dicom://A@B:no.such.host.invalid:104"
    assert "no such host" in error["message"]


def test_a_dry_run_as_json_connects_to_nothing(files: list[Path]) -> None:
    done = inveon("send", *files, "dicom://A@B:127.0.0.1:9", "--dry-run", "--json")
    document = json.loads(done.stdout)
    assert (done.exit_code, document["dry_run"], document["target"]) == (0, True, "dicom://A@B:127.0.0.1:9")
    size = sum(path.stat().st_size for path in files)
    kind = {"sop_class": "CT Image Storage", "transfer_syntax": "Explicit VR Little Endian", "files": 5, "bytes": size}
    assert document["kinds"] == [kind]


def test_pynetdicom_is_left_as_it_was(files: list[Path]) -> None:
    with store() as server:
        send(files, server.target, QUICK)
    assert _config.STORE_SEND_CHUNKED_DATASET is False


def test_errors_are_of_the_tree() -> None:
    assert issubclass(TargetError, InveonError)
