"""Page 4 as a table: what can be chosen, in plain words, with the option of the command for it.

The options of the conversion and the command to copy come from the same values, so that both do the same.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from inveonimaging.conversion.options import Options
from inveonimaging.errors import OptionError, printable
from inveonimaging.inveon.hdr.enums import Modality, Orientation
from inveonimaging.redaction.request import request_of

_YES = "yes"
_LONGEST = 4000


class Field(NamedTuple):
    """One choice.

    Attributes:
        name: in the form.
        option: of the command.
        label: what it is, for people.
        words: what it does.
        choices: values with their words; none is a line of text, or a box to tick if `ticked` says whether it is.
        ticked: of a box, whether it is ticked at first.
        example: of a text.
    """

    name: str
    option: str
    label: str
    words: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    ticked: bool | None = None
    example: str = ""


_POSTURES = tuple((each.name, each.label.capitalize()) for each in Orientation if each.value)
_OF_HEADERS = ("", "As the header says")

FORM = Field(
    "form",
    "--as",
    "Kind of DICOM",
    "If in doubt, leave it: nearly all programs read one file for each slice.",
    (
        ("classic", "One file for each slice"),
        ("enhanced", "One file for each series (Enhanced)"),
        ("legacy", "One file for each series (Legacy Converted Enhanced)"),
    ),
)
ANIMAL = (
    Field("patient_id", "--patient-id", "Patient ID", "What your lab calls the animal.", example="M12"),
    Field("weight", "--weight", "Weight", "With its unit.", example="24.6g"),
    Field("sex", "--sex", "Sex", choices=(_OF_HEADERS, ("F", "Female"), ("M", "Male"), ("O", "Other"))),
    Field("species", "--species", "Species", example="mouse"),
    Field("dose", "--dose", "Injected dose", "At the injection, with its unit.", example="7.03MBq"),
    Field("injected_at", "--injected-at", "Time of injection", example="2014-06-17T13:51:37"),
    Field("orientation", "--posture", "How the animal lay", choices=(_OF_HEADERS, *_POSTURES)),
    Field("subjects", "--subjects", "Sheet of animals", "A .csv or .xlsx file, if each scan has its own values."),
)
PRIVACY = (
    Field("deidentify", "--deidentify", "Remove names, places and file names", ticked=False),
    Field(
        "dates",
        "--dates",
        "Dates",
        "Only if names are removed.",
        (("", "Shift them"), ("keep", "Keep them")),
    ),
    Field("shift_days", "--shift-days", "Shift dates by days", "Or give the file of a secret.", example="-3000"),
    Field("key_file", "--key-file", "File with a secret", "It makes pseudonyms and shifts that stay the same."),
)
AFTERWARDS = (
    Field("verify", "--verify", "Compare every value with the scanner's files afterwards", ticked=True),
    Field("report", "--report", "Write a page of pictures beside the DICOM", ticked=True),
    Field("overwrite", "--overwrite", "Replace an earlier conversion in the same folder", ticked=False),
)
EXPERTS = (
    Field("patient_name", "--patient-name", "Patient's name"),
    Field("birth_date", "--patient-birth-date", "Birth date", example="2014-03-04"),
    Field("strain", "--strain", "Strain", example="C57BL/6J"),
    Field("study_description", "--study-description", "Study description"),
    Field("scan_time", "--scan-time", "Start of scans whose header has none", example="2014-03-04T14:05:09"),
    Field(
        "compress",
        "--compress",
        "Compression, without loss",
        choices=(
            ("none", "None"),
            ("rle", "RLE"),
            ("jpegls", "JPEG-LS"),
            ("j2k", "JPEG 2000"),
            ("deflated", "Deflate"),
        ),
    ),
    Field("flip", "--flip", "Mirror stored axes", example="x"),
    Field(
        "bed_direction",
        "--bed-direction",
        "A larger bed offset looks",
        choices=(("", "Forward, with a warning"), ("forward", "Forward"), ("reverse", "In reverse")),
    ),
    Field("cycle_length", "--cycle-length", "Length of a heart beat or breath, ms"),
    Field(
        "frame_of_reference",
        "--frame-of-reference",
        "Scans that lie in one space",
        choices=(("auto", "As the headers say"), ("shared", "All"), ("separate", "None")),
    ),
    Field(
        "rescale",
        "--rescale",
        "One scale for each",
        choices=(("auto", "As fits"), ("series", "Series"), ("frame", "Frame"), ("slice", "Slice")),
    ),
    Field(
        "uids",
        "--uids",
        "Identifiers",
        choices=(("content", "The same for the same content"), ("random", "New ones each time")),
    ),
    Field("code_table", "--code-table", "File with the site's codes for isotopes"),
    Field("ct_prefix", "--ct-prefix", "Start of names of CT files", example="CT-"),
    Field("pet_prefix", "--pet-prefix", "Start of names of PET files", example="PET-"),
    Field("nm_prefix", "--nm-prefix", "Start of names of SPECT files", example="NM-"),
    Field("separate_frames", "--separate-frames", "Make each frame block a series of its own", ticked=False),
    Field("apply_hounsfield", "--apply-hounsfield", "Apply the header's Hounsfield scale to CT", ticked=False),
    Field("allow_long_data", "--allow-long-data", "Take files that are longer than the header says", ticked=False),
    Field("unlimited_text", "--unlimited-text", "Write long texts that some programs cannot read", ticked=False),
)
FIELDS = (FORM, *ANIMAL, *PRIVACY, *AFTERWARDS, *EXPERTS)
_PREFIXES = {"ct_prefix": Modality.CT, "pet_prefix": Modality.PET, "nm_prefix": Modality.SPECT}
_DEFAULT_PREFIX = {"ct_prefix": "CT-", "pet_prefix": "PET-", "nm_prefix": "NM-"}


def defaults() -> dict[str, str]:
    """Return what the form holds at first."""
    return {each.name: each.choices[0][0] if each.choices else _YES if each.ticked else "" for each in FIELDS}


def chosen(form: Mapping[str, str]) -> dict[str, str]:
    """Return the values of all fields of a form that was sent, in which a box that is not ticked is missing."""
    return {each.name: form.get(each.name, "").strip()[:_LONGEST] for each in FIELDS}


def options_of(values: Mapping[str, str]) -> Options:
    """Return the options of a conversion.

    Raises:
        OptionError: a value makes no sense; a file that it names cannot be read.
    """
    given: dict[str, Any] = {name: text or None for name, text in values.items()}
    ticked = {each.name: given.get(each.name) == _YES for each in FIELDS if each.ticked is not None}
    subject = {"id": "patient_id", "name": "patient_name", "birth_date": "birth_date", "sex": "sex"}
    days, key = given.get("shift_days"), given.get("key_file")
    return Options(
        subject={name: given[field] for name, field in subject.items() if given.get(field)},
        species=given.get("species"),
        strain=given.get("strain"),
        weight_kg=given.get("weight"),
        dose_mbq=given.get("dose"),
        injected_at=given.get("injected_at"),
        scan_time=given.get("scan_time"),
        sheet=given.get("subjects"),
        orientation=given.get("orientation"),
        flip=given.get("flip"),
        bed_direction=given.get("bed_direction"),
        cycle_ms=given.get("cycle_length"),
        frame_of_reference=given.get("frame_of_reference") or "auto",
        separate_frames=ticked["separate_frames"] or None,
        apply_hounsfield=ticked["apply_hounsfield"] or None,
        allow_long_data=ticked["allow_long_data"] or None,
        unlimited_text=ticked["unlimited_text"],
        form=given.get("form") or "classic",
        compression=given.get("compress") or "none",
        study_description=given.get("study_description"),
        rescale=given.get("rescale") or "auto",
        uids=given.get("uids") or "content",
        codes=given.get("code_table"),
        prefixes={modality: given.get(name) or _DEFAULT_PREFIX[name] for name, modality in _PREFIXES.items()},
        overwrite=ticked["overwrite"],
        deidentify=request_of(
            ticked["deidentify"], given.get("dates"), None if days is None else _days(days), key and Path(key)
        ),
    )


def _days(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise OptionError("--shift-days is no number", got=text, expected="a whole number, as -3000") from None


def command_of(source: Path, output: str, values: Mapping[str, str], *, without_settings: bool = False) -> str:
    """Return the command that does the same, as this system's shell takes it.

    Args:
        source: what is converted.
        output: the folder to write into.
        values: of the form.
        without_settings: the form holds what `inveon.toml` says, and counts alone.
    """
    first = defaults()
    words = ["inveon", "convert", str(source), output]
    for each in FIELDS:
        value = values.get(each.name, "")
        if each.ticked is not None:
            words += [each.option] if value == _YES else []
        elif value not in {"", first[each.name]}:
            words.append(f"{each.option}={value}")
    words += ["--no-config"] if without_settings else []
    return line_of(words)


def line_of(words: list[str]) -> str:
    """Return a command as this system's shell takes it."""
    line = subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words)
    return printable(line, _LONGEST)


def output_for(source: Path) -> Path:
    """Return a folder beside the source that is not there yet."""
    name = source.name.partition(".img")[0] or "scans"
    wanted = source.parent / f"{name}-dicom"
    return next(each for each in _numbered(wanted) if not os.path.lexists(each))


def _numbered(path: Path) -> list[Path]:
    return [path, *(path.with_name(f"{path.name}-{number}") for number in range(2, 1000))]
