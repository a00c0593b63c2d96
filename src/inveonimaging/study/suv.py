"""Standardised uptake value by body weight, SUVbw, g/mL, of a PET image.

    SUVbw = C * W / (D * 2 ** (-(s - i) / T))

C is the activity concentration, corrected for decay to the start of the scan s; W the body weight; D the dose at the
injection i; T the half-life. An injection within the scan is after its start: then the exponent is above 0, and the
dose that of an injection at the start which would have left the same. SUV by lean body mass is not offered: its
formulas are for humans.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from inveonimaging.errors import InputError
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.modality import is_mu_map, is_transmission
from inveonimaging.physics.quantification import Unit
from inveonimaging.physics.timing import factor_to_injection
from inveonimaging.study.image import Image

G_PER_KG = 1000.0
_MOST_HALF_LIVES = 100.0  # beyond, nothing but an error of typing; bounds the power of 2


def suv(image: Image, frame: int = 0) -> npt.NDArray[np.float32]:
    """Return the SUVbw of a frame, (nz, ny, nx) float32, g/mL.

    Args:
        image: a PET image, calibrated in Bq/mL and corrected for decay.
        frame: number of the frame block, from 0.

    Raises:
        InputError: what is missing for it, all of it in one line.
    """
    factor = suv_factor(image)
    with np.errstate(invalid="ignore", over="ignore"):  # a signalling NaN; beyond float32 is infinite
        return np.multiply(image.values(frame), factor, dtype=np.float32)


def suv_factor(image: Image) -> float:
    """Return the SUVbw of 1 Bq/mL, g/Bq: weight over the dose decayed to the start of the scan; errors as `suv`.

    `weight_g / (dose_bq 2 ** (-(start - injection) / half_life))`; where values are those at the injection already
    (`factor_to_injection`), `weight_g / dose_bq`.
    """
    lacks = list(_lacks(image))
    if lacks:
        raise InputError(f"SUV cannot be computed: {'; '.join(lacks)}", path=image.pair.header)
    header = image.header
    decay = (
        0.0 if factor_to_injection(header) else half_lives(header)
    )  # values are those at the injection, or the start
    decayed_bq = float((header.tracer.dose_bq or 0.0) * 2.0**-decay)
    factor = (header.subject.weight_kg or 0.0) * G_PER_KG / decayed_bq if decayed_bq else math.inf
    if not 0 < factor < math.inf:
        raise InputError("SUV cannot be computed: dose and weight are not plausible", path=image.pair.header)
    return factor


def suv_per_value(image: Image) -> float | None:
    """Return the SUVbw of 1 Bq/mL, None if the header does not give what it takes."""
    try:
        return suv_factor(image)
    except InputError:
        return None


def half_lives(header: Header) -> float:
    """Return how many half-lives lie between injection and start of the scan; both and the half-life are known."""
    start, injected, half_life = header.acquisition.started_at, header.tracer.injected_at, header.tracer.half_life_s
    assert start and injected and half_life  # noqa: S101, PT018 - looked at by the caller
    return (start - injected).total_seconds() / half_life


def _lacks(image: Image) -> Iterator[str]:
    """Yield what is missing, as words."""
    header = image.header
    if image.modality is not Modality.PET or is_transmission(header):
        of_pet = "a mu map" if is_mu_map(header) else "a transmission image"
        yield f"this is {of_pet if image.modality is Modality.PET else image.modality.label}, not the image of a PET"
        return
    if image.group:
        yield f"weight and dose are the sums of {len(image.group)} animals"
    if image.scaling.unit is not Unit.BQML:
        yield "not calibrated in Bq/mL (calibration_units, calibration_factor)"
    if not header.corrections.decay:
        yield "not corrected for decay (decay_correction_applied)"
    known = {
        "dose or its unit (dose, dose_units)": header.tracer.dose_bq,
        "injection_time": header.tracer.injected_at,
        "isotope_half_life": (header.tracer.half_life_s or 0.0) > 0,
        "scan_time": header.acquisition.started_at,
        "weight or its unit (subject_weight, subject_weight_units)": header.subject.weight_kg,
    }
    yield from (f"no {name}" for name, value in known.items() if not value)
    if not all(known.values()):
        return
    if _is_after_end(header):
        yield "injection_time is after the end of the scan"
    elif not half_lives(header) < _MOST_HALF_LIVES:
        yield f"injection_time is {half_lives(header):.3g} half-lives before scan_time"


def _is_after_end(header: Header) -> bool:
    start, injected = header.acquisition.started_at, header.tracer.injected_at
    end = max((frame.start_s or 0.0) + max(frame.duration_s or 0.0, 0.0) for frame in header.frames)
    return bool(start and injected and (injected - start).total_seconds() > max(end, 0.0))
