"""Animals found in an image: in a CT by tissue and bone, in PET or SPECT by what the late frames show.

The number is never guessed: what ways of counting do not agree on is a doubt, which says what each of them gave.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from inveonimaging.errors import InputError
from inveonimaging.extras import refuse_without_extra
from inveonimaging.findings import Finding, Severity
from inveonimaging.hotels import emission, trunks
from inveonimaging.hotels.reduced import BLOCK_MM, calmed, gantry_mm, reduced, refined
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.physics.geometry import Grid, Mm
from inveonimaging.physics.quantification import AIR_HU, Unit
from inveonimaging.progress import Progress, no_progress
from inveonimaging.study.image import Image
from inveonimaging.study.reading import Study

_COARSE_MM = 1.3  # of a mouse: voxels that are larger hide necks and gaps
_SMALLEST, _LARGEST = 0.5, 2.0  # scale: below and above, blocks do not get smaller or larger
_SMALL, _LARGE = 0.8, 1.4  # scale: between them blocks are those of a mouse
_MOUSE_G = 19.0
_AIR_RANGE_HU = (-1150.0, -850.0)
_LEAST_AIR = 0.005  # of the voxels
_THIN_HU = -500.0
_AIR_OF_THIN = 0.2  # of the voxels that are thinner than tissue
_AGREE = 2
_LEAST_IN_LINE = 0.4  # of the volume of an animal as deep as the deepest
_LEAST_RATIO = 0.35  # of the volumes of two animals of one scan


@dataclass(frozen=True)
class Body:
    """One animal that was found, in the gantry, mm: before the posture turns the axes (`Grid`).

    Attributes:
        low_mm: of its extent along i, j, k: lower faces of the voxels.
        high_mm: upper faces.
        centre_mm: of the trunk; positions are distinguished by it.
        volume_ml: of its tissue; None of what emission alone shows.
    """

    low_mm: Mm
    high_mm: Mm
    centre_mm: Mm
    volume_ml: float | None


@dataclass(frozen=True)
class Found:
    """What was found in an image.

    Attributes:
        bodies: the animals, in the order of their middles along i; none if their number is in doubt.
        labels: (nz, ny, nx) uint8 on the reduced grid: 0 is no animal, n is `candidates[n - 1]`.
        values: (nz, ny, nx) float32 means on the reduced grid: HU, or activity of the late frames.
        grid: the reduced grid; a voxel's middle in the gantry is `gantry_mm(index)`.
        findings: why there is a doubt: which number each way of counting gave.
        is_ct: whether the values are HU.
        candidates: the bodies, or, where their number is in doubt, what the likeliest number would make of them: to
            look at and to correct, never to cut by.
    """

    bodies: tuple[Body, ...]
    labels: npt.NDArray[np.uint8]
    values: npt.NDArray[np.float32]
    grid: Grid
    findings: tuple[Finding, ...] = ()
    candidates: tuple[Body, ...] = ()
    is_ct: bool = False

    @property
    def is_certain(self) -> bool:
        """Whether there is no doubt about the number."""
        return not any(each.severity is Severity.ERROR for each in self.findings)

    def gantry_mm(self, index: Sequence[float]) -> Mm:
        """Return where voxel (i, j, k) of the reduced grid has its middle."""
        return gantry_mm(self.grid, index)


def find_in_ct(
    image: Image, weight_g: float | None = None, *, number: int | None = None, progress: Progress = no_progress
) -> Found:
    """Find the animals in a CT.

    Args:
        image: a CT of any size, read a slab at a time.
        weight_g: of one animal; without it their size follows from the depth of their trunks.
        number: of animals that someone sees; if a way of counting gives it, the candidates are that way's. It settles
            no doubt.
        progress: called with how many slices were read, and how many there are.

    Raises:
        InputError: it is no CT in Hounsfield units.
        OptionError: SciPy is not installed.
        DataError: the data file cannot be read, or ends early.
    """
    _need_scipy()
    if image.modality is not Modality.CT or image.scaling.unit is not Unit.HU:
        raise InputError(f"is not a CT but a {image.kind}", path=image.pair.header, expected="a CT in Hounsfield units")
    values, grid = reduced(image, (0,), BLOCK_MM, AIR_HU, progress)
    if not _has_air(values):
        return _without(values, grid, _not_hounsfield(image))
    volume = trunks.Volume.of(values, calmed(values), grid)
    if not volume.bone.any():
        volume = _volume(image, _SMALLEST)
    if not volume.bone.any():
        return _without(values, grid, _nothing(image, f"no bone over {trunks.BONE_HU:g} HU"))
    scale = None if weight_g is None else (weight_g / _MOUSE_G) ** (1 / 3)
    tissue = trunks.tissue_of(volume, scale)
    if not _SMALL <= tissue.scale <= _LARGE or max(grid.spacing_mm) > _COARSE_MM:
        volume = _volume(image, tissue.scale)
        tissue = trunks.tissue_of(volume, scale or tissue.scale)
    return _in_tissue(image, volume, tissue, number)


def _volume(image: Image, scale: float) -> trunks.Volume:
    """Return a CT in voxels that suit animals of a size."""
    size = min(max(scale, _SMALLEST), _LARGEST)
    usual = size if size < _SMALL or size > _LARGE else 1.0
    values, grid = reduced(image, (0,), BLOCK_MM * usual, AIR_HU)
    smooth = calmed(values)
    sharp, finer = refined(values, grid, _COARSE_MM * usual)
    return trunks.Volume.of(sharp, sharp if smooth is values else refined(smooth, grid, _COARSE_MM * usual)[0], finer)


def _in_tissue(image: Image, volume: trunks.Volume, tissue: trunks.AnimalTissue, number: int | None = None) -> Found:
    """Return what several ways of counting find, and what contradicts it."""
    grid, values = volume.grid, volume.hounsfield
    ways = {way: trunks.trunks(volume, tissue, *way) for way in trunks.DEPTHS_MM}
    counts = {way: int(labels.max()) for way, labels in ways.items()}
    likeliest, votes = Counter(counts.values()).most_common(1)[0]
    if not any(counts.values()):
        return _without(values, grid, _nothing(image, "no trunk of an animal"))
    shown = number if number and number in counts.values() else likeliest or max(counts.values())
    seeds = next(labels for way, labels in ways.items() if counts[way] == shown)
    labels = trunks.extents(volume, tissue, seeds)
    bodies, order = _bodies(labels, seeds, grid, image.grid, volume.voxel_mm3 / 1000)
    against = [] if votes >= _AGREE else [_all_counts(counts, tissue.scale)]
    against += [
        *_contradictions(bodies),
        *_parts_in_line(bodies, tissue.scale),
        *trunks.contradictions(volume, tissue, seeds, labels),
    ]
    doubts = tuple(_doubt(image, each) for each in against)
    numbered = order[labels].astype(np.uint8)
    return Found(() if doubts else bodies, numbered, values, grid, doubts, bodies, is_ct=True)


def _all_counts(counts: Mapping[tuple[float, float], int], scale: float) -> str:
    """Return what each way of counting gave."""
    parts = (f"{count} where tissue is deeper than {way[0] * scale:.2g} mm" for way, count in counts.items())
    return ", ".join(parts)


def find_in_emission(image: Image, *, number: int | None = None, progress: Progress = no_progress) -> Found:
    """Find the animals in PET or SPECT, by the mean of the late frames.

    Args:
        image: one series: all frames show one place.
        number: see `find_in_ct`.
        progress: see there.

    Raises:
        InputError: it is no PET or SPECT.
        OptionError: SciPy is not installed.
        DataError: the data file cannot be read, or ends early.
    """
    _need_scipy()
    if image.modality is Modality.CT or image.scaling.unit not in (Unit.BQML, Unit.PROPCNTS):
        raise InputError(f"shows no activity: it is a {image.kind}", path=image.pair.header, expected="PET or SPECT")
    values, grid = reduced(image, emission.late(image.frames), BLOCK_MM, progress=progress)
    counted, labels = emission.counted(values, grid.spacing_mm[::-1], number)
    numbers = list(counted.values())
    if not any(numbers):
        return _without(values, grid, _nothing(image, "no bright activity"))
    likeliest, votes = Counter(numbers).most_common(1)[0]
    bodies, order = _bodies(labels, labels, grid, image.grid, None)
    doubts = []
    if votes < emission.ENOUGH or len(bodies) != likeliest:
        counts = ", ".join(f"{count} above {share:.0%} of the highest activity" for share, count in counted.items())
        doubts.append(_doubt(image, counts))
    against = [*emission.contradictions(bodies), *emission.joined(values, labels, grid.spacing_mm[::-1])]
    doubts += [_doubt(image, each) for each in against]
    return Found(() if doubts else bodies, order[labels].astype(np.uint8), values, grid, tuple(doubts), bodies)


def find_animals(
    study: Study, weight_g: float | None = None, *, number: int | None = None, progress: Progress = no_progress
) -> Found:
    """Find the animals of a study: in its CT, else in PET or SPECT.

    Args:
        study: the scans of one session.
        weight_g: of one animal.
        number: see `find_in_ct`.
        progress: see there.

    Raises:
        InputError: there is neither CT nor PET nor SPECT that can be read.
        OptionError: SciPy is not installed.
        DataError: a data file cannot be read, or ends early.
    """
    images = [each.image for each in study.series]
    cts = [each for each in images if each.modality is Modality.CT and each.scaling.unit is Unit.HU]
    others = [each for each in images if each.scaling.unit in (Unit.BQML, Unit.PROPCNTS)]
    notes: tuple[Finding, ...] = ()
    if cts:
        chosen = max(cts, key=_size_mm3)
        found = _of_one_bed(find_in_ct(chosen, weight_g, number=number, progress=progress), chosen, images)
        if not others or not {each.code for each in found.findings} & {"ct-not-hounsfield"}:
            return found
        notes = found.findings
    if not others:
        raise InputError("has no CT, PET or SPECT to find animals in", path=study.source)
    chosen = max(others, key=lambda each: (each.modality is Modality.PET, _size_mm3(each)))
    found = _of_one_bed(find_in_emission(chosen, number=number, progress=progress), chosen, images)
    softer = (replace(each, severity=Severity.WARNING) for each in notes)
    return replace(found, findings=(*softer, *found.findings))


def _of_one_bed(found: Found, image: Image, images: Sequence[Image]) -> Found:
    """Return what was found in one bed position, as a doubt if the file has more: animals go on in the next one."""
    beds = {each.grid.bed_mm for each in images if each.pair == image.pair}
    if len(beds) == 1:
        return found
    doubt = _doubt(image, f"{len(found.candidates)} in one of {len(beds)} bed positions that are not joined")
    return replace(found, bodies=(), findings=(*found.findings, doubt))


def _need_scipy() -> None:
    refuse_without_extra("finding animals", "split", {"scipy": "scipy"})


def _size_mm3(image: Image) -> float:
    return float(np.prod(np.multiply(image.grid.shape, image.grid.spacing_mm)))


def _has_air(values: npt.NDArray[np.float32]) -> bool:
    """Whether there is air at -1000 HU, and not much else that is no tissue: a border of other values is no matter."""
    low, high = _AIR_RANGE_HU
    air = np.count_nonzero((values > low) & (values < high))
    thin = np.count_nonzero(values < _THIN_HU)
    return bool(air >= max(_LEAST_AIR * values.size, _AIR_OF_THIN * thin, 1))


def _bodies(
    labels: npt.NDArray[np.int32],
    middles: npt.NDArray[np.int32],
    grid: Grid,
    fine: Grid,
    voxel_ml: float | None,
) -> tuple[tuple[Body, ...], npt.NDArray[np.int32]]:
    """Return the bodies of labels, from low to high i, and the number that each label gets in this order."""
    from scipy import ndimage

    found: list[tuple[int, Body]] = []
    edges = _faces(fine)
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if box is None:
            continue
        here = np.argwhere(middles == label)
        centre = here.mean(axis=0)[::-1] if len(here) else [(side.start + side.stop - 1) / 2 for side in box[::-1]]
        lowest = gantry_mm(grid, [side.start - 0.5 for side in box[::-1]])
        highest = gantry_mm(grid, [side.stop - 0.5 for side in box[::-1]])
        low, high = (
            tuple(min(max(place, first), last) for place, first, last in zip(corner, *edges, strict=True))
            for corner in (lowest, highest)
        )
        volume = None if voxel_ml is None else float(np.sum(labels[box] == label)) * voxel_ml
        found.append((label, Body(low, high, gantry_mm(grid, centre), volume)))  # type: ignore[arg-type]
    found.sort(key=lambda each: each[1].centre_mm)
    order = np.zeros(int(labels.max()) + 1, np.int32)
    for number, (label, _) in enumerate(found, 1):
        order[label] = number
    return tuple(body for _, body in found), order


def _faces(grid: Grid) -> tuple[Mm, Mm]:
    """Return the lowest and the highest face of a grid along i, j, k, in the gantry, mm."""
    return gantry_mm(grid, (-0.5, -0.5, -0.5)), gantry_mm(grid, [n - 0.5 for n in grid.shape])


def _contradictions(bodies: Sequence[Body]) -> list[str]:
    volumes = [each.volume_ml or 0.0 for each in bodies]
    if len(volumes) > 1 and min(volumes) < _LEAST_RATIO * max(volumes):
        shown = ", ".join(f"{each:.1f}" for each in volumes)
        return [f"{len(bodies)}, but their volumes are {shown} mL: a part may have been taken for a whole"]
    return []


def _parts_in_line(bodies: Sequence[Body], scale: float) -> list[str]:
    """Return that bodies in line are small for animals of their depth: noise that hides a neck parts head and trunk."""
    whole_ml = _MOUSE_G * scale**3
    for one, other in combinations(bodies, 2):
        smaller = min(one.volume_ml or 0.0, other.volume_ml or 0.0)
        if smaller < _LEAST_IN_LINE * whole_ml and emission.are_in_line(one, other):
            return [f"{len(bodies)}, but two in line along the bed are too small: they may be parts of one animal"]
    return []


def _doubt(image: Image, counts: str) -> Finding:
    message = f"the number of animals is in doubt: {counts}"
    return Finding("animals-in-doubt", message, Severity.ERROR, path=str(image.pair.data))


def _nothing(image: Image, why: str) -> Finding:
    return Finding("animals-not-found", f"no animal was found: {why}", Severity.ERROR, path=str(image.pair.data))


def _not_hounsfield(image: Image) -> Finding:
    message = "no animals are looked for: hardly any value is near -1000 HU, that of air, so the CT is not in HU"
    return Finding("ct-not-hounsfield", message, Severity.ERROR, path=str(image.pair.data))


def _without(values: npt.NDArray[np.float32], grid: Grid, *findings: Finding) -> Found:
    return Found((), np.zeros(values.shape, np.uint8), values, grid, findings)
