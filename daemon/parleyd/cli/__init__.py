"""The command line: where core and adapters are put together."""
