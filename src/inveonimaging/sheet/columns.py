"""The table of columns: title, what it is called here, how cells are read, whether it is about a study or a scan."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from inveonimaging import units
from inveonimaging.errors import printable
from inveonimaging.sheet.values import (
    ADMINISTRATION,
    CODE,
    DATE,
    LABEL,
    LONG,
    MOMENT,
    PERSON,
    POSITION,
    POSTURE,
    REGISTRY,
    ROLE,
    RRID,
    SEX,
    SIDE,
    YES_OR_NO,
    Codec,
    quantity,
    several,
    text,
)

NOTE = "#"  # starts the title of a column that is not read
_LONGEST_PATTERN = 1000


class Scope(Enum):
    """What a column is about."""

    MATCH = "match"
    STUDY = "study"
    SCAN = "scan"
    HOTEL = "hotel"


@dataclass(frozen=True)
class Column:
    """One row of the table.

    Attributes:
        title: how it is written.
        name: the value's name in the program.
        codec: how cells are read.
        scope: see `Scope`.
        meaning: one line; the key of the header that it replaces, and where it goes.
        is_number: in files with a decimal comma, a comma is a point.
        is_basic: people usually need it: a sheet that is filled in from headers has it, and first.
    """

    title: str
    name: str
    codec: Codec
    scope: Scope
    meaning: str
    is_number: bool = False
    is_basic: bool = False


_MATCH = text(_LONGEST_PATTERN)
_LONG = text(LONG)
_GRAM = quantity(units.KG_PER_GRAM, "24.6", units.KG_PER)
_KILOGRAM = quantity(units.ONE, "0.0246", units.KG_PER)
_MBQ = quantity(units.ONE, "7.03", units.MBQ_PER)
_MCI = quantity(units.MBQ_PER_MCI, "0.19", units.MBQ_PER)
_MBQ_LEFT = quantity(units.ONE, "0.31", units.MBQ_PER, zero=True)
_UG = quantity(units.ONE, "0.5")
_MBQ_PER_UG = quantity(units.ONE, "14.1")
_GBQ_PER_UMOL = quantity(units.ONE, "50")
_MCI_LEFT = quantity(units.MBQ_PER_MCI, "0.0084", units.MBQ_PER, zero=True)

COLUMNS = (
    Column("file", "file", _MATCH, Scope.MATCH, "scans: a file name, or a pattern of it"),
    Column("folder", "folder", _MATCH, Scope.MATCH, "scans: the folder they lie in, or a pattern of it"),
    Column("subject", "subject", _MATCH, Scope.MATCH, "scans: what their headers say under `subject_identifier`"),
    Column("position", "position", POSITION, Scope.HOTEL, "an animal's place among several in one scan"),
    Column("seen_from", "seen_from", SIDE, Scope.HOTEL, "from which side of the scanner positions are seen"),
    Column("patient_name", "name", PERSON, Scope.STUDY, "Patient's Name (0010,0010)"),
    Column("patient_id", "id", text(), Scope.STUDY, "Patient ID (0010,0020)", is_basic=True),
    Column("birth_date", "birth_date", DATE, Scope.STUDY, "Patient's Birth Date (0010,0030)", is_basic=True),
    Column("sex", "sex", SEX, Scope.STUDY, "Patient's Sex (0010,0040): M, F or O", is_basic=True),
    Column("neutered", "neutered", YES_OR_NO, Scope.STUDY, "Patient's Sex Neutered (0010,2203): yes or no"),
    Column(
        "species",
        "species",
        text(),
        Scope.STUDY,
        "Patient Species Description (0010,2201), with its code",
        is_basic=True,
    ),
    Column("species_code", "species_code", CODE, Scope.STUDY, "Patient Species Code Sequence (0010,2202)"),
    Column("breed", "breed", text(), Scope.STUDY, "Patient Breed Description (0010,2292)"),
    Column("breed_registration", "breed_registration", text(), Scope.STUDY, "Breed Registration Number (0010,2295)"),
    Column("breed_registry", "breed_registry", REGISTRY, Scope.STUDY, "Breed Registry Code Sequence (0010,2296)"),
    Column("strain", "strain", text(), Scope.STUDY, "Strain Description (0010,0212)", is_basic=True),
    Column("strain_nomenclature", "strain_nomenclature", text(), Scope.STUDY, "Strain Nomenclature (0010,0213)"),
    Column("strain_codes", "strain_codes", several(CODE), Scope.STUDY, "Strain Code Sequence (0010,0219)"),
    Column("strain_stock", "strain_stock", text(), Scope.STUDY, "Strain Stock Number (0010,0214)"),
    Column("strain_source", "strain_source", text(), Scope.STUDY, "Strain Source (0010,0217)"),
    Column(
        "strain_registry", "strain_registry", REGISTRY, Scope.STUDY, "Strain Source Registry Code Sequence (0010,0215)"
    ),
    Column("strain_rrid", "strain_rrid", RRID, Scope.STUDY, "BIDS: `strain_rrid` of the participant"),
    Column(
        "genetic_modifications",
        "modifications",
        several(_LONG),
        Scope.STUDY,
        "Genetic Modifications Description (0010,0222)",
    ),
    Column(
        "genetic_modifications_nomenclature",
        "modifications_nomenclature",
        text(),
        Scope.STUDY,
        "Genetic Modifications Nomenclature (0010,0223)",
    ),
    Column(
        "genetic_modifications_codes",
        "modifications_codes",
        several(CODE),
        Scope.STUDY,
        "Genetic Modifications Code Sequence (0010,0229)",
    ),
    Column(
        "weight_g", "weight_kg", _GRAM, Scope.STUDY, "Patient's Weight (0010,1030), in g", is_number=True, is_basic=True
    ),
    Column("weight_kg", "weight_kg", _KILOGRAM, Scope.STUDY, "the same, in kg", is_number=True),
    Column(
        "dose_MBq",
        "dose_mbq",
        _MBQ,
        Scope.SCAN,
        "Radionuclide Total Dose (0018,1074), in MBq",
        is_number=True,
        is_basic=True,
    ),
    Column("dose_mCi", "dose_mbq", _MCI, Scope.SCAN, "the same, in mCi", is_number=True),
    Column("dose_time", "dose_time", MOMENT, Scope.SCAN, "when the syringe held that dose"),
    Column("residual_MBq", "residual_mbq", _MBQ_LEFT, Scope.SCAN, "what was left in the syringe, MBq", is_number=True),
    Column("residual_mCi", "residual_mbq", _MCI_LEFT, Scope.SCAN, "the same, in mCi", is_number=True),
    Column("residual_time", "residual_time", MOMENT, Scope.SCAN, "when it held that"),
    Column(
        "injection_time",
        "injection_time",
        MOMENT,
        Scope.SCAN,
        "Radiopharmaceutical Start DateTime (0018,1078)",
        is_basic=True,
    ),
    Column("tracer", "tracer", text(), Scope.SCAN, "Radiopharmaceutical (0018,0031); BIDS: TracerName"),
    Column("administration", "administration", ADMINISTRATION, Scope.SCAN, "BIDS: ModeOfAdministration"),
    Column("injected_mass_ug", "mass_ug", _UG, Scope.SCAN, "BIDS: InjectedMass, in ug", is_number=True),
    Column(
        "specific_activity_MBq_per_ug",
        "specific_activity",
        _MBQ_PER_UG,
        Scope.SCAN,
        "BIDS: SpecificRadioactivity at the injection, in MBq/ug",
        is_number=True,
    ),
    Column(
        "molar_activity_GBq_per_umol",
        "molar_activity",
        _GBQ_PER_UMOL,
        Scope.SCAN,
        "BIDS: MolarActivity at the injection, in GBq/umol",
        is_number=True,
    ),
    Column("acquisition", "acquisition", text(), Scope.SCAN, "BIDS: AcquisitionMode, such as list mode"),
    Column("session", "session", text(), Scope.SCAN, "BIDS: the session's label"),
    Column("posture", "posture", POSTURE, Scope.SCAN, "Patient Position (0018,5100), and the axes of the patient"),
    Column("responsible_person", "investigator", PERSON, Scope.STUDY, "Responsible Person (0010,2297)"),
    Column("responsible_role", "responsible_role", ROLE, Scope.STUDY, "Responsible Person Role (0010,2298)"),
    Column(
        "responsible_organization",
        "responsible_organization",
        text(),
        Scope.STUDY,
        "Responsible Organization (0010,2299)",
    ),
    Column("protocol", "protocol", text(), Scope.SCAN, "Protocol Name (0018,1030)"),
    Column("study_description", "study_description", text(), Scope.STUDY, "Study Description (0008,1030)"),
    Column("series_description", "series_description", text(), Scope.SCAN, "Series Description (0008,103E)"),
    Column("project", "project", LABEL, Scope.STUDY, "Patient Comments (0010,4000): the project in XNAT"),
    Column("xnat_subject", "xnat_subject", LABEL, Scope.STUDY, "the same: the subject in XNAT"),
    Column("xnat_session", "xnat_session", LABEL, Scope.STUDY, "the same: the session in XNAT"),
)
STUDY_NAMES = frozenset(each.name for each in COLUMNS if each.scope is Scope.STUDY)
OF_A_DAY = frozenset({"weight_kg"})
"""What rows may say of each scan of a study, if it was not the same."""
HOTEL_NAMES = frozenset(each.name for each in COLUMNS if each.scope is Scope.HOTEL)
OF_ONE_ANIMAL = frozenset(
    {
        *("id", "name", "xnat_subject", "xnat_session", "weight_kg"),
        *("dose_mbq", "dose_time", "residual_mbq", "residual_time", "mass_ug"),
    }
)
"""What a row without a position does not say of each animal of a hotel: one has its own, or it is the sum of all."""
OF_AN_ANIMAL = OF_ONE_ANIMAL | {"sex", "neutered", "birth_date", "injection_time", "posture"}
"""What no row says of a position without an animal; species, strain and protocol may stand there, too."""
SCAN_NAMES = frozenset(each.name for each in COLUMNS if each.scope is Scope.SCAN)


def plain(title: str) -> str:
    """Return a title as titles are compared: `Dose (MBq)` and `dose_mbq` are one."""
    return re.sub(r"[\W_]+", "_", title.strip().casefold()).strip("_")


_BY_TITLE = MappingProxyType({plain(each.title): each for each in COLUMNS})
_NEEDS_UNIT = {
    "weight": "weight_g or weight_kg",
    "dose": "dose_MBq or dose_mCi",
    "residual": "residual_MBq or residual_mCi",
}


def column_of(title: str) -> Column | None:
    """Return the column of a title, None if there is none."""
    return _BY_TITLE.get(plain(title))


def lacks_unit(title: str) -> bool:
    """Whether a title is that of a column but for its unit, as `weight` is."""
    return plain(title) in _NEEDS_UNIT


def meant(title: str) -> str:
    """Return what was probably meant by a title that is none."""
    asked = plain(title)
    with_unit = _NEEDS_UNIT.get(asked)
    likely = with_unit or next(iter(difflib.get_close_matches(asked, _BY_TITLE, n=1, cutoff=0.6)), None)
    found = with_unit or (likely and _BY_TITLE[likely].title)
    guess = f"did you mean {found}? " if found else ""
    return f"{guess}a title that starts with {NOTE} is not read: {NOTE} {printable(title.strip(), 30)}"
