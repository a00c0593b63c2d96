"""Place, values and time, worked out from headers and stored values by pure functions."""
