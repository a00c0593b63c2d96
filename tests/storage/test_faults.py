"""Kills, full disks, two runs at once, unusual names and files, and input that changes: whole studies or none."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from filelock import FileLock

from forked import Running, running_forked
from helpers import (
    CT,
    LAST_RESORT_S,
    PET,
    assert_one_line_error,
    files_below,
    held_by,
    in_time,
    inveon,
    write_small_study,
)
from inveonimaging import DataError, Options, OutputError, convert
from inveonimaging.conversion import job, summary
from inveonimaging.phantom import CT_SCAN, PET_SCAN, frames_of, write_scan
from inveonimaging.physics.quantification import extent_of
from inveonimaging.storage import staging as output
from inveonimaging.storage.leftovers import listed_files
from inveonimaging.storage.staging import staged, sweep, write_file

pytestmark = pytest.mark.faults

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX only")
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")
PARTIAL, MANIFEST = ".inveon-partial", "inveon-manifest.json"
SLICES = 90  # of a CT, and of a PET's two frames
LAST = f"PET-{SLICES:06}.dcm"  # the last of the files
LONG_NAME = "ä" * 127 + "x"  # 255 bytes

Tree = dict[str, bytes | None]


def tree(folder: Path) -> Tree:
    """Return all that is below a folder, hidden or not: what `held_by` makes of files, None for folders."""
    return {
        path.relative_to(folder).as_posix(): held_by(path) if path.is_file() else None
        for path in folder.rglob("*")
        if not path.is_fifo()
    }


def parts(folder: Path) -> dict[str, Tree]:
    """Return a tree by its topmost names."""
    found: dict[str, Tree] = {}
    for name, content in tree(folder).items():
        found.setdefault(name.partition("/")[0], {})[name] = content
    return found


def write_study(folder: Path) -> Path:
    """Write a study that takes about half a second."""
    folder.mkdir(parents=True)
    ct = replace(CT_SCAN, shape=(6, 6, SLICES), spacing_mm=(5.0, 5.0, 60 / SLICES))
    pet = replace(PET_SCAN, shape=(6, 6, SLICES // 2), spacing_mm=(5.0, 5.0, 120 / SLICES), frames=frames_of(20, 40))
    write_scan(folder / "m1.ct.img", ct)
    write_scan(folder / "m1.pet.img", pet)
    return folder


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Return a folder with a small CT and a small PET."""
    return write_small_study(tmp_path / "in")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a folder that does not exist, in one that does not exist."""
    return tmp_path / "new" / "out"


@pytest.fixture(scope="module")
def long_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a study that takes about half a second."""
    return write_study(tmp_path_factory.mktemp("long") / "in")


@pytest.fixture(scope="module")
def reference(long_study: Path) -> Tree:
    """Return what becomes of it."""
    convert(long_study, long_study.parent / "out")
    return tree(long_study.parent / "out")


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an older output: three other series, their manifest, and somebody's notes."""
    folder = tmp_path_factory.mktemp("older")
    write_scan(write_small_study(folder / "in") / "m2.ct.img", CT)
    convert(folder / "in", folder / "out")
    (folder / "out" / "notes.txt").write_text("precious")
    return folder / "out"


def test_the_studies_are_what_the_tests_here_take_them_for(reference: Tree, older: Path) -> None:
    assert {name for name in reference if "/" not in name} == {"1", "2", MANIFEST}
    assert len(reference) == 3 + 2 * SLICES
    assert {path.name for path in older.iterdir()} == {"1", "2", "3", MANIFEST, "notes.txt"}


# Real processes.


def running(*arguments: object) -> contextlib.AbstractContextManager[Running]:
    """Run `inveon ARGUMENTS`; as `running_forked`."""
    return running_forked("-m", "inveonimaging", *arguments)


HELD = """
import time
from inveonimaging.conversion import writing

def write_file(path, parts, plain=writing.write_file):
    if path.name == {last!r}:
        time.sleep({seconds})
    return plain(path, parts)

writing.write_file = write_file

if __name__ == "__main__":
    from inveonimaging.cli.main import app
    app(prog_name="inveon")
"""


def running_held(script: Path, last: str, *arguments: object) -> contextlib.AbstractContextManager[Running]:
    """Run `inveon ARGUMENTS` so that whoever is to write the last file waits there: it is never over by itself."""
    script.write_text(HELD.format(last=last, seconds=10 * LAST_RESORT_S))
    return running_forked(script, *arguments)


def is_alive(group: int) -> bool:
    """Return whether a process of a group still runs."""
    if not Path("/proc/self/stat").exists():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, 0)
            return True
        return False
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, of_group, *_ = file.read_text().rpartition(")")[2].split()
            if int(of_group) == group and state not in "ZX":
                return True
    return False


def assert_all_end(group: int, seconds: float = LAST_RESORT_S) -> None:
    """Show that no process of a group outlives the first one."""
    until = time.monotonic() + seconds
    while is_alive(group):
        assert time.monotonic() < until, "a process is left"
        time.sleep(0.01)


def wait_for(path: Path, process: Running) -> None:
    """Wait until there is a file or folder, or the process has ended."""
    until = time.monotonic() + LAST_RESORT_S
    while not path.exists() and process.poll() is None:
        assert time.monotonic() < until, f"{path.name} does not appear"
        time.sleep(0.002)


def moments(study: Path, out: Path) -> tuple[float, float]:
    """Return when a run begins to work in its output, and when it ends, in seconds after its start."""
    start = time.monotonic()
    with running("convert", study, out) as process:
        wait_for(out / PARTIAL, process)
        begin = time.monotonic()
        process.communicate(timeout=LAST_RESORT_S)
        assert process.returncode == 0
    return begin - start, time.monotonic() - start


def assert_whole(out: Path, *allowed: dict[str, Tree]) -> None:
    """Show that all that is in an output is as in one of the allowed ones."""
    for name, content in parts(out).items():
        assert name == PARTIAL or any(each.get(name) == content for each in allowed), f"{name} is not whole"


@posix
@pytest.mark.parametrize(("kills", "is_over"), [(3, False), (2, True)], ids=str)
def test_who_is_killed_at_any_moment_leaves_nothing_half_written(
    long_study: Path, reference: Tree, older: Path, tmp_path: Path, kills: int, is_over: bool
) -> None:
    options = ["--overwrite"] if is_over else []
    begin, end = moments(long_study, tmp_path / "measured")
    chance = random.Random(f"{is_over}")  # noqa: S311 - repeatable
    new = parts(long_study.parent / "out")
    old = parts(older) if is_over else {}
    expected = reference | ({"notes.txt": b"precious"} if is_over else {})
    for number in range(kills):
        target = tmp_path / str(number)
        if is_over:
            shutil.copytree(older, target)
        moment = chance.uniform(0.8 * begin, end)
        is_held = number % 4 == 0  # it is killed while it works, however fast that is
        command = ("convert", *options, long_study, target)
        with running_held(tmp_path / "held.py", LAST, *command) if is_held else running(*command) as process:
            if is_held or moment > begin:
                wait_for(target / PARTIAL, process)
                moment = max(moment - begin, 0)
            time.sleep(moment)
            assert not is_held or process.poll() is None
            process.kill()
            process.wait()
            assert_all_end(process.pid)
            process.communicate(timeout=LAST_RESORT_S)
        assert_whole(target, old, new)
        was_done = set(expected) <= set(tree(target))
        assert not is_held or (target / PARTIAL).exists()
        result = inveon("convert", *options, long_study, target)
        if was_done and not is_over:
            assert "is not empty" in assert_one_line_error(result.exit_code, result.stdout, result.stderr)
            sweep(target)
        else:
            assert result.exit_code == 0, result.output
        assert tree(target) == expected
        shutil.rmtree(target)


@contextlib.contextmanager
def left_at_each_step(output: Path, copies: Path) -> Iterator[list[Path]]:
    """Yield copies of an output that are made before each step of a commit: so does who is killed there leave it.

    A step gives another name, or takes the journal away.
    """
    made: list[Path] = []

    def copying(plain: Callable[..., object]) -> Callable[..., object]:
        def wrapped(path: Path, *rest: object, **options: object) -> object:
            if plain is not unlink or path.name == "journal":
                made.append(copies / str(len(made)))
                shutil.copytree(output, made[-1])
            return plain(path, *rest, **options)

        return wrapped

    unlink = Path.unlink
    with pytest.MonkeyPatch.context() as patch:
        for name in ("rename", "replace", "unlink"):
            patch.setattr(Path, name, copying(getattr(Path, name)))
        yield made


@pytest.mark.parametrize("is_over", [False, True], ids=["plain", "overwrite"])
def test_who_is_killed_between_two_renames_is_undone(tmp_path: Path, is_over: bool) -> None:
    """Killed before each of the steps of a commit, and in the same way while the next run undoes it."""
    study, older, out = tmp_path / "in", tmp_path / "older", tmp_path / "out"
    ct, pet = (replace(scan, shape=(8, 7, 2), frames=scan.frames[:1]) for scan in (CT, PET))
    for name, scan in (("m1.ct.img", ct), ("m1.pet.img", pet), ("m2.ct.img", ct)):
        for folder in (study, older / "in")[name == "m2.ct.img" :]:
            folder.mkdir(parents=True, exist_ok=True)
            write_scan(folder / name, scan)
    convert(older / "in", older / "out")
    older = older / "out"
    (older / "notes.txt").write_text("precious")
    convert(study, tmp_path / "reference")
    if is_over:
        shutil.copytree(older, out)
    with left_at_each_step(out, tmp_path / "killed") as killed:
        convert(study, out, Options(overwrite=is_over))
    assert len(killed) == 1 + (3 + 1 if is_over else 0) + 3 + 1  # the journal, old names, new names, the journal
    new, old = parts(tmp_path / "reference"), parts(older) if is_over else {}
    expected = tree(tmp_path / "reference") | ({"notes.txt": b"precious"} if is_over else {})
    assert tree(out) == expected
    undone = 0
    for target in killed:
        assert_whole(target, old, new)
        shutil.copytree(target, tmp_path / "undone" / target.name)
        with left_at_each_step(tmp_path / "undone" / target.name, tmp_path / "killed again" / target.name) as again:
            sweep(tmp_path / "undone" / target.name)
        for half in (*again, tmp_path / "undone" / target.name):
            assert_whole(half, old, new)
            undone += half in again
            sweep(half)
            assert tree(half) == (expected if target is killed[-1] else tree(older) if is_over else {})
        if not is_over and parts(target).keys() >= new.keys():  # whole: killed at the last step
            before = tree(target)
            with pytest.raises(OutputError, match="is not empty"):
                convert(study, target)
            assert tree(target) == before
            sweep(target)
        else:
            convert(study, target, Options(overwrite=is_over))
        assert tree(target) == expected
    assert undone == sum(range(1, len(killed) - 1)) + 1  # each name is taken back, and the journal away; or that alone


class TestTwoAtOnce:
    """Two runs into one target."""

    @posix
    def test_one_writes_all_and_the_other_says_so(self, long_study: Path, reference: Tree, tmp_path: Path) -> None:
        for number in range(3):
            target = tmp_path / str(number)
            command = ("convert", long_study, target)
            with running(*command) as one, running(*command) as other:
                messages = [(*each.communicate(timeout=LAST_RESORT_S), each.returncode) for each in (one, other)]
            loser, winner = sorted(messages, key=lambda each: each[2] == 0)
            assert winner[2] == 0
            line = assert_one_line_error(loser[2], *loser[:2])
            assert "another conversion is writing here" in line or "the output folder is not empty" in line
            assert tree(target) == reference

    @posix
    def test_with_overwrite_they_follow_each_other_or_one_gives_way(
        self, long_study: Path, reference: Tree, older: Path, tmp_path: Path
    ) -> None:
        shutil.copytree(older, tmp_path / "out")
        command = ("convert", "--overwrite", long_study, tmp_path / "out")
        with running(*command) as one, running(*command) as other:
            messages = [(*each.communicate(timeout=LAST_RESORT_S), each.returncode) for each in (one, other)]
        assert 0 in {code for _, _, code in messages}
        for stdout, stderr, code in messages:
            assert not code or "another conversion" in assert_one_line_error(code, stdout, stderr)
        assert tree(tmp_path / "out") == reference | {"notes.txt": b"precious"}

    def test_who_looks_while_another_brings_files_to_their_places_follows_it(
        self, study: Path, long_study: Path, older: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The manifest that it has read is not that of the folders that it finds."""
        shutil.copytree(older, out)
        convert(study, tmp_path / "expected")

        def meanwhile(manifest: Path) -> dict[str, set[str]]:
            found = listed_files(manifest)
            monkeypatch.setattr(output, "listed_files", listed_files)
            convert(long_study, out, Options(overwrite=True))
            return found

        monkeypatch.setattr(output, "listed_files", meanwhile)
        convert(study, out, Options(overwrite=True))
        assert output.listed_files is listed_files  # type: ignore[attr-defined]
        assert tree(out) == tree(tmp_path / "expected") | {"notes.txt": b"precious"}

    @pytest.mark.parametrize("options", [[], ["--overwrite"]])
    def test_who_comes_while_another_writes_harms_nothing(self, study: Path, out: Path, options: list[str]) -> None:
        (out / PARTIAL / "new" / "1").mkdir(parents=True)
        (out / PARTIAL / "new" / "1" / "CT-000001.dcm").write_bytes(bytes(100))  # the beginning of its preamble
        with FileLock(out / PARTIAL / "lock"):
            before = tree(out)
            result = inveon("convert", *options, study, out)
            line = assert_one_line_error(result.exit_code, result.stdout, result.stderr)
            assert line == f"error: {out}: another conversion is writing here; wait until it has ended\n"
            assert tree(out) == before
        assert inveon("convert", *options, study, out).exit_code == 0  # it was killed
        assert {path.name for path in out.iterdir()} == {"1", "2", MANIFEST}

    def test_who_ends_leaves_the_next_ones_work_alone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The next run takes the hidden folder in the moment in which the first lets go of it."""
        stack = contextlib.ExitStack()
        stages: list[output.Stage] = []

        def begin() -> None:
            stages.append(stack.enter_context(staged(tmp_path / "out", may_be_used=True)))

        class Handing(FileLock):
            def release(self, force: bool = False) -> None:
                if self.is_locked and not stages:
                    other = threading.Thread(target=begin)  # which leaves the signals to this one
                    other.start()
                    other.join()
                super().release(force)

        monkeypatch.setattr(output, "FileLock", Handing)
        with staged(tmp_path / "out") as first:
            first.commit({"1": [write_file(first.folder("1") / "a", (b"first",))]})
        (second,) = stages
        assert (tmp_path / "out" / PARTIAL / "lock").exists()
        second.commit({"2": [write_file(second.folder("2") / "a", (b"second",))]})
        stack.close()
        assert tree(tmp_path / "out") == {"1": None, "1/a": b"first", "2": None, "2/a": b"second"}


# What a killed run leaves, or somebody puts there.


@posix
def test_a_hidden_folder_that_is_a_link_is_refused(study: Path, out: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").write_bytes(b"precious")
    out.mkdir(parents=True)
    (out / PARTIAL).symlink_to(tmp_path / "precious")
    result = inveon("convert", study, out)
    assert "is a link" in assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert tree(tmp_path / "precious") == {"file": b"precious"}


def test_a_file_that_appears_meanwhile_is_not_overwritten(study: Path, out: Path) -> None:
    def progress(_done: int, _total: int) -> None:
        (out / MANIFEST).write_bytes(b"precious")

    with pytest.raises(OutputError, match=r"inveon-manifest\.json: exists already"):
        convert(study, out, progress=progress)
    assert tree(out) == {MANIFEST: b"precious"}


def assert_same_beside_hidden(out: Path, expected: Path) -> None:
    found = parts(out)
    del found[PARTIAL]
    assert found == parts(expected)


class TestWhatCannotBeUndone:
    """The old study is never lost, even if it cannot be put back at once."""

    def failing_after(self, monkeypatch: pytest.MonkeyPatch, calls: int, error: BaseException) -> None:
        rename, number = Path.rename, count()

        def failing(path: Path, target: Path) -> Path:
            if next(number) >= calls:
                raise error
            return rename(path, target)

        monkeypatch.setattr(Path, "rename", failing)

    @pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
    @pytest.mark.parametrize("calls", range(1, 7))
    def test_the_next_run_puts_it_back(
        self, study: Path, older: Path, out: Path, monkeypatch: pytest.MonkeyPatch, calls: int, error: BaseException
    ) -> None:
        shutil.copytree(older, out)
        with monkeypatch.context() as patch:
            self.failing_after(patch, calls, error)
            result = inveon("convert", "--overwrite", study, out)
        assert_one_line_error(
            result.exit_code, result.stdout, result.stderr, 130 if isinstance(error, KeyboardInterrupt) else 1
        )
        with staged(out, may_be_used=True):
            assert_same_beside_hidden(out, older)
        assert tree(out) == tree(older)


# Disks.


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Return a function that mounts a small disk in memory, for who may."""
    folders: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk{len(folders)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
        if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip("may not mount")
        folders.append(folder)
        return folder

    yield mount
    for folder in folders:
        subprocess.run(["umount", "-l", folder], check=True)


@linux
@pytest.mark.parametrize("size", ["size=200k", "size=600k", "nr_inodes=30", "nr_inodes=3", "nr_inodes=6", "size=4k"])
def test_a_full_disk_is_one_line_and_leaves_nothing(
    long_study: Path, mounted: Callable[[str], Path], size: str
) -> None:
    disk = mounted(size)
    result = inveon("convert", long_study, disk / "out")
    line = assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert line == f"error: {disk / 'out'}: cannot be written: No space left on device\n"
    assert list(disk.iterdir()) == []


@linux
def test_a_full_disk_leaves_the_older_study(
    long_study: Path, older: Path, mounted: Callable[[str], Path], tmp_path: Path
) -> None:
    before = tree(older)
    disk = mounted("size=900k")
    shutil.copytree(older, disk / "out")
    result = inveon("convert", "--overwrite", long_study, disk / "out")
    assert "No space left" in assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert tree(disk / "out") == before
    assert tmp_path in disk.parents


@linux
@pytest.mark.parametrize("options", [[], ["--overwrite"]])
def test_a_disk_that_cannot_be_written_to_is_one_line(
    study: Path, mounted: Callable[[str], Path], options: list[str]
) -> None:
    disk = mounted("ro")
    for target in (disk, disk / "new" / "out"):
        result = inveon("convert", *options, study, target)
        assert "Read-only" in assert_one_line_error(result.exit_code, result.stdout, result.stderr)


@linux
def test_input_and_output_on_other_file_systems(study: Path, mounted: Callable[[str], Path], out: Path) -> None:
    convert(study, out)
    disk = mounted("size=20m")
    shutil.copytree(study, disk / "in")
    for source, target in ((study, disk / "out"), (disk / "in", disk / "two"), (disk / "in", out.parent / "three")):
        convert(source, target)
        assert tree(target) == tree(out)


# Names.

NAMES = {
    "spaces": " a  b ",
    "quotes": 'it\'s "so" `it` $HOME',
    "newline": "one\ntwo",
    "non-ASCII": "Mäuse, 鼠 🐭",
    "decomposed": "Ma\u0308use",
    "right to left": "\u202efdp.exe",
    "escape sequence": "\x1b[31mred",
    "a dash": "-x",
    "percent": "%s %n {0} [b]x",
    "no Unicode": os.fsdecode(b"\xff\xfe"),
    "longest": LONG_NAME,
}


@posix
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_folders_may_have_any_name(study: Path, tmp_path: Path, name: str) -> None:
    convert(study, tmp_path / "out")
    folder = tmp_path / "odd"
    try:
        shutil.copytree(study, folder / name)
    except OSError:
        pytest.skip("no name of this file system")
    result = inveon("convert", "--", folder / name, folder / "to" / name)
    assert result.exit_code == 0, result.output
    assert tree(folder / "to" / name) == tree(tmp_path / "out")
    for line in (result.stdout + result.stderr).splitlines():
        assert line.isprintable()
    result = inveon("convert", "--", folder / name, folder / "to" / name)
    assert_one_line_error(result.exit_code, result.stdout, result.stderr)


@posix
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_files_may_have_any_name(tmp_path: Path, name: str) -> None:
    stem = "ä" * 123 if name == LONG_NAME else name
    folder = tmp_path / "in"
    folder.mkdir()
    plain = write_scan(tmp_path / "a.img", CT)
    try:
        shutil.copy(plain.data, folder / f"{stem}.img")
        shutil.copy(plain.header, folder / f"{stem}.img.hdr")
    except OSError:
        pytest.skip("no name of this file system")
    for number, source in enumerate((folder, folder / f"{stem}.img", folder / f"{stem}.img.hdr")):
        result = inveon("convert", "--json", "--", source, tmp_path / str(number))
        assert result.exit_code == 0, result.output
        assert len(files_below(tmp_path / str(number))) == 6
    assert tree(tmp_path / "0") == tree(tmp_path / "1") == tree(tmp_path / "2")


@posix
@pytest.mark.parametrize("options", [[], ["--overwrite"], ["--dry-run"]])
@pytest.mark.parametrize("name", ["x" * 256, "x/" * 3000], ids=["name", "path"])
def test_an_output_with_too_long_a_name_is_one_line(study: Path, tmp_path: Path, name: str, options: list[str]) -> None:
    result = inveon("convert", *options, study, tmp_path / "new" / name)
    if options != ["--dry-run"]:
        assert "name too long" in assert_one_line_error(result.exit_code, result.stdout, result.stderr)
    assert result.exit_code in (0, 1)
    assert not (tmp_path / "new").exists()


# Links, pipes, devices.


@posix
def test_links_are_followed(study: Path, tmp_path: Path) -> None:
    convert(study, tmp_path / "out")
    (tmp_path / "link").symlink_to(study)
    (tmp_path / "empty").mkdir()
    (tmp_path / "output link").symlink_to("empty")
    assert inveon("convert", tmp_path / "link", tmp_path / "output link").exit_code == 0
    assert (tmp_path / "output link").is_symlink()
    assert tree(tmp_path / "empty") == tree(tmp_path / "out")
    assert inveon("convert", "--overwrite", study, tmp_path / "output link").exit_code == 0
    assert (tmp_path / "output link").is_symlink()
    assert tree(tmp_path / "empty") == tree(tmp_path / "out")

    (tmp_path / "files").mkdir()
    for file in study.iterdir():
        (tmp_path / "files" / file.name).symlink_to(file)
    assert inveon("convert", tmp_path / "files", tmp_path / "third").exit_code == 0
    assert tree(tmp_path / "third") == tree(tmp_path / "out")


@posix
def test_a_link_to_an_empty_folder_stays_when_nothing_is_written(study: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to("empty")
    (study / "m1.pet.img").unlink()
    (study / "m1.pet.img").mkdir()
    assert inveon("convert", "--strict", study, tmp_path / "link").exit_code == 1
    assert (tmp_path / "link").is_symlink()
    assert list((tmp_path / "empty").iterdir()) == []


def make_socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the path of a socket may have some 100 bytes
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)


SPECIAL: dict[str, Callable[[Path], None]] = {
    "pipe": os.mkfifo if os.name != "nt" else Path.touch,
    "zeros": lambda path: path.symlink_to("/dev/zero"),
    "nothing": lambda path: path.symlink_to("/dev/null"),
    "terminal": lambda path: path.symlink_to("/dev/tty"),
    "socket": make_socket,
}


@posix
@pytest.mark.parametrize("make", SPECIAL.values(), ids=SPECIAL)
@pytest.mark.parametrize("name", ["m1.ct.img", "m1.ct.img.hdr"])
def test_what_is_no_file_is_refused_without_waiting(
    study: Path, out: Path, make: Callable[[Path], None], name: str
) -> None:
    (study / name).unlink()
    make(study / name)
    for source in (study, study / "m1.ct.img"):
        with in_time():
            done = inveon("convert", source, out)
        line = assert_one_line_error(done.exit_code, done.stdout, done.stderr)
        assert line.startswith(f"error: {study / name}: is not a regular file")
        assert not out.parent.exists()


@posix
@pytest.mark.parametrize("make", SPECIAL.values(), ids=SPECIAL)
def test_what_is_no_file_is_no_input_no_output_and_no_stray_in_the_way(
    study: Path, out: Path, make: Callable[[Path], None], tmp_path: Path
) -> None:
    make(tmp_path / "odd")
    for arguments in ((tmp_path / "odd", out), (study, tmp_path / "odd"), ("--overwrite", study, tmp_path / "odd")):
        result = inveon("convert", *arguments)
        assert str(tmp_path / "odd") in assert_one_line_error(result.exit_code, result.stdout, result.stderr)
        assert not out.parent.exists()
    make(study / "odd")
    assert inveon("convert", study, out).exit_code == 0
    assert len(files_below(out)) == 18


def test_thousands_of_files_in_a_folder_take_no_time(study: Path, out: Path) -> None:
    for number in range(5_000):
        (study / f"stray {number}.txt").touch()
    start = time.process_time()
    assert inveon("convert", study, out).exit_code == 0
    assert time.process_time() - start < 7  # of the processor: it takes a fifth of one; each path with each, a minute
    assert len(files_below(out)) == 18


# Input that changes while it is read.


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


def halve(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def touch(path: Path) -> None:
    os.utime(path, ns=(1, 1))


def rewrite(path: Path) -> None:
    path.write_bytes(path.read_bytes()[::-1])


def swap(path: Path) -> None:
    """Put another file with the same content, size and time in its place."""
    status = path.stat()
    shutil.copy(path, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


CHANGES = {each.__name__: each for each in (append, halve, empty, touch, rewrite, swap)}
DAY_S = 24 * 60 * 60
MOMENTS = ["while surveyed", "after the survey", "while written", "in the end"]


def changing(
    study: Path, monkeypatch: pytest.MonkeyPatch, moment: str, change: Callable[[], object]
) -> Callable[[int, int], None]:
    """Let a change happen once at a moment; return the progress to convert with."""
    done: list[bool] = []
    for path in study.iterdir():
        os.utime(path, (DAY_S, DAY_S))  # no change falls into the same tick of the file system's clock

    def once() -> None:
        if not done:
            done.append(True)
            change()

    def surveying(*arguments: object) -> object:
        once()
        return extent_of(*arguments)  # type: ignore[arg-type]

    def surveyed(*arguments: object) -> object:
        found = list(surveys(*arguments))  # type: ignore[arg-type]
        once()
        return found

    def progress(number: int, total: int) -> None:
        if number >= {"while written": 1, "in the end": total}.get(moment, total + 1):
            once()

    surveys = job._summaries
    if moment == "while surveyed":
        monkeypatch.setattr(summary, "extent_of", surveying)
    elif moment == "after the survey":
        monkeypatch.setattr(job, "_summaries", surveyed)
    return progress


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("name", ["m1.ct.img", "m1.pet.img"])
def test_input_that_changes_meanwhile_is_refused(
    study: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    change: Callable[[Path], None],
    name: str,
) -> None:
    if os.name == "nt" and change is swap:
        pytest.skip("an open file cannot be replaced there")
    progress = changing(study, monkeypatch, moment, lambda: change(study / name))
    message = r"has (changed|become shorter) while it was read|cannot be read"
    with pytest.raises(DataError, match=rf"{name}: ({message})") as caught:
        convert(study, out, progress=progress)
    assert str(caught.value).isprintable()
    assert not out.parent.exists()


def test_input_that_is_only_read_meanwhile_is_converted(
    study: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hooks of these tests change nothing by themselves."""
    for moment in MOMENTS:
        with monkeypatch.context() as patch:
            progress = changing(study, patch, moment, lambda: tree(study))
            convert(study, out / moment, progress=progress)
    assert len(files_below(out)) == 18 * len(MOMENTS)
    assert PET.frames
