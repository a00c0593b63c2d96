"""BIDS data sets: names, sidecars with numbers worked out by hand, tables, additions, and the validator."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

import inveonimaging
from bids_dataset.conftest import Validated
from helpers import CT, PET, SHORT, digests, files_below, header_text, inveon, write_small_study
from inveonimaging import BidsOptions, InputError, OptionError, OutputError, bids
from inveonimaging.phantom import frames_of, write_scan

PET_STEM = "sub-M0042/ses-20140617/pet/sub-M0042_ses-20140617_trc-FDG_rec-acdyn_pet"
CT_STEM = "sub-M0042/ses-20140617/ct/sub-M0042_ses-20140617_ct"
BOLUS = BidsOptions(administration="bolus")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_study(tmp_path_factory.mktemp("study") / "in")


@pytest.fixture(scope="module")
def made(study: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of CT and dynamic PET; tests do not change it."""
    output = tmp_path_factory.mktemp("made") / "FDG pilot"
    bids(study, output, BOLUS)
    return output


@pytest.fixture
def there(made: Path, tmp_path: Path) -> Path:
    """A copy of it, to be added to."""
    return Path(shutil.copytree(made, tmp_path / "there"))


def pet_header(folder: Path, main: Mapping[str, str | None] | None = None, name: str = "m") -> Path:
    """Write a PET of one frame and 24 voxels by its header; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    known = {"model": "5001", "injected_compound": "FDG", "acquisition_file_name": "a.lst", "x_filter": "0 0.5"}
    known |= {"recon_algorithm": "1", "attenuation_applied": "0", "decay_correction_applied": "0", "dose": "7.4"}
    known |= {"dose_units": "2", "injection_time": "Thu Mar  5 10:10:30 2015", "subject_genus": "mouse"}
    (folder / f"{name}.img.hdr").write_text(header_text({**known, **(main or {})}))
    np.arange(24, dtype="<i2").tofile(folder / f"{name}.img")
    return folder


def sidecar(output: Path) -> dict[str, Any]:
    """Return the one sidecar of a PET in a tree."""
    (path,) = output.rglob("*_pet.json")
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def table(path: Path) -> list[dict[str, str]]:
    titles, *rows = (line.split("\t") for line in path.read_text("utf-8").splitlines())
    return [dict(zip(titles, row, strict=True)) for row in rows]


# The data set.


def test_a_study_has_the_names_of_bids(made: Path) -> None:
    assert files_below(made) == sorted(
        [
            ".bidsignore",
            "README.md",
            "dataset_description.json",
            "participants.json",
            "participants.tsv",
            "sessions.json",
            "sub-M0042/sub-M0042_sessions.tsv",
            *(f"{stem}{end}" for stem in (PET_STEM, CT_STEM) for end in (".json", ".nii.gz")),
        ]
    )
    described = json.loads((made / "dataset_description.json").read_bytes())
    assert described == {
        "Name": "FDG pilot",
        "BIDSVersion": "1.10.1",
        "DatasetType": "raw",
        "GeneratedBy": [{"Name": "inveonimaging", "Version": inveonimaging.__version__}],
    }
    assert (made / ".bidsignore").read_text() == "**/ct\n"


def test_the_sidecar_says_what_the_phantom_is(made: Path) -> None:
    # Injected at 13:51:37, scanned from 13:52:07; 7.03 MBq; frames of 20 and 40 s; half-life 6586.2 s:
    # factor of frame 0 is x / (1 - e^-x) with x = ln 2 * 20 / 6586.2 = 0.00210484, which is 1.0010528.
    found = sidecar(made)
    factors = found.pop("DecayCorrectionFactor")
    assert factors == pytest.approx([1.0010528, 1.0042178], rel=1e-6)
    assert len(found.pop("SourceHeaderSHA256")) == SHORT
    assert found == {
        "Manufacturer": "Siemens Medical Solutions USA, Inc.",
        "ManufacturersModelName": "Inveon MM Platform",
        "InstitutionName": "Imaging Core Facility",
        "BodyPart": "whole body",
        "Units": "Bq/mL",
        "TracerName": "FDG",
        "TracerSNOMED": "35321007",
        "TracerRadionuclide": "F18",
        "InjectedRadioactivity": 7.03,
        "InjectedRadioactivityUnits": "MBq",
        "InjectedMass": "n/a",
        "InjectedMassUnits": "n/a",
        "SpecificRadioactivity": "n/a",
        "SpecificRadioactivityUnits": "n/a",
        "ModeOfAdministration": "bolus",
        "TimeZero": "13:52:07",
        "ScanStart": 0,
        "InjectionStart": -30,
        "FrameTimesStart": [0, 20],
        "FrameDuration": [20, 40],
        "AcquisitionMode": "list mode",
        "ImageDecayCorrected": True,
        "ImageDecayCorrectionTime": 0,
        "ReconMethodName": "OSEM3D/MAP",
        "ReconMethodParameterLabels": ["OSEM3D iterations", "subsets", "MAP iterations", "beta"],
        "ReconMethodParameterValues": [2, 16, 18, 0.0115],
        "ReconMethodParameterUnits": ["none"] * 4,
        "ReconMethodImplementationVersion": "2.4",
        "ReconFilterType": "none",
        "AttenuationCorrection": "CT",
        "ScatterCorrectionMethod": "direct calculation from analytical formulas",
        "RandomsCorrectionMethod": "delayed coincidence window",
        "ScaleFactor": [1, 1],
        "Anaesthesia": "isoflurane 2 %",
    }


def test_tables_show_the_animal_and_its_weight_at_the_session(made: Path) -> None:
    # Born on 2014-03-04, scanned on 2014-06-17: 105 days are 105 / 365.25 = 0.287 years; 24.6 g.
    assert table(made / "participants.tsv") == [
        {
            "participant_id": "sub-M0042",
            "animal_id": "M0042",
            "species": "Mus musculus",
            "strain": "C57BL/6J",
            "strain_rrid": "n/a",
            "sex": "F",
            "age": "0.287",
        }
    ]
    assert table(made / "sub-M0042/sub-M0042_sessions.tsv") == [
        {"session_id": "ses-20140617", "acq_time": "2014-06-17T13:31:44", "age": "0.287", "body_weight": "0.0246"}
    ]


def test_voxels_are_those_of_the_file_at_their_place(study: Path, made: Path) -> None:
    image = inveonimaging.read(study / "m1.pet.img")
    found: Any = nibabel.load(made / f"{PET_STEM}.nii.gz")
    np.testing.assert_array_equal(np.asarray(found.dataobj), np.asarray(image).T)
    np.testing.assert_allclose(found.affine, image.affine, atol=1e-5)
    assert found.header.get_xyzt_units() == ("mm", "sec")


@pytest.mark.parametrize(
    "case", ["CT and dynamic PET", "static PET, alone", "two sessions, a gated PET and a SPECT", "CT alone"]
)
def test_the_validator_finds_no_error(case: str, study: Path, tmp_path: Path, errors_of: Validated) -> None:
    output = tmp_path / "bids"
    if case == "CT and dynamic PET":
        bids(study, output, replace(BOLUS, source_datasets=("10.5281/zenodo.1", "https://example.org/inveon")))
    elif case == "CT alone":
        bids(study / "m1.ct.img", output)
    elif case.startswith("static"):
        bids(pet_header(tmp_path / "one"), output, BOLUS)
    else:
        later = tmp_path / "later"
        later.mkdir()
        scan = replace(PET, frames=frames_of(60), scan_time=datetime(2014, 6, 19, 9, 0, 0))
        write_scan(later / "m1.pet.img", scan)
        write_scan(later / "m1g.pet.img", replace(scan, gates=2))
        spect = replace(inveonimaging.phantom.SPECT_SCAN, shape=(6, 5, 4), spacing_mm=(5.0, 6.0, 9.0))
        write_scan(later / "m1.spect.img", replace(spect, scan_time=datetime(2014, 6, 19, 11, 0, 0)))
        result = bids([study, later], output, BOLUS)
        assert [each.code for each in result.findings].count("bids-no-form") == 2
        assert {row["session_id"] for row in table(output / "sub-M0042/sub-M0042_sessions.tsv")} == {
            "ses-20140617",
            "ses-20140619",
        }
        assert [name for name in files_below(output / "sourcedata") if name.endswith(".gz")] == [
            "sub-M0042/ses-20140619/pet/sub-M0042_ses-20140619_trc-FDG_rec-acgated_pet.nii.gz",
            "sub-M0042/ses-20140619/spect/sub-M0042_ses-20140619_trc-tetrofosmin_spect.nii.gz",
        ]
    assert errors_of(output) == []


def test_a_session_of_two_weights_has_the_first_and_says_so(tmp_path: Path) -> None:
    for name, weight in (("a", "24.6"), ("b", "25")):
        pet_header(tmp_path / "in", {"subject_weight": weight, "subject_weight_units": "1"}, name)
    result = bids(tmp_path / "in", tmp_path / "bids", BOLUS)
    (found,) = (each for each in result.findings if each.code == "bids-weight-differs")
    assert "differ in weight: 0.0246, 0.025 kg; sessions.tsv has 0.0246" in found.message
    assert [row["body_weight"] for row in table(next((tmp_path / "bids").rglob("*_sessions.tsv")))] == ["0.0246"]


def test_the_validator_sees_what_is_missing(tmp_path: Path, errors_of: Validated) -> None:
    output = tmp_path / "bids"
    result = bids(pet_header(tmp_path / "one", {"dose": None}), output, BidsOptions(incomplete=True))
    assert {each.code for each in result.findings} >= {"bids-value-missing", "bids-value-unknown"}
    named = {
        part
        for error in errors_of(output)
        for part in error.split()
        if part in ("InjectedRadioactivity", "ModeOfAdministration")
    }
    assert named == {"InjectedRadioactivity", "ModeOfAdministration"}


# Values.


def test_an_injection_of_the_day_before_is_negative(tmp_path: Path) -> None:
    # From 23:55:30 to 10:20:30 of the next day there are 10 h 25 min: 37500 s.
    folder = pet_header(tmp_path / "one", {"injection_time": "Wed Mar  4 23:55:30 2015"})
    bids(folder, tmp_path / "bids", BOLUS)
    assert sidecar(tmp_path / "bids")["InjectionStart"] == -37500


def test_an_injection_within_the_scan_is_positive(tmp_path: Path) -> None:
    bids(pet_header(tmp_path / "one", {"injection_time": "Thu Mar  5 10:20:45 2015"}), tmp_path / "bids", BOLUS)
    assert sidecar(tmp_path / "bids")["InjectionStart"] == 15


def test_a_sheet_gives_what_headers_do_not(tmp_path: Path) -> None:
    # 7.4 MBq of 0.5 ug are 14.8 MBq/ug.
    sheet = tmp_path / "s.csv"
    sheet.write_text(
        "subject,tracer,administration,injected_mass_ug,molar_activity_GBq_per_umol,acquisition,session,strain,strain_rrid\n"
        "mouse 7,FLT,Bolus-Infusion,0.5,50,list mode,ses-base line,C57BL/6J,RRID:IMSR_JAX:000664\n"
    )
    folder = pet_header(tmp_path / "one", {"acquisition_file_name": None})
    result = bids(folder, tmp_path / "bids", BidsOptions(sheet=sheet, incomplete=True))
    found = sidecar(tmp_path / "bids")
    assert {name: found[name] for name in ("TracerName", "ModeOfAdministration", "AcquisitionMode")} == {
        "TracerName": "FLT",
        "ModeOfAdministration": "bolus-infusion",
        "AcquisitionMode": "list mode",
    }
    assert (found["InjectedMass"], found["InjectedMassUnits"]) == (0.5, "ug")
    assert (found["SpecificRadioactivity"], found["SpecificRadioactivityUnits"]) == (pytest.approx(14.8), "MBq/ug")
    assert (found["MolarActivity"], found["MolarActivityUnits"]) == (50, "GBq/umol")
    assert "sub-mouse7/ses-baseline/pet/sub-mouse7_ses-baseline_trc-FLT_rec-nacstat_pet.json" in files_below(
        tmp_path / "bids"
    )
    assert table(tmp_path / "bids/participants.tsv")[0]["strain_rrid"] == "RRID:IMSR_JAX:000664"
    (missing,) = (each.message for each in result.findings if each.code == "bids-value-missing")
    assert "InfusionStart" in missing


def test_a_specific_activity_gives_the_mass(tmp_path: Path) -> None:
    # 7.4 MBq at 14.8 MBq/ug are 0.5 ug.
    sheet = tmp_path / "s.csv"
    sheet.write_text("subject,specific_activity_MBq_per_ug\nmouse 7,14.8\n")
    bids(pet_header(tmp_path / "one"), tmp_path / "bids", replace(BOLUS, sheet=sheet))
    assert sidecar(tmp_path / "bids")["InjectedMass"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("main", "expected"),
    [
        (
            {"recon_algorithm": "1", "x_filter": "1 0.5", "z_filter": "3 0.4"},
            {
                "ReconMethodParameterLabels": ["cutoff of x filter Ramp", "cutoff of z filter Hann"],
                "ReconMethodParameterValues": [0.5, 0.4],
                "ReconMethodParameterUnits": ["cycles/pixel", "cycles/pixel"],
                "ReconFilterType": "none",
            },
        ),
        ({"recon_algorithm": "1"}, {"ReconMethodParameterLabels": ["none"], "ReconFilterType": "none"}),
        (
            {"recon_algorithm": "2", "osem2d_iterations": "4", "osem2d_subsets": "16", "rebinning_type": "3"},
            {
                "ReconMethodName": "FORE + OSEM2D",
                "ReconMethodParameterLabels": ["iterations", "subsets"],
                "ReconMethodParameterValues": [4, 16],
            },
        ),
    ],
)
def test_reconstruction_has_its_parameters(
    main: Mapping[str, str], expected: Mapping[str, Any], tmp_path: Path
) -> None:
    bids(pet_header(tmp_path / "one", main), tmp_path / "bids", BOLUS)
    found = sidecar(tmp_path / "bids")
    assert {name: found[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("main", "name"),
    [
        ({"dose": None}, "InjectedRadioactivity (column dose_MBq)"),
        ({"injection_time": None}, "InjectionStart (column injection_time)"),
        ({"injected_compound": None}, "TracerName (column tracer)"),
        ({"acquisition_file_name": "a.img"}, "AcquisitionMode (column acquisition)"),
        ({"recon_algorithm": "3"}, "ReconMethodParameterLabels (the header's keys of iterations and subsets)"),
        ({"attenuation_applied": None}, "AttenuationCorrection (the header's attenuation_applied)"),
        ({"smooth_types": "2"}, "ReconFilterSize (no key of a header, and no column)"),
    ],
)
def test_what_is_stated_nowhere_is_refused_by_its_column(
    main: Mapping[str, str | None], name: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"--incomplete writes without what is missing") as caught:
        bids(pet_header(tmp_path / "one", main), tmp_path / "bids", BOLUS)
    assert name in str(caught.value)
    assert not (tmp_path / "bids").exists()


def test_an_unknown_species_is_reported(tmp_path: Path) -> None:
    result = bids(pet_header(tmp_path / "one", {"subject_genus": None}), tmp_path / "bids", BOLUS)
    assert "bids-no-species" in {each.code for each in result.findings}


# Names.


@pytest.mark.parametrize(("one", "other"), [("M-42", "M42"), ("M42", "m_42"), ("sub-M42", "M.42")])
def test_labels_that_collide_are_refused_by_name(one: str, other: str, tmp_path: Path) -> None:
    folders = [pet_header(tmp_path / str(n), {"subject_identifier": each}) for n, each in enumerate((one, other))]
    with pytest.raises(InputError, match=r"would both be sub-") as caught:
        bids(folders, tmp_path / "bids", BOLUS)
    assert f"'{one}' and '{other}'" in str(caught.value)
    bids(folders[0], tmp_path / "bids", BOLUS)
    before = digests(tmp_path / "bids")
    with pytest.raises(OutputError, match=r"participants\.tsv"):
        bids(folders[1], tmp_path / "bids", BOLUS)
    assert digests(tmp_path / "bids") == before


def test_an_id_without_letters_and_digits_is_refused(tmp_path: Path) -> None:
    folder = pet_header(tmp_path / "one", {"subject_identifier": "..."})
    with pytest.raises(InputError, match=r"no letter or digit is in the animal's ID '\.\.\.'"):
        bids(folder, tmp_path / "bids", BOLUS)


def test_sessions_of_one_label_are_refused_by_name(tmp_path: Path) -> None:
    sheet = tmp_path / "s.csv"
    sheet.write_text("file,session\na.img.hdr,day-1\nb.img.hdr,day 1\n")
    folder = pet_header(tmp_path / "one", name="a")
    pet_header(folder, {"scan_time": "Thu Mar  5 11:20:30 2015"}, "b")
    with pytest.raises(InputError, match=r"the sessions 'day-1' and 'day 1' would both be ses-day1"):
        bids(folder, tmp_path / "bids", replace(BOLUS, sheet=sheet))


def test_a_scan_without_a_time_needs_a_session(tmp_path: Path) -> None:
    folder = pet_header(tmp_path / "one", {"scan_time": None})
    with pytest.raises(InputError, match=r"no scan_time is known; give one in the sheet's column session"):
        bids(folder, tmp_path / "bids", BOLUS)
    result = bids(folder, tmp_path / "bids", replace(BOLUS, scan_time="2015-03-05T10:20:30"))
    assert result.files[0].path.startswith("sub-mouse7/ses-20150305/pet/")


def test_scans_of_the_same_names_are_runs_and_keep_them(tmp_path: Path) -> None:
    names = "sub-mouse7_ses-20150305_trc-FDG_rec-nacstat{}_pet.json"
    folder = pet_header(tmp_path / "one", {"scan_time": "Thu Mar  5 10:20:30 2015"}, "b")
    pet_header(folder, {"scan_time": "Thu Mar  5 11:20:30 2015"}, "a")
    bids(folder, tmp_path / "bids", BOLUS)
    (place,) = (tmp_path / "bids").rglob("pet")
    first = {path.name: json.loads(path.read_bytes())["TimeZero"] for path in place.glob("*.json")}
    assert first == {names.format("_run-1"): "10:20:30", names.format("_run-2"): "11:20:30"}
    other = pet_header(
        tmp_path / "two", {"scan_time": "Thu Mar  5 09:20:30 2015", "injection_time": "Thu Mar  5 09:10:30 2015"}
    )
    bids(other, tmp_path / "bids", BOLUS)
    bids(folder, tmp_path / "bids", BOLUS)
    after = {path.name: json.loads(path.read_bytes())["TimeZero"] for path in place.glob("*.json")}
    assert after == first | {names.format("_run-3"): "09:20:30"}


def test_the_same_scan_twice_is_refused(study: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is the same scan as .*give each scan once"):
        bids([study, study / "m1.pet.img"], tmp_path / "bids", BOLUS)


# Several animals, several folders.

HOTEL = """patient_id,position,weight_g,dose_MBq,injection_time
m12,left,20.5,7.1,2014-06-17 13:51:37
,middle,,,
m13,right,17.4,6.9,2014-06-17 13:50:00
"""
PLACES = {"left": ([-11, -8, -18], [-4, 8, 18]), "right": ([4, -8, -18], [8, 8, 10])}


def write_hotel(folder: Path, sheet: str = HOTEL) -> tuple[Path, Path]:
    """Write a sheet of two animals and an empty position, and where each lies; return both files."""
    animals = [{"position": name, "low_mm": low, "high_mm": high} for name, (low, high) in PLACES.items()]
    (folder / "hotel.csv").write_text(sheet)
    (folder / "boxes.json").write_text(json.dumps({"schema": 1, "program": "inveonimaging", "animals": animals}))
    return folder / "hotel.csv", folder / "boxes.json"


def test_each_animal_of_a_hotel_is_a_subject(study: Path, tmp_path: Path, errors_of: Validated) -> None:
    """Boxes of 3 mm around -11..-4 and 4..8 mm; the PET's voxels of 3.5 mm begin at -14.63: 0 to 4, and 4 to 8."""
    sheet, boxes = write_hotel(tmp_path)
    output = tmp_path / "bids"
    result = bids(study, output, replace(BOLUS, sheet=sheet, boxes=boxes))
    assert result.subjects == ("sub-m12", "sub-m13")
    assert not any(each.code == "sheet-row-unused" for each in result.findings)
    found = [json.loads(path.read_bytes()) for path in sorted(output.rglob("*_pet.json"))]
    # Injected 30 s, and 2 min 7 s, before 13:52:07.
    assert [each["InjectedRadioactivity"] for each in found] == pytest.approx([7.1, 6.9])
    assert [each["InjectionStart"] for each in found] == [-30, -127]
    assert [each["SourceFirstVoxel"] for each in found] == [[0, 0, 0], [4, 0, 0]]
    weights = [table(path)[0]["body_weight"] for path in sorted(output.rglob("*_sessions.tsv"))]
    assert weights == ["0.0205", "0.0174"]
    whole = np.asarray(inveonimaging.read(study / "m1.pet.img")).T
    affine = inveonimaging.read(study / "m1.pet.img").affine
    for path, first in zip(sorted(output.rglob("*_pet.nii.gz")), ([0, 0, 0], [4, 0, 0]), strict=True):
        part: Any = nibabel.load(path)
        nx, ny, nz, _ = part.shape
        assert np.array_equal(part.get_fdata(dtype=np.float32), whole[first[0] : first[0] + nx, :ny, :nz])
        assert np.allclose(part.affine @ [0, 0, 0, 1], affine @ [*first, 1], atol=1e-5)
    assert errors_of(output) == []
    assert {each.change.value for each in bids(study, output, replace(BOLUS, sheet=sheet, boxes=boxes)).files} == {
        "same"
    }


def test_what_one_animal_of_a_hotel_lacks_is_refused_by_its_subject(study: Path, tmp_path: Path) -> None:
    sheet, boxes = write_hotel(tmp_path, HOTEL.replace("6.9,2014-06-17 13:50:00", "6.9,"))
    options = replace(BOLUS, sheet=sheet, boxes=boxes)
    with pytest.raises(InputError, match=r"missing for sub-m13: InjectionStart \(column injection_time\)"):
        bids(study, tmp_path / "bids", options)


def test_boxes_are_of_one_scan(study: Path, tmp_path: Path) -> None:
    sheet, boxes = write_hotel(tmp_path)
    options = replace(BOLUS, sheet=sheet, boxes=boxes)
    with pytest.raises(OptionError, match="boxes are of one scan"):
        bids([study, study], tmp_path / "bids", options)
    with pytest.raises(OptionError, match="boxes are of one scan"):
        bids(study, tmp_path / "bids", replace(options, recursive=True))
    with pytest.raises(OptionError, match="a sheet that says which animal lies where is missing"):
        bids(study, tmp_path / "bids", replace(BOLUS, boxes=boxes))


def test_a_tree_becomes_one_data_set_and_a_bad_folder_stops_no_other(tmp_path: Path, errors_of: Validated) -> None:
    root, output = tmp_path / "archive", tmp_path / "archive" / "bids"
    pet_header(root / "a", {"subject_identifier": "M-1", "subject_sex": "F"})
    pet_header(root / "deep" / "b", {"subject_identifier": "M2"})
    pet_header(root / "c", {"subject_identifier": "M1"})  # sub-M1 is another animal
    pet_header(root / "d", {"subject_identifier": "M4", "dose": None})  # the dose is not given
    pet_header(root / "e", {"subject_identifier": "M5"})
    (root / "e" / "m.img").write_bytes(b"short")
    pet_header(root / "f", {"subject_identifier": "M-1", "subject_sex": "M"}, "later")  # contradicts the first
    shutil.copytree(root / "deep" / "b", root / "g")  # the same scan
    done = inveon("bids", root, output, "--recursive", "--administration", "bolus", "--json")
    document = json.loads(done.stdout)
    assert done.exit_code == 1
    assert document["subjects"] == ["sub-M1", "sub-M2"]
    reported = {Path(each["source"]).name: each["message"] for each in document["failures"]}
    assert sorted(reported) == ["c", "d", "e", "f", "g"]
    values = {
        "c": "would both be sub-M1",
        "d": "dose_MBq",
        "e": "has 5 bytes",
        "f": "sex of sub-M1",
        "g": "is the same",
    }
    for name, words in values.items():
        assert words in reported[name]
    assert done.stderr.count("error: ") == 5
    assert errors_of(output) == []
    again = inveon("bids", root, output, "--recursive", "--administration", "bolus")
    assert again.exit_code == 1
    assert "2 studies written, 5 not" in again.stdout
    assert "0 files written" in again.stdout  # and the data set in the tree is not searched


# Additions.


def test_a_second_time_changes_nothing(study: Path, there: Path) -> None:
    before = digests(there)
    result = bids(study, there, BOLUS)
    assert {each.change.value for each in result.files} == {"same"}
    assert digests(there) == before


def test_a_file_that_another_version_compressed_is_the_same(study: Path, there: Path) -> None:
    import gzip

    path = there / f"{PET_STEM}.nii.gz"
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[148:228] = b"inveonimaging 0.0.1".ljust(80, b"\0")
    path.write_bytes(gzip.compress(bytes(content), 9))
    before = digests(there)
    bids(study, there, BOLUS)
    assert digests(there) == before


def test_another_animal_is_added_beside_what_people_wrote(there: Path, tmp_path: Path, errors_of: Validated) -> None:
    participants = there / "participants.tsv"
    text = participants.read_text().replace("\tage\n", "\tage\tgroup\n").replace("0.287\n", "0.287\ttreated\n")
    participants.write_text(text)
    (there / "README.md").write_text("ours")
    (there / ".bidsignore").write_text("**/ct\n*.txt")
    result = bids(pet_header(tmp_path / "one"), there, BOLUS)
    assert [row["group"] for row in table(participants)] == ["treated", "n/a"]
    assert text.splitlines()[1] in participants.read_text().splitlines()
    assert (there / "README.md").read_text() == "ours"
    assert (there / ".bidsignore").read_text() == "**/ct\n*.txt"
    assert {each.path: each.change.value for each in result.files}["participants.tsv"] == "replaced"
    assert errors_of(there) == []


def test_a_line_is_added_to_a_bidsignore(study: Path, there: Path) -> None:
    (there / ".bidsignore").write_text("*.txt")
    bids(study, there, BOLUS)
    assert (there / ".bidsignore").read_text() == "*.txt\n**/ct\n"


@pytest.mark.parametrize("name", [f"{PET_STEM}.nii.gz", f"{PET_STEM}.json", f"{CT_STEM}.nii.gz"])
def test_what_is_there_and_differs_is_refused_and_replaced_if_asked(name: str, study: Path, there: Path) -> None:
    before = (there / name).read_bytes()
    if name.endswith(".json"):
        changed = before.replace(b'"list mode"', b'"list Mode"').replace(b'"HU"', b'"hu"')
    else:
        changed = before[:-20] + bytes(20)
    (there / name).write_bytes(changed)
    held = digests(there)
    with pytest.raises(OutputError, match=r"exists already and has other content; .*--overwrite"):
        bids(study, there, BOLUS)
    assert digests(there) == held
    bids(study, there, replace(BOLUS, overwrite=True))
    assert (there / name).read_bytes() == before


def test_a_table_that_says_something_else_is_refused(study: Path, there: Path) -> None:
    path = there / "participants.tsv"
    path.write_text(path.read_text().replace("\tF\t", "\tM\t"))
    with pytest.raises(OutputError, match=r"sex of sub-M0042 is 'M' there and 'F' in the input"):
        bids(study, there, BOLUS)
    bids(study, there, replace(BOLUS, overwrite=True))
    assert table(path)[0]["sex"] == "F"


def test_what_a_table_does_not_know_is_filled_in(study: Path, there: Path) -> None:
    path = there / "participants.tsv"
    path.write_text(path.read_text().replace("\tF\t", "\tn/a\t").replace("\tn/a\tn/a\t", "\tRRID:X\tn/a\t"))
    bids(study, there, BOLUS)
    assert (table(path)[0]["sex"], table(path)[0]["strain_rrid"]) == ("F", "RRID:X")


def test_an_earlier_session_makes_the_animal_as_young_as_it_was(there: Path, tmp_path: Path) -> None:
    # 2014-06-10 is 98 days after the birth: 98 / 365.25 = 0.268.
    early = tmp_path / "early"
    early.mkdir()
    write_scan(early / "m1.ct.img", replace(CT, scan_time=datetime(2014, 6, 10, 9, 0, 0)))
    bids(early, there, BOLUS)
    assert table(there / "participants.tsv")[0]["age"] == "0.268"
    sessions = table(there / "sub-M0042/sub-M0042_sessions.tsv")
    assert {row["session_id"]: row["age"] for row in sessions} == {"ses-20140617": "0.287", "ses-20140610": "0.268"}


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("participants.tsv", "name\nx\n", "has no column participant_id"),
        ("participants.tsv", "participant_id\tsex\nsub-1\n", "has 1 cells"),
        ("participants.tsv", "participant_id\nsub-1\nsub-1\n", "is a row twice"),
        ("participants.tsv", b"participant_id\n\xff\n", "is not text in UTF-8"),
        ("dataset_description.json", "{", "is not JSON"),
        ("dataset_description.json", '{"DatasetType": "derivative"}', "is not of raw data"),
    ],
)
def test_a_data_set_that_cannot_be_added_to_is_refused(
    name: str, content: str | bytes, expected: str, study: Path, tmp_path: Path
) -> None:
    output = tmp_path / "bids"
    output.mkdir()
    (output / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    before = digests(output)
    with pytest.raises(OutputError, match=expected):
        bids(study, output, BOLUS)
    assert digests(output) == before


def test_drafts_of_a_killed_run_are_removed(study: Path, there: Path) -> None:
    draft, other = there / f".inveon-{'0a' * 16}.part", there / ".inveon-notes.part"
    for path in (draft, other):
        path.write_text("x")
    bids(study, there, BOLUS)
    assert not draft.exists()
    assert other.exists()


def test_a_full_disk_leaves_nothing(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from inveonimaging.bids_dataset import job

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(job, "give_names", full)
    with pytest.raises(OutputError, match=r"cannot be written: No space left on device"):
        bids(study, tmp_path / "new" / "bids", BOLUS)
    assert not (tmp_path / "new").exists()


def test_names_that_cannot_be_given_are_taken_back(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced: Callable[[Path, Path], Path] = Path.replace
    calls: list[Path] = []

    def failing(path: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == 5:
            raise OSError(28, "No space left on device")
        return replaced(path, target)

    monkeypatch.setattr(Path, "replace", failing)
    output = tmp_path / "bids"
    with pytest.raises(OutputError, match=r"No space left on device"):
        bids(study, output, BOLUS)
    assert not output.exists()


# Privacy.


def test_a_deidentified_data_set_has_no_name_no_date_and_no_place(
    study: Path, tmp_path: Path, errors_of: Validated
) -> None:
    output = tmp_path / "bids"
    bids(
        study,
        output,
        replace(BOLUS, deidentify=inveonimaging.Deidentify(key=b"a secret of 16 and more", shift_days=-3000)),
    )
    held = b"".join((output / name).read_bytes() for name in files_below(output) if not name.endswith(".gz"))
    for gone in (b"M0042", b"2014", b"Imaging Core", b"m1."):
        assert gone not in held
    (session,) = table(next(output.rglob("*_sessions.tsv")))
    assert session["session_id"] == "ses-20060331"  # 3000 days before 2014-06-17
    assert session["age"] == "0.287"
    assert sidecar(output)["InjectionStart"] == -30
    assert errors_of(output) == []


# The command.


def test_the_command_makes_and_adds(study: Path, tmp_path: Path) -> None:
    output = tmp_path / "bids"
    shown = inveon("bids", study, output, "--administration", "bolus", "--dry-run", "--json")
    assert json.loads(shown.stdout)["images"][1]["file"] == f"{PET_STEM}.nii.gz"
    assert not output.exists()
    done = inveon("bids", study, output, "--administration", "bolus")
    assert done.exit_code == 0, done.stderr
    assert done.stdout.endswith("11 files written, 0 there already\n")
    again = inveon("bids", study, pet_header(tmp_path / "one"), output, "--administration", "bolus", "--json")
    document = json.loads(again.stdout)
    assert document["subjects"] == ["sub-M0042", "sub-mouse7"]
    changes = {each["path"]: each["change"] for each in document["files"]}
    assert changes[f"{PET_STEM}.nii.gz"] == "same"
    assert changes["sub-mouse7/sub-mouse7_sessions.tsv"] == "new"


def test_wrong_usage_is_one_line(study: Path, tmp_path: Path) -> None:
    done = inveon("bids", study, tmp_path / "bids")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "ModeOfAdministration (column administration)" in done.stderr
    done = inveon("bids", study, study / "m1.ct.img", "--administration", "bolus")
    assert done.exit_code == 1
    assert "the output is not a folder" in done.stderr
    with pytest.raises(OptionError, match=r"administration is 'oral'"):
        BidsOptions(administration="oral")
    with pytest.raises(OptionError, match=r"there is no input"):
        bids([], tmp_path / "bids")


def test_inputs_of_several_settings_are_refused(tmp_path: Path) -> None:
    folders = [pet_header(tmp_path / name, {"subject_identifier": name}) for name in ("one", "two")]
    (folders[1] / "inveon.toml").write_text('posture = "HFP"\n')
    done = inveon("bids", *folders, tmp_path / "bids", "--administration", "bolus")
    assert done.exit_code == 2
    assert "the settings for it differ" in done.stderr
    assert inveon("bids", *folders, tmp_path / "bids", "--administration", "bolus", "--no-config").exit_code == 0
