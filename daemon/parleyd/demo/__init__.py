"""The demo: a conversation in a simulated room, told live and measured from its recording."""
