"""The recipes behind every score that the documentation quotes."""
