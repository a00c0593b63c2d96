"""What a comparison found: studies, their series, checks by kind, and differences."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from inveonimaging.errors import printable
from inveonimaging.findings import Finding


class Kind(str, Enum):
    """What is compared."""

    INSTANCES = "instances"
    VOXELS = "voxels"
    POSITIONS = "positions"
    TIMES = "times"
    UNITS = "units"
    TRACER = "tracer"
    CORRECTIONS = "corrections"
    IDENTITY = "identity"
    DISPLAY = "display"
    HEADER = "header"


class Agreement(str, Enum):
    """Result of one comparison."""

    SAME = "same"
    DIFFERS = "differs"
    NOT_STATED = "not stated"  # the header says it, the DICOM does not; or neither does


@dataclass(frozen=True)
class Difference:
    """One thing that is not as the source has it.

    Attributes:
        code: stable, in kebab-case, for programs.
        kind: what was compared.
        message: one line for people: what was found, and what the source says.
        path: the first file that it is about; None for what concerns no file.
        planes: how many planes it is about; 0 if it is about none.
    """

    code: str
    kind: Kind
    message: str
    path: str | None = None
    planes: int = 0


@dataclass(frozen=True, kw_only=True)
class Check:
    """One kind of comparison of one series.

    Attributes:
        kind: what was compared.
        compared: what and how much of it.
        largest: the largest difference with its unit; empty where there is no such number.
        verdict: what came of it.
    """

    kind: Kind
    compared: str
    largest: str
    verdict: Agreement


@dataclass(frozen=True, kw_only=True)
class SeriesCheck:
    """One scan, or a part of it, and the series that was made from it.

    Attributes:
        source: the header file.
        part: which part of the file it is, `bed 1`; empty for the whole file.
        series_instance_uid: of the DICOM series.
        sop_class: its name.
        planes: how many two-dimensional images the series has.
        checks: one for each kind that applies.
        differences: what is not as the source has it.
        notes: what could not be compared, or is worth knowing and is no difference.
    """

    source: str
    part: str
    series_instance_uid: str
    sop_class: str
    planes: int
    checks: tuple[Check, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name, and the part of it."""
        return printable(", ".join(filter(None, (Path(self.source).name, self.part))), 120)


@dataclass(frozen=True, kw_only=True)
class StudyCheck:
    """The scans of one folder, or one scan, and the DICOM that was made from them.

    Attributes:
        source: folder or file.
        dicom: folder or file.
        series: those that were found on both sides.
        differences: what concerns no single series: missing and extra ones, UIDs.
        notes: what was left aside.
        assumed: overrides that the comparison took into account, by name.
        doubts: what makes no sense in them.
    """

    source: str
    dicom: str
    series: tuple[SeriesCheck, ...]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]
    assumed: dict[str, str]
    doubts: tuple[Finding, ...] = ()

    @property
    def all_differences(self) -> tuple[Difference, ...]:
        """Those of the study and of its series."""
        return (*self.differences, *(difference for each in self.series for difference in each.differences))

    @property
    def all_notes(self) -> tuple[str, ...]:
        """Those of its series, which are named, and of the study."""
        return (*(f"{each.name}: {note}" for each in self.series for note in each.notes), *self.notes)

    @property
    def assumption(self) -> str:
        """With which corrections the comparison was made, in words; empty if there were none."""
        assumed = ", ".join(f"{name} {value}" for name, value in self.assumed.items())
        return f"compared with these corrections: {assumed}" if assumed else ""


@dataclass(frozen=True, kw_only=True)
class Verification:
    """All that was compared."""

    studies: tuple[StudyCheck, ...]

    @property
    def differences(self) -> tuple[Difference, ...]:
        """All differences."""
        return tuple(difference for study in self.studies for difference in study.all_differences)

    @property
    def same(self) -> bool:
        """Whether there is none."""
        return not self.differences
