"""Narrate a demo in a terminal: one line for each important event."""

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from parleyd.core.events import ButtonPressed, LogEvent
from parleyd.core.states import Indication
from parleyd.demo.stage import Answers
from parleyd.hearing.barge_in import Decision
from parleyd.lights.patterns import LED_PATTERNS
from parleyd.lights.terminal import on_screen
from parleyd.printable import printable
from parleyd.realtime import events as ev
from parleyd.realtime.events import Json
from parleyd.simulation.simulated_speaker import SimulatedSpeaker, Timestamped

MOST_WORDS = 96  # letters of a reply: two lines beside the other columns
TALKER, PARLEY, SERVER = "talker", "Parley", "-> server"
STYLES = {TALKER: "bold cyan", PARLEY: "bold green", SERVER: "dim"}

_STATES: dict[tuple[str, str], str] = {
    ("listening", "turn_ended"): "detects the end of the question",
    ("speaking", "reply_finished"): "has finished, and listens for more without the wake word",
    ("listening", "time_up"): "hears no more speech, and is idle again",
    ("speaking", "button"): "falls silent",
    ("idle", "button"): "listens",
    ("thinking", "user_spoke"): "notices that the question continues",
}


class Narrator:
    """Prints each moment at once; plain text if the output is not a terminal."""

    def __init__(self, console: Console, simulated: SimulatedSpeaker, answers: Answers) -> None:
        self._console = console
        self._simulated = simulated
        self._answers = answers

    def introduction(self) -> None:
        """Explain the columns."""
        self._console.print("Talker, room and sound card are simulated; everything else is real.")
        self._console.print(
            "The columns: seconds of simulated time, the LED, and the event. "
            "Times in ms count from the talker's true onset."
        )

    def scene(self, number: int, title: str) -> None:
        self._console.print()
        self._console.print(Text(f"{number}. {title}", style="bold"))

    def says(self, words: str) -> None:
        """Print the words with which the talker begins."""
        self._line(TALKER, words if words.startswith("(") else f"“{words}”")

    def take(self, moment: Timestamped[Any]) -> None:
        match moment.what:
            case LogEvent(name, fields):
                self._line(PARLEY, self._noted(name, fields))
            case ev.CancelResponse():
                self._line(SERVER, "cancel: stop generating this response")
            case ev.TruncateItem(audio_end_ms=heard_ms):
                self._line(SERVER, f"truncate: {heard_ms} ms of it were heard")
            case ev.DeleteItem():
                self._line(SERVER, "delete: no part of it was heard")
            case ButtonPressed():
                self._line(TALKER, "(presses the button)")

    def _noted(self, name: str, fields: Json) -> str:
        """Return the log event in words; "" for an event that the demo does not show."""
        match name:
            case "calibrated":
                return f"plays a sound, and hears it {fields['delay_ms']:.0f} ms later"
            case "wake":
                return f"hears the wake word ({fields['keyword'].replace('_', ' ')})"
            case Decision.HOLD:
                return f"holds the reply{self._after_onset()}: {fields['reason']}"
            case Decision.INTERRUPT:
                return f"interrupts the reply{self._after_onset()}: {fields['reason']}"
            case Decision.RESUME:
                return f"resumes the reply: {fields['reason']}"
            case "reply_failed":
                return f"receives no reply: {fields['reason']}"
            case "server_error":
                return f"has a problem: {fields['text']}"
            case "state" if fields["event"] == "reply_audible":
                answer = self._answers.newest
                return f"“{_shortened(answer.words)}”" if answer else ""
            case "state":
                return _STATES.get((fields["before"], fields["event"]), "")
            case _:
                return ""

    def _after_onset(self) -> str:
        """Return the time since the talker's true onset, or "" while the talker is silent."""
        now = self._simulated.card.now
        said = self._simulated.talker.utterances
        onset_s = next((u.onset_s for u in said if u.onset_s <= now <= u.end_s), None)
        return "" if onset_s is None else f" after {round((now - onset_s) * 1000)} ms"

    def _line(self, who: str, what: str) -> None:
        if not what:
            return
        shown = Indication(self._simulated.speaker.state)
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=6, justify="right")
        grid.add_column(width=11)
        grid.add_column(width=9, justify="right")
        grid.add_column(ratio=1)
        grid.add_row(
            Text(f"{self._simulated.card.now:.2f}", style="dim"),
            dot(shown) + Text(f" {shown}"),
            Text(who, style=STYLES[who]),
            Text(printable(what), style="dim" if who == SERVER else ""),
        )
        self._console.print(grid)


def dot(shown: Indication) -> Text:
    """Return the LED: a dot in its colour, or a ring while it is dark."""
    red, green, blue = on_screen(LED_PATTERNS[shown].hue)
    if not red + green + blue:
        return Text("○", style="dim")
    return Text("●", style=f"rgb({red},{green},{blue})")


def _shortened(words: str) -> str:
    words = words.strip()
    if len(words) <= MOST_WORDS:
        return words
    return words[:MOST_WORDS].rsplit(" ", 1)[0] + " ..."
