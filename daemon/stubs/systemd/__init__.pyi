"""The part of systemd-python 235 that Parley uses."""
