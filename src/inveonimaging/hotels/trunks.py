"""Animals in a CT of any number of them: how many there are, and which voxels are of which.

A trunk is where tissue is deep: the distance to what is no tissue exceeds a radius. Heads are apart from trunks at
such depths, so parts are joined by bones that lie under the skin, as a spine does; paws and tails that touch a
neighbour do not. Lungs are filled first. All lengths are of a mouse of 19 g, and grow with the animal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from inveonimaging.physics.geometry import Grid

Mask = npt.NDArray[np.bool_]
Float = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int32]

TISSUE_HU, BONE_HU, SOFT_BONE_HU = -250.0, 900.0, 350.0
_LUNG_HU, _LUNG_EDGE_HU = -850.0, -900.0
_LUNG_CLOSED = 0.75  # of its surface, by tissue
_LUNG_VOXELS = 20
_FROM_BONE_MM = 14.0  # tissue of an animal is no further from its skeleton
DEPTHS_MM = ((2.6, 1.2), (3.1, 1.2), (3.6, 0.8))  # of a trunk, and of the bones that join its parts
_OF_SKELETON_MM = 30.0  # from dense bone
SIDE_BY_SIDE_MM = (2.6, 3.1, 3.6)  # depths at which trunks that touch are apart
_SHARE = 0.15  # of the largest trunk
_LEAST_BONE_MM3 = 2.5
_NEAREST_BONE_MM = 2.0
TRUNK_MM = 5.9  # depth of the middle of a mouse
_ALL_SIDES = np.ones((3, 3, 3), np.bool_)
_SKIN_MM = 1.6  # what is thinner is no body: bed, cradle, cloth
_GAP_MM = 3.0  # between bones of one animal
_IN_LINE = 0.3  # of the shorter trunk: how much of it a trunk beside it shares at least
_UNDER_SKIN_MM = 0.4
_TOUCHING = 3  # pairs of voxels
_FLESH_MM = 0.8  # below the skin
_NECK_MM2 = 10.0  # of flesh; a neck has 47 to 114, noses and tails that touch 6 at most
_TRUNK_MM3 = 300.0  # of the deep part of a mouse
_BESIDE = 0.6
_DEEP_MM = 2.0
_LARGEST = 4.0  # scale: a rat of 1.2 kg
_LIMB_BONE = 0.15  # of the voxels of a limb


@dataclass(frozen=True)
class Volume:
    """A reduced CT.

    Attributes:
        hounsfield: (nz, ny, nx) HU, smoothed where they were noisy.
        bone: (nz, ny, nx) dense bone.
        grid: where the voxels are.
    """

    hounsfield: Float
    bone: Mask
    grid: Grid

    @classmethod
    def of(cls, sharp: Float, smooth: Float, grid: Grid) -> Volume:
        """Return the volume of HU as they are, and smoothed."""
        return cls(smooth, (sharp > BONE_HU) & (smooth > SOFT_BONE_HU), grid)

    @property
    def sampling_mm(self) -> tuple[float, float, float]:
        """Size of a voxel along z, y, x."""
        x, y, z = self.grid.spacing_mm
        return z, y, x

    @property
    def voxel_mm3(self) -> float:
        """Volume of a voxel."""
        return float(np.prod(self.sampling_mm))


@dataclass(frozen=True)
class AnimalTissue:
    """What may be of an animal.

    Attributes:
        mask: (nz, ny, nx) tissue with filled lungs, near bone.
        depth_mm: (nz, ny, nx) how far it is to what is no tissue.
        scale: size of the animals; 1 is a mouse of 19 g.
    """

    mask: Mask
    depth_mm: Float
    scale: float


def tissue_of(volume: Volume, scale: float | None = None) -> AnimalTissue:
    """Return what may be of an animal; the scale, if it is not given, follows from the depth of the trunks."""
    assumed = scale or 1.0
    body, bone = volume.hounsfield > TISSUE_HU, volume.bone
    while True:
        # Ribs and vertebrae are less dense than skull and pelvis, and thin.
        skeleton = bone | _near(volume.hounsfield > SOFT_BONE_HU, bone, _OF_SKELETON_MM * assumed, volume)
        tissue = _near(body, skeleton, _FROM_BONE_MM * assumed, volume)
        tissue |= _lungs(volume.hounsfield, tissue)
        depth = _distance(tissue, volume) - min(volume.sampling_mm) / 2
        seen = float(depth.max()) / TRUNK_MM
        if scale or seen < assumed * 1.25 or assumed > _LARGEST:
            return AnimalTissue(tissue, depth, scale or max(seen, 0.25))
        assumed = seen


def _distance(mask: Mask, volume: Volume) -> Float:
    """Return (nz, ny, nx) float32 the distance of each voxel of a mask to the nearest one outside it, mm."""
    from scipy import ndimage

    distance = np.zeros(mask.shape, np.float32)
    boxes = ndimage.find_objects(mask.astype(np.int8))
    if not boxes:
        return distance
    # What lies beyond the volume is not outside: an animal goes on where the scan ends.
    box = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in boxes[0])
    within = mask[box]
    if within.all():
        return np.where(mask, np.float32(max(np.multiply(mask.shape, volume.sampling_mm))), distance)
    distance[box] = ndimage.distance_transform_edt(within, sampling=volume.sampling_mm)
    return distance


def _near(mask: Mask, other: Mask, most_mm: float, volume: Volume) -> Mask:
    """Return which voxels of a mask are no further than `most_mm` from another one."""
    near = np.zeros(mask.shape, np.bool_)
    near[mask] = np.isfinite(_nearest(mask, other, most_mm, volume)[0])
    return near


def _nearest(mask: Mask, other: Mask, most_mm: float, volume: Volume) -> tuple[Any, Any]:
    """Return for each voxel of a mask how far the nearest voxel of another one is, and which of these it is.

    The distance is infinite where it is more than `most_mm`.
    """
    from scipy.spatial import cKDTree

    places, others = (np.argwhere(each) * volume.sampling_mm for each in (mask, other))
    if not len(others):
        return np.full(len(places), np.inf), np.zeros(len(places), np.int64)
    distances, numbers = cKDTree(others).query(places, distance_upper_bound=most_mm)
    return distances, np.minimum(numbers, len(others) - 1)


def _lungs(hounsfield: Float, tissue: Mask) -> Mask:
    """Return what is between air and tissue, in pieces that tissue closes in."""
    from scipy import ndimage

    inside = ndimage.binary_opening((hounsfield > _LUNG_HU) & ~tissue)
    inside = ndimage.binary_dilation(inside) & (hounsfield > _LUNG_EDGE_HU) & ~tissue
    labels, _ = ndimage.label(inside)
    lungs = np.zeros_like(tissue)
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        wider = tuple(slice(max(side.start - 1, 0), side.stop + 1) for side in box)
        piece = labels[wider] == label
        surface = ndimage.binary_dilation(piece) & ~piece
        if piece.sum() >= _LUNG_VOXELS and tissue[wider][surface].mean() > _LUNG_CLOSED:
            lungs[wider] |= piece
    return lungs


def trunks(volume: Volume, tissue: AnimalTissue, depth_mm: float, bone_depth_mm: float) -> Labels:
    """Return (nz, ny, nx) the number of the animal whose trunk a voxel is of, from 1; 0 outside of trunks.

    Args:
        volume: the reduced CT.
        tissue: what may be of an animal.
        depth_mm: of a trunk, of a mouse.
        bone_depth_mm: of the bones that join its parts.
    """
    from scipy import ndimage

    scale = tissue.scale
    deep = tissue.depth_mm > depth_mm * scale
    joined = deep | ((volume.hounsfield > SOFT_BONE_HU) & (tissue.depth_mm > bone_depth_mm * scale))
    labels, count = ndimage.label(joined, _ALL_SIDES)
    if not count:
        return np.asarray(labels, np.int32)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    bones = np.bincount(labels[volume.bone], minlength=count + 1)
    has_trunk = np.bincount(labels[deep], minlength=count + 1) > 0
    kept = has_trunk & (bones * volume.voxel_mm3 >= _LEAST_BONE_MM3 * scale**3)
    kept[0] = False
    if not kept.any():
        return np.zeros(labels.shape, np.int32)
    kept &= sizes >= _SHARE * sizes[kept].max()
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return np.asarray(numbers[labels])


def extents(volume: Volume, tissue: AnimalTissue, seeds: Labels) -> Labels:
    """Return (nz, ny, nx) the number of the animal that a voxel is of, grown from the trunks.

    Each voxel of an animal goes to the trunk that is nearest along bone and, five times as dear, through tissue; bones
    that no tissue joins to others go with the nearest bone. What is thin and holds no bone is bed or cradle.
    """
    from scipy import ndimage

    scale = tissue.scale
    bone = volume.bone
    ways = tissue.mask | bone
    owners = _nearest_along(ways, volume.hounsfield > SOFT_BONE_HU, seeds, volume.sampling_mm)
    thick = tissue.depth_mm + min(volume.sampling_mm) / 2 > _SKIN_MM * scale
    near_thick = _near(tissue.mask, thick, _SKIN_MM * scale, volume)
    hard = (volume.hounsfield > SOFT_BONE_HU) & ways
    near_bone = ndimage.binary_dilation(hard, _ALL_SIDES)
    kept = near_thick | (tissue.mask & near_bone) | bone
    owners = np.where(kept, owners, 0)
    return _with_loose_bones(_without_strays(owners, hard, seeds), hard, volume)


def contradictions(volume: Volume, tissue: AnimalTissue, seeds: Labels, owners: Labels) -> list[str]:
    """Return what contradicts the number of trunks: an animal that is two, or two that are one."""
    count = int(seeds.max())
    spans = [_span(seeds == number) for number in range(1, count + 1)]
    doubts = []
    for one, other in sorted(_in_touch(volume, tissue, owners) | _at_the_neck(volume, tissue, owners)):
        if _shared(spans[one - 1], spans[other - 1]) < _IN_LINE:
            doubts.append(f"{count}, but two lie in line along the bed and are joined: they may be one animal")
    parts = tissue.depth_mm, owners, volume.voxel_mm3, tissue.scale
    doubts += [f"{count}, but one of them has two trunks side by side" for _ in doubles(*parts)]
    doubts += [f"{count}, but something else has bones, too" for _ in _left_out(volume, tissue, owners)]
    return list(dict.fromkeys(doubts))


def _left_out(volume: Volume, tissue: AnimalTissue, owners: Labels) -> Iterator[int]:
    """Yield what is deep and holds bone, and is of no animal, though a good part of the size of one."""
    from scipy import ndimage

    labels, count = ndimage.label(tissue.mask & (owners == 0))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    animals = np.bincount(owners.ravel())[1:]
    bones = np.bincount(labels[volume.bone], minlength=count + 1) * volume.voxel_mm3
    deep = np.bincount(labels[tissue.depth_mm > _DEEP_MM * tissue.scale], minlength=count + 1) > 0
    is_much = (sizes >= _SHARE * np.median(animals)) & (bones >= _LEAST_BONE_MM3 * tissue.scale**3) & deep
    yield from (np.flatnonzero(is_much[1:]) + 1).tolist()


def _span(mask: Mask) -> tuple[int, int]:
    """Return the first and the last slice of a mask."""
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    return int(slices[0]), int(slices[-1])


def _shared(one: tuple[int, int], other: tuple[int, int]) -> float:
    """Return what part of the shorter span both share; below 0 if they are apart."""
    shared = min(one[1], other[1]) - max(one[0], other[0]) + 1
    return shared / (min(one[1] - one[0], other[1] - other[0]) + 1)


def _in_touch(volume: Volume, tissue: AnimalTissue, owners: Labels) -> set[tuple[int, int]]:
    """Return pairs of animals whose bones touch below the skin."""
    bone = (volume.hounsfield > SOFT_BONE_HU) & (tissue.depth_mm > _UNDER_SKIN_MM * tissue.scale)
    of_bone = np.where(bone, owners, 0)
    pairs: Counter[tuple[int, int]] = Counter()
    for step in _DIRECTIONS:
        pairs.update(_touching(of_bone, step))
    return {pair for pair, count in pairs.items() if count >= _TOUCHING}


def _at_the_neck(volume: Volume, tissue: AnimalTissue, owners: Labels) -> set[tuple[int, int]]:
    """Return pairs of animals that flesh joins: noise and coarse voxels hide the bones of a neck, not its width."""
    flesh = np.where(tissue.mask & (tissue.depth_mm > _FLESH_MM * tissue.scale), owners, 0)
    area_mm2: dict[tuple[int, int], float] = {}
    for step in _FACES:
        face_mm2 = volume.voxel_mm3 / float(np.dot(step, volume.sampling_mm))
        for pair, count in _touching(flesh, step).items():
            area_mm2[pair] = area_mm2.get(pair, 0.0) + count * face_mm2
    return {pair for pair, area in area_mm2.items() if area > _NECK_MM2 * tissue.scale**2}


def _touching(owners: Labels, step: tuple[int, int, int]) -> Counter[tuple[int, int]]:
    """Return how many voxels of each two animals are neighbours in a direction."""
    here, there = (owners[tuple(_part(sign * d) for d in step)] for sign in (1, -1))
    both = (here != there) & (here > 0) & (there > 0)
    low, high = np.minimum(here[both], there[both]), np.maximum(here[both], there[both])
    return Counter(zip(low.tolist(), high.tolist(), strict=True))


def doubles(depth_mm: Float, owners: Labels, voxel_mm3: float, scale: float) -> Iterator[int]:
    """Yield animals that hold two deep parts side by side, as a trunk and a trunk beside it, not as trunk and head.

    Args:
        depth_mm: (nz, ny, nx) how far each voxel is to what is no animal.
        owners: (nz, ny, nx) number of the animal.
        voxel_mm3: volume of a voxel.
        scale: size of the animals; 1 is a mouse of 19 g.
    """
    from scipy import ndimage

    for depth in SIDE_BY_SIDE_MM:
        labels, count = ndimage.label(depth_mm > depth * scale, _ALL_SIDES)
        sizes = np.bincount(labels.ravel(), minlength=count + 1) * voxel_mm3
        large = np.flatnonzero(sizes >= _TRUNK_MM3 * scale**3)
        parts = [each for each in large if each]
        spans = {each: _span(labels == each) for each in parts}
        owner = {each: int(np.bincount(owners[labels == each]).argmax()) for each in parts}
        for number, one in enumerate(parts):
            for other in parts[:number]:
                if owner[one] and owner[one] == owner[other] and _shared(spans[one], spans[other]) > _BESIDE:
                    yield owner[one]


def _without_strays(owners: Labels, bone: Mask, seeds: Labels) -> Labels:
    """Return owners without pieces apart from the trunks that are hardly bone: of bed and cradle."""
    from scipy import ndimage

    labels, count = ndimage.label(owners > 0, _ALL_SIDES)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    bones = np.bincount(labels[bone], minlength=count + 1)
    has_seed = np.bincount(labels[seeds > 0], minlength=count + 1) > 0
    kept = has_seed | (bones > _LIMB_BONE * sizes)
    return np.where(kept[labels], owners, 0)


def _with_loose_bones(owners: Labels, bone: Mask, volume: Volume) -> Labels:
    """Return owners with those of bones that nothing joins to an animal, but that lie beside one of its bones."""
    from scipy import ndimage

    loose, owned = bone & (owners == 0), bone & (owners > 0)
    if not loose.any() or not owned.any():
        return owners
    labels, count = ndimage.label(loose, _ALL_SIDES)
    distances, numbers = _nearest(loose, owned, _GAP_MM, volume)
    order = np.argsort(-distances)  # the nearest last: it decides
    near = order[np.isfinite(distances[order])]
    owner = np.zeros(count + 1, np.int32)
    owner[labels[loose][near]] = owners[owned][numbers[near]]
    return np.where(labels > 0, owner[labels], owners)


def _nearest_along(ways: Mask, bone: Mask, seeds: Labels, sampling_mm: tuple[float, float, float]) -> Labels:
    """Return the seed that is nearest to each voxel of a mask along the mask; 0 where there is none."""
    from scipy import sparse
    from scipy.sparse import csgraph

    ways = ways | (seeds > 0)
    count = int(ways.sum())
    numbers = np.full(ways.shape, -1, np.int64)
    numbers[ways] = np.arange(count)
    cost = np.where(bone, 1.0, _DEARER)
    rows, columns, lengths = zip(*_steps(ways, numbers, cost, sampling_mm), strict=True)
    graph = sparse.coo_matrix(
        (np.concatenate(lengths), (np.concatenate(rows), np.concatenate(columns))), shape=(count, count)
    )
    found = np.zeros(ways.shape, np.int32)
    starts = numbers[seeds > 0]
    if not starts.size:
        return found
    of_seed = seeds[ways]
    _, _, sources = csgraph.dijkstra(
        graph.tocsr(), directed=False, indices=starts, min_only=True, return_predecessors=True
    )
    found[ways] = np.where(sources >= 0, of_seed[np.maximum(sources, 0)], 0)
    return found


def _steps(
    ways: Mask, numbers: npt.NDArray[np.int64], cost: Any, sampling_mm: tuple[float, float, float]
) -> Iterator[tuple[Any, Any, Any]]:
    """Yield, for each direction, the steps from voxel to voxel: from, to and length."""
    for step in _DIRECTIONS:
        here, there = (tuple(_part(sign * d) for d in step) for sign in (1, -1))
        both = ways[here] & ways[there]
        length = float(np.linalg.norm(np.multiply(step, sampling_mm)))
        yield numbers[here][both], numbers[there][both], (cost[here][both] + cost[there][both]) * (length / 2)


def _part(step: int) -> slice:
    """Return the voxels of an axis from which a step stays in the volume."""
    return slice(max(-step, 0), -step if step > 0 else None)


_DEARER = 5.0  # a way through tissue than one along bone
_FACES = [(0, 0, 1), (0, 1, 0), (1, 0, 0)]
_DIRECTIONS = [*_FACES, (0, 1, 1), (0, 1, -1), (1, 0, 1), (1, 0, -1), (1, 1, 0), (1, -1, 0)]
