"""The command line: thin commands over `app`, `demo` and `diagnostics`."""
