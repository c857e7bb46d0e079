"""The address of the configured realtime server."""

from collections.abc import Mapping

from parleyd import config
from parleyd.config.servers import OPENAI, profile
from parleyd.errors import ParleyError
from parleyd.realtime.connection import ServerAddress


def server_name(realtime: config.RealtimeConfig, environ: Mapping[str, str]) -> str:
    """The server that answers: `realtime.server`, or what "auto" stands for."""
    if realtime.server != "auto":
        return realtime.server
    return "openai" if config.secret(OPENAI.key, environ) else "embedded"


def server_address(
    realtime: config.RealtimeConfig, environ: Mapping[str, str]
) -> ServerAddress | None:
    """The configured server's address, with its key; None for the embedded server.

    Raises `ParleyError` if the server needs a key and there is none.
    """
    name = server_name(realtime, environ)
    if name == "embedded":
        return None
    server = profile(name)
    key = config.secret(server.key, environ)
    if server.needs_key and key is None:
        raise ParleyError(
            f"realtime.server is {name}, but there is no key: put it into /etc/parley/"
            f"{server.key.lower()} (systemd/README.md) or into the environment as {server.key}, "
            'or set realtime.server = "embedded"'
        )
    return ServerAddress.of(realtime, server, key)
