"""Measurements on the running service; each adds ms to the device's figures, by name."""

import contextlib
import random
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from parleyd.simulation.clips import synthesize
from parleyd.units import Frames
from tests.bench.device.air import RATE_HZ, Ear, Talker, Utterance
from tests.bench.device.lamp import Lamp, Pins
from tests.bench.device.server import ToneServer
from tests.bench.device.service import WITHIN_S, Entry, Journal
from tests.bench.device.sound import Run, loud_ms, loud_runs

WAKE = synthesize("hey jarvis", "rms", level_dbfs=-24.0)
QUESTION = synthesize("What is the weather like?", "slt", level_dbfs=-24.0)
OBJECTION = "No, wait a moment, what about tomorrow?"
OBJECTIONS = [synthesize(OBJECTION, voice, level_dbfs=-24.0) for voice in ("rms", "slt", "awb")]
ATTEMPTS = 3  # an unnoticed user repeats the objection
NOTICED_WITHIN_S = 5.0
COLD_S = 1.5  # of playback: before, the canceller has not converged and no user is detected
AUDIBLE_S = 0.1  # a decision later than this after the last sound fell into silence
SETTLE_S = 0.15  # audio dropped too late would be heard within this time

Figures = dict[str, list[float]]

SILENCE = "decision to silence"
HEARD = "heard on the loopback minus reported, after an interruption"
FRAME = "first delta sent to first frame heard"
ONSET_LED = "user's onset to LED (white)"
ONSET_HOLD = "user's onset to decision"
AGAIN = "repetitions until the user was noticed"
UNNOTICED = f"unnoticed after {ATTEMPTS} attempts"
WAKE_LED = "end of the wake word to LED (blue)"
BUTTON_LED = "button to LED (blue)"
BUTTON_SILENCE = "button to silence"


@dataclass
class Device:
    """The service with a talker at its microphone and recorders of its loudspeaker and LED."""

    talker: Talker
    ear: Ear
    lamp: Lamp
    pins: Pins
    journal: Journal
    server: ToneServer
    figures: Figures = field(default_factory=lambda: defaultdict(list))

    def forget(self) -> None:
        """Drop all recordings."""
        self.ear.forget()
        self.lamp.forget()

    def forget_all_but(self, seconds: float) -> None:
        """Drop recordings older than `seconds`."""
        self.ear.forget(time.monotonic() - seconds)
        self.lamp.forget(time.monotonic() - seconds)

    def runs(self, since: float) -> Sequence[Run]:
        """Return the sounds of the loudspeaker since that time."""
        return loud_runs(self.ear.since(since), RATE_HZ)


class NotNoticedError(AssertionError):
    """The answer continued although a user spoke over it repeatedly."""


def wake(device: Device) -> None:
    """Say the wake word and time the LED; the button ends the turn."""
    mark = device.journal.length
    said = device.talker.say(WAKE)
    device.journal.wait_for_state("listening", mark)
    time.sleep(SETTLE_S)
    device.figures[WAKE_LED].append(_ms(said.end, _lit(device, blue=True, since=said.onset)))
    device.pins.press()
    device.journal.wait_for_state("idle", mark)
    time.sleep(0.5)  # the LED's last PWM period has ended
    device.forget()


def button(device: Device) -> None:
    """Press the button and time the LED; a second press ends the turn."""
    mark = device.journal.length
    pressed = time.monotonic()
    device.pins.press()
    device.journal.wait_for_state("listening", mark)
    time.sleep(SETTLE_S)
    device.figures[BUTTON_LED].append(_ms(pressed, _lit(device, blue=True, since=pressed)))
    device.pins.press()
    device.journal.wait_for_state("idle", mark)
    time.sleep(0.5)
    device.forget()


def ask(device: Device) -> float:
    """Say wake word and question; returns the time of the answer's first frame."""
    mark, begun = device.journal.length, time.monotonic()
    device.talker.say(WAKE, QUESTION)
    return _answer(device, mark, begun)


def interrupt(device: Device, chance: random.Random, answer: float) -> float:
    """Speak over the answer that began at `answer`, and wait for the next one.

    Returns the time of the next answer's first frame.
    """
    time.sleep(chance.uniform(COLD_S, COLD_S + 1.0))
    mark, begun, said = objected(device, chance.choice(OBJECTIONS))
    decided = float(device.journal.wait_for_note("dropped", mark)["PARLEY_TICK_S"])
    following = _answer(device, mark, begun)
    played = [run for run in device.runs(0) if answer <= run.begins_at < following]
    for entry in device.journal.entries(mark):
        if "PARLEY_TICK_S" in entry:  # each hold: the first, and those after a resume
            _silenced(device, played, float(entry["PARLEY_TICK_S"]))
    device.figures[ONSET_HOLD].append(_ms(said.onset, decided))
    device.figures[ONSET_LED].append(_ms(said.onset, _lit(device, red=True, since=said.onset)))
    told = device.server.of_kind("conversation.item.truncate", begun)
    if len(told) == 1:
        error = loud_ms(played, RATE_HZ) - told[0]["audio_end_ms"]
        device.figures[HEARD].append(error)
    return following


def _silenced(device: Device, played: Sequence[Run], tick: float) -> None:
    """Add the time from the decision to silence; nothing if it was already silent."""
    last = next(run for run in reversed(played) if run.begins_at < tick)
    if last.ends_at > tick - AUDIBLE_S:
        device.figures[SILENCE].append(_ms(tick, last.ends_at))


def objected(device: Device, words: Frames) -> tuple[int, float, Utterance]:
    """Repeat the words until Parley listens.

    Returns the journal's position and the time before the last attempt, and its utterance.
    Raises `NotNoticedError` after `ATTEMPTS` attempts.
    """
    for again in range(ATTEMPTS):
        mark, begun = device.journal.length, time.monotonic()
        said = device.talker.say(words)
        with contextlib.suppress(AssertionError):
            device.journal.wait_for_state("listening", mark, NOTICED_WITHIN_S)
            device.figures[AGAIN].append(float(again))
            return mark, begun, said
    raise NotNoticedError(f"{ATTEMPTS} objections were not noticed")


def stop_by_button(device: Device) -> None:
    """Press the button during an answer."""
    mark, pressed = device.journal.length, time.monotonic()
    device.pins.press()
    device.journal.wait(lambda e: e.get("PARLEY_BEFORE") == "speaking", mark)
    time.sleep(SETTLE_S)
    device.figures[BUTTON_SILENCE].append(_ms(pressed, device.runs(0)[-1].ends_at))


def _answer(device: Device, mark: int, begun: float) -> float:
    """Wait until an answer is audible; adds the time to its first frame."""
    device.journal.wait(_begins_to_speak, mark)
    sent = device.server.first_delta(begun)
    deadline = time.monotonic() + WITHIN_S
    while True:
        heard = next((run for run in device.runs(sent)), None)
        if heard is not None:
            break
        if time.monotonic() > deadline:
            raise AssertionError("the answer is not audible")
        time.sleep(0.02)
    device.figures[FRAME].append(_ms(sent, heard.begins_at))
    return heard.begins_at


def _begins_to_speak(entry: Entry) -> bool:
    """Whether the entry is the start of a reply, and not a resume after a hold."""
    return entry.get("PARLEY_BEFORE") == "thinking" and entry.get("PARLEY_AFTER") == "speaking"


def _lit(device: Device, *, since: float, red: bool = False, blue: bool = False) -> float | None:
    return device.lamp.first(lambda rgb: (rgb[0] or not red) and (rgb[2] or not blue), since)


def _ms(begin: float, end: float | None) -> float:
    if end is None:
        raise AssertionError("the LED did not change")
    return (end - begin) * 1000
