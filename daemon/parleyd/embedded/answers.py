"""The grammar of an answer to a question for permission: a clear yes, or anything else.

Other speech must not sound like a yes to it: the many short words of `OTHERS` compete with the few
that mean yes, and a whole sentence of them is a no. Accuracy: tests/bench/answers.
"""

import re

YES = (
    "(yes | yeah | yep) [please]",
    "yes (do it | go ahead | you may)",
    "sure",
    "of course",
    "okay",
)
NO = ("no [thanks | thank you]", "nope", "don't", "stop", "cancel", "wait", "not now")
OTHERS = (
    "a about again all an and are ask at be best but can chess day did do does dress ears first "
    "for get go good guess guest have hear her here how i if in is it its jess just know last "
    "let less light like look may me mess more must my need next now of off on one or our out over "
    "place press red right said same saw say says see set she shelf so some still take test than "
    "that the then there this time to today turn two unless up us very want was what when where "
    "which who why will with year yellow yesterday yet you your hello hey"
)

_YES = re.compile(r"(yes|yeah|yep)( please)?|yes (do it|go ahead|you may)|sure|of course|okay")


def jsgf() -> str:
    """The whole grammar for the recogniser."""
    return "\n".join(
        (
            "#JSGF V1.0;",
            "grammar answers;",
            f"<yes> = {' | '.join(YES)};",
            f"<no> = {' | '.join(NO)};",
            f"<other> = {' | '.join(OTHERS.split())};",
            "public <said> = <yes> | <no> | <other>+;\n",
        )
    )


def words() -> frozenset[str]:
    """Every word that the grammar can contain."""
    return frozenset(re.findall(r"[a-z']+", " ".join((*YES, *NO, OTHERS))))


def is_yes(said: str) -> bool:
    """Whether the recognised words are a clear yes, and nothing else."""
    return _YES.fullmatch(said) is not None
