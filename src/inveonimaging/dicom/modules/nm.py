"""Nuclear Medicine: reconstructed SPECT (PS3.3 C.8.4).

The IOD has no rescale, so that readers that know only it see stored values; Rescale Slope is written all the
same (Standard Extended), and Real World Value Mapping, which any image may have.
"""

from __future__ import annotations

import math
from itertools import pairwise

from pydicom.dataset import Dataset
from pydicom.tag import Tag

from inveonimaging.dicom import codes
from inveonimaging.dicom.encode import dataset, ds, lo, put, tm, us, whole
from inveonimaging.dicom.modules.ct import rotation_direction
from inveonimaging.dicom.modules.general import general_acquisition
from inveonimaging.dicom.modules.image import image_plane, image_position, rescale
from inveonimaging.dicom.modules.multi_frame import origin_of, real_world_value_mapping
from inveonimaging.dicom.modules.pet import energy_window
from inveonimaging.dicom.series import MultiFrame, Series
from inveonimaging.inveon.hdr.model import Gantry
from inveonimaging.units import BQ_PER_MBQ

_PINHOLE = "PINH"
_FULL_TURN_DEG = 360.0
_SAME_DEG = 1e-3


def nm_image_pixel(series: Series) -> Dataset:
    """NM Image Pixel Module (PS3.3 C.8.4.7), but for Image Pixel."""
    return dataset(PixelSpacing=image_plane(series).PixelSpacing)


def nm_multi_frame(series: Series, multi_frame: MultiFrame) -> Dataset:
    """Multi-frame and NM Multi-frame Modules (PS3.3 C.7.6.6, C.8.4.8): slices, of a gated scan in each gate."""
    slices = series.image.grid.shape[2]
    slots = len(multi_frame.slices) // slices
    vectors = {"SliceVector": list(range(1, slices + 1)) * slots}
    counts = {"NumberOfSlices": slices, "NumberOfEnergyWindows": 1, "NumberOfDetectors": 1, "NumberOfRotations": 1}
    if series.gating:
        vectors = {
            "RRIntervalVector": [1] * len(multi_frame.slices),
            "TimeSlotVector": [slot for slot in range(1, slots + 1) for _ in range(slices)],
            **vectors,
        }
        counts |= {"NumberOfRRIntervals": 1, "NumberOfTimeSlots": slots}
    pointer = [Tag(keyword) for keyword in vectors]
    return dataset(NumberOfFrames=str(len(multi_frame.slices)), FrameIncrementPointer=pointer, **vectors, **counts)


def nm_image(series: Series, multi_frame: MultiFrame) -> Dataset:
    """NM Image Module (PS3.3 C.8.4.9), with the instance's number and the start of its acquisition."""
    frame = frame_of(series, multi_frame)
    kind = "RECON GATED TOMO" if series.gating else "RECON TOMO"
    module = dataset(
        InstanceNumber=str(multi_frame.number),
        ImageType=[origin_of(series), "PRIMARY", kind, "EMISSION"],
        CountsAccumulated=whole(series.image.frames[frame].prompts),
    )
    if len(series.image.frames) > 1 and not series.gating:
        module.update(dataset(ContentDate="", ContentTime=""))  # type 2C of images over time: not known
    module.update(general_acquisition(series, frame))
    return module


def nm_values(series: Series, multi_frame: MultiFrame) -> Dataset:
    """Return Rescale Slope and Real World Value Mapping (PS3.3 C.7.6.16.2.11): one slope for the whole object."""
    slope = series.slopes[frame_of(series, multi_frame)][0]
    module = rescale(series, slope)
    module.update(real_world_value_mapping(series, slope))
    return module


def nm_isotope(series: Series) -> Dataset:
    """NM Isotope Module (PS3.3 C.8.4.10): total dose in MBq; the energy window if the file has one only."""
    header = series.image.header
    tracer = header.tracer
    is_one_of_several = series.image.part is not None and series.image.part.place.energy_window is not None
    window = [] if is_one_of_several else energy_window(header.detector)
    nuclide = series.codes.radionuclide(tracer.isotope) if tracer.isotope else None
    injected = header.tracer.injected_at
    item = put(
        dataset(RadionuclideCodeSequence=codes.items(nuclide, unlimited=series.study.unlimited_text)),
        Radiopharmaceutical=tracer.compound and lo(tracer.compound),
        RadiopharmaceuticalStartTime=injected and tm(injected),
        RadionuclideTotalDose=tracer.dose_bq and ds(tracer.dose_bq / float(BQ_PER_MBQ)),
    )
    return dataset(
        EnergyWindowInformationSequence=[dataset(EnergyWindowRangeSequence=window)] if window else [],
        RadiopharmaceuticalInformationSequence=[item],
    )


def nm_detector(series: Series) -> Dataset:
    """NM Detector Module (PS3.3 C.8.4.11): place and orientation of the first slice along the normal."""
    grid = series.image.grid
    first = grid.shape[2] - 1 if grid.runs_against_normal else 0
    item = dataset(
        CollimatorType=_PINHOLE if series.image.header.gantry.spect_pinhole_params else "",
        FocalDistance="",
        ImageOrientationPatient=image_plane(series).ImageOrientationPatient,
        ImagePositionPatient=image_position(series, first)["ImagePositionPatient"],
    )
    return dataset(DetectorInformationSequence=[item])


def nm_tomo_acquisition(series: Series) -> Dataset:
    """NM Tomo Acquisition Module (PS3.3 C.8.4.12): the rotation, if the header gives all of it."""
    gantry = series.image.header.gantry
    direction, step = rotation_direction(series.image.header), _angular_step_deg(gantry)
    durations, projections = {each.value for each in gantry.projection_durations}, us(gantry.projections)
    if gantry.start_deg is None or not direction or not step or not projections or len(durations) != 1:
        return dataset(RotationInformationSequence=[])
    item = dataset(
        StartAngle=ds(gantry.start_deg),
        AngularStep=ds(step),
        RotationDirection=direction,
        ScanArc=ds(_arc_deg(gantry, step)),
        ActualFrameDuration=whole(durations.pop() * 1000),
        NumberOfFramesInRotation=projections,
    )
    return dataset(RotationInformationSequence=[item])


def nm_multi_gated_acquisition(series: Series) -> Dataset:
    """NM Multi-gated Acquisition Module (PS3.3 C.8.4.13), of gated series only."""
    gating = series.gating
    if gating is None:
        return Dataset()
    item = dataset(CardiacFramingType="PCNT", DataInformationSequence=[])  # counts and times of the slots: not known
    return put(dataset(GatedInformationSequence=[item]), TriggerSourceOrType=lo(gating.description))


def nm_reconstruction(series: Series) -> Dataset:
    """NM Reconstruction Module (PS3.3 C.8.4.15): slices follow each other along the normal."""
    plane = image_plane(series)
    return dataset(SpacingBetweenSlices=plane.SpacingBetweenSlices, SliceThickness=plane.SliceThickness)


def frame_of(series: Series, multi_frame: MultiFrame) -> int:
    """Return the first frame that an object holds."""
    order = sorted(series.steps, key=series.steps.__getitem__)
    return order[multi_frame.slices.start // series.image.grid.shape[2]]


def _arc_deg(gantry: Gantry, step: float) -> float:
    """Return the angle that the projections cover; of whole turns, both ends may be among them."""
    angles = [each.value for each in gantry.projection_angles_deg]
    span = abs(angles[-1] - angles[0]) if angles else 0.0
    is_closed = span > 0 and abs(math.remainder(span, _FULL_TURN_DEG)) < _SAME_DEG
    return span if is_closed else step * (gantry.projections or 0)


def _angular_step_deg(gantry: Gantry) -> float | None:
    """Return the angle between projections, if they are evenly spaced."""
    angles = [each.value for each in gantry.projection_angles_deg]
    if len(angles) > 1:
        steps = [abs(after - before) for before, after in pairwise(angles)]
        return steps[0] if max(steps) - min(steps) < _SAME_DEG else None
    if gantry.revolutions and gantry.projections:
        return _FULL_TURN_DEG * gantry.revolutions / gantry.projections
    return None
