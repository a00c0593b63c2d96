"""BIDS data sets of PET: made, or added to, with the CT beside it."""
