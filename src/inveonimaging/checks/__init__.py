"""Problems in Inveon files and in DICOM, and whether an SUV can be computed: looked at, never changed.

Imports nothing that writes DICOM, so that it can judge what is written.
"""
