"""Mutants of the core, and whether the tests nearest to each notice it."""
