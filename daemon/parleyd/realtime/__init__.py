"""The realtime protocol: typed events, the session without I/O, and the WebSocket connection."""
