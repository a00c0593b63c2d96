"""NIfTI files of a study: one a series, with its times beside it. Nothing is resampled."""
