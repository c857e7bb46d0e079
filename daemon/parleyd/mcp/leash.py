"""Runs a stdio server's command so that it ends with the child that calls it.

The SDK starts a server in a separate session: after the child was killed, a server that ignores
the end of its input would stay.
"""

import os
import sys

from parleyd.system.parent_death import die_with_parent


def main() -> None:
    """Become the command of the arguments; 127 if it cannot be run."""
    die_with_parent()
    command = sys.argv[1:]
    try:
        os.execvp(command[0], command)
    except OSError:
        os._exit(127)


if __name__ == "__main__":
    main()
