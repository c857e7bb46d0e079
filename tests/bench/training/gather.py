"""Gathers training material from Debian packages: python gather.py --help.

Games and teaching software hold thousands of recordings of people, things and music under
free licences (see each package's `copyright`). They train the network and are not shipped.
Needs `ffmpeg` and `dpkg-deb`, and runs in the training environment (with soundfile, soxr and
pyroomacoustics). `espeak-ng`, `festival` and `flite` say the words. The folder has the layout
of the bench's corpus.
"""

import argparse
import re
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyroomacoustics
import soundfile
import soxr

RATE_HZ = 16_000
SOUNDS = (".ogg", ".oga", ".opus", ".wav", ".flac", ".g722", ".mp3")
ACTIVE_DBFS = -26.0
SILENT_DB = 25.0  # below the active level, as the corpus labels onsets
SHORTEST_S = {"near": 0.45, "word": 0.12, "far": 1.5, "music": 12.0, "noise": 0.03}
LONGEST_S = {"near": 6.0, "word": 1.5, "far": 12.0, "music": 30.0, "noise": 4.0}
ROOMS = 48
WORDS = (
    "stop",
    "no",
    "wait",
    "hey",
    "pause",
    "quiet",
    "okay stop",
    "no no",
    "hold on",
    "stop it",
    "smart",
    "snow",
    "small",
    "slow",
    "start",
    "shut up",
    "show",
    "six",
    "seven",
    "set",
    "skip",
    "silence",
    "sorry",
    "thanks",
    "that's enough",
    "four",
    "five",
    "first",
    "what",
    "who",
    "how",
    "help",
    "yes",
    "two",
    "ten",
    "three",
    "turn",
    "time",
    "cancel",
    "kitchen",
    "please",
    "play",
    "hush",
    "enough",
    "louder",
    "next",
    "back",
    "again",
    "music",
    "weather",
    "alarm",
    "and",
)
VOICES_PER_WORD = 7
ESPEAK_VOICES = ("en-gb", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029")
ESPEAK_VARIANTS = (
    "m1",
    "m2",
    "m3",
    "m4",
    "m5",
    "m6",
    "m7",
    "m8",
    "f1",
    "f2",
    "f3",
    "f4",
    "f5",
    "whisper",
    "whisperf",
    "croak",
    "klatt",
    "klatt2",
    "klatt3",
    "Annie",
    "Andy",
    "anika",
    "steph",
    "linda",
)
_SEED = 31


@dataclass(frozen=True, slots=True)
class Source:
    """Files of one kind from one package; at most `most`, drawn at random."""

    package: str
    kind: str  # near, far, music or noise
    pattern: str
    most: int
    without: str = "^$"


SOURCES = (
    Source("fillets-ng-data-cs", "near", r"/sound/.*/cs/", 500),
    Source("fillets-ng-data-nl", "near", r"/sound/.*/nl/", 500),
    Source("ktuberling-data", "near", r"/sounds/", 300),
    Source("klettres-data", "near", r"/syllab/|/alpha/", 200),
    Source("hedgewars-data", "near", r"/voices/", 150, r"[Ll]augh|[Oo]oh|[Oo]uch|Hmm|Grunt"),
    Source("tuxpaint-stamps-default", "near", r"_desc(_\w+)?\.ogg", 500),
    Source("asterisk-core-sounds-it-g722", "near", r".", 100),
    Source("asterisk-core-sounds-ru-g722", "near", r".", 100),
    Source("asterisk-core-sounds-en-g722", "far", r".", 200, r"/silence/|beep|tone|dtmf"),
    Source("asterisk-core-sounds-fr-g722", "far", r".", 100, r"/silence/|beep|tone|dtmf"),
    Source("asterisk-core-sounds-es-g722", "far", r".", 100, r"/silence/|beep|tone|dtmf"),
    Source("hedgewars-data", "music", r"/Music/", 25),
    Source("unknown-horizons", "music", r"music", 20),
    Source("supertux-data", "music", r"/music/", 20),
    Source("minetest-data", "noise", r".", 109),
    Source("hydrogen-drumkits", "noise", r".", 300),
    Source("hydrogen-drumkits-effects", "noise", r".", 150),
    Source("oxygen-sounds", "noise", r".", 40),
    Source("sound-icons", "noise", r".", 32),
    Source("lomiri-sounds", "noise", r"notif", 20),
    Source("hedgewars-data", "noise", r"/Sounds/", 60, r"/voices/"),
    Source("supertux-data", "noise", r"/sounds/", 60),
    Source("wesnoth-1.16-data", "noise", r"/sounds/", 100, r"ogre|troll|goblin|orc|human|naga"),
    Source("widelands-data", "noise", r"/sound/", 120, r"music|lobby"),
    Source("tuxpaint-stamps-default", "noise", r"(animals|vehicles|household|hobbies).*\.(ogg|wav)",
           100, r"_desc|_[a-z][a-z](_\w+)?\.ogg"),
    Source("freedroidrpg-data", "noise", r"/effects/", 60, r"[Ss]cream|[Vv]oice|speech"),
    Source("pingus-data", "noise", r".", 11),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="the folder to fill")
    parser.add_argument("--packages", type=Path, help="folder for the downloaded packages")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        packages = options.packages or Path(scratch)
        packages.mkdir(parents=True, exist_ok=True)
        for number, source in enumerate(SOURCES):
            kept = 0
            for sound in _sounds(source, packages, Path(scratch), number):
                clip = _clip(source.kind, sound)
                if clip is not None:
                    folder = options.out / source.kind
                    folder.mkdir(parents=True, exist_ok=True)
                    path = folder / f"{source.package}{number}-{kept:04d}.flac"
                    soundfile.write(path, clip, RATE_HZ, subtype="PCM_16")
                    kept += 1
            print(f"{kept} {source.kind} of {source.package}", flush=True)
        said = words(Path(scratch), np.random.default_rng(_SEED))
        for number, sound in enumerate(said):
            clip = _clip("word", sound)
            if clip is not None:
                path = options.out / "near" / f"word-{number:04d}.flac"
                soundfile.write(path, clip, RATE_HZ, subtype="PCM_16")
        print(f"{len(said)} words", flush=True)
    _rooms(options.out / "rooms", np.random.default_rng(_SEED))


def words(scratch: Path, random: np.random.Generator) -> list[np.ndarray]:
    """Return words alone, each in a few voices: speech synthesis of three kinds.

    The bench says its words with other voices of flite (`tests.bench.hearing.material`).
    """
    said = []
    path = scratch / "word.wav"
    for word in WORDS:
        for _ in range(VOICES_PER_WORD):
            command = _synthesis(word, path, random)
            path.unlink(missing_ok=True)
            subprocess.run(command, capture_output=True, check=False, input=word.encode())
            if path.exists():
                said.append(_decoded(path))
    return said


def _synthesis(word: str, path: Path, random: np.random.Generator) -> list[str | Path]:
    kind = random.random()
    if kind < 0.7:
        voice = f"{random.choice(ESPEAK_VOICES)}+{random.choice(ESPEAK_VARIANTS)}"
        speed, pitch = (str(int(n)) for n in random.uniform((110, 20), (210, 80)))
        return ["espeak-ng", "-v", voice, "-s", speed, "-p", pitch, "-w", path, word]
    if kind < 0.85:
        voice = str(random.choice(("kal_diphone", "ked_diphone")))
        return ["text2wave", "-eval", f"(voice_{voice})", "-o", path]
    return ["flite", "-voice", str(random.choice(("rms", "kal16"))), "-t", word, "-o", path]


def _sounds(source: Source, packages: Path, scratch: Path, number: int) -> Iterator[np.ndarray]:
    folder = scratch / source.package
    if not folder.is_dir():
        _unpack(source.package, packages, folder)
    every = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in SOUNDS)
    wanted = [p for p in every if re.search(source.pattern, str(p.relative_to(folder)))]
    wanted = [p for p in wanted if not re.search(source.without, str(p.relative_to(folder)))]
    np.random.default_rng((_SEED, number)).shuffle(wanted)
    for path in wanted[: source.most]:
        yield _decoded(path)


def _unpack(package: str, packages: Path, folder: Path) -> None:
    if not list(packages.glob(f"{package}_*.deb")):
        subprocess.run(["apt-get", "download", package], cwd=packages, check=True)
    folder.mkdir(parents=True)
    for deb in packages.glob(f"{package}_*.deb"):
        subprocess.run(["dpkg-deb", "--extract", deb, folder], check=True)


def _decoded(path: Path) -> np.ndarray:
    """Decode a minute at most to mono, full scale 1.0; empty if unreadable."""
    try:
        rate_hz = soundfile.info(path).samplerate  # type: ignore[attr-defined]
        sound, _ = soundfile.read(path, frames=60 * rate_hz, always_2d=True)
        return np.asarray(soxr.resample(sound.mean(1), rate_hz, RATE_HZ))
    except RuntimeError:  # of libsndfile: G.722
        return _by_ffmpeg(path)


def _by_ffmpeg(path: Path) -> np.ndarray:
    command = ["ffmpeg", "-v", "quiet", "-i", path, "-t", "60", "-ac", "1", "-ar", str(RATE_HZ)]
    done = subprocess.run([*command, "-f", "s16le", "-"], capture_output=True, check=False)  # type: ignore[list-item]
    return np.frombuffer(done.stdout[: len(done.stdout) // 2 * 2], "<i2") / 32768.0


def _clip(kind: str, sound: np.ndarray) -> np.ndarray | None:
    """Cut from the onset to the longest length and level; None if too short or silent."""
    blocks = sound[: len(sound) // 160 * 160].reshape(-1, 160)
    power = np.mean(blocks**2, axis=1) if len(blocks) else np.zeros(1)
    if power.max() < 1e-6:
        return None
    active = power[power >= power.max() / 1000].mean()
    loud = np.flatnonzero(power > active * 10 ** (-SILENT_DB / 10))
    cut = sound[loud[0] * 160 : (loud[-1] + 1) * 160][: int(LONGEST_S[kind] * RATE_HZ)]
    if len(cut) < SHORTEST_S[kind] * RATE_HZ:
        return None
    gain = 10 ** (ACTIVE_DBFS / 20) / np.sqrt(active)
    return np.asarray(np.clip(cut * gain, -1, 32767 / 32768))


def _rooms(folder: Path, random: np.random.Generator) -> None:
    """Simulate shoebox rooms by the image method: the device on furniture, people anywhere."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(ROOMS):
        size = random.uniform([2.5, 2.5, 2.3], [7.0, 6.0, 3.0])
        rt60_s = random.uniform(0.2, 0.8)
        absorption, order = pyroomacoustics.inverse_sabine(rt60_s, size)
        box = random.uniform([0.4, 0.4, 0.7], size - [0.4, 0.4, 1.0])
        mic = box + _step(random, random.uniform(0.05, 0.12))
        moved = box + _step(random, random.uniform(0.05, 0.12))
        people = []  # type: ignore[var-annotated]
        while len(people) < 3:
            person = random.uniform([0.3, 0.3, 1.1], [size[0] - 0.3, size[1] - 0.3, 1.8])
            if np.linalg.norm(person - mic) > 0.7:
                people.append(person)
        paths = []
        for place in (box, moved, *people):
            room = pyroomacoustics.ShoeBox(
                size, fs=RATE_HZ, materials=pyroomacoustics.Material(absorption),
                max_order=min(order, 45),
            )  # fmt: skip
            room.add_source(np.clip(place, 0.05, size - 0.05))
            room.add_microphone(mic)
            room.compute_rir()
            paths.append(room.rir[0][0][: int(1.1 * rt60_s * RATE_HZ)].astype(np.float32))
        np.savez(
            folder / f"box-{number:02d}.npz", loudspeaker=paths[0], loudspeaker_moved=paths[1],
            user_0=paths[2], user_1=paths[3], user_2=paths[4], rt60=rt60_s,
        )  # fmt: skip
    print(f"{ROOMS} rooms", flush=True)


def _step(random: np.random.Generator, metres: float) -> np.ndarray:
    direction = random.standard_normal(3)
    return np.asarray(metres * direction / np.linalg.norm(direction))


if __name__ == "__main__":
    main()
