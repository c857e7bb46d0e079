"""The running speaker imports nothing: an import from a slow memory card is an xrun."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from parleyd.audio import resample
from parleyd.core.events import ButtonPressed, PlayStartupSound
from parleyd.core.states import State
from parleyd.simulation.clips import synthesize
from parleyd.units import MIC_RATE_HZ, SERVER_RATE_HZ
from tests.bench.instructions.tape import ANSWER, Recorded
from tests.paper_server import WakeOnDemand, settings

ROOT = Path(__file__).parents[1]
LISTEN_S = 9.0  # of an answer: the canceller has converged, and full duplex has been judged

# Imports all modules of the daemon, then replays the conversation, in a separate interpreter.
REPLAY = """
import json, pickle, sys
import parleyd.app.daemon
from parleyd.core.events import MicPeriod
from parleyd.core.speaker import SmartSpeaker
from parleyd.wake import factory

settings, events = pickle.load(open(sys.argv[1], "rb"))
speaker = SmartSpeaker(settings, factory.create(settings.wake, None))
states, imported = set(), {}
for now, event, _ in events:
    before = set(sys.modules)
    (speaker.tick if isinstance(event, MicPeriod) else speaker.handle)(event, now)
    states.add(str(speaker.state))
    for name in sys.modules.keys() - before:
        imported[name] = f"{now:.2f} s, {speaker.state}"
print(json.dumps([sorted(states), imported]))
"""


def test_import_contract_of_pyproject_holds() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    checked = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
def test_conversation_imports_nothing(tmp_path: Path) -> None:
    tape = tmp_path / "tape"
    tape.write_bytes(pickle.dumps(_conversation()))
    told = subprocess.check_output([sys.executable, "-c", REPLAY, str(tape)], text=True)
    states, imported = json.loads(told)
    assert {"idle", "listening", "thinking", "speaking", "barge-in"} <= set(states)
    assert imported == {}


def _conversation() -> tuple[object, ...]:
    base = settings(follow_up_s=2.0)
    story = resample(synthesize(ANSWER, "slt"), MIC_RATE_HZ, SERVER_RATE_HZ)
    paper = Recorded(base, WakeOnDemand(), reply=story, echo_gain_db=-12.0)
    paper.say(PlayStartupSound())
    paper.run(4.0)
    paper.say(ButtonPressed())
    paper.run(0.2)
    paper.talker.say(synthesize("What is the weather like?"))
    paper.until(State.SPEAKING)
    paper.run(LISTEN_S)
    paper.talker.say(synthesize("No, tell me what day it is today."))
    paper.until(State.BARGE_IN)
    paper.until(State.SPEAKING)
    paper.run(1.0)
    paper.say(ButtonPressed())
    paper.until(State.IDLE)
    return base, paper.tape
