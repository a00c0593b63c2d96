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
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from inveonimaging.errors import printable
from inveonimaging.findings import Finding
from inveonimaging.inveon.pairs import Pair
from inveonimaging.remedies import remedies
from inveonimaging.reports.contents import Contents
from inveonimaging.storage.whole_files import refuse_taken, write_whole
from inveonimaging.study.image import Image
from inveonimaging.study.reading import Series
from inveonimaging.units import plain
from inveonimaging.version import __version__

_LONGEST = 1000
_NOWHERE = {"base-uri": "'none'", "form-action": "'none'"}
_SCRIPT = re.compile(r'<script(?: type="module")?>(.*?)</script>', re.DOTALL)


@dataclass(frozen=True)
class Policy:
    """What the page may load and run: a Content Security Policy, source by source.

    Attributes:
        sources: by directive; what is not named is forbidden.
    """

    sources: Mapping[str, str]

    def text(self) -> str:
        """Return the policy as its header has it."""
        return "; ".join(f"{name} {value}" for name, value in {"default-src": "'none'", **self.sources}.items())


def plain_policy(style: str, script: str) -> Policy:
    """Return the policy of a page of pictures: its own style and script, pictures inside the page, nothing else."""
    own = {"img-src": "data:", "style-src": _hash(style), "script-src": _hash(script)}
    return Policy({**own, **_NOWHERE})


def viewer_policy(script: str, viewer: str) -> Policy:
    """Return the policy of a page with a viewer, which makes scripts and pictures when it opens; still no network.

    Args:
        script: the page's own.
        viewer: the viewer's markup, whose scripts are named by their hashes.
    """
    scripts = (script, *(match[1] for match in _SCRIPT.finditer(viewer)))
    own = {"img-src": "data: blob:", "style-src": "'unsafe-inline'"}
    return Policy({**own, "script-src": " ".join((*map(_hash, scripts), "blob:")), **_NOWHERE})


def write_report(
    contents: Contents, path: str | os.PathLike[str], *, viewer: bool = False, overwrite: bool = False
) -> Path:
    """Write the page of a study; it appears whole or not at all.

    Args:
        contents: from `contents_of`.
        path: the HTML file.
        viewer: put the volumes and a viewer into the page; it is some tens of megabytes large then.
        overwrite: replace a file that is there.

    Raises:
        OptionError: what the viewer needs is not installed.
        OutputError: the file is there already, or cannot be written.
        DataError: a data file cannot be read any more.
    """
    target = Path(path)
    refuse_taken(target, overwrite=overwrite)
    write_whole(target, html_of(contents, viewer=viewer).encode("utf-8"), overwrite=overwrite)
    return target


def html_of(contents: Contents, *, viewer: bool = False, policy: Policy | None = None) -> str:
    """Return the page as text; errors as `write_report`.

    Args:
        contents: what to show.
        viewer: whether the volumes can be looked through.
        policy: what the page may load and run, instead of what suits it.
    """
    from jinja2 import Environment, StrictUndefined

    style, script = _own("page.css"), _own("page.js")
    volumes = _viewer(contents.images) if viewer else ""
    usual = viewer_policy(script, volumes) if viewer else plain_policy(style, script)
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    page, facts = (environment.from_string(text) for text in (_own("page.html"), _FACTS))
    return page.render(
        _content(contents),
        version=__version__,
        policy=_trusted((policy or usual).text()),
        style=_trusted(style),
        script=_trusted(script),
        viewer=_trusted(volumes),
        facts=lambda each: _trusted(facts.render(facts=each)),
        number=lambda value: "" if value is None else plain(value),
    )


_FACTS = """<dl>
{%- for fact in facts %}<dt>{{ fact.name }}</dt>
<dd{% if fact.value is none %} class="absent"{% endif %}>{{ 'not given' if fact.value is none else fact.value }}
{%- if fact.source %} <small>{{ fact.source }}</small>{% endif %}</dd>
{%- endfor %}</dl>"""


def _viewer(images: Sequence[Image]) -> str:
    from inveonimaging.reports.viewer import fragment

    return fragment(images)


def _content(contents: Contents) -> dict[str, Any]:
    from inveonimaging.reports.facts import animal_facts
    from inveonimaging.reports.pictures import MOST_SERIES, drawn

    study = contents.study
    drawings = {each.series.number: each for each in drawn(contents)}
    series = [
        {
            **_series(each, drawings.get(each.number), has_own_weight=len(study.weights_kg) > 1),
            "readiness": contents.readiness.get(each.image.pair.header),
        }
        for each in study.series
    ]
    name = study.animal.id or study.animal.name or contents.source.name or str(contents.source)
    description = next((each.image.header.study for each in study.series if each.image.header.study), "")
    return {
        "title": printable(": ".join(filter(None, (name, description))), _LONGEST),
        "source": printable(contents.source, _LONGEST),
        "animal": animal_facts(study.animal, study.weights_kg),
        "series": series,
        "errors": [printable(error, _LONGEST) for error in contents.errors],
        "findings": [_finding(each) for each in contents.findings],
        "headers": _headers(contents.images),
        "most_series": MOST_SERIES,
    }


def _series(each: Series, drawing: Any, *, has_own_weight: bool) -> dict[str, Any]:
    from inveonimaging.inveon.modality import is_mu_map
    from inveonimaging.reports import facts
    from inveonimaging.reports.posture import posture_drawing

    image, number = each.image, each.number
    weight = facts.weight_words(each.animal.weight_kg) if has_own_weight else None
    shown = (*facts.series_facts(image, each.sheet_values), *((facts.Fact("Weight", weight),) if weight else ()))
    rows = facts.frame_rows(image, drawing.survey) if drawing else ()
    return {
        "number": number,
        "file": printable(image.pair.name, _LONGEST),
        "part": image.part_name,
        "kind": "mu map" if is_mu_map(image.header) else image.modality.label,
        "start": str(image.header.acquisition.started_at or ""),
        "frames": len(image.frames),
        "unit": image.scaling.unit.value,
        "tracer": facts.tracer_words(image),
        "facts": (*shown, *(facts.voxel_facts(drawing.survey) if drawing else ())),
        "posture": _trusted(posture_drawing(image.grid.orientation)),
        "posture_words": facts.posture_words(image).capitalize(),
        "corrections": facts.corrections(image),
        "pictures": [_embedded(picture) for picture in drawing.pictures] if drawing else [],
        "rows": rows,
        "has_decay": any(row.decay for row in rows),
        "misfits": sum(row.decay is not None and row.decay.fits is False for row in rows),
    }


def _embedded(picture: Any) -> dict[str, Any]:
    data = base64.b64encode(picture.png).decode("ascii")
    known = {name: getattr(picture, name) for name in ("name", "width", "height", "alt", "caption")}
    return {**known, "data": data}


def _finding(finding: Finding) -> dict[str, Any]:
    known = remedies().get(finding.code)
    place = "" if finding.path is None else Path(finding.path).name
    line = "" if finding.line is None else f" line {finding.line}" if place else f"line {finding.line}"
    return {
        "severity": finding.severity,
        "code": finding.code,
        "message": printable(finding.message, _LONGEST),
        "where": printable(place, _LONGEST) + line,
        "remedy": known.advice if known else "",
    }


def _headers(images: Iterable[Image]) -> list[dict[str, Any]]:
    """Return the headers of the files, each once, however many series it became."""
    from inveonimaging.reports.facts import header_rows

    pairs: dict[Pair, Image] = {}
    for image in images:
        pairs.setdefault(image.pair, image)
    return [
        {"file": printable(pair.header.name, _LONGEST), "rows": header_rows(image)} for pair, image in pairs.items()
    ]


def _trusted(markup: str) -> Any:
    from markupsafe import Markup

    return Markup(markup)  # noqa: S704 - of this package's own making


def _own(name: str) -> str:
    return (files("inveonimaging.reports") / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode('utf-8')).digest()).decode('ascii')}'"
