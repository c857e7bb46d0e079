"""The environment that a child process of Parley gets: an allow list, and never a key.

A key, a credential's folder, a proxy's password or the service manager's socket is of no
use to a child, and everything in an environment can be read in /proc/PID/environ.
"""

from collections.abc import Mapping

ALLOWED = frozenset(
    {
        "PATH", "HOME", "USER", "LOGNAME", "TZ", "TZDIR", "TMPDIR",
        "LANG", "LANGUAGE",
        # The same interpreter finds the same package.
        "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSAFEPATH", "PYTHONUTF8",
        "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "PYTHONUNBUFFERED",
        "PYTHONHASHSEED", "PYTHONFAULTHANDLER", "PYTHONWARNINGS",
        "LD_LIBRARY_PATH",  # a flite that is not where the system looks
        # How many threads a library of linear algebra starts.
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
        "XDG_RUNTIME_DIR", "RUNTIME_DIRECTORY",
    }
)  # fmt: skip
LOCALE = "LC_"  # LC_ALL, LC_TIME and ten more


def child_environment(environ: Mapping[str, str], **more: str) -> dict[str, str]:
    """The allowed part of `environ`, with `more` set over it."""
    kept = {
        name: value for name, value in environ.items() if name in ALLOWED or name.startswith(LOCALE)
    }
    return kept | more
