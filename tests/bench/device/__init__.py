"""The bench of the device: the installed service on two loopback cards and simulated GPIO pins."""
