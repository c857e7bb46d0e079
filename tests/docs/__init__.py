"""The documentation as tests read it: pages, the words of the log, the configuration page."""
