"""What a person must see at a glance, as names and values; what matters and is missing is named, too."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from inveonimaging.animal import Animal
from inveonimaging.animal.sheet_values import Origin, SheetValues
from inveonimaging.errors import printable
from inveonimaging.inveon.hdr import Frame
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.inveon.hdr.fields import FRAME, MAIN
from inveonimaging.inveon.hdr.lexer import END, lex
from inveonimaging.inveon.modality import is_mu_map, is_transmission
from inveonimaging.physics.geometry import ASSUMED, DIRECTIONS
from inveonimaging.physics.quantification import Unit
from inveonimaging.reports.curves import DecayCheck, decay_checks
from inveonimaging.reports.voxel_pass import VoxelSurvey
from inveonimaging.sheet.application import origins
from inveonimaging.study.image import Image
from inveonimaging.study.late_frames import is_gated, span_s
from inveonimaging.study.suv import suv_per_value
from inveonimaging.units import S_PER_MINUTE, duration, plain

_LONGEST = 300
_LONGEST_ESCAPE = len(r"\U0001f600")
_MBQ = 1e6
_SUV = "SUV of 1 kBq/mL"
_NEEDED = {"Subject", "Weight", "Kind", "Scan start", "Unit", "Tracer", "Half-life", "Dose", "Injected", _SUV}
_FROM_SHEET = {
    "Description": "series_description",
    "Protocol": "protocol",
    "Dose": "dose",
    "Injected": "injection_time",
}


class Fact(NamedTuple):
    """A name, its value (None is what should be given and is not), and where it came from, if that is recorded."""

    name: str
    value: str | None
    source: str = ""


def _facts(rows: Iterable[tuple[str, object]], sources: Mapping[str, Origin | None] | None = None) -> Iterator[Fact]:
    """Yield what is given of names and values, and what of them should be; `sources` are by name."""
    for name, value in rows:
        if value:
            source = (sources or {}).get(name)
            yield Fact(name, printable(value, _LONGEST), printable(source, _LONGEST) if source else "")
        elif name in _NEEDED:
            yield Fact(name, None)


def animal_facts(animal: Animal, weights_kg: Sequence[float] = ()) -> Iterator[Fact]:
    """Return who the animal is, and where each value came from; `weights_kg` are those at its scans, each once."""
    weight = weight_words(animal.weight_kg)
    sources = dict(animal.sources)
    if len(weights_kg) > 1:
        weight = f"{', '.join(str(weight_words(each)) for each in weights_kg)} (see each series)"
        sources.pop("weight_kg", None)
    rows: list[tuple[str, str, object]] = [
        ("id", "Subject", animal.id or animal.name),
        ("weight_kg", "Weight", weight),
        ("name", "Name", animal.name if animal.name != animal.id else None),
        ("species", "Species", animal.species or (animal.species_code and animal.species_code.meaning)),
        ("strain", "Strain", animal.strain),
        ("breed", "Breed", animal.breed),
        ("modifications", "Genetic modifications", "; ".join(animal.modifications)),
        ("sex", "Sex", {"M": "male", "F": "female", "O": "other"}.get(animal.sex)),
        ("neutered", "Neutered", {True: "yes", False: "no", None: None}[animal.neutered]),
        ("birth_date", "Born", animal.birth_date),
        ("age", "Age", _age(animal.age)),
        ("history", "History", animal.history),
        ("institution", "Institution", animal.institution),
        ("responsible_organization", "Responsible organization", animal.responsible_organization),
        ("investigator", animal.responsible_role.capitalize(), animal.investigator),
    ]
    return _facts([row[1:] for row in rows], {label: sources.get(name) for name, label, _ in rows})


def weight_words(weight_kg: float | None) -> str | None:
    """Return a weight in g; None if it is not known."""
    return f"{weight_kg * 1000:.4g} g" if weight_kg else None


def series_facts(image: Image, sheet_values: SheetValues, weight: str | None) -> Iterator[Fact]:
    """Return what a series is: kind, times, place, unit; and where came from what a sheet may give.

    Args:
        image: the series.
        sheet_values: what a sheet gives of it.
        weight: of the animal, where it differs between series.
    """
    header, grid = image.header, image.grid
    known = origins(header, sheet_values, image.pair.header.name)
    mode = header.acquisition_mode
    rows: list[tuple[str, object]] = [
        ("Kind", ", ".join(dict.fromkeys((image.kind, *((mode.label,) if mode else ()))))),
        ("Part", image.part_name),
        ("Description", sheet_values.get("series_description")),
        ("Protocol", sheet_values.get("protocol")),
        ("Scanner", header.model and header.model.label),
        ("Study", header.study),
        ("Scan start", header.acquisition.started_at),
        ("Frames", _frames(image)),
        ("Unit", image.scaling.unit.value),
        *_tracer(image),
        ("Voxels", " \N{MULTIPLICATION SIGN} ".join(map(str, grid.shape))),
        ("Voxel size", _sizes(grid.spacing_mm)),
        ("Field of view", _sizes(n * mm for n, mm in zip(grid.shape, grid.spacing_mm, strict=True))),
        ("Reconstruction", header.reconstruction.algorithm and header.reconstruction.algorithm.label),
        ("Stored as", header.array.data_type and header.array.data_type.label),
        ("Tube", f"{header.ct.voltage_kv:g} kV" if header.ct.voltage_kv else None),
        ("Exposure", f"{header.ct.exposure_time_ms:g} ms" if header.ct.exposure_time_ms else None),
    ]
    weighed = [("Weight", weight)] if weight else []
    return _facts([*rows, *weighed], {label: known.get(name) for label, name in _FROM_SHEET.items()})


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
    return (
        *((name, code.label, bool(code)) if code is not None else (name, "", None) for name, code in coded.items()),
        ("decay", "", given.decay),
        ("arc", "", given.arc),
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


def voxel_facts(survey: VoxelSurvey) -> Iterator[Fact]:
    """Return what was found in the voxels."""
    rows: list[tuple[str, object]] = []
    if survey.hottest:
        x, y, z = survey.hottest.centre_mm
        words = f"{_sizes(survey.hottest.size_mm)} around x {x:+.1f}, y {y:+.1f}, z {z:+.1f} mm (LPS)"
        rows.append(("Hottest region", words.replace("-", "\N{MINUS SIGN}")))
    if survey.not_finite:
        rows.append(("NaN or infinite", f"{survey.not_finite} voxels, shown as 0"))
    return _facts(rows)


def frame_rows(image: Image, survey: VoxelSurvey) -> list[tuple[Frame, float, DecayCheck | None]]:
    """Return each frame, its mean and its decay factor, of a scan with several frames or with a factor to check."""
    checks = decay_checks(image)
    if len(image.frames) == 1 and not checks:
        return []
    means = survey.sums / float(math.prod(image.source.shape))
    return list(zip(image.frames, means.tolist(), checks or [None] * len(image.frames), strict=True))


def header_rows(image: Image) -> Iterator[tuple[int, str, str, str, str]]:
    """Yield line, block, key, value, and what a code means, of every key of a header's file, in its order."""
    for number, block in enumerate(lex(image.header_bytes).blocks):
        table = FRAME if number else MAIN
        name = f"frame {number - 1}" if number else "main"
        for line in block:
            if line.key and line.key != END:
                codec = table[line.key].codec if line.key in table else None
                meaning = _meaning(codec.parse, line.value) if codec and codec.choices else ""
                yield line.number, name, line.key, printable(line.value, _LONGEST_ESCAPE * len(line.value)), meaning


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


def _frames(image: Image) -> str:
    number, span = len(image.frames), span_s(image.frames)
    words = f"{number} {'gates' if is_gated(image) else 'frames'}"
    if span is None:
        return words
    first, last = (duration(seconds) for seconds in span)
    return f"{'1 frame' if number == 1 else words}, {first} to {last}"


def _tracer(image: Image) -> Iterator[tuple[str, str | None]]:
    """Yield what SUV and kinetics rest on; an X-ray, a mu map or a transmission image has none of it."""
    header, tracer = image.header, image.header.tracer
    if image.modality is Modality.CT or is_transmission(header):
        return
    half_life = f"{plain(tracer.half_life_s / S_PER_MINUTE, 5)} min" if tracer.half_life_s else None
    yield "Tracer", " ".join(filter(None, (tracer.isotope, tracer.compound))) or None
    yield "Half-life", half_life
    of_all = f", the sum of {len(image.group)} animals: no SUV" if image.group else ""
    yield "Dose", f"{tracer.dose_bq / _MBQ:.4g} MBq{of_all}" if tracer.dose_bq else None
    yield "Injected", _injected(tracer.injected_at, header.acquisition.started_at)
    if image.scaling.unit is Unit.BQML:
        factor = suv_per_value(image)
        yield _SUV, f"{factor * 1000:.4g}" if factor else None


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
    return f"{injected}, {duration(abs(apart).total_seconds())} {way} the start of the scan"


def _sizes(sizes: Iterable[float]) -> str:
    return " \N{MULTIPLICATION SIGN} ".join(f"{size:.3g}" for size in sizes) + " mm"
