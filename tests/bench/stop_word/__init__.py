"""Measures the stop word: users that say it, and hours of answers in which nobody does."""
