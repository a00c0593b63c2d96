"""One series of DICOM, checked: the SUV readiness of a PET, and what the vendor's workstation wrote."""

from __future__ import annotations

from dataclasses import replace

from inveonimaging.checks.from_dicom import facts_of_series, is_pet_series, suv_issues_of_series
from inveonimaging.checks.readiness import Readiness, readiness_of
from inveonimaging.checks.suv_issues import Item, is_suv, suv_issues_of
from inveonimaging.checks.vendor import vendor_findings
from inveonimaging.dicom_reading.series import Series
from inveonimaging.errors import printable
from inveonimaging.findings import Finding


def check_series(series: Series) -> tuple[tuple[Finding, ...], Readiness | None]:
    """Return problems in a series, and the SUV readiness of a PET; of others, what the workstation wrote."""
    path = str(series.instances[0].path)
    vendors = tuple(replace(finding, path=path) for finding in vendor_findings(series))
    if not is_pet_series(series):
        return vendors, None
    facts = facts_of_series(series)
    more = suv_issues_of_series(series, facts)
    if is_suv(facts):  # nothing hangs on the others
        more = tuple(issue for issue in more if issue.item is Item.UNITS)
    found = [issue.finding for issue in (*suv_issues_of(facts), *more)]
    located = (replace(finding, key=None, path=finding.path or path) for finding in found)
    return (*dict.fromkeys(located), *vendors), readiness_of(name_of(series), facts, more)


def name_of(series: Series) -> str:
    """Return what people know a series by: its number, modality and description."""
    first = series.first
    number, kind, description = (first.get(word) for word in ("SeriesNumber", "Modality", "SeriesDescription"))
    words = (f"series {number}" if number is not None else "series", f"({kind})" if kind else "", description or "")
    return printable(" ".join(str(word) for word in words if word), 100)
