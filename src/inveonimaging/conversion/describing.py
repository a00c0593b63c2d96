"""Series Description: what each series of a study is, so that none is called as another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from inveonimaging.conversion.plan import SeriesPlan
from inveonimaging.dicom.encode import LO, lo
from inveonimaging.dicom.modules.reconstruction import pet_kernel, reconstruction_method
from inveonimaging.dicom.specified import ACQUISITIONS
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.enums import AcquisitionMode, Labelled, Modality
from inveonimaging.inveon.modality import is_mu_map, is_transmission


def descriptions_of(series: Sequence[SeriesPlan], *, specified: bool) -> tuple[str, ...]:
    """Return the Series Description of each series.

    What a sheet says stays as it is, and so do the words of the published specification.

    Args:
        series: of one study, in its order.
        specified: whether to use the words of the published specification for the acquisition mode.
    """
    words = [_words(each, specified=specified) for each in series]
    if specified:
        return tuple(lo(each) for each in words)
    free = [n for n, each in enumerate(series) if not each.sheet_values.get("series_description")]
    apart = distinguished([words[n] for n in free], [[detail(series[n]) for detail in _DETAILS] for n in free])
    for n, description in zip(free, apart, strict=True):
        words[n] = description
    return tuple(lo(each) for each in words)


def distinguished(words: Sequence[str], details: Sequence[Sequence[str]]) -> list[str]:
    """Return texts of at most 64 characters; to those that are equal, the first details that differ are added.

    Args:
        words: of each series.
        details: of each series, those that say most first.
    """
    chosen: list[list[str]] = [[] for _ in words]
    for kind in zip(*details, strict=True):
        texts = [_joined(word, each) for word, each in zip(words, chosen, strict=True)]
        equal = Counter(texts)
        for text in (text for text, count in equal.items() if count > 1):
            alike = [n for n, each in enumerate(texts) if each == text]
            if len({kind[n] for n in alike}) > 1:
                for n in alike:
                    chosen[n] += [kind[n]] if kind[n] else []
    return [_joined(word, each) for word, each in zip(words, chosen, strict=True)]


def _joined(word: str, details: Sequence[str]) -> str:
    """Return words and details in 64 characters; the words are cut, so that what differs stays."""
    if not details:
        return lo(word)
    last = lo(", ".join(details))
    room = LO - len(last) - 2
    return f"{lo(word)[:room].rstrip(' ,')}, {last}" if room > 0 else last


def _words(planned: SeriesPlan, *, specified: bool) -> str:
    image = planned.image
    kind = planned.sheet_values.get("series_description")
    if not kind:
        mode = image.header.acquisition_mode or AcquisitionMode.UNKNOWN
        kind = ACQUISITIONS[mode] if specified else _kind(image.header, image.modality)
    return ", ".join(filter(None, (kind, image.part_name)))


def _kind(header: Header, modality: Modality) -> str:
    mode, algorithm = header.acquisition_mode, header.reconstruction.algorithm
    if modality is Modality.CT:
        return f"CT {algorithm.label}" if algorithm else "CT"
    if is_mu_map(header):
        return "mu map"
    name = modality.label
    kind = mode.label.removeprefix(f"{name} ") if mode else ""
    if is_transmission(header):
        return f"{name} {kind}"
    return " ".join(filter(None, (name, kind, header.tracer.isotope, header.tracer.compound)))


def _frames(planned: SeriesPlan) -> str:
    count = len(planned.image.frames)
    return "1 frame" if count == 1 else f"{count} frames"


def _without_or_with(name: str, applied: Labelled | None) -> str:
    return "" if applied is None else f"{name} {applied.label}" if applied else f"no {name}"


def _seconds(planned: SeriesPlan) -> str:
    frames = planned.image.frames
    first, last = frames[0].start_s, frames[-1]
    if first is None or last.start_s is None or last.duration_s is None:
        return ""
    return f"{first:g} to {last.start_s + last.duration_s:g} s"


def _voltage(planned: SeriesPlan) -> str:
    voltage = planned.image.header.ct.voltage_kv
    return f"{voltage:g} kV" if voltage else ""


def _post_filter(planned: SeriesPlan) -> str:
    smoothing = planned.image.header.smoothing
    return f"smoothed {smoothing.filter.label}" if smoothing.filter else ""


_DETAILS: tuple[Callable[[SeriesPlan], str], ...] = (
    lambda planned: reconstruction_method(planned.image.header),
    lambda planned: pet_kernel(planned.image.header),
    _post_filter,
    lambda planned: _without_or_with("AC", planned.image.header.corrections.attenuation),
    lambda planned: _without_or_with("SC", planned.image.header.corrections.scatter),
    _frames,
    _seconds,
    lambda planned: " x ".join(f"{size:.3g}" for size in planned.image.grid.spacing_mm) + " mm",
    lambda planned: "x".join(map(str, planned.image.grid.shape)),
    _voltage,
    lambda planned: planned.image.header.tracer.compound or "",
    lambda planned: f"{planned.start:%Y-%m-%d %H:%M:%S}" if planned.start else "",
    lambda planned: planned.image.pair.data.stem,
    lambda planned: f"series {planned.number}",
)
