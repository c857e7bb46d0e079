"""Runs one part of tests/vm/run in a temporary guest.

    part.py DIR NAME kvm|counted COMMAND

DIR has the installed guest, which mounts DIR/NAME as /host. Exits with 0 if COMMAND succeeds.
"""

import signal
import subprocess
import sys
from pathlib import Path

from guest import Guest, GuestError

WITHIN_S = 4 * 3600.0


def main() -> None:
    """Run the command line."""
    folder, name, time, command = Path(sys.argv[1]), *sys.argv[2:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(f"{name}: stopped, with its guest"))
    share, disk = folder / name, folder / f"{name}.qcow2"
    share.mkdir(exist_ok=True)
    base = ["-b", str(folder / "installed.qcow2"), "-F", "qcow2"]
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *base, str(disk)], check=True)
    kvm = time == "kvm"
    try:
        with Guest(folder, disk, share, kvm=kvm, icount=not kvm) as guest:
            guest.run("bash /root/parley/tests/vm/pi.sh")
            status, _ = guest.attempt(command, within_s=WITHIN_S)
    except GuestError as error:
        sys.exit(f"{name}: {error}")
    finally:
        disk.unlink(missing_ok=True)
    sys.exit(1 if status else 0)


if __name__ == "__main__":
    main()
