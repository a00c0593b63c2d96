"""A mouse with a known truth, written as Inveon files in the scanner's own dialect: for the demo and for tests.

`write_study(Path("study"))` writes the demo. A test takes `PET_SCAN`, `CT_SCAN` or `SPECT_SCAN`, changes it with
`dataclasses.replace` (dynamic, gated, several beds, a mu map), and gives it to `write_scan`.
`Mouse().activity([0.0, 2.3, 25.1], 3000, 3600)` is the truth: Bq/mL in the brain, the mean of the last ten minutes.
"""

from inveonimaging.phantom.files import header_of, write_scan, write_study
from inveonimaging.phantom.mouse import Ellipsoid, Exponential, Mouse, Tissue
from inveonimaging.phantom.scan import CT_SCAN, PET_SCAN, SPECT_SCAN, Block, FrameTime, PhantomScan, frames_of

__all__ = [
    "CT_SCAN",
    "PET_SCAN",
    "SPECT_SCAN",
    "Block",
    "Ellipsoid",
    "Exponential",
    "FrameTime",
    "Mouse",
    "PhantomScan",
    "Tissue",
    "frames_of",
    "header_of",
    "write_scan",
    "write_study",
]
