"""The part of python-soxr 1.1 that Parley uses; it is annotated, but has no py.typed."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

_Sample = TypeVar("_Sample", np.float32, np.float64, np.int16, np.int32)

class ResampleStream:
    # `dtype` keeps its default: Parley's streams are float32.
    def __init__(
        self,
        in_rate: float,
        out_rate: float,
        num_channels: int,
        dtype: str = "float32",
        quality: str = "HQ",
        vr: bool = False,
    ) -> None: ...
    def resample_chunk(self, x: NDArray[np.float32], last: bool = False) -> NDArray[np.float32]: ...

def resample(
    x: NDArray[_Sample], in_rate: float, out_rate: float, quality: str = "HQ"
) -> NDArray[_Sample]: ...
