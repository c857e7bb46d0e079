"""Run one wake-word model in this process: `python -m parleyd.wake.trial MODEL.json`.

The native library crashes on a model that is damaged or made for something else. Here it takes
only this process along. The exit status is 0 when a second of sound passed through the model.
"""

import sys

import numpy as np
from pymicro_wakeword import MicroWakeWord, MicroWakeWordFeatures

from parleyd.units import MIC_RATE_HZ


def main() -> None:
    """Load the model and let it hear noise."""
    word = MicroWakeWord.from_config(sys.argv[1])
    noise = np.random.default_rng(1).normal(0, 1000, MIC_RATE_HZ).astype(np.int16)
    for features in MicroWakeWordFeatures().process_streaming(noise.tobytes()):
        word.process_streaming(features)
    word.close()


if __name__ == "__main__":
    main()
