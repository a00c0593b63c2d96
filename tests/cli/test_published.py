"""The published commands, argument for argument, as other people's scripts call them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pydicom
import pytest
from pydicom.datadict import dictionary_description, keyword_for_tag
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    EnhancedCTImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
)

from defects import Defect, write_scan
from forked import run_forked
from helpers import (
    CT,
    CT_FILES,
    PET,
    PET_FILES,
    ROOT,
    assert_harmless,
    assert_one_line_error,
    digests,
    files_below,
    header_text,
    instances,
    inveon,
    python,
    write_small_study,
)
from inveonimaging import inveonFile2DICOM, inveonFolder2DICOM
from inveonimaging.conversion import convert, writing
from inveonimaging.dicom import specified
from inveonimaging.dicom.modules.reconstruction import ct_kernel
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import (
    AcquisitionMode,
    FileType,
    FilterWindow,
    ModalityConfiguration,
    Model,
    ReconAlgorithm,
)
from inveonimaging.inveon.hdr.parse import parse
from inveonimaging.inveon.hdr.values import Filter

BARE = [f"1/{n:06}.dcm" for n in range(1, 7)] + [f"2/{n:06}.dcm" for n in range(1, 13)]

# The example of the published description.
CODE_TABLE = """
[
  {"key": "Cu-64", "code": "C-127A2", "meaning": "^64^Copper",   "system": "SNM3"},
  {"key": "F-18",  "code": "C-111A1", "meaning": "^18^Fluorine", "system": "SNM3"},
  {"key": "Ga-68", "code": "C-131A3", "meaning": "^68^Gallium",  "system": "SNM3"},
  {"key": "O-15",  "code": "C-B1038", "meaning": "^15^Oxygen",   "system": "SNM3"}
]
"""


class Done(NamedTuple):
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


Run = Callable[..., Done]


@pytest.fixture
def folder_command(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs `inveonFolder2DICOM` in this process."""
    return lambda *arguments: Done(inveonFolder2DICOM.main(list(map(str, arguments))), *capsys.readouterr())


@pytest.fixture
def file_command(capsys: pytest.CaptureFixture[str]) -> Run:
    """Return what runs `inveonFile2DICOM` in this process."""
    return lambda *arguments: Done(inveonFile2DICOM.main(list(map(str, arguments))), *capsys.readouterr())


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Return a folder with a CT and a PET."""
    return write_small_study(tmp_path / "in")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Return a folder that does not exist, in one that does not exist."""
    return tmp_path / "new" / "out"


def converted(run: Run, *arguments: object) -> list[Any]:
    """Convert, with the output as the last argument, and return the instances."""
    done = run(*arguments)
    assert done.code == 0, done.stderr
    return instances(Path(str(arguments[-1])))


# A folder.


def test_the_published_example_gives_the_published_names(folder_command: Run, study: Path, out: Path) -> None:
    done = folder_command("-c", "CT-", "-p", "PET-", study, out)
    assert done.code == 0
    assert files_below(out) == CT_FILES + PET_FILES
    assert str(out / "1") in done.stdout
    assert len(done.stdout.splitlines()) == 2
    assert len({ds.StudyInstanceUID for ds in instances(out)}) == 1
    assert len({ds.SeriesInstanceUID for ds in instances(out)}) == 2


def test_it_runs_as_a_module(study: Path, out: Path) -> None:
    done = python("-m", "inveonimaging.inveonFolder2DICOM", "-c", "CT-", "-p", "PET-", study, out)
    assert done.returncode == 0
    assert files_below(out) == CT_FILES + PET_FILES
    refused = run_forked("-m", "inveonimaging.inveonFolder2DICOM", study, out)
    assert "exists already and is not empty" in assert_one_line_error(
        refused.returncode, refused.stdout, refused.stderr
    )


def test_without_prefixes_there_are_none(folder_command: Run, study: Path, out: Path) -> None:
    assert folder_command(study, out).code == 0
    assert files_below(out) == BARE


def test_series_follow_the_order_of_file_names(folder_command: Run, tmp_path: Path, out: Path) -> None:
    for name in ("b.img", "a10.img", "a9.img"):
        write_scan(tmp_path / name, PET if name == "a10.img" else CT)
    assert folder_command(tmp_path, "-c", "C", "--pet=P", out).code == 0
    assert [min(folder.iterdir()).name[0] for folder in sorted(out.iterdir())] == ["P", "C", "C"]


def test_arguments_may_stand_in_any_order(folder_command: Run, study: Path, out: Path) -> None:
    assert folder_command(study, "-p", "PET-", out, "-c", "CT-").code == 0
    assert files_below(out) == CT_FILES + PET_FILES


@pytest.mark.parametrize(
    ("short", "long", "value", "names"),
    [("-c", "--ct", "CT-", CT_FILES + BARE[6:]), ("-p", "--pet", "PET-", BARE[:6] + PET_FILES)],
)
def test_prefixes_have_two_spellings(
    folder_command: Run, study: Path, tmp_path: Path, short: str, long: str, value: str, names: list[str]
) -> None:
    for number, arguments in enumerate(((short, value), (long, value), (f"{short}{value}",), (f"{long}={value}",))):
        assert folder_command(*arguments, study, tmp_path / str(number)).code == 0
        assert files_below(tmp_path / str(number)) == names


@pytest.mark.parametrize("option", ["-s", "--studydescription"])
def test_the_study_description_can_be_given(folder_command: Run, study: Path, out: Path, option: str) -> None:
    assert {ds.StudyDescription for ds in converted(folder_command, option, "Pilot 3", study, out)} == {"Pilot 3"}


def test_the_patient_can_be_given(folder_command: Run, study: Path, out: Path) -> None:
    given = ["--patientname", "Mouse^Minnie", "--patientid", "M 12", "--patientdob", "20131225", "--patientsex", "M"]
    for ds in converted(folder_command, *given, study, out):
        assert (str(ds.PatientName), ds.PatientID) == ("Mouse^Minnie", "M 12")
        assert (ds.PatientBirthDate, ds.PatientSex) == ("20131225", "M")


def test_without_arguments_the_patient_is_the_headers(folder_command: Run, study: Path, out: Path) -> None:
    for ds in converted(folder_command, study, out):
        assert (str(ds.PatientName), ds.PatientID) == ("M0042", "M0042")
        assert (ds.PatientBirthDate, ds.PatientSex) == ("20140304", "F")


@pytest.mark.parametrize(("option", "value"), [("--patientdob", "3/4/14"), ("--patientsex", "mouse")])
def test_a_patient_that_cannot_be_is_wrong_usage(
    folder_command: Run, study: Path, out: Path, option: str, value: str
) -> None:
    assert_one_line_error(*folder_command(option, value, study, out), expected_code=2)
    assert not out.parent.exists()


@pytest.mark.parametrize("option", ["-C", "--codetable"])
@pytest.mark.parametrize("typed", ["F-18", "18F", "fluorine-18"])
def test_the_code_table_says_the_radionuclide(
    folder_command: Run, tmp_path: Path, out: Path, option: str, typed: str
) -> None:
    (tmp_path / "codes.json").write_text(CODE_TABLE)
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "a.img", replace(PET, tracer=replace(PET.tracer, isotope=typed)))
    for ds in converted(folder_command, option, tmp_path / "codes.json", tmp_path / "in", out):
        [radiopharmaceutical] = ds[0x0054, 0x0016].value
        [code] = radiopharmaceutical[0x0054, 0x0300].value
        messages = [code[0x0008, element].value for element in (0x0100, 0x0102, 0x0104)]
        assert messages == ["C-111A1", "SNM3", "^18^Fluorine"]


def test_without_a_code_table_the_code_is_current(folder_command: Run, study: Path, out: Path) -> None:
    folder_command(study, out)
    [code] = instances(out / "2")[0].RadiopharmaceuticalInformationSequence[0].RadionuclideCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("77004003", "SCT")


def test_a_code_table_that_cannot_be_read_is_wrong_usage(folder_command: Run, study: Path, out: Path) -> None:
    line = assert_one_line_error(*folder_command("-C", "none.json", study, out), expected_code=2)
    assert "none.json" in line
    assert not out.parent.exists()


# Multi-frame output.

ENHANCED = {EnhancedCTImageStorage, EnhancedPETImageStorage}
LEGACY = {LegacyConvertedEnhancedCTImageStorage, LegacyConvertedEnhancedPETImageStorage}
BOTH_FORMS = [("-m", ENHANCED), ("--multiframe", ENHANCED), ("-l", LEGACY), ("--legacyconverted", LEGACY)]


@pytest.mark.parametrize(("option", "sop_classes"), BOTH_FORMS)
def test_a_series_becomes_one_object(
    folder_command: Run, study: Path, out: Path, option: str, sop_classes: set[UID]
) -> None:
    datasets = converted(folder_command, option, study, out)
    assert files_below(out) == ["1/000001.dcm", "2/000001.dcm"]
    assert {ds.SOPClassUID for ds in datasets} == sop_classes
    assert [ds.NumberOfFrames for ds in datasets] == [6, 12]


def test_prefixes_start_the_names_of_objects(folder_command: Run, study: Path, out: Path) -> None:
    assert folder_command("-m", "-c", "CT-", "-p", "PET-", study, out).code == 0
    assert files_below(out) == ["1/CT-000001.dcm", "2/PET-000001.dcm"]


@pytest.mark.parametrize("option", ["-f", "--file"])
@pytest.mark.parametrize("form", ["-m", "-l"])
def test_objects_can_be_named(folder_command: Run, study: Path, out: Path, form: str, option: str) -> None:
    assert folder_command(form, option, "all 7.dcm", "-c", "CT-", study, out).code == 0
    assert files_below(out) == ["1/all 7.dcm", "2/all 7.dcm"]


def test_objects_of_bed_positions_are_in_folders_of_their_own(folder_command: Run, tmp_path: Path, out: Path) -> None:
    write_scan(tmp_path / "a.img", replace(PET, beds=(300.0, 350.0)))
    assert folder_command("-m", "-f", "all.dcm", tmp_path, out).code == 0
    assert files_below(out) == ["1/all.dcm", "2/all.dcm"]


def test_an_empty_name_is_none(folder_command: Run, study: Path, out: Path) -> None:
    assert folder_command("-m", "-f", "", study, out).code == 0
    assert files_below(out) == ["1/000001.dcm", "2/000001.dcm"]


@pytest.mark.parametrize("option", ["-f", "--file"])
def test_single_frame_output_takes_no_name(folder_command: Run, study: Path, out: Path, option: str) -> None:
    assert folder_command(option, "all.dcm", study, out).code == 0
    assert files_below(out) == BARE


@pytest.mark.parametrize("name", [".", "..", " ", "../all.dcm", "a/b", "a\\b", "C:", "a*", "a?", "<a>", "a|b", "a\nb"])
@pytest.mark.parametrize("form", [[], ["-m"], ["-l"]])
def test_a_name_that_is_no_file_name_is_wrong_usage(
    folder_command: Run, file_command: Run, study: Path, out: Path, form: list[str], name: str
) -> None:
    for run, source in ((folder_command, study), (file_command, study / "m1.ct.img")):
        line = assert_one_line_error(*run(*form, "-f", name, source, out), expected_code=2)
        assert line.startswith("error: the file name is '")
    assert not out.parent.exists()


def test_an_absolute_path_is_no_file_name(folder_command: Run, study: Path, out: Path, tmp_path: Path) -> None:
    assert_one_line_error(*folder_command("-m", "-f", tmp_path / "all.dcm", study, out), expected_code=2)
    assert not (tmp_path / "all.dcm").exists()


@pytest.mark.parametrize("options", [["-l", "-m"], ["-m", "-l"], ["--multiframe", "--legacyconverted"], ["-lm"]])
def test_an_object_is_of_one_form(
    folder_command: Run, file_command: Run, study: Path, out: Path, options: list[str]
) -> None:
    for run, source in ((folder_command, study), (file_command, study / "m1.ct.img")):
        line = assert_one_line_error(*run(*options, source, out), expected_code=2)
        assert line.startswith("error: -l and -m are given")
    assert not out.parent.exists()


@pytest.mark.parametrize(("option", "sop_classes"), BOTH_FORMS)
def test_one_pair_becomes_one_object(
    file_command: Run, study: Path, out: Path, option: str, sop_classes: set[UID]
) -> None:
    done = file_command(option, "-f", "mouse.dcm", study / "m1.pet.img", out)
    assert done.code == 0
    assert files_below(out) == ["1/mouse.dcm"]
    [found] = instances(out)
    assert found.SOPClassUID in sop_classes
    assert found.Modality == "PT"
    assert done.stdout.splitlines() == [f"{found.SOPClassUID.name.removesuffix(' Storage')}: 1 file in {out / '1'}"]


def test_what_an_enhanced_pet_must_state_and_the_header_does_not_is_one_line(
    folder_command: Run, tmp_path: Path, out: Path
) -> None:
    write_scan(tmp_path / "a.img", PET, defects=(Defect.NO_BRANCHING_FRACTION,))
    assert "isotope_branching_fraction" in assert_one_line_error(*folder_command("-m", tmp_path, out))
    assert not out.parent.exists()
    assert folder_command("-l", tmp_path, out).code == 0


# What is no pair is refused, and nothing is written.


def stray(folder: Path, name: str = "notes.txt") -> None:
    (folder / name).write_text("x")


def orphan_data(folder: Path) -> None:
    (folder / "m1.ct.img.hdr").unlink()


def orphan_header(folder: Path) -> None:
    (folder / "m1.ct.img").unlink()


def nested(folder: Path) -> None:
    (folder / "older").mkdir()


def nested_study(folder: Path) -> None:
    write_small_study(folder / "older")


EXTRAS = {
    stray: "notes.txt",
    orphan_data: "m1.ct.img",
    orphan_header: "m1.ct.img.hdr",
    nested: "older",
    nested_study: "older",
}


@pytest.mark.parametrize(("extra", "named"), EXTRAS.items())
def test_what_is_no_pair_is_refused_and_nothing_is_written(
    folder_command: Run, study: Path, out: Path, extra: Callable[[Path], None], named: str
) -> None:
    extra(study)
    before = digests(study)
    line = assert_one_line_error(*folder_command(study, out))
    assert str(study) in line
    assert named in line
    assert not out.parent.exists()
    assert digests(study) == before


@pytest.mark.parametrize("extra", [orphan_data, orphan_header, nested, nested_study])
def test_what_is_no_pair_is_refused_even_if_all_extra_files_are_ignored(
    folder_command: Run, study: Path, out: Path, extra: Callable[[Path], None]
) -> None:
    extra(study)
    assert_one_line_error(*folder_command("--ignoreAllExtraFiles", study, out))
    assert not out.parent.exists()


def test_many_strays_are_still_one_line(folder_command: Run, study: Path, out: Path) -> None:
    for number in range(100):
        stray(study, f"{number}.txt")
    assert len(assert_one_line_error(*folder_command(study, out))) < 500


def test_all_extra_files_can_be_ignored(folder_command: Run, study: Path, out: Path) -> None:
    for name in ("notes.txt", "Thumbs.db", "readme", ".hidden", "m1.ct.img.log"):
        stray(study, name)
    done = folder_command("--ignoreAllExtraFiles", study, out)
    assert done.code == 0
    assert "notes.txt" not in done.stderr
    assert files_below(out) == BARE


@pytest.mark.parametrize("extension", ["txt", ".txt", "TXT", ".Txt"])
@pytest.mark.parametrize("name", ["notes.txt", "NOTES.TXT"])
def test_an_extension_is_ignored_with_and_without_its_dot(
    folder_command: Run, study: Path, out: Path, extension: str, name: str
) -> None:
    stray(study, name)
    assert folder_command("--ignoreFileWithExt", extension, study, out).code == 0
    assert files_below(out) == BARE


def test_extensions_are_ignored_one_by_one(folder_command: Run, study: Path, out: Path) -> None:
    stray(study, "notes.txt")
    stray(study, "table.csv")
    line = assert_one_line_error(*folder_command("--ignoreFileWithExt", "txt", study, out))
    assert "table.csv" in line
    assert "notes.txt" not in line
    assert not out.parent.exists()
    assert folder_command("--ignoreFileWithExt", "txt", "--ignoreFileWithExt=.csv", study, out).code == 0


@pytest.mark.parametrize(
    ("extension", "name"), [("tar.gz", "raw.tar.gz"), ("gz", "raw.tar.gz"), ("DS_Store", ".DS_Store")]
)
def test_an_extension_is_the_end_of_a_name(
    folder_command: Run, study: Path, out: Path, extension: str, name: str
) -> None:
    stray(study, name)
    assert folder_command("--ignoreFileWithExt", extension, study, out).code == 0


@pytest.mark.parametrize("extension", ["xt", "notes", "", "."])
def test_only_a_whole_extension_is_ignored(folder_command: Run, study: Path, out: Path, extension: str) -> None:
    stray(study, "notes.txt")
    assert "notes.txt" in assert_one_line_error(*folder_command("--ignoreFileWithExt", extension, study, out))


def test_an_output_folder_that_holds_files_is_refused(folder_command: Run, study: Path, out: Path) -> None:
    (out / "1").mkdir(parents=True)
    (out / "1" / "CT-000001.dcm").write_bytes(b"precious")
    assert str(out) in assert_one_line_error(*folder_command(study, out))
    assert files_below(out) == ["1/CT-000001.dcm"]
    assert (out / "1" / "CT-000001.dcm").read_bytes() == b"precious"


def test_an_output_that_is_a_file_is_refused(folder_command: Run, study: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"precious")
    assert_one_line_error(*folder_command(study, tmp_path / "out"))
    assert (tmp_path / "out").read_bytes() == b"precious"


def test_a_folder_without_pairs_is_refused(folder_command: Run, tmp_path: Path, out: Path) -> None:
    (tmp_path / "in").mkdir()
    assert str(tmp_path / "in") in assert_one_line_error(*folder_command(tmp_path / "in", out))
    assert not out.parent.exists()


def test_a_pair_that_cannot_be_converted_stops_the_folder(folder_command: Run, study: Path, out: Path) -> None:
    write_scan(study / "z.img", CT, defects=(Defect.SHORT_DATA,))
    assert "z.img" in assert_one_line_error(*folder_command(study, out))
    assert not out.parent.exists()


def test_warnings_do_not_fail(folder_command: Run, study: Path, out: Path) -> None:
    write_scan(study / "z.img", CT, defects=(Defect.NO_ORIENTATION,))
    done = folder_command(study, out)
    assert done.code == 0
    assert "subject_orientation" in done.stderr
    assert_harmless(done.stderr)


def test_a_missing_scan_time_names_the_command_that_helps(folder_command: Run, tmp_path: Path, out: Path) -> None:
    write_scan(tmp_path / "a.img", PET, defects=(Defect.NO_SCAN_TIME,))
    line = assert_one_line_error(*folder_command(tmp_path, out))
    assert "inveon convert --scan-time 2014-03-04T14:05:09" in line


@pytest.mark.parametrize("prefix", ["../x", "a/b", "C:"])
@pytest.mark.parametrize("option", ["--ct", "--pet"])
def test_a_prefix_that_is_no_start_of_a_file_name_is_wrong_usage(
    folder_command: Run, study: Path, out: Path, option: str, prefix: str
) -> None:
    assert_one_line_error(*folder_command(option, prefix, study, out), expected_code=2)
    assert not out.parent.exists()


# One pair.


@pytest.mark.parametrize("name", ["m1.pet.img", "m1.pet.img.hdr"])
def test_one_pair_becomes_one_series(file_command: Run, study: Path, out: Path, name: str) -> None:
    stray(study)  # what is beside it does not matter
    done = file_command("-f", "all.dcm", study / name, out)
    assert done.code == 0
    assert files_below(out) == [f"1/{n:06}.dcm" for n in range(1, 13)]
    assert {ds.Modality for ds in instances(out)} == {"PT"}
    assert len(done.stdout.splitlines()) == 1


def test_one_pair_runs_as_a_module(study: Path, out: Path) -> None:
    done = run_forked("-m", "inveonimaging.inveonFile2DICOM", study / "m1.ct.img", out)
    assert done.returncode == 0
    assert files_below(out) == [f"1/{n:06}.dcm" for n in range(1, 7)]


@pytest.mark.parametrize("source", ["none.img", "m1.ct.txt", "", "x" * 300])
def test_what_is_no_pair_is_one_line(file_command: Run, study: Path, out: Path, source: str) -> None:
    """Neither a missing file, nor one of another kind, nor a folder."""
    stray(study, "m1.ct.txt")
    assert_one_line_error(*file_command(study / source, out))
    assert not out.parent.exists()


def test_half_a_pair_is_refused(file_command: Run, study: Path, out: Path) -> None:
    orphan_header(study)
    assert "m1.ct.img" in assert_one_line_error(*file_command(study / "m1.ct.img.hdr", out))
    assert not out.parent.exists()


# Both.


@pytest.mark.parametrize("main", [inveonFolder2DICOM.main, inveonFile2DICOM.main])
@pytest.mark.parametrize("arguments", [[], ["in"], ["in", "out", "surplus"], ["--unknown", "in", "out"], ["-f"]])
def test_wrong_usage_ends_with_2(
    main: Callable[[list[str]], int], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: " in capsys.readouterr().err


PUBLISHED = {
    inveonFolder2DICOM.main: [
        *("-h", "--help", "-C", "--codetable", "-c", "--ct", "-p", "--pet", "-f", "--file", "-l", "--legacyconverted"),
        *("-m", "--multiframe", "-s", "--studydescription", "--patientname", "--patientid", "--patientdob"),
        *("--patientsex", "--ignoreAllExtraFiles", "--ignoreFileWithExt", "InveonFolder", "OutputFolder"),
    ],
    inveonFile2DICOM.main: ["-f", "--file", "-l", "-m", "InveonImage", "OutputFolder"],
}


@pytest.mark.parametrize(("main", "arguments"), PUBLISHED.items())
def test_help_names_every_published_argument(
    main: Callable[[list[str]], int], arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    words = set(capsys.readouterr().out.replace(",", " ").replace("[", " ").replace("]", " ").split())
    assert set(arguments) <= words


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, MemoryError])
def test_an_interruption_leaves_nothing_and_no_traceback(
    folder_command: Run,
    file_command: Run,
    study: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    interrupt: type[BaseException],
) -> None:
    def interrupted(*_: object) -> None:
        raise interrupt

    monkeypatch.setattr(writing, "write_file", interrupted)
    code = 130 if interrupt is KeyboardInterrupt else 1
    assert_one_line_error(*folder_command(study, out), expected_code=code)
    assert_one_line_error(*file_command(study / "m1.ct.img", out), expected_code=code)
    assert not out.parent.exists()


def test_hostile_text_is_shown_escaped(folder_command: Run, tmp_path: Path, out: Path) -> None:
    subject = replace(PET.subject, sex="\x1b[31mred\u202e\x9b", age="\x07", genus="\x1b]0;title\x07")
    write_scan(tmp_path / "a.img", replace(PET, subject=subject, tracer=replace(PET.tracer, isotope="\x1b[2J")))
    done = folder_command(tmp_path, out)
    assert done.code == 0
    assert done.stderr.count("\\x1b") >= 3
    assert_harmless(done.stdout)
    assert_harmless(done.stderr)


def test_the_default_of_the_code_table_is_in_the_documented_form() -> None:
    assert [sorted(row) for row in json.loads(CODE_TABLE)] == [["code", "key", "meaning", "system"]] * 4


# The published specification, whose tables are typed here once more from its text.

MODES = {
    0: "Unknown acquisition mode",
    1: "Blank acquisition",
    2: "Emission acquisition",
    3: "Dynamic acquisition",
    4: "Gated acquisition",
    5: "Continuous bed motion acquisition",
    6: "Singles transmission acquisition",
    7: "Windowed coincidence transmission acquisition",
    8: "Non-windowed coincidence transmission acquisition",
    9: "CT projection acquisition",
    10: "CT calibration acquisition",
    11: "SPECT planar projection acquisition",  # misprinted there: acquisitio
    12: "SPECT multi-projection acquisition",
    13: "SPECT calibration acquisition",
    14: "SPECT tomography normalization acquisition",
    15: "SPECT detector setup acquisition",
    16: "SPECT scout view acquisition",
    17: "SPECT planar normalization acquisition",
}
MODELS = {
    0: "unknown", 2000: "Primate", 2001: "Rodent", 2002: "microPET2", 2500: "Focus_220", 2501: "Focus_120",
    3000: "mCAT", 3500: "mCATII", 4000: "mSPECT", 5000: "Inveon_Dedicated_PET", 5001: "Inveon_MM_Platform",
    6000: "MR_PET_Head_Insert", 8000: "Tuebingen_PET_MR",
}  # fmt: skip
CONFIGURATIONS = {
    0: "Unknown", 3000: "mCAT", 3500: "mCATII", 3600: "Inveon_MM_Std_CT", 3601: "Inveon_MM_HiRes_Std_CT",
    3602: "Inveon_MM_Std_LFOV_CT", 3603: "Inveon_MM_HiRes_LFOV_CT", 2000: "Primate", 2001: "Rodent",
    2002: "microPET2", 2500: "Focus_220", 2501: "Focus_120", 5000: "Inveon_Dedicated_PET", 5500: "Inveon_MM_PET",
}  # fmt: skip
FILTERS = {
    0: "No filter",
    1: "Ramp filter (backprojection) or no filter",
    2: "First-order Butterworth window",
    3: "Hanning window",
    4: "Hamming window",
    5: "Parzen window",
    6: "Shepp filter",
    7: "Second-order Butterworth window",
}


def test_codes_have_the_words_of_the_specification() -> None:
    assert {int(code): words for code, words in specified.ACQUISITIONS.items()} == MODES
    assert {int(code): words for code, words in specified.MODELS.items()} == MODELS
    assert {int(code): words for code, words in specified.CONFIGURATIONS.items()} == CONFIGURATIONS
    assert {int(code): words for code, words in specified.FILTERS.items()} == FILTERS


def a_pet(header: Header) -> Header:
    """Return a header without a manufacturer, with an investigator and three filters."""
    half, quarter = Filter(FilterWindow.RAMP, 0.5), Filter(FilterWindow.HANN, 0.25)
    return replace(
        header,
        manufacturer=None,
        model=Model.INVEON_MM,
        modality_configuration=ModalityConfiguration.MM_PET,
        acquisition_mode=AcquisitionMode.DYNAMIC,
        acquisition=replace(header.acquisition, investigator="Roe^R"),
        reconstruction=replace(
            header.reconstruction, x_filter=half, y_filter=Filter(FilterWindow.NONE, 0.5), z_filter=quarter
        ),
    )


def test_a_pet_has_the_specified_words(folder_command: Run, tmp_path: Path, out: Path) -> None:
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "a.img", PET, change=a_pet)
    for ds in converted(folder_command, tmp_path / "in", out):
        assert (ds.Manufacturer, ds.ManufacturerModelName) == ("Siemens", "Inveon_MM_Platform:Inveon_MM_PET")
        assert (ds.SeriesDescription, ds.ReferringPhysicianName) == ("Dynamic acquisition", "Roe^R")
        assert ds.ImageComments == (
            "x: Ramp filter (backprojection) or no filter, cutoff 0.5; y: No filter; z: Hanning window, cutoff 0.25"
        )
    ours = tmp_path / "ours"
    convert(tmp_path / "in", ours)
    for ds in instances(ours):
        assert (ds.Manufacturer, ds.ManufacturerModelName) == ("Siemens", "Inveon MM Platform")
        assert ds.SeriesDescription.startswith("PET dynamic emission")
    for done in (out, ours):
        assert inveon("verify", tmp_path / "in", done).exit_code == 0


@pytest.mark.parametrize(("current", "expected"), [(500.0, None), (1000.0, "1"), (1500.0, None), (2000.0, "2")])
def test_milliamperes_are_written_only_if_they_are_whole(
    tmp_path: Path, out: Path, current: float, expected: str | None
) -> None:
    write_scan(tmp_path / "a.img", CT, change=lambda h: replace(h, ct=replace(h.ct, anode_current_ua=current)))
    convert(tmp_path / "a.img", out)
    ds = instances(out)[0]
    assert ("XRayTubeCurrent" in ds, ds.get("XRayTubeCurrent")) == (expected is not None, expected and int(expected))
    assert (ds.XRayTubeCurrentInuA, ds.ScanOptions) == (current, "ACQ MODE 9")


def test_reconstructions_of_one_scan_are_distinguished(tmp_path: Path, out: Path) -> None:
    for name, iterations in (("a", 18), ("b", 30), ("c", 30)):

        def change(header: Header, count: int = iterations) -> Header:
            made = replace(header.reconstruction, algorithm=ReconAlgorithm.MAP3D, map_iterations=count)
            return replace(header, reconstruction=made)

        write_scan(tmp_path / f"{name}.img", PET, change=change)
    convert(tmp_path, out)
    names = {ds.SeriesNumber: ds.SeriesDescription for ds in instances(out)}
    assert len(set(names.values())) == 3, names
    assert "18" in names[1]
    assert names[2].endswith(", b")
    assert names[3].endswith(", c")
    assert all(len(name) <= 64 for name in names.values())


def test_the_output_may_hold_other_things(folder_command: Run, study: Path, out: Path) -> None:
    (out / "1").mkdir(parents=True)
    (out / "notes.txt").write_text("kept")
    assert folder_command("-c", "CT-", "-p", "PET-", study, out).code == 0
    assert files_below(out) == sorted([*CT_FILES, *PET_FILES, "notes.txt"])
    before = digests(out)
    refused = folder_command(study, out)
    assert (refused.code, "1: exists already and is not empty" in refused.stderr) == (1, True)
    assert digests(out) == before


def test_unknown_sex_and_birth_date_are_empty(folder_command: Run, study: Path, tmp_path: Path) -> None:
    for sex in ("U", "unknown"):
        out = tmp_path / sex
        for ds in converted(folder_command, "--patientsex", sex, "--patientdob", "unknown", study, out):
            assert (ds.PatientSex, ds.PatientBirthDate) == ("", "")


def test_an_empty_extension_is_that_of_files_without(folder_command: Run, study: Path, out: Path) -> None:
    (study / "README").touch()
    assert folder_command(study, out).code == 1
    assert folder_command("--ignoreFileWithExt", "", study, out).code == 0


def test_longer_data_and_a_reconstructed_sinogram_are_taken_with_a_warning(
    folder_command: Run, tmp_path: Path, out: Path
) -> None:
    for name in ("in", "odd", "raw"):
        (tmp_path / name).mkdir()
    write_scan(tmp_path / "in" / "a.img", PET)
    with (tmp_path / "in" / "a.img").open("ab") as file:
        file.write(b"xx")
    done = folder_command(tmp_path / "in", out)
    assert (done.code, "warning: " in done.stderr, "error: " in done.stderr) == (0, True, False)
    write_scan(tmp_path / "odd" / "a.img", PET, change=lambda h: replace(h, file_type=FileType.SINOGRAM))
    done = folder_command(tmp_path / "odd", tmp_path / "two")
    assert (done.code, "names a reconstruction" in done.stderr) == (0, True)

    def raw(header: Header) -> Header:
        made = replace(header.reconstruction, algorithm=None)
        return replace(header, file_type=FileType.SINOGRAM, reconstruction=made)

    write_scan(tmp_path / "raw" / "a.img", PET, change=raw)
    assert folder_command(tmp_path / "raw", tmp_path / "three").code != 0


PAGE = (ROOT / "docs" / "reference" / "published.md").read_text("utf-8")
NAMED = re.compile(r"([A-Z][A-Za-z0-9' ()/-]+?) \(([0-9A-F]{4}),([0-9A-F]{4})\)")
GENERATED = object()

# What the specification says of the study of `specified_study`, by its rows: values worked out from its text and the
# header's keys. The rows of all modalities, then those of one.
COMMON: dict[str, Any] = {
    "PatientName": "", "PatientID": "", "PatientBirthDate": "", "PatientSex": "", "StudyInstanceUID": GENERATED,
    "ReferringPhysicianName": "Roe^R", "StudyID": "DEMO-01-ABCDEFGH", "AccessionNumber": "",
    "StudyDescription": "FDG uptake of a subcutaneous tumour", "SeriesInstanceUID": GENERATED, "Laterality": "",
    "OperatorsName": "operator 1", "FrameOfReferenceUID": GENERATED, "PositionReferenceIndicator": "",
    "Manufacturer": "Siemens", "InstitutionName": "Imaging Core Facility", "InstanceNumber": 1,
    "PixelSpacing": [4.0, 3.5], "SliceThickness": 9.0, "SamplesPerPixel": 1, "PhotometricInterpretation": "MONOCHROME2",
    "Rows": 7, "Columns": 8, "BitsAllocated": 16, "BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1,
    "SOPInstanceUID": GENERATED, "StudyDate": "20140617", "SeriesDate": "20140617", "AcquisitionDate": "20140617",
    "ImageOrientationPatient": [], "PatientPosition": "HFP", "RescaleIntercept": 0.0,
}  # fmt: skip
# x: (8/2 - 1)/2 * 3.5 - shift; y: -((7/2 - 1)/2 * 4 - shift); z: (0.5 - 6/2) * 9 + shift.
SPECIFIED: dict[str, dict[str, Any]] = {
    "CT": COMMON | {
        "Modality": "CT", "SeriesNumber": 1, "StudyTime": "133144", "SeriesTime": "133144", "AcquisitionTime": "133144",
        "SeriesDescription": "CT projection acquisition", "SoftwareVersions": ["1.91", "2.1"],
        "ManufacturerModelName": "Inveon_MM_Platform:Inveon_MM_HiRes_Std_CT", "ImageComments": ["Shepp filter"],
        "ImagePositionPatient": [6.7, -5.85, -21.95], "SliceLocation": -21.95, "PixelData": None,
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"], "RescaleSlope": 1.0,
        "KVP": 80.0, "AcquisitionNumber": 1, "DistanceSourceToDetector": 4029.9, "DistanceSourceToPatient": 3442.7,
        "XRayTubeCurrent": 1, "ConvolutionKernel": "Feldkamp cone be",
    },
    "PT": COMMON | {
        "Modality": "PT", "SeriesNumber": 2, "StudyTime": "135207", "SeriesTime": "135207", "AcquisitionTime": "135207",
        "SeriesDescription": "Dynamic acquisition", "SoftwareVersions": ["1.91", "2.4"],
        "ManufacturerModelName": "Inveon_MM_Platform:Inveon_MM_PET",
        "ImageComments": ["Ramp filter (backprojection) or no filter", "No filter", "Hanning window"],
        "ImagePositionPatient": [5.88, -3.83, -23.81], "SliceLocation": -23.81, "PixelData": 32767,
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.128", "ImageType": ["ORIGINAL", "PRIMARY"], "RescaleSlope": 1.217,
        "CountsSource": "EMISSION", "SeriesType": ["DYNAMIC", "IMAGE"], "NumberOfSlices": 6,
        "CorrectedImage": ["NORM", "ATTN", "SCAT", "DECY", "DTM"], "DecayCorrection": "START", "CollimatorType": "",
        "RadiopharmaceuticalInformationSequence": GENERATED,
        "RadionuclideCodeSequence": ["C-111A1", "SNM3", "^18^Fluorine"],
        "PatientOrientationCodeSequence": ["102538003", "SCT", "Recumbent"],
        "PatientGantryRelationshipCodeSequence": ["102540008", "SCT", "headfirst"],
        "FrameReferenceTime": 10000.0, "ImageIndex": None, "ActualFrameDuration": 20000,
        "DecayFactor": 1.001052792721156,
    },
}  # fmt: skip
CODED = ("CodeValue", "CodingSchemeDesignator", "CodeMeaning")


class Row(NamedTuple):
    """A row of the page: of which modalities, which attributes, and what is written."""

    modalities: tuple[str, ...]
    keywords: tuple[str, ...]
    written: str


def rows() -> list[Row]:
    """Return the rows of the page that name attributes."""
    found: list[Row] = []
    modalities: tuple[str, ...] = ("CT", "PT")
    for line in PAGE.splitlines():
        if line.startswith("## "):
            modalities = {"## CT": ("CT",), "## PET": ("PT",)}.get(line, ("CT", "PT"))
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("| ") else []
        tags = [group + element for _, group, element in NAMED.findall(cells[0])] if cells else []
        if tags:
            found.append(Row(modalities, tuple(keyword_for_tag(tag) for tag in tags), cells[2]))
    return found


def test_the_page_names_attributes_by_their_tags() -> None:
    for name, group, element in NAMED.findall(PAGE):
        assert dictionary_description(int(group + element, 16)) == name.strip()


def test_the_page_has_every_row_of_the_specification() -> None:
    for modality, specified_rows in SPECIFIED.items():
        named = [keyword for row in rows() if modality in row.modalities for keyword in row.keywords]
        assert sorted(set(named) - set(CODED)) == sorted(specified_rows)
        assert len(named) == len(set(named)), "an attribute has two rows"


@pytest.fixture(scope="module")
def specified_study(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Return the instances of a CT and a PET that the published command writes, by modality."""
    folder = tmp_path_factory.mktemp("specified")

    def change(header: Header) -> Header:
        acquisition = replace(header.acquisition, investigator="Roe^R", study_identifier="DEMO-01-ABCDEFGHIJ")
        subject = replace(header.subject, scan_region=None)
        return replace(header, manufacturer=None, acquisition=acquisition, subject=subject)

    (folder / "in").mkdir()
    write_scan(
        folder / "in" / "a.img", CT, change=lambda h: replace(change(h), ct=replace(h.ct, anode_current_ua=1000.0))
    )
    write_scan(folder / "in" / "b.img", PET, change=lambda h: change(a_pet(h)))
    assert inveonFolder2DICOM.main([str(folder / "in"), str(folder / "out")]) == 0
    found: dict[str, list[Any]] = {"CT": [], "PT": []}
    for ds in instances(folder / "out"):
        found[ds.Modality].append(ds)
    stored = np.fromfile(folder / "in" / "a.img", "<i2")
    written = np.concatenate([ds.pixel_array.ravel() for ds in found["CT"]])
    assert sorted(stored) == sorted(written)  # integers as they stand
    return found


def as_specified(keyword: str, value: Any, series: list[Any], other: list[Any]) -> bool:
    """Return whether a series has what the specification says: its first instance, of Acquisition Time its last."""
    ds = series[-1 if keyword == "AcquisitionTime" else 0]
    if keyword == "PixelData":  # floats: the largest of each frame's voxels would be this
        count = len(series) if ds.Modality == "CT" else ds.NumberOfSlices
        frames = [series[start : start + count] for start in range(0, len(series), count)]
        return ds.Modality == "CT" or {max(int(each.pixel_array.max()) for each in one) for one in frames} == {value}
    if value is GENERATED:
        own = keyword in {"SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"}
        return bool(ds.get(keyword)) and (not own or str(ds[keyword].value) != str(other[0][keyword].value))
    held = ds.RadiopharmaceuticalInformationSequence[0] if keyword == "RadionuclideCodeSequence" else ds
    if keyword not in held:
        return False
    if keyword == "ImageComments":
        return all(name in ds.ImageComments for name in value)
    return bool(plain(held[keyword].value) == plain(value))


def plain(value: Any) -> Any:
    """Return a value that can be compared: the three parts of a code, names in lower case."""
    if isinstance(value, Sequence):
        return [plain(value[0][keyword].value) for keyword in CODED]
    if isinstance(value, MultiValue | list):
        return [plain(each) for each in value]
    return round(float(value), 9) if isinstance(value, int | float) else str(value).lower()


@pytest.mark.parametrize("row", rows(), ids=lambda row: row.keywords[0])
def test_the_page_says_what_is_written(specified_study: dict[str, list[Any]], row: Row) -> None:
    keywords = [keyword for keyword in row.keywords if keyword not in CODED]
    other = {"CT": "PT", "PT": "CT"}
    verdicts = {
        (each, key): as_specified(key, SPECIFIED[each][key], specified_study[each], specified_study[other[each]])
        for each in row.modalities
        for key in keywords
    }
    shown = row.written.removeprefix("*published commands*: ")
    assert shown.startswith(("same", "otherwise")), shown
    assert all(verdicts.values()) == shown.startswith("same"), verdicts


def test_words_for_codes_of_ct_reconstructions_are_those_of_the_specification() -> None:
    words = {1: "Filtered Backprojection", 4: "3D Reprojection", 9: "Feldkamp cone beam"}
    for code, name in words.items():
        assert specified_kernel(code).lower() == name[:16].strip().lower()
    assert {specified_kernel(code) for code in (0, 5)} == {""}


def specified_kernel(code: int) -> str:
    """Return Convolution Kernel of a CT that was reconstructed so."""
    return ct_kernel(parse(header_text({"modality": "1", "recon_algorithm": str(code)}).encode())[0])


@pytest.mark.parametrize(
    ("given", "same"),
    [
        ((), ()),
        (("--patientsex", "unknown"), ("--patient-sex", "unknown")),
        (("--patientdob", "unknown"), ("--patient-birth-date", "unknown")),
        (("--patientsex", "U"), ("--patient-sex", "unknown")),
        (("-m",), ()),
        (("-l",), ()),
    ],
)
def test_verify_finds_no_difference_in_what_the_command_writes(
    folder_command: Run, study: Path, out: Path, given: tuple[str, ...], same: tuple[str, ...]
) -> None:
    write_scan(study / "sinogram.img", PET, change=lambda h: replace(h, file_type=FileType.SINOGRAM))
    done = folder_command(*given, study, out)
    assert (done.code, "names a reconstruction" in done.stderr) == (0, True), done.stderr
    verified = inveon("verify", study, out, *same)
    assert (verified.exit_code, "no difference" in verified.stdout) == (0, True), verified.stdout + verified.stderr
    (changed, *_) = sorted(out.rglob("*.dcm"))
    ds = pydicom.dcmread(changed)
    ds.PatientID = "another"
    ds.save_as(changed)
    assert inveon("verify", study, out).exit_code == 1
