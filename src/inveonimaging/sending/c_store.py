"""C-STORE: items -> a DICOM server, one after the other over one association, from the file as it is."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import count

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom import _config
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.status import code_to_category

from inveonimaging.errors import printable
from inveonimaging.sending.association import MOST_CONTEXTS, OVER, Link, Server, connect, echo
from inveonimaging.sending.result import Fate, Item, LostError, Verdict
from inveonimaging.sending.status import coded

Pair = tuple[str, str]
"""SOP Class UID and Transfer Syntax UID."""

_CONVERTIBLE = {ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian}  # without touching a value: PS3.5 10.1
_LAST_ID = 65535


class Storer:
    """Sends items with C-STORE.

    Args:
        server: to be reached.
        items: all that will be sent; their presentation contexts are negotiated together, 128 at a time.
    """

    def __init__(self, server: Server, items: Sequence[Item]) -> None:
        self._server = server
        self._groups = _groups(items)
        self._link: Link | None = None
        self._negotiated: set[Pair] = set()
        self._is_heard = False  # whether the server ever answered C-STORE
        self._broken = 0
        self._ids = count(1)

    def batches(self, items: Sequence[Item]) -> Iterator[list[Item]]:
        """Yield what is sent at a time: one item, those of one association together."""
        order = {pair: number for number, group in enumerate(self._groups) for pair in group}
        for item in sorted(items, key=lambda item: order[item.sop_class, item.syntax]):
            yield [item]

    def check(self) -> None:
        """Ask the server whether it is there; as `connect`."""
        echo(self._server)

    def send(self, batch: Sequence[Item]) -> list[Verdict]:
        """Send one item.

        Raises:
            LostError: the server was lost on the way; it is not known whether it has the item.
            TargetError: the server does not want this side at all.
        """
        (item,) = batch
        link = self._open((item.sop_class, item.syntax))
        try:
            return [self._store(link.association, item)]
        except OSError as error:  # of the file; some of it may be on its way
            self._drop()
            return [Verdict(item, Fate.FAILED, f"cannot be read: {error.strerror or error}")]
        except LostError as lost:
            self._drop()
            if self._is_heard:
                raise
            self._broken += 1  # some servers take no C-STORE from a title that they do not know
            hint = f"does it know the calling AE title {self._server.target.calling}?"
            raise LostError(lost.reason, hint=hint, is_lasting=self._broken > 1) from lost
        except BaseException:
            self._drop()
            raise

    def close(self) -> None:
        """End the association."""
        if self._link is not None:
            self._link.end()
        self._link = None

    def _drop(self) -> None:
        if self._link is not None:
            self._link.drop()
        self._link = None

    def _open(self, pair: Pair) -> Link:
        """Return an association in which the contexts of a pair were negotiated, a new one if need be."""
        link = self._link
        is_over = link is not None and not link.is_established and bool(link.association.accepted_contexts)
        if link is None or pair not in self._negotiated or is_over:
            self.close()
            group = next(group for group in self._groups if pair in group)
            link = self._link = connect(self._server, _contexts(group))
            self._negotiated = set(group)
        return link

    def _store(self, association: Association, item: Item) -> Verdict:
        accepted = {(str(each.abstract_syntax), str(each.transfer_syntax[0])) for each in association.accepted_contexts}
        if (item.sop_class, item.syntax) in accepted:
            return self._stored(association, item, None)
        if item.syntax in _CONVERTIBLE and (item.sop_class, str(ImplicitVRLittleEndian)) in accepted:
            try:
                dataset = dcmread(item.path)
            except Exception as error:  # noqa: BLE001 - pydicom raises all sorts of errors for damaged files
                return Verdict(item, Fate.FAILED, f"is damaged: {error}")
            return self._stored(association, item, dataset)
        return Verdict(item, Fate.FAILED, _why_refused(item, accepted))

    def _stored(self, association: Association, item: Item, dataset: Dataset | None) -> Verdict:
        """Send a dataset, or else the file's bytes part by part, without decoding them."""
        number = next(self._ids) % _LAST_ID + 1
        before, _config.STORE_SEND_CHUNKED_DATASET = _config.STORE_SEND_CHUNKED_DATASET, dataset is None
        try:
            status = association.send_c_store(item.path if dataset is None else dataset, msg_id=number)
        except (RuntimeError, ValueError, AttributeError) as error:
            if not association.is_established:
                raise LostError(OVER) from error
            return Verdict(item, Fate.FAILED, f"cannot be sent: {error}")
        finally:
            _config.STORE_SEND_CHUNKED_DATASET = before
        if "Status" not in status:
            raise LostError("broke off the connection, or gave no answer in time")
        self._is_heard = True
        code = int(status.Status)
        category = code_to_category(code)
        reason = coded("status", code, printable(status.get("ErrorComment") or ""))
        if category == "Success":
            return Verdict(item, Fate.ACCEPTED)
        if category == "Warning":
            return Verdict(item, Fate.ACCEPTED, f"was accepted with a warning: {reason}")
        return Verdict(item, Fate.FAILED, f"the server refused it: {reason}")


def _groups(items: Sequence[Item]) -> list[list[Pair]]:
    """Return the kinds of items, so many together as one association can negotiate."""
    groups: list[list[Pair]] = [[]]
    for pair in dict.fromkeys((item.sop_class, item.syntax) for item in items):
        if len(_contexts([*groups[-1], pair])) > MOST_CONTEXTS:
            groups.append([])
        groups[-1].append(pair)
    return groups


def _contexts(pairs: Sequence[Pair]) -> list[PresentationContext]:
    """Return a context for each pair, and one in Implicit VR Little Endian for each class.

    Every server that takes a class takes it in that one (PS3.5 10.1): it tells a class from a syntax that is refused.
    """
    fallback = [(sop_class, str(ImplicitVRLittleEndian)) for sop_class, _ in pairs]
    return [build_context(UID(each), UID(syntax)) for each, syntax in dict.fromkeys([*pairs, *fallback])]


def _why_refused(item: Item, accepted: Collection[Pair]) -> str:
    name, syntax = named(item.sop_class), named(item.syntax)
    if (item.sop_class, str(ImplicitVRLittleEndian)) not in accepted:
        return f"the server does not take {name}; let its administrator allow it, or convert to another form (--as)"
    return f"the server does not take {name} in {syntax}; convert without --compress, or let it allow that"


def named(uid: str) -> str:
    """Return the name of a UID of the standard, else the UID."""
    return UID(uid).name
