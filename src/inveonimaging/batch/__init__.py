"""Many studies at once: found below a folder, converted in parallel, each on its own, and not again unless changed."""

from inveonimaging.batch.job import Watch, run_batch
from inveonimaging.batch.pace import Progress
from inveonimaging.batch.plan import Batch, Grouping, plan_batch
from inveonimaging.batch.study import Check, Outcome, Record, Study
from inveonimaging.batch.summary import BatchResult, Failure, Oddity
from inveonimaging.batch.walk import Passed

__all__ = [
    "Batch",
    "BatchResult",
    "Check",
    "Failure",
    "Grouping",
    "Oddity",
    "Outcome",
    "Passed",
    "Progress",
    "Record",
    "Study",
    "Watch",
    "plan_batch",
    "run_batch",
]
