"""The bench of hearing: the real core in simulated rooms, closed loop, in simulated time."""
