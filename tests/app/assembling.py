"""A daemon's parts without its process, signals and service manager."""

from pathlib import Path

import pytest

from parleyd.app.assembly import ProcessState
from parleyd.app.control_desk import ControlDesk
from parleyd.app.service_status import ServiceStatus
from parleyd.control.place import Place
from parleyd.host.systemd import Notifier
from parleyd.skills.store import Store


def process_state(folder: Path) -> ProcessState:
    """As at the start of a daemon; a failure of the audio thread fails the test."""
    notifier = Notifier({})
    status = ServiceStatus(notifier)
    return ProcessState(
        notifier,
        status,
        Store(folder / "skills.json"),
        on_failure=lambda error: pytest.fail(str(error)),
        desk=ControlDesk(Place(folder / "control", shared=False), status),
    )
