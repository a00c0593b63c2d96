"""Headers as the scanner writes them: facts of a genuine CT of two bed positions, rebuilt in our own words."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

import inveonimaging
from helpers import ROOT, inveon
from inveonimaging.animal import GivenSubject
from inveonimaging.conversion import Options, convert
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.modules.header_text import header_bytes
from inveonimaging.inveon.frame_groups import count_findings, frame_groups_of
from inveonimaging.inveon.hdr import enums, parse
from inveonimaging.inveon.hdr.write import write
from inveonimaging.physics.timing import utc_offset
from inveonimaging.redaction.request import Deidentify

REAL = ROOT.parent / "shared" / "real" / "mpet3537a_ct1_v1.ct.img.hdr"
MAIN: dict[str, Any] = {
    "version": "002.000",
    "manufacturer": "",
    "model": 5001,
    "modality": 1,
    "modality_configuration": 3603,
    "institution": "",
    "file_type": 5,
    "acquisition_mode": 9,
    "total_frames": 1,
    "time_frames": 0,
    "bed_control": 3,
    "bed_motion": 2,
    "number_of_bed_positions": 2,
    "axial_plane_size": "0.0195782",
    "number_detector_panels": 1,
    "data_type": 2,
    "number_of_dimensions": 3,
    "x_dimension": 8,
    "y_dimension": 8,
    "z_dimension": 5,
    "scan_time": "Fri Jun 30 11:53:21 2017",
    "gmt_scan_time": "Fri Jun 30 16:53:21 2017",
    "volume_origin_x": 3,
    "volume_origin_y": 3,
    "volume_origin_z": 1,
    "registration_available": 0,
    "transformation_matrix": r"F:\System\Registration\matrix.trf",
    "spatial_identifier": "",
    "normalization_applied": 0,
    "recon_algorithm": 9,
    "recon_version": "002.040",
    "x_filter": "6 0.5",
    "y_filter": "0 0.5",
    "z_filter": "0 0.5",
    "image_ref_shift": "-2.17263 0.530619 3.23273",
    "image_ref_rotation": "0 0 0",
    "zoom": 1,
    "pixel_size": 0,
    "pixel_size_x": "0.195782",
    "pixel_size_y": "0.195782",
    "pixel_size_z": "0.195782",
    "study_identifier": "1.1.05001.07010.00000.20170630115321",
    "subject_identifier": "",
    "subject_orientation": 3,
    "subject_weight_units": 1,
    "subject_weight": "48.4",
    "calibration_units": 3,
    "calibration_factor": "2.7205",
    "smooth_types": 0,
    "smooth_iter": 0,
    "smooth_threshold": 0,
    "gantry_rotation": 1,
    "rotation_direction": 1,
    "rotating_stage_start_position": 0,
    "rotating_stage_stop_position": 360,
    "number_of_projections": 181,
    "gantry_revolutions": 1,
    "ct_proj_size_transaxial": 1024,
    "ct_proj_size_axial": 800,
    "ct_light_calibration_projections": 0,
    "ct_dependent_light_calibration_projections": 0,
    "ct_xray_detector_pitch": "97.891",
    "ct_exposure_time": 300,
    "ct_scan_time": "6:40",
    "ct_xray_voltage": 60,
    "ct_anode_current": 500,
    "ct_source_to_detector": "316.38",
    "ct_source_to_crot": "265.05",
    "ct_transaxial_bin_factor": 4,
    "ct_axial_bin_factor": 4,
    "ct_hounsfield_scale": 0,
    "ct_hounsfield_offset": 0,
    "ct_aluminum_filter_thickness": "0.5",
}
FRAME: dict[str, Any] = {
    "frame": 0,
    "detector_panel": -1,
    "event_type": 0,
    "energy_window": -1,
    "gate": 0,
    "bed": 2,
    "bed_offset": "1.21564",
    "ending_bed_offset": "6.68436",
    "bed_passes": 1,
    "vertical_bed_offset": "0.857",
    "data_file_pointer": "0 0",
    "frame_start": 0,
    "frame_duration": 200,
    "scale_factor": "1.00000",
    "minimum": -32767,
    "maximum": 32767,
}
OPENING = (
    "#\n# Workstation 6.8: modifications of F:\\User Folders\\scan.img on a Wednesday\n#\n# ______\n#\n"
    "# Header file for data file F:\\User Folders\\scan.img\n#    with 1 frames\n#\n"
)


def text_of(main: dict[str, Any], *frames: dict[str, Any]) -> str:
    """Return a header in the scanner's dialect: a comment above each key, two blanks where nothing was entered."""
    blocks = [main, *frames]
    body = (
        "".join(
            f"#\n# Explains {key}\n#\n{key} {value or (value if value == 0 else ' ')}\n" for key, value in block.items()
        )
        for block in blocks
    )
    return OPENING + "".join(f"{block}end_of_header\n" for block in body)


def pair(folder: Path, text: str | bytes, frames: int = 1, *, name: str = "scan.ct") -> Path:
    """Write a pair of 8 x 8 x 5 int16 frames: air, and a block of water."""
    folder.mkdir(parents=True, exist_ok=True)
    volume = np.full((frames, 5, 8, 8), -1000, "<i2")
    volume[:, 1:4, 2:6, 2:6] = 0
    (folder / f"{name}.img").write_bytes(volume.tobytes())
    (folder / f"{name}.img.hdr").write_bytes(text if isinstance(text, bytes) else text.encode("cp1252"))
    return folder


def codes(source: Path) -> dict[str, str]:
    image = inveonimaging.read(next(source.glob("*.img")))
    return {finding.code: finding.severity.value for finding in image.findings}


@pytest.mark.parametrize("form", Form)
def test_a_ct_of_joined_beds_converts_with_a_note_and_no_warning_about_its_blocks(tmp_path: Path, form: Form) -> None:
    source = pair(tmp_path / "in", text_of(MAIN, FRAME))
    found = codes(source)
    assert found == {"beds-joined": "info"}
    (study,) = convert(source, tmp_path / "out", Options(form=form))
    assert len(study.series) == 1
    assert inveon("verify", source, tmp_path / "out").exit_code == 0
    for command in (["check", source], ["info", source], ["report", source, "-o", tmp_path / "r.html"]):
        assert inveon(*command).exit_code == 0


def test_enhanced_ct_shows_the_geometry_of_the_detector_at_the_centre_of_rotation(tmp_path: Path) -> None:
    # 1024 x 97.891 um = 100.240 mm, 800 x 97.891 um = 78.313 mm; 6:40 min are two bed positions of 200 s
    source = pair(tmp_path / "in", text_of(MAIN, FRAME))
    convert(source, tmp_path / "out", Options(form=Form.ENHANCED))
    (path,) = (tmp_path / "out").rglob("*.dcm")
    shared = pydicom.dcmread(path).SharedFunctionalGroupsSequence[0]
    details = shared.CTAcquisitionDetailsSequence[0]
    assert float(details.DataCollectionDiameter) == pytest.approx(100.240384)
    assert details.TotalCollimationWidth == pytest.approx(78.3128)
    assert details.SingleCollimationWidth == pytest.approx(0.097891)
    assert details.RevolutionTime == pytest.approx(200.0)
    geometry = shared.CTGeometrySequence[0]
    assert float(geometry.DistanceSourceToDetector) == pytest.approx(316.38)
    assert geometry.DistanceSourceToDataCollectionCenter == pytest.approx(265.05)


def test_without_frame_duration_a_turn_is_a_bed_positions_share_of_the_scan(tmp_path: Path) -> None:
    source = pair(tmp_path / "in", text_of(MAIN, FRAME | {"frame_duration": 0}))
    convert(source, tmp_path / "out", Options(form=Form.ENHANCED))
    (path,) = (tmp_path / "out").rglob("*.dcm")
    details = pydicom.dcmread(path).SharedFunctionalGroupsSequence[0].CTAcquisitionDetailsSequence[0]
    assert details.RevolutionTime == pytest.approx(200.0)


def test_the_dialect_is_read_and_written_back_byte_for_byte() -> None:
    data = text_of(MAIN, FRAME).encode()
    header, findings = parse(data)
    assert findings == ()
    assert header.calibration.units is enums.CalibrationUnits.HOUNSFIELD
    assert header.smoothing.filter is enums.Smoothing.UNKNOWN
    assert header.ct.light_calibration_at_scan_positions is False
    assert (header.institution, header.subject.identifier) == (None, None)
    assert write(header) == data


@pytest.mark.skipif(not REAL.exists() and "INVEON_TOOLS_REQUIRED" not in os.environ, reason="no genuine header here")
@pytest.mark.parametrize("form", Form)
def test_the_genuine_header_converts(tmp_path: Path, form: Form) -> None:
    text = REAL.read_text("ascii")
    for old, new in (
        ("x_dimension 512", "x_dimension 8"),
        ("y_dimension 512", "y_dimension 8"),
        ("z_dimension 679", "z_dimension 5"),
    ):
        assert old in text
        text = text.replace(old, new)
    source = pair(tmp_path / "in", text)
    (study,) = convert(source, tmp_path / "out", Options(form=form))
    messages = {finding.code for finding in study.all_findings if finding.severity.value != "info"}
    assert messages == {"orientation-unknown", "subject-unknown"}
    assert inveon("verify", source, tmp_path / "out").exit_code == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"total_frames": 7}, "count-stale"),
        ({"time_frames": 7}, "count-stale"),
        ({"number_of_bed_positions": 3}, "beds-joined"),
        ({"time_frames": 1}, None),
        ({"total_frames": 0}, None),
        ({"number_of_bed_positions": 0}, None),
    ],
)
def test_blocks_decide_and_stale_counts_are_findings(tmp_path: Path, change: dict[str, int], code: str | None) -> None:
    source = pair(tmp_path / "in", text_of({**MAIN, "number_of_bed_positions": 1, **change}, FRAME))
    assert set(codes(source)) == ({code} if code else set())
    assert inveon("convert", source, tmp_path / "out").exit_code == 0
    assert inveon("verify", source, tmp_path / "out").exit_code == 0


def blocks(*changes: dict[str, Any]) -> str:
    size = 2 * 8 * 8 * 5
    frames = [
        FRAME | {"frame": n, "bed": 0, "data_file_pointer": f"0 {n * size}"} | each for n, each in enumerate(changes)
    ]
    return text_of({**MAIN, "total_frames": len(frames), "number_of_bed_positions": 1}, *frames)


def test_blocks_that_nothing_distinguishes_are_refused_and_the_hint_converts_them(tmp_path: Path) -> None:
    source = pair(tmp_path / "in", blocks({}, {}), 2)
    refused = inveon("convert", source, tmp_path / "out")
    assert refused.exit_code == 1
    assert "frames 0 and 1 have the same frame_start" in refused.stderr
    assert "--separate-frames" in refused.stderr
    assert inveon("convert", source, tmp_path / "out", "--separate-frames").exit_code == 0
    assert {path.parent.name for path in (tmp_path / "out").rglob("*.dcm")} == {"1", "2"}
    assert inveon("verify", source, tmp_path / "out").exit_code == 0
    assert inveon("report", source, "-o", tmp_path / "r.html").exit_code == 0


def test_gates_with_other_time_frames_are_series_of_their_own() -> None:
    starts = ({"gate": 0}, {"gate": 0, "frame_start": 200}, {"gate": 1})
    header, _ = parse(blocks(*starts).encode())
    assert [part.frames for part in frame_groups_of(header)] == [(0, 1), (2,)]
    later = ({"gate": 0}, {"gate": 0, "frame_start": 200}, {"gate": 1}, {"gate": 1, "frame_start": 300})
    header, _ = parse(blocks(*later).encode())
    assert [part.name for part in frame_groups_of(header)] == ["gate 0", "gate 1"]


def test_a_number_that_a_block_lacks_is_that_of_the_others() -> None:
    text = blocks({"frame_start": 0}, {"frame_start": 200}).replace("\ngate 0\n", "\ngate  \n", 1)
    header, findings = parse(text.encode())
    assert findings == ()
    assert [part.frames for part in frame_groups_of(header)] == [(0, 1)]
    assert list(count_findings(header)) == []


def test_beds_with_other_numbers_of_time_frames_are_series_of_their_own() -> None:
    header, _ = parse(blocks({"bed": 0}, {"bed": 0, "frame_start": 200}, {"bed": 1}).encode())
    assert [part.frames for part in frame_groups_of(header)] == [(0, 1), (2,)]


def test_missing_blocks_are_distinguished_from_a_foreign_header(tmp_path: Path) -> None:
    text = blocks({}, {"frame_start": 200}, {"frame_start": 400})
    source = pair(tmp_path / "in", text[: text.index("frame 2")], 3)
    refused = inveon("convert", source, tmp_path / "out")
    assert refused.exit_code == 1
    assert "2 frame blocks, but total_frames is 3" in refused.stderr
    assert "--allow-long-data" in refused.stderr


def test_a_header_that_ends_within_a_line_does_not_use_it(tmp_path: Path) -> None:
    whole = text_of(MAIN, FRAME)
    for key, digits in (("scale_factor", 3), ("bed_offset", 6), ("frame_duration", 1), ("minimum", 3)):
        end = whole.index(f"\n{key} ", whole.index("frame 0")) + len(key) + 2 + digits
        header, findings = parse(whole[:end].encode())
        assert [finding.code for finding in findings] == ["header-cut-off", "no-end-of-header"], key
        frame = header.frames[0]
        assert {
            "scale_factor": frame.scale_factor,
            "bed_offset": frame.bed_offset_mm,
            "frame_duration": frame.duration_s,
            "minimum": frame.minimum,
        }[key] is None
        assert write(header) == whole[:end].encode()
    end = whole.index("\nscale_factor ") + len("\nscale_factor 1.0")
    source = pair(tmp_path / "in", whole[:end])
    refused = inveon("convert", source, tmp_path / "out")
    assert refused.exit_code == 1
    assert "the file ends within the line 'scale_factor 1.0'" in refused.stderr


def test_a_last_line_without_newline_is_whole_if_it_is_the_end() -> None:
    _, findings = parse(text_of(MAIN, FRAME).rstrip("\n").encode())
    assert findings == ()


@pytest.mark.parametrize(
    ("written", "count"),
    [("123456", 123456), ("0 0 123456", 123456), ("77 0 0", 77), ("0 0 0", 0), ("1 2 3", None), ("0 -5 3", None)],
)
def test_three_numbers_count_where_only_one_is_above_0(written: str, count: int | None) -> None:
    data = text_of(MAIN, FRAME | {"prompts": written, "delays": written, "trues": written}).encode()
    header, findings = parse(data)
    assert findings == ()
    assert header.frames[0].prompts == header.frames[0].delays == header.frames[0].trues == count
    assert write(header) == data


def test_two_numbers_are_no_count() -> None:
    _, findings = parse(text_of(MAIN, FRAME | {"prompts": "1 2"}).encode())
    assert [finding.code for finding in findings] == ["bad-value"]


def test_text_of_a_windows_console_keeps_its_letters(tmp_path: Path) -> None:
    defined = bytes(each for each in range(0x80, 0x100) if each not in (0x81, 0x8D, 0x8F, 0x90, 0x9D))
    header, _ = parse(b"version 1\noperator " + defined.replace(b"\xa0", b"") + b"\n")
    assert header.acquisition.operator == defined.replace(b"\xa0", b"").decode("cp1252")
    source = pair(tmp_path / "in", text_of(MAIN | {"operator": "O\u2019Brien \u2013 \u20ac \u0160\u017e"}, FRAME))
    convert(source, tmp_path / "out")
    first = pydicom.dcmread(min((tmp_path / "out").rglob("*.dcm")))
    assert first.OperatorsName == "O\u2019Brien \u2013 \u20ac \u0160\u017e"


@pytest.mark.parametrize(
    ("gmt", "hours"),
    [
        ("Fri Jun 30 16:53:21 2017", -5),
        ("Fri Jun 30 16:53:22 2017", -5),
        ("Fri Jun 30 16:53:18 2017", -5),
        ("Fri Jun 30 11:53:20 2017", 0),
        ("Fri Jun 30 06:23:21 2017", 5.5),
        ("Fri Jun 30 16:54:21 2017", None),
        ("Thu Jan  1 00:00:00 1970", None),
        ("Wed Dec 31 18:00:00 1969", None),
    ],
)
def test_zones_of_clocks_that_were_read_one_after_the_other(tmp_path: Path, gmt: str, hours: float | None) -> None:
    text = text_of(MAIN | {"gmt_scan_time": gmt, "subject_date_of_birth": "Thu Jan  1 00:00:00 1970"}, FRAME)
    offset, findings = utc_offset(parse(text.encode())[0])
    assert (offset.total_seconds() / 3600 if offset is not None else None) == hours
    assert bool(findings) == (hours is None and "2017" in gmt)
    source = pair(tmp_path / "in", text)
    convert(source, tmp_path / "out")
    first = pydicom.dcmread(min((tmp_path / "out").rglob("*.dcm")))
    zone = None if hours is None else f"{'-' if hours < 0 else '+'}{int(abs(hours)):02}{int(abs(hours) % 1 * 60):02}"
    assert first.get("TimezoneOffsetFromUTC") == zone
    assert not first.PatientBirthDate
    assert inveon("verify", source, tmp_path / "out").exit_code == 0


def test_bytes_that_windows_leaves_undefined_do_not_spoil_the_letters_beside_them(tmp_path: Path) -> None:
    data = text_of(MAIN, FRAME).encode("ascii").replace(b"institution  ", b"institution \x80 \x81 M\xfcller\x92s \x9d")
    header, findings = parse(data)
    assert findings == ()
    assert header.institution == "\u20ac \x81 M\xfcller\u2019s \x9d"
    assert write(header) == data
    convert(pair(tmp_path / "in", data), tmp_path / "out")
    first = pydicom.dcmread(min((tmp_path / "out").rglob("*.dcm")))
    assert header_bytes(first) == data
    assert "\u20ac" in first.InstitutionName
    assert "M\xfcller\u2019s" in first.InstitutionName


def test_a_de_identified_header_names_no_folder_and_no_text_of_the_console(tmp_path: Path) -> None:
    text = text_of(MAIN | {"operator": "O\u2019Brien", "acquisition_notes": "cage of M\xfcller\u2019s"}, FRAME)
    convert(
        pair(tmp_path / "in", text),
        tmp_path / "out",
        Options(deidentify=Deidentify(shift_days=100), subject=GivenSubject(id="A1")),
    )
    written = b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*.dcm"))
    for word in ("User Folders", "modifications", "Brien", "ller", "matrix.trf"):
        assert word.encode() not in written, word


def enhanced(tmp_path: Path, main: dict[str, Any], frame: dict[str, Any]) -> pydicom.Dataset:
    convert(pair(tmp_path / "in", text_of(main, frame)), tmp_path / "out", Options(form=Form.ENHANCED))
    (path,) = (tmp_path / "out").rglob("*.dcm")
    return pydicom.dcmread(path)


def test_joined_beds_have_no_one_table_position_and_took_the_time_of_all(tmp_path: Path) -> None:
    # 1.21564 to 6.68436 cm are 54.69 mm of travel; 6:40 min are 400 s
    ds = enhanced(tmp_path, MAIN, FRAME)
    assert "CTPositionSequence" not in ds.SharedFunctionalGroupsSequence[0]
    assert ds.ImageType[0] == "DERIVED"
    assert ds.AcquisitionDuration == 400.0


@pytest.mark.parametrize("change", [{"number_of_bed_positions": 1}, {"ending_bed_offset": "1.21564"}])
def test_one_bed_has_its_table_position(tmp_path: Path, change: dict[str, Any]) -> None:
    main = MAIN | {key: value for key, value in change.items() if key in MAIN}
    ds = enhanced(tmp_path, main, FRAME | {key: value for key, value in change.items() if key in FRAME})
    position = ds.SharedFunctionalGroupsSequence[0].CTPositionSequence[0]
    assert position.TablePosition == pytest.approx(12.1564)
    assert ds.AcquisitionDuration == 200.0


@pytest.mark.parametrize(
    ("kind", "runs", "label"),
    [(0, 0, "UNKNOWN"), (2, 0, "UNKNOWN"), (1, 1, "3 PT BOXCAR"), (2, 3, "3 PT GAUSSIAN"), (3, 1, "3 PT TRIANGULAR")],
)
def test_the_workstations_smoothing_is_the_image_filter(tmp_path: Path, kind: int, runs: int, label: str) -> None:
    ds = enhanced(tmp_path, MAIN | {"smooth_types": kind, "smooth_iter": runs}, FRAME)
    assert ds.SharedFunctionalGroupsSequence[0].CTReconstructionSequence[0].ImageFilter == label


@pytest.mark.parametrize(("number", "code"), [(0, None), (1, None), (2, None), (3, "count-stale")])
def test_w_dimension_is_a_count_like_the_others(tmp_path: Path, number: int, code: str | None) -> None:
    text = blocks({}, {"frame_start": 200}).replace("z_dimension 5\n", f"z_dimension 5\nw_dimension {number}\n")
    assert set(codes(pair(tmp_path / "in", text, 2))) == ({code} if code else set())


def test_a_clock_of_1970_is_shown_nowhere(tmp_path: Path) -> None:
    source = pair(tmp_path / "in", text_of(MAIN | {"scan_time": "Thu Jan  1 00:00:00 1970"}, FRAME))
    page = tmp_path / "r.html"
    assert inveon("report", source, "-o", page).exit_code == 0
    assert "1970-01-01" not in inveon("info", source).stdout
    assert "1970-01-01" not in page.read_text("utf-8")


@pytest.mark.parametrize("key", ["frame_duration", "data_file_pointer", "scale_factor"])
def test_a_header_cut_between_lines_is_reported(key: str) -> None:
    whole = text_of(MAIN, FRAME)
    end = whole.index("\n", whole.index(f"\n{key} ") + 1) + 1
    header, findings = parse(whole[:end].encode())
    assert [finding.code for finding in findings] == ["no-end-of-header"]
    assert write(header) == whole[:end].encode()


def test_a_cut_main_block_is_refused(tmp_path: Path) -> None:
    whole = text_of(MAIN, FRAME)
    for key in ("pixel_size_x", "subject_weight", "scan_time"):
        end = whole.index(f"\n{key} ") + len(key) + 4
        refused = inveon("convert", pair(tmp_path / key, whole[:end]), tmp_path / f"{key}-out")
        assert refused.exit_code == 1
        assert "the file ends within the line" in refused.stderr


@pytest.mark.usefixtures("batches_here")
def test_all_commands_take_joined_beds(tmp_path: Path) -> None:
    source = pair(tmp_path / "in" / "study", text_of(MAIN, FRAME))
    for command in (
        ["batch", source.parent, tmp_path / "out"],
        ["subjects", source, "-o", tmp_path / "sheet.csv"],
        ["check", source, "--json"],
        ["info", source, "--json"],
    ):
        done = inveon(*command)
        assert done.exit_code == 0, (command, done.stderr)
        assert "number_of_bed_positions" not in done.stderr or "joined" in done.stderr
