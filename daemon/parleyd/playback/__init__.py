"""Playback of replies and earcons, with an account of how much was heard."""
