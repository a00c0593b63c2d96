"""Which series share one Frame of Reference UID, and what says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pydicom
import pytest

from helpers import header_text
from inveonimaging import Options, convert
from inveonimaging.conversion.plan import plan
from inveonimaging.findings import Severity
from inveonimaging.inveon.hdr import Header, parse
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.phantom import CT_SCAN, PET_SCAN, frames_of, write_scan
from inveonimaging.reports.contents import contents_of
from inveonimaging.study.reading import read_study
from inveonimaging.study.registration import RegistrationPolicy, frames_of_reference

SHIFTED = {"image_ref_shift": "0 0 1.5"}


def header(values: Mapping[str, str]) -> Header:
    return parse(header_text(values).encode())[0]


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        ({"registration_available": "1"}, {"registration_available": "2"}, "both have registration data"),
        ({"spatial_identifier": "bed 1"}, {"spatial_identifier": "bed 1"}, "the spatial identifier 'bed 1'"),
        (SHIFTED, SHIFTED, "both have an image_ref_shift on one Inveon MM platform"),
        (SHIFTED, {"image_ref_shift": "0 0 0", "image_ref_rotation": "0 0 0"}, "both have an image_ref_shift"),
    ],
)
def test_registered_series_share_a_space(one: Mapping[str, str], other: Mapping[str, str], why: str) -> None:
    spaces, [finding] = frames_of_reference([header(one), header(other)], RegistrationPolicy.AUTO)
    assert spaces == (1, 1)
    assert finding.code == "space-shared"
    assert why in finding.message


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {}),
        ({"registration_available": "1"}, {"registration_available": "0"}),
        ({"registration_available": "1"}, {}),
        ({"spatial_identifier": "bed 1"}, {"spatial_identifier": "bed 2"}),
        ({"spatial_identifier": ""}, {"spatial_identifier": ""}),
        (SHIFTED, {}),
        (SHIFTED, SHIFTED | {"model": "5000"}),
        (SHIFTED | {"model": "2001"}, SHIFTED | {"model": "2001"}),
        (SHIFTED, SHIFTED | {"image_ref_rotation": "0 0 1"}),
    ],
)
def test_series_that_no_header_shows_to_be_registered_are_apart(
    one: Mapping[str, str], other: Mapping[str, str]
) -> None:
    spaces, [finding] = frames_of_reference([header(one), header(other)], RegistrationPolicy.AUTO)
    assert (spaces, finding.code) == ((1, 2), "space-separate")


def test_one_series_needs_no_finding() -> None:
    assert frames_of_reference([header({})], RegistrationPolicy.AUTO) == ((1,), ())


def test_a_third_series_joins_the_one_that_it_is_registered_with() -> None:
    headers = [header({}), header({"spatial_identifier": "a"}), header({}), header({"spatial_identifier": "a"})]
    spaces, findings = frames_of_reference(headers, RegistrationPolicy.AUTO)
    assert spaces == (1, 2, 3, 2)
    assert [finding.code for finding in findings] == ["space-separate", "space-separate", "space-shared"]


@pytest.mark.parametrize(
    ("policy", "spaces"), [(RegistrationPolicy.SHARED, (1, 1, 1)), (RegistrationPolicy.SEPARATE, (1, 2, 3))]
)
def test_a_user_decides_without_findings(policy: RegistrationPolicy, spaces: tuple[int, ...]) -> None:
    headers = [header(SHIFTED), header(SHIFTED), header({})]
    assert frames_of_reference(headers, policy) == (spaces, ())


@pytest.mark.parametrize(
    ("policy", "count"),
    [(RegistrationPolicy.AUTO, 1), (RegistrationPolicy.SHARED, 1), (RegistrationPolicy.SEPARATE, 2)],
)
def test_ct_and_pet_of_one_bed_have_the_frame_of_reference_uids_of_the_policy(
    tmp_path: Path, policy: RegistrationPolicy, count: int
) -> None:
    source = tmp_path / "in"
    source.mkdir()
    small = {"shape": (4, 3, 2), "spacing_mm": (6.0, 6.0, 30.0), "frames": frames_of(60.0)}
    for name, scan in {"a.ct.img": CT_SCAN, "b.pet.img": PET_SCAN}.items():
        write_scan(source / name, replace(scan, **small))  # type: ignore[arg-type]  # three fields of a scan
    convert(source, tmp_path / "out", Options(frame_of_reference=policy))
    files = [pydicom.dcmread(file) for file in (tmp_path / "out").rglob("*.dcm")]
    assert len({ds.SeriesInstanceUID for ds in files}) == 2
    assert len({ds.FrameOfReferenceUID for ds in files}) == count


# Postures that contradict each other, and sessions.

FFS, HFP, UNKNOWN = ({**SHIFTED, "subject_orientation": code} for code in "320")


@pytest.mark.parametrize(
    ("one", "other"), [(FFS, HFP), (UNKNOWN, HFP), (HFP, UNKNOWN), ({**SHIFTED, "subject_orientation": "4"}, HFP)]
)
def test_one_bed_holds_one_posture(one: Mapping[str, str], other: Mapping[str, str]) -> None:
    spaces, [note, warning] = frames_of_reference([header(one), header(other)], RegistrationPolicy.AUTO)
    assert spaces == (1, 2)
    assert (note.code, warning.code) == ("space-separate", "postures-disagree")
    assert "HFP (head first, prone)" in warning.message
    assert "--orientation" in warning.message


def test_an_unknown_posture_is_that_which_it_is_placed_like() -> None:
    spaces, findings = frames_of_reference([header(UNKNOWN), header(FFS)], RegistrationPolicy.AUTO)
    assert spaces == (1, 1)
    assert [each.code for each in findings] == ["space-shared"]


def test_an_orientation_that_is_given_is_that_of_all() -> None:
    spaces, findings = frames_of_reference(
        [header(FFS), header(HFP)], RegistrationPolicy.AUTO, orientation=Orientation.HFP
    )
    assert spaces == (1, 1)
    assert [each.code for each in findings] == ["space-shared"]


def test_postures_of_images_that_nothing_joins_may_differ() -> None:
    alone = [header({"subject_orientation": code}) for code in "32"]
    assert [each.code for each in frames_of_reference(alone, RegistrationPolicy.AUTO)[1]] == ["space-separate"]


@pytest.mark.parametrize(
    ("policy", "spaces"), [(RegistrationPolicy.SHARED, (1, 1)), (RegistrationPolicy.COMPATIBLE, (1, 2))]
)
def test_a_contradiction_is_shared_only_on_request_and_never_silently(
    policy: RegistrationPolicy, spaces: tuple[int, ...]
) -> None:
    for one, other in ((FFS, HFP), (at("Mar 4 14:05:09"), at("Mar 25 14:05:09"))):
        found, findings = frames_of_reference([header(one), header(other)], policy)
        assert found == spaces
        (warning,) = [each for each in findings if each.severity is Severity.WARNING]
        assert ("as was asked for" in warning.message) is (policy is RegistrationPolicy.SHARED)


def at(moment: str, **more: str) -> dict[str, str]:
    return {**SHIFTED, "scan_time": f"Tue {moment} 2014", **more}


@pytest.mark.parametrize(
    ("moments", "spaces"),
    [
        (("Mar 4 14:05:09", "Mar 25 14:05:09"), (1, 2)),
        (("Mar 4 23:50:00", "Mar 5 00:30:00"), (1, 1)),  # past midnight
        (("Mar 4 23:50:00", "Mar 5 09:00:00"), (1, 2)),  # the next morning
        (("Mar 4 08:00:00", "Mar 4 18:30:00"), (1, 1)),  # CT in the morning, PET in the evening
        (("Mar 25 14:05:09", "Mar 4 14:05:09", "Mar 25 15:00:00"), (1, 2, 1)),  # by name, not by time
        (("Mar 4 14:00:00", "Mar 4 23:30:00", "Mar 5 00:30:00", "Mar 5 14:00:00"), (1, 1, 1, 4)),
    ],
)
def test_scans_of_two_sessions_lie_in_two_spaces(moments: tuple[str, ...], spaces: tuple[int, ...]) -> None:
    found, findings = frames_of_reference([header(at(each)) for each in moments], RegistrationPolicy.AUTO)
    assert found == spaces
    assert ("several-sessions" in {each.code for each in findings}) is (len(set(spaces)) > 1)


def test_a_long_scan_ends_where_its_last_frame_does() -> None:
    long = parse(header_text(at("Mar 4 18:00:00"), [{"frame_duration": "28800"}]).encode())[0]  # 8 h, to 2 o'clock
    assert frames_of_reference([long, header(at("Mar 5 07:00:00"))], RegistrationPolicy.AUTO)[0] == (1, 1)
    assert frames_of_reference([long, header(at("Mar 5 08:30:00"))], RegistrationPolicy.AUTO)[0] == (1, 2)


def test_a_spatial_identifier_counts_for_more_than_a_session() -> None:
    days = [header(at(day, spatial_identifier="atlas")) for day in ("Mar 4 14:05:09", "Mar 25 14:05:09")]
    spaces, findings = frames_of_reference(days, RegistrationPolicy.AUTO)
    assert spaces == (1, 1)
    assert [each.code for each in findings] == ["space-shared", "several-sessions"]


def test_a_scan_without_a_time_is_of_the_one_session_there_is() -> None:
    first, undated, later = (
        header(at("Mar 4 14:05:09")),
        header({**SHIFTED, "scan_time": ""}),
        header(at("Mar 25 14:05:09")),
    )
    assert frames_of_reference([undated, first], RegistrationPolicy.AUTO)[0] == (1, 1)
    assert frames_of_reference([undated, first, later], RegistrationPolicy.AUTO)[0] == (1, 2, 3)
    assert frames_of_reference([undated, first], RegistrationPolicy.AUTO, scan_time=datetime(2014, 3, 25))[0] == (1, 2)


@pytest.mark.parametrize(("day", "is_related"), [("Mar 4 10:00:00", True), ("Feb 4 10:00:00", False)])
def test_attenuation_is_not_corrected_with_a_ct_of_another_session(tmp_path: Path, day: str, is_related: bool) -> None:
    pet = {"attenuation_filename": r"D:\data\m1.ct.img", "frame_duration": "60"}
    for name, values in {
        "m1.ct": at(day, modality="1", acquisition_mode="9"),
        "m1.pet": at("Mar 4 14:05:09", **pet),
    }.items():
        (tmp_path / f"{name}.img.hdr").write_text(header_text(values))
        (tmp_path / f"{name}.img").write_bytes(bytes(4 * 3 * 2 * 2))
    (study,) = plan(tmp_path, tmp_path / "out", Options())
    assert study.series[1].attenuation == (1 if is_related else None)


def test_a_report_keeps_apart_what_a_conversion_does(tmp_path: Path) -> None:
    for name, values in {"a": at("Mar 4 14:05:09"), "b": at("Mar 25 14:05:09")}.items():
        (tmp_path / f"{name}.img.hdr").write_text(header_text(values))
        (tmp_path / f"{name}.img").write_bytes(bytes(4 * 3 * 2 * 2))
    study = contents_of(read_study(tmp_path), datetime(2026, 1, 1))
    assert [each.frame_of_reference for each in study.series] == [1, 2]
    assert "several-sessions" in {each.code for each in study.findings}
    assert [each.frame_of_reference for each in plan(tmp_path, tmp_path / "out", Options())[0].series] == [1, 2]
