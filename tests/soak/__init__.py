"""Long runs: a simulated day of faults in minutes, and an hour in real time."""
