"""The environment of Parley's child processes: an allow list, and never a key.

A child does not need a key, a credential's folder, a proxy's password or the service manager's
socket, and /proc/PID/environ exposes a process's whole environment.
"""

from collections.abc import Mapping

ALLOWED = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "TZ", "TZDIR", "TMPDIR",
        "LANG", "LANGUAGE",
        # the child must run the same interpreter and find the same package
        "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSAFEPATH", "PYTHONUTF8",
        "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONUNBUFFERED",
        "PYTHONHASHSEED", "PYTHONFAULTHANDLER", "PYTHONWARNINGS",
        "LD_LIBRARY_PATH",  # for a flite outside the system's library folders
        # the number of threads that a linear-algebra library starts
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
        "XDG_RUNTIME_DIR", "RUNTIME_DIRECTORY",
        "QEMU_CPU",  # the processor that qemu-user emulates: of its default one, trixie's Python
        # uses instructions that make it thirty times as slow
    }
)  # fmt: skip
LOCALE = "LC_"  # LC_ALL, LC_TIME and ten more


def child_environment(environ: Mapping[str, str], **more: str) -> dict[str, str]:
    """Return the allowed part of `environ`, overridden by `more`."""
    kept = {
        name: value for name, value in environ.items() if name in ALLOWED or name.startswith(LOCALE)
    }
    return kept | more
