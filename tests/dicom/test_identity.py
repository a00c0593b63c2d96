"""UIDs: the same input and options give the same, another input or another option gives others."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pydicom
import pytest

from inveonimaging import Options, convert
from inveonimaging.animal import GivenSubject
from inveonimaging.animal.sheet_values import Code
from inveonimaging.conversion.options import Uids
from inveonimaging.dicom.codes import CodeTable
from inveonimaging.inveon.hdr.enums import Modality, Orientation
from inveonimaging.phantom import CT_SCAN, PET_SCAN, frames_of, write_scan
from inveonimaging.physics.quantification import Policy
from inveonimaging.study.registration import RegistrationPolicy

CT = replace(CT_SCAN, shape=(4, 3, 2), spacing_mm=(6.0, 6.0, 30.0))
PET = replace(PET_SCAN, shape=(4, 3, 2), spacing_mm=(6.0, 6.0, 30.0), frames=frames_of(60.0, 60.0))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    write_scan(folder / "a.ct.img", CT)
    write_scan(folder / "b.pet.img", PET)
    return folder


def all_uids(source: Path, output: Path, options: Options | None = None) -> set[str]:
    convert(source, output, options)
    files = [pydicom.dcmread(file, stop_before_pixels=True) for file in sorted(output.rglob("*.dcm"))]
    series = {ds.SeriesInstanceUID for ds in files} | {ds.FrameOfReferenceUID for ds in files}
    return {ds.SOPInstanceUID for ds in files} | series | {ds.StudyInstanceUID for ds in files}


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*.dcm")}


def test_a_copy_elsewhere_gives_the_same_bytes(source: Path, tmp_path: Path) -> None:
    copy = tmp_path / "another disk" / "kopie"
    shutil.copytree(source, copy)
    convert(source, tmp_path / "one")
    convert(copy, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert len(contents(tmp_path / "one")) == 2 + 4


def test_one_study_has_one_study_uid_and_a_series_uid_a_pair(source: Path, tmp_path: Path) -> None:
    convert(source, tmp_path / "out")
    files = [pydicom.dcmread(file) for file in (tmp_path / "out").rglob("*.dcm")]
    assert len({ds.StudyInstanceUID for ds in files}) == 1
    assert len({(ds.SeriesInstanceUID, ds.SeriesNumber) for ds in files}) == 2
    assert len({ds.FrameOfReferenceUID for ds in files}) == 1


OTHER_OPTIONS = {
    "name": Options(subject=GivenSubject(name="Other")),
    "sex": Options(subject=GivenSubject(sex="M")),
    "description": Options(study_description="Other"),
    "orientation": Options(orientation=Orientation.HFS),
    "flip": Options(flip="x"),
    "frame of reference": Options(frame_of_reference=RegistrationPolicy.SEPARATE),
    "rescale": Options(rescale=Policy.SLICE),
    "codes": Options(codes=CodeTable({"F-18": Code("C-111A1", "SNM3", "^18^Fluorine")})),
    "random": Options(uids=Uids.RANDOM),
}


@pytest.mark.parametrize("options", OTHER_OPTIONS.values(), ids=OTHER_OPTIONS)
def test_an_option_that_changes_the_content_gives_other_uids(source: Path, tmp_path: Path, options: Options) -> None:
    assert not all_uids(source, tmp_path / "one") & all_uids(source, tmp_path / "two", options)


SAME_OPTIONS = {
    "prefix": Options(prefixes={Modality.CT: "", Modality.PET: "X"}),
    "strictness": Options(refuse_strays=True),
    "a scan time that no header needs": Options(scan_time=datetime(2014, 3, 4, 14, 5, 9)),
}


@pytest.mark.parametrize("options", SAME_OPTIONS.values(), ids=SAME_OPTIONS)
def test_an_option_that_changes_nothing_gives_the_same_uids(source: Path, tmp_path: Path, options: Options) -> None:
    assert all_uids(source, tmp_path / "one") == all_uids(source, tmp_path / "two", options)


def flip_a_bit_of_a_voxel(folder: Path) -> None:
    data = bytearray((folder / "a.ct.img").read_bytes())
    data[0] ^= 1
    (folder / "a.ct.img").write_bytes(data)


def change_a_comment(folder: Path) -> None:
    header = folder / "a.ct.img.hdr"
    header.write_bytes(header.read_bytes().replace(b"# Header file", b"# Header  file", 1))


@pytest.mark.parametrize("change", [flip_a_bit_of_a_voxel, change_a_comment])
def test_another_input_gives_other_uids(source: Path, tmp_path: Path, change: Callable[[Path], None]) -> None:
    before = all_uids(source, tmp_path / "one")
    change(source)
    assert not before & all_uids(source, tmp_path / "two")


def test_the_same_pair_twice_in_a_folder_gives_two_series(source: Path, tmp_path: Path) -> None:
    for name in ("a.ct.img", "a.ct.img.hdr"):
        shutil.copy(source / name, source / f"copy of {name}")
    convert(source, tmp_path / "out")
    files = [pydicom.dcmread(file) for file in (tmp_path / "out").rglob("*.dcm")]
    assert len({ds.SOPInstanceUID for ds in files}) == len(files) == 2 + 2 + 4


def test_random_uids_agree_within_a_study_and_differ_between_runs(source: Path, tmp_path: Path) -> None:
    options = Options(uids=Uids.RANDOM)
    first, second = (all_uids(source, tmp_path / name, options) for name in ("one", "two"))
    assert len(first) == 6 + 3 + 1  # instances, two series and their frame of reference, study
    assert not first & second
