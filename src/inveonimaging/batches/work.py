"""One study of a batch, from the look at what is there already to its record; runs wherever it is sent."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path
from traceback import extract_tb
from typing import Any

from inveonimaging.batches.existing import (
    ExistingStudy,
    existing_study,
    has_scan_of,
    is_busy,
    is_made_from,
    is_the_same,
    is_whole,
    patient_and_date,
    stamp,
)
from inveonimaging.batches.groups import without_copies
from inveonimaging.batches.names import source_name
from inveonimaging.batches.study import Check, Job, Outcome, Record, Study, has_hidden
from inveonimaging.conversion.animals import plan_found
from inveonimaging.conversion.job import convert_planned
from inveonimaging.conversion.options import Options, Uids
from inveonimaging.conversion.plan import StudyPlan, plan_pairs, strays_of
from inveonimaging.errors import InputError, InveonError, OutputError, printable
from inveonimaging.findings import Finding
from inveonimaging.inveon.pairs import Pair, scan_folder
from inveonimaging.storage.staging import BusyError
from inveonimaging.version import __version__

_LOOK_S = 0.5
_LONGEST_MESSAGE = 500


def convert_one(job: Job, study: Study, before: Record | None) -> Record:
    """Convert a study unless it is there, complete and unchanged; whatever goes wrong is in its record.

    Args:
        job: what is the same for all studies.
        study: which one.
        before: what the ledger has of it, with the fields that `Ledger.before` fills.
    """
    start = time.perf_counter()
    record = Record(source=study.source, output=study.output, result=Outcome.FAILED)
    work = _Work(job, study, before)
    try:
        if job.version != __version__:
            hint = "install the same version everywhere"
            raise InputError(f"a worker has inveonimaging {__version__}, expected {job.version}", hint=hint)  # noqa: TRY301
        record = work.done()
    except Exception as error:  # noqa: BLE001 - one bad study stops no other
        record = replace(record, error=error_document(error))
    finished = datetime.now(timezone.utc).isoformat(timespec="seconds")
    return replace(record, seconds=round(time.perf_counter() - start, 3), finished=finished)


def error_document(error: Exception) -> dict[str, Any]:
    """Return an error as a record has it."""
    if isinstance(error, InveonError):
        return {"kind": type(error).__name__, "message": str(error), "path": error.path, "line": error.line}
    if isinstance(error, MemoryError):
        message = "out of memory; fewer --jobs leave more for each"
    elif isinstance(error, OSError):
        message = f"cannot be read or written: {error.strerror or error}"
    else:
        where = extract_tb(error.__traceback__)[-1]
        place = f"{Path(where.filename).name}:{where.lineno}"
        message = f"internal error, please report it: {type(error).__name__}: {error} ({place})"
    path = error.filename if isinstance(error, OSError) else None
    message = printable(message, _LONGEST_MESSAGE)
    return {"kind": type(error).__name__, "message": message, "path": None if path is None else str(path), "line": None}


@dataclass(frozen=True)
class _Files:
    """The pairs of a study, what was found beside them, and what their names, sizes and times come to."""

    pairs: tuple[Pair, ...]
    findings: tuple[Finding, ...]
    stamp: str


class _Work:
    def __init__(self, job: Job, study: Study, before: Record | None) -> None:
        self._job, self._study, self._before = job, study, before
        self._source, self._output = Path(study.source), job.output / study.output
        self._options = replace(job.options, overwrite=True, manifest=True, recursive=True)
        self._plan: StudyPlan | None = None

    def done(self) -> Record:
        """Return the record of the study.

        Raises:
            InveonError: why it cannot be converted.
        """
        until = time.monotonic() + self._job.patience_s
        while True:
            self._plan, files = None, self._files()
            existing = existing_study(self._output)
            is_late = time.monotonic() > until
            if existing is not None and self._is_done(existing, files):
                return self._record(Outcome.SKIPPED, files, existing)
            try:
                if is_late or not is_busy(self._output):
                    return self._converted(files, existing)
            except BusyError:
                if is_late:
                    raise
            time.sleep(_LOOK_S)  # another worker, which was thought dead, has the same study

    @property
    def _rows(self) -> tuple[int, ...]:
        """Rows of the sheet that are about an existing study; the same as before if there is no need of a plan."""
        return self._plan.sheet_values.rows if self._plan else self._before.rows if self._before else ()

    def _files(self) -> _Files:
        with _read():
            if self._study.files:
                return _Files(self._study.pairs, (), stamp(self._study.pairs, self._source))
            folder = scan_folder(self._source)
            if not folder.pairs:
                raise InputError("no Inveon files here any more", path=self._source)
            return _Files(folder.pairs, strays_of(folder, self._options), stamp(folder.pairs, self._source))

    def _planned(self, files: _Files) -> StudyPlan:
        """Read the headers, once."""
        if self._plan is None:
            pairs, findings = files.pairs, files.findings
            if self._study.files:  # from several folders
                with _read():
                    pairs, copies = without_copies(pairs, self._source)
                findings = (*findings, *copies)
            plan = self._animal if self._study.position else plan_pairs
            self._plan = plan(pairs, self._source, self._output, self._options, findings)
        return self._plan

    def _animal(
        self, pairs: Sequence[Pair], source: Path, output: Path, options: Options, findings: tuple[Finding, ...]
    ) -> StudyPlan:
        """Return the study of one animal of a group, whose animals are found, as `inveon split` does."""
        plans = plan_found(pairs, source, options, lambda hotel: [output] * len(hotel.animals), findings)
        position = self._study.position
        for each in plans:
            if each.study.part and each.study.part.position == position:
                return each
        raise InputError(f"no animal is at '{position}' any more", path=source)

    def _is_done(self, existing: ExistingStudy, files: _Files) -> bool:
        """Return whether an existing study is what a conversion would write again."""
        by_digest = self._job.check is Check.DIGEST
        if self._before and self._before.result == Outcome.FAILED:
            return False
        if existing.document["version"] != __version__ or not is_whole(self._output, existing, by_digest=by_digest):
            return False
        before = self._before if self._before and self._before.manifest == existing.sha256 else None
        is_asked = before is not None and before.options == self._job.asked and self._shows_all(before)
        is_known = before is not None and before.files == files.stamp and not by_digest
        if is_known and is_asked:
            return True
        try:
            planned = self._planned(files)
        except InveonError:
            return False
        if not (is_known or is_made_from(existing, planned)):
            return False
        options = self._options  # others than before may make no difference, as far as what was written shows
        is_decidable = options.uids is Uids.CONTENT and not options.fail_on_warnings and not options.refuse_strays
        return is_asked or (is_decidable and is_the_same(existing, planned, options))

    def _shows_all(self, before: Record) -> bool:
        """Return whether equal sums of options are equal options: those of a de-identification do not cover all.

        That the secret is the same is seen from the name that the ledger has for the source.
        """
        options = self._job.options
        is_same_secret = options.deidentify is None or before.made_from == source_name(options, self._study)
        return is_same_secret and not has_hidden(options)

    def _converted(self, files: _Files, existing: ExistingStudy | None) -> Record:
        planned = self._planned(files)
        self._refuse_another(planned, existing)
        convert_planned((planned,), self._output, self._options)
        written = existing_study(self._output)
        if written is None:
            raise OutputError("was removed meanwhile", path=self._output, hint="does another program write here?")
        record = self._record(Outcome.CONVERTED, files, written)
        return self._verified(record, planned) if self._job.verify else record

    def _refuse_another(self, planned: StudyPlan, existing: ExistingStudy | None) -> None:
        """Refuse to replace a study that was made from quite other files.

        Raises:
            OutputError: no scan of the existing study is here, and no earlier batch made it from here.
        """
        here, before = source_name(self._job.options, self._study), self._before
        is_from_here = existing and before and (before.made_from, before.manifest) == (here, existing.sha256)
        if existing and not is_from_here and not has_scan_of(existing, planned):
            hint = "name another OUTPUT, or remove it"
            raise OutputError("has a study of other files", path=self._output, hint=hint)

    def _verified(self, record: Record, planned: StudyPlan) -> Record:
        """Compare what was written with its source; what differs is a failure, though the files stay."""
        from inveonimaging.verification.job import verify_written

        folders = [self._output / str(each.number) for each in planned.series]
        differences = verify_written(self._source, self._output, folders, self._options).all_differences
        if not differences:
            return replace(record, verified=True)
        first = differences[0]
        message = f"{len(differences)} differences from the source, the first: {first.message} [{first.code}]"
        error = {"kind": "Differs", "message": printable(message, _LONGEST_MESSAGE), "path": first.path, "line": None}
        return replace(record, result=Outcome.FAILED, error=error)

    def _record(self, result: Outcome, files: _Files, existing: ExistingStudy) -> Record:
        before = self._before if self._before and self._before.manifest == existing.sha256 else None
        known = before and (before.patient_id, before.study_date)
        patient, date = known if known and any(known) else patient_and_date(self._output, existing)
        return Record(
            source=self._study.source,
            output=self._study.output,
            result=result,
            findings=existing.findings,
            study_instance_uid=existing.document["study_instance_uid"],
            series=existing.series,
            files=files.stamp,
            options=self._job.asked,
            manifest=existing.sha256,
            made_from=self._study.source,
            version=existing.document["version"],
            rows=self._rows,
            patient_id=patient,
            study_date=date,
            verified=result is Outcome.SKIPPED and before is not None and before.verified,
        )


@contextlib.contextmanager
def _read() -> Iterator[None]:
    """Turn the failure to read a file into one line."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", path=error.filename) from error
