"""Lock the versions that install.sh installs: one requirement file for each set of packages.

    python3 daemon/requirements/lock.py [--upgrade]

Reads the ranges in pyproject.toml and writes exact versions with the hashes of their files beside
this script. A version that still fits its range is kept; --upgrade takes the newest of each
package. Run all tests with the new versions before you commit the files.

The hashes cover CPython from 3.11 on, on x86_64 and aarch64 with glibc. A source archive is listed
only where a target has no wheel: nothing else may be compiled. Needs Python 3.11 and a network; uv
is installed into a separate environment in the user's cache.
"""

import argparse
import os
import re
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packaging.tags import Tag

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1] / "pyproject.toml"
TOOLS = ("uv==0.13.9", "packaging==26.4")
# in the order of installation; each set adds the packages that the earlier ones lack, but no
# optional set relies on another one
SETS = ("build", "runtime", "plots", "mqtt", "page", "mcp", "test")
OPTIONAL = ("plots", "mqtt", "page", "mcp")
PYTHONS = ("3.11", "3.13")  # of Debian 12 and 13
MACHINES = ("x86_64", "aarch64")
HEAD = """\
# Exact versions that the tests have passed with, for `pip install --require-hashes`.
# Written by daemon/requirements/lock.py; {what}.
"""
WHAT = {
    "build": "the build backend, for packages that have no wheel",
    "runtime": "the daemon",
    "plots": "for the timeline of the demo, besides runtime.txt",
    "mqtt": "for Home Assistant over MQTT, besides runtime.txt",
    "page": "for the page for browsers, besides runtime.txt",
    "mcp": "for MCP servers that Parley calls, besides runtime.txt",
    "test": "for the tests, besides runtime.txt and the optional sets",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest version of each")
    options = parser.parse_args()
    in_own_environment()
    with TemporaryDirectory() as place:
        pins = Path(place) / "pins.txt"
        pins.write_text("" if options.upgrade else "\n".join(pinned()))
        resolve(Path(place), *SETS, output=pins)
        written: set[str] = set()
        optional: set[str] = set()
        for name in SETS:
            locked = Path(place) / "pylock.toml"
            locked.unlink(missing_ok=True)
            resolve(Path(place), name, output=locked, constraints=pins)
            packages = tomllib.loads(locked.read_text())["packages"]
            known = written | optional if name == "test" else written
            new = [package for package in packages if package["name"] not in known]
            text = HEAD.format(what=WHAT[name]) + "".join(block for p in new for block in entry(p))
            (HERE / f"{name}.txt").write_text(text)
            (optional if name in OPTIONAL else written).update(p["name"] for p in new)
            print(f"{name}.txt: {text.count('==')} packages")


def in_own_environment() -> None:
    """Continue this program with the Python that has TOOLS."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    place = cache / f"parley-lock-{sys.version_info.major}.{sys.version_info.minor}"
    python = place / "bin/python"
    if Path(sys.prefix) == place:
        return
    if not python.exists():
        venv.create(place, with_pip=True)
    quiet = ("install", "--quiet", "--disable-pip-version-check")
    subprocess.run([python, "-m", "pip", *quiet, *TOOLS], check=True)
    os.execv(python, [str(python), __file__, *sys.argv[1:]])


def pinned() -> Iterator[str]:
    """Every version that the present files name."""
    for file in HERE.glob("*.txt"):
        yield from re.findall(r"^[\w.-]+==[\w.+!]+", file.read_text(), re.MULTILINE)


def resolve(place: Path, *sets: str, output: Path, constraints: Path | None = None) -> None:
    """Let uv choose a version of everything that the sets need, on every machine."""
    build = place / "build.in"
    build.write_text("\n".join(tomllib.loads(PROJECT.read_text())["build-system"]["requires"]))
    sources: list[Path] = []
    extras: list[str] = []
    for name in sets:
        source = build if name == "build" else PROJECT
        sources += [] if source in sources else [source]
        extras += [] if name in ("build", "runtime") else ["--extra", name]
    command: list[str | Path] = [
        Path(sys.prefix) / "bin/uv",
        "pip",
        "compile",
        "--quiet",
        "--universal",
    ]
    command += ["--python-version", PYTHONS[0], "--no-header", "--no-annotate"]
    command += ["--constraints", constraints] if constraints else []
    subprocess.run([*command, *extras, "--output-file", output, *sources], check=True)


def entry(package: dict[str, Any]) -> Iterator[str]:
    """The lines of one package; none where it is only for systems that Parley does not know."""
    from packaging.markers import Marker
    from packaging.utils import parse_wheel_filename

    name, version, marker = package["name"], package["version"], package.get("marker")
    targets = [(python, machine) for python in PYTHONS for machine in MACHINES]
    wanted = [t for t in targets if marker is None or Marker(marker).evaluate(environment(*t))]
    if not wanted:
        return
    hashes, have = [], set()
    for wheel in package.get("wheels", []):
        tags = parse_wheel_filename(wheel["url"].rsplit("/", 1)[-1])[3]
        have |= {t for t in wanted if any(fits(tag, *t) for tag in tags)}
        if any(of_linux(tag) for tag in tags):
            hashes.append(wheel["hashes"]["sha256"])
    lacking = set(wanted) - have
    if lacking:
        if "sdist" not in package:
            sys.exit(f"{name} {version} has neither a wheel nor a source archive for {lacking}")
        hashes.append(package["sdist"]["hashes"]["sha256"])
    condition = f" ; {marker}" if len(wanted) < len(targets) else ""
    yield " \\\n    ".join(
        [f"{name}=={version}{condition}", *(f"--hash=sha256:{h}" for h in sorted(hashes))]
    )
    yield "\n"


def environment(python: str, machine: str) -> dict[str, str]:
    return {
        "python_version": python,
        "python_full_version": f"{python}.2",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }


def of_linux(tag: "Tag") -> bool:
    """Whether a CPython that pyproject.toml allows may load the wheel, on one of MACHINES."""
    minor = cpython_minor(tag)
    new_enough = minor is None or minor >= 11 or tag.abi == "abi3"
    return new_enough and any(on_machine(tag, machine) for machine in MACHINES)


def fits(tag: "Tag", python: str, machine: str) -> bool:
    minor, wanted = cpython_minor(tag), int(python.split(".")[1])
    runs = minor is None or minor == wanted or (tag.abi == "abi3" and minor <= wanted)
    return runs and on_machine(tag, machine)


def cpython_minor(tag: "Tag") -> int | None:
    """12 for cp312; None where every Python 3 will do, a number that fits nothing for others."""
    found = re.fullmatch(r"cp3(\d+)", tag.interpreter)
    if found and not tag.abi.endswith("t"):  # cp313t has no global lock
        return int(found[1])
    return None if tag.interpreter in ("py3", "py2.py3") else -1


def on_machine(tag: "Tag", machine: str) -> bool:
    return tag.platform == "any" or bool(re.fullmatch(rf"(many)?linux.*_{machine}", tag.platform))


if __name__ == "__main__":
    main()
