"""A simulated flat: which of several speakers answers a wake word that all of them hear."""
