"""DICOM compared with the Inveon files that it was made from, with a reader of its own.

Nothing here shares code with what writes DICOM: the source is read as everything else reads it, and what is true of it
is worked out again.
"""

from inveonimaging.verification.job import verify
from inveonimaging.verification.result import Agreement, Check, Difference, Kind, SeriesCheck, StudyCheck, Verification

__all__ = [
    "Agreement",
    "Check",
    "Difference",
    "Kind",
    "SeriesCheck",
    "StudyCheck",
    "Verification",
    "verify",
]
