"""A tone and a recording of the real sound card."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np
from msgspec import structs

from parleyd import config
from parleyd.alsa import mixer
from parleyd.alsa.sound_card import Card
from parleyd.audio import resample, round_to_int16
from parleyd.diagnostics.kept_mute import closed_by_voice
from parleyd.errors import AudioError
from parleyd.host.buttons import Buttons
from parleyd.units import MIC_RATE_HZ, PERIOD_MS, Frames, ms_to_frames

RECORDED_S = 3.0
SETTLE_S = 0.3  # at the beginning: cards click when they open
SILENT_READS = 40  # 50 ms each: a sound server was silent for up to 1.5 s after opening
LOUDEST_GAIN = 30.0  # of a quiet recording that is played back
PEAK = 0.5  # of full scale
STEP_S = 0.005


class CardTrial:
    """Opens the card for each call and frees it; all calls block for seconds.

    Every method but `closed` raises `AudioError` for a card that cannot be opened or does not run.
    """

    def __init__(self, buttons: config.ButtonsConfig, environ: Mapping[str, str]) -> None:
        self._buttons = structs.replace(buttons, push_pin=None)
        self._environ = environ

    def closed(self) -> str:
        """Why the microphone must stay closed: a mute holds for this program, too."""
        with self._switch() as turned:
            return turned() or closed_by_voice(self._environ)

    @contextlib.contextmanager
    def _switch(self) -> Iterator[Callable[[], str]]:
        """Yield a function that says why the mute switch closes the microphone, or ""."""
        if self._buttons.mute_pin is None:
            yield lambda: ""
            return
        switch = Buttons(self._buttons, on_press=lambda: None, on_mute=lambda muted: None)
        try:
            yield lambda: (switch.mute_trouble or "the mute switch is on") if switch.muted else ""
        finally:
            switch.close()

    def play_tone(self, audio: config.AudioConfig) -> None:
        """Play two tones, as loud as the usual volume; the mixer is set as the daemon does."""
        _play(audio, _tone(audio.playback_rate_hz))

    def record(self, audio: config.AudioConfig) -> Frames:
        """Return `RECORDED_S` of the microphone: mono int16 at 16 kHz."""
        if reason := self.closed():
            raise AudioError(f"audio.capture: is not opened: {reason}")
        card = Card(structs.replace(audio, playback="null"))
        try:
            with self._switch() as turned:
                return _recorded(card, audio.capture, turned)
        finally:
            card.close()

    def play_back(self, audio: config.AudioConfig, frames: Frames) -> None:
        """Play a recording at a volume that can be heard."""
        peak = max(1, int(np.max(np.abs(frames.astype(np.int32)), initial=1)))
        gain = min(LOUDEST_GAIN, PEAK * 32767 / peak)
        louder = round_to_int16(frames.astype(np.float64) * gain)
        _play(audio, resample(louder, MIC_RATE_HZ, audio.playback_rate_hz))


def _recorded(card: Card, name: str, closed: Callable[[], str]) -> Frames:
    pieces: list[Frames] = []
    silent = 0
    card.open_capture()
    while sum(map(len, pieces)) < (SETTLE_S + RECORDED_S) * MIC_RATE_HZ:
        if reason := closed():
            raise AudioError(f"audio.capture: is closed again: {reason}")
        period = card.read()
        if period is not None:
            pieces.append(period)
            continue
        silent += 1
        if silent > SILENT_READS:
            raise AudioError(
                f'audio.capture: "{name}" opens but delivers no audio, one period every 10 ms is '
                "expected; replug the card, or choose another"
            )
    return np.concatenate(pieces)[round(SETTLE_S * MIC_RATE_HZ) :]


def _play(audio: config.AudioConfig, frames: Frames) -> None:
    period = ms_to_frames(PERIOD_MS, audio.playback_rate_hz)
    lead = ms_to_frames(audio.lead_ms, audio.playback_rate_hz)
    silence = np.zeros(30 * period, np.int16)  # a sound server plays the end later
    rest = np.concatenate((frames, silence))
    with mixer.as_found(audio):  # another card may be chosen; the daemon sets the mixer of its own
        _pass(Card(audio), rest, period, lead)


def _pass(card: Card, rest: Frames, period: int, lead: int) -> None:
    """Play all frames and close the card."""
    try:
        while len(rest) or card.queued_frames() > period:  # a converter may keep a frame for ever
            while len(rest) and card.queued_frames() < lead:
                card.write(rest[:period])
                rest = rest[period:]
            time.sleep(STEP_S)
    finally:
        card.close()


def _tone(rate_hz: int) -> Frames:
    """Two notes of 0.4 s with soft edges, mono int16."""
    time_s = np.arange(rate_hz * 4 // 10) / rate_hz
    edge = np.clip(np.minimum(time_s, time_s[::-1]) / 0.03, 0, 1)
    notes = [np.sin(2 * np.pi * hz * time_s) * edge for hz in (523.3, 784.0)]
    return round_to_int16(np.concatenate(notes) * PEAK / 2 * 32767)
