"""`parley calibrate` without its devices: sweeps, figures of the echoes, and verdicts."""
