"""The realtime protocol: typed events, the session without I/O, the WebSocket link."""
