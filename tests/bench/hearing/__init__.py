"""The hearing bench: the real core in simulated rooms, closed loop, in simulated time."""
