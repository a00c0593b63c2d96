"""The Python interface: what options take, what an image gives to other programs, and the page about it."""

from __future__ import annotations

import pickle
import re
from dataclasses import fields, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

import inveonimaging
from helpers import CT, PET, ROOT, THIN_CT, header_text, instances, write_thin_study
from inveonimaging import Corrections, GivenSubject, OptionError, Options
from inveonimaging.animal.xnat_route import Route
from inveonimaging.conversion.options import Uids
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.pixels import Compression
from inveonimaging.inveon.hdr.enums import Modality, Orientation
from inveonimaging.inveon.hdr.values import GateBins
from inveonimaging.phantom import PET_SCAN, SPECT_SCAN, PhantomScan, files, frames_of, write_scan
from inveonimaging.physics.quantification import Policy
from inveonimaging.redaction.request import Dates, Deidentify
from inveonimaging.study.corrections import BedDirection
from inveonimaging.study.registration import RegistrationPolicy
from truth import truth_of

DOCS = ROOT / "docs"
SHEET = "subject,sex\nM0042,M\n"
CODES = '[{"key": "Zr89", "code": "C-168A4", "meaning": "^89^Zirconium", "system": "SRT"}]'

# Options: what is given, and what it is.

TAKEN: dict[str, tuple[Any, Any]] = {
    "form": ("Enhanced", Form.ENHANCED),
    "file_name": (Path("mouse.dcm"), "mouse.dcm"),
    "overwrite": (np.True_, True),
    "manifest": (False, False),
    "largest_object": ("1GiB", 2**30),
    "compression": ("rle", Compression.RLE),
    "cycle_ms": ("250", 250.0),
    "separate_frames": (True, True),
    "bed_direction": ("reverse", BedDirection.REVERSE),
    "study_description": ("pilot", "pilot"),
    "subject": ({"id": "M12", "sex": "male", "birth_date": "2014-03-04"}, ("M12", "M", date(2014, 3, 4))),
    "xnat_route": ("P/S/L", Route("P", "S", "L")),
    "scan_time": ("2014-03-04T14:05:09", datetime(2014, 3, 4, 14, 5, 9)),
    "weight_kg": ("24.6 g", 0.0246),
    "dose_mbq": ("0.19 mCi", 7.03),
    "injected_at": ("2014-06-17 13:51:37", datetime(2014, 6, 17, 13, 51, 37)),
    "species": (" mouse ", "mouse"),
    "strain": ("C57BL/6J", "C57BL/6J"),
    "orientation": ("hfp", Orientation.HFP),
    "flip": (["X", "z"], "xz"),
    "only": (["a.img", "b.img"], ("a.img", "b.img")),
    "rescale": ("frame", Policy.FRAME),
    "uids": ("random", Uids.RANDOM),
    "prefixes": ({"PT": "p"}, {Modality.PET: "p"}),
    "frame_of_reference": ("separate", RegistrationPolicy.SEPARATE),
    "recursive": (True, True),
    "refuse_strays": (True, True),
    "ignored_suffixes": (["txt", ".XML"], {".txt", ".xml"}),
    "fail_on_warnings": (True, True),
    "apply_hounsfield": (True, True),
    "allow_long_data": (True, True),
    "unlimited_text": (True, True),
    "specified": (True, True),
    "beside_others": (True, True),
    "mask_others": (True, True),
    "settings": ({"posture": "inveon.toml of the user"}, {"posture": "inveon.toml of the user"}),
}
OF_FILES = {"sheet", "codes", "deidentify"}
EXPECTED = {
    "form": "classic, enhanced, legacy",
    "compression": "none, rle, jpegls, j2k, deflated",
    "bed_direction": "forward, reverse",
    "orientation": "FFP, HFP, FFS, HFS, FFDR, HFDR, FFDL, HFDL",
    "rescale": "auto, series, frame, slice",
    "uids": "content, random",
    "frame_of_reference": "auto, shared, separate",
    "flip": "letters of xyz",
    "scan_time": "2014-03-04T14:05:09",
    "xnat_route": "PROJECT/SUBJECT/SESSION",
    "largest_object": "1MiB to 4095MiB",
    "prefixes": "CT-",
    "overwrite": "True or False",
    "weight_kg": "g, kg, mg, oz, lb",
    "dose_mbq": "MBq, kBq, Bq, GBq, mCi, uCi, nCi",
    "injected_at": "2014-03-04T14:05:09",
}


def made(name: str, value: Any) -> list[Options]:
    """Return the options with one of them given, at first or by a change."""
    given: dict[str, Any] = {name: value}
    return [Options(**given), replace(Options(), **given)]


def test_every_option_is_tried() -> None:
    assert {each.name for each in fields(Options)} == {*TAKEN, *OF_FILES}


@pytest.mark.parametrize("name", TAKEN)
def test_options_take_what_people_have(name: str) -> None:
    given, expected = TAKEN[name]
    for options in made(name, given):
        found = getattr(options, name)
        if name == "subject":
            assert (found.id, found.sex, found.birth_date) == expected
        else:
            assert found == expected
            assert type(found) is type(expected) or name in {"prefixes", "ignored_suffixes"}
        assert made(name, found) == [options, options]  # what it is, is taken again
        assert pickle.loads(pickle.dumps(options)) == options  # noqa: S301 - our own


@pytest.mark.parametrize("name", [*TAKEN, *sorted(OF_FILES)])
def test_options_refuse_what_they_cannot_be(name: str) -> None:
    for value in (object(), b"bytes"):
        given: dict[str, Any] = {name: value}
        with pytest.raises(OptionError, match="expected") as caught:
            Options(**given)
        assert "\n" not in str(caught.value)
        with pytest.raises(OptionError, match="expected"):
            replace(Options(), **given)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_wrong_text_is_an_error_that_names_the_choices(name: str) -> None:
    with pytest.raises(OptionError) as caught:
        made(name, "nonsense")
    assert "nonsense" in str(caught.value)
    assert EXPECTED[name] in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("overwrite", "no"),
        ("largest_object", 2.5),
        ("largest_object", True),
        ("cycle_ms", float("nan")),
        ("scan_time", "2014-03-04"),
        ("scan_time", "2014-03-04T14:05:09+01:00"),
        ("scan_time", date(2014, 3, 4)),
        ("orientation", "UNKNOWN"),
        ("orientation", 9),
        ("orientation", True),
        ("flip", "xx"),
        ("ignored_suffixes", [1]),
        ("prefixes", {"MR": "MR-"}),
        ("prefixes", {"CT": None}),
        ("xnat_route", ("a", "b")),
        ("xnat_route", ("a", "b", 3)),
        ("subject", {"species": "mouse"}),
        ("subject", {"sex": "both"}),
        ("subject", {"birth_date": "03/04/05"}),
        ("deidentify", "yes"),
        ("form", None),
    ],
)
def test_what_could_be_taken_for_something_else_is_refused(name: str, value: object) -> None:
    with pytest.raises(OptionError):
        made(name, value)


def test_files_are_read_when_options_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "animals.csv").write_text(SHEET)
    (tmp_path / "codes.json").write_text(CODES)
    (tmp_path / "key").write_text("0123456789abcdef\n")
    monkeypatch.setenv("INVEON_DEIDENTIFY_KEY", "a secret of the variable")
    options = Options(sheet=str(tmp_path / "animals.csv"), codes=tmp_path / "codes.json", deidentify=True)
    assert options.corrections.sheet is not None
    assert options.corrections.sheet.rows[0].subject == "M0042"
    assert list(options.codes.by_key) == ["Zr89"]
    assert options.deidentify == Deidentify(key=b"a secret of the variable")
    assert Options(deidentify=False).deidentify is None
    asked = Deidentify(dates="keep", key=tmp_path / "key")
    assert (asked.dates, asked.key) == (Dates.KEEP, b"0123456789abcdef")
    assert Deidentify(key="0123456789abcdef").key == b"0123456789abcdef"
    assert "0123456789" not in repr(asked)
    with pytest.raises(OptionError, match="keep, shift"):
        Deidentify(dates="drop")


def test_texts_do_what_they_say(tmp_path: Path) -> None:
    study = write_thin_study(tmp_path / "in")
    asked = Options(form="enhanced", uids="random", compression="rle", frame_of_reference="separate", rescale="frame")
    found = []
    for name in ("one", "two"):
        inveonimaging.convert(study, tmp_path / name, asked)
        found.append(instances(tmp_path / name))
    (ct, pet), (_, again) = found
    assert ct.SOPClassUID.name == "Enhanced CT Image Storage"
    assert ct.file_meta.TransferSyntaxUID.name == "RLE Lossless"
    assert ct.FrameOfReferenceUID != pet.FrameOfReferenceUID
    assert pet.SOPInstanceUID != again.SOPInstanceUID
    slopes = {
        groups.PixelValueTransformationSequence[0].RescaleSlope for groups in pet.PerFrameFunctionalGroupsSequence
    }
    assert len(slopes) == 2


def test_corrections_take_the_same(tmp_path: Path) -> None:
    study = write_thin_study(tmp_path / "in")
    inveonimaging.convert(study, tmp_path / "out", Options(orientation="HFS", flip="x", manifest=False))
    reported = Corrections(orientation=Orientation.HFS, flip=["x"], bed_direction=BedDirection.FORWARD)
    assert (reported.orientation, reported.flip, reported.bed_direction) == (Orientation.HFS, "x", BedDirection.FORWARD)
    assert inveonimaging.verify(study, tmp_path / "out", replace(reported, bed_direction=None)).same
    with pytest.raises(OptionError, match="bed_direction has no effect"):
        inveonimaging.verify(study, tmp_path / "out", reported)
    assert not inveonimaging.verify(study, tmp_path / "out", Corrections(orientation="hfp", flip="x")).same
    wrong: dict[str, Any] = {"orientation": "up", "bed_direction": "up", "flip": "a", "scan_time": "now"}
    for name, value in wrong.items():
        with pytest.raises(OptionError, match="expected"):
            Corrections(**{name: value})
    assert Corrections(scan_time="2014-03-04 14:05:09", subject={"id": "M1"}).subject == GivenSubject(id="M1")


def test_reports_take_the_same(tmp_path: Path) -> None:
    study = write_thin_study(tmp_path / "in")
    read = inveonimaging.read_study(study, Corrections(orientation="hfp", flip="x", frame_of_reference="separate"))
    assert [each.frame_of_reference for each in read.series] == [1, 2]
    assert {image.grid.directions for image in (each.image for each in read.series)} == {
        "LAF"
    }  # RAF, with x turned about
    with pytest.raises(OptionError, match="auto, shared, separate"):
        Corrections(frame_of_reference="mine")
    with pytest.raises(OptionError, match="forward, reverse"):
        Corrections(bed_direction="sideways")


# Images.


def image_of(folder: Path, scan: PhantomScan) -> inveonimaging.Image:
    folder.mkdir(exist_ok=True)
    write_scan(folder / "mouse.img", scan)
    return inveonimaging.read(folder / "mouse.img")


@pytest.mark.parametrize("posture", [each for each in Orientation if each], ids=lambda each: each.name)
def test_the_affine_is_where_simpleitk_finds_our_dicom(tmp_path: Path, posture: Orientation) -> None:
    """In LPS by SimpleITK, from the files; in RAS by the affine: the same voxels hold the same values there."""
    image = image_of(tmp_path / "in", replace(CT, orientation=posture))
    inveonimaging.convert(tmp_path / "in", tmp_path / "out", Options(form="enhanced"))
    [file] = (tmp_path / "out").rglob("*.dcm")
    found, values = sitk.ReadImage(str(file)), np.asarray(image).T
    for index in ((0, 0, 0), (7, 0, 0), (0, 6, 0), (0, 0, 5), (3, 2, 4)):
        right, front, head = (image.affine @ (*index, 1))[:3]
        there = found.TransformPhysicalPointToIndex((-right, -front, head))
        assert found.TransformIndexToPhysicalPoint(there) == pytest.approx((-right, -front, head), abs=1e-4)
        assert found[there] == pytest.approx(values[index], abs=0.5)


@pytest.mark.parametrize("posture", ["FFS", "HFP", "HFDR", "FFDL"])
def test_nibabel_takes_array_and_affine_as_they_are(tmp_path: Path, posture: str) -> None:
    image = image_of(tmp_path / "in", replace(PET, orientation=Orientation[posture]))
    made = nibabel.Nifti1Image(np.asarray(image).T, image.affine)
    truth = truth_of(tmp_path / "in" / "mouse.img")
    assert made.shape == (8, 7, 6, 2)
    for i, j, k in ((0, 0, 0), (7, 6, 5), (1, 2, 3)):
        left, back, head = truth.position(i, j, k)
        assert made.affine @ (i, j, k, 1) == pytest.approx((-left, -back, head, 1), abs=1e-9)
        assert made.dataobj[i, j, k, 1] == pytest.approx(truth.values[1, k, j, i], rel=1e-6)
    directions = {"FFS": "RPS", "HFP": "RAI", "HFDR": "PRI", "FFDL": "PLS"}  # docs/why/geometry.md; nibabel's S is H
    assert "".join(nibabel.aff2axcodes(made.affine)) == directions[posture]


def test_an_image_is_an_array_of_its_values(tmp_path: Path) -> None:
    image = image_of(tmp_path, PET)
    values = np.asarray(image)
    assert image.shape == values.shape == (2, 6, 7, 8)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values, truth_of(tmp_path / "mouse.img").values, rtol=1e-6)
    assert np.asarray(image, np.float64).dtype == np.float64
    assert np.array(image, copy=True)[1].max() == image.values(1).max()
    assert float(np.mean(image)) == pytest.approx(float(values.mean()))
    assert image.affine.dtype == np.float64
    with pytest.raises(ValueError, match="copy"):
        image.__array__(copy=False)


def test_a_single_frame_has_three_axes(tmp_path: Path) -> None:
    image = image_of(tmp_path, CT)
    assert image.shape == np.asarray(image).shape == (6, 7, 8)


def test_a_header_gives_the_text_of_a_key(tmp_path: Path) -> None:
    main = {"isotope": "F-18", "user": ["a 1", "b 2"], "strange_key": "as it stands  ", "study": ""}
    (tmp_path / "m.img.hdr").write_text(header_text(main, [{"scale_factor": "1.50"}]))
    (tmp_path / "m.img").write_bytes(bytes(4 * 3 * 2 * 2))
    header = inveonimaging.read(tmp_path / "m.img").header
    assert (header["isotope"], header["pixel_size_z"], header["study"]) == ("F-18", "2.0", "")
    assert header["strange_key"] == "as it stands"
    assert (header["user"], header.texts("user")) == ("b 2", ("a 1", "b 2"))
    assert header.frames[0]["scale_factor"] == "1.50"
    assert "isotope" in header
    assert "frame" not in header
    assert dict(header)["data_type"] == "2"
    for key, hint in {
        "isotop": "did you mean 'isotope'",
        "scale_factor": "frames[0]['scale_factor']",
        "qqq": "qqq",
    }.items():
        with pytest.raises(KeyError, match=re.escape(hint)):
            header[key]


BINS = (GateBins(1, 4, 0.8, 1.4),)
STATIC = replace(PET_SCAN, shape=(8, 7, 6), spacing_mm=(3.5, 4.0, 9.0), frames=frames_of(60))
SPLIT = {
    "static": (STATIC, 1),
    "dynamic": (PET, 1),
    "beds": (replace(STATIC, beds=(300.0, 350.0)), 2),
    "gated": (replace(STATIC, gates=4, gate_bins=BINS), 1),
    "gates of no known time": (replace(STATIC, gates=4, gate_bins=(GateBins(1, 4, 0.8, -1.0),)), 4),
    "windows": (replace(SPECT_SCAN, shape=(8, 7, 6), spacing_mm=(3.5, 4.0, 9.0), energy_windows=2), 2),
}


@pytest.mark.parametrize("kind", SPLIT)
def test_the_series_of_an_image_are_those_of_the_conversion(tmp_path: Path, kind: str) -> None:
    scan, count = SPLIT[kind]
    image = image_of(tmp_path / "in", scan)
    series = image.series()
    [study] = inveonimaging.convert(tmp_path / "in", tmp_path / "out")
    assert len(series) == len(study.series) == count
    for each, converted in zip(series, study.series, strict=True):
        files = instances(tmp_path / "out" / converted.folder)
        assert (each.part_name, len(each.frames)) == (converted.part, converted.frames)
        if "ImagePositionPatient" in files[0]:
            places = {tuple(map(float, file.ImagePositionPatient)) for file in files}
            np.testing.assert_allclose(sorted(places), sorted(map(tuple, each.grid.positions)), atol=1e-6)
    assert series[0].series() == (series[0],)
    if count > 1:
        assert sum(len(each.frames) for each in series) == len(image.frames)


def test_beds_go_the_way_that_is_asked_for(tmp_path: Path) -> None:
    image = image_of(tmp_path, replace(STATIC, beds=(300.0, 350.0)))
    forward, reverse = (image.series(bed_direction=way)[1].grid.bed_mm for way in ("forward", "reverse"))
    assert (forward, reverse) == (50, -50)
    with pytest.raises(OptionError, match="forward, reverse"):
        image.series(bed_direction="up")


# The page.


def blocks_of(page: str) -> list[str]:
    """Return the code blocks of a page, whose sentences before each other they may need."""
    found = re.findall(r"(?:^    .*\n(?:\n(?=    ))?)+", page, re.MULTILINE)
    return ["".join(line[4:] if line.strip() else "\n" for line in block.splitlines(keepends=True)) for block in found]


@pytest.mark.usefixtures("blank")
def test_the_code_of_the_page_runs_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of it, on a study whose files have the names that the page takes."""
    study = tmp_path / "mouse_study"
    study.mkdir()
    scan = replace(PET, shape=(69, 61, 71), spacing_mm=(0.4, 0.45, 0.8), frames=frames_of(20, 40, 60, 80))
    write_scan(study / "mouse.pet.img", scan)
    for name in ("mouse.pet.img", "mouse.pet.img.hdr"):
        (tmp_path / name).write_bytes((study / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}  # not __main__: no batch
    text = (DOCS / "reference" / "api.md").read_text("utf-8")
    blocks = blocks_of(text)
    assert len(blocks) > 8
    for block in blocks:
        assert not re.search(r"from inveonimaging\.", block), f"a deep import: {block}"
        exec(compile(block, "docs/reference/api.md", "exec"), names)  # noqa: S102 - our own page
    assert (tmp_path / "report.html").exists()
    assert capsys.readouterr().out
    assert "from `inveonimaging." not in text


# What other commands do.


def test_a_demo_is_written_and_removed_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "STUDY", {"m.ct.img": THIN_CT})
    steps: list[tuple[int, int]] = []
    (study,) = inveonimaging.demo(tmp_path / "demo", progress=lambda *step: steps.append(step))
    assert steps[-1] == (3, 3)
    assert inveonimaging.verify(tmp_path / "demo" / "inveon", tmp_path / "demo" / "dicom").same
    (removal,) = inveonimaging.remove(study.output)
    assert [path.name for path in removal.files] == [*(f"CT-00000{n}.dcm" for n in (1, 2, 3)), "inveon-manifest.json"]
    left = sorted(path.name for path in (tmp_path / "demo").rglob("*"))
    assert left == ["dicom", "inveon", "m.ct.img", "m.ct.img.hdr"]  # the folder that was named stays


def test_a_code_is_explained() -> None:
    known = inveonimaging.explain("[Dose-Unknown]")
    assert (known.code, known.severity) == ("dose-unknown", inveonimaging.Severity.WARNING)
    assert known.remedy
    with pytest.raises(OptionError, match="did you mean dose-unknown"):
        inveonimaging.explain("dose-unknwon")
