"""Events on the wire: GA names out, GA and beta names in, and none that can end a session."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parleyd.realtime import events as ev


def test_audio_is_base64_on_the_wire_and_bytes_in_memory() -> None:
    text = ev.encode(ev.AppendAudio(audio=b"\1\2\3"))
    assert json.loads(text) == {
        "type": "input_audio_buffer.append",
        "audio": base64.b64encode(b"\1\2\3").decode(),
    }
    back = ev.decode_client(text)
    assert isinstance(back, ev.AppendAudio)
    assert back.audio == b"\1\2\3"


def test_create_without_settings_is_bare() -> None:
    assert json.loads(ev.encode(ev.CreateResponse())) == {"type": "response.create"}


def test_truncate_always_names_its_part_and_time() -> None:
    event = ev.TruncateItem(item_id="i", content_index=0, audio_end_ms=0, event_id="e")
    assert json.loads(ev.encode(event)) == {
        "type": "conversation.item.truncate",
        "event_id": "e",
        "item_id": "i",
        "content_index": 0,
        "audio_end_ms": 0,
    }


@pytest.mark.parametrize(("beta", "ga"), list(ev.BETA_NAMES.items()))
def test_beta_names_are_read_as_their_successors(beta: str, ga: str) -> None:
    fields = {"response_id": "r", "item_id": "i", "delta": "AAAA", "item": {"id": "i"}}
    event = ev.decode_server(json.dumps({"type": beta, **fields}))
    assert isinstance(event, ev.SERVER_EVENTS[ga])


def test_nulls_of_compatible_servers_are_not_errors() -> None:
    text = (
        '{"type":"response.created","event_id":null,"response":{"id":"r","status":null,'
        '"status_details":null,"output":null,"metadata":null,"usage":null,"x":1}}'
    )
    assert isinstance(ev.decode_server(text), ev.ResponseCreated)


@pytest.mark.parametrize(
    "text",
    ["", "nonsense", "[]", "1", '{"type":1}', '{"a":2}', b"\xff"],
)
def test_invalid_event_is_malformed(text: str | bytes) -> None:
    assert isinstance(ev.decode_server(text), ev.Malformed)


def test_new_kinds_of_events_are_unknown() -> None:
    assert ev.decode_server('{"type":"response.hologram","x":[]}') == ev.Unknown(
        "response.hologram"
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
fields = st.dictionaries(
    st.sampled_from(["item", "item_id", "response", "response_id", "delta", "error", "session"])
    | st.text(max_size=5),
    json_values,
)


@pytest.mark.slow
@given(kind=st.sampled_from(sorted(ev.SERVER_EVENTS) + sorted(ev.BETA_NAMES)), rest=fields)
def test_no_server_event_however_shaped_raises(kind: str, rest: dict[str, object]) -> None:
    event = ev.decode_server(json.dumps({**rest, "type": kind}))
    assert isinstance(event, ev.ServerEvent | ev.Malformed)
