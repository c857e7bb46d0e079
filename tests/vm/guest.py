"""Starts a QEMU guest, runs commands in it, and switches it off. Standard library only."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

BOOT_WITHIN_S = 3600.0  # emulated on a busy machine; two minutes on an idle one
ANSWER_WITHIN_S = 300.0  # of the agent, which shares the processor with the whole guest
POLL_S = 0.2
MEMORY_MB = 1536
CPUS = 2
KERNEL = (
    "console=ttyS0 root=/dev/vda rw quiet mitigations=off net.ifnames=0 "
    "apparmor=0 audit=0 systemd.show_status=0 panic=-1"
)
# on a host that is itself a guest, KVM cannot set the register behind arch-capabilities
KVM_CPU = "host,-arch-capabilities"


class GuestError(Exception):
    """The guest failed; the text says how, and where to look."""


class Guest:
    """A context manager. The guest mounts `folder` as /host, to exchange files.

    `disk`: a writable qcow2. `icount`: count instructions instead of time, so that figures do not
    depend on the load of this machine (and match no real machine).
    """

    def __init__(
        self, image: Path, disk: Path, folder: Path, *, kvm: bool, icount: bool = False
    ) -> None:
        self._image, self._disk, self._folder = image, disk, folder
        self._kvm, self._icount = kvm, icount
        self._process: subprocess.Popen[bytes] | None = None
        self._agent: socket.socket
        self._commands = 0

    def __enter__(self) -> "Guest":
        self.console = self._folder / "console.log"
        self._agent_path = self._folder / "agent"
        self._agent_path.unlink(missing_ok=True)
        errors = (self._folder / "qemu.log").open("wb")
        self._process = subprocess.Popen(
            self._command(), stdin=subprocess.DEVNULL, stdout=errors, stderr=errors
        )
        try:
            self._connect()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError, AttributeError):
            self._agent.sendall(b'{"execute": "guest-shutdown"}\n')
        try:
            process.wait(ANSWER_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def run(self, command: str, *, within_s: float = 600.0, echo: bool = True) -> str:
        """Run a shell command as root; returns its output, which is also printed at once.

        Raises `GuestError` if it fails or takes longer than `within_s`.
        """
        status, printed = self.attempt(command, within_s=within_s, echo=echo)
        if status != 0:
            raise GuestError(
                f"exit status {status} of `{command}` in the guest:\n{printed[-3000:]}"
            )
        return printed

    def attempt(
        self, command: str, *, within_s: float = 600.0, echo: bool = True
    ) -> tuple[int, str]:
        """Run a command like `run`, but return its exit status and output on failure, too."""
        self._commands += 1
        name = f"output-{self._commands}"
        output = self._folder / name
        output.unlink(missing_ok=True)  # left by a killed run
        shell = f"exec >/host/{name} 2>&1 </dev/null; cd /root; export HOME=/root; {command}"
        pid = self._ask("guest-exec", path="/bin/bash", arg=["-c", shell])["pid"]
        deadline = time.monotonic() + within_s
        shown = 0
        while True:
            time.sleep(POLL_S)
            ended = self._ask("guest-exec-status", pid=pid)
            printed = output.read_text(errors="replace") if output.exists() else ""
            if echo:
                sys.stdout.write(printed[shown:])
                sys.stdout.flush()
                shown = len(printed)
            if ended["exited"]:
                output.unlink(missing_ok=True)
                return int(ended.get("exitcode", 128 + ended.get("signal", 0))), printed
            if time.monotonic() > deadline:
                raise GuestError(f"`{command}` took more than {within_s:.0f} s in the guest")

    # --- inside -----------------------------------------------------------------------

    def _command(self) -> list[str]:
        accelerator = "kvm" if self._kvm else "tcg,thread=single" if self._icount else "tcg"
        cpu = KVM_CPU if self._kvm else "max,la57=off"
        serial = f"socket,path={self._agent_path},server=on,wait=off,id=agent"
        counted = ["-icount", "shift=0,sleep=off"] if self._icount else []
        return [
            *("qemu-system-x86_64", "-accel", accelerator, "-cpu", cpu, "-M", "q35"),
            *("-m", str(MEMORY_MB), "-smp", "1" if self._icount else str(CPUS), *counted),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-kernel", str(self._image / "vmlinuz"), "-initrd", str(self._image / "initrd.img")),
            *("-append", KERNEL, "-serial", f"file:{self.console}"),
            *("-drive", f"file={self._disk},if=virtio,format=qcow2,cache=unsafe"),
            *("-device", "virtio-serial", "-chardev", serial),
            *("-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"),
            *("-device", "virtio-rng"),
            *("-virtfs", f"local,path={self._folder},mount_tag=host,security_model=none"),
            *("-nic", "user,model=virtio-net-pci"),
        ]

    def _connect(self) -> None:
        """Wait until the guest's agent answers."""
        deadline = time.monotonic() + BOOT_WITHIN_S
        while not self._agent_path.exists():
            self._check_alive(deadline)
            time.sleep(POLL_S)
        self._agent = socket.socket(socket.AF_UNIX)
        self._agent.connect(str(self._agent_path))
        self._lines = self._agent.makefile("r")
        while True:
            self._check_alive(deadline)
            with contextlib.suppress(TimeoutError, GuestError):
                self._ask("guest-ping", within_s=2.0)
                break

    def _check_alive(self, deadline: float) -> None:
        assert self._process is not None
        if self._process.poll() is not None:
            said = (self._folder / "qemu.log").read_text(errors="replace")
            raise GuestError(f"QEMU ended: {said.strip()}")
        if time.monotonic() > deadline:
            raise GuestError(
                f"the guest did not start in {BOOT_WITHIN_S:.0f} s: see {self.console}"
            )

    def _ask(self, what: str, within_s: float = ANSWER_WITHIN_S, **arguments: Any) -> Any:
        """Send one request to the agent; skips late answers to older requests."""
        identity = time.monotonic_ns()
        request = {"execute": what, "arguments": arguments, "id": identity}
        self._agent.sendall(json.dumps(request).encode() + b"\n")
        deadline = time.monotonic() + within_s
        while True:
            self._agent.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                line = self._lines.readline()
            except (TimeoutError, OSError) as error:
                self._lines = self._agent.makefile("r")
                raise GuestError(f"the guest's agent does not answer {what} ({error})") from None
            if not line:
                raise GuestError(f"the guest's agent is gone: see {self.console}")
            with contextlib.suppress(ValueError):
                answer = json.loads(line)
                if answer.get("id") != identity:
                    continue
                if "error" in answer:
                    raise GuestError(f"{what}: {answer['error'].get('desc')}")
                return answer["return"]


def kvm_works(image: Path) -> bool:
    """Whether a kernel starts with KVM here; blocks for seconds.

    Inside another guest, /dev/kvm may open and still not run a kernel.
    """
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return False
    command = ["qemu-system-x86_64", "-accel", "kvm", "-cpu", KVM_CPU, "-M", "q35", "-m", "256"]
    command += ["-nodefaults", "-display", "none", "-no-reboot", "-serial", "stdio"]
    command += ["-kernel", str(image / "vmlinuz"), "-append", "console=ttyS0 panic=-1"]
    try:
        # without a disk the kernel panics and ends
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    except subprocess.TimeoutExpired:
        return False
    return b"Kernel panic" in done.stdout
