"""The table of what is compared besides pixels and places: what planes state, and what headers say of it, by kind."""

from __future__ import annotations

from inveonimaging.verification.attributes.corrections import CORRECTIONS
from inveonimaging.verification.attributes.identity import IDENTITY
from inveonimaging.verification.attributes.times import TIMES
from inveonimaging.verification.attributes.tracer import TRACER
from inveonimaging.verification.attributes.units import COUNTS, UNITS
from inveonimaging.verification.vendor import private_facts

FACTS = (*COUNTS, *TIMES, *UNITS, *TRACER, *CORRECTIONS, *IDENTITY, *private_facts())

__all__ = ["FACTS"]
