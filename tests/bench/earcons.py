"""Writes Parley's own sounds as WAV files, and prints their lengths and levels."""

import argparse
import wave
from pathlib import Path

import numpy as np

from parleyd.audio import level_dbfs
from parleyd.playback.cues import SOUNDS
from parleyd.units import SERVER_RATE_HZ


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    print("| sound | ms | level, dBFS | peak, dBFS |\n|---|---|---|---|")
    for cue, make in SOUNDS.items():
        sound = make()
        with wave.open(str(folder / f"{cue}.wav"), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SERVER_RATE_HZ)
            file.writeframes(sound.astype("<i2").tobytes())
        peak_dbfs = 20 * np.log10(np.abs(sound).max() / 32768)
        ms = len(sound) * 1000 // SERVER_RATE_HZ
        print(f"| {cue} | {ms} | {level_dbfs(sound[sound != 0]):.1f} | {peak_dbfs:.1f} |")


if __name__ == "__main__":
    main()
