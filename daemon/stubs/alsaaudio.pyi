"""The part of pyalsaaudio 0.11 that Parley uses; after its documentation and `alsaaudio.c`."""

from typing import Final, Self, TypedDict, final

PCM_CAPTURE: Final[int]
PCM_PLAYBACK: Final[int]
PCM_NORMAL: Final[int]
PCM_NONBLOCK: Final[int]
PCM_FORMAT_S16_LE: Final[int]
VOLUME_UNITS_DB: Final[int]
VOLUME_UNITS_RAW: Final[int]

class ALSAAudioError(Exception): ...

class _Info(TypedDict, total=False):
    # A dictionary of some forty entries. These are there as soon as the PCM is set up.
    card_no: int
    device_no: int
    subdevice_no: int
    rate: int
    channels: int
    format_name: str
    period_size: int
    buffer_size: int

def mixers(cardindex: int = -1, device: str = "default") -> list[str]: ...

@final
class PCM:
    def __new__(
        cls,
        type: int = ...,
        mode: int = ...,
        device: str = "default",
        cardindex: int = -1,
        *,
        rate: int = 44100,
        channels: int = 2,
        format: int = ...,
        periodsize: int = 32,
        periods: int = 4,
    ) -> Self: ...
    def info(self) -> _Info: ...
    def read(self) -> tuple[int, bytes]: ...  # -EPIPE after an overrun
    def write(self, data: bytes) -> int: ...  # -EPIPE after an underrun; then nothing is written
    def avail(self) -> int: ...
    def drop(self) -> int: ...
    def close(self) -> None: ...  # drains, unless the stream was dropped
    def polldescriptors(self) -> list[tuple[int, int]]: ...
    def polldescriptors_revents(self, descriptors: list[tuple[int, int]]) -> int: ...

@final
class Mixer:
    def __new__(
        cls, control: str = "Master", id: int = 0, cardindex: int = -1, device: str = "default"
    ) -> Self: ...
    def switchcap(self) -> list[str]: ...
    def volumecap(self) -> list[str]: ...
    def getvolume(self, pcmtype: int = ..., units: int = ...) -> list[int]: ...
    def getrange(self, pcmtype: int = ..., units: int = ...) -> list[int]: ...
    def getmute(self) -> list[int]: ...
    def getrec(self) -> list[int]: ...
    def setvolume(
        self, volume: int, channel: int = -1, pcmtype: int = ..., units: int = ...
    ) -> None: ...
    def setmute(self, mute: int, channel: int = -1) -> None: ...
    def close(self) -> None: ...
