"""The checks of `parley doctor` for the folder of user skills: who can change it, and a trial."""

import asyncio
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from parleyd.diagnostics import remedies
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.skills import loading, trust
from parleyd.skills.built_in import BUILT_IN
from parleyd.skills.trust import Untrusted

OWN = Path("/etc/parley/skills")
NOBODY = 65534  # Debian's user and group without rights
CORRECT = "correct the file, then: sudo systemctl reload parleyd"


def skills(folder: Path, owners: Collection[int] | None, own: Path = OWN) -> Iterator[Finding]:
    """Check that only root and `owners` (uids; None: this user) can change the files.

    No file is run. `own`: the folder that remedies may change, because only Parley uses it.
    """
    try:
        trust.check(folder, owners)
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".py")
    except FileNotFoundError:
        yield Finding("skills", Severity.OK, f"there is no {folder}, so there are no user skills")
        return
    except Untrusted as error:
        yield Finding("skills", Severity.FAIL, str(error), _remedy(error, folder, own))
        return
    except OSError as error:
        text = f"{folder} cannot be read ({error.strerror})"
        yield Finding("skills", Severity.FAIL, text, _elsewhere(own))
        return
    bad = False
    for path in paths:
        try:
            trust.check(path, owners)
        except Untrusted as error:
            bad = True
            yield Finding("skills", Severity.FAIL, str(error), _remedy(error, folder, own))
        except OSError as error:
            bad = True
            text = f"{path} cannot be read ({error.strerror})"
            yield Finding("skills", Severity.FAIL, text, "remove it, or replace it with a file")
    if not bad:
        text = f"{folder}: no other user can change its files ({len(paths)})"
        yield Finding("skills", Severity.OK, text)


def loaded(folder: Path) -> Iterator[Finding]:
    """Run the files, as the service does, but as root only under a user without rights.

    Only for a process that ends after it, and after `skills` has found no fault.
    """
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    found = asyncio.run(loading.examine(folder, BUILT_IN))
    for problem in found.problems:
        yield Finding("skills", Severity.FAIL, f"left out: {problem}", CORRECT)
    if found.skills and not found.problems:
        names = ", ".join(skill.name for skill in found.skills)
        yield Finding("skills", Severity.OK, f"loaded: {names}")


def _remedy(error: Untrusted, folder: Path, own: Path) -> str:
    """Return the remedy for this path; it never changes the folders above Parley's folder."""
    place, inside = error.path, folder.resolve()
    if place.is_symlink() or (place != inside and inside not in place.parents):
        return _elsewhere(own)
    if place == inside and inside != own.resolve():
        return _elsewhere(own)
    path = remedies.quoted(place)
    change = f"chown root:root {path}" if error.foreign else f"chmod go-w {path}"
    return f"sudo {change}  # check its content first: other users could change it"


def _elsewhere(own: Path) -> str:
    return f"put the files into {own}, which only root can write, and remove skills.folder"
