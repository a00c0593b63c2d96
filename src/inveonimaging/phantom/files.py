"""Writing the phantom's files: one pair, or the demo's study."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from inveonimaging.errors import OutputError
from inveonimaging.inveon import hdr
from inveonimaging.inveon.hdr import Header
from inveonimaging.inveon.hdr.model import Extra
from inveonimaging.inveon.pairs import HEADER_SUFFIX, Pair
from inveonimaging.phantom import defects as spoil
from inveonimaging.phantom.contents import MOUSE, Contents, contents_of
from inveonimaging.phantom.defects import Defect
from inveonimaging.phantom.dialect import genuine, laid_out
from inveonimaging.phantom.mouse import Mouse
from inveonimaging.phantom.scan import CT_SCAN, PET_SCAN, Scan

STUDY = {
    "mouse_ct1_v1.ct.img": replace(CT_SCAN, genuine=True),
    "mouse_fdg_v1.pet.img": replace(PET_SCAN, genuine=True),
}


def write_scan(
    path: Path,
    scan: Scan,
    *,
    mouse: Mouse = MOUSE,
    defects: Collection[Defect] = (),
    change: Callable[[Header], Header] | None = None,
) -> Pair:
    """Write a scan of a mouse as `NAME.img` and `NAME.img.hdr`.

    Args:
        path: the data file; nothing is overwritten.
        scan: what to write.
        mouse: the truth.
        defects: what is to be wrong, in the order in which it is done.
        change: has the last word on the header before it becomes text.

    Returns:
        The pair of paths, even if a defect is that one of the files is missing.

    Raises:
        OutputError: a file exists or cannot be written.
        OptionError: a defect or the scale factor does not fit the scan, or the scan asks for what does not go together.
        HeaderError: shape or voxel size make no sense, or a text holds a line break.
    """
    pair = Pair(path.with_name(path.name + HEADER_SUFFIX), path)
    scan = spoil.on_scan(scan, defects)
    contents = contents_of(scan, mouse)
    header = _named(contents.header, path.name, scan)
    text = spoil.on_header(_text(change(header) if change else header, scan), defects)
    with _new_file(pair.header) as header_file, _new_file(pair.data) as data_file:
        header_file.write(text)
        _write_frames(data_file, contents, scan)
    with _explained(path):
        spoil.on_files(pair, scan, defects)
    return pair


def write_study(folder: Path, *, mouse: Mouse = MOUSE) -> tuple[Pair, ...]:
    """Write the demo's study into a folder, which is made if it is missing: a CT, and a dynamic FDG PET of an hour.

    Raises:
        OutputError: a file exists or cannot be written.
    """
    with _explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return tuple(write_scan(folder / name, scan, mouse=mouse) for name, scan in STUDY.items())


def _text(header: Header, scan: Scan) -> bytes:
    if not scan.genuine:
        return hdr.write(header, newline=scan.newline)
    return laid_out(hdr.write(genuine(header), newline=scan.newline), scan.newline, scan.encoding)


def _named(header: Header, name: str, scan: Scan) -> Header:
    """Return the header with the data file's name, and its pointers in the form that the scan asks for."""
    if not scan.one_token_pointers:
        return replace(header, file_name=name)
    frames = (
        replace(frame, data_offset=None, extras=(Extra("data_file_pointer", str(frame.data_offset)),))
        for frame in header.frames
    )
    return replace(header, file_name=name, frames=tuple(frames))


def _write_frames(file: BinaryIO, contents: Contents, scan: Scan) -> None:
    """Write frame after frame, plane after plane; what lies between them stays zero."""
    for offset, labels, stored in zip(scan.offsets, contents.labels, contents.stored, strict=True):
        file.seek(offset)
        file.writelines(stored[plane].tobytes() for plane in labels)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """Open a new file for writing; it is taken away again when writing it fails."""
    try:
        file = path.open("xb")
    except FileExistsError as error:
        raise OutputError("exists already and is not overwritten", path=path) from error
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", path=path) from error
    try:
        with _explained(path), file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"cannot be written: {error.strerror}", path=path) from error
