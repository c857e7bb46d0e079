"""Long runs: a simulated day of bad manners in minutes, and an hour of real life."""
