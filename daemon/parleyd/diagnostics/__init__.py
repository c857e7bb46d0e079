"""What explains Parley to its owner: checks, journal, replay, meter."""
