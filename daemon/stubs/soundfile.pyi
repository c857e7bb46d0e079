"""The part of soundfile that the benches use: whole files; it is annotated, but has no py.typed."""

import os
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

@overload
def read(
    file: str | os.PathLike[str],
    frames: int = -1,
    start: int = 0,
    stop: int | None = None,
    dtype: Literal["float64"] = "float64",
    always_2d: bool = False,
    fill_value: float | None = None,
    out: None = None,
    samplerate: int | None = None,
    channels: int | None = None,
    format: str | None = None,
    subtype: str | None = None,
    endian: str | None = None,
    closefd: bool = True,
) -> tuple[NDArray[np.float64], int]: ...
@overload
def read(
    file: str | os.PathLike[str],
    frames: int = -1,
    start: int = 0,
    stop: int | None = None,
    *,
    dtype: Literal["int16"],
    always_2d: bool = False,
    fill_value: float | None = None,
    out: None = None,
    samplerate: int | None = None,
    channels: int | None = None,
    format: str | None = None,
    subtype: str | None = None,
    endian: str | None = None,
    closefd: bool = True,
) -> tuple[NDArray[np.int16], int]: ...
def write(
    file: str | os.PathLike[str],
    data: NDArray[np.int16] | NDArray[np.float64],
    samplerate: int,
    subtype: str | None = None,
    endian: str | None = None,
    format: str | None = None,
    closefd: bool = True,
    compression_level: float | None = None,
    bitrate_mode: str | None = None,
) -> None: ...
