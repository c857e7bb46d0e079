"""Mutation testing of the core: checks that the tests nearest to each module catch its mutants."""
