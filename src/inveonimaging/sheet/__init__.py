"""Sheets of subjects and scans: what a row says wins over the header. Read, matched, written; knows no DICOM."""
