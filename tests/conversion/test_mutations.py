"""Headers changed at random, through the whole conversion: files that hold together, or one typed error in one line."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inveonimaging import InveonError, convert
from inveonimaging.phantom import CT_SCAN, PET_SCAN, frames_of, write_scan

SMALL = {"shape": (5, 4, 1), "spacing_mm": (6.0, 6.0, 90.0)}
SCANS = {
    "a.ct.img": replace(CT_SCAN, **SMALL),  # type: ignore[arg-type]  # shape and spacing
    "b.pet.img": replace(PET_SCAN, frames=frames_of(15.0, 60.0), **SMALL),  # type: ignore[arg-type]  # likewise
}
ODD_VALUES = [
    *("", "0", "-1", "1", "2", "9", "99", "65536", "4294967296", "-2147483648", "0.5", "nan", "inf", "abc"),
    *("1e30", "-1e30", "1e-30", "1e308", "5e-324", "1 2 3", "1e5 1e5 1e5", "7 " * 40, "x" * 500),
    *("Thu Jan  1 00:00:00 1970", "Fri Dec 31 23:59:59 9999", "Mon Jan  1 00:00:00 0001"),
    *("Äöü ß", "日本語 テスト", "a\\b^c=d", "^^^^^^^", "=====", "%s%n", "\x1b[31mred", "[red]x[/red]", "../../x"),
]

Edit = Callable[[list[str], int], None]


def set_value(value: str) -> Edit:
    def edit(lines: list[str], place: int) -> None:
        lines[place] = f"{lines[place].split(' ')[0]} {value}"

    return edit


def leave_out(lines: list[str], place: int) -> None:
    lines[place] = "#"


def repeat(lines: list[str], place: int) -> None:
    lines.insert(place, lines[place])


EDITS = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(ODD_VALUES).map(set_value) | st.just(leave_out) | st.just(repeat),
    ),
    min_size=1,
    max_size=4,
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[bytes, list[str]]]:
    """Data and header lines of a CT and a PET."""
    folder = tmp_path_factory.mktemp("scans")
    written = {name: write_scan(folder / name, scan) for name, scan in SCANS.items()}
    return {name: (p.data.read_bytes(), p.header.read_text("utf-8").split("\n")) for name, p in written.items()}


def outcome(data: bytes, lines: list[str], name: str) -> str | None:
    """Convert a pair; return the error's text, or None after looking at what was written."""
    with tempfile.TemporaryDirectory() as work:
        source, output = Path(work, "in"), Path(work, "out")
        source.mkdir()
        (source / name).write_bytes(data)
        (source / f"{name}.hdr").write_bytes("\n".join(lines).encode())
        try:
            [study] = convert(source, output)
        except InveonError as error:
            assert not output.exists()
            return str(error)
        instances = [pydicom.dcmread(file) for file in output.rglob("*.dcm")]
        assert len(instances) == sum(series.instances for series in study.series)
        for element in instances[0].iterall():
            assert element.value is not None or element.VM == 0  # read, with pydicom's strict validation
        return None


@settings(max_examples=80)
@given(name=st.sampled_from(list(SCANS)), edits=EDITS)
def test_any_change_of_a_header_ends_in_files_or_in_one_line(
    files: dict[str, tuple[bytes, list[str]]], name: str, edits: list[tuple[float, Edit]]
) -> None:
    data, lines = files[name][0], list(files[name][1])
    for place, edit in edits:
        keyed = [number for number, line in enumerate(lines) if line and not line.startswith("#")]
        edit(lines, keyed[int(place * len(keyed))])
    error = outcome(data, lines, name)
    assert error is None or error.isprintable()


@pytest.mark.parametrize(
    ("key", "value", "refused"),
    [
        ("dose", "1e308", None),  # beyond a float in Bq: left out
        ("subject_weight", "1e308", None),
        ("calibration_factor", "1e308", "1e-100 to 1e+100"),
        ("investigator", "^^^^", None),  # a name of nothing has no role
        ("subject_date_of_birth", "Fri Dec 31 23:59:59 9999", None),
        ("scan_time", "Fri Dec 31 23:59:59 9999", "a year up to 2200"),
        ("frame_duration", "1e308", "seconds, at most a year"),
        ("frame_duration", "-60", "seconds, at most a year"),
        ("frame_start", "1e308", "seconds after scan_time, at most a year"),
    ],
)
def test_values_beyond_reason(
    files: dict[str, tuple[bytes, list[str]]], key: str, value: str, refused: str | None
) -> None:
    data, lines = files["b.pet.img"]
    edited = [f"{key} {value}" if line.split(" ")[0] == key else line for line in lines]
    assert edited != lines
    error = outcome(data, edited, "b.pet.img")
    assert (error is None) if refused is None else (error is not None and refused in error)
