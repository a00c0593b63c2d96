"""Multi-frame objects and their files: concatenations, sizes, and names."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydicom import dcmread
from pydicom.dataset import FileDataset

from helpers import CT, PET, files_below, header_text
from inveonimaging import OptionError, Options, UnsupportedError, convert
from inveonimaging.conversion.instance_layout import DEFAULT_SIZE, object_size
from inveonimaging.conversion.options import Uids
from inveonimaging.dicom.iods import Form
from inveonimaging.dicom.modules.header_text import header_bytes
from inveonimaging.dicom.pixels import Compression
from inveonimaging.inveon.hdr.values import GateBins
from inveonimaging.phantom import SPECT_SCAN, PhantomScan, frames_of, write_scan

SPECT = replace(SPECT_SCAN, shape=(9, 8, 7), spacing_mm=(2.5, 2.75, 8.0))
DYNAMIC = replace(PET, frames=frames_of(10, 20, 40, 80))  # four volumes of six slices
MULTI_FRAME = [Form.ENHANCED, Form.LEGACY]


def write_pair(data: Path, values: npt.NDArray[np.int16]) -> None:
    """Write int16 values (nz, ny, nx) as a CT, and its header."""
    data.parent.mkdir(parents=True, exist_ok=True)
    nz, ny, nx = values.shape
    main = {"x_dimension": str(nx), "y_dimension": str(ny), "z_dimension": str(nz), "modality": "1"}
    values.astype("<i2").tofile(data)
    data.with_name(data.name + ".hdr").write_text(header_text(main))


@pytest.fixture(params=MULTI_FRAME, ids=lambda form: form.value)
def form(request: pytest.FixtureRequest) -> Form:
    return Form(request.param)


def size_for(data: Path, scan: PhantomScan, slices: int) -> int:
    """Return the size of an object into which so many slices fit, and not one more.

    An object is bounded from above: 64 KiB, twice the header, and for each slice its pixels and 4 KiB.
    """
    header = data.with_name(data.name + ".hdr").stat().st_size
    return 64 * 1024 + 2 * header + slices * (scan.shape[0] * scan.shape[1] * 2 + 4096)


def objects(
    folder: Path, scan: PhantomScan, form: Form, slices: int | None = None, **options: object
) -> list[FileDataset]:
    """Convert a scan into objects of at most so many slices; return them in the order of their files."""
    folder.mkdir(exist_ok=True)
    data = folder / "mouse.img"
    if not data.exists():
        write_scan(data, scan)
    largest = DEFAULT_SIZE if slices is None else size_for(data, scan, slices)
    output = folder / f"out {len(list(folder.iterdir()))}"
    convert(data, output, replace(Options(form=form, largest_object=largest), **options))  # type: ignore[arg-type]
    return [dcmread(output / name) for name in files_below(output)]


Shared = Callable[[Form, "int | None"], list[FileDataset]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """Return what reads the objects of the dynamic scan, which are converted once for all tests that look at them."""
    folder = tmp_path_factory.mktemp("shared")
    files: dict[tuple[Form, int | None], list[Path]] = {}

    def read(form: Form, slices: int | None) -> list[FileDataset]:
        if (form, slices) not in files:
            made = objects(folder, DYNAMIC, form, slices)
            files[form, slices] = [Path(str(each.filename)) for each in made]
        return [dcmread(path) for path in files[form, slices]]

    return read


# Concatenations.


def test_an_object_that_fits_is_whole(shared: Shared, form: Form) -> None:
    for slices in (24, 25, None):
        [whole] = shared(form, slices)
        assert whole.NumberOfFrames == 24
        assert not [element for element in whole if element.keyword.startswith("Concatenation")]
        assert "SOPInstanceUIDOfConcatenationSource" not in whole
        assert "InConcatenationNumber" not in whole


@pytest.mark.parametrize(
    ("slices", "sizes"),
    [
        (23, [18, 6]),  # three volumes, and the last
        (18, [18, 6]),
        (17, [12, 12]),
        (12, [12, 12]),
        (11, [6, 6, 6, 6]),
        (6, [6, 6, 6, 6]),
        (5, [5, 5, 5, 5, 4]),  # no volume fits
        (1, [1] * 24),
    ],
)
def test_parts_hold_whole_volumes_where_one_fits(shared: Shared, form: Form, slices: int, sizes: list[int]) -> None:
    parts = shared(form, slices)
    assert [int(part.NumberOfFrames) for part in parts] == sizes
    assert [len(part.PerFrameFunctionalGroupsSequence) for part in parts] == sizes
    assert [part.ConcatenationFrameOffsetNumber for part in parts] == [sum(sizes[:n]) for n in range(len(sizes))]


@pytest.mark.parametrize("slices", [1, 5, 7, 13, 23])
def test_no_file_is_larger_than_asked_for(shared: Shared, form: Form, slices: int) -> None:
    files = [Path(str(part.filename)) for part in shared(form, slices)]
    assert len(files) > 1
    largest = size_for(files[0].parents[2] / "mouse.img", DYNAMIC, slices)
    assert max(path.stat().st_size for path in files) <= largest


def test_the_parts_name_one_concatenation(shared: Shared, form: Form) -> None:
    """PS3.3 C.7.6.16.1.1, C.7.6.16.2.2.4."""
    [whole] = shared(form, None)
    parts = shared(form, 7)
    assert [part.InConcatenationNumber for part in parts] == [1, 2, 3, 4]
    assert {part.InConcatenationTotalNumber for part in parts} == {4}
    assert {part.InstanceNumber for part in parts} == {whole.InstanceNumber}
    [concatenation] = {part.ConcatenationUID for part in parts}
    [source] = {part.SOPInstanceUIDOfConcatenationSource for part in parts}
    own = {part.SOPInstanceUID for part in parts}
    assert len(own) == 4
    assert len({concatenation, source} | own) == 6
    assert {part.file_meta.MediaStorageSOPInstanceUID for part in parts} == own
    assert {part.SeriesInstanceUID for part in parts} == {whole.SeriesInstanceUID}


OF_A_PART = {
    "ConcatenationUID",
    "SOPInstanceUIDOfConcatenationSource",
    "InConcatenationNumber",
    "InConcatenationTotalNumber",
    "ConcatenationFrameOffsetNumber",
    "NumberOfFrames",
    "SOPInstanceUID",
    "PixelData",
    "PerFrameFunctionalGroupsSequence",
}


@pytest.mark.parametrize("slices", [13, 7, 5])
def test_the_parts_together_are_the_whole(shared: Shared, form: Form, slices: int) -> None:
    """Every attribute of the whole is that of each part, and frames and their groups follow each other."""
    [whole] = shared(form, None)
    parts = shared(form, slices)
    for part in parts:
        assert part.file_meta.MediaStorageSOPClassUID == whole.SOPClassUID
        mine, all_of_it = ({e.tag: e for e in each if e.keyword not in OF_A_PART} for each in (part, whole))
        assert mine == all_of_it
    assert b"".join(part.PixelData for part in parts) == whole.PixelData
    groups = [group for part in parts for group in part.PerFrameFunctionalGroupsSequence]
    assert groups == list(whole.PerFrameFunctionalGroupsSequence)


def test_the_header_can_be_had_from_any_part(shared: Shared, form: Form) -> None:
    parts = shared(form, 7)
    source = Path(str(parts[0].filename)).parents[2] / "mouse.img.hdr"
    assert {header_bytes(part) for part in parts} == {source.read_bytes()}


def test_a_ct_is_divided_too(tmp_path: Path, form: Form) -> None:
    [whole] = objects(tmp_path, CT, form)
    parts = objects(tmp_path, CT, form, 4)
    assert [int(part.NumberOfFrames) for part in parts] == [4, 2]
    np.testing.assert_array_equal(np.concatenate([part.pixel_array for part in parts]), whole.pixel_array)


def test_compressed_parts_hold_the_same_frames(shared: Shared, tmp_path: Path, form: Form) -> None:
    plain = shared(form, 7)
    packed = objects(tmp_path, DYNAMIC, form, 7, compression=Compression.RLE)
    for one, other in zip(plain, packed, strict=True):
        assert one.SOPInstanceUID == other.SOPInstanceUID
        np.testing.assert_array_equal(one.pixel_array, other.pixel_array)


def test_uids_of_parts_repeat_and_depend_on_how_the_whole_is_divided(
    shared: Shared, tmp_path: Path, form: Form
) -> None:
    made = (shared(form, 7), objects(tmp_path, DYNAMIC, form, 7), shared(form, 13))
    once, again, otherwise = ({part.SOPInstanceUID for part in parts} for parts in made)
    assert once == again
    assert not once & otherwise  # other frames are another instance


def test_random_uids_of_parts_are_random(tmp_path: Path, form: Form) -> None:
    once, again = (objects(tmp_path, DYNAMIC, form, 7, uids=Uids.RANDOM) for _ in range(2))
    for keyword in ("ConcatenationUID", "SOPInstanceUIDOfConcatenationSource"):
        [one], [other] = ({part[keyword].value for part in parts} for parts in (once, again))
        assert one != other
    assert len({part.SOPInstanceUID for part in (*once, *again)}) == 8


@pytest.mark.parametrize("slices", [7, 5])
def test_dciodvfy_finds_no_error_in_a_part(shared: Shared, dciodvfy: str, form: Form, slices: int) -> None:
    for part in shared(form, slices):
        done = subprocess.run(
            [dciodvfy, "-allpffgitems", str(part.filename)], capture_output=True, text=True, check=False
        )
        assert part.SOPClassUID.name.replace(" Image Storage", "").replace(" ", "") in done.stderr
        assert "Error" not in done.stderr + done.stdout


def test_two_series_are_two_concatenations(tmp_path: Path, form: Form) -> None:
    parts = objects(tmp_path, replace(PET, beds=(300.0, 350.0)), form, 6)
    series = [part.SeriesInstanceUID for part in parts]
    assert len(set(series)) == 2
    assert len({part.ConcatenationUID for part in parts}) == 2
    assert [part.InConcatenationNumber for part in parts] == [1, 2, 1, 2]


# NM cannot be concatenated (PS3.3 C.8.4: the IOD has no Multi-frame Functional Groups).


def test_nm_is_one_object_for_each_time_frame_whatever_the_size(tmp_path: Path) -> None:
    scan = replace(SPECT, frames=frames_of(60, 90, 120))
    for slices in (None, 7, 20):
        instances = objects(tmp_path, scan, Form.CLASSIC, slices)
        assert [int(each.NumberOfFrames) for each in instances] == [7, 7, 7]
        assert [each.InstanceNumber for each in instances] == [1, 2, 3]
        assert not any("ConcatenationUID" in each for each in instances)


@pytest.mark.parametrize("form", list(Form))
def test_nm_that_is_too_large_is_refused_by_name(tmp_path: Path, form: Form) -> None:
    with pytest.raises(UnsupportedError, match=r"mouse\.img\.hdr: 7 slices of 144 bytes in one NM Image.*at most 6"):
        objects(tmp_path, SPECT, form, 6)
    assert not list(tmp_path.glob("out*"))


def test_all_gates_of_nm_must_fit(tmp_path: Path) -> None:
    scan = replace(SPECT, gates=4, gate_bins=(GateBins(1, 4, 0.8, 1.4),))
    [whole] = objects(tmp_path, scan, Form.CLASSIC, 28)
    assert whole.NumberOfFrames == 28
    with pytest.raises(UnsupportedError, match="28 slices"):
        objects(tmp_path, scan, Form.CLASSIC, 27)


def test_a_slice_that_does_not_fit_is_refused(tmp_path: Path, form: Form) -> None:
    with pytest.raises(OptionError, match=r"a slice of 112 bytes does not fit into an object of \d+"):
        objects(tmp_path, DYNAMIC, form, 0)
    assert not list(tmp_path.glob("out*"))


def test_single_frame_instances_have_no_size(tmp_path: Path) -> None:
    assert len(objects(tmp_path, DYNAMIC, Form.CLASSIC, 0)) == 24


# Names of files.


@pytest.mark.parametrize(
    ("name", "slices", "expected"),
    [
        (None, None, ["1/PET-000001.dcm"]),
        (None, 13, ["1/PET-000001.dcm", "1/PET-000002.dcm"]),
        ("mouse 7.dcm", None, ["1/mouse 7.dcm"]),
        ("mouse 7.dcm", 13, ["1/mouse 7-000001.dcm", "1/mouse 7-000002.dcm"]),
        ("all", 13, ["1/all-000001", "1/all-000002"]),
        ("a.b.ima", 13, ["1/a.b-000001.ima", "1/a.b-000002.ima"]),
    ],
)
def test_files_are_numbered_if_there_are_several(
    tmp_path: Path, form: Form, name: str | None, slices: int | None, expected: list[str]
) -> None:
    parts = objects(tmp_path, DYNAMIC, form, slices, file_name=name)
    names = [Path(str(part.filename)) for part in parts]
    assert [path.relative_to(path.parents[1]).as_posix() for path in names] == expected


def test_time_frames_of_nm_are_numbered(tmp_path: Path) -> None:
    scan = replace(SPECT, frames=frames_of(60, 90))
    names = [Path(str(each.filename)).name for each in objects(tmp_path, scan, Form.CLASSIC, file_name="s.dcm")]
    assert names == ["s-000001.dcm", "s-000002.dcm"]


@pytest.mark.parametrize("name", ["mouse", "mouse.dcm", "Maus 7.ima", "ä.dcm", ".hidden"])
def test_a_name_of_a_file_is_taken(name: str) -> None:
    assert Options(file_name=name).file_name == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        ".",
        "..",
        "...",
        "a/b",
        "../a",
        "a\\b",
        "/a",
        "C:",
        "a*",
        "a?",
        'a"',
        "<a>",
        "a|b",
        "a\nb",
        "\x1b",
        "a.",
        "a ",
        "CON",
        "nul.dcm",
        "Lpt1.ima",
    ],
)
def test_what_is_no_name_of_a_file_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="the file name is"):
        Options(file_name=name)


# Sizes as people write them.


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("1048576", 1048576),
        ("2000000B", 2000000),
        ("2GiB", 2**31),
        ("2 GiB", 2**31),
        (" 2gib ", 2**31),
        ("500MB", 500_000_000),
        ("500 mb", 500_000_000),
        ("1MiB", 2**20),
        ("2000kB", 2_000_000),
        ("1024KiB", 2**20),
        ("4GB", 4_000_000_000),
        ("4095MiB", 4095 * 2**20),
        ("4294967294", 2**32 - 2),
    ],
)
def test_a_size_is_read(text: str, size: int) -> None:
    assert object_size(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "GiB",
        "0",
        "0GiB",
        "1048575",
        "1023KiB",
        "1MB",
        "4GiB",
        "4294967295",
        "9999999GiB",
        "-2GiB",
        "+2GiB",
        "2.5GiB",
        "2,5GiB",
        "1e9",
        "2TiB",
        "2G",
        "2Gi",
        "2GiBB",
        "2 G iB",
        "2 2GiB",
        "GiB2",
        "0x80000000",
        "2_000_000",
        "nan",
        "two GiB",
        "²GiB",
        "2\nGiB",
    ],
)
def test_nonsense_is_no_size(text: str) -> None:
    with pytest.raises(OptionError, match="the object size is") as caught:
        object_size(text)
    assert "1MiB to 4095MiB" in str(caught.value)


@pytest.mark.parametrize("text", ["\x1b[31m", "2\nGiB", "\u202eGiB"])
def test_a_size_that_would_steer_a_terminal_is_shown_escaped(text: str) -> None:
    with pytest.raises(OptionError, match="the object size is") as caught:
        object_size(text)
    assert str(caught.value).isprintable()


def test_the_default_is_2_gib() -> None:
    assert Options().largest_object == object_size("2GiB") == 2**31


# Options that come from a program, not from the command line.


@pytest.mark.parametrize("name", ["../outside.dcm", "../../../outside.dcm", "a/b.dcm", "", ".."])
def test_a_name_given_to_the_library_stays_in_the_output(tmp_path: Path, name: str) -> None:
    write_scan(tmp_path / "mouse.img", DYNAMIC)
    with pytest.raises(OptionError, match="the file name is"):
        convert(tmp_path / "mouse.img", tmp_path / "deep" / "out", Options(form=Form.ENHANCED, file_name=name))
    assert not list(tmp_path.rglob("*.dcm"))


@pytest.mark.parametrize("size", [2**32, 2**40, 0, -1])
def test_a_size_given_to_the_library_is_one_of_an_element(size: int) -> None:
    with pytest.raises(OptionError, match="the object size is"):
        Options(largest_object=size)
