"""The pages: choose, look, correct, make, results, many studies, sending."""
