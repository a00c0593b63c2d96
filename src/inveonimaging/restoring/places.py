"""Where in its Inveon file each plane of a series lies: which frame of the series, and which slice of the frame."""

from __future__ import annotations

from collections.abc import Sequence

from pydicom import uid

from inveonimaging.dicom_reading.planes import Plane, uid_name
from inveonimaging.dicom_reading.times import number_of
from inveonimaging.errors import InputError, printable
from inveonimaging.inveon.hdr import Frame
from inveonimaging.physics.geometry import Grid

Place = tuple[int, int]
"""Number of the frame in its series, and k of the slice, both from 0."""

_NUMBERED = {
    uid.CTImageStorage,
    uid.PositronEmissionTomographyImageStorage,
    uid.LegacyConvertedEnhancedCTImageStorage,
    uid.LegacyConvertedEnhancedPETImageStorage,
}
_STACKED = {uid.EnhancedCTImageStorage, uid.EnhancedPETImageStorage}
TURNED = uid.NuclearMedicineImageStorage
"""Its columns are reversed where row x column would point towards the feet."""


def place_of(plane: Plane, frames: Sequence[Frame], slices: int, written: Grid) -> Place:
    """Return the place of a plane.

    Args:
        plane: of a series that this program wrote.
        frames: the frame blocks of the series, in the order of the file.
        slices: of a frame.
        written: the grid of the series as its pixels lie.

    Raises:
        InputError: it does not say, or is not an image that Inveon files are converted to.
    """
    sop_class = plane.get("SOPClassUID")
    if sop_class in _NUMBERED:
        number = _whole(plane, "InstanceNumber", plane.get("InstanceNumber"), len(frames) * slices)
        return divmod(number - 1, slices)
    if sop_class in _STACKED:
        frame = _whole(plane, "FrameAcquisitionNumber", plane.get("FrameAcquisitionNumber"), len(frames))
        along = _whole(plane, "InStackPositionNumber", plane.get("InStackPositionNumber"), slices)
    elif sop_class == TURNED:
        frame = _frame_of_nm(plane, frames)
        along = _whole(plane, "SliceVector", plane.vector("SliceVector"), slices)
    else:
        raise InputError(f"is not an image of a scan: {uid_name(sop_class)}", path=plane.file.path)
    return frame - 1, slices - along if written.runs_against_normal else along - 1


def _frame_of_nm(plane: Plane, frames: Sequence[Frame]) -> int:
    """Return the number of the frame, from 1; of gates in one object, in the order of the gates."""
    slot = plane.vector("TimeSlotVector")
    if slot is None:
        return _whole(plane, "AcquisitionNumber", plane.get("AcquisitionNumber"), len(frames))
    order = sorted(range(len(frames)), key=lambda n: frames[n].gate or 0)
    return order[_whole(plane, "TimeSlotVector", slot, len(frames)) - 1] + 1


def _whole(plane: Plane, keyword: str, value: object, most: int) -> int:
    number = number_of(value)
    if number is None or not 1 <= number <= most or number != int(number):
        got = "missing" if value is None else f"'{printable(value, 30)}'"
        raise InputError(f"{keyword} of {plane.name} is {got}", path=plane.file.path, expected=f"1 to {most}")
    return int(number)
