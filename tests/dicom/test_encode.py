"""Values as DICOM text: whatever goes in, what comes out is valid, short enough, and still the value."""

from __future__ import annotations

import math
import os
import re
import unicodedata
import uuid
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydicom.config import RAISE
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID
from pydicom.valuerep import validate_value

from helpers import python
from inveonimaging.dicom.encode import LT, ST, cs, da, dataset, ds, dt, lo, pn, put, sh, text, tm, whole, zone
from inveonimaging.dicom.uids import IMPLEMENTATION_CLASS, ContentUids, RandomUids, UidPolicy
from inveonimaging.dicom.write import encoded

HOSTILE = "\x1b[31mred\x1b[0m \\ back\nline\r\t\x00\u202eevil\ufeff\udc80"
TEXTS = st.text() | st.text(st.characters(max_codepoint=255), max_size=200) | st.just(HOSTILE)
LENGTHS = {"LO": 64, "SH": 16, "ST": 1024, "LT": 10240}

LINES: dict[str, Callable[[str], str]] = {
    "LO": lo,
    "SH": sh,
    "ST": partial(text, length=ST),
    "LT": partial(text, length=LT),
}


def assert_plain(value: str) -> None:
    """Show that a text has no delimiter of values, and no control or format character."""
    assert "\\" not in value
    assert not [c for c in value if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]


# Text.


@pytest.mark.parametrize("vr", LINES)
@given(typed=TEXTS)
@example(typed=HOSTILE)
@example(typed="x" * 20_000)
@example(typed=" \n ")
@example(typed="a" * 63 + " b")
def test_any_text_becomes_one_valid_line(vr: str, typed: str) -> None:
    line = LINES[vr](typed)
    validate_value(vr, line, RAISE)
    assert_plain(line)
    assert len(line) <= LENGTHS[vr]
    assert line == line.strip()


@pytest.mark.parametrize("vr", LINES)
@pytest.mark.parametrize("typed", ["M0042", "Mäuschen #7", "鼠 3", "a=b^c", "[red]x[/red]"])
def test_short_text_in_one_line_stays_as_it_was_typed(vr: str, typed: str) -> None:
    assert LINES[vr](typed) == typed


def test_what_a_string_cannot_hold_is_replaced_and_words_stay_apart() -> None:
    assert lo("left\\right") == "left/right"
    assert lo("  one\ttwo\r\nthree\x1bfour  ") == "one two three four"


def test_text_is_cut_where_its_representation_ends() -> None:
    assert sh("0123456789abcdefghij") == "0123456789abcdef"
    assert lo("ä" * 100) == "ä" * 64  # characters count, not bytes


@given(typed=TEXTS | st.text("ab^= ", max_size=300))
@example(typed="a" * 65 + "=" + "b" * 65)
@example(typed="a=b=c=d")
@example(typed="^" * 9)
def test_any_text_becomes_a_valid_person_name(typed: str) -> None:
    name = pn(typed)
    validate_value("PN", name, RAISE)
    assert_plain(name)
    groups = name.split("=")
    assert len(groups) <= 3
    assert all(len(group) <= 64 for group in groups)
    assert all(group.count("^") <= 4 for group in groups)  # PS3.5 6.2.1.1: five components


@pytest.mark.parametrize("typed", ["M0042", "Mouse^Minnie", "Yamada^Tarou=山田^太郎=やまだ^たろう", "a^b^c^d^e"])
def test_person_names_keep_their_parts(typed: str) -> None:
    assert pn(typed) == typed


@given(typed=TEXTS)
@example(typed="whole body")
@example(typed="ABDOMEN_LOW 1")
@example(typed="\u017f")  # a long s: its upper case is S
@example(typed="x" * 17)
def test_a_code_string_is_valid_or_none(typed: str) -> None:
    code = cs(typed)
    if code is not None:
        assert code
        validate_value("CS", code, RAISE)


@pytest.mark.parametrize(
    ("typed", "code"),
    [("whole body", "WHOLE BODY"), ("Tail", "TAIL"), ("x" * 17, None), ("Bauch-Raum", None), ("", None), (" ", None)],
)
def test_code_strings_are_upper_case_and_never_cut(typed: str, code: str | None) -> None:
    assert cs(typed) == code


def item_of(code: str) -> Dataset:
    return dataset(CodeValue=code, CodingSchemeDesignator="99LAB", CodeMeaning="Über", LongCodeValue="1" * 20)


@pytest.mark.parametrize("charset", [[], ["utf8"]])
def test_elements_are_encoded_as_pydicom_does(charset: list[str]) -> None:
    whole = dataset(
        SOPClassUID=UID("1.2.3"),
        RelatedGeneralSOPClassUID=["1.2.3", "1.2.34"],
        PatientName="Mouse^Minnie",
        PatientID="odd",
        PatientComments="even" if not charset else "gerade, süß",
        PatientAge="015W",
        PatientSex="F",
        PatientSexNeutered="",
        InstitutionAddress="odd",
        StudyDate="20140617",
        StudyTime="135207.25",
        AcquisitionDateTime="20140617135207.250000",
        ImageType=["ORIGINAL", "PRIMARY"],
        Modality="PT",
        StationName="odd",
        AdditionalPatientHistory="a" * 10_001 if not charset else "line\r\n\fpage \\ and more",
        DerivationDescription=None,
        InstanceNumber="7",
        PatientWeight="0.0250",
        SliceLocation=1.25,
        PixelSpacing=["0.50", "2.5e-1"],
        Rows=7,
        FrameReferenceDateTime="20140617",
        RedPaletteColorLookupTableDescriptor=[1, 2, 16],
        RadiopharmaceuticalInformationSequence=[dataset(RadionuclideTotalDose="7e6", Radiopharmaceutical="x\\y")],
        ReferencedStudySequence=[],
        RealWorldValueMappingSequence=[dataset(RealWorldValueFirstValueMapped=-5, RealWorldValueSlope=0.1)],
        PixelRepresentation=1,
        StrainStockSequence=[dataset(StrainSourceRegistryCodeSequence=[item_of("1"), item_of("22")])],
    )
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, whole, charset or ["iso8859"])
    made = encoded(whole, charset)
    assert b"".join(element for _, element in made) == buffer.getvalue()
    assert [tag for tag, _ in made] == [int(element.tag) for element in whole]


# Numbers.

# Decimal rounding of the largest floats to 10 digits leaves float64; no factor, size or time comes near.
NUMBERS = st.floats(-1e300, 1e300, allow_nan=False) | st.integers(-(10**18), 10**18)


@given(number=NUMBERS)
@example(number=0.0)
@example(number=-0.0)
@example(number=9.999999999999998)  # rounds up to one more digit before the point
@example(number=-9.999999999999998)
@example(number=-99.9999999999999)
@example(number=99999999999999.98)
@example(number=-1.2345678901234e-310)
@example(number=5e-324)
@example(number=1 / 3)
def test_any_number_becomes_a_valid_decimal_string(number: float) -> None:
    written = ds(number)
    assert len(written) <= 16
    validate_value("DS", written, RAISE)
    # beside sign, point and a three-digit exponent, 16 characters hold 9 digits
    assert float(written) == pytest.approx(number, rel=5e-9, abs=5e-324)


@pytest.mark.parametrize("edge", [10.0**e for e in range(-6, 16)])
@pytest.mark.parametrize("sign", [1, -1])
def test_numbers_just_below_a_power_of_ten_stay_short(edge: float, sign: int) -> None:
    number = sign * edge
    for _ in range(40):  # the representation's length changes within a few dozen steps of float64
        number = math.nextafter(number, 0)
        assert len(ds(number)) <= 16
        assert float(ds(number)) == pytest.approx(number, rel=1e-9)


def test_ten_digits_or_more_survive_where_coordinates_lie() -> None:
    assert float(ds(-123.45678901234567)) == pytest.approx(-123.45678901234567, rel=1e-13)
    assert ds(0.776383) == "0.776383"
    assert ds(-0.0) == "0"


@given(number=st.floats(-(2**31) + 1, 2**31 - 1))
@example(number=0.5)
@example(number=-0.5)
@example(number=2147483646.6)
def test_a_number_in_range_becomes_the_nearest_integer_string(number: float) -> None:
    written = whole(number)
    assert written is not None
    validate_value("IS", written, RAISE)
    assert abs(int(written) - number) <= 0.5


@pytest.mark.parametrize("number", [None, 2.0**31, -(2.0**31) - 1, 1e300, math.inf, -math.inf, math.nan])
def test_what_no_integer_string_can_hold_is_left_out(number: float | None) -> None:
    assert whole(number) is None


# Dates and times.

OFFSETS = st.integers(-12 * 4, 14 * 4).map(lambda quarters: timedelta(minutes=15 * quarters))


@given(day=st.dates())
def test_dates_are_valid_and_read_back(day: date) -> None:
    written = da(day)
    validate_value("DA", written, RAISE)
    assert (int(written[:4]), int(written[4:6]), int(written[6:])) == (day.year, day.month, day.day)


@given(moment=st.datetimes())
@example(moment=datetime(2014, 3, 4))
@example(moment=datetime(2014, 3, 4, 23, 59, 59, 999999))
def test_times_are_valid_and_read_back(moment: datetime) -> None:
    validate_value("TM", tm(moment), RAISE)
    validate_value("DT", dt(moment), RAISE)
    clock = "%H%M%S.%f" if "." in tm(moment) else "%H%M%S"
    assert datetime.strptime(tm(moment), clock).time() == moment.time()
    assert dt(moment) == da(moment) + tm(moment)


@given(offset=OFFSETS)
@example(offset=timedelta(0))
@example(offset=timedelta(minutes=-15))
def test_zones_read_back(offset: timedelta) -> None:
    written = zone(offset)
    assert written != "-0000"  # PS3.5 6.2: not allowed
    assert datetime.strptime(written, "%z").utcoffset() == offset


# Attributes by type.


def test_type_3_is_absent_when_unknown_and_type_2_is_empty() -> None:
    optional = put(Dataset(), PatientWeight=None, PatientComments="", PatientAge="012W", ReconstructionDiameter=0)
    assert [element.keyword for element in optional] == ["PatientAge", "ReconstructionDiameter"]
    required = dataset(PatientName="", StudyID="1")
    assert (str(required.PatientName), required.StudyID) == ("", "1")


# UIDs.

# The parts of a name are digests, reprs and numbers: none holds a NUL, which parts them.
NAMES = st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")) | st.integers(), min_size=1, max_size=4)


@given(name=NAMES)
def test_uids_of_content_are_valid_and_a_function_of_the_name(name: list[str | int]) -> None:
    uid = ContentUids().uid(*name)
    assert uid.is_valid
    assert len(uid) <= 64
    assert uid == ContentUids().uid(*name)


@given(one=NAMES, other=NAMES)
@example(one=["ab", "c"], other=["a", "bc"])
def test_other_names_get_other_uids(one: list[str | int], other: list[str | int]) -> None:
    same = [str(part) for part in one] == [str(part) for part in other]
    assert (ContentUids().uid(*one) == ContentUids().uid(*other)) == same


@pytest.mark.parametrize("policy", [ContentUids, RandomUids])
def test_uids_are_of_the_form_of_a_uuid(policy: Callable[[], UidPolicy]) -> None:
    uid = policy().uid("series", 1)
    assert re.fullmatch(r"2\.25\.[1-9]\d*", uid)
    number = uuid.UUID(int=int(uid.removeprefix("2.25.")))  # PS3.5 B.2; ValueError beyond 128 bits
    assert number.variant == uuid.RFC_4122
    assert number.version == (5 if policy is ContentUids else 4)


def test_uids_of_content_do_not_depend_on_the_process() -> None:
    seed = "0" if os.environ.get("PYTHONHASHSEED") == "4711" else "4711"  # another than here
    code = "from inveonimaging.dicom.uids import ContentUids; print(ContentUids().uid('study', 'ä', 7))"
    done = python("-X", "utf8", "-c", code, environment={"PYTHONHASHSEED": seed})
    assert done.stdout.strip() == ContentUids().uid("study", "ä", 7)


def test_random_uids_differ_but_are_remembered_by_name() -> None:
    one, other = RandomUids(), RandomUids()
    assert one.uid("series", 1) == one.uid("series", 1)
    assert len({one.uid("series", 1), one.uid("series", 2), other.uid("series", 1)}) == 3
    assert all(uid.is_valid for uid in (one.uid("series", 1), other.uid("series", 1)))


def test_the_implementation_has_a_valid_uid() -> None:
    assert UID(IMPLEMENTATION_CLASS).is_valid
