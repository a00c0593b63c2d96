"""Hostile input: refused or converted in bounded time and memory; header text is never a path, a command or markup."""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataelem import DataElement

from conftest import Measures
from helpers import assert_harmless, files_below, header_text, inveon, running_python
from inveonimaging import HeaderError, InveonError, Options, Severity, convert
from inveonimaging.conversion.job import StudyResult
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.modules.header_text import GROUP, header_bytes
from inveonimaging.inveon.hdr import lexer, parse
from inveonimaging.inveon.hdr.enums import DataType
from inveonimaging.inveon.hdr.fields import MAIN
from inveonimaging.inveon.hdr.values import TEXT
from inveonimaging.inveon.pairs import Pair
from inveonimaging.phantom import CT_SCAN, PET_SCAN, SPECT_SCAN, PhantomScan, frames_of, write_scan
from inveonimaging.study.image import LARGEST_HEADER

# Any header of any kind, in any form.

TINY = {"shape": (3, 2, 2), "spacing_mm": (9.0, 12.0, 40.0)}
PET = replace(PET_SCAN, frames=frames_of(60.0), **TINY)  # type: ignore[arg-type]  # shape and spacing
KINDS: dict[str, PhantomScan] = {
    "CT": replace(CT_SCAN, **TINY),  # type: ignore[arg-type]  # likewise
    "PET": PET,
    "dynamic": replace(PET, frames=frames_of(15.0, 60.0), data_type=DataType.INT16_BE),
    "gated": replace(PET, gates=3, gate_description="ECG R-wave"),
    "beds": replace(PET, beds=(312.5, 345.25)),
    "mu map": replace(PET, mu_map=True),
    "SPECT": replace(SPECT_SCAN, energy_windows=2, **TINY),  # type: ignore[arg-type]  # likewise
}
Change = Callable[[bytes, int], bytes]


def value(new: bytes) -> Change:
    """Return what gives the key at a place another value."""

    def change(header: bytes, place: int) -> bytes:
        start = header.rfind(b"\n", 0, place) + 1
        stop = header.find(b"\n", place)
        return header[:start] + header[start:stop].partition(b" ")[0] + b" " + new + header[max(stop, start) :]

    return change


def noise(new: bytes) -> Change:
    """Return what puts bytes at a place."""
    return lambda header, place: header[:place] + new + header[place:]


def cut(header: bytes, place: int) -> bytes:
    """End at a place."""
    return header[:place]


def turn(header: bytes, place: int) -> bytes:
    """Let the lines after a place come first."""
    return header[place:] + b"\n" + header[:place]


def twice(header: bytes, place: int) -> bytes:
    """Give all that is after a place again."""
    return header + header[place:]


NUMBERS = st.one_of(st.integers(-(10**20), 10**20), st.integers(-3, 300), st.floats()).map(str)
VALUES = st.one_of(NUMBERS, st.text(max_size=80), st.just("9" * 5000), st.just("\x1b[2J")).map(str.encode)
CHANGES = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        VALUES.map(value) | VALUES.map(value) | st.binary(max_size=4).map(noise) | st.sampled_from([cut, turn, twice]),
    ),
    min_size=1,
    max_size=3,
)
SIZES = st.just(1.0) | st.sampled_from([1.0, 0.0, 0.5, 2.0])


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, bytes]]:
    """Data and header of each kind."""
    folder = tmp_path_factory.mktemp("scans")
    written = {name: write_scan(folder / f"{name}.img", scan) for name, scan in KINDS.items()}
    return {name: (pair.data.read_bytes(), pair.header.read_bytes()) for name, pair in written.items()}


@settings(max_examples=60)
@given(kind=st.sampled_from(list(KINDS)), form=st.sampled_from(Form), changes=CHANGES, size=SIZES)
def test_any_pair_ends_in_files_of_the_series_or_in_one_line(
    pairs: dict[str, tuple[bytes, bytes]], kind: str, form: Form, changes: list[tuple[float, Change]], size: float
) -> None:
    data, header = pairs[kind]
    for place, change in changes:
        header = change(header, int(place * len(header)))
    with tempfile.TemporaryDirectory() as work:
        source = Path(work, "in")
        source.mkdir()
        (source / "a.img").write_bytes((data + data)[: int(size * len(data))])
        (source / "a.img.hdr").write_bytes(header)
        study = converted(source, Path(work, "out"), form)
        written = [name for name in files_below(Path(work)) if name.startswith("out/")]
        if isinstance(study, str):
            assert study.isprintable()
            assert not Path(work, "out").exists()
        else:
            assert all(str(finding).isprintable() for finding in study.all_findings)
            files = [name for name in written if name.endswith(".dcm")]
            assert len(files) == sum(series.instances for series in study.series)
            assert {name.split("/")[1] for name in files} == {series.folder for series in study.series}
        assert files_below(Path(work)) == ["in/a.img", "in/a.img.hdr", *written]


def converted(source: Path, output: Path, form: Form) -> StudyResult | str:
    """Return what was written, or the text of the error."""
    try:
        return convert(source, output, Options(form=form))[0]
    except InveonError as error:
        return str(error)


# Headers that claim or hold too much.

LONGEST_S = 20  # of the processor: it takes a second or two; waiting for other processes does not count
LARGEST_MEMORY_MB = 300
# Imports once; each line of stdin is a command for a child, whose exit code, time in s and memory it prints.
FORKING = """
import contextlib, json, os, sys
from inveonimaging.cli.main import app

with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing), contextlib.redirect_stderr(nothing):
    app(["convert", *sys.argv[1:]], standalone_mode=False)  # once for all, it imports and builds what it needs
for line in sys.stdin:
    arguments, stderr = json.loads(line)
    child = os.fork()
    if not child:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(os.open(stderr, os.O_WRONLY | os.O_CREAT), 2)
        try:
            app(arguments, prog_name="inveon")
        except SystemExit as end:
            sys.stderr.flush()
            os._exit(end.code or 0)  # without taking apart what was imported
    _, status, used = os.wait4(child, 0)
    print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss, flush=True)
"""
PER_MB = 2**20 if sys.platform == "darwin" else 2**10
SMALL = header_text()
MAIN_END = SMALL.index("end_of_header")
FRAME = "\nframe 0\n"
FRAME_END = SMALL.rindex("end_of_header")


def in_main(text: str) -> str:
    """Return a header with lines at the end of its main block."""
    return SMALL[:MAIN_END] + text + SMALL[MAIN_END:]


def in_frame(text: str) -> str:
    """Return a header with lines at the end of its frame block."""
    return SMALL[:FRAME_END] + text + SMALL[FRAME_END:]


def sized(x: int, y: int, z: int) -> str:
    """Return a header of so many voxels."""
    return header_text({"x_dimension": str(x), "y_dimension": str(y), "z_dimension": str(z)})


def frames(number: int) -> str:
    """Return a header of many short frame blocks."""
    return header_text({"total_frames": str(number)}, []) + "frame 0\nend_of_header\n" * number


MILLION = 10**6
TOO_MANY_LINES = rf"a\.img\.hdr: the header has \d+ lines, expected at most {lexer.MOST_LINES}"
TOO_MANY_FRAMES = rf"a\.img\.hdr:\d+: one frame block too many, expected at most {lexer.MOST_FRAMES}"
TOO_MUCH: dict[str, tuple[Callable[[], str], str]] = {
    "far pointer": (
        lambda: header_text(frames=({"data_file_pointer": "2147483647 -1"},)),
        r"a\.img: the file has 48 bytes, expected 92233720368547758\d\d for",
    ),
    "pointer beyond 64 bits": (
        lambda: header_text(frames=({"data_file_pointer": "9" * 20 + " 0"},)),
        r"a\.img: the file has 48 bytes, expected \d{30} for",
    ),
    "10^6 x 10^6 voxels": (lambda: sized(MILLION, MILLION, 1), "x_dimension is '1000000', expected 1 to 65535"),
    "65535^3 voxels": (
        lambda: sized(65535, 65535, 65535),
        r"a\.img: the file has 48 bytes, expected 562924184010750 for",
    ),
    "a line of 10 MB": (
        lambda: in_main("acquisition_notes " + "x" * 10**7 + "\n"),
        r"a\.img\.hdr:\d+: the line has 100000\d\d characters, expected at most 65536",
    ),
    "10^6 known keys": (lambda: in_frame("singles 0 1 2\n" * MILLION), TOO_MANY_LINES),
    "10^6 unknown keys": (lambda: in_main("no_such_key 1\n" * MILLION), TOO_MANY_LINES),
    "10^6 different keys": (lambda: in_main("".join(f"k{n} 1\n" for n in range(MILLION))), TOO_MANY_LINES),
    "10^6 frame blocks": (lambda: in_main("frame\n" * MILLION), TOO_MANY_LINES),
    "a frame block a line": (lambda: in_main("frame 0\n" * (lexer.MOST_LINES - 100)), TOO_MANY_FRAMES),
    "33 MB": (
        lambda: in_main(("no_such_key " + "x" * 65000 + "\n") * 510),
        r"a\.img\.hdr: the header has 33\d{6} bytes",
    ),
}
A_QUARTER = (lexer.MOST_LINES - 100) // 4  # of the lines: what compares each with each takes a minute and more
MANY = "".join(
    [
        "".join(f"k{n} 1\n" for n in range(A_QUARTER)),
        "subject_age 1\nsubject_age 2\n" * (A_QUARTER // 2),
        "bed_control x\n" * A_QUARTER,
    ]
)
HALF_OF_THE_BYTES = LARGEST_HEADER // 65100 // 2
LONG: dict[str, tuple[Callable[[], str], int]] = {  # and how many findings
    "lines": (lambda: in_main(MANY).replace(FRAME, FRAME + "singles 0 1.0 2.0\n" * A_QUARTER), 70),
    "bytes": (
        lambda: in_main(
            "\U0001f600 x\n" + ("k " + "x" * 65000 + "\n" + " " * 65000 + "\n") * HALF_OF_THE_BYTES,
        ),
        10,
    ),
}


Measured = Callable[[Path, str], tuple[int, str]]


@pytest.fixture(scope="module")
def measured(measures: Measures, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Measured]:
    """Convert in a process of its own, whose time and memory are bounded; return its exit code and its stderr."""
    first = tmp_path_factory.mktemp("first")
    with running_python("-c", FORKING, write_pet(first).data, first / "out") as server:

        def convert_measured(folder: Path, header: str) -> tuple[int, str]:
            (folder / "in").mkdir()
            (folder / "in" / "a.img").write_bytes(bytes(48))
            (folder / "in" / "a.img.hdr").write_text(header, "utf-8")
            arguments = ["convert", str(folder / "in"), str(folder / "out")]
            assert server.stdin
            assert server.stdout
            print(json.dumps((arguments, str(folder / "stderr"))), file=server.stdin, flush=True)
            code, seconds, memory = server.stdout.readline().split()
            measures.largest("time for a hostile header, s", float(seconds))
            measures.largest("memory for a hostile header, MiB", int(memory) / PER_MB)
            assert float(seconds) < LONGEST_S
            assert 10 < int(memory) / PER_MB < LARGEST_MEMORY_MB  # a Python with numpy has 10 and more
            return int(code), (folder / "stderr").read_text("utf-8").removesuffix("\n")

        yield convert_measured


needs_measure = pytest.mark.skipif(sys.platform == "win32", reason="Windows does not tell the memory of a child")


@needs_measure
@pytest.mark.parametrize("name", TOO_MUCH)
def test_what_claims_too_much_is_refused_at_once(tmp_path: Path, measured: Measured, name: str) -> None:
    header, message = TOO_MUCH[name]
    code, shown = measured(tmp_path, header())
    assert code == 1
    assert shown.startswith("error: ")
    assert shown.count("\n") == 0
    assert re.search(message, shown), shown
    assert not (tmp_path / "out").exists()


COUNTS = {
    "frames": {"total_frames": "1000000000"},
    "time frames": {"time_frames": "1000000000"},
    "beds": {"number_of_bed_positions": "1000000000"},
    "gates": {"gate_bins": "1 1000000000 0 0", "acquisition_mode": "4"},
}


@needs_measure
@pytest.mark.parametrize("name", COUNTS)
def test_counts_that_claim_too_much_are_findings(tmp_path: Path, measured: Measured, name: str) -> None:
    key = next(iter(COUNTS[name]))
    code, shown = measured(tmp_path, header_text(COUNTS[name]))
    assert code == 0, shown
    assert re.search(rf": {key} is 1000000000[, ]", shown)


@needs_measure
@pytest.mark.parametrize("name", LONG)
def test_what_is_long_and_harmless_is_converted(tmp_path: Path, measured: Measured, name: str) -> None:
    header, findings = LONG[name]
    code, shown = measured(tmp_path, header())
    assert code == 0, shown
    assert 0 < len(shown.splitlines()) < findings
    assert len(list((tmp_path / "out" / "1").iterdir())) == 2


def test_of_many_findings_of_a_kind_a_few_are_shown_and_the_others_counted() -> None:
    _, found = parse(in_main("subject_age 1\nsubject_age 2\n" * 50).encode())
    shown = [finding for finding in found if finding.code == "repeated-key"]
    first = shown[0].line or 0
    assert [finding.line for finding in shown] == list(range(first, first + 17))
    assert shown[-1].message == "subject_age has 83 more of these: repeated-key"
    assert {(finding.key, finding.severity) for finding in shown} == {("subject_age", Severity.WARNING)}


def test_the_longest_header_has_so_many_lines() -> None:
    lines = lexer.MOST_LINES - SMALL.count("\n")
    header, _ = parse(in_frame("no_such_key 1\n" * lines).encode())
    assert len(header.frames[0].extras) == lines
    with pytest.raises(HeaderError, match="lines, expected at most"):
        parse(in_frame("no_such_key 1\n" * (lines + 1)).encode())


def test_the_longest_header_has_so_many_frames() -> None:
    header, _ = parse(frames(lexer.MOST_FRAMES).encode())
    assert len(header.frames) == lexer.MOST_FRAMES
    with pytest.raises(HeaderError, match="one frame block too many"):
        parse(frames(lexer.MOST_FRAMES + 1).encode())


# Text of a header is data.

TEXT_VRS = {"AE", "AS", "CS", "DA", "DS", "DT", "IS", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"}
TEXTS = {
    "relative": "../../x",
    "deep": "../" * 40 + "x.dcm",
    "absolute": "{folder}/elsewhere/x",
    "drive": "C:\\elsewhere\\x",
    "share": "\\\\host\\share\\x",
    "device": "CON",
    "home": "~/x",
    "colour": "\x1b[31mred",
    "title": "\x1b]0;title\x07",
    "one byte escape": "\x9b31mred",
    "bell and backspace": "a\x07\x08\x7fb",
    "carriage return": "a\rb\x0bc\x0cd\x85e\u2028f",
    "bidi": "\u202egnp.exe\u2066\u200b\ufeff",
    "html": "<script>alert(1)</script>",
    "markup": "[red]x[/red] [link=http://x]y[/link] :boom:",
    "shell": "$(touch x); `touch x` | touch x && touch x",
    "format": "%s%n {0.__class__}",
}
KEYS = [*(key for key, field in MAIN.items() if field.codec is TEXT), "user", "gate_description 1", "no_such_key"]
WRITTEN = re.compile(
    r"in/[ab]\.img(?:\.hdr)?|out/(?:classic|enhanced|legacy)/(?:[12]/(?:CT|PET)-\d{6}\.dcm|inveon-manifest\.json)"
)


@pytest.mark.parametrize("name", TEXTS)
def test_text_becomes_no_path_and_steers_no_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    text, work = TEXTS[name].replace("{folder}", str(tmp_path)), tmp_path / "1" / "2"
    source, here = work / "in", work / "here"
    here.mkdir(parents=True)
    source.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(here))
    headers = {pair.header: spoil(pair.header, text) for pair in (write_ct(source), write_pet(source))}

    number = list(TEXTS).index(name)
    form = list(Form)[number % len(Form)]  # each text in one form, in turn
    entries = [inveon("info", source), inveon("info", source, "--json")]
    entries += [inveon("convert", source, work / "out", "-n", *([] if number % 2 else ["--json"]))]
    entries += [inveon("convert", source, work / "out" / form.value, "--as", form.value, "--json")]
    for result in entries:
        assert result.exit_code == 0
        assert_harmless(result.stdout)
        assert_harmless(result.stderr)

    created = [Path("1", "2", name).as_posix() for name in files_below(work)]
    assert files_below(tmp_path) == created  # nothing elsewhere
    assert list(here.iterdir()) == []
    assert [name for name in files_below(work) if not WRITTEN.fullmatch(name)] == []
    found = {header_bytes(ds) for ds in read_all(work / "out") if (GROUP, 0x0010) in ds}
    assert found == set(headers.values())  # which keep the text, byte for byte
    for ds in read_all(work / "out"):
        assert [element for element in ds.iterall() if element.tag.group != GROUP and not is_printable(element)] == []


@pytest.mark.parametrize("name", ["markup", "html", "shell", "format"])
def test_text_is_shown_as_it_is(tmp_path: Path, name: str) -> None:
    spoil(write_pet(tmp_path).header, TEXTS[name])
    assert TEXTS[name] in inveon("info", tmp_path / "b.img").stdout


def write_ct(folder: Path) -> Pair:
    return write_scan(folder / "a.img", KINDS["CT"])


def write_pet(folder: Path) -> Pair:
    return write_scan(folder / "b.img", KINDS["PET"])


def spoil(header: Path, text: str) -> bytes:
    """Give a text to all keys that take one, make it a key, and return the header."""
    keys = {key.split(" ")[0] for key in KEYS}
    lines = [line for line in header.read_text("utf-8").split("\n") if line.split(" ")[0] not in keys]
    end = lines.index("end_of_header")
    doubtful = [*(f"{key} {text}" for key in KEYS), text, text.replace(" ", "_") + " 1"]
    header.write_bytes("\n".join([*lines[:end], *doubtful, *lines[end:]]).encode())
    return header.read_bytes()


def read_all(folder: Path) -> list[pydicom.FileDataset]:
    return [pydicom.dcmread(path) for path in sorted(folder.rglob("*.dcm"))]


def is_printable(element: DataElement) -> bool:
    """Return whether a text holds nothing but what can be seen; other values are no text."""
    values = element.value if element.VM > 1 else [element.value]
    return element.VR not in TEXT_VRS or all(str(value or "").isprintable() for value in values)
