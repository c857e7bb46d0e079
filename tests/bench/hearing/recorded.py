"""Recorded devices as a bench: the loop is closed over echoes that real devices recorded.

`python -m tests.bench.hearing --devices FOLDER --corpus DIR` plays each recording of a folder
(`parleyd.diagnostics.recordings`) to the front end. When it holds, the recorded echo stops after
its delay; when it resumes, both continue at the same place. Users of the corpus are added at a
level under the recorded echo (ENR) and over noise (SNR). In recordings with a talker of their own
(`doubletalk` in the name) that talker causes holds and interruptions: the sums leave them out.
"""

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from parleyd.audio import FULL_SCALE, db_to_gain, power_to_db, resample, round_to_int16
from parleyd.config import AudioConfig, Config
from parleyd.diagnostics.recordings import recordings
from parleyd.diagnostics.replay import replay
from parleyd.hearing.barge_in import Decision
from parleyd.hearing.front_end import AudioFrontEnd
from parleyd.playback.lead import PlaybackLead
from parleyd.simulation.convolution import Signal
from parleyd.simulation.noise import Noise
from parleyd.units import MIC_PERIOD_FRAMES, MIC_RATE_HZ, PERIOD_MS, Frames
from parleyd.wav import Stereo
from tests.bench.hearing.bounds import rate_bounds, share_bounds
from tests.bench.hearing.material import Material
from tests.bench.hearing.soundtrack import convolved_tail

ENRS_DB = (5.0, 10.0, 15.0, 20.0)
SNR_DB = 25.0
_LEAST_FIRST_S, _EVERY_S = 3.0, (3.0, 6.0)  # the canceller learns before the first user
_AFTER_S = 0.5  # an interruption this soon after the last word is still a detection
_PAUSE_S = 1.0  # from an interruption to the next answer
_RAMP = 6  # periods: the room's tail after the recorded echo was cut
_LONGEST_S = 3.5


@dataclass(slots=True)
class Heard:
    """What one recording gave, alone or with users at one ENR."""

    name: str
    enr_db: float | None
    hours: float = 0.0
    """Of playback that was not held, without the time around users."""

    holds: int = 0
    interruptions: int = 0
    half_s: float = 0.0
    users: int = 0
    within_200: int = 0
    by_800: int = 0
    ever: int = 0
    events: list[tuple[float, str, float]] = field(default_factory=list)


class _Loop:
    """The recording, period by period, played again from its start when it ends."""

    def __init__(self, stereo: Stereo, delay_ms: float, audio: AudioConfig) -> None:
        self._late = max(0, int(delay_ms / PERIOD_MS) - 1)  # so that nothing is cut too soon
        start = self._late * MIC_PERIOD_FRAMES
        self._mic = stereo.microphone[start:].astype(np.float64)
        self.periods = len(self._mic) // MIC_PERIOD_FRAMES
        rate_hz = audio.playback_rate_hz
        self._each = rate_hz // 100
        self._played = resample(stereo.loudspeaker, MIC_RATE_HZ, rate_hz)
        lead = audio.lead_ms // PERIOD_MS  # from writing a frame to its sound
        self._at = 0
        self._due: deque[int | None] = deque([None] * (self._late + lead))
        self._last, self._silent = 0, _RAMP

    def step(self, *, playing: bool) -> tuple[Frames, Signal]:
        """Return the playback and its echo at the microphone, on int16's scale."""
        self._due.append(self._at if playing else None)
        played = np.zeros(self._each, np.int16)
        if playing:
            played = self._played[self._at * self._each : (self._at + 1) * self._each]
            self._at = (self._at + 1) % self.periods
        now = self._due.popleft()
        if now is not None:
            self._last, self._silent = now, 0
            return played, self._heard(now)
        self._silent += 1
        if self._silent > _RAMP:
            return played, np.zeros(MIC_PERIOD_FRAMES)
        fading = db_to_gain(-6.0 * self._silent)
        return played, fading * self._heard((self._last + self._silent) % self.periods)

    def _heard(self, period: int) -> Signal:
        return self._mic[period * MIC_PERIOD_FRAMES : (period + 1) * MIC_PERIOD_FRAMES]


def run(folder: Path, material: Material, settings: Config, users: int, seed: int) -> list[Heard]:
    """Play every recording alone, then with `users` users at each ENR."""
    found: list[Heard] = []
    for recording in recordings(folder):
        if recording.stereo is None:
            continue
        delay_ms = replay(recording.stereo, settings.hearing).delay_ms or 0.0
        for n, enr_db in enumerate((None, *ENRS_DB)):
            random = np.random.default_rng((seed, len(found), n))
            loop = _Loop(recording.stereo, delay_ms, settings.audio)
            level = _active_dbfs(recording.stereo.microphone)
            heard = Heard(recording.name, enr_db)
            _play(loop, heard, level, material, settings, users, random)
            found.append(heard)
    return found


def _play(
    loop: _Loop, heard: Heard, echo_dbfs: float, material: Material, settings: Config, users: int,
    random: np.random.Generator,
) -> None:  # fmt: skip
    front = AudioFrontEnd(settings, None, PlaybackLead(settings.audio.lead_ms))
    user_dbfs = echo_dbfs - (heard.enr_db if heard.enr_db is not None else 10.0)
    track, said, periods = _users(material, heard, user_dbfs, users, loop.periods, random)
    noise = Noise("pink", user_dbfs - SNR_DB, seed=int(random.integers(1 << 31)))
    playing, starts_at = False, 0.0
    for period in range(periods):
        now = (period + 1) / 100
        if not playing and not front.deciding and now >= starts_at:
            playing = True
            front.arm(now)
        played, echo = loop.step(playing=playing)
        talk = track[period * MIC_PERIOD_FRAMES : (period + 1) * MIC_PERIOD_FRAMES]
        sound = echo + (talk + noise.period()) * FULL_SCALE
        speaking = playing or front.deciding
        frames = round_to_int16(sound.astype(np.float32))
        result = front.listen(frames, now, speaking=speaking, attentive=True)
        front.written(played)
        alone = not any(onset <= now < end + _AFTER_S for onset, end in said)
        if playing and alone:
            heard.hours += 0.01 / 3600
        heard.half_s += 0.01 * bool(front.half_duplex)
        decision = result.decision if result is not None else None
        if decision is None:
            continue
        heard.events.append((now, str(decision.decision), decision.onset))
        match decision.decision:
            case Decision.HOLD:
                playing = False
                heard.holds += alone
            case Decision.RESUME:
                playing = True
                front.rearm(now)
            case Decision.INTERRUPT:
                playing, starts_at = False, now + _PAUSE_S
                ends = [end for onset, end in said if onset <= now < end + _AFTER_S]
                starts_at = max([starts_at, *(end + _PAUSE_S / 2 for end in ends)])
                heard.interruptions += alone
    _judge(heard, said)


def _users(
    material: Material, heard: Heard, dbfs: float, users: int, loop_periods: int,
    random: np.random.Generator,
) -> tuple[Signal, list[tuple[float, float]], int]:  # fmt: skip
    """Return the users' sound, their times, and the length in periods."""
    if heard.enr_db is None:
        periods = max(loop_periods, 6000)
        return np.zeros(periods * MIC_PERIOD_FRAMES), [], periods
    at_s, said, parts = _LEAST_FIRST_S, [], []
    for _ in range(users):
        at_s += float(random.uniform(*_EVERY_S))
        room = material.rooms[int(random.integers(len(material.rooms)))]
        clip = material.near[int(random.integers(len(material.near)))].frames
        clip = clip[: int(_LONGEST_S * MIC_RATE_HZ)]
        path = room.users[int(random.integers(len(room.users)))]
        sound = convolved_tail(clip, path)
        sound *= db_to_gain(dbfs - _active_dbfs(sound * FULL_SCALE))
        said.append((at_s, at_s + len(clip) / MIC_RATE_HZ))
        parts.append((round(at_s * MIC_RATE_HZ), sound))
        at_s = said[-1][1]
    periods = round((at_s + 3) * 100)
    track = np.zeros(periods * MIC_PERIOD_FRAMES)
    for start, sound in parts:
        piece = sound[: len(track) - start]
        track[start : start + len(piece)] += piece
    return track, said, periods


def _judge(heard: Heard, said: list[tuple[float, float]]) -> None:
    for onset, end in said:
        during = [(at, name) for at, name, _ in heard.events if onset < at <= end + _AFTER_S]
        heard.users += 1
        holds = [at - onset for at, name in during if name == Decision.HOLD]
        stops = [at - onset for at, name in during if name == Decision.INTERRUPT]
        heard.within_200 += any(after <= 0.2 for after in holds)
        heard.by_800 += any(after <= 0.8 for after in stops)
        heard.ever += bool(stops)


def _active_dbfs(sound: Frames | Signal) -> float:
    """Return the level of the periods within 15 dB of the loudest."""
    samples = np.asarray(sound, np.float64)[: len(sound) // 160 * 160] / FULL_SCALE
    power = np.mean(samples.reshape(-1, 160) ** 2, axis=1)
    return power_to_db(float(power[power >= power.max() * 10**-1.5].mean()) + 1e-12)


def print_all(console: Console, found: list[Heard]) -> None:
    """Print a row for each recording, alone and with users, and the sums with 95 % bounds."""
    table = Table(title="recorded devices, closed loop", title_justify="left")
    for head in ("", "ENR", "minutes", "holds / h", "interruptions / h", "half duplex s", "users",
                 "within 200 ms %", "by 800 ms %", "ever %"):  # fmt: skip
        table.add_column(head, justify="right" if head else "left", no_wrap=True)
    groups = [(h.name, h.enr_db, [h]) for h in found]
    quiet = [h for h in found if "doubletalk" not in h.name]
    groups += [("sum", enr, [h for h in quiet if h.enr_db == enr]) for enr in (None, *ENRS_DB)]
    groups += [("with doubletalk", enr, [h for h in found if h.enr_db == enr]) for enr in ENRS_DB]
    for name, enr_db, some in groups:
        hours, users = sum(h.hours for h in some), sum(h.users for h in some)
        table.add_row(
            name, "-" if enr_db is None else f"{enr_db:.0f}", f"{60 * hours:.1f}",
            _rate(sum(h.holds for h in some), hours),
            _rate(sum(h.interruptions for h in some), hours),
            f"{sum(h.half_s for h in some):.0f}", str(users),
            *(_share(sum(counts), users) for counts in (
                [h.within_200 for h in some], [h.by_800 for h in some], [h.ever for h in some]
            )),
        )  # fmt: skip
    console.print(table)


def _rate(events: int, hours: float) -> str:
    low, high = rate_bounds(events, hours)
    return f"{events / hours:.0f} [{low:.0f}-{high:.0f}]" if hours else "-"


def _share(hits: int, n: int) -> str:
    low, high = share_bounds(hits, n)
    return f"{100 * hits / n:.0f} [{100 * low:.0f}-{100 * high:.0f}]" if n else "-"
