"""The control socket: other programs of this machine ask the daemon and follow its events."""
