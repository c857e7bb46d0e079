"""Every limit of the embedded server, in one place, each with its reason.

The daemon uses a private Unix socket: these limits are for `parley serve` on a TCP port of
loopback, where every process of this machine may connect. The server has 61 MB at its start.
One client can make it take 100 MB more, and eight clients together 210 MB more (measured with
clients that send messages of 20 MB and read no answer, tests/embedded/test_rude_clients).
"""

from parleyd.units import SERVER_RATE_HZ, ms_to_frames

FRAME_BYTES = 2

# --- clients --------------------------------------------------------------------------

MOST_CLIENTS = 8
"""A device and a few developers. Each has a voice detector (2 MB) and a conversation."""

MOST_VISITORS = 32
"""Sockets without a place: in the handshake, or closing. Beyond this number, the oldest is
dropped: a genuine handshake on one machine takes a few milliseconds."""

HANDSHAKE_WITHIN_S = 5.0
"""Thirty times the duration of a handshake on a busy Pi Zero."""

IDLE_S = 600.0
"""A client that sent no message for this time loses its place when another client needs one.
A client that never sent a message loses it immediately: every known client sends its first
message within a second of `session.created`."""

CLOSE_WITHIN_S = 1.0
"""A client that does not answer the closing handshake within this time is dropped."""

# --- messages -------------------------------------------------------------------------

MOST_APPEND_BYTES = 15 << 20
"""Audio of one append; the limit that the service documents."""

MOST_MESSAGE_BYTES = MOST_APPEND_BYTES * 4 // 3 + 4096
"""The largest append in base64, with the event around it."""

MOST_EVENT_BYTES = 1 << 20
"""One message without audio: 262,144 characters of text at up to four bytes each."""

MOST_STRUCTURE = 100_000
"""Brackets, braces and commas of one message. Each may become an object of 64 bytes, so
1 MB of ``[],[],`` would become 20 MB; the tools of a large client have 5,000."""

MOST_DEPTH = 64
"""Levels of nested JSON. The schema of a tool has ten; copying recurses two calls per level."""

MOST_FRAGMENTS = 1_000
"""WebSocket frames of one message; clients send one, browsers one per 128 KB."""

MOST_UNHANDLED_BYTES = 1 << 20
"""Complete messages of one client that wait to be handled; beyond it, its socket is not read
until they are. That is 16 s of audio; a larger message waits alone."""

MOST_UNHANDLED_BYTES_OF_ALL = 64 << 20
"""Messages of all clients together that wait or are incomplete: three of the largest. Beyond
it, the client that holds most of it is dropped."""

MOST_UNREAD_BYTES = 1 << 20
"""Events that one client has not read. Beyond it, its conversation pauses, and no further
speech is made for it. 16 s of audio."""

READ_WITHIN_S = 30.0
"""A client that reads nothing for this time while events are waiting is dropped."""

PIECE_BYTES = ms_to_frames(1_000, SERVER_RATE_HZ) * FRAME_BYTES
"""A longer append is handled in pieces, so that other clients have their turn in between: voice
detection takes 5 ms for each second of audio on a desktop, and up to 40 ms on a Pi."""

# --- memory of a conversation ---------------------------------------------------------

MOST_ITEMS = 400
"""An evening of conversation; older items are dropped, as from a model's context."""

MOST_WORD_BYTES = 4 << 20
"""Texts, arguments and ids of all items, in memory; beyond it, the oldest items are dropped.
A context of the service, 32,000 tokens, is 0.13 MB."""

MOST_AUDIO_BYTES = 6 << 20
"""Two minutes, for retrieval; beyond it, older items lose their audio but keep their words."""

MOST_TEXT = 262_144
"""Characters of one text; the service accepts 1,048,576 and drops most of them."""

MOST_ID = 512
"""Characters of an id or a name; the service allows 32 to 512, clients use up to 40."""

MOST_SETTINGS_BYTES = 256 << 10
"""Instructions, tools and all other settings as JSON: twice the service's context."""

MOST_METADATA = (16, 64, 512)
"""Pairs, characters of a key, characters of a value: the service's own limits."""

# --- work -----------------------------------------------------------------------------

MOST_RESPONSES = 8
"""One in the conversation, and the others out of band."""

MOST_RECOGNITIONS = 8
"""Utterances of one client that wait for the recogniser, 1 MB each; usually one."""

MOST_UTTERANCE_BYTES = ms_to_frames(30_000, SERVER_RATE_HZ) * FRAME_BYTES
"""Only the newest audio of an utterance is recognised. The longest command takes 5 s, and the
recogniser, which all clients share, takes a tenth of its length (a third on a Pi 3)."""

MOST_SPEECH_WEIGHT = 240
"""Weight of one job of the synthesizer (`embedded.pieces`): 240 letters of words are 12 s of
speech and take 0.2 s, or 1 s on a Pi 3. Longer sentences are made in pieces, and other clients
have their turn in between."""

MOST_ANSWER_TOKENS = 4_096
"""Per answer, 205 s of speech; the service's own limit. The answer ends `incomplete`."""
