"""The command line: python -m tests.bench.alarms --help."""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from parleyd.app.alarm_command import STOPS
from parleyd.core.events import RecognizeAlarmCommand
from parleyd.embedded import grammar
from parleyd.embedded.recognizer import Recognizer
from parleyd.hearing import alarm_stop
from parleyd.simulation import clips
from parleyd.units import Frames
from tests.bench.alarms import ringing
from tests.bench.hearing import scenes
from tests.bench.hearing.bounds import rate_bounds, share_bounds
from tests.bench.hearing.material import Clip, Material, load
from tests.bench.hearing.scenes import LOUDEST_ECHO_DBFS, Scene
from tests.bench.training import stop_make

LEVELS_DB = (-5.0, 0.0, 5.0, 10.0)
FIRST_S, LATER_S = (0.3, 4.0), (9.0, 13.5)  # of the ringing, when the word begins
BESIDE = ("tv", "talker", "radio", "film", "babble")
COUGH_EVERY_S = (3.0, 6.0)
SESSION_S = 45.0
BESIDE_ENR_DB = 5.0


def main() -> None:
    options = _options()
    corpus = load(options.corpus, options.split)
    judge = _by_network if options.network else _judge()
    print(f"{corpus.origin}, seed {options.seed}", flush=True)
    if options.words:
        _words(options, corpus, stop_make.clips(options.voices, "*-stop-*.flac"), judge)
    if options.others:
        _others(options, corpus, stop_make.clips(options.voices, "*-other-*.flac"), judge)
    if options.hours:
        _beside(options, corpus, judge)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="as for the hearing bench")
    parser.add_argument("--split", choices=("A", "B", "all"), default="B")
    parser.add_argument("--voices", type=Path, required=True,
                        help="clips named SPLIT-stop-ENGINE-VOICE-NUMBER.flac")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--words", type=int, default=40, help='"stop" in each row')
    parser.add_argument("--others", type=int, default=0, help="other words, in all")
    parser.add_argument("--hours", type=float, default=0.0, help="of ringing beside others")
    parser.add_argument("--network", action="store_true", help="without the grammar: quicker")
    return parser.parse_args()


def _by_network(said: RecognizeAlarmCommand) -> bool:
    return alarm_stop.is_stop(said.frames, said.in_vain)


def _judge() -> ringing.Judge:
    """Judge as `AlarmCommandListener` does."""
    recognizer = Recognizer()

    def stops(said: RecognizeAlarmCommand) -> bool:
        if alarm_stop.is_stop(said.frames, said.in_vain):
            return True
        found = grammar.match(recognizer.recognize(said.frames).words)
        return found is not None and found[0] in STOPS

    return stops


def _scenes(options: argparse.Namespace, count: int) -> Iterator[Scene]:
    plan = scenes.plan(options.seed, hours=0, users=15 * count, starts=0, only={"short-words"})
    yield from plan[:count]


def _at(scene: Scene, enr_db: float) -> Scene:
    """Return the scene with the ringing louder than the user by `enr_db`."""
    user_dbfs = min(scene.user_dbfs, LOUDEST_ECHO_DBFS - enr_db)
    return replace(scene, enr_db=enr_db, user_dbfs=user_dbfs)


def _engine(clip: str) -> str:
    return clip.split("-")[2]


def _words(
    options: argparse.Namespace, corpus: Material, words: Sequence[Clip], judge: ringing.Judge
) -> None:
    by_engine: dict[str, list[Clip]] = defaultdict(list)
    for clip in words:
        by_engine[_engine(clip.name)].append(clip)
    voices: dict[str, list[ringing.Word]] = defaultdict(list)
    print("| ring, ringing over the voice | paused | ended | ended, said up to twice |")
    print("|---|---|---|---|")
    for ring, (least_s, most_s) in (("first", FIRST_S), ("later", LATER_S)):
        for row, enr_db in enumerate(LEVELS_DB):
            random = np.random.default_rng((options.seed, int(least_s), row))
            engines = sorted(by_engine)
            said = []
            for number, scene in enumerate(_scenes(options, options.words)):
                some = by_engine[engines[number % len(engines)]]
                clip = some[int(random.integers(len(some)))]
                at_s = random.uniform(least_s, most_s)
                word = ringing.say(_at(scene, enr_db), corpus, clip, at_s, judge)
                said.append(word)
                voices[engines[number % len(engines)]].append(word)
            print(f"| {ring}, {enr_db:g} dB | {_figures(said)} |", flush=True)
    every = [word for group in voices.values() for word in group]
    print(f"| all | {_figures(every)} |")
    print("\n| voices | paused | ended | up to twice |\n|---|---|---|---|")
    for engine, group in voices.items():
        names = {word.clip.rsplit("-", 1)[0] for word in group}
        print(f"| {engine}, {len(names)} voices | {_figures(group)} |")


def _figures(said: Sequence[ringing.Word]) -> str:
    counts = (
        sum(word.paused for word in said),
        sum(word.ended for word in said),
        sum(word.again for word in said),
    )
    return " | ".join(_share(count, len(said)) for count in counts)


def _share(hits: int, trials: int) -> str:
    low, high = share_bounds(hits, trials)
    return f"{100 * hits / max(trials, 1):.0f} % [{100 * low:.0f}-{100 * high:.0f}] of {trials}"


def _others(
    options: argparse.Namespace, corpus: Material, words: Sequence[Clip], judge: ringing.Judge
) -> None:
    """Let users say other words into the ringing, once each."""
    ended = Counter[str]()
    count = Counter[str]()
    random = np.random.default_rng((options.seed, 7))
    for number, scene in enumerate(_scenes(options, options.others)):
        clip = words[int(random.integers(len(words)))]
        at_s = random.uniform(*(FIRST_S if number % 2 else LATER_S))
        word = ringing.say(_at(scene, LEVELS_DB[number % 4]), corpus, clip, at_s, judge)
        count[_engine(clip.name)] += 1
        ended[_engine(clip.name)] += word.ended
    for engine, trials in count.items():
        print(f"other words, {engine}: {_share(ended[engine], trials)} ended the alarm")


def _beside(options: argparse.Namespace, corpus: Material, judge: ringing.Judge) -> None:
    """Let the alarm ring beside other voices, coughs and dishes, without the word."""
    print("| ringing beside | hours | ended | an hour | holds a minute |\n|---|---|---|---|---|")
    kinds = (*BESIDE, "coughs", "dishes")
    sessions = max(1, round(options.hours * 3600 / SESSION_S / len(kinds)))
    in_all = [0, 0.0]
    for kind in kinds:
        ended = holds = 0
        for scene in _beside_scenes(options, kind, sessions):
            sounds = _coughs(scene) if kind == "coughs" else ()
            ends, held = ringing.alone(scene, corpus, judge, sounds)
            ended, holds = ended + len(ends), holds + held
        hours = sessions * SESSION_S / 3600
        _rate(kind, ended, hours, holds)
        in_all = [in_all[0] + ended, in_all[1] + hours]
    _rate("all", int(in_all[0]), in_all[1], None)


def _beside_scenes(options: argparse.Namespace, kind: str, count: int) -> Iterator[Scene]:
    if kind in BESIDE:
        plan = scenes.plan(
            options.seed, hours=3.1 * count * SESSION_S / 3600, users=0, starts=0, only={kind}
        )[:count]
    else:
        plan = list(_scenes(options, count))
        noise = "dishes" if kind == "dishes" else "pink"
        snr_db = 0.0 if kind == "dishes" else 20.0
        plan = [replace(scene, noise=noise, snr_db=snr_db) for scene in plan]  # type: ignore[arg-type]
    for scene in plan:
        yield replace(_at(scene, BESIDE_ENR_DB), length_s=SESSION_S)


def _coughs(scene: Scene) -> list[tuple[float, Frames]]:
    random = np.random.default_rng((*scene.seed, 8))
    found, at_s = [], random.uniform(*COUGH_EVERY_S)
    while at_s < SESSION_S - 2:
        found.append((at_s, clips.cough(seed=int(random.integers(1 << 31)))))
        at_s += random.uniform(*COUGH_EVERY_S)
    return found


def _rate(kind: str, ended: int, hours: float, holds: int | None) -> None:
    low, high = rate_bounds(ended, hours)
    paused = "" if holds is None else f"{holds / hours / 60:.1f}"
    rate = f"{ended / hours:.2f} [{low:.2f}-{high:.2f}]"
    print(f"| {kind} | {hours:.2f} | {ended} | {rate} | {paused} |", flush=True)


if __name__ == "__main__":
    main()
