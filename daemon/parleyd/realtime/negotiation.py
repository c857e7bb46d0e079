"""Agrees with a server on the session's configuration, where it does not know all of it.

A `session.update` is accepted or refused as a whole, and one unknown field is enough: older
models know no `reasoning`, other services no `truncation` or `tracing`. A session without such a
field is worth more than none, so a refused field that may be missing is left out of a second
update, for this server and from then on.
"""

import re
from copy import deepcopy
from dataclasses import dataclass, field

from parleyd.realtime.events import ErrorDetail, Json

PATIENT_LOSSES = 2  # sockets lost between our update and its answer, before the plainest is tried

# What a session can do without, most of it in two places (`Profile.flat_session`). Not here are
# instructions, tools, formats and who detects turns: without them it would be another speaker.
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
    """What one server does not take; pure. Outlives its sockets."""

    limits_context: bool = False
    """The server keeps the conversation below the number of tokens that it was told."""

    _declined: dict[str, None] = field(default_factory=dict)
    _offered: Json = field(default_factory=dict, repr=False)  # may hold keys of remote servers
    _losses: int = 0  # in a row, before the configuration was accepted

    def offer(self, settings: Json) -> Json:
        """The configuration to send: `settings` without the fields that the server refused."""
        left_out = OPTIONAL if self._plainest else self._declined
        self._offered = deepcopy(settings)
        for path in left_out:
            _remove(self._offered, path)
        return self._offered

    def refused(self, error: ErrorDetail) -> str:
        """The server refused the offer: the field to leave out from now on, or all optional ones
        when the error names none; "" when that can't help."""
        offered = [path for path in OPTIONAL if _holds(self._offered, path)]
        param = (error.param or "").removeprefix("session").lstrip(".")
        if param:
            found = _named_by(param, offered)
        else:
            found = _mentioned_in(error.message or "", offered) or offered
        self._declined |= dict.fromkeys(found)
        return ", ".join(found)

    def accepted(self, session: Json) -> str:
        """The server took the offer; the fields that only now turn out to be refused, or "".
        `session`: how it says that it is set up, as far as it does."""
        found = [path for path in OPTIONAL if path not in self._declined] if self._plainest else []
        self._declined |= dict.fromkeys(found)
        self._losses = 0
        ignored = isinstance(session.get("truncation"), str)  # "auto": it took no limit
        self.limits_context = "truncation" in self._offered and not ignored
        return ", ".join(found)

    def lost(self) -> None:
        """The socket ended before the offer was answered. Some servers close it instead of
        naming the field, so after two losses the plainest offer is made, twice as well."""
        self._losses = (self._losses + 1) % (2 * PATIENT_LOSSES)

    @property
    def _plainest(self) -> bool:
        return self._losses >= PATIENT_LOSSES


def _named_by(param: str, paths: list[str]) -> list[str]:
    """The field that is `param`, or that it lies in; services shorten the way to it."""
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
