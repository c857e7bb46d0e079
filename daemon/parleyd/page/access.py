"""Who may use the page: token, session, names of this device, origin, pace. Pure.

Times are arguments: `now` in monotonic seconds, `date` in seconds since 1970.
"""

import hashlib
import hmac
import ipaddress
from collections import OrderedDict
from collections.abc import Iterable

from parleyd.control.lines import RequestPace

SESSION_S = 30 * 24 * 3600
SHORTEST_TOKEN = 16  # characters; the installation makes one of 32
MOST_ADDRESSES = 256  # whose pace is remembered; the oldest are forgotten


class Sessions:
    """Makes and checks the cookie of a session. It needs no memory and outlives a restart.

    A new token ends every session.
    """

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def knows(self, token: str) -> bool:
        """Whether this is the token, in a time that does not depend on the answer."""
        return hmac.compare_digest(_digest(self._token, b"token", token.encode()), self._own())

    def cookie(self, date: float) -> str:
        """A new session: its end, and a proof that the holder of the token made it."""
        ends = str(int(date) + SESSION_S)
        return f"{ends}.{_digest(self._token, b'session', ends.encode()).hex()}"

    def holds(self, cookie: str, date: float) -> bool:
        """Whether this cookie is a session that has not ended."""
        ends, _, proof = cookie.partition(".")
        wanted = _digest(self._token, b"session", ends.encode("utf-8", "replace")).hex()
        if not hmac.compare_digest(proof.encode("utf-8", "replace"), wanted.encode()):
            return False
        return date < int(ends)  # only `cookie` can have signed it

    def _own(self) -> bytes:
        return _digest(self._token, b"token", self._token)


def _digest(key: bytes, purpose: bytes, value: bytes) -> bytes:
    return hmac.new(key, purpose + b":" + value, hashlib.sha256).digest()


class DeviceNames:
    """The names under which browsers may reach the page.

    A page of another site can give its own name the address of this device (DNS rebinding), and
    would then be of the same origin. It cannot do that with an address, or with a name that it
    does not own.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {"localhost", *(name.lower().removesuffix(".") for name in names)}

    def hold(self, host: str, local: str) -> bool:
        """Whether this `Host` header names the device; `local` is its end of the connection."""
        name = _without_port(host)
        try:
            return _plain(name) == _plain(local)
        except ValueError:
            return name.lower().removesuffix(".") in self._names


def same_origin(origin: str, host: str) -> bool:
    """Whether this `Origin` header is that of the page itself, over http or a proxy's https."""
    scheme, _, rest = origin.partition("://")
    return scheme in ("http", "https") and rest.lower() == host.lower()


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _plain(address: str) -> str:
    """The address in one spelling. Raises `ValueError` for a name."""
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


class AddressPace:
    """Limits how often each address, and all of them together, ask for something."""

    def __init__(self, per_s: float, burst: int, of_all: int) -> None:
        """`of_all`: how many addresses together may be as quick as one."""
        self._per_s, self._burst = per_s, burst
        self._all = RequestPace(per_s * of_all, burst * of_all)
        self._paces: OrderedDict[str, RequestPace] = OrderedDict()

    def admits(self, address: str, now: float) -> bool:
        """Count a request of this address; return whether it passes."""
        pace = self._paces.pop(address, None) or RequestPace(self._per_s, self._burst)
        self._paces[address] = pace
        if len(self._paces) > MOST_ADDRESSES:
            self._paces.popitem(last=False)
        return pace.admits(now) and self._all.admits(now)
