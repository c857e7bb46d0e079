"""The wake words that the configured engine can hear."""

from pathlib import Path

from parleyd import config
from parleyd.errors import WakeError
from parleyd.wake import micro_models, porcupine

_HIDDEN = ("/home/", "/root/", "/tmp/", "/var/tmp/", "/run/user/")


class WakeWords:
    """Judges a word before it is saved; `here`: the word's file would be on this machine."""

    def __init__(self, wake: config.WakeConfig, *, has_key: bool, here: bool) -> None:
        self._by_key = wake.engine == "porcupine" or (wake.engine == "auto" and has_key)
        self._here = here

    @property
    def offered(self) -> tuple[str, ...]:
        """The words of the question; porcupine's are a matter of the file."""
        return () if self._by_key else self._built_in

    def flaw(self, keyword: str) -> str:
        """Why the service could not start with the keyword, or "". Blocks: tries a model."""
        if "/" in keyword or keyword.endswith((".json", ".ppn")):
            return self._flaw_of_file(keyword)
        words = self._built_in
        return (
            f"is unknown, allowed are {', '.join(words)}" if words and keyword not in words else ""
        )

    @property
    def _built_in(self) -> tuple[str, ...]:
        try:
            micro = micro_models.builtin_keywords()
            return tuple(sorted({*micro, *porcupine.builtin_keywords()})) if self._by_key else micro
        except WakeError:
            return ()

    def _flaw_of_file(self, keyword: str) -> str:
        if not keyword.startswith("/"):
            return "is not a path from the root, and the service has another working folder"
        if keyword.startswith(_HIDDEN):
            return "is in a folder that the service cannot see: put the model into /etc/parley"
        if not self._here:
            return ""
        if keyword.endswith(".ppn"):
            return "" if Path(keyword).is_file() else "is not a file"
        try:
            micro_models.model_of(keyword)
        except WakeError as error:
            return f"cannot be used: {error}"
        return ""
