"""Which series share one Frame of Reference UID, and what says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pydicom
import pytest

from helpers import header_text
from inveonimaging import Options, convert
from inveonimaging.conversion.space import Space, spaces_of
from inveonimaging.hdr import Header, parse
from inveonimaging.phantom import CT_SCAN, PET_SCAN, frames_of, write_scan

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
    spaces, [finding] = spaces_of([header(one), header(other)], Space.AUTO)
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
    spaces, [finding] = spaces_of([header(one), header(other)], Space.AUTO)
    assert (spaces, finding.code) == ((1, 2), "space-separate")


def test_one_series_needs_no_finding() -> None:
    assert spaces_of([header({})], Space.AUTO) == ((1,), ())


def test_a_third_series_joins_the_one_that_it_is_registered_with() -> None:
    headers = [header({}), header({"spatial_identifier": "a"}), header({}), header({"spatial_identifier": "a"})]
    spaces, findings = spaces_of(headers, Space.AUTO)
    assert spaces == (1, 2, 3, 2)
    assert [finding.code for finding in findings] == ["space-separate", "space-separate", "space-shared"]


@pytest.mark.parametrize(("policy", "spaces"), [(Space.SHARED, (1, 1, 1)), (Space.SEPARATE, (1, 2, 3))])
def test_a_user_decides_without_findings(policy: Space, spaces: tuple[int, ...]) -> None:
    headers = [header(SHIFTED), header(SHIFTED), header({})]
    assert spaces_of(headers, policy) == (spaces, ())


@pytest.mark.parametrize(("policy", "count"), [(Space.AUTO, 1), (Space.SHARED, 1), (Space.SEPARATE, 2)])
def test_ct_and_pet_of_one_bed_have_the_frame_of_reference_uids_of_the_policy(
    tmp_path: Path, policy: Space, count: int
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
