"""Makes examples of utterances into a ringing alarm: python -m ... --help.

First it lets Parley's canceller hear alarms in random rooms, from the first ring on. Then it adds
one utterance to a piece of that: "stop", another word, a piece of speech, or nothing but noise.
Most of the pieces fall silent after the onset, as a ringing alarm does that is held.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from parleyd.audio import db_to_gain, float_to_int16, resample, round_to_int16
from parleyd.hearing import alarm_stop
from parleyd.simulation import clips as sounds
from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_RATE_HZ, Frames
from tests.bench.hearing import material
from tests.bench.hearing.air import convolved
from tests.bench.hearing.material import Clip, Material
from tests.bench.training import examples, stop_examples, stop_make

LENGTH = 3 * MIC_RATE_HZ  # of an example, and the longest utterance
ONSET_S, LATE_S, LATE_SHARE = (0.25, 0.75), 1.4, 0.25  # the second: at most
TAIL_S = 1.6  # of noise that does not let the utterance end, at most; as often
HELD_SHARE, HELD_AFTER_S = 0.85, (0.03, 0.5)
RINGS_OUT_S = 0.08
NOISE_DB = (-8.0, 5.0)
USER_DB = (-9.0, 6.0)  # around the level of the session
PEOPLE_SHARE, ENGINE_SHARE = 0.35, 0.45
"""Of words: by people, and by an engine drawn first, so that those of few voices are heard, too."""
HIDDEN_SHARE, HIDDEN_S, HIDDEN_DB = 0.35, (0.03, 0.16), (6.0, 30.0)
"""The ringing hides the beginning of a word until it pauses."""
SPEED = (0.82, 1.22)
EQ_DB, EQ_BANDS = 4.0, 7
NEAR_S = 0.4  # of noise after the utterance, at least
KINDS = {"stop": 0.34, "other": 0.16, "speech": 0.40, "noise": 0.10}
_SEED = 91
HALF_A = 5  # times as often as other speech: most of that is not English, or not by people
PEOPLE = "person"
Random = np.random.Generator
Voices = Mapping[str, Mapping[str, Sequence[Clip]]]
"""Of each kind, by engine."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gathered", type=Path, required=True, help="folder filled by gather.py")
    parser.add_argument("--voices", type=Path, required=True,
                        help="clips named train-KIND-VOICE-NUMBER.flac, at 16 kHz")  # fmt: skip
    parser.add_argument("--corpus", type=Path, help="half A of the bench's, for more speech")
    parser.add_argument("--alarms", type=Path, required=True, help="folder for alarms in rooms")
    parser.add_argument("--echoes", type=int, default=120, help="so many alarms, 40 s each")
    parser.add_argument("--examples", type=int, default=40_000)
    parser.add_argument("--first", type=int, default=0, help="another number makes others")
    parser.add_argument("--out", type=Path, required=True, help="a .npz file")
    options = parser.parse_args()
    gathered = material.load(options.gathered, "all")
    voices = {kind: _engines(options.voices, kind) for kind in ("stop", "other", "speech")}
    talks = [clip for clips in voices["speech"].values() for clip in clips]
    if options.corpus is not None:
        half = material.load(options.corpus, "A")
        talks += [*half.near, *half.far] * HALF_A
    voices["speech"] = {"any": [*talks, *gathered.near, *gathered.far]}
    for kind, engines in voices.items():
        print(kind, {name: len(clips) for name, clips in engines.items()}, flush=True)
    options.alarms.mkdir(parents=True, exist_ok=True)
    ringing = [_echo(number, gathered, options.alarms) for number in range(options.echoes)]
    print(f"{len(ringing)} alarms", flush=True)
    numbers = range(options.first, options.first + options.examples)
    made = [_example(number, ringing, voices, gathered) for number in numbers]
    features, lengths, targets = zip(*made, strict=True)
    np.savez(
        options.out, features=np.array(features), length=np.array(lengths),
        target=np.array(targets),
    )  # fmt: skip


def _engines(folder: Path, kind: str) -> dict[str, list[Clip]]:
    found: dict[str, list[Clip]] = defaultdict(list)
    for clip in stop_make.clips(folder, f"train-{kind}-*.flac"):
        found[clip.name.split("-")[2]].append(clip)
    return found


def _echo(number: int, gathered: Material, folder: Path) -> stop_examples.Echo:
    """Let the canceller hear an alarm from its first ring on; once, as it takes a while."""
    kept = folder / f"alarm-{number:04d}.npz"
    if kept.exists():
        return stop_examples.Echo.load(kept)
    scene = replace(
        examples.scene((_SEED, number), gathered), task="echo", music=True, music_under_db=None,
        device=False,
    )  # fmt: skip
    echo = stop_examples.echo(scene, replace(gathered, music=[stop_make.alarm_clip()]))
    echo.save(kept)
    return echo


def _example(
    number: int,
    ringing: Sequence[stop_examples.Echo],
    voices: Voices,
    gathered: Material,
) -> tuple[np.ndarray, int, bool]:
    """Return the features of one utterance, float16, how many steps, and whether it is "stop"."""
    random = np.random.default_rng((_SEED, 1, number))
    kind = str(random.choice(list(KINDS), p=list(KINDS.values())))
    session = ringing[int(random.integers(len(ringing)))]
    first = int(random.integers(len(session.left) - LENGTH))
    if random.random() < 0.3:  # the first ring
        first = int(random.integers(3 * MIC_RATE_HZ))
    piece = slice(first, first + LENGTH)
    late = random.random() < LATE_SHARE
    onset_s = random.uniform(ONSET_S[1], LATE_S) if late else random.uniform(*ONSET_S)
    onset = int(onset_s * MIC_RATE_HZ)
    left = session.left[piece].astype(np.float64)
    if random.random() < HELD_SHARE:
        _hold(left, onset + int(random.uniform(*HELD_AFTER_S) * MIC_RATE_HZ))
    dbfs = session.user_dbfs + random.uniform(*USER_DB)
    sound = left + session.around[piece] * db_to_gain(random.uniform(*NOISE_DB))
    noises = list(gathered.noises.values())
    said = _said(kind, voices, noises, random)
    room = gathered.rooms[int(random.integers(len(gathered.rooms)))]
    path = room.users[int(random.integers(len(room.users)))]
    if said is not None:
        _add(sound, said, onset, dbfs, path)
    if late:  # something had begun the utterance
        before = _noise(noises, random)
        if before is not None:
            _add(sound, before[:onset], MIC_RATE_HZ // 4, dbfs + random.uniform(*USER_DB), path)
    frames = round_to_int16(np.clip(sound, -32768, 32767))
    frames = frames[: _end(onset, said, random)]
    found = alarm_stop.features(frames)
    padded = np.zeros((LENGTH // 480, found.shape[1]), np.float16)
    padded[: len(found)] = found
    return padded, len(found), kind == "stop"


def _add(sound: Signal, said: Frames, onset: int, dbfs: float, path: Signal) -> None:
    wet = _levelled(convolved(np.concatenate((said / 32768.0, np.zeros(8000))), path), dbfs)
    wet = wet[: len(sound) - onset]
    sound[onset : onset + len(wet)] += 32768 * wet


def _said(kind: str, voices: Voices, noises: Sequence[Frames], random: Random) -> Frames | None:
    if kind == "noise":
        return _noise(noises, random)
    frames = _drawn(voices[kind], random).frames
    if kind == "speech":  # begin anywhere, often with a word that continues
        length = int(random.uniform(0.3, 2.4) * MIC_RATE_HZ)
        first = int(random.integers(max(1, len(frames) - length)))
        frames = frames[first : first + length]
    elif random.random() < HIDDEN_SHARE:
        frames = frames.copy()
        hidden = int(random.uniform(*HIDDEN_S) * MIC_RATE_HZ)
        gain = db_to_gain(-random.uniform(*HIDDEN_DB))
        frames[:hidden] = np.rint(frames[:hidden] * gain)
    return varied(frames, random)


def _drawn(engines: Mapping[str, Sequence[Clip]], random: Random) -> Clip:
    """Draw a clip: of people, of an engine, or any."""
    names, which = list(engines), random.random()
    shares = np.array([float(len(engines[name])) for name in names])
    if PEOPLE in engines and which < PEOPLE_SHARE:
        shares = np.array([float(name == PEOPLE) for name in names])
    elif which < PEOPLE_SHARE + ENGINE_SHARE:
        shares = np.array([float(name != PEOPLE) for name in names])
    clips = engines[str(random.choice(names, p=shares / shares.sum()))]
    return clips[int(random.integers(len(clips)))]


def varied(frames: Frames, random: Random) -> Frames:
    """Return the clip at another speed, with its pitch and formants, through another microphone."""
    frames = resample(frames, int(MIC_RATE_HZ * random.uniform(*SPEED)), MIC_RATE_HZ)
    spectrum = np.fft.rfft(frames / 32768.0)
    bend = np.interp(
        np.linspace(0, 1, len(spectrum)) ** 0.5, np.linspace(0, 1, EQ_BANDS),
        random.normal(0, EQ_DB, EQ_BANDS),
    )  # fmt: skip
    sound = np.fft.irfft(spectrum * 10 ** (bend / 20), len(frames))
    peak = float(np.max(np.abs(sound), initial=1e-9))
    return sounds.normalised(float_to_int16(0.5 * sound / peak), -26.0)


def _noise(noises: Sequence[Frames], random: Random) -> Frames | None:
    """Return a cough, a knock, a piece of another noise, or nothing."""
    which, seed = random.random(), int(random.integers(1 << 31))
    if which < 0.2:
        return None
    if which < 0.6:
        return sounds.cough(seed=seed) if which < 0.4 else sounds.knock(seed=seed)
    frames = noises[int(random.integers(len(noises)))]
    length = int(random.uniform(0.2, 1.0) * MIC_RATE_HZ)
    first = int(random.integers(max(1, len(frames) - length)))
    return frames[first : first + length]


def _end(onset: int, said: Frames | None, random: Random) -> int:
    length = len(said) if said is not None else MIC_RATE_HZ // 2
    tail_s = NEAR_S + random.uniform(0, TAIL_S if random.random() < LATE_SHARE else 0.4)
    return min(LENGTH, onset + length + int(tail_s * MIC_RATE_HZ))


def _hold(left: Signal, at: int) -> None:
    left[at:] *= np.exp(-np.arange(len(left) - at) / (RINGS_OUT_S * MIC_RATE_HZ))


def _levelled(wet: Signal, dbfs: float) -> Signal:
    blocks = wet[: len(wet) // 160 * 160].reshape(-1, 160)
    power = np.mean(blocks**2, axis=1)
    active = power[power >= power.max() / 1000].mean()
    return np.asarray(wet * db_to_gain(dbfs) / np.sqrt(active + 1e-12))


if __name__ == "__main__":
    main()
