"""A batch from its begin to its end: find studies, have them converted, keep the ledger, count."""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from inveonimaging.batches.groups import rows_of
from inveonimaging.batches.ledger import Ledger, kept
from inveonimaging.batches.local import Local
from inveonimaging.batches.names import pseudonymous
from inveonimaging.batches.plan import Batch, plan_batch
from inveonimaging.batches.study import Job, Outcome, Planned, Record, Study, fingerprint
from inveonimaging.batches.summary import BatchProgress, BatchResult, Pace, Tally
from inveonimaging.batches.walk import SkippedCounts
from inveonimaging.conversion.options import Options
from inveonimaging.dicom.pixels import transfer_syntax_of
from inveonimaging.errors import InputError
from inveonimaging.inveon.pairs import half_error, no_pairs
from inveonimaging.sheet.matching import unused_rows
from inveonimaging.storage.interruptions import Interruptions
from inveonimaging.version import __version__

_LOOK_S = 0.2
_PATIENCE_S = 600.0


class Engine(Protocol):
    """Who converts: processes of this computer, or the workers of a Dask scheduler."""

    @property
    def most(self) -> int:
        """How many studies may be submitted at a time: bounds what is held for those that wait."""

    def submit(self, study: Study, before: Record | None) -> Future[Record]:
        """Take a study; its future raises InveonError if no study can be converted any more."""

    def close(self) -> None:
        """End whatever is still at work."""


class Watch:
    """Called while a batch runs; here nothing is done."""

    def record(self, record: Record) -> None:
        """Take what became of a study."""

    def unread(self, error: InputError) -> None:
        """Take a folder that cannot be read."""

    def progress(self, progress: BatchProgress) -> None:
        """Take how far the batch is; some times a second."""


def run_batch(
    root: str | os.PathLike[str],
    output: str | os.PathLike[str],
    options: Options | None = None,
    batch: Batch | None = None,
    watch: Watch | None = None,
) -> BatchResult:
    """Convert every study below a folder, each on its own, and keep `batch.jsonl` in the output.

    Studies that are complete and unchanged are skipped. A study that fails stops no other.

    Args:
        root: the folder, of any depth.
        output: where the studies go.
        options: of each conversion; `overwrite`, `manifest` and `recursive` do not count.
        batch: how many studies are done.
        watch: is called with what happens.

    Raises:
        InveonError: nothing can be converted: the root cannot be read, the output not be written, another batch is at
            work there, or nobody can convert.
    """
    options, batch = options or Options(), batch or Batch()
    transfer_syntax_of(options.compression)  # refuses here what each study would refuse
    start, passed = time.perf_counter(), SkippedCounts()
    target = Path(os.path.abspath(output))  # noqa: PTH100 - links in it stay, as typed
    source = Path(os.path.abspath(root))  # noqa: PTH100
    planned = plan_batch(source, target, options, batch.group, passed)
    with kept(target) as ledger, _engine(target, options, batch) as engine:
        run = _Run(planned, ledger, engine, watch or Watch(), options, only_failed=batch.only_failed)
        run.go()
    tally, sheet = run.tally, None if batch.only_failed else options.corrections.sheet
    if not run.found and not tally.unread and not batch.only_failed:
        raise half_error(passed.first_half) if passed.first_half else no_pairs(source, "below it")
    return BatchResult(
        found=run.found,
        converted=tally.outcomes[Outcome.CONVERTED],
        skipped=tally.outcomes[Outcome.SKIPPED],
        failed=tally.outcomes[Outcome.FAILED],
        unread=tally.unread,
        instances=tally.instances,
        seconds=time.perf_counter() - start,
        finding_counts=tally.finding_counts(),
        failures=tuple(tally.failures),
        passed=passed,
        sheet=() if sheet is None else (*sheet.findings, *unused_rows(sheet, tally.rows)),
        gone=0 if batch.only_failed else ledger.unseen,
        unread_lines=ledger.unread,
        ledger=str(ledger.path),
    )


@contextlib.contextmanager
def _engine(output: Path, options: Options, batch: Batch) -> Iterator[Engine]:
    is_dask = batch.dask is not None or batch.dask_cluster is not None
    job = Job(
        output=output,
        options=options,
        asked=fingerprint(options),
        version=__version__,
        check=batch.check,
        verify=batch.verify,
        patience_s=_PATIENCE_S if is_dask else 0.0,
    )
    if is_dask:
        from inveonimaging.batches.cluster import on_dask

        with on_dask(job, batch.dask, batch.dask_cluster) as engine:
            yield engine
        return
    local = Local(job, batch.jobs)
    with Interruptions() as interruptions:
        try:
            yield local
        finally:
            interruptions.wait = True  # else processes, or what they began, might be left
            local.close()


class _Run:
    """Moves studies from the search to the engine, and records to the ledger; searches on while it waits."""

    def __init__(
        self,
        planned: Iterator[Planned],
        ledger: Ledger,
        engine: Engine,
        watch: Watch,
        options: Options,
        *,
        only_failed: bool,
    ) -> None:
        self._planned, self._ledger, self._engine, self._watch = planned, ledger, engine, watch
        self._options, self._only_failed = options, only_failed
        self._waiting: deque[Study] = deque()
        self._pace = Pace(time.monotonic())
        self._shown = 0.0
        self._at_work: dict[Future[Record], Study] = {}
        self._is_found = False
        self.found = 0
        self.tally = Tally()

    def go(self) -> None:
        """Do all studies."""
        while not self._is_found or self._waiting or self._at_work:
            self._submit()
            if not self._is_found:
                self._search()
            if self._at_work:
                self._take(_LOOK_S if self._is_found else 0.0)
            self._show()
        self._show(is_last=True)

    def _search(self) -> None:
        """Look at one more folder."""
        try:
            planned = next(self._planned)
        except StopIteration:
            self._is_found = True
            return
        if isinstance(planned, Study):
            if self._is_asked(planned):
                self.found += 1
                self._waiting.append(planned)
        elif planned is not None:
            self.tally.count_unread(planned)
            self._watch.unread(planned)

    def _is_asked(self, study: Study) -> bool:
        before = self._ledger.before(study.output) if self._only_failed else None
        return not self._only_failed or (before is not None and before.result is Outcome.FAILED)

    def _submit(self) -> None:
        while self._waiting and len(self._at_work) < self._engine.most:
            study = self._waiting.popleft()
            self._at_work[self._engine.submit(study, self._ledger.before(study.output))] = study

    def _take(self, timeout_s: float) -> None:
        for future in wait(self._at_work, timeout_s, FIRST_COMPLETED).done:
            study, record, sheet = self._at_work.pop(future), future.result(), self._options.corrections.sheet
            if sheet is not None and record.result is Outcome.FAILED and not record.rows:
                record = replace(record, rows=rows_of(sheet, study))
            self._ledger.append(pseudonymous(self._options, record))
            self.tally.count(record)
            self._pace.ended(time.monotonic())
            self._watch.record(record)

    def _show(self, *, is_last: bool = False) -> None:
        now = time.monotonic()
        if now - self._shown < _LOOK_S and not is_last:
            return
        self._shown = now
        left = self._pace.left_s(self.found - self.tally.done) if self._is_found else None
        failed = self.tally.outcomes[Outcome.FAILED]
        progress = BatchProgress(self.tally.done, failed, self.found, self._is_found, self._pace.per_minute(), left)
        self._watch.progress(progress)
