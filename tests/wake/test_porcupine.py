"""The real library: 1.9.5 detects words, 4.x refuses keys."""

import builtins
import logging
import traceback
from collections.abc import Callable

import numpy as np
import pytest

from parleyd import config
from parleyd.errors import WakeError, WakeLicenceError
from parleyd.units import Frames
from parleyd.wake import factory
from parleyd.wake.gate import Gate
from parleyd.wake.porcupine import Porcupine, builtin_keywords

Say = Callable[..., Frames]
BAD_KEYS = ("not-a-key", "c2VjcmV0LXNlY3JldC1zZWNyZXQ=", "A" * 54 + "==")


def wakes(gate: Gate, frames: Frames) -> list[str]:
    periods = enumerate(np.split(frames, range(160, len(frames), 160)))
    hits = [gate.process(period, index * 0.01, False) for index, period in periods]
    return [keyword for keyword in hits if keyword]


@pytest.mark.usefixtures("old_porcupine")
def test_porcupine_1_9_detects_its_words_once_and_no_others(say: Say) -> None:
    engine = Porcupine(["porcupine", "hey_google"], access_key="given to no one")
    gate = Gate(engine, refractory_s=2.0)
    stream = np.concatenate([say("porcupine"), say("what a fine day it is"), say("hey google")])
    assert wakes(gate, stream) == ["porcupine", "hey_google"]
    engine.close()
    engine.close()
    assert engine.process(say("porcupine")) is None


@pytest.mark.usefixtures("old_porcupine")
def test_porcupine_1_9_needs_no_key_and_lists_its_words() -> None:
    with pytest.raises(WakeError, match=r"'hey_jarvis'.*alexa.*jarvis.*porcupine"):
        Porcupine(["hey_jarvis"])
    chosen = factory.create(config.WakeConfig(engine="porcupine", keywords=("computer",)), None)
    assert (chosen.name, chosen.keywords) == ("porcupine", ("computer",))
    chosen.close()
    with pytest.raises(WakeError, match="sensitivity"):
        Porcupine(["computer"], sensitivity=2.0)


@pytest.fixture
def new_porcupine() -> None:
    """The version that Parley depends on, if it supports the processor."""
    try:
        builtin_keywords()
    except WakeError as error:
        pytest.skip(f"NOT TESTED: {error}")


@pytest.mark.usefixtures("new_porcupine")
@pytest.mark.parametrize("key", BAD_KEYS)
def test_porcupine_refused_key_appears_in_no_error(key: str) -> None:
    with pytest.raises(WakeLicenceError, match="not valid") as caught:
        Porcupine(["porcupine"], access_key=key)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    assert key not in str(error) + repr(error) + "".join(traceback.format_exception(error))


@pytest.mark.usefixtures("new_porcupine")
@pytest.mark.parametrize("key", [None, ""])
def test_porcupine_without_a_key_names_the_variable(key: str | None) -> None:
    with pytest.raises(WakeLicenceError, match="PICOVOICE_ACCESS_KEY"):
        Porcupine(["porcupine"], access_key=key)


@pytest.mark.usefixtures("new_porcupine")
@pytest.mark.parametrize(
    ("kind", "remedy"),
    [
        ("PorcupineActivationError", "network"),
        ("PorcupineActivationLimitError", "too many devices"),
        ("PorcupineActivationThrottledError", "wait"),
        ("PorcupineActivationRefusedError", "expired"),
    ],
)
def test_porcupine_activation_error_names_its_remedy(
    kind: str, remedy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pvporcupine

    def refuse(access_key: str, **_: object) -> None:  # activation needs the vendor's server
        raise getattr(pvporcupine, kind)("Initialization failed", [f"AccessKey `{access_key}`"])

    monkeypatch.setattr(pvporcupine, "create", refuse)
    with pytest.raises(WakeLicenceError, match=remedy) as caught:
        Porcupine(["porcupine"], access_key=BAD_KEYS[0])
    assert BAD_KEYS[0] not in "".join(traceback.format_exception(caught.value))


def test_porcupine_on_an_unknown_processor_raises_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def unsupported(name: str, *rest: object) -> object:
        if name == "pvporcupine":
            raise RuntimeError("Unsupported CPU.\nprocessor : 0\nBogoMIPS : 108.00")
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", unsupported)
    with pytest.raises(WakeError, match="micro") as caught:
        Porcupine(["porcupine"], access_key="k")
    assert "Unsupported CPU" in str(caught.value)
    assert "BogoMIPS" not in str(caught.value)


@pytest.mark.usefixtures("new_porcupine")
def test_create_auto_falls_back_to_micro_and_logs_why(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    for keyword, why in (("hey_jarvis", "no model for"), ("alexa", "not valid")):
        caplog.clear()
        engine = factory.create(config.WakeConfig(keywords=(keyword,)), "bad-secret-key")
        assert engine.name == "micro"
        assert why in caplog.text
        assert "bad-secret-key" not in caplog.text
        engine.close()


@pytest.mark.usefixtures("new_porcupine")
def test_create_auto_with_unknown_word_raises_porcupines_error() -> None:
    with pytest.raises(WakeLicenceError, match="not valid"):
        factory.create(config.WakeConfig(keywords=("porcupine",)), "bad-secret-key")


def test_create_auto_without_a_key_is_micro() -> None:
    engine = factory.create(config.WakeConfig(), None)
    assert (engine.name, engine.keywords) == ("micro", ("hey_jarvis",))
    engine.close()
