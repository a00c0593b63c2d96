"""DICOM read back: series, planes, functional groups and pixels are what pydicom says they are."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from helpers import inveon
from inveonimaging import Options, convert, verify
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.pixels import Compression
from inveonimaging.dicom_reading.pixels import read_plane, read_planes
from inveonimaging.dicom_reading.planes import Reader
from inveonimaging.dicom_reading.series import dicom_files, read_series
from inveonimaging.errors import InputError
from inveonimaging.phantom import CT_SCAN, PET_SCAN, frames_of, write_scan

CT = replace(CT_SCAN, shape=(9, 8, 4), spacing_mm=(3.1, 2.9, 13.7))
PET = replace(PET_SCAN, shape=(8, 7, 3), spacing_mm=(3.5, 4.0, 9.0), frames=frames_of(20, 40))


def study(folder: Path, form: Form = Form.CLASSIC, compression: Compression = Compression.NONE) -> Path:
    (folder / "in").mkdir()
    write_scan(folder / "in" / "m.ct.img", CT)
    write_scan(folder / "in" / "m.pet.img", PET)
    convert(folder / "in", folder / "out", Options(form=form, compression=compression))
    return folder / "out"


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("compression", [Compression.NONE, Compression.RLE, Compression.DEFLATED])
def test_pixels_are_those_that_pydicom_reads(tmp_path: Path, form: Form, compression: Compression) -> None:
    for series in read_series([study(tmp_path, form, compression)]).series:
        for instance in series.files:
            ds = pydicom.dcmread(instance.path)
            expected = ds.pixel_array.reshape(-1, ds.Rows, ds.Columns)
            found = list(instance.pixels())
            assert (instance.native is None) == (compression is Compression.RLE)
            assert np.array_equal(np.stack(found), expected)
            assert found[0].dtype == expected.dtype
            last = len(expected) - 1
            assert np.array_equal(read_plane(instance.path, instance.native, last), expected[last])


def test_implicit_vr_is_read_as_well(tmp_path: Path) -> None:
    file = study(tmp_path) / "1" / "CT-000001.dcm"
    ds = pydicom.dcmread(file)
    expected = ds.pixel_array.copy()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian
    ds.save_as(file, implicit_vr=True, little_endian=True)
    (found,) = Reader().read(file).pixels()
    assert Reader().read(file).native is not None
    assert np.array_equal(found, expected)


def test_series_stand_in_the_order_of_their_files(tmp_path: Path) -> None:
    out = study(tmp_path)
    (out / "notes.txt").write_text("no DICOM")
    ct, pet = read_series([out]).series
    assert [len(each.files) for each in (ct, pet)] == [4, 6]
    assert [each.path for each in pet.files] == sorted((out / "2").iterdir())
    assert len({each.values["SeriesInstanceUID"] for each in pet.files}) == 1
    assert (ct.first.get("Modality"), pet.first.get("Modality")) == ("CT", "PT")
    assert len(dicom_files([out])) == 10


@pytest.mark.parametrize("form", [Form.ENHANCED, Form.LEGACY])
def test_attributes_of_a_frame_are_those_of_its_groups(tmp_path: Path, form: Form) -> None:
    _, pet = read_series([study(tmp_path, form)]).series
    (instance,) = pet.files
    ds = pydicom.dcmread(instance.path)
    assert len(instance.planes) == 6
    for plane, groups in zip(instance.planes, ds.PerFrameFunctionalGroupsSequence, strict=True):
        assert plane.get("ImagePositionPatient") == tuple(groups.PlanePositionSequence[0].ImagePositionPatient)
        assert plane.get("RescaleSlope") == groups.PixelValueTransformationSequence[0].RescaleSlope
        measures = ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
        assert plane.get("PixelSpacing") == tuple(measures.PixelSpacing)
        assert plane.get("PatientID") == "M0042"
        assert plane.get("Units") == ("BQML" if form is Form.LEGACY else None)


@pytest.mark.skipif(os.name == "nt", reason="POSIX only")
def test_what_cannot_be_looked_into_is_not_passed_over(tmp_path: Path) -> None:
    out = study(tmp_path)
    (out / "away.dcm").symlink_to(tmp_path / "nowhere")
    assert out / "away.dcm" in dicom_files([out])
    found = read_series([out])
    assert [error.path for error in found.damaged] == [str(out / "away.dcm")]
    assert [len(each.files) for each in found.series] == [4, 6]
    with pytest.raises(InputError, match=r"away.dcm: no such file"):
        read_series([out / "away.dcm"])
    done = inveon("check", out)
    assert "Findings in away.dcm" in done.stdout
    assert "cannot be read: " in done.stdout
    assert (done.exit_code, done.stderr) == (1, "")
    (difference,) = verify(tmp_path / "in", out).studies[0].differences
    assert (difference.code, difference.path) == ("file-unreadable", str(out / "away.dcm"))


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    file = study(tmp_path) / "1" / "CT-000002.dcm"
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    with pytest.raises(InputError, match=r"CT-000002.dcm: the pixels cannot be read: plane 1 of 1 ends early"):
        list(Reader().read(file).pixels())
    file.write_bytes(b"no DICOM at all")
    with pytest.raises(InputError, match=r"CT-000002.dcm: is not a DICOM file"):
        Reader().read(file)
    with pytest.raises(InputError, match="no DICOM files here"):
        read_series([tmp_path / "in"])
    with pytest.raises(InputError, match="no such file or folder"):
        read_series([tmp_path / "nowhere"])
    with pytest.raises(InputError, match="nowhere: cannot be read: "):
        list(read_planes(tmp_path / "nowhere"))
