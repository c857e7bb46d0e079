"""Boots systemd in a container over a copy-on-write view of this machine, with Parley's units."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHECKOUT, SITE = "/opt/checkout", "/opt/site-packages"
"""Where the container has them: its own /tmp and the units' ProtectHome= hide other places."""
PYTHON = "/opt/parley/venv/bin/python"
WITHIN_S = 240
CONFIG = """\
[audio]
playback = "null"
capture = "null"
boot_chime = false
volume = 40   # Anna's
[realtime]
server = "embedded"
"""
TARGET = """\
[Unit]
Requires=sysinit.target
Wants=dbus.service parley-check.service {units}
AllowIsolate=yes
"""
CHECK = """\
[Unit]
After={units}
[Service]
Type=oneshot
ExecStart=/opt/parley/venv/bin/python /parley-check.py
StandardOutput=file:/parley-told
StandardError=file:/parley-told
ExecStopPost=/bin/systemctl poweroff --force
TimeoutStartSec=180
"""
IN_OWN_NAMESPACE = """\
set -e
mount -t tmpfs parley "$1"
mkdir "$1"/{upper,work,root}
mount -t overlay parley -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
rm -rf "$1"/root/etc/systemd/system/*.wants "$1/root/opt/parley" "$1/root/etc/parley"
cp -a "$2/." "$1/root/"
systemd-nspawn --quiet --register=no --keep-unit --machine=parley-check -D "$1/root" "${@:3}" \\
  --boot systemd.unit=parley-check.target >"$2/console" 2>&1 </dev/null || true
cat "$1/root/parley-told"
"""


def obstacle() -> str:
    """Why no container can be booted here; "" if one can."""
    if os.geteuid() != 0 or shutil.which("systemd-nspawn") is None:
        return "needs root, and systemd-nspawn: apt install systemd-container"
    trial = (
        "mount -t tmpfs t /mnt && mkdir /mnt/u /mnt/w /mnt/r && mount -t overlay o -o lowerdir=/etc"
    )
    command = f"{trial},upperdir=/mnt/u,workdir=/mnt/w /mnt/r"
    told = subprocess.run(["unshare", "-m", "sh", "-c", command], capture_output=True, text=True)
    return f"needs an overlay: {told.stderr.strip()}" if told.returncode else ""


def booted(folder: Path, units: list[str], check: str, files: dict[str, str]) -> str:
    """Boot with these units started; return what the program `check` printed after them.

    `files`: more files, by their paths without the first slash.
    """
    new = folder / "new"
    names = " ".join(units)
    system = "etc/systemd/system"
    _write(new / system / "parley-check.target", TARGET.format(units=names))
    _write(new / system / "parley-check.service", CHECK.format(units=names))
    _write(new / "etc/machine-id", f"{'5' * 32}\n")
    _write(new / "etc/parley/parley.toml", CONFIG)
    _write(new / "parley-check.py", check)
    for name, text in files.items():
        _write(new / name, text)
    for unit in (*(ROOT / "systemd").glob("*.service"), *(ROOT / "systemd").glob("*.socket")):
        shutil.copy(unit, new / system)
    (new / "usr/lib/sysusers.d").mkdir(parents=True)
    shutil.copy(ROOT / "systemd/parley.sysusers", new / "usr/lib/sysusers.d/parley.conf")
    _install(new / "opt/parley/venv")
    (folder / "over").mkdir()
    command = ["unshare", "-m", "bash", "-c", IN_OWN_NAMESPACE, "boot", f"{folder}/over", str(new)]
    command += [f"--bind-ro={ROOT}:{CHECKOUT}", f"--bind-ro={sysconfig.get_path('purelib')}:{SITE}"]
    if (base := str(sysconfig.get_config_var("installed_base"))) != "/usr":
        command.append(f"--bind-ro={base}")
    told = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S)
    console = new / "console"
    return told.stdout or f"{told.stderr}\n{console.read_text(errors='replace')[-3000:]}"


def _install(environment: Path) -> None:
    """Make an environment with the packages of this one, at places that no unit hides."""
    packages = environment / f"lib/python{sysconfig.get_python_version()}/site-packages"
    base = Path(sys.executable).resolve()
    _write(environment / "pyvenv.cfg", f"home = {base.parent}\n")
    _write(packages / "checkout.pth", f"{CHECKOUT}/daemon\n{CHECKOUT}\n{SITE}\n")
    _write(environment / "bin/parley", f"#!{PYTHON}\nfrom parleyd.cli.main import main\n\nmain()\n")
    (environment / "bin/python").symlink_to(base)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    private, program = ("token", "password"), "bin" in path.parts
    path.chmod(0o755 if program else 0o600 if path.name.endswith(private) else 0o644)
