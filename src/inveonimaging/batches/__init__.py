"""Many studies at once: found below a folder, converted in parallel, each on its own, and not again unless changed."""

from inveonimaging.batches.job import Watch, run_batch
from inveonimaging.batches.plan import Batch, Grouping, plan_batch
from inveonimaging.batches.study import Check, Outcome, Record, Study
from inveonimaging.batches.summary import BatchProgress, BatchResult, Failure, FindingCount
from inveonimaging.batches.walk import SkippedCounts

batch = run_batch

__all__ = [
    "Batch",
    "BatchProgress",
    "BatchResult",
    "Check",
    "Failure",
    "FindingCount",
    "Grouping",
    "Outcome",
    "Record",
    "SkippedCounts",
    "Study",
    "Watch",
    "batch",
    "plan_batch",
    "run_batch",
]
