"""What changes what viewers show, sort and count, besides pixels, their scale and place.

Pixel values of CT, PET and NM are grey levels, the larger the brighter, and nothing but the rescaling is between
them and the window (PS3.3 C.7.6.3, C.8.2.1, C.8.9.4, C.8.4.8).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from inveonimaging.dicom_reading.planes import Plane
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.verification.attributes.comparison import ONE_OF, Comparison, Fact, same_by
from inveonimaging.verification.attributes.concepts import coded
from inveonimaging.verification.attributes.own import ALL, ANY_PET, GROUPED, NEVER, NM_IMAGE, PLAIN_PET, text_at
from inveonimaging.verification.result import Kind
from inveonimaging.verification.source import SourceScan

_ALTERING = {
    "ModalityLUTSequence": "Modality LUT",
    "VOILUTSequence": "VOI LUT",
    "PresentationLUTSequence": "Presentation LUT",
    "RedPaletteColorLookupTableDescriptor": "Palette Color Lookup Table",
    "PixelPaddingValue": "Pixel Padding Value",
    "PixelAspectRatio": "Pixel Aspect Ratio",
    "ShutterShape": "Shutter Shape",
    "OverlayRows": "Overlay",
    "GraphicAnnotationSequence": "Graphic Annotation",
    "MaskSubtractionSequence": "Mask Subtraction",
}
"""Attributes that make a viewer show other than the rescaled values, or hide a part of them."""

_LOCALIZER = "LOCALIZER"  # value 3 of Image Type (PS3.3 C.8.2.1.1.1), which viewers sort away
_LAST_BIT = "the last of the bits stored"
_RELATIONSHIPS = {"HF": ("102540008", "F-10470"), "FF": ("102541007", "F-10480")}  # SNOMED CT, and SRT before it
_RECUMBENT = ("102538003", "F-10450")
_POSTURES = {
    "P": ("1240000", "F-10310"),
    "S": ("40199007", "F-10340"),
    "DR": ("102535000", "F-10317"),
    "DL": ("102536004", "F-10319"),
}
_DAYS = {"D": 1.0, "W": 7.0, "M": 365.25 / 12, "Y": 365.25}
_AGE = re.compile(r"(\d{3})([DWMY])", re.ASCII)  # PS3.5 6.2


def display_facts() -> Iterator[Fact]:
    """Yield what is compared."""
    fact = partial(Fact, Kind.DISPLAY, needed=lambda _scan, _plane: False)
    of_pet = partial(fact, of=lambda scan: scan.modality == "PT")
    always: tuple[tuple[str, str, tuple[Any, ...], frozenset[str]], ...] = (
        ("photometric-interpretation", "PhotometricInterpretation", ("MONOCHROME2",), NEVER),
        ("lut-shape", "PresentationLUTShape", ("IDENTITY",), GROUPED),
        ("pixel-presentation", "PixelPresentation", ("MONOCHROME",), GROUPED),
        ("lut-function", "VOILUTFunction", ("LINEAR", "LINEAR_EXACT"), NEVER),
        ("pixel-format", "SamplesPerPixel", (1,), NEVER),
        ("pixel-format", "PixelRepresentation", (0, 1), NEVER),
        ("anatomical-orientation", "AnatomicalOrientationType", ("BIPED",), NEVER),
        ("lossy-compression", "LossyImageCompression", ("00",), GROUPED),
        ("burned-in", "BurnedInAnnotation", ("NO",), GROUPED),
    )
    for code, attribute, values, own in always:
        yield fact(code, attribute, _constant(values), found=_whole(attribute), how=ONE_OF, own=own)
    yield fact("high-bit", "High Bit", _constant(_LAST_BIT), found=_high_bit)
    yield fact(
        "display-altered", "what alters the display", _constant("nothing"), found=_altering, how=same_by(_never_same)
    )
    yield fact("suv-type", "SUVType", _constant("none"), how=same_by(_never_same))
    yield of_pet("series-type", "SeriesType", _series_types, found=text_at("SeriesType"), how=ONE_OF)
    yield of_pet("counts-source", "CountsSource", _counts_source, own=ANY_PET)
    coded = partial(fact, how=ONE_OF, own=PLAIN_PET | NM_IMAGE)
    yield coded("gantry-relationship", "Patient Gantry Relationship", _relationship, found=_gantry)
    yield coded("posture-code", "Patient Orientation", _postures, found=_posture)
    known = partial(fact, own=ALL, only_known=True)
    yield known("patient-age", "PatientAge", lambda scan, _: scan.animal.age, how=Comparison(_days_apart, 0.0))
    yield known("patient-size", "PatientSize", lambda scan, _: scan.animal.length_m, found=_size_m, unit="m")


def _never_same(_found: Any, _true: Any) -> bool:
    return False


def _constant(value: Any) -> Callable[[SourceScan, int], Any]:
    return lambda _scan, _frame: value


def _whole(keyword: str) -> Callable[[Plane], Any]:
    return lambda plane: plane.get(keyword)


def _high_bit(plane: Plane) -> Any:
    high, stored = plane.get("HighBit"), plane.get("BitsStored")
    is_last = isinstance(high, int) and isinstance(stored, int) and high == stored - 1
    return _LAST_BIT if is_last else high


def _altering(plane: Plane) -> str | None:
    """Return what alters the display, as one text; None if nothing does."""
    found = [label for keyword, label in _ALTERING.items() if plane.get(keyword) is not None]
    kinds = plane.get("ImageType")
    if isinstance(kinds, tuple) and _LOCALIZER in kinds:
        found.append(f"Image Type {_LOCALIZER}")
    return ", ".join(found) or None


def _series_types(scan: SourceScan, _frame: int) -> tuple[str, ...]:
    """Return Series Type (0054,1000); a static scan may be one of a whole body (PS3.3 C.8.9.1.1.4)."""
    if scan.is_gated:
        return ("GATED\\IMAGE",)
    return ("DYNAMIC\\IMAGE",) if len(scan.frames) > 1 else ("STATIC\\IMAGE", "WHOLE BODY\\IMAGE")


def _counts_source(scan: SourceScan, _frame: int) -> str:
    return "EMISSION" if scan.has_tracer else "TRANSMISSION"


def _relationship(scan: SourceScan, _frame: int) -> tuple[str, ...] | None:
    """Return the codes for head first or feet first; None if the posture is not known."""
    posture = scan.image.grid.orientation
    return None if posture in (None, Orientation.UNKNOWN) else _RELATIONSHIPS.get(posture.name[:2])


def _postures(scan: SourceScan, _frame: int) -> tuple[str, ...] | None:
    """Return the codes for the posture; None if it is not known."""
    posture = scan.image.grid.orientation
    if posture in (None, Orientation.UNKNOWN):
        return None
    return tuple(f"{one} modified by {other}" for one in _RECUMBENT for other in _POSTURES[posture.name[2:]])


def _gantry(plane: Plane) -> Any:
    return _known(plane.get("PatientGantryRelationshipCodeSequence"))


def _posture(plane: Plane) -> Any:
    """Return the codes for recumbent, and for prone or the like."""
    code = plane.get("PatientOrientationCodeSequence")
    return None if code is None else f"{_known(code)} modified by {_known(code.modifier)}"


def _known(code: Any) -> Any:
    """Return a code, or else its meaning; one of a scheme that is not known with that."""
    if code is None or code.value is None:
        return code and code.meaning
    return coded(code.value, code.scheme)


def _size_m(plane: Plane) -> Any:
    """Return Patient's Size; some programs write 0 for one that they do not know."""
    size = plane.number("PatientSize")
    return plane.get("PatientSize") if size is None else size or None


def _days_apart(found: Any, true: Any) -> float:
    """Return by how many days more than the coarser one's unit two Age Strings differ."""
    ages = [_AGE.fullmatch(str(age)) for age in (found, true)]
    if ages[0] is None or ages[1] is None:
        return 0.0 if found == true else float("inf")
    days = [int(age[1]) * _DAYS[age[2]] for age in ages if age]
    units = [_DAYS[age[2]] for age in ages if age]
    same_unit = units[0] == units[1]
    return max(0.0, abs(days[0] - days[1]) - (0.0 if same_unit else max(units)))
