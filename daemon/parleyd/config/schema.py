"""The sections and keys of the configuration, typed, with their bounds and defaults.

``default.toml`` beside this module documents each key. A test compares the two: keys, order,
defaults and bounds.
"""

from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec

Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]
Ratio = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]
MOST_MCP = 8  # servers; each one delays the start of every session
Pin = Annotated[int, msgspec.Meta(ge=0, le=27)]
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
TimeOfDayRange = Annotated[
    str, msgspec.Meta(pattern=rf"^({_CLOCK}-{_CLOCK})?\Z", description='"22:00-07:00" or ""')
]
Device = Annotated[str, msgspec.Meta(min_length=1, description="the name of a card")]
Language = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^([a-z]{2,3}(-[A-Za-z0-9]{2,8})*)?\Z",
        description='a code such as "en", "de" or "pt-BR", or ""',
    ),
]
Folder = Annotated[
    str, msgspec.Meta(pattern=r"^/", description='a path from the root, such as "/etc/..."')
]
Sound = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(default|/.{1,500})?\Z",
        description='"default", a path from the root such as "/etc/parley/ding.wav", or ""',
    ),
]
AlarmTone = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(default|/.{1,500})\Z",
        description='"default", or a path from the root such as "/etc/parley/bell.wav"',
    ),
]
SpiDevice = Annotated[
    str,
    msgspec.Meta(pattern=r"^/dev/spidev\d+\.\d+\Z", description='a path such as "/dev/spidev0.0"'),
]
Url = Annotated[str, msgspec.Meta(max_length=2000, description="wss://...")]
Text = Annotated[str, msgspec.Meta(max_length=2000, description="a text of up to 2000 characters")]
Room = Annotated[str, msgspec.Meta(max_length=60, description="a text of up to 60 characters")]
TopicName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9_-]{1,60}(/[A-Za-z0-9_-]{1,60}){0,5}\Z",
        description='a topic such as "parley" or "home/parley"',
    ),
]
HostNames = Annotated[
    tuple[
        Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?\Z")],
        ...,
    ],
    msgspec.Meta(max_length=8, description='a list of at most 8 names such as "speaker.local"'),
]
ShortList = Annotated[
    tuple[Annotated[str, msgspec.Meta(max_length=500)], ...],
    msgspec.Meta(max_length=64, description="a list of at most 64 texts"),
]
McpUrl = Annotated[str, msgspec.Meta(max_length=500, description="http://... or https://...")]
McpCommand = Annotated[
    tuple[Annotated[str, msgspec.Meta(max_length=500)], ...],
    msgspec.Meta(max_length=64, description="a program and its arguments, as a list of texts"),
]
DeviceId = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9_-]{0,64}\Z",
        description="up to 64 letters, digits, _ and -",
    ),
]
GroupName = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9_-]{0,40}\Z",
        description='a name of up to 40 letters, digits, _ and -, or ""',
    ),
]
Instructions = Annotated[  # 16,384 tokens are OpenAI's limit, of about four letters each
    str, msgspec.Meta(max_length=50_000, description="a text of up to 50000 characters")
]
Keywords = Annotated[
    tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=60)], ...],
    msgspec.Meta(max_length=100, description="a list of at most 100 texts of 1 to 60 characters"),
]


Command = Annotated[
    tuple[str, ...],
    msgspec.Meta(description="a list of texts: the path of a program, and its arguments"),
]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the sections: a table of the file in which every key has a default."""


class AudioConfig(Section, frozen=True, kw_only=True):
    """The sound cards, the volume and the timing of playback.

    The card's own mixer is set once, when the card is opened.
    """

    capture: Device = "default"
    playback: Device = "default"
    playback_rate_hz: Literal[16000, 24000, 44100, 48000] = 48000
    playback_channels: Literal[1, 2] = 1
    lead_ms: Annotated[int, msgspec.Meta(ge=20, le=200)] = 40
    volume: Percent = 70
    quiet_volume: Percent = 40
    alarm_volume: Annotated[int, msgspec.Meta(ge=30, le=100)] = 50
    boot_chime: bool = True
    mixer: Text = "auto"
    mixer_db: Annotated[float, msgspec.Meta(ge=-60, le=20)] = 0.0
    priority: Annotated[int, msgspec.Meta(ge=0, le=49)] = 20


class PlayoutConfig(Section, frozen=True, kw_only=True):
    """The buffer of reply audio that waits to be played."""

    capacity_s: Annotated[int, msgspec.Meta(ge=30, le=1200)] = 360


class WakeConfig(Section, frozen=True, kw_only=True):
    """The wake word: which engine listens, for which keywords, and how eagerly."""

    engine: Literal["auto", "micro", "porcupine"] = "auto"
    keywords: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=8)] = ("hey_jarvis",)
    sensitivity: Ratio = 0.5
    refractory_s: Annotated[float, msgspec.Meta(ge=0.2, le=10)] = 2.0
    preroll_ms: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 200
    stop_word: bool = False


class EarconsConfig(Section, frozen=True, kw_only=True):
    """The short sounds: each is Parley's own ("default"), a WAV file of yours, or silent ("")."""

    level_db: Annotated[float, msgspec.Meta(ge=-40, le=6)] = 0.0
    wake: Sound = "default"
    heard: Sound = ""
    follow_up: Sound = "default"
    ended: Sound = "default"
    error: Sound = "default"
    offline: Sound = "default"
    muted: Sound = "default"
    unmuted: Sound = "default"
    timer: AlarmTone = "default"


class TurnConfig(Section, frozen=True, kw_only=True):
    """Turn taking: how the end of the user's turn is found, and how long Parley waits.

    The follow-up keys limit a conversation that continues without the wake word.
    """

    detection: Literal["server_vad", "semantic_vad", "local"] = "server_vad"
    silence_ms: Annotated[int, msgspec.Meta(ge=200, le=3000)] = 600
    vad_threshold: Ratio = 0.5
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    no_speech_timeout_s: Annotated[float, msgspec.Meta(ge=1, le=60)] = 8.0
    follow_up_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 6.0
    follow_up_turns: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 8
    max_turn_s: Annotated[float, msgspec.Meta(ge=5, le=300)] = 60.0
    response_timeout_s: Annotated[float, msgspec.Meta(ge=2, le=120)] = 20.0


class HearingConfig(Section, frozen=True, kw_only=True):
    """Echo cancellation and barge-in: how speech over Parley's own voice is handled."""

    canceller: Literal["software", "hardware"] = "software"
    barge_in: bool = True
    on_suspicion: Literal["hold", "duck"] = "hold"
    duck_db: Annotated[float, msgspec.Meta(ge=3, le=40)] = 18.0
    decision_window_ms: Annotated[int, msgspec.Meta(ge=200, le=1500)] = 500
    preroll_ms: Annotated[int, msgspec.Meta(ge=100, le=2000)] = 500


class RealtimeConfig(Section, frozen=True, kw_only=True):
    """The realtime server: its address, and the session that Parley asks it for.

    Keys of servers are never in the file; `credentials` finds them.
    """

    server: Literal[
        "auto",
        "openai",
        "azure",
        "xai",
        "localai",
        "speech-to-speech",
        "compatible",
        "embedded",
    ] = "auto"
    url: Url = ""
    key_host: Text = ""
    model: Text = ""
    connection: Literal["warm", "on-wake"] = "warm"
    headers: Mapping[str, str] = {}
    voice: Text = ""
    instructions: Instructions = (
        "You are Parley, a friendly voice assistant in a smart speaker. "
        "Answer in one to three short spoken sentences unless asked for more. "
        "If you were interrupted, do not repeat what was already heard."
    )
    language: Language = ""
    transcription_model: Text = ""
    transcription_keywords: Keywords = ()
    noise_reduction: Literal["far_field", "near_field", "off"] = "far_field"
    max_output_tokens: Annotated[int, msgspec.Meta(ge=1, le=4096)] | Literal["inf"] = 4096
    reasoning_effort: Literal["", "minimal", "low", "medium", "high", "xhigh"] = ""
    speed: Annotated[float, msgspec.Meta(ge=0.25, le=1.5)] = 1.0
    context_tokens: Annotated[int, msgspec.Meta(ge=1000, le=120_000)] = 8000
    forget_after_min: Annotated[float, msgspec.Meta(ge=0.5, le=1440)] = 10.0


class McpServerConfig(Section, frozen=True, kw_only=True):
    """An MCP server of functions. `key` is the name of a secret, not its value.

    `where`: the realtime server calls it at `server_url`, or Parley does, at `url` or as `command`.
    """

    label: str = ""
    where: Literal["server", "here"] = "server"
    server_url: str = ""
    url: McpUrl = ""
    command: McpCommand = ()
    allowed_tools: tuple[str, ...] = ()
    approval: Literal["voice", "never"] = "voice"
    ask: ShortList = ()
    never_ask: ShortList = ()
    call_timeout_s: Annotated[float, msgspec.Meta(ge=1, le=60)] = 20.0
    key: str = ""
    key_header: str = ""
    key_variable: str = ""


class SkillsConfig(Section, frozen=True, kw_only=True):
    """The functions that the model may call: local files and MCP servers."""

    folder: Folder = "/etc/parley/skills"
    timeout_s: Annotated[float, msgspec.Meta(ge=0.5, le=30)] = 5.0
    alarm_timeout_s: Annotated[float, msgspec.Meta(ge=30, le=3600)] = 300.0
    mcp: Annotated[tuple[McpServerConfig, ...], msgspec.Meta(max_length=MOST_MCP)] = ()


class LightsConfig(Section, frozen=True, kw_only=True):
    """The LEDs that show Parley's state: their kind, their pins and their brightness."""

    output: Literal["none", "led", "rgb", "apa102", "ws2812", "terminal"] = "none"
    led_pin: Pin = 17
    red_pin: Pin = 17
    green_pin: Pin = 27
    blue_pin: Pin = 22
    active_high: bool = True
    leds: Annotated[int, msgspec.Meta(ge=1, le=64)] = 3
    spi_device: SpiDevice = "/dev/spidev0.0"
    brightness: Ratio = 0.6
    night: TimeOfDayRange = ""
    night_brightness: Ratio = 0.1


class ButtonsConfig(Section, frozen=True, kw_only=True):
    """The GPIO pins of the push button and of the mute switch, if there are any."""

    push_pin: Pin | None = None
    mute_pin: Pin | None = None
    mute_closed_means_muted: bool = True


class HomeConfig(Section, frozen=True, kw_only=True):
    """The place of the speaker in the home."""

    area: Room = ""
    device: DeviceId = ""
    quiet_hours: TimeOfDayRange = ""


class MqttConfig(Section, frozen=True, kw_only=True):
    """The MQTT broker through which Home Assistant finds the speaker.

    Only `parley mqtt` reads it, which is a separate process.
    """

    host: Text = ""
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = 1883
    tls: bool = False
    ca_file: Text = ""
    user: Text = ""
    topic: TopicName = "parley"
    discovery_topic: TopicName = "homeassistant"


class HooksConfig(Section, frozen=True, kw_only=True):
    """Programs of yours that run at events of the speaker."""

    wake: Command = ()
    state: Command = ()
    alarm: Command = ()
    interruption: Command = ()
    time_limit_s: Annotated[float, msgspec.Meta(ge=1, le=300)] = 10.0


class PageConfig(Section, frozen=True, kw_only=True):
    """The page for browsers. Only `parley page` reads it, which is a separate process."""

    host: Text = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=1024, le=65535)] = 8470
    names: HostNames = ()


class GroupConfig(Section, frozen=True, kw_only=True):
    """The speakers of a home that answer as one: those with the same name at the same broker."""

    name: GroupName = ""


class LogConfig(Section, frozen=True, kw_only=True):
    """The log, and the recordings that help to explain a turn.

    By default, neither words nor audio are stored.
    """

    level: Literal["debug", "info", "warning", "error"] = "info"
    record_turns: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    transcripts: bool = False


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file. A missing section has its defaults, or those of the board."""

    board: str = ""
    audio: AudioConfig = AudioConfig()
    playout: PlayoutConfig = PlayoutConfig()
    wake: WakeConfig = WakeConfig()
    earcons: EarconsConfig = EarconsConfig()
    turn: TurnConfig = TurnConfig()
    hearing: HearingConfig = HearingConfig()
    realtime: RealtimeConfig = RealtimeConfig()
    skills: SkillsConfig = SkillsConfig()
    lights: LightsConfig = LightsConfig()
    buttons: ButtonsConfig = ButtonsConfig()
    home: HomeConfig = HomeConfig()
    mqtt: MqttConfig = MqttConfig()
    hooks: HooksConfig = HooksConfig()
    page: PageConfig = PageConfig()
    group: GroupConfig = GroupConfig()
    log: LogConfig = LogConfig()
