"""The reply that is being played: received and heard audio, hold, resume, interrupt."""

from collections.abc import Callable, Mapping, Sequence

from parleyd.core.events import AfterTool, Effect, LogEvent, RecordTurn, SkillDone, SynthesizeSpeech
from parleyd.core.states import State
from parleyd.core.turn import TurnTrigger
from parleyd.core.turn_metrics import TurnMetrics
from parleyd.core.uplink import Uplink
from parleyd.playback.reply_player import InterruptedReply, ReplyPlayer
from parleyd.realtime.session import RealtimeSession
from parleyd.realtime.session_events import PermissionQuestion, ReplyAudio, SessionEvent
from parleyd.units import SERVER_RATE_HZ, Frames

LONGEST_QUESTION_S = 40.0  # for permission: `read_aloud` lets half a minute through
SILENCE_S = 20.0  # of silence at the end of the received audio: the rest is not waited for


class Reply:
    """One reply after the other, from the request to the last frame heard.

    Couples session and player: received audio is played, and the session learns the heard length.
    Each stage is timed for the turn's line in the log. The caller handles the session events that
    a method returns at once. Owned by the audio thread.
    """

    def __init__(
        self,
        player: ReplyPlayer,
        session: RealtimeSession,
        uplink: Uplink,
        emit: Callable[[Effect], None],
    ) -> None:
        self._player = player
        self._session = session
        self._uplink = uplink
        self._emit = emit
        self._log = TurnMetrics()
        self._turns = 0
        self._ends_talk = False

    @property
    def ends_talk(self) -> bool:
        """The model has ended the talk: this reply is the last."""
        return self._ends_talk

    @property
    def begun(self) -> bool:
        """Some of the reply has come in."""
        return self._player.begun

    def ask(
        self, begun_by: str, began: float, voiced_at: float | None, now: float
    ) -> Sequence[SessionEvent]:
        """The user's turn has ended: ask the model for a reply.

        The turn began at `began`, by the event `begun_by`; the user's voice was last heard at
        `voiced_at`, which may be before that.
        """
        self._uplink.finish()
        self._ends_talk = False
        self._player.begin()
        self._turns += 1
        self._log = TurnMetrics(turn=self._turns)
        self._log.listening(begun_by, began)
        heard = voiced_at is not None and voiced_at >= began
        self._log.turn_ended(voiced_at if heard else None, now)
        return self._session.ask_for_reply(now)

    # --- received audio ---------------------------------------------------------------

    def receive(self, audio: ReplyAudio, now: float) -> str:
        """Play more of the reply; returns why the reply fails, "" if it does not."""
        if not self._player.begun:
            self._log.first_delta(now)
            self._uplink.silence()  # before any of it is audible: the server gets no echo
        if not self._player.append(
            audio.item_id, audio.content_index, audio.frames, audio.response
        ):
            self._session.stop_generating(now)
            self._log_event("playback_buffer_full", item_id=audio.item_id)
            return self.end("")
        if self._player.silent_s >= SILENCE_S:
            self._session.stop_generating(now)
            return self.end(f"nothing but silence came for {SILENCE_S:.0f} s")
        return ""

    def end(self, failure: str) -> str:
        """No more of the reply comes, because of `failure` if that is not "".

        Returns why the reply fails; "" if the user hears at least some of it, or needs none.
        """
        self._player.done()
        if not failure and not self._player.sounded and not self._ends_talk:
            failure = "the answer was empty"
        if failure and self._player.sounded:
            self._log_event("reply_cut", reason=failure)
            return ""
        return failure

    def spent(self, turn: int, tokens: Mapping[str, float]) -> None:
        """A response for the turn of this number took these tokens."""
        self._log_event("usage", turn=turn, **tokens)
        if turn == self._log.turn:
            self._log.spent(tokens)

    def skill_done(self, done: SkillDone, now: float) -> Sequence[SessionEvent]:
        """A function that the model called has returned: respond, repeat the reply or end."""
        then, output = done.after, done.output
        if self._session.owes(done.call_id):
            self._ends_talk = then is AfterTool.END
            if then is AfterTool.REPLAY and not self._say_again():
                then, output = AfterTool.RESPOND, "Nothing was said yet that could be repeated."
        return self._session.skill_done(done.call_id, output, now, reply=then is AfterTool.RESPOND)

    def _say_again(self) -> bool:
        again = self._player.replay()
        if again:
            self._uplink.silence()
        return again

    # --- a question for permission is the rest of the reply, in the offline voice -----

    def ask_permission(
        self, question: PermissionQuestion, muted: bool, now: float
    ) -> Sequence[SessionEvent]:
        """Have the question spoken, if the user can hear and answer it; else refuse."""
        if muted:
            return self._session.question_failed("the microphone is closed", now)
        if not self._player.audible:
            return self._session.question_failed("the volume is 0", now)
        self._emit(SynthesizeSpeech(question.number, question.words))
        return []

    def question_spoken(
        self, number: int, frames: Frames | None, now: float
    ) -> Sequence[SessionEvent]:
        """Play the question (int16 at 24 kHz, None: no voice), if it is still the one that is
        due; refuse if that is impossible."""
        if not self._session.question_begins(number):
            return []
        self._uplink.silence()
        failure = self._play_question(frames)
        return self._session.question_failed(failure, now) if failure else []

    def _play_question(self, frames: Frames | None) -> str:
        if frames is None or len(frames) == 0:
            return "the offline voice is missing"
        if len(frames) > LONGEST_QUESTION_S * SERVER_RATE_HZ:
            return "it takes too long to be read aloud"
        if not self._player.append_own(frames):
            return "there is no room to play it"
        self._player.done()
        return ""

    # --- heard audio ------------------------------------------------------------------

    def progress(self, state: State, now: float) -> TurnTrigger | None:
        """At every period: the progress of the reply, as an event for the turn.

        `REPLY_FINISHED` comes once, in the period in which the last frame was heard.
        """
        if state is State.BARGE_IN and self._player.finished:
            self._uplink.reply_ended(now)  # while ducked; the turn waits for the decision
        if state not in (State.THINKING, State.SPEAKING):
            return None
        heard_ms = self._player.heard_ms
        if state is State.THINKING and heard_ms > 0:
            self._log.first_frame(now)
            return TurnTrigger.REPLY_AUDIBLE
        if self._player.finished:
            if self._player.cut is not None:
                self._session.truncate(self._player.cut)
            self._session.heard_out()
            self._log.heard_ms = heard_ms
            return TurnTrigger.REPLY_FINISHED
        if state is State.SPEAKING and heard_ms > self._log.heard_ms:
            self._log.heard_ms = heard_ms
            return TurnTrigger.REPLY_PROGRESSED
        return None

    # --- hold, resume, interrupt ------------------------------------------------------

    def hold(self, onset: float, now: float) -> None:
        """Silence or duck playback at once: the user may be speaking since `onset`."""
        self._player.hold()
        self._log.held(onset, now)

    def resume(self) -> None:
        """Resume playback where it was held."""
        self._player.resume()
        self._log.resumed()

    def interrupt(self, now: float) -> InterruptedReply:
        """Drop the rest of the reply: playback falls silent at once. Returns the heard part,
        which the session must learn (`RealtimeSession.interrupt`)."""
        interrupted = self._player.interrupt()
        self._log.interrupted(now, interrupted.heard_ms)
        return interrupted

    def report(self) -> None:
        """Log and record the turn, once for each reply that was asked for."""
        fields = self._log.close()
        if fields is not None:
            self._log_event("turn", **fields)
            self._emit(RecordTurn())

    def _log_event(self, name: str, **fields: object) -> None:
        self._emit(LogEvent(name, fields))
