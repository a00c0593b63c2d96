"""What counts instead of the headers: every command and function that reads Inveon files takes all of it alike."""

from __future__ import annotations

import inspect
import typing
from dataclasses import fields

import pytest

import inveonimaging
from helpers import ROOT
from inveonimaging import Corrections
from inveonimaging.cli.main import app
from inveonimaging.cli.options import ARGUMENTS, corrections_of, deidentification_of
from inveonimaging.cli.settings import SETTINGS
from inveonimaging.study.asked import StudyOptions

OPTIONS = set(inspect.signature(corrections_of).parameters)
WITHOUT = {  # commands that have none of them, and why
    "app": "its form has a field for each",
    "config": "it reads settings alone",
    "demo": "it converts its own files",
    "explain": "it reads no files",
    "help": "it reads no files",
    "remove": "it reads DICOM",
    "restore": "it reads DICOM",
    "send": "it reads DICOM",
    "xnat": "its options are the inputs of a published specification",
}
COMMANDS = {each.name or each.callback.__name__: each.callback for each in app.registered_commands if each.callback}
READERS = sorted(COMMANDS.keys() - WITHOUT.keys())
FUNCTIONS = {"info": inveonimaging.read_study}  # of commands that are called otherwise


def taken_by(command: str) -> set[str]:
    return set(COMMANDS[command].__annotations__)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_all_corrections_or_none_for_a_reason(command: str) -> None:
    if command in WITHOUT:
        assert not taken_by(command) & OPTIONS - {
            "subjects",
            "patient_name",
            "patient_id",
            "patient_sex",
            "frame_of_reference",
        }
    else:
        assert taken_by(command) >= OPTIONS


def test_the_reasons_are_of_commands() -> None:
    assert WITHOUT.keys() < COMMANDS.keys()


@pytest.mark.parametrize("command", READERS)
def test_settings_count_wherever_a_posture_can_be_typed(command: str) -> None:
    """But for verify, which takes them from the manifest of what it compares."""
    assert ("no_config" in taken_by(command)) == (command != "verify")


@pytest.mark.parametrize("command", ["convert", "split", "batch", "nifti", "bids", "zarr", "curves"])
def test_what_writes_data_can_hide_names(command: str) -> None:
    assert taken_by(command) >= set(inspect.signature(deidentification_of).parameters)


@pytest.mark.parametrize("command", READERS)
def test_the_function_of_a_command_takes_all_corrections(command: str) -> None:
    function = FUNCTIONS.get(command) or getattr(inveonimaging, command)
    types = typing.get_type_hints(function)
    asked = types.get("corrections") or types["options"]
    assert issubclass(typing.get_args(asked)[0], Corrections)


def test_each_correction_has_an_option_and_a_line_in_the_page_of_the_functions() -> None:
    """A subject's own attributes are options; the page names it as one."""
    names = {each.name for each in fields(Corrections)}
    subject = {"name", "id", "birth_date", "sex"}
    assert {ARGUMENTS.get(each, each) for each in names - {"subject"} | subject} == OPTIONS
    text = (ROOT / "docs" / "reference" / "api.md").read_text("utf-8")
    table = text[text.index("\n## Corrections\n") : text.index("\n## Check\n")]
    assert [each for each in names if f"\n| `{each}` |" not in table] == []


def test_a_setting_is_an_option_of_what_reads_or_converts() -> None:
    """Or an AE title, which is part of an address."""
    assert {each.argument for each in SETTINGS if each.argument} <= taken_by("convert")


def test_outputs_that_are_no_dicom_are_asked_for_alike() -> None:
    for options in (inveonimaging.NiftiOptions, inveonimaging.ZarrOptions, inveonimaging.BidsOptions):
        assert issubclass(options, StudyOptions)
