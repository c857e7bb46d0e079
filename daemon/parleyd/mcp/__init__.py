"""MCP servers that Parley itself calls: each has a child process, which alone imports the SDK.

``child`` runs there; everything else runs in the daemon.
"""
