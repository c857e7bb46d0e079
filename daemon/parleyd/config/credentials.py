"""Keys and headers: the places of keys, and the valid forms. No message holds a value."""

import re
from collections.abc import Mapping
from pathlib import Path

from parleyd.errors import ConfigError
from parleyd.system import atomic_file

LONGEST = 4096  # characters; a token of an identity provider has 2,000, a wrong file any number

_TCHAR = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # RFC 9110, 5.6.2
_NAME = re.compile(_TCHAR)
_ASSIGNMENT = re.compile(
    r"((export|set)\s+|\$env:)?([A-Za-z_][\w.-]*\s*=\s*[^=\s]|[\w-]*(key|token|secret)\s*:)",
    re.IGNORECASE,
)
_OURS = re.compile(  # headers of the handshake, and of one hop only (RFC 9110, 7.6.1)
    r"host|upgrade|connection|keep-alive|sec-websocket-.*|proxy-.*|te|trailer|transfer-encoding"
    r"|content-length|expect|cookie2?|set-cookie",
    re.IGNORECASE,
)


def secret(name: str, environ: Mapping[str, str]) -> str | None:
    """The key with this name (``OPENAI_API_KEY``); None if there is none. Reads a file.

    A systemd credential (a file ``$CREDENTIALS_DIRECTORY/openai_api_key``) comes before the
    environment. The value must never reach a log or an exception.

    Raises: `ConfigError`, which names the key, if its value does not have the form of a key.
    """
    found = _credential(name, environ)
    if (found is None or "\ufffd" in found) and (own := environ.get(name, "").strip()):
        found = own
    if found is None:
        return None
    if what := key_flaw(found):
        raise ConfigError([f"{name}: is not in the form of a key: {what}"])
    return found


def password(name: str, environ: Mapping[str, str]) -> str | None:
    """The password with this name (``MQTT_PASSWORD``), from the places of `secret`.

    Raises: `ConfigError`, which names the password, if it is not one line of plain text.
    """
    found = _credential(name, environ) or environ.get(name, "").strip() or None
    if found is not None and (not found.isprintable() or len(found) > LONGEST or "\ufffd" in found):
        raise ConfigError([f"{name}: is not one line of plain text"])
    return found


def key_flaw(value: str) -> str:
    """Why the value does not have the form of a key; "" if it has. Holds nothing of the value."""
    flaws = (
        (
            value.startswith(("\ufeff", "\ufffe")),
            "it begins with a byte-order mark: save the file as plain text (UTF-8 without BOM)",
        ),
        ("\ufffd" in value or "\x00" in value, "it is not text"),
        (len(value.splitlines()) > 1, "it has more than one line, allowed is the key alone"),
        (
            bool(re.search(r"[\"'`\u2018-\u201f\u00ab\u00bb]", value)),
            "it has quotes in it, allowed is the key alone",
        ),
        (
            bool(_ASSIGNMENT.match(value)),
            "it begins with NAME= or NAME:, allowed is the key alone",
        ),
        (
            bool(re.match(r"[<{\[(]|\$\w*\{?\w+\}?\Z", value)),
            "it is a placeholder, allowed is the key itself",
        ),
        (
            not value.isascii(),
            "it has a character outside ASCII, as a dash that a text program "
            "made longer: copy the key once more",
        ),
        (
            any(c.isspace() for c in value),
            'it has a space in it, allowed is the key alone, without "Bearer"',
        ),
        (not value.isprintable(), "it has a control character in it: copy the key once more"),
        (len(value) > LONGEST, f"it is longer than {LONGEST} characters"),
        (not value, "it is empty"),
    )
    return next((what for is_so, what in flaws if is_so), "")


def header_flaw(name: str, value: str = "") -> str:
    """Why this header cannot be added to the handshake; "" if it can. Holds no value."""
    if not _NAME.fullmatch(name):
        return "is not a header name, allowed are ASCII letters, digits and -"
    if _OURS.fullmatch(name):
        return "is set by Parley or by a proxy, allowed is another header"
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        return (
            "has a line break, a character outside ASCII or a space at an end in its value, "
            "allowed is one line of ASCII text"
        )
    return ""


def _credential(name: str, environ: Mapping[str, str]) -> str | None:
    directory = environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        return None
    try:
        with atomic_file.opened(Path(directory, name.lower())) as file:
            return file.read(4 * LONGEST).decode("utf-8", "replace").strip() or None
    except OSError:
        return None
