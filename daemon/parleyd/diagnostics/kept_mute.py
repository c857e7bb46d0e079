"""Whether the last daemon had to keep the microphone closed, for programs that run without it."""

import time
from collections.abc import Mapping

from parleyd.errors import ParleyError
from parleyd.skills import store
from parleyd.system import atomic_file
from parleyd.system.paths import state_folder


def closed_by_voice(environ: Mapping[str, str]) -> str:
    """Return why the microphone stays closed, or "". Changes no file; blocks for the disk.

    Both clocks count, as for the daemon: the device may have started with a wrong time.
    """
    try:
        path = state_folder(environ) / "skills.json"
        kept = store.parse(atomic_file.read(path, store.LONGEST_FILE))[0]
    except (FileNotFoundError, NotADirectoryError, ParleyError):  # no daemon has run here
        return ""
    except OSError as error:
        return f"whether it was closed by voice cannot be read ({error.strerror}); use sudo"
    since_boot_s = time.clock_gettime(time.CLOCK_BOOTTIME)
    closed = kept.muted_until == store.MUTE_UNKNOWN or kept.muted_until > time.time()
    if closed or (kept.muted_until and kept.muted_ends_s > since_boot_s):
        return "it was closed by voice or command (parley unmute)"
    return ""
