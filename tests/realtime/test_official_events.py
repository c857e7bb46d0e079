"""The tables of events match OpenAI's own types, complete by construction.

The tests of the session (test_first_messages) and of the embedded server
(tests/embedded/test_engine_official) check that the sent events fit these types.
"""

from collections.abc import Iterator
from typing import get_args

import msgspec
import pytest
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel

from parleyd.realtime import events as ev

EVENTS = ev.CLIENT_EVENTS | ev.SERVER_EVENTS
XAI_ONLY = {"conversation.item.input_audio_transcription.completed": {"status"}}  # recorded


def official() -> dict[str, type[BaseModel]]:
    """The official type of each kind of event."""
    models = [
        model for kinds in (RealtimeClientEvent, RealtimeServerEvent)
        for model in get_args(get_args(kinds)[0])
    ]  # fmt: skip
    return {get_args(model.model_fields["type"].annotation)[0]: model for model in models}


@pytest.mark.parametrize("kind", list(EVENTS))
def test_every_event_and_each_of_its_fields_is_official(kind: str) -> None:
    ours = {field.encode_name for field in msgspec.structs.fields(EVENTS[kind])}
    assert ours - set(official()[kind].model_fields) == XAI_ONLY.get(kind, set())


def test_no_kind_of_event_is_missing_from_the_tables() -> None:
    """A class outside the tables would be sent without a check."""
    for base, table in ((ev.ClientEvent, ev.CLIENT_EVENTS), (ev.ServerEvent, ev.SERVER_EVENTS)):
        assert set(kinds_of(base)) == set(table.values())


def kinds_of(base: type[ev.RealtimeEvent]) -> Iterator[type[ev.RealtimeEvent]]:
    """The classes below `base` that have no subclasses."""
    for cls in base.__subclasses__():
        if cls.__subclasses__():
            yield from kinds_of(cls)
        else:
            yield cls


def test_beta_names_map_to_official_ones() -> None:
    assert set(ev.BETA_NAMES.values()) <= set(official())
    assert not set(ev.BETA_NAMES) & set(ev.SERVER_EVENTS)
