"""The sound card through alsa-lib."""
