"""What the images of one animal were cut from: the instances that a conversion of the whole group has.

They need not be there: UIDs are made from the content, so that whoever converts the same files with the same options
gets them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from inveonimaging.conversion.options import Options, Uids
from inveonimaging.conversion.plan import SeriesPlan, StudyPlan
from inveonimaging.conversion.summary import digest_of
from inveonimaging.conversion.uids import StudyNames
from inveonimaging.dicom.iods import MultiFrameIod
from inveonimaging.dicom.series import CutFrom, SourceImage
from inveonimaging.errors import DataError
from inveonimaging.storage.digest import sha256_of


def sources_of(study: StudyPlan, digests: Mapping[Path, str], options: Options) -> Sources | None:
    """Return what names the sources of a study that is cut from another.

    None for a study that is not cut, for UIDs that are random, and where the group cannot be converted.

    Args:
        study: the part.
        digests: SHA-256 of data files that were read.
        options: of the conversion.

    Raises:
        DataError: another data file of the group cannot be read.
    """
    if study.whole is None or options.uids is Uids.RANDOM:
        return None
    known = dict(digests)
    names = []
    for each in study.whole.series:
        path = each.image.source.path
        if path not in known:
            known[path] = _sha256(path)
        names.append(digest_of(each.image, known[path]))
    return Sources(study.whole, StudyNames(study.whole, names, options))


class Sources:
    """The instances of a group."""

    def __init__(self, whole: StudyPlan, named: StudyNames) -> None:
        self._series = {each.number: each for each in whole.series}
        self._named = named

    def of_series(self, part: SeriesPlan, steps: Sequence[int]) -> CutFrom | None:
        """Return what a series was cut from; None if the group has no such series.

        Args:
            part: a series that is cut.
            steps: the place of each of its frames in the order of time, or of gates.
        """
        whole = self._series.get(part.number)
        if whole is None:
            return None
        grid, first = whole.image.grid, part.image.source.first[0]
        slices, sop_class = grid.shape[2], whole.iod.sop_class
        study, series = self._named.study.uid, self._named.series(whole)
        if not isinstance(whole.iod, MultiFrameIod):
            uid_of = self._named.single_frames(whole)
            return CutFrom(study, series, lambda f, k: SourceImage(sop_class, uid_of(f * slices + first + k + 1)))
        objects = self._named.multi_frames(whole, series)
        longest = len(objects[0].slices)
        turns = whole.iod.points_to_head and grid.points_to_feet
        runs_against = (grid.with_columns_reversed() if turns else grid).runs_against_normal

        def image_of(frame: int, k: int) -> SourceImage:
            along = slices - 1 - first - k if runs_against else first + k
            at, within = divmod(steps[frame] * slices + along, longest)
            return SourceImage(sop_class, objects[at].uid, within + 1)

        return CutFrom(study, series, image_of)


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", path=path) from error
