"""Files that people name are read whole only if they are regular files of a bounded size."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from helpers import in_time, inveon, write_small_study
from inveonimaging.storage.bounded import read_bounded


def test_a_file_of_the_bound_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_bounded(path, 5) == b"12345"
    with pytest.raises(OSError, match="is larger than 4 bytes"):
        read_bounded(path, 4)
    with pytest.raises(OSError, match=r"Is a directory|Permission denied"):  # the second on Windows
        read_bounded(tmp_path, 5)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize(
    ("option", "name"), [("--subjects", "a.csv"), ("--code-table", "a.json"), ("--key-file", "key")]
)
def test_no_option_waits_for_a_pipe_or_reads_a_device_without_an_end(tmp_path: Path, option: str, name: str) -> None:
    study = write_small_study(tmp_path / "in")
    os.mkfifo(tmp_path / name)
    (tmp_path / f"zero-{name}").symlink_to("/dev/zero")
    for path in (tmp_path / name, tmp_path / f"zero-{name}"):
        with in_time():
            result = inveon("convert", study, tmp_path / "out", option, path, "--deidentify")
        assert result.exit_code == 2
        assert result.stderr.endswith("cannot be read: is not a regular file\n")
        assert len(result.stderr.splitlines()) == 1
