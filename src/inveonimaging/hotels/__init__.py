"""Several animals in one scan: which is which, and what contradicts it."""
