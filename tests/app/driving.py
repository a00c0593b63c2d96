"""The app, driven: without a server, as whoever opened its address."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from inveonimaging.app.access.roots import Roots
from inveonimaging.app.access.rules import CHANGE_HEADER
from inveonimaging.app.access.secrets import Access
from inveonimaging.app.jobs.kinds import KINDS
from inveonimaging.app.jobs.queue import Job, Jobs
from inveonimaging.app.jobs.status import JobStatus
from inveonimaging.app.memory.state import State
from inveonimaging.app.pages.front import Front
from inveonimaging.app.serving.server import application
from inveonimaging.errors import InveonError, printable

PORT = 49152
WAIT_S = 120
SITE = f"http://127.0.0.1:{PORT}"
SAME = {"origin": SITE, "sec-fetch-site": "same-origin"}


def front_of(root: Path, state: Path | None = None) -> Front:
    """Return what an app with one root is made from; its state lies beside the root."""
    return Front(
        roots=Roots([root]), state=State(state or root.parent / f"{root.name}-state"), access=Access(), port=PORT
    )


def stranger(front: Front) -> TestClient:
    """Return a browser that did not open the address."""
    return TestClient(application(front), base_url=SITE, follow_redirects=False)


class Opened(TestClient):
    """The browser that opened the address: it is asked for `/look`, and shows pages as if they lay at the top."""

    def __init__(self, front: Front) -> None:
        super().__init__(application(front), base_url=SITE + front.access.base, follow_redirects=False)
        self._base = front.access.base

    def request(self, *args: Any, **how: Any) -> Any:
        answer = super().request(*args, **how)
        answer._content = answer.content.replace(self._base.encode(), b"")
        for name in {"location", "hx-redirect"} & set(answer.headers):
            assert answer.headers[name].startswith(self._base)
            answer.headers[name] = answer.headers[name].removeprefix(self._base)
        return answer


def opened(front: Front) -> TestClient:
    """Return the browser that opened the address."""
    client = Opened(front)
    assert client.get(f"{SITE}/start", params={"token": front.access.token}).status_code == 200
    return client


def change(client: TestClient, front: Front, path: str, fields: dict[str, Any] | None = None) -> Any:
    """Send a form as a page of the app does."""
    headers = {**SAME, CHANGE_HEADER: front.access.change_token, "hx-request": "true"}
    return client.post(path, data=fields or {}, headers=headers)


def job_of(answer: Any) -> str:
    """Return the job that a change has led to."""
    address: str = answer.headers["hx-redirect"]
    assert address.startswith("/jobs/"), address
    return address.rpartition("/")[2]


def ended(front: Front, name: str) -> Job:
    """Return a job when it is over."""
    end = time.monotonic() + WAIT_S
    while time.monotonic() < end:
        job = front.jobs.get(name)
        assert job is not None
        if job.is_over:
            return job
        time.sleep(0.01)
    raise AssertionError("the job does not end")


def jobs_in_this_process(patch: pytest.MonkeyPatch) -> None:
    """Let jobs be done in the thread that would start a process for each; other tests have the processes."""

    def done(jobs: Jobs, job: Job, task: dict[str, Any]) -> None:
        status = JobStatus(lambda name, value: jobs._hear(job, name, value))
        try:
            jobs._hear(job, "result", KINDS[job.kind](task, status))
        except InveonError as error:
            jobs._hear(job, "error", printable(error, 1000))

    patch.setattr(Jobs, "_do", done)
