"""Every page of the app, with its addresses: a new page gets a row here, and axe looks at it, too."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from helpers import header_text, write_small_study
from inveonimaging.app.jobs.queue import DONE, FAILED, LEFT, QUEUED, RUNNING, STOPPED, Job
from inveonimaging.app.memory.targets import Kept
from inveonimaging.app.pages.front import Front, link
from inveonimaging.inveon.hdr.enums import Modality
from inveonimaging.phantom import write_scan
from several_mice import Hotel

HOSTILE = """"'><img src=x onerror="document.title='owned'"><script>document.title='owned'</script>"""
NAME = "<img src=x onerror=alert(1)> " + "a_very_long_name_" * 5
NO_PAGES = {  # parts of pages, files, and what only leads on
    *(
        "/start",
        "/count",
        "/static/{name}",
        "/card",
        "/whole",
        "/picture",
        "/jobs/{name}/progress",
        "/jobs/{name}/report",
    ),
    *("/correct/view", "/correct/check", "/batch/offer", "/studies.csv", "/alive"),
}


def prepared(root: Path) -> Path:
    """Write a study with a file that is refused, a hostile one, and names that are long; return its folder."""
    study = write_small_study(root / "study")
    (study / NAME).with_suffix(".img").write_bytes(bytes(4 * 3 * 2 * 2))
    (study / NAME).with_suffix(".img.hdr").write_text(
        header_text({"subject_identifier": HOSTILE, "isotope": HOSTILE, "study": HOSTILE}), "utf-8"
    )
    (study / "refused.img").write_bytes(b"")
    (study / "refused.img.hdr").write_text(header_text({"modality": "9"}), "utf-8")
    (study / "alone.img").touch()
    (root / NAME / NAME).mkdir(parents=True)
    (root / "hotel").mkdir()
    write_scan(root / "hotel" / "h.ct.img", HOTEL.scan(Modality.CT, 2.5), mouse=HOTEL.mouse)
    (root / "out").mkdir()
    (root / "out" / "batch.jsonl").write_text("".join(json.dumps(each) + "\n" for each in STUDIES), "utf-8")
    return study


def addresses(root: Path) -> dict[str, list[str]]:
    """Return addresses of each page, by its route."""
    study = root / "study"
    return {
        "/": ["/", link("/", folder=root / NAME / NAME), link("/", folder=root / "missing")],
        "/look": [link("/look", source=study), link("/look", source=root), link("/look", source=root / NAME)],
        "/correct": [link("/correct", source=study), link("/correct", source=study, by="animal")],
        "/correct/hotel": [link("/correct/hotel", source=root / "hotel")],
        "/make": [link("/make", source=study), link("/make", source=study, make="curves")],
        "/batch": [link("/batch", source=root)],
        "/studies": [link("/studies", folder=root / "out")],
        "/send": [link("/send", folder=root / "out"), link("/send", folder=root / "out", target=NAME[:60].strip())],
        "/jobs": ["/jobs"],
        "/quit": ["/quit"],
        "/jobs/{name}": [f"/jobs/{each}" for each in (*JOBS, "nothing")],
    }


HOTEL = Hotel.of("left", "right")
_STUDY: dict[str, Any] = dict.fromkeys(("source", "options", "manifest", "made_from", "files"), "") | {"rows": []}
STUDIES: list[dict[str, Any]] = [
    {**_STUDY, "result": "converted", "output": "a", "patient_id": "M1", "study_date": "20140617", "verified": True},
    {**_STUDY, "result": "failed", "output": NAME, "patient_id": HOSTILE, "error": {"message": HOSTILE}},
]
_FINDINGS = [
    {"severity": severity, "message": HOSTILE, "where": "m1.img line 7", "todo": "look", "code": "c"}
    for severity in ("error", "warning", "note")
]
_SERIES = [{"source": "m1.ct.img", "folder": f"/{NAME}/{NAME}", "files": 60, "class": "CT Image"}]
_RESULT = {"output": f"/{NAME}", "series": _SERIES, "findings": _FINDINGS, "report": "/r.html", "planes": 60}
_MADE = {"titles": ["File", "Folder"], "rows": [[NAME, f"/{NAME}/{NAME}"]], "more": 3}
JOBS: dict[str, dict[str, Any]] = {
    "running": {"phase": "Writing DICOM", "done": 300, "total": 900, "steps": [("CT a", 400), (f"PET {NAME}", 500)]},
    "done": {"result": {**_RESULT, "verified": True}},
    "failed": {"error": f"/{NAME}/m1.img.hdr: line 12: modality 9 is not known, expected 0, 1 or 2"},
    "made": {"result": {"output": f"/{NAME}", "made": _MADE, "failures": [{"source": NAME, "error": HOSTILE}]}},
    "differs": {"result": {**_RESULT, "verified": False, "differences": [HOSTILE]}},
}
_STATES = {"running": RUNNING, "done": DONE, "failed": FAILED, "differs": DONE, "made": DONE}
_MORE = {"queued": QUEUED, "left": LEFT, "stopped": STOPPED}


def states() -> dict[str, str]:
    """Return the jobs that `filled` makes, and the state of each."""
    return {**_STATES, **_MORE}


def filled(front: Front, study: Path) -> None:
    """Let the app have a server, and a job of each state, none of which does anything."""
    front.targets.keep(Kept(NAME[:60].strip(), "https://pacs.example/dicom-web"))
    for name, state in states().items():
        front.jobs._jobs[name] = Job(
            id=name,
            owner="nobody",
            kind="convert",
            title=NAME,
            source=str(study),
            output=str(study.parent / NAME / "dicom"),
            state=state,
            since=time.monotonic() - 20,
            started="2026-11-29 10:00:00.000",
            **JOBS.get(name, {}),
        )
