"""What Enhanced and Legacy Converted Enhanced CT and PET objects must hold, on top of the contract of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
import pydicom
import pytest
from pydicom.datadict import keyword_for_tag
from pydicom.dataset import Dataset, FileDataset
from pydicom.tag import BaseTag

from contract import (
    CALIBRATIONS,
    CT,
    GATES,
    LAYOUTS,
    MU_MAPS,
    PET,
    POLICIES,
    POSTURES,
    STATIC,
    THREE_FRAMES,
    TIMES,
    TWO_FRAMES,
    TYPES,
    Case,
    Cases,
    SopClassContract,
    Sources,
    along_the_normal,
    files_of,
    groups_of,
    is_other_storage,
    parametrised,
)
from inveonimaging import Options, convert
from inveonimaging.conversion.options import Uids
from inveonimaging.dicom.iods import Form
from inveonimaging.inveon.hdr.enums import DataType, Orientation
from inveonimaging.phantom import write_scan
from truth import POSITIONS, Truth

T = TypeVar("T")

CT_CASES: Cases = {  # types and layouts are read as for PET
    **POSTURES,
    **POLICIES,
    "factor of 0.1": {"data_type": DataType.INT16_LE, "scale_factor": 0.1},
    "cardiac gates": {"gates": 4, "gate_description": "ECG R-wave"},
    "gates of a breath": {"gates": 2},
}
PET_CASES: Cases = {
    **POSTURES,
    **TYPES,
    **LAYOUTS,
    **TIMES,
    **THREE_FRAMES,
    **CALIBRATIONS,
    **POLICIES,
    **GATES,
}
TWO_POSTURES: Cases = {f"posture {code.name}": {"orientation": code} for code in (Orientation.FFP, Orientation.HFDR)}
LEGACY_PET_CASES: Cases = {  # the other postures, types and layouts as in Enhanced PET
    **TWO_POSTURES,
    **TIMES,
    **THREE_FRAMES,
    **CALIBRATIONS,
    **POLICIES,
    **GATES,
}
UCUM = {"HU": "[hnsf'U]", "BQML": "Bq/ml", "PROPCNTS": "{propcounts}", "1CM": "/cm"}

OTHER_TRIGGER = "<UNKNOWN> for value 1 of attribute <Respiratory Signal Source>"  # a pillow, which has no term
NO_DOSE_INDEX = "CTDIvol is present but it is uninterpretable"  # it must be there, and nobody knows it: empty
UNKNOWN_TERMS = (
    "concept for unknown - code value is <261665006>",  # administration route, or region, that no header gives
    "<UNKNOWN> for value 1 of attribute <Acquisition Start Condition>",  # must be there, and no header gives it
    "<UNKNOWN> for value 1 of attribute <Acquisition Termination Condition>",  # likewise
    "<MAP> for value 1 of attribute <Reconstruction Algorithm>",  # the scanner's own, which has no term
)
REAL_WORLD_VALUES = (  # the Legacy PET IOD may have the macro (PS3.3 A.72), which dciodvfy does not know
    "Standard Extended SOP Class",
    *(
        f"Attribute is not present in standard DICOM IOD - {tag} "
        for tag in (
            "(0x0028,0x3003)",
            "(0x0008,0x0100)",
            "(0x0008,0x0102)",
            "(0x0008,0x0104)",
            "(0x0040,0x08ea)",
            "(0x0040,0x9096)",
            "(0x0040,0x9210)",
            "(0x0040,0x9211)",
            "(0x0040,0x9216)",
            "(0x0040,0x9224)",
            "(0x0040,0x9225)",
        )
    ),
)


class MultiFrameContract(SopClassContract):
    """What Enhanced and Legacy Converted Enhanced objects hold."""

    validation = ("-allpffgitems",)

    def sources(self, truth: Truth) -> Sources:
        return along_the_normal(truth)

    def classic(self, case: Case) -> list[FileDataset]:
        """Return the single-frame instances of the same scan, in the order of the frames."""
        return self.in_order(case, case.converted(form=Form.CLASSIC).instances)

    def in_order(self, case: Case, of_classic: Sequence[T]) -> list[T]:
        """Return what there is of each single-frame instance, in the order of the frames."""
        slices = case.truth.shape[2]
        return [of_classic[frame * slices + k] for frame, k in self.sources(case.truth)]

    def test_frames_rise_along_the_normal_in_each_step(self, case: Case) -> None:
        slices = case.truth.shape[2]
        places = [plane.along_normal for plane in case.planes]
        for first in range(0, len(places), slices):
            assert np.allclose(np.diff(places[first : first + slices]), case.truth.spacing[2], rtol=0, atol=1e-9)

    def test_there_is_one_object_a_series(self, case: Case) -> None:
        (ds,) = case.instances
        columns, rows, slices = case.truth.shape
        assert ds.NumberOfFrames == len(case.truth.frames) * slices
        assert len(ds.PerFrameFunctionalGroupsSequence) == ds.NumberOfFrames
        assert len(ds.PixelData) == 2 * columns * rows * ds.NumberOfFrames
        assert (ds.Columns, ds.Rows) == (columns, rows)

    def test_pixels_slopes_places_and_windows_are_those_of_the_classic_form(self, case: Case) -> None:
        planes = self.in_order(case, case.converted(form=Form.CLASSIC).planes)
        frames = zip(case.planes, case.groups, planes, self.classic(case), strict=True)
        for ours, groups, theirs, ds in frames:
            assert ours.stored.tobytes() == theirs.stored.tobytes() == ds.PixelData[: ours.stored.nbytes]
            assert ours.slope == theirs.slope
            assert np.array_equal(ours.position, theirs.position)
            assert np.array_equal(ours.cosines, theirs.cosines)
            assert np.array_equal(ours.spacing, theirs.spacing)
            for keyword in ("WindowCenter", "WindowWidth", "VOILUTFunction") if "WindowWidth" in ds else ():
                assert groups["FrameVOILUTSequence"].get(keyword) == ds.get(keyword)

    def test_frames_are_at_their_times(self, case: Case) -> None:
        truth = case.truth
        frames = zip(case.groups, self.sources(truth), self.classic(case), strict=True)
        for groups, (frame, _), classic in frames:
            content = groups["FrameContentSequence"]
            assert moment(content.FrameAcquisitionDateTime) == truth.start_time(frame)
            assert content.FrameAcquisitionDateTime == classic.AcquisitionDate + classic.AcquisitionTime
            assert content.FrameAcquisitionDuration == pytest.approx(truth.duration(frame) * 1000, rel=1e-12)
            reference = (moment(content.FrameReferenceDateTime) - truth.scan_time) / timedelta(milliseconds=1)
            assert reference == pytest.approx(truth.reference_time_ms(frame), abs=2e-3)

    def test_the_object_is_at_its_time(self, case: Case) -> None:
        (ds,), truth = case.instances, case.truth
        frames = range(len(truth.frames))
        assert moment(ds.SeriesDate + ds.SeriesTime) == moment(ds.ContentDate + ds.ContentTime) == truth.scan_time
        start, end = min(map(truth.start, frames)), max(truth.start(n) + truth.duration(n) for n in frames)
        assert (moment(ds.AcquisitionDateTime) - truth.scan_time).total_seconds() == start
        assert ds.AcquisitionDuration == pytest.approx(end - start, rel=1e-12)

    def test_frames_have_their_place_in_stack_and_time(self, case: Case) -> None:
        truth = case.truth
        contents = [groups["FrameContentSequence"] for groups in case.groups]
        assert {content.StackID for content in contents} == {"1"}
        steps = [truth.steps[frame] for frame, _ in self.sources(truth)]
        assert [content.TemporalPositionIndex for content in contents] == steps
        places = [plane.along_normal for plane in case.planes]
        stacked = sorted(zip(steps, (content.InStackPositionNumber for content in contents), places, strict=True))
        for _, volume in groupby(stacked, key=lambda each: each[0]):
            numbers, along = zip(*((number, place) for _, number, place in volume), strict=True)
            assert list(numbers) == list(range(1, truth.shape[2] + 1))
            assert is_rising(along)

    def test_dimension_indices_are_in_step_with_what_they_point_to(self, case: Case) -> None:
        (ds,) = case.instances
        (organization,) = ds.DimensionOrganizationSequence
        frames = case.groups
        indices = [list(groups["FrameContentSequence"].DimensionIndexValues) for groups in frames]
        assert len({tuple(index) for index in indices}) == len(frames)
        labels = [dimension.DimensionDescriptionLabel for dimension in ds.DimensionIndexSequence]
        assert labels in (["Stack", "Slice along the normal", last] for last in ("Time", "Gate"))
        for number, dimension in enumerate(ds.DimensionIndexSequence):
            assert dimension.DimensionOrganizationUID == organization.DimensionOrganizationUID
            group = frames[0].keys() & {keyword_for_tag(dimension.FunctionalGroupPointer)}
            assert group, "the pointer leads to a functional group"
            values = [groups[keyword][dimension.DimensionIndexPointer].value for groups in frames for keyword in group]
            pairs = sorted({(index[number], value) for index, value in zip(indices, values, strict=True)})
            assert [index for index, _ in pairs] == list(range(1, len(pairs) + 1))
            assert is_rising([value for _, value in pairs])

    def test_identity_is_shared_with_the_other_forms_where_it_should_be(self, case: Case) -> None:
        if is_other_storage(case, self.base):
            return
        firsts = [case.converted(form=form).instances[0] for form in Form]
        classes = len({ds.SOPClassUID for ds in firsts})
        assert classes == (2 if case.scan.mu_map else 3)
        for keyword in ("StudyInstanceUID", "FrameOfReferenceUID"):
            assert len({ds[keyword].value for ds in firsts}) == 1
        for keyword in ("SeriesInstanceUID", "SOPInstanceUID"):
            assert len({ds[keyword].value for ds in firsts}) == classes

    def test_the_real_world_unit_is_that_of_the_values(self, case: Case) -> None:
        unit = unit_of(case)
        for plane in case.planes:
            if plane.mapping is None:
                assert self.sop_class == pydicom.uid.LegacyConvertedEnhancedCTImageStorage  # which may not have one
                continue
            (code,) = plane.mapping.MeasurementUnitsCodeSequence
            assert (code.CodeValue, code.CodingSchemeDesignator) == (UCUM[unit], "UCUM")


class LegacyContract(MultiFrameContract):
    """What Legacy Converted Enhanced objects hold."""

    options: ClassVar = {"form": Form.LEGACY}
    classic_class: ClassVar[str]

    def test_each_frame_names_the_instance_that_it_replaces(self, case: Case) -> None:
        frames = zip(case.groups, self.classic(case), strict=True)
        for groups, classic in frames:
            source = groups["ConversionSourceAttributesSequence"]
            assert source.ReferencedSOPInstanceUID == classic.SOPInstanceUID
            assert source.ReferencedSOPClassUID == classic.SOPClassUID == self.classic_class
            assert "ReferencedFrameNumber" not in source

    def test_all_that_the_instances_say_is_kept(self, case: Case) -> None:
        (ds,) = case.instances
        frames = zip(case.groups, self.classic(case), strict=True)
        for groups, classic in frames:
            for element in classic:
                if element.tag not in OF_THE_INSTANCE and not element.tag.is_private:
                    kept = [part[element.tag].value for part in (ds, *groups.values()) if element.tag in part]
                    assert element.value in kept, element


OF_THE_INSTANCE = {  # what an object says in its own way, and what tests above compare
    BaseTag(pydicom.tag.Tag(keyword))
    for keyword in (
        "AcquisitionDate",
        "AcquisitionNumber",
        "AcquisitionTime",
        "BodyPartExamined",
        "ImageType",
        "InstanceNumber",
        "PixelData",
        "SOPClassUID",
        "SOPInstanceUID",
        "SeriesInstanceUID",
        "ContentDate",
        "ContentTime",
    )
}


@parametrised(CT_CASES)
class TestEnhancedCt(MultiFrameContract):
    base, name, sop_class, cases = CT, "mouse.ct.img", pydicom.uid.EnhancedCTImageStorage, CT_CASES
    options: ClassVar = {"form": Form.ENHANCED}
    warnings = (NO_DOSE_INDEX, OTHER_TRIGGER)

    def test_values_are_hounsfield_units_in_the_posture_of_the_header(self, case: Case) -> None:
        (ds,) = case.instances
        assert (ds.Modality, ds.PatientPosition) == ("CT", POSITIONS[case.scan.orientation])
        for groups in case.groups:
            assert groups["PixelValueTransformationSequence"].RescaleType == "HU"

    def test_a_full_header_makes_an_original_but_for_gates_of_a_breath(self, case: Case) -> None:
        assert_origin(case, "CTImageFrameTypeSequence", is_breath=is_breath(case))


@parametrised(PET_CASES)
class TestEnhancedPet(MultiFrameContract):
    base, name, cases = replace(PET, frames=TWO_FRAMES), "mouse.pet.img", PET_CASES
    sop_class = pydicom.uid.EnhancedPETImageStorage
    options: ClassVar = {"form": Form.ENHANCED}
    warnings = (*UNKNOWN_TERMS, OTHER_TRIGGER)

    def test_decay_is_corrected_to_the_start_of_the_scan(self, case: Case) -> None:
        (ds,), truth = case.instances, case.truth
        assert ds.DecayCorrected == "YES"
        assert moment(ds.DecayCorrectionDateTime) == truth.scan_time
        for groups, (frame, _) in zip(case.groups, self.sources(truth), strict=True):
            factors = groups["PETFrameCorrectionFactorsSequence"]
            assert float(factors.DecayFactor) == pytest.approx(float(truth.frames[frame]["decay_correction"]), rel=1e-9)
            assert factors.PrimaryPromptsCountsAccumulated == int(truth.frames[frame]["prompts"])
            assert float(factors.DeadTimeFactor) == float(truth.frames[frame]["deadtime_correction"])

    def test_sensitivity_is_calibrated_only_in_becquerel(self, case: Case) -> None:
        assert case.instances[0].SensitivityCalibrated == ("YES" if case.truth.calibrated else "NO")

    def test_the_tracer_is_in_the_units_of_the_standard(self, case: Case) -> None:
        (item,) = case.instances[0].RadiopharmaceuticalInformationSequence
        main = case.truth.main
        assert float(item.RadionuclideTotalDose) == pytest.approx(float(main["dose"]) * 37e6, rel=1e-9)
        assert float(item.RadionuclideHalfLife) == float(main["isotope_half_life"])
        assert float(item.RadionuclidePositronFraction) == float(main["isotope_branching_fraction"])
        injected = datetime.strptime(main["injection_time"], "%a %b %d %H:%M:%S %Y")
        assert moment(item.RadiopharmaceuticalStartDateTime) == injected

    def test_a_full_header_makes_an_original_but_for_gates_of_a_breath(self, case: Case) -> None:
        assert_origin(case, "PETFrameTypeSequence", is_breath=is_breath(case))


@parametrised(CT_CASES)
class TestLegacyCt(LegacyContract):
    base, name, cases = CT, "mouse.ct.img", CT_CASES
    sop_class, classic_class = pydicom.uid.LegacyConvertedEnhancedCTImageStorage, pydicom.uid.CTImageStorage

    def test_the_posture_is_that_of_the_header(self, case: Case) -> None:
        assert case.instances[0].PatientPosition == POSITIONS[case.scan.orientation]


@parametrised(LEGACY_PET_CASES)
class TestLegacyPet(LegacyContract):
    base, name, cases = replace(PET, frames=TWO_FRAMES), "mouse.pet.img", LEGACY_PET_CASES
    sop_class = pydicom.uid.LegacyConvertedEnhancedPETImageStorage
    classic_class = pydicom.uid.PositronEmissionTomographyImageStorage
    warnings = REAL_WORLD_VALUES


@parametrised(MU_MAPS)
class TestLegacyMuMap(LegacyContract):
    base, name, cases = replace(PET, frames=STATIC), "mouse.mu.img", MU_MAPS
    sop_class = pydicom.uid.LegacyConvertedEnhancedPETImageStorage
    classic_class = pydicom.uid.PositronEmissionTomographyImageStorage
    warnings = REAL_WORLD_VALUES

    def test_enhanced_is_the_same(self, case: Case) -> None:
        assert case.converted(form=Form.ENHANCED).instances == case.instances

    def test_values_are_attenuation_that_does_not_decay(self, case: Case) -> None:
        for groups in case.groups:
            shown = groups["UnassignedSharedConvertedAttributesSequence"]
            assert (shown.Units, shown.CountsSource, shown.DecayCorrection) == ("1CM", "TRANSMISSION", "NONE")
            assert "DecayFactor" not in shown


RANDOM = {"CT": (CT, pydicom.uid.CTImageStorage), "PET": (PET, pydicom.uid.PositronEmissionTomographyImageStorage)}


@pytest.mark.parametrize("kind", RANDOM)
def test_random_uids_leave_the_names_of_the_instances_that_frames_stand_for(tmp_path: Path, kind: str) -> None:
    scan, sop_class = RANDOM[kind]
    write_scan(tmp_path / "a.img", scan)
    convert(tmp_path / "a.img", tmp_path / "classic")
    for folder in ("random", "again"):
        convert(tmp_path / "a.img", tmp_path / folder, Options(form=Form.LEGACY, uids=Uids.RANDOM))
    classic = [pydicom.dcmread(file) for file in files_of(tmp_path / "classic")]
    (first,), (second,) = ([pydicom.dcmread(f) for f in files_of(tmp_path / name)] for name in ("random", "again"))
    for ds in (first, second):
        sources = [groups["ConversionSourceAttributesSequence"] for groups in groups_of(ds)]
        named = [source.ReferencedSOPInstanceUID for source in sources]
        assert sorted(named) == sorted(each.SOPInstanceUID for each in classic)
        places = [groups["PlanePositionSequence"].ImagePositionPatient for groups in groups_of(ds)]
        by_name = {each.SOPInstanceUID: each.ImagePositionPatient for each in classic}
        assert places == [by_name[name] for name in named]
        assert {source.ReferencedSOPClassUID for source in sources} == {sop_class}
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert len({str(ds[keyword].value) for ds in (first, second, classic[0])}) == 3


@pytest.mark.parametrize("form", [Form.ENHANCED, Form.LEGACY])
def test_all_uids_of_a_study_differ(tmp_path: Path, form: Form) -> None:
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "a.ct.img", CT)
    write_scan(tmp_path / "in" / "a.pet.img", PET)
    convert(tmp_path / "in", tmp_path / "out", Options(form=form))
    ct, pet = (pydicom.dcmread(file) for series in (1, 2) for file in files_of(tmp_path / "out", series))
    assert ct.StudyInstanceUID == pet.StudyInstanceUID
    assert ct.FrameOfReferenceUID == pet.FrameOfReferenceUID
    own = ("SOPInstanceUID", "SeriesInstanceUID")
    uids = [ds[keyword].value for ds in (ct, pet) for keyword in own]
    uids += [ct.StudyInstanceUID, ct.FrameOfReferenceUID, *organizations(ct), *organizations(pet)]
    assert len(set(uids)) == len(uids) == 8


def test_enhanced_pet_names_the_ct_that_corrected_its_attenuation(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "mouse_ct1_v1.ct.img", CT)
    write_scan(tmp_path / "in" / "mouse_fdg_v1.pet.img", PET)
    convert(tmp_path / "in", tmp_path / "out", Options(form=Form.ENHANCED))
    ct, pet = (pydicom.dcmread(file) for series in (1, 2) for file in files_of(tmp_path / "out", series))
    (related,) = pet.RelatedSeriesSequence
    assert (related.StudyInstanceUID, related.SeriesInstanceUID) == (ct.StudyInstanceUID, ct.SeriesInstanceUID)
    assert (pet.AttenuationCorrected, pet.AttenuationCorrectionSource) == ("YES", "CT")


def assert_origin(case: Case, group: str, *, is_breath: bool) -> None:
    (ds,) = case.instances
    expected = ["DERIVED" if is_breath else "ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    assert list(ds.ImageType) == expected
    assert all(list(groups[group].FrameType) == expected for groups in case.groups)


def unit_of(case: Case) -> str:
    """Return Units as a PET Image has them, or HU."""
    main = case.truth.main
    if (main["modality"], main["file_type"]) != ("0", "5"):
        return {"1": "HU", "0": "1CM"}[main["modality"]]
    return "BQML" if case.truth.calibrated else "PROPCNTS"


def is_breath(case: Case) -> bool:
    """Return whether gates are those of a breath: an original would have to state the threshold of their trigger."""
    return "pillow" in case.truth.main.get("gate_description", "")


def organizations(ds: Dataset) -> Iterator[str]:
    return (item.DimensionOrganizationUID for item in ds.DimensionOrganizationSequence)


def moment(text: str) -> datetime:
    """Return a DateTime (DT) without a zone."""
    return datetime.strptime(text, "%Y%m%d%H%M%S.%f" if "." in text else "%Y%m%d%H%M%S")


def is_rising(values: list[float] | tuple[float, ...]) -> bool:
    return all(after > before for before, after in pairwise(values))
