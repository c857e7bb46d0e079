"""Counts phrases that read like a translation. `python -m tests.english` prints them."""
