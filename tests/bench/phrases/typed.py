"""python -m tests.bench.phrases.typed: the answers to all phrases of the public data sets as text.

No recogniser is asked, so this is the most that one can reach. Prints counts, no phrase.
"""

import argparse
from collections import Counter
from pathlib import Path

from parleyd.embedded import answering, grammar
from parleyd.embedded.items import Item
from parleyd.embedded.recognition import RecognitionResult
from tests.bench.hearing.bounds import share_bounds
from tests.bench.phrases import fbrelease, public, slurp
from tests.bench.phrases.__main__ import NOW, TOOLS
from tests.bench.phrases.wanted import Done, Phrase, judged


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[2])
    parser.add_argument("--clinc", type=Path, required=True, help="clone of clinc/oos-eval")
    parser.add_argument("--home-assistant", type=Path, required=True, help="clone of its intents")
    parser.add_argument("--slurp", type=Path, help="clone of pswietojanski/slurp, besides")
    parser.add_argument("--fbrelease", type=Path, help="clone of vgtomahawk/LR_GC_OOD, besides")
    parser.add_argument("--split", choices=("train", "test"), default="test")
    options = parser.parse_args()
    source = options.clinc, options.home_assistant, options.split, None
    pools = {"CLINC150, Home Assistant": (public.in_scope(*source), public.out_of_scope(*source))}
    if options.slurp:
        third = options.slurp, options.split, None
        pools["SLURP"] = slurp.in_scope(*third), slurp.out_of_scope(*third)
    if options.fbrelease:
        fourth = options.fbrelease, options.split, None
        pools["Schuster et al."] = (
            fbrelease.in_scope(*fourth, NOW),
            fbrelease.out_of_scope(*fourth),
        )
        pools["Schuster et al., reminders"] = (
            [],
            fbrelease.out_of_scope(*fourth, fbrelease.REMINDERS),
        )
    for name, (inside, outside) in pools.items():
        verdicts = Counter(judged(phrase.wanted, _done(phrase)) for phrase in inside)
        print(f"{name}: {len(inside)} in scope")
        for verdict, count in verdicts.items():
            low, high = share_bounds(count, len(inside))
            print(f"  {verdict}: {count} = {count / len(inside):.0%} [{low:.0%}-{high:.0%}]")
        acted = sum(_done(phrase).understood for phrase in outside)
        print(f"  acted on: {acted} of {len(outside)} out of scope")
    print(f"network: {len(grammar.arcs())} arcs, {len(grammar.words())} words")


def _done(phrase: Phrase) -> Done:
    heard = RecognitionResult(phrase.text, 0.0, sure=True)
    item = Item(id="1", role="user", content_type="input_audio", heard=heard)
    return Done(phrase.text, answering.plan([item], NOW, TOOLS)[0])


if __name__ == "__main__":
    main()
