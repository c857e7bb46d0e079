"""The events that Parley sends, as tests read them."""

from parleyd.realtime import events as ev


def settings_of(create: ev.CreateResponse) -> ev.Json:
    """How an answer is asked for. An ordinary create may leave that to the server."""
    assert isinstance(create.response, dict)
    return create.response
