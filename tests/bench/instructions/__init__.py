"""How many instructions one heartbeat of the core takes, on x86-64 and on a Pi's processor."""
