"""Images as arrays of other programs: nibabel, SimpleITK, xarray with Dask."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import inveonimaging
from helpers import PET, write_small_study
from inveonimaging.errors import OptionError
from inveonimaging.phantom import frames_of, write_scan


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_study(tmp_path_factory.mktemp("study") / "in")


@pytest.mark.parametrize("name", ["m1.ct.img", "m1.pet.img"])
def test_all_three_hold_the_values_at_one_place(study: Path, name: str) -> None:
    image = inveonimaging.read(study / name, orientation="HFDR")
    values = np.asarray(image).reshape(-1, 6, 7, 8)
    nii, itk, xarray = image.to_nibabel(), image.to_sitk(), image.to_xarray()
    assert np.array_equal(np.asarray(nii.dataobj).T.reshape(values.shape), values)
    index = [1, 2, 3]
    ras = (nii.affine @ [*index, 1])[:3]
    lps = np.array(itk.TransformIndexToPhysicalPoint([*index, 0][: itk.GetDimension()]))[:3]
    assert np.allclose(ras, lps * [-1, -1, 1], atol=1e-4)
    assert nii.header.get_xyzt_units() == ("mm", "sec")
    import SimpleITK as sitk

    assert np.array_equal(sitk.GetArrayFromImage(itk).reshape(values.shape), values)
    assert xarray.dims == ("time", "z", "y", "x")
    assert np.array_equal(xarray.values, values)
    axes = {"L": (0, -1), "R": (0, 1), "P": (1, -1), "A": (1, 1), "H": (2, 1), "F": (2, -1)}
    for name_, at in zip("xyz", index, strict=True):
        coordinate = xarray.coords[name_]
        axis, sign = axes[coordinate.attrs["towards"]]
        assert coordinate.values[at] == pytest.approx(ras[axis], abs=1e-4)
        assert np.sign(coordinate.values[1] - coordinate.values[0]) == sign
        assert coordinate.attrs["units"] == "mm"


def test_times_and_units_are_coordinates_and_attributes(study: Path) -> None:
    array = inveonimaging.read(study / "m1.pet.img").to_xarray()
    assert array.coords["time"].values.tolist() == [0, 20]
    assert array.coords["duration"].values.tolist() == [20, 40]
    assert array.coords["time"].attrs["units"] == "s"
    assert array.attrs["units"] == "Bq/mL"


def test_a_frame_is_read_when_it_is_computed_and_no_other(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    values = inveonimaging.Image.values

    def counted(self: inveonimaging.Image, frame: int = 0) -> object:
        read.append(frame)
        return values(self, frame)

    monkeypatch.setattr(inveonimaging.Image, "values", counted)
    array = inveonimaging.read(study / "m1.pet.img").to_xarray()
    assert array.chunks == ((1, 1), (6,), (7,), (8,))
    assert read == []
    array.sel(time=20).compute()
    assert read == [1]


def test_gates_are_coordinates_and_one_frame_can_be_taken(tmp_path: Path) -> None:
    write_scan(tmp_path / "m.img", replace(PET, gates=3, frames=frames_of(60)))
    image = inveonimaging.read(tmp_path / "m.img")
    assert image.to_xarray(lazy=False).coords["gate"].values.tolist() == [frame.gate for frame in image.frames]
    assert image.to_sitk(1).GetSize() == (8, 7, 6)


@pytest.mark.parametrize("method", ["to_nibabel", "to_sitk", "to_xarray"])
def test_a_missing_package_names_its_extra(study: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    monkeypatch.setattr("inveonimaging.extras.find_spec", lambda _: None)
    with pytest.raises(OptionError, match=f"{method} needs .*inveonimaging"):
        getattr(inveonimaging.read(study / "m1.ct.img"), method)()
