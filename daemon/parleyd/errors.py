"""The errors that Parley raises.

    ParleyError
    ├── ConfigError            the configuration file is invalid; contains *all* problems
    ├── WakeError              a wake-word engine cannot start
    │   └── WakeLicenceError   ... because of its key, licence or activation
    │       └── WakeActivationError   ... but a later try may succeed
    ├── AudioError             a sound card cannot be opened or was lost
    ├── LightsError            LEDs or buttons cannot be driven
    ├── ListenError            the embedded server cannot listen at its address
    ├── OfflineSpeechError     offline recognition or synthesis cannot start
    ├── Unspeakable            a request cannot be read aloud completely
    ├── ProtocolError          a peer violated the protocol
    ├── ControlError           the daemon cannot be reached, or refuses a command
    └── SceneError             a scene of the demo failed

A message describes the problem, the expected value, and the next step.
"""

from collections.abc import Collection, Sequence


class ParleyError(Exception):
    """The base of all errors; its text is for the user of the device."""

    exit_code = 1
    """Of a command that ends by it."""


class ConfigError(ParleyError, ValueError):
    """The configuration is invalid; `problems` lists every ``section.key: problem, allowed``.

    `readable` is a `parleyd.config.Config` with the valid part, and with defaults for the keys
    and sections in `spoilt`; None if no part is valid.
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
        """Return whether a problem affects this section or key: its value may be a default."""
        return any(
            key == section
            or key.startswith((f"{section}.", f"{section}["))
            or section.startswith(f"{key}.")
            for key in self.spoilt
        )


class WakeError(ParleyError):
    """A wake-word engine cannot start."""


class WakeLicenceError(WakeError):
    """The engine's key, licence or activation was refused; never contains the key."""


class WakeActivationError(WakeLicenceError):
    """The engine's key cannot be checked now: no network, or too many tries."""


class AudioError(ParleyError, OSError):
    """A sound card cannot be opened, is busy, or was removed."""


class LightsError(ParleyError):
    """LEDs or buttons cannot be driven on this machine."""


class ListenError(ParleyError):
    """The embedded server cannot listen at its address."""


class OfflineSpeechError(ParleyError):
    """Offline recognition or synthesis cannot start on this machine."""


class Unspeakable(ParleyError):
    """A request cannot be read aloud completely; the text contains no part of the request."""


class ProtocolError(ParleyError):
    """A peer violated the protocol."""


class ControlError(ParleyError):
    """The daemon cannot be reached, or refuses a command; `code` says why, for programs."""

    def __init__(self, code: str, message: str, exit_code: int = 1) -> None:
        self.code, self.exit_code = code, exit_code
        super().__init__(message)


class SceneError(ParleyError):
    """A scene of the demo failed."""
