"""Draw `docs/images/fusion.png` from the demo's DICOM files: a coronal plane of the CT, of the PET, and of both.

    inveon demo demo
    python tools/readme_picture.py demo/dicom docs/images/fusion.png

Everything comes from the DICOM files: places from Image Position and Image Orientation (Patient), values from Rescale
Slope and Intercept, times from Frame Reference Time and Actual Frame Duration.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pydicom
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from pydicom.dataset import Dataset

Float = npt.NDArray[np.float64]

PLANE_MM = 1.0  # patient y of the plane: through brain, heart, kidneys, bladder, tumour and syringe
LATE_MS = 30 * 60 * 1000  # frames after this are averaged
CT_HU = Normalize(-250, 500)
PET_KBQML = Normalize(0, 1000)
VIEW_MM = (-20.0, 20.0, -43.0, 42.5)  # right to left, feet to head
INK, PAPER = "white", "black"


@dataclass(frozen=True)
class Volume:
    """Values on a grid along the patient's axes.

    Attributes:
        values: (nx, ny, nz), along +x (left), +y (posterior) and +z (head).
        first_mm: centre of the first voxel, LPS.
        spacing_mm: voxel size along x, y and z.
    """

    values: Float
    first_mm: Float
    spacing_mm: Float

    def coronal(self, y_mm: float) -> Float:
        """Return the plane nearest to a y, (nz, nx)."""
        index = round((y_mm - self.first_mm[1]) / self.spacing_mm[1])
        return np.asarray(self.values[:, index, :].T)

    @property
    def edges_mm(self) -> tuple[float, float, float, float]:
        """Outer edges of a coronal plane: lowest and highest x, lowest and highest z."""
        low = self.first_mm - self.spacing_mm / 2
        high = low + self.spacing_mm * self.values.shape
        return float(low[0]), float(high[0]), float(low[2]), float(high[2])


def images_in(folder: Path) -> dict[str, list[Dataset]]:
    """Return all DICOM images below a folder, by modality."""
    found: dict[str, list[Dataset]] = defaultdict(list)
    for path in sorted(folder.rglob("*.dcm")):
        image = pydicom.dcmread(path)
        found[image.Modality].append(image)
    return found


def volume_of(images: Iterable[Dataset]) -> Volume:
    """Return the volume that the slices of one frame make."""
    slices = sorted(images, key=_along_normal)
    values = np.stack([image.pixel_array * float(image.RescaleSlope) for image in slices], axis=-1)
    along_z = (_along_normal(slices[-1]) - _along_normal(slices[0])) / (len(slices) - 1)
    along_y, along_x = (float(size) for size in slices[0].PixelSpacing)
    steps = _axes(slices[0]) * (along_x, along_y, along_z)
    return _turned(values.transpose(1, 0, 2), steps, np.array(slices[0].ImagePositionPatient, dtype=float))


def _axes(image: Dataset) -> Float:
    """Return the directions of a row, a column and their normal as the columns of a (3, 3) array."""
    row, column = np.array(image.ImageOrientationPatient, dtype=float).reshape(2, 3)
    return np.column_stack((row, column, np.cross(row, column)))


def _along_normal(image: Dataset) -> float:
    return float(_axes(image)[:, 2] @ np.array(image.ImagePositionPatient, dtype=float))


def _turned(values: Float, steps: Float, first: Float) -> Volume:
    """Return values (i, j, k) along x, y and z; `steps` are the moves of i, j and k in mm, as columns."""
    order = [int(np.argmax(np.abs(axis))) for axis in steps]
    values, moves = values.transpose(order), np.diag(steps[:, order])
    last = first + moves * (np.array(values.shape) - 1)
    backwards = tuple(axis for axis in range(3) if moves[axis] < 0)
    return Volume(np.flip(values, backwards), np.minimum(first, last), np.abs(moves))


def late_mean(images: Iterable[Dataset]) -> Volume:
    """Return the mean of the late frames, weighted by duration, in kBq/mL."""
    frames: dict[int, list[Dataset]] = defaultdict(list)
    for image in images:
        if image.FrameReferenceTime > LATE_MS:
            frames[image.AcquisitionNumber].append(image)
    volumes = [volume_of(frame) for frame in frames.values()]
    weights = [frame[0].ActualFrameDuration for frame in frames.values()]
    mean = np.average([volume.values for volume in volumes], axis=0, weights=weights)
    return Volume(mean / 1000, volumes[0].first_mm, volumes[0].spacing_mm)


def see_through(colours: Colormap) -> Colormap:
    """Return a colormap that is clear at its lower end and nearly solid from the middle on."""
    level = np.linspace(0, 1, 256)
    rgba = colours(level)
    rgba[:, 3] = np.clip(2.4 * level - 0.3, 0, 0.9)
    return ListedColormap(rgba)


def draw(ct: Volume, pet: Volume, path: Path) -> None:
    """Write the picture."""
    hot, grey = mpl.colormaps["afmhot"], mpl.colormaps["gray"]
    figure = Figure(figsize=(11.2, 7.7), facecolor=PAPER)
    figure.subplots_adjust(left=0.0, right=0.915, bottom=0.0, top=0.94, wspace=0.0)
    panels: Sequence[Axes] = figure.subplots(1, 3)
    titles = ("CT", f"PET, mean after {LATE_MS // 60000} min", "PET on CT")
    for panel, title in zip(panels, titles, strict=True):
        _dress(panel, title)
    _show(panels[0], ct, grey, CT_HU)
    _show(panels[1], pet, hot, PET_KBQML)
    _show(panels[2], ct, grey, CT_HU)
    _show(panels[2], pet, see_through(hot), PET_KBQML)
    _scale_bar(panels[0])
    _colour_bar(figure, panels[2], hot)
    figure.savefig(path, dpi=110)


def _show(panel: Axes, volume: Volume, colours: Colormap, norm: Normalize) -> None:
    plane = volume.coronal(PLANE_MM)
    panel.imshow(plane, cmap=colours, norm=norm, extent=volume.edges_mm, origin="lower", interpolation="bilinear")


def _dress(panel: Axes, title: str) -> None:
    """Set up a panel: patient x to the right and z upwards, in mm, with the letters of the sides."""
    left, right, bottom, top = VIEW_MM
    panel.set(xlim=(left, right), ylim=(bottom, top), aspect="equal", autoscale_on=False)
    panel.set_axis_off()
    panel.set_title(title, color=INK, fontsize=15, pad=6)
    sides = {"R": (0.06, 0.62), "L": (0.94, 0.62), "H": (0.5, 0.97), "F": (0.5, 0.03)}
    for letter, (x, y) in sides.items():
        panel.text(x, y, letter, color=INK, fontsize=13, ha="center", va="center", transform=panel.transAxes)


def _scale_bar(panel: Axes) -> None:
    x, y = VIEW_MM[0] + 2, VIEW_MM[2] + 2.5
    panel.plot([x, x + 10], [y, y], color=INK, linewidth=3, solid_capstyle="butt")
    panel.text(x + 5, y + 1, "10 mm", color=INK, fontsize=12, ha="center", va="bottom")


def _colour_bar(figure: Figure, panel: Axes, colours: Colormap) -> None:
    box = panel.get_position()
    place = figure.add_axes((box.x1 + 0.012, box.y0 + 0.2, 0.015, box.height - 0.4))
    bar = figure.colorbar(ScalarMappable(PET_KBQML, colours), cax=place, extend="max")
    place.set_title("kBq/mL", color=INK, fontsize=12, loc="left", pad=14)
    bar.outline.set_visible(False)
    place.tick_params(colors=INK, labelsize=12)


def main() -> None:
    """Read the arguments and write the picture."""
    parser = argparse.ArgumentParser(description="Draw a coronal plane of the demo's DICOM files.")
    parser.add_argument("folder", type=Path, help="folder of the demo's DICOM files, demo/dicom")
    parser.add_argument("picture", type=Path, help="PNG file to write, docs/images/fusion.png")
    given = parser.parse_args()
    images = images_in(given.folder)
    draw(volume_of(images["CT"]), late_mean(images["PT"]), given.picture)


if __name__ == "__main__":
    main()
