"""The hosts that may get a key or the user's voice: pure rules over addresses and host names.

A clear-text address (`ws://`) must stay inside the house. A name is inside the house if it has a
single label, or ends in a domain that the public DNS does not delegate. An IP address is inside
if it is loopback, private or link-local. A public name is outside, whatever it resolves to today,
because its DNS can change. A name of the house is not enough either: some providers answer every
unknown name with one of their addresses. `in_house` checks the name here, and the realtime
connection checks the resolved address with `in_house` again before it connects.
"""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import parse_qsl, urlsplit, urlunsplit

# RFC 6761, and the names that Debian and Fedora write into /etc/hosts
LOOPBACK_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback")
# RFC 6761, 6762 (and its appendix G), 8375; ICANN reserved "internal" in 2024
HOUSE_DOMAINS = (
    "localhost",
    "local",
    "home.arpa",
    "internal",
    "lan",
    "home",
    "intranet",
    "private",
    "corp",
    "localdomain",
)

# RFC 1918, 3927, 4193, 4291. Python's `is_private` also includes the documentation ranges and
# others. 100.64.0.0/10 (RFC 6598) is missing because a provider gives it to its customers.
HOUSE_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "::1/128",
        "fc00::/7",
        "fe80::/10",
    )
)

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")  # as a last label: an IPv4 address in an old notation
_SECRET_NAME = re.compile(
    r"api[-_]?key|access[-_]?token|(^|[-_])(key|token|secret|password|passwd|pwd|auth"
    r"|authorization|authentication|bearer|credentials?|jwt|sig|signature)($|[-_])",
    re.IGNORECASE,
)
_SECRET_VALUE = re.compile(
    r"(bearer|basic|token)\s+\S|\b(sk|ek|rk|xai|gsk|hf|ghp)[-_][\w-]{12,}", re.IGNORECASE
)

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def flaw(url: str) -> str:
    """Why a realtime server cannot be reached by this address; "" if it can.

    The text completes "realtime.url: ..." and holds nothing of the address.
    """
    if not (url.isascii() and url.isprintable()) or " " in url:
        return (
            "holds a space or a character outside ASCII; "
            'write "%20" for a space, and a host with other letters as "xn--..."'
        )
    try:
        parts = urlsplit(url)
        name, port = parts.hostname or "", parts.port
    except ValueError:
        return "has no host and port that can be read"
    if parts.scheme not in ("ws", "wss"):
        return "is not a WebSocket address, allowed is wss://... (ws://... only inside the house)"
    if "@" in parts.netloc:
        return "holds a user name or a password; put a key into the environment or a credential"
    if port == 0 or not is_host(name):
        return "has no host that Parley can connect to"
    if parts.fragment or url.endswith("#"):
        return 'holds a "#", which means nothing to a server'
    if any(tells_secret(*pair) for pair in parse_qsl(parts.query, keep_blank_values=True)):
        return (
            'holds a key behind the "?"; put it into the environment or a credential, and Parley '
            "sends it in a header"
        )
    return ""


def tells_secret(name: str, value: str) -> bool:
    """This header or query parameter carries a key, by its name or by its value."""
    return bool(_SECRET_NAME.search(name) or _SECRET_VALUE.search(value))


def normal(url: str) -> str:
    """The address that Parley connects to: its host in lower case, without a final dot."""
    parts = urlsplit(url)
    name = host(url).replace("%25", "%")  # RFC 6874's escape of the zone, which sockets want bare
    shown = f"[{name}]" if ":" in name else name
    netloc = shown if parts.port is None else f"{shown}:{parts.port}"
    return urlunsplit(parts._replace(netloc=netloc))


def host(url: str) -> str:
    """The host of an address in lower case, without a final dot; "" if it cannot be read."""
    try:
        return (urlsplit(url).hostname or "").removesuffix(".")
    except ValueError:
        return ""


def is_clear_text(url: str) -> bool:
    """The connection is not encrypted."""
    return not url.lower().startswith("wss://")


def in_house(name: str) -> bool:
    """This host name or address is inside the house, by the rules above."""
    name = name.lower().removesuffix(".")
    address = _address(name)
    if address is not None:
        return any(address in network for network in HOUSE_NETWORKS)
    if not is_host(name):
        return False
    return "." not in name or belongs_to(name, (*HOUSE_DOMAINS, *LOOPBACK_NAMES))


def is_loopback(name: str) -> bool:
    """This host is the device itself."""
    name = name.lower().removesuffix(".")
    address = _address(name)
    if address is None:
        return belongs_to(name, LOOPBACK_NAMES)
    return address.is_loopback or address.is_unspecified  # Linux connects 0.0.0.0 to itself


def belongs_to(name: str, domains: Sequence[str]) -> bool:
    """The host is one of `domains`, or below one."""
    name = name.lower().removesuffix(".")
    return any(name == domain or name.endswith(f".{domain}") for domain in domains)


def without_secrets(url: str) -> str:
    """The address for a message: without user, password, query and control characters."""
    bare = re.sub(r"[?#].*", "?...", re.sub(r"[^/\s]*@", "...@", url), flags=re.DOTALL)
    return repr(bare if len(bare) <= 100 else f"{bare[:97]}...")


def _address(name: str) -> IpAddress | None:
    """A literal address; an IPv4-mapped IPv6 address becomes the IPv4 address."""
    try:
        address = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def is_host(name: str) -> bool:
    """Whether this is the name or address of a host in lower case: no URL, port or space."""
    name = name.removesuffix(".")
    if _address(name) is not None:
        return True
    labels = name.split(".")
    well_formed = all(_LABEL.fullmatch(label) for label in labels) and len(name) <= 253
    return well_formed and not _NUMERIC.fullmatch(labels[-1])
