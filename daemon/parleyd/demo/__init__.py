"""The demo: a conversation in a simulated room, narrated live and measured from its recording."""
