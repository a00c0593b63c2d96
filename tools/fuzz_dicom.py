"""DICOM that was spoiled at random, read by `check`, `verify` and `send`: results, or one typed error in one line.

Each case takes one DICOM file of a converted phantom (CT, dynamic PET, SPECT; classic, enhanced and legacy; compressed
and not), spoils its bytes or its attributes in one to three ways, and puts it in the place of the good file among its
series. It fails when a reading takes too long, or too much memory above what any case took before; raises anything but
an InveonError of one printable line; has a finding that is not printable; or changes a file.
"""

# ruff: noqa: S311 - what is drawn at random here protects nothing

from __future__ import annotations

import io
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from pydicom import config, dcmread
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.tag import Tag
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from fuzzing import LONGEST_LINE, MOST_MEMORY_MB, Report, alarm, memory_mb, place_of
from inveonimaging import InveonError, Options, check, convert, verify
from inveonimaging.phantom import CT_SCAN, PET_SCAN, SPECT_SCAN, frames_of, write_scan
from inveonimaging.sending.files import survey

TINY: dict[str, Any] = {"shape": (32, 32, 2), "spacing_mm": (1.2, 1.2, 40.0)}
SCANS = {
    "CT": replace(CT_SCAN, **TINY),
    "PET": replace(PET_SCAN, **TINY, frames=frames_of(60.0, 60.0)),
    "SPECT": replace(SPECT_SCAN, **TINY),
}
FORMS = ("classic", "enhanced", "legacy")
COMPRESSIONS = ("none", "rle", "j2k", "deflated")
TEXTS = [
    *("", " ", "0", "-1", "1\\2", "1\\2\\3\\4\\5\\6\\7", "nan", "inf", "1e999", "9" * 400, "x" * 5000, "1.5.", "--"),
    *("20149999", "2014", "99999999999999", "250000", "20140617135137.123456+9999", "\x1b[31mred", "\x9b2J", "../../x"),
    *(
        "^" * 9,
        "ISO_IR 192",
        "ISO_IR 9999",
        "\\ISO 2022 IR 87",
        "MONOCHROME1",
        "RGB",
        "1.2.3",
        "1." * 60,
        "Äöü日本\u202e",
    ),
]
NUMBERS = [0, 1, 2, 7, 8, 12, 16, 32, 64, 255, 4096, 65535]
SYNTAXES = [
    *(ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian),
    *(JPEG2000Lossless, RLELossless, "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.100", "1.2.3", ""),
]
VRS = [b"DS", b"IS", b"US", b"UL", b"SQ", b"UN", b"OB", b"DA", b"TM", b"DT", b"UI", b"FD", b"AT", b"PN", b"XX", b"\0\0"]

OfBytes = Callable[[Random, bytearray], "bytearray | bytes"]
OfDataset = Callable[[Random, Dataset], None]


def truncate(random: Random, data: bytearray) -> bytes:
    """Cut the file off."""
    return bytes(data[: random.randrange(len(data))])


def noise(random: Random, data: bytearray) -> bytearray:
    """Change some bytes."""
    for _ in range(random.choice((1, 1, 2, 8, 60))):
        data[random.randrange(len(data))] = random.randrange(256)
    return data


def lengths(random: Random, data: bytearray) -> bytearray:
    """Give some elements another length."""
    for place in _elements(random, data):
        data[place + 6 : place + 8] = random.choice((b"\xff\xff", b"\0\0", b"\x01\0", b"\xfe\xff", b"\x07\0"))
    return data


def representations(random: Random, data: bytearray) -> bytearray:
    """Give some elements another VR."""
    for place in _elements(random, data):
        data[place + 4 : place + 6] = random.choice(VRS)
    return data


def long_lengths(random: Random, data: bytearray) -> bytearray:
    """Give something of 32 bits of length another one."""
    places = [at for vr in (b"SQ\0\0", b"OB\0\0", b"OW\0\0", b"UN\0\0", b"UT\0\0") if (at := data.find(vr)) > 0]
    for place in random.sample(places, min(len(places), 1)):
        size = random.choice((0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF, 0, 3, 1 << 28))
        data[place + 4 : place + 8] = size.to_bytes(4, "little")
    return data


def nest(random: Random, data: bytearray) -> bytearray:
    """Put sequences into one another in front of the pixels."""
    depth, place = random.choice((5, 60, 300, 5000)), data.rfind(b"\xe0\x7f\x10\x00")
    begin = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    end = b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0"
    if place > 0:
        data[place:place] = begin * depth + end * random.choice((depth, depth, 0))
    return data


def insert(random: Random, data: bytearray) -> bytearray:
    """Put something in between."""
    place = random.randrange(len(data))
    data[place:place] = random.choice((b"\0" * 8, b"\xfe\xff\x00\xe0\xff\xff\xff\xff" * 400, random.randbytes(20)))
    return data


def _elements(random: Random, data: bytearray) -> list[int]:
    """Return where some elements with a VR begin, behind the preamble."""
    found = [at for at in range(132, len(data) - 8, 2) if data[at + 4 : at + 6].isalpha() and data[at + 1] < _GROUPS]
    return random.sample(found, min(len(found), random.choice((1, 1, 2, 6))))


_GROUPS = 0x60  # high bytes of groups, but for those of pixels
BYTES: tuple[OfBytes, ...] = (truncate, noise, noise, lengths, representations, long_lengths, insert, nest)


def text(random: Random, ds: Dataset) -> None:
    """Give an attribute another text."""
    element = _some(random, ds)
    if element is not None and element.VR not in ("SQ", "OB", "OW", "US", "UL", "FD", "FL", "AT", "UN"):
        element._value = random.choice(TEXTS)  # noqa: SLF001 - no check of the value, which is what is wanted


def number(random: Random, ds: Dataset) -> None:
    """Give a numeric attribute another number, or several."""
    for keyword in random.sample(_COUNTS, 2):
        if keyword in ds:
            value = random.choice(NUMBERS)
            ds[keyword].value = [value, value] if random.random() < 1 / 4 else value
    if random.random() < 1 / 3:
        ds.NumberOfFrames = random.choice((0, -1, 2, 1000, 2147483647))


_COUNTS = ["Rows", "Columns", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel", "PixelRepresentation"]


def several(random: Random, ds: Dataset) -> None:
    """Give an attribute several values where one is meant."""
    element = _some(random, ds)
    if element is not None and element.VR in ("LO", "SH", "CS", "DS", "IS", "UI", "DA", "TM", "DT", "PN"):
        element._value = [element.value, element.value, element.value]  # noqa: SLF001 - as above


def delete(random: Random, ds: Dataset) -> None:
    """Leave attributes out."""
    for _ in range(random.choice((1, 1, 3, 20))):
        element = _some(random, ds)
        if element is not None and element.tag in ds:
            del ds[element.tag]


def empty(random: Random, ds: Dataset) -> None:
    """Empty an attribute, or a sequence."""
    element = _some(random, ds)
    if element is not None:
        element._value = Sequence() if element.VR == "SQ" else None  # noqa: SLF001 - as above


def repeat(random: Random, ds: Dataset) -> None:
    """Repeat, or take away, the items of a sequence."""
    element = _some(random, ds, only="SQ")
    if element is not None and element.value:
        items = list(element.value)
        element.value = random.choice(([], items * 3, items[:-1]))


def syntax(random: Random, ds: Dataset) -> None:
    """State another transfer syntax."""
    ds.file_meta.TransferSyntaxUID = UID(random.choice(SYNTAXES))


def charset(random: Random, ds: Dataset) -> None:
    """State another character set."""
    ds.SpecificCharacterSet = random.choice(("ISO_IR 192", "latin", "\x1b[31m", ["", "ISO 2022 IR 149"], "GB18030"))


def exchange(random: Random, ds: Dataset) -> None:
    """Give an attribute the value of another."""
    one, other = _some(random, ds), _some(random, ds)
    if one is not None and other is not None and "SQ" not in (one.VR, other.VR):
        one._value = other.value  # noqa: SLF001 - as above


def _some(random: Random, ds: Dataset, only: str = "") -> Any:
    """Return an element of the dataset, or of an item in it; never the pixels."""
    found = [each for each in ds.iterall() if each.tag != Tag("PixelData") and (only or each.VR) == each.VR]
    return random.choice(found) if found else None


DATASETS: tuple[OfDataset, ...] = (
    *(text, text, text, number, number, several, several, delete, empty, repeat, syntax, charset, exchange),
)


@dataclass(frozen=True)
class Source:
    """A pair, and the files of its DICOM."""

    name: str
    pair: tuple[bytes, bytes]
    files: dict[str, bytes]


@cache
def sources() -> tuple[Source, ...]:
    """Return the scans in all forms and compressions."""
    found = []
    with tempfile.TemporaryDirectory() as name:
        for kind, scan in SCANS.items():
            folder = Path(name, kind)
            folder.mkdir()
            pair = write_scan(folder / "a.img", scan)
            for form in FORMS:
                for compression in COMPRESSIONS:
                    output = Path(name, f"{kind}-{form}-{compression}")
                    convert(folder, output, Options(form=form, compression=compression))
                    files = {path.relative_to(output).as_posix(): path.read_bytes() for path in output.rglob("*.dcm")}
                    named = f"{kind} {form} {compression}"
                    found.append(Source(named, (pair.data.read_bytes(), pair.header.read_bytes()), files))
    return tuple(found)


@dataclass(frozen=True)
class Case:
    """A spoiled file among the files of its study, and how it became what it is."""

    seed: int
    number: int
    story: str
    source: Source
    file: str
    data: bytes

    def write(self, folder: Path) -> None:
        """Write the pair into `in`, the DICOM files into `out`."""
        for name, data in {**self.source.files, self.file: self.data}.items():
            path = folder / "out" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        (folder / "in").mkdir()
        (folder / "in" / "a.img").write_bytes(self.source.pair[0])
        (folder / "in" / "a.img.hdr").write_bytes(self.source.pair[1])


def case_of(seed: int, number: int) -> Case:
    """Return a case, the same for the same numbers."""
    random = Random(f"{seed}/{number}")
    source = random.choice(sources())
    file = random.choice(sorted(source.files))
    data, story = source.files[file], [source.name, file]
    if random.random() < 1 / 2:
        with config.disable_value_validation():
            ds = dcmread(io.BytesIO(data))
            for change in random.choices(DATASETS, k=random.choice((1, 1, 2, 3))):
                story.append(change.__name__)
                change(random, ds)
            data = _written(ds) or data
    else:
        for spoil in random.choices(BYTES, k=random.choice((1, 1, 2))):
            story.append(spoil.__name__)
            data = bytes(spoil(random, bytearray(data))) or data
    return Case(seed, number, ", ".join(story), source, file, data)


def _written(ds: Dataset) -> bytes | None:
    """Return a dataset as a file, whatever it holds; None if pydicom cannot write it."""
    stream = io.BytesIO()
    try:
        ds.save_as(stream, enforce_file_format=False)
    except Exception:  # noqa: BLE001 - some changes cannot be spelled
        return None
    return stream.getvalue()


WAYS = ("check", "check of the file", "check --orientation-test", "verify", "send")


def readings(folder: Path, file: str) -> dict[str, Callable[[], Any]]:
    """Return what reads DICOM, by name; each returns something whose findings can be shown."""
    return {
        "check": lambda: [each.message for each in check(folder / "out").all_findings],
        "check of the file": lambda: [each.message for each in check(folder / "out" / file).all_findings],
        "check --orientation-test": lambda: [
            each.message for each in check(folder / "out", orientation_test="left").all_findings
        ],
        "verify": lambda: [each.message for each in verify(folder / "in", folder / "out").differences],
        "send": lambda: [str(each) for each in survey([folder / "out"])[1]],
    }


def run_case(case: Case, report: Report, ways: Collection[str] = WAYS) -> None:
    """Read a case in some ways."""
    report.cases += 1
    with tempfile.TemporaryDirectory(prefix="inveon-fuzz-") as name:
        folder = Path(name)
        case.write(folder)
        before = _state(folder)
        read = readings(folder, case.file)
        for how in ways:
            _read(case, how, read[how], report)
        if _state(folder) != before:
            report.fail("files changed", case, "all")


def _state(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def _read(case: Case, how: str, read: Callable[[], list[str]], report: Report) -> None:
    memory, start = memory_mb(), time.process_time()
    try:
        with alarm():
            messages = read()
    except InveonError as error:
        outcome = f"{how}: {type(error).__name__}"
        if not str(error).isprintable() or not 0 < len(str(error)) < LONGEST_LINE:
            report.fail(f"{how}: an error that is not one printable line", case, how, repr(str(error)))
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        outcome = f"{how}: {type(error).__name__} in {place_of(error)}"
        report.fail(outcome, case, how, traceback.format_exc())
    else:
        outcome = f"{how}: read"
        raw = [each for each in messages if not each.isprintable() or len(each) > LONGEST_LINE]
        if raw:
            report.fail(f"{how}: findings that are not printable", case, how, ascii(raw))
    seconds = time.process_time() - start
    report.outcomes[outcome] += 1
    report.longest_s = max(report.longest_s, seconds)
    report.memory_mb = max(report.memory_mb, memory_mb())
    if memory_mb() - memory > MOST_MEMORY_MB:
        report.fail(f"{how}: memory", case, how, f"{memory:.0f} to {memory_mb():.0f} MB")


def prepare() -> None:
    """Make warnings errors, but those of pydicom, and load what is loaded once."""
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", module="pydicom")
    for number in range(20):
        run_case(case_of(0, number), Report())


def run_batch(seed: int, numbers: range) -> Report:
    """Read some cases."""
    report = Report()
    for number in numbers:
        run_case(case_of(seed, number), report)
    return report
