"""What each command does, as a function: it takes paths and options, returns a result, and prints nothing."""
