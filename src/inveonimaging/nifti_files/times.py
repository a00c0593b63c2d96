"""When frames were: the sidecar of a NIfTI file with the names that BIDS has, and the `.sif` of PMOD and Turku."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from inveonimaging.dicom.codes import isotope_of
from inveonimaging.errors import printable
from inveonimaging.inveon.hdr import Frame
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.modality import is_transmission
from inveonimaging.nifti_files.volume import Volume
from inveonimaging.study.cut import first_voxel
from inveonimaging.study.reading import Series
from inveonimaging.version import __version__

_MODALITIES = {Modality.PET: "PT", Modality.CT: "CT", Modality.SPECT: "NM"}
_BQ_PER_MBQ = 1e6
_SIF_VERSION = 1


def sidecar_of(series: Series, volume: Volume) -> dict[str, Any]:
    """Return what is beside a NIfTI file: what the header says of it, and nothing that it does not.

    Times are in seconds from `TimeZero`, the start of the scan; where a time is of a frame there is one for each, in
    the order of the file.

    Args:
        series: of the study.
        volume: as it is written.
    """
    image, header = series.image, series.image.header
    found = {
        "Modality": _MODALITIES[image.modality],
        "Manufacturer": header.manufacturer,
        "ManufacturersModelName": header.model.label if header.model else None,
        "SourceFile": image.pair.name,
        "SourcePart": image.part_name,
        "SourceFirstVoxel": first_voxel(image),
        "MaskedVoxels": image.source.hidden_voxels or None,
        "Units": image.scaling.unit.value,
        "Posture": image.grid.orientation.name if image.grid.orientation else None,
        "AxisCodes": volume.codes,
        "VoxelSizeMm": _in_order(image.grid.spacing_mm, volume.axes),
        "VoxelScale": None if volume.scale == 1 else volume.scale,
        **_times(series, volume),
        **(_tracer(series) if image.modality is not Modality.CT and not is_transmission(header) else {}),
        "ConversionSoftware": "inveonimaging",
        "ConversionSoftwareVersion": __version__,
    }
    return {name: value for name, value in found.items() if value not in (None, "")}


def frame_times(frames: Sequence[Frame]) -> dict[str, list[float]]:
    """Return `FrameTimesStart` and `FrameDuration`, in seconds after the start of the scan.

    What is not known of a frame, or is not a number, is left out for all.
    """
    keys = {"FrameTimesStart": "start_s", "FrameDuration": "duration_s"}
    found = {name: [getattr(frame, key) for frame in frames] for name, key in keys.items()}
    return {name: values for name, values in found.items() if all(map(_is_number, values))}


def _times(series: Series, volume: Volume) -> Mapping[str, Any]:
    frames = [series.image.frames[index] for index in volume.frames]
    found: dict[str, Any] = dict(frame_times(frames))
    if series.start:
        found |= {"AcquisitionDateTime": series.start.isoformat(), "TimeZero": series.start.strftime("%H:%M:%S")}
        found["ScanStart"] = 0
    if series.gating:
        gating = series.gating
        found["GateTrigger"] = gating.trigger.value
        found["GateTimesStart"] = [gating.delay_ms(slot) / 1000 for slot in range(len(frames))]
        found["GateDuration"] = [gating.slot_ms / 1000] * len(frames)
    return found


def _tracer(series: Series) -> Mapping[str, Any]:
    tracer, start = series.image.header.tracer, series.start
    isotope = isotope_of(tracer.isotope) if tracer.isotope else None
    found: dict[str, Any] = {"TracerName": tracer.compound, "TracerRadionuclide": isotope and isotope.replace("-", "")}
    if start and tracer.injected_at:
        found["InjectionStart"] = (tracer.injected_at - start).total_seconds()
    if tracer.dose_bq:
        found |= {"InjectedRadioactivity": tracer.dose_bq / _BQ_PER_MBQ, "InjectedRadioactivityUnits": "MBq"}
    return found


def sif_of(series: Series, volume: Volume) -> str | None:
    """Return the text of a `.sif`, as PMOD and Turku's programs read it; None if the header does not give its times.

    The first line has date and time of the scan, number of frames and of columns, version, name and isotope; then comes
    a line for each frame: start and end in seconds, and, if all are known, prompts and delayed coincidences.
    """
    frames = [series.image.frames[index] for index in volume.frames]
    times = frame_times(frames)
    header = series.image.header
    if not series.start or len(times) < 2 or series.gating or is_transmission(header):  # noqa: PLR2004 - both
        return None
    if series.image.modality is Modality.CT:
        return None
    counts = [(each.prompts, each.delays) for each in frames]
    has_counts = all(None not in each for each in counts)
    isotope = isotope_of(header.tracer.isotope) if header.tracer.isotope else None
    start = series.start
    name = "_".join(printable(series.image.pair.data.stem, 60).split()) or "."
    first = f"{start.day}/{start.month}/{start.year} {start:%H:%M:%S}"
    lines = [f"{first} {len(frames)} {4 if has_counts else 2} {_SIF_VERSION} {name} {isotope or '.'}"]
    for begin, length, (prompts, delays) in zip(times["FrameTimesStart"], times["FrameDuration"], counts, strict=True):
        more = f" {prompts} {delays}" if has_counts else ""
        lines.append(f"{begin:.10g} {begin + length:.10g}{more}")
    return "\n".join([*lines, ""])


def _in_order(sizes: Sequence[float], axes: Sequence[int]) -> list[float]:
    return [sizes[axis] for axis in axes]


def _is_number(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
