"""The folders of Parley's files."""

from collections.abc import Mapping
from pathlib import Path

from parleyd.errors import ParleyError

INSTALLED_CONFIG = Path("/etc/parley/parley.toml")
"""The configuration of the service; it holds no secrets, and every user may read it."""


def state_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder for state that survives a restart: the unit's, or the user's.

    Raises `ParleyError` for a user without a home folder.
    """
    if named := environ.get("STATE_DIRECTORY"):
        return Path(named.split(":")[0])
    base = Path(environ.get("XDG_STATE_HOME", ""))
    if not base.is_absolute():  # the XDG specification ignores relative paths
        try:
            base = Path.home() / ".local" / "state"
        except RuntimeError:
            raise ParleyError(
                "this user has no home folder for Parley's state; "
                "set XDG_STATE_HOME to a folder that this user can write"
            ) from None
    return base / "parley"
