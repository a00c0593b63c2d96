"""The Inveon header format: text <-> typed, frozen values. Knows neither voxels nor DICOM."""

from inveonimaging.hdr.model import Frame, Header
from inveonimaging.hdr.parse import parse
from inveonimaging.hdr.write import write

__all__ = ["Frame", "Header", "parse", "write"]
