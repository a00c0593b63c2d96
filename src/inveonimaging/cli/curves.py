"""`inveon curves`: time-activity curves of regions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from inveonimaging.cli.messages import say_findings, shown
from inveonimaging.cli.options import (
    AskedCorrections,
    AskedDeidentification,
    Boxes,
    takes_corrections,
    takes_deidentification,
)
from inveonimaging.cli.outcome import one_line_errors, print_json

if TYPE_CHECKING:
    from inveonimaging.commands.curves import CurvesResult
    from inveonimaging.time_activity.measuring import Curve
    from inveonimaging.time_activity.planning import CurvesPlan

EXAMPLES = """\b
Examples:
  inveon curves mouse_study --sphere "heart=1.5,-3,20,4" -o tac.csv
  inveon curves mouse_study --regions mask.nii.gz -o tac.csv -o tac.tac
  inveon curves mouse_study --regions seg.dcm --dicom dicom --hottest 3 -o tac.csv
  inveon curves hotel --subjects hotel.csv --animals -o tac.csv
"""


@takes_corrections
@takes_deidentification
def curves(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A folder, or one .img or .hdr file.")],
    corrections: AskedCorrections,
    *,
    output: Annotated[
        list[Path], typer.Option("--output", "-o", metavar="FILE", help="A .csv, .tac or .dft; repeatable.")
    ],
    sphere: Annotated[
        list[str] | None, typer.Option(metavar="NAME=X,Y,Z,D", help="Centre and diameter, LPS mm; repeatable.")
    ] = None,
    regions: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Spheres .csv .json, mask .nii .nii.gz, SEG, RTSTRUCT; repeatable."),
    ] = None,
    hottest: Annotated[float | None, typer.Option(metavar="D", help="The hottest sphere, D mm in diameter.")] = None,
    animals: Annotated[
        bool, typer.Option("--animals", help="The box of each animal of the sheet, in a scan of several.")
    ] = False,
    boxes: Boxes = None,
    series: Annotated[int | None, typer.Option(metavar="N", help="The number of the one series to measure.")] = None,
    dicom: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Our DICOM that a SEG or RTSTRUCT was drawn on.")
    ] = None,
    time_zero: Annotated[
        Literal["scan", "injection"], typer.Option(metavar="WHAT", help="What .tac and .dft count from.")
    ] = "scan",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files of the same names.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Show what would be measured.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")] = False,
    deidentification: AskedDeidentification,
) -> None:
    """Measure regions in each frame of PET and SPECT: time-activity curves, in Bq/mL and SUV."""
    with one_line_errors(as_json=as_json):
        from inveonimaging.cli.progress import bar
        from inveonimaging.commands.curves import planned, write_planned
        from inveonimaging.time_activity.options import CurvesOptions

        options = CurvesOptions(
            **corrections().values,
            spheres=sphere or (),
            regions=regions or (),
            hottest_mm=hottest,
            animals=animals,
            boxes=boxes,
            series=series,
            dicom=dicom,
            time_zero=time_zero,
            overwrite=overwrite,
            deidentify=deidentification(),
        )
        plan = planned(source, output, options)
        if dry_run:
            say_findings(plan.findings)
            _show_plan(plan, as_json=as_json)
            return
        with bar("Measuring") as advance:
            result = write_planned(plan, options, advance)
        say_findings(result.findings)
        _show(result, as_json=as_json)


def _show(result: CurvesResult, *, as_json: bool) -> None:
    if as_json:
        found = [_document(each) for each in result.curves]
        files = list(map(str, result.files))
        print_json({"dry_run": False, "files": files, "curves": found, "findings": result.findings})
        return
    for path in result.files:
        typer.echo(shown(path))


def _document(curve: Curve) -> dict[str, Any]:
    """Return a curve for programs; what is not known is null."""
    numbers = {
        "start_s": curve.starts_s,
        "mid_s": curve.middles_s,
        "duration_s": curve.durations_s,
        "mid_after_injection_s": curve.after_injection_s,
        "mean": curve.means,
        "sd": curve.deviations,
        "min": curve.lowest,
        "max": curve.highest,
        "volume_ml": curve.volumes_ml,
        "suv_mean": curve.suvs,
    }
    known = {
        name: [value if abs(value) < float("inf") else None for value in values.tolist()]
        for name, values in numbers.items()
    }
    what = {"source": curve.source, "part": curve.part, "region": curve.region, "unit": curve.unit.value}
    return {**what, "frames": curve.frames, "gates": curve.gates, **known, "voxels": curve.voxels.tolist()}


def _show_plan(plan: CurvesPlan, *, as_json: bool) -> None:
    rows = [
        {
            "series": each.series.number,
            "source": str(each.image.pair.header),
            "part": each.image.part_name,
            "region": wanted.region.name,
            "voxels": count,
            "frames": len(each.image.frames),
            "unit": each.image.scaling.unit.value,
        }
        for each in plan.series
        for wanted, count in zip(each.wanted, each.voxels, strict=True)
    ]
    if as_json:
        files = [str(plan.folder / name) for name in plan.names]
        print_json({"dry_run": True, "files": files, "regions": rows, "findings": plan.findings})
        return
    from inveonimaging.cli.table import show_or_list

    titles = ("Series", "Source", "Region", "Voxels", "Frames", "Unit")
    table = [
        [
            str(each["series"]),
            ", ".join(filter(None, (shown(Path(str(each["source"])).name), str(each["part"])))),
            shown(each["region"]),
            str(each["voxels"]),
            str(each["frames"]),
            str(each["unit"]),
        ]
        for each in rows
    ]
    names = ", ".join(shown(plan.folder / name) for name in plan.names)
    show_or_list(f"Would be measured into {names}", titles, table)
