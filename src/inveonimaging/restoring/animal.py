"""What DICOM of one animal of a group says of it, put into the header of the group's scan."""

from __future__ import annotations

from dataclasses import replace

from inveonimaging.dicom_reading.planes import Plane, derivations
from inveonimaging.dicom_reading.times import date_time
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import ActivityUnits, WeightUnits
from inveonimaging.inveon.hdr.model import Tracer
from inveonimaging.sheet.application import has_tracer
from inveonimaging.study.nobody import of_no_animal
from inveonimaging.units import BQ_PER_MBQ

_EXTRACTED = ("113131", "DCM")  # CID 7203, "Extraction of individual subject from group"
_MASKED = ("113047", "DCM")  # "Pixel by pixel mask"
_NM = "NM"


def is_cut(plane: Plane) -> bool:
    """Return whether a plane was cut from the image of a group."""
    return _EXTRACTED in derivations(plane)


def is_masked(plane: Plane) -> bool:
    """Return whether neighbours in its image were masked."""
    return _MASKED in derivations(plane)


def animal_in(plane: Plane, header: Header) -> Header:
    """Return a group's header with what the DICOM says of one animal, and nothing else that can only be one's.

    Its Patient ID is not in it.
    """
    own = of_no_animal(header)
    born, weight = date_time(plane.get("PatientBirthDate")).day, plane.number("PatientWeight")
    subject = replace(
        own.subject,
        sex=plane.get("PatientSex"),
        date_of_birth=born.isoformat() if born else None,
        weight=weight,
        weight_units=WeightUnits.KILOGRAM if weight else None,
    )
    tracer = _tracer(plane, own) if has_tracer(own) else own.tracer
    return replace(own, subject=subject, tracer=tracer)


def _tracer(plane: Plane, own: Header) -> Tracer:
    """Return the tracer with dose and moment of the injection; an NM Image has its dose in MBq, and no day."""
    dose, moment = plane.number("RadionuclideTotalDose"), plane.local_moment("RadiopharmaceuticalStartDateTime")
    if dose is not None and plane.get("Modality") != _NM:
        dose /= float(BQ_PER_MBQ)
    units = None if dose is None else ActivityUnits.MBQ
    return replace(own.tracer, dose=dose, dose_units=units, injection_time=moment)
