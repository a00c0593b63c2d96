"""Cardiac and Respiratory Synchronization of gated multi-frame objects.

Gates are sorted after the acquisition (list mode), as even parts of a nominal cycle;
see `inveonimaging.physics.gating`.
"""

from __future__ import annotations

import re

from pydicom.dataset import Dataset

from inveonimaging.dicom.encode import dataset, whole
from inveonimaging.dicom.modules.general import UNKNOWN
from inveonimaging.dicom.series import Series
from inveonimaging.physics.gating import Gating, Trigger

_ECG = re.compile(r"\be[ck]g|\br[- ]?wave|\br[- ]?r\b", re.IGNORECASE)
_PULSE = re.compile(r"pulse|oxi", re.IGNORECASE)
_BELT = re.compile(r"belt", re.IGNORECASE)
_DELAYS = {
    Trigger.CARDIAC: ("NominalCardiacTriggerDelayTime", "CardiacSynchronizationSequence"),
    Trigger.RESPIRATORY: ("NominalRespiratoryTriggerDelayTime", "RespiratorySynchronizationSequence"),
}


def delay_keywords(series: Series) -> tuple[str, str] | None:
    """Return keyword and functional group of the trigger delay that distinguishes gates, if the trigger is known."""
    return _DELAYS.get(series.gating.trigger) if series.gating else None


def synchronization(series: Series, *, is_original: bool) -> Dataset:
    """Cardiac or Respiratory Synchronization Module (PS3.3 C.7.6.18), of gated series with a known trigger only."""
    gating = series.gating
    if gating is None or gating.trigger is Trigger.UNKNOWN:
        return Dataset()
    if gating.trigger is Trigger.RESPIRATORY:
        return _respiratory(gating)
    module = _cardiac(gating)
    if is_original:
        module.update(dataset(CardiacRRIntervalSpecified=gating.cycle_ms, IntervalsAcquired="", IntervalsRejected=""))
    return module


def synchronization_of_frame(series: Series, frame: int) -> Dataset:
    """Cardiac or Respiratory Synchronization Macro (PS3.3 C.7.6.16.2.7 and .17): where in the cycle a gate begins."""
    gating, names = series.gating, delay_keywords(series)
    if gating is None or names is None:
        return Dataset()
    keyword, group = names
    step = series.steps[frame]
    item = dataset(**{keyword: gating.delay_ms(step)})
    if gating.trigger is Trigger.CARDIAC:
        item.RRIntervalTimeNominal = gating.cycle_ms
        item.NominalPercentageOfCardiacPhase = 100 * step / gating.slots
    else:
        item.RespiratoryIntervalTime = gating.cycle_ms
        item.NominalPercentageOfRespiratoryPhase = 100 * step / gating.slots
    return dataset(**{group: [item]})


def _cardiac(gating: Gating) -> Dataset:
    source = "ECG" if _ECG.search(gating.description) else "PP" if _PULSE.search(gating.description) else UNKNOWN
    has_limits = gating.shortest_ms is not None and gating.longest_ms is not None
    return dataset(
        CardiacSynchronizationTechnique="RETROSPECTIVE",
        CardiacSignalSource=source,
        CardiacBeatRejectionTechnique="RR_INTERVAL" if has_limits else "NONE",
        LowRRValue=whole(gating.shortest_ms),
        HighRRValue=whole(gating.longest_ms),
        CardiacFramingType="PCNT",
    )


def _respiratory(gating: Gating) -> Dataset:
    return dataset(
        RespiratoryMotionCompensationTechnique="RETROSPECTIVE",
        RespiratorySignalSource="BELT" if _BELT.search(gating.description) else UNKNOWN,
    )
