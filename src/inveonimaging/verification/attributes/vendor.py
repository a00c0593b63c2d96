"""What the vendor's own workstation is known to write otherwise, and who is right: a note, not a difference.

Each rule holds for one value that the workstation is known to write, and for no other: a value that is wrong in another
way is still a difference. The rules were found in an export of one session, a CT and a dynamic PET, of 2019
(docs/reference/cli.md, "The vendor's own DICOM").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import numpy.typing as npt

from inveonimaging.dicom_reading.planes import Float, Plane, values_of
from inveonimaging.dicom_reading.private import KEYS, WORKSTATION
from inveonimaging.errors import printable
from inveonimaging.inveon.hdr.fields import MAIN
from inveonimaging.verification.attributes.comparison import Comparison, Fact, number_or_text
from inveonimaging.verification.result import Kind
from inveonimaging.verification.source import SourceScan

_SIX_DIGITS = 1e-5
_MS = 1.0
_SAME = 1e-6
_EDGE = 0.5 + 1e-6  # of a slope


def is_vendors(plane: Plane) -> bool:
    """Return whether the vendor's workstation wrote a plane: it has its private block."""
    return plane.get(WORKSTATION) is not None


def private_facts() -> Iterator[Fact]:
    """Yield what the private block repeats of the header."""
    for element, key in KEYS.items():
        yield Fact(
            Kind.HEADER,
            "private-block",
            f"{key} in the private block (0079,10{element:02X})",
            _of_header(key),
            found=_private(key),
            how=Comparison(number_or_text, _SIX_DIGITS),
            needed=lambda _scan, _plane: False,
        )


def _private(key: str) -> Callable[[Plane], Any]:
    def found(plane: Plane) -> Any:
        text = (plane.get(WORKSTATION) or {}).get(key)
        try:
            return text and MAIN[key].codec.parse(text)
        except (ValueError, ArithmeticError):
            return text

    return found


def _of_header(key: str) -> Callable[[SourceScan, int], Any]:
    value = attrgetter(MAIN[key].attribute)
    return lambda scan, _frame: value(scan.header)


# Excuses: (scan, frame, found, true) -> what to note instead of a difference; None if it is one.


def middle_of_frame(scan: SourceScan, frame: int, found: Any, _true: Any) -> str | None:
    """Frame Reference Time: the middle of the frame."""
    middles = [
        1000 * (start + (block.duration_s or 0.0) / 2) for start, block in zip(scan.starts_s, scan.frames, strict=True)
    ]
    if not isinstance(found, float) or abs(found - middles[frame]) > _MS:
        return None
    most = max(middle - mean for middle, mean in zip(middles, scan.reference_times_ms, strict=True))
    return (
        "Frame Reference Time is the middle of each frame, as the vendor's workstation writes it. The activity equals "
        f"its mean over the frame up to {most:.0f} ms earlier, and inveonimaging writes that time"
    )


def six_digits(_scan: SourceScan, _frame: int, found: Any, true: Any) -> str | None:
    """Decay Factor: six digits of it."""
    if not isinstance(found, float) or true is None or f"{found:.6g}" != f"{true:.6g}":
        return None
    return "Decay Factor has six digits, as the vendor's workstation writes it"


def randoms_not_named(_scan: SourceScan, _frame: int, found: Any, true: Any) -> str | None:
    """Corrected Image: all but RAN."""
    if true is None or true - found != {"RAN"}:
        return None
    return (
        "Corrected Image never names RAN, which the vendor's workstation never writes; the header says that the "
        "events are trues, from which randoms are subtracted"
    )


def name_of_file(scan: SourceScan, _frame: int, found: Any, _true: Any) -> str | None:
    """Patient ID and name: the name of the data file without `.img`."""
    if str(found) != scan.image.pair.name.removesuffix(".img"):
        return None
    return (
        f"Patient ID and Patient's Name are the file's name '{printable(found, 60)}', which the vendor's workstation "
        "writes where the header has none: another one for each series. Give the animal's with --patient-id"
    )


def sex_not_known(_scan: SourceScan, _frame: int, found: Any, true: Any) -> str | None:
    """Patient's Sex: O."""
    if found != "O" or true is not None:
        return None
    return "Patient's Sex is O, which the vendor's workstation writes where the header has none; nobody entered it"


def mm_as_cm(_scan: SourceScan, _frame: int, found: Any, true: Any) -> str | None:
    """Distance Source to Detector and to Patient: ten times as much."""
    if not isinstance(found, float) or true is None or abs(found / (10 * true) - 1) > _SAME:
        return None
    return (
        "Distance Source to Detector and Distance Source to Patient are ten times what they are: the vendor's "
        "workstation takes the header's mm for cm. The source's are right"
    )


# Voxels.


def is_cut_off(plane: Plane, pixels: npt.NDArray[Any], true: Float, scale: tuple[float, float]) -> bool:
    """Return whether integers are HU stretched to 16 bits and cut off towards 0, as the workstation does with a CT.

    Args:
        plane: whose pixels they are.
        pixels: stored values.
        true: values of the source.
        scale: slope and intercept of the DICOM.
    """
    slope, intercept = scale
    if not is_vendors(plane) or plane.get("Modality") != "CT" or pixels.dtype.kind not in "iu" or not slope:
        return False
    steps = np.abs((true - intercept) / slope) - np.abs(pixels.astype(np.float64))
    return bool(np.all((steps > -_EDGE) & (steps < 1 + _SAME)))


# Series and study.


def series_notes(planes: Sequence[Plane]) -> Iterator[str]:
    """Yield what is worth knowing of a series that the workstation wrote."""
    if not is_vendors(planes[0]):
        return
    yield "written by the vendor's workstation: what it is known to write otherwise is noted here, and no difference"
    numbers = [plane.number("InstanceNumber") for plane in planes]
    if 0.0 in numbers:
        yield "Instance Number counts from 0, where inveonimaging counts from 1"


def study_notes(series: Sequence[Sequence[Plane]]) -> Iterator[str]:
    """Yield what is worth knowing of the series of a study."""
    first = [planes[0] for planes in series if is_vendors(planes[0])]
    if len(first) > 1 and len(values_of(first, "FrameOfReferenceUID")) == len(first):
        yield (
            "each series has a Frame of Reference UID of its own, as the vendor's workstation writes it, while their "
            "positions are those of one space: viewers that overlay by UID do not overlay them"
        )
    if len(first) > 1 and all(map(has_own_time, first)):
        yield "Study Time of each series is that of its own scan, as the vendor's workstation writes it"


def has_own_time(plane: Plane) -> bool:
    """Return whether the workstation wrote the series' own start as that of the study."""
    study, series = (plane.moment(f"{what}Date", f"{what}Time") for what in ("Study", "Series"))
    return is_vendors(plane) and study is not None and study == series
