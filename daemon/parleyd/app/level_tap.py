"""Takes the levels for the control socket from the audio thread, while a client wants them."""

from collections.abc import Callable

from parleyd.audio import level_dbfs
from parleyd.control.replies import LevelsMeasured
from parleyd.core.events import MicPeriod, TickResult
from parleyd.core.speaker import SmartSpeaker

EVERY_PERIODS = 10


class LevelTap:
    """The audio thread leaves an immutable measurement; the socket's thread reads the newest."""

    def __init__(self, wanted: Callable[[], bool]) -> None:
        self._wanted = wanted
        self._newest: LevelsMeasured | None = None

    def newest(self) -> LevelsMeasured | None:
        """The newest measurement; any thread."""
        return self._newest

    def watcher(self, speaker: SmartSpeaker) -> Callable[[MicPeriod, TickResult], None]:
        """A watcher for the audio thread that drives this speaker."""
        periods = 0

        def observe(period: MicPeriod, step: TickResult) -> None:
            nonlocal periods
            periods += 1
            if periods % EVERY_PERIODS == 0 and self._wanted():
                self._newest = _measured(period, speaker)

        return observe


def _measured(period: MicPeriod, speaker: SmartSpeaker) -> LevelsMeasured:
    heard, threshold, wake, trouble, processing = speaker.readings()
    if heard is None or period.frames is None:
        return LevelsMeasured(buffered_ms=speaker.buffered_ms)
    return LevelsMeasured(
        mic_dbfs=_tenths(level_dbfs(period.frames)),
        cleaned_dbfs=_tenths(heard.level_dbfs),
        echo_dbfs=_tenths(heard.echo_dbfs),
        near_end=_hundredths(heard.near_end),
        threshold=_hundredths(threshold),
        excess_db=_tenths(heard.excess_db),
        voice=_hundredths(heard.voice),
        wake=_hundredths(wake.score) if wake is not None else None,
        wake_cutoff=_hundredths(wake.cutoff) if wake is not None else None,
        buffered_ms=speaker.buffered_ms,
        trouble=trouble,
        processing=processing,
    )


def _tenths(db: float) -> float:
    return round(float(db), 1)


def _hundredths(share: float) -> float:
    return round(float(share), 2)
