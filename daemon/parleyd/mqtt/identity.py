"""The name of this speaker at the broker, which two speakers never share."""

import hashlib
import hmac
from pathlib import Path

from parleyd.errors import ParleyError

MACHINE_ID = Path("/etc/machine-id")
_KEY = b"parley mqtt"
_DIGITS = 12


def speaker_id(file: Path = MACHINE_ID) -> str:
    """The speaker's name: a hash of the machine's id, which itself must stay private.

    Raises `ParleyError` for a machine without an id. Blocks.
    """
    try:
        machine = file.read_text("ascii").strip()
    except (OSError, UnicodeError) as error:
        raise ParleyError(f"{file} cannot be read ({error}): systemd-machine-id-setup") from None
    if len(machine) != 32:
        raise ParleyError(f"{file} holds no machine id: run systemd-machine-id-setup as root")
    digest = hmac.new(_KEY, machine.encode("ascii"), hashlib.sha256).hexdigest()
    return f"parley_{digest[:_DIGITS]}"
