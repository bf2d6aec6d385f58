"""Measurements against peers and published results; each prints a table."""
