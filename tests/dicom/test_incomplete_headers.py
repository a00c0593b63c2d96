"""Headers that lack much: multi-frame objects then say DERIVED, or are refused, and are still without errors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.dataset import Dataset

from contract import errors_in, files_of, validated
from helpers import header_text
from inveonimaging import InveonError, Options, convert
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.modules.header_text import CREATOR, GROUP, READ
from inveonimaging.inveon.hdr.enums import Orientation
from inveonimaging.phantom import CT_SCAN, PET_SCAN, SPECT_SCAN, PhantomScan, frames_of, write_scan

STATIC = frames_of(600.0)
EMISSION = {"injection_time": "Thu Mar  5 09:20:30 2015"}
NO_TRACER = dict.fromkeys(("isotope", "isotope_half_life", "isotope_branching_fraction"))
CT_KEYS = {**NO_TRACER, "modality": "1", "acquisition_mode": "9", "calibration_units": None, "calibration_factor": None}
ECG_GATES = {**EMISSION, "gate_bins": "1 2 0.18 0.26", "gate_description": "1 ECG R-wave"}
TWO_GATES = ({"gate": "0"}, {"gate": "1", "data_file_pointer": "0 48"})

MINIMAL: dict[str, tuple[Form, str]] = {
    "CT": (Form.ENHANCED, header_text(CT_KEYS)),
    "CT without a duration": (Form.ENHANCED, header_text(CT_KEYS, [{"frame_duration": None}])),
    "CT with cardiac gates": (Form.ENHANCED, header_text({**CT_KEYS, **ECG_GATES}, TWO_GATES)),
    "PET": (Form.ENHANCED, header_text(EMISSION)),
    "PET without a duration": (Form.ENHANCED, header_text(EMISSION, [{"frame_duration": "0"}])),
    "PET not calibrated": (Form.ENHANCED, header_text({**EMISSION, "calibration_units": None})),
    "PET of an isotope without a code": (Form.ENHANCED, header_text({**EMISSION, "isotope": "Xx-1"})),
    "PET without isotope": (Form.ENHANCED, header_text({**EMISSION, "isotope": None})),
    "PET, dynamic": (
        Form.ENHANCED,
        header_text(EMISSION, [{}, {"frame_start": "60", "data_file_pointer": "0 48"}]),
    ),
    "PET with cardiac gates": (Form.ENHANCED, header_text(ECG_GATES, TWO_GATES)),
    "PET with gates of a breath": (
        Form.ENHANCED,
        header_text({**ECG_GATES, "gate_description": "1 breath"}, TWO_GATES),
    ),
    "PET with gates of who knows": (Form.ENHANCED, header_text({**ECG_GATES, "gate_description": None}, TWO_GATES)),
    "PET of a moving bed": (Form.ENHANCED, header_text({**EMISSION, "acquisition_mode": "5"})),
    "PET of a rotating gantry": (Form.ENHANCED, header_text({**EMISSION, "gantry_rotation": "2"})),
    "PET, corrected": (
        Form.ENHANCED,
        header_text(
            {
                **EMISSION,
                "attenuation_applied": "5",
                "scatter_correction": "1",
                "decay_correction_applied": "1",
                "normalization_applied": "1",
                "deadtime_correction_applied": "1",
                "arc_correction_applied": "1",
            },
            [{"event_type": "4"}],
        ),
    ),
}
LEGACY: dict[str, str] = {
    "CT": header_text(CT_KEYS),
    "PET": header_text(),
    "PET without tracer": header_text(NO_TRACER),
    "PET with gates": header_text({**ECG_GATES, "injection_time": None}, TWO_GATES),
    "mu map": header_text({**NO_TRACER, "file_type": "8"}),
}
NM: dict[str, str] = {
    "SPECT": header_text({**NO_TRACER, "modality": "2", "acquisition_mode": "12"}),
    "SPECT without a start": header_text({**NO_TRACER, "modality": "2", "acquisition_mode": "12", "scan_time": None}),
    "SPECT with gates": header_text({**ECG_GATES, "modality": "2", "acquisition_mode": "4"}, TWO_GATES),
}


def converted(folder: Path, text: str, form: Form) -> Path:
    """Convert a header with its 48 bytes of voxels a frame; return the one file."""
    (folder / "a.img.hdr").write_text(text, encoding="ascii")
    (folder / "a.img").write_bytes(bytes(range(48)) * text.count("\ndata_file_pointer "))
    convert(folder / "a.img", folder / "out", Options(form=form))
    (file,) = files_of(folder / "out")
    return file


@pytest.mark.parametrize("name", MINIMAL)
def test_a_minimal_header_makes_a_derived_object(tmp_path: Path, dciodvfy: str, name: str) -> None:
    form, text = MINIMAL[name]
    file = converted(tmp_path, text, form)
    ds = pydicom.dcmread(file)
    assert list(ds.ImageType) == ["DERIVED", "PRIMARY", "VOLUME", "NONE"]
    assert not errors_in(validated(dciodvfy, file, "-allpffgitems"))


@pytest.mark.parametrize("name", LEGACY)
def test_a_minimal_header_makes_a_legacy_object(tmp_path: Path, dciodvfy: str, name: str) -> None:
    file = converted(tmp_path, LEGACY[name], Form.LEGACY)
    assert not errors_in(validated(dciodvfy, file, "-allpffgitems"))


@pytest.mark.parametrize("name", NM)
def test_a_minimal_header_makes_an_nm_object(tmp_path: Path, dciodvfy: str, name: str) -> None:
    file = converted(tmp_path, NM[name], Form.CLASSIC)
    assert pydicom.dcmread(file).SOPClassUID == pydicom.uid.NuclearMedicineImageStorage
    assert not errors_in(validated(dciodvfy, file))


@pytest.mark.parametrize("key", ["injection_time", "isotope_half_life", "isotope_branching_fraction"])
def test_enhanced_pet_without_its_tracer_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(InveonError, match=rf"{key} is missing, .*Enhanced PET requires it; --as legacy"):
        converted(tmp_path, header_text({**EMISSION, key: None}), Form.ENHANCED)


POSTURES: dict[str, tuple[str, str | None]] = {  # what is in the header, and Patient Position of it
    "plain": (header_text(CT_KEYS), "FFS"),
    "twice": (header_text({**CT_KEYS, "subject_orientation": ["4", "1"]}), "FFP"),
    "in capitals": (header_text(CT_KEYS).replace("subject_orientation", "  Subject_Orientation"), "FFS"),
    "in a comment": (header_text({**CT_KEYS, "# subject_orientation": "4"}), "FFS"),
    "of Windows": (header_text(CT_KEYS, newline="\r\n"), "FFS"),
    "no code": (header_text({**CT_KEYS, "subject_orientation": "x"}), None),
    "none": (header_text({**CT_KEYS, "subject_orientation": None}), None),
    "in a frame": (header_text({**CT_KEYS, "subject_orientation": None}, [{"subject_orientation": "4"}]), None),
}


@pytest.mark.parametrize("name", POSTURES)
def test_a_posture_of_the_header_is_not_reported_to_count_instead_of_it(tmp_path: Path, name: str) -> None:
    text, position = POSTURES[name]
    for options, message in ((Options(), None), (Options(orientation=Orientation.HFDL), ["orientation HFDL"])):
        output = tmp_path / str(message)
        (tmp_path / "a.img.hdr").write_bytes(text.encode())
        (tmp_path / "a.img").write_bytes(bytes(range(48)))
        convert(tmp_path / "a.img", output, options)
        ds = pydicom.dcmread(files_of(output)[0])
        assert (ds.PatientPosition or None) == ("HFDL" if message else position)
        block = ds.private_block(GROUP, CREATOR)
        assert ([block[READ].value] if READ in block else None) == message


OF_THE_ANIMAL = b"subject_", b"study"
OF_THE_BED = (
    b"acquisition_mode",
    b"axial",
    b"bed",
    b"continuous",
    b"ending_bed",
    b"frame",
    b"number_of_bed",
    b"vertical",
)
"""A key of the animal is missing alone in one scan only, and another one than of the bed not where the bed moves:
their attributes are made alike for all."""
TINY_CT = replace(CT_SCAN, shape=(1, 1, 1))
TINY_PET = replace(PET_SCAN, shape=(1, 1, 1), frames=STATIC)
SCANS: dict[str, tuple[PhantomScan, Form]] = {
    "CT": (replace(TINY_CT, gates=2, gate_description="ECG"), Form.ENHANCED),
    "PET": (replace(TINY_PET, gates=2, gate_description="ECG"), Form.ENHANCED),
    "PET of a moving bed": (replace(TINY_PET, continuous=True), Form.ENHANCED),
    "SPECT": (replace(SPECT_SCAN, shape=(1, 1, 1), gates=2), Form.CLASSIC),
}


@pytest.mark.parametrize("name", SCANS)
def test_a_full_header_that_lacks_a_key_makes_an_object_without_errors(
    tmp_path: Path, dciodvfy: str, name: str
) -> None:
    """Each structure of object that comes of it is validated once: conversions are quick, dciodvfy is not.

    Four keys that lie far apart are missing at a time; each alone where they are refused together.
    """
    scan, form = SCANS[name]
    options = ("-allpffgitems",) if form is Form.ENHANCED else ()
    pair = write_scan(tmp_path / "a.img", scan)
    lines = pair.header.read_bytes().splitlines(keepends=True)
    keys = dict.fromkeys(map(key_of, lines)).keys() - {b"", b"#", b"frame"}
    if name == "PET of a moving bed":
        keys = {key for key in keys if key.startswith(OF_THE_BED)}
    elif name != "PET":
        keys = {key for key in keys if not key.startswith(OF_THE_ANIMAL)}
    origins: dict[str, int] = {}
    found: dict[str, list[str]] = {}
    seen, refused = set(), 0
    quarter = -(-len(keys) // 4)
    waiting = [set(sorted(keys)[first::quarter]) for first in range(quarter)]
    while waiting:
        missing = waiting.pop()
        output = tmp_path / "_".join(sorted(map(bytes.decode, missing)))
        pair.header.write_bytes(b"".join(line for line in lines if key_of(line) not in missing))
        try:
            convert(pair.data, output, Options(form=form))
        except InveonError:
            refused += len(missing) == 1
            waiting += [{key} for key in missing if len(missing) > 1]
            continue
        file = files_of(output)[0]
        ds = pydicom.dcmread(file)
        origins[ds.ImageType[0]] = origins.get(ds.ImageType[0], 0) + 1
        if (structure := frozenset(structure_of(ds))) not in seen:
            seen.add(structure)
            found[output.name] = errors_in(validated(dciodvfy, file, *options))
    assert not {key: errors for key, errors in found.items() if errors}
    if name == "PET of a moving bed":
        assert len(seen) > 3
        return
    assert 5 < refused < 20
    assert len(seen) > 10
    assert origins["ORIGINAL"] > 30  # most keys hold what no object needs
    assert (origins.get("DERIVED", 0) > 10) == (form is Form.ENHANCED)


def key_of(line: bytes) -> bytes:
    return line.split(b" ", 1)[0].strip()


def structure_of(ds: Dataset, place: tuple[int, ...] = ()) -> Iterator[tuple[object, ...]]:
    """Yield where each element is, whether it is empty, and what it says if it is a code string."""
    for tag, element in ds.items():  # as they were read: to decode all of them takes longer than a conversion
        here = (*place, int(tag))
        value: Any = ds[element.tag].value if element.VR == "SQ" else element.value
        yield (*here, not value, str(value) if element.VR == "CS" else "")
        for item in value if element.VR == "SQ" else ():
            yield from structure_of(item, here)
