"""The part of pvporcupine 4 that Parley uses. Older versions lack parameters of `create`."""

from collections.abc import Sequence

KEYWORD_PATHS: dict[str, str]

class Porcupine:
    def __init__(
        self,
        access_key: str,
        library_path: str,
        model_path: str,
        device: str,
        keyword_paths: Sequence[str],
        sensitivities: Sequence[float],
    ) -> None: ...
    @property
    def frame_length(self) -> int: ...
    def process(self, pcm: Sequence[int]) -> int: ...
    def delete(self) -> None: ...

def create(
    access_key: str,
    library_path: str | None = None,
    model_path: str | None = None,
    device: str | None = None,
    keyword_paths: Sequence[str] | None = None,
    keywords: Sequence[str] | None = None,
    sensitivities: Sequence[float] | None = None,
) -> Porcupine: ...
