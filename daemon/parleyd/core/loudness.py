"""The volume of this moment: that of the user, softer in quiet hours, never too soft for alarms."""

from parleyd import config
from parleyd.core.hearing_monitor import HearingMonitor
from parleyd.playback.reply_player import ReplyPlayer


class Loudness:
    """Sets the volume of the playback; owned by the audio thread."""

    def __init__(
        self, audio: config.AudioConfig, player: ReplyPlayer, monitor: HearingMonitor
    ) -> None:
        self._player, self._monitor = player, monitor
        self._quiet_percent, self._alarm_percent = audio.quiet_volume, audio.alarm_volume
        self._percent = self._now = audio.volume
        self._quiet = self._rings = False
        self._chosen: int | None = None  # by the user, in these quiet hours

    def set_volume(self, percent: int) -> None:
        """The user, or a program, wants this volume; in quiet hours, until they end."""
        if self._quiet:
            self._chosen = percent
        else:
            self._percent = percent
        self._apply()

    def quiet_hours(self, quiet: bool) -> None:
        """The quiet hours have begun, or are over."""
        self._quiet, self._chosen = quiet, None
        self._apply()

    def ringing(self, rings: bool) -> None:
        """At every period: whether an alarm rings."""
        if rings is not self._rings:
            self._rings = rings
            self._apply()

    def _apply(self) -> None:
        percent = self._percent
        if self._rings:
            percent = max(percent, self._chosen or 0, self._alarm_percent)
        elif self._quiet and self._chosen is not None:
            percent = self._chosen
        elif self._quiet:
            percent = min(percent, self._quiet_percent)
        if percent != self._now:
            self._now = percent
            self._player.set_volume(percent)
            self._monitor.volume_changed(percent)
