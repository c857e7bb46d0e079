"""Every error that Parley raises on purpose.

    ParleyError
    ├── ConfigError            the configuration file; holds *all* its problems
    ├── WakeError              a wake-word engine cannot start
    │   └── WakeLicenceError   ... because of its key, licence or activation
    │       └── WakeActivationError   ... and trying again later may help
    ├── AudioError             a sound card cannot be opened or was lost
    ├── LightsError            LEDs or buttons cannot be driven
    ├── LinkError              the realtime server cannot be reached
    │   └── LinkFatalError     ... and trying again is of no use
    ├── OfflineSpeechError     offline recognition or synthesis cannot start
    ├── Unspeakable            a request that cannot be read aloud without leaving anything out
    ├── ProtocolError          a peer sent what the protocol does not allow
    └── SceneError             a scene of the demo did not do what it must

A message says what happened, what was expected, and what to do next.
"""

from collections.abc import Collection, Sequence


class ParleyError(Exception):
    """Base of all; its text is meant for the person in front of the device."""


class ConfigError(ParleyError, ValueError):
    """The configuration is wrong; `problems` lists every ``section.key: what, allowed``.

    `readable` is the rest of it, a `parleyd.config.Config`, with defaults in the place of the
    keys and sections in `spoilt`; None when nothing can be read.
    """

    def __init__(
        self,
        problems: Sequence[str],
        readable: object = None,
        spoilt: Collection[str] = frozenset(),
    ) -> None:
        self.problems = tuple(problems)
        self.readable, self.spoilt = readable, frozenset(spoilt)
        super().__init__("\n".join(self.problems))

    def spoils(self, section: str) -> bool:
        """Whether a mistake is in this section (or key), so that its defaults say nothing."""
        return any(
            key == section
            or key.startswith((f"{section}.", f"{section}["))
            or section.startswith(f"{key}.")
            for key in self.spoilt
        )


class WakeError(ParleyError):
    """A wake-word engine cannot start."""


class WakeLicenceError(WakeError):
    """The engine's key, licence or activation was refused; never holds the key."""


class WakeActivationError(WakeLicenceError):
    """The engine's key could not be checked now: no network, or too many tries."""


class AudioError(ParleyError, OSError):
    """A sound card cannot be opened, is busy, or was taken away."""


class LightsError(ParleyError):
    """LEDs or buttons cannot be driven on this machine."""


class LinkError(ParleyError):
    """The realtime server cannot be reached; trying again may help."""


class LinkFatalError(LinkError):
    """The realtime server refuses us; trying again is of no use."""


class OfflineSpeechError(ParleyError):
    """Offline recognition or synthesis cannot start on this machine."""


class Unspeakable(ParleyError):
    """A request cannot be read aloud as a whole; the text holds nothing of the request."""


class ProtocolError(ParleyError):
    """A peer sent what the protocol does not allow."""


class SceneError(ParleyError):
    """A scene of the demo did not do what it must."""
