"""What a sheet says of a scan, put into its header, so that all that comes after sees one header.

The lines of replaced keys are left out of `Header.source`: a problem in a value of the sheet is in no line of the
header. The bytes of the header file stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from inveonimaging import units
from inveonimaging.animal.free_text import birth_date_of
from inveonimaging.animal.sheet_values import Origin, SheetValues, Source
from inveonimaging.errors import InputError
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import ActivityUnits, Modality, Orientation, WeightUnits
from inveonimaging.inveon.hdr.model import Subject, Tracer
from inveonimaging.inveon.modality import is_transmission, modality_of

_SUBJECT = {"birth_date": "date_of_birth", "sex": "sex", "species": "genus", "strain": "phenotype"}
_ACTIVITY = {
    "residual_mbq": "residual_activity",
    "residual_time": "residual_activity_time",
    "dose_time": "activity_before_injection_time",
}
_DOSE = ("dose", "dose_units", "activity_units", "activity_before_injection", *_ACTIVITY.values())
"""Names of attributes, which are those of the keys."""
KEYS: Mapping[str, tuple[str, ...]] = {
    "birth_date": ("subject_date_of_birth",),
    "sex": ("subject_sex",),
    "species": ("subject_genus",),
    "strain": ("subject_phenotype",),
    "weight_kg": ("subject_weight", "subject_weight_units"),
    "investigator": ("investigator",),
    "study_description": ("study",),
    "injection_time": ("injection_time",),
    "tracer": ("injected_compound",),
    "posture": ("subject_orientation",),
    "dose_mbq": _DOSE,
    **{name: (key,) for name, key in _ACTIVITY.items()},
}
"""The keys of a header that a value of a sheet replaces."""
_OF_DOSE = ("dose_mbq", "residual_mbq")
_BQ = {ActivityUnits.MCI: units.MBQ_PER_MCI, ActivityUnits.MBQ: units.ONE}


def with_sheet_values(header: Header, sheet_values: SheetValues) -> Header:
    """Return a header with what a sheet says of its scan.

    Raises:
        InputError: a dose of which a part is missing, or of which nothing would be left; with the row.
    """
    if not sheet_values.cells:
        return header
    changed = replace(
        header,
        subject=replace(header.subject, **_subject(header.subject, sheet_values)),
        study=sheet_values.get("study_description") if "study_description" in sheet_values.cells else header.study,
    )
    if "posture" in sheet_values.cells:
        geometry = replace(header.geometry, orientation=sheet_values.get("posture") or Orientation.UNKNOWN)
        changed = replace(changed, geometry=geometry)
    if "investigator" in sheet_values.cells:
        changed = replace(
            changed, acquisition=replace(header.acquisition, investigator=sheet_values.get("investigator"))
        )
    if has_tracer(header):
        changed = replace(changed, tracer=_tracer(header.tracer, sheet_values))
    replaced = {key for name in sheet_values.cells for key in KEYS.get(name, ())}
    return replace(changed, source=tuple(line for line in header.source if line.key not in replaced))


def has_tracer(header: Header) -> bool:
    """Return whether a dose can be meant for a scan: a row of a subject is about its CT, too."""
    return modality_of(header)[0] is not Modality.CT and not is_transmission(header)


def _subject(subject: Subject, sheet_values: SheetValues) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, attribute in _SUBJECT.items():
        if name in sheet_values.cells:
            value = sheet_values.get(name)
            values[attribute] = None if value is None else str(value)
    born = birth_date_of(subject.date_of_birth or "")
    if "birth_date" in sheet_values.cells and sheet_values.get("birth_date") != born:
        values["age"] = None  # that of another birth date
    if "weight_kg" in sheet_values.cells:
        values |= {"weight": sheet_values.get("weight_kg"), "weight_units": WeightUnits.KILOGRAM}
    return values


def _tracer(tracer: Tracer, sheet_values: SheetValues) -> Tracer:
    """Return a tracer with what a sheet says, and with nothing of the header that its cells replace."""
    if "injection_time" in sheet_values.cells:
        tracer = replace(tracer, injection_time=sheet_values.get("injection_time"))
    if "tracer" in sheet_values.cells:
        tracer = replace(tracer, compound=sheet_values.get("tracer"))
    for part, whole in (("dose_time", "dose_mbq"), ("residual_time", "residual_mbq")):
        if sheet_values.get(part) and sheet_values.get(whole) is None:
            raise _error(sheet_values, part, f"{whole.removesuffix('_mbq')}_MBq in the same row")
    if "dose_mbq" in sheet_values.cells:
        tracer = _activities(tracer, dose=sheet_values.get("dose_mbq"), dose_units=ActivityUnits.MBQ)
    tracer = replace(tracer, **{key: None for name, key in _ACTIVITY.items() if name in sheet_values.cells})
    if (
        sheet_values.get("dose_mbq") is not None
        and "dose_time" in sheet_values.cells
        and sheet_values.get("dose_time") is None
    ):
        raise _error(sheet_values, "dose_time", "a time, or an empty cell if the dose is that at the injection")
    has_residual = sheet_values.get("residual_mbq") is not None
    return _measured(tracer, sheet_values) if has_residual or sheet_values.get("dose_time") else tracer


def _activities(tracer: Tracer, **values: Any) -> Tracer:
    """Return a tracer of which nothing is known of activity but these."""
    return replace(tracer, **{**dict.fromkeys(_DOSE), **values})


def _measured(tracer: Tracer, sheet_values: SheetValues) -> Tracer:
    """Return a tracer whose dose is that of the syringe less what was left in it."""
    name = "residual_mbq" if sheet_values.get("residual_mbq") is not None else "dose_time"
    before, at = sheet_values.get("dose_mbq"), sheet_values.get("dose_time") or tracer.injected_at
    if before is None:
        factor = _BQ.get(tracer.activity_units or ActivityUnits.UNKNOWN)
        at = tracer.activity_before_injection_time
        if not tracer.activity_before_injection or factor is None or at is None:
            raise _error(sheet_values, name, "dose_MBq in the same row")
        before = units.convert(tracer.activity_before_injection, factor)
    residual = sheet_values.get("residual_mbq") or 0.0
    if residual and not sheet_values.get("residual_time"):
        raise _error(sheet_values, name, "residual_time in the same row")
    if tracer.injected_at is None or not tracer.half_life_s:
        raise _error(sheet_values, name, "injection_time, and a half-life in the header, to compute the decay")
    measured = _activities(
        tracer,
        activity_units=ActivityUnits.MBQ,
        activity_before_injection=before,
        activity_before_injection_time=at,
        residual_activity=residual,
        residual_activity_time=sheet_values.get("residual_time") or at,
    )
    if (measured.measured_dose_bq or 0.0) <= 0:
        raise _error(sheet_values, name, "less than the dose: at the injection nothing would be left")
    return measured


def _error(sheet_values: SheetValues, name: str, expected: str) -> InputError:
    cell = sheet_values.cells[name]
    what = "unknown" if cell.value is None else "given"
    if cell.row is None:
        return InputError(f"{cell.title} is {what}", expected=expected)
    return InputError(f"{cell.title} is {what}", path=sheet_values.path, line=cell.row, expected=expected)


def origins(header: Header, sheet_values: SheetValues, file: str) -> dict[str, Origin]:
    """Return where the values of a scan came from that a sheet can give.

    Args:
        header: as it was read, or with the sheet's values.
        sheet_values: what the sheet says.
        file: the header's name.
    """

    def of_key(key: str) -> Origin:
        return Origin(Source.HEADER, file, header.line_of(key))

    found: dict[str, Origin] = {}
    tracer = header.tracer
    if has_tracer(header) and tracer.dose_bq:
        key = "activity_before_injection" if (tracer.measured_dose_bq or 0.0) > 0 else "dose"
        given = next((name for name in _OF_DOSE if sheet_values.get(name) is not None), None)
        found["dose"] = sheet_values.origin(given) if given else of_key(key)
    if has_tracer(header) and tracer.injected_at:
        is_in_sheet = sheet_values.get("injection_time") is not None
        found["injection_time"] = sheet_values.origin("injection_time") if is_in_sheet else of_key("injection_time")
    for name in ("protocol", "series_description"):
        if sheet_values.get(name) is not None:
            found[name] = sheet_values.origin(name)
    return found
