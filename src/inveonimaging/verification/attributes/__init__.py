"""What DICOM says of a scan beside what its header says."""
