"""The indication is the first active member of `Indication`, in the order of hardware/lights.md."""

import itertools

import pytest

from parleyd.core.indicator import IndicatorInputs, select_indication
from parleyd.core.states import Indication, State

CARD, REFUSED, OFFLINE = "the card is gone", "the key is wrong", "no network"


def holding(now: IndicatorInputs) -> set[Indication]:
    """Return all active indications."""
    rungs = {
        Indication.MUTED: now.muted,
        Indication.RINGING: now.ringing and not now.without_card,  # inaudible without a card
        Indication.ERROR: bool(now.without_card or now.refused),
        Indication.OFFLINE: bool(now.offline) and now.turn is State.IDLE,
        Indication(now.turn): not now.dry,
        Indication.THINKING: now.dry or now.turn is State.THINKING,
    }
    return {rung for rung, holds in rungs.items() if holds}


@pytest.mark.parametrize("turn", State)
def test_first_active_indication_is_shown(turn: State) -> None:
    dry = (False, True) if turn is State.SPEAKING else (False,)
    for muted, card, ringing, refused, offline, dry_ in itertools.product(
        (False, True), ("", CARD), (False, True), ("", REFUSED), ("", OFFLINE), dry
    ):
        now = IndicatorInputs(
            why_muted="",
            muted=muted,
            without_card=card,
            ringing=ringing,
            refused=refused,
            offline=offline,
            turn=turn,
            dry=dry_,
            remark="",
        )
        assert select_indication(now).indication == min(holding(now), key=list(Indication).index), (
            now
        )
        if muted:
            assert select_indication(now).indication is Indication.MUTED


def situation(**more: object) -> IndicatorInputs:
    """Return a situation without faults or events, with changes."""
    calm: dict[str, object] = {
        "muted": False, "why_muted": "", "without_card": "", "ringing": False, "refused": "",
        "offline": "", "turn": State.IDLE, "dry": False, "remark": "",
    }  # fmt: skip
    return IndicatorInputs(**(calm | more))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "rung", "why"),
    [
        (situation(), "idle", ""),
        (situation(muted=True, why_muted="the pin is busy"), "muted", "the pin is busy"),
        (situation(without_card=CARD, refused=REFUSED), "error", CARD),
        (situation(refused=REFUSED, offline=OFFLINE), "error", REFUSED),
        (situation(deaf="no model", offline=OFFLINE), "error", "no model"),
        (situation(deaf="no model", turn=State.LISTENING), "listening", ""),
        (situation(offline=OFFLINE), "offline", OFFLINE),
        (situation(offline=OFFLINE, turn=State.LISTENING), "listening", ""),
        (situation(turn=State.SPEAKING, dry=True), "thinking",
         "waiting for the rest of the answer"),
        (situation(remark="no answer came", impaired="no sound"), "idle", "no answer came"),
        (situation(impaired="no sound"), "idle", "no sound"),
        (situation(remark="no answer came", turn=State.LISTENING, impaired="no sound"),
         "listening", "no sound"),
        (situation(ringing=True, refused=REFUSED), "ringing", ""),
    ],
)  # fmt: skip
def test_indication_is_shown_with_its_reason(now: IndicatorInputs, rung: str, why: str) -> None:
    assert (select_indication(now).indication.value, select_indication(now).detail) == (rung, why)
