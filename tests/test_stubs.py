"""The type stubs of untyped packages: they match the packages, and mypy uses them."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STUBS = ROOT / "daemon" / "stubs"
PACKAGES = sorted(
    {path.relative_to(STUBS).parts[0].removesuffix(".pyi") for path in STUBS.rglob("*.pyi")}
)
IMPORTED = re.compile(r"^\s*(?:from|import) (\w+)", re.MULTILINE)
INSTALLED = [name for name in PACKAGES if importlib.util.find_spec(name)]

DIFFERENCES = r"""
onnxruntime\.SessionOptions  # the metaclass is pybind11's
gpiozero\.devices\.GPIOMeta\..*  # sets attributes of classes, which the stub names itself
gpiozero\.pins\.lgpio  # imports lgpio, which exists only on a Pi
"""


def test_every_stub_is_of_an_imported_package() -> None:
    sources = [*(ROOT / "daemon/parleyd").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    found = {name for path in sources for name in IMPORTED.findall(path.read_text("utf-8"))}
    assert set(PACKAGES) <= found


def test_mypy_reads_every_stub_and_ignores_no_package() -> None:
    mypy = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["mypy"]
    assert mypy["mypy_path"].split(":")[0] == "daemon/stubs"
    assert mypy["disallow_any_unimported"] is True
    for override in mypy["overrides"]:
        if override.get("ignore_missing_imports") or override.get("follow_imports") == "skip":
            names = override["module"]
            for pattern in [names] if isinstance(names, str) else names:
                assert [name for name in PACKAGES if fnmatch(f"{name}.x", pattern)] == []


@pytest.mark.slow
def test_stubs_agree_with_the_installed_packages(tmp_path: Path) -> None:
    """`stubtest` imports each package and compares names, kinds and parameters."""
    assert {"alsaaudio", "gpiozero", "systemd"} <= set(INSTALLED)
    allowed = tmp_path / "allowed"
    allowed.write_text(DIFFERENCES)
    command = [sys.executable, "-m", "mypy.stubtest", "--ignore-missing-stub", "--concise"]
    checked = subprocess.run(
        [*command, "--ignore-unused-allowlist", "--allowlist", str(allowed), *INSTALLED],
        cwd=ROOT,
        env={"MYPYPATH": str(STUBS)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
