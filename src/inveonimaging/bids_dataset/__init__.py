"""BIDS data sets of PET: made, or added to, with the CT beside it."""

from inveonimaging.bids_dataset.job import BidsFile, BidsResult, bids
from inveonimaging.bids_dataset.options import BidsOptions

__all__ = ["BidsFile", "BidsOptions", "BidsResult", "bids"]
