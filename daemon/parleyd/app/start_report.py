"""The first lines of the log: everything that people ask for first."""

from collections.abc import Mapping
from pathlib import Path

from parleyd import __version__, config
from parleyd.app.server_address import server_address
from parleyd.config import hosts
from parleyd.printable import printable, shown


def of_process(path: Path | None, state: Path) -> str:
    """The line of the process: version, configuration file and state folder."""
    where = printable(str(path)) if path else "the default values"
    return f"Parley {__version__}; configuration: {where}; state: {printable(str(state))}"


def of_configuration(settings: config.Config, environ: Mapping[str, str]) -> str:
    """The line of a configuration that runs: what to say, the server, the cards."""
    words = " or ".join(f'"{spoken(keyword)}"' for keyword in settings.wake.keywords)
    address = server_address(settings.realtime, environ)
    server = "embedded, commands only" if address is None else hosts.host(address.url)
    audio = settings.audio
    cards = f"microphone: {shown(audio.capture)}; loudspeaker: {shown(audio.playback)}"
    return f"say: {words}; server: {printable(server)}; {cards}"


def spoken(keyword: str) -> str:
    """``/etc/parley/wake/hey_computer.json`` is spoken "hey computer"."""
    name = Path(keyword).stem if keyword.endswith((".json", ".ppn")) else keyword
    return printable(name.replace("_", " "))
