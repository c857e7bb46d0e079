"""The configuration: all problems at once, each with the allowed values; no secret is shown."""

import os
from importlib.resources import files
from pathlib import Path

import pytest

from parleyd import config
from parleyd.errors import ConfigError

DEFAULT = files("parleyd.config").joinpath("default.toml").read_text("utf-8")


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        config.parse(text)
    return list(caught.value.problems)


def test_parse_reports_all_problems_with_the_allowed_values() -> None:
    text = """
    [audio]
    lead_ms = 5
    captur = "hw:1"
    playback_rate_hz = 22050
    [wak]
    engine = "x"
    [wake]
    keywords = []
    sensitivity = "high"
    [buttons]
    push_pin = 99
    """
    told = problems(text)
    assert told == [
        "audio.lead_ms: 5 is not allowed, allowed is a whole number from 20 to 200",
        "audio.captur: is unknown, did you mean capture?",
        "audio.playback_rate_hz: 22050 is not allowed, allowed is 16000 or 24000 or 44100 or 48000",
        "section [wak]: is unknown, did you mean wake?",
        "wake.keywords: [] is not allowed, allowed is a list of strings with 1 to 8 entries",
        "wake.sensitivity: 'high' is not allowed, allowed is a number from 0.0 to 1.0",
        "buttons.push_pin: 99 is not allowed, allowed is a whole number from 0 to 27",
    ]


def test_parse_accepts_an_integer_for_a_number() -> None:
    assert config.parse("[turn]\nfollow_up_s = 5").turn.follow_up_s == 5.0


def test_parse_reports_problems_across_keys() -> None:
    told = problems("[lights]\noutput='led'\nled_pin=23\n[buttons]\npush_pin=23\nmute_pin=23")
    assert len(told) == 2
    assert all("already used by buttons.push_pin" in line for line in told)


@pytest.mark.parametrize("name", ["Authorization", "api-key"])
def test_parse_key_in_the_file_is_refused_and_hidden(name: str) -> None:
    (told,) = problems(f'[realtime]\nheaders = {{ {name} = "Bearer sk-secret" }}')
    assert "sk-secret" not in told
    assert "OPENAI_API_KEY" in told


def test_parse_wrong_address_is_named() -> None:
    (told,) = problems('[realtime]\nurl = "https://example.org"')
    assert told.startswith("realtime.url: 'https://example.org' is not a WebSocket address")


def test_load_of_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    for path, words in (
        (tmp_path / "none.toml", "cannot be read"),
        (tmp_path, "cannot be read"),
    ):
        with pytest.raises(ConfigError, match=words):
            config.load(path)
    broken = tmp_path / "broken.toml"
    broken.write_text("[audio\n")
    with pytest.raises(ConfigError, match="not valid TOML"):
        config.load(broken)
    # the installed file has all sections, and examples on the pages begin with one
    broken.write_text("[mqtt]\n[log]\n[mqtt]\nhost = 'broker'\n")
    with pytest.raises(ConfigError, match=r"\[mqtt\] is in the file already, write the keys"):
        config.load(broken)
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="not UTF-8"):
        config.load(broken)
    assert config.load(None) == config.Config()


def test_secret_prefers_a_credential_over_the_environment(tmp_path: Path) -> None:
    environ = {"OPENAI_API_KEY": " from-environment\n"}
    assert config.secret("OPENAI_API_KEY", environ) == "from-environment"
    assert config.secret("OPENAI_API_KEY", {}) is None
    assert config.secret("OPENAI_API_KEY", {"OPENAI_API_KEY": " "}) is None
    (tmp_path / "openai_api_key").write_text("from-credential\n")
    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    assert config.secret("OPENAI_API_KEY", environ) == "from-credential"
    (tmp_path / "openai_api_key").write_bytes(b"\xff")
    assert config.secret("OPENAI_API_KEY", environ) == "from-environment"


HOME = "[[skills.mcp]]\nlabel = 'home'\nserver_url = 'https://mcp.example.org/mcp'\n"


def test_mcp_servers_need_approval_unless_configured() -> None:
    text = HOME + "[[skills.mcp]]\nlabel='b'\nserver_url='https://b.example'\napproval='never'"
    home, other = config.parse(text).skills.mcp
    assert (home.label, home.approval, home.allowed_tools) == ("home", "voice", ())
    assert other.approval == "never"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HOME + "approval = 'always'", "skills.mcp[1].approval: 'always' is not allowed"),
        (HOME + "authorization = 'sk-secret'", "skills.mcp[1].authorization: is unknown"),
        (HOME + "key = 'sk-secret'", "skills.mcp[1].key: is not a name"),
        (HOME + "key_header = 'X-Key'", "skills.mcp[1].key: is missing"),
        (HOME + HOME, "skills.mcp[2].label: 'home' is not allowed"),
        (HOME.replace("https", "http"), "skills.mcp[1].server_url: is not a plain https address"),
        (
            HOME.replace("/mcp'", "/mcp?k=sk-secret'"),
            "skills.mcp[1].server_url: is not a plain https address",
        ),
        (
            HOME.replace("mcp.", "u:sk-secret@mcp."),
            "skills.mcp[1].server_url: is not a plain https address",
        ),
        ("[[skills.mcp]]\nlabel = 'x y'", "skills.mcp[1].label"),
        (HOME * 9, "skills.mcp: "),
        ("[skills]\nmcp = ['https://mcp.example.org']", "skills.mcp: "),
        ("[realtime]\nserver = 'embedded'\n" + HOME, "'openai' or 'azure'"),
        ("[realtime]\nserver = 'xai'\n" + HOME, '"xai" does not call remote servers'),
    ],
)
def test_mcp_problem_is_reported_without_secrets(text: str, told: str) -> None:
    lines = problems(text)
    assert any(told in line for line in lines)
    assert "sk-secret" not in str(lines)


# --- several mistakes, and consequences of one ----------------------------------------------


def test_parse_reports_mistakes_of_all_sections_at_once() -> None:
    text = """
    board = "xyz"
    [audio]
    volume = 101
    [realtime]
    server = "azure"
    headers = { "X-A" = "Küche" }
    [buttons]
    push_pin = 5
    mute_pin = 5
    [[skills.mcp]]
    label = "ho me"
    server_url = "http://x"
    approval = "always"
    """
    starts = [line.split(":")[0] for line in problems(text)]
    assert starts == [
        "board",
        "audio.volume",
        "skills.mcp[1].approval",
        "buttons.mute_pin",
        "realtime.url",
        "realtime.model",
        "realtime.headers.X-A",
        "skills.mcp[1].label",
        "skills.mcp[1].server_url",
    ]


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("[realtime]\nserver='azure'\nurl=5\nmodel='m'", ["realtime.url"]),
        ("[realtime]\nserver='azure'\nurll='wss://x'\nmodel='m'", ["realtime.urll"]),
        ("[realtime]\nserver='azur'", ["realtime.server"]),
        ("[realtim]\nserver='azure'", ["section [realtim]"]),
        ("[buttons]\npush_pin=99\n[lights]\noutput='led'\nled_pin=17", ["buttons.push_pin"]),
        ("[lights]\noutput='leds'\n[buttons]\npush_pin=17", ["lights.output"]),
        ("[[skills.mcp]]\nlabel=5\nserver_url='https://x.org'", ["skills.mcp[1].label"]),
        ("realtime = 5", ["realtime"]),
        ("url = 'wss://x.org'\nserver = 'azure'", ["url", "server"]),
    ],
)
def test_parse_omits_problems_that_follow_from_another(text: str, keys: list[str]) -> None:
    assert [line.split(":")[0] for line in problems(text)] == keys


def test_parse_names_the_section_of_a_misplaced_key() -> None:
    assert problems("volume = 3") == ["volume: is unknown, it is a key of [audio]"]
    assert "above the first [section]" in problems("[audio]\nboard = 'usb-gpio'")[0]


@pytest.mark.parametrize(
    "text",
    ["openai_api_key = 'pw'", "[realtime]\napi_key = 'pw'", "[wake]\naccess_key = 'pw'"],
)
def test_parse_says_where_a_key_belongs(text: str) -> None:
    (told,) = problems(text)
    assert "a key must not be in the file, allowed is a file in /etc/parley" in told
    assert "pw" not in told


# --- the realtime server: clear text, hosts, headers --------------------------------------


def server(kind: str, url: str, more: str = "") -> str:
    return f'[realtime]\nserver = "{kind}"\nmodel = "m"\nurl = "{url}"\n{more}'


@pytest.mark.parametrize(
    ("kind", "url"),
    [
        ("compatible", "ws://127.0.0.1:8080/v1"),
        ("compatible", "ws://[::1]:8080/v1"),
        ("compatible", "ws://192.168.1.20/v1"),
        ("compatible", "ws://[fd00::7]/v1"),
        ("localai", "ws://nas.local:8080/v1"),
        ("localai", "ws://nas:8080/v1"),
        ("speech-to-speech", "ws://nas.home.arpa/v1"),
        ("compatible", "wss://example.org/v1"),
        ("openai", "wss://eu.api.openai.com/v1/realtime"),
        ("azure", "wss://r.cognitiveservices.azure.com/openai/v1/realtime"),
        ("xai", "wss://us-east-1.api.x.ai/v1/realtime"),
    ],
)
def test_url_that_keeps_the_key_safe_is_accepted(kind: str, url: str) -> None:
    assert config.parse(server(kind, url)).realtime.url == url


@pytest.mark.parametrize(
    ("kind", "url", "words"),
    [
        ("openai", "ws://api.openai.com/v1", "OPENAI_API_KEY in clear text"),
        ("auto", "ws://api.openai.com/v1", "OPENAI_API_KEY in clear text"),
        ("azure", "ws://r.openai.azure.com/v1", "AZURE_OPENAI_API_KEY in clear text"),
        ("azure", "ws://127.0.0.1:1/v1", "is not an address of Azure"),
        ("azure", "wss://evil.example/v1", "is not an address of Azure"),
        ("xai", "wss://api.openai.com/v1", "is not an address of xAI"),
        ("openai", "wss://api.x.ai/v1", "is not an address of OpenAI"),
        ("openai", "wss://openai.com.evil.example/v1", "is not an address of OpenAI"),
        ("openai", "wss://openai.com@evil.example/v1", "user name"),
        ("compatible", "ws://example.org/v1", "out of the house"),
        ("localai", "ws://203.0.113.7/v1", "out of the house"),
        ("speech-to-speech", "ws://100.64.0.1/v1", "out of the house"),
        ("compatible", "WS://Example.ORG./v1", "out of the house"),
        ("compatible", "wss://u:pw@example.org/v1", "user name"),
        ("compatible", "wss://example.org/v1?api-key=pw", "key behind"),
        ("embedded", "wss://example.org/v1", "not used by"),
    ],
)
def test_url_that_would_expose_the_key_is_refused(kind: str, url: str, words: str) -> None:
    (told,) = problems(server(kind, url))
    assert told.startswith("realtime.url: ")
    assert words in told
    assert "pw" not in told


def test_key_host_gives_the_key_to_one_named_host() -> None:
    gateway = "wss://gateway.example/openai/v1/realtime"
    named = server("azure", gateway, 'key_host = "Gateway.Example"')
    assert config.parse(named).realtime.key_host == "Gateway.Example"
    for other in ("gateway.example.org", "example", "*.example", "wss://gateway.example"):
        told = problems(server("azure", gateway, f'key_host = "{other}"'))
        assert [line.split(":")[0] for line in told] == ["realtime.url", "realtime.key_host"]
    (told,) = problems(server("azure", gateway.replace("wss", "ws"), 'key_host="gateway.example"'))  # type: ignore[assignment]
    assert "clear text" in told


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ('"X-Api-Key" = "pw"', "must not be in the file"),
        ('"X-Auth-Token" = "pw"', "must not be in the file"),
        ('"X-Own" = "Bearer pw"', "must not be in the file"),
        ('"Host" = "pw"', "set by Parley"),
        ('"Cookie" = "pw"', "set by Parley"),
        ('"X-A" = "pw\\r\\nX-Evil: 1"', "line break"),
        ('"X-A\\r\\nX-Evil" = "pw"', "not a header name"),
        ('"X-A" = "pw", "X-B" = 3', "allowed is a table of texts"),
        ('"X-A" = "1", "x-a" = "pw"', "occurs twice"),
    ],
)
def test_header_that_is_refused_shows_no_value(headers: str, words: str) -> None:
    (told,) = problems(f"[realtime]\nheaders = {{ {headers} }}")
    assert words in told
    assert "pw" not in told
    assert told.isprintable()


@pytest.mark.parametrize(
    "key",
    [
        "OPENAI_API_KEY",
        "AZURE_OPENAI_API_KEY",
        "XAI_API_KEY",
        "REALTIME_API_KEY",
        "PICOVOICE_ACCESS_KEY",
    ],
)
def test_mcp_key_of_another_server_is_refused(key: str) -> None:
    (told,) = problems(HOME + f"key = '{key}'")
    assert told.startswith(f"skills.mcp[1].key: {key} is only sent to ")


def test_mcp_key_is_shared_by_one_host_only() -> None:
    keyed = HOME + "key = 'HOME_KEY'\n"
    same = keyed.replace("'home'", "'again'").replace("/mcp'", "/other'")
    assert len(config.parse(keyed + same).skills.mcp) == 2
    (told,) = problems(keyed + keyed.replace("'home'", "'b'").replace("mcp.example", "b.example"))
    assert told.startswith("skills.mcp[2].key: HOME_KEY is the key of skills.mcp[1]")


@pytest.mark.parametrize("header", ["X Key", "X:", "Host", "Cookie", "Ü"])
def test_mcp_key_header_with_an_invalid_name_is_refused(header: str) -> None:
    (told,) = problems(HOME + f"key = 'HOME_KEY'\nkey_header = '{header}'")
    assert told.startswith("skills.mcp[1].key_header: ")


# --- absurd values and names ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[audio]\ncapture = "a\\u0000b"', "control character '\\x00'"),
        ('[audio]\ncapture = "plughw:CARD=A\\nB"', "control character '\\n'"),
        ('[audio]\nplayback = ""', "the name of a card"),
        ('[realtime]\nmodel = "a\\u001b[31m"', "control character '\\x1b'"),
        ('[realtime]\nlanguage = "english"', "a code such as"),
        ('[realtime]\nlanguage = "en\\n"', "a code such as"),
        ('[realtime]\nurl = "wss://u:pw@h/\\r\\nX"', "control character"),
        ('[realtime]\nurl = ["wss://u:pw@h/"]', "allowed is wss://..."),
        ('[wake]\nkeywords = ["a\\u0007"]', "control character '\\x07'"),
        ('[lights]\nnight = "22:00-07:00\\n"', '"22:00-07:00" or ""'),
        ('[lights]\nspi_device = "hello"', "/dev/spidev0.0"),
        ('[skills]\nfolder = ""', "a path from the root"),
        ('[skills]\nfolder = "skills"', "a path from the root"),
        ("[wake]\nsensitivity = nan", "a number from 0.0 to 1.0"),
        ("[audio]\nmixer_db = inf", "a number from -60 to 20"),
        ("[skills.mcp]\nlabel='pw'", "[[skills.mcp]]"),
        ('[audio]\n"vol\\u001b[31mume" = 3', "'vol\\x1b[31mume'"),
        ('[audio]\n"a\\nb" = 1', "'a\\nb'"),
        ('["\\u202e"]', "'\\u202e'"),
        ("[audio]\n" + "k" * 5000 + " = 1", "is unknown"),
        ('[audio]\nplayback_rate_hz = "' + "y" * 3000 + '"', "16000 or 24000"),
        ('[realtime]\ninstructions = "' + "x" * 50_001 + '"', "50000 characters"),
        ("[realtime]\nmax_output_tokens = 0", "from 1 to 4096 or 'inf'"),
        ('[realtime]\nmax_output_tokens = "infinite"', "from 1 to 4096 or 'inf'"),
        ('[realtime]\nreasoning_effort = "none"', "'minimal' or 'low'"),
        ("[realtime]\nspeed = 2", "a number from 0.25 to 1.5"),
        ("[realtime]\ncontext_tokens = 0", "a whole number from 1000 to 120000"),
        ("[realtime]\nforget_after_min = 0", "a number from 0.5 to 1440"),
        ("[turn]\nvad_threshold = 1.5", "a number from 0.0 to 1.0"),
        ('[realtime]\ntranscription_keywords = [""]', "at most 100 texts"),
        ('[realtime]\ntranscription_keywords = ["Zoë"]', "transcription_model is off"),
        (
            '[realtime]\ntranscription_model = "gpt-realtime-whisper"\n'
            'transcription_keywords = ["Zoë"]',
            "'gpt-realtime-whisper' takes none",
        ),
        ('board = "max98357a-i2s"\n[buttons]\npush_pin = 18', "GPIO 18 is the bit clock"),
    ],
)
def test_parse_absurd_value_is_one_short_line(text: str, words: str) -> None:
    (told,) = problems(text)
    assert words in told
    assert told.isprintable()
    assert len(told) < 500
    assert "pw" not in told


def test_instructions_may_have_lines_and_any_script() -> None:
    text = '[realtime]\ninstructions = "One.\\nTwo.\\tDrei: Küche, 台所, 👩\\u200d🍳"'
    assert config.parse(text).realtime.instructions.startswith("One.\nTwo.")


# --- files --------------------------------------------------------------------------------


def test_load_of_a_file_from_other_systems_works(tmp_path: Path) -> None:
    path = tmp_path / "parley.toml"
    for data in (b"\xef\xbb\xbf[audio]\r\nvolume = 3\r\n", b"[audio]\rvolume = 3\r"):
        path.write_bytes(data)
        assert config.load(path).audio.volume == 3


def test_load_of_a_pipe_or_device_returns_at_once(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    for path in (pipe, Path("/dev/zero"), Path("/dev/null")):
        with pytest.raises(ConfigError, match="is a pipe or a device"):
            config.load(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        config.load(Path("/proc/self/mem"))


def test_load_of_a_huge_file_reads_only_its_start(tmp_path: Path) -> None:
    path = tmp_path / "big.toml"
    with path.open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(ConfigError, match="is longer than 1000000 bytes"):
        config.load(path)


def test_load_names_a_path_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        config.load(tmp_path / "a\nb\x1b[31m")
    assert caught.value.problems[0].isprintable()


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('host = "broker.example.org"\nuser = "me"', "mqtt.tls: false would send the password in"),
        ('host = "8.8.8.8"\nuser = "me"', "mqtt.tls: false would send the password in clear text"),
        ('host = "broker"\nca_file = "/etc/ca.pem"', "mqtt.ca_file: needs mqtt.tls = true"),
        ('topic = "a#"', "mqtt.topic: "),
        ('topic = "/a"', "mqtt.topic: "),
        ('discovery_topic = ""', "mqtt.discovery_topic: "),
        ("port = 0", "mqtt.port: "),
        ('host = "mqtt://192.168.1.5"', "mqtt.host: 'mqtt://192.168.1.5' is no name or address"),
        ('host = "mqtt://me:pw@broker"', "mqtt.host: 'mqtt://...@broker' is no name or address"),
        ('host = "192.168.1.5:1883"', "mqtt.host: '192.168.1.5:1883' is no name or address"),
        ('host = "[::1]"', "mqtt.host: '[::1]' is no name or address"),
        ('host = " broker"', "mqtt.host: ' broker' is no name or address"),
        ('host = "a..b"', "mqtt.host: 'a..b' is no name or address"),
        (f'host = "{"x" * 64}.local"', "mqtt.host: "),
    ],
)
def test_an_odd_broker_is_named(toml: str, problem: str) -> None:
    (told,) = problems(f"[mqtt]\n{toml}\n")
    assert told.startswith(problem)
    assert "allowed is" in told or "needs" in told


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ('[wake]\nkeywords = ["computer.json"]', "wake.keywords: 'computer.json' is no path from"),
        (
            '[wake]\nkeywords = ["~/computer.ppn"]',
            "wake.keywords: '~/computer.ppn' is no path from",
        ),
        ('[wake]\nkeywords = ["alexa", "alexa"]', "wake.keywords: two words are called 'alexa'"),
        (
            '[wake]\nkeywords = ["/a/w.json", "/b/w.json"]',
            "wake.keywords: two words are called 'w'",
        ),
        ('[wake]\nkeywords = ["/a/alexa.json", "alexa"]', "wake.keywords: two words are called"),
        ('[home]\nquiet_hours = "22:00-22:00"', "home.quiet_hours: '22:00-22:00' ends when it"),
        ('[lights]\nnight = "00:00-00:00"', "lights.night: '00:00-00:00' ends when it begins"),
    ],
)
def test_a_word_or_an_hour_with_two_meanings_is_named(toml: str, problem: str) -> None:
    (told,) = problems(f"{toml}\n")
    assert told.startswith(problem)
    assert "allowed is" in told


@pytest.mark.parametrize("host", ["broker", "Broker.local.", "fe80::1%eth0"])
def test_a_broker_may_have_a_name_or_an_address(host: str) -> None:
    assert config.parse(f'[mqtt]\nhost = "{host}"\n').mqtt.host == host


@pytest.mark.parametrize("host", ["broker", "broker.local", "192.168.1.5", "fd00::1", "localhost"])
def test_a_password_for_a_broker_in_the_house_needs_no_tls(host: str) -> None:
    assert config.parse(f'[mqtt]\nhost = "{host}"\nuser = "me"\n').mqtt.user == "me"


@pytest.mark.parametrize(
    ("toml", "beginning"),
    [
        ('[group]\nname = "home"', "group.name: needs a broker"),
        ('[mqtt]\nhost = "b"\n[group]\nname = "a/b"', "group.name: 'a/b' is not allowed"),
        ('[mqtt]\nhost = "b"\n[group]\nname = "+"', "group.name: '+' is not allowed"),
        (f'[mqtt]\nhost = "b"\n[group]\nname = "{"x" * 41}"', "group.name: "),
    ],
)
def test_group_needs_a_broker_and_a_name_for_a_topic(toml: str, beginning: str) -> None:
    (found,) = problems(toml)
    assert found.startswith(beginning)
