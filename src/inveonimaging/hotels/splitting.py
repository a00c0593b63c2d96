"""A group that was scanned together -> a study for each of its animals, of the same images, cut."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from inveonimaging.errors import InputError, OptionError
from inveonimaging.findings import Finding
from inveonimaging.inveon.pairs import Pair
from inveonimaging.redaction.request import KEY_VARIABLE, Deidentify
from inveonimaging.sheet.application import has_tracer
from inveonimaging.sheet.hotels import Hotel, Position, hotel_of
from inveonimaging.study.corrections import Corrections
from inveonimaging.study.cut import Extent
from inveonimaging.study.masking import Mask
from inveonimaging.study.reading import Part, Study, read_pairs
from inveonimaging.study.registration import RegistrationPolicy
from inveonimaging.study.sessions import sessions_of

MARGIN_MM = 3.0
"""Around what was found of an animal, on all sides."""

_OF_ONE = {"weight_kg": ("--weight", "weight_g"), "dose_mbq": ("--dose", "dose_MBq")}
_OF_ONE_SUBJECT = {
    "id": ("--patient-id", "patient_id"),
    "name": ("--patient-name", "patient_name"),
}
NEEDED = {"weight_kg": "weight_g", "dose_mbq": "dose_MBq", "injection_time": "injection_time"}
"""What SUV needs of each animal, by the columns of the sheet."""
_WORTH_ASKING = {"sex": ("subject_sex", "sex"), "birth_date": ("subject_date_of_birth", "birth_date")}


@dataclass(frozen=True)
class Group:
    """A group that was scanned together.

    Attributes:
        study: of all its images, by true names and headers.
        pairs: its files.
        hotel: its animals, as the sheet describes them.
        corrections: by which it was read.
    """

    study: Study
    pairs: tuple[Pair, ...]
    hotel: Hotel
    corrections: Corrections


def read_group(pairs: Sequence[Pair], source: Path, corrections: Corrections) -> Group:
    """Read the scans of a group, and which animals lie in them.

    Raises:
        InputError: the sheet has no positions; the scans are of several sessions.
        OptionError: there is no sheet; what was typed is of one animal.
    """
    if corrections.sheet is None:
        hint = "write one with: inveon subjects INPUT -o hotel.csv --hotel, and give it with --subjects hotel.csv"
        raise OptionError("a sheet that says which animal lies where is missing", hint=hint)
    refuse_values_of_one(corrections)
    study = read_pairs(pairs, source, corrections)
    hotel = hotel_of(corrections.sheet, [(scan.pair, scan.image.header) for scan in study.scans])
    if hotel is None and study.scans:
        expected = "a row for each animal, with position (left, right, ...) and patient_id"
        raise InputError(
            "no row that matches these scans has a position", path=corrections.sheet.path, expected=expected
        )
    if hotel is None:
        raise next(iter(study.errors.values()))
    refuse_several_sessions(study)
    return Group(study, tuple(pairs), hotel, corrections)


def refuse_several_sessions(study: Study) -> None:
    """Refuse scans between which animals were moved.

    Raises:
        InputError: with the number of sessions.
    """
    sessions = set(sessions_of(study.headers, study.corrections.scan_time)) - {None}
    if len(sessions) > 1:
        message = f"the scans are of {len(sessions)} sessions, between which animals were moved"
        hint = "give each a folder of its own"
        raise InputError(message, path=study.source, expected="scans of one session", hint=hint)


def refuse_values_of_one(corrections: Corrections) -> None:
    """Refuse what was typed for all animals and is of one.

    Raises:
        OptionError: with the first such option.
    """
    typed = [names for name, names in _OF_ONE.items() if getattr(corrections, name) is not None]
    typed += [names for name, names in _OF_ONE_SUBJECT.items() if getattr(corrections.subject, name) is not None]
    for option, column in typed:
        raise OptionError(f"{option} is for one animal", hint=f"give each its own in the sheet's column {column}")


def studies_of(
    group: Group,
    extents: Sequence[Extent],
    deidentify: Deidentify | None = None,
    masks: Sequence[Mask] = (),
) -> tuple[Study, ...]:
    """Return the study of each animal of a group, in the order of `group.hotel.animals`.

    Args:
        group: what was read.
        extents: of each animal; a margin is put around it.
        deidentify: how headers are redacted; None leaves them as they are.
        masks: of each animal, what of its neighbours is read as nothing; none leaves neighbours.

    Raises:
        InputError: an animal lies in no image.
        InveonError: as `read_pairs`.
    """
    whole = _deidentified(group, deidentify) if deidentify else group.study
    parts = (
        Part(whole=whole, position=str(animal.slot), extent=extent.grown(MARGIN_MM), mask=mask)
        for animal, extent, mask in zip(group.hotel.animals, extents, masks or (None,) * len(extents), strict=True)
    )
    return tuple(
        _study_of(group, animal, part, deidentify) for animal, part in zip(group.hotel.animals, parts, strict=True)
    )


def _deidentified(group: Group, deidentify: Deidentify) -> Study:
    """Return the study of a group whose patient ID, which each part names, is a pseudonym.

    Raises:
        OptionError: there is no secret to make it with.
    """
    if deidentify.key is None:
        hint = f"put one into the variable {KEY_VARIABLE} or a file (--key-file)"
        raise OptionError("the patient ID of the group cannot be hidden without a secret", hint=hint)
    return read_pairs(group.pairs, group.study.source, group.corrections, deidentify)


def _study_of(group: Group, animal: Position, part: Part, deidentify: Deidentify | None) -> Study:
    study = read_pairs(group.pairs, group.study.source, corrections_of(animal, group.corrections), deidentify, part)
    if not study.series and not study.errors:
        message = f"the box of {animal} lies outside all images"
        raise InputError(message, path=group.study.source, expected="mm in the gantry along i, j and k")
    return replace(study, findings=(*study.findings, *_unknown(group, animal, study)))


def corrections_of(animal: Position, corrections: Corrections) -> Corrections:
    """Return a group's corrections with what the sheet says of one animal; all its images lie in one space."""
    is_open = corrections.frame_of_reference in (RegistrationPolicy.AUTO, RegistrationPolicy.COMPATIBLE)
    is_named = animal.of_study.get("id") is not None
    return replace(
        corrections,
        sheet=corrections.sheet and corrections.sheet.at(animal.slot),
        frame_of_reference=RegistrationPolicy.SHARED if is_open else corrections.frame_of_reference,
        subject=corrections.subject if is_named else replace(corrections.subject, id=animal.id),
    )


def _unknown(group: Group, animal: Position, study: Study) -> tuple[Finding, ...]:
    """Return one warning on what is known of the group, or needed for SUV, and not of the animal."""
    traced = [scan for scan in study.scans if has_tracer(scan.image.header)]
    known = {name for scan in traced or study.scans for name in scan.sheet_values.cells}
    missing = [column for name, column in NEEDED.items() if traced and name not in known]
    for name, (key, column) in _WORTH_ASKING.items():
        if name not in known and any(header.line_of(key) for header in group.study.headers):
            missing.append(column)
    if not missing:
        return ()
    message = f"the sheet does not say {', '.join(missing)} of {animal}, and the headers give the group's: left empty"
    sheet = study.corrections.sheet  # of which a redaction hides the name
    path = sheet.path if sheet else group.hotel.path
    return (Finding("animal-values-unknown", message, path=str(path), line=animal.rows[0]),)
