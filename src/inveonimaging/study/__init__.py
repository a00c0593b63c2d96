"""A study: pairs of files read and checked, with corrections, animal and frames of reference."""
