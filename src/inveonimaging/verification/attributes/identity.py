"""Whose images they are, and of what kind."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

from pydicom.uid import UID

from inveonimaging.verification.attributes.columns import never, number_at, of_scan, stated, traced_pet
from inveonimaging.verification.comparison import ONE_OF, RELATIVE, TEXT, Comparison, Fact
from inveonimaging.verification.concepts import same_species
from inveonimaging.verification.planes import Plane
from inveonimaging.verification.result import Kind
from inveonimaging.verification.sop_classes import OF_MODALITY
from inveonimaging.verification.source import SourceScan
from inveonimaging.verification.vendor import name_of_file, sex_not_known


def _born(scan: SourceScan) -> str | None:
    return None if scan.animal.birth_date is None else scan.animal.birth_date.strftime("%Y%m%d")


def _species(plane: Plane) -> Any:
    """Return the species in words; a sheet may give a code beside them that says more."""
    _, meaning = plane.get("PatientSpeciesCodeSequence") or (None, None)
    return plane.get("PatientSpeciesDescription") or meaning


def _sop_class(plane: Plane) -> str | None:
    return UID(plane.get("SOPClassUID") or "").name or None


_identity = partial(Fact, kind=Kind.IDENTITY)
_text = partial(Fact, kind=Kind.IDENTITY, how=TEXT, is_noted=True)

IDENTITY = (
    _text("patient-id", "Patient ID", stated("PatientID"), of_scan(lambda scan: scan.animal.id), excuse=name_of_file),
    _text(
        "patient-name",
        "Patient's Name",
        stated("PatientName"),
        of_scan(lambda scan: scan.animal.name),
        needed=never,
        excuse=name_of_file,
    ),
    _text(
        "patient-sex",
        "Patient's Sex",
        stated("PatientSex"),
        of_scan(lambda scan: scan.animal.sex),
        needed=never,
        excuse=sex_not_known,
    ),
    _text("patient-birth-date", "Patient's Birth Date", stated("PatientBirthDate"), of_scan(_born), needed=never),
    _identity(
        "species",
        "Patient Species",
        _species,
        of_scan(lambda scan: scan.animal.species),
        how=Comparison(lambda found, true: 0.0 if same_species(str(found), true) else math.inf),
        needed=never,
    ),
    _identity(
        "weight",
        "Patient's Weight",
        number_at("PatientWeight"),
        of_scan(lambda scan: scan.animal.weight_kg),
        how=RELATIVE,
        unit="kg",
        needed=traced_pet,
    ),
    _text("modality", "Modality", stated("Modality"), of_scan(lambda scan: scan.modality)),
    _identity(
        "sop-class",
        "SOP Class",
        _sop_class,
        of_scan(lambda scan: tuple(sorted(each.name for each in OF_MODALITY[scan.modality]))),
        how=ONE_OF,
    ),
)
