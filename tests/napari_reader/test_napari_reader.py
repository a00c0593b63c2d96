"""The reader of napari, without napari: its manifest by npe2, its layers by numpy."""

from __future__ import annotations

import itertools
import subprocess
import sys
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import inveonimaging
from helpers import write_small_study
from inveonimaging.errors import OptionError
from inveonimaging.napari_reader import layer_of, layers_of, reader_of

MANIFEST = Path(str(files("inveonimaging") / "napari.yaml"))
POSTURES = ("FFP", "HFP", "FFS", "HFS", "FFDR", "HFDR", "FFDL", "HFDL")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_study(tmp_path_factory.mktemp("study") / "in")


def test_npe2_takes_the_manifest_and_finds_what_it_names() -> None:
    """In a process of its own, since it warns while it is imported."""
    if find_spec("npe2") is None:
        pytest.skip("npe2 is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "npe2", "validate", str(MANIFEST)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "valid" in done.stdout


def test_a_study_is_a_layer_of_each_series_and_what_is_no_inveon_file_is_left(study: Path, tmp_path: Path) -> None:
    for path in (study, study / "m1.pet.img", study / "m1.ct.img.hdr"):
        assert reader_of(str(path)) is layers_of
    assert reader_of([str(study / "m1.ct.img"), str(study / "m1.pet.img")]) is layers_of
    layers = layers_of(str(study))
    assert [(message["name"], data.shape, kind) for data, message, kind in layers] == [
        ("CT m1.ct.img", (6, 7, 8), "image"),
        ("PET m1.pet.img", (2, 6, 7, 8), "image"),
    ]
    (tmp_path / "brain.img").write_bytes(b"analyze")
    (tmp_path / "brain.hdr").write_bytes(bytes(348))
    for path in (tmp_path / "brain.img", tmp_path / "brain.hdr", tmp_path, tmp_path / "none.img"):
        assert reader_of(str(path)) is None


@pytest.mark.parametrize(("posture", "flip"), list(itertools.product(POSTURES, ("", "y"))))
def test_each_voxel_lies_where_its_header_says(study: Path, posture: str, flip: str) -> None:
    """PET on CT: world coordinates are LPS mm, whatever the posture."""
    for name in ("m1.ct.img", "m1.pet.img"):
        image = inveonimaging.read(study / name, orientation=posture, flip=flip)
        data, reported, _ = layer_of(image)
        frame = np.asarray(data)[-1] if data.ndim == 4 else np.asarray(data)
        scale, translate = (np.array(reported[each][-3:]) for each in ("scale", "translate"))
        stored = image.values(len(image.frames) - 1)
        for k, j, i in itertools.product((0, 2, 5), (0, 4, 6), (0, 3, 7)):
            lps = (image.grid.affine @ [i, j, k, 1])[:3]
            at = (lps[::-1] - translate) / scale
            assert np.allclose(at, np.rint(at), atol=1e-6)
            assert frame[tuple(np.rint(at).astype(int))] == stored[k, j, i]


def test_without_dask_the_extra_is_named(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inveonimaging.extras.find_spec", lambda _: None)
    with pytest.raises(OptionError, match="arrays"):
        layers_of(str(study))
