"""Measurements over the control socket: busy daemons, refusals, and daemons that end."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from parleyd.control.client import ControlClient
from parleyd.control.replies import AnyReply, Code, ErrorReply, MeasuredReply
from parleyd.control.requests import ActRequest, MeasureRequest
from parleyd.control.server import ControlServer
from parleyd.diagnostics import measuring_by_daemon
from parleyd.diagnostics.measuring_by_daemon import DaemonMeasurer
from parleyd.errors import ControlError
from tests.calibration.calibrating_rig import measured
from tests.control.socket_rig import serving


class MeasuringDaemon:
    """Refuses as often as it is told, then measures what the simulation has measured."""

    def __init__(self) -> None:
        self.refusals: list[Code] = []
        self.asked: list[MeasureRequest] = []

    async def answer(self, request: ActRequest) -> AnyReply:
        assert isinstance(request, MeasureRequest)
        self.asked.append(request)
        if self.refusals:
            return ErrorReply(id=request.id, code=self.refusals.pop(0), message="not now")
        healthy = measured("healthy")
        if request.what == "silence":
            return MeasuredReply(id=request.id, silence=healthy.silence)
        return MeasuredReply(id=request.id, sweeps=healthy.sweeps)


@pytest.fixture
def daemon() -> MeasuringDaemon:
    return MeasuringDaemon()


@pytest.fixture
def server(
    daemon: MeasuringDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ControlServer]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(measuring_by_daemon, "AGAIN_S", 0.0)
    folder = tmp_path / "parley"
    folder.mkdir()
    with serving(folder, answer=daemon.answer) as (server, _):
        yield server


def test_figures_come_over_the_socket_unchanged(
    server: ControlServer, daemon: MeasuringDaemon
) -> None:
    with ControlClient() as client:
        measurer = DaemonMeasurer(client, lambda part: None)
        assert measurer.silence() == measured("healthy").silence
        assert measurer.sweeps((40, 80)) == measured("healthy").sweeps
    assert daemon.asked[1].volumes == (40, 80)


def test_busy_daemon_is_asked_again(server: ControlServer, daemon: MeasuringDaemon) -> None:
    daemon.refusals = [Code.BUSY, Code.BUSY]
    said: list[str] = []
    with ControlClient() as client:
        DaemonMeasurer(client, lambda part: None, said.append, urgent=True).silence()
    assert [request.urgent for request in daemon.asked] == [True] * 3
    assert said == ["Waiting: not now"]


def test_daemon_that_stays_busy_is_an_error(
    server: ControlServer, daemon: MeasuringDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring_by_daemon, "FREE_WITHIN_S", 0.0)
    daemon.refusals = [Code.BUSY]
    with ControlClient() as client, pytest.raises(ControlError, match="not now") as refused:
        DaemonMeasurer(client, lambda part: None).silence()
    assert refused.value.exit_code == 5


@pytest.mark.parametrize("code", [Code.MUTED, Code.NO_CARD, Code.STOPPED])
def test_refusal_ends_the_measurement(
    server: ControlServer, daemon: MeasuringDaemon, code: Code
) -> None:
    daemon.refusals = [code]
    with ControlClient() as client, pytest.raises(ControlError) as refused:
        DaemonMeasurer(client, lambda part: None).silence()
    assert refused.value.code == code
    assert len(daemon.asked) == 1


def test_daemon_that_ends_is_an_error(server: ControlServer) -> None:
    with ControlClient() as client:
        server.close()
        with pytest.raises(ControlError) as gone:
            DaemonMeasurer(client, lambda part: None).silence()
    assert gone.value.exit_code == 6


def test_reply_without_the_figures_is_of_another_version(
    server: ControlServer, daemon: MeasuringDaemon
) -> None:
    with ControlClient() as client, pytest.raises(ControlError, match="another version"):
        DaemonMeasurer(client, lambda part: None).word()
