"""The clock's line of `parley doctor`, and its remedies on a device whose clock is really wrong."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from parleyd.diagnostics import clock_checks
from parleyd.diagnostics.clock_checks import ClockState, clock
from parleyd.diagnostics.findings import Severity
from tests.diagnostics.trial_server import KEY, Authority, TrialServer, beside

NOW = 1_800_000_000.0
LONDON = Path("/usr/share/zoneinfo/Europe/London")
NTP = ClockState(follows=True, possible=True, synchronized=True)
NTP_OFF = ClockState(follows=False, possible=True, synchronized=False)
NTP_WAITS = ClockState(follows=True, possible=True, synchronized=False)
NO_NTP = ClockState(follows=False, possible=False, synchronized=False)


@pytest.fixture
def localtime(tmp_path: Path) -> Path:
    path = tmp_path / "localtime"
    path.symlink_to(LONDON)
    return path


@pytest.mark.parametrize(
    ("off_s", "now", "known", "level", "remedy"),
    [
        (0, NOW, NTP, Severity.OK, ""),
        (29, NOW, NTP, Severity.OK, ""),
        (31, NOW, NTP_OFF, Severity.WARN, "sudo timedatectl set-ntp true"),
        (-700, NOW, NTP_OFF, Severity.FAIL, "sudo timedatectl set-ntp true"),
        (700, NOW, NTP_WAITS, Severity.FAIL, "sudo systemctl restart systemd-timesyncd"),
        (700, NOW, NO_NTP, Severity.FAIL, "sudo date -u -s '2027-01-15 07:48:20'"),
        (700, NOW, NTP, Severity.FAIL, "sudo date -u -s '2027-01-15 07:48:20'"),
        (None, NOW, NTP, Severity.OK, ""),
        (None, NOW, NTP_WAITS, Severity.WARN, "sudo systemctl restart systemd-timesyncd"),
        (None, NOW, NTP_OFF, Severity.WARN, "sudo timedatectl set-ntp true"),
        (0, NOW, NTP_OFF, Severity.WARN, "sudo timedatectl set-ntp true"),
        (None, NOW, ClockState(), Severity.WARN, "compare it with a watch"),
        (None, 0.0, NTP_OFF, Severity.FAIL, "sudo timedatectl set-ntp true"),
        (None, 1.6e9, NTP, Severity.FAIL, "sudo systemctl restart systemd-timesyncd"),
    ],
)
def test_clock_by_date_and_state(
    off_s: float | None,
    now: float,
    known: ClockState,
    level: Severity,
    remedy: str,
    localtime: Path,
) -> None:
    (found,) = clock(None if off_s is None else now - off_s, now, known, localtime)
    assert found.level is level, found
    assert found.remedy.startswith(remedy)
    assert bool(found.remedy) is bool(remedy)


@pytest.mark.parametrize(
    ("zone", "words"),
    [("Etc/UTC", "is Etc/UTC"), ("UTC", "is UTC"), (None, "is not set"), ("Asia/Tokyo", "")],
)
def test_time_zone_utc_or_none_is_a_warning(zone: str | None, words: str, tmp_path: Path) -> None:
    path = tmp_path / "localtime"
    if zone:
        path.symlink_to(f"/usr/share/zoneinfo/{zone}")
    _, *zones = clock(NOW, NOW, NTP, path)
    assert bool(zones) is bool(words)
    for found in zones:
        assert found.level is Severity.WARN
        assert words in found.text
        assert found.remedy.startswith("sudo timedatectl set-timezone ")


TIMEDATECTL = """#!/bin/bash
# a system whose clock and facts are files
cd "$(dirname "$0")"
case $1 in
  show) cat facts ;;
  set-ntp) sed -i 's/=no/=yes/' facts; echo +0 >clock ;;
  set-timezone) ln -sf "/usr/share/zoneinfo/$2" localtime ;;
  *) exit 1 ;;
esac
"""
DATE = """#!/bin/bash
cd "$(dirname "$0")"
[[ $1 == -u && $2 == -s ]] || exit 1
printf '%+d\\n' "$(($(/bin/date -u -d "$3" +%s) - $(/bin/date +%s)))" >clock
"""
SYSTEMCTL = """#!/bin/bash
cd "$(dirname "$0")"
[[ "$*" == "restart systemd-timesyncd" ]] || exit 1
sed -i 's/=no/=yes/' facts; echo +0 >clock
"""
SUDO = '#!/bin/sh\nexec "$@"\n'
STUBS = {"timedatectl": TIMEDATECTL, "date": DATE, "systemctl": SYSTEMCTL, "sudo": SUDO}
FAKETIME = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)


@pytest.mark.skipif(FAKETIME is None, reason="needs libfaketime: apt install faketime")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
@pytest.mark.slow
@pytest.mark.parametrize("facts", ["NTP=no\nCanNTP=yes", "NTP=no\nCanNTP=no"])
def test_wrong_clock_is_set_by_the_remedy(facts: str, tmp_path: Path) -> None:
    """In 2021 the certificate is not valid yet: server and clock name the clock as the cause."""
    for name, text in STUBS.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "facts").write_text(f"{facts}\nNTPSynchronized=no\n")
    (tmp_path / "clock").write_text("@2021-05-01 12:00:00\n")
    authority = Authority(tmp_path)
    config = tmp_path / "parley.toml"

    def doctor() -> dict[str, tuple[str, str, str]]:
        ran = subprocess.run(
            [sys.executable, "-c", TRIED, str(config)],
            env={
                **{k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
                "PATH": f"{tmp_path}:{os.environ['PATH']}",
                "LD_PRELOAD": str(FAKETIME),
                "FAKETIME_TIMESTAMP_FILE": str(tmp_path / "clock"),
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                "SSL_CERT_FILE": str(authority.certificate),
                "REALTIME_API_KEY": KEY,
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ran.returncode == 0, ran.stderr
        return {check: (level, text, do) for check, level, text, do in json.loads(ran.stdout)}

    with beside(TrialServer(certificate=authority.signed("localhost")).running) as server:
        config.write_text(f'[realtime]\nserver = "compatible"\nurl = "{server.url}"\nmodel = "m"\n')
        before = doctor()
        assert before["server"][0] == before["clock"][0] == "fail"
        assert "because this device's clock is" in before["server"][1]
        assert before["server"][2] == before["clock"][2]
        environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        subprocess.run(["bash", "-ec", before["clock"][2]], env=environ, check=True)
        after = doctor()
    assert (after["server"][0], after["clock"][0]) == (
        "ok",
        "warn" if "CanNTP=no" in facts else "ok",
    )


TRIED = """
import json, os, select, sys, time
time.sleep = lambda s: select.select([], [], [], s)  # libfaketime breaks clock_nanosleep
from pathlib import Path
from parleyd import config
from parleyd.diagnostics import clock_checks, server_trial_checks
from parleyd.diagnostics.server_checks import ShellKeys
place = Path(sys.argv[1])
keys = ShellKeys(os.environ)
found = server_trial_checks.server(config.load(place), os.environ, keys, place)
first = {}
for f in found:
    first.setdefault(f.check, [f.check, f.level, f.text, f.remedy])
print(json.dumps(list(first.values())))
"""


def test_thresholds_are_the_documented_ones() -> None:
    assert (clock_checks.LATE_S, clock_checks.WRONG_S) == (30.0, 600.0)
