"""Measures alarms: users that say "stop" into the ringing, and hours of ringing beside others."""
