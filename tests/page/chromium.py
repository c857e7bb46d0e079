"""A headless Chromium, driven over its DevTools protocol."""

import base64
import contextlib
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.sync.connection import Connection

PROGRAM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
WITHIN_S = 60.0
OPTIONS = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--no-sandbox",  # the tests may run as root, and open no page but ours
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-gpu",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
)

needs_browser = pytest.mark.skipif(
    not PROGRAM, reason="THE PAGE IS NOT TESTED IN A BROWSER: apt install chromium"
)


class Tab:
    """A page in the browser."""

    def __init__(self, socket: Connection) -> None:
        self._socket, self._number = socket, 0
        self.errors: list[str] = []
        """Exceptions of the page's script, and refusals of its content policy."""
        for domain in ("Page", "Runtime", "Log", "Accessibility"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message))
        while True:
            answer = json.loads(self._socket.recv(WITHIN_S))
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]
            self._note(answer)

    def open(self, address: str) -> None:
        """Load a page and run its script."""
        self.call("Page.navigate", url=address)
        self.wait(f"document.readyState === 'complete' && location.href === {json.dumps(address)}")

    def run(self, script: str) -> Any:
        """The value of an expression; a promise is awaited."""
        options = {"returnByValue": True, "awaitPromise": True}
        found = self.call("Runtime.evaluate", expression=script, **options)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait(self, script: str) -> None:
        """Until an expression is true."""
        ends = time.monotonic() + WITHIN_S
        while not self.run(f"Boolean({script})"):
            assert time.monotonic() < ends, f"never: {script}; errors: {self.errors}"
            time.sleep(0.05)

    def shape(self, width: int, height: int, dark: bool) -> None:
        """Set the size of the screen and its colours."""
        phone = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=phone,
        )  # fmt: skip
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        self.call("Emulation.setEmulatedMedia", features=features)

    def key(self, name: str) -> None:
        """Press and release a key."""
        codes = {"Tab": 9, "Enter": 13, " ": 32, "ArrowRight": 39}
        text = {"Enter": "\r", " ": " "}.get(name, "")
        for kind in ("keyDown", "keyUp"):
            self.call(
                "Input.dispatchKeyEvent",
                type=kind, key=name, code=name, windowsVirtualKeyCode=codes[name],
                text=text if kind == "keyDown" else "",
            )  # fmt: skip

    def type(self, text: str) -> None:
        self.call("Input.insertText", text=text)

    def picture(self) -> bytes:
        """The whole page as PNG."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        return base64.b64decode(data)

    def accessible(self) -> list[tuple[str, str]]:
        """Role and name of everything that a screen reader finds."""
        nodes = self.call("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in nodes
            if not node.get("ignored")
        ]

    def _note(self, event: Any) -> None:
        if event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(event["params"]["exceptionDetails"]))
        elif event.get("method") == "Log.entryAdded":
            entry = event["params"]["entry"]
            if entry["level"] == "error" and entry["source"] != "network":
                self.errors.append(entry["text"])


@contextlib.contextmanager
def tab(folder: Path) -> Iterator[Tab]:
    """Run a browser with a new profile inside the block."""
    command = [PROGRAM, *OPTIONS, f"--user-data-dir={folder}/profile", "about:blank"]
    with (folder / "chromium.log").open("wb") as log:
        browser = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        with connect(_address(folder / "profile"), max_size=None) as socket:
            yield Tab(socket)
    finally:
        browser.kill()
        browser.wait(WITHIN_S)


def _address(profile: Path) -> str:
    """The DevTools address of the first tab."""
    ends = time.monotonic() + WITHIN_S
    while True:
        with contextlib.suppress(OSError, ValueError, StopIteration):
            port = int((profile / "DevToolsActivePort").read_text().split()[0])
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=5) as answer:
                pages = json.load(answer)
            return str(next(p["webSocketDebuggerUrl"] for p in pages if p["type"] == "page"))
        assert time.monotonic() < ends, "the browser does not start"
        time.sleep(0.1)
