"""The whole `parley doctor` ends in time, whatever hangs: server, broker, systemctl, a skill."""

import os
import shutil
import tempfile
import time
from functools import partial
from pathlib import Path

import pytest

from parleyd.diagnostics import checks, clock_checks, examination, service_keys
from parleyd.diagnostics.asking import answer
from parleyd.diagnostics.examination import examine
from parleyd.diagnostics.findings import Severity
from tests.diagnostics.trial_server import beside
from tests.realtime.rude_network import Raw

pytestmark = pytest.mark.slow
WITHIN_S = 0.7
CONFIG = """\
[audio]
capture = "null"
playback = "null"
[wake]
keywords = ["{folder}/slow.json"]
[realtime]
server = "compatible"
url = "ws://127.0.0.1:{port}/v1"
model = "m"
[mqtt]
host = "127.0.0.1"
port = {port}
[skills]
folder = "{skills}"
"""


def test_doctor_ends_when_everything_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("systemctl", "timedatectl", "journalctl"):
        (tmp_path / name).write_text("#!/bin/sh\ntrap '' TERM\nsleep 1000 &\nsleep 1000\n")
        (tmp_path / name).chmod(0o755)
    skills = Path(tempfile.mkdtemp(prefix="parley-skills-"))
    skills.chmod(0o755)  # root loads them as another user
    (skills / "hangs.py").write_text("while True: pass\n")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(checks, "SYSTEMD", tmp_path)
    monkeypatch.setattr(checks, "service", partial(checks.service, tmp_path))
    monkeypatch.setattr(examination, "INSTALLED_CONFIG", tmp_path / "parley.toml")
    for module in (checks, clock_checks, service_keys):
        monkeypatch.setattr(module, "answer", partial(answer, allowed_s=WITHIN_S / 2))
    limits = [name for name in vars(examination) if name.endswith("_S")]
    assert len(limits) == 12
    for name in limits:
        monkeypatch.setattr(examination, name, WITHIN_S)
    monkeypatch.setattr(checks, "skills", lambda *rest: [])
    monkeypatch.setattr(checks, "keys", lambda *rest: time.sleep(1000))
    with beside(Raw(hangs=True).running) as hole:
        text = CONFIG.format(folder=tmp_path, skills=skills, port=hole.port)
        (tmp_path / "parley.toml").write_text(text)
        began = time.monotonic()
        found = list(examine(tmp_path / "parley.toml", {"STATE_DIRECTORY": str(tmp_path)}))
        took_s = time.monotonic() - began
    shutil.rmtree(skills)
    late = {f.check for f in found if f.text == f"the check does not end within {WITHIN_S:g} s"}
    assert {"key", "server", "skills"} <= late
    (service,) = [finding for finding in found if finding.check == "service"]
    assert "systemctl does not answer within" in service.text
    assert all(finding.remedy for finding in found if finding.level is not Severity.OK)
    assert took_s < (len(limits) + 6) * WITHIN_S + 10  # far from the 1000 s of the sleeps
