"""Parley and its peers in the same simulated room, with the same talker and the same server."""
