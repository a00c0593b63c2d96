"""The Inveon file format: headers, pairs of files, voxels, frame groups. Knows no DICOM."""
