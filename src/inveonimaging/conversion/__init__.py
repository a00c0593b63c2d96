"""From files to files: options, plan, output and the job that does it."""

from inveonimaging.conversion.job import convert
from inveonimaging.conversion.options import Options

__all__ = ["Options", "convert"]
