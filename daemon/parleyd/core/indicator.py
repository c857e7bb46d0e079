"""Selects the indication: mute first, then what is wrong, then the state of the turn."""

from typing import NamedTuple

from parleyd.core.events import Show
from parleyd.core.states import Indication, State


class IndicatorInputs(NamedTuple):
    """The inputs of the selection; a text gives the reason, "" if there is none."""

    muted: bool
    why_muted: str
    """The reason if it is not just the switch: it cannot be read, or the user asked by voice."""
    without_card: str
    ringing: bool
    refused: str
    """The server refuses: a wrong key; while idle also no quota, no such model."""
    offline: str
    turn: State
    dry: bool
    """The turn is `speaking`, and the rest of the reply has not come yet."""
    remark: str
    """Why the last turn got no answer."""
    deaf: str = ""
    """Why no wake word can be heard: its engine has failed."""
    impaired: str = ""
    """What else does not work: a microphone without sound, a part of hearing that has failed."""


def select_indication(now: IndicatorInputs) -> Show:
    """The first indication of the order that applies."""
    idle = now.turn is State.IDLE
    if now.muted:
        return Show(Indication.MUTED, now.why_muted)
    if now.without_card:
        return Show(Indication.ERROR, now.without_card)
    if now.ringing:
        return Show(Indication.RINGING)
    if now.refused:
        return Show(Indication.ERROR, now.refused)
    if now.deaf and idle:
        return Show(Indication.ERROR, now.deaf)
    if now.offline and idle:
        return Show(Indication.OFFLINE, now.offline)
    if now.dry:
        return Show(Indication.THINKING, "waiting for the rest of the answer")
    return Show(Indication(now.turn), (now.remark if idle else "") or now.impaired)
