"""Host: the adapters between the core and the real device with Linux."""
