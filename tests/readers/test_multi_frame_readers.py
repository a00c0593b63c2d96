"""What independent programs make of Enhanced, Legacy Converted Enhanced and NM objects.

Measured with highdicom 0.28, SimpleITK 2.5 (GDCM 3.0) and dcm2niix v1.0.20260724; what they do not read is no part of
the tests that follow, or is shown as it is, so that a version that can do more is noticed:

- highdicom reads everything of the Enhanced and Legacy Converted objects, per-frame rescale slopes too; of NM it
  reads the values, but no place, which it takes from functional groups only.
- GDCM reads a multi-frame object as one volume, of several time frames or gates one above the other, with the spacing
  and at the place of the first one, since its first slice is the lowest one along the normal. It gives the rescale
  slope of the first frame to all frames. Of NM it reads place and values.
- dcm2niix reads place and values, each time frame as one volume, without their times; it gives one rescale slope to
  all frames, too.

So objects whose slopes differ by frame are read rightly by highdicom and by pydicom alone.
"""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import highdicom
import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from highdicom.legacy import LegacyConvertedEnhancedCTImage, LegacyConvertedEnhancedPETImage
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.uid import UID

from conftest import Tool
from inveonimaging import Options, convert
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.modules.header_text import header_bytes
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.inveon.hdr.values import GateBins
from inveonimaging.phantom import CT_SCAN, PET_SCAN, SPECT_SCAN, PhantomScan, frames_of, write_scan
from inveonimaging.physics.quantification import Policy
from readers.test_readers import half_slope, voxels
from truth import Float, Truth, truth_of

if TYPE_CHECKING:
    from dicom_validator.validator.dicom_info import DicomInfo

CT = replace(CT_SCAN, shape=(11, 10, 5), spacing_mm=(2.6, 2.4, 8.0))
STATIC = replace(PET_SCAN, shape=(10, 11, 5), spacing_mm=(2.75, 2.25, 7.5), frames=frames_of(60.0))
DYNAMIC = replace(STATIC, frames=frames_of(15.0, 60.0, 600.0))
SPECT = replace(SPECT_SCAN, shape=(9, 8, 5), spacing_mm=(2.5, 2.75, 8.0))
BINS = (GateBins(1, 4, 0.8, 1.4),)
GATED = replace(STATIC, gates=4, gate_bins=BINS)
TURNS = (STATIC, CT, GATED, DYNAMIC)
MULTI_FRAME = (Form.ENHANCED, Form.LEGACY)


@dataclass(frozen=True)
class Object:
    """A scan that was written as one multi-frame object."""

    truth: Truth
    file: Path


def written(folder: Path, scan: PhantomScan, options: Options) -> list[Path]:
    """Write a scan and convert it; return the files of its series."""
    folder.mkdir(exist_ok=True)
    data = folder / "mouse.img"
    if not data.exists():
        write_scan(data, scan)
    output = folder / f"dicom {options.form.value} {options.rescale.value}"
    convert(data, output, options)
    return sorted(path for path in output.rglob("*.dcm") if path.is_file())


Made = Callable[..., Object]


@pytest.fixture(scope="module")
def object_of(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a function that writes a scan as one object, each once: its readers change nothing."""

    @functools.cache
    def made(scan: PhantomScan, form: Form, rescale: Policy = Policy.SERIES) -> Object:
        folder = tmp_path_factory.mktemp("object")
        [file] = written(folder, scan, Options(form=form, rescale=rescale))
        return Object(truth_of(folder / "mouse.img"), file)

    return made


@pytest.fixture(scope="module", params=list(Orientation), ids=lambda code: code.name)
def orientation(request: pytest.FixtureRequest) -> Orientation:
    code: Orientation = request.param
    return code


def in_turn(**scans: PhantomScan) -> pytest.MarkDecorator:
    """Run a test with each scan in each orientation, in one form, the same in all tests, which so share the objects."""
    return pytest.mark.parametrize(
        ("scan", "orientation", "form"),
        [
            pytest.param(scan, code, MULTI_FRAME[(TURNS.index(scan) + code // 2) % 2], id=f"{name} {code.name}")
            for name, scan in scans.items()
            for code in Orientation
        ],
    )


@pytest.fixture(params=MULTI_FRAME, ids=lambda form: form.value)
def form(request: pytest.FixtureRequest) -> Form:
    return Form(request.param)


# highdicom.


def steps_of(image: Dataset, keyword: str) -> list[int]:
    """Return the index of each frame along a dimension, as the dimension index has it."""
    pointers = [item.DimensionIndexPointer for item in image.DimensionIndexSequence]
    axis = pointers.index(Tag(keyword))
    contents = (groups.FrameContentSequence[0] for groups in image.PerFrameFunctionalGroupsSequence)
    return [content.DimensionIndexValues[axis] for content in contents]


def volumes(file: Path, keyword: str = "TemporalPositionIndex") -> Iterator[highdicom.Volume]:
    """Yield the volume that highdicom makes of the frames of each step along a dimension."""
    steps = np.array(steps_of(dcmread(file), keyword))
    for step in sorted(set(steps)):
        part = dcmread(file)
        groups, planes = part.PerFrameFunctionalGroupsSequence, part.pixel_array
        part.PerFrameFunctionalGroupsSequence = [groups[int(n)] for n in np.flatnonzero(steps == step)]
        part.NumberOfFrames = int((steps == step).sum())
        part.PixelData = planes[steps == step].tobytes()
        yield highdicom.Image.from_dataset(part).get_volume()


def check_volume(volume: highdicom.Volume, truth: Truth, frame: int) -> None:
    assert sorted(volume.array.shape) == sorted(truth.shape)
    for i, j, k in voxels(truth):
        [index] = volume.map_reference_to_indices(truth.position(i, j, k)[np.newaxis])
        near = np.rint(index).astype(int)
        assert np.abs(index - near).max() < 1e-6  # a DS of mm has ten digits and more
        assert near.min() >= 0
        true = truth.values[frame, k, j, i]
        assert volume.array[tuple(near)] == pytest.approx(true, abs=half_slope(truth.values[frame]))


@in_turn(static=STATIC, ct=CT)
def test_highdicom_reads_one_volume_at_its_place_with_its_values(
    object_of: Made, scan: PhantomScan, orientation: Orientation, form: Form
) -> None:
    made = object_of(replace(scan, orientation=orientation), form)
    check_volume(highdicom.imread(made.file).get_volume(), made.truth, 0)


@in_turn(dynamic=DYNAMIC)
def test_highdicom_reads_each_time_frame_by_the_dimension_index(
    object_of: Made, scan: PhantomScan, orientation: Orientation, form: Form
) -> None:
    made = object_of(replace(scan, orientation=orientation), form, Policy.FRAME)
    found = list(volumes(made.file))
    assert len(found) == len(made.truth.frames)
    for frame, volume in enumerate(found):
        check_volume(volume, made.truth, frame)


def test_highdicom_reads_each_gate_by_the_dimension_index(object_of: Made, form: Form) -> None:
    made = object_of(GATED, form, Policy.SLICE)
    found = list(volumes(made.file, "NominalRespiratoryTriggerDelayTime"))
    assert len(found) == GATED.gates
    for gate, volume in enumerate(found):
        check_volume(volume, made.truth, gate)


def test_highdicom_finds_each_slice_by_its_indices(object_of: Made, form: Form) -> None:
    """No two frames have the same indices, and all modules that highdicom asks for are there."""
    image = highdicom.imread(object_of(DYNAMIC, form).file)
    assert image.are_dimension_indices_unique(image.dimension_index_pointers)
    assert not image.are_dimension_indices_unique([Tag("InStackPositionNumber")])


@pytest.mark.parametrize("form", MULTI_FRAME)
def test_both_ways_to_the_values_agree(object_of: Made, form: Form) -> None:
    """Through the Real World Value Mapping, and through the Pixel Value Transformation."""
    image = highdicom.imread(object_of(DYNAMIC, form, Policy.SLICE).file)
    mapped = image.get_frames(apply_real_world_transform=True)
    rescaled = image.get_frames(apply_real_world_transform=False, apply_modality_transform=True)
    np.testing.assert_allclose(mapped, rescaled, rtol=1e-15)  # one is FD, the other a DS of 16 characters
    assert mapped.max() > 1e4


def test_highdicom_reads_the_values_of_nm(object_of: Made, orientation: Orientation) -> None:
    made = object_of(replace(SPECT, orientation=orientation), Form.CLASSIC)
    values = highdicom.imread(made.file).get_frames(apply_real_world_transform=True)
    [stored] = made.truth.values
    towards_the_head = stored[::-1] if orientation.name.startswith("HF") else stored[:, :, ::-1]
    np.testing.assert_allclose(values, towards_the_head, rtol=0, atol=half_slope(made.truth.values))


# SimpleITK, which reads with GDCM.


def check_image(image: sitk.Image, truth: Truth, frame: int = 0) -> None:
    for i, j, k in voxels(truth):
        index = image.TransformPhysicalPointToIndex(truth.position(i, j, k).tolist())
        there = np.array(image.TransformIndexToPhysicalPoint(index))
        assert np.abs(there - truth.position(i, j, k)).max() < 1e-4
        assert image[index] == pytest.approx(truth.values[frame, k, j, i], abs=half_slope(truth.values))


@in_turn(ct=CT, pet=STATIC)
def test_simpleitk_reads_one_volume_at_its_place_with_its_values(
    object_of: Made, scan: PhantomScan, orientation: Orientation, form: Form
) -> None:
    made = object_of(replace(scan, orientation=orientation), form)
    check_image(sitk.ReadImage(str(made.file)), made.truth)


def test_simpleitk_reads_nm_at_its_place_with_its_values(object_of: Made, orientation: Orientation) -> None:
    made = object_of(replace(SPECT, orientation=orientation), Form.CLASSIC)
    check_image(sitk.ReadImage(str(made.file)), made.truth)


@in_turn(dynamic=DYNAMIC, gated=GATED)
def test_simpleitk_reads_all_time_frames_one_above_the_other(
    object_of: Made, scan: PhantomScan, orientation: Orientation, form: Form
) -> None:
    """Each as a volume at the place of the first one, once the slices above it are cut off."""
    made = object_of(replace(scan, orientation=orientation), form)
    image = sitk.ReadImage(str(made.file))
    assert image.GetSpacing() == pytest.approx(scan.spacing_mm)
    *_, slices = scan.shape
    for frame in range(len(made.truth.frames)):
        volume = image[:, :, frame * slices : (frame + 1) * slices]
        volume.SetOrigin(image.GetOrigin())
        check_image(volume, made.truth, frame)


def test_simpleitk_gives_the_slope_of_the_first_frame_to_all(object_of: Made, form: Form) -> None:
    """Values are wrong wherever slopes differ: why a viewer that reads with GDCM wants one slope for the series."""
    made = object_of(DYNAMIC, form, Policy.FRAME)
    found = dcmread(made.file)
    slopes = [
        float(groups.PixelValueTransformationSequence[0].RescaleSlope)
        for groups in found.PerFrameFunctionalGroupsSequence
    ]
    assert len(set(slopes)) == len(made.truth.frames)
    read = sitk.GetArrayFromImage(sitk.ReadImage(str(made.file)))
    np.testing.assert_allclose(read, found.pixel_array * slopes[0], rtol=1e-12)


# dcm2niix.


def nifti(file: Path, folder: Path) -> tuple[nibabel.Nifti1Image, dict[str, Any]]:
    program = Path(sys.prefix) / ("Scripts/dcm2niix.exe" if sys.platform == "win32" else "bin/dcm2niix")
    folder.mkdir()
    options = ["-f", "image", "-o", str(folder), "-ba", "n"]
    subprocess.run([str(program), *options, str(file.parent)], check=True, capture_output=True)
    assert sorted(made.name for made in folder.iterdir()) == ["image.json", "image.nii"]
    return nibabel.Nifti1Image.from_filename(folder / "image.nii"), json.loads((folder / "image.json").read_text())


def check_nifti(image: nibabel.Nifti1Image, truth: Truth) -> None:
    values: Float = np.asarray(image.dataobj, dtype=float).reshape(*image.shape[:3], -1)
    assert values.shape[3] == len(truth.frames)
    to_index = np.linalg.inv(image.affine)
    for i, j, k in voxels(truth):
        x, y, z = truth.position(i, j, k)
        index = to_index @ [-x, -y, z, 1]
        near = np.rint(index).astype(int)
        assert np.abs(image.affine @ (index - near))[:3].max() < 1e-4  # float32 in the NIfTI header
        for frame in range(len(truth.frames)):
            true = truth.values[frame, k, j, i]
            # the slope is a float32, whose rounding adds to half a step of ours
            assert values[(*near[:3], frame)] == pytest.approx(true, abs=half_slope(truth.values), rel=1e-6)


@in_turn(ct=CT, pet=STATIC, gated=GATED, dynamic=DYNAMIC)
def test_dcm2niix_converts_it(
    object_of: Made, tmp_path: Path, scan: PhantomScan, orientation: Orientation, form: Form
) -> None:
    made = object_of(replace(scan, orientation=orientation), form)
    image, sidecar = nifti(made.file, tmp_path / "nifti")
    check_nifti(image, made.truth)
    assert sidecar["Modality"] == ("CT" if scan is CT else "PT")
    if scan is not CT:
        assert sidecar["TracerRadionuclide"] == "18Fluorine"


@pytest.mark.parametrize("gates", [1, 3])
def test_dcm2niix_converts_nm(object_of: Made, tmp_path: Path, orientation: Orientation, gates: int) -> None:
    """It does not read where slices go, says so, and guesses that they go to the head, as they do."""
    made = object_of(replace(SPECT, orientation=orientation, gates=gates), Form.CLASSIC)
    image, sidecar = nifti(made.file, tmp_path / "nifti")
    check_nifti(image, made.truth)
    assert sidecar["TracerRadionuclide"] == "99mTechnetium"


# highdicom's own conversion of our single-frame instances, beside ours.

SOURCES = {"CT": CT, "PET": DYNAMIC, "gated PET": GATED, "PET of a moving bed": replace(STATIC, continuous=True)}
CONVERTERS = {"CT": LegacyConvertedEnhancedCTImage, "PT": LegacyConvertedEnhancedPETImage}


@dataclass(frozen=True)
class Converted:
    """Single-frame instances, our Legacy Converted object, and the one that highdicom makes of the instances.

    All have the order of our frames.
    """

    classic: Sequence[Dataset]
    ours: Dataset
    theirs: Dataset


@pytest.fixture(scope="module", params=SOURCES)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Converted:
    folder, scan = tmp_path_factory.mktemp("legacy"), SOURCES[request.param]
    scan = replace(scan, subject=replace(scan.subject, identifier="Mouse^7"))  # highdicom warns of names of one part
    classic = [dcmread(file) for file in written(folder, scan, Options(rescale=Policy.SLICE))]
    [legacy] = map(dcmread, written(folder, scan, Options(form=Form.LEGACY, rescale=Policy.SLICE)))
    order = sources_in(legacy)
    classic.sort(key=lambda ds: order.index(ds.SOPInstanceUID))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The string .* is unlikely to represent the intended person name")
        theirs = CONVERTERS[classic[0].Modality](classic, highdicom.UID(), 9, highdicom.UID(), 1)
    frames = [sources_in(theirs).index(uid) for uid in order]  # highdicom sorts the instances itself
    groups, theirs.PixelData = theirs.PerFrameFunctionalGroupsSequence, theirs.pixel_array[frames].tobytes()
    theirs.PerFrameFunctionalGroupsSequence = [groups[frame] for frame in frames]
    return Converted(classic, legacy, theirs)


def of_frame(image: Dataset, number: int, sequence: str) -> Dataset | None:
    """Return the functional group of a frame, shared or its own."""
    for groups in (image.SharedFunctionalGroupsSequence[0], image.PerFrameFunctionalGroupsSequence[number]):
        if sequence in groups:
            item: Dataset = groups[sequence].value[0]
            return item
    return None


def sources_in(image: Dataset) -> list[UID]:
    """Return the UIDs of the instances that its frames stand for."""
    sources = (of_frame(image, number, "ConversionSourceAttributesSequence") for number in range(image.NumberOfFrames))
    return [source.ReferencedSOPInstanceUID for source in sources if source]


def test_the_pixels_are_those_of_highdicoms_conversion(both: Converted) -> None:
    np.testing.assert_array_equal(both.ours.pixel_array, both.theirs.pixel_array)
    assert both.ours.SOPClassUID == both.theirs.SOPClassUID


def test_frames_have_place_size_and_slope_of_highdicoms_conversion(both: Converted) -> None:
    slopes = set()
    for number in range(len(both.classic)):
        for sequence in (
            "PlanePositionSequence",
            "PlaneOrientationSequence",
            "FrameVOILUTSequence",
            "ConversionSourceAttributesSequence",
        ):
            assert of_frame(both.ours, number, sequence) == of_frame(both.theirs, number, sequence)
        ours, theirs = (of_frame(image, number, "PixelMeasuresSequence") for image in (both.ours, both.theirs))
        assert ours is not None
        assert theirs is not None
        assert ours.PixelSpacing == theirs.PixelSpacing
        assert ours.SliceThickness == theirs.SliceThickness
        ours, theirs = (
            of_frame(image, number, "PixelValueTransformationSequence") for image in (both.ours, both.theirs)
        )
        assert ours is not None
        assert theirs is not None
        assert (ours.RescaleSlope, ours.RescaleIntercept) == (theirs.RescaleSlope, theirs.RescaleIntercept)
        slopes.add(ours.RescaleSlope)
    assert len(slopes) > 1 or both.ours.Modality == "CT"


def test_frames_have_the_times_of_highdicoms_conversion(both: Converted) -> None:
    for number in range(len(both.classic)):
        ours, theirs = (of_frame(image, number, "FrameContentSequence") for image in (both.ours, both.theirs))
        assert ours is not None
        assert theirs is not None
        # highdicom's values were never written, and still have the types that it computed them in
        if "TriggerTime" not in both.classic[number]:  # which highdicom adds, in ms, as days
            assert ours.FrameAcquisitionDateTime == str(theirs.FrameAcquisitionDateTime)
        assert ours.FrameAcquisitionNumber == int(theirs.FrameAcquisitionNumber)
        if both.ours.Modality == "PT":  # highdicom knows no duration of a CT
            assert ours.FrameAcquisitionDuration == float(theirs.FrameAcquisitionDuration)


def everything_in(dataset: Dataset) -> Iterator[tuple[str, Any]]:
    """Yield what a dataset says, and what its items say."""
    for element in dataset:
        yield element.keyword, element.value
        if element.VR == "SQ":
            for item in element.value:
                yield from everything_in(item)


def said_of_frame(image: Dataset, number: int) -> list[tuple[str, Any]]:
    """Return what an object says of one frame: at the top, in the shared groups, and in the frame's own."""
    elsewhere = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "PixelData")
    messages = [(element.keyword, element.value) for element in image if element.keyword not in elsewhere]
    for groups in (image.SharedFunctionalGroupsSequence[0], image.PerFrameFunctionalGroupsSequence[number]):
        messages += everything_in(groups)
    return messages


def test_nothing_that_the_single_frame_instances_say_is_lost(both: Converted) -> None:
    for number, classic in enumerate(both.classic):
        shown = said_of_frame(both.ours, number)
        lost = {
            element.keyword: element.value
            for element in classic
            if element.keyword != "PixelData"
            and not element.tag.is_private
            and (element.keyword, element.value) not in shown
        }
        content, source = (
            of_frame(both.ours, number, name) for name in ("FrameContentSequence", "ConversionSourceAttributesSequence")
        )
        anatomy = of_frame(both.ours, number, "FrameAnatomySequence")
        assert content is not None
        assert source is not None
        assert anatomy is not None
        # attributes of single-frame images whose place in a multi-frame object has another name (PS3.3 C.7.6.16.2)
        assert content.FrameAcquisitionDateTime[:14] == lost.pop("AcquisitionDate") + lost.pop("AcquisitionTime")[:6]
        assert content.FrameAcquisitionNumber == int(lost.pop("AcquisitionNumber", 1))
        assert source.ReferencedSOPClassUID == lost.pop("SOPClassUID")
        assert source.ReferencedSOPInstanceUID == lost.pop("SOPInstanceUID")
        assert (lost.pop("BodyPartExamined"), anatomy.AnatomicRegionSequence[0].CodeMeaning) == (
            "WHOLEBODY",
            "Entire body",
        )
        # what a conversion has anew: its kind, its series, and when it was made
        assert both.ours.ImageType[:2] == lost.pop("ImageType")[:2]
        assert both.ours.SeriesInstanceUID != lost.pop("SeriesInstanceUID")
        lost.pop("ContentDate", None)
        lost.pop("ContentTime", None)
        assert not lost


def test_the_original_header_is_kept(both: Converted) -> None:
    [first] = [ds for ds in both.classic if ds.InstanceNumber == 1]
    assert header_bytes(both.ours) == header_bytes(first)


def test_what_highdicom_keeps_of_the_instances_is_kept(both: Converted) -> None:
    """But for what it adds itself: when and from what it converted, and empty attributes of modules that are absent."""
    made_by_highdicom = {
        "FrameComments",  # Image Comments, which keep their name in ours
        "ClinicalTrialCoordinatingCenterName",
        "ClinicalTrialTimePointID",
        "ContrastBolusAgent",
        "InstanceCreationDate",
        "InstanceCreationTime",
        "ReferencedInstanceSequence",
        "ReferencedSeriesSequence",
    }
    theirs = {keyword for keyword, _ in everything_in(both.theirs)} - made_by_highdicom
    assert theirs <= {keyword for keyword, _ in everything_in(both.ours)} | {"InstanceNumber"}


# Validators and dump programs.

SCANS = {
    "CT": CT,
    "PET": DYNAMIC,
    "gated PET": GATED,
    "PET of a moving bed": replace(STATIC, continuous=True),
    "PET of two beds": replace(STATIC, beds=(300.0, 350.0)),
    "mu map": replace(STATIC, mu_map=True),
    "SPECT": SPECT,
    "dynamic SPECT": replace(SPECT, frames=frames_of(60.0, 90.0)),
    "gated SPECT": replace(SPECT, gates=4, gate_bins=BINS),
    "SPECT of two windows": replace(SPECT, energy_windows=2),
}


@pytest.fixture(scope="module")
def all_files(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, Form], list[Path]]:
    """Return the files of every kind of scan in every form."""
    root = tmp_path_factory.mktemp("all")
    return {
        (name, form): written(root / name, scan, Options(form=form)) for name, scan in SCANS.items() for form in Form
    }


X_RAY_TUBE_CURRENT_IN_UA = 0x00188151
RESCALE = {0x00281052, 0x00281053}
EXPECTED = {
    "CT Image Storage": {X_RAY_TUBE_CURRENT_IN_UA},  # the tube has less than 1 mA; the CT IOD knows mA only
    "Nuclear Medicine Image Storage": RESCALE,  # Standard Extended: readers that ignore the mapping still see values
}


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("scan", SCANS)
def test_dicom_validator_finds_no_error(
    all_files: dict[tuple[str, Form], list[Path]], dicom_edition: DicomInfo, scan: str, form: Form
) -> None:
    from dicom_validator.validator.iod_validator import IODValidator

    files = all_files[scan, form]
    for file in (files[0], files[-1]):
        found = dcmread(file)
        errors = IODValidator(found, dicom_edition).validate().module_errors
        expected = EXPECTED.get(UID(found.SOPClassUID).name, set())
        assert {tag.tag for tags in errors.values() for tag in tags} == expected


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("scan", SCANS)
def test_dcentvfy_finds_the_files_of_a_scan_consistent(
    all_files: dict[tuple[str, Form], list[Path]], dciodvfy: str, scan: str, form: Form
) -> None:
    program = str(Path(dciodvfy).with_name("dcentvfy"))
    files = all_files[scan, form]
    if any("Legacy" in UID(dcmread(file, specific_tags=["SOPClassUID"]).SOPClassUID).name for file in files):
        files = [*files, *all_files[scan, Form.CLASSIC]]  # the sources that it names
    found = subprocess.run([program, *files], capture_output=True, text=True, check=False)
    assert not found.stderr + found.stdout


@pytest.mark.debian
@pytest.mark.parametrize("program", ["dcmdump", "gdcmdump", "gdcminfo"])
@pytest.mark.parametrize("form", MULTI_FRAME)
def test_debian_tools_read_the_objects_without_complaint(
    all_files: dict[tuple[str, Form], list[Path]], tool: Tool, program: str, form: Form
) -> None:
    for scan in SCANS:
        found = subprocess.run([tool(program), all_files[scan, form][0]], capture_output=True, check=True)
        assert not re.search(rb"^[WEF]:|error|warning", found.stderr, re.IGNORECASE | re.MULTILINE), found.stderr
        assert found.stdout


@pytest.mark.debian
@pytest.mark.parametrize("form", MULTI_FRAME)
@pytest.mark.parametrize("scan", ["CT", "PET", "gated PET", "SPECT", "gated SPECT"])
def test_gdcm_knows_the_sop_class_and_the_size(
    all_files: dict[tuple[str, Form], list[Path]], tool: Tool, form: Form, scan: str
) -> None:
    [file] = all_files[scan, form]
    shown = subprocess.run([tool("gdcminfo"), file], capture_output=True, check=True, text=True).stdout
    found = dcmread(file, stop_before_pixels=True)
    assert f"MediaStorage is {found.SOPClassUID}" in shown
    assert f"Dimensions: ({found.Columns},{found.Rows},{found.NumberOfFrames})" in shown
