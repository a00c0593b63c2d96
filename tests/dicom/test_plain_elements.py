"""No element, in any form, that programs with an older data dictionary stumble over: none of VR UC, UR or UV.

VTK, MRtrix, MINC and (X)MedCon stop at the first one: they do not know that its length has four bytes.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest

from helpers import CT, PET
from inveonimaging import Options, convert
from inveonimaging.animal.sheet_values import Code
from inveonimaging.dicom.codes import CodeTable
from inveonimaging.dicom.iods import Form
from inveonimaging.phantom import SPECT_SCAN, PhantomScan, frames_of, write_scan
from inveonimaging.redaction.request import request_of
from inveonimaging.sheet.reading import read_sheet
from sheet.test_sheet_convert import FULL, LONG, sheet_of

UNREADABLE = {"UC", "UR", "UV"}
SITE = CodeTable({"Zr-89": Code("99000000000000000089", "99LAB", "long"), "F-18": Code("9" * 20, "99LAB", "long")})
COMPOUND = "a compound with a name of more than sixteen characters"
SMALL_SPECT = replace(SPECT_SCAN, shape=(8, 7, 6), frames=frames_of(60.0))
SCANS: dict[str, PhantomScan] = {
    "CT": CT,
    "PET": PET,
    "gated PET": replace(PET, frames=frames_of(60.0), gates=3, gate_description="ECG R-wave"),
    "mu map": replace(PET, mu_map=True, frames=frames_of(60.0)),
    "SPECT": SMALL_SPECT,
}


def unreadable_in(folder: Path) -> set[str]:
    """Return the keywords of such elements in all files below a folder, those in sequences too."""
    files = list(folder.rglob("*.dcm"))
    assert files
    return {
        element.keyword for file in files for element in pydicom.dcmread(file).iterall() if element.VR in UNREADABLE
    }


def written(folder: Path, scan: PhantomScan, **options: Any) -> Path:
    """Convert a scan with all that a sheet can say, long codes, and a region that has no code."""
    (folder / "in").mkdir(parents=True)
    subject = replace(scan.subject, scan_region="a region with a name that is long")
    tracer = replace(scan.tracer, compound=COMPOUND)
    write_scan(folder / "in" / "m1.img", replace(scan, subject=subject, tracer=tracer))
    sheet = read_sheet(sheet_of(folder, {"file": "m1.img", **FULL, **LONG}))
    convert(folder / "in", folder / "out", Options(sheet=sheet, codes=SITE, **options))
    return folder / "out"


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("scan", SCANS.values(), ids=SCANS)
def test_no_form_has_an_element_that_programs_stumble_over(tmp_path: Path, scan: PhantomScan, form: Form) -> None:
    assert unreadable_in(written(tmp_path, scan, form=form)) == set()


def test_nor_has_a_deidentified_one(tmp_path: Path) -> None:
    hidden = request_of(wanted=True, dates=None, shift_days=-3000, key_file=None)
    assert unreadable_in(written(tmp_path, PET, deidentify=hidden, form=Form.ENHANCED)) == set()


@pytest.mark.parametrize("form", Form)
def test_an_option_writes_them(tmp_path: Path, form: Form) -> None:
    found = unreadable_in(written(tmp_path, PET, form=form, unlimited_text=True))
    assert found == {"StrainDescription", "GeneticModificationsDescription", "LongCodeValue"}


def test_typed_text_has_a_short_code_of_its_own(tmp_path: Path) -> None:
    """Texts that begin alike must not become one code; SHA-256 of the text, as sha256sum has it."""
    [file] = (written(tmp_path, PET, form=Form.ENHANCED) / "1").iterdir()
    [tracer] = pydicom.dcmread(file).RadiopharmaceuticalInformationSequence
    [code] = tracer.RadiopharmaceuticalCodeSequence
    assert (code.CodeValue, code.CodingSchemeDesignator) == ("a compoun-212f33", "99INVEON")
    assert code.CodeMeaning == COMPOUND
