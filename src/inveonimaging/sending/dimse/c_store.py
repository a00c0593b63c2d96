"""C-STORE: items -> a DICOM server, one after the other over one association, from the file as it is."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pynetdicom.dsutils import encode
from pynetdicom.presentation import PresentationContext, build_context
from pynetdicom.status import code_to_category

from inveonimaging.dicom_reading.opening import file_meta_of, inflated, opened
from inveonimaging.errors import InputError, printable
from inveonimaging.sending.dimse.association import MOST_CONTEXTS, Server, connect, echo
from inveonimaging.sending.dimse.messages import Association, Elements, Field, Tag
from inveonimaging.sending.dimse.wire import OVER
from inveonimaging.sending.options import MIB
from inveonimaging.sending.result import Fate, Item, LostError, Verdict
from inveonimaging.sending.status import coded

Pair = tuple[str, str]
"""SOP Class UID and Transfer Syntax UID."""

_CONVERTIBLE = {ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian}  # without touching a value: PS3.5 10.1
_MOST_INFLATED = 512 * MIB
_LOW = 2  # priority: PS3.7 9.1.1.1.6


class Storer:
    """Sends items with C-STORE.

    Args:
        server: to be reached.
        items: all that will be sent; their presentation contexts are negotiated together, 128 at a time.
    """

    def __init__(self, server: Server, items: Sequence[Item]) -> None:
        self._server = server
        self._groups = _groups(items)
        self._association: Association | None = None
        self._negotiated: set[Pair] = set()
        self._is_heard = False  # whether the server ever answered C-STORE
        self._broken = 0

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
        association = self._open((item.sop_class, item.syntax))
        try:
            return [self._store(association, item)]
        except OSError as error:  # of the file; some of it may be on its way
            self._drop()
            return [Verdict(item, Fate.FAILED, f"cannot be read: {error.strerror or error}")]
        except LostError as lost:
            self._drop()
            if self._is_heard:
                raise
            self._broken += 1  # some servers take no C-STORE from a title that they do not know
            unknown = f"does it know the calling AE title {self._server.target.calling}?"
            hint = unknown if lost.reason == OVER else ""
            raise LostError(lost.reason, hint=hint, is_lasting=self._broken > 1) from lost
        except BaseException:
            self._drop()
            raise

    def close(self) -> None:
        """End the association."""
        if self._association is not None:
            self._association.end()
        self._association = None

    def _drop(self) -> None:
        if self._association is not None:
            self._association.drop()
        self._association = None

    def _open(self, pair: Pair) -> Association:
        """Return an association in which the contexts of a pair were negotiated, a new one if need be."""
        association = self._association
        if association is not None and not association.wire.is_quiet:  # the server has ended it meanwhile
            self._drop()
        if self._association is None or pair not in self._negotiated:
            self.close()
            group = next(group for group in self._groups if pair in group)
            self._association = connect(self._server, _contexts(group))
            self._negotiated = set(group)
        return self._association

    def _store(self, association: Association, item: Item) -> Verdict:
        context = association.context_of(item.sop_class, item.syntax)
        if context is not None:
            try:
                _, offset = file_meta_of(item.path)
            except InputError as error:
                return Verdict(item, Fate.FAILED, error.sentence)
            with item.path.open("rb") as file:
                file.seek(offset)
                return self._stored(association, item, context, file, os.fstat(file.fileno()).st_size - offset)
        context = association.context_of(item.sop_class, ImplicitVRLittleEndian)
        if context is None or item.syntax not in _CONVERTIBLE:
            return Verdict(item, Fate.FAILED, _why_refused(item, is_class_taken=context is not None))
        try:
            content = _in_implicit_vr(item.path)
        except InputError as error:
            return Verdict(item, Fate.FAILED, error.sentence)
        return self._stored(association, item, context, io.BytesIO(content), len(content))

    def _stored(self, association: Association, item: Item, context: int, data: BinaryIO, size: int) -> Verdict:
        """Send a data set as it is, part by part."""
        what: Elements = {
            Tag.AFFECTED_CLASS: item.sop_class,
            Tag.AFFECTED_INSTANCE: item.uid,
            Tag.PRIORITY: _LOW,
        }
        answer = association.ask(context, Field.C_STORE, what, data, size)
        self._is_heard = True
        code = answer.number(Tag.STATUS) or 0
        category = code_to_category(code)
        reason = coded("status", code, printable(answer.text(Tag.COMMENT)))
        if category == "Success":
            return Verdict(item, Fate.ACCEPTED)
        if category == "Warning":
            return Verdict(item, Fate.ACCEPTED, f"was accepted with a warning: {reason}")
        return Verdict(item, Fate.FAILED, f"the server refused it: {reason}")


def _in_implicit_vr(path: Path) -> bytes:
    """Return the data set of a file in Implicit VR Little Endian, which changes no value.

    Raises:
        InputError: the file is damaged, or inflates to too much.
    """
    with opened(path) as found:
        if found.inflated_at is None:
            dataset: Dataset = dcmread(path)
        else:
            data = b"".join(inflated(path, found.inflated_at, _MOST_INFLATED + 1))
            if len(data) > _MOST_INFLATED:
                inflates = f"inflates to more than {_MOST_INFLATED // MIB} MiB, and the server wants it inflated"
                raise InputError(inflates, path=path, hint="convert without --compress")
            dataset = read_dataset(io.BytesIO(data), is_implicit_VR=False, is_little_endian=True)
        content = encode(dataset, True, True)
        if content is None:
            raise InputError("is damaged: it cannot be converted to Implicit VR Little Endian", path=path)
        return content


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

    Every server that takes a class takes it in that one (PS3.5 10.1): it shows whether class or syntax is refused.
    """
    fallback = [(sop_class, str(ImplicitVRLittleEndian)) for sop_class, _ in pairs]
    return [build_context(UID(each), UID(syntax)) for each, syntax in dict.fromkeys([*pairs, *fallback])]


def _why_refused(item: Item, *, is_class_taken: bool) -> str:
    name, syntax = named(item.sop_class), named(item.syntax)
    if not is_class_taken:
        return f"the server does not take {name}; let its administrator allow it, or convert to another form (--as)"
    return f"the server does not take {name} in {syntax}; convert without --compress, or let it allow that"


def named(uid: str) -> str:
    """Return the name of a UID of the standard, else the UID."""
    return UID(uid).name
