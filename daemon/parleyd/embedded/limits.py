"""Every limit of the embedded server, in one place, each with its reason.

The daemon talks to it over a private Unix socket: these limits are for `parley serve` on a
TCP port of loopback, where every process of this machine may connect. The server has 61 MB at
its start. One client can make it take 100 MB more, eight clients together 210 MB more (measured
with clients that send messages of 20 MB and read no answer, tests/local/test_rude_clients).
"""

from parleyd.units import SERVER_RATE_HZ, ms_to_frames

FRAME_BYTES = 2

# --- clients --------------------------------------------------------------------------

MOST_CLIENTS = 8
"""A device and a few developers. Each has a voice detector (2 MB) and a conversation."""

MOST_VISITORS = 32
"""Sockets without a place: in the handshake, or on their way out. When one more comes, the
oldest is dropped: an honest handshake on one machine takes a few milliseconds."""

HANDSHAKE_WITHIN_S = 5.0
"""Thirty times what a handshake takes on a Pi Zero that is busy."""

IDLE_S = 600.0
"""A client that sent no message for this time loses its place when another client needs one.
A client that never sent a message loses it at once: the first message of every known client
follows `session.created` within a second."""

CLOSE_WITHIN_S = 1.0
"""A client that does not answer the closing handshake is dropped after that."""

# --- messages -------------------------------------------------------------------------

MOST_APPEND_BYTES = 15 << 20
"""Audio of one append, as the service documents it."""

MOST_MESSAGE_BYTES = MOST_APPEND_BYTES * 4 // 3 + 4096
"""The greatest append in base64 with the event around it."""

MOST_EVENT_BYTES = 1 << 20
"""One message without audio: 262,144 characters of text at up to four bytes each."""

MOST_STRUCTURE = 100_000
"""Brackets, braces and commas of one message. Each may become an object of 64 bytes, so
that 1 MB of ``[],[],`` would be 20 MB; the tools of a large client have 5,000."""

MOST_DEPTH = 64
"""Levels of JSON in JSON. A schema of a tool has ten; copying recurses two calls a level."""

MOST_FRAGMENTS = 1_000
"""WebSocket frames of one message; clients send one, browsers one for every 128 KB."""

MOST_UNHANDLED_BYTES = 1 << 20
"""Whole messages of one client that wait to be handled; then its socket is not read, until
they are. That is 16 s of audio; a message that is larger waits alone."""

MOST_UNHANDLED_BYTES_OF_ALL = 64 << 20
"""Messages of all clients together that wait or are still incomplete: three of the
greatest. Beyond it the client is dropped that holds most of it."""

MOST_UNREAD_BYTES = 1 << 20
"""Events that one client has not read. With more, its conversation pauses: no further
speech is made for it. 16 s of audio."""

READ_WITHIN_S = 30.0
"""A client that reads nothing for this time while events wait for it is dropped."""

PIECE_BYTES = ms_to_frames(1_000, SERVER_RATE_HZ) * FRAME_BYTES
"""A longer append is handled in pieces, between which other clients have their turn: voice
detection takes 5 ms for each second of audio on a desktop, up to 40 ms on a Pi."""

# --- memory of a conversation ---------------------------------------------------------

MOST_ITEMS = 400
"""An evening of talk; older ones are forgotten, as a model's context would be."""

MOST_WORD_BYTES = 4 << 20
"""Texts, arguments and ids of all items, as they lie in memory; the oldest items are
forgotten beyond it. A context of the service, 32,000 tokens, is 0.13 MB."""

MOST_AUDIO_BYTES = 6 << 20
"""Two minutes to retrieve; the audio of older items is let go first, their words stay."""

MOST_TEXT = 262_144
"""Characters of one text; the service takes 1,048,576 and forgets most of it again."""

MOST_ID = 512
"""Characters of an id or a name; the service allows 32 to 512, clients use up to 40."""

MOST_SETTINGS_BYTES = 256 << 10
"""Instructions, tools and all else of a session, as JSON: twice the service's context."""

MOST_METADATA = (16, 64, 512)
"""Pairs, characters of a key, characters of a value: the service's own limits."""

# --- work -----------------------------------------------------------------------------

MOST_RESPONSES = 8
"""One in the conversation, the others out of band."""

MOST_RECOGNITIONS = 8
"""Utterances of one client that wait for the recogniser, 1 MB each; one is usual."""

MOST_UTTERANCE_BYTES = ms_to_frames(30_000, SERVER_RATE_HZ) * FRAME_BYTES
"""The newest audio of an utterance that is recognised. The longest command takes 5 s, and
the recogniser, which all clients share, a tenth of the length (a third on a Pi 3)."""

MOST_SPEECH_WEIGHT = 240
"""Weight of one job of the synthesizer (`local.pieces`): 240 letters of words are 12 s of
speech and 0.2 s of work, 1 s on a Pi 3. Longer sentences are made in pieces, and between
them the other clients have their turn."""

MOST_ANSWER_TOKENS = 4_096
"""Of one answer, 205 s of speech; the service's own limit. The answer ends `incomplete`."""
