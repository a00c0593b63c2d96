"""OME-Zarr stores of a study: one a series, in several resolutions. Nothing is resampled at the finest."""
