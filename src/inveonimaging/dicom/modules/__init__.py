"""The modules of PS3.3, one pure function each: `f(series)` if constant in a series, `f(series, slot)` if not."""
