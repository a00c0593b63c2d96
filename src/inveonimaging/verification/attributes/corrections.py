"""What was corrected in the values, and to which moment."""

from __future__ import annotations

from functools import partial
from typing import Any

from inveonimaging.verification.attributes.columns import (
    enhanced_pet,
    moment_at,
    never,
    number_at,
    of_pet,
    of_scan,
    plain_pet,
    stated,
)
from inveonimaging.verification.comparison import MOMENT, ONE_OF, RELATIVE, TERMS, Fact
from inveonimaging.verification.planes import Plane
from inveonimaging.verification.result import Kind
from inveonimaging.verification.source import SourceScan
from inveonimaging.verification.vendor import randoms_not_named, six_digits

_FLAGS = {
    "DECY": "DecayCorrected",
    "ATTN": "AttenuationCorrected",
    "SCAT": "ScatterCorrected",
    "DTIM": "DeadTimeCorrected",
    "RAN": "RandomsCorrected",
    "NORM": "DetectorNormalizationCorrection",
}
"""Terms of Corrected Image (0028,0051), and what Enhanced PET has instead (PS3.3 C.8.22.4)."""


def _decay_correction(scan: SourceScan) -> tuple[str]:
    if not scan.is_decay_corrected:
        return ("NONE",)
    return ("ADMIN",) if scan.is_corrected_to_injection else ("START",)


def _decay_factor(scan: SourceScan, frame: int) -> float | None:
    return scan.decay_factor(frame) if scan.modality == "PT" else None


def _corrected(plane: Plane) -> Any:
    """Return the terms of Corrected Image, with `not X` for each that is not there; None without the attribute."""
    terms = plane.get("CorrectedImage")
    if terms is None:
        flags = {term: plane.get(keyword) for term, keyword in _FLAGS.items()}
        if not any(flags.values()):
            return None
        terms = tuple(term for term, value in flags.items() if value == "YES")
    there = _FLAGS.keys() & set(terms if isinstance(terms, tuple) else (terms,))
    return frozenset(there | {f"not {term}" for term in _FLAGS.keys() - there})


def _to_be_corrected(scan: SourceScan) -> Any:
    known = {} if scan.is_mu_map else {term: done for term, done in scan.corrected.items() if done is not None}
    return frozenset(term if done else f"not {term}" for term, done in known.items()) or None


_correction = partial(Fact, kind=Kind.CORRECTIONS)

CORRECTIONS = (
    _correction(
        "decay-correction",
        "Decay Correction",
        stated("DecayCorrection"),
        of_pet(_decay_correction),
        how=ONE_OF,
        needed=plain_pet,
    ),
    _correction(
        "decay-correction-time",
        "Decay Correction DateTime",
        moment_at("DecayCorrectionDateTime"),
        of_scan(lambda scan: scan.corrected_to),
        how=MOMENT,
        needed=enhanced_pet,
    ),
    _correction(
        "decay-factor",
        "Decay Factor",
        number_at("DecayFactor"),
        _decay_factor,
        how=RELATIVE,
        needed=never,
        excuse=six_digits,
    ),
    _correction(
        "corrected-image",
        "Corrected Image",
        _corrected,
        of_pet(_to_be_corrected),
        how=TERMS,
        needed=lambda scan, _plane: scan.modality == "PT" and any(scan.corrected.values()),
        excuse=randoms_not_named,
    ),
)
