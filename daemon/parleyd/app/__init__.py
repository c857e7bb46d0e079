"""The composition root: the daemon, its audio thread, and the parts it is made of."""
