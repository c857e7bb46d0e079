"""The address of the realtime server, and the credentials for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from parleyd.config import hosts
from parleyd.config.credentials import header_flaw, key_flaw
from parleyd.config.servers import Profile

if TYPE_CHECKING:
    from parleyd.config import RealtimeConfig

_SCHEMES = ("Bearer ", "Basic ", "Token ")  # of Authorization, before the key


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """The server's URL, and its headers; these contain the key: never log them."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    key_name: str = ""
    """The name of the server's key in the environment, for messages."""

    @classmethod
    def of(cls, realtime: "RealtimeConfig", server: Profile, key: str | None) -> "ServerAddress":
        """The GA address: the model is a query parameter, the key is in a header."""
        full = realtime.url or server.url
        if not hosts.flaw(full):  # otherwise it is kept, and nothing is sent there: see `flaw`
            parts = urlsplit(hosts.normal(full))
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            if model := realtime.model or server.model:
                query.setdefault("model", model)
            full = urlunsplit(parts._replace(query=urlencode(query)))
        bearer = server.key_header == "Authorization"
        token = {server.key_header: f"Bearer {key}" if bearer else key} if key else {}
        return cls(full, {**realtime.headers, **token}, server.key)

    @classmethod
    def embedded(cls, url: str) -> "ServerAddress":
        """The embedded server, wherever it listens: ``ws+unix:/path`` or ``ws://127.0.0.1:...``."""
        return cls(f"{url}?model=embedded")

    @property
    def host(self) -> str:
        """The server's host, as used for the connection; "" on a Unix socket."""
        return hosts.host(self.url)

    @property
    def port(self) -> int:
        """The server's port, as used for the connection."""
        return urlsplit(self.url).port or (80 if self.in_clear_text else 443)

    @property
    def in_clear_text(self) -> bool:
        """Whether the connection is unencrypted."""
        return hosts.is_clear_text(self.url)

    @property
    def carries_key(self) -> bool:
        """Whether one of the headers is a key."""
        return any(hosts.tells_secret(name, value) for name, value in self.headers.items())

    @property
    def flaw(self) -> str:
        """Why nothing may be sent there with these headers; "" if it may. Contains no key."""
        if what := hosts.flaw(self.url):
            return f"realtime.url {what}"
        for name, value in self.headers.items():
            if hosts.tells_secret(name, value):
                key = next((value.removeprefix(s) for s in _SCHEMES if value.startswith(s)), value)
                if what := header_flaw(name) or key_flaw(key):
                    which = self.key_name or f"the key in {name!r}"
                    return f"{which} is not in the form of a key: {what}"
            elif what := header_flaw(name, value):
                return f"the header {name!r} {what}"
        if self.carries_key and self.in_clear_text and not hosts.in_house(self.host):
            which = self.key_name or "the key"
            return (
                f"{which} would be sent in clear text to {self.host}, outside the house: "
                "set realtime.url to a wss:// address"
            )
        return ""
