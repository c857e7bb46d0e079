"""Recorded conversations with one field changed, removed, null or mistyped."""

import json
from typing import Any

from hypothesis import strategies as st

from tests.realtime import replaying
from tests.realtime.replaying import Replay

REMOVED = "(removed)"
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [REMOVED, None, 7, -1, 1.5, 2**70, True, "", "7", "text", "x" * 300, "\ud83d", [], [None], {}]
)
NAMES = sorted(path.stem for path in replaying.RECORDINGS.glob("*.jsonl"))
FRAMES = {name: replaying.read(name) for name in NAMES}

HALVES = 4  # bytes: both halves of a frame in which the item seems to change

Path_ = tuple[str | int, ...]
Change = tuple[str, int, Path_, Any]


def paths(value: Any, before: Path_ = ()) -> list[Path_]:
    """Return the paths of every field of an event and every member of its lists."""
    members: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    found: list[Path_] = []
    for key, member in members:
        found += [(*before, key), *paths(member, (*before, key))]
    return found


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Draw a recording, the number of a frame, a field, and its replacement."""
    name = draw(st.sampled_from(NAMES))
    number = draw(st.integers(0, len(FRAMES[name]) - 1))
    field = draw(st.sampled_from(paths(json.loads(FRAMES[name][number]))))
    return name, number, field, draw(VALUES)


def check(change: Change) -> None:
    """Nothing raises, and audio and calls do not change, unless the field was the only source."""
    name, number, field, value = change
    frames = [*FRAMES[name]]
    kind = json.loads(frames[number])["type"]
    frames[number] = _changed(frames[number], field, value)
    played, whole = _played(name, frames), _played(name, FRAMES[name])
    if field == ("type",) or kind.startswith("session."):
        return
    assert len(played.calls) == len(played.results), "a call is answered not exactly once"
    if kind.endswith("audio.delta") and field[0] == "delta":
        return
    assert played.audio_bytes >= whole.audio_bytes - HALVES, "audio is lost"
    assert played.awaiting == whole.awaiting, "the session waits forever"
    if not _only_place(name, field):
        assert played.ends == whole.ends, "a turn ends not exactly once"
        assert len(played.calls) == len(whole.calls), "a call is lost or run twice"
        assert played.creates == whole.creates, "a response is requested not exactly once"


def _only_place(name: str, field: Path_) -> bool:
    """Whether the field is the only source: a server that announces a call once names it once."""
    return name == "compatible-bare" and field[0] in ("name", "call_id", "arguments")


def _changed(frame: str, field: Path_, value: Any) -> str:
    place = event = json.loads(frame)
    for key in field[:-1]:
        place = place[key]
    if value == REMOVED:
        del place[field[-1]]
    else:
        place[field[-1]] = value
    return json.dumps(event)


def _played(name: str, frames: list[str]) -> Replay:
    return Replay(name.partition("-")[0]).play(frames)
