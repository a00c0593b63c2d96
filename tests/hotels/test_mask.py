"""`--mask-others`: neighbours in an animal's box become nothing, nothing else changes, and the files say so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom.dataset import FileDataset

import inveonimaging
from contract import errors_in, groups_of, planes_of, validated
from helpers import CT, PET, assert_one_line_error, inveon
from inveonimaging import Corrections, Image, Options, verify
from inveonimaging.commands import split as command
from inveonimaging.commands.split import split_inveon
from inveonimaging.errors import InputError, OptionError
from inveonimaging.findings import Finding
from inveonimaging.hotels import cutting
from inveonimaging.hotels.bodies import Body, Found, find_in_ct
from inveonimaging.hotels.locating import Located
from inveonimaging.hotels.neighbours import masks_of
from inveonimaging.inveon.hdr.enums import DataType, Modality, Orientation
from inveonimaging.phantom import SPECT_SCAN, frames_of, write_scan
from inveonimaging.physics.geometry import Grid
from inveonimaging.study.cut import Extent
from inveonimaging.study.masking import Mask, mask_document, mask_of, masked
from several_mice import Hotel, HotelMouse

FORMS = ("classic", "enhanced", "legacy")
SHEET = """patient_id,position,weight_g,dose_MBq,injection_time
m12,left,20.5,7.1,2014-06-17 13:51:37
m13,right,17.4,6.9,2014-06-17 13:50:00
"""
EXTENTS = (Extent((-11.0, -8.0, -18.0), (-4.0, 8.0, 18.0)), Extent((4.0, -8.0, -18.0), (8.0, 8.0, 10.0)))

# Blocks of 4 mm from (-16, -16, -28) mm: the right animal reaches over to the left one's box, as a paw does.
SHAPE, LOW, SIZE = (8, 8, 14), (-16.0, -16.0, -28.0), 4.0
LABELS = np.zeros(SHAPE[::-1], np.uint8)
LABELS[:, :, :2] = 1  # along i up to -8 mm: the block beside it, up to -4 mm, may hold something of it, too
LABELS[5:10, 4:, 2:] = 2  # along k from -8 to 12 mm, j from 0, i from -8 mm
PAW_MM = ((-4.0, 0.0, -8.0), (16.0, 16.0, 12.0))

# Middles of the CT's voxels: i -13.7, -10.2, -6.7, -3.2, 0.3, ...; j ..., -0.85, 3.15, 7.15, 11.15; k -21.95, -12.95,
# -3.95, 5.05, 14.05, 23.05. Its box has 5 x 7 x 6 of them, of which 2 x 3 x 2 lie in the paw: 12 of 3.5 x 4 x 9 mm.
# The PET's, in 4 x 6 x 6: i ..., -5.88, -2.38; j ..., -2.83, 1.17, 5.17, 9.17; k ..., -5.81, 3.19, 12.19: 1 x 3 x 2.
VOXELS, VOLUMES_ML = {"a.ct.img": 12, "b.pet.img": 6}, {"a.ct.img": 1.512, "b.pet.img": 0.756}
SCANS = {
    "a.ct.img": CT,
    "b.pet.img": replace(PET, data_type=DataType.INT16_BE),
    "c.gated.img": replace(PET, frames=frames_of(60.0), gates=2, gate_description="ECG R-wave", spacing_mm=(4, 4, 9)),
    "d.spect.img": replace(
        SPECT_SCAN, shape=(8, 7, 6), spacing_mm=(3.5, 4, 9), frames=frames_of(60, 60), data_type=DataType.INT16_LE
    ),
}


def grid_of(shape: tuple[int, int, int], low: tuple[float, float, float], size: float) -> Grid:
    x, y, z = (a + n * size / 2 for a, n in zip(low, shape, strict=True))
    return Grid(shape, (size, size, size), (x, y, z), Orientation.FFS, "RPH")


def found_of(labels: npt.NDArray[np.uint8], values: float = -900.0, *, is_ct: bool = True) -> Found:
    body = Body((0, 0, 0), (1, 1, 1), (0, 0, 0), None)
    grid = grid_of(labels.shape[::-1], LOW, SIZE)
    bodies = (body,) * int(labels.max())
    return Found(bodies, labels, np.full(labels.shape, values, np.float32), grid, (), bodies, is_ct)


def located(found: Found, *findings: Finding) -> Located:
    return Located(EXTENTS, None, EXTENTS, found.bodies, findings, lambda: masks_of(found, (0, 1)))


@dataclass(frozen=True)
class Parts:
    """A group's files, and what was split of them with neighbours masked, in each form."""

    folder: Path

    @property
    def source(self) -> Path:
        return self.folder / "in"

    @property
    def corrections(self) -> Corrections:
        return Corrections(sheet=self.folder / "hotel.csv")

    def series(self, form: str, animal: str, number: int) -> list[FileDataset]:
        return [pydicom.dcmread(path) for path in sorted((self.folder / form / animal / str(number)).iterdir())]

    def codes(self, dicom: Path) -> set[str]:
        return {each.code for each in verify(self.source / "a.ct.img", dicom, self.corrections).differences}


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Parts]:
    folder = tmp_path_factory.mktemp("masked")
    (folder / "in").mkdir()
    for name, scan in SCANS.items():
        write_scan(folder / "in" / name, scan)
    (folder / "hotel.csv").write_text(SHEET, "ascii")
    with pytest.MonkeyPatch.context() as patch:
        for module in (command, cutting):
            patch.setattr(module, "locate", lambda _group: located(found_of(LABELS)))
        for form in FORMS:
            compression = "rle" if form == "enhanced" else "none"
            options = Options(sheet=folder / "hotel.csv", form=form, mask_others=True, compression=compression)
            inveonimaging.split(folder / "in", folder / form, options)
        yield Parts(folder)


def is_paw(gantry: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Return which places (..., 3) along i, j, k are in the part of the neighbour that is masked."""
    low, high = map(np.array, PAW_MM)
    return np.asarray(((gantry >= low) & (gantry < high)).all(axis=-1))


def hidden_in(image: Image) -> npt.NDArray[np.bool_]:
    """Return which voxels of a whole image are in the paw, (nz, ny, nx), worked out from size and shift alone."""
    shape, size, shift = image.grid.shape, image.grid.spacing_mm, image.grid.shift_mm
    i, j, k = ((np.arange(n) - (n - 1) / 2) * s + d for n, s, d in zip(shape, size, shift, strict=True))
    return is_paw(np.stack(np.meshgrid(k, j, i, indexing="ij")[::-1], axis=-1))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_masked_voxel_is_nothing_and_all_others_are_the_source(parts: Parts, form: str, number: int) -> None:
    name = list(SCANS)[number - 1]
    whole = inveonimaging.read(parts.source / name)
    true, hidden = np.array(whole).reshape(-1, *whole.source.shape), hidden_in(whole)
    is_ct, seen = number == 1, 0
    planes = planes_of(parts.series(form, "m12", number))
    nz = len(planes) // len(true)
    for n, plane in enumerate(planes):
        row, column = np.indices(plane.stored.shape)
        along, down = (plane.place(1, 0) - plane.position, plane.place(0, 1) - plane.position)
        places = plane.position + np.outer(column, along) + np.outer(row, down)
        gantry = -places  # head first, prone: i to the right, j to the front, k to the feet
        x, y, z = np.round(
            (gantry - whole.grid.shift_mm) / whole.grid.spacing_mm + (np.array(whole.grid.shape) - 1) / 2
        ).T.astype(int)
        away = is_paw(gantry)
        assert np.array_equal(hidden[z, y, x], away)
        found = plane.stored.reshape(-1) * float(plane.slope or 1) + plane.intercept
        assert (found[away] == (-1000 if is_ct else 0)).all()
        assert np.abs(found - true[n // nz, z, y, x])[~away].max() <= float(plane.slope or 1) / 2 * (1 + 1e-6)
        assert (true[n // nz, z, y, x][away] != (-1000 if is_ct else 0)).any() or not away.any()
        seen += int(np.count_nonzero(away))
    assert seen > 0
    if name in VOXELS:
        assert seen == VOXELS[name] * len(true)


@pytest.mark.parametrize("form", FORMS)
def test_verify_knows_what_is_masked(parts: Parts, form: str) -> None:
    result = verify(parts.source, parts.folder / form, parts.corrections)
    assert result.differences == ()
    notes = {Path(study.dicom).name: study.notes for study in result.studies}
    expected = "12 voxels of each frame, 1.51 mL, are -1000 HU in a.ct.img: neighbours, as the manifest says"
    assert expected in notes["m12"]
    assert not any("neighbours" in note for note in notes["m13"])  # nothing of the left one is in its box


def changed(parts: Parts, folder: Path, i: int, j: int, value: int, k: int = 3) -> Path:
    """Return a copy of the left animal's CT with another pixel in slice k."""
    whole, copy = parts.folder / "classic" / "m12", folder / "m12"
    shutil.copytree(whole / "1", copy / "1")
    shutil.copy(whole / "inveon-manifest.json", copy)
    path = copy / "1" / f"CT-{k + 1:06}.dcm"
    ds = pydicom.dcmread(path)
    pixels = ds.pixel_array.copy()
    pixels[j, i] = value
    ds.PixelData = pixels.tobytes()
    ds.save_as(path)
    return copy


def test_what_is_wrong_beside_the_mask_or_in_it_is_a_difference(parts: Parts, tmp_path: Path) -> None:
    whole = inveonimaging.read(parts.source / "a.ct.img")
    hidden = hidden_in(whole)
    assert hidden[3, 4, 3]
    assert not hidden[3, 3, 2]
    assert whole.values()[3, 3, 2] > -100  # the animal's own
    for n, (i, j, value) in enumerate(((2, 3, 1777), (2, 3, -1000), (3, 4, -999))):  # the box begins at voxel 0, 0, 0
        copy = changed(parts, tmp_path / str(n), i, j, value)
        (difference,) = verify(parts.source / "a.ct.img", copy, parts.corrections).differences
        assert difference.code == "voxels-differ"
        assert difference.message.startswith("voxels of 1 plane differ")
    copy = changed(parts, tmp_path / "same", 3, 4, -1000)
    assert parts.codes(copy) == set()


def test_without_a_manifest_one_line_says_that_the_mask_is_not_known(parts: Parts, tmp_path: Path) -> None:
    copy = changed(parts, tmp_path / "as it is", 3, 4, -1000)
    (copy / "inveon-manifest.json").unlink()
    (line,) = verify(parts.source / "a.ct.img", copy, parts.corrections).differences
    assert line.code == "mask-unknown"
    whole = inveonimaging.read(parts.source / "a.ct.img")
    reported = np.count_nonzero(hidden_in(whole)[:6, :7, :5] & (whole.values()[:6, :7, :5] != -1000))
    assert reported == 8  # of 12; four were air
    assert line.message.startswith("8 voxels are -1000 HU, and not so in the source: neighbours were masked, and no ")
    copy = changed(parts, tmp_path / "wrong", 2, 3, 1777)
    (copy / "inveon-manifest.json").unlink()
    assert parts.codes(copy) == {"mask-unknown", "voxels-differ"}
    for broken in (
        {"runs": "1 2"},
        {"runs": "9" * 400},
        {"shape": [1, 1]},
        {"low_mm": None},
        {"block_mm": [1e-320, 4, 4]},
    ):
        manifest = json.loads((parts.folder / "classic" / "m12" / "inveon-manifest.json").read_bytes())
        assert mask_of(manifest["mask"]) is not None
        assert mask_of(manifest["mask"] | broken) is None
    assert mask_of({**manifest["mask"], "shape": [65535, 65535, 65535]}) is None


def test_a_mask_that_the_dicom_does_not_show_is_a_difference(parts: Parts, tmp_path: Path) -> None:
    for path in (changed(parts, tmp_path, 3, 4, -1000) / "1").iterdir():
        ds = pydicom.dcmread(path)
        ds.DerivationCodeSequence = ds.DerivationCodeSequence[:1]
        ds.save_as(path)
    assert parts.codes(tmp_path / "m12") == {"mask-not-stated"}


@pytest.mark.parametrize("form", FORMS)
def test_the_dicom_says_what_was_done(parts: Parts, form: str, dciodvfy: str) -> None:
    values = {1: "-1000 HU", 2: "0", 3: "0", 4: "0"}
    for number, value in values.items():
        for ds in parts.series(form, "m12", number):
            groups = groups_of(ds) if "PerFrameFunctionalGroupsSequence" in ds else []
            for holder in [each["DerivationImageSequence"] for each in groups] or [ds]:
                codes = [(each.CodeValue, each.CodeMeaning) for each in holder.DerivationCodeSequence]
                assert codes[1:] == [("113047", "Pixel by pixel mask")]
                assert codes[0][0] == "113131"
                assert holder.DerivationDescription == f"Voxels of other animals of the group were replaced by {value}"
            assert ds.ImageType[0] == "DERIVED"
            assert "DerivationDescription" not in ds or not groups
        file = min((parts.folder / form / "m12" / str(number)).iterdir())
        assert errors_in(validated(dciodvfy, file, "-allpffgitems")) == []
    (first, *_) = parts.series(form, "m13", 1)  # in whose box nothing is masked
    assert "Pixel by pixel mask" not in str(first)


def test_of_de_identified_data_the_codes_alone_say_so(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INVEON_DEIDENTIFY_KEY", "sixteen characters")
    given = ("split", parts.source / "a.ct.img", tmp_path / "out", "--subjects", parts.folder / "hotel.csv")
    run = inveon(*given, "--mask-others", "--deidentify", "--verify")
    assert run.exit_code == 0, run.stdout
    first = pydicom.dcmread(tmp_path / "out" / "study-1" / "1" / "CT-000004.dcm")
    assert [each.CodeValue for each in first.DerivationCodeSequence] == ["113131", "113047"]
    assert "DerivationDescription" not in first
    assert first.pixel_array[4, 3] == -1000


def test_manifest_json_and_notes_have_voxels_and_volumes(parts: Parts, tmp_path: Path) -> None:
    manifest = json.loads((parts.folder / "classic" / "m12" / "inveon-manifest.json").read_bytes())
    known = {each["source"].removesuffix(".hdr"): each["masked"] for each in manifest["series"]}
    for name, voxels in VOXELS.items():
        value = -1000 if name == "a.ct.img" else 0
        assert known[name] == {"voxels": voxels, "volume_ml": VOLUMES_ML[name], "value": value}
    # From block 3 on 5 of them along i, 4 along j, 5 along k: the paw, and no more.
    assert manifest["mask"]["low_mm"] == [-4.0, 0.0, -8.0]
    assert (manifest["mask"]["shape"], manifest["mask"]["runs"]) == ([5, 4, 5], "0 100")
    given = ("split", parts.source, tmp_path / "out", "--subjects", parts.folder / "hotel.csv", "--mask-others")
    run = inveon(*given, "--dry-run", "--json")
    assert run.exit_code == 0, run.stderr
    left, right = json.loads(run.stdout)["boxes"]
    assert [each["voxels"] for each in left["masked"]][:2] == [12, 6]
    assert left["masked"][0]["volume_ml"] == pytest.approx(1.512)
    assert [each["voxels"] for each in right["masked"]] == [0, 0, 0, 0]
    assert "12 voxels, 1.51 mL, of neighbours in the box of 'left' are -1000 HU [others-masked]" in run.stderr
    assert "6 voxels of each of 2 frames, 0.756 mL, of neighbours in the box of 'left' are 0 [oth" in run.stderr
    assert "no voxel of a neighbour lies in the box of 'right': nothing is masked (and in 3 more" in run.stderr
    assert not (tmp_path / "out").exists()


def test_who_masks_has_other_uids_and_who_does_not_has_all_voxels(parts: Parts, tmp_path: Path) -> None:
    options = Options(sheet=parts.folder / "hotel.csv")
    inveonimaging.split(parts.source / "a.ct.img", tmp_path / "plain", options)
    inveonimaging.split(parts.source / "a.ct.img", tmp_path / "masked", replace(options, mask_others=True))
    plain, other = (
        [pydicom.dcmread(path) for path in sorted((tmp_path / name / "m12").rglob("*.dcm"))]
        for name in ("plain", "masked")
    )
    assert {ds.StudyInstanceUID for ds in plain}.isdisjoint({ds.StudyInstanceUID for ds in other})
    whole = np.array(inveonimaging.read(parts.source / "a.ct.img"))
    assert np.array_equal([ds.pixel_array for ds in plain], whole[:6, :7, :5])
    assert "mask" not in (tmp_path / "plain" / "m12" / "inveon-manifest.json").read_text("ascii")


def test_inveon_files_are_masked_and_a_comment_says_so(parts: Parts, tmp_path: Path) -> None:
    options = Options(sheet=parts.folder / "hotel.csv", mask_others=True)
    pairs = {pair.data.name: pair for pair in split_inveon(parts.source, tmp_path / "out", options)[:4]}
    for name, scan in SCANS.items():
        whole, part = inveonimaging.read(parts.source / name), inveonimaging.read(pairs[name].data)
        nx, ny, nz = part.grid.shape
        hidden = hidden_in(whole)[:nz, :ny, :nx]
        assert part.source.dtype == whole.source.dtype
        for frame in range(len(whole.frames)):
            true = whole.voxels(frame)[:nz, :ny, :nx]
            assert np.array_equal(part.voxels(frame), np.where(hidden, -1000 if scan is CT else 0, true))
        lines = pairs[name].header.read_text("ascii").splitlines()
        at = lines.index("end_of_header")
        value = "-1000 HU" if scan is CT else "0"
        assert lines[at - 1] == f"# {hidden.sum()} voxels of each frame, of other animals, were replaced by {value}"
    right = (tmp_path / "out" / "m13" / "inveon" / "a.ct.img.hdr").read_text("ascii")
    assert "replaced" not in right


def voxels_of(path: Path) -> npt.NDArray[np.float32]:
    """Return the values of a NIfTI file as nibabel reads them, (frames, nz, ny, nx)."""
    image: Any = nibabel.load(path)
    return np.asarray(image.get_fdata(dtype=np.float32)).T


def test_nifti_and_bids_are_masked_and_their_sidecars_say_so(parts: Parts, tmp_path: Path) -> None:
    source, sheet = tmp_path / "in", parts.folder / "hotel.csv"
    source.mkdir()
    for name in ("a.ct.img", "b.pet.img"):
        for suffix in ("", ".hdr"):
            shutil.copy(parts.source / f"{name}{suffix}", source)
    nifti = inveonimaging.NiftiOptions(split=True, sheet=sheet, mask_others=True)
    inveonimaging.nifti(source, tmp_path / "nifti", nifti)
    options = inveonimaging.BidsOptions(
        sheet=sheet, mask_others=True, administration="bolus", incomplete=True, species="mouse"
    )
    inveonimaging.bids(source, tmp_path / "bids", options)
    whole = inveonimaging.read(source / "b.pet.img")
    true = np.where(hidden_in(whole), 0, np.array(whole))
    for folder, names in (("nifti", "m1[23]/b.pet"), ("bids", "sub-m1*/ses-*/pet/*_pet")):
        left, right = sorted((tmp_path / folder).glob(f"{names}.json"))
        values = voxels_of(left.with_suffix(".nii.gz"))
        assert np.array_equal(values, true[:, :6, :6, :4].astype(np.float32))
        assert json.loads(left.read_text("utf-8"))["MaskedVoxels"] == 6
        assert "MaskedVoxels" not in json.loads(right.read_text("utf-8"))
    assert np.count_nonzero(voxels_of(tmp_path / "nifti" / "m12" / "a.ct.nii.gz") == -1000) >= VOXELS["a.ct.img"]
    with pytest.raises(OptionError, match="only where a scan is split; add --split"):
        inveonimaging.nifti(source, tmp_path / "other", replace(nifti, split=False))
    for either in (replace(nifti, boxes=tmp_path / "b.json"), replace(options, boxes=tmp_path / "b.json")):
        run = inveonimaging.nifti if isinstance(either, inveonimaging.NiftiOptions) else inveonimaging.bids
        with pytest.raises(OptionError, match="--boxes gives only a box"):
            run(source, tmp_path / "other", either)  # type: ignore[arg-type]


def test_what_is_restored_says_that_it_is_masked(parts: Parts, tmp_path: Path) -> None:
    inveonimaging.restore(parts.folder / "classic" / "m12", tmp_path / "out")
    (header,) = (tmp_path / "out").rglob("a.ct.img.hdr")
    assert "\n# voxels of other animals were replaced\n" in header.read_text("ascii")
    part, whole = inveonimaging.read(header), inveonimaging.read(parts.source / "a.ct.img")
    true = np.where(hidden_in(whole), -1000, np.array(whole))[:6, :7, :5]
    assert np.array_equal(np.array(part), true)


def test_what_cannot_be_masked_is_refused(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sheet = ("--subjects", parts.folder / "hotel.csv", "--mask-others")
    given = ("split", parts.source, tmp_path / "out", *sheet)

    def refused(*more: object, code: int = 1) -> str:
        run = inveon(*given, *more)
        return assert_one_line_error(run.exit_code, run.stdout, run.stderr, code)

    assert "--boxes gives only a box" in refused("--boxes", tmp_path / "b.json", code=2)
    assert "leave out --no-manifest, --verify or" in refused("--verify", "--no-manifest", code=2)
    with pytest.raises(OptionError, match="only where a scan is split; split it, with inveon split"):
        inveonimaging.convert(parts.source, tmp_path / "out", Options(mask_others=True))
    doubtful = Finding("ct-not-hounsfield", "hardly a value is near -1000 HU", path="a.ct.img")
    monkeypatch.setattr(command, "locate", lambda _group: located(found_of(LABELS), doubtful))
    assert "a.ct.img: nothing is masked: hardly a value is near -1000 HU; leave out --mask-others" in refused()
    write_scan(tmp_path / "bytes.img", replace(CT, data_type=DataType.INT8))
    image = inveonimaging.read(tmp_path / "bytes.img")
    image = replace(image, scaling=replace(image.scaling, factors=(1.0,)))
    with pytest.raises(InputError, match="stored values of type int8 cannot be -1000 HU"):
        masked(image, Mask(np.ones((1, 1, 1), np.bool_), LOW, (SIZE,) * 3))
    assert not (tmp_path / "out").exists()


def test_a_neighbour_that_goes_on_beyond_what_was_looked_at_is_reported(parts: Parts, tmp_path: Path) -> None:
    scan = replace(PET, shape=(8, 7, 12))  # from -55.31 to 52.69 mm
    (tmp_path / "in").mkdir()
    write_scan(tmp_path / "in" / "b.pet.img", scan)
    long = LABELS.copy()
    long[5:, 4:, 2:] = 2  # to 28 mm, the end
    extents = tuple(replace(each, high_mm=(*each.high_mm[:2], 50.0)) for each in EXTENTS)
    for labels, codes in ((LABELS, {"others-masked"}), (long, {"others-masked", "others-not-masked"})):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(command, "locate", lambda _, one=labels: replace(located(found_of(one)), extents=extents))
            options = Options(sheet=parts.folder / "hotel.csv", mask_others=True)
            planned = command.plan_split(tmp_path / "in", tmp_path / "out", options, None)
        found = [{each.code for each in study.all_findings if "others" in each.code} for study in planned.studies]
        assert found == [codes, {"others-masked"}]


# What of the found bodies is a neighbour's.


def hidden_blocks(found: Found, number: int) -> npt.NDArray[np.bool_]:
    """Return the mask of a body in the blocks that were found."""
    mask = masks_of(found, (number,))[0]
    hidden = np.pad(mask.blocks, (0, 1))
    return np.asarray(hidden[np.ix_(*mask.places(found.grid))])


def test_the_margin_takes_what_is_nearer_to_the_neighbour_and_is_no_bed() -> None:
    labels = np.zeros((1, 1, 12), np.uint8)
    labels[..., 1:3], labels[..., 8:10] = 1, 2
    found = replace(found_of(labels), grid=grid_of((12, 1, 1), LOW, 0.8))
    # 1.6 mm are two blocks on each side.
    assert np.flatnonzero(hidden_blocks(found, 0)).tolist() == [6, 7, 8, 9, 10, 11]
    assert np.flatnonzero(hidden_blocks(found, 1)).tolist() == [0, 1, 2, 3, 4]
    beds = found.values.copy()
    beds[..., [7, 11]] = 120.0  # plastic
    assert np.flatnonzero(hidden_blocks(replace(found, values=beds), 0)).tolist() == [6, 8, 9, 10]
    activity = replace(found, values=beds, is_ct=False)
    assert np.flatnonzero(hidden_blocks(activity, 0)).tolist() == [6, 7, 8, 9, 10, 11]


def test_what_lies_against_the_animal_stays_and_the_middle_is_the_animals() -> None:
    labels = np.zeros((1, 1, 12), np.uint8)
    labels[..., 1:5], labels[..., 5:7], labels[..., 10:12] = 1, 2, 3
    found = replace(found_of(labels), grid=grid_of((12, 1, 1), LOW, 0.8))
    assert np.flatnonzero(hidden_blocks(found, 0)).tolist() == [6, 7, 8, 9, 10, 11]
    assert np.flatnonzero(hidden_blocks(found, 1)).tolist() == [0, 1, 2, 3, 9, 10, 11]  # block 8 is as near to both
    assert not hidden_blocks(replace(found, labels=np.minimum(labels, 1)), 0).any()


def test_a_mask_is_read_back_as_it_was_written() -> None:
    rng = np.random.default_rng(7)
    for shape in ((3, 4, 5), (1, 1, 1), (2, 1, 7)):
        for share in (0.0, 0.5, 1.0):
            mask = Mask(rng.random(shape) < share, (-1.25, 0.1, 3.0), (0.78164, 0.8, 0.3))
            again = mask_of(json.loads(json.dumps(mask_document(mask))))
            assert again is not None
            assert np.array_equal(again.blocks, mask.blocks)
            assert (again.low_mm, again.block_mm) == (mask.low_mm, mask.block_mm)


def test_of_mice_that_lie_close_all_of_the_neighbour_goes_and_nothing_of_the_animal(tmp_path: Path) -> None:
    """The phantom's truth: no voxel of its own ellipsoids is changed; what is left of the other is thin, or touches."""
    places = ((-11.5, -5.0, 0.0), (11.5, 5.0, 5.0))
    hotel = Hotel(animals=tuple(HotelMouse(place_mm=place) for place in places))
    image = inveonimaging.read(write_scan(tmp_path / "a.ct.img", hotel.scan(Modality.CT, 1.0), mouse=hotel.mouse).data)
    found = find_in_ct(image)
    assert found.is_certain
    size, shift = image.grid.spacing_mm, image.grid.shift_mm
    i, j, k = (
        np.asarray((np.arange(n) - (n - 1) / 2) * s + d, np.float64)
        for n, s, d in zip(image.grid.shape, size, shift, strict=True)
    )
    one, other = (replace(hotel, animals=(each,)).mouse for each in hotel.animals)
    x, y, z = (-i[None, None, :], j[None, :, None], k[:, None, None])  # feet first, supine: RPH
    own, theirs = (
        np.any([np.broadcast_to(e.contains(x, y, z), image.source.shape) for e in m.anatomy], axis=0)
        for m in (one, other)
    )
    for number, (mine, of_other) in enumerate(((own, theirs), (theirs, own))):
        part = masked(image, masks_of(found, (0, 1))[number])
        assert part.source.hidden is not None
        hidden = part.source.hidden.within((0, 0, 0), part.source.shape)
        assert not (hidden & mine).any()
        assert np.count_nonzero(hidden & of_other) > 0.97 * np.count_nonzero(of_other)
        values = np.array(part)
        assert (values[hidden] == -1000).all()
        assert np.array_equal(values[~hidden], np.array(image)[~hidden])
        bone = (np.array(image) > 900) & of_other
        assert np.count_nonzero(bone & ~hidden) <= 0.01 * np.count_nonzero(bone)
        assert part.source.hidden_voxels == hidden.sum()


def test_slices_of_a_masked_image_are_read_without_the_frame(parts: Parts) -> None:
    image = inveonimaging.read(parts.source / "b.pet.img")
    part = masked(image, masks_of(found_of(LABELS), (0, 1))[0])
    slabs = [part.source.slices(1, k, k + 1) for k in range(6)]
    assert np.array_equal(np.concatenate(slabs), part.voxels(1))
    assert np.array_equal(part.source.of_frames((1,)).slices(0, 2, 3), part.source.slices(1, 2, 3))
