"""The grammar of an answer to a question for permission: a clear yes, or anything else.

Other speech must not sound like a yes to it, so many words that are similar or frequent compete
with the one that means yes. Accuracy: tests/bench/README.md.
"""

import re

YES = ("yes [please]",)
NO = (
    "no [thanks | thank you]",
    "nope",
    "don't",
    "stop",
    "cancel",
    "wait",
    "not now",
    "yes but (<other> | not now | not yet | no)",
    "no yes",
)
OTHERS = (
    "a ask best bless but can chess course do dress eight guess guest hay hear hey how i is it "
    "jess just less let lie me mess might need now off oh okay or our please press quest question "
    "rest said say sure short so stay take test that the there this time to today unless us want "
    "was well west what where who why will with yeah year yellow yep yesterday yet you your hello"
)

_YES = re.compile(r"yes( please)?")


def jsgf() -> str:
    """The whole grammar for the recogniser."""
    return "\n".join(
        (
            "#JSGF V1.0;",
            "grammar answers;",
            f"<other> = {' | '.join(OTHERS.split())};",
            f"<yes> = {' | '.join(YES)};",
            f"<no> = {' | '.join(NO)};",
            "public <said> = <yes> | <no> | <other>;\n",
        )
    )


def words() -> frozenset[str]:
    """Every word that the grammar can contain."""
    texts = re.sub("<[a-z]+>", "", " ".join((*YES, *NO, OTHERS)))
    return frozenset(re.findall(r"[a-z']+", texts))


def is_yes(said: str) -> bool:
    """Whether the recognised words are a clear yes, and nothing else."""
    return _YES.fullmatch(said) is not None
