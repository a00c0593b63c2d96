"""Who may use the app, and what it may open: secrets, rules of requests, roots."""
