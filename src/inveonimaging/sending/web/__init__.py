"""DICOM by HTTP: STOW-RS, and who is asked there."""
