"""The kinds of jobs: what each does, by its name. A kind more is a function and a row here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from inveonimaging.app.jobs import batch as batch_run
from inveonimaging.app.jobs import makes
from inveonimaging.app.jobs import send as send_run
from inveonimaging.app.jobs.status import JobStatus

Run = Callable[[dict[str, Any], JobStatus], dict[str, Any]]
"""Does a job: it takes the task that `Jobs.start` was given, reports how far it is, and returns the result.

It raises InveonError for what it refuses; KeyboardInterrupt is that it was stopped.
"""

KINDS: Mapping[str, Run] = {
    "convert": makes.run_convert,
    "split": makes.run_split,
    "nifti": makes.run_nifti,
    "bids": makes.run_bids,
    "zarr": makes.run_zarr,
    "page": makes.run_page,
    "curves": makes.run_curves,
    "report": makes.run_report,
    "batch": batch_run.run_batch,
    "send": send_run.run_send,
}
