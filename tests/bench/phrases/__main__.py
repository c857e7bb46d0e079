"""python -m tests.bench.phrases: the embedded server's answers to phrases by many voices.

Says each phrase, recognises it, and judges the answer: right, not understood, something else, or
something else that is destructive (cancels, closes the microphone, or makes it very quiet). Without
`--clinc` and `--home-assistant` it takes the phrases that were used for development.
"""

import argparse
import itertools
import time
from collections import Counter
from datetime import datetime
from pathlib import Path

import soundfile

from parleyd.embedded import answering
from parleyd.embedded.items import Item
from parleyd.embedded.plans import Call
from parleyd.embedded.recognizer import Recognizer
from parleyd.units import MIC_RATE_HZ, Frames
from tests.bench.hearing.bounds import share_bounds
from tests.bench.phrases import fbrelease, public, slurp
from tests.bench.phrases.own import INSIDE, OUTSIDE
from tests.bench.phrases.voices import KOKORO, VOICES, Sayer, in_noise
from tests.bench.phrases.wanted import Done, Phrase, Wanted, judged

NOW = datetime(2026, 11, 22, 15, 5)
TOOLS = frozenset(
    {
        "set_timer", "set_alarm", "list_timers", "cancel_timers", "set_volume", "change_volume",
        "mute_microphone", "say_again", "snooze",
    }
)  # fmt: skip
LONGEST_S = 6.0  # of a recording


def main() -> None:
    options = _options()
    noise = soundfile.read(options.noise, dtype="int16")[0] if options.noise else None
    if options.clinc and options.home_assistant:
        source = options.clinc, options.home_assistant, options.split, options.seed
        inside, outside = public.in_scope(*source), public.out_of_scope(*source)
        for number in options.without_seed:
            seen = (*source[:3], number)
            inside = _others(inside, public.in_scope(*seen))
            outside = _others(outside, public.out_of_scope(*seen))
        if options.slurp:
            slurp_source = options.slurp, options.split, options.seed
            inside = inside + slurp.in_scope(*slurp_source)
            outside = outside + slurp.out_of_scope(*slurp_source)
    elif options.fbrelease:
        fourth = options.fbrelease, options.split, options.seed
        inside, outside = fbrelease.in_scope(*fourth, NOW), fbrelease.out_of_scope(*fourth)
    else:
        inside, outside = INSIDE, OUTSIDE
    voices = [*VOICES, *(KOKORO if options.kokoro else ())]
    if options.voices:
        voices = [voice for voice in voices if voice in options.voices.split(",")]
    sayer = Sayer(options.clips, options.kokoro)
    bench = Bench(noise, options.snr, options.show)
    for number, phrase in enumerate([*inside, *outside]):
        for place in range(options.each or len(voices)):
            voice = (
                voices[(number + place * len(voices) // (options.each or 1)) % len(voices)]
                if options.each
                else voices[place]
            )
            bench.add(voice, phrase, sayer.say(phrase.text, voice), number)
    for folder in options.recordings:
        for number, path in enumerate(sorted(folder.rglob("*.flac"))):
            frames, rate_hz = soundfile.read(path, dtype="int16")
            assert rate_hz == MIC_RATE_HZ, path
            clip = frames[: int(LONGEST_S * rate_hz)]
            bench.add(f"recordings:{folder.name}", Phrase(path.name, Wanted(None)), clip, number)
    bench.report()


def _others(phrases: list[Phrase], seen: list[Phrase]) -> list[Phrase]:
    texts = {phrase.text for phrase in seen}
    return [phrase for phrase in phrases if phrase.text not in texts]


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition(":")[2])
    parser.add_argument("--clips", type=Path, required=True, help="folder that keeps the speech")
    parser.add_argument("--clinc", type=Path, help="clone of clinc/oos-eval")
    parser.add_argument("--home-assistant", type=Path, help="clone of home-assistant/intents")
    parser.add_argument("--slurp", type=Path, help="clone of pswietojanski/slurp, besides")
    parser.add_argument("--fbrelease", type=Path, help="clone of vgtomahawk/LR_GC_OOD, instead")
    parser.add_argument("--split", choices=("train", "test"), default="test")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument(
        "--without-seed", type=int, nargs="*", default=[], help="leave out what these seeds take"
    )
    parser.add_argument("--kokoro", type=Path, help="folder of Kokoro's unpacked packages")
    parser.add_argument("--voices", help="only these, with commas between")
    parser.add_argument("--each", type=int, help="voices of each phrase, in turn; default: all")
    parser.add_argument("--noise", type=Path, help="a recording of noise, 16 kHz")
    parser.add_argument("--snr", type=float, default=15.0, help="of the noise, dB")
    parser.add_argument(
        "--recordings", type=Path, nargs="*", default=[], help="folders of other speech"
    )
    parser.add_argument("--show", action="store_true", help="print each phrase that is not right")
    return parser.parse_args()


class Bench:
    """Recognises and judges clips, and counts."""

    def __init__(self, noise: Frames | None, snr_db: float, show: bool) -> None:
        self._noise, self._snr_db, self._show = noise, snr_db, show
        self._recognizer = Recognizer()
        self._rows: list[tuple[str, Phrase, Done]] = []
        self._work_s = self._length_s = 0.0

    def add(self, voice: str, phrase: Phrase, speech: Frames, number: int) -> None:
        frames = in_noise(speech, self._noise, self._snr_db, number)
        began = time.process_time()
        heard = self._recognizer.recognize(frames)
        self._work_s += time.process_time() - began
        self._length_s += len(frames) / MIC_RATE_HZ
        item = Item(id="1", role="user", content_type="input_audio", heard=heard)
        plan, _ = answering.plan([item], NOW, TOOLS)
        done = Done(heard.words, plan)
        self._rows.append((voice, phrase, done))
        verdict = judged(phrase.wanted, done)
        wrong = verdict != ("right" if phrase.wanted.intent else "not understood")
        if self._show and wrong:
            print(f"{voice:22} {verdict:14} {phrase.text!r} -> {heard.words!r}", flush=True)

    def report(self) -> None:
        for inside in (True, False):
            rows = [r for r in self._rows if (r[1].wanted.intent is not None) == inside]
            if not rows:
                continue
            print("\nin scope" if inside else "\nout of scope")
            by_voice = itertools.groupby(sorted(rows, key=lambda r: r[0]), key=lambda r: r[0])
            for voice, some in by_voice:
                _line(voice, list(some), inside=inside)
            _line("all", rows, inside=inside)
        print(f"\nrecognition takes {self._work_s / self._length_s:.3f} of the audio's time")


def _line(name: str, rows: list[tuple[str, Phrase, Done]], *, inside: bool) -> None:
    verdicts = Counter(judged(phrase.wanted, done) for _, phrase, done in rows)
    asked = sum(done.asked for _, _, done in rows)
    acted = sum(done.understood and not done.asked for _, _, done in rows)
    counts = {"acted on": acted, "called": sum(isinstance(d.plan, Call) for _, _, d in rows)}
    if inside:
        counts = {v: verdicts[v] for v in ("right", "not understood", "something else")}
    counts |= {"destructive": verdicts["destructive"], "asked": asked}
    print(
        f"{name:24} n = {len(rows):4}  "
        + "  ".join(_share(k, v, len(rows)) for k, v in counts.items())
    )


def _share(name: str, count: int, total: int) -> str:
    low, high = share_bounds(count, total)
    return f"{name} {count / total:.1%} [{low:.1%}-{high:.1%}]"


if __name__ == "__main__":
    main()
