"""The simulated room: talker, air and sound card, driving the real core in simulated time."""
