"""What the app remembers between starts, and what in memory alone."""
