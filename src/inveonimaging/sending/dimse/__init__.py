"""DICOM by its own protocol, the upper layer: C-STORE, C-ECHO, and storage commitment."""
