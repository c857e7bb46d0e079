"""The names of Parley's own functions, which a user's skill may not use."""

from parleyd.skills import conversation, is_skill
from parleyd.skills.mute import Mute
from parleyd.skills.timers import Timers
from parleyd.skills.volume import Volume

BUILT_IN = frozenset(
    name
    for owner in (Volume, Mute, Timers, conversation)
    for name, function in vars(owner).items()
    if is_skill(function)
)
