"""Grammar and intents: from the user's words to the answer."""

import random
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parleyd.embedded import grammar
from parleyd.embedded.confirmation import confirm, spoken_duration
from parleyd.embedded.guide import HELP
from parleyd.embedded.intents import NOT_UNDERSTOOD, answer
from parleyd.embedded.plans import Call, IntentContext, Say
from parleyd.embedded.stories import STORIES, rest_after
from parleyd.units import Frames

NOW = datetime(2026, 3, 1, 0, 7, tzinfo=UTC)
ALL_TOOLS = frozenset(
    {
        "set_timer", "set_alarm", "list_timers", "cancel_timers", "set_volume", "change_volume",
        "mute_microphone", "say_again", "snooze",
    }
)  # fmt: skip
TOKENS = re.compile(r"<\w+>|[\w']+|[\[\]()|]")


def sample(body: str, rng: random.Random) -> str:
    """A random sentence of a JSGF expansion."""
    tokens = TOKENS.findall(body)

    def choices(closing: str) -> list[list[str]]:
        options: list[list[str]] = [[]]
        while tokens and tokens[0] != closing:
            token = tokens.pop(0)
            if token == "|":
                options.append([])
            elif token in "[(":
                inner = choices("]" if token == "[" else ")")
                tokens.pop(0)
                if token == "(" or rng.random() < 0.5:
                    options[-1] += rng.choice(inner)
            elif token.startswith("<"):
                options[-1] += sample(grammar.RULES[token[1:-1]], rng).split()
            else:
                options[-1].append(token)
        return options

    return " ".join(rng.choice(choices("")))


@settings(deadline=None)  # the first use compiles the grammar
@given(st.sampled_from(list(grammar.PHRASES)), st.integers(0, 2**32), st.booleans())
def test_every_sentence_of_the_grammar_is_understood(intent: Any, seed: int, framed: bool) -> None:
    rng = random.Random(seed)
    said = sample(rng.choice(grammar.PHRASES[intent]), rng)
    if framed:
        parts = ("[<wake>] [<filler>] [<request>]", "[<tail>]")
        said = f"{sample(parts[0], rng)} {said} {sample(parts[1], rng)}"
    found = grammar.match(said)
    assert found is not None, said
    # A tail can complete another phrase ("the time" + "again"), but only among these.
    assert found[0] == intent or framed, (said, found)
    assert isinstance(answer(said, IntentContext(NOW, ALL_TOOLS)), Say | Call)


@given(st.integers(1, 99), st.sampled_from(["second", "minute", "hour"]))
def test_durations_are_read_in_words_and_digits(count: int, unit: str) -> None:
    size = {"second": 1, "minute": 60, "hour": 3600}[unit]
    words = spelt(count)
    for text in (f"{count} {unit}s", f"{words} {unit}s"):
        assert grammar.seconds(text) == count * size
        call = answer(f"set a timer for {text}", IntentContext(NOW, ALL_TOOLS))
        if count * size > 24 * 3600:
            assert call == Say(("At most 24 hours.",))
        else:
            assert call == Call("set_timer", {"seconds": count * size})


def spelt(count: int) -> Any:
    """English number words, written independently of the grammar."""
    ones = (
        "zero one two three four five six seven eight nine ten eleven twelve thirteen "
        "fourteen fifteen sixteen seventeen eighteen nineteen"
    )
    tens = "twenty thirty forty fifty sixty seventy eighty ninety"
    if count < 20:
        return ones.split(" ")[count]
    unit = f" {ones.split(' ')[count % 10]}" if count % 10 else ""
    return tens.split(" ")[count // 10 - 2] + unit


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("What time is it?", Say(("It is 12:07 AM.",))),
        ("Hey Jarvis, can you please tell me what time it is", Say(("It is 12:07 AM.",))),
        ("what's today's date", Say(("Today is Sunday, March 1st, 2026.",))),
        ("set a timer for 90 seconds", Call("set_timer", {"seconds": 90})),
        ("set a timer for half an hour", Call("set_timer", {"seconds": 1800})),
        ("set a timer for an hour and a half", Call("set_timer", {"seconds": 5400})),
        ("set a timer for an hour and twenty minutes", Call("set_timer", {"seconds": 4800})),
        ("set a ten minute pasta timer", Call("set_timer", {"seconds": 600, "name": "pasta"})),
        ("a timer for a minute and five seconds", Call("set_timer", {"seconds": 65})),
        ("set a timer for two and a half hours", Call("set_timer", {"seconds": 9000})),
        ("set a timer for three quarters of an hour", Call("set_timer", {"seconds": 2700})),
        ("timer 10 minutes", Call("set_timer", {"seconds": 600})),
        ("another timer for one hundred and twenty minutes", Call("set_timer", {"seconds": 7200})),
        (
            "set a timer for ten minutes called tea",
            Call("set_timer", {"seconds": 600, "name": "tea"}),
        ),
        ("set a timer", Say(("For how long?",))),
        ("cancel all my timers", Call("cancel_timers", {"every": True, "kind": "timer"})),
        ("stop the timers", Call("cancel_timers", {"every": True, "kind": "timer"})),
        ("cancel every alarm", Call("cancel_timers", {"every": True, "kind": "alarm"})),
        ("turn off the alarms", Call("cancel_timers", {"every": True, "kind": "alarm"})),
        ("cancel all timers and alarms", Call("cancel_timers", {"every": True})),
        ("stop the alarms and timers", Call("cancel_timers", {"every": True})),
        ("cancel timer", Call("cancel_timers", {"kind": "timer"})),
        ("turn the volume down to ten", Call("set_volume", {"percent": 10})),
        ("lower the volume to five", Call("set_volume", {"percent": 5})),
        ("set the volume to nine", Call("set_volume", {"percent": 90})),
        ("set the volume to zero", Call("set_volume", {"percent": 0})),
        ("volume 50%.", Call("set_volume", {"percent": 50})),
        ("a 10-minute timer!", Call("set_timer", {"seconds": 600})),
        ("change the alarm to eight", Call("set_alarm", {"time": "08:00 or 20:00", "move": True})),
        ("change the alarm to 8 am", Call("set_alarm", {"time": "08:00", "move": True})),
        (
            "change the seven o'clock alarm to eight tomorrow",
            Call(
                "set_alarm",
                {"time": "08:00", "move": True, "day": "2026-03-02", "old_time": "07:00 or 19:00"},
            ),
        ),
        ("mute for ninety hours", Say(("At most 24 hours.",))),
        ("mute for twenty four hours", Call("mute_microphone", {"minutes": 1440})),
        ("set a timer for thirty hours", Say(("At most 24 hours.",))),
        ("set a pasta timer", Say(("How long is the pasta timer?",))),
        ("wake me", Say(("When shall I wake you?",))),
        ("at seven in the morning", Say(NOT_UNDERSTOOD)),
        ("cancel the alarm", Call("cancel_timers", {"kind": "alarm"})),
        ("stop the pasta timer", Call("cancel_timers", {"kind": "timer", "name": "pasta"})),
        ("wake me up at seven", Call("set_alarm", {"time": "07:00"})),
        ("wake me at quarter to seven", Call("set_alarm", {"time": "06:45"})),
        ("wake me at five past noon", Say(NOT_UNDERSTOOD)),
        ("wake me at noon", Call("set_alarm", {"time": "12:00"})),
        ("alarm for monday 6:05", Call("set_alarm", {"time": "06:05", "day": "2026-03-02"})),
        ("alarm for half past 7 p.m.", Call("set_alarm", {"time": "19:30"})),
        ("set an alarm for 12:05 am today", Say(("It is already 12:07 AM.", "At what time?"))),
        ("set an alarm for 7:30", Call("set_alarm", {"time": "07:30"})),
        ("set an alarm for twelve o'clock", Call("set_alarm", {"time": "12:00"})),
        ("set an alarm for twelve ten", Call("set_alarm", {"time": "00:10"})),
        ("set an alarm for seven fifteen in the evening", Call("set_alarm", {"time": "19:15"})),
        ("set a timer for one hour thirty", Call("set_timer", {"seconds": 5400})),
        ("start a half hour timer", Call("set_timer", {"seconds": 1800})),
        ("set a timer for one and a half hours", Call("set_timer", {"seconds": 5400})),
        ("set a timer for an hour and twenty", Say(NOT_UNDERSTOOD)),
        ("set a timer for two minutes thirty", Call("set_timer", {"seconds": 150})),
        (
            "remind me in twelve minutes to check the oven",
            Call("set_timer", {"seconds": 720, "name": "oven"}),
        ),
        ("we have to be up at six fifteen", Call("set_alarm", {"time": "06:15"})),
        ("cancel the countdown", Call("cancel_timers", {"kind": "timer"})),
        ("you're very quiet", Call("change_volume", {"steps": 1})),
        ("turn the volume up ten percent", Call("change_volume", {"steps": 1})),
        ("turn the volume up to ten percent", Call("set_volume", {"percent": 10})),
        ("make it sixty percent", Call("set_volume", {"percent": 60})),
        ("make it eight", Say(NOT_UNDERSTOOD)),
        (
            "cancel the morning alarm",
            Call("cancel_timers", {"kind": "alarm", "part": "morning"}),
        ),
        (
            "turn the 7:30 alarm off",
            Call("cancel_timers", {"kind": "alarm", "time": "07:30 or 19:30"}),
        ),
        ("set an alarm for 07:00", Call("set_alarm", {"time": "07:00"})),
        ("set an alarm for tomorrow", Say(("At what time tomorrow?",))),
        ("wake me on monday", Say(("When shall I wake you on Monday?",))),
        (
            "set a timer for ten minutes and five minutes",
            Say(("One by one, please: say the length of the first timer.",)),
        ),
        ("a couple minutes timer", Call("set_timer", {"seconds": 120})),
        ("set a timer for fifteen", Call("set_timer", {"seconds": 900})),
        ("wake me at a quarter of seven", Call("set_alarm", {"time": "06:45"})),
        (
            "wake me at eight instead of seven",
            Call(
                "set_alarm",
                {"time": "08:00 or 20:00", "move": True, "old_time": "07:00 or 19:00"},
            ),
        ),
        (
            "cancel the alarm for tomorrow night at one",
            Call("cancel_timers", {"kind": "alarm", "time": "01:00", "day": "2026-03-03"}),
        ),
        (
            "cancel the alarm for tomorrow morning",
            Call("cancel_timers", {"kind": "alarm", "day": "2026-03-02", "part": "morning"}),
        ),
        (
            "cancel all alarms for next sunday",
            Call("cancel_timers", {"every": True, "kind": "alarm", "day": "2026-03-08"}),
        ),
        ("i don't need all the alarms", Say(NOT_UNDERSTOOD)),
        ("i don't need a timer", Say(("Okay.",))),
        (
            "can i cancel timers",
            Say(
                ("Shall I cancel all timers?",),
                Call("cancel_timers", {"every": True, "kind": "timer"}),
            ),
        ),
        (
            "cancel the seven o'clock alarm",
            Call("cancel_timers", {"kind": "alarm", "time": "07:00 or 19:00"}),
        ),
        (
            "turn off my alarm for 6:30 a.m.",
            Call("cancel_timers", {"kind": "alarm", "time": "06:30"}),
        ),
        (
            "cancel tomorrow's alarm",
            Call("cancel_timers", {"kind": "alarm", "day": "2026-03-02"}),
        ),
        (
            "delete all alarms for monday",
            Call("cancel_timers", {"every": True, "kind": "alarm", "day": "2026-03-02"}),
        ),
        (
            "cancel the five minute timer",
            Call("cancel_timers", {"kind": "timer", "seconds": 300}),
        ),
        (
            "delete all my monday alarms",
            Call("cancel_timers", {"every": True, "kind": "alarm", "day": "2026-03-02"}),
        ),
        (
            "cancel my alarms for today",
            Call("cancel_timers", {"every": True, "kind": "alarm", "day": "2026-03-01"}),
        ),
        (
            "cancel friday's 6:30 am alarm",
            Call("cancel_timers", {"kind": "alarm", "time": "06:30", "day": "2026-03-06"}),
        ),
        (
            "turn alarm off at eight",
            Call("cancel_timers", {"kind": "alarm", "time": "08:00 or 20:00"}),
        ),
        (
            "cancel my reading alarm",
            Call("cancel_timers", {"kind": "alarm", "name": "reading"}),
        ),
        (
            "change my 5:00 pm alarm to 6:00 pm",
            Call("set_alarm", {"time": "18:00", "move": True, "old_time": "17:00"}),
        ),
        ("set an alarm to go off in two hours", Call("set_timer", {"seconds": 7200})),
        ("set my alarm an hour from now", Call("set_timer", {"seconds": 3600})),
        (
            "set alarm every ten minutes for two hours",
            Say(
                ("I can set single alarms only.", "Shall I set one for 10 minutes from now?"),
                Call("set_timer", {"seconds": 600}),
            ),
        ),
        ("how many minutes until my alarm goes off", Call("list_timers", {})),
        ("show me all my alarms for tomorrow", Call("list_timers", {})),
        ("snooze", Call("snooze", {})),
        ("snooze the alarm for ninety seconds", Call("snooze", {"minutes": 2})),
        ("let me sleep another half hour", Call("snooze", {"minutes": 30})),
        ("snooze for ten hours", Call("snooze", {"minutes": 180})),
        ("volume up by two", Call("change_volume", {"steps": 2})),
        ("turn the volume down by ten percent", Call("change_volume", {"steps": -1})),
        ("set the volume to minimum", Call("set_volume", {"percent": 10})),
        ("volume low", Call("set_volume", {"percent": 20})),
        (
            "set a daily alarm",
            Say(("I can set single alarms only.", "At what time every day?")),
        ),
        ("set an alarm for twenty three", Call("set_alarm", {"time": "23:00"})),
        ("wake me at twenty two forty five", Call("set_alarm", {"time": "22:45"})),
        ("wake me at twelve fifteen in the morning", Call("set_alarm", {"time": "00:15"})),
        ("wake me at seventy", Say(NOT_UNDERSTOOD)),
        ("set an alarm for 99", Say(NOT_UNDERSTOOD)),
        ("what timers are set", Call("list_timers", {})),
        ("mute the microphone for ten minutes", Call("mute_microphone", {"minutes": 10})),
        ("stop listening for ninety seconds", Call("mute_microphone", {"minutes": 2})),
        ("louder please", Call("change_volume", {"steps": 1})),
        ("jarvis turn it down", Call("change_volume", {"steps": -1})),
        ("set the volume to forty five percent", Call("set_volume", {"percent": 45})),
        ("you are too loud", Call("change_volume", {"steps": -1})),
        ("not so loud", Call("change_volume", {"steps": -1})),
        ("make it louder", Call("change_volume", {"steps": 1})),
        ("volume five", Call("set_volume", {"percent": 50})),
        ("volume five percent", Call("set_volume", {"percent": 5})),
        ("how long is left on the pasta timer", Call("list_timers", {})),
        ("mute", Call("mute_microphone", {"minutes": 10})),
        ("goodbye", Say(("Goodbye.",))),
        ("no thanks", Say(("Okay.",))),
        ("yes", Say(("Okay.",))),
        ("volume 100", Call("set_volume", {"percent": 100})),
        ("volume 300", Say(NOT_UNDERSTOOD)),
        ("set the volume to a hundred percent", Call("set_volume", {"percent": 100})),
        ("tell us a story about the clock", Say(STORIES["clock"])),
        ("never mind", Say(("Okay.",))),
        ("thank you very much", Say(("You are welcome.",))),
        ("go on", Say(("There is nothing to go on with.", "You can ask me for a story."))),
    ],
)
def test_answer_to_a_sentence_is_as_listed(said: str, expected: Any) -> None:
    assert answer(said, IntentContext(NOW, ALL_TOOLS)) == expected


@pytest.mark.parametrize(
    ("said", "day", "told"),
    [
        ("wake me every day at seven", "2026-03-01", "today at seven in the morning"),
        ("wake me at eleven on weekends", "2026-03-01", "today at eleven in the morning"),
        ("wake me at six on weekdays", "2026-03-02", "tomorrow, Monday, at six in the morning"),
        (
            "set an alarm for monday through friday at six",
            "2026-03-02",
            "tomorrow, Monday, at six in the morning",
        ),
        (
            "set a daily alarm for eleven",
            "2026-03-01",
            "today at eleven in the morning",
        ),
        ("wake me every saturday at nine", "2026-03-07", "on Saturday at nine in the morning"),
        (
            "every tuesday wake me at six thirty",
            "2026-03-03",
            "on Tuesday at six thirty in the morning",
        ),
    ],
)
def test_repeating_alarm_is_refused_and_its_first_offered(
    said: str, day: str | None, told: str
) -> None:
    got = answer(said, IntentContext(NOW, ALL_TOOLS))
    assert isinstance(got, Say)
    assert got.sentences == ("I can set single alarms only.", f"Shall I wake you {told}?")
    assert got.offer is not None
    assert got.offer.name == "set_alarm"
    assert got.offer.arguments.get("day") == day


@pytest.mark.parametrize("said", ["volume up by five", "lower the volume by fifty percent"])
def test_large_change_of_the_volume_is_asked(said: str) -> None:
    got = answer(said, IntentContext(NOW, ALL_TOOLS))
    assert isinstance(got, Say)
    assert got.offer == Call("change_volume", {"steps": 5 if "up" in said else -5})


ALREADY_MISHEARD = IntentContext(NOW, ALL_TOOLS, spoken=True, sure=False)


@pytest.mark.parametrize(
    ("said", "told", "asked"),
    [
        (
            "wake me at seven",
            "I will wake you today at seven in the morning.",
            "Shall I wake you today at seven in the morning?",
        ),
        (
            "mute the microphone for ten minutes",
            "I close the microphone for 10 minutes.",
            "Shall I close the microphone for 10 minutes?",
        ),
        (
            "cancel the pasta timer",
            "I cancel the pasta timer.",
            "Shall I cancel the pasta timer?",
        ),
        (
            "cancel all timers",
            "I cancel all timers.",
            "Shall I cancel all timers?",
        ),
        (
            "cancel all timers and alarms",
            "I cancel all timers and alarms.",
            "Shall I cancel all timers and alarms?",
        ),
        (
            "change the alarm to eight",
            "I move the alarm to eight.",
            "Shall I move the alarm to eight?",
        ),
        (
            "volume five",
            "I set the volume to 50 percent.",
            "Shall I set the volume to 50 percent?",
        ),
        (
            "set the volume to five percent",
            "I set the volume to 5 percent.",
            "Shall I set the volume to 5 percent?",
        ),
    ],
)
def test_far_reaching_speech_is_announced_or_asked(said: str, told: str, asked: str) -> None:
    call = answer(said, IntentContext(NOW, ALL_TOOLS, spoken=True))
    assert isinstance(call, Call)
    assert call.announcement == told
    question = answer(said, ALREADY_MISHEARD)
    typed = answer(said, IntentContext(NOW, ALL_TOOLS))
    assert question == Say((asked,), offer=typed)  # type: ignore[arg-type]
    assert answer("yes", IntentContext(NOW, ALL_TOOLS, offer=typed)) == typed  # type: ignore[arg-type]


@pytest.mark.parametrize("said", ["mute", "stop listening for two hours", "ten minutes"])
def test_doubtful_requests_are_asked_even_if_heard_well(said: str) -> None:
    asked = answer(said, IntentContext(NOW, ALL_TOOLS, spoken=True))
    assert isinstance(asked, Say)
    assert asked.offer is not None
    assert asked.sentences[0].startswith("Shall I ")


@pytest.mark.parametrize(
    "said", ["volume ten", "set the volume to 10", "turn the volume up to ten"]
)
@pytest.mark.parametrize("spoken", [True, False])
def test_ten_of_ten_is_asked(said: str, spoken: bool) -> None:
    asked = answer(said, IntentContext(NOW, ALL_TOOLS, spoken=spoken))
    full = Call("set_volume", {"percent": 100})
    assert asked == Say(("Shall I set the volume to 100 percent?",), offer=full)


@pytest.mark.parametrize(
    "said",
    [
        "set the volume to -5", "set the volume to -50 percent", "set the volume to 50.5 percent",
        "set the volume to 50,5 %", "set the volume to +5", "set the volume to - 5 percent",
        "set the volume to \N{MINUS SIGN}5 percent", "set a timer for -5 minutes",
        "set a timer for 0.5 hours", "set a timer for 20.5 minutes", "set a timer for 1/2 hour",
        "set a timer for 20/5 minutes", "set a timer for 5\N{VULGAR FRACTION ONE HALF} minutes",
        "set a timer for 2 1000 minutes", "set a timer for 1,000 seconds", "wake me at 7:5",
    ],
)  # fmt: skip
def test_number_that_would_lose_a_part_is_not_understood(said: str) -> None:
    assert answer(said, IntentContext(NOW, ALL_TOOLS)) == Say(NOT_UNDERSTOOD)


@pytest.mark.parametrize(
    "said",
    [
        "\N{CYRILLIC SMALL LETTER EN}\N{CYRILLIC SMALL LETTER IE} cancel all timers",
        "cancel all timers \N{CJK UNIFIED IDEOGRAPH-4E0D}",
        "no\N{LATIN SMALL LETTER E WITH ACUTE} mute",
        "cancel all timers" + 1000 * " " + "was what he said",
    ],
)  # fmt: skip
def test_text_that_would_lose_words_is_not_understood(said: str) -> None:
    """The first begins with a Russian "not"."""
    assert answer(said, IntentContext(NOW, ALL_TOOLS)) == Say(NOT_UNDERSTOOD)


@pytest.mark.parametrize("which", ["ten minute", "ten minute pasta"])
def test_question_before_cancelling_by_length_has_single_spaces(which: str) -> None:
    context = IntentContext(NOW, ALL_TOOLS, spoken=True, sure=False)
    asked = answer(f"cancel the {which} timer", context)
    assert isinstance(asked, Say)
    assert asked.sentences[0].startswith("Shall I cancel the ")
    assert "  " not in asked.sentences[0]


@pytest.mark.parametrize("question", ["At what time?", "It is already 3:05 PM. At what time?"])
def test_bare_time_answers_the_question(question: str) -> None:
    heard = IntentContext(NOW.replace(hour=15), ALL_TOOLS, (question,))
    assert answer("tomorrow at seven", heard) == Call(
        "set_alarm", {"time": "07:00", "day": "2026-03-02"}
    )


def test_answer_to_when_shall_i_wake_you_means_the_morning() -> None:
    afternoon = NOW.replace(hour=15)
    waking = IntentContext(afternoon, ALL_TOOLS, ("When shall I wake you?",), spoken=True)
    call = answer("seven", waking)
    assert isinstance(call, Call)
    assert call.announcement == "I will wake you tomorrow, Monday, at seven in the morning."
    other = IntentContext(afternoon, ALL_TOOLS, ("At what time?",))
    assert answer("seven", other) == Call("set_alarm", {"time": "19:00"})


@pytest.mark.parametrize("heard", ["How long is the pasta timer?", "How long is"])
def test_duration_after_the_question_keeps_the_name(heard: str) -> None:
    asked = IntentContext(NOW, ALL_TOOLS, (heard,), "How long is the pasta timer?")
    pasta = Call("set_timer", {"seconds": 600, "name": "pasta"})
    assert answer("ten minutes", asked) == pasta


@pytest.mark.parametrize(
    ("now", "said", "rings"),
    [
        ("12-01 00:30", "wake me at one tonight", "12-01 01:00"),
        ("12-01 00:30", "set an alarm for tonight at two", "12-01 02:00"),
        ("12-01 02:00", "wake me at three tonight", "12-01 03:00"),
        ("12-01 02:00", "set an alarm for one tonight", "12-02 01:00"),
        ("12-01 00:30", "set an alarm for ten tonight", "12-01 22:00"),
        ("11-30 15:05", "wake me at one tonight", "12-01 01:00"),
        ("11-30 15:05", "set an alarm for tonight at midnight", "12-01 00:00"),
        ("11-30 15:05", "set an alarm for today at midnight", "12-01 00:00"),
        ("11-30 15:05", "set an alarm for tomorrow night at one", "12-02 01:00"),
        ("11-30 15:05", "set an alarm for tomorrow night at midnight", "12-02 00:00"),
        ("11-30 15:05", "wake me tomorrow night at two", "12-02 02:00"),
        ("11-30 15:05", "set an alarm for tomorrow night at eleven", "12-01 23:00"),
        ("11-30 15:05", "set an alarm for tuesday night at one", "12-02 01:00"),
        ("11-30 15:05", "set an alarm for friday night at midnight", "12-05 00:00"),
        ("11-30 15:05", "set an alarm for monday night at one", "12-01 01:00"),
        ("11-30 15:05", "set an alarm for today at eight", "11-30 20:00"),
        ("12-04 15:00", "set an alarm for next friday at four in the afternoon", "12-11 16:00"),
        ("12-04 15:00", "set an alarm for friday at four in the afternoon", "12-04 16:00"),
        ("12-04 17:00", "set an alarm for friday at four in the afternoon", "12-11 16:00"),
    ],
)
def test_alarm_rings_in_the_night_that_was_named(now: str, said: str, rings: str) -> None:
    local = datetime.fromisoformat(f"2026-{now}")
    call = answer(said, IntentContext(local, ALL_TOOLS))
    assert isinstance(call, Call)
    day, hour = rings.split()
    assert call.arguments == {"time": hour, "day": f"2026-{day}"}


def test_duration_after_the_question_is_a_timer() -> None:
    heard = IntentContext(NOW, ALL_TOOLS, ("For how long?",), spoken=True)
    assert answer("ten minutes", heard) == Call("set_timer", {"seconds": 600})


@pytest.mark.parametrize(
    ("begun", "asked", "said", "day"),
    [
        ("wake me every monday", "every Monday?", "at seven", "2026-03-02"),
        ("wake me on mondays", "on Mondays?", "at seven", "2026-03-02"),
        ("set an alarm for every weekday", "every weekday?", "seven a m", "2026-03-02"),
        ("wake me on weekends", "on weekends?", "at seven", "2026-03-07"),
        ("set a daily alarm", "every day?", "at seven", "2026-03-02"),
        ("set a daily alarm", "every day?", "friday at seven", "2026-03-06"),
    ],
)
def test_hour_after_the_question_for_days_that_repeat(
    begun: str, asked: str, said: str, day: str
) -> None:
    context = IntentContext(NOW.replace(hour=15), ALL_TOOLS)
    question = answer(begun, context)
    assert isinstance(question, Say)
    assert question.sentences[-1].endswith(f" {asked}")
    got = answer(said, replace(context, question=question.sentences[-1]))
    offer = got.offer if isinstance(got, Say) else got
    assert offer == Call("set_alarm", {"time": "07:00", "day": day})


@pytest.mark.parametrize(
    ("which", "named"),
    [
        ("today's alarm", {"day": "2026-03-01"}),
        ("tomorrow's alarm", {"day": "2026-03-02"}),
        ("tomorrow's morning alarm", {"day": "2026-03-02", "part": "morning"}),
        ("my evening alarm", {"part": "evening"}),
        ("monday's alarm", {"day": "2026-03-02"}),
        ("the alarm in the evening", {"part": "evening"}),
        ("the monday morning alarm", {"day": "2026-03-02", "part": "morning"}),
    ],
)
def test_alarm_is_cancelled_by_words_before_it(which: str, named: dict[str, str]) -> None:
    call = answer(f"cancel {which}", IntentContext(NOW.replace(hour=15), ALL_TOOLS))
    assert call == Call("cancel_timers", {"kind": "alarm", **named})


@pytest.mark.parametrize(
    "said",
    ["alarm for fifteen in the morning", "alarm for eleven in the afternoon", "alarm for 15:00 am",
     "alarm for tomorrow at one in the evening"],
)  # fmt: skip
def test_hour_that_its_part_of_the_day_does_not_have(said: str) -> None:
    assert answer(said, IntentContext(NOW, ALL_TOOLS)) == Say(("No clock shows that hour.",))


@pytest.mark.parametrize(
    ("typed", "hour"),
    [("07:00", "07:00"), ("07:05", "07:05"), ("7:05", "19:05"), ("07:05 pm", "19:05"),
     ("11:30 p.m.", "23:30"), ("12:30 a.m.", "00:30"), ("6 in the evening", "18:00")],
)  # fmt: skip
def test_leading_zero_is_a_clock_of_24_hours(typed: str, hour: str) -> None:
    call = answer(f"set an alarm for {typed}", IntentContext(NOW.replace(hour=15), ALL_TOOLS))
    assert call == Call("set_alarm", {"time": hour})


TOMORROW = [
    "wake me tomorrow at 7",
    "tomorrow at seven wake me up",
    "set a seven o'clock alarm for tomorrow morning",
]


@pytest.mark.parametrize("said", TOMORROW)
def test_tomorrow_is_the_next_day(said: str) -> None:
    call = Call("set_alarm", {"time": "07:00", "day": "2026-03-02"})
    assert answer(said, IntentContext(NOW.replace(hour=4), ALL_TOOLS)) == call


@pytest.mark.parametrize("said", TOMORROW)
@pytest.mark.parametrize("spoken", [True, False])
def test_tomorrow_said_after_midnight_is_asked(said: str, spoken: bool) -> None:
    asked = answer(said, IntentContext(NOW, ALL_TOOLS, spoken=spoken))
    assert isinstance(asked, Say)
    assert asked.sentences[0] == "It is already Sunday; for Monday, say its name."
    assert asked.sentences[1].endswith("today at seven in the morning?")
    assert asked.offer == Call("set_alarm", {"time": "07:00", "day": "2026-03-01"})


@pytest.mark.parametrize(
    ("said", "spoken"),
    [
        ("set an alarm for midnight", "tonight at midnight"),
        ("set an alarm for tomorrow at midnight", "at midnight between Monday and Tuesday"),
        ("set an alarm for sunday night at midnight", "tonight at midnight"),
        ("alarm next sunday at midnight", "at midnight between Sunday, March 8, and Monday"),
        ("set an alarm for monday night at one", "on Tuesday at one in the morning"),
    ],
)  # fmt: skip
def test_midnight_is_spoken_in_words_that_mean_one_night(said: str, spoken: str) -> None:
    call = answer(said, IntentContext(NOW.replace(hour=15), ALL_TOOLS, spoken=True))
    assert isinstance(call, Call)
    assert call.announcement == f"The alarm will ring {spoken}."


def test_failure_has_spoken_hours_and_lengths() -> None:
    reason = "there are 2: alarm at 07:00 on Monday, 02 March, pasta timer of 300 seconds; say one."
    (told,) = confirm("x", "{}", f'{{"error": "{reason}"}}', NOW)
    assert "2: alarm tomorrow, Monday, at seven in the morning, pasta timer of 5 minutes;" in told


def test_hour_that_the_clock_shows_twice_rings_today() -> None:
    """In Berlin; it is 2:45 for the first time in the night of October 25."""
    now = datetime(2026, 10, 25, 2, 45, tzinfo=ZoneInfo("Europe/Berlin"))
    for said in ("set an alarm for 2:30 a.m.", "set an alarm for today at 2:30 a.m."):
        call = answer(said, IntentContext(now, ALL_TOOLS, spoken=True))
        assert isinstance(call, Call)
        assert call.announcement == "The alarm will ring today at two thirty in the morning."


def test_waking_hour_said_in_the_afternoon_is_tomorrow_morning() -> None:
    afternoon = IntentContext(NOW.replace(hour=15), ALL_TOOLS, spoken=True)
    call = answer("wake me at seven", afternoon)
    assert isinstance(call, Call)
    assert call.arguments == {"time": "07:00"}
    assert call.announcement == "I will wake you tomorrow, Monday, at seven in the morning."


def test_help_continues_in_short_groups() -> None:
    said: list[str] = []
    for words, group in (("what can i say", 0), ("more", 1), ("what else", 2), ("more", 0)):
        told = answer(words, IntentContext(NOW, ALL_TOOLS, said))
        assert told == Say(HELP[group])
        said.append(" ".join(HELP[group]))


WAKE = "I will wake you today at seven in the morning."
WARNING = "It would be lost if the power failed."


@pytest.mark.parametrize(
    ("announcement", "output", "said"),
    [
        ("I close the microphone for 10 minutes.",
         "The microphone is closed for 10 minutes. The button opens it.", "The button opens it."),
        ("I close the microphone for 1 hour and 30 minutes.",
         "The microphone is closed for 90 minutes.", "Done."),
        (WAKE, "The alarm rings at 07:00 on Sunday, 01 March.", "Done."),
        (WAKE, f"The alarm rings at 07:00 on Sunday, 01 March. {WARNING}", WARNING),
        ("I cancel the pasta timer.", "The pasta timer is cancelled.", "Done."),
        ("I set the volume to 5 percent.", "The volume is 5 percent now.", "Done."),
    ],
)  # fmt: skip
def test_announced_success_is_said_once(announcement: str, output: str, said: str) -> None:
    assert " ".join(confirm("x", "{}", output, NOW, announcement=announcement)) == said


@pytest.mark.parametrize(
    ("announcement", "output"),
    [
        (WAKE, "That did not work: there are 16 timers already, cancel some first."),
        (WAKE, "set_alarm did not answer within 5 seconds."),
        (WAKE, "set_alarm failed: OSError: the disk is full"),
        (WAKE, "The alarm rings today at eight in the morning."),
        ("I cancel the alarm.", "The tea alarm is cancelled."),
        ("I cancel the alarm.", "There are 2: alarm, alarm; say which one by its name."),
        ("I cancel all timers.", "3 timers are cancelled."),
        ("I set the volume to 0 percent.", "The volume is 5 percent now."),
        ("I set the volume to 95 percent.", "The volume is 5 percent now."),
        ("I do something else.", "Whatever a function of someone else returns."),
    ],
)
def test_anything_but_the_announced_success_is_said_whole(announcement: str, output: str) -> None:
    assert " ".join(confirm("x", "{}", output, NOW, announcement=announcement)) == output


@pytest.mark.parametrize("output", ['{"error": "no."}', '{"error": {"message": "no"}}'])
def test_error_of_an_announced_call_is_said(output: str) -> None:
    (said,) = confirm("x", "{}", output, NOW, announcement=WAKE)
    assert said == "That did not work: no."


def test_repeat_uses_the_skill_of_the_device_if_it_has_one() -> None:
    heard = ("It is noon.",)
    assert answer("say that again", IntentContext(NOW, ALL_TOOLS, heard)) == Call("say_again", {})
    assert answer("say that again", IntentContext(NOW, frozenset(), heard)) == Say(heard)
    assert isinstance(answer("say that again", IntentContext(NOW, ALL_TOOLS)), Say)


@pytest.mark.parametrize(
    "said", ["", "open the garage door", "set a timer for", "what is the capital of france", "?"]
)
def test_other_sentences_are_answered_with_an_apology(said: str) -> None:
    first, offer = answer(said, IntentContext(NOW)).sentences  # type: ignore[union-attr]
    assert first == "Sorry, I did not understand that."
    assert "what can I say" in offer


@pytest.mark.parametrize("said", ["set a timer for ten minutes", "louder", "volume ten"])
def test_without_tools_nothing_is_promised(said: str) -> None:
    (said_no,) = answer(said, IntentContext(NOW)).sentences  # type: ignore[union-attr]
    assert said_no.startswith("Sorry, this device can't ")


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("The timer rings in 600 seconds.", "The timer rings in 10 minutes."),
        ('{"error": "there are 16 timers"}', "That did not work: there are 16 timers."),
        ('{"message": "Done and dusted."}', "Done and dusted."),
        ('{"ok": true}', "The timer is set for 1 minute and 30 seconds."),
        (
            "alarm: in 90 seconds, at 07:05 on Monday, 02 March.",
            "alarm: in 1 minute and 30 seconds, tomorrow, Monday, at seven oh five in the morning.",
        ),
        ("", "The timer is set for 1 minute and 30 seconds."),
        ("null", "The timer is set for 1 minute and 30 seconds."),
    ],
)
def test_confirmation_is_built_from_the_output(output: Any, said: str) -> None:
    assert " ".join(confirm("set_timer", '{"seconds": 90}', output, NOW)) == said


@given(st.integers(1, 90_000))
def test_spoken_duration_can_be_read_back(seconds: int) -> None:
    text = spoken_duration(seconds)
    if seconds < 99 * 3600 and text.count("and") < 2:  # the grammar has two units at most
        assert grammar.seconds(text) == seconds


@given(st.sampled_from(list(STORIES)), st.integers(0, 12), st.integers(0, 4))
def test_rest_of_a_story_begins_at_the_first_unheard_sentence(
    title: str, whole: int, words: int
) -> None:
    story = STORIES[title]
    begun = " ".join(story[whole].split()[:words])
    heard = " ".join([*story[:whole], begun]).strip()
    if whole:
        assert rest_after(heard) == story[whole:]
    elif words >= 2:
        assert rest_after(heard) in (story, ())


@pytest.mark.slow
def test_stories_are_long_enough_to_interrupt(speak: Callable[[str], Frames]) -> None:
    for story in STORIES.values():
        assert sum(len(speak(sentence)) for sentence in story) / 24000 > 40.0


@pytest.mark.parametrize(
    "said",
    [
        "don't cancel the timer",
        "do not delete all my alarms",
        "don't stop listening",
        "never close the microphone",
        "don't wake me up",
        "please don't turn it up",
    ],
)
def test_negated_command_does_nothing(said: str) -> None:
    assert answer(said, IntentContext(NOW, ALL_TOOLS)) == Say(("Okay.",))


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("For how long?", "i don't need the timer"),
        ("How long is the egg timer?", "never mind the timer"),
        ("At what time?", "forget the alarm"),
    ],
)
def test_taking_back_a_begun_one_cancels_nothing_else(question: str, said: str) -> None:
    assert answer(said, IntentContext(NOW, ALL_TOOLS, question=question)) == Say(("Okay.",))
    assert isinstance(answer(said, IntentContext(NOW, ALL_TOOLS)), Call)


def test_day_of_an_alarm_is_kept_in_the_question_for_its_hour() -> None:
    asked = IntentContext(NOW.replace(hour=15), ALL_TOOLS, question="At what time tomorrow?")
    called = Call("set_alarm", {"time": "07:00", "day": "2026-03-02"})
    assert answer("at seven", asked) == called


@pytest.mark.parametrize("said", ["full volume", "volume zero", "turn the volume down to zero"])
def test_extreme_volume_is_asked_if_the_words_are_unsure(said: str) -> None:
    got = answer(said, ALREADY_MISHEARD)
    assert isinstance(got, Say)
    assert got.offer is not None


@pytest.mark.parametrize(
    "said",
    [
        "don't turn off the alarm",
        "please don't wake me at seven",
        "do not make it louder",
        "don't forget the alarm",
        "never stop listening",
        "hey jarvis don't change the alarm to eight",
        "cancel the alarm no wait",
        "cancel all timers wait no",
        "wake me at seven no eight",
        "mute never mind",
    ],
)
def test_negated_or_revoked_command_does_nothing(said: str) -> None:
    assert answer(said, IntentContext(NOW, ALL_TOOLS)) == Say(("Okay.",))


def test_one_timer_and_one_alarm_are_not_all_without_a_question() -> None:
    got = answer("cancel the timer and the alarm", IntentContext(NOW, ALL_TOOLS))
    assert isinstance(got, Say)
    assert got.offer == Call("cancel_timers", {"every": True})
