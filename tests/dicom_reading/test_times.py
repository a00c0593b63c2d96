"""Dates and times of DICOM, as programs write them: PS3.5 6.2, and ACR-NEMA's points and colons."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest

from inveonimaging.dicom_reading.times import clock_of, date_time, local_moment, moment_of, number_of

DAY = date(2014, 6, 17)


@pytest.mark.parametrize(
    ("text", "day", "clock", "hours"),
    [
        ("2014", None, None, None),
        ("201406", None, None, None),
        ("20140617", DAY, None, None),
        ("2014061713", DAY, None, None),  # an hour alone is no time
        ("201406171351", DAY, time(13, 51), None),
        ("20140617135137", DAY, time(13, 51, 37), None),
        ("20140617135137.25 ", DAY, time(13, 51, 37, 250000), None),
        ("20140617135137.25-0500", DAY, time(13, 51, 37, 250000), -5),
        ("20140617-0500", DAY, None, -5),
        ("20140617135160", DAY, time(13, 51, 59), None),  # a leap second
        ("201406171", None, None, None),
        ("20141317", None, None, None),
        ("20140617250000", None, None, None),
        ("20140617135137+9900", None, None, None),
        ("yesterday", None, None, None),
        ("", None, None, None),
        (None, None, None, None),
    ],
)
def test_a_date_time_as_far_as_it_is_written(
    text: str | None, day: date | None, clock: time | None, hours: int | None
) -> None:
    offset = None if hours is None else timedelta(hours=hours)
    assert date_time(text) == (day, clock, offset)
    assert date_time(text).moment == (None if clock is None else datetime.combine(DAY, clock))


@pytest.mark.parametrize(
    ("value", "zone", "clock"),
    [
        ("20140617185137+0000", "-0500", time(13, 51, 37)),  # the zone of the file's Dates and Times is known
        ("20140617135137-0500", "-0500", time(13, 51, 37)),
        ("20140617185137+0000", None, time(18, 51, 37)),  # and here it is not: as it is written
        ("20140617135137", "-0500", time(13, 51, 37)),  # without an offset it has the zone of the others
        ("20140617135137-0500", "nonsense", time(13, 51, 37)),
    ],
)
def test_an_offset_counts_where_the_zone_of_the_others_is_known(value: str, zone: str | None, clock: time) -> None:
    assert local_moment(value, zone) == datetime.combine(DAY, clock)


def test_a_date_and_a_time() -> None:
    noon = datetime.combine(DAY, time(12, 0, 1, 500000))
    assert [moment_of(day, "120001.5") for day in ("20140617", "2014.06.17", "2014-06-17")] == [noon] * 3
    assert moment_of("20140617", "12:00:01.5") == noon
    assert moment_of("20140617", None) is moment_of(None, "120001") is moment_of("20140617", "noon") is None
    assert (clock_of("1351"), clock_of("13"), clock_of("9999"), clock_of(None)) == (time(13, 51), None, None, None)


def test_a_moment_beyond_the_calendar_is_none() -> None:
    assert local_moment("00010101000000+0500", "-0500") is None


def test_numbers() -> None:
    assert [number_of(value) for value in ("1.5", 2, None, "nan", "inf", "", "one", (1, 2))] == [1.5, 2.0] + [None] * 6
