"""Token counts in the various forms of servers."""

import pytest

from parleyd.realtime import events as ev
from parleyd.realtime.events import Json
from parleyd.realtime.usage import Usage


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        ({"input_tokens": 44, "output_tokens": 99, "input_token_details": {"cached_tokens": 3}},
         {"input_tokens": 44, "output_tokens": 99, "cached_tokens": 3}),
        ({"input_tokens": "44", "output_tokens": 99.0}, {"input_tokens": 44, "output_tokens": 99}),
        ({"prompt_tokens": 44, "completion_tokens": 99, "prompt_tokens_details":
          {"cached_tokens": 0}}, {"input_tokens": 44, "output_tokens": 99, "cached_tokens": 0}),
        ({"input_tokens": 44, "input_tokens_details": {"cached_tokens": 3}},
         {"input_tokens": 44, "cached_tokens": 3}),
        ({"input_tokens": 44, "output_tokens": 30, "input_token_details": {"cached_tokens": 32,
          "audio_tokens": 20, "cached_tokens_details": {"audio_tokens": 8}},
          "output_token_details": {"audio_tokens": 25}},
         {"input_tokens": 44, "cached_tokens": 32, "output_tokens": 30, "input_audio_tokens": 20,
          "cached_audio_tokens": 8, "output_audio_tokens": 25}),
        ({"output_tokens_details": {"audio_tokens": 25}, "input_token_details": {
          "audio_tokens": 9, "cached_tokens_details": [1]}},
         {"output_audio_tokens": 25, "input_audio_tokens": 9}),
        ({"input_tokens": 44, "cost": 0.25}, {"input_tokens": 44, "cost": 0.25}),
        ({"input_tokens": True, "output_tokens": -1, "cost": None}, {}),
        ({"input_tokens": float("nan"), "output_tokens": float("inf")}, {}),
        ({"input_tokens": 10**400, "output_tokens": 10**10}, {}),
        ({"input_tokens": "many", "output_tokens": [1], "input_token_details": 5}, {}),
        ({}, {}),
    ],
)  # fmt: skip
def test_usage_in_any_form_is_counted(usage: Json, tokens: Json) -> None:
    found = Usage().done(ev.Response(id="r", usage=usage))
    assert [used.tokens for used in found] == ([tokens] if tokens else [])
