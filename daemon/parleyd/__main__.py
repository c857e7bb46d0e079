"""`python -m parleyd` is the command `parley`."""

from parleyd.cli.main import main

main()
