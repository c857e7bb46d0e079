"""python -m tests.bench.instructions: the cost of one period in instructions.

Time on a shared machine does not predict time on a Pi. Instruction counts do not depend on
load, and the cycles per instruction of a known processor are known within a factor of two.
QEMU's user emulation runs the core and counts its instructions: as x86-64, and as aarch64 in
an environment made by install.sh (tests/install/arm64). Needs gcc, flite and
`apt-get install qemu-user`; entering the arm64 system needs root. Takes about five minutes.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import parleyd
from tests.bench.instructions import tables, tape

HERE = Path(__file__).parent
INSIDE = HERE.parents[2] / "daemon/packaging/inside"
ROOT = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "parley-arm64"
PI_PYTHON = "/opt/parley/venv/bin/python"
BUILT_IN = "/var/tmp/count"  # folder of this bench in the arm64 system
PI_CPUS = ("cortex-a72", "cortex-a53")  # of the Pi 4 and the Zero 2 W
SAME_EVERY_RUN = {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="parley-count-") as place:
        folder = Path(place)
        folder.chmod(0o755)
        tape.record(folder / "tape", options.ticks)
        plugin = _plugin(folder)
        native = tables.timed(_replay([], folder))
        counts = {"x86-64": _on_x86(plugin, folder)}
        if options.root.exists():
            counts |= {cpu: _on_arm(cpu, plugin, folder, options.root) for cpu in PI_CPUS}
        else:
            print(f"{options.root} does not exist: run tests/install/arm64 first", file=sys.stderr)
    tables.show(native, [tables.counted(cpu, each, options.ticks) for cpu, each in counts.items()])
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m tests.bench.instructions")
    parser.add_argument(
        "--ticks", type=int, default=500, help="periods to count in each state, idle and speaking"
    )
    parser.add_argument(
        "--root", type=Path, default=ROOT / "bookworm-offline", help="a system that contains Parley"
    )
    return parser.parse_args()


def _plugin(folder: Path) -> Path:
    """Compile count.c for the installed emulator."""
    for tool in ("qemu-x86_64", "qemu-aarch64", "gcc"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing: apt-get install qemu-user gcc")
    told = subprocess.check_output(["qemu-x86_64", "--version"], text=True)
    major = int(told.split("version ")[1].split(".")[0])
    plugin = folder / "count.so"
    interface = 1 if major < 9 else 2  # the oldest interface that this QEMU accepts
    compiler = ("gcc", "-O2", "-shared", "-fPIC", f"-DPLUGIN_VERSION={interface}")
    subprocess.run([*compiler, HERE / "count.c", "-o", plugin], check=True)
    return plugin


def _replay(emulator: list[str], folder: Path) -> str:
    command = [*emulator, sys.executable, str(HERE / "replay.py"), str(folder / "tape")]
    environ = {**os.environ, **SAME_EVERY_RUN}
    return subprocess.check_output(command, env=environ, text=True)


def _on_x86(plugin: Path, folder: Path) -> str:
    counts = folder / "x86-64"
    emulator = ["qemu-x86_64", "-cpu", "max", "-plugin", f"{plugin},out={counts}"]
    _replay(emulator, folder)
    return counts.read_text()


def _on_arm(cpu: str, plugin: Path, folder: Path, root: Path) -> str:
    """Run this checkout's Parley in the arm64 environment, under the host's emulator."""
    there = root / BUILT_IN.lstrip("/")
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir(parents=True)
    for file in (plugin, folder / "tape", HERE / "replay.py"):
        shutil.copy(file, there)
    shutil.copytree(Path(parleyd.__file__).parent, there / "parleyd")
    _with_libraries(str(shutil.which("qemu-aarch64")), there)
    emulator = (f"{BUILT_IN}/ld.so", "--library-path", BUILT_IN, f"{BUILT_IN}/qemu-aarch64")
    environ = (word for item in SAME_EVERY_RUN.items() for word in ("-E", "=".join(item)))
    subprocess.run(
        [
            *(INSIDE, root, *emulator, "-cpu", cpu, *environ),  # type: ignore[list-item]
            *("-plugin", f"{BUILT_IN}/count.so,out={BUILT_IN}/counts"),
            *(PI_PYTHON, f"{BUILT_IN}/replay.py", f"{BUILT_IN}/tape"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OFFLINE": "yes"},
    )
    counts = (there / "counts").read_text()
    shutil.rmtree(there)
    return counts


def _with_libraries(program: str, there: Path) -> None:
    """Copy a program of the host with its loader and libraries."""
    shutil.copy(program, there)
    for line in subprocess.check_output(["ldd", program], text=True).splitlines():
        path = next((word for word in line.split() if word.startswith("/")), None)
        if path:
            shutil.copy(path, there / ("ld.so" if "ld-linux" in path else Path(path).name))


if __name__ == "__main__":
    sys.exit(main())
