"""The service around the trial of the card, with a stand-in for systemctl that keeps its calls."""

import os
from pathlib import Path

import pytest

from parleyd.setup import service

SYSTEMCTL = """\
#!/bin/bash
echo "$*" >>{calls}
[[ $1 != restart ]]
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    calls, program = tmp_path / "calls", tmp_path / "systemctl"
    program.write_text(SYSTEMCTL.format(calls=calls))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(service, "SYSTEMD", tmp_path)
    return calls


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit, OSError])
def test_service_starts_again_after_any_end(calls: Path, ending: type[BaseException]) -> None:
    with pytest.raises(ending), service.stopped():
        raise ending
    assert calls.read_text().splitlines()[1:] == ["stop parleyd", "start --no-block parleyd"]


def test_interruption_of_the_stop_starts_it_again(
    calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def interrupted(verb: str, *_: str) -> bool:
        asked.append(verb)
        if verb == "stop":
            raise KeyboardInterrupt
        return True

    monkeypatch.setattr(service, "_systemctl", interrupted)
    with pytest.raises(KeyboardInterrupt), service.stopped():
        pass
    assert asked == ["is-active", "stop", "start"]


def test_service_that_does_not_start_is_reported(calls: Path) -> None:
    assert not service.restart()
    assert calls.read_text().splitlines()[-1] == "restart parleyd"
