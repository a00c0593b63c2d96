"""DICOM read back, by who checks it; shares nothing with what writes it."""
