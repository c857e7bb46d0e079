from typing import NamedTuple

class PinInfo(NamedTuple):
    number: int
    name: str
    names: set[str]
    pull: str
    row: int
    col: int
    interfaces: dict[str, str]

class Pin:
    function: str
    state: float
    @property
    def info(self) -> PinInfo: ...
    def close(self) -> None: ...

class Factory:
    def close(self) -> None: ...
    def pin(self, name: int | str) -> Pin: ...
