"""The texts of the stop word's training: "stop", words that are like it, and sentences."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

DOCS = Path(__file__).parents[3] / "daemon" / "docs"

STOP = ("Stop", "stop!", "Stop.", "stop", "Stop!", "STOP!", "stop it", "Stop it!", "okay stop",
        "Okay, stop.", "stop stop", "please stop", "stop the alarm", "Stop, please.")  # fmt: skip
OTHER = (
    "top", "shop", "step", "start", "stock", "hop", "drop", "star", "cop", "chop", "crop", "swap",
    "spot", "staff", "stay", "store", "stuff", "stove", "stab", "strap", "sop", "tops", "stark",
    "steep", "stoop", "stomp", "stopped", "stopping", "stopwatch", "stopper", "non-stop", "stops",
    "steps", "staples", "state", "stand", "still", "story", "storm", "street", "sock", "sob",
    "pop", "mop", "top ten", "tap", "soup", "soap", "scope", "slop", "snap", "up", "yes", "no",
    "wait", "next", "what", "okay", "hello", "seven", "six", "louder", "volume", "timer", "alarm",
    "set", "play", "pause", "thanks", "hey", "on top", "bus stop please", "at the stop sign",
    "stop sign", "stop light", "the shop", "it's hot", "a lot", "best", "just", "must", "list",
    "hot", "got", "not", "dot", "odd", "job", "knob", "lob", "obviously", "stubborn", "stacked",
    "stick", "stuck", "sticky", "stalk", "stopover", "estop", "atop", "laptop", "desktop",
    "hilltop", "tabletop", "workshop", "bishop", "ketchup", "catch up", "start up", "stand up",
    "shut up", "hurry up", "setup", "ship", "sheep", "shape", "sharp", "harp", "carp", "tarp",
)  # fmt: skip
SPEECH = (
    "Once upon a time there was a small house at the edge of a very large forest.",
    "An old clock maker lived there, and every morning he wound a hundred clocks.",
    "The weather tomorrow will be mostly sunny, with a light wind from the west.",
    "The bus stops at the corner of Station Street, right next to the shop.",
    "If you want me to stop, just say stop. I will stop at once.",
    "I have stopped the timer. Do you want to start another one?",
    "The next stop is the central station. The train stops there for five minutes.",
    "To make a good soup you need onions, carrots, some butter and a little patience.",
    "Stop stirring when the sauce is thick, then add a spoon of honey on top.",
    "The top of the mountain is often covered with snow, even in the late spring.",
    "Your alarm is set for half past six tomorrow morning. Good night.",
    "The stock market dropped two percent today, after a strong start of the week.",
    "First take the top step, then stop and look down at the little pond.",
    "It is twenty past four. Your next appointment starts in fifteen minutes.",
    "Here is a story about a fox who never stopped running until he met a tortoise.",
    "There are three items on your list: soap, a mop, and a pot of strawberry jam.",
    "He said stop, but nobody stopped, and so the whole parade went past the stop sign.",
    "The capital of Australia is Canberra, although many people think that it is Sydney.",
    "A photon needs about eight minutes and twenty seconds from the sun to the earth.",
    "I am sorry, I did not find a station with that name. Please try another one.",
    "Turn left at the second traffic light, then go straight on for about two miles.",
    "The orchestra was founded in eighteen forty two, and it still plays every week.",
    "Non-stop flights to Lisbon start at ninety pounds. Do you want the cheapest?",
    "She put the cup on the tabletop, opened her laptop, and started the workshop.",
)


def _prose() -> list[str]:
    """Return plain sentences of Parley's own pages: a television says any word."""
    text = " ".join(" ".join(page.read_text("utf-8").split()) for page in sorted(DOCS.glob("*.md")))
    return re.findall(r"(?<=[.:] )[A-Z][A-Za-z ,']{30,110}\.", text)


TEXTS: Mapping[str, Sequence[str]] = {
    "stop": STOP, "other": OTHER, "speech": (*SPEECH, *_prose()),
}  # fmt: skip

STOP_PHONEMES = ("stˈɑp.", "stˈɑp!", "stˈɒp.", "stˈɒp!", "stˈɑːp!", "stˈɑp", "stˈɔp!", "stˈɒp",
                 "stˈɑp ɪt!", "oʊkˈeɪ, stˈɑp.", "stˈɒp, stˈɒp!", "plˈiːz stˈɑp.")  # fmt: skip
OTHER_PHONEMES = (
    "tˈɑp", "ʃˈɑp", "stˈɛp", "stˈɑɹt", "stˈɑk", "hˈɑp", "dɹˈɑp", "stˈɑɹ", "kˈɑp", "ʧˈɑp",
    "kɹˈɑp", "swˈɑp", "spˈɑt", "stˈæf", "stˈA", "stˈɔɹ", "stˈʌf", "stˈæb", "stɹˈæp", "sˈɑp",
    "tˈɑps", "stˈɑpt", "stˈɑpɪŋ", "stˈɑpwˌɑʧ", "stˈɑps", "stˈip", "stˈup", "stˈɑmp", "sˈɑk",
    "pˈɑp", "mˈɑp", "stˈɪk", "stˈʌk", "hˈɑt", "ʤˈɑb", "ʃˈʌt ˈʌp", "wˈAt", "nˈO", "jˈɛs",
    "stˈɪl", "ʃˈɑɹp", "slˈɑp", "stˈɒk", "tˈɒp", "ʃˈɒp", "ɪts tˈɑp", "ðə stˈɑp sˌIn", "nˈɛkst",
)  # fmt: skip
