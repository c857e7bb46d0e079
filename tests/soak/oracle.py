"""Invariants that must hold at every period, whatever the world does."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from parleyd.config import Config
from parleyd.config.servers import profile
from parleyd.core.events import AlarmDismissed, LogEvent, MicPeriod, Send, Show, TickResult
from parleyd.core.speaker import SmartSpeaker
from parleyd.core.states import Indication, State
from parleyd.core.turn import BARGE_IN_GRACE_S, STALLED_S
from parleyd.hearing.fuse import ComponentFault
from parleyd.realtime import events as ev
from parleyd.realtime.responses import CANCELLED_WITHIN_S, CREATED_WITHIN_S, TURN_KEY
from parleyd.units import PERIOD_MS, Frames
from tests.soak.sounds import Sound

QUIET = (State.LISTENING, State.IDLE)  # the speaker's states in which every answer so far is over
A_TICK_S = 0.011  # a deadline is met in the first period after it
TOLD_WITHIN_MS = 20
KEPT_ANSWERS = 32  # late deltas arrive within seconds
PER_MS = 24
SILENT_ALARM_S = 12.0  # a pause, an utterance during the pause, and the time to recognise it


class Violation(AssertionError):
    """An invariant was broken."""


@dataclass(slots=True)
class _Run:
    """Frames of one sound in the card's queue; None is silence."""

    sound: Sound | None
    start: int
    count: int


@dataclass
class Oracle:
    """Watches one speaker from outside: the events it received and the frames the card played."""

    settings: Config
    tones: dict[str, Sound]
    now: float = 0.0
    answers: dict[int, list[Sound]] = field(default_factory=dict)  # by number, oldest first
    dead: set[int] = field(default_factory=set)
    heard_frames: int = 0
    interruptions: int = 0
    truncations: int = 0
    finished: int = 0
    shown: Indication | None = None
    muted: bool = False
    without_card: bool = False
    ready: bool = False

    def __post_init__(self) -> None:
        self._server = profile(self.settings.realtime.server)
        self._queue: deque[_Run] = deque()
        self._current: Sound | None = None
        self._state = State.IDLE
        self._since = 0.0  # start of this state, or its last refresh
        self._creates = 0
        self._dead_creates = 0
        self._create_sent: float | None = None
        self._active: tuple[str, float | None] | None = None  # response, time of cancel
        self._asked_for = ""
        self._silent_since = 0.0
        self._again: dict[str, int] = {}  # refused truncations and the largest length allowed
        self._told: deque[tuple[str, str]] = deque(maxlen=32)  # event id, item
        self.ringing = False  # an alarm is due and not dismissed
        self._rang = self.now
        self._looked = self.now
        self._heard_before = 0
        self._late_ms = 0.0  # how late this period is; the reported milliseconds are older by it
        self._cut_short: set[int] = set()  # answers too long for the playback buffer

    # --- events of the world ------------------------------------------------------------

    def born(self, number: int, create: int | None, state: State) -> None:
        """Record a new response before the core receives it; `create` is None if unrequested."""
        self.answers[number] = []
        unwanted = state in QUIET if create is None else create <= self._dead_creates
        if unwanted:
            self.dead.add(number)
        elif create is not None:
            self._asked_for = f"resp_{number}"
        while len(self.answers) > KEPT_ANSWERS:
            oldest = next(iter(self.answers))
            del self.answers[oldest]
            self.dead.discard(oldest)
            self._cut_short.discard(oldest)

    def delivered(self, event: ev.ServerEvent) -> None:
        """Record a server event that the core receives now."""
        match event:
            case ev.ResponseCreated():
                self._create_sent = None
                if event.response.id == self._asked_for:
                    self._active = (event.response.id, None)
                self._silent_since = self.now
            case ev.ResponseDone():
                if self._active is not None and self._active[0] == event.response.id:
                    self._active = None
            case ev.AudioDelta() | ev.AudioDone() | ev.OutputItemDone():
                self._silent_since = self.now
            case ev.ServerError():
                self._create_sent = None
                if self._active is not None and self._active[1] is not None:
                    self._active = None
            case ev.SessionUpdated():
                self.ready = True

    def socket_gone(self) -> None:
        """Record that the core knows about the closed socket."""
        self.ready = False
        self._create_sent = self._active = None

    def refused_truncate(self, event_id: str | None, has_ms: int) -> None:
        """Record the server's claim that an item is shorter than the truncation."""
        for told_id, item in self._told:
            if event_id in (told_id, None):
                self._again[item] = has_ms

    def card_lost(self, unheard_frames: int) -> None:
        """Record a lost card with the number of written frames that may not have been heard."""
        self._leave(unheard_frames)
        self._dropped()

    # --- every period -------------------------------------------------------------------

    def look(self, speaker: SmartSpeaker, mic: MicPeriod, step: TickResult, now: float) -> None:
        """Check one tick. Raises `Violation`."""
        self._late_ms = max(0.0, (now - self._looked) * 1000 - PERIOD_MS)
        self.now = self._looked = now
        before = self._state
        self._leave(mic.queued_frames)
        for effect in step.effects:
            match effect:
                case LogEvent("state", fields):
                    self._moved(State(fields["after"]), str(fields["event"]))
                case Show(shown):
                    self.shown = shown
                case LogEvent("playback_buffer_full"):
                    self._cut_short |= self.answers.keys() - self.dead
                case AlarmDismissed():
                    self.ringing = False
                case ComponentFault(part=part, error=error):
                    raise Violation(f"the {part} failed: {error!r}")
        self._state = speaker.state
        if step.drop:
            self._dropped()
        self._write(step.playback)
        sends = [effect.event for effect in step.effects if isinstance(effect, Send)]
        for event in sends:
            self._sent(event, before)
        if self._state in QUIET:
            self._dead_creates = self._creates
            for number in [n for n, items in self.answers.items() if items and items[0].again]:
                del self.answers[number]  # megabytes each
                self.dead.discard(number)
        self._time(speaker)
        self._indication(speaker)

    @property
    def silent(self) -> bool:
        """The loudspeaker has nothing to play."""
        return not any(run.sound for run in self._queue)

    # --- playback -----------------------------------------------------------------------

    def _leave(self, queued: int) -> None:
        leaving = sum(run.count for run in self._queue) - queued
        while leaving > 0 and self._queue:
            run = self._queue[0]
            count = min(leaving, run.count)
            leaving -= count
            if run.sound is not None:
                self._hear(run.sound, run.start, count)
            run.start += count
            run.count -= count
            if run.count == 0:
                self._queue.popleft()

    def _hear(self, sound: Sound, start: int, count: int) -> None:
        if sound.answer and start != sound.heard:
            raise Violation(f"{sound.name}: frame {start} was heard after frame {sound.heard}")
        sound.heard = start + count
        if not sound.answer:
            self._rang = self.now
        if sound.answer:
            self.heard_frames += count

    def _dropped(self) -> None:
        first = next((run.sound for run in self._queue if run.sound is not None), None)
        for run in reversed(self._queue):
            if run.sound is not None:
                run.sound.written = run.start
        if first is not None:
            self._current = first
        self._queue.clear()

    def _write(self, frames: Frames) -> None:
        at = 0
        if not frames.any():
            self._queue.append(_Run(None, 0, len(frames)))
            return
        while at < len(frames):
            rest = frames[at:]
            if rest[0] == 0:
                count = _until_sound(rest)
                self._queue.append(_Run(None, 0, count))
            else:
                sound, start, count = self._recognise(rest[: _until_silence(rest)])
                self._judge(sound, start)
                sound.written = start + count
                self._current = sound
                self._queue.append(_Run(sound, start, count))
            at += count

    def _recognise(self, frames: Frames) -> tuple[Sound, int, int]:
        best: tuple[Sound | None, int, int] = (None, 0, 0)
        for sound in self._candidates():
            for start in (sound.written,) if sound.answer else (sound.written, 0):
                known = sound.frames(start, min(start + len(frames), sound.sent))
                count = _same(frames, known)
                if count > best[2]:
                    best = (sound, start, count)
            if best[2] == len(frames):
                break
        sound, start, count = best  # type: ignore[assignment]
        if sound is None or count < min(4, len(frames), sound.sent - start):
            raise Violation(
                f"played frames do not belong to a current sound: {self._where(frames)}"
            )
        return sound, start, count

    def _candidates(self) -> Sequence[Sound]:
        current = [self._current] if self._current is not None else []
        items = [sound for sounds in self.answers.values() for sound in sounds]
        return [*current, *(s for s in items if s.answer not in self.dead), *self.tones.values()]

    def _where(self, frames: Frames) -> str:
        """Locate the frames in a known sound, for the report of a violation."""
        for sound in [s for sounds in self.answers.values() for s in sounds]:
            all_of_it = sound.frames(0, sound.length)
            for start in np.flatnonzero(all_of_it == frames[0]):
                known = all_of_it[start : start + len(frames)]
                if _same(frames, known) >= min(4, len(frames)):
                    state = "dead" if sound.answer in self.dead else "living"
                    return (
                        f"frame {start} of {state} {sound.name} "
                        f"(written to {sound.written}, heard to {sound.heard}, sent {sound.sent})"
                    )
        return f"unknown sound that begins with {frames[:4].tolist()}"

    def _judge(self, sound: Sound, start: int) -> None:
        if self.without_card:
            raise Violation(f"{sound.name} is played without a card")
        if sound.answer in self.dead:
            raise Violation(f"frame {start} of {sound.name} is played after its end")
        if sound.name.startswith(("alarm", "spoken")):
            if start == 0 and not self.ringing and sound.name == "alarm":
                raise Violation("an alarm sounds that was never set, or was dismissed")
        elif sound.answer and start == 0:
            for earlier in self.answers[sound.answer]:
                if earlier.item < sound.item and earlier.written < earlier.sent:
                    raise Violation(f"{sound.name} is played before the end of {earlier.name}")

    def rings(self) -> None:
        """Record that an alarm is due."""
        self.ringing = True

    # --- states -------------------------------------------------------------------------

    def _moved(self, after: State, event: str) -> None:
        before = self._state
        self._state, self._since = after, self.now
        if before in (State.SPEAKING, State.THINKING) and event.startswith("reply_finished"):
            self._complete()
        elif before in (State.SPEAKING, State.BARGE_IN) and after in QUIET:
            self.interruptions += 1
        if after in QUIET:
            self.dead |= self.answers.keys()

    def _complete(self) -> None:
        for number in self.answers.keys() - self.dead - self._cut_short:
            for sound in self.answers[number]:
                if sound.heard < sound.sent:
                    raise Violation(
                        f"{sound.name} counts as finished, but only {sound.heard} of "
                        f"{sound.sent} frames were heard"
                    )
            self.finished += 1

    def _time(self, speaker: SmartSpeaker) -> None:
        self._rings_on()
        if self._state in (State.THINKING, State.SPEAKING) and speaker._dialogue._session.working:
            self._since = self.now  # functions have their own time limit
        turn, lasted = self.settings.turn, self.now - self._since
        match self._state:
            case State.THINKING:
                longest = turn.response_timeout_s
            case State.BARGE_IN:
                longest = self.settings.hearing.decision_window_ms / 1000 + BARGE_IN_GRACE_S
            case State.SPEAKING:
                if self.heard_frames != self._heard_before:
                    self._heard_before, self._since = self.heard_frames, self.now
                longest = max(STALLED_S, turn.response_timeout_s) + 0.1
            case State.LISTENING:
                longest = turn.max_turn_s + 2 * max(turn.no_speech_timeout_s, turn.follow_up_s)
                deadline = speaker._dialogue._turn.deadline
                if deadline is None or self.now > deadline + A_TICK_S:
                    raise Violation("listening continues beyond its deadline")
                lasted = 0.0  # restarts whenever the user speaks again
            case State.IDLE:
                return
        if lasted > longest + A_TICK_S:
            raise Violation(
                f"{self._state} for {lasted:.2f} s, at most {longest:.2f} s are allowed"
            )

    def _rings_on(self) -> None:
        if self.shown is not Indication.RINGING:
            self._rang = self.now
        elif self.now - self._rang > SILENT_ALARM_S:
            raise Violation(f"a ringing alarm was silent for {SILENT_ALARM_S:.0f} s")

    def _indication(self, speaker: SmartSpeaker) -> None:
        refused = bool(speaker._dialogue.connection.refused)
        if self.muted:
            wanted = {Indication.MUTED}
        elif self.without_card:
            wanted = {Indication.ERROR}
        elif self.ringing and self.shown is Indication.RINGING:
            return
        elif refused:
            wanted = {Indication.ERROR}
        elif self._state is State.SPEAKING:
            wanted = {
                Indication.SPEAKING,
                Indication.THINKING,
            }  # thinking while the reply underruns
        elif self._state is not State.IDLE:
            wanted = {Indication(self._state)}
        else:
            wanted = {Indication.IDLE} if self.ready else {Indication.IDLE, Indication.OFFLINE}
        if self.shown not in wanted:
            raise Violation(f"{self.shown} is shown instead of {', '.join(wanted)}")

    # --- sent events --------------------------------------------------------------------

    def _sent(self, event: ev.ClientEvent, before: State) -> None:
        match event:
            case ev.AppendAudio():
                self._microphone_sent(before)
            case ev.CreateResponse():
                self._created(event)
            case ev.CancelResponse():
                if self._active is not None and self._active[1] is None:
                    self._active = (self._active[0], self.now)
            case ev.TruncateItem():
                self._truncated(event)
            case ev.DeleteItem():
                sound = self._sound(event.item_id)
                if sound is not None and sound.heard >= PER_MS * TOLD_WITHIN_MS:
                    raise Violation(f"{sound.name} is deleted, but was heard")

    def _microphone_sent(self, before: State) -> None:
        closed = (State.IDLE, State.SPEAKING, State.BARGE_IN)
        if self._state in closed and before in closed:
            raise Violation(f"microphone audio is sent while {self._state}")
        if (self.muted or self.without_card) and before is State.IDLE:
            raise Violation("microphone audio is sent, but there is no microphone")

    def _created(self, event: ev.CreateResponse) -> None:
        assert isinstance(event.response, dict)
        self._creates = int(event.response["metadata"][TURN_KEY])
        sent = self._create_sent
        if sent is not None and self.now - sent < CREATED_WITHIN_S - A_TICK_S:
            raise Violation("a response.create is sent while another is not answered")
        if self._active is not None:
            response, cancelled = self._active
            patience = CANCELLED_WITHIN_S - A_TICK_S
            abandoned = cancelled is not None and self.now - cancelled >= patience
            quiet = not self._server.ends and self.now - self._silent_since >= patience
            if not abandoned and not quiet:
                raise Violation(f"a response.create is sent while {response} is active")
            self._active = None
        self._create_sent = self.now

    def _truncated(self, event: ev.TruncateItem) -> None:
        self.truncations += 1
        sound = self._sound(event.item_id)
        if sound is None:
            raise Violation(f"{event.item_id} is truncated, but the server never sent it")
        self._told.append((event.event_id or "", event.item_id))
        told, heard = event.audio_end_ms, sound.heard // PER_MS
        if event.item_id in self._again:
            if told > self._again.pop(event.item_id):
                raise Violation(f"{sound.name} is truncated again at {told} ms, beyond its end")
            return
        if not 0 < told <= heard or heard - told > TOLD_WITHIN_MS + self._late_ms:
            raise Violation(f"{sound.name} is truncated at {told} ms, but {heard} ms were heard")
        if sound.done_s is not None and sound.done_s < self.now and sound.heard >= sound.sent:
            raise Violation(f"{sound.name} is truncated, but was heard in full")

    def _sound(self, item_id: str) -> Sound | None:
        items = (sound for sounds in self.answers.values() for sound in sounds)
        return next((sound for sound in items if sound.name == item_id), None)


def _until_silence(frames: Frames) -> int:
    return len(frames) if frames.all() else int(np.argmin(frames != 0))


def _until_sound(frames: Frames) -> int:
    return int(np.argmax(frames != 0)) if frames.any() else len(frames)


def _same(played: Frames, known: Frames) -> int:
    length = min(len(played), len(known))
    differs = played[:length] != known[:length]
    return int(np.argmax(differs)) if differs.any() else length
