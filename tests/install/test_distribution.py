"""The source archive and the wheel: complete, of one version, and able to run the demo.

The tests use the dependencies of this environment; tests/test_requirements.py checks that the
declared ones are complete. tests/install/arm64 and tests/install/debs install from an index.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from parleyd import __version__

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[2]
SDIST = "import setuptools.build_meta as b, sys; b.build_sdist(sys.argv[1])"
OFFLINE = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check")


def run(*command: str | Path, cwd: Path) -> str:
    environ = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    result = subprocess.run(
        command, cwd=cwd, env=environ, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def build_wheel(source: Path, out: Path) -> Path:
    run(sys.executable, "-m", "pip", "wheel", *OFFLINE, "--wheel-dir", out, source, cwd=out)
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that a build needs, as a build leaves folders behind."""
    place = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(SOURCE / name, place)
    left_out = shutil.ignore_patterns("*.egg-info", "__pycache__")
    for name in ("daemon", "hardware", "systemd"):
        shutil.copytree(SOURCE / name, place / name, ignore=left_out)
    return place


@pytest.fixture(scope="module")
def sdist(source: Path) -> Path:
    run(sys.executable, "-c", SDIST, "dist", cwd=source)
    (archive,) = (source / "dist").glob("*.tar.gz")
    return archive


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_wheel(source, tmp_path_factory.mktemp("wheel"))


def files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_wheel_has_exactly_the_files_of_the_package(wheel: Path, source: Path) -> None:
    package = source / "daemon/parleyd"
    ours = {f"parleyd/{p.relative_to(package)}" for p in package.rglob("*") if p.is_file()}
    held = {name for name in files(wheel) if ".dist-info/" not in name}
    assert {name for name in held if ".data/" not in name} == ours
    pages = {name.partition("/daemon/docs/")[2] for name in held if "/parleyd/daemon/docs/" in name}
    docs = source / "daemon/docs"
    assert pages == {str(p.relative_to(docs)) for p in docs.rglob("*") if p.is_file()}


def test_sdist_makes_the_same_wheel(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    run("tar", "-xf", sdist, cwd=tmp_path)
    unpacked = tmp_path / sdist.name.removesuffix(".tar.gz")
    out = tmp_path / "out"
    out.mkdir()
    assert files(build_wheel(unpacked, out)) == files(wheel)


def test_sdist_and_wheel_have_the_package_version(sdist: Path, wheel: Path) -> None:
    assert sdist.name == f"parleyd-{__version__}.tar.gz"
    assert wheel.name == f"parleyd-{__version__}-py3-none-any.whl"


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_demo_runs_from_an_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", venv, cwd=tmp_path)
    python = venv / "bin/python"
    run(python, "-m", "pip", "install", *OFFLINE, wheel, cwd=tmp_path)
    library = Path(
        run(
            python, "-c", "import sysconfig as s; print(s.get_path('purelib'))", cwd=tmp_path
        ).strip()
    )
    # Python ignores .pth files of that folder, such as that of the editable checkout
    (library / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = run(python, "-c", "import parleyd; print(parleyd.__file__)", cwd=tmp_path)
    assert where.strip() == str(library / "parleyd/__init__.py")
    report = tmp_path / "report"
    run(venv / "bin/parley", "demo", "--report", report, cwd=tmp_path)
    assert {"room.wav", "report.json", "timeline.png"} <= {p.name for p in report.iterdir()}
