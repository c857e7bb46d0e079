"""Where Parley keeps its files."""

from collections.abc import Mapping
from pathlib import Path

from parleyd.errors import ParleyError


def state_folder(environ: Mapping[str, str]) -> Path:
    """Where what is to survive a restart is kept: the unit's, or the user's own.

    Raises `ParleyError` for a user without a home.
    """
    if named := environ.get("STATE_DIRECTORY"):
        return Path(named.split(":")[0])
    base = Path(environ.get("XDG_STATE_HOME", ""))
    if not base.is_absolute():  # as the XDG specification wants it
        try:
            base = Path.home() / ".local" / "state"
        except RuntimeError:
            raise ParleyError(
                "this user has no home folder to keep the state in; "
                "set XDG_STATE_HOME to a folder that this user can write"
            ) from None
    return base / "parley"
