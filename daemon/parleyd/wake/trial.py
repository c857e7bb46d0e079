"""Run one wake-word model in this process: `python -m parleyd.wake.trial MODEL.json`.

The native library crashes on a damaged or foreign model. Here, a crash ends only this process.
The exit status is 0 if the model processed one second of sound.
"""

import sys

import numpy as np
from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures

from parleyd.units import MIC_RATE_HZ


def main() -> None:
    """Load the model and feed it one second of noise."""
    word = MicroWakeWord.from_config(sys.argv[1])
    noise = np.random.default_rng(1).normal(0, 1000, MIC_RATE_HZ).astype(np.int16)
    for features in MicroWakeWordFeatures().process_streaming(noise.tobytes()):
        word.process_streaming(features)
    word.close()


if __name__ == "__main__":
    main()
