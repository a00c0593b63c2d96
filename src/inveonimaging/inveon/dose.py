"""The dose at the injection, from what was measured in the syringe before and after it.

Source: keys `activity_before_injection`, `residual_activity` and their times of the header dictionary
(docs/reference/header.md).
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

_MOST_HALF_LIVES = 100.0  # beyond, nothing but a slip; bounds the power of 2


class Measured(NamedTuple):
    """An activity, in any unit, and when it was that; None is not known."""

    activity: float | None
    at: datetime | None


def at_injection(measured: Measured, injected: datetime | None, half_life_s: float | None) -> float | None:
    """Return an activity as it was, or will be, at the injection, in its own unit; None if that is not known.

    `activity 2 ** (-(injection - time) / half_life)`.
    """
    activity, at = measured
    if activity is None or activity < 0 or at is None or injected is None or not half_life_s or half_life_s < 0:
        return None
    half_lives = (injected - at).total_seconds() / half_life_s
    return activity * 2.0**-half_lives if abs(half_lives) <= _MOST_HALF_LIVES else None


def net_dose(
    before: Measured, residual: Measured, injected: datetime | None, half_life_s: float | None
) -> float | None:
    """Return `A0 exp(-l (t_inj - t0)) - A_res exp(l (t_res - t_inj))`, with `l = ln 2 / half-life`.

    Args:
        before: hdr `activity_before_injection` and its time: the full syringe.
        residual: hdr `residual_activity` and its time: what was left in it.
        injected: hdr `injection_time`.
        half_life_s: hdr `isotope_half_life`.

    Returns:
        The dose in the unit of both activities; None if something of it is not known. It is 0 or less where more was
        left than had been there.
    """
    drawn, left = (at_injection(each, injected, half_life_s) for each in (before, residual))
    return None if drawn is None or left is None else drawn - left
