"""The audio format that the server confirmed is used in both directions."""

import numpy as np
import pytest

from parleyd import config
from parleyd.realtime import events as ev
from parleyd.realtime.formats import PCM, AudioFormat, ReplyDecoder, TurnEncoder, confirmed
from parleyd.realtime.server_errors import ErrorAction
from parleyd.realtime.session import RealtimeSession
from parleyd.realtime.session_events import Ready, ReplyAudio, ServerProblem

RATE_HZ = 24_000


def nested(kind: object, rate: object = None) -> ev.Json:
    named: ev.Json = {"type": kind} if rate is None else {"type": kind, "rate": rate}
    return {"audio": {"output": {"format": named}}}


@pytest.mark.parametrize(
    ("session", "expected"),
    [
        ({}, PCM),
        ({"audio": None}, PCM),
        ({"audio": {"output": {"format": None}}}, PCM),
        (nested("audio/pcm", 24_000), PCM),
        (nested("audio/pcm"), PCM),
        (nested("audio/pcm", "fast"), PCM),
        (nested("audio/pcm", 16_000), AudioFormat("audio/pcm", 16_000)),
        (nested("audio/pcm", 16_000.0), AudioFormat("audio/pcm", 16_000)),
        (nested("pcm16"), PCM),
        (nested("audio/pcmu"), AudioFormat("audio/pcmu", 8000)),
        (nested("audio/pcma"), AudioFormat("audio/pcma", 8000)),
        (nested("audio/opus", 48_000), AudioFormat("audio/opus", 48_000)),
        (nested(5), PCM),
        ({"output_audio_format": "pcm16"}, PCM),
        ({"output_audio_format": "pcm24"}, PCM),
        ({"output_audio_format": "not specified"}, PCM),
        ({"output_audio_format": "g711_ulaw"}, AudioFormat("audio/pcmu", 8000)),
        ({"output_audio_format": "g711_alaw"}, AudioFormat("audio/pcma", 8000)),
        # the rate in the name, in the object, beside it, and as a text
        ({"output_audio_format": "pcm16_16000hz"}, AudioFormat("audio/pcm", 16_000)),
        ({"output_audio_format": "pcm16-8000hz"}, AudioFormat("audio/pcm", 8000)),
        ({"output_audio_format": "pcm_44100"}, AudioFormat("audio/pcm", 44_100)),
        ({"output_audio_format": "pcm_48khz"}, AudioFormat("audio/pcm", 48_000)),
        ({"output_audio_format": "audio/pcm;rate=16000"}, AudioFormat("audio/pcm", 16_000)),
        ({"output_audio_format": "ulaw_8000"}, AudioFormat("audio/pcmu", 8000)),
        ({"output_audio_format": "mulaw"}, AudioFormat("audio/pcmu", 8000)),
        ({"output_audio_format": "PCM_S16LE"}, PCM),
        ({"output_audio_format": {"type": "pcm16", "rate": 16_000}},
         AudioFormat("audio/pcm", 16_000)),
        ({"output_audio_format": "pcm16", "output_audio_sampling_rate": 16_000},
         AudioFormat("audio/pcm", 16_000)),
        ({"audio": {"output": {"format": "pcm16", "sample_rate": 48_000}}},
         AudioFormat("audio/pcm", 48_000)),
        (nested("audio/pcm", "16000"), AudioFormat("audio/pcm", 16_000)),
        (nested("audio/PCM", 16_000), AudioFormat("audio/pcm", 16_000)),
        # other than 16-bit PCM or G.711
        ({"output_audio_format": "opus"}, AudioFormat("opus", 0)),
        ({"output_audio_format": "mp3_44100_128"}, AudioFormat("mp3_44100_128", 44_100)),
        ({"output_audio_format": "pcm_f32le"}, AudioFormat("pcm_f32le", 0)),
        (nested("audio/L16", 16_000), AudioFormat("audio/L16", 16_000)),  # it is big-endian
        ({"output_audio_format": {"type": "audio/pcm", "rate": 24_000, "channels": 2}},
         AudioFormat("audio/pcm in several channels", 24_000)),
    ],
)  # fmt: skip
def test_confirmed_format_is_read_in_every_shape(session: ev.Json, expected: AudioFormat) -> None:
    assert confirmed(session, "output") == expected


def test_g711_codes_have_the_values_of_the_standard() -> None:
    """ITU-T G.711, tables 1 and 2: the ends of the scale, zero, and the first steps."""
    ulaw = ReplyDecoder(AudioFormat("audio/pcmu", RATE_HZ))
    alaw = ReplyDecoder(AudioFormat("audio/pcma", RATE_HZ))
    part = (1, "i", 0)
    mu = ulaw.push(part, bytes([0x00, 0x80, 0xFF, 0x7F, 0xFE, 0xEF]))
    assert mu.tolist() == [-32124, 32124, 0, 0, 8, 132]
    a = alaw.push(part, bytes([0x2A, 0xAA, 0xD5, 0x55, 0xD4, 0xC5]))
    assert a.tolist() == [-32256, 32256, 8, -8, 24, 264]


def test_g711_tables_agree_with_an_independent_decoder() -> None:
    audioop = pytest.importorskip("audioop", reason="Python 3.13 removed it")
    codes = bytes(range(256))
    for kind, decode in (("audio/pcmu", audioop.ulaw2lin), ("audio/pcma", audioop.alaw2lin)):
        ours = ReplyDecoder(AudioFormat(kind, RATE_HZ)).push((1, "i", 0), codes)
        assert ours.tolist() == np.frombuffer(decode(codes, 2), "<i2").tolist()


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("chunk", [101, 4801])
def test_other_rates_are_converted_whole(rate_hz: int, chunk: int) -> None:
    """One second of a tone stays one second of the same tone, in chunks of any size."""
    time_s = np.arange(rate_hz) / rate_hz
    data = np.rint(9000 * np.sin(2 * np.pi * 440 * time_s)).astype("<i2").tobytes()
    decoder = ReplyDecoder(AudioFormat("audio/pcm", rate_hz))
    part = (1, "i", 0)
    pieces = [decoder.push(part, data[at : at + chunk]) for at in range(0, len(data), chunk)]
    frames = np.concatenate([*pieces, decoder.finish()])
    assert abs(len(frames) - RATE_HZ) <= 2
    wanted = 9000 * np.sin(2 * np.pi * 440 * np.arange(len(frames)) / RATE_HZ)
    middle = slice(2000, -2000)
    assert np.abs(frames[middle] - wanted[middle]).max() < 90


def test_turn_is_sent_at_the_input_rate_of_the_server() -> None:
    encoder = TurnEncoder(AudioFormat("audio/pcm", 16_000))
    time_s = np.arange(RATE_HZ) / RATE_HZ
    frames = np.rint(9000 * np.sin(2 * np.pi * 440 * time_s)).astype(np.int16)
    data = b"".join(encoder.push(frames[at : at + 960]) for at in range(0, RATE_HZ, 960))
    sent = np.frombuffer(data, "<i2")
    assert 15_500 < len(sent) <= 16_000
    wanted = 9000 * np.sin(2 * np.pi * 440 * np.arange(len(sent)) / 16_000)
    assert np.abs(sent[2000:-100] - wanted[2000:-100]).max() < 90


def test_dashscope_receives_16_khz_and_sends_24_khz() -> None:
    session = {"input_audio_format": "pcm16", "output_audio_format": "pcm24"}
    assert confirmed(session, "input") == AudioFormat("audio/pcm", 16_000)
    assert confirmed(session, "output") == PCM


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("audio/pcmu", [0x80, 0x00, 0xFF, 0xFE, 0x7E, 0xEF]),
        ("audio/pcma", [0xAA, 0x2A, 0xD5, 0xD5, 0x55, 0xDD]),
    ],
)
def test_turn_is_coded_with_the_values_of_the_standard(kind: str, codes: list[int]) -> None:
    """ITU-T G.711: the nearest value of the table, at both ends of the scale and near zero."""
    encoder = TurnEncoder(AudioFormat(kind, RATE_HZ))
    frames = np.array([32_767, -32_768, 1, 7, -7, 135], np.int16)
    assert list(encoder.push(frames)) == codes


def test_turn_is_coded_at_8_khz() -> None:
    encoder = TurnEncoder(AudioFormat("audio/pcmu", 8000))
    time_s = np.arange(RATE_HZ) / RATE_HZ
    frames = np.rint(9000 * np.sin(2 * np.pi * 440 * time_s)).astype(np.int16)
    data = b"".join(encoder.push(frames[at : at + 960]) for at in range(0, RATE_HZ, 960))
    assert 7700 < len(data) <= 8000
    sent = ReplyDecoder(AudioFormat("audio/pcmu", RATE_HZ)).push((1, "i", 0), data)
    wanted = 9000 * np.sin(2 * np.pi * 440 * np.arange(len(sent)) / 8000)
    assert np.abs(sent[1000:-100] - wanted[1000:-100]).max() < 400  # a step up there is 512


def opened(session: ev.Json) -> tuple[RealtimeSession, list[object]]:
    made = RealtimeSession(config.RealtimeConfig(), config.TurnConfig(detection="local"))
    made.opened()
    made.receive(ev.SessionCreated(), 0.0)
    made.to_send()
    return made, list(made.receive(ev.SessionUpdated(session=session), 0.1))


def test_requested_format_logs_nothing() -> None:
    made, events = opened(nested("audio/pcm", 24_000))
    assert events == [Ready()]
    assert made.ready


@pytest.mark.parametrize("kind", ["audio/pcmu", "audio/pcma"])
def test_other_format_is_logged_and_played(kind: str) -> None:
    made, events = opened(nested(kind))
    (told,) = [n for n in events if isinstance(n, ServerProblem)]
    assert kind in told.text
    assert "converted" in told.text
    made.append(np.full(4800, 1000, np.int16))
    made.ask_for_reply(0.2)
    made.receive(ev.ResponseCreated(response=ev.Response(id="r")), 0.3)
    silence = b"\xff" if kind == "audio/pcmu" else b"\xd5"
    played = 0
    for _ in range(10):
        events = list(
            made.receive(ev.AudioDelta(response_id="r", item_id="i", delta=silence * 800), 0.4)
        )
        played += sum(len(n.frames) for n in events if isinstance(n, ReplyAudio))
    events = list(made.receive(ev.AudioDone(response_id="r", item_id="i"), 0.5))
    played += sum(len(n.frames) for n in events if isinstance(n, ReplyAudio))
    assert played == pytest.approx(RATE_HZ, abs=3)  # 8000 codes are one second


def test_format_that_cannot_be_played_is_refused_in_words() -> None:
    made, events = opened(nested("audio/opus", 48_000))
    (told,) = events
    assert isinstance(told, ServerProblem)
    assert told.action is ErrorAction.FATAL
    assert "audio/opus" in told.text
    assert not made.ready


def test_format_that_changes_in_mid_session_is_followed() -> None:
    made, _ = opened({})
    (told,) = made.receive(ev.SessionUpdated(session=nested("audio/pcm", 16_000)), 1.0)
    assert isinstance(told, ServerProblem)
    made.append(np.full(4800, 1000, np.int16))
    made.ask_for_reply(1.2)
    made.receive(ev.ResponseCreated(response=ev.Response(id="r")), 1.3)
    data = np.full(16_000, 500, "<i2").tobytes()
    events = made.receive(ev.AudioDelta(response_id="r", item_id="i", delta=data), 1.4)
    events += made.receive(ev.AudioDone(response_id="r", item_id="i"), 1.5)
    played = sum(len(n.frames) for n in events if isinstance(n, ReplyAudio))
    assert played == pytest.approx(RATE_HZ, abs=3)
