"""Codes for what is typed at the console: isotopes, compounds and species, and a site's own table."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inveonimaging.animal.sheet_values import Code
from inveonimaging.dicom.codes import CodeTable, isotope_of, item, radiopharmaceutical, read_code_table, species
from inveonimaging.errors import OptionError

# CID 4020 PET Radionuclide, written out from PS3.16: isotope, element, scheme and code. The values of three that
# people confuse are again in a test of their own.
CID_4020 = """
C-11 Carbon SCT 40565003
N-13 Nitrogen SCT 21576001
O-14 Oxygen SCT 424875009
O-15 Oxygen SCT 129504001
F-18 Fluorine SCT 77004003
Na-22 Sodium SCT 71633006
K-38 Potassium SCT 423764008
Sc-43 Scandium DCM 126605
Sc-44 Scandium DCM 126600
Ti-45 Titanium SCT 75696008
Mn-51 Manganese DCM 126601
Fe-52 Iron SCT 69089000
Mn-52 Manganese SCT 37225000
Mn-52m Manganese DCM 126607
Cu-60 Copper SCT 425364008
Cu-61 Copper SCT 71425003
Cu-62 Copper SCT 422934004
Zn-62 Zinc SCT 65054007
Cu-64 Copper SCT 3932008
Ga-66 Gallium SCT 79477007
Ga-68 Gallium SCT 35337001
Ge-68 Germanium SCT 53315004
As-70 Arsenic DCM 126602
As-72 Arsenic SCT 2705002
Se-73 Selenium SCT 87437000
Br-75 Bromine SCT 17910003
Br-76 Bromine SCT 79523006
Br-77 Bromine SCT 86521004
Rb-82 Rubidium SCT 79197006
Y-86 Yttrium SCT 10738001
Zr-89 Zirconium SCT 63360001
Nb-90 Niobium DCM 126603
Y-90 Yttrium SCT 14691008
Tc-94m Technetium SCT 424079002
I-124 Iodine SCT 40937006
Tb-152 Terbium DCM 126606
"""
ROWS = [row.split() for row in CID_4020.split("\n") if row]

# CID 18 Radiopharmaceutical Isotope, likewise: what SPECT knows.
CID_18 = """
C-14 Carbon SCT 71647005
F-18 Fluorine SCT 77004003
Na-22 Sodium SCT 71633006
Na-24 Sodium SCT 58541008
P-32 Phosphorus SCT 32505007
K-42 Potassium SCT 59844004
K-43 Potassium SCT 8202008
Cr-51 Chromium SCT 52745005
Co-57 Cobalt SCT 27054007
Co-58 Cobalt SCT 89272005
Fe-59 Iron SCT 68580003
Co-60 Cobalt SCT 5405008
Cu-64 Copper SCT 3932008
Cu-67 Copper SCT 53700003
Ga-67 Gallium SCT 2008008
Se-75 Selenium SCT 43239002
Kr-81m Krypton SCT 61716009
Kr-85 Krypton SCT 34127007
Sr-85 Strontium SCT 111084009
Sr-87m Strontium SCT 78023008
Sr-89 Strontium SCT 7770004
Y-90 Yttrium SCT 14691008
Ru-97 Ruthenium SCT 23788009
Tc-99m Technetium SCT 72454006
In-111 Indium SCT 56609000
In-113m Indium SCT 48895003
I-123 Iodine SCT 21572004
I-125 Iodine SCT 68630002
Xe-127 Xenon SCT 27081007
I-131 Iodine SCT 1368003
Ba-133 Barium SCT 3027009
Xe-133 Xenon SCT 80751004
Gd-153 Gadolinium SCT 14529005
Sm-153 Samarium SCT 419804008
Ho-166 Holmium NCIt C1943
Yb-169 Ytterbium SCT 41758004
Lu-177 Lutetium SCT 447553000
Ta-178 Tantalum SCT 6301006
Re-186 Rhenium SCT 395865006
Re-188 Rhenium SCT 423578007
Ir-191m Iridium DCM 126604
Au-198 Gold SCT 24301009
Au-199 Gold SCT 70544003
Tl-201 Thallium SCT 60057003
Pb-203 Lead SCT 47588004
Ra-223 Radium SCT 24853006
"""
SPECT_ROWS = [row.split() for row in CID_18.split("\n") if row]
ALL_ROWS = [*ROWS, *(row for row in SPECT_ROWS if row not in ROWS)]
NONE = CodeTable()


def spellings(symbol: str, mass: str, element: str) -> list[str]:
    """Return the ways in which people write an isotope."""
    plain = [
        f"{symbol}-{mass}",
        f"{symbol}{mass}",
        f"{symbol} {mass}",
        f"{symbol}_{mass}",
        f"{mass}{symbol}",
        f"{mass}-{symbol}",
        f"{mass} {symbol}",
        f"[{mass}{symbol}]",
        f"({mass}){symbol}",
        f"^{mass}^{symbol}",
        f"{symbol}^{mass}^",
        f"^{mass}^{element}",
        f"{element}-{mass}",
        f"{element} {mass}",
        f"{mass}-{element}",
        f"  {symbol}-{mass}\t",
    ]
    return [spelling for each in plain for spelling in (each, each.lower(), each.upper())]


@pytest.mark.parametrize(("isotope", "element", "scheme", "value"), ALL_ROWS, ids=[row[0] for row in ALL_ROWS])
def test_every_isotope_of_cid_4020_and_18_is_known_in_every_spelling(
    isotope: str, element: str, scheme: str, value: str
) -> None:
    symbol, mass = isotope.split("-")
    for typed in spellings(symbol, mass, element):
        assert isotope_of(typed) == isotope, typed
        code = NONE.radionuclide(typed)
        assert code == Code(value, scheme, f"^{mass}^{element}"), typed


@pytest.mark.parametrize(("file", "cid", "rows"), [("radionuclide", 4020, ROWS), ("isotope", 18, SPECT_ROWS)])
def test_the_tables_are_those_of_the_standard_and_no_more(file: str, cid: int, rows: list[list[str]]) -> None:
    text = (resources.files("inveonimaging.dicom") / "code_tables" / f"{file}.json").read_text("utf-8")
    table = json.loads(text)
    assert table["cid"] == cid
    assert [[row["isotope"], row["scheme"], row["value"]] for row in table["codes"]] == [
        [isotope, scheme, value] for isotope, _, scheme, value in rows
    ]
    assert not [row for row in table["codes"] if row["scheme"] in {"SRT", "SNM3"}]  # retired


def test_isotopes_in_both_tables_have_one_code() -> None:
    both = {row[0] for row in ROWS} & {row[0] for row in SPECT_ROWS}
    assert both == {"F-18", "Na-22", "Cu-64", "Y-90"}
    assert all(row in ROWS for row in SPECT_ROWS if row[0] in both)


TABLES = {
    "anatomic_region": 4031,
    "breed_registry": 7481,
    "isotope": 18,
    "patient_gantry_relationship": 21,
    "patient_orientation": 19,
    "patient_orientation_modifier": 20,
    "radionuclide": 4020,
    "radiopharmaceutical": 4021,
    "species": 7454,
    "strain_source_registry": 7490,
}


def test_every_table_is_known() -> None:
    folder = resources.files("inveonimaging.dicom") / "code_tables"
    assert sorted(each.name for each in folder.iterdir() if each.name.endswith(".json")) == [
        f"{name}.json" for name in TABLES
    ]


@pytest.mark.parametrize(("file", "cid"), TABLES.items())
def test_every_table_names_its_context_group(file: str, cid: int) -> None:
    text = (resources.files("inveonimaging.dicom") / "code_tables" / f"{file}.json").read_text("utf-8")
    table = json.loads(text)
    assert table["cid"] == cid
    values = [(row["scheme"], row["value"]) for row in table["codes"]]
    assert len(set(values)) == len(values)
    assert all(re.fullmatch(r"\d{6,18}", value) for scheme, value in values if scheme == "SCT")


@pytest.mark.parametrize(
    ("typed", "isotope"),
    [
        ("52Mn", "Mn-52"),
        ("52mMn", "Mn-52m"),
        ("52MMN", "Mn-52m"),
        ("Mn-52m", "Mn-52m"),
        ("Mn52", "Mn-52"),
        ("94mTc", "Tc-94m"),
        ("Tc-94m", "Tc-94m"),
        ("tc94M", "Tc-94m"),
        ("technetium-94m", "Tc-94m"),
        ("94Tc", None),  # another nuclide than its metastable state
        ("Tc-99m", "Tc-99m"),
        ("99mTc", "Tc-99m"),
        ("TC99M", "Tc-99m"),
        ("technetium 99m", "Tc-99m"),
        ("99Tc", None),  # another nuclide than its metastable state
        ("In111", "In-111"),
        ("In-113m", "In-113m"),
        ("In-113", None),
        ("123I", "I-123"),
        ("I-125", "I-125"),
        ("131-Iodine", "I-131"),
        ("thallium-201", "Tl-201"),
        ("67Ga", "Ga-67"),
        ("133Xe", "Xe-133"),
        ("133Ba", "Ba-133"),
        ("68Ge", "Ge-68"),
        ("68Ga", "Ga-68"),
        ("13N", "N-13"),
        ("90Nb", "Nb-90"),
    ],
)
def test_look_alikes_are_distinguished(typed: str, isotope: str | None) -> None:
    assert isotope_of(typed) == isotope


@pytest.mark.parametrize("typed", ["", "-", "F", "18", "F-19", "FDG", "Xx-18", "F-18-Cu-64", "F-018", "unobtainium-18"])
def test_what_is_no_isotope_of_the_table_has_no_code(typed: str) -> None:
    assert isotope_of(typed) is None
    assert NONE.radionuclide(typed) is None


@given(typed=st.text() | st.from_regex(r"[\[^(]?[0-9²]{1,3}m?[ -]?[A-Za-zµ]{1,3}[\])^]?"))
@example(typed="\u0661\u0668F")  # other scripts have digits too
@example(typed="9" * 5000 + "F")
def test_no_text_crashes(typed: str) -> None:
    assert isotope_of(typed) in {None, *(row[0] for row in ALL_ROWS)}
    radiopharmaceutical(typed, "F-18")
    species(typed)


# The site's own table.

PUBLISHED = [
    {"key": "Cu-64", "code": "C-127A2", "meaning": "^64^Copper", "system": "SNM3"},
    {"key": "F-18", "code": "C-111A1", "meaning": "^18^Fluorine", "system": "SNM3"},
    {"key": "Ga-68", "code": "C-131A3", "meaning": "^68^Gallium", "system": "SNM3"},
    {"key": "O-15", "code": "C-B1038", "meaning": "^15^Oxygen", "system": "SNM3"},
]


def table_of(folder: Path, rows: object) -> CodeTable:
    path = folder / "codes.json"
    path.write_text(json.dumps(rows), "utf-8")
    return read_code_table(path)


def row(**changes: object) -> dict[str, object]:
    return {"key": "F-18", "code": "C-111A1", "meaning": "^18^Fluorine", "system": "SNM3", **changes}


def test_the_published_table_wins_over_the_built_in_one(tmp_path: Path) -> None:
    table = table_of(tmp_path, PUBLISHED)
    assert table.radionuclide("O-15") == Code("C-B1038", "SNM3", "^15^Oxygen")
    assert table.radionuclide("F-18") == Code("C-111A1", "SNM3", "^18^Fluorine")
    assert table.radionuclide("C-11") == Code("40565003", "SCT", "^11^Carbon")  # not in it


@pytest.mark.parametrize("typed", ["F-18", "F18", "18F", "18-F", "^18^Fluorine", "fluorine-18", "[18F]", "f 18"])
def test_a_key_replaces_all_spellings_of_its_isotope(tmp_path: Path, typed: str) -> None:
    assert table_of(tmp_path, PUBLISHED).radionuclide(typed) == Code("C-111A1", "SNM3", "^18^Fluorine")


def test_what_was_typed_wins_over_another_spelling(tmp_path: Path) -> None:
    table = table_of(tmp_path, [row(), row(key="F18 (cyclotron B)", code="L-2"), row(key="18F", code="L-1")])
    assert table.radionuclide("18F") == Code("L-1", "SNM3", "^18^Fluorine")
    assert table.radionuclide("F18 (cyclotron B)") == Code("L-2", "SNM3", "^18^Fluorine")
    assert table.radionuclide("F-18") == Code("C-111A1", "SNM3", "^18^Fluorine")


@pytest.mark.parametrize(
    ("key", "typed"), [("Hausmarke 3", "hausmarke-3"), ("Ac-225", "225Ac"[3:] + "-225"), ("鐳", "鐳")]
)
def test_a_key_may_be_anything(tmp_path: Path, key: str, typed: str) -> None:
    assert table_of(tmp_path, [row(key=key, code="L-1")]).radionuclide(typed) == Code("L-1", "SNM3", "^18^Fluorine")


def test_a_key_of_signs_is_not_every_other_text_of_signs(tmp_path: Path) -> None:
    table = table_of(tmp_path, [row(key="?", code="L-1")])
    assert table.radionuclide("?") == Code("L-1", "SNM3", "^18^Fluorine")
    assert table.radionuclide("--") is None


def test_a_table_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "codes.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(PUBLISHED).encode())
    assert read_code_table(path).radionuclide("F-18") == Code("C-111A1", "SNM3", "^18^Fluorine")


BROKEN_TABLES: Mapping[str, bytes] = {
    "empty": b"",
    "no JSON": b"F-18,C-111A1",
    "cut off": b'[{"key": "F-18"',
    "nested without end": b"[" * 100_000,
    "no text": b"\xff\xfe\x00[",
    "no list": b'{"F-18": "C-111A1"}',
    "no objects": b'["F-18"]',
    "no code": json.dumps([{"key": "F-18", "meaning": "x", "system": "SCT"}]).encode(),
    "empty code": json.dumps([row(code=" ")]).encode(),
    "number for text": json.dumps([row(code=77004003)]).encode(),
    "system too long": json.dumps([row(system="x" * 17)]).encode(),
    "system of two values": json.dumps([row(system="SNM3\\SCT")]).encode(),
    "code of two values": json.dumps([row(code="C-1\\C-2")]).encode(),
    "code of two lines": json.dumps([row(code="C-1\nC-2")]).encode(),
    "a key twice": json.dumps([row(code="C-1"), row(code="C-2")]).encode(),
    "code with an escape sequence": json.dumps([row(code="\x1b[31mC-1")]).encode(),
}


@pytest.mark.parametrize("content", BROKEN_TABLES.values(), ids=BROKEN_TABLES)
def test_a_broken_table_is_one_line_that_names_the_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "codes.json"
    path.write_bytes(content)
    with pytest.raises(OptionError) as caught:
        read_code_table(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "code table" in str(caught.value) or "entry 1" in str(caught.value)
    assert str(caught.value).isprintable()


def test_a_missing_table_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"none\.json: the code table cannot be read"):
        read_code_table(tmp_path / "none.json")
    with pytest.raises(OptionError, match="the code table cannot be read"):
        read_code_table(tmp_path)


def test_an_entry_that_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"entry 2 .*'meaning'"):
        table_of(tmp_path, [row(), row(meaning="")])


# Compounds.

FDG = Code("35321007", "SCT", "Fluorodeoxyglucose F^18^")


@pytest.mark.parametrize(
    "typed",
    [
        "FDG",
        "fdg",
        " FDG ",
        "18F-FDG",
        "18FDG",
        "[18F]FDG",
        "[18F]-FDG",
        "[F-18]FDG",
        "F-18-FDG",
        "F18-FDG",
        "F-18 FDG",
        "FDG F-18",
        "FDG (18F)",
        "^18^F-FDG",
        "FDG-F18",
        "18-FDG",
        "18F FDG",
        "FDG 18F",
        "Fluorodeoxyglucose F^18^",
        "fluorodeoxyglucose",
        "Fludeoxyglucose F 18",
    ],
)
def test_fdg_is_known_in_every_spelling(typed: str) -> None:
    assert radiopharmaceutical(typed, "F-18") == FDG


@pytest.mark.parametrize(
    ("typed", "isotope", "value"),
    [
        ("[18F]FLT", "F-18", "764937002"),
        ("FMISO", "F-18", "422598008"),
        ("Cu-64-ATSM", "Cu-64", "422855001"),
        ("64Cu-ATSM", "Cu-64", "422855001"),
        ("ATSM", "Cu-62", "126702"),
        ("68Ga-DOTATATE", "Ga-68", "724025002"),
        ("[13N]NH3", "N-13", "129508003"),
        ("13NH3", "N-13", "129508003"),
        ("NH3", "N-13", "129508003"),
        ("11C-acetate", "C-11", "129513004"),
    ],
)
def test_common_compounds_are_known(typed: str, isotope: str, value: str) -> None:
    code = radiopharmaceutical(typed, isotope)
    assert code is not None
    assert code.value == value


@pytest.mark.parametrize(
    ("typed", "isotope"),
    [
        ("FDG", "Cu-64"),
        ("FDG", "C-11"),
        ("FDG", None),
        ("[18F]FDG", "C-11"),
        ("[11C]FDG", "F-18"),
        ("FDG C-11", "F-18"),
        ("ATSM", "F-18"),
        ("18F", "F-18"),
        ("", "F-18"),
        ("secret compound 7", "F-18"),
    ],
)
def test_there_is_no_code_where_the_isotope_does_not_fit(typed: str, isotope: str | None) -> None:
    assert radiopharmaceutical(typed, isotope) is None


# Species.


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("mouse", "447612001"),
        ("Mouse", "447612001"),
        ("mice", "447612001"),
        ("Mus musculus", "447612001"),
        ("MUS  MUSCULUS", "447612001"),
        ("Mus", "447482001"),
        ("rat", "371565004"),
        ("Rattus norvegicus", "371565004"),
        ("Rattus", "371564000"),
        ("rabbit", "36571002"),
    ],
)
def test_species_are_known_by_latin_and_english_names(typed: str, value: str) -> None:
    code = species(typed)
    assert code is not None
    assert (code.scheme, code.value) == ("SCT", value)


@pytest.mark.parametrize("typed", ["", "phantom", "mouse phantom", "zebrafish", "m"])
def test_species_that_are_not_in_the_table_have_no_code(typed: str) -> None:
    assert species(typed) is None


# Items.


def test_a_code_becomes_an_item_and_a_long_one_a_long_code_value() -> None:
    short = item(FDG)
    assert (short.CodeValue, short.CodingSchemeDesignator, short.CodeMeaning) == FDG[:3]
    long = item(Code("621566751000087104", "SCT", "m" * 80))
    assert long.LongCodeValue == "621566751000087104"
    assert "CodeValue" not in long
    assert long.CodeMeaning == "m" * 64
