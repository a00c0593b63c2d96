"""DICOM that this program made, back to the Inveon files that it was made from."""

from inveonimaging.restoring.job import RestoredPair, RestoreResult, restore

__all__ = ["RestoreResult", "RestoredPair", "restore"]
