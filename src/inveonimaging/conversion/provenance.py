"""Where the values of a study came from: names and places, without the values."""

from __future__ import annotations

from inveonimaging.animal.sheet_values import Origin, Source
from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import StudyPlan

_ROUTE = ("project", "xnat_subject", "xnat_session")


def study_origins(study: StudyPlan, options: Options) -> dict[str, Origin]:
    """Return where each known value of the animal, the description and the place in XNAT came from, by its name."""
    found = dict(study.animal.sources)
    if description := _description(study, options):
        found["study_description"] = description
    for name in _ROUTE:
        if options.xnat_route:
            found[name] = Origin(Source.COMMAND_LINE)
        elif study.sheet_values.get(name):
            found[name] = study.sheet_values.origin(name)
    return found


def _description(study: StudyPlan, options: Options) -> Origin | None:
    if options.study_description:
        return Origin(Source.COMMAND_LINE)
    if study.sheet_values.get("study_description"):
        return study.sheet_values.origin("study_description")
    first = next((each.image for each in study.series if each.image.header.study), None)
    return None if first is None else Origin(Source.HEADER, first.pair.header.name, first.header.line_of("study"))
