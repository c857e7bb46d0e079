"""The command line: python -m tests.bench.stop_word --help."""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from parleyd.config import AudioConfig, Config, WakeConfig
from parleyd.hearing.stop_word import CUTOFF
from tests.bench.hearing import scenes
from tests.bench.hearing.bounds import rate_bounds, share_bounds
from tests.bench.hearing.material import Clip, Material, load
from tests.bench.hearing.scenes import LOUDEST_ECHO_DBFS, TRIALS, Scene
from tests.bench.stop_word import alone, users
from tests.bench.training import stop_examples, stop_make

_SALT = 300


def main() -> None:
    options = _options()
    voices = {k: stop_make.clips(options.voices, f"held-{k}-*.flac") for k in stop_examples.KINDS}
    corpus = load(options.corpus, options.split)
    print(f"{corpus.origin}, seed {options.seed}; held-out voices: "
          f"{ {kind: len(clips) for kind, clips in voices.items()} }", flush=True)  # fmt: skip
    if options.users:
        _users(options, corpus, voices["stop"])
    if options.wake is not None:
        _wake_word(options, corpus)
    if options.others:
        _others(options, corpus, voices)
    if options.hours:
        _alone(options, corpus, voices["speech"])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="as for the hearing bench")
    parser.add_argument("--split", choices=("A", "B", "all"), default="B")
    parser.add_argument("--voices", type=Path, required=True,
                        help="folder filled by tests.bench.training.stop_voices")  # fmt: skip
    parser.add_argument("--wake", type=Path, help="folder of users that say --keyword")
    parser.add_argument("--keyword", default="alexa", help="a wake word of micro")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--users", type=int, default=40, help="words in each row")
    parser.add_argument("--rows", default="", help="only those whose name contains this")
    parser.add_argument("--others", type=float, default=0.5, help="hours of other words")
    parser.add_argument("--hours", type=float, default=10.0, help="hours without a user")
    return parser.parse_args()


# --- users ------------------------------------------------------------------------------------


def _users(options: argparse.Namespace, corpus: Material, words: list[Clip]) -> None:
    said = replace(corpus, first_sounds=dict.fromkeys(("lone", "hiss", "voiced"), words))
    full = Config(audio=AudioConfig(priority=0), wake=WakeConfig(stop_word=True))
    half = msgspec.structs.replace(
        full, hearing=msgspec.structs.replace(full.hearing, barge_in=False)
    )
    print("| answer, duplex, ENR | heard | answer ended | after the word | voices |")
    print("|---|---|---|---|---|")
    for name, settings, enr_db, music, alarm in (
        ("speech, full, 0 dB", full, 0.0, False, False),
        ("speech, full, 10 dB", full, 10.0, False, False),
        ("speech, full, 20 dB", full, 20.0, False, False),
        ("speech, half, 0 dB", half, 0.0, False, False),
        ("speech, half, 10 dB", half, 10.0, False, False),
        ("speech, half, 20 dB", half, 20.0, False, False),
        ("music, full, 10 dB", full, 10.0, True, False),
        ("music, half, 10 dB", half, 10.0, True, False),
        ("alarm, full, -5 dB", full, -5.0, False, True),
        ("alarm, full, 0 dB", full, 0.0, False, True),
        ("alarm, full, 5 dB", full, 5.0, False, True),
        ("alarm, full, 10 dB", full, 10.0, False, True),
        ("alarm, half, 10 dB", half, 10.0, False, True),
    ):
        if options.rows not in name:
            continue
        trials = [
            trial
            for scene in _words(options, enr_db, music=music)
            for trial in users.play(scene, said, settings, alarm=alarm)
        ]
        _row(name, trials)


def _wake_word(options: argparse.Namespace, corpus: Material) -> None:
    words = stop_make.clips(options.wake, "*.flac")
    words = [Clip(f"--real-{clip.name}", clip.frames) for clip in words]
    said = replace(corpus, first_sounds=dict.fromkeys(("lone", "hiss", "voiced"), words))
    settings = Config(wake=WakeConfig(keywords=(options.keyword,)))
    print(f"| {options.keyword} over, ENR | heard | answer ended | after the word | voices |")
    print("|---|---|---|---|---|")
    for name, enr_db, music, alarm in (
        ("speech, 10 dB", 10.0, False, False),
        ("music, 0 dB", 0.0, True, False),
        ("music, 10 dB", 10.0, True, False),
        ("alarm, 0 dB", 0.0, False, True),
        ("alarm, 10 dB", 10.0, False, True),
    ):
        trials = [
            trial
            for scene in _words(options, enr_db, music=music)
            for trial in users.play(scene, said, settings, alarm=alarm, wakes=True)
        ]
        _row(name, trials)


def _words(options: argparse.Namespace, enr_db: float, *, music: bool) -> list[Scene]:
    plan = scenes.plan(
        options.seed, hours=0, users=3 * options.users, starts=0, only={"short-words"}
    )
    return [
        replace(
            scene, enr_db=enr_db, music=music,
            user_dbfs=min(scene.user_dbfs, LOUDEST_ECHO_DBFS - enr_db),
        )
        for scene in plan[: -(-options.users // TRIALS)]
    ]  # fmt: skip


def _row(name: str, trials: Sequence[users.Trial]) -> None:
    times = [t.stopped_after_ms for t in trials if t.stopped_after_ms is not None]
    engines = Counter(t.clip.split("-")[2] for t in trials)
    heard = Counter(t.clip.split("-")[2] for t in trials if t.stopped_after_ms is not None)
    median = f"{np.median(times):.0f} ms" if times else "-"
    silent = sum(t.silent for t in trials)
    found, ended = _share(len(times), len(trials)), _share(silent, len(trials))
    each = ", ".join(f"{engine} {heard[engine]}/{n}" for engine, n in engines.items())
    print(f"| {name} | {found} | {ended} | {median} | {each} |", flush=True)


def _share(hits: int, trials: int) -> str:
    low, high = share_bounds(hits, trials)
    return f"{100 * hits / max(trials, 1):.0f} % [{100 * low:.0f}-{100 * high:.0f}] of {trials}"


# --- without the word ---------------------------------------------------------------------------


def _alone(options: argparse.Namespace, corpus: Material, speech: list[Clip]) -> None:
    """Play hours of answers, some of whose texts hold the word, of music and of alarms."""
    answers = replace(corpus, far=[*corpus.far, *speech])
    alarms = replace(corpus, music=[stop_make.alarm_clip()])
    hours: Counter[str] = Counter()
    false: Counter[str] = Counter()
    for number, scene in enumerate(_silent_scenes(options)):
        kind, of = _kind(scene), answers
        if scene.music and number % 2:
            kind, of = "alarm", alarms
        found = alone.play(scene, of)
        hours[kind] += found.hours  # type: ignore[assignment]
        false[kind] += len(found.false)
        if found.false:
            print(f"false: {scene.name} at {found.false}, {scene.enr_db:g} dB", flush=True)
        if number % 40 == 39:
            print(f"{sum(hours.values()):.2f} h, {sum(false.values())} false", flush=True)
    print("| without the word | hours | false | an hour |\n|---|---|---|---|")
    for kind in hours:
        _rate(kind, false[kind], hours[kind])
    _rate("all", sum(false.values()), sum(hours.values()))


def _silent_scenes(options: argparse.Namespace) -> Iterator[Scene]:
    kinds = {"echo", "music", "path", "jump", "device", "music-under-speech"}
    yield from scenes.plan(
        options.seed, hours=options.hours / 2.27, users=0, starts=0, only=kinds
    )  # the other kinds add 1.27 times as much


def _kind(scene: Scene) -> str:
    if scene.device:
        return "device"
    return "music" if scene.music else "speech"


def _others(options: argparse.Namespace, corpus: Material, voices: dict[str, list[Clip]]) -> None:
    """Let users say other words and sentences over answers; the network decides alone."""
    said = {"other": voices["other"], "speech": [*voices["speech"], *corpus.near]}
    count = Counter[str]()
    plan = scenes.plan(options.seed + _SALT, hours=1, users=0, starts=0, only={"echo"})
    for number, scene in enumerate(plan[: round(options.others * 80)]):
        random = np.random.default_rng((options.seed, number))
        echo = stop_examples.echo(scene, replace(corpus, far=[*corpus.far, *voices["speech"]]))
        for kind in said:
            features, _, spoken = stop_examples.listen(
                echo, said, corpus.rooms, random, {kind: 1.0}
            )
            odds = alone.odds_of(features)
            count[f"{kind} said"] += spoken
            count[kind] += _fires(odds, CUTOFF)
    for kind in said:
        print(
            f"{kind}: {_share(count[kind], count[f'{kind} said'])} are taken for stop", flush=True
        )


def _fires(odds: np.ndarray, cutoff: float) -> int:
    over = odds > cutoff
    twice = over[1:] & over[:-1]
    return int(np.count_nonzero(twice[1:] & ~twice[:-1]))


def _rate(kind: str, false: int, hours: float) -> None:
    low, high = rate_bounds(false, hours)
    print(f"| {kind} | {hours:.2f} | {false} | {false / hours:.2f} [{low:.2f}-{high:.2f}] |")


if __name__ == "__main__":
    main()
