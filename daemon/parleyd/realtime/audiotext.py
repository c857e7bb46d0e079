"""Audio as text: base64 in every form that servers send."""

from binascii import a2b_base64

import msgspec
from msgspec import Raw

from parleyd.realtime.raw import UNREADABLE, head

SLICE_BYTES = 64 * 1024  # decoded per call, 0.1 ms, during which no other thread runs
MOST_SCHEME = 100  # characters before the comma of a data URL

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_SPACE = b" \t\r\n\v\f\0"


def audio(raw: Raw) -> bytes | None:
    """Decode base64 (RFC 4648, sections 4 and 5): with line breaks, without padding, URL-safe,
    in pieces that are padded separately, or as a data URL.

    b"" for null or a missing field; None for text that is not base64: skipping a wrong character
    would turn all bytes after it into noise.
    """
    if head(raw) in ("", "n"):
        return b""
    if head(raw) != '"':
        return None
    encoded = memoryview(raw)[1:-1]
    if b"\\" in bytes(raw):
        try:
            encoded = memoryview(msgspec.json.decode(raw, type=str).encode())
        except UNREADABLE:
            return None
    if bytes(encoded[:5]) == b"data:":
        encoded = encoded[bytes(encoded[:MOST_SCHEME]).find(b",") + 1 :]
    return _decoded(encoded)


def _decoded(encoded: memoryview) -> bytes | None:
    out = bytearray()
    rest = b""  # an incomplete group, which the next slice completes
    for start in range(0, len(encoded), SLICE_BYTES):
        piece = bytes(encoded[start : start + SLICE_BYTES]).translate(_URL_SAFE, _SPACE)
        if piece.translate(None, _ALPHABET):
            return None
        *ended, last = (rest + piece).split(b"=")
        for group in ended:
            out += _unpadded(group)
        whole = len(last) // 4 * 4
        out += a2b_base64(last[:whole])
        rest = last[whole:]
    return bytes(out + _unpadded(rest))


def _unpadded(encoded: bytes) -> bytes:
    """Decode characters whose last group is incomplete; a single one holds less than a byte."""
    if len(encoded) % 4 == 1:
        encoded = encoded[:-1]
    return a2b_base64(encoded + b"=" * (-len(encoded) % 4))
