"""Files of our own that people edit or disks tear: refused or left out, with the line, and never the end of a run."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from helpers import assert_one_line_error, in_time, inveon, write_small_study
from in_process import batches_in_this_process
from inveonimaging import InveonError, Options, OutputError, convert
from inveonimaging.batches.existing import existing_study, is_whole
from inveonimaging.batches.ledger import Ledger, last_results
from inveonimaging.batches.study import Outcome, Record
from inveonimaging.batches.summary import Tally
from inveonimaging.sending.journal import State, opened
from inveonimaging.storage.manifests import MANIFEST
from inveonimaging.storage.staging import written_before
from inveonimaging.verification.manifest import manifest_beside
from storage.test_faults import posix, tree

LEDGER = "batch.jsonl"
VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 10**400, 1e308, "", "x", "\ud800", "\0", "../x", "\x1b[31m", [], {}, [[]], [{}], {"x": []}),
    *([None], [1], ["1"], {"name": 1}, float("nan"), float("inf"), "9" * 5000, "2014-03-04T05:06:07"),
)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small CT and a small PET."""
    return write_small_study(tmp_path_factory.mktemp("own") / "in" / "m1")


@pytest.fixture(scope="module")
def batch(study: Path) -> Path:
    """Return the output of a batch of it."""
    out = study.parent.parent / "batch"
    with pytest.MonkeyPatch.context() as patch:
        batches_in_this_process(patch)
        assert inveon("batch", study.parent, out, "-j", 1).exit_code == 0
    return out


@pytest.fixture
def out(batch: Path, tmp_path: Path) -> Path:
    """Return a copy of it."""
    return Path(shutil.copytree(batch, tmp_path / "out"))


def places(value: Any) -> list[tuple[Any, Any]]:
    """Return the places in a document, each as what it is in and its name there."""
    named: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        named = [(value, name) for name in value]
    elif isinstance(value, list):
        named = [(value, number) for number in range(len(value))]
    return named + [place for holder, name in named for place in places(holder[name])]


def edited(document: dict[str, Any], chance: random.Random) -> bytes:
    """Return a document as somebody may edit it, or a disk tear it."""
    copy = json.loads(json.dumps(document))
    for _ in range(chance.choice((1, 1, 1, 3))):
        holder, name = chance.choice(places(copy))
        if chance.random() < 0.2:
            with contextlib.suppress(LookupError):
                del holder[name]
        else:
            with contextlib.suppress(LookupError):
                holder[name] = chance.choice(VALUES)
    text = json.dumps(copy).encode()
    kind = chance.random()
    if kind < 0.1:
        return text[: chance.randrange(len(text))]
    if kind < 0.2:
        at = chance.randrange(len(text))
        return text[:at] + bytes([chance.randrange(256)]) + text[at + 1 :]
    return text


def mutations(document: dict[str, Any], number: int) -> Iterator[bytes]:
    chance = random.Random(13)  # noqa: S311 - repeatable
    for _ in range(number):
        yield edited(document, chance)


def test_a_manifest_that_was_edited_is_read_as_it_was_or_refused(out: Path) -> None:
    """What is read of it has the types that are expected, so that counting, comparing and replacing come to an end."""
    path = out / "m1" / MANIFEST
    before = json.loads(path.read_bytes())
    refused = 0
    for text in mutations(before, 300):
        path.write_bytes(text)
        manifest_beside([path.parent])
        with contextlib.suppress(InveonError):
            written_before(path.parent)
        found = None
        try:
            found = existing_study(path.parent)
        except OutputError as error:
            refused += str(error).startswith(f"{path}: is not as a conversion wrote it; move the study")
        if found is not None:
            is_whole(path.parent, found, by_digest=False)
            Tally().count(Record(source="", output="", result=Outcome.SKIPPED, findings=found.findings))
            assert found.sources
            assert found.series
    assert refused > 100


@pytest.mark.usefixtures("batches_here")
def test_a_study_whose_manifest_was_edited_is_not_replaced(study: Path, out: Path) -> None:
    path = out / "m1" / MANIFEST
    document = json.loads(path.read_bytes())
    document["findings"] = [{"code": ["x"], "severity": 5, "message": "", "file": None, "line": None}]
    path.write_text(json.dumps(document))
    before = tree(out / "m1")
    result = inveon("batch", study.parent, out, "-j", 1)
    assert result.exit_code == 1
    assert f"failed: {path}: is not as a conversion wrote it; move the study elsewhere" in result.stdout
    assert tree(out / "m1") == before


def test_a_ledger_that_was_edited_is_read_but_for_lines_that_are_none(out: Path) -> None:
    line = json.loads((out / LEDGER).read_bytes())
    other = json.dumps({**line, "output": "other"}).encode()
    skipped = 0
    for text in mutations(line, 300):
        (out / LEDGER).write_bytes(text + b"\n" + other + b"\n")
        results, unread = last_results(out)
        assert results["other"] == "converted"
        assert unread in ((), (1,))
        ledger = Ledger(out / LEDGER)
        assert ledger.unread == unread
        skipped += len(unread)
        for name in results:
            assert ledger.before(name) is not None
        ledger.append(Record(source="", output="third", result=Outcome.FAILED))
        ledger.compact()
        assert set(last_results(out)[0]) == {*results, "third"}
        assert last_results(out)[1] == ()
    assert skipped > 50


@pytest.mark.usefixtures("batches_here")
def test_lines_that_are_none_are_reported_by_their_numbers(study: Path, out: Path) -> None:
    line = (out / LEDGER).read_bytes()
    (out / LEDGER).write_bytes(b"no JSON\n\n" + line + b"[1]\n" + line.replace(b'"rows": []', b'"rows": 5'))
    result = inveon("batch", study.parent, out, "--dry-run")
    note = "note: 3 lines of batch.jsonl left out, written by no batch: 1, 4, 5"
    assert note in result.stdout.splitlines()
    result = inveon("batch", study.parent, out, "-j", 1)
    assert result.exit_code == 0
    assert note in result.stdout.splitlines()
    assert len((out / LEDGER).read_bytes().splitlines()) == 1


def test_a_last_line_without_its_end_counts(out: Path) -> None:
    """An editor has left the line feed away."""
    (out / LEDGER).write_bytes((out / LEDGER).read_bytes().rstrip(b"\n"))
    ledger = Ledger(out / LEDGER)
    assert ledger.before("m1") is not None
    ledger.append(Record(source="", output="other", result=Outcome.FAILED))
    ledger.compact()
    assert set(last_results(out)[0]) == {"m1", "other"}
    assert last_results(out)[1] == ()


@pytest.mark.parametrize("end", [b"", b'{"schema": 1, "sour', b"\0" * 200], ids=["none", "torn", "zeros"])
def test_a_last_line_that_was_torn_is_cut_off(out: Path, end: bytes) -> None:
    whole = (out / LEDGER).read_bytes()
    (out / LEDGER).write_bytes(whole + end)
    ledger = Ledger(out / LEDGER)
    assert ledger.unread == ()
    ledger.close()
    assert (out / LEDGER).read_bytes() == whole


@pytest.mark.parametrize("content", [b"precious", b"precious\n", b"[1, 2]\n{}\n", b'{"a": 1}', b"\0" * 50])
def test_another_file_by_the_name_of_the_ledger_stays_as_it_is(study: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / LEDGER).write_bytes(content)
    before = tree(tmp_path)
    for options in ((), ("--dry-run",)):
        result = inveon("batch", study.parent, tmp_path / "out", *options)
        line = assert_one_line_error(result.exit_code, result.stdout, result.stderr)
        if not options:
            assert f"{tmp_path / 'out' / LEDGER}: is not a ledger of a batch, expected a line of JSON" in line
        assert tree(tmp_path) == before


@posix
@pytest.mark.parametrize("kind", ["pipe", "device", "loop"])
def test_a_ledger_that_is_no_file_is_not_waited_for(study: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "out").mkdir()
    path = tmp_path / "out" / LEDGER
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero" if kind == "device" else path)
    for options in ((), ("--dry-run",)):
        with in_time():
            result = inveon("batch", study.parent, tmp_path / "out", *options)
        assert "Traceback" not in result.output
        assert result.exit_code == 1 or kind == "loop"


@posix
def test_a_draft_that_is_a_link_is_not_followed(out: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (out / ".batch.jsonl.draft").symlink_to(tmp_path / "victim")
    ledger = Ledger(out / LEDGER)
    ledger.compact()
    assert (tmp_path / "victim").read_bytes() == b"precious"
    assert not (out / LEDGER).is_symlink()


@pytest.mark.parametrize("name", [".inveon-batch.lock", "sent.jsonl.lock"])
def test_a_file_by_the_name_of_a_lock_is_not_removed(study: Path, out: Path, name: str) -> None:
    (out / name).write_bytes(b"precious")
    if name.startswith("."):
        result = inveon("batch", study.parent, out)
    else:
        result = inveon("send", out / "m1", "dicom://A@B:127.0.0.1:9", "--resume", out / "sent.jsonl")
    line = assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert f"{out / name}: exists already and is not a lock of this program; move it elsewhere" in line
    assert (out / name).read_bytes() == b"precious"


def test_a_journal_of_sending_that_was_edited_is_read_or_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "sent.jsonl"
    with opened(path, "x") as journal:
        journal.record("1.2.3", "a", State.SENT)
    first, line = path.read_bytes().splitlines(keepends=True)
    refused = 0
    for text in mutations(json.loads(line), 200):
        path.write_bytes(first + text + b"\n" + line)
        before = path.read_bytes()
        try:
            with opened(path, "x") as journal:
                assert journal.state("1.2.3", "a") is State.SENT
        except OutputError as error:
            refused += str(error).startswith(f"{path}:2: is not a line of a journal of inveon send; remove that line")
        assert path.read_bytes() == before
    assert refused > 50
    for text in mutations(json.loads(first), 200):
        path.write_bytes(text + b"\n" + line)
        with contextlib.suppress(OutputError), opened(path, "x"):
            pass
        assert path.read_bytes() == text + b"\n" + line


def test_a_manifest_of_an_option_beyond_all_reason_is_left_aside(study: Path, tmp_path: Path) -> None:
    """Verification takes hints from it, and compares all the same."""
    convert(study, tmp_path / "out", Options())
    path = tmp_path / "out" / MANIFEST
    document = json.loads(path.read_bytes())
    for name, value in (("cycle_ms", 10**400), ("cycle_ms", 1e300), ("flip", "xx"), ("bed_direction", [])):
        path.write_text(json.dumps({**document, "options": {**document["options"], name: value}}))
        assert inveon("verify", study, tmp_path / "out").exit_code == 0, name
