"""Skills of the conversation itself: the time, a replay of the last reply, and the end."""

from datetime import datetime

from parleyd.core.events import AfterTool
from parleyd.skills import SkillResult, skill


@skill
def get_time() -> str:
    """The local date and time."""
    now = datetime.now().astimezone()
    return f"It is {now:%A, %d %B %Y, %H:%M}, {now:%Z} (UTC{now:%z})."


@skill
def say_again() -> SkillResult:
    """Play your last spoken answer once more, as the user heard it. Use this when the user
    asks what you said or to repeat it; say nothing yourself."""
    return SkillResult("The last answer is played once more.", AfterTool.REPLAY)


@skill
def end_conversation() -> SkillResult:
    """End the talk at once and be silent: for "stop", "never mind", "that's all", "goodbye".
    Say nothing yourself."""
    return SkillResult("The conversation is over.", AfterTool.END)
