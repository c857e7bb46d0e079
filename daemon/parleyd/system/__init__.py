"""Small wrappers of the operating system that every adapter may use."""
