"""Which planes are the same, where they lie, and which values they have."""
