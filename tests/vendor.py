"""One session that the vendor's workstation exported: pairs and DICOM files rebuilt from the facts beside the checkout.

The figures are the vendor's, the header's text is ours: the keys of a genuine header in their order.
"""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element, write_file_meta_info
from pydicom.tag import Tag
from pydicom.uid import ImplicitVRLittleEndian

Int16 = npt.NDArray[np.int16]
Keys = Mapping[str, str]
NO_KEYS: Keys = MappingProxyType({})

REAL = Path(__file__).parents[2] / "shared" / "real"
CT_SHAPE, CT_MM = (512, 512, 679), 0.19541
PET_SHAPE, PET_MM, PET_SLICE_MM, PET_FRAMES = (128, 128, 159), 0.800024, 0.796, 40
CT_STEM, PET_STEM = "mpet3967b_ct1_v1.ct", "mpet3967b_em1_v1.pet"
_ROOT = "1.2.826.0.1.3680043.10.999."  # of the instances alone, whose own UIDs are not among the facts

_CT = {
    "version": "002.000",
    "manufacturer": " ",
    "model": "5001",
    "modality": "1",
    "modality_configuration": "3603",
    "institution": " ",
    "study": " ",
    "file_name": rf"F:\data\{CT_STEM}.img",
    "file_type": "5",
    "acquisition_mode": "9",
    "total_frames": "1",
    "time_frames": "0",
    "bed_control": "3",
    "bed_motion": "2",
    "number_of_bed_positions": "2",
    "number_detector_panels": "1",
    "data_type": "2",
    "number_of_dimensions": "3",
    "x_dimension": "512",
    "y_dimension": "512",
    "z_dimension": "679",
    "scan_time": "Fri Apr 12 12:38:19 2019",
    "gmt_scan_time": "Fri Apr 12 17:38:19 2019",
    "volume_origin_x": "255",
    "volume_origin_y": "255",
    "volume_origin_z": "338",
    "registration_available": "0",
    "transformation_matrix": r"F:\data\matrix.trf",
    "spatial_identifier": " ",
    "normalization_applied": "0",
    "recon_algorithm": "9",
    "recon_version": "002.040",
    "x_filter": "6 0.5",
    "y_filter": "0 0.5",
    "z_filter": "0 0.5",
    "image_ref_shift": "-2.49899 0 2.93998",
    "image_ref_rotation": "0 0 0",
    "zoom": "1",
    "pixel_size": "0",
    "pixel_size_x": "0.19541",
    "pixel_size_y": "0.19541",
    "pixel_size_z": "0.19541",
    "study_identifier": "1.1.05001.07010.00000.20190412123819",
    "injected_compound": "fdg",
    "subject_identifier": " ",
    "subject_genus": " ",
    "subject_orientation": "3",
    "subject_length_units": "0",
    "subject_length": "0",
    "subject_weight_units": "1",
    "subject_weight": "37.9",
    "subject_date_of_birth": " ",
    "subject_age": " ",
    "subject_sex": " ",
    "calibration_units": "3",
    "calibration_factor": "2.7205",
    "smooth_types": "0",
    "gantry_rotation": "1",
    "rotation_direction": "1",
    "rotating_stage_start_position": "0",
    "rotating_stage_stop_position": "360",
    "number_of_projections": "181",
    "gantry_revolutions": "1",
    "ct_xray_detector_pitch": "97.891",
    "ct_exposure_time": "300",
    "ct_scan_time": "6:40",
    "ct_xray_voltage": "60",
    "ct_anode_current": "500",
    "ct_source_to_detector": "339.65",
    "ct_source_to_crot": "264.57",
    "ct_transaxial_bin_factor": "4",
    "ct_axial_bin_factor": "4",
    "ct_hounsfield_scale": "0",
    "ct_hounsfield_offset": "0",
}
_CT_FRAME = {
    "detector_panel": "-1",
    "event_type": "0",
    "energy_window": "-1",
    "gate": "0",
    "bed": "2",
    "bed_offset": "1.21564",
    "ending_bed_offset": "6.68436",
    "bed_passes": "1",
    "vertical_bed_offset": "0.857",
    "data_file_pointer": "0 0",
    "frame_start": "0",
    "frame_duration": "200",
    "scale_factor": "1.00000",
    "minimum": "-32767",
    "maximum": "32767",
}
_PET = {
    "version": "002.000",
    "manufacturer": " ",
    "model": "5001",
    "modality": "0",
    "modality_configuration": "5500",
    "institution": " ",
    "study": " ",
    "file_name": rf"F:\data\{PET_STEM}.img",
    "file_type": "5",
    "acquisition_mode": "3",
    "total_frames": "40",
    "time_frames": "40",
    "bed_control": "3",
    "bed_motion": "0",
    "number_of_bed_positions": "1",
    "isotope": "F-18",
    "isotope_half_life": "6586.2",
    "isotope_branching_fraction": "0.967",
    "number_detector_panels": "1",
    "lld": "350",
    "uld": "650",
    "data_type": "2",
    "number_of_dimensions": "3",
    "x_dimension": "128",
    "y_dimension": "128",
    "z_dimension": "159",
    "scan_time": "Fri Apr 12 12:46:38 2019",
    "gmt_scan_time": "Fri Apr 12 17:46:38 2019",
    "registration_available": "0",
    "spatial_identifier": " ",
    "normalization_applied": "2",
    "rebinning_type": "1",
    "recon_algorithm": "6",
    "recon_version": "002.600",
    "deadtime_correction_applied": "1",
    "decay_correction_applied": "1",
    "attenuation_applied": "8",
    "scatter_correction": "1",
    "image_ref_shift": "0 0 0",
    "image_ref_rotation": "0 0 0",
    "zoom": "0.97045",
    "pixel_size": "0.0800024",
    "pixel_size_x": "0.800024",
    "pixel_size_y": "0.800024",
    "pixel_size_z": "0.796",
    "study_identifier": "1.1.05001.07010.00000.20190412123819",
    "injected_compound": "fdg",
    "dose_units": "2",
    "dose": "14.689",
    "injection_time": "Fri Apr 12 12:50:06 2019",
    "injection_decay_correction": "0.978347",
    "subject_identifier": " ",
    "subject_genus": " ",
    "subject_orientation": "3",
    "subject_length_units": "0",
    "subject_length": "0",
    "subject_weight_units": "1",
    "subject_weight": "37.9",
    "subject_date_of_birth": " ",
    "subject_age": " ",
    "subject_sex": " ",
    "calibration_units": "2",
    "calibration_factor": "1",
    "calibration_branching_fraction": "0.967",
}
_PET_FRAME = {
    "detector_panel": "0",
    "event_type": "4",
    "energy_window": "0",
    "gate": "0",
    "bed": "0",
    "bed_offset": "0",
    "ending_bed_offset": "0",
    "bed_passes": "1",
    "vertical_bed_offset": "0.857",
}


def _text(blocks: Sequence[Mapping[str, str]]) -> str:
    """Return a header's text as the scanner lays it out: what is blank is the key and two spaces."""
    lines = ["#", "# Header file for data file of a session", "#"]
    for block in blocks:
        lines += [*(f"{key} {value}" for key, value in block.items()), "#", "end_of_header"]
    return "\n".join([*lines, ""])


@cache  # as what follows: many tests read them, and none changes them
def _facts(path: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return facts


@cache
def _hounsfield(path: Path) -> Int16:
    with np.load(path) as file:
        return _constant(file["hu"])


@cache
def _stored(path: Path) -> dict[int, Int16]:
    with np.load(path) as file:
        return dict(zip(file["instance"].tolist(), _constant(file["stored"]), strict=True))


def _constant(values: Int16) -> Int16:
    values.flags.writeable = False
    return values


@dataclass(frozen=True)
class Session:
    """What the vendor's export of one session says, from a folder that is beside the checkout."""

    folder: Path = REAL

    @cached_property
    def ct(self) -> dict[str, Any]:
        """`common` and `instances` of the CT."""
        return self._facts("vendor-ct.json.gz")

    @cached_property
    def pet(self) -> dict[str, Any]:
        """`common` and `instances` of the PET."""
        return self._facts("vendor-pet.json.gz")

    @cached_property
    def hounsfield(self) -> Int16:
        """HU of the CT, averaged over 2 x 2 x 2 voxels, (339, 256, 256)."""
        return _hounsfield(self.folder / "hotel-ct-2x2x2.npz")

    @cached_property
    def stored(self) -> dict[int, Int16]:
        """Stored values (128, 128) of those images of the PET that are there, by Instance Number."""
        return _stored(self.folder / "hotel-pet-slices.npz")

    @cached_property
    def frames(self) -> list[dict[str, Any]]:
        """What the vendor says of each of the 40 frames: of the first image of each."""
        found: dict[int, dict[str, Any]] = {}
        for each in self.pet["instances"]:
            found.setdefault((int(each["InstanceNumber"]) - 1) // PET_SHAPE[2], each)
        return [found[frame] for frame in range(PET_FRAMES)]

    def _facts(self, name: str) -> dict[str, Any]:
        return _facts(self.folder / name)

    # Pairs: the middle of each slice, `side` pixels wide and high; the middle of the volume stays where it is.

    def write_ct(
        self, folder: Path, side: int = CT_SHAPE[0], values: Int16 | None = None, keys: Keys = NO_KEYS
    ) -> Path:
        """Write the CT, empty or with values; return the data file."""
        main = _CT | {"x_dimension": str(side), "y_dimension": str(side)} | dict(keys)
        size = 2 * math.prod(int(main[f"{axis}_dimension"]) for axis in "xyz")
        data = _written(folder / f"{CT_STEM}.img", [main, {"frame": "0"} | _CT_FRAME], size)
        if values is not None:
            values.astype("<i2").tofile(data)
        return data

    def write_pet(
        self,
        folder: Path,
        side: int = PET_SHAPE[0],
        values: Mapping[int, Int16] | None = None,
        *,
        has_decay: bool = False,
        keys: Keys = NO_KEYS,
    ) -> Path:
        """Write the PET, with the images that are given by Instance Number; return the data file.

        The frames have the vendor's decay factors only if asked for.
        """
        size = 2 * side * side
        frames = [self._frame(n, n * PET_SHAPE[2] * size) for n in range(PET_FRAMES)]
        main = _PET | {"x_dimension": str(side), "y_dimension": str(side)} | dict(keys)
        for n, frame in enumerate(frames if has_decay else ()):
            frame["decay_correction"] = self.frames[n]["DecayFactor"]
        data = _written(folder / f"{PET_STEM}.img", [main, *frames], PET_FRAMES * PET_SHAPE[2] * size)
        with data.open("r+b") as file:
            for number, image in (values or {}).items():
                file.seek((number - 1) * size)
                file.write(image.astype("<i2").tobytes())
        return data

    def _frame(self, n: int, offset: int) -> dict[str, str]:
        """Return a frame block; with a calibration factor of 1, values are stored * scale_factor / 0.967."""
        facts = self.frames[n]
        duration = float(facts["ActualFrameDuration"]) / 1000
        return {
            "frame": str(n),
            **_PET_FRAME,
            "data_file_pointer": f"0 {offset}",
            "frame_start": f"{float(facts['FrameReferenceTime']) / 1000 - duration / 2:g}",
            "frame_duration": f"{duration:g}",
            "scale_factor": repr(0.967 * float(facts["RescaleSlope"])),
        }

    # Voxels of the middle.

    def ct_values(self, side: int) -> Int16:
        """Return (679, side, side) HU: those of blocks of 2 x 2 x 2 voxels."""
        low, high = (CT_SHAPE[0] - side) // 4, (CT_SHAPE[0] + side) // 4
        planes = np.arange(CT_SHAPE[2]) // 2
        blocks = self.hounsfield[np.minimum(planes, len(self.hounsfield) - 1), low:high, low:high]
        return np.asarray(blocks.repeat(2, axis=1).repeat(2, axis=2))

    def pet_values(self, side: int) -> dict[int, Int16]:
        """Return (side, side) stored values of the PET's images by Instance Number."""
        middle = slice((PET_SHAPE[0] - side) // 2, (PET_SHAPE[0] + side) // 2)
        return {number: image[middle, middle] for number, image in self.stored.items()}

    # DICOM: likewise.

    def write_vendor_ct(self, folder: Path, values: Int16) -> list[Path]:
        """Write the CT's 677 DICOM files, from (679, side, side) HU, stretched as the vendor does; return them."""
        facts = self.ct["instances"][0]
        stretched = (values - float(facts["RescaleIntercept"])) / float(facts["RescaleSlope"])
        stored = np.trunc(stretched).astype(np.int16)
        return _write_vendor(self.ct, folder, dict(enumerate(stored)), (CT_SHAPE[0] - values.shape[1]) / 2 * CT_MM)

    def write_vendor_pet(self, folder: Path, values: Mapping[int, Int16]) -> list[Path]:
        """Write 179 of the PET's 461 DICOM files, with stored values by Instance Number; return them.

        The first one of each frame, two more that tests change, and each third one.
        """
        side = len(next(iter(values.values())))
        named = {*(int(each["InstanceNumber"]) for each in self.frames), 3029, 5679}
        instances = self.pet["instances"]
        kept = [each for n, each in enumerate(instances) if n % 3 == 0 or int(each["InstanceNumber"]) in named]
        facts = {**self.pet, "instances": kept}
        return _write_vendor(facts, folder, values, (PET_SHAPE[0] - side) / 2 * PET_MM)


def _write_vendor(facts: dict[str, Any], folder: Path, values: Mapping[int, Int16], moved_mm: float) -> list[Path]:
    """Write the DICOM files of a series; the first pixel is so much nearer to the middle, along rows and columns."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    common = _elements(_dataset(facts["common"]))  # encoded once, which takes a tenth
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = facts["common"]["SOPClassUID"]
    for instance in facts["instances"]:
        number = int(instance["InstanceNumber"])
        dataset = _dataset(instance)
        x, y, z = map(float, instance["ImagePositionPatient"])
        dataset.ImagePositionPatient = [f"{x - moved_mm:.6f}", f"{y + moved_mm:.6f}", f"{z:.6f}"]
        dataset.SOPInstanceUID = f"{_ROOT}{facts['common']['SeriesNumber']}.{number}"
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.Rows, dataset.Columns = values[number].shape
        dataset.add_new("PixelData", "OW", values[number].astype("<i2").tobytes())
        path = folder / f"{facts['common']['Modality']}{number:05}.dcm"
        encoded = DicomBytesIO(bytes(128) + b"DICM")
        encoded.seek(0, 2)
        write_file_meta_info(encoded, meta, enforce_standard=False)
        elements = (element for _, element in sorted({**common, **_elements(dataset)}.items()))
        path.write_bytes(encoded.getvalue() + b"".join(elements))
        written.append(path)
    return written


def _elements(dataset: Dataset) -> dict[int, bytes]:
    """Return elements by tag, as they stand in a file of Implicit VR Little Endian."""
    found = {}
    for element in dataset:
        buffer = DicomBytesIO()
        buffer.is_little_endian, buffer.is_implicit_VR = True, True
        write_data_element(buffer, element)
        found[int(element.tag)] = buffer.getvalue()
    return found


def _written(data: Path, blocks: Sequence[Mapping[str, str]], size: int) -> Path:
    data.parent.mkdir(parents=True, exist_ok=True)
    data.with_name(f"{data.name}.hdr").write_text(_text(blocks), "utf-8")
    with data.open("wb") as file:
        file.truncate(size)
    return data


_BINARY = {"US", "UL", "SS", "FL", "FD"}


def _dataset(values: Mapping[str, Any]) -> Dataset:
    """Return a dataset of facts, but for group lengths, which no reader needs."""
    dataset = Dataset()
    for name, value in values.items():
        if not name.startswith("("):
            items = isinstance(value, list) and value and isinstance(value[0], dict)
            setattr(dataset, name, [_dataset(each) for each in value] if items else _typed(name, value))
        elif name == "(0079,0010)" or not name.endswith(("00)", "10)")):
            tag = Tag(int(name[1:5], 16), int(name[6:10], 16))
            dataset.add_new(tag, "LO", value)
    return dataset


def _typed(name: str, value: Any) -> Any:
    from pydicom.datadict import dictionary_VR

    return int(value) if dictionary_VR(name) in _BINARY and value != "" else value
