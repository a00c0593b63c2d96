"""What a conversion is asked to do, as one frozen object."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from inveonimaging.conversion.objects import DEFAULT_SIZE
from inveonimaging.conversion.space import Space
from inveonimaging.deidentification.request import Deidentify
from inveonimaging.dicom.codes import CodeTable
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.pixels import LONGEST, Compression
from inveonimaging.errors import OptionError, printable
from inveonimaging.hdr.enums import Modality, Orientation
from inveonimaging.quant import Policy
from inveonimaging.sheet.matching import Sheet
from inveonimaging.subject import GivenSubject
from inveonimaging.xnat import Route

PREFIXES = MappingProxyType({Modality.CT: "CT-", Modality.PET: "PET-", Modality.SPECT: "NM-"})


_NOT_IN_NAMES = frozenset('/\\:*?"<>|')
_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d) *", re.IGNORECASE)  # by Windows, with any suffix
_LONGEST_CYCLE_MS = 60_000
_MOST_JOBS = 256
_NAMING = 'without / \\ : * ? " < > |'


class Uids(str, Enum):
    """Where UIDs come from."""

    CONTENT = "content"
    RANDOM = "random"


class BedDirection(str, Enum):
    """Which way along the stored slice axis a larger `bed_offset` looks."""

    FORWARD = "forward"
    REVERSE = "reverse"

    @property
    def sign(self) -> int:
        """1 or -1."""
        return 1 if self is BedDirection.FORWARD else -1


def suffixes(extensions: Iterable[str]) -> frozenset[str]:
    """Return extensions, typed with or without the dot, as suffixes in lower case."""
    return frozenset("." + extension.lower().lstrip(".") for extension in extensions)


def _refuse_prefixes(prefixes: Mapping[Modality, str]) -> None:
    """Refuse what cannot start a file name on every system; OptionError."""
    for prefix in prefixes.values():
        if set(prefix) & _NOT_IN_NAMES or not (prefix.isprintable() or not prefix):
            raise OptionError(f"the prefix is '{printable(prefix)}'", expected=f"a start of a file name, {_NAMING}")


def _refuse_file_name(name: str) -> None:
    """Refuse what cannot be a file's name on every system; OptionError."""
    is_plain = name.isprintable() and not set(name) & _NOT_IN_NAMES and name == name.rstrip(" .")
    if not name or not is_plain or _RESERVED.fullmatch(name.partition(".")[0]):
        raise OptionError(f"the file name is '{printable(name)}'", expected=f"a name alone, {_NAMING}")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Options of a conversion; the default suits most people.

    Attributes:
        form: which SOP classes are written.
        file_name: of multi-frame objects, instead of prefix and number.
        jobs: number of processes that write; 0 takes what helps. A script that asks for more than 1 needs the guard
            `if __name__ == "__main__":`.
        overwrite: replace what an earlier conversion wrote.
        manifest: write `inveon-manifest.json` beside the series.
        largest_object: size of a multi-frame object's file in bytes, beyond which it becomes a concatenation.
        compression: how pixels are compressed, without loss.
        separate_frames: make each frame block a series of its own, for files whose blocks nothing tells apart.
        cycle_ms: nominal length of a cycle of gated scans, instead of the middle of the limits in `gate_bins`.
        bed_direction: which way along the slice axis a larger `bed_offset` looks; None takes FORWARD, and says so.
        study_description: instead of the header's `study`.
        subject: what is said of the animal instead of the headers.
        sheet: what rows say of subjects and scans instead of the headers; all that is given here wins over it.
        xnat_route: where XNAT is to file the study.
        deidentify: how the headers are de-identified; None leaves them as they are.
        scan_time: start of the scan, local time without a zone, for headers that have none.
        orientation: posture instead of the headers' `subject_orientation`.
        flip: stored axes, letters of `xyz`, whose patient direction is turned about.
        rescale: how many values share one rescale slope.
        uids: where UIDs come from.
        prefixes: how file names start, by modality.
        codes: the site's codes for radionuclides.
        frame_of_reference: which series of a study share one Frame of Reference UID.
        recursive: sub-folders with pairs become one study each.
        refuse_strays: refuse what is no pair, orphans and nested folders instead of skipping them.
        ignored_suffixes: suffixes of files that are never refused, as `.txt`; None ignores all.
        fail_on_warnings: refuse whatever has a warning among its findings.
        apply_hounsfield: apply `ct_hounsfield_scale` and `ct_hounsfield_offset` of a CT.
        allow_long_data: take a data file that is longer than its header says.
        unlimited_text: write elements of VR UC too: Strain Description, Genetic Modifications Description and Long Code
            Value. VTK, MRtrix, MINC and (X)MedCon cannot read files with them.
    """

    form: Form = Form.CLASSIC
    file_name: str | None = None
    jobs: int = 1
    overwrite: bool = False
    manifest: bool = True
    largest_object: int = DEFAULT_SIZE
    compression: Compression = Compression.NONE
    cycle_ms: float | None = None
    separate_frames: bool = False
    bed_direction: BedDirection | None = None
    study_description: str | None = None
    subject: GivenSubject = field(default_factory=GivenSubject)
    sheet: Sheet | None = None
    xnat_route: Route | None = None
    deidentify: Deidentify | None = None
    scan_time: datetime | None = None
    orientation: Orientation | None = None
    flip: str = ""
    rescale: Policy = Policy.AUTO
    uids: Uids = Uids.CONTENT
    prefixes: Mapping[Modality, str] = field(default_factory=lambda: PREFIXES)
    codes: CodeTable = field(default_factory=CodeTable)
    frame_of_reference: Space = Space.AUTO
    recursive: bool = False
    refuse_strays: bool = False
    ignored_suffixes: frozenset[str] | None = frozenset()
    fail_on_warnings: bool = False
    apply_hounsfield: bool = False
    allow_long_data: bool = False
    unlimited_text: bool = False

    def __getstate__(self) -> dict[str, object]:
        """Return what another process needs to have the same options."""
        return vars(self) | {"prefixes": dict(self.prefixes)}

    def __post_init__(self) -> None:
        _refuse_prefixes(self.prefixes)
        if self.file_name is not None:
            _refuse_file_name(self.file_name)
        if not 0 <= self.jobs <= _MOST_JOBS:
            raise OptionError(f"the number of jobs is {self.jobs}", expected=f"0 to {_MOST_JOBS}")
        if not 0 < self.largest_object <= LONGEST:
            raise OptionError(f"the object size is {self.largest_object}", expected=f"1 to {LONGEST} bytes")
        if self.scan_time is not None and self.scan_time.tzinfo is not None:
            raise OptionError(f"the scan time is '{self.scan_time}'", expected="local time without a zone")
        if self.cycle_ms is not None and not 0 < self.cycle_ms <= _LONGEST_CYCLE_MS:
            raise OptionError(f"the cycle length is {self.cycle_ms:g}", expected="milliseconds above 0, up to a minute")
