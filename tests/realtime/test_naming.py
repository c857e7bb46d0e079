"""Events without ids, or with wrong ones, belong to the current response and item."""

import numpy as np
import pytest

from parleyd import config
from parleyd.playback.playout import PlaybackProgress
from parleyd.realtime import events as ev
from parleyd.realtime.session import RealtimeSession
from parleyd.realtime.session_events import ReplyAudio, ReplyDone, SessionEvent

SPEECH = np.ones(4800, np.int16)
PCM = b"\x01\x00" * 100


def asked(server: str = "openai") -> RealtimeSession:
    """The user asked a question, and the server has begun response r1."""
    realtime = config.RealtimeConfig(server=server, url="ws://nas/v1")  # type: ignore[arg-type]
    made = RealtimeSession(realtime, config.TurnConfig())
    made.opened()
    made.receive(ev.SessionCreated(), 0.0)
    made.receive(ev.SessionUpdated(), 0.0)
    made.append(SPEECH)
    made.ask_for_reply(0.1)
    made.receive(ev.AudioCommitted(item_id="u1"), 0.1)
    made.poll(9.0)
    made.to_send()
    made.receive(ev.ResponseCreated(response=ev.Response(id="r1")), 9.1)
    return made


def audio(response_id: str = "r1", item_id: str = "i1", output_index: int = 0) -> ev.AudioDelta:
    return ev.AudioDelta(
        response_id=response_id, item_id=item_id, delta=PCM, output_index=output_index
    )


def heard(events: list[SessionEvent]) -> list[str]:
    return [one.item_id for one in events if isinstance(one, ReplyAudio)]


@pytest.mark.parametrize("response_id", ["r1", "", "never_announced"])
def test_audio_of_the_current_response_is_played(response_id: str) -> None:
    made = asked()
    made.receive(ev.OutputItemAdded(response_id="r1", item={"id": "i1", "type": "message"}), 9.2)
    assert heard(made.receive(audio(response_id, ""), 9.3)) == ["i1"]


def test_audio_of_a_response_that_is_over_is_not_played() -> None:
    made = asked()
    made.receive(ev.ResponseDone(response=ev.Response(id="r1", status="cancelled")), 9.2)
    made.append(SPEECH)
    made.ask_for_reply(10.0)
    made.receive(ev.AudioCommitted(item_id="u2"), 10.0)
    made.poll(20.0)
    made.receive(ev.ResponseCreated(response=ev.Response(id="r2")), 20.1)
    assert made.receive(audio("r1"), 20.2) == []
    assert heard(made.receive(audio("r2"), 20.3)) == ["i1"]


def test_audio_without_item_belongs_to_the_message_at_its_index() -> None:
    made = asked()
    for index, item_id, kind in (
        (0, "a", "message"),
        (1, "f", "function_call"),
        (2, "b", "message"),
    ):
        item = {"id": item_id, "type": kind}
        made.receive(ev.OutputItemAdded(response_id="r1", item=item, output_index=index), 9.2)
    assert heard(made.receive(audio(item_id="", output_index=0), 9.3)) == ["a"]
    assert heard(made.receive(audio(item_id="", output_index=1), 9.3)) == ["b"]
    assert heard(made.receive(audio(item_id="", output_index=2), 9.3)) == ["b"]


def test_unnamed_item_is_one_item_and_is_not_truncated() -> None:
    made = asked()
    items = [heard(made.receive(audio(item_id=""), 9.2))[0] for _ in range(3)]
    assert len(set(items)) == 1
    made.interrupt([PlaybackProgress(items[0], 0, 100, 400, False)], 9.5)
    kinds = [type(event).__name__ for event in made.to_send()]
    assert kinds == ["CancelResponse"]


def test_end_with_a_wrong_id_is_identified_by_its_items() -> None:
    made = asked()
    made.receive(ev.OutputItemAdded(response_id="r1", item={"id": "i1", "type": "message"}), 9.2)
    made.receive(audio(), 9.3)
    output = [{"id": "i1", "type": "message"}]
    wrong = ev.Response(id="r9", status="completed", output=output)
    assert made.receive(ev.ResponseDone(response=wrong), 9.4) == [ReplyDone()]
    assert not made.awaiting
