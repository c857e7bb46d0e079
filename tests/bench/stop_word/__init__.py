"""Measures the stop word: users that say it, and hours of answers without the word."""
