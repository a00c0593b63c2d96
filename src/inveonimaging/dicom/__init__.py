"""The DICOM side: encoding, coded concepts, modules, IODs, files."""
