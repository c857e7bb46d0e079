"""Parley: a smart-speaker daemon that can be interrupted in mid-sentence."""

__version__ = "0.1.0"
