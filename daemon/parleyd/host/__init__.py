"""Host: the adapters of the real device, between the core and Linux."""
