"""Recorded turns: both sides aligned, as heard, and no more than the configured number."""

import contextlib
import os
import resource
import stat
import subprocess
from collections.abc import Iterator
from datetime import datetime, tzinfo
from pathlib import Path

import numpy as np
import pytest

import parleyd.app.turn_recorder
from parleyd import wav
from parleyd.app.turn_recorder import TurnRecorder
from parleyd.core.events import MicPeriod, TickResult
from parleyd.units import MIC_PERIOD_FRAMES, SILENCE, Frames

LEAD = 4 * MIC_PERIOD_FRAMES


def frames(value: int, count: int = MIC_PERIOD_FRAMES) -> Frames:
    return np.full(count, value, np.int16)


def test_recording_has_played_but_no_dropped_audio(tmp_path: Path) -> None:
    recorder = TurnRecorder(tmp_path / "turns", keep=5, rate_hz=16_000)
    recorder.observe(MicPeriod(frames(1), 0), TickResult(False, frames(100, LEAD), ()))
    recorder.observe(MicPeriod(frames(2), LEAD - 160), TickResult(False, frames(101), ()))
    recorder.observe(MicPeriod(frames(3), LEAD - 160), TickResult(True, frames(0, LEAD), ()))
    recorder.observe(MicPeriod(None, LEAD - 160), TickResult(False, SILENCE, ()))
    kept = wav.read(recorder.save(), 16_000)
    assert kept.loudspeaker.tolist() == [100] * 320 + [0] * 160
    assert kept.microphone[:480].tolist() == [1] * 160 + [2] * 160 + [3] * 160


def test_only_the_newest_recordings_are_kept(tmp_path: Path) -> None:
    recorder = TurnRecorder(tmp_path, keep=2, rate_hz=16_000)
    (tmp_path / "mine.wav").write_bytes(b"not ours")
    paths = []
    for value in range(5):
        recorder.observe(MicPeriod(frames(value), 0), TickResult(False, SILENCE, ()))
        paths.append(recorder.save())
    assert sorted(tmp_path.glob("turn-*")) == paths[-2:]
    assert (tmp_path / "mine.wav").exists()


def turn(recorder: TurnRecorder, periods: int = 10) -> Path:
    for _ in range(periods):
        recorder.observe(MicPeriod(frames(1), 0), TickResult(False, frames(2), ()))
    return recorder.save()


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Limit the size of files, like a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("room", [0, 1, 44, 100, 3000])
def test_recording_without_room_leaves_nothing(tmp_path: Path, room: int) -> None:
    recorder = TurnRecorder(tmp_path, keep=3, rate_hz=16_000)
    for _ in range(4):
        with largest_file(room), pytest.raises(OSError, match="large"):
            turn(recorder)
    assert list(tmp_path.iterdir()) == []
    path = turn(recorder)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_older_recordings_make_room_on_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)])
    if mounted.returncode:
        pytest.skip("this machine does not allow mounts")
    try:
        recorder = TurnRecorder(disk / "turns", keep=10, rate_hz=16_000)
        paths = [turn(recorder, 120) for _ in range(12)]  # 77 kB each
        kept = sorted((disk / "turns").iterdir())
        assert kept == paths[-len(kept) :]
        assert [len(wav.read(path, 16_000).microphone) for path in kept] == [19_200] * len(kept)
        assert 2 <= len(kept) <= 3
        with contextlib.suppress(OSError), (disk / "other").open("wb") as other:
            while other.write(bytes(4096)):
                other.flush()
        assert turn(recorder, 120).stat().st_size > 76_000  # replaces an older one
        assert all(path.stat().st_size > 76_000 for path in (disk / "turns").iterdir())
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_oldest_recording_is_deleted_before_the_new_one(tmp_path: Path) -> None:
    recorder = TurnRecorder(tmp_path, keep=2, rate_hz=16_000)
    first, second = turn(recorder), turn(recorder)
    with largest_file(50), pytest.raises(OSError, match="large"):
        turn(recorder)
    assert list(tmp_path.iterdir()) == [second]
    assert not first.exists()


def test_clock_set_back_does_not_delete_the_newest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Clock":
            return cls(next(years), 1, 1)

    years = iter([2030, 1970, 1971, 1972])
    monkeypatch.setattr(parleyd.app.turn_recorder, "datetime", Clock)
    recorder = TurnRecorder(tmp_path, keep=2, rate_hz=16_000)
    paths = [turn(recorder) for _ in range(4)]
    assert set(tmp_path.iterdir()) == set(paths[-2:])


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_recordings_are_private_with_any_umask(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "turns"
    folder.mkdir(0o755)
    old = folder / "turn-20200101-000000-000000.wav"
    old.write_bytes(b"of an earlier version")
    before = os.umask(umask)
    try:
        path = turn(TurnRecorder(folder, keep=5, rate_hz=16_000))
    finally:
        os.umask(before)
    assert [stat.S_IMODE(place.stat().st_mode) for place in (folder, old, path)] == [
        0o700, 0o600, 0o600,
    ]  # fmt: skip


@pytest.mark.parametrize("place", ["folder", "pipe", "dangling"])
def test_foreign_object_among_the_recordings_is_harmless(tmp_path: Path, place: str) -> None:
    odd = tmp_path / "turn-20200101-000000-000000.wav"
    match place:
        case "folder":
            (odd / "x").mkdir(parents=True)
        case "pipe":
            os.mkfifo(odd)
        case "dangling":
            odd.symlink_to("nothing")
    recorder = TurnRecorder(tmp_path, keep=1, rate_hz=16_000)
    turn(recorder)
    last = turn(recorder)
    assert [path for path in tmp_path.iterdir() if path != odd] == [last]


def test_partial_recording_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    (tmp_path / f".turn-20270115-070000-000000.wav.{dead.pid}-1.new").write_bytes(b"RIFF")
    path = turn(TurnRecorder(tmp_path, keep=2, rate_hz=16_000))
    assert list(tmp_path.iterdir()) == [path]
