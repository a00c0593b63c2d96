"""Curves measured and written: all files, or none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from inveonimaging.errors import printable
from inveonimaging.findings import Finding, Severity
from inveonimaging.inveon.voxels import unchanged
from inveonimaging.progress import Progress, StepCounter
from inveonimaging.storage.file_sets import file_set
from inveonimaging.study.cut import cut_out
from inveonimaging.study.image import Image
from inveonimaging.study.late_frames import shown_frames
from inveonimaging.time_activity.hottest import hottest_sphere
from inveonimaging.time_activity.measuring import Curve, measured, steps_of
from inveonimaging.time_activity.options import CurvesOptions
from inveonimaging.time_activity.planning import HOTTEST, CurvesPlan, SeriesPlan, hottest_name, wanted_of
from inveonimaging.time_activity.tables import TABLES, Notes


def write_curves(
    plan: CurvesPlan, options: CurvesOptions, progress: Progress
) -> tuple[tuple[Path, ...], tuple[Curve, ...], tuple[Finding, ...]]:
    """Measure and write what is planned; return the paths, the curves, and what was found in the voxels.

    Raises:
        OutputError: a name is taken, or a file cannot be written; nothing is left then.
        DataError: a data file cannot be read any more, or has changed.
    """
    sources = [each.image.source for each in plan.series]
    counter = StepCounter(progress, sum(_steps(each, plan.hottest_mm) for each in plan.series))
    curves: list[Curve] = []
    findings: list[Finding] = []
    if not plan.names:
        _measure(plan, counter, curves, findings)
    else:
        again = unchanged(sources, "make them again when the scanner is done")
        with file_set(plan.folder, plan.names, overwrite=options.overwrite) as drafts, again:
            _measure(plan, counter, curves, findings)
            has_notes = any(name.lower().endswith(".dft") for name in plan.names)
            notes = _notes(plan.series[0].image) if has_notes else Notes()
            for name, draft in drafts.items():
                text = TABLES[Path(name).suffix.lower()](curves, options.time_zero, notes)
                draft.write_bytes(text.encode("ascii" if text.isascii() else "utf-8-sig"))  # a mark for Excel
    return tuple(plan.folder / name for name in plan.names), tuple(curves), tuple(findings)


def _steps(plan: SeriesPlan, hottest_mm: float | None) -> int:
    """Return how many slices of frames are read, as far as is known before."""
    image = plan.image
    searched = len(shown_frames(image)[0]) * image.source.shape[0] if hottest_mm else 0
    return searched + steps_of(image, [each.region for each in plan.wanted])


def _measure(plan: CurvesPlan, counter: StepCounter, curves: list[Curve], findings: list[Finding]) -> None:
    for each in plan.series:
        image, path = each.image, str(each.image.pair.header)
        wanted = list(each.wanted)
        for name, part in _parts(each) if plan.hottest_mm else ():
            sphere = hottest_sphere(part, name, plan.hottest_mm or 0.0, counter)
            if sphere:
                wanted.append(wanted_of(sphere, each.series, each.animals))
                place = ", ".join(f"{mm:.2f}" for mm in sphere.centre_mm)
                message = f"'{printable(name)}', a sphere of {sphere.diameter_mm:g} mm, lies at {place} (LPS mm)"
                findings.append(Finding("region-hottest", message, Severity.INFO, path=path))
            else:
                message = f"'{printable(name)}': no sphere of {plan.hottest_mm:g} mm lies inside and has a mean above 0"
                findings.append(Finding("region-not-hot", message, path=path))
        found = measured(image, wanted, counter)
        curves += found
        for curve in found:
            if curve.not_finite:
                message = f"{curve.not_finite} values in '{curve.region}' are NaN or infinite, and left out"
                findings.append(Finding("curve-values-not-finite", message, path=path))


def _parts(plan: SeriesPlan) -> Iterator[tuple[str, Image]]:
    """Yield where a hottest sphere is looked for, with its name: the image, or the box of each animal of a group."""
    if not plan.animals:
        yield HOTTEST, plan.image
    for each in plan.animals:
        if part := cut_out(plan.image, each.region.extent):
            yield hottest_name(each.region.name), part


def _notes(image: Image) -> Notes:
    from inveonimaging.dicom.codes import isotope_of  # pydicom takes half a second

    header = image.header
    return Notes(
        isotope=isotope_of(header.tracer.isotope) if header.tracer.isotope else None,
        tracer=header.tracer.compound,
        started_at=header.acquisition.started_at,
        injected_at=None if image.group else header.tracer.injected_at,
        is_decay_corrected=header.corrections.decay,
    )
