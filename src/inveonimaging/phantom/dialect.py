"""The dialect of genuine headers: what the scanner and its workstation write, and in which order.

It is that of the header of a genuine CT: its keys in their order, text that nobody entered as the key and two spaces,
several bed positions that the reconstruction joined into one frame block, and placeholders where values are of no use.
Of a PET's own keys the order is that of the table; its counts are three numbers, as older consoles write them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from inveonimaging.inveon.hdr import Header, enums
from inveonimaging.inveon.hdr.fields import FRAME, MAIN, Field
from inveonimaging.inveon.hdr.lexer import END, Line, encode, lex
from inveonimaging.inveon.hdr.model import Calibration, Corrections, Smoothing
from inveonimaging.inveon.hdr.values import TEXT, Filter, Indexed

_BEDS = 2
_OVERLAP = 0.3  # of what a bed position shows, which the next one shows, too
_FIRST_BED_MM = 12.1564
_ANGLES = 181  # a revolution in steps of 2 degrees, with both ends
_PLACEHOLDER = 32767.0
_NO_FILTER = Filter(enums.FilterWindow.NONE, 0.5)
_HU_FACTOR = 2.7205  # is in a CT's header and is not applied: its integers are HU
_MM_PER_UM = 1e-3


_ORDER = """
    version manufacturer model modality modality_configuration institution study file_name file_type
    acquisition_mode total_frames time_frames bed_control bed_motion number_of_bed_positions
    horizontal_bed_calibration vertical_bed_calibration transaxial_bin_size axial_plane_size
    number_detector_panels data_type number_of_dimensions x_dimension y_dimension z_dimension
    acquisition_user_id histogram_user_id reconstruction_user_id scatter_correction_user_id acquisition_notes
    scan_time gmt_scan_time volume_origin_x volume_origin_y volume_origin_z registration_available
    transformation_matrix spatial_identifier normalization_applied recon_algorithm recon_version x_filter
    y_filter z_filter x_offset y_offset image_ref_shift image_ref_rotation zoom pixel_size pixel_size_x
    pixel_size_y pixel_size_z investigator operator study_identifier injected_compound subject_identifier
    subject_genus subject_orientation subject_length_units subject_length subject_weight_units subject_weight
    subject_phenotype study_model anesthesia analgesia other_drugs food_access water_access
    subject_date_of_birth subject_age subject_sex subject_scan_region calibration_units calibration_factor
    smooth_types smooth_iter smooth_threshold acquisition_file_name gantry_rotation rotation_direction
    rotating_stage_start_position rotating_stage_stop_position number_of_projections gantry_revolutions
    ct_file_version ct_header_size ct_proj_size_transaxial ct_proj_size_axial ct_average_dark_projections
    ct_average_light_projections ct_light_calibration_projections ct_dependent_light_calibration_projections
    ct_xray_detector_offset ct_detector_transaxial_position ct_uncropped_transaxial_pixels
    ct_uncropped_axial_pixels ct_cropped_transaxial_pixels ct_cropped_axial_pixels ct_xray_detector_pitch
    ct_horiz_rot_axis_bed_angle ct_vert_rot_axis_bed_angle ct_exposure_time ct_scan_time ct_warping
    ct_defect_map_file_name ct_xray_voltage ct_anode_current ct_calibration_exposures ct_cone_angle
    ct_projection_interpolation ct_source_to_detector ct_source_to_crot ct_detector_vertical_offset
    ct_detector_horizontal_tilt ct_detector_vertical_tilt ct_transaxial_bin_factor ct_axial_bin_factor
    ct_gating ct_hounsfield_scale ct_hounsfield_offset ct_proj_downsample_factor ct_first_recon_proj
    ct_last_recon_proj ct_recon_every_nth_proj ct_attenuation_water ct_tx_rotation_offsets
    ct_tx_transaxial_offsets ct_bh_correction ct_aluminum_filter_thickness projection
    ct_projection_average_center_offset ct_projection_center_offset ct_projection_horizontal_bed_offset
"""
_FRAME_ORDER = """
    frame detector_panel event_type energy_window gate bed bed_offset ending_bed_offset bed_passes
    vertical_bed_offset data_file_pointer frame_start frame_duration scale_factor minimum maximum
"""
_COUNTS = {"prompts", "delays", "trues"}
_WHOLE = re.compile(r"(?<![\d.])(-?\d+)\.0(?!\d)")


def genuine(header: Header) -> Header:
    """Return a header as the scanner and its workstation fill it in; a CT's is of bed positions that were joined."""
    x, y, z = (size or 0 for size in (header.array.x, header.array.y, header.array.z))
    blank = replace(
        header,
        version=2.0,
        manufacturer=None,
        institution=None,
        geometry=replace(
            header.geometry,
            spatial_identifier=None,
            volume_origin_x=x // 2 - 1,
            volume_origin_y=y // 2 - 1,
            volume_origin_z=z // 2 - 1,
        ),
        smoothing=Smoothing(filter=enums.Smoothing.UNKNOWN, iterations=0, threshold_percent=0.0),
    )
    return _joined(blank) if header.modality is enums.Modality.CT else blank


def _joined(header: Header) -> Header:
    """Return a CT's header after the reconstruction has joined two bed positions into one frame block."""
    depth_mm = (header.array.z or 0) * (header.geometry.pixel_size_z_mm or 0.0)
    seen_mm = depth_mm / (_BEDS - _OVERLAP)
    travel_mm = round(depth_mm - seen_mm, 4)
    pixels = round(seen_mm / (_MM_PER_UM * (header.ct.detector_pitch_um or 1.0)))
    (frame,) = header.frames
    angles = range(_ANGLES)
    return replace(
        header,
        time_frames=0,
        array=replace(header.array, order=None, w=None),
        detector=replace(
            header.detector, transaxial_bin_size_mm=0.815, axial_plane_size_mm=header.geometry.pixel_size_z_mm
        ),
        reconstruction=replace(header.reconstruction, y_filter=_NO_FILTER, z_filter=_NO_FILTER),
        bed=replace(header.bed, motion=enums.BedMotion.STEP_AND_SHOOT, positions=_BEDS),
        calibration=Calibration(units=enums.CalibrationUnits.HOUNSFIELD, factor=_HU_FACTOR),
        corrections=Corrections(normalization=enums.Normalization.NONE),
        geometry=replace(header.geometry, pixel_size_mm=0.0, rotation_deg=None, z_offset_mm=None),
        gantry=replace(
            header.gantry,
            direction=enums.RotationDirection.COUNTERCLOCKWISE,
            stop_deg=360.0,
            projections=_ANGLES,
            projection_angles_deg=tuple(Indexed(n, n * 360.0 / (_ANGLES - 1)) for n in angles),
        ),
        ct=replace(
            header.ct,
            file_version=4,
            header_size=50432,
            projection_size_axial=pixels,
            hounsfield_scale=0.0,
            hounsfield_offset=0.0,
            attenuation_water_per_cm=0.0,
            projection_downsample_factor=0,
            last_recon_projection=0,
            recon_every_nth_projection=0,
            beam_hardening_correction=False,
            defect_map_file=None,
            projection_center_offsets_mm=tuple(Indexed(n, 0.0) for n in angles),
            projection_horizontal_bed_offsets_mm=tuple(Indexed(n, _FIRST_BED_MM) for n in angles),
        ),
        frames=(
            replace(
                frame,
                detector_panel=-1,
                energy_window=-1,
                bed=_BEDS,
                bed_offset_mm=_FIRST_BED_MM,
                ending_bed_offset_mm=round(_FIRST_BED_MM + travel_mm, 4),
                duration_s=(frame.duration_s or 0.0) / _BEDS,
                minimum=-_PLACEHOLDER,
                maximum=_PLACEHOLDER,
            ),
        ),
    )


def laid_out(text: bytes, newline: str) -> bytes:
    """Return a header's text, as `hdr.write` spells it, laid out as genuine headers are.

    Args:
        text: all blocks.
        newline: between the lines of the result.
    """
    lexed = lex(text)
    name = next((line.value for line in lexed.blocks[0] if line.key == "file_name"), "")
    lines = ["#", f"# The phantom of inveonimaging: saved anew from {name}", "#", f"# {'_' * 74}", "#"]
    lines += [f"# Header file for data file {name}", f"#    with {len(lexed.blocks) - 1} frames.", "#", "#"]
    lines += ["#  Keys of every modality come first.", "#", "#"]
    for number, block in enumerate(lexed.blocks):
        table = FRAME if number else MAIN
        rows: dict[str, list[str]] = {}
        for line in block:
            if line.key and line.key != END:
                rows.setdefault(line.key, []).append(_spelled(line))
        for key in _ordered(rows, table):
            lines += [*_comment(table.get(key)), *rows.get(key, [f"{key}  "])]
        lines += ["#", "# The header, or this frame's part of it, ends here", "#", END]
    return encode(newline.join([*lines, ""]), lexed.encoding)


def _comment(field: Field | None) -> tuple[str, ...]:
    """Return the lines above a key."""
    if field is None:
        return ("#",)
    choices = (f"#   {int(member)} - {member.label}" for member in field.codec.choices or ())
    return ("#", f"# {field.comment}", *choices, "#")


def _ordered(written: Iterable[str], table: Mapping[str, Field]) -> list[str]:
    """Return the keys of a block in the scanner's order, with those of text that nobody entered.

    Keys that a CT does not have follow the one that is before them in the table.
    """
    keys, order = list(written), (_ORDER if table is MAIN else _FRAME_ORDER).split()
    if table is MAIN:
        is_ct = any(key.startswith("ct_") for key in keys)
        text = (key for key in order if table[key].codec is TEXT and (is_ct or not key.startswith("ct_")))
        keys += [key for key in text if key not in keys]
    places = {key: float(n) for n, key in enumerate(order)}
    before = -1.0
    for key in table:
        before = places.setdefault(key, before + 1e-3)
    return sorted(keys, key=lambda key: places.get(key, math.inf))


def _spelled(line: Line) -> str:
    """Return a line with its numbers as the scanner spells them, and counts as three numbers."""
    key, value = line.key, line.value
    if key.endswith("version") and key != "ct_file_version":
        return f"{key} {float(value):07.3f}"
    if key in _COUNTS:
        return f"{key} 0 0 {value}"
    if key == "scale_factor" and float(value) == 1:
        return f"{key} 1.00000"
    field = MAIN.get(key) or FRAME.get(key)
    if field is None or field.codec is TEXT or not value.strip():
        return line.raw
    return f"{key} " + _WHOLE.sub(r"\1", value)
