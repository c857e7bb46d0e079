"""A miniature checkout: the real install.sh with a package without dependencies.

install.sh calls the real flock, venv, pip and apt-get. Scripts in front of PATH replace
`dpkg-query` and `dpkg`, so that no test installs or needs a Debian package. pip has no index.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

SOURCE = Path(__file__).parents[2]

PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["daemon"]
"""

# PEP 660 in a few lines, so that pip installs the miniature without a network.
BACKEND = """\
import zipfile

NAME = "parleyd-0.1"
METADATA = '''Metadata-Version: 2.1
Name: parleyd
Version: 0.1
Provides-Extra: plots
Provides-Extra: test
'''
WHEEL = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
SCRIPTS = "[console_scripts]\\nparley = parley_stub:main\\n"

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    files = {
        "parleyd.pth": __file__.rsplit("/", 1)[0],
        f"{NAME}.dist-info/METADATA": METADATA,
        f"{NAME}.dist-info/WHEEL": WHEEL,
        f"{NAME}.dist-info/entry_points.txt": SCRIPTS,
    }
    record = f"{NAME}.dist-info/RECORD"
    files[record] = "".join(f"{name},,\\n" for name in [*files, record])
    with zipfile.ZipFile(f"{wheel_directory}/{NAME}-py3-none-any.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return f"{NAME}-py3-none-any.whl"

def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name = build_editable(wheel_directory)
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "a") as wheel:
        stub = __file__.rsplit("/", 1)[0] + "/parley_stub.py"
        wheel.write(stub, "parley_stub.py")
    return name
"""

# Stands in for `parley` and the programs of the gate: prints its call, fails on request.
STUB = """\
import os, sys

def main():
    name = os.path.basename(sys.argv[0]).removesuffix(".py")
    print("ran", name, *sys.argv[1:], flush=True)
    sys.exit(int(name in os.environ.get("FAILING", "").split()))

if __name__ == "__main__":
    main()
"""

ALL_INSTALLED = 'shift 3; printf "installed %s\\n" "$@"'  # dpkg-query -W -f FORMAT PACKAGE...


def script(path: Path, body: str) -> None:
    """Write an executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/bash\n{body}\n")
    path.chmod(0o755)


@dataclass
class Checkout:
    """A directory with install.sh, and the environment to run it."""

    root: Path
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    def machine(self, *, dpkg_query: str = ALL_INSTALLED, architecture: str = "amd64") -> None:
        """Set the answers of `dpkg-query` and `dpkg` about this machine."""
        self.stand_in("dpkg-query", dpkg_query)
        self.stand_in("dpkg", f"echo {architecture}")

    def stand_in(self, command: str, body: str) -> None:
        """Replace a command by a script."""
        script(self.root / "machine" / command, body)

    def run(
        self, *arguments: str, by: tuple[str, ...] = (), **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run install.sh to its end, without stdin."""
        return self.call(*by, str(self.root / "install.sh"), *arguments, **environ)

    def refusal(self, *arguments: str, by: tuple[str, ...] = (), **environ: str) -> str:
        """Run install.sh, which must fail with exactly one line that names the remedy."""
        result = self.run(*arguments, by=by, **environ)
        assert result.returncode == 1, result.stdout + result.stderr
        (line,) = result.stderr.splitlines()
        assert line.startswith("install.sh: ")
        assert "; do: " in line
        return line

    def call(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command in the environment of this checkout."""
        return subprocess.run(
            command,
            cwd="/",
            env={**self.environ, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


def plain_environ(root: Path) -> dict[str, str]:
    """Return this environment without pip's settings and with the stand-ins in front."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    environ |= {
        "PATH": f"{root}/machine:{os.environ['PATH']}",
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "1",
        "PIP_NO_CACHE_DIR": "1",
    }
    environ.pop("PARLEY_PYTHON", None)
    return environ


def new_checkout(root: Path) -> Checkout:
    """Create the miniature in `root`, on a machine with all Debian packages installed."""
    (root / ".ci").mkdir()
    for name in ("install.sh", ".ci/run"):
        shutil.copy(SOURCE / name, root / name)
    (root / "pyproject.toml").write_text(PYPROJECT)
    for name in (
        "build",
        "runtime",
        "plots",
        "mqtt",
        "page",
        "mcp",
        "test",
    ):  # the miniature needs no package
        (root / "daemon/requirements").mkdir(parents=True, exist_ok=True)
        (root / f"daemon/requirements/{name}.txt").write_text("# nothing\n")
    shutil.copytree(SOURCE / "systemd", root / "systemd")
    for name in ("daemon/docs", "hardware"):
        shutil.copytree(SOURCE / name, root / name, ignore=shutil.ignore_patterns("pictures"))
    package = root / "daemon/parleyd"
    (package / "config").mkdir(parents=True)
    for name in ("README.md", "LICENSE", "daemon/parleyd/config/default.toml"):
        shutil.copy(SOURCE / name, root / name)
    shutil.copytree(SOURCE / "daemon/parleyd/config/boards", package / "config/boards")
    (root / "daemon/backend.py").write_text(BACKEND)
    (root / "daemon/parley_stub.py").write_text(STUB)
    script(root / "tests/peers/run", 'echo ran peers "$@"')
    for name in ("ruff", "mypy", "pytest", "coverage", "tests/mutation"):
        (root / f"{name}.py").write_text(STUB)
    checkout = Checkout(root, plain_environ(root))
    checkout.machine()
    return checkout


@pytest.fixture
def checkout() -> Iterator[Checkout]:
    """A separate checkout that other users can access (they cannot access pytest's folders)."""
    with TemporaryDirectory(prefix="parley-install-") as place:
        Path(place).chmod(0o755)
        yield new_checkout(Path(place))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A checkout with a complete .venv, shared by the tests of one module."""
    checkout = new_checkout(tmp_path_factory.mktemp("checkout"))
    result = checkout.run("--demo")
    assert result.returncode == 0, result.stdout + result.stderr
    return checkout
