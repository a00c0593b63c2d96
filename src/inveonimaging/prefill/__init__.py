"""A sheet of subjects to fill in, from headers."""
