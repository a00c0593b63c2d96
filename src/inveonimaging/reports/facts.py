"""What a person must see at a glance, as names and values; what matters and is not given is said to be so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from inveonimaging.animal import Animal
from inveonimaging.animal.sheet_values import NO_SHEET_VALUES, Origin, SheetValues
from inveonimaging.errors import printable
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.hdr.fields import FRAME, MAIN
from inveonimaging.inveon.hdr.lexer import END, lex
from inveonimaging.inveon.modality import is_mu_map, is_transmission
from inveonimaging.physics.geometry import ASSUMED, DIRECTIONS
from inveonimaging.physics.quantification import Unit
from inveonimaging.reports.curves import DecayCheck, decay_checks
from inveonimaging.reports.pictures import suv_per_value
from inveonimaging.reports.voxel_pass import VoxelSurvey
from inveonimaging.sheet.application import origins
from inveonimaging.study.image import Image
from inveonimaging.units import S_PER_MINUTE, plain

_LONGEST = 300
_LONGEST_ESCAPE = len(r"\U0001f600")
_MBQ = 1e6
_SHORT_S = 120


@dataclass(frozen=True)
class Fact:
    """A name, its value (None is what should be given and is not), and where it came from, if that is told."""

    name: str
    value: str | None
    source: str = ""


@dataclass(frozen=True)
class Row:
    """A line of a header: its number, block, key, value, and what a code in it means."""

    line: int
    block: str
    key: str
    value: str
    meaning: str


@dataclass(frozen=True)
class FrameRow:
    """A frame block: when it was, and whether its decay factor fits."""

    number: int
    start: str
    duration: str
    gate: str
    scale_factor: str
    total: str
    decay: DecayCheck | None


def animal_facts(animal: Animal, weights_kg: Sequence[float] = ()) -> tuple[Fact, ...]:
    """Return who the animal is, and where each value came from; `weights_kg` are those at its scans, each once."""
    is_one = len(weights_kg) <= 1
    weight = weight_words(animal.weight_kg)
    if not is_one:
        weight = f"{', '.join(str(weight_words(each)) for each in weights_kg)} (see each series)"
    neutered = None if animal.neutered is None else "yes" if animal.neutered else "no"
    given: list[tuple[str, str, object]] = [
        ("name", "Name", animal.name if animal.name != animal.id else None),
        ("species", "Species", animal.species or (animal.species_code and animal.species_code.meaning)),
        ("strain", "Strain", animal.strain),
        ("breed", "Breed", animal.breed),
        ("modifications", "Genetic modifications", "; ".join(animal.modifications)),
        ("sex", "Sex", {"M": "male", "F": "female", "O": "other"}.get(animal.sex)),
        ("neutered", "Neutered", neutered),
        ("birth_date", "Born", animal.birth_date),
        ("age", "Age", _age(animal.age)),
        ("history", "History", animal.history),
        ("institution", "Institution", animal.institution),
        ("responsible_organization", "Responsible organization", animal.responsible_organization),
        ("investigator", animal.responsible_role.capitalize(), animal.investigator),
    ]
    needed = (("id", "Subject", animal.id or animal.name), ("weight_kg", "Weight", weight))
    facts = [
        *((name, _needed(label, value)) for name, label, value in needed),
        *((name, fact) for name, label, value in given for fact in _given(label, value)),
    ]
    sources = {name: origin for name, origin in animal.sources.items() if is_one or name != "weight_kg"}
    return tuple(_from(fact, sources.get(name)) for name, fact in facts)


def weight_words(weight_kg: float | None) -> str | None:
    """Return a weight in g; None if it is not known."""
    return f"{weight_kg * 1000:.4g} g" if weight_kg else None


def _from(fact: Fact, origin: Origin | None) -> Fact:
    return fact if origin is None or fact.value is None else replace(fact, source=printable(origin, _LONGEST))


def series_facts(image: Image, sheet_values: SheetValues = NO_SHEET_VALUES) -> tuple[Fact, ...]:
    """Return what a series is: kind, times, place, unit; and where came from what a sheet may tell."""
    header = image.header
    known = origins(header, sheet_values, image.pair.header.name)
    labels = {"Dose": "dose", "Injected": "injection_time"}
    mode = (header.acquisition_mode.label,) if header.acquisition_mode else ()
    kind = "mu map" if is_mu_map(header) else image.modality.label
    facts = [
        _needed("Kind", ", ".join(dict.fromkeys((kind, *mode)))),
        *_given("Part", image.part_name),
        *(
            _from(fact, known.get("series_description"))
            for fact in _given("Description", sheet_values.get("series_description"))
        ),
        *(_from(fact, known.get("protocol")) for fact in _given("Protocol", sheet_values.get("protocol"))),
        *_given("Scanner", header.model and header.model.label),
        *_given("Study", header.study),
        _needed("Scan start", header.acquisition.started_at),
        *_given("Frames", _frames(image)),
        _needed("Unit", image.scaling.unit.value),
        *(_from(_needed(name, value), known.get(labels.get(name, ""))) for name, value in _tracer(image)),
        *_given("Voxels", " \N{MULTIPLICATION SIGN} ".join(map(str, image.grid.shape))),
        *_given("Voxel size", _sizes(image.grid.spacing_mm)),
        *_given(
            "Field of view",
            _sizes(n * mm for n, mm in zip(image.grid.shape, image.grid.spacing_mm, strict=True)),
        ),
        *_given("Reconstruction", header.reconstruction.algorithm and header.reconstruction.algorithm.label),
        *_given("Stored as", header.array.data_type and header.array.data_type.label),
        *_xray(header),
    ]
    return tuple(facts)


def corrections(image: Image) -> tuple[tuple[str, str, bool | None], ...]:
    """Return name, how, and whether it was done (None: the header does not say), of each correction of an emission."""
    if image.modality is Modality.CT or is_mu_map(image.header):
        return ()
    given = image.header.corrections
    coded = {
        "normalization": given.normalization,
        "dead time": given.deadtime,
        "attenuation": given.attenuation,
        "scatter": given.scatter,
    }
    flags = {"decay": given.decay, "arc": given.arc}
    return (
        *(
            (name, "" if code is None else code.label, None if code is None else bool(code))
            for name, code in coded.items()
        ),
        *((name, "", flag) for name, flag in flags.items()),
    )


def posture_words(image: Image) -> str:
    """Return the posture, and what an override did to it."""
    orientation = image.grid.orientation
    words = orientation.label if orientation else f"not known; taken as {ASSUMED.label}"
    usual = DIRECTIONS[orientation or ASSUMED]
    if image.grid.directions != usual:
        turned = [axis for axis, one, other in zip("xyz", usual, image.grid.directions, strict=True) if one != other]
        words += f"; stored {', '.join(turned)} mirrored by --flip"
    return words


def voxel_facts(survey: VoxelSurvey) -> tuple[Fact, ...]:
    """Return what the voxels tell."""
    facts: list[Fact] = []
    if survey.hottest:
        x, y, z = survey.hottest.centre_mm
        facts += _given(
            "Hottest region",
            f"{_sizes(survey.hottest.size_mm)} around x {x:+.1f}, y {y:+.1f}, z {z:+.1f} mm (LPS)".replace(
                "-", "\N{MINUS SIGN}"
            ),
        )
    if survey.not_finite:
        facts.append(Fact("NaN or infinite", f"{survey.not_finite} voxels, shown as 0"))
    return tuple(facts)


def frame_rows(image: Image, survey: VoxelSurvey) -> tuple[FrameRow, ...]:
    """Return the frames of a scan with several, or with a decay factor to check."""
    checks = decay_checks(image)
    if len(image.frames) == 1 and not checks:
        return ()
    means = survey.sums / float(image.source.frame_bytes / image.source.dtype.itemsize)
    return tuple(
        FrameRow(
            number=index,
            start="" if frame.start_s is None else plain(frame.start_s),
            duration="" if frame.duration_s is None else plain(frame.duration_s),
            gate="" if frame.gate is None else str(frame.gate),
            scale_factor="" if frame.scale_factor is None else f"{frame.scale_factor:.6g}",
            total=plain(means[index], 4),
            decay=checks[index] if checks else None,
        )
        for index, frame in enumerate(image.frames)
    )


def header_rows(image: Image) -> tuple[Row, ...]:
    """Return every key of a header's file, in its order, with its line."""
    rows = []
    for number, block in enumerate(lex(image.header_bytes).blocks):
        table = FRAME if number else MAIN
        name = f"frame {number - 1}" if number else "main"
        for line in block:
            if line.key and line.key != END:
                codec = table[line.key].codec if line.key in table else None
                meaning = ""
                if codec and codec.choices:
                    meaning = _meaning(codec.parse, line.value)
                rows.append(
                    Row(line.number, name, line.key, printable(line.value, _LONGEST_ESCAPE * len(line.value)), meaning)
                )
    return tuple(rows)


def _meaning(parse: object, value: str) -> str:
    try:
        return str(parse(value).label)  # type: ignore[operator]
    except (ValueError, ArithmeticError):
        return ""


def _age(age: str | None) -> str | None:
    """Return a DICOM Age String, `015W`, in words."""
    if not age:
        return None
    number = int(age[:-1])
    word = {"D": "day", "W": "week", "M": "month", "Y": "year"}[age[-1]]
    return f"{number} {word}{'' if number == 1 else 's'}"


def _frames(image: Image) -> str | None:
    frames, what = image.frames, "gates" if image.part and image.part.is_gated else "frames"
    starts = [frame.start_s for frame in frames if frame.start_s is not None]
    if len(starts) < len(frames):
        return f"{len(frames)} {what}"
    stop = max((frame.start_s or 0.0) + (frame.duration_s or 0.0) for frame in frames)
    count = "1 frame" if len(frames) == 1 else f"{len(frames)} {what}"
    return f"{count}, {_time(min(starts))} to {_time(stop)}"


def _time(seconds: float) -> str:
    return f"{seconds:g} s" if abs(seconds) < _SHORT_S else f"{seconds / S_PER_MINUTE:.4g} min"


def _tracer(image: Image) -> Iterator[tuple[str, str | None]]:
    """Yield what SUV and kinetics hang on; an X-ray, a mu map or a transmission image has none of it."""
    header, tracer = image.header, image.header.tracer
    if image.modality is Modality.CT or is_transmission(header):
        return
    half_life = f"{plain(tracer.half_life_s / S_PER_MINUTE, 5)} min" if tracer.half_life_s else None
    yield "Tracer", " ".join(filter(None, (tracer.isotope, tracer.compound))) or None
    yield "Half-life", half_life
    yield "Dose", f"{tracer.dose_bq / _MBQ:.4g} MBq" if tracer.dose_bq else None
    yield "Injected", _injected(tracer.injected_at, header.acquisition.started_at)
    if image.scaling.unit is Unit.BQML:
        factor = suv_per_value(image)
        yield "SUV of 1 kBq/mL", f"{factor * 1000:.4g}" if factor else None


def tracer_words(image: Image) -> str:
    """Return tracer and dose in a few words, empty for an X-ray or a mu map."""
    known = dict(_tracer(image))
    return ", ".join(printable(known[name] or f"{name.lower()} not given", 80) for name in ("Tracer", "Dose") if known)


def _injected(injected: datetime | None, start: datetime | None) -> str | None:
    if injected is None:
        return None
    if start is None:
        return str(injected)
    apart = start - injected
    way = "before" if apart >= timedelta(0) else "after"
    return f"{injected}, {_time(abs(apart).total_seconds())} {way} the start of the scan"


def _xray(header: Header) -> Iterator[Fact]:
    yield from _given("Tube", f"{header.ct.voltage_kv:g} kV" if header.ct.voltage_kv else None)
    yield from _given("Exposure", f"{header.ct.exposure_time_ms:g} ms" if header.ct.exposure_time_ms else None)


def _sizes(sizes: Iterable[float]) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(f"{size:.3g}" for size in sizes) + " mm"


def _needed(name: str, value: object) -> Fact:
    return Fact(name, printable(value, _LONGEST) if value else None)


def _given(name: str, value: object) -> tuple[Fact, ...]:
    return (_needed(name, value),) if value else ()
