"""The hidden folder of an output: what a killed run left there goes away, and nothing else, whoever put it there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from helpers import CT_FILES, assert_one_line_error, in_time, inveon, write_small_study
from inveonimaging import Options, OutputError, convert
from inveonimaging.storage.manifests import MANIFEST
from inveonimaging.storage.staging import sweep
from storage.test_faults import PARTIAL, posix, tree

PRECIOUS = b"precious"
HALF = bytes(128) + b"DIC"  # of a DICOM file, as far as a killed run came


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a small CT and a small PET."""
    return write_small_study(tmp_path_factory.mktemp("in"))


@pytest.fixture(scope="module")
def converted(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what becomes of it."""
    convert(study, tmp_path_factory.mktemp("converted") / "out")
    return tmp_path_factory.getbasetemp() / "converted0" / "out"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a folder that does not exist."""
    return tmp_path / "out"


def journal(new: Path, names: list[str], old: list[str] | None = None) -> str:
    """Return a journal that names the files of a folder rightly."""
    files = [path for name in names for path in (sorted((new / name).iterdir()) if name != MANIFEST else [new / name])]
    digests = {path.relative_to(new).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}
    return json.dumps({"program": "inveonimaging", "new": digests, "old": old or []})


def hide(out: Path, content: str | bytes | None, new: tuple[str, ...] = (), old: tuple[str, ...] = ()) -> Path:
    """Make the hidden folder of an output, with a journal; return it."""
    partial = out / PARTIAL
    for folder in (partial / "new", partial / "old"):
        folder.mkdir(parents=True, exist_ok=True)
    if content is not None:
        (partial / "journal").write_bytes(content.encode() if isinstance(content, str) else content)
    for name in (*(f"new/{each}" for each in new), *(f"old/{each}" for each in old)):
        (partial / name).parent.mkdir(exist_ok=True)
        (partial / name).write_bytes(HALF)
    return partial


def refusal(study: Path, out: Path, *options: str) -> str:
    """Show that a conversion is refused in one line and changes nothing; return the line."""
    before = tree(out)
    result = inveon("convert", *options, study, out)
    line = assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert tree(out) == before
    return line


# What a killed run left.


@pytest.mark.parametrize("lost", [None, b"", bytes(100)], ids=["no journal", "an empty one", "zeros"])
def test_what_a_killed_run_left_goes_away(study: Path, converted: Path, out: Path, lost: bytes | None) -> None:
    partial = hide(out, lost, ("1/CT-000001.dcm",))
    (partial / "new" / "1" / "CT-000002.dcm").touch()
    (partial / "new" / "1" / "CT-000003.dcm").write_bytes(bytes(5000))  # as after a power failure
    (partial / "journal.draft").write_bytes(b'{"program": "inv')
    (partial / "new" / MANIFEST).write_bytes(b'{\n "sch')
    (partial / ".DS_Store").write_bytes(b"litter")
    assert inveon("convert", study, out).exit_code == 0
    assert tree(out) == tree(converted)


def test_what_was_begun_is_taken_back(study: Path, converted: Path, out: Path) -> None:
    shutil.copytree(converted, out)
    names = ["1", "2", MANIFEST]
    partial = hide(out, journal(out, names))
    for name in ("2", MANIFEST):
        (out / name).rename(partial / "new" / name)
    before = tree(out)
    assert inveon("convert", "--dry-run", study, out).exit_code == 0
    assert tree(out) == before
    assert inveon("convert", study, out).exit_code == 0
    assert tree(out) == tree(converted)


@pytest.mark.parametrize("options", [(), ("--dry-run",)], ids=["convert", "dry run"])
def test_a_study_that_is_whole_stays_with_what_was_added(
    study: Path, converted: Path, out: Path, options: tuple[str, ...]
) -> None:
    """Killed after the last rename: nothing is undone, and nothing replaced unasked."""
    shutil.copytree(converted, out)
    hide(out, journal(out, ["1", "2", MANIFEST]))
    (out / "1" / "notes.txt").write_bytes(PRECIOUS)
    assert "the output folder is not empty" in refusal(study, out, *options)
    assert f"{out / '1' / 'notes.txt'}: is of no earlier" in refusal(study, out, "--overwrite", *options)
    sweep(out)
    assert tree(out) == tree(converted) | {"1/notes.txt": PRECIOUS}


def test_a_commit_is_finished_when_all_is_renamed(study: Path, converted: Path, out: Path) -> None:
    """What was replaced goes, in whatever order the kill left it, and the study stays as it is."""
    shutil.copytree(converted, out)
    partial = hide(out, journal(out, ["1", "2", MANIFEST], ["1", "2", MANIFEST]))
    shutil.copytree(converted, partial / "old", dirs_exist_ok=True)
    shutil.rmtree(partial / "old" / "1")
    assert "the output folder is not empty" in refusal(study, out)
    sweep(out)
    assert tree(out) == tree(converted)


# What somebody put there.

FOREIGN_JOURNALS: dict[str, Any] = {
    "a name": ["precious"],
    "names of ours": ["1", MANIFEST],
    "no list": 5,
    "another program": {"program": "another", "new": {"1/a": "0"}, "old": []},
    "a foreign name": {"program": "inveonimaging", "new": {"precious": "0"}, "old": []},
    "a file in a foreign folder": {"program": "inveonimaging", "new": {"precious/file": "0"}, "old": []},
    "a foreign name that gives way": {"program": "inveonimaging", "new": {"1/a": "0"}, "old": ["precious"]},
    "a report that is new": {"program": "inveonimaging", "new": {"report.html": "0"}, "old": []},
    "outside": {"program": "inveonimaging", "new": {"../victim": "0"}, "old": ["../victim"]},
    "deeper": {"program": "inveonimaging", "new": {"1/../precious": "0", "1/b/c": "0"}, "old": []},
    "nothing new": {"program": "inveonimaging", "new": {}, "old": ["1"]},
    "digests of other types": {"program": "inveonimaging", "new": {"1/a": ["0"]}, "old": []},
    "names of other types": {"program": "inveonimaging", "new": {"1/a": "0"}, "old": [["1"], None]},
    "a list of names": {"program": "inveonimaging", "new": ["1/a"], "old": []},
    "no JSON": b"\xff\xfe{",
    "deep": b"[" * 100_000,
    "a text": b"my journal: nothing happened today",
}


@pytest.mark.parametrize("content", FOREIGN_JOURNALS.values(), ids=FOREIGN_JOURNALS)
def test_a_journal_of_somebody_else_deletes_nothing(
    study: Path, converted: Path, out: Path, tmp_path: Path, content: Any
) -> None:
    shutil.copytree(converted, out)
    for folder in (out / "precious", tmp_path / "victim"):
        folder.mkdir()
        (folder / "file").write_bytes(PRECIOUS)
    hide(out, content if isinstance(content, bytes) else json.dumps(content))
    for options in ((), ("--dry-run",), ("--overwrite",), ("--overwrite", "--dry-run")):
        line = refusal(study, out, *options)
        assert line.startswith(f"error: {out / PARTIAL / 'journal'}: is not a journal of a conversion; move what")
    before = tree(out)
    sweep(out)
    assert tree(out) == before
    assert tree(tmp_path / "victim") == {"file": PRECIOUS}


def test_a_list_of_names_deletes_nothing_of_an_output_without_a_study(study: Path, out: Path) -> None:
    out.mkdir()
    (out / "precious").write_bytes(PRECIOUS)
    hide(out, '["precious"]')
    for options in ((), ("--dry-run",), ("--overwrite",)):
        assert "is not a journal of a conversion" in refusal(study, out, *options)


def other_digest(out: Path) -> None:
    (out / "1" / "CT-000001.dcm").write_bytes(PRECIOUS)


def other_file(out: Path) -> None:
    (out / "1" / "notes.txt").write_bytes(PRECIOUS)


def other_folder(out: Path) -> None:
    (out / "1" / "seg").mkdir()


def hidden_file(out: Path) -> None:
    (out / "1" / ".notes").write_bytes(PRECIOUS)


def no_folder(out: Path) -> None:
    shutil.rmtree(out / "1")
    (out / "1").write_bytes(PRECIOUS)


@pytest.mark.parametrize("change", [other_digest, other_file, other_folder, hidden_file, no_folder])
@pytest.mark.parametrize("options", [(), ("--overwrite",), ("--dry-run",)], ids=" ".join)
def test_what_is_begun_and_has_something_of_somebody_stays(
    study: Path, converted: Path, out: Path, change: Callable[[Path], None], options: tuple[str, ...]
) -> None:
    shutil.copytree(converted, out)
    partial = hide(out, journal(out, ["1", "2", MANIFEST]))
    (out / "2").rename(partial / "new" / "2")
    change(out)
    assert "was not left by a conversion that was killed; move what you need" in refusal(study, out, *options)


IN_THE_HIDDEN_FOLDER = {
    "beside": "precious.txt",
    "a folder": "precious/file",
    "among the new": "new/precious",
    "among the new, a folder": "new/precious/file",
    "in a new series": "new/1/notes.txt",
    "in a folder of a new series": "new/1/seg/1.dcm",
    "a report that is new": "new/report.html",
    "a new manifest": f"new/{MANIFEST}",
    "among the old": "old/precious",
    "a series among the old": "old/1/CT-000001.dcm",
    "the lock": "lock",
    "the draft": "journal.draft",
}


@pytest.mark.parametrize("name", IN_THE_HIDDEN_FOLDER.values(), ids=IN_THE_HIDDEN_FOLDER)
@pytest.mark.parametrize("options", [(), ("--overwrite",)], ids=["convert", "overwrite"])
def test_what_somebody_put_into_the_hidden_folder_stays(
    study: Path, out: Path, name: str, options: tuple[str, ...]
) -> None:
    path = hide(out, None, ("2/PET-000001.dcm",)) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PRECIOUS)
    assert "was not left by a conversion that was killed" in refusal(study, out, *options)
    before = tree(out)
    sweep(out)
    assert tree(out) == before


@pytest.mark.parametrize("name", ["precious", "new/precious", "new/2/notes.txt"])
def test_nothing_is_taken_back_beside_something_of_somebody(study: Path, converted: Path, out: Path, name: str) -> None:
    shutil.copytree(converted, out)
    partial = hide(out, journal(out, ["1", "2", MANIFEST]))
    (out / "2").rename(partial / "new" / "2")
    (partial / name).write_bytes(PRECIOUS)
    for options in ((), ("--overwrite",)):
        assert f"{partial / name}: was not left by a conversion that was killed" in refusal(study, out, *options)


def test_what_gave_way_is_not_put_over_what_came_meanwhile(study: Path, converted: Path, out: Path) -> None:
    shutil.copytree(converted, out)
    partial = hide(out, journal(out, ["1"], ["2", MANIFEST]))
    (out / "1").rename(partial / "new" / "1")
    for name in ("2", MANIFEST):
        shutil.move(out / name, partial / "old" / name)
    (out / "2").mkdir()
    (out / "2" / "file").write_bytes(PRECIOUS)
    assert f"{out / '2'}: was not left by a conversion" in refusal(study, out, "--overwrite")


@pytest.mark.parametrize("name", ["1/notes.txt", "7/PET-000001.dcm", "report.html"])
def test_what_gave_way_and_is_not_listed_is_not_removed(study: Path, converted: Path, out: Path, name: str) -> None:
    shutil.copytree(converted, out)
    partial = hide(out, journal(out, ["1", "2", MANIFEST], ["1", "2", MANIFEST, "report.html", "7"]))
    shutil.copytree(converted, partial / "old", dirs_exist_ok=True)
    path = partial / "old" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(PRECIOUS)
    assert f"{path}: " in refusal(study, out, "--overwrite")


@posix
@pytest.mark.parametrize("name", ["new", "old", "new/1", "old/1", "journal", "lock", "new/1/CT-000001.dcm"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_link_or_a_pipe_in_the_hidden_folder_is_not_followed(
    study: Path, out: Path, tmp_path: Path, name: str, kind: str
) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "victim" / "1").write_bytes(HALF)
    path = out / PARTIAL / name
    path.parent.mkdir(parents=True)
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(tmp_path / "victim" / ("1" if "." in name or name in {"journal", "lock"} else ""))
    with in_time():
        result = inveon("convert", study, out)
    assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert path.is_symlink() or path.is_fifo()
    assert tree(tmp_path / "victim") == {"1": tree(tmp_path / "victim")["1"]}
    assert list(out.iterdir()) == [out / PARTIAL]


def test_a_hidden_folder_that_is_a_file_is_refused(study: Path, out: Path) -> None:
    out.mkdir()
    (out / PARTIAL).write_bytes(PRECIOUS)
    assert f"{out / PARTIAL}: is not a folder" in refusal(study, out)


# What --overwrite replaces.


@pytest.mark.parametrize("name", [".notes", "CT-000001.dcm", "seg"])
def test_only_files_that_are_listed_are_replaced(study: Path, converted: Path, out: Path, name: str) -> None:
    """A hidden file, and a folder that has the name of a file, are somebody's."""
    shutil.copytree(converted, out)
    if name == ".notes":
        (out / "1" / name).write_bytes(PRECIOUS)
    else:
        (out / "1" / name).unlink(missing_ok=True)
        (out / "1" / name).mkdir()
    with pytest.raises(OutputError, match="is of no earlier conversion"):
        convert(study, out, Options(overwrite=True))
    assert set(tree(converted)) <= set(tree(out))
    assert CT_FILES[0] in tree(out)
