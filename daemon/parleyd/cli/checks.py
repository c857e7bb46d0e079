"""What `parley doctor` looks at: each check tries the real thing and says what to do about it."""

import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from parleyd import config
from parleyd.cli.findings import Finding, Level
from parleyd.cli.run import state_folder
from parleyd.cli.serverchecks import keys as keys
from parleyd.cli.serverchecks import proxy as proxy
from parleyd.cli.serverchecks import secret as secret
from parleyd.errors import ConfigError, OfflineSpeechError, WakeError
from parleyd.host.priority import ask_for
from parleyd.wake import choose as wake

SYSTEMD = Path("/run/systemd/system")  # exists where systemd is PID 1, sd_booted(3)
CONTROLLERS = Path("/sys/fs/cgroup/cgroup.controllers")  # what the kernel counts for services
LEAST_FREE_MB = 50  # ten kept turns are 110 MB, the journal wants some, the daemon none
ANSWER_S = 10.0  # for systemctl on a Pi that is still booting
UNIT = "parleyd"


def configuration(path: Path | None) -> tuple[config.Config | None, list[Finding]]:
    """The checked configuration, or None and a finding for each problem."""
    try:
        settings = config.load(path)
    except ConfigError as error:
        remedy = f"correct {path}; default.toml explains every key"
        return None, [Finding("configuration", Level.FAIL, p, remedy) for p in error.problems]
    where = str(path) if path else "the defaults, as there is no file"
    return settings, [Finding("configuration", Level.OK, where)]


def wake_word(settings: config.Wake, key: str | None) -> Finding:
    """Load the engine and its words."""
    try:
        engine = wake.create(settings, key)
    except WakeError as error:
        return Finding("wake word", Level.FAIL, str(error), "see README, Wake words")
    engine.close()
    name = type(engine).__name__.lower()
    return Finding("wake word", Level.OK, f"{name} listens for {', '.join(settings.keywords)}")


def offline_speech(*, needed: bool) -> Finding:
    """Say something and recognize it without network."""
    bad = Level.FAIL if needed else Level.WARN
    try:
        from parleyd.local.recognizer import Recognizer
        from parleyd.local.synthesizer import Synthesizer

        Recognizer().recognize(Synthesizer().synthesize("what time is it"))
    except OfflineSpeechError as error:
        return Finding("offline speech", bad, str(error), "sudo apt-get install flite")
    except ImportError as error:
        return Finding("offline speech", bad, f"pocketsphinx: {error}", "run install.sh again")
    use = "is used" if needed else "is not used, there is a key"
    return Finding("offline speech", Level.OK, f"speaks and recognizes; {use}")


def priority(wanted: int) -> Finding:
    """Ask for the real-time priority of the audio thread, on a thread that ends."""
    refusals: list[str] = []
    asking = threading.Thread(target=lambda: refusals.append(ask_for(wanted)))
    asking.start()
    asking.join()
    if refusals == [""]:
        return Finding("priority", Level.OK, f"audio.priority = {wanted} is granted")
    return Finding(
        "priority",
        Level.WARN,
        f"audio.priority = {wanted} is refused here ({refusals[0]}); a busy CPU will be heard",
        f"run it as the service (LimitRTPRIO={wanted}), or set audio.priority = 0",
    )


def state(environ: Mapping[str, str]) -> Iterator[Finding]:
    """The state directory can be written and has room."""
    folder = state_folder(environ)
    place = next(p for p in (folder, *folder.parents) if p.exists())
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        yield Finding(
            "state",
            Level.FAIL,
            f"{place} cannot be written ({error.strerror})",
            f"sudo chown $USER {place}; if the disk is read-only: dmesg, and check the card",
        )
        return
    free_mb = shutil.disk_usage(place).free // 1_000_000
    low = free_mb < LEAST_FREE_MB
    yield Finding(
        "state",
        Level.FAIL if low else Level.OK,
        f"{folder} can be written, {free_mb} MB are free",
        f"free some space, at least {LEAST_FREE_MB} MB" if low else "",
    )


def memory_limit(controllers: Path = CONTROLLERS) -> Finding:
    """Whether the kernel keeps the service to `MemoryMax=`; Raspberry Pi OS does not at first."""
    try:
        counted = "memory" in controllers.read_text("utf-8").split()
    except OSError:
        counted = False
    if counted:
        return Finding("memory limit", Level.OK, "the kernel keeps it")
    return Finding(
        "memory limit",
        Level.WARN,
        "the kernel does not count the memory of services: MemoryMax= has no effect",
        "add cgroup_enable=memory to the line in /boot/firmware/cmdline.txt, and reboot",
    )


def service(booted: Path = SYSTEMD) -> tuple[bool, Finding]:
    """Whether the service runs, and what systemd says of it."""
    if not booted.exists():
        return False, Finding("service", Level.OK, "systemd does not run here")
    names = ("LoadState", "ActiveState", "UnitFileState", "StatusText", "Result")
    try:
        answer = subprocess.run(
            ["systemctl", "show", UNIT, *(f"--property={name}" for name in names)],
            capture_output=True,
            text=True,
            timeout=ANSWER_S,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError) as error:
        text = f"systemctl does not answer ({error})"
        return False, Finding(
            "service", Level.WARN, text, "wait until the machine is up, try again"
        )
    shown = dict(line.split("=", 1) for line in answer.splitlines() if "=" in line)
    return shown.get("ActiveState") == "active", _service(shown)


def _service(shown: Mapping[str, str]) -> Finding:
    status, active = shown.get("StatusText", ""), shown.get("ActiveState", "")
    if shown.get("LoadState") != "loaded":
        text = f"{UNIT} is not installed"
        return Finding("service", Level.WARN, text, "sudo ./install.sh --install")
    result = shown.get("Result", "success")
    if active == "failed" or (active == "activating" and result != "success"):
        text = f"{UNIT} has failed ({result}); {status}".rstrip("; ")
        return Finding("service", Level.FAIL, text, f"journalctl -u {UNIT} -n 50")
    if active != "active":
        text = f"{UNIT} is {active}"
        return Finding("service", Level.WARN, text, f"sudo systemctl enable --now {UNIT}")
    if status.startswith("error"):
        return Finding("service", Level.FAIL, f"{UNIT} runs, {status}", f"journalctl -u {UNIT}")
    if shown.get("UnitFileState") != "enabled":
        text = f"{UNIT} runs, {status}, but does not start at boot"
        return Finding("service", Level.WARN, text, f"sudo systemctl enable {UNIT}")
    return Finding("service", Level.OK, f"{UNIT} runs, {status}")
