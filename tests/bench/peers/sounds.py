"""The bench's sounds: the server's answers, the talker's lines, the paths of the room."""

from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from parleyd.audio import db_to_gain, float_to_int16, resample, round_to_int16
from parleyd.embedded.stories import STORIES
from parleyd.simulation import clips
from parleyd.simulation.acoustics import Room
from parleyd.simulation.convolution import Signal
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, SERVER_RATE_HZ, Frames, ms_to_frames
from tests.bench.hearing import material

ANSWER_DBFS = -24.0  # active level, as a server sends it
COMFORT_DBFS = -60.0  # noise below the answer: a pause differs from a loudspeaker that stopped
USER_DBFS = -30.0  # active level at the microphone
SNR_DB = 25.0
DISTORTION_DB = 30.0  # of the loudspeaker
ECHO_DELAY_MS = 40.0
VOICES = ("slt", "kal16", "slt")  # of the answers; the talker has others
ANSWER_S = 45.0
BETWEEN_SENTENCES_MS = 150
LINE_S = (1.0, 3.5)
WAKE_TO_QUESTION_MS = 300


@dataclass(frozen=True, slots=True)
class BenchSounds:
    """Answers at 24 kHz; lines and question at 16 kHz; paths of unit energy at 16 kHz."""

    origin: str
    answers: list[Frames]
    question: Frames
    """The wake word and a question."""
    lines: list[tuple[str, Frames]]
    echo_path: Signal
    talker_path: Signal


def make(corpus: Path | None, seed: int) -> BenchSounds:
    """Make or read all sounds; `seed` orders the lines. Blocks for some seconds.

    Raises `OfflineSpeechError` without flite, and `CorpusError` for an unusable corpus.
    """
    found = material.load(corpus, "B") if corpus else material.synthesise("all")
    room = found.rooms[0]
    return BenchSounds(
        origin=found.origin,
        answers=[_answer(story, voice) for story, voice in zip(STORIES, VOICES, strict=False)],
        question=_question(),
        lines=_lines(found.near, seed),
        echo_path=_unit(_at_once(room.loudspeaker)),
        talker_path=_unit(room.users[0]),
    )


def room_at(enr_db: float, sounds: BenchSounds, answer_gain: float = 1.0) -> Room:
    """Return the room in which the answers' echo is `enr_db` louder than the user.

    `answer_gain`: how loud the loudspeaker plays the answers, relative to `ANSWER_DBFS`.
    """
    echo_dbfs = _echo_dbfs(sounds, answer_gain)
    return Room(
        echo_delay_ms=ECHO_DELAY_MS,
        echo_gain_db=USER_DBFS + enr_db - echo_dbfs,
        noise="kitchen",
        noise_dbfs=USER_DBFS - SNR_DB,
        loudspeaker_rate_hz=MIC_RATE_HZ,
        distortion_db=DISTORTION_DB,
        echo_impulse=sounds.echo_path,
        talker_impulse=sounds.talker_path,
    )


def _echo_dbfs(sounds: BenchSounds, answer_gain: float) -> float:
    """Return the active level of an answer's echo in a room without any loss."""
    silent_room = Room(
        echo_delay_ms=0.0,
        echo_gain_db=0.0,
        noise="silence",
        loudspeaker_rate_hz=MIC_RATE_HZ,
        distortion_db=DISTORTION_DB,
        echo_impulse=sounds.echo_path,
    )
    played = round_to_int16(
        resample(sounds.answers[0], SERVER_RATE_HZ, MIC_RATE_HZ)[: 10 * MIC_RATE_HZ] * answer_gain
    )
    nobody = np.zeros(MIC_PERIOD_FRAMES, np.int16)
    periods = played.reshape(-1, MIC_PERIOD_FRAMES)
    return clips.active_dbfs(np.concatenate([silent_room.hear(p, nobody) for p in periods]))


def _answer(story: str, voice: str) -> Frames:
    pause = np.zeros(ms_to_frames(BETWEEN_SENTENCES_MS, MIC_RATE_HZ), np.int16)
    spoken = [part for text in STORIES[story] for part in (clips.synthesize(text, voice), pause)]
    whole = clips.normalised(np.concatenate(spoken), ANSWER_DBFS)[: int(ANSWER_S * MIC_RATE_HZ)]
    at_server_rate = resample(whole, MIC_RATE_HZ, SERVER_RATE_HZ)
    noise = np.random.default_rng(len(story)).standard_normal(len(at_server_rate))
    comfort = float_to_int16(db_to_gain(COMFORT_DBFS) * noise)
    return round_to_int16(at_server_rate.astype(np.float64) + comfort)


def _question() -> Frames:
    pause = np.zeros(ms_to_frames(WAKE_TO_QUESTION_MS, MIC_RATE_HZ), np.int16)
    wake, question = (
        clips.synthesize(text, "rms", level_dbfs=USER_DBFS)
        for text in ("hey jarvis", "tell me a story about the sea please")
    )
    return np.concatenate((wake, pause, question))


def _lines(near: list[material.Clip], seed: int) -> list[tuple[str, Frames]]:
    least, most = (seconds * MIC_RATE_HZ for seconds in LINE_S)
    lines = [
        (clip.name, clips.normalised(clips.trimmed(clip.frames), USER_DBFS))
        for clip in near
        if least <= len(clip.frames) <= most
    ]
    Random(seed).shuffle(lines)
    return lines


def _at_once(path: Signal) -> Signal:
    """Cut the time of flight; `ECHO_DELAY_MS` replaces it."""
    loud = np.flatnonzero(np.abs(path) > material.ONSET_BELOW_PEAK * np.max(np.abs(path)))
    return path[loud[0] :]


def _unit(path: Signal) -> Signal:
    return np.asarray(path / np.sqrt(np.sum(path**2)))
