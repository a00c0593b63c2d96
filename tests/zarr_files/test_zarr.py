"""OME-Zarr stores, read by zarr-python and by ngff-zarr (in Rust), checked by ome-zarr-models, beside our NIfTI."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import inveonimaging
from bids_dataset.conftest import Validated, errors_of
from helpers import CT, PET, digests, header_text, inveon, write_small_study
from inveonimaging.errors import DataError, OptionError, OutputError
from inveonimaging.phantom import frames_of, write_scan
from inveonimaging.zarr_files import levels

__all__ = ["errors_of"]  # a fixture

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="zarr-python 3 needs Python 3.11")
VERSIONS = ("0.4", "0.5")


def write_pair(folder: Path, main: dict[str, Any], voxels: npt.NDArray[Any], **how: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    z, y, x = voxels.shape[-3:]
    sizes = {"x_dimension": str(x), "y_dimension": str(y), "z_dimension": str(z)}
    (folder / "m.img.hdr").write_text(header_text({**sizes, **main}, **how), "utf-8")
    voxels.tofile(folder / "m.img")
    return folder / "m.img"


HU = {"modality": "1", "acquisition_mode": "9", "subject_orientation": "1"}


def read(store: Path) -> tuple[dict[str, Any], list[npt.NDArray[Any]], dict[str, Any]]:
    """Return the first of `multiscales`, the arrays, and our own attributes; ome-zarr-models finds no fault."""
    import zarr
    from ome_zarr_models import v04, v05

    group = zarr.open_group(store, mode="r")
    is_v2 = group.metadata.zarr_format == 2
    (v04.Image if is_v2 else v05.Image).from_zarr(group)
    document: Any = group.attrs if is_v2 else group.attrs["ome"]
    (image,) = document["multiscales"]
    arrays = [np.asarray(group[each["path"]]) for each in image["datasets"]]
    own: Any = group.attrs["inveonimaging"]
    return image, arrays, own


def placed(image: dict[str, Any], number: int = 0) -> tuple[list[float], list[float]]:
    scale, moved = image["datasets"][number]["coordinateTransformations"]
    return scale["scale"], moved["translation"]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_ct_has_values_and_places_by_hand(tmp_path: Path, version: str) -> None:
    """Feet first prone: +i left, +j anterior, +k head; 4 x 3 x 2 voxels of 0.5 x 0.25 x 2 mm around the centre.

    To the back j is turned round; all three begin at minus half of the way from the first voxel to the last.
    """
    stored = np.arange(-12, 12, dtype="<i2").reshape(2, 3, 4)
    path = write_pair(tmp_path / "in", HU, stored)
    options = inveonimaging.ZarrOptions(ome_version=version)
    (store,) = inveonimaging.zarr(path, tmp_path / "out", options).stores
    assert store == tmp_path / "out" / "m.ome.zarr"
    image, (values,), own = read(store)
    assert values.dtype == np.int16
    assert np.array_equal(values, stored[:, ::-1])
    assert [(each["name"], each["type"], each["unit"]) for each in image["axes"]] == [
        (axis, "space", "millimeter") for axis in "zyx"
    ]
    assert placed(image) == ([2, 0.25, 0.5], [-1, -0.25, -0.75])
    assert own["AxesTowards"] == {"x": "left", "y": "posterior", "z": "head"}
    assert (own["Units"], own["Modality"]) == ("HU", "CT")


def test_factors_are_in_the_values(tmp_path: Path) -> None:
    stored = np.arange(-12, 12, dtype="<i2").reshape(2, 3, 4)
    path = write_pair(tmp_path / "in", HU | {"ct_hounsfield_scale": "0.5", "ct_hounsfield_offset": "-3"}, stored)
    options = inveonimaging.ZarrOptions(apply_hounsfield=True)
    _, (values,), _ = read(inveonimaging.zarr(path, tmp_path / "out", options).stores[0])
    assert values.dtype == np.float32
    assert np.array_equal(values[:, ::-1], stored * 0.5 - 3)


@pytest.mark.parametrize("posture", ["HFP", "FFS", "HFDR", "FFDL"])
def test_each_voxel_is_where_nibabel_and_ngff_zarr_have_it(tmp_path: Path, posture: str) -> None:
    import ngff_zarr
    import nibabel

    write_scan(tmp_path / "in.img", CT)
    (store,) = inveonimaging.zarr(
        tmp_path / "in.img", tmp_path / "z", inveonimaging.ZarrOptions(orientation=posture)
    ).stores
    options = inveonimaging.NiftiOptions(orientation=posture)
    nifti: Any = nibabel.load(inveonimaging.nifti(tmp_path / "in.img", tmp_path / "n", options).files[0])
    image: Any = ngff_zarr.from_ngff_zarr(str(store)).images[0]
    values = np.asarray(image.data)
    assert image.axes_units == dict.fromkeys("zyx", "millimeter")
    index = np.stack(np.meshgrid(*map(np.arange, values.shape), indexing="ij"), -1).reshape(-1, 3)
    lps = np.stack([index[:, n] * image.scale[axis] + image.translation[axis] for n, axis in ((2, "x"), (1, "y"))], -1)
    head = index[:, 0] * image.scale["z"] + image.translation["z"]
    world = np.column_stack([-lps, head])  # RAS
    found = nibabel.affines.apply_affine(np.linalg.inv(nifti.affine), world)
    nearest = np.rint(found).astype(int)
    assert np.allclose(found, nearest, atol=2e-3)
    assert np.array_equal(nifti.get_fdata()[tuple(nearest.T)], values.reshape(-1))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("slab", [1, 10**9])
def test_a_coarser_voxel_is_the_mean_of_two_in_their_middle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, slab: int
) -> None:
    """Axes of more than 2 voxels are halved here: 5 x 2 x 3 (z, y, x) to 2 x 2 x 1; an odd voxel is left out.

    Blocks of z 0 and 1, x 0 and 1: of 0, 1, 6, 7 the mean is 3.5, and even 4; of 2 further rows 3 more: 6.5 and 6;
    from z = 2 on 12 more: 15.5 and 16, 18.5 and 18. Voxels of 2 and 0.5 mm are 4 and 1 mm, and lie 1 and 0.25 mm on.
    """
    monkeypatch.setattr(levels, "SMALL", 2)
    monkeypatch.setattr(levels, "_SLAB", slab)
    stored = np.arange(30, dtype="<i2").reshape(5, 2, 3)
    path = write_pair(tmp_path / "in", HU | {"subject_orientation": "4"}, stored)  # +x, +y, +z as stored or turned
    (store,) = inveonimaging.zarr(path, tmp_path / "o", inveonimaging.ZarrOptions(ome_version=version, flip="")).stores
    image, (fine, coarse), _ = read(store)
    wanted = np.rint(fine[:4, :, :2].reshape(2, 2, 2, 1, 2).mean((1, 4)))
    assert coarse.dtype == np.int16
    assert coarse.shape == (2, 2, 1)
    assert np.array_equal(coarse, wanted)
    (size, first), (twice, moved) = placed(image), placed(image, 1)
    assert twice == [2 * size[0], size[1], 2 * size[2]]
    assert moved == pytest.approx([first[0] + size[0] / 2, first[1], first[2] + size[2] / 2])


def test_halves_are_rounded_to_even_and_floats_are_not() -> None:
    block = np.array([[[0, 1, 2, 3, 9]]], np.int16)
    assert levels.halved(block, (1, 1, 2)).tolist() == [[[0, 2]]]  # 0.5 and 2.5
    assert levels.halved(block.astype(np.float32), (1, 1, 2)).tolist() == [[[0.5, 2.5]]]
    assert levels.halved(np.array([[[32767, 32767]]], np.int16), (1, 1, 2)).tolist() == [[[32767]]]
    shapes = [each.shape for each in levels.levels_of((679, 512, 512))]
    assert shapes == [(679, 512, 512), (339, 256, 256), (169, 128, 128), (84, 64, 64), (42, 64, 64)]


def test_frames_are_the_axis_t_in_seconds_where_they_are_even(tmp_path: Path) -> None:
    write_scan(tmp_path / "even.img", replace(PET, frames=frames_of(20, 20, 20)))
    write_scan(tmp_path / "odd.img", replace(PET, frames=frames_of(20, 40, 40)))
    image, (values,), _ = read(inveonimaging.zarr(tmp_path / "even.img", tmp_path / "e").stores[0])
    assert image["axes"][0] == {"name": "t", "type": "time", "unit": "second"}
    assert (placed(image)[0][0], placed(image)[1][0]) == (20, 0)
    assert np.array_equal(np.sort(values, None), np.sort(np.asarray(inveonimaging.read(tmp_path / "even.img")), None))
    image, (values,), own = read(inveonimaging.zarr(tmp_path / "odd.img", tmp_path / "o").stores[0])
    assert image["axes"][0] == {"name": "t", "type": "time"}  # counted: starts are 20 and 40 s apart
    assert (placed(image)[0][0], values.shape[0]) == (1, 3)
    assert (own["FrameTimesStart"], own["FrameDuration"]) == ([0, 20, 60], [20, 40, 40])


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_small_study(tmp_path / "in")


def test_nothing_is_overwritten_unasked_and_only_what_is_ours_at_all(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (out / "m1.pet.ome.zarr").mkdir(parents=True)
    (out / "m1.pet.ome.zarr" / "mine").write_text("mine")
    for overwrite, message in ((False, "nothing is overwritten"), (True, "is not a store that this program wrote")):
        with pytest.raises(OutputError, match=message):
            inveonimaging.zarr(study, out, inveonimaging.ZarrOptions(overwrite=overwrite))
    assert [path.name for path in out.rglob("*") if path.is_file()] == ["mine"]
    (out / "m1.pet.ome.zarr").rename(tmp_path / "mine")
    inveonimaging.zarr(study, out)
    before = digests(out)
    inveonimaging.zarr(study, out, inveonimaging.ZarrOptions(overwrite=True))
    assert digests(out) == before
    inveonimaging.zarr(study, out, inveonimaging.ZarrOptions(overwrite=True, ome_version="0.4"))
    assert not list(out.rglob("zarr.json"))


def test_nothing_half_is_left(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inveonimaging.zarr(study, tmp_path / "new" / "deep", progress=stop)
    assert not (tmp_path / "new").exists()
    inveonimaging.zarr(study, tmp_path / "out")
    before = digests(tmp_path / "out")
    rename = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if Path(target).name == "m1.pet.ome.zarr" and (self / ".zattrs").exists():
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(OutputError, match="No space left"):
        inveonimaging.zarr(study, tmp_path / "out", inveonimaging.ZarrOptions(overwrite=True, ome_version="0.4"))
    assert digests(tmp_path / "out") == before
    assert len(list((tmp_path / "out").iterdir())) == 2


def test_a_data_file_that_changes_is_refused(study: Path, tmp_path: Path) -> None:
    def touch(_done: int, _total: int) -> None:
        with (study / "m1.pet.img").open("ab") as file:
            file.write(b"more")

    with pytest.raises(DataError, match="has changed while it was read"):
        inveonimaging.zarr(study, tmp_path / "out", progress=touch)
    assert not (tmp_path / "out").exists()


def test_the_store_of_a_ct_is_valid_bids(tmp_path: Path, errors_of: Validated) -> None:
    """As docs/how-to/zarr.md has it: microscopy, suffix uCT, with a sample."""
    write_scan(tmp_path / "m.ct.img", CT)
    root = tmp_path / "bids"
    folder = root / "sub-M0042" / "micr"
    folder.mkdir(parents=True)
    stem = "sub-M0042_sample-whole_uCT"
    inveonimaging.zarr(tmp_path / "m.ct.img", folder / f"{stem}.ome.zarr")
    sizes = {"PixelSize": list(CT.spacing_mm), "PixelSizeUnits": "mm"}
    (folder / f"{stem}.json").write_text(json.dumps(sizes))
    (root / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.1", "DatasetType": "raw"}')
    (root / "participants.tsv").write_text("participant_id\tspecies\nsub-M0042\tmus musculus\n")
    (root / "samples.tsv").write_text(
        "sample_id\tparticipant_id\tsample_type\nsample-whole\tsub-M0042\twhole organisms\n"
    )
    (root / "README.md").write_text("CT")
    assert errors_of(root) == []


def test_the_command_lists_writes_splits_and_goes_on(study: Path, tmp_path: Path) -> None:
    listed = inveon("zarr", study, tmp_path / "out", "-n", "--json")
    rows = json.loads(listed.stdout)["series"]
    assert [(Path(row["store"]).name, row["shape"], row["type"]) for row in rows] == [
        ("m1.ct.ome.zarr", [8, 7, 6], "int16"),
        ("m1.pet.ome.zarr", [8, 7, 6, 2], "float32"),
    ]
    assert "m1.ct.ome.zarr" in inveon("zarr", study, tmp_path / "out", "-n").stdout
    (tmp_path / "sheet.csv").write_text("file,patient_id\nnothere*,m9\n")
    unused = inveon("zarr", study, tmp_path / "out", "-n", "--json", "--subjects", tmp_path / "sheet.csv")
    assert [each["code"] for each in json.loads(unused.stdout)["findings"]].count("sheet-row-unused") == 1
    assert not (tmp_path / "out").exists()
    one = inveon("zarr", study, tmp_path / "one.ome.zarr")
    assert "there are 2 series, and one store is named" in one.stderr
    animals = [
        {"position": name, "low_mm": low, "high_mm": high}
        for name, low, high in (("left", [-11, -8, -18], [-4, 8, 18]), ("right", [4, -8, -18], [8, 8, 10]))
    ]
    (tmp_path / "boxes.json").write_text(json.dumps({"schema": 1, "program": "inveonimaging", "animals": animals}))
    (tmp_path / "hotel.csv").write_text("patient_id,position\nm12,left\nm13,right\n")
    sheet = ("--subjects", tmp_path / "hotel.csv", "--boxes", tmp_path / "boxes.json")
    split = inveon("zarr", study, tmp_path / "parts", "--split", *sheet, "--json")
    assert split.exit_code == 0, split.stderr
    stores = [Path(each).relative_to(tmp_path / "parts").as_posix() for each in json.loads(split.stdout)["stores"]]
    assert stores == [f"{animal}/m1.{kind}.ome.zarr" for animal in ("m12", "m13") for kind in ("ct", "pet")]
    _, (values,), own = read(tmp_path / "parts" / stores[2])
    assert own["SourceFirstVoxel"] == [4, 0, 0]
    assert values.shape[2] == 4
    broken = write_small_study(tmp_path / "tree" / "broken")
    (broken / "m1.pet.img").write_bytes(b"short")
    write_small_study(tmp_path / "tree" / "x.zarr")
    done = inveon("zarr", tmp_path / "tree", tmp_path / "all", "--recursive")
    assert (done.exit_code, done.stderr.count("error: ")) == (1, 1)
    assert "1 study written, 1 not" in done.stdout
    assert (tmp_path / "all" / "x.zarr" / "m1.ct.ome.zarr" / "zarr.json").exists()
    with pytest.raises(OptionError, match=r"ome_version is '0\.3'"):
        inveonimaging.ZarrOptions(ome_version="0.3")
