"""Tests a conversation with the installed service, and its LED in every state.

python -m tests.vm.conversation        (run in the guest by tests/vm/run)
"""

import sys
import time

import numpy as np

from parleyd.core.states import Indication
from parleyd.lights.patterns import LED_PATTERNS
from parleyd.simulation.clips import synthesize
from tests.bench.device import cards, service
from tests.bench.device.lamp import MUTE
from tests.bench.device.trials import COLD_S, OBJECTIONS, QUESTION, WAKE, objected
from tests.vm.scenario import Stage, play

PAUSE = np.zeros(4800, np.int16)
HUE_TOLERANCE = 0.15
WATCHED_S = 4.0  # twice the longest rhythm


def doctor(on: Stage) -> str:
    """`parley doctor` reports no failure."""
    on.start()
    report = service.run("/opt/parley/venv/bin/parley", "doctor")
    return f"{report.count('ok ')} checks are ok"


def story(on: Stage) -> str:
    """Wake word, question, answer of the embedded server, interruption, end."""
    on.start(embedded=True)
    device = on.device
    mark, begun = device.journal.length, time.monotonic()
    question = synthesize("tell me a story", "rms", level_dbfs=-24.0)
    device.talker.say(WAKE, PAUSE, question)
    device.journal.wait_for_state("thinking", mark)
    device.journal.wait_for_state("speaking", mark)
    on.wait_until_heard(begun)
    time.sleep(COLD_S)
    mark, _, said = objected(device, OBJECTIONS[0])
    noticed = time.monotonic()
    heard = device.journal.wait_for_note("interrupted", mark)["PARLEY_HEARD_MS"]
    device.pins.press()
    device.journal.wait_for_state("idle", mark)
    service.wait_for_status("idle")
    return f"interrupted {noticed - said.onset:.1f} s after the onset, {heard} ms were heard"


def led_of_a_turn(on: Stage) -> str:
    """The LED in idle, listening, thinking, speaking and barge-in."""
    on.start()
    device = on.device
    device.server.faults.audio_after_s = 2 * WATCHED_S
    try:
        _check(on, Indication.IDLE)
        mark = device.journal.length
        device.pins.press()
        device.journal.wait_for_state("listening", mark)
        _check(on, Indication.LISTENING)
        device.talker.say(QUESTION)
        device.journal.wait_for_state("thinking", mark)
        _check(on, Indication.THINKING)
        device.journal.wait_for_state("speaking", mark)
        time.sleep(0.3)
        _check(on, Indication.SPEAKING)
        mark = device.journal.length
        said = device.talker.say(OBJECTIONS[1])
        device.journal.wait_for_state("barge-in", mark)
        device.journal.wait_for_state("listening", mark)
        time.sleep(0.1)
        white = device.lamp.first(all, said.onset)
        assert white is not None, "the LED was not white during the barge-in"
    finally:
        device.server.faults.audio_after_s = 0.0
    return "dark, blue, violet, green, white"


def led_muted(on: Stage) -> str:
    """The LED after the mute switch is closed."""
    on.start()
    device = on.device
    moved = time.monotonic()
    device.pins.pull(MUTE, up=False)
    try:
        service.wait_for_status("muted")
        _check(on, Indication.MUTED)
        red = device.lamp.first(lambda rgb: rgb[0], moved)
        assert red is not None
        assert cards.open_pcms("Mic", "c") == 0, "the microphone is open while muted"
    finally:
        device.pins.pull(MUTE, up=True)
    service.wait_for_status("idle")
    assert cards.open_pcms("Mic", "c") == 1
    return f"red {(red - moved) * 1000:.0f} ms after the switch, no capture device open"


def led_offline(on: Stage) -> str:
    """The LED without a server."""
    on.start()
    on.device.server.__exit__()
    try:
        service.wait_for_status("offline")
        _check(on, Indication.OFFLINE)
    finally:
        on.device.server.__enter__()
    service.wait_for_status("idle")
    return "amber; idle again when the server returned"


def led_error(on: Stage) -> str:
    """The LED without sound cards."""
    on.start()
    with cards.unplugged():
        service.wait_for_status("error")
        _check(on, Indication.ERROR)
    service.wait_for_status("idle")
    return "red; idle again when the cards returned"


def led_ringing(on: Stage) -> str:
    """The LED while a timer rings, set by voice."""
    on.start(embedded=True)
    device = on.device
    mark = device.journal.length
    device.talker.say(*on.timer)
    device.journal.wait_for_note("alarm_due", mark, within_s=2 * service.WITHIN_S)
    service.wait_for_status("ringing")
    _check(on, Indication.RINGING)
    device.pins.press()
    device.journal.wait_for_note("alarm_dismissed", mark)
    service.wait_for_status("idle")
    return "cyan; stopped by the button"


def _check(on: Stage, shown: Indication) -> None:
    """Check the hue of the LED's three lines, averaged over the rhythm of the state."""
    hue = LED_PATTERNS[shown].hue
    time.sleep(0.1)
    begins_at = time.monotonic()
    time.sleep(WATCHED_S)
    seen = on.device.lamp.colour(begins_at, time.monotonic())
    if max(hue) == 0.0:
        assert max(seen) == 0.0, f"the LED is lit in {shown}: {seen}"
        return
    assert max(seen) > 0.0, f"the LED is dark in {shown}"
    for part, wanted in zip(seen, hue, strict=True):
        assert abs(part / max(seen) - wanted) <= HUE_TOLERANCE, f"{shown} is {seen}, not {hue}"


if __name__ == "__main__":
    sys.exit(
        play(
            [
                ("parley doctor", doctor),
                ("a story, interrupted", story),
                ("LED of a turn", led_of_a_turn),
                ("LED muted", led_muted),
                ("LED offline", led_offline),
                ("LED error", led_error),
                ("LED ringing", led_ringing),
            ]
        )
    )
