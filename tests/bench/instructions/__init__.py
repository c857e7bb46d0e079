"""Instructions that one period of the core takes, on x86-64 and on a Pi's processor."""
