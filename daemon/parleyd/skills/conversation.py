"""Skills of the conversation itself: the time, a replay of the last reply, and the end."""

from datetime import datetime

from parleyd.core.events import Then
from parleyd.skills import Outcome, skill


@skill
def get_time() -> str:
    """The local date and time."""
    now = datetime.now().astimezone()
    return f"It is {now:%A, %d %B %Y, %H:%M}, {now:%Z} (UTC{now:%z})."


@skill
def say_again() -> Outcome:
    """Play your last spoken answer once more, as the user heard it. Use this when the user
    asks what you said or to repeat it; say nothing yourself."""
    return Outcome("The last answer is played once more.", Then.REPEAT)


@skill
def end_conversation() -> Outcome:
    """End the talk at once and be silent: for "stop", "never mind", "that's all", "goodbye".
    Say nothing yourself."""
    return Outcome("The conversation is over.", Then.REST)
