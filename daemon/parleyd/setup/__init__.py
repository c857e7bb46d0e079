"""The questions of `parley setup`, their files, and the last line of an installation."""
