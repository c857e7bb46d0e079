"""The checks of `parley doctor`: each one tries the real device and names a remedy."""

import stat
import threading
from collections.abc import Mapping
from pathlib import Path

from parleyd import config
from parleyd.diagnostics import remedies
from parleyd.diagnostics.asking import NoAnswer, answer
from parleyd.diagnostics.findings import Finding, Severity
from parleyd.diagnostics.local_mcp_checks import local_mcp as local_mcp
from parleyd.diagnostics.mqtt_checks import mqtt as mqtt
from parleyd.diagnostics.page_checks import page as page
from parleyd.diagnostics.server_checks import WAKE_KEY as WAKE_KEY
from parleyd.diagnostics.server_checks import keys as keys
from parleyd.diagnostics.server_checks import proxy as proxy
from parleyd.diagnostics.server_checks import secret as secret
from parleyd.diagnostics.server_checks import with_keys as with_keys
from parleyd.diagnostics.skill_checks import skills as skills
from parleyd.diagnostics.state_checks import state as state
from parleyd.errors import ConfigError, OfflineSpeechError, WakeError
from parleyd.host.scheduling import ask_for
from parleyd.system import atomic_file, paths
from parleyd.wake import factory as wake

SYSTEMD = Path("/run/systemd/system")  # exists if systemd is PID 1, sd_booted(3)
CONTROLLERS = Path("/sys/fs/cgroup/cgroup.controllers")  # the kernel's controllers for services
CMDLINES = (Path("/boot/firmware/cmdline.txt"), Path("/boot/cmdline.txt"))
GRANTED = 20  # LimitRTPRIO= of the unit
UNIT = "parleyd"
INSTALLED = paths.INSTALLED_CONFIG
HIDDEN: tuple[str, ...] = (
    "/home",
    "/root",
    "/run/user",
    "/tmp",
    "/var/tmp",
)  # ProtectHome=, PrivateTmp=


def configuration(path: Path | None) -> tuple[config.Config | None, list[Finding]]:
    """Return the checked configuration, or None and a finding for each problem."""
    try:
        settings = config.load(path)
    except ConfigError as error:
        remedy = _readable(path) or f"correct {path}; default.toml explains every key"
        return None, [Finding("configuration", Severity.FAIL, p, remedy) for p in error.problems]
    if path == INSTALLED and (hidden := _hidden(path)):
        return settings, [hidden]
    where = str(path) if path else "the defaults, because no file exists"
    return settings, [Finding("configuration", Severity.OK, where)]


def _hidden(path: Path) -> Finding | None:
    """The finding about a file that this user can read, and the user of the service cannot."""
    real = path.resolve()
    if any(real.is_relative_to(place) for place in HIDDEN):
        text = f"{path} leads to {real}, which the sandbox of the service hides"
        link, target = remedies.quoted(path), remedies.quoted(real)
        remedy = f"sudo cp --remove-destination {target} {link} && sudo chmod 644 {link}"
        return Finding("configuration", Severity.FAIL, text, remedy)
    if not real.stat().st_mode & stat.S_IROTH:
        text = f"{path} is not readable for the user of the service"
        return Finding(
            "configuration", Severity.FAIL, text, f"sudo chmod 644 {remedies.quoted(real)}"
        )
    for folder in real.parents:
        if not folder.stat().st_mode & stat.S_IXOTH:
            text = f"{folder} is closed for the user of the service"
            remedy = f"sudo chmod o+x {remedies.quoted(folder)}"
            return Finding("configuration", Severity.FAIL, text, remedy)
    return None


def _readable(path: Path | None) -> str:
    """Return the remedy for a file that cannot be read; "" for a readable one."""
    if path is None:
        return ""
    try:
        with atomic_file.opened(path):  # does not block on a pipe
            return ""
    except FileNotFoundError:
        return remedies.install("--install") if path == INSTALLED else "name a file that exists"
    except PermissionError:
        # the file contains no secrets, and the service must read it too
        return remedies.chmod("644", path) if path == INSTALLED else "run this as its owner"
    except OSError:
        return "name a file"


def wake_word(settings: config.WakeConfig, key: str | None) -> Finding:
    """Check that the engine loads with its words."""
    try:
        engine = wake.create(settings, key)
    except WakeError as error:
        return Finding("wake word", Severity.FAIL, str(error), "see daemon/docs/wake-words.md")
    engine.close()
    name = type(engine).__name__.lower()
    return Finding("wake word", Severity.OK, f"{name} listens for {', '.join(settings.keywords)}")


def offline_speech(*, needed: bool) -> Finding:
    """Check that flite speaks and pocketsphinx recognizes it, without a network."""
    bad = Severity.FAIL if needed else Severity.WARN
    recognition = remedies.pip_install("pocketsphinx")
    try:
        from parleyd.embedded.recognizer import Recognizer
        from parleyd.embedded.synthesizer import Synthesizer

        speech = Synthesizer().synthesize("what time is it")
    except OfflineSpeechError as error:
        return Finding("offline speech", bad, str(error), "sudo apt-get install -y flite")
    except ImportError as error:
        return Finding("offline speech", bad, f"pocketsphinx: {error}", recognition)
    try:
        Recognizer().recognize(speech)
    except OfflineSpeechError as error:
        return Finding("offline speech", bad, str(error), recognition)
    use = "is used" if needed else "is not used, because a key is present"
    return Finding("offline speech", Severity.OK, f"speaks and recognises; {use}")


def priority(wanted: int) -> Finding:
    """Request the audio thread's real-time priority on a short-lived thread."""
    refusals: list[str] = []
    asking = threading.Thread(target=lambda: refusals.append(ask_for(wanted)))
    asking.start()
    asking.join()
    if refusals == [""]:
        return Finding("priority", Severity.OK, f"audio.priority = {wanted} is granted")
    return Finding(
        "priority",
        Severity.WARN,
        f"audio.priority = {wanted} is refused ({refusals[0]}); a busy CPU causes xruns",
        f"run Parley as the service, which may use {GRANTED}, or set audio.priority = 0"
        if wanted <= GRANTED
        else f"set audio.priority = {GRANTED}, the service's maximum, or less",
    )


def memory_limit(controllers: Path = CONTROLLERS) -> Finding:
    """Check that the kernel enforces `MemoryMax=`; Raspberry Pi OS does not by default."""
    try:
        counted = "memory" in controllers.read_text("utf-8").split()
    except OSError:
        counted = False
    if counted:
        return Finding("memory limit", Severity.OK, "the kernel enforces it")
    place = next((path for path in CMDLINES if path.exists()), CMDLINES[0])
    return Finding(
        "memory limit",
        Severity.WARN,
        "the kernel does not count the memory of services: MemoryMax= has no effect",
        f"add cgroup_enable=memory to the line in {place}, and reboot",
    )


def service(booted: Path = SYSTEMD) -> tuple[bool, Finding]:
    """Return whether the service runs, and the state that systemd reports."""
    if not booted.exists():
        return False, Finding("service", Severity.OK, "systemd does not run here")
    names = ("LoadState", "ActiveState", "UnitFileState", "StatusText", "Result")
    try:
        told = answer(["systemctl", "show", UNIT, *(f"--property={name}" for name in names)])
    except NoAnswer as error:
        remedy = "wait until the machine is up, then try again"
        return False, Finding("service", Severity.WARN, str(error), remedy)
    shown = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    return shown.get("ActiveState") == "active", _service(shown)


def _service(shown: Mapping[str, str]) -> Finding:
    status, active = shown.get("StatusText", ""), shown.get("ActiveState", "")
    loaded = shown.get("LoadState")
    if loaded == "masked":
        text = f"{UNIT} is masked and cannot start"
        return Finding("service", Severity.WARN, text, f"sudo systemctl unmask {UNIT}")
    if loaded in ("error", "bad-setting"):
        text = f"the unit of {UNIT} cannot be loaded"
        return Finding("service", Severity.FAIL, text, f"systemctl status {UNIT}")
    if loaded != "loaded":
        text = f"{UNIT} is not installed"
        return Finding("service", Severity.WARN, text, remedies.install("--install"))
    result = shown.get("Result", "success")
    if active == "failed" or (active == "activating" and result != "success"):
        text = f"{UNIT} has failed ({result}); {status}".rstrip("; ")
        return Finding("service", Severity.FAIL, text, f"journalctl -u {UNIT} -n 50")
    if active != "active":
        text = f"{UNIT} is {active}"
        return Finding("service", Severity.WARN, text, f"sudo systemctl enable --now {UNIT}")
    if status.startswith("error"):
        return Finding("service", Severity.FAIL, f"{UNIT} runs, {status}", f"journalctl -u {UNIT}")
    if shown.get("UnitFileState") != "enabled":
        text = f"{UNIT} runs, {status}, but does not start at boot"
        return Finding("service", Severity.WARN, text, f"sudo systemctl enable {UNIT}")
    return Finding("service", Severity.OK, f"{UNIT} runs, {status}")
