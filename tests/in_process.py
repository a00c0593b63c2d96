"""Batches that convert in the process of the test, which starts at once; others show that processes do the same."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from inveonimaging.batches import Record, Study, work
from inveonimaging.batches import job as batch_job
from inveonimaging.batches.study import Job


class Here:
    """Converts in this process; as of `Engine`."""

    def __init__(self, job: Job, _jobs: int) -> None:
        self._job, self.most = job, 1

    def submit(self, study: Study, before: Record | None) -> Future[Record]:
        record = Future[Record]()
        record.set_result(work.convert_one(self._job, study, before))
        return record

    def close(self) -> None:
        pass


def batches_in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_job, "Local", Here)
