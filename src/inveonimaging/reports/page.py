"""The page: one HTML file that needs nothing else, opens from disk and asks the network for nothing.

Texts of files are escaped by Jinja2 and by `errors.printable`; markup is only what this package wrote. The page's
Content Security Policy lets nothing run but the page's own script, named by its hash, so that even what slipped through
would do nothing.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from inveonimaging.conversion.job import StudyResult
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import StudyPlan
from inveonimaging.errors import OutputError, printable
from inveonimaging.findings import Finding
from inveonimaging.progress import Progress, no_progress
from inveonimaging.remedies import remedies
from inveonimaging.reports import facts
from inveonimaging.reports.contents import Contents, planned_contents
from inveonimaging.reports.pictures import MOST_SERIES, Drawn, drawn
from inveonimaging.reports.posture import posture_drawing
from inveonimaging.reports.viewer import fragment, own, templates
from inveonimaging.storage.leftovers import REPORT, is_our_report
from inveonimaging.storage.whole_files import refuse_taken, write_whole
from inveonimaging.study.reading import Series
from inveonimaging.units import plain
from inveonimaging.version import __version__

_LONGEST, _SHORT = 1000, 40
_UNIT_NEXT = re.compile(
    r"(?<=\d) (?=[\d\N{MULTIPLICATION SIGN}a-zA-Z%])|(?<=\N{MULTIPLICATION SIGN}) "
)  # 24.6 g, 0.25 x 0.25
_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b", re.ASCII)
_SCRIPT = re.compile(r'<script(?: type="module")?>(.*?)</script>', re.DOTALL)


def _policy(style: str, script: str, viewer: str) -> str:
    """Return what the page may load and run, as a Content Security Policy; what is not named is forbidden.

    A page of pictures has its own style and script, and pictures inside itself. A viewer makes scripts and pictures
    when it opens; still no network.

    Args:
        style: the page's own.
        script: likewise.
        viewer: the viewer's markup, whose scripts are named by their hashes; empty without one.
    """
    scripts = map(_hash, (script, *(match[1] for match in _SCRIPT.finditer(viewer))))
    allowed = {
        "default-src": "'none'",
        "img-src": "data: blob:" if viewer else "data:",
        "style-src": "'unsafe-inline'" if viewer else _hash(style),
        "script-src": " ".join((*scripts, "blob:") if viewer else scripts),
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{name} {value}" for name, value in allowed.items())


def write_report(
    contents: Contents,
    path: str | os.PathLike[str],
    *,
    drawings: Iterable[Drawn] | None = None,
    viewer: bool = False,
    overwrite: bool = False,
) -> Path:
    """Write the page of a study; it appears whole or not at all.

    Args:
        contents: from `contents_of`.
        path: the HTML file.
        drawings: from `drawn`; None draws them.
        viewer: put the volumes and a viewer into the page; it is some tens of megabytes large then.
        overwrite: replace a file that is there.

    Raises:
        OptionError: what the viewer needs is not installed.
        OutputError: the file is there already, or cannot be written.
        DataError: a data file cannot be read any more.
    """
    target = Path(path)
    refuse_taken(target, overwrite=overwrite)
    write_whole(target, html_of(contents, drawings, viewer=viewer).encode("utf-8"), overwrite=overwrite)
    return target


def refuse_report(output: Path) -> None:
    """Refuse a study's folder that holds something else by the name of the report that a conversion leaves there.

    Raises:
        OutputError: it does.
    """
    path = output / REPORT
    if os.path.lexists(path) and not is_our_report(path):
        raise OutputError("exists already and is not a report of this program", path=path, hint="move it elsewhere")


def write_beside(
    planned: StudyPlan, result: StudyResult, options: Options, now: datetime, progress: Progress = no_progress
) -> Path:
    """Write the report of a study that was converted, once the study is in its place.

    `--overwrite` removes an earlier one with the earlier study (`storage.staging.written_before`), so that no page
    stays that shows something else.

    Raises:
        OutputError: it cannot be written, or something is in its place.
        DataError: a data file cannot be read any more.
    """
    contents = planned_contents(planned, result.all_findings, now, redacted=options.deidentify is not None)
    return write_report(contents, planned.output / REPORT, drawings=drawn(contents, progress))


def html_of(contents: Contents, drawings: Iterable[Drawn] | None = None, *, viewer: bool = False) -> str:
    """Return the page as text; arguments and errors as `write_report`."""
    pictures = {each.series.number: each for each in (drawn(contents) if drawings is None else drawings)}
    style, script = own("page.css"), own("page.js")
    surveys = {n: pictures[each.number].survey for n, each in enumerate(contents.series) if each.number in pictures}
    volumes = fragment(contents.images, surveys=surveys) if viewer else ""
    environment = templates()
    environment.filters["base64"] = lambda data: base64.b64encode(data).decode("ascii")
    environment.filters["unbroken"] = _unbroken
    environment.filters["number"] = lambda value, digits=6: "" if value is None else plain(value, digits)
    return environment.from_string(own("page.html")).render(
        _content(contents, pictures),
        version=__version__,
        policy=_policy(style, script, volumes),
        style=style,
        script=script,
        viewer=volumes,
    )


def _content(contents: Contents, drawings: Mapping[int, Drawn]) -> dict[str, Any]:
    study = contents.study
    headers = {image.pair: image for image in contents.images}
    numbers = {
        str(path): each.number
        for each in reversed(study.series)
        for path in (each.image.pair.header, each.image.pair.data)
    }
    name = study.animal.id or study.animal.name or contents.source.name or str(contents.source)
    description = next((each.image.header.study for each in study.series if each.image.header.study), "")
    return {
        "title": printable(": ".join(filter(None, (name, description))), _LONGEST),
        "source": printable(contents.source, _LONGEST),
        "animal": facts.animal_facts(study.animal, study.weights_kg),
        "series": [_series(contents, each, drawings.get(each.number)) for each in study.series],
        "errors": [printable(error, _LONGEST) for error in contents.errors],
        "findings": [_finding(each, numbers) for each in contents.findings],
        "headers": [
            (printable(pair.header.name, _LONGEST), list(facts.header_rows(image))) for pair, image in headers.items()
        ],
        "most_series": MOST_SERIES,
        "group": contents.group,
    }


def _series(contents: Contents, series: Series, drawing: Drawn | None) -> dict[str, Any]:
    image = series.image
    has_own_weight = len(contents.study.weights_kg) > 1
    weight = facts.weight_words(series.animal.weight_kg) if has_own_weight else None
    rows = facts.frame_rows(image, drawing.survey) if drawing else []
    return {
        "image": image,
        "number": series.number,
        "file": printable(image.pair.name, _LONGEST),
        "kind": image.kind,
        "unit": image.scaling.unit.value,
        "tracer": facts.tracer_words(image),
        "facts": (
            *facts.series_facts(image, series.sheet_values, weight),
            *(facts.voxel_facts(drawing.survey) if drawing else ()),
        ),
        "posture": posture_drawing(image.grid.orientation),
        "posture_words": facts.posture_words(image).capitalize(),
        "corrections": facts.corrections(image),
        "readiness": contents.readiness.get(image.pair.header),
        "pictures": drawing.pictures if drawing else (),
        "table": drawing.table.encode("utf-8") if drawing else b"",
        "rows": rows,
        "misfits": sum(check is not None and check.fits is False for _, _, check in rows),
    }


def _finding(finding: Finding, numbers: Mapping[str, int]) -> dict[str, Any]:
    known = remedies().get(finding.code)
    place = printable(Path(finding.path).name, _SHORT) if finding.path else ""
    line = f"line {finding.line}" if finding.line else ""
    return {
        "severity": finding.severity.label,
        "code": finding.code,
        "message": printable(finding.message, _LONGEST),
        "where": " ".join(filter(None, (place, line))),
        "series": numbers.get(finding.path or ""),
        "remedy": known.advice if known else "",
    }


def _unbroken(value: object) -> Markup:
    """Return a text as markup in which lines end neither within a number and its unit, nor within a date."""
    text = _UNIT_NEXT.sub("\N{NO-BREAK SPACE}", str(value))
    return Markup(_DATE.sub(r'<span class="whole">\g<0></span>', str(escape(text))))  # noqa: S704 - escaped before


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
