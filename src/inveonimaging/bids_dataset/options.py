"""What is asked of a BIDS data set, as one frozen object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from inveonimaging.given import Given, optional, refused, switch, text, texts
from inveonimaging.sheet.values import ADMINISTRATIONS
from inveonimaging.study.asked import StudyOptions


def _administration(name: str, value: Any) -> str:
    found = text(name, value).strip().lower()
    if found not in ADMINISTRATIONS:
        raise refused(name, value, f"one of {', '.join(ADMINISTRATIONS)}")
    return found


@dataclass(frozen=True, kw_only=True)
class BidsOptions(StudyOptions):
    """Options of a BIDS data set, and which studies are read, with what instead of their headers.

    Attributes:
        administration: how a tracer was given, where no sheet says it: `bolus`, `infusion` or `bolus-infusion`.
        incomplete: write sidecars even without values that BIDS requires.
        overwrite: replace files, and values of tables, that are others.
        dataset_name: of a new data set; None takes the name of its folder.
        source_datasets: DOIs or URLs of what a new data set is made from.
    """

    administration: Given[str | None, str | None] = Given(optional(_administration), None)
    incomplete: Given[bool, bool] = Given(switch, False)
    overwrite: Given[bool, bool] = Given(switch, False)
    dataset_name: Given[str | None, str | None] = Given(optional(text), None)
    source_datasets: Given[Iterable[str], tuple[str, ...]] = Given(texts, ())
