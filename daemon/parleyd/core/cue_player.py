"""Plays the cues, each at the moment of its event."""

from parleyd.playback.cues import Cue, Cues
from parleyd.playback.reply_player import ReplyPlayer


class CuePlayer:
    """Plays each cue once, at the moment of its event; owned by the audio thread."""

    def __init__(self, player: ReplyPlayer, cues: Cues) -> None:
        self._player, self._cues = player, cues

    def play(self, cue: Cue) -> None:
        """Play the cue after the present sounds."""
        self._player.play(self._cues.sound(cue))

    def play_now(self, cue: Cue) -> None:
        """Play the cue if it can be heard at once: later it would say something that is past."""
        if not self._player.busy:
            self.play(cue)
