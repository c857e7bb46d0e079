"""The file of a key: plain for root alone, or encrypted where its owner chose that."""

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from parleyd.errors import ParleyError
from parleyd.system import atomic_file
from parleyd.system.child_environment import child_environment

ENCRYPTS_WITHIN_S = 30.0  # a TPM takes a second


@contextlib.contextmanager
def stored(folder: Path, key: tuple[str, str] | None) -> Iterator[list[str]]:
    """Write a key (name and value) aside, and put it into its place if the block succeeds.

    Yields lines for the person, without the key. An encrypted file is replaced by an encrypted one.
    Raises OSError, and `ParleyError` if the key cannot be encrypted.
    """
    if key is None:
        yield []
        return
    file = folder / key[0].lower()
    encrypted = file.with_suffix(".cred")
    if not encrypted.exists():
        with atomic_file.draft(file) as draft:
            draft.write_text(f"{key[1]}\n", "ascii")
            yield [f"the key, in {file}, which only root can read"]
        return
    with atomic_file.draft(encrypted) as draft:
        draft.write_bytes(_encrypted(file.name, key[1], encrypted))
        yield [f"the key, encrypted as before, in {encrypted}"]
    with contextlib.suppress(FileNotFoundError):
        file.unlink()  # a plain one beside it would not reach the service


def _encrypted(name: str, value: str, place: Path) -> bytes:
    command = ["systemd-creds", "encrypt", f"--name={name}", "-", "-"]
    try:
        return subprocess.run(
            command,
            input=value.encode(),
            capture_output=True,
            timeout=ENCRYPTS_WITHIN_S,
            check=True,
            env=child_environment(os.environ),
        ).stdout
    except (OSError, subprocess.SubprocessError):
        raise ParleyError(
            f"{place} is encrypted, and systemd-creds cannot encrypt the new key; nothing is "
            f"saved; for a plain file: sudo rm {place}, then: sudo parley setup"
        ) from None
