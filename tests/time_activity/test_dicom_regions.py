"""Regions of DICOM: SEG made by highdicom, RTSTRUCT by pydicom, both drawn on our own DICOM."""

from __future__ import annotations

import contextlib
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from highdicom.sr.coding import CodedConcept
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, generate_uid

import inveonimaging
from helpers import write_small_study
from inveonimaging import CurvesOptions, Options
from inveonimaging.errors import InputError, InveonError
from inveonimaging.findings import Severity
from inveonimaging.phantom import PET_SCAN, frames_of, write_scan
from inveonimaging.time_activity.measuring import Curve
from inveonimaging.time_activity.region_files import read_regions

# 16 x 14 x 6 voxels of 2 x 2 x 9 mm: fine enough for contours, and quick.
PET = replace(PET_SCAN, shape=(16, 14, 6), spacing_mm=(2.0, 2.0, 9.0), frames=frames_of(20, 40))


class Drawn:
    """A PET, its DICOM, and the headers of its first frame's slices in the order of their positions."""

    def __init__(self, folder: Path) -> None:
        self.source = folder / "m.img"
        folder.mkdir(parents=True)
        write_scan(self.source, PET)
        self.dicom = folder / "dicom"
        inveonimaging.convert(self.source, self.dicom)
        self.image = inveonimaging.read(self.source)
        found = [pydicom.dcmread(path) for path in sorted((self.dicom / "1").iterdir())]
        self.slices = sorted(
            (each for each in found if float(each.FrameReferenceTime) < 20_000),
            key=lambda each: float(each.ImagePositionPatient[2]),
        )

    @property
    def values(self) -> npt.NDArray[np.float32]:
        """(frames, slices in the order of `slices`, rows, columns), as the DICOM has columns."""
        turned = np.asarray(self.image)
        positions = [float(z) for z in self.image.grid.positions[:, 2]]
        return turned[:, np.argsort(positions)]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    return Drawn(tmp_path_factory.mktemp("drawn") / "in")


def description(number: int, label: str) -> Any:
    return hd.seg.SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=CodedConcept("123037004", "SCT", "Anatomical Structure"),
        segmented_property_type=CodedConcept("80891009", "SCT", "Heart"),
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
    )


def write_seg(path: Path, slices: list[Any], pixels: npt.NDArray[Any], kind: str, *labels: str, **how: Any) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = hd.seg.Segmentation(
            source_images=slices,
            pixel_array=pixels,
            segmentation_type=kind,
            segment_descriptions=[description(n, label) for n, label in enumerate(labels, 1)],
            series_instance_uid=generate_uid(),
            series_number=9,
            sop_instance_uid=generate_uid(),
            instance_number=1,
            manufacturer="m",
            manufacturer_model_name="m",
            software_versions="1",
            device_serial_number="1",
            **how,
        )
    made.save_as(path)
    return path


def curves_of(drawn: Drawn, path: Path, **options: Any) -> dict[str, Curve]:
    options = {"dicom": drawn.dicom, **options}
    found = inveonimaging.curves(drawn.source, options=CurvesOptions(regions=path, **options)).curves
    return {each.region: each for each in found}


def codes_of(drawn: Drawn, path: Path) -> dict[str, Severity]:
    options = CurvesOptions(regions=path, dicom=drawn.dicom)
    found = inveonimaging.curves(drawn.source, options=options).findings
    return {each.code: each.severity for each in found if each.code.startswith("region")}


def assert_means(curve: Curve, drawn: Drawn, inside: npt.NDArray[np.bool_]) -> None:
    expected = [frame[inside].mean(dtype=float) for frame in drawn.values]
    assert curve.means == pytest.approx(expected, rel=1e-6)
    assert curve.voxels.tolist() == [int(inside.sum())] * 2


def test_segments_are_the_voxels_that_they_say(drawn: Drawn, tmp_path: Path) -> None:
    """Two that overlap, with empty slices left out of the file."""
    pixels = np.zeros((6, 14, 16, 2), np.uint8)
    pixels[1:3, 4:9, 3:11, 0] = 1
    pixels[2:5, 6:11, 5:13, 1] = 1
    path = write_seg(tmp_path / "s.dcm", drawn.slices, pixels, "BINARY", "=heart", "left kidney")
    found = curves_of(drawn, path)
    assert list(found) == ["heart", "left kidney"]  # which no spreadsheet takes for a formula
    for n, curve in enumerate(found.values()):
        assert_means(curve, drawn, pixels[..., n] > 0)
    assert codes_of(drawn, path) == {}
    twice = inveonimaging.curves(drawn.source, options=CurvesOptions(regions=[path, path], dicom=drawn.dicom))
    assert [each.region for each in twice.curves] == ["heart", "left kidney", "heart 2", "left kidney 2"]


def test_a_fraction_of_a_half_counts(drawn: Drawn, tmp_path: Path) -> None:
    pixels = np.random.default_rng(5).random((6, 14, 16)).astype(np.float32)
    path = write_seg(tmp_path / "s.dcm", drawn.slices, pixels, "FRACTIONAL", "heart", max_fractional_value=200)
    stored = np.around(pixels * 200)
    assert_means(curves_of(drawn, path)["heart"], drawn, stored >= 100)
    assert codes_of(drawn, path) == {"region-fractional": Severity.INFO}


def test_a_label_map_has_a_number_in_each_voxel(drawn: Drawn, tmp_path: Path) -> None:
    pixels = np.random.default_rng(6).integers(0, 3, (6, 14, 16)).astype(np.uint8)
    path = write_seg(tmp_path / "s.dcm", drawn.slices, pixels, "LABELMAP", "one", "two")
    found = curves_of(drawn, path)
    for number, name in enumerate(("one", "two"), 1):
        assert_means(found[name], drawn, pixels == number)


def test_another_frame_of_reference_is_refused_by_name(drawn: Drawn, tmp_path: Path) -> None:
    pixels = np.ones((6, 14, 16), np.uint8)
    path = write_seg(tmp_path / "s.dcm", drawn.slices, pixels, "BINARY", "heart")
    ours = drawn.slices[0].FrameOfReferenceUID
    with pytest.raises(InputError, match=f"'heart' was drawn in the frame of reference {ours}.*--dicom FOLDER"):
        curves_of(drawn, path, dicom=None)
    for each in drawn.slices:
        each.FrameOfReferenceUID = "1.2.3"
    try:
        other = write_seg(tmp_path / "o.dcm", drawn.slices, pixels, "BINARY", "heart")
    finally:
        for each in drawn.slices:
            each.FrameOfReferenceUID = ours
    with pytest.raises(
        InputError, match=rf"o.dcm: 'heart' was drawn in the frame of reference 1\.2\.3, expected {ours}"
    ):
        curves_of(drawn, other)


def test_the_conversion_must_be_of_these_files_and_lie_where_they_do(drawn: Drawn, tmp_path: Path) -> None:
    pixels = np.ones((6, 14, 16), np.uint8)
    path = write_seg(tmp_path / "s.dcm", drawn.slices, pixels, "BINARY", "heart")
    with pytest.raises(InputError, match=r"no inveon-manifest.json"):
        curves_of(drawn, path, dicom=tmp_path)
    with pytest.raises(InputError, match=r"do not lie where those of the Inveon files do.*--orientation"):
        curves_of(drawn, path, orientation="FFP" if drawn.image.grid.orientation.name != "FFP" else "HFP")
    hidden = inveonimaging.Deidentify(key=b"a secret of some length")
    inveonimaging.convert(drawn.source, tmp_path / "hidden", Options(deidentify=hidden))
    slices = [pydicom.dcmread(each) for each in sorted((tmp_path / "hidden" / "1").iterdir())][:6]
    ours = write_seg(tmp_path / "h.dcm", slices, pixels, "BINARY", "Smith")
    with pytest.raises(InputError, match=r"of other files.*--deidentify with its key"):
        curves_of(drawn, ours, dicom=tmp_path / "hidden")
    assert list(curves_of(drawn, ours, dicom=tmp_path / "hidden", deidentify=hidden)) == ["region-1"]
    write_small_study(tmp_path / "other")
    inveonimaging.convert(tmp_path / "other", tmp_path / "other_dicom")
    with pytest.raises(InputError, match="this conversion is of other files"):
        curves_of(drawn, path, dicom=tmp_path / "other_dicom")


def test_a_conversion_of_any_form_names_the_space(drawn: Drawn, tmp_path: Path) -> None:
    pixels = np.ones((6, 14, 16), np.uint8)
    path = write_seg(tmp_path / "s.dcm", drawn.slices, pixels, "BINARY", "all")
    for form in ("enhanced", "legacy"):
        inveonimaging.convert(drawn.source, tmp_path / form, Options(form=form))
        assert_means(curves_of(drawn, path, dicom=tmp_path / form)["all"], drawn, pixels > 0)


def test_damaged_segmentations_are_one_line(drawn: Drawn, tmp_path: Path) -> None:
    pixels = np.zeros((6, 14, 16), np.uint8)
    pixels[2:4, 3:9, 3:9] = 1
    whole = write_seg(tmp_path / "s.dcm", drawn.slices, pixels, "BINARY", "heart").read_bytes()
    random = np.random.default_rng(7)
    for _ in range(60):
        data = bytearray(whole[: len(whole) if random.random() < 0.7 else random.integers(200, len(whole))])
        for _ in range(random.integers(1, 4)):
            data[random.integers(132, len(data))] = random.integers(256)
        (tmp_path / "d.dcm").write_bytes(data)
        with contextlib.suppress(InveonError):  # any other error fails the test
            read_regions(tmp_path / "d.dcm")


# Contours.


def write_structures(
    path: Path, space: str, regions: dict[str, list[npt.NDArray[Any]]], kind: str = "CLOSED_PLANAR"
) -> Path:
    """Write regions by their names: contours of (n, 3) points, LPS mm."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.481.3")
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds = Dataset()
    ds.file_meta = meta
    ds.SOPClassUID, ds.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    ds.Modality = "RTSTRUCT"
    ds.StructureSetROISequence, ds.ROIContourSequence = [], []
    for number, (name, contours) in enumerate(regions.items(), 1):
        roi, drawing = Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ReferencedFrameOfReferenceUID = number, name, space
        drawing.ReferencedROINumber, drawing.ContourSequence = number, []
        for points in contours:
            contour = Dataset()
            contour.ContourGeometricType = kind
            contour.NumberOfContourPoints = len(points)
            contour.ContourData = [f"{each:.6g}" for each in np.ravel(points)]
            drawing.ContourSequence.append(contour)
        ds.StructureSetROISequence.append(roi)
        ds.ROIContourSequence.append(drawing)
    ds.save_as(path, enforce_file_format=True)
    return path


def square(x: float, y: float, half: float, z: float) -> npt.NDArray[np.float64]:
    return np.array(
        [(x - half, y - half, z), (x + half, y - half, z), (x + half, y + half, z), (x - half, y + half, z)]
    )


def places(drawn: Drawn) -> npt.NDArray[np.float64]:
    """Return where the centre of each voxel of `values` is, (nk, nj, ni, 3), by the DICOM's own attributes."""
    found = np.empty((6, 14, 16, 3))
    for n, each in enumerate(drawn.slices):
        right, down = np.reshape(np.array(each.ImageOrientationPatient, float), (2, 3))
        between_rows, between_columns = map(float, each.PixelSpacing)
        j, i = np.meshgrid(np.arange(14), np.arange(16), indexing="ij")
        origin = np.array(each.ImagePositionPatient, float)
        found[n] = origin + i[..., None] * right * between_columns + j[..., None] * down * between_rows
    return found


def test_a_square_with_a_hole_is_even_odd(drawn: Drawn, tmp_path: Path) -> None:
    """Drawn on two slices around a voxel: 5 x 5 voxels of 2 mm less 3 x 3 of them, on one slice alone."""
    where = places(drawn)
    x, y, _ = where[2, 6, 7]
    z = where[:, 0, 0, 2]
    hole = [square(x, y, 5, z[2]), square(x, y, 3, z[2]), square(x, y, 5, z[3])]
    path = write_structures(tmp_path / "r.dcm", drawn.slices[0].FrameOfReferenceUID, {"ring": hole})
    apart = np.maximum(np.abs(where[..., 0] - x), np.abs(where[..., 1] - y))
    inside = (apart < 5) & ((where[..., 2] == z[3]) | ((where[..., 2] == z[2]) & (apart > 3)))
    assert int(inside.sum()) == 16 + 25
    assert_means(curves_of(drawn, path)["ring"], drawn, inside)


def test_a_tilted_polygon_holds_the_centres_inside_it(drawn: Drawn, tmp_path: Path) -> None:
    """A star whose lines cross themselves, against the ray from each centre by hand."""
    where = places(drawn)
    x, y, z = where[3, 6, 7]
    turn = 2 * np.pi * np.arange(5) * 2 / 5
    star = np.stack([x + 9.7 * np.sin(turn), y - 9.7 * np.cos(turn), np.full(5, z)], axis=1)
    path = write_structures(tmp_path / "r.dcm", drawn.slices[0].FrameOfReferenceUID, {"star": [star]})
    inside = np.zeros(where.shape[:3], bool)
    for j in range(14):
        for i in range(16):
            px, py = where[3, j, i, :2]
            crossings = 0
            for (ax, ay, _), (bx, by, _) in zip(star, np.roll(star, -1, axis=0), strict=True):
                if (ay > py) != (by > py) and px < ax + (py - ay) / (by - ay) * (bx - ax):
                    crossings += 1
            inside[3, j, i] = crossings % 2 == 1
    assert 10 < inside.sum() < 40
    assert_means(curves_of(drawn, path)["star"], drawn, inside)


def test_neighbours_that_share_an_edge_through_centres_share_no_voxel(drawn: Drawn, tmp_path: Path) -> None:
    where = places(drawn)
    x, y, z = where[2, 6, 7]
    left, right = square(x - 4, y, 4, z), square(x + 4, y, 4, z)
    path = write_structures(tmp_path / "r.dcm", drawn.slices[0].FrameOfReferenceUID, {"a": [left], "b": [right]})
    found = curves_of(drawn, path)
    assert [each.voxels[0] for each in found.values()] == [16, 16]


def test_contours_of_a_finer_image_reach_half_way_to_the_next(drawn: Drawn, tmp_path: Path) -> None:
    """Every mm from 1 mm below a slice to 1 mm above it: that slice alone; 9 mm slices."""
    where = places(drawn)
    x, y, z = where[2, 6, 7]
    fine = [square(x, y, 5, z + step) for step in (-1, 0, 1)]
    wide = [square(x, y, 5, z - 13), square(x, y, 5, z + 5)]  # 18 mm apart: 22 mm below to 14 above
    path = write_structures(tmp_path / "r.dcm", drawn.slices[0].FrameOfReferenceUID, {"fine": fine, "wide": wide})
    found = curves_of(drawn, path)
    apart = np.maximum(np.abs(where[..., 0] - x), np.abs(where[..., 1] - y)) < 5
    assert_means(found["fine"], drawn, apart & (where[..., 2] == z))
    assert_means(found["wide"], drawn, apart & (where[..., 2] > z - 22) & (where[..., 2] < z + 14))


def test_what_of_contours_is_not_taken_is_reported(drawn: Drawn, tmp_path: Path) -> None:
    where = places(drawn)
    x, y, _ = where[2, 6, 7]
    z = where[:, 0, 0, 2]
    gaps = [square(x, y, 5, z[n]) for n in (1, 2, 5)]
    space = drawn.slices[0].FrameOfReferenceUID
    path = write_structures(tmp_path / "r.dcm", space, {"a": gaps, "none": []})
    assert codes_of(drawn, path) == {
        "region-with-gaps": Severity.WARNING,
        "region-without-contours": Severity.WARNING,
    }
    inside = (np.maximum(np.abs(where[..., 0] - x), np.abs(where[..., 1] - y)) < 5) & np.isin(
        where[..., 2], z[[1, 2, 5]]
    )
    assert_means(curves_of(drawn, path)["a"], drawn, inside)
    tilted = square(x, y, 5, z[2])
    tilted[2:, 2] += 2
    write_structures(tmp_path / "t.dcm", space, {"a": [tilted]})
    with pytest.raises(InputError, match="'a' does not lie in one transverse slice"):
        curves_of(drawn, tmp_path / "t.dcm")
    write_structures(tmp_path / "p.dcm", space, {"a": [square(x, y, 5, z[2])]}, kind="POINT")
    with pytest.raises(InputError, match="no region has a closed contour"):
        curves_of(drawn, tmp_path / "p.dcm")
    with pytest.raises(InputError, match="neither a SEG nor an RTSTRUCT"):
        curves_of(drawn, next((drawn.dicom / "1").iterdir()))


def test_damaged_structure_sets_are_one_line(drawn: Drawn, tmp_path: Path) -> None:
    x, y, z = places(drawn)[2, 6, 7]
    path = write_structures(tmp_path / "r.dcm", drawn.slices[0].FrameOfReferenceUID, {"a": [square(x, y, 5, z)]})
    whole = path.read_bytes()
    random = np.random.default_rng(8)
    for _ in range(100):
        data = bytearray(whole[: len(whole) if random.random() < 0.7 else random.integers(200, len(whole))])
        for _ in range(random.integers(1, 4)):
            data[random.integers(132, len(data))] = random.integers(256)
        path.write_bytes(data)
        with contextlib.suppress(InveonError):  # any other error fails the test
            read_regions(path)
