"""Text frames of an arbitrary server: shaped like events, then damaged."""

import base64
import json
from typing import Any

from hypothesis import strategies as st

from parleyd.realtime import events as ev
from parleyd.realtime.responses import TURN_KEY
from parleyd.realtime.server_errors import WHAT_TO_DO

# `conversation` names the answers of a well-behaved server a1, a2 ...
RESPONSES = st.sampled_from(["a1", "a1", "a2", "a3", "r1", ""])
ITEMS = st.sampled_from(["ia1", "ia1", "ia2", "i1", "earcon:1", ""])
CALLS = st.sampled_from(["c1", "c2", "c3"])
CODES = st.sampled_from([*WHAT_TO_DO, "response_cancel_not_active", "invalid_value", "new_code"])
OTHER_CODES = st.sampled_from(
    [
        "conversation_already_has_active_response",
        "input_audio_buffer_commit_empty",
        "item_truncate_invalid_item_id",
        "cannot_update_voice",
    ]
)
TEXTS = st.one_of(
    st.sampled_from(["", "hello", "a\nturn=7", "\x00", "٣", "x" * 3000, '{"a": 1}', "[" * 3000]),
    st.builds(
        "Audio content of {}ms is already shorter than 9ms".format,
        st.sampled_from(["0", "7", "9" * 30, "9" * 5000, "٣"]),
    ),
    st.text(max_size=8),
)
NUMBERS = st.sampled_from([0, 1, -1, 20, 2**31, 2**63, 2**64, 10**400, 0.5, -1e308, 1e308])
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=5,
)
AUDIO = st.sampled_from([0, 1, 2, 3, 480, 4801, 9600, 96_000]).map(
    lambda size: base64.b64encode(bytes(range(256)) * (size // 256) + b"\x01" * (size % 256))
)

ITEM = st.fixed_dictionaries(
    {"type": st.sampled_from(["function_call", "message", "mcp_call", "mcp_approval_request"])},
    optional={
        "id": ITEMS,
        "status": st.sampled_from(["completed", "incomplete", "in_progress"]),
        "call_id": CALLS,
        "name": st.sampled_from(["tell_time", "say_again", "", "x" * 300]),
        "arguments": st.sampled_from(["{}", '{"minutes": 5}', "{", "[1]", "[" * 5000, "null"]),
        "server_label": TEXTS,
        "content": JUNK,
    },
)
TOKENS = st.sampled_from(["1", "2", "3"])
RESPONSE = st.fixed_dictionaries(
    {"id": RESPONSES},
    optional={
        "status": st.sampled_from(["in_progress", "completed", "cancelled", "failed", None]),
        "status_details": st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {},
                optional={
                    "reason": st.sampled_from(["turn_detected", "client_cancelled", 3]),
                    "error": st.one_of(
                        JUNK, st.fixed_dictionaries({"code": CODES, "message": TEXTS})
                    ),
                },
            ),
        ),
        "output": st.lists(ITEM, max_size=3),
        "metadata": st.one_of(st.none(), st.fixed_dictionaries({TURN_KEY: TOKENS | JUNK})),
        "usage": st.one_of(
            st.none(),
            st.fixed_dictionaries(
                {}, optional={"input_tokens": JUNK, "input_token_details": JUNK, "cost": JUNK}
            ),
        ),
    },
)
ERROR = st.fixed_dictionaries(
    {},
    optional={
        "type": CODES | OTHER_CODES,
        "code": CODES | OTHER_CODES | st.none(),
        "message": TEXTS,
        "event_id": st.sampled_from(["parley_1", "parley_9", None]),
    },
)

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "response_id": RESPONSES,
    "item_id": ITEMS,
    "call_id": CALLS,
    "item": ITEM,
    "response": RESPONSE,
    "error": ERROR,
    "session": st.fixed_dictionaries(
        {}, optional={"id": TEXTS, "expires_at": NUMBERS, "tools": JUNK}
    ),
    "usage": JUNK,
    "part": JUNK,
    "rate_limits": JUNK,
}
INTEGERS = st.sampled_from([0, 0, 0, 1, -1, 2**40])
BETA = {new: old for old, new in ev.BETA_NAMES.items()}


@st.composite
def shaped(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an event of a known type with valid fields."""
    kind = draw(st.sampled_from(sorted(ev.SERVER_EVENTS)))
    event: dict[str, Any] = {"type": draw(st.sampled_from([kind, kind, BETA.get(kind, kind)]))}
    for name in ev.SERVER_EVENTS[kind].__struct_fields__:
        if name == "delta" and kind.endswith("audio.delta"):
            event[name] = draw(AUDIO).decode()
        elif name.endswith(("_index", "_ms")):
            event[name] = draw(INTEGERS)
        elif name != "event_id":
            event[name] = draw(FIELDS.get(name, TEXTS))
    return event


@st.composite
def _damaged(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an event with a missing, mistyped or extra field."""
    event = draw(shaped())
    name = draw(st.sampled_from([*event, "extra"]))
    if name in event and draw(st.booleans()):
        del event[name]
    else:
        event[name] = draw(JUNK)
    return event


@st.composite
def _broken(draw: st.DrawFn) -> str | bytes:
    """Draw a frame that is not an event, not JSON, or not text."""
    text = json.dumps(draw(shaped()))
    place = draw(st.integers(0, len(text)))
    match draw(st.sampled_from(["end", "insert", "deep", "bytes", "twice"])):
        case "end":
            return text[:place]
        case "insert":
            odd = st.sampled_from(['"', "\\", "\x00", "\\ud800", "NaN", "1e999", "[", "}"])
            return text[:place] + draw(odd) + text[place:]
        case "deep":
            depth = draw(st.sampled_from([100, 5000]))
            return text[:-1] + ', "deep": ' + "[" * depth + "]" * depth + "}"
        case "bytes":
            return text.encode()[:place] + b"\xff\xfe"
        case _:
            return text + text


FRAMES: st.SearchStrategy[str | bytes] = st.one_of(
    shaped().map(json.dumps), shaped().map(json.dumps), _damaged().map(json.dumps), _broken()
)
