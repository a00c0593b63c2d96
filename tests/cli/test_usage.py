"""Wrong usage is one line that says what to type, and help fits on a screen."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import typer.main

from helpers import assert_harmless, inveon, write_small_study
from inveonimaging.__main__ import main
from inveonimaging.cli.main import app
from inveonimaging.phantom import files

COMMANDS = list(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
CONVERT = 'type: inveon convert INPUT OUTPUT; "inveon convert --help" shows the options'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a study `s`, a folder of it `archive`, and an empty folder `empty`."""
    write_small_study(tmp_path / "s")
    write_small_study(tmp_path / "archive" / "m1")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


WRONG = {
    "convert": f"INPUT is missing; {CONVERT}",
    "convert s": f"OUTPUT is missing; {CONVERT}",
    "convert s/m1.ct.img s/m1.pet.img out": "too many arguments: out; INPUT is one folder or one file: put what "
    f"belongs together into one folder; {CONVERT}",
    "info s s": "too many arguments: s; PATH is one folder or one file",
    "report s page.html": 'too many arguments: page.html; the output takes -o: -o "page.html"; type: inveon report ',
    "report s s": "too many arguments: s; INPUT is one folder or one file",
    "convert s out -as legacy": "there is no option -a; did you mean --as? ",
    "convert s out -output x": "there is no option -o; the output is the last argument",
    "subjects s": "FILE is missing; type: inveon subjects ROOT -o FILE",
    "convert s out -o x": f"there is no option -o; the output is the last argument; {CONVERT}",
    "convert s --output out": f"there is no option --output; the output is the last argument; {CONVERT}",
    "convert s out -z y": "there is no option -z; --compress rle, jpegls or j2k compresses the pixels",
    "convert s out -m": "there is no option -m; --as enhanced writes one Enhanced object a series",
    "convert s out --force": "there is no option --force; --overwrite replaces an earlier conversion",
    "convert s out --recursiv": "there is no option --recursiv; did you mean --recursive? ",
    "check s -z": 'there is no option -z; type: inveon check PATH; "inveon check --help" shows the options',
    "s": 'there is no command \'s\'; a command comes first: inveon info "s", or inveon convert "s" OUTPUT',
    "convrt s out": "there is no command 'convrt'; did you mean inveon convert?",
    "xyz": "there is no command 'xyz'; the commands are convert, split, batch, nifti, bids, curves, restore, ",
    "help xyz": "there is no command 'xyz'; the commands are convert, split, batch, nifti, bids, curves, restore, ",
    "--foo": 'there is no option --foo; type: inveon COMMAND; "inveon --help" shows',
    "convert s out --orientation prone": "--orientation is 'prone', expected one of FFP, HFP, FFS, HFS, FFDR, HFDR, "
    "FFDL, HFDL; HFP if the head went into the scanner first, FFP if the feet did",
    "convert s out --orientation right": "HFDR if the head went into the scanner first, FFDR if the feet did",
    "convert s out --orientation up": "--orientation is 'up', expected one of FFP, ",
    "convert s out --compress jpgls": "did you mean jpegls?",
    "convert s out --cycle-length fast": "--cycle-length is 'fast', expected a number; type: ",
    "curves s --hottest 3mm -o x.csv": "--hottest is '3mm', expected a number, without its unit; type: ",
    "batch s out --jobs 1.5": "--jobs is '1.5', expected a whole number",
    "app s": 'too many arguments: s; a folder takes --root: --root "s"; type: inveon app; ',
    "convert s out --patient-id": "option '--patient-id' requires an argument; ",
    "convert s out --recursive=3": "option '--recursive' does not take a value; ",
    "send dicom://A@B:host:104 s": "the target is before the files; type: inveon send DICOM... TARGET",
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("typed", WRONG)
def test_wrong_usage_is_one_line_that_says_what_to_type(typed: str) -> None:
    result = inveon(*typed.split())
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert WRONG[typed] in line
    assert_harmless(result.stderr)


@pytest.mark.usefixtures("here")
def test_wrong_usage_is_harmless_whatever_is_typed() -> None:
    for typed in (
        ["\x1b[31m"],
        ["convert", "a", "b", "\x1b[31m\n"],
        ["convert", "s", "o", "--\x1b[31m"],
        ["help", "\x07"],
    ):
        result = inveon(*typed)
        assert result.exit_code == 2
        assert_harmless(result.stderr)
        assert len(result.stderr.splitlines()) == 1
    for posture in ("\x1b[31m", "x" * 5000):
        result = inveon("convert", "s", "o", "--orientation", posture)
        assert_harmless(result.stderr)
        assert len(result.stderr) < 1000


@pytest.mark.parametrize("typed", ["hfs", "HFS", "Hfs"])
def test_a_posture_may_be_typed_in_any_case(here: Path, typed: str) -> None:
    result = inveon("info", here / "s" / "m1.ct.img", "--orientation", typed)
    assert "head first, supine" in result.stdout


@pytest.mark.parametrize(
    ("command", "first", "second"),
    [
        ("convert", "out", "s"),
        ("convert", "empty", "s"),
        ("convert", "out", "archive"),
        ("verify", "out", "s"),
        ("verify", "empty", "s/m1.ct.img"),
        ("batch", "out", "archive"),
        ("batch", "empty", "archive"),
    ],
)
def test_swapped_arguments_are_reported_and_nothing_is_written(
    here: Path, command: str, first: str, second: str
) -> None:
    before = sorted(here.rglob("*"))
    result = inveon(command, first, second)
    assert result.exit_code == 1
    assert result.stderr.endswith(f'; the Inveon files come first: inveon {command} "{Path(second)}" "{first}"\n')
    assert sorted(here.rglob("*")) == before


def test_a_folder_that_is_given_twice_is_not_called_swapped(here: Path) -> None:
    result = inveon("verify", "s", "s")
    assert (result.exit_code, result.stderr) == (
        1,
        'error: s: no DICOM files here; it holds Inveon files; type: inveon convert "s" OUTPUT\n',
    )
    assert here


def test_a_path_with_blanks_takes_quotation_marks(here: Path) -> None:
    (here / "s").rename(here / "Meine Mäuse 1")
    line = inveon("convert", "Meine", "Mäuse", "1", "out").stderr
    assert '; a path with blanks takes quotation marks: "Meine Mäuse 1"; type: inveon convert ' in line
    assert inveon("info", "Meine").stderr.endswith('no such file or folder; did you mean "Meine Mäuse 1"?\n')


def test_a_backslash_that_ends_a_path_in_quotation_marks_is_explained(here: Path) -> None:
    line = inveon("convert", 's" out').stderr  # what cmd makes of "s\" out
    assert line.startswith("error: OUTPUT is missing; a path in quotation marks must not end in a backslash, ")
    assert inveon("info", 's"').stderr.endswith('no such file or folder; did you mean "s"?\n')
    assert here


@pytest.mark.parametrize(("typed", "meant"), [("s/m1.pet", "s/m1.pet.img"), ("archiv", "archive"), ("x/y", None)])
@pytest.mark.parametrize("command", ["info", "check"])
def test_a_path_that_is_not_there_names_one_that_is(here: Path, command: str, typed: str, meant: str | None) -> None:
    hint = f'; did you mean "{Path(meant)}"?' if meant else ""
    result = inveon(command, typed)
    assert (result.exit_code, result.stderr) == (1, f"error: {Path(typed)}: no such file or folder{hint}\n")
    assert here


def test_an_interruption_while_the_program_starts_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Slow(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt if name == "app" else AttributeError(name)

    monkeypatch.setitem(sys.modules, "inveonimaging.cli.main", Slow("inveonimaging.cli.main"))
    with pytest.raises((SystemExit, KeyboardInterrupt)) as ended:
        main()
    assert ended.value.args == (130,)
    assert capsys.readouterr().err == "error: interrupted; nothing half-written is left behind\n"


def test_other_errors_are_not_called_swapped(here: Path) -> None:
    (here / "s" / "m1.ct.img").unlink()
    assert "come first" not in inveon("convert", "nowhere", "empty").stderr
    assert "come first" not in inveon("convert", "s/m1.ct.img.hdr", "s").stderr


def test_one_bad_pair_says_how_the_others_are_converted(here: Path) -> None:
    data = here / "s" / "m1.pet.img"
    data.write_bytes(data.read_bytes()[:-1])
    line = inveon("convert", "s", "out").stderr
    assert "m1.pet.img: the file has 2687 bytes, expected 2688" in line
    typed = 'name one file: inveon convert "s/m1.ct.img" OUTPUT'
    assert line.replace("\\", "/").endswith(
        f"; to convert the other pair, move this one out of the folder, or {typed}\n"
    )
    assert inveon("convert", "s/m1.ct.img", "out").exit_code == 0
    alone = inveon("convert", "s/m1.pet.img", "out2").stderr
    assert "to convert" not in alone


def test_a_demo_in_a_used_folder_names_a_free_one(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "STUDY", {})
    (here / "s-2").mkdir()
    for typed in ("s", "s/"):
        assert inveon("demo", typed).stderr == (
            'error: s: the output folder is not empty; nothing is overwritten; type: inveon demo "s-3"\n'
        )
    assert 'inveon demo "demo-2"' in inveon("demo", ".").stderr


# Help.


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("columns", [80, 100])
def test_help_fits_on_a_screen_and_the_rest_is_in_help_all(command: str, columns: int) -> None:
    shown = inveon(command, "--help", columns=columns)
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert len(lines) <= 45
    assert max(map(len, lines)) <= columns
    assert inveon(command, "-h", columns=columns).stdout == shown.stdout
    assert inveon("help", command, columns=columns).stdout == shown.stdout
    if "--help-all" in shown.stdout:
        every = inveon(command, "--help-all", columns=columns)
        assert every.exit_code == 0
        options = set(re.findall(r"--[a-z-]+", every.stdout))
        assert options > set(re.findall(r"--[a-z-]+", shown.stdout))


def test_the_panels_of_the_help() -> None:
    for option, more in (("--help", ()), ("--help-all", ("Values and times",))):
        found = re.findall(r"^([A-Z][a-z ]+):$", inveon("convert", option, columns=100).stdout, re.MULTILINE)
        assert found == ["Arguments", "Options", "Animal", "Geometry", *more, "Privacy", "Output"]
    text = " ".join(inveon("convert", "--help", columns=80).stdout.split())
    assert "--orientation POSTURE How the animal lay: FFP" in text
    assert "FFP, HFP, FFS, HFS, FFDR, HFDR, FFDL, HFDL" in text


def test_help_alone_lists_the_commands() -> None:
    shown = inveon("help").stdout
    assert shown == inveon("--help").stdout == inveon("-h").stdout
    assert all(re.search(rf"^  {command} ", shown, re.MULTILINE) for command in COMMANDS)


@pytest.mark.parametrize(
    ("typed", "expected"), [("inveon con", "convert"), ("inveon check --orientation-t", "--orientation-test")]
)
def test_the_shell_completes_commands_and_options(typed: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    words = typed.split()
    environment = {"_INVEON_COMPLETE": "complete_bash", "COMP_WORDS": typed, "COMP_CWORD": str(len(words) - 1)}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("COLUMNS", os.environ.get("COLUMNS", "80"))
    result = inveon()
    assert expected in result.stdout.split()


@pytest.mark.parametrize(
    "typed",
    [
        ("convert", "s", "out", "--json", "--jsom"),
        ("info", "--json"),
        ("check", "s", "--json", "--posture", "up"),
        ("check", "--json", "s", "t"),
        ("--json",),
        ("send", "--json"),
    ],
)
def test_wrong_usage_with_json_is_json_too(typed: tuple[str, ...]) -> None:
    done = inveon(*typed)
    assert done.exit_code == 2
    document = json.loads(done.stdout)
    assert done.stderr == f"error: {document['error']['message']}\n"


def test_wrong_usage_without_json_is_no_json() -> None:
    assert inveon("check", "--nothing", "--", "--json").stdout == ""


def test_the_help_of_all_options_has_no_more() -> None:
    assert re.search(r"Show all options, \d+ more, and exit", inveon("convert", "--help").stdout)
    every = inveon("convert", "--help-all").stdout
    assert "Show all options, and exit" in every
    assert " more, and" not in every


@pytest.mark.parametrize("command", ["convert", "batch", "check", "info", "report", "send", "verify", "subjects"])
def test_help_fits_on_a_narrow_screen(command: str) -> None:
    what = typer.main.get_command(app).commands[command]  # type: ignore[attr-defined]
    context = what.context_class(what, info_name=f"inveon {command}", terminal_width=60 - 2, **what.context_settings)
    assert 20 < len(what.get_help(context).splitlines()) <= 45
