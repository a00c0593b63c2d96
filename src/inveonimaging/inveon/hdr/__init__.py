"""The Inveon header format: text <-> typed, frozen values. Knows neither voxels nor DICOM."""

from inveonimaging.inveon.hdr.model import Frame, Header
from inveonimaging.inveon.hdr.parse import parse
from inveonimaging.inveon.hdr.write import write

__all__ = ["Frame", "Header", "parse", "write"]
