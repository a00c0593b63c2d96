"""Enhanced PET: series, isotope, acquisition, corrections and functional groups (PS3.3 C.8.22)."""

from __future__ import annotations

from pydicom.dataset import Dataset

from inveonimaging.animal.sheet_values import Code
from inveonimaging.dicom import codes
from inveonimaging.dicom.encode import dataset, ds, dt, group, lo, merged, put, us, whole
from inveonimaging.dicom.modules.general import UNKNOWN
from inveonimaging.dicom.modules.multi_frame import (
    DERIVED,
    ORIGINAL,
    centres,
    enhanced_image,
    frame_type,
    origin_of,
    times_are_known,
)
from inveonimaging.dicom.modules.pet import corrected_image, counts_source, decay_factor_of, energy_window, randoms
from inveonimaging.dicom.modules.reconstruction import reconstruction_diameter
from inveonimaging.dicom.modules.synchronization import synchronization
from inveonimaging.dicom.series import Series
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import AcquisitionMode, Attenuation, GantryRotation, Rebinning, ReconAlgorithm
from inveonimaging.inveon.hdr.model import Detector
from inveonimaging.physics.quantification import branching_fraction
from inveonimaging.physics.timing import factor_to_injection

_AXIAL = Code("24422004", "SCT", "Axial")
_AGENT = 1  # there is one radiopharmaceutical
_MOTION = {
    GantryRotation.NONE: "STATIONARY",
    GantryRotation.STEPS: "STEP AND SHOOT",
    GantryRotation.CONTINUOUS: "CONTINUOUS",
}
_FLAGS = {  # attribute: term of Corrected Image; None is what no Inveon header mentions, and no Inveon program does
    "DecayCorrected": "DECY",
    "AttenuationCorrected": "ATTN",
    "ScatterCorrected": "SCAT",
    "DeadTimeCorrected": "DTIM",
    "GantryMotionCorrected": None,
    "PatientMotionCorrected": None,
    "CountLossNormalizationCorrected": None,
    "RandomsCorrected": "RAN",
    "NonUniformRadialSamplingCorrected": "RADL",
    "SensitivityCalibrated": "DCAL",
    "DetectorNormalizationCorrection": "NORM",
}
_SOURCE = {
    Attenuation.GEOMETRIC: "CALCULATED",
    Attenuation.NON_POSITRON_SINGLES: "SINGLE PHOTON",
    Attenuation.CT: "CT",
}
_ALGORITHM = {  # OSEM is MLEM with subsets; MAP has no defined term
    ReconAlgorithm.FBP: "FILTER_BACK_PROJ",
    ReconAlgorithm.OSEM2D: "MLEM",
    ReconAlgorithm.OSEM3D: "MLEM",
    ReconAlgorithm.REPROJECTION_3D: "REPROJECTION",
    ReconAlgorithm.OSEM3D_MAP: "MAP",
    ReconAlgorithm.MAPTR: "MAP",
    ReconAlgorithm.MAP3D: "MAP",
}
_ANALYTIC = {ReconAlgorithm.FBP, ReconAlgorithm.REPROJECTION_3D}
_IN_3D = {ReconAlgorithm.OSEM3D, ReconAlgorithm.REPROJECTION_3D, ReconAlgorithm.OSEM3D_MAP, ReconAlgorithm.MAP3D}
_REBINNED = {Rebinning.SSRB, Rebinning.FORE}


def enhanced_pet_series(series: Series) -> Dataset:
    """Enhanced PET Series Module (PS3.3 C.8.22.1): the CT of the attenuation correction, where it is known."""
    if series.attenuation_series_uid is None:
        return Dataset()
    related = dataset(
        StudyInstanceUID=series.study.uid,
        SeriesInstanceUID=series.attenuation_series_uid,
        PurposeOfReferenceCodeSequence=[],
    )
    return dataset(RelatedSeriesSequence=[related])


def enhanced_pet_isotope(series: Series) -> Dataset:
    """Enhanced PET Isotope Module (PS3.3 C.8.22.4); what is in no code table is coded as typed, or as unknown."""
    tracer = series.image.header.tracer
    nuclide = series.codes.radionuclide(tracer.isotope) if tracer.isotope else None
    compound = codes.radiopharmaceutical(tracer.compound or "", codes.isotope_of(tracer.isotope or ""))
    injected = series.image.header.tracer.injected_at
    fraction = branching_fraction(series.image.header)
    coded = codes.items(nuclide, unlimited=series.study.unlimited_text)
    item = dataset(
        RadiopharmaceuticalAgentNumber=_AGENT,
        RadionuclideCodeSequence=coded or [codes.item(codes.local(tracer.isotope))],
        AdministrationRouteCodeSequence=[codes.item(codes.UNKNOWN)],
        RadiopharmaceuticalStartDateTime=injected and dt(injected),
        RadionuclideTotalDose=tracer.dose_bq and ds(tracer.dose_bq),
        RadionuclideHalfLife=tracer.half_life_s and ds(tracer.half_life_s),
        RadionuclidePositronFraction=fraction and ds(fraction),
        RadiopharmaceuticalCodeSequence=[codes.item(compound or codes.local(tracer.compound))],
    )
    return dataset(RadiopharmaceuticalInformationSequence=[item])


def enhanced_pet_image(series: Series) -> Dataset:
    """Enhanced PET Image Module (PS3.3 C.8.22.3), with the synchronization of gates."""
    origin = _origin(series)
    return merged((enhanced_image(series, origin), synchronization(series, is_original=origin == ORIGINAL)))


def enhanced_pet_acquisition(series: Series) -> Dataset:
    """Enhanced PET Acquisition Module (PS3.3 C.8.22.2)."""
    header = series.image.header
    rotation = header.gantry.rotation or GantryRotation.NONE  # rings
    moves = header.acquisition_mode is AcquisitionMode.CONTINUOUS_BED
    module = dataset(
        AcquisitionStartCondition=UNKNOWN,
        AcquisitionTerminationCondition=UNKNOWN,
        TypeOfDetectorMotion=_MOTION[rotation],
        CollimatorType="NONE",
        TableMotion="DYNAMIC" if moves else "STATIC",
        TimeOfFlightInformationUsed="FALSE",
        ViewCodeSequence=[codes.item(_AXIAL)],
    )
    if rotation is GantryRotation.NONE:
        module.DetectorGeometry = "CYLINDRICAL_RING"
    return put(module, **_detectors(header.detector))


def _detectors(detector: Detector) -> dict[str, object]:
    blocks, crystals, pitch = detector.axial_blocks, detector.axial_crystals_per_block, detector.axial_crystal_pitch_mm
    return {
        "TransverseDetectorSeparation": detector.radius_mm and 2 * detector.radius_mm,
        "AxialDetectorDimension": blocks and crystals and pitch and blocks * crystals * pitch,
        "CoincidenceWindowWidth": detector.timing_window_ns and ds(detector.timing_window_ns),
        "EnergyWindowRangeSequence": energy_window(detector),
    }


def enhanced_pet_corrections(series: Series) -> Dataset:
    """Enhanced PET Corrections Module (PS3.3 C.8.22.6): NO is what the header does not say to be corrected."""
    header = series.image.header
    applied = corrected_image(series)
    module = dataset(
        CountsSource=counts_source(header),
        **{keyword: "YES" if term in applied else "NO" for keyword, term in _FLAGS.items()},
    )
    attenuation, scatter = header.corrections.attenuation, header.corrections.scatter
    corrected_to = header.tracer.injected_at if factor_to_injection(header) else series.start
    if "ATTN" in applied and attenuation:
        module.AttenuationCorrectionSource = _SOURCE.get(attenuation, "POSITRON SOURCE")
        module.AttenuationCorrectionTemporalRelationship = "SEPARATE"
    return put(
        module,
        RandomsCorrectionMethod=randoms(header) if "RAN" in applied else None,
        ScatterCorrectionMethod=lo(scatter.label) if "SCAT" in applied and scatter else None,
        DecayCorrectionDateTime=dt(corrected_to) if "DECY" in applied and corrected_to else None,
    )


def radiopharmaceutical_usage(series: Series) -> Dataset:
    """Radiopharmaceutical Usage Macro (PS3.3 C.7.6.16.2.19)."""
    return group("RadiopharmaceuticalUsageSequence", dataset(RadiopharmaceuticalAgentNumber=_AGENT))


def pet_frame_type(series: Series) -> Dataset:
    """PET Frame Type Macro (PS3.3 C.8.22.5.1)."""
    return group("PETFrameTypeSequence", frame_type(_origin(series)))


def pet_frame_acquisition(series: Series) -> Dataset:
    """PET Frame Acquisition Macro (PS3.3 C.8.22.5.2); the gantry cannot tilt."""
    height, field = series.image.frames[0].vertical_bed_offset_mm, series.image.header.detector.radial_fov_mm
    item = put(
        dataset(GantryDetectorTilt="0", GantryDetectorSlew="0"),
        TableHeight=None if height is None else ds(height),
        DataCollectionDiameter=field and ds(field),
    )
    return group("PETFrameAcquisitionSequence", item, "TableHeight", "DataCollectionDiameter")


def pet_position(series: Series) -> Dataset:
    """PET Position Macro (PS3.3 C.8.22.5.4)."""
    return group("PETPositionSequence", centres(series), "TablePosition")


def pet_reconstruction(series: Series) -> Dataset:
    """PET Reconstruction Macro (PS3.3 C.8.22.5.6)."""
    header = series.image.header
    algorithm = header.reconstruction.algorithm or ReconAlgorithm.UNKNOWN
    is_iterative, is_rebinned = algorithm not in _ANALYTIC, header.reconstruction.rebinning_type in _REBINNED
    iterations, subsets = _counts(header)
    item = put(
        dataset(
            IterativeReconstructionMethod="YES" if is_iterative else "NO",
            ReconstructionDiameter=reconstruction_diameter(series),
            ReconstructionType="3D_REBINNED" if is_rebinned else "3D" if algorithm in _IN_3D else "2D",
        ),
        ReconstructionAlgorithm=_ALGORITHM.get(algorithm),
        NumberOfIterations=iterations,
        NumberOfSubsets=subsets,
    )
    needed = ("NumberOfIterations", "NumberOfSubsets") if is_iterative else ()
    return group("PETReconstructionSequence", item, "ReconstructionAlgorithm", *needed)


def pet_table_dynamics(series: Series) -> Dataset:
    """PET Table Dynamics Macro (PS3.3 C.8.22.5.7): speed of a bed that moves all the time."""
    frame = series.image.frames[0]
    moves = series.image.header.acquisition_mode is AcquisitionMode.CONTINUOUS_BED
    if not moves or frame.ending_bed_offset_mm is None or frame.bed_offset_mm is None or not frame.duration_s:
        return Dataset()
    way = abs(frame.ending_bed_offset_mm - frame.bed_offset_mm) * max(1, frame.bed_passes or 1)
    return group("PETTableDynamicsSequence", dataset(TableSpeed=way / frame.duration_s))


def pet_frame_correction_factors(series: Series, frame: int) -> Dataset:
    """PET Frame Correction Factors Macro (PS3.3 C.8.22.5.5).

    Nothing is corrected slice by slice. No header gives the fraction of scattered counts; it is written as 0.
    """
    block = series.image.frames[frame]
    item = put(
        dataset(SliceSensitivityFactor="1", ScatterFractionFactor="0"),
        PrimaryPromptsCountsAccumulated=whole(block.prompts),
        DecayFactor=decay_factor_of(series.image.header, block),
        DeadTimeFactor=block.deadtime_correction and ds(block.deadtime_correction),
    )
    return group("PETFrameCorrectionFactorsSequence", item, "PrimaryPromptsCountsAccumulated", "DeadTimeFactor")


def _origin(series: Series) -> str:
    """Return ORIGINAL if all that an original must state is known, else DERIVED.

    Of detectors that move it would have to state more than any header does.
    """
    header = series.image.header
    groups = [macro(series) for macro in (pet_frame_acquisition, pet_position, pet_reconstruction)]
    groups += [pet_frame_correction_factors(series, frame) for frame in range(len(series.image.frames))]
    if header.acquisition_mode is AcquisitionMode.CONTINUOUS_BED:
        groups.append(pet_table_dynamics(series))
    is_ring = not header.gantry.rotation
    is_complete = is_ring and all(groups) and all(_detectors(header.detector).values())
    return origin_of(series) if is_complete and times_are_known(series) else DERIVED


def _counts(header: Header) -> tuple[int | None, int | None]:
    """Return the number of iterations and subsets of the last algorithm that was run, as 16 bits can hold them."""
    made = header.reconstruction
    counts: tuple[int | None, int | None] = made.map_iterations, made.map_subsets
    if made.algorithm is ReconAlgorithm.OSEM2D:
        counts = made.osem2d_iterations, made.osem2d_subsets
    if made.algorithm is ReconAlgorithm.OSEM3D:
        counts = made.map_osem3d_iterations, made.map_subsets
    if made.algorithm in _ANALYTIC:
        return None, None
    iterations, subsets = counts
    return us(iterations), us(subsets)
