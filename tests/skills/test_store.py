"""The skills' state file: read field by field, written as a whole, by one or many writers."""

import json
import os
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from parleyd.skills.alarms import Alarm
from parleyd.skills.store import LONGEST_FILE, MUTE_UNKNOWN, Kept, SavedVolume, Store

MOST_KEPT = 64

TEA: dict[str, Any] = {"id": 1, "name": "tea", "due": 1_800_000_060.0, "timer": True}
UP: dict[str, Any] = {
    "id": 2, "name": "up", "due": 1_800_003_600.0, "timer": False, "local": "2027-01-15T09:00",
}  # fmt: skip
GOOD: dict[str, Any] = {
    "alarms": [TEA, UP],
    "muted_until": 1_800_000_300.0,
    "loudness": {"percent": 40, "configured": 70},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "skills.json"


def kept(path: Path, content: object) -> Kept:
    path.write_text(json.dumps(content))
    return Store(path).kept


def names(found: Kept) -> list[str]:
    return [alarm.name for alarm in found.alarms]


def test_good_file_is_read_as_it_is(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = kept(path, GOOD)
    assert names(found) == ["tea", "up"]
    assert found.muted_until == 1_800_000_300.0
    assert found.loudness == SavedVolume(percent=40, configured=70)
    assert caplog.text == ""
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("value", ["x", -5, 101, {"percent": 40}, [1], 40, True])
def test_bad_volume_loses_only_the_volume(path: Path, value: object) -> None:
    found = kept(path, {**GOOD, "loudness": value})
    assert found.loudness is None
    assert names(found) == ["tea", "up"]
    assert found.muted_until == 1_800_000_300.0


@pytest.mark.parametrize("value", ["soon", None, [], -2.0, 1e12, 1e308, True, {"a": 1}])
def test_bad_mute_time_mutes_and_loses_nothing_else(
    path: Path, value: object, caplog: pytest.LogCaptureFixture
) -> None:
    found = kept(path, {**GOOD, "muted_until": value})
    assert found.muted_until == MUTE_UNKNOWN
    assert names(found) == ["tea", "up"]
    assert found.loudness == SavedVolume(percent=40, configured=70)
    assert "it stays closed" in caplog.text
    assert Store(path).kept == found  # and at the next start


@pytest.mark.parametrize(
    "entry",
    [7, "x", None, [], {}, {"id": 9, "name": "x", "timer": True}, {**TEA, "due": 1e99},
     {**TEA, "due": "soon"}, {**TEA, "due": None}],
)  # fmt: skip
def test_bad_alarm_loses_only_that_alarm(
    path: Path, entry: object, caplog: pytest.LogCaptureFixture
) -> None:
    found = kept(path, {**GOOD, "alarms": [TEA, entry, UP]})
    assert names(found) == ["tea", "up"]
    assert found.muted_until == 1_800_000_300.0
    assert "timers are lost: entry 2" in caplog.text
    assert json.loads((path.parent / "skills.broken").read_text())["alarms"][1] == entry


@pytest.mark.parametrize(
    ("field", "value"),
    [("id", "x"), ("name", 5), ("timer", "no"), ("due", "x"), ("local", 7), ("fold", 2),
     ("seconds", -1), ("boot", None), ("missed", "no"), ("set_wall", "x"), ("any_day", 3)],
)  # fmt: skip
def test_bad_field_of_an_alarm_loses_only_that_field(path: Path, field: str, value: object) -> None:
    _, found = kept(path, {**GOOD, "alarms": [TEA, {**UP, field: value}]}).alarms
    good = Alarm(**UP)
    same = [name for name in Alarm.__struct_fields__ if name not in (field, "due")]
    assert [getattr(found, name) for name in same] == [getattr(good, name) for name in same]
    assert found.due > 1_799_900_000  # derived from its local hour if necessary


@pytest.mark.parametrize("date", ["x", "9999-12-31T23:59", "2027-01-15T09:00+02:00", "0001-01-01"])
def test_store_bad_date_of_an_alarm_is_logged(
    path: Path, caplog: pytest.LogCaptureFixture, date: str
) -> None:
    (alarm,) = kept(path, {"alarms": [{**UP, "local": date}], "muted_until": 0.0}).alarms
    assert alarm.due == 1_800_003_600.0
    assert "local of timer 1 is lost" in caplog.text


@pytest.mark.parametrize("content", ["", "{", "[]", "5", '"x"', "null", '{"alarms": [', "\0" * 50])
def test_unreadable_file_mutes_and_is_put_aside(path: Path, content: str) -> None:
    path.write_text(content)
    assert Store(path).kept == Kept(muted_until=MUTE_UNKNOWN)
    assert path.with_suffix(".broken").read_text() == content
    assert Store(path).kept.muted_until == MUTE_UNKNOWN


def test_no_file_and_an_empty_object_are_a_first_start(path: Path) -> None:
    assert Store(path).kept == Kept()
    assert kept(path, {}) == Kept()


@pytest.mark.parametrize("name", ["muted_for_s", "muted_boot", "muted_ends_s"])
def test_store_mute_time_lost_beside_its_fields_mutes(path: Path, name: str) -> None:
    beside = {"muted_for_s": 3600.0, "muted_boot": "b", "muted_ends_s": 9000.0}[name]
    assert kept(path, {"alarms": [TEA], name: beside}).muted_until == MUTE_UNKNOWN
    assert names(Store(path).kept) == ["tea"]


def test_missing_mute_time_in_a_damaged_file_mutes(path: Path) -> None:
    assert kept(path, {"alarms": [TEA]}).muted_until == 0.0
    assert kept(path, {"alarms": [TEA, 5]}).muted_until == MUTE_UNKNOWN


def test_fields_of_a_newer_version_are_kept(path: Path) -> None:
    newer = {"moods": [{"a": None}, 1.5], "alarms": [{**TEA, "snooze": 3}]}
    path.write_text(json.dumps({**GOOD, **newer}))
    store = Store(path)
    store.keep(muted_until=0.0)
    written = json.loads(path.read_text())
    assert written["moods"] == newer["moods"]
    assert written["muted_until"] == 0.0
    assert names(Store(path).kept) == ["tea"]


def test_newer_fields_that_leave_no_room_are_dropped(path: Path) -> None:
    path.write_text(json.dumps({**GOOD, "new": "x" * (LONGEST_FILE - 400)}))
    store = Store(path)
    store.keep(alarms=tuple(Alarm(**{**TEA, "id": n}) for n in range(1, 17)))
    assert path.stat().st_size < LONGEST_FILE
    assert len(Store(path).kept.alarms) == 16


def test_file_with_many_faults_logs_a_few_lines(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bad = {**{name: [] for name in Alarm.__struct_fields__}, "due": 1.0}
    found = kept(path, {**GOOD, "alarms": [bad] * 500})
    assert len(found.alarms) == MOST_KEPT
    assert len(caplog.records) <= 13


@pytest.mark.parametrize("place", ["folder", "full folder", "pipe", "loop", "dangling", "huge"])
def test_anything_but_a_file_is_put_aside(path: Path, place: str) -> None:
    match place:
        case "folder" | "full folder":
            path.mkdir()
            if place == "full folder":
                (path / "x").write_text("x")
                path.with_suffix(".broken").mkdir()
                (path.with_suffix(".broken") / "y").write_text("y")
        case "pipe":
            os.mkfifo(path)
        case "loop":
            path.symlink_to(path)
        case "dangling":
            path.symlink_to(path.with_name("gone"))
        case "huge":
            with path.open("wb") as file:
                file.truncate(1 << 40)
    store = Store(path)
    assert store.kept == Kept(muted_until=MUTE_UNKNOWN)
    store.keep(muted_until=5.0)
    assert Store(path).kept.muted_until == 5.0
    assert path.is_file()
    assert not path.is_symlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run the check as another user")
def test_file_without_read_permission_mutes(path: Path) -> None:
    path.write_text(json.dumps(GOOD))
    path.chmod(0)
    path.parent.chmod(0o555)
    for folder in path.parents[:3]:
        folder.chmod(folder.stat().st_mode | 0o055)
    code = (
        "import os, sys; from pathlib import Path; from parleyd.skills.store import Store;"
        "os.setuid(65534); print(Store(Path(sys.argv[1])).kept.muted_until)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "-1.0"
    assert path.exists()


def test_file_that_cannot_be_repaired_stays_damaged(path: Path) -> None:
    """Otherwise the next start finds no file, and opens the microphone."""
    path.write_text("{")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        assert Store(path).kept.muted_until == MUTE_UNKNOWN
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_text() == "{"


def test_folder_that_cannot_be_replaced_stays(path: Path) -> None:
    path.mkdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))
    try:
        assert Store(path).kept.muted_until == MUTE_UNKNOWN
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.is_dir()
    assert Store(path).kept.muted_until == MUTE_UNKNOWN


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_state_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "new" / "parley" / "skills.json"
    before = os.umask(umask)
    try:
        Store(path).keep(muted_until=7.0)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700
    assert Store(path).kept.muted_until == 7.0


def test_concurrent_threads_lose_no_change(path: Path) -> None:
    store = Store(path)

    def write(field: str, values: list[Any]) -> None:
        for value in values:
            store.keep(**{field: value})

    alarms = [tuple(Alarm(**{**TEA, "id": n}) for n in range(1, k % 5 + 2)) for k in range(60)]
    loud = [SavedVolume(percent=k, configured=70) for k in range(60)]
    jobs = {"alarms": alarms, "muted_until": [float(k) for k in range(60)], "loudness": loud}
    threads = [threading.Thread(target=write, args=job) for job in jobs.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Store(path).kept == Kept(alarms=alarms[-1], muted_until=59.0, loudness=loud[-1])
    assert list(path.parent.iterdir()) == [path]


WRITER = """
import sys
from pathlib import Path
from parleyd.skills.store import Store
store = Store(Path(sys.argv[1]))
for n in range(int(sys.argv[2])):
    store.keep(muted_until=float(n))
print("done")
"""


@pytest.mark.slow
def test_two_processes_never_share_a_draft(path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), "300"], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    assert [writer.communicate()[0] for writer in writers] == ["done\n", "done\n"]
    assert Store(path).kept.muted_until == 299.0
    assert list(path.parent.iterdir()) == [path]


def test_draft_of_a_killed_process_is_removed(path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    (path.parent / f".skills.json.{dead.pid}-3.new").write_text("{")
    (path.parent / f".skills.json.{os.getppid()}-3.new").write_text("of a live process")
    (path.parent / ".profile.new").write_text("not ours")
    Store(path)
    left = sorted(file.name for file in path.parent.iterdir())
    assert left == sorted([f".skills.json.{os.getppid()}-3.new", ".profile.new"])
