"""Negotiates the session's configuration with a server that does not support all of it.

A server accepts or refuses a `session.update` as a whole, and one unknown field is enough: older
models know no `reasoning`, other services no `truncation` or `tracing`. A session without such a
field is better than none, so a second update omits a refused field that is optional, for this
server and from then on.
"""

import re
from copy import deepcopy
from dataclasses import dataclass, field

from parleyd.realtime.events import ErrorDetail, Json

PATIENT_LOSSES = 2  # sockets lost before the answer to our update; then the offer is minimal

# Fields that a session can do without, most of them in two places (`Profile.flat_session`). It does
# not list instructions, tools, formats and turn detection: they are essential to the speaker.
OPTIONAL = (
    "truncation",
    "tracing",
    "reasoning",
    "max_output_tokens",
    "tool_choice",
    "output_modalities",
    "voice",
    "audio.output.voice",
    "audio.output.speed",
    "audio.input.noise_reduction",
    "audio.input.transcription.keywords",
    "audio.input.transcription.prompt",
    "audio.input.transcription.language",
    "audio.input.transcription",
    *(
        f"{where}turn_detection.{name}"
        for where in ("audio.input.", "")
        for name in (
            "threshold",
            "prefix_padding_ms",
            "silence_duration_ms",
            "eagerness",
            "create_response",
            "interrupt_response",
        )
    ),
)


@dataclass(slots=True)
class Negotiation:
    """The fields that one server refuses; pure. Outlives its sockets."""

    limits_context: bool = False
    """The server keeps the conversation below the requested number of tokens."""

    _declined: dict[str, None] = field(default_factory=dict)
    _offered: Json = field(default_factory=dict, repr=False)  # may contain keys of remote servers
    _losses: int = 0  # successive, before the configuration was accepted

    def offer(self, settings: Json) -> Json:
        """The configuration to send: `settings` without the fields that the server refused."""
        left_out = OPTIONAL if self._plainest else self._declined
        self._offered = deepcopy(settings)
        for path in left_out:
            _remove(self._offered, path)
        return self._offered

    def refused(self, error: ErrorDetail) -> str:
        """The server refused the offer. Returns the field to omit from now on, or all optional ones
        if the error names none; "" if that cannot help."""
        offered = [path for path in OPTIONAL if _holds(self._offered, path)]
        param = (error.param or "").removeprefix("session").lstrip(".")
        if param:
            found = _named_by(param, offered)
        else:
            found = _mentioned_in(error.message or "", offered) or offered
        self._declined |= dict.fromkeys(found)
        return ", ".join(found)

    def accepted(self, session: Json) -> str:
        """The server accepted the offer. Returns the fields that have just turned out to be
        refused, or "". `session`: the server's own description of it, which may be partial."""
        found = [path for path in OPTIONAL if path not in self._declined] if self._plainest else []
        self._declined |= dict.fromkeys(found)
        self._losses = 0
        ignored = isinstance(session.get("truncation"), str)  # "auto": it did not accept the limit
        self.limits_context = "truncation" in self._offered and not ignored
        return ", ".join(found)

    def lost(self) -> None:
        """The socket ended before the offer was answered. Some servers close it instead of naming
        the field, so after two losses two minimal offers follow."""
        self._losses = (self._losses + 1) % (2 * PATIENT_LOSSES)

    @property
    def _plainest(self) -> bool:
        return self._losses >= PATIENT_LOSSES


def _named_by(param: str, paths: list[str]) -> list[str]:
    """The field that matches `param` or contains it; services shorten its path."""
    around = [path for path in paths if re.match(rf"{re.escape(path)}($|[.\[])", param)]
    return _longest(around) or [path for path in paths if _leaf(path) == _leaf(param)]


def _mentioned_in(message: str, paths: list[str]) -> list[str]:
    """The field that an error without `param` names in its text."""
    whole = [path for path in paths if path in message]
    return _longest(whole) or [path for path in paths if re.search(rf"\b{_leaf(path)}\b", message)]


def _longest(paths: list[str]) -> list[str]:
    return [max(paths, key=len)] if paths else []


def _leaf(path: str) -> str:
    return path.rpartition(".")[2]


def _holds(settings: Json, path: str) -> bool:
    *tables, leaf = path.split(".")
    for name in tables:
        inner = settings.get(name)
        if not isinstance(inner, dict):
            return False
        settings = inner
    return leaf in settings


def _remove(settings: Json, path: str) -> None:
    if _holds(settings, path):
        *tables, leaf = path.split(".")
        for name in tables:
            settings = settings[name]
        del settings[leaf]
