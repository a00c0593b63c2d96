"""Frame Content (PS3.3 C.7.6.16.2.2), whose attributes depend on frame, slice and both."""

from inveonimaging.dicom.iods.iod import Group
from inveonimaging.dicom.modules.functional_groups import (
    dimension_index_values,
    frame_content_of_frame,
    frame_content_of_slice,
)

FRAME_CONTENT = Group(
    keyword="FrameContentSequence",
    by_frame=(frame_content_of_frame,),
    by_slice=(frame_content_of_slice,),
    by_instance=(dimension_index_values,),
)
