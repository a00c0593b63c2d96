"""Studies of single animals, compared with the scans of the group that they were cut from.

Which voxels of the group a series has follows from where its own planes say that they lie, and from nothing else: a
part that says another place than its own has other values than the group has there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from inveonimaging.animal import Animal
from inveonimaging.dicom_reading.planes import Float, Plane, derivations, values_of
from inveonimaging.errors import InputError, listed, printable
from inveonimaging.hotels.positions import assigned
from inveonimaging.hotels.splitting import corrections_of
from inveonimaging.physics.geometry import Box, Grid, Mm
from inveonimaging.sheet.hotels import Hotel, Position, hotel_of
from inveonimaging.study.cut import Extent, cut
from inveonimaging.study.masking import masked, masked_ml, shown_value
from inveonimaging.study.reading import Part, Study, read_pairs
from inveonimaging.verification.attributes.comparison import plain
from inveonimaging.verification.attributes.facts import FACTS
from inveonimaging.verification.manifest import Manifest
from inveonimaging.verification.planes.pairing import SeriesOfPlanes, paired
from inveonimaging.verification.planes.positions import ALLOWED_MM
from inveonimaging.verification.result import Difference, Kind
from inveonimaging.verification.source import SourceScan, SourceStudy, cycle_ms_of

_GROUP = "SourcePatientGroupIdentificationSequence"
_EXTRACTED = ("113131", "DCM")  # extraction of individual subject from group
_MASKED = ("113047", "DCM")  # pixel by pixel mask
_SAME_SIZE = 1e-4  # of a pixel
_NAMED = 8
_OF_ONE = (
    "PatientAge",
    "PatientBirthDate",
    "PatientID",
    "PatientName",
    "PatientSex",
    "PatientSize",
    "PatientWeight",
    "RadionuclideTotalDose",
    "RadiopharmaceuticalStartDateTime",
    "RadiopharmaceuticalStartTime",
)
_RARELY_ALIKE = ("PatientWeight", "RadionuclideTotalDose")
"""Attributes of one animal; and those that are not the group's by chance."""

WITHOUT_SHEET = (
    "cut from a group: --subjects with the sheet of the split compares who the animal is, weight and dose, too"
)


def is_part(planes: Sequence[Plane]) -> bool:
    """Return whether a series says that it was cut from the images of a group."""
    return planes[0].get(_GROUP) is not None or _EXTRACTED in derivations(planes[0])


@dataclass
class AnimalParts:
    """The series of one animal, and what they were cut from.

    Attributes:
        id: Patient ID, as the series have it.
        series: all of the animal's.
        scans: what each was cut from, as it must be; None for one that fits no scan.
        missing: scans that have no series, though the animal lies in them.
        differences: what is wrong with boxes and with whose values these are.
        notes: what is worth knowing.
        extent: of the middles of its voxels, over all images.
    """

    id: str
    series: list[SeriesOfPlanes]
    scans: list[SourceScan | None] = field(default_factory=list)
    missing: list[SourceScan] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    extent: Extent | None = None


def animals_of(
    source: SourceStudy, series: Sequence[SeriesOfPlanes], manifests: Callable[[SeriesOfPlanes], Manifest]
) -> list[AnimalParts]:
    """Return the animals of a group whose series were found.

    Args:
        source: the group.
        series: that were found.
        manifests: gives the manifest beside a series.

    Raises:
        InveonError: a pair cannot be read, or the sheet contradicts itself.
    """
    study = source.study
    hotel = hotel_of(study.corrections.sheet, [(scan.pair, scan.image.header) for scan in study.scans])
    by_id: dict[str, AnimalParts] = {}
    for planes in series:
        name = str(planes[0].get("PatientID") or "")
        by_id.setdefault(name, AnimalParts(name, [])).series.append(planes)
    for animal in by_id.values():
        _compared(animal, study, hotel, manifests)
    return list(by_id.values())


class _Place(NamedTuple):
    """Where an animal's voxels are, as `assigned` asks for it."""

    low_mm: Mm
    high_mm: Mm

    @property
    def centre_mm(self) -> Mm:
        (x, y, z), (x_high, y_high, z_high) = self
        return (x + x_high) / 2, (y + y_high) / 2, (z + z_high) / 2


def of_all(animals: Iterable[AnimalParts], source: SourceStudy) -> Iterator[Difference]:
    """Yield what is wrong with all animals of the sheet: some have no series, or they lie in each other's places."""
    study = source.study
    hotel = hotel_of(study.corrections.sheet, [(scan.pair, scan.image.header) for scan in study.scans])
    if hotel is None:
        return
    found = {plain(each.id): each for each in animals}
    lacking = [each for each in hotel.animals if plain(each.id) not in found]
    if lacking:
        names = listed([str(each) for each in lacking], _NAMED)
        yield Difference("animal-missing", Kind.INSTANCES, f"no study of {names}", str(study.source))
        return
    extents = [found[plain(each.id)].extent for each in hotel.animals]
    places = [_Place(each.low_mm, each.high_mm) for each in extents if each]
    if len(places) < len(extents) or len(places) == 1:
        return
    swapped = ""
    try:
        order = assigned(places, hotel)
        if order != tuple(range(len(places))):
            lying = (
                f"'{printable(hotel.animals[n].id, 30)}' at {each.slot}"
                for n, each in zip(order, hotel.animals, strict=True)
            )
            swapped = f"the animals do not lie where the sheet says: {listed(list(lying), _NAMED)}"
    except InputError as error:
        swapped = error.message or str(error)
    if swapped:
        yield Difference("animals-swapped", Kind.IDENTITY, swapped, str(study.source))


def shared_uids(animals: Sequence[AnimalParts]) -> Iterator[Difference]:
    """Yield what two animals share, and must not."""
    for code, label, keyword in (
        ("study-uid", "Study Instance UID", "StudyInstanceUID"),
        ("frame-of-reference", "Frame of Reference UID", "FrameOfReferenceUID"),
    ):
        seen: dict[object, AnimalParts] = {}
        for animal in animals:
            for uid in {uid for planes in animal.series for uid in values_of(planes, keyword) if uid}:
                other = seen.setdefault(uid, animal)
                if other is not animal:
                    one, two = printable(other.id, 30), printable(animal.id, 30)
                    message = f"the animals '{one}' and '{two}' share a {label}"
                    yield Difference(code, Kind.IDENTITY, message, str(animal.series[0][0].file.path))


def _compared(
    animal: AnimalParts, study: Study, hotel: Hotel | None, manifests: Callable[[SeriesOfPlanes], Manifest]
) -> None:
    """Find the scans of an animal's series."""
    position = next((each for each in hotel.animals if plain(each.id) == plain(animal.id)), None) if hotel else None
    whole = _scans(study)
    expected = _scans_of(study, position)
    used: set[int] = set()
    for planes in animal.series:
        manifest = manifests(planes)
        number, box = _fitting(animal, planes, expected, manifest)
        scan = None if number is None or box is None else _cut(expected[number], box)
        scan = scan and _masked(replace(scan, is_animal_known=position is not None), planes, manifest, animal)
        animal.scans.append(scan)
        if number is not None and box is not None and scan is not None:
            used.add(number)
            animal.extent = _joined(animal.extent, expected[number].image.grid, box)
            animal.differences += _of_the_group(planes[0], scan, whole[number], is_known=position is not None)
    extent = animal.extent
    for number, scan in enumerate(expected):
        if number not in used and extent and scan.image.grid.box_of(extent.low_mm, extent.high_mm):
            animal.missing.append(scan)
    if hotel is None:
        animal.notes.append(WITHOUT_SHEET)
    elif position is None:
        names = listed([printable(each.id, 30) for each in hotel.animals], _NAMED)
        message = f"Patient ID is '{printable(animal.id, 30)}', expected one of the sheet: {names}"
        animal.differences.append(Difference("patient-id", Kind.IDENTITY, message, str(animal.series[0][0].file.path)))
    animal.differences += _of_another_group(animal, study)


def _scans(study: Study) -> list[SourceScan]:
    return [
        SourceScan(
            each.image,
            each.scan.animal,
            each.start,
            cycle_ms_of(each.image, study.corrections),
            each.frame_of_reference,
            each.number,
        )
        for each in study.series
    ]


def _scans_of(study: Study, position: Position | None) -> list[SourceScan]:
    """Return the group's scans with what is known of one animal: by the sheet, or nothing."""
    part = Part(whole=study, position=str(position.slot) if position else "", extent=None)
    corrections = replace(study.corrections, sheet=None)
    if position:
        corrections = corrections_of(position, study.corrections)
    scans = _scans(read_pairs([scan.pair for scan in study.scans], study.source, corrections, None, part))
    return scans if position else [replace(scan, animal=Animal()) for scan in scans]


def _fitting(
    animal: AnimalParts, planes: SeriesOfPlanes, scans: Sequence[SourceScan], manifest: Manifest
) -> tuple[int | None, Box | None]:
    """Return which scan a series was cut from, and where it lies in it."""
    boxes: dict[int, tuple[Box, float]] = {}
    beside: list[SourceScan] = []
    for number, scan in enumerate(scans):
        if planes[0].get("Modality") != scan.modality:
            continue
        indices = _indices(planes, scan.image.grid)
        box = None if indices is None else _box(indices, scan.image.grid)
        if indices is not None and box is not None:
            boxes[number] = box, _away_mm(indices, scan.image.grid)
        elif indices is not None:
            beside.append(scan)
    numbers = list(boxes)
    candidates = [_cut(scans[number], boxes[number][0]) for number in numbers]
    chosen = paired([planes], candidates, manifest.sources).made.get(0)
    path = str(planes[0].file.path)
    if chosen is None:
        if beside and not boxes:
            message = f"the planes do not lie in {beside[0].name}: some of their voxels are outside it"
            animal.differences.append(Difference("box-outside", Kind.POSITIONS, message, path, len(planes)))
        return None, None
    box, away = boxes[numbers[chosen]]
    if away > ALLOWED_MM:
        message = f"voxels lie {away:.3g} mm off those of {scans[numbers[chosen]].name}, expected on its grid"
        animal.differences.append(Difference("box-off-grid", Kind.POSITIONS, message, path, len(planes)))
    return numbers[chosen], box


def _indices(planes: Sequence[Plane], grid: Grid) -> Float | None:
    """Return where the first and the last pixel of each plane lie in a grid, (2 n, 3), in voxels along i, j and k.

    None if planes do not state it, or their pixels are of another size.
    """
    found: list[Float] = []
    x, y, _ = grid.spacing_mm
    for plane in planes:
        if plane.position is None or plane.cosines is None or plane.spacing is None or plane.file.size is None:
            return None
        rows, columns = plane.file.size
        between_rows, between_columns = plane.spacing
        if not np.allclose(sorted((between_rows, between_columns)), sorted((x, y)), rtol=_SAME_SIZE, atol=0):
            return None
        row, column = plane.cosines
        last = plane.position + row * between_columns * (columns - 1) + column * between_rows * (rows - 1)
        found += [plane.position, last]
    first = grid.affine[:3, 3]
    return np.asarray((np.asarray(found) - first) @ grid.axes / grid.spacing_mm)


def _box(indices: Float, grid: Grid) -> Box | None:
    """Return the voxels that are nearest; None if some are beside the grid."""
    i, j, k = np.round(indices.min(axis=0)).astype(int).tolist()
    i_last, j_last, k_last = np.round(indices.max(axis=0)).astype(int).tolist()
    box = Box((i, j, k), (i_last + 1, j_last + 1, k_last + 1))
    limits = zip(box.first, box.stop, grid.shape, strict=True)
    return box if all(0 <= first < stop <= count for first, stop, count in limits) else None


def _away_mm(indices: Float, grid: Grid) -> float:
    return float(np.abs((indices - np.round(indices)) * grid.spacing_mm).max())


def _cut(scan: SourceScan, box: Box) -> SourceScan:
    return replace(scan, image=cut(scan.image, box))


def _masked(scan: SourceScan, planes: SeriesOfPlanes, manifest: Manifest, animal: AnimalParts) -> SourceScan:
    """Return a scan whose neighbours are nothing where the manifest says that they are masked.

    Where that is comes from nothing else: what finds animals may find others another time, while each voxel that the
    manifest does not name must still be the source's. What it names is reported with its volume.
    """
    path, is_stated = str(planes[0].file.path), _MASKED in derivations(planes[0])
    image = masked(scan.image, manifest.mask) if manifest.mask else scan.image
    voxels = image.source.hidden_voxels
    if is_stated and not voxels:
        return replace(scan, may_be_masked=True)
    if voxels:
        what = f"{voxels} voxels of each frame, {masked_ml(image):.3g} mL, are {shown_value(image)} in {scan.name}"
        animal.notes.append(f"{what}: neighbours, as the manifest says")
    if voxels and not is_stated:
        message = f"neighbours in {scan.name} are masked, and Derivation Code Sequence does not have {_MASKED[0]}"
        animal.differences.append(Difference("mask-not-stated", Kind.IDENTITY, message, path))
    return replace(scan, image=image)


def _joined(extent: Extent | None, grid: Grid, box: Box) -> Extent:
    """Return an extent with that of the middles of a box's voxels, in the gantry."""
    part = grid.cut(box)
    half = [(n - 1) / 2 * size for n, size in zip(part.shape, part.spacing_mm, strict=True)]
    centre = [part.shift_mm[0], part.shift_mm[1], part.shift_mm[2] + part.bed_mm]
    low = [a - b for a, b in zip(centre, half, strict=True)]
    high = [a + b for a, b in zip(centre, half, strict=True)]
    if extent:
        low, high = list(map(min, low, extent.low_mm)), list(map(max, high, extent.high_mm))
    return Extent((low[0], low[1], low[2]), (high[0], high[1], high[2]))


def _of_the_group(plane: Plane, scan: SourceScan, whole: SourceScan, *, is_known: bool) -> Iterator[Difference]:
    """Yield values of one animal that are not known, and that the series has from the header of the group."""
    for fact in FACTS:
        if fact.attribute not in (_OF_ONE if is_known else _RARELY_ALIKE) or fact.expected(scan, 0) is not None:
            continue
        found, of_group = fact.stated(plane), fact.expected(whole, 0)
        if found is None or of_group is None or fact.comparison.away(found, of_group) > fact.comparison.allowed:
            continue
        message = f"{fact.label} is {printable(found, 40)}, which is the group's, expected that of the animal or none"
        yield Difference("group-value", Kind.IDENTITY, message, str(plane.file.path))


def _of_another_group(animal: AnimalParts, study: Study) -> Iterator[Difference]:
    """Yield that a series names another group than the headers do."""
    for planes in animal.series:
        group = planes[0].get(_GROUP)
        named = group.get("PatientID") if isinstance(group, dict) else None
        is_hidden = planes[0].get("PatientIdentityRemoved") == "YES"
        if named is not None and not is_hidden and study.animal.id and plain(named) != plain(study.animal.id):
            message = (
                f"the Patient ID of the group is '{printable(named, 30)}', expected '{printable(study.animal.id, 30)}'"
            )
            yield Difference("group-id", Kind.IDENTITY, message, str(planes[0].file.path))
            return
