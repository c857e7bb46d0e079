"""The embedded server: the realtime protocol on loopback, with offline speech in and out."""
