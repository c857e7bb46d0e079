"""Phrases that development has seen: their figures say how well they were learned, no more."""

from tests.bench.phrases.wanted import Phrase, Wanted


def _timer(seconds: int, name: str = "") -> Wanted:
    return Wanted("set_timer", seconds=seconds, name=name)


def _alarm(time: str) -> Wanted:
    return Wanted("set_alarm", time=time)


_LOUDER, _QUIETER = Wanted("change_volume", steps=1), Wanted("change_volume", steps=-1)

_INSIDE = {
    "what time is it": Wanted("time"),
    "could you tell me the time": Wanted("time"),
    "what is the date today": Wanted("date"),
    "set a timer for ten minutes": _timer(600),
    "set a timer for fifteen minutes": _timer(900),
    "set a timer for fifty minutes": _timer(3_000),
    "set a timer for thirty seconds": _timer(30),
    "set a timer for ninety seconds": _timer(90),
    "set a timer for five and a half minutes": _timer(330),
    "set a timer for one hundred and twenty minutes": _timer(7_200),
    "timer ten minutes": _timer(600),
    "set an egg timer for four minutes": _timer(240, "egg"),
    "set another timer for half an hour": _timer(1_800),
    "remind me in twenty minutes": _timer(1_200),
    "an hour and a half timer please": _timer(5_400),
    "cancel the timer": Wanted("cancel_timer"),
    "cancel the pasta timer": Wanted("cancel_timer", name="pasta"),
    "delete all timers": Wanted("cancel_timer"),
    "stop the timer": Wanted("cancel_timer"),
    "wake me up at seven": _alarm("07:00"),
    "set an alarm for half past seven in the morning": _alarm("07:30"),
    "set an alarm for six in the morning": _alarm("06:00"),
    "wake me up at quarter to seven": _alarm("06:45"),
    "wake me at noon": _alarm("12:00"),
    "wake me at five past seven": _alarm("07:05"),
    "wake me up at six thirty on monday": _alarm("06:30"),
    "how long is left on the timer": Wanted("list_timers"),
    "how much time is left on my timer": Wanted("list_timers"),
    "are there any timers": Wanted("list_timers"),
    "louder please": _LOUDER,
    "make it louder": _LOUDER,
    "speak up": _LOUDER,
    "turn it down": _QUIETER,
    "turn down the volume a bit": _QUIETER,
    "you are too loud": _QUIETER,
    "not so loud": _QUIETER,
    "set volume to fifty": Wanted("set_volume", percent=50),
    "set the volume to fifteen percent": Wanted("set_volume", percent=15),
    "volume five": Wanted("set_volume", percent=50),
    "stop listening for five minutes": Wanted("mute"),
    "stop listening": Wanted("mute"),
    "mute": Wanted("bare_mute"),
    "tell me a story": Wanted("story"),
    "tell me another story please": Wanted("story"),
    "stop please": Wanted("stop"),
    "never mind": Wanted("stop"),
    "no thanks": Wanted("stop"),
    "goodbye": Wanted("goodbye"),
    "say that again": Wanted("repeat"),
    "what did you say": Wanted("repeat"),
    "what can I say": Wanted("help"),
    "help": Wanted("help"),
    "thank you": Wanted("thanks"),
    "hello": Wanted("hello"),
    "go on": Wanted("go_on"),
}

_OUTSIDE = (
    "play some music",
    "turn off the kitchen light",
    "tell me a joke",
    "add milk to the shopping list",
    "how old are you",
    "what is in the news",
    "is it going to rain tomorrow",
    "dinner is ready",
    "turn the television off",
    "the weather in berlin will be rainy tomorrow afternoon",
    "my brother bought a new bicycle last week",
    "who won the football match yesterday",
    "i think we should paint the kitchen yellow",
    "where did you put the keys to the car",
    "could you order a large salad with extra cheese",
    "our neighbours are going to the mountains in july",
    "close the window",
    "what are we having for dinner tonight",
    "did you feed the cat",
    "i have to be at the dentist at four",
    "call my mother",
    "open the garage door",
    "set the thermostat to twenty degrees",
    "he said it was much too expensive",
    "come here and look at this",
    "can you pass me the salt",
    "it is half past seven already",
    "she stopped the car in front of the house",
    "that was a good one",
    "i am going to bed now",
)

INSIDE = [Phrase(text, wanted) for text, wanted in _INSIDE.items()]
OUTSIDE = [Phrase(text, Wanted(None)) for text in _OUTSIDE]
