"""Every kind of event that the embedded server can send is sent and checked here.

The desk checks each event against the types of OpenAI's own package.
"""

from collections.abc import Callable

from parleyd.embedded.recognition import NO_CONFIDENCE, RecognitionResult
from parleyd.realtime import events as ev
from parleyd.units import Frames
from tests.embedded.engine_desk import Desk, only

NOT_OURS = {name for name in ev.SERVER_EVENTS if "mcp" in name}  # it calls no remote functions


def talk(desk: Desk) -> None:
    """A session with everything in it."""
    session = {
        "type": "realtime",
        "audio": {"input": {"transcription": {"model": "any"}}},
        "tools": [{"type": "function", "name": "set_timer", "parameters": {"type": "object"}}],
    }
    desk.send("session.update", session=session)
    answer = only(desk.ask("what time is it"), "response.done")["response"]["output"][0]
    desk.send("conversation.item.truncate", item_id=answer["id"], content_index=0, audio_end_ms=9)
    desk.send("conversation.item.retrieve", item_id=answer["id"])
    desk.send("conversation.item.delete", item_id=answer["id"])
    desk.send("response.create", response={"output_modalities": ["text"]})
    desk.ask("set a timer for one minute")
    desk.send("response.cancel")


def test_every_kind_of_server_event_matches_the_official_types(
    new_desk: Callable[..., Desk], spoken: Callable[..., Frames]
) -> None:
    desk = new_desk()
    talk(desk)
    desk.say(spoken("what is the date", pause_ms=900))
    desk.send("input_audio_buffer.clear")
    desk.by_hand = True
    desk.say(spoken("nobody hears this", pause_ms=900))
    broken = RecognitionResult("", NO_CONFIDENCE, failed="It broke.")
    desk._take(desk.engine.recognized(desk.jobs[-1].job, broken, desk.now))
    sent = {event["type"] for event in desk.log} | {"session.created"}  # sent to the new desk
    assert sent == set(ev.SERVER_EVENTS) - NOT_OURS
