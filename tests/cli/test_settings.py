"""`inveon.toml`: what a site has verified counts unless something is typed; where it came from is shown; no secrets."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

import pytest

from helpers import assert_harmless, assert_one_line_error, digests, draw_one_pixel, in_time, inveon, write_thin_study
from inveonimaging.cli import settings

SITE = """\
posture = "FFP"
bed-direction = "reverse"
pet_prefix = "P-"
ae-title = "INVEON"

[targets]
pacs = "dicom://ARCHIVE:pacs:11112"
web = "https://pacs.example/dicom-web"
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give this user an empty folder for settings, and a current folder of its own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "home"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (tmp_path / "home" / "inveon").mkdir(parents=True)
    return tmp_path / "home" / "inveon" / "inveon.toml"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a study two folders below a file of settings."""
    study = write_thin_study(tmp_path / "site" / "year" / "study")
    (tmp_path / "site" / "inveon.toml").write_text(SITE)
    return study


def rows(*arguments: object) -> dict[str, dict[str, object]]:
    done = inveon("config", *arguments, "--json")
    assert done.exit_code == 0, done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)["settings"]}


def placed(*arguments: object) -> str:
    done = inveon("info", *arguments)
    assert done.exit_code == 0, done.stderr
    return next(line for line in done.stdout.splitlines() if "Orientation" in line)


def test_a_file_above_the_files_counts_and_what_is_typed_wins(site: Path) -> None:
    pet = site / "m1.pet.img"
    assert "feet first, prone" in placed(pet)
    assert "feet first, supine" in placed(pet, "--posture", "FFS")
    assert placed(pet, "--no-config") == placed(pet, "--posture", "HFP")  # which the phantom's header says
    assert "posture FFP, bed-direction reverse (--no-config ignores them)" in inveon("info", pet).stderr
    assert "settings" not in inveon("info", pet, "--no-config").stderr


def test_the_conversion_is_that_of_the_options_and_the_manifest_says_where_they_came_from(
    site: Path, tmp_path: Path
) -> None:
    assert inveon("convert", site, tmp_path / "a", "--nm-prefix", "S-").exit_code == 0
    typed = ("--posture", "ffp", "--bed-direction", "reverse", "--pet-prefix", "P-", "--nm-prefix", "S-")
    assert inveon("convert", site, tmp_path / "b", *typed, "--no-config").exit_code == 0
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    assert (tmp_path / "a" / "2" / "P-000001.dcm").is_file()
    a, b = (json.loads((tmp_path / each / "inveon-manifest.json").read_text()) for each in "ab")
    assert a.pop("settings") == {
        "posture": "inveon.toml of the folder, line 1",
        "bed-direction": "inveon.toml of the folder, line 2",
        "pet-prefix": "inveon.toml of the folder, line 3",
    }
    assert b.pop("settings") == {}
    assert a == b
    assert inveon("verify", site, tmp_path / "a").exit_code == 0  # by the manifest


@pytest.mark.parametrize("command", ["check", "report", "subjects", "batch"])
def test_every_command_that_reads_says_what_it_took(
    site: Path, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw_one_pixel(monkeypatch)
    outputs = {"report": "--png", "subjects": "-o", "batch": "-n"}
    more = [outputs[command], tmp_path / "new.csv"] if command in outputs else []
    done = inveon(command, site, *more)
    assert "note: settings of " in done.stderr, done.stderr
    assert "posture FFP" in done.stderr
    without = inveon(command, site, *more, "--no-config")
    assert "settings" not in without.stderr


def test_a_posture_of_a_sheet_that_does_not_count_is_a_warning(site: Path, tmp_path: Path) -> None:
    """The settings say FFP of all scans, row 2 of the sheet HFS of the PET, and row 3 FFP of the CT."""
    (sheet := tmp_path / "s.csv").write_text("file,posture\nm1.pet.img,HFS\nm1.ct.img,FFP\n")
    for more, count, posture in (([], 1, "feet first, prone"), (["--no-config"], 0, "head first, supine")):
        done = inveon("info", site / "m1.pet.img", "--subjects", sheet, *more)
        assert posture in done.stdout
        assert done.stderr.count("row 2 of the sheet says posture HFS, but FFP counts") == count
        assert done.stderr.count("[posture-overruled]") == count
    assert inveon("info", site / "m1.ct.img", "--subjects", sheet).stderr.count("[posture-overruled]") == 0


def test_the_folder_wins_over_the_user_each_by_itself(site: Path, home: Path) -> None:
    home.write_text('posture = "FFS"\nct-prefix = "C-"\n')
    found = rows(site)
    assert (found["posture"]["value"], found["posture"]["from"], found["posture"]["line"]) == ("FFP", "folder", 1)
    assert (found["ct-prefix"]["value"], found["ct-prefix"]["from"], found["ct-prefix"]["line"]) == ("C-", "user", 2)
    assert (found["nm-prefix"]["value"], found["nm-prefix"]["from"]) == (None, "default")
    elsewhere = rows()
    assert (elsewhere["posture"]["value"], elsewhere["posture"]["file"]) == ("FFS", str(home))
    assert "feet first, prone" in placed(site / "m1.pet.img")


def test_the_table_shows_each_value_and_where_it_comes_from(site: Path, home: Path) -> None:
    shown = inveon("config", site).stdout
    assert f"{site.parent.parent / 'inveon.toml'}:1" in shown
    assert f"inveon.toml of the user: {home}, which is not there" in shown
    assert " ".join(shown.split()).count("default") == 4  # code table, two prefixes, AE title


def test_the_nearest_file_counts_alone(site: Path) -> None:
    (site / "inveon.toml").write_text('bed-direction = "forward"\n')
    assert rows(site)["posture"]["value"] is None
    assert rows(site)["bed-direction"]["value"] == "forward"


def test_the_current_folder_counts_where_the_files_have_none(tmp_path: Path) -> None:
    study = write_thin_study(tmp_path / "study")
    Path("inveon.toml").write_text('posture = "HFS"\n')
    assert "head first, supine" in placed(study / "m1.ct.img")


def test_a_code_table_is_seen_from_its_settings(site: Path, tmp_path: Path) -> None:
    table = [{"key": "F-18", "code": "C-111A1", "meaning": "^18^Fluorine", "system": "SRT"}]
    (site.parent.parent / "codes.json").write_text(json.dumps(table))
    (site.parent.parent / "inveon.toml").write_text('code-table = "codes.json"\n')
    assert inveon("convert", site, tmp_path / "out").exit_code == 0
    document = json.loads((tmp_path / "out" / "inveon-manifest.json").read_text())
    assert document["options"]["codes"] != {}
    assert list(document["settings"]) == ["code-table"]


# Where images are sent.


def test_targets_have_names_and_this_side_a_title(site: Path, tmp_path: Path) -> None:
    Path("inveon.toml").write_text(SITE)
    assert inveon("convert", site, tmp_path / "out").exit_code == 0
    for typed in ("pacs", "dicom://ARCHIVE:pacs:11112", "dicom://INVEON@ARCHIVE:pacs:11112"):
        shown = inveon("send", tmp_path / "out", typed, "-n").stdout
        assert "Would be sent to dicom://INVEON@ARCHIVE:pacs:11112" in shown
    assert "dicom://OTHER@A:h:1" in inveon("send", tmp_path / "out", "dicom://OTHER@A:h:1", "-n").stdout
    done = inveon("send", tmp_path / "out", "pax", "-n")
    line = assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
    assert line.endswith("names are pacs, web\n")
    assert inveon("send", tmp_path / "out", "pacs", "-n", "--no-config").exit_code == 2


def test_files_from_elsewhere_bring_no_target(site: Path, tmp_path: Path) -> None:
    done = inveon("convert", site, tmp_path / "out", "--send", "pacs")
    assert done.exit_code == 2
    assert "the target is not an address" in done.stderr
    assert not (tmp_path / "out").exists()
    assert "targets.pacs" not in rows(site)
    assert rows(site)["ae-title"]["value"] is None


# What makes no sense, and what must not be there.


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('\nposture = "prone"', 2, "expected one of FFP, HFP"),
        ('postur = "HFP"', 1, "did you mean posture?"),
        ("posture = 3", 1, 'expected a text in "..."'),
        ('posture = "HFP"\nposture = "FFP"', None, "not valid TOML"),
        ('posture = "HFP"\n\nPosture = "FFP"', 3, "posture is given twice, on line 1, too, expected it once"),
        ('orientation = "HFP"\nposture = "FFP"', 2, "posture is given twice, on line 1, too, expected it once"),
        ('pet-prefix = "A"\npet_prefix = "B"', 2, "pet-prefix is given twice, on line 1, too"),
        ("posture = HFP", 1, "not valid TOML"),
        ('pet-prefix = "a/b"', 1, "pet-prefix is 'a/b'"),
        ('nm_prefix = "a/b"', 1, "nm_prefix is 'a/b'"),
        ('posture = "upside"', 1, "posture is 'upside', expected one of FFP"),
        ('\norientation = "upside"', 2, "orientation is 'upside', expected one of FFP"),
        ('bed-direction = "up"', 1, "bed-direction is 'up', expected one of forward, reverse"),
        ('ae-title = ""', 1, "ae-title is empty, expected 1 to 16"),
        ('code-table = "none.json"', 1, "none.json: the code table cannot be read"),
        ('code-table = "D:\\isotopes\\codes.json"', 1, "not valid TOML, expected lines as"),
        ('code-table = "D:\\isotopes\\codes.json"', 1, "write paths with /"),
        ('ae-title = "much too long a title"', 1, "expected 1 to 16 characters"),
        ('targets = "pacs"', 1, "expected a line [targets]"),
        ('[targets]\npacs = "ftp://host"', 2, "the target is not an address"),
        ('[targets]\n"a b" = "dicom://A@B:h:1"', 2, "expected a name of letters"),
        ('password = "hunter2"', 1, "secrets do not belong here"),
        ('key-file = "hunter2"', 1, "secrets do not belong here"),
        ('[send]\ntoken = "hunter2"', None, "there is no setting 'send'"),
        ('[targets]\nweb = "https://me:hunter2@host/dicom-web"', 2, "has a user or password in it"),
        ('[targets.web]\npassword = "hunter2"', None, "web is not text"),
        ("posture = " + "[" * 9000, None, "not valid TOML"),
        ("posture = " + "9" * 9000, None, "not valid TOML"),
        ('"\\u001b[31m" = 1', None, "there is no setting"),
        ("a." * 10_000 + 'a = "b"', None, "cannot be read: is larger than 16384 bytes"),
    ],
)
def test_what_makes_no_sense_is_one_line_with_its_place(text: str, line: int | None, message: str) -> None:
    Path("inveon.toml").write_text(text)
    done = inveon("config")
    shown = assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
    assert message in shown
    assert f"inveon.toml:{line}: " in shown or line is None
    assert "hunter2" not in shown


def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    Path("inveon.toml").mkdir()
    assert inveon("config").exit_code == 2
    Path("inveon.toml").rmdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo("inveon.toml")
        with in_time():
            done = inveon("info", write_thin_study(tmp_path / "study"))
        assert "is not a regular file" in assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
        assert inveon("info", tmp_path / "study", "--no-config").exit_code == 0


def test_bytes_that_are_no_text_are_refused(home: Path) -> None:
    home.write_bytes(b"posture = '\xff'")
    done = inveon("config")
    assert "the settings are not in UTF-8" in assert_one_line_error(done.exit_code, done.stdout, done.stderr, 2)
    home.write_bytes('\ufeffposture = "HFP"\r\n'.encode())  # as editors on Windows write it
    assert rows()["posture"]["value"] == "HFP"


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="files of other users in shared folders are known on POSIX only")
def test_a_file_of_another_user_in_a_folder_for_all_is_left_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "inveon.toml").write_text(SITE)
    assert settings.first_above(shared) == shared / "inveon.toml"
    owner = (shared / "inveon.toml").stat().st_uid
    monkeypatch.setattr(os, "getuid", lambda: owner + 1)
    if owner:
        assert settings.first_above(shared) != shared / "inveon.toml"
    else:  # root's files are trusted
        os.chown(shared / "inveon.toml", 12345, 12345)
        assert settings.first_above(shared) != shared / "inveon.toml"
    shared.chmod(0o755)
    assert settings.first_above(shared) == shared / "inveon.toml"


def test_names_of_folders_reach_the_terminal_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.name == "nt":
        pytest.skip("Windows has no such names")
    folder = tmp_path / "\x1b[31m"
    folder.mkdir()
    (folder / "inveon.toml").write_text(SITE)
    monkeypatch.chdir(folder)
    for arguments in (("config",), ("info", write_thin_study(folder / "s"))):
        done = inveon(*arguments)
        assert_harmless(done.stdout + done.stderr)


def test_settings_beside_the_files_are_no_stray(tmp_path: Path) -> None:
    study = write_thin_study(tmp_path / "in")
    (study / "inveon.toml").write_text('ct-prefix = "X-"\n')
    done = inveon("convert", study, tmp_path / "out", "--strict")
    assert "does not belong here" not in done.stderr
    assert "skipped" not in done.stderr


# The tests themselves.

OF_SESSION = {name: os.environ.get(name) for name in ("XDG_CONFIG_HOME", "APPDATA", "LOCALAPPDATA")}


def test_tests_take_no_settings_of_who_runs_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in OF_SESSION.items():
        assert value is not None
        monkeypatch.setenv(name, value)
    user = settings.user_file()
    assert user is not None
    assert not user.exists()
    assert Path.home() / ".config" not in user.parents
    with tempfile.TemporaryDirectory() as folder:  # beside the folders of tests, as what lies above them
        Path(folder, "inveon.toml").write_text(SITE)
        assert settings.first_above(Path(folder)) is None
        assert settings.settings_for(Path(folder)).values == {}
