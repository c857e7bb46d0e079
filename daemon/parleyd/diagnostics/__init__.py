"""Diagnostics for the owner: checks, journal, replay, meter."""
