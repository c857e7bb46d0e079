"""Rooms in which `parley calibrate` can be tried: a healthy one, and broken ones."""

from dataclasses import dataclass, field

import numpy as np

from parleyd.audio import FULL_SCALE, db_to_gain, float_to_int16
from parleyd.simulation.acoustics import Room, impulse_response
from parleyd.simulation.convolution import Convolver, Signal
from parleyd.units import MIC_RATE_HZ, Frames

_RATTLES_FROM = 0.06  # of full scale: a sweep at volume 50
_RATTLE = 0.9
_HUM_SHARES = ((1, 0.5), (2, 1.0), (3, 0.3), (4, 0.5), (6, 0.2))  # of a rectifier
_HALL_S = 1.2
_CONTROLLED_DBFS = -30.0  # the level that gain control aims at
_ATTACK, _RELEASE = 0.1, 0.004  # of the distance, in each period
_MOST_GAIN_DB = 20.0


@dataclass(slots=True)
class Flaws:
    """The broken parts; the default is a plain microphone and loudspeaker."""

    silent: bool = False
    """The loudspeaker is muted."""
    rattle: bool = False
    limit: float | None = None
    """The loudspeaker gets no louder than this, of full scale."""
    hum_hz: int = 0
    hum_dbfs: float = -52.0
    gate_dbfs: float | None = None
    """The microphone delivers zeros while its sound is softer."""
    clips_at: float | None = None
    """Of full scale."""
    gain_db: float = 0.0
    """Of the microphone, after its noise."""
    level_control: bool = False
    dead: bool = False
    dc: float = 0.0
    television_dbfs: float | None = None


class FlawedRoom(Room):
    """A room whose loudspeaker or microphone has flaws, one or several at once."""

    def __init__(self, flaws: Flaws, *, seed: int = 0, **room: object) -> None:
        """`room`: the arguments of `Room`."""
        super().__init__(seed=seed, **room)  # type: ignore[arg-type]
        self._flaws = flaws
        self._frame = 0
        self._open = 0  # periods for which the gate stays open
        self._gain_db = 0.0
        self._television = _Television(seed)

    def hear(self, played: Frames, talker: Frames) -> Frames:
        """Return the microphone's next 10 ms with all flaws."""
        flaws = self._flaws
        sound = super().hear(float_to_int16(self._loudspeaker(played / FULL_SCALE)), talker)
        heard = sound / FULL_SCALE
        time_s = (self._frame + np.arange(len(heard))) / MIC_RATE_HZ
        self._frame += len(heard)
        if flaws.television_dbfs is not None:
            heard = heard + db_to_gain(flaws.television_dbfs) * self._television.period(time_s)
        if flaws.hum_hz:
            heard = heard + _hum(time_s, flaws.hum_hz, flaws.hum_dbfs)
        heard = heard * db_to_gain(flaws.gain_db)
        if flaws.level_control:
            heard = self._controlled(heard)
        if flaws.gate_dbfs is not None:
            heard = self._gated(heard, db_to_gain(flaws.gate_dbfs))
        heard = heard + flaws.dc
        if flaws.clips_at is not None:
            heard = np.clip(heard, -flaws.clips_at, flaws.clips_at)
        return float_to_int16(np.zeros_like(heard) if flaws.dead else heard)

    def _loudspeaker(self, played: Signal) -> Signal:
        flaws = self._flaws
        if flaws.silent:
            return np.zeros_like(played)
        if flaws.rattle:
            played = played + _RATTLE * np.maximum(np.abs(played) - _RATTLES_FROM, 0)
        if flaws.limit is not None:
            played = flaws.limit * np.tanh(played / flaws.limit)
        return played

    def _controlled(self, heard: Signal) -> Signal:
        level = float(np.sqrt(np.mean(heard**2))) + 1e-9
        wanted = min(_CONTROLLED_DBFS - 20 * float(np.log10(level)), _MOST_GAIN_DB)
        speed = _ATTACK if wanted < self._gain_db else _RELEASE
        self._gain_db += speed * (wanted - self._gain_db)
        return heard * db_to_gain(self._gain_db)

    def _gated(self, heard: Signal, least: float) -> Signal:
        self._open = 20 if float(np.sqrt(np.mean(heard**2))) > least else max(0, self._open - 1)
        return heard if self._open else np.zeros_like(heard)


def _hum(time_s: Signal, mains_hz: int, dbfs: float) -> Signal:
    tones = sum(share * np.sin(2 * np.pi * mains_hz * n * time_s + n) for n, share in _HUM_SHARES)
    power = sum(share**2 for _, share in _HUM_SHARES) / 2
    return np.asarray(db_to_gain(dbfs) / np.sqrt(power) * tones)


class _Television:
    """Voices by their envelope and their band: syllables and pauses of coloured noise."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed + 77)
        self._dull = Convolver(np.asarray(0.4 * 0.6 ** np.arange(24), np.float64))

    def period(self, time_s: Signal) -> Signal:
        voiced = self._dull.process(self._random.standard_normal(len(time_s)))
        syllables = np.maximum(np.sin(2 * np.pi * 3.1 * time_s), 0) ** 2
        pauses = np.sin(2 * np.pi * 0.31 * time_s) > -0.5
        return np.asarray(4.0 * voiced * syllables * pauses)


@dataclass(frozen=True, slots=True)
class RoomPlan:
    """A room, its clocks and its user."""

    what: str
    """For the help of the command."""
    flaws: Flaws = field(default_factory=Flaws)
    echo_gain_db: float = -16.0
    echo_delay_ms: float = 12.0
    rt60_s: float = 0.3
    noise_dbfs: float = -65.0
    drift_ppm: float = 0.0
    user_dbfs: float = -38.0
    says: str = "hey jarvis"

    def build(self, seed: int = 0, rate_hz: int = 48_000) -> FlawedRoom:
        """Return the room, in its first moment."""
        return FlawedRoom(
            self.flaws,
            seed=seed,
            echo_gain_db=self.echo_gain_db,
            echo_delay_ms=self.echo_delay_ms,
            rt60_s=self.rt60_s,
            noise_dbfs=self.noise_dbfs,
            loudspeaker_rate_hz=rate_hz,
            echo_impulse=impulse_response(seed=seed + 1, rt60_s=self.rt60_s, longest_s=self.rt60_s),
        )


ROOMS: dict[str, RoomPlan] = {
    "healthy": RoomPlan("nothing is wrong"),
    "loud-echo": RoomPlan("the microphone is too near to the loudspeaker", echo_gain_db=4.0),
    "rattle": RoomPlan("the loudspeaker rattles", Flaws(rattle=True)),
    "hum": RoomPlan("the mains hum", Flaws(hum_hz=50)),
    "gate": RoomPlan("the microphone has a noise gate", Flaws(gate_dbfs=-55.0)),
    "clipping": RoomPlan("the microphone is overdriven", Flaws(gain_db=24.0, clips_at=0.5)),
    "dead": RoomPlan("the microphone is dead", Flaws(dead=True)),
    "two-cards": RoomPlan("two cards with two clocks", drift_ppm=80.0),
    "hall": RoomPlan("bare walls", rt60_s=_HALL_S),
    "far": RoomPlan("a loudspeaker over Bluetooth", echo_delay_ms=320.0),
    "muted-loudspeaker": RoomPlan("the loudspeaker is muted", Flaws(silent=True)),
    "limiter": RoomPlan("the loudspeaker limits", Flaws(limit=0.03)),
    "soft-user": RoomPlan("the user is far away", user_dbfs=-60.0),
    "quiet-microphone": RoomPlan(
        "the gain of the microphone is low", Flaws(gain_db=-32.0), noise_dbfs=-68.0
    ),
    "television": RoomPlan("a television is on", Flaws(television_dbfs=-45.0)),
    "level-control": RoomPlan("the microphone has automatic gain", Flaws(level_control=True)),
    "wrong-word": RoomPlan("the user says another word", says="good morning"),
}
