"""The first hour as a transcript: setup, doctor and calibrate, on a healthy and on broken devices.

    sudo .venv/bin/python -m tests.install.transcript [SCENE...] [--output FILE]

A person types at a real pseudo-terminal. The cards are those of a sound server under the names of
kernel cards, the servers are on real sockets, and calibration measures simulated rooms. Each scene
has the words of its remedy, and fails without them; the exit status is then 1. Takes minutes.
"""

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from parleyd.config.editing import Value
from tests.diagnostics.trial_server import KEY, Authority, TrialServer, beside
from tests.install.stage import ETC, Stage, enter_namespace, hear_and_speak

SAY = 'Say: "alexa", and after the chime: "what can I say"'
OTHERS = "--board none --wake-word alexa"
WRONG = "sk-proj-Zq7wXy9vBn3mKl5jHg8fDs2a"
KEY_PROMPT = "Enter is none): "


@dataclass(frozen=True, slots=True)
class Scene:
    """One device and its remedy."""

    name: str
    story: str
    perform: Callable[[], Stage]
    remedies: Sequence[str]
    """Words that must stand in the transcript."""
    last: str
    """Words of the last line of all."""


@contextlib.contextmanager
def server(**script: object) -> Iterator[dict[str, Value]]:
    """A realtime server at home; yields the configuration that names it."""
    with tempfile.TemporaryDirectory() as place:
        authority = Authority(Path(place))
        certificate = authority.signed("localhost")
        os.environ["SSL_CERT_FILE"] = str(authority.certificate)
        running = TrialServer(certificate=certificate, **script)  # type: ignore[arg-type]
        try:
            with beside(running.running) as served:
                yield {
                    "realtime.server": "openai",
                    "realtime.url": served.url,
                    "realtime.key_host": "localhost",
                }
        finally:
            del os.environ["SSL_CERT_FILE"]


def healthy() -> Stage:
    with server() as place, Stage(values=place) as stage:
        with stage.command("parley setup") as session:
            hear_and_speak(stage, session)
            session.answer("Wake word [2]: ", "")
            session.answer(KEY_PROMPT, KEY)
        stage.run("parley calibrate --room healthy")
        stage.run("parley check")
        return stage


def no_card() -> Stage:
    with Stage(cards=False) as stage:
        stage.run(f"parley setup {OTHERS} --yes")
        return stage


def muted_mixer() -> Stage:
    with Stage() as stage:
        assert stage.rig is not None
        stage.rig.pactl("set-sink-mute", "spk", "1")
        with stage.command(f"parley setup {OTHERS}") as session:
            hear_and_speak(stage, session, heard="n")
            stage.rig.pactl("set-sink-mute", "spk", "0")  # the person follows the advice
            session.answer("What now [1]: ", "again")
            hear_and_speak(stage, session)
            session.answer(KEY_PROMPT, "")
        return stage


def wrong_key() -> Stage:
    with server() as place, Stage(values=place) as stage:
        with stage.command(f"parley setup {OTHERS}") as session:
            hear_and_speak(stage, session)
            session.answer(KEY_PROMPT, WRONG)
        return stage


def key_in_wrong_form() -> Stage:
    with Stage() as stage:
        with stage.command(f"parley setup {OTHERS}") as session:
            hear_and_speak(stage, session)
            for typed in (
                f'"{WRONG}"',
                f"Bearer {WRONG}",
                f"export OPENAI_API_KEY={WRONG}",
                "/home/pi/key.txt",
            ):
                session.answer(KEY_PROMPT, typed)
            session.answer(KEY_PROMPT, "sk-ant-api03-Zq7wXy9vBn3mKl5jHg8fDs2a")
        (ETC / "openai_api_key").write_text(f'"{WRONG}"')  # with an editor, and readable by all
        stage.run("parley doctor")
        return stage


def echo_too_loud() -> Stage:
    with Stage() as stage:
        with stage.command("parley setup --board none --wake-word hey_jarvis") as session:
            hear_and_speak(stage, session)
            session.answer(KEY_PROMPT, "")
        stage.run("parley calibrate --room loud-echo")
        return stage


def no_gpio() -> Stage:
    with Stage() as stage:
        with stage.command("parley setup --board usb-gpio --wake-word alexa") as session:
            hear_and_speak(stage, session)
            session.answer(KEY_PROMPT, "")
        return stage


def clock_off() -> Stage:
    with server(clock_ahead_s=3 * 86_400.0) as place, Stage(values=place) as stage:
        with stage.command(f"parley setup {OTHERS}") as session:
            hear_and_speak(stage, session)
            session.answer(KEY_PROMPT, KEY)
        return stage


def no_network() -> Stage:
    with Stage(offline=True) as stage:
        with stage.command(f"parley setup {OTHERS}") as session:
            hear_and_speak(stage, session)
            session.answer(KEY_PROMPT, WRONG)
        return stage


SCENES = (
    Scene(
        "healthy",
        "A USB card, and a key that the server takes.",
        healthy,
        [
            'Say: "hey jarvis", and after the chime: "what can I say"',
            '"hey jarvis" was found in all 5 tries',
        ],
        "parley.toml: good",
    ),
    Scene(
        "no card",
        "Nothing is plugged in.",
        no_card,
        ["There is no sound card. Next, plug in a USB sound card"],
        "There is no sound card. Do this first: plug in",
    ),
    Scene(
        "muted mixer",
        "The card's own mute is on. The person follows the advice, and tries again.",
        muted_mixer,
        ["alsamixer -c Device", "M ends a mute"],
        SAY,
    ),
    Scene(
        "wrong key",
        "The server refuses the key.",
        wrong_key,
        ["localhost refuses the key"],
        "Server: localhost refuses the key. Do this first: sudo parley setup",
    ),
    Scene(
        "key in a wrong form",
        "Quotes, Bearer, a shell's line, a path, another maker's key; then a file with quotes.",
        key_in_wrong_form,
        [
            "it has quotes in it",
            'without "Bearer"',
            "it begins with NAME=",
            "it is the path of a file",
            "a key of Anthropic, expected is one of OpenAI",
            "Parley uses the embedded server",
            SAY,
            "OPENAI_API_KEY: is not in the form of a key: it has quotes in it",
            "other users can read /etc/parley/openai_api_key",
            "do: sudo chmod 600 /etc/parley/openai_api_key",
        ],
        "",
    ),
    Scene(
        "echo too loud",
        "The microphone is too near to the loudspeaker. The room is a simulated one.",
        echo_too_loud,
        [
            "your voice is 13 dB under the echo",
            "is better, or move the microphone away from the loudspeaker",
        ],
        "",
    ),
    Scene(
        "no GPIO",
        "A board with lights and a button, on a machine without pins.",
        no_gpio,
        ["there is no /dev/gpiochip0", 'set lights.output = "none" and no buttons'],
        "Pins: there is no /dev/gpiochip0",
    ),
    Scene(
        "clock off",
        "The clock of the device is three days behind.",
        clock_off,
        ["is 3 days behind the server's clock"],
        "Clock: is 3 days behind the server's clock. Do this first: sudo ",
    ),
    Scene(
        "no network",
        "A key, and no way to the server.",
        no_network,
        ["this device has no network: no route leads out"],
        "Do this first: plug in a network cable, or join a Wi-Fi: sudo nmtui",
    ),
)


def main() -> int:
    names = [scene.name for scene in SCENES]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help=f"of {', '.join(names)}")
    parser.add_argument("--output", type=Path)
    chosen = parser.parse_args()
    if unknown := set(chosen.scenes) - set(names):
        parser.error(f"no scene is called {', '.join(sorted(unknown))}")
    enter_namespace()
    pages, lost = ["# The first hour, as a transcript\n"], []
    for scene in SCENES:
        if chosen.scenes and scene.name not in chosen.scenes:
            continue
        stage = scene.perform()
        missing = [words for words in scene.remedies if words not in stage.text]
        missing += [scene.last] if scene.last not in stage.last else []
        leaked = [key for key in (KEY, WRONG) if key in stage.text]
        page = f"## {scene.name}\n\n{scene.story}\n\n```\n{stage.text.strip()}\n```\n"
        pages.append(page)
        print(page, flush=True)
        lost += [f"{scene.name}: {words!r} is missing" for words in missing]
        lost += [f"{scene.name}: the key is shown"] * bool(leaked)
    for line in lost:
        print(f"FAILED  {line}")
    if chosen.output:
        chosen.output.write_text("\n".join(pages), "utf-8")
    return int(bool(lost))


if __name__ == "__main__":
    sys.exit(main())
