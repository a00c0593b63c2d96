"""The Inveon files of a scan or of a session in an XNAT archive, which become one study.

    INVEON/NAME.img                          a scan's resource, or the scan with its resource inside
    SCANS/7/INVEON/NAME.img                  a session
    7/resources/INVEON/files/NAME.img        a session, as XNAT packs it for download

Beside them stand other resources of the scans, and XNAT's catalogs of files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from inveonimaging.conversion.options import Options
from inveonimaging.conversion.plan import StudyPlan, plan_pairs, strays_of
from inveonimaging.findings import Finding
from inveonimaging.inveon.pairs import Folder, Pair, no_pairs, scan_folder

_ONLY = ("inveon", "scans")  # where there is a folder of that name, its neighbours are not entered
_CATALOG = "_catalog.xml"  # XNAT writes NAME_catalog.xml into each resource


def plan_archive(source: Path, output: Path, options: Options, own: Collection[Path] = ()) -> StudyPlan:
    """Return the one study that all pairs below a folder of an XNAT archive become.

    Folders without any half of a pair are other resources: what is in them is no stray.

    Args:
        source: the folder of a resource, a scan or a session.
        output: where the study goes.
        options: of the conversion; all folders are entered, whether or not it is `recursive`.
        own: files that are no strays either.

    Raises:
        InveonError: there is no pair, or one cannot be converted.
    """
    pairs, skipped = archived(source, options, own)
    return plan_pairs(pairs, source, output, options, skipped)


def archived(
    source: Path, options: Options, own: Collection[Path] = ()
) -> tuple[tuple[Pair, ...], tuple[Finding, ...]]:
    """Return all pairs below a folder of an XNAT archive, and what was found beside them; as `plan_archive`."""
    folders = [folder for folder in _walk(source) if folder.pairs or folder.orphans]
    nested = replace(options, recursive=True)
    skipped = tuple(finding for folder in folders for finding in strays_of(_without(folder, own), nested))
    pairs = tuple(pair for folder in folders for pair in folder.pairs)
    if not pairs:
        raise no_pairs(source, hint="upload them as a resource named INVEON")
    return pairs, skipped


def _walk(path: Path) -> Iterator[Folder]:
    """Yield the folders that may hold Inveon files; links to folders are not followed."""
    folder = scan_folder(path)
    yield folder
    inside = [each for each in folder.folders if not each.is_symlink()]
    named = ([each for each in inside if each.name.lower() == name] for name in _ONLY)
    for each in next(filter(None, named), inside):
        yield from _walk(each)


def _without(folder: Folder, own: Collection[Path]) -> Folder:
    """Return a folder without XNAT's own files and ours among its strays."""
    strays = (file for file in folder.strays if not file.name.lower().endswith(_CATALOG) and file not in own)
    return replace(folder, strays=tuple(strays))
