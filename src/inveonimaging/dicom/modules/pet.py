"""PET Series, PET Isotope, NM/PET Patient Orientation and PET Image."""

from __future__ import annotations

from pydicom.dataset import Dataset

from inveonimaging.dicom import codes
from inveonimaging.dicom.encode import dataset, ds, dt, lo, put, tm, whole
from inveonimaging.dicom.modules.reconstruction import pet_kernel, reconstruction_diameter, reconstruction_method
from inveonimaging.dicom.series import Instance, Series
from inveonimaging.inveon.hdr import Frame, Header
from inveonimaging.inveon.hdr.enums import AcquisitionMode, CalibrationUnits, EventType, GantryRotation, Labelled
from inveonimaging.inveon.hdr.model import Detector
from inveonimaging.inveon.modality import is_mu_map, is_transmission
from inveonimaging.physics.quantification import Unit, branching_fraction
from inveonimaging.physics.timing import expected_decay_factor, factor_to_injection
from inveonimaging.units import BQ_PER_NCI

UNITS = {Unit.BQML: "BQML", Unit.PROPCNTS: "PROPCNTS", Unit.PER_CM: "1CM"}
_MOTION = {
    GantryRotation.NONE: "NONE",
    GantryRotation.STEPS: "STEP AND SHOOT",
    GantryRotation.CONTINUOUS: "CONTINUOUS",
}
_POSTURE = {"P": "prone", "S": "supine", "DR": "right lateral decubitus", "DL": "left lateral decubitus"}
_ENTRY = {"HF": "headfirst", "FF": "feet-first"}


def pet_series(series: Series) -> Dataset:
    """PET Series Module (PS3.3 C.8.9.1); Series Date and Time come with General Series."""
    header = series.image.header
    detector = header.detector
    module = dataset(
        Units=UNITS[series.image.scaling.unit],
        CountsSource=counts_source(header),
        SeriesType=[series_type(series), "IMAGE"],
        NumberOfSlices=series.image.grid.shape[2],
        CorrectedImage=corrected_image(series),
        DecayCorrection=_decay_correction(header),
        CollimatorType="NONE",
        **_steps(series),
    )
    return put(
        module,
        RandomsCorrectionMethod=randoms(header),
        AttenuationCorrectionMethod=named(header.corrections.attenuation),
        ScatterCorrectionMethod=named(header.corrections.scatter),
        ReconstructionMethod=reconstruction_method(header),
        ReconstructionDiameter=reconstruction_diameter(series),
        ConvolutionKernel=pet_kernel(header),
        TypeOfDetectorMotion=_MOTION.get(header.gantry.rotation) if header.gantry.rotation is not None else None,
        CoincidenceWindowWidth=detector.timing_window_ns and ds(detector.timing_window_ns),
        EnergyWindowRangeSequence=energy_window(detector),
        SecondaryCountsType="DLYD" if header.frames[0].delays is not None else None,
    )


def _decay_correction(header: Header) -> str:
    """Decay Correction (0054,1102): to when the values are corrected."""
    if not is_decay_corrected(header):
        return "NONE"
    return "ADMIN" if factor_to_injection(header) else "START"


def _steps(series: Series) -> dict[str, int]:
    """Return the number of time slices, or of gates in the one nominal cycle."""
    frames = len(series.image.frames)
    if series.gating:
        return {"NumberOfRRIntervals": 1, "NumberOfTimeSlots": frames}
    return {"NumberOfTimeSlices": frames} if frames > 1 else {}


def pet_isotope(series: Series) -> Dataset:
    """PET Isotope Module (PS3.3 C.8.9.2): tracer, dose in Bq and injection; a transmission image has none of it."""
    if is_transmission(series.image.header):
        return dataset(RadiopharmaceuticalInformationSequence=[dataset(RadionuclideCodeSequence=[])])
    tracer = series.image.header.tracer
    nuclide = series.codes.radionuclide(tracer.isotope) if tracer.isotope else None
    isotope = codes.isotope_of(tracer.isotope or "")
    compound = codes.radiopharmaceutical(tracer.compound, isotope) if tracer.compound else None
    injected = series.image.header.tracer.injected_at
    fraction = branching_fraction(series.image.header)
    item = put(
        dataset(RadionuclideCodeSequence=codes.items(nuclide, unlimited=series.study.unlimited_text)),
        Radiopharmaceutical=tracer.compound and lo(tracer.compound),
        RadiopharmaceuticalCodeSequence=compound and [codes.item(compound)],
        RadiopharmaceuticalStartTime=injected and tm(injected),
        RadiopharmaceuticalStartDateTime=injected and dt(injected),
        RadionuclideTotalDose=tracer.dose_bq and ds(tracer.dose_bq),
        RadionuclideHalfLife=ds(tracer.half_life_s) if tracer.half_life_s and tracer.half_life_s > 0 else None,
        RadionuclidePositronFraction=fraction and ds(fraction),
    )
    return dataset(RadiopharmaceuticalInformationSequence=[item])


def pet_multi_gated_acquisition(series: Series) -> Dataset:
    """PET Multi-gated Acquisition Module (PS3.3 C.8.9.3), of gated series only."""
    gating = series.gating
    if gating is None:
        return Dataset()
    module = dataset(BeatRejectionFlag="")  # whether the limits of gate_bins reject cycles is not documented
    return put(module, TriggerSourceOrType=lo(gating.description), CardiacFramingType="PCNT")


def nm_pet_patient_orientation(series: Series) -> Dataset:
    """NM/PET Patient Orientation Module (PS3.3 C.8.4.6)."""
    orientation = series.image.grid.orientation
    if not orientation:
        return dataset(PatientOrientationCodeSequence=[], PatientGantryRelationshipCodeSequence=[])
    entry, posture = orientation.name[:2], orientation.name[2:]
    recumbent = codes.item(codes.orientation_code("patient_orientation", "recumbent"))
    modifier = codes.orientation_code("patient_orientation_modifier", _POSTURE[posture])
    recumbent.PatientOrientationModifierCodeSequence = [codes.item(modifier)]
    relationship = codes.orientation_code("patient_gantry_relationship", _ENTRY[entry])
    return dataset(
        PatientOrientationCodeSequence=[recumbent], PatientGantryRelationshipCodeSequence=[codes.item(relationship)]
    )


def pet_image(series: Series) -> Dataset:
    """PET Image Module (PS3.3 C.8.9.4), what is constant in a series."""
    module = dataset(ImageType=["DERIVED" if series.is_cut else "ORIGINAL", "PRIMARY"])
    calibration = series.image.header.calibration
    if len(series.image.frames) > 1:
        module.update(dataset(ContentDate="", ContentTime=""))  # type 2C in a series over time: not known
    if series.image.scaling.unit is Unit.BQML and calibration.factor:
        per_unit = BQ_PER_NCI if calibration.units is CalibrationUnits.NCI_PER_CC else 1
        put(module, DoseCalibrationFactor=ds(calibration.factor * per_unit))
    return module


def pet_image_of_frame(series: Series, frame: int) -> Dataset:
    """PET Image Module (PS3.3 C.8.9.4), what differs by frame."""
    block = series.image.frames[frame]
    module = dataset(
        FrameReferenceTime=ds(series.frame_reference_times_ms[frame]),
        ActualFrameDuration=whole(block.duration_s * 1000) if block.duration_s else "",
    )
    if series.gating:
        module.TriggerTime = ds(series.gating.delay_ms(series.steps[frame]))
        module.FrameTime = ds(series.gating.slot_ms)
    return put(
        module,
        DecayFactor=decay_factor_of(series.image.header, block),
        DeadTimeFactor=block.deadtime_correction and ds(block.deadtime_correction),
        PrimaryPromptsCountsAccumulated=whole(block.prompts),
        SecondaryCountsAccumulated=whole(block.delays),
    )


def pet_image_of_instance(series: Series, instance: Instance) -> dict[str, int]:
    """PET Image Module (PS3.3 C.8.9.4), what differs by frame and slice, but for the rescale slope: Image Index.

    It is step * slices + slice, which counts from 1 along the normal in each time slice or gate (C.8.9.4.1.9).
    """
    first = series.steps[instance.frame] * series.image.grid.shape[2]
    return {"ImageIndex": first + series.along_normal(instance.k)}


def series_type(series: Series) -> str:
    """Value 1 of Series Type (0054,1000)."""
    if series.gating:
        return "GATED"
    if len(series.image.frames) > 1:
        return "DYNAMIC"
    mode = series.image.header.acquisition_mode
    return "WHOLE BODY" if mode is AcquisitionMode.CONTINUOUS_BED else "STATIC"


def counts_source(header: Header) -> str:
    """Counts Source (0054,1002); a mu map was measured by transmission."""
    return "TRANSMISSION" if is_transmission(header) else "EMISSION"


def is_decay_corrected(header: Header) -> bool:
    """Return whether the values are those at one moment, mostly the scan's start; attenuation does not decay."""
    return bool(header.corrections.decay) and not is_mu_map(header)


def corrected_image(series: Series) -> list[str]:
    """Corrected Image (0028,0051): the corrections that the header says were applied; none of a mu map."""
    header = series.image.header
    if is_mu_map(header):
        return []
    applied = header.corrections
    terms = {
        "NORM": applied.normalization,
        "DTIM": applied.deadtime,
        "ATTN": applied.attenuation,
        "SCAT": applied.scatter,
        "DECY": applied.decay,
        "RAN": randoms(header) == "DLYD",
        "RADL": applied.arc,
        "DCAL": series.image.scaling.unit is Unit.BQML,
    }
    return [term for term, done in terms.items() if done]


def decay_factor_of(header: Header, frame: Frame) -> str | None:
    """Decay Factor (0054,1321) of a frame; None if the values are not decay corrected."""
    if not is_decay_corrected(header):
        return None
    factor = frame.decay_correction or expected_decay_factor(frame, header.tracer.half_life_s)
    return None if factor is None else ds(factor)


def randoms(header: Header) -> str | None:
    """Randoms Correction Method (0054,1100): trues are prompts less delays."""
    kinds = {frame.event_type for frame in header.frames}
    kind = kinds.pop() if len(kinds) == 1 else None
    return {EventType.TRUES: "DLYD", EventType.PROMPTS: "NONE"}.get(kind or EventType.UNKNOWN)


def named(correction: Labelled | None) -> str | None:
    """Return how a correction was made, NONE if it was not, None if the header does not say."""
    if correction is None:
        return None
    return lo(correction.label) if correction else "NONE"


def energy_window(detector: Detector) -> list[Dataset]:
    """Energy Window Range Sequence (0054,0013), keV; empty if a limit is missing."""
    lower, upper = detector.lower_energy_kev, detector.upper_energy_kev
    return [dataset(EnergyWindowLowerLimit=ds(lower), EnergyWindowUpperLimit=ds(upper))] if lower and upper else []
