"""Files and a target -> what the server has. Nothing is changed but the journal, if one is asked for."""

from __future__ import annotations

import contextlib
import os
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from inveonimaging.errors import InveonError, OptionError, TargetError
from inveonimaging.extras import refuse_without_extra
from inveonimaging.progress import Progress, no_progress
from inveonimaging.sending.files import survey
from inveonimaging.sending.journal import SendProgress, opened, refuse_among_input
from inveonimaging.sending.options import SendOptions
from inveonimaging.sending.result import Failure, Fate, Item, LostError, SendResult, Verdict
from inveonimaging.sending.target import DicomTarget, Target, WebTarget, target_of

_LONGEST_WAIT_S = 30.0
_MOST_BROKEN = 3  # items, one after the other, that each broke the connection again and again


class Carrier(Protocol):
    """A way to a server."""

    def batches(self, items: Sequence[Item]) -> Iterable[list[Item]]:
        """Return what is sent at a time."""

    def check(self) -> None:
        """Find out whether the server is there and lets us in; TargetError, LostError."""

    def send(self, batch: Sequence[Item]) -> list[Verdict]:
        """Send what is sent at a time; TargetError, LostError."""

    def close(self) -> None:
        """End the connection."""


Way = tuple[Callable[[Sequence[Item]], Carrier], Callable[[Sequence[Item]], Iterator[Verdict]] | None]
"""What makes the carrier of items, and what asks the server to commit, if it is asked."""


@dataclass(frozen=True)
class Sending:
    """What would be sent, and where to.

    Attributes:
        target: where to.
        options: how.
        items: the files.
        failures: files that cannot be sent.
        again: number of files that occur twice, and are sent once.
    """

    target: Target
    options: SendOptions
    items: tuple[Item, ...]
    failures: tuple[Failure, ...]
    again: int
    way: Way


def send(
    paths: Iterable[str | os.PathLike[str]],
    target: str,
    options: SendOptions | None = None,
    progress: Progress = no_progress,
    environment: Mapping[str, str] | None = None,
) -> SendResult:
    """Send DICOM files, and all DICOM files below folders, to a server.

    Args:
        paths: files and folders.
        target: `dicom://CALLING@CALLED:host:port` or `https://host/dicom-web`.
        options: how.
        progress: is called with how many instances are done.
        environment: variables with credentials, instead of the process's.

    Returns:
        what became of each file. Files that the server refuses are no error.

    Raises:
        OptionError: the target or an option makes no sense, or the extra `send` is missing.
        InputError: there is no DICOM file.
        TargetError: the server cannot be reached, or does not want us; nothing was sent.
        OutputError: the journal cannot be written or is another's.
    """
    return send_planned(plan_sending(paths, target, options, environment), progress)


def plan_sending(
    paths: Iterable[str | os.PathLike[str]],
    target: str,
    options: SendOptions | None = None,
    environment: Mapping[str, str] | None = None,
    progress: Progress = no_progress,
) -> Sending:
    """Look at all that can be looked at without the server; as `send`, but `progress` is that of looking."""
    options = options or SendOptions()
    paths = tuple(paths)
    goal = target_of(target)
    way = way_to(goal, options, os.environ if environment is None else environment)
    if options.journal is not None:
        refuse_among_input(options.journal, paths)
    items, failures, again = survey(paths, progress)
    return Sending(goal, options, items, failures, again, way)


def send_planned(planned: Sending, progress: Progress = no_progress) -> SendResult:
    """Send what was looked at; as `send`."""
    start = time.monotonic()
    options = planned.options
    with contextlib.ExitStack() as stack:
        stack.enter_context(_quiet())
        journal = stack.enter_context(opened(options.journal, str(planned.target))) if options.journal else None
        ledger = SendProgress(journal, failures=list(planned.failures))
        left = ledger.left(planned.items, is_commitment_asked=options.is_commitment_asked)
        stopped = _send(planned, left, ledger, progress) if left else ""
        stopped = stopped or _commit(planned, ledger)
    return SendResult(
        target=str(planned.target),
        files=len(planned.items) + len(planned.failures) + planned.again,
        accepted=len(ledger.accepted),
        skipped=len(ledger.skipped) + planned.again,
        bytes=sum(item.size for item in ledger.accepted),
        seconds=time.monotonic() - start,
        committed=ledger.committed if options.is_commitment_asked else None,
        failures=tuple(ledger.failures),
        warnings=tuple(ledger.warnings),
        unsent=tuple(str(item.path) for item in left if item.uid not in ledger.answered),
        stopped=stopped,
    )


def way_to(target: Target, options: SendOptions, environment: Mapping[str, str]) -> Way:
    """Return the way to a target; nothing is sent yet.

    Raises:
        OptionError: a package that sends is missing; certificates, keys or credentials are not what they must be; an
            option is not one of the target.
    """
    refuse_without_extra("sending", "send", {"pynetdicom": "pynetdicom", "requests": "requests"})
    return _dimse(target, options) if isinstance(target, DicomTarget) else _web(target, options, environment)


def _dimse(target: DicomTarget, options: SendOptions) -> Way:
    from inveonimaging.sending.dimse.association import Server
    from inveonimaging.sending.dimse.c_store import Storer
    from inveonimaging.sending.dimse.commitment import commit
    from inveonimaging.sending.tls import context_of, listening_context

    tls = (context_of(options), options.tls_name or target.host) if options.is_encrypted else None
    server = Server(target, tls, options.timeout_s)
    if not options.is_commitment_asked:
        return partial(Storer, server), None
    listening = listening_context(options) if tls and options.commit_port is not None else None
    return partial(Storer, server), partial(commit, server, options.commit_port, listening)


def _web(target: WebTarget, options: SendOptions, environment: Mapping[str, str]) -> Way:
    from inveonimaging.sending.tls import context_of
    from inveonimaging.sending.web.credentials import credentials_for
    from inveonimaging.sending.web.stow_rs import Stower

    if options.is_commitment_asked:
        raise OptionError("DICOMweb has no storage commitment", hint="a dicom:// target has")
    if options.tls_name:
        raise OptionError("--tls-name is for dicom:// targets")
    if options.is_encrypted and not target.is_encrypted:
        raise OptionError("TLS is asked for, and the target is http://", hint="give an https:// address")
    if options.is_encrypted:
        context_of(options)  # its files are what they must be
    credentials = credentials_for(target, environment, plain=options.plain_credentials)
    return lambda _items: Stower(target, credentials, options, environment), None


def try_target(target: str, options: SendOptions | None = None, environment: Mapping[str, str] | None = None) -> Target:
    """Ask a server whether it is there and lets us in: C-ECHO, or a search for one study; nothing is sent.

    Raises:
        OptionError: as `send`.
        TargetError: it is not there, or does not want us.
    """
    goal = target_of(target)
    way = way_to(goal, options or SendOptions(), os.environ if environment is None else environment)
    with _quiet(), contextlib.closing(way[0](())) as carrier:
        _check(carrier, goal)
    return goal


def _check(carrier: Carrier, target: Target) -> None:
    try:
        carrier.check()
    except LostError as lost:
        raise TargetError(lost.reason, path=str(target)) from lost


def _send(planned: Sending, left: Sequence[Item], ledger: SendProgress, progress: Progress) -> str:
    """Send items; return why it stopped before the end, if it did."""
    carrier = planned.way[0](left)
    try:
        _check(carrier, planned.target)
        try:
            for verdict in _deliver(carrier, left, planned.options, ledger.prepare):
                ledger.add(verdict)
                progress(len(ledger.answered), len(left))
        except (LostError, TargetError) as error:
            return error.reason if isinstance(error, LostError) else error.message or ""
    finally:
        carrier.close()
    return ""


def _deliver(
    carrier: Carrier, items: Sequence[Item], options: SendOptions, before: Callable[[Sequence[Item]], None]
) -> Iterator[Verdict]:
    """Send items; yield what became of each as soon as it is known, each once.

    Args:
        carrier: the way.
        items: what is sent.
        options: how often and how soon to try again.
        before: is called with what is sent next.

    Raises:
        LostError: the server does not come back. What was not yielded was not sent, or it is not known.
        TargetError: the server does not want us any more; likewise.
    """
    waiting = deque(carrier.batches(items))
    tries = broken = 0
    while waiting:
        batch = waiting[0]
        before(batch)
        try:
            verdicts = carrier.send(batch)
        except LostError as lost:
            tries += 1
            if tries <= options.retries and not lost.is_lasting:
                time.sleep(max(lost.wait_s, min(options.first_wait_s * 2 ** (tries - 1), _LONGEST_WAIT_S)))
                continue
            broken += 1
            if lost.while_connecting or broken == _MOST_BROKEN:
                raise LostError("; ".join(filter(None, (lost.reason, lost.hint)))) from lost
            reason = lost.reason + (f", {tries} times" if tries > 1 else "")
            failed = Verdict(batch[0], Fate.FAILED, "; ".join(filter(None, (reason, lost.hint))))
            # of several items it is not known which one breaks the connection
            verdicts = [failed] if len(batch) == 1 else [Verdict(item, Fate.UNDECIDED) for item in batch]
        else:
            broken = 0
        tries = 0
        waiting.popleft()
        waiting.extendleft([each.item] for each in reversed(verdicts) if each.fate is Fate.UNDECIDED)
        yield from (each for each in verdicts if each.fate is not Fate.UNDECIDED)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep pydicom's warnings back, of what a server answers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _commit(planned: Sending, ledger: SendProgress) -> str:
    """Ask the server to commit; return why not all was asked or answered, if so."""
    ask = planned.way[1]
    if ask is None or not ledger.to_commit:
        return ""
    try:
        for verdict in ask(ledger.to_commit):
            ledger.add_commitment(verdict)
    except LostError as lost:
        return f"no commitment: {lost.reason}"
    except InveonError as error:
        return f"no commitment: {', '.join(filter(None, (error.message, error.hint)))}"
    return ""
