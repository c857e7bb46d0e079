"""Accessors of Parley's client events for tests."""

from parleyd.realtime import events as ev


def settings_of(create: ev.CreateResponse) -> ev.Json:
    """Return the settings of a requested answer; an ordinary create may have none."""
    assert isinstance(create.response, dict)
    return create.response
