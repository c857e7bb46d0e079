"""The owner's sounds in place of Parley's own: the files that `[earcons]` names."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from parleyd import config, wav
from parleyd.audio import FULL_SCALE, power_dbfs
from parleyd.errors import ParleyError
from parleyd.playback.cues import BUILT_IN, Cue
from parleyd.units import SERVER_RATE_HZ, Frames

LONGEST_S, LONGEST_ALARM_S = 2.0, 10.0  # a longer cue is a hindrance
WITHIN_S = 5.0  # for all files: a disk that does not answer must not delay a start further
QUIETEST = 0.002 * 32768  # -54 dBFS: a lower peak is inaudible
ALARM_DBFS = -30.0  # of an alarm's loudest moments; Parley's own has -15
MOST_GAIN_DB = 40.0
_LOUDEST_S, _BLOCK_S = 0.2, 0.05
_HEARD_HZ = 200, 8000  # what a small loudspeaker plays and old ears hear

Read = Callable[[Path, int, float], Frames]


def load(
    settings: config.EarconsConfig, read: Read = wav.read_sound, within_s: float = WITHIN_S
) -> tuple[dict[Cue, Frames], list[str]]:
    """Return the sounds of all files (int16 at 24 kHz), and the problems of the others.

    Blocks for `within_s` at most. Never raises, whatever the files are.
    """
    paths = {cue: getattr(settings, cue) for cue in Cue}
    paths = {cue: path for cue, path in paths.items() if path not in ("", BUILT_IN)}
    done: dict[Cue, Frames | str] = {}
    if paths:
        # a daemon thread: it may wait for a dead disk for ever, also at the end of the process
        reader = threading.Thread(
            target=partial(_read_all, paths, read, done), name="sounds", daemon=True
        )
        reader.start()
        reader.join(within_s)
    found: dict[Cue, Frames] = {}
    problems = []
    for cue, path in paths.items():
        sound = done.get(cue)
        if sound is None:
            sound = f"{path}: was not read within {within_s:g} s, allowed is a file on a local disk"
        if isinstance(sound, str):
            problems.append(f"earcons.{cue}: {sound}")
        else:
            found[cue] = sound
    return found, problems


def _read_all(paths: dict[Cue, str], read: Read, done: dict[Cue, Frames | str]) -> None:
    for cue, path in paths.items():
        try:
            done[cue] = _audible(cue, Path(path), read)
        except ParleyError as error:
            done[cue] = str(error)
        except Exception as error:  # the rim: files come from anywhere
            done[cue] = f"{path}: cannot be read ({type(error).__name__}: {error})"


def _audible(cue: Cue, path: Path, read: Read) -> Frames:
    if cue is not Cue.TIMER:
        sound = read(path, SERVER_RATE_HZ, LONGEST_S)
        if not len(sound) or np.abs(sound.astype(np.int32)).max() < QUIETEST:
            raise ParleyError(f'{path}: is silent, allowed is a sound, or "" for silence')
        return sound
    sound = read(path, SERVER_RATE_HZ, LONGEST_ALARM_S)
    level_dbfs = alarm_level_dbfs(sound)
    if level_dbfs < ALARM_DBFS:
        low_hz, high_hz = _HEARD_HZ
        gain_db = ALARM_DBFS + 10 - level_dbfs
        short = len(sound) < _LOUDEST_S * SERVER_RATE_HZ
        hopeless = short or gain_db > MOST_GAIN_DB  # louder, it would be noise
        remedy = f"{wav.louder_file(path, gain_db)} makes it louder"
        if hopeless:
            remedy = f'take another file of {_LOUDEST_S:g} to {LONGEST_ALARM_S:g} s, or "default"'
        raise ParleyError(
            f"{path}: is too soft for an alarm: its loudest {_LOUDEST_S:g} s have "
            f"{level_dbfs:.0f} dBFS between {low_hz} and {high_hz} Hz, allowed are "
            f"{ALARM_DBFS:.0f} dBFS or more; {remedy}"
        )
    return sound


def alarm_level_dbfs(sound: Frames) -> float:
    """The level that these tones (int16 at 24 kHz) have for 0.2 s, where people hear well."""
    block = round(_BLOCK_S * SERVER_RATE_HZ)
    count = round(_LOUDEST_S / _BLOCK_S)
    length = max(count, -(-len(sound) // block)) * block
    spectrum = np.fft.rfft(sound / FULL_SCALE, length)
    hz = np.fft.rfftfreq(length, 1 / SERVER_RATE_HZ)
    spectrum[(hz < _HEARD_HZ[0]) | (hz > _HEARD_HZ[1])] = 0
    powers = np.square(np.fft.irfft(spectrum, length)).reshape(-1, block).mean(axis=1)
    return power_dbfs(float(np.sort(powers)[-count]))
