"""The header's text: split into lines, parsed into a typed header, and written back."""

from __future__ import annotations

import functools
import locale
import time
import types
import typing
from collections.abc import Iterator
from dataclasses import fields as dataclass_fields
from dataclasses import is_dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum
from functools import reduce
from operator import attrgetter
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from helpers import header_text
from inveonimaging import units
from inveonimaging.errors import HeaderError
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.hdr import Frame, Header, enums, lexer, parse, values, write
from inveonimaging.inveon.hdr.fields import FRAME, MAIN, Field
from inveonimaging.inveon.hdr.model import Extra
from inveonimaging.inveon.hdr.values import Filter, GateBins, GateDescription, Indexed, Singles, User

BOOKKEEPING = {"frames", "extras", "source", "encoding"}
ATTRIBUTES = [(Header, table, key) for table in (MAIN,) for key in table] + [(Frame, FRAME, key) for key in FRAME]

# ---------------------------------------------------------------------------------------------------------------------
# Any header: values from the types that the model declares, not from the codecs under test.

CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\n\0")
TEXTS = st.text(CHARACTERS, min_size=1, max_size=20).map(str.strip).filter(bool)
WORDS = st.text(CHARACTERS.filter(lambda c: not c.isspace()), min_size=1, max_size=12)
INTEGERS = st.integers(-(10**19), 10**19)
LEAVES = {
    str: TEXTS,
    int: INTEGERS,
    float: st.floats(allow_nan=False, allow_infinity=False),
    bool: st.booleans(),
    datetime: st.datetimes().map(lambda date: date.replace(microsecond=0)),
    User: st.builds(User, WORDS, TEXTS | st.just("")),
    GateDescription: st.builds(GateDescription, INTEGERS, TEXTS | st.just("")),
}


def of_type(hint: Any) -> st.SearchStrategy[Any]:
    """Return the values of a type; of an optional one, None too."""
    if hint in LEAVES:
        return LEAVES[hint]
    kind, args = typing.get_origin(hint), typing.get_args(hint)
    if kind in (typing.Union, types.UnionType):
        return st.one_of(*(st.none() if arg is types.NoneType else of_type(arg) for arg in args))
    if kind is tuple and args[-1] is Ellipsis:
        return st.lists(of_type(args[0]), min_size=1, max_size=3).map(tuple)
    if kind is tuple:
        return st.tuples(*map(of_type, args))
    if issubclass(hint, IntEnum):
        return st.sampled_from(list(hint))
    return st.builds(hint, *map(of_type, typing.get_type_hints(hint).values()))


hints_of = functools.cache(typing.get_type_hints)


def type_of(owner: type, path: str) -> Any:
    """Return the declared type of an attribute like `tracer.isotope`."""
    return reduce(lambda kind, name: hints_of(kind)[name], path.split("."), owner)


def with_value(owner: Any, path: str, value: Any) -> Any:
    """Return a header or frame with one attribute replaced."""
    group, _, name = path.rpartition(".")
    return replace(owner, **({group: replace(getattr(owner, group), **{name: value})} if group else {name: value}))


def with_values(owner: Any, pairs: dict[str, Any]) -> Any:
    """Return a header or frame with some attributes replaced."""
    return reduce(lambda thing, pair: with_value(thing, *pair), pairs.items(), owner)


def some_values(owner: type, table: dict[str, Field], least: int = 0) -> st.SearchStrategy[dict[str, Any]]:
    """Return values of some attributes of a header or frame; None for those that may be unknown."""
    kinds = {field.attribute: of_type(type_of(owner, field.attribute)) for field in table.values()}
    names = st.lists(st.sampled_from(list(kinds)), unique=True, min_size=least, max_size=12)
    return names.flatmap(lambda chosen: st.fixed_dictionaries({name: kinds[name] for name in chosen}))


def some_extras(table: dict[str, Field], untypable: list[Extra]) -> st.SearchStrategy[tuple[Extra, ...]]:
    """Return lines of unknown keys, and of known ones with a value that cannot be typed."""
    taken = {*table, lexer.FRAME, lexer.END}
    keys = WORDS.map(str.lower).filter(lambda key: key not in taken and key[0] not in "#\ufeff" and key == key.lower())
    unknown = st.builds(Extra, keys, TEXTS | st.just(""))
    return st.lists(unknown | st.sampled_from(untypable), max_size=4).map(tuple)


BAD_MAIN = [Extra("x_dimension", "four"), Extra("modality", "9"), Extra("singles", "1 2"), Extra("user_", "")]
BAD_FRAME = [
    Extra("scale_factor", "0,8"),
    Extra("singles", "all"),
    Extra("event_type", "77"),
    Extra("x_dimension", "4"),
]
FRAMES = st.builds(
    lambda values, extras: with_values(Frame(extras=extras), values),
    some_values(Frame, FRAME),
    some_extras(FRAME, BAD_FRAME),
)
HEADERS = st.builds(
    lambda values, extras, frames, encoding: replace(
        with_values(Header(version=1.5), values), version=1.5, extras=extras, frames=tuple(frames), encoding=encoding
    ),
    some_values(Header, MAIN),
    some_extras(MAIN, BAD_MAIN),
    st.lists(FRAMES, max_size=4),
    st.sampled_from(["utf-8", "latin-1"]),
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(HEADERS, st.sampled_from(["\n", "\r\n"]))
@example(
    Header(version=1.5, frames=(Frame(), Frame(index=3), Frame(extras=(Extra("frame", "x"), Extra("y", "1"))))), "\n"
)
@example(Header(version=1.5, institution="Ã©", encoding="latin-1"), "\n")
@example(Header(version=1.5, institution="ü", encoding="latin-1"), "\n")
@example(Header(version=1.5, institution="Ωμέγα", encoding="latin-1"), "\r\n")
def test_any_header_survives_being_written_and_read(header: Header, newline: str) -> None:
    assert parse(write(header, newline=newline))[0] == header


# One field of each codec and declared type: that each key has its own attribute is shown for every field further below.
KINDS = {
    (id(table[key].codec), type_of(owner, table[key].attribute)): (owner, table, key)
    for owner, table, key in ATTRIBUTES
}


@pytest.mark.parametrize(
    ("owner", "table", "key"), KINDS.values(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_every_kind_of_field_survives_being_written_and_read(owner: type, table: dict[str, Field], key: str) -> None:
    attribute = table[key].attribute

    @settings(max_examples=15, deadline=None, database=None)
    @given(of_type(type_of(owner, attribute)))
    def survives(value: Any) -> None:
        changed = with_value(owner(), attribute, value)
        header = replace(changed, version=1.5) if owner is Header else Header(version=1.5, frames=(changed,))
        assert parse(write(header)) == (header, ())

    survives()


def test_an_attribute_with_two_names_is_written_under_the_present_one() -> None:
    for header in (Header(), parse(b"version 1\n")[0]):
        text = write(with_value(header, "detector.source_radius_mm", 30.0)).decode()
        assert [line for line in text.split("\n") if "src_radius" in line] == ["src_radius 3"]


def test_many_frames_survive_in_their_order() -> None:
    frames = tuple(Frame(index=n, data_offset=n << 30, singles=(Singles(n, 1.5, None),)) for n in range(500))
    assert parse(write(Header(total_frames=500, frames=frames)))[0].frames == frames


@pytest.mark.parametrize("text", ["two\nlines", "x\nend_of_header\nframe 0", "nul\0"])
@pytest.mark.parametrize("sourced", [True, False])
def test_text_that_would_become_other_lines_is_refused(text: str, sourced: bool) -> None:
    header = parse(b"study a\n")[0] if sourced else Header()
    with pytest.raises(HeaderError, match=r"^study is '.*', expected text in one line$"):
        write(replace(header, study=text))
    with pytest.raises(HeaderError, match="expected text in one line"):
        write(replace(header, extras=(Extra("mine", text),)))


# ---------------------------------------------------------------------------------------------------------------------
# The table and the model.


def leaves(owner: type, prefix: str = "") -> Iterator[str]:
    """Yield the paths of all attributes that hold a value."""
    for name, hint in typing.get_type_hints(owner).items():
        if is_dataclass(hint):
            yield from leaves(typing.cast(type, hint), f"{name}.")
        elif prefix or name not in BOOKKEEPING:
            yield prefix + name


@pytest.mark.parametrize(("owner", "table"), [(Header, MAIN), (Frame, FRAME)])
def test_rows_and_attributes_match(owner: type, table: dict[str, Field]) -> None:
    assert {field.attribute for field in table.values()} == set(leaves(owner))


@pytest.mark.parametrize(
    ("owner", "table", "key"), ATTRIBUTES, ids=lambda value: value if isinstance(value, str) else ""
)
def test_row_fits_its_attribute(owner: type, table: dict[str, Field], key: str) -> None:
    field, hint = table[key], type_of(owner, table[key].attribute)
    assert key == key.lower()
    assert key.lstrip("#").split() == [key]
    assert field.repeats == (typing.get_args(hint)[-1:] == (Ellipsis,))
    codes = {arg for arg in typing.get_args(hint) if isinstance(arg, type) and issubclass(arg, IntEnum)}
    assert {field.codec.choices} - {None} == codes
    assert field.comment.splitlines() == [field.comment]


def test_only_old_names_share_an_attribute() -> None:
    attributes = [field.attribute for field in MAIN.values()]
    shared = {key for key, field in MAIN.items() if attributes.count(field.attribute) > 1}
    assert shared == {"src_radius", "pt_src_radius", "src_steps_per_rev", "pt_src_steps_per_rev"}
    assert len({field.attribute for field in FRAME.values()}) == len(FRAME)


def test_dataclasses_are_frozen() -> None:
    header = Header()
    groups = [getattr(header, f.name) for f in dataclass_fields(Header) if is_dataclass(getattr(header, f.name))]
    assert len(groups) == 14
    assert all(thing.__dataclass_params__.frozen for thing in [header, Frame(), *groups])


# ---------------------------------------------------------------------------------------------------------------------
# One value.


def read(key: str, text: str, table: dict[str, Field] = MAIN) -> Any:
    """Return what a key's text is read as; if it cannot be, check that the text is kept and a finding says so."""
    lines = ["study a"] if table is MAIN else ["study a", "end_of_header", "frame 0"]
    header, findings = parse("\n".join([*lines, f"{key} {text}", "end_of_header"]).encode())
    owner = header if table is MAIN else header.frames[0]
    value = attrgetter(table[key].attribute)(owner)
    if value is None:
        assert owner.extras == ((Extra(key, text),) if text else ())
        assert [(f.key, f.line, f.severity) for f in findings] == [(key, len(lines) + 1, Severity.WARNING)] * bool(text)
    else:
        assert (owner.extras, findings) == ((), ())
    return value


DATE = datetime(1973, 9, 16, 1, 3, 52)


@pytest.mark.parametrize(
    ("key", "text", "expected"),
    [
        ("version", "001.910", 1.91),
        ("lld", "+350", 350.0),
        ("lld", "-3.5e2", -350.0),
        ("lld", ".5", 0.5),
        ("lld", "5.", 5.0),
        ("x_dimension", "007", 7),
        ("x_dimension", "128.0", 128),
        ("x_dimension", "1e3", 1000),
        ("pixel_size", "0.08", 0.8),  # 0.08 * 10 is 0.8 here, and not 0.8000000000000000444
        ("radius", "8.05", 80.5),
        ("modality", "-1", enums.Modality.UNKNOWN),
        ("modality", "1", enums.Modality.CT),
        ("model", "5001.0", enums.Model.INVEON_MM),
        ("subject_orientation", "0", enums.Orientation.UNKNOWN),
        ("decay_correction_applied", "0", False),
        ("decay_correction_applied", "2", True),
        ("manufacturer", "Concorde Microsystems, Inc.", "Concorde Microsystems, Inc."),
        ("file_name", r"C:\my data\mouse  7.img", r"C:\my data\mouse  7.img"),
        ("x_filter", "1 0.5", Filter(enums.FilterWindow.RAMP, 0.5)),
        ("y_filter", "3", Filter(enums.FilterWindow.HANN, None)),
        ("image_ref_shift", "1.5 -2  3e-1", (1.5, -2.0, 0.3)),
        ("gate_bins", "1 8 -1 0.2", (GateBins(1, 8, -1.0, 0.2),)),
        ("gate_description", "1 ECG  lead II", (GateDescription(1, "ECG  lead II"),)),
        ("gate_description", "2", (GateDescription(2, ""),)),
        ("user", "Colour dark brown", (User("Colour", "dark brown"),)),
        ("user", "Colour", (User("Colour", ""),)),
        ("projection", "3 12.5", (Indexed(3, 12.5),)),
        ("ROI_file:".lower(), "a b.roi", "a b.roi"),
        ("scan_time", "Sun Sep 16 01:03:52 1973", DATE),
        ("scan_time", "Wed Sep  5 01:03:52 1973", DATE.replace(day=5)),
        ("scan_time", "Wed Sep 5 01:03:52 1973", DATE.replace(day=5)),
        ("scan_time", "Wed Sep 05 01:03:52 1973", DATE.replace(day=5)),
        ("scan_time", "Wed\tSep 5  1:03:52 1973", DATE.replace(day=5)),
        ("scan_time", "SUN SEP 16 01:03:52 1973", DATE),
        ("subject_date_of_birth", "Jan 2 2015", "Jan 2 2015"),
        ("isotope", "", None),
    ],
)
def test_value(key: str, text: str, expected: Any) -> None:
    assert read(key, text) == expected


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        ("0", 0),
        ("4096", 4096),
        ("4294967296", 1 << 32),
        ("0 0", 0),
        ("0 2147483647", 0x7FFFFFFF),
        ("0 -2147483648", 0x80000000),
        ("0 -1", 0xFFFFFFFF),
        ("0 4294967295", 0xFFFFFFFF),
        ("1 0", 1 << 32),
        ("1 -1", 0x1FFFFFFFF),
        ("3 -559038737", 0x3DEADBEEF),
        ("1 2 3", None),
        ("1 x", None),
    ],
)
def test_data_file_pointer(text: str, offset: int | None) -> None:
    assert read("data_file_pointer", text, FRAME) == offset


@pytest.mark.parametrize("offset", [0, 5, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000000, 0x1DEADBEEF])
def test_data_file_pointer_is_written_as_two_signed_words(offset: int) -> None:
    line = next(
        line
        for line in write(Header(version=1.0, frames=(Frame(data_offset=offset),))).decode().split("\n")
        if "pointer " in line
    )
    high, low = (int(word) for word in line.split()[1:])
    assert -(1 << 31) <= low < 1 << 31
    assert offset == high * (1 << 32) + low % (1 << 32)


NOT_NUMBERS = [
    "0,8",
    "1.234,5",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "1_000",
    "0x10",
    "1.#QNAN",
    "1.#INF",
    "-1.#IND",
    "1e400",
]
NOT_NUMBERS += [
    "1 2",
    "1.0f",
    "1e",
    "e5",
    ".",
    "+",
    "--1",
    "1e99999",
    "٣",
    "\uff11\uff12",
    "½",
    "²",
    "9" * 65,
    "1.5 # comment",
]


@pytest.mark.parametrize("text", NOT_NUMBERS)
@pytest.mark.parametrize(
    "key", ["calibration_factor", "x_dimension", "pixel_size", "subject_orientation", "arc_correction_applied"]
)
def test_not_a_number(key: str, text: str) -> None:
    assert read(key, text) is None


@pytest.mark.parametrize("text", ["1.5", "1e-1", "1e21", "1e9999", "1e-9999"])
@pytest.mark.parametrize("key", ["x_dimension", "data_type"])
def test_not_a_whole_number(key: str, text: str) -> None:
    assert read(key, text) is None


@pytest.mark.parametrize(
    "text",
    [
        "Sun Sep 31 01:03:52 1973",
        "Sun Sep 16 24:03:52 1973",
        "Sun Sep 16 01:03:52 0000",
        "Sun Sep 16 01:03:52 CET 1973",
        "Sun Sep 16 01:03:52 1973 1",
        "Sun Sep \u0661\u0666 01:03:52 1973",
        "So Sep 16 01:03:52 1973",
        "Die Okt 16 01:03:52 1973",
        "Sep 16 01:03:52 1973",
        "Sun Sep 16 1973",
        "16.09.1973",
        "1973-09-16T01:03:52",
        "0",
    ],
)
def test_not_a_date(text: str) -> None:
    assert read("scan_time", text) is None


@pytest.mark.parametrize("key", ["image_ref_shift", "gate_bins", "projection", "delta_elements", "x_filter"])
@pytest.mark.parametrize("text", ["1 2 3 4 5", "x", "1;2;3", "8,1 2"])
def test_wrong_number_of_values(key: str, text: str) -> None:
    assert not read_any(key, text)


def read_any(key: str, text: str) -> Any:
    """Return what a key's text is read as, whether it repeats or not."""
    header, findings = parse(f"version 1.5\n{key} {text}\nend_of_header".encode())
    assert header.extras == (Extra(key, text),)
    assert [finding.code for finding in findings] == ["bad-value"]
    return attrgetter(MAIN[key].attribute)(header)


CODES = [(table, key) for table in (MAIN, FRAME) for key, field in table.items() if field.codec.choices]


@pytest.mark.parametrize(("table", "key"), CODES, ids=lambda value: value if isinstance(value, str) else "")
def test_codes(table: dict[str, Field], key: str) -> None:
    members = table[key].codec.choices
    assert members is not None
    assert [read(key, str(int(member)), table) for member in members] == list(members)
    assert [read(key, text, table) for text in ("-77", "4711", "99999999999999999999", "PET")] == [None] * 4


def test_finding_of_an_unknown_code_says_what_was_expected() -> None:
    header, findings = parse(b"version 1\ndata_type 9\nmodel 12\nend_of_header\n")
    assert (header.array.data_type, header.model) == (None, None)
    assert [(f.code, f.key, f.line) for f in findings] == [
        ("unknown-code", "data_type", 2),
        ("unknown-code", "model", 3),
    ]
    assert findings[0].message == "data_type is '9', expected 1 to 7; taken as unknown"
    assert "one of 0, 2000, 2001, 2002, 2500" in findings[1].message


def test_many_unknown_keys_are_one_finding() -> None:
    (found,) = parse("\n".join(["version 1", *(f"mine{n} 1" for n in range(10)), "end_of_header"]).encode())[1]
    names = ", ".join(f"mine{n}" for n in range(8))
    assert found.message == f"unknown keys, kept as they are: {names} and 2 more"


def test_findings_are_one_harmless_line() -> None:
    findings = parse(b"version 1\nmodel \x1b[2J" + b"x" * 5000 + b"\n\x1b[31mkey 1\nend_of_header")[1]
    assert len(findings) == 2
    assert all(str(finding).isprintable() and len(str(finding)) < 300 for finding in findings)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_means_the_same_in_any_locale_as_for_python(value: float) -> None:
    assert units.number(repr(value)) == value
    assert units.number(units.spell(value)) == value


COMMA_LOCALES = ["de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8", "German_Germany.1252"]


@pytest.fixture
def comma_locale() -> Iterator[None]:
    """Run with a decimal comma and foreign month names, where the machine has such a locale."""
    before = locale.setlocale(locale.LC_ALL)
    for name in COMMA_LOCALES:
        try:
            locale.setlocale(locale.LC_ALL, name)
            break
        except locale.Error:
            continue
    else:
        pytest.skip("no locale with a decimal comma on this machine")
    yield
    locale.setlocale(locale.LC_ALL, before)


@pytest.mark.usefixtures("comma_locale")
def test_numbers_and_dates_in_a_comma_locale() -> None:
    assert locale.localeconv()["decimal_point"] == ","
    test_numbers_and_dates_are_spelled_in_english()
    assert read("calibration_factor", "0,8") is None


def test_numbers_and_dates_are_spelled_in_english() -> None:
    header = Header(version=1234.5, acquisition=replace(Header().acquisition, scan_time=datetime(2015, 10, 6, 4, 5, 6)))
    lines = write(header).decode().split("\n")
    assert {"version 1234.5", "scan_time Tue Oct  6 04:05:06 2015"} <= set(lines)
    assert parse("\n".join(lines).encode()) == (header, ())


@pytest.mark.parametrize("month", range(1, 13))
def test_months_and_weekdays_are_those_of_c(month: int) -> None:
    date = datetime(2015, month, month + 9, 23, 59, 8)
    assert values.spell_ctime(date) == date.ctime()
    assert values.ctime(date.ctime()) == date


@pytest.mark.parametrize(
    ("unit", "dose", "expected"),
    [
        ("1", "0.2", 7.4e6),
        ("2", "7.4", 7.4e6),
        ("0", "7.4", None),
        ("7", "7.4", None),
        (None, "7.4", None),
        ("1", "0", None),
        ("2", "-1", None),
        ("2", None, None),
    ],
)
def test_dose_in_becquerel(unit: str | None, dose: str | None, expected: float | None) -> None:
    assert parse(header_text({"dose_units": unit, "dose": dose}).encode())[0].tracer.dose_bq == expected


@pytest.mark.parametrize(
    ("unit", "weight", "expected"),
    [
        ("1", "25.3", 0.0253),
        ("2", "1", 0.028349523125),
        ("3", "0.3", 0.3),
        ("4", "2", 0.90718474),
        ("0", "25", None),
        ("1", "0", None),
        ("1", None, None),
    ],
)
def test_weight_in_kilograms(unit: str, weight: str | None, expected: float | None) -> None:
    assert (
        parse(header_text({"subject_weight_units": unit, "subject_weight": weight}).encode())[0].subject.weight_kg
        == expected
    )


@pytest.mark.parametrize(
    ("unit", "length", "expected"),
    [("1", "95", 0.095), ("2", "9.5", 0.095), ("3", "4", 0.1016), ("0", "9", None), ("2", "-1", None)],
)
def test_length_in_metres(unit: str, length: str, expected: float | None) -> None:
    assert (
        parse(header_text({"subject_length_units": unit, "subject_length": length}).encode())[0].subject.length_m
        == expected
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [("34.427", 344.27), ("402.99", 402.99), ("99.9", 999.0), ("100", 100.0), ("0", None), ("-5", None)],
)
def test_ct_distances_are_cm_below_100_and_mm_above(text: str, expected: float | None) -> None:
    ct = parse(header_text({"ct_source_to_detector": text, "ct_source_to_crot": text}).encode())[0].ct
    assert (ct.source_to_detector_mm, ct.source_to_rotation_centre_mm) == (expected, expected)


# ---------------------------------------------------------------------------------------------------------------------
# Text that was read and not changed.

ODD = """\
#
# Header file for data file mouse.img
#\twith 2 frames
# modifications: Images flipped about x
version\t\t001.910
  Manufacturer   Siemens  \t
INSTITUTION Universitätsklinik Köln
operator
study_identifier \t
x_dimension 4
x_dimension 5
x_dimension
y_dimension many
y_dimension 3
z_dimension 2
z_dimension few
pt_src_radius 3.00
src_radius 2.5
src_radius
user Colour   dark  brown
user
user Cage 7
projection 0 0
projection 1 1.50
projection one
projection 2 3
vendor_secret 0x10 ü
vendor_secret 0x10 ü
vendor_secret

end_of_header
# between
frame 0
data_file_pointer 0 -0
scale_factor 1.0
scale_factor 2.0
singles 0 10
singles 1 11.50 12
secret_of_frame
end_of_header
frame last
scale_factor 0,8
singles none
"""
COLOURS = (User("Colour", "dark  brown"), User("Cage", "7"))


def test_odd_text_is_read_as_meant() -> None:
    header, findings = parse(ODD.encode())
    assert (header.manufacturer, header.institution) == ("Siemens", "Universitätsklinik Köln")
    assert (header.acquisition.operator, header.acquisition.study_identifier) == (None, None)
    assert (header.array.x, header.array.y, header.array.z) == (5, 3, 2)
    assert header.detector.source_radius_mm == 25.0
    assert header.user == COLOURS
    assert header.gantry.projection_angles_deg == (Indexed(0, 0.0), Indexed(1, 1.5), Indexed(2, 3.0))
    assert header.extras[:3] == (Extra("y_dimension", "many"), Extra("z_dimension", "few"), Extra("projection", "one"))
    assert header.extras[3:] == (*[Extra("vendor_secret", "0x10 ü")] * 2, Extra("vendor_secret", ""))
    assert [frame.index for frame in header.frames] == [0, None]
    assert header.frames[0].scale_factor == 2.0
    assert header.frames[0].singles == (Singles(0, 10.0, None), Singles(1, 11.5, 12.0))
    assert header.frames[1].extras == (Extra("frame", "last"), Extra("scale_factor", "0,8"), Extra("singles", "none"))
    assert [(f.code, f.line) for f in findings] == [
        ("repeated-key", 11),
        ("bad-value", 13),
        ("bad-value", 16),
        ("repeated-key", 18),
        ("bad-value", 25),
        ("repeated-key", 36),
        ("bad-value", 41),
        ("bad-value", 42),
        ("bad-value", 43),
        ("no-end-of-header", 44),
        ("unknown-key", None),
    ]
    assert findings[-1].message == "unknown keys, kept as they are: vendor_secret, secret_of_frame"
    assert findings[-1].severity is Severity.INFO


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-8-sig"])
@pytest.mark.parametrize(
    "text", [ODD, ODD.rstrip("\n"), header_text(), header_text(frames=[{}] * 3), ODD.replace("end_of_header\n", "")]
)
def test_unchanged_text_comes_back_byte_for_byte(text: str, encoding: str, newline: str) -> None:
    data = text.replace("\n", newline).encode(encoding)
    assert write(parse(data)[0]) == data


def test_mixed_newlines_come_back() -> None:
    data = b"# a\r\nversion 1\nx_dimension 3\r\r\n\r\nend_of_header\nframe 0\r\nend_of_header"
    assert write(parse(data)[0]) == data


@pytest.mark.parametrize(
    ("text", "encoding"), [("Köln".encode(), "utf-8"), ("Köln".encode("latin-1"), "cp1252"), (b"Koeln", "utf-8")]
)
def test_encoding(text: bytes, encoding: str) -> None:
    header = parse(b"institution " + text + b"\n")[0]
    assert (header.institution, header.encoding) == (text.decode(encoding), encoding)


def test_a_byte_order_mark_is_no_part_of_a_key() -> None:
    for first in ("version 1.5", "# comment\nversion 1.5"):
        assert parse(f"\ufeff{first}\nend_of_header\n".encode()) == (Header(version=1.5), ())


def test_line_numbers() -> None:
    header = parse(header_text(frames=[{}, {}]).encode())[0]
    lines = header_text(frames=[{}, {}]).split("\n")
    assert header.line_of("x_dimension") == lines.index("x_dimension 4") + 1
    assert header.line_of("scale_factor") is None
    assert header.frames[1].line_of("frame") == lines.index("frame 1") + 1
    assert header.frames[1].line_of("x_dimension") is None


# ---------------------------------------------------------------------------------------------------------------------
# Text that was read and changed.


def changed_lines(before: bytes, after: bytes) -> list[tuple[str, str]]:
    """Return the lines that differ; both texts have the same number of them."""
    pairs = zip(before.decode().split("\n"), after.decode().split("\n"), strict=True)
    return [(one, other) for one, other in pairs if one != other]


SPELLINGS = {
    id(values.TEXT): ("some  text", "other", "other"),
    id(values.INT): ("007", 8, "8"),
    id(values.COUNTS): ("0 0 007", 8, "8"),
    id(values.FLOAT): ("01.50", 2.5, "2.5"),
    id(values.CM): ("0.080", 7.0, "0.7"),
    id(values.FLAG): ("2", False, "0"),
    id(values.DATE): ("Sun Sep 2 01:03:52 1973", datetime(1973, 9, 3), "Mon Sep  3 00:00:00 1973"),
    id(values.OFFSET): ("12", (1 << 32) + (1 << 31), "1 -2147483648"),
    id(values.XYZ): ("1 2.0 03", (0.5, 1.0, 2.0), "0.5 1 2"),
    id(values.FILTER): ("1 0.50", Filter(enums.FilterWindow.HANN, 0.25), "3 0.25"),
    id(values.INDEXED): ("1  02", (Indexed(1, 3.0),), "1 3"),
    id(values.GATE_BINS): ("1 8 -1 1", (GateBins(1, 8, -1.0, 2.0),), "1 8 -1 2"),
    id(values.SINGLES): ("1 2", (Singles(1, 3.0, 4.0),), "1 3 4"),
    id(values.DELTAS): ("1  2", ((1, 3),), "1 3"),
    id(values.GATE_DESCRIPTION): ("1 ECG", (GateDescription(1, "breath"),), "1 breath"),
    id(values.USER): ("Cage  7", (User("Cage", "8"),), "Cage 8"),
}


def spelling(field: Field) -> tuple[str, Any, str]:
    """Return a text that a field may have, another value, and how that is written."""
    if field.codec.choices:
        first, *_, last = field.codec.choices
        return f"{int(last)}.0", first, str(int(first))
    text, value, spelled = SPELLINGS[id(field.codec)]
    return text, (value,) if field.repeats and field.codec is values.TEXT else value, spelled


FIRST = {field.attribute: key for table in (FRAME, MAIN) for key, field in reversed(table.items())}
EDITS = [row for row in ATTRIBUTES if FIRST[row[1][row[2]].attribute] == row[2]]


@functools.cache
def full() -> tuple[bytes, Header]:
    """Return a header with a line for every key of the table: its text, and as it is read."""
    main, frame = (
        [f"\t{key}  {spelling(field)[0]} " for key, field in table.items() if key in FIRST.values()]
        for table in (MAIN, FRAME)
    )
    frame.sort(key=lambda line: not line.startswith("\tframe "))
    text = "\n".join(["# all", *main, "END_of_header", *frame, "end_of_header", ""]).encode()
    header, findings = parse(text)
    assert findings == ()
    return text, header


@pytest.mark.parametrize(("owner", "table", "key"), EDITS, ids=lambda value: value if isinstance(value, str) else "")
def test_changing_one_value_changes_one_line(owner: type, table: dict[str, Field], key: str) -> None:
    full_text, header = full()
    text, value, spelled = spelling(table[key])
    if owner is Header:
        edited = with_value(header, table[key].attribute, value)
    else:
        edited = replace(header, frames=(with_value(header.frames[0], table[key].attribute, value),))
    assert edited != header
    written = write(edited)
    assert changed_lines(full_text, written) == [(f"\t{key}  {text} ", f"{key} {spelled}")]
    assert parse(written) == (edited, ())


def test_changed_lines_keep_the_newline() -> None:
    data = b"version 1\r\nx_dimension 3\r\nend_of_header\r\n"
    header = parse(data)[0]
    edited = replace(header, array=replace(header.array, x=4, y=5))
    assert write(edited) == b"version 1\r\nx_dimension 4\r\ny_dimension 5\r\nend_of_header\r\n"


def odd_header() -> Header:
    """Return what `ODD` says."""
    return parse(ODD.encode())[0]


@pytest.mark.parametrize(
    ("path", "value", "changes"),
    [
        ("array.x", 6, [("x_dimension 5", "x_dimension 6")]),
        ("array.x", None, [("x_dimension 4", "x_dimension"), ("x_dimension 5", "x_dimension")]),
        ("array.y", 9, [("y_dimension 3", "y_dimension 9")]),
        ("array.z", 9, [("z_dimension 2", "z_dimension 9")]),
        ("detector.source_radius_mm", 1.0, [("src_radius 2.5", "src_radius 0.1")]),
        ("acquisition.operator", "me", [("operator", "operator me")]),
        ("user", (COLOURS[0], User("Cage", "8")), [("user Cage 7", "user Cage 8")]),
        ("manufacturer", None, [("  Manufacturer   Siemens  \t", "manufacturer")]),
    ],
)
def test_changes_of_repeated_and_empty_lines(path: str, value: Any, changes: list[tuple[str, str]]) -> None:
    edited = with_value(odd_header(), path, value)
    written = write(edited)
    assert changed_lines(ODD.encode(), written) == changes
    assert parse(written)[0] == edited


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_repeated_lines_grow_and_shrink(count: int) -> None:
    header = odd_header()
    angles = tuple(Indexed(n, 1.5 * n) for n in range(count))
    edited = with_value(header, "gantry.projection_angles_deg", angles)
    text = write(edited).decode()
    assert parse(text.encode())[0] == edited
    kept = [line for line in ODD.split("\n") if line.startswith("projection")]
    now = [line for line in text.split("\n") if line.startswith("projection")]
    assert now[: min(2, count)] == kept[: min(2, count)]
    assert len(now) == count + 1
    others = [[line for line in whole.split("\n") if not line.startswith("projection")] for whole in (ODD, text)]
    assert others[0] == others[1]


def test_a_bad_value_is_corrected_in_its_place() -> None:
    data = b"version 1\nx_dimension four\nz_dimension 3\nend_of_header\n"
    header = parse(data)[0]
    corrected = replace(header, array=replace(header.array, x=4), extras=())
    assert write(corrected) == data.replace(b"four", b"4")
    added = replace(header, array=replace(header.array, x=4))
    assert parse(write(added))[0] == added
    assert parse(write(replace(header, extras=())))[0] == replace(header, extras=())


def test_the_index_of_a_frame_replaces_the_text_in_its_place() -> None:
    header = odd_header()
    edited = replace(header, frames=(header.frames[0], replace(header.frames[1], index=1)))
    assert [frame.index for frame in parse(write(edited))[0].frames] == [0, 1]


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    some_values(Header, MAIN),
    some_values(Frame, FRAME),
    st.lists(st.sampled_from(range(6)), unique=True),
    some_extras(MAIN, BAD_MAIN),
    st.sampled_from(["utf-8", "latin-1"]),
)
def test_any_change_survives(
    main: dict[str, Any], frame: dict[str, Any], dropped: list[int], more: tuple[Extra, ...], encoding: str
) -> None:
    header = parse(ODD.encode(encoding))[0]
    extras = tuple(extra for index, extra in enumerate(header.extras) if index not in dropped) + more
    frames = (with_values(header.frames[0], frame), with_values(Frame(), frame), header.frames[1])
    edited = replace(with_values(header, {"version": 1.5, **main}), extras=extras, frames=frames)
    if edited.version is None:
        edited = replace(edited, version=1.5)
    assert parse(write(edited))[0] == edited


# ---------------------------------------------------------------------------------------------------------------------
# Text that is no header, or no longer one.


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty, expected an Inveon header"),
        (b" \r\n\t\n", "the file is empty, expected an Inveon header"),
        (b"version 1\nx_dimension 4\0\n", "this is binary data, expected an Inveon header, which is text"),
        (bytes(1000), "the file is empty|this is binary data"),
        (b"# only a comment\n", "no key of an Inveon header in it"),
        (b"frame 0\nscale_factor 1\nend_of_header\n", "no key of an Inveon header in it"),
        (b'{"x_dimension": 4}\n', "no key of an Inveon header in it"),
        (
            b"version 1\ninstitution " + b"x" * (lexer.LONGEST_LINE + 1),
            "2: the line has 65549 characters, expected at most 65536",
        ),
        (b"version 1\n" * (lexer.MOST_LINES + 1), "the header has 250001 lines, expected at most 250000"),
    ],
)
def test_refused(data: bytes, message: str) -> None:
    with pytest.raises(HeaderError, match=message):
        parse(data)


def test_longest_line_is_read() -> None:
    text = "x" * (lexer.LONGEST_LINE - len("institution "))
    assert parse(f"institution {text}\nend_of_header\n".encode())[0].institution == text


@pytest.mark.parametrize(
    "line", ["singles 1 2.5 3", "vendor_secret 1", "x_dimension 4", "x_dimension four", "x_dimension"]
)
def test_long_headers_take_linear_time(line: str) -> None:
    data = ("version 1\nend_of_header\nframe 0\n" + f"{line}\n" * 15_000 + "end_of_header\n").encode()
    start = time.process_time()
    header = parse(data)[0]
    edited = replace(
        header, frames=(replace(header.frames[0], singles=(Singles(0, 1.0, None), *header.frames[0].singles)),)
    )
    assert write(header) == data
    assert parse(write(edited))[0] == edited
    # half a second on a slow core; a quadratic way takes minutes
    assert time.process_time() - start < 6


def outcome(data: bytes) -> tuple[Header, tuple[Finding, ...]] | None:
    """Return what the bytes are read as, None if they are refused; any other exception fails the test."""
    read_or_refused: tuple[Header, tuple[Finding, ...]] | HeaderError
    try:
        read_or_refused = parse(data)
    except HeaderError as error:
        read_or_refused = error
    if isinstance(read_or_refused, HeaderError):
        assert str(read_or_refused).isprintable()
        return None
    header, findings = read_or_refused
    assert isinstance(header, Header)
    assert all(isinstance(finding, Finding) and str(finding).isprintable() for finding in findings)
    return header, findings


REALISTIC = header_text(
    {
        "institution": "Universitätsklinik Köln",
        "x_filter": "1 0.5",
        "image_ref_shift": "0.1 -0.2 0.3",
        "user": ["Cage 7", "Colour brown"],
        "gate_bins": "1 8 -1 -1",
        "gmt_scan_time": "Thu Mar  5 09:20:30 2015",
    },
    frames=[{"singles": ["0 1.5", "1 2.5 3.5"], "decay_correction": "1.00316"}, {"data_file_pointer": "1 -5"}],
).encode()
EDIT = st.tuples(
    st.sampled_from(["set", "insert", "delete", "copy"]),
    st.integers(0, len(REALISTIC)),
    st.binary(min_size=1, max_size=6),
)


def mutated(data: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    """Return the bytes with some set, inserted, deleted or copied."""
    for kind, place, new in edits:
        at = place % (len(data) + 1)
        end = at + (len(new) if kind in ("set", "delete") else 0)
        middle = {"set": new, "insert": new, "delete": b"", "copy": data[at : at + 60]}[kind]
        data = data[:at] + middle + data[end:]
    return data


def check_outcome(data: bytes) -> None:
    """Whatever is read comes back byte for byte; the rest is refused."""
    read_back = outcome(data)
    if read_back is not None:
        assert write(read_back[0]) == data


FAST = timedelta(seconds=2)  # a realistic header takes milliseconds; the rest is for a busy machine


@settings(max_examples=250, deadline=FAST)
@given(st.lists(EDIT, min_size=1, max_size=8))
def test_mutated_headers(edits: list[tuple[str, int, bytes]]) -> None:
    check_outcome(mutated(REALISTIC, edits))


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_truncated_headers(encoding: str) -> None:
    whole = REALISTIC.decode().encode(encoding)
    for length in range(0, len(whole), 1 if encoding == "utf-8" else 3):
        check_outcome(whole[:length])
    assert outcome(whole[: whole.index(b"version") + 7]) is None
    cut = outcome(whole[:-5])
    assert cut is not None
    assert [finding.code for finding in cut[1]] == ["header-cut-off", "no-end-of-header"]


@settings(max_examples=150, deadline=FAST)
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_random_bytes(data: bytes) -> None:
    check_outcome(data)
    check_outcome(b"version 1\n" + data)


@settings(max_examples=150, deadline=FAST)
@given(
    st.lists(
        st.tuples(st.sampled_from([*MAIN, *FRAME, lexer.END]), st.text("0123456789+-.,eE: #xNSunJ\t", max_size=30)),
        max_size=20,
    )
)
def test_random_values(lines: list[tuple[str, str]]) -> None:
    check_outcome("\n".join(f"{key} {text}" for key, text in [("version", "1"), *lines]).encode())


@settings(max_examples=150, deadline=FAST)
@given(st.text("0123456789+-.eE_nainf,x ", max_size=70))
@example("9" * 64)
@example("0." + "0" * 70)
@example("1e9999")
@example("-1e-9999")
def test_a_number_is_finite_or_none(text: str) -> None:
    value = read("calibration_factor", text.strip())
    assert value is None or abs(value) < float("inf")
