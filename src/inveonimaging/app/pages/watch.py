"""Page 5: jobs, how far they are, and what came of them."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from inveonimaging.app.access.rules import REPORT_POLICY
from inveonimaging.app.jobs.queue import LEFT, Job
from inveonimaging.app.pages import batches, look, sending
from inveonimaging.app.pages.front import Front, redirected
from inveonimaging.app.pages.make import again as start_again
from inveonimaging.errors import InputError

_SOON_S = 5.0  # what finds no file manager says so before


def jobs(front: Front, _request: Request) -> Response:
    """Show all jobs."""
    return front.page("jobs.html", jobs=front.jobs.all)


def job(front: Front, request: Request) -> Response:
    """Show a job."""
    return front.page("job.html", job=_job(front, request))


def progress(front: Front, request: Request) -> Response:
    """Return how far a job is, for the page that shows it; the report that was waited for is opened."""
    found = _job(front, request)
    answer = front.page("progress.html", job=found)
    if found.kind == "report" and found.state == "done":
        answer.headers["hx-redirect"] = f"/jobs/{found.id}/report"
    return answer


def report(front: Front, request: Request) -> Response:
    """Return the report that a job wrote; it belongs to no site."""
    path = _job(front, request).result.get("report")
    if path and not front.jobs.is_page(Path(path)):
        front.roots.inside(path)  # a link may lie there meanwhile
    if not path or not os.path.isfile(path):  # noqa: PTH113 - beside other calls of os
        raise InputError("the report no longer exists")
    return FileResponse(path, media_type="text/html", headers={"content-security-policy": REPORT_POLICY})


def stop(front: Front, request: Request, _form: dict[str, str]) -> Response:
    """Stop a job."""
    found = _job(front, request)
    front.jobs.stop(found.id)
    return front.page("progress.html", job=found)


def again(front: Front, request: Request, form: dict[str, str]) -> Response:
    """Do a job again, with what was chosen for it."""
    found = _job(front, request)
    address = AGAIN.get(found.kind, _made_again)(front, found, form)
    if found.state == LEFT and address.startswith("/jobs/"):  # which now goes on as another
        front.jobs.forget(found.id)
    return redirected(address)


def _made_again(front: Front, found: Job, _form: dict[str, str]) -> str:
    return f"/jobs/{start_again(front, found)}"


AGAIN: dict[str, Callable[[Front, Job, dict[str, str]], str]] = {
    batches.KIND: batches.again,
    sending.KIND: sending.again,
    "report": look.again,
}
"""How a job of a kind is done again, if not as page 4 does it; it returns the page that is shown next."""


def forget(front: Front, request: Request, _form: dict[str, str]) -> Response:
    """Take a job that is over out of the list."""
    return _forgotten(front, [_job(front, request)])


def forget_finished(front: Front, _request: Request, _form: dict[str, str]) -> Response:
    """Take all jobs out of the list that are over, but for those that an app left undone."""
    return _forgotten(front, [each for each in front.jobs.all if each.is_over and each.state != LEFT])


def _forgotten(front: Front, jobs: Sequence[Job]) -> Response:
    """Forget jobs; and what was typed for their sources, if a sheet beside the output says all of it."""
    for each in jobs:
        front.jobs.forget(each.id)
    front.sheets.forget({each.source for each in jobs} - {each.source for each in front.jobs.all})
    return redirected("/jobs")


def show_folder(front: Front, request: Request, _form: dict[str, str]) -> Response:
    """Show the output of a job in the file manager."""
    found = _job(front, request)
    folder = front.roots.inside(found.output)
    if not folder.is_dir():
        raise InputError("there is no such folder", path=folder)
    return front.page("opened.html", folder=folder, is_shown=open_folder(folder))


def open_folder(folder: Path) -> bool:
    """Show a folder as the system does, and return whether it could; a folder's name is never a command's option."""
    try:
        if sys.platform == "win32":
            os.startfile(folder)  # noqa: S606 - a folder, which is shown
            return True
        program = "open" if sys.platform == "darwin" else "xdg-open"
        process = subprocess.Popen(  # noqa: S603 - a whole path, which begins with /
            [program, str(folder)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    except OSError:
        return False
    try:
        return process.wait(_SOON_S) == 0
    except subprocess.TimeoutExpired:  # it is the file manager itself, which is open
        threading.Thread(target=process.wait, daemon=True).start()
        return True


def _job(front: Front, request: Request) -> Job:
    found = front.jobs.get(request.path_params["name"])
    if found is None:
        raise InputError("there is no such job")
    return found
