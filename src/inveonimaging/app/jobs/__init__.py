"""Jobs: each in a process of its own, one after the other."""
