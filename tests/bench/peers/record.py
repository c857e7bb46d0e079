"""Reads the folder of a cell."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from parleyd.audio import resample
from parleyd.simulation.talker import Utterance
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, SERVER_RATE_HZ, Frames
from tests.bench.peers.soundness import Soundness, soundness
from tests.bench.peers.trials import CellRecord, StartedAnswer, Told

Json = dict[str, Any]


def read(folder: Path, clips: dict[str, Frames]) -> tuple[Json, CellRecord, Soundness]:
    """Return a cell's description, its record, and whether its rig kept up.

    Raises OSError if the folder is not a finished cell.
    """
    about: Json = json.loads((folder / "about.json").read_text())
    with np.load(folder / "sound.npz") as file:
        sound = {name: file[name] for name in file.files}
    came_at = sound["came_at"]
    ends = MIC_PERIOD_FRAMES * np.arange(1, len(came_at) + 1)

    def frame(seconds: float) -> int:
        """Return the newest frame of the room at this time."""
        return round(float(np.interp(seconds, came_at, ends)))

    log = [json.loads(line) for line in (folder / "server.jsonl").read_text().splitlines()]
    sent, sent_audio = _sent(folder, log, frame)
    with np.load(folder / "answers.npz") as file:
        answers = [file[name] for name in sorted(file.files)]
    rig = soundness(
        came_at,
        sound["microphone"],
        sound["check"],
        sound["check_came_at"],
        (about["began"], about["ended"]),
        about["overruns"],
    )
    record = CellRecord(
        loudspeaker=sound["loudspeaker"],
        said=[Utterance(*line) for line in about["said"]],
        clips=clips,
        answers=answers,
        started=[
            StartedAnswer(frame(line["t"]), line["answer"], line["item"])
            for line in log
            if "answer" in line
        ],
        told=[
            Told(frame(line["t"]), event["item_id"], event["audio_end_ms"])
            for line in log
            if (event := line.get("client", {})).get("type") == "conversation.item.truncate"
        ],
        sent=sent,
        sent_audio=sent_audio,
        measured=(frame(about["began"]), frame(about["ended"])),
        spoiled=rig.spoiled,
    )
    return about, record, rig


def _sent(folder: Path, log: list[Json], frame: Any) -> tuple[list[tuple[int, int]], Frames]:
    pcm = np.frombuffer((folder / "sent.pcm").read_bytes(), "<i2")
    appended = [(line["t"], line["appended"]) for line in log if "appended" in line]
    ends = np.cumsum([count for _, count in appended]) * MIC_RATE_HZ // SERVER_RATE_HZ
    times = [frame(at) for at, _ in appended]
    return list(zip(times, map(int, ends), strict=True)), resample(
        pcm.astype(np.int16), SERVER_RATE_HZ, MIC_RATE_HZ
    )
