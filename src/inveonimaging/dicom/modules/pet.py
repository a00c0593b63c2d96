"""PET Series, PET Isotope, NM/PET Patient Orientation and PET Image."""

from __future__ import annotations

from datetime import datetime

from pydicom.dataset import Dataset

from inveonimaging.dicom import codes
from inveonimaging.dicom.encode import dataset, ds, dt, lo, put, tm, whole
from inveonimaging.dicom.modules.reconstruction import (
    convolution_kernel,
    reconstruction_diameter,
    reconstruction_method,
)
from inveonimaging.dicom.series import Instance, Series
from inveonimaging.hdr import Frame, Header
from inveonimaging.hdr.enums import AcquisitionMode, CalibrationUnits, EventType, GantryRotation, Labelled
from inveonimaging.quant import Unit, branching_fraction
from inveonimaging.scan import TRANSMISSION
from inveonimaging.timing import expected_decay_factor
from inveonimaging.units import BQ_PER_NCI

_UNITS = {Unit.BQML: "BQML", Unit.PROPCNTS: "PROPCNTS"}
_EPOCH_YEAR = 1970
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
    mode = header.acquisition_mode
    frames = len(series.image.frames)
    module = dataset(
        Units=_UNITS[series.image.scaling.unit],
        CountsSource="TRANSMISSION" if mode in TRANSMISSION else "EMISSION",
        SeriesType=[series_type(header), "IMAGE"],
        NumberOfSlices=series.image.grid.shape[2],
        CorrectedImage=corrected_image(series),
        DecayCorrection="START" if header.corrections.decay else "NONE",
        CollimatorType="NONE",
    )
    if frames > 1:
        module.NumberOfTimeSlices = frames
    energies = detector.lower_energy_kev, detector.upper_energy_kev
    return put(
        module,
        RandomsCorrectionMethod=_randoms(header),
        AttenuationCorrectionMethod=_named(header.corrections.attenuation),
        ScatterCorrectionMethod=_named(header.corrections.scatter),
        ReconstructionMethod=reconstruction_method(header),
        ReconstructionDiameter=reconstruction_diameter(series),
        ConvolutionKernel=convolution_kernel(header),
        TypeOfDetectorMotion=_MOTION.get(header.gantry.rotation) if header.gantry.rotation is not None else None,
        CoincidenceWindowWidth=detector.timing_window_ns and ds(detector.timing_window_ns),
        EnergyWindowRangeSequence=[_energy_window(*energies)] if energies[0] and energies[1] else None,
        SecondaryCountsType="DLYD" if header.frames[0].delays is not None else None,
    )


def pet_isotope(series: Series) -> Dataset:
    """PET Isotope Module (PS3.3 C.8.9.2): tracer, dose in Bq and injection."""
    tracer = series.image.header.tracer
    nuclide = series.codes.radionuclide(tracer.isotope) if tracer.isotope else None
    isotope = codes.isotope_of(tracer.isotope or "")
    compound = codes.radiopharmaceutical(tracer.compound, isotope) if tracer.compound else None
    injected = injection_time(series.image.header)
    fraction = branching_fraction(series.image.header)
    item = put(
        dataset(RadionuclideCodeSequence=[codes.item(nuclide)] if nuclide else []),
        Radiopharmaceutical=tracer.compound and lo(tracer.compound),
        RadiopharmaceuticalCodeSequence=compound and [codes.item(compound)],
        RadiopharmaceuticalStartTime=injected and tm(injected),
        RadiopharmaceuticalStartDateTime=injected and dt(injected),
        RadionuclideTotalDose=tracer.dose_bq and ds(tracer.dose_bq),
        RadionuclideHalfLife=ds(tracer.half_life_s) if tracer.half_life_s and tracer.half_life_s > 0 else None,
        RadionuclidePositronFraction=fraction and ds(fraction),
    )
    return dataset(RadiopharmaceuticalInformationSequence=[item])


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
    module = dataset(ImageType=["ORIGINAL", "PRIMARY"])
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
    return put(
        module,
        DecayFactor=_decay_factor(series.image.header, block),
        DeadTimeFactor=block.deadtime_correction and ds(block.deadtime_correction),
        PrimaryPromptsCountsAccumulated=whole(block.prompts),
        SecondaryCountsAccumulated=whole(block.delays),
    )


def pet_image_of_instance(series: Series, instance: Instance) -> Dataset:
    """PET Image Module (PS3.3 C.8.9.4), what differs by frame and slice, but for the rescale slope."""
    return dataset(ImageIndex=image_index(series, instance))


def image_index(series: Series, instance: Instance) -> int:
    """Image Index (0054,1330), PS3.3 C.8.9.4.1.9: slices count along the row x column normal, in each time slice."""
    slices = series.image.grid.shape[2]
    along_normal = slices - instance.k if series.image.grid.runs_against_normal else instance.k + 1
    return series.time_slices[instance.frame] * slices + along_normal


def series_type(header: Header) -> str:
    """Value 1 of Series Type (0054,1000)."""
    if len(header.frames) > 1:
        return "DYNAMIC"
    return "WHOLE BODY" if header.acquisition_mode is AcquisitionMode.CONTINUOUS_BED else "STATIC"


def corrected_image(series: Series) -> list[str]:
    """Corrected Image (0028,0051): the corrections that the header says were applied."""
    header = series.image.header
    applied = header.corrections
    terms = {
        "NORM": applied.normalization,
        "DTIM": applied.deadtime,
        "ATTN": applied.attenuation,
        "SCAT": applied.scatter,
        "DECY": applied.decay,
        "RAN": _randoms(header) == "DLYD",
        "RADL": applied.arc,
        "DCAL": series.image.scaling.unit is Unit.BQML,
    }
    return [term for term, done in terms.items() if done]


def injection_time(header: Header) -> datetime | None:
    """Return the injection time; the epoch that a console writes for none is none."""
    given = header.tracer.injection_time
    return given if given and given.year > _EPOCH_YEAR else None


def _decay_factor(header: Header, frame: Frame) -> str | None:
    if not header.corrections.decay:
        return None
    factor = frame.decay_correction or expected_decay_factor(frame, header.tracer.half_life_s)
    return None if factor is None else ds(factor)


def _randoms(header: Header) -> str | None:
    """Randoms Correction Method (0054,1100): trues are prompts less delays."""
    kinds = {frame.event_type for frame in header.frames}
    return (
        {EventType.TRUES: "DLYD", EventType.PROMPTS: "NONE"}.get(kinds.pop() or EventType.UNKNOWN)
        if len(kinds) == 1
        else None
    )


def _named(correction: Labelled | None) -> str | None:
    if correction is None:
        return None
    return lo(correction.label) if correction else "NONE"


def _energy_window(lower: float | None, upper: float | None) -> Dataset:
    return dataset(EnergyWindowLowerLimit=ds(lower or 0), EnergyWindowUpperLimit=ds(upper or 0))
