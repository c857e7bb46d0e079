"""A simulated room: talker, air and sound card drive the real core in simulated time."""
