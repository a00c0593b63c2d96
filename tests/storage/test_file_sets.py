"""Files that appear together: who is killed while they do, and who comes next."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers import LAST_RESORT_S, inveon, write_small_study
from inveonimaging import OutputError
from inveonimaging.storage.file_sets import file_set, refuse_taken_names
from inveonimaging.storage.set_records import take_back

NAMES = ("one", "two", "three")
HIDDEN = ".inveon-" + "0" * 32
DIE_AT = """if True:
    import os, signal, sys
    from pathlib import Path
    from inveonimaging.storage.file_sets import file_set

    def dying(function, left):
        def wrapped(*arguments, **options):
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)
            left[0] -= 1
            return function(*arguments, **options)
        return wrapped

    for output in sys.argv[1:]:
        is_over = "over" in Path(output).name
        for number in Path(output).name.split("-")[1:]:  # "over-8-2": at the 8th step, and the next at the 2nd
            if not os.fork():
                left = [int(number)]
                for name in ("rename", "replace", "unlink"):
                    setattr(Path, name, dying(getattr(Path, name), left))
                with file_set(Path(output), ("one", "two", "three"), overwrite=is_over) as drafts:
                    for name, draft in drafts.items():
                        draft.write_text("new " + name)
                os._exit(0)
            _, status = os.wait()
            print(output, {9: "killed", 0: "done"}.get(status, status))
"""


def write(folder: Path, *, overwrite: bool = False) -> None:
    """Write the three files."""
    with file_set(folder, NAMES, overwrite=overwrite) as drafts:
        for name, draft in drafts.items():
            draft.write_text(f"new {name}")


def content(folder: Path) -> dict[str, str]:
    """Return what is in a folder, by names; hidden files, too."""
    return {path.name: path.read_text() for path in folder.iterdir()}


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
@pytest.mark.parametrize("kind", ["plain", "over"])
def test_who_is_killed_at_any_step_is_taken_back_by_the_next(tmp_path: Path, kind: str) -> None:
    """Before each rename and removal, and likewise while the next run takes it back."""
    last = 8 if kind == "plain" else 14
    numbers = [str(n) for n in range(last)] + [f"{n}-{m}" for n in range(2, last, 2) for m in (1, 4)]
    old = {"one": "old one", "three": "old three", "notes": "mine"} if kind == "over" else {"notes": "mine"}
    new = {**old, **{name: f"new {name}" for name in NAMES}}
    targets = [tmp_path / f"{kind}-{number}" for number in numbers]
    for target in targets:
        target.mkdir()
        for name, text in old.items():
            (target / name).write_text(text)
    command = [sys.executable, "-c", DIE_AT, *map(str, targets)]
    done = subprocess.run(command, capture_output=True, check=True, encoding="utf-8", timeout=LAST_RESORT_S)
    assert done.stdout.count("killed") > len(targets)
    is_half = 0
    for target in targets:
        there = {name: text for name, text in content(target).items() if not name.startswith(".")}
        is_half += there not in (old, new)
        assert all(text in (old.get(name), new.get(name)) for name, text in there.items())  # each file is whole
        take_back(target)
        assert content(target) in (old, new), f"{target.name}: {sorted(content(target))}"
        if content(target) == old or kind == "over":
            refuse_taken_names(target, NAMES, overwrite=kind == "over")
            write(target, overwrite=kind == "over")
        assert content(target) == new
    assert is_half >= 2


def killed(folder: Path, **changes: Any) -> Path:
    """Leave what a run leaves that was killed when `one` had its name, and others had not; return the record."""
    folder.mkdir(exist_ok=True)
    (folder / "one").write_text("new one")
    drafts = {f".inveon-{number:032x}.part": name for number, name in enumerate(NAMES)}
    for hidden in list(drafts)[1:]:
        (folder / hidden).write_text("half")
    status = (folder / "one").stat()
    given = {"one": [status.st_ino, status.st_size, status.st_mtime_ns], "two": [1, 2, 3], "three": [1, 2, 4]}
    document = {"program": "inveonimaging", "drafts": drafts, "aside": {}, "given": given, **changes}
    (folder / f"{HIDDEN}.set").write_text(json.dumps(document))
    return folder / f"{HIDDEN}.set"


def test_what_was_begun_is_free_and_a_dry_look_changes_nothing(tmp_path: Path) -> None:
    killed(tmp_path / "out")
    before = content(tmp_path / "out")
    refuse_taken_names(tmp_path / "out", NAMES, overwrite=False)
    assert content(tmp_path / "out") == before
    write(tmp_path / "out")
    assert content(tmp_path / "out") == {name: f"new {name}" for name in NAMES}


def test_a_run_that_lives_is_left_alone(tmp_path: Path) -> None:
    from filelock import FileLock

    with file_set(tmp_path / "out", ("a",)) as drafts:
        drafts["a"].write_text("first")
        (record,) = (tmp_path / "out").glob("*.set")
        with FileLock(tmp_path / "out" / "other.lock"):
            take_back(tmp_path / "out")
        write(tmp_path / "out")
        assert record.exists()
        assert drafts["a"].read_text() == "first"
    (tmp_path / "out" / "other.lock").unlink(missing_ok=True)
    assert sorted(content(tmp_path / "out")) == ["a", *sorted(NAMES)]


def test_what_is_another_file_by_now_is_never_removed(tmp_path: Path) -> None:
    """It was written anew since, or the record names what nobody gave."""
    record = killed(tmp_path)
    (tmp_path / "one").write_text("mine, by now")
    with pytest.raises(OutputError, match="exists already"):
        write(tmp_path)
    assert record.exists()  # who is refused changes nothing
    take_back(tmp_path)
    assert content(tmp_path) == {"one": "mine, by now"}


@pytest.mark.parametrize(
    "changes",
    [
        {"program": "other"},
        {"drafts": {"../x.part": "one"}},
        {"drafts": {"notes": "one"}},
        {"aside": {"notes": "one"}},
        {"given": {"../one": [1, 2, 3]}},
        {"given": {"one": [1, 2]}},
        {"given": {"one": "text"}},
        {"given": [[[[]]]]},
    ],
    ids=str,
)
def test_a_record_of_somebody_else_moves_and_removes_nothing(tmp_path: Path, changes: dict[str, Any]) -> None:
    record = killed(tmp_path, **changes)
    before = content(tmp_path)
    take_back(tmp_path)
    refuse_taken_names(tmp_path, ("new",), overwrite=False)
    assert content(tmp_path) == before
    record.write_text("[" * 100_000)
    take_back(tmp_path)
    record.unlink()
    record.mkdir()
    take_back(tmp_path)
    assert record.is_dir()


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
def test_a_lock_that_is_not_ours_is_never_opened(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("precious")
    record = killed(tmp_path / "out")
    record.with_suffix(".lock").symlink_to(tmp_path / "mine")
    take_back(tmp_path / "out")
    assert (tmp_path / "mine").read_text() == "precious"
    assert record.exists()


def test_inveon_restore_goes_on_where_one_was_killed(tmp_path: Path) -> None:
    write_small_study(tmp_path / "in")
    assert inveon("convert", tmp_path / "in", tmp_path / "dicom").exit_code == 0
    killed(tmp_path / "out")
    assert inveon("restore", tmp_path / "dicom", tmp_path / "out").exit_code == 0
    assert sorted(content_names(tmp_path / "out")) == ["m1.ct.img", "m1.ct.img.hdr", "m1.pet.img", "m1.pet.img.hdr"]


def content_names(folder: Path) -> list[str]:
    """Return the names in a folder."""
    return [path.name for path in folder.iterdir()]
