"""Estimates of costs: every token is paid once, at the price of its kind."""

import json

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from parleyd.cli.main import parley
from parleyd.config.servers import OPENAI
from parleyd.diagnostics.prices import ModelPrice, TokenPrice, price_table

# powers of ten, so that each digit of a sum names its kind
PRICE = ModelPrice(TokenPrice(1e6, 10e6, 100e6), TokenPrice(1e9, 10e9, 100e9))
TURN = "2026-11-30 10:00:00,123 INFO parleyd.turns: "
SPENT = "input_tokens=1400 cached_tokens=1024 output_tokens=300 input_audio_tokens=40"
SPENT += " cached_audio_tokens=24 output_audio_tokens=240"
COUNT = st.floats(min_value=0, max_value=1e9)


def test_each_token_is_paid_once_at_the_price_of_its_kind() -> None:
    tokens = {
        "input_tokens": 9, "input_audio_tokens": 5, "cached_tokens": 5, "cached_audio_tokens": 3,
        "output_tokens": 9, "output_audio_tokens": 7,
    }  # fmt: skip
    assert PRICE.cost(tokens) == 732_222  # 2 new words, 2 cached, 2 written; 2, 3, 7 of audio


@pytest.mark.parametrize(
    "missing", ["input_tokens", "output_tokens", "input_audio_tokens", "output_audio_tokens"]
)
def test_without_a_count_there_is_no_estimate(missing: str) -> None:
    tokens = dict.fromkeys(
        ("input_tokens", "output_tokens", "input_audio_tokens", "output_audio_tokens"), 1.0
    )
    assert PRICE.cost(tokens) is not None
    del tokens[missing]
    assert PRICE.cost(tokens) is None


@given(st.lists(COUNT, min_size=6, max_size=6))
def test_counts_that_contradict_each_other_never_pay_back(counts: list[float]) -> None:
    names = (
        "input_tokens", "output_tokens", "input_audio_tokens", "output_audio_tokens",
        "cached_tokens", "cached_audio_tokens",
    )  # fmt: skip
    cost = PRICE.cost(dict(zip(names, counts, strict=True)))
    assert cost is not None
    assert cost >= 0


def test_the_default_model_has_a_price_and_cached_tokens_cost_less() -> None:
    assert OPENAI.model in price_table().models
    for price in price_table().models.values():
        for kind in (price.text, price.audio):
            assert 0 < kind.cached < kind.input < kind.output


def ask(log: str, *arguments: str) -> str:
    ran = CliRunner().invoke(parley, ["turns", *arguments, "-"], input=log, catch_exceptions=False)
    assert ran.exit_code == 0, ran.output
    return ran.output


def test_turns_estimates_each_asked_model() -> None:
    log = f"{TURN}usage turn=1 {SPENT}\n{TURN}turn turn=1 begun_by=wake heard_ms=3000\n"
    shown = ask(log, "--model", "gpt-realtime-2.1", "--model", "gpt-realtime-2.1-mini")
    # (360 x 4 + 1000 x 0.4 + 60 x 24 + 16 x 32 + 24 x 0.4 + 240 x 64) / 1e6, and the same
    # with (0.6, 0.06, 2.4, 10, 0.3, 20)
    assert "0.0192" in shown
    assert "0.0054" in shown
    assert f"list prices of {price_table().read_on}" in shown
    (row,) = json.loads(ask(log, "--json", "--model", "gpt-realtime-2.1"))["turns"]
    assert row["cost of gpt-realtime-2.1"] == pytest.approx(0.0191616)


def test_without_a_count_turns_shows_no_estimate_and_an_unknown_model_is_refused() -> None:
    log = f"{TURN}usage turn=1 input_tokens=14\n{TURN}turn turn=1 begun_by=wake heard_ms=3000\n"
    assert "estimates" not in ask(log, "--model", "gpt-realtime-2.1")
    refused = CliRunner().invoke(parley, ["turns", "--model", "gpt-9", "-"], input=log)
    assert refused.exit_code == 2
    assert "gpt-realtime-2.1-mini" in refused.output  # the allowed names


def test_a_spoken_text_is_a_row_with_its_tokens_and_joins_no_turn() -> None:
    log = "".join(
        f"{TURN}{line}\n"
        for line in (
            f"usage turn=3 {SPENT}", "turn turn=3 begun_by=wake heard_ms=3000",
            f"usage turn=0 {SPENT}", f"usage turn=0 {SPENT}", "usage turn=3 output_tokens=1",
        )
    )  # fmt: skip
    rows = json.loads(ask(log, "--json", "--model", "gpt-realtime-2.1"))["turns"]
    assert [row["begun_by"] for row in rows] == ["wake", "say", "say"]
    assert [row["output_tokens"] for row in rows] == [301, 300, 300]
    assert all(row["cost of gpt-realtime-2.1"] > 0.019 for row in rows)
    assert len(json.loads(ask(log, "--json", "-n", "1"))["turns"]) == 1


@pytest.mark.parametrize("count", ["1e308", "-5", "1e10"])
def test_implausible_counts_are_not_added(count: str) -> None:
    usage = f"{TURN}usage turn=1 input_tokens={count} output_tokens=2\n"
    log = usage + usage + f"{TURN}turn turn=1 begun_by=wake heard_ms=3000\n"
    (row,) = json.loads(ask(log, "--json"))["turns"]
    assert "input_tokens" not in row
    assert row["output_tokens"] == 4
