"""Functional groups whose attributes depend on the slice, or on frame, slice and both."""

from inveonimaging.dicom.iods.iod import Group
from inveonimaging.dicom.modules.functional_groups import (
    dimension_index_values,
    frame_content_of_frame,
    frame_content_of_slice,
    plane_position,
)

FRAME_CONTENT = Group(
    keyword="FrameContentSequence",
    by_frame=(frame_content_of_frame,),
    by_slice=(frame_content_of_slice,),
    by_instance=(dimension_index_values,),
)
PLANE_POSITION = Group(keyword="PlanePositionSequence", by_slice=(plane_position,))
