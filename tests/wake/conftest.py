"""Spoken words for the wake-word tests, and the last Porcupine version that needs no key."""

import subprocess
import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from parleyd.units import MIC_RATE_HZ, Frames

PORCUPINE = "pvporcupine==1.9.5"
PORCUPINE_FOLDER = Path(sys.prefix) / "porcupine-1.9.5"  # outside site-packages: 4.x is in there


@pytest.fixture(scope="session")
def say(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Frames]:
    """`say(text, voice="rms")` returns speech between silences, peak 0.35, 16 kHz."""
    folder = tmp_path_factory.mktemp("speech")

    def speak(text: str, voice: str = "rms") -> Frames:
        path = folder / f"{voice}-{text.replace(' ', '-')}.wav"
        if not path.exists():
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", path], check=True)
        with wave.open(str(path)) as file:
            assert file.getframerate() == MIC_RATE_HZ
            samples = np.frombuffer(file.readframes(file.getnframes()), np.int16)
        speech = samples * (0.35 / np.max(np.abs(samples)))
        quiet = np.zeros(MIC_RATE_HZ // 2), np.zeros(MIC_RATE_HZ * 4 // 5)
        return np.concatenate([quiet[0], speech * 32767, quiet[1]]).astype(np.int16)

    return speak


@pytest.fixture(scope="session")
def old_porcupine_folder() -> Path:
    """A folder with pvporcupine 1.9.5; installs it there if install.sh has not."""
    if not (PORCUPINE_FOLDER / "pvporcupine").is_dir():
        # Its dependency enum34 breaks the standard library, hence --no-deps.
        install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
        done = subprocess.run(
            [*install, "--target", str(PORCUPINE_FOLDER), PORCUPINE],
            capture_output=True,
            text=True,
            timeout=120,
        )
        if done.returncode:
            pytest.skip(f"NOT TESTED: pip cannot install {PORCUPINE}: {done.stderr[-300:]}")
    return PORCUPINE_FOLDER


@pytest.fixture
def old_porcupine(old_porcupine_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make `import pvporcupine` find 1.9.5 during one test."""
    _forget_porcupine()
    monkeypatch.syspath_prepend(str(old_porcupine_folder))
    try:
        import pvporcupine
    except (NotImplementedError, RuntimeError) as error:
        pytest.skip(f"NOT TESTED: {PORCUPINE} does not run on this processor: {str(error)[:80]}")
    assert Path(pvporcupine.__file__).is_relative_to(old_porcupine_folder)
    yield
    _forget_porcupine()


def _forget_porcupine() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "pvporcupine"]:
        del sys.modules[name]
