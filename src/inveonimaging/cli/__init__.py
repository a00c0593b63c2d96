"""The command `inveon`, one file a sub-command."""
