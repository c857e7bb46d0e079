"""Makes examples of utterances into a ringing alarm: python -m ... --help.

First it lets Parley's canceller hear alarms in random rooms, from the first ring on. Then it adds
one utterance to a piece of that: "stop", another word, a piece of speech, or nothing but noise.
Most of the pieces fall silent after the onset, as a ringing alarm does that is held.
"""

import os

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from parleyd.audio import db_to_gain, round_to_int16
from parleyd.hearing import alarm_stop
from parleyd.simulation import clips as sounds
from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_RATE_HZ, Frames
from tests.bench.hearing import material
from tests.bench.hearing.air import convolved
from tests.bench.hearing.material import Clip, Material
from tests.bench.training import examples, stop_examples, stop_make

LENGTH = alarm_stop.LONGEST_FRAMES  # of an example
ONSET_S = (0.25, 0.75)
HELD_SHARE, HELD_AFTER_S = 0.85, (0.03, 0.5)
RINGS_OUT_S = 0.08
NOISE_DB = (-8.0, 5.0)
USER_DB = (-9.0, 6.0)  # around the level of the session
PEOPLE_SHARE = 0.5
NEAR_S = 0.4  # of noise after the utterance, at least
KINDS = {"stop": 0.40, "other": 0.26, "speech": 0.21, "noise": 0.13}
_SEED = 91
Random = np.random.Generator


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gathered", type=Path, required=True, help="folder filled by gather.py")
    parser.add_argument("--voices", type=Path, required=True,
                        help="clips named train-KIND-VOICE-NUMBER.flac, at 16 kHz")  # fmt: skip
    parser.add_argument("--echoes", type=int, default=120, help="alarms in rooms, 40 s each")
    parser.add_argument("--examples", type=int, default=40_000)
    parser.add_argument("--out", type=Path, required=True, help="a .npz file")
    options = parser.parse_args()
    gathered = material.load(options.gathered, "all")
    voices = {
        kind: stop_make.clips(options.voices, f"train-{kind}-*.flac")
        for kind in ("stop", "other", "speech")
    }
    voices["speech"] += [*gathered.near, *gathered.far]
    print({kind: len(found) for kind, found in voices.items()}, flush=True)
    ringing = [_echo(number, gathered) for number in range(options.echoes)]
    print(f"{len(ringing)} alarms", flush=True)
    made = [_example(number, ringing, voices, gathered) for number in range(options.examples)]
    features, targets = zip(*made, strict=True)
    np.savez(options.out, features=np.array(features), target=np.array(targets))


def _echo(number: int, gathered: Material) -> stop_examples.Echo:
    """Let the canceller hear an alarm from its first ring on."""
    scene = replace(
        examples.scene((_SEED, number), gathered), task="echo", music=True, music_under_db=None,
        device=False,
    )  # fmt: skip
    return stop_examples.echo(scene, replace(gathered, music=[stop_make.alarm_clip()]))


def _example(
    number: int,
    ringing: Sequence[stop_examples.Echo],
    voices: dict[str, list[Clip]],
    gathered: Material,
) -> tuple[np.ndarray, bool]:
    """Return the features of one utterance, float16, and whether it is "stop"."""
    random = np.random.default_rng((_SEED, 1, number))
    kind = str(random.choice(list(KINDS), p=list(KINDS.values())))
    session = ringing[int(random.integers(len(ringing)))]
    first = int(random.integers(len(session.left) - LENGTH))
    if random.random() < 0.3:  # the first ring
        first = int(random.integers(3 * MIC_RATE_HZ))
    piece = slice(first, first + LENGTH)
    onset = int(random.uniform(*ONSET_S) * MIC_RATE_HZ)
    left = session.left[piece].astype(np.float64)
    if random.random() < HELD_SHARE:
        _hold(left, onset + int(random.uniform(*HELD_AFTER_S) * MIC_RATE_HZ))
    dbfs = session.user_dbfs + random.uniform(*USER_DB)
    sound = left + session.around[piece] * db_to_gain(random.uniform(*NOISE_DB))
    said = _said(kind, voices, list(gathered.noises.values()), random)
    if said is not None:
        room = gathered.rooms[int(random.integers(len(gathered.rooms)))]
        path = room.users[int(random.integers(len(room.users)))]
        wet = _levelled(convolved(np.concatenate((said / 32768.0, np.zeros(8000))), path), dbfs)
        wet = wet[: LENGTH - onset]
        sound[onset : onset + len(wet)] += 32768 * wet
    frames = round_to_int16(np.clip(sound, -32768, 32767))
    frames = frames[: _end(onset, said, random)]
    found = alarm_stop.features(frames)
    padded = np.zeros((LENGTH // 480, found.shape[1]), np.float16)
    padded[-len(found) :] = found  # the end of an utterance is the end of an example
    return padded, kind == "stop"


def _said(
    kind: str, voices: dict[str, list[Clip]], noises: Sequence[Frames], random: Random
) -> Frames | None:
    if kind == "noise":
        return _noise(noises, random)
    people = [clip for clip in voices[kind] if "-person-" in clip.name]
    found = people if people and random.random() < PEOPLE_SHARE else voices[kind]
    frames = found[int(random.integers(len(found)))].frames
    if kind == "speech":  # begin anywhere, often with a word that continues
        length = int(random.uniform(0.3, 1.6) * MIC_RATE_HZ)
        first = int(random.integers(max(1, len(frames) - length)))
        frames = frames[first : first + length]
    elif kind == "stop" and random.random() < 0.15:  # its first sound is softer than the noise
        frames = frames.copy()
        frames[: int(random.uniform(0.03, 0.12) * MIC_RATE_HZ)] //= 4
    return stop_examples.varied(frames, random)


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
    return min(LENGTH, onset + length + int((NEAR_S + random.uniform(0, 0.4)) * MIC_RATE_HZ))


def _hold(left: Signal, at: int) -> None:
    left[at:] *= np.exp(-np.arange(len(left) - at) / (RINGS_OUT_S * MIC_RATE_HZ))


def _levelled(wet: Signal, dbfs: float) -> Signal:
    blocks = wet[: len(wet) // 160 * 160].reshape(-1, 160)
    power = np.mean(blocks**2, axis=1)
    active = power[power >= power.max() / 1000].mean()
    return np.asarray(wet * db_to_gain(dbfs) / np.sqrt(active + 1e-12))


if __name__ == "__main__":
    main()
