"""The hosts that may receive a key and the user's voice, by name and by address."""

import pytest

from parleyd.config import hosts
from parleyd.config.servers import PROFILES


@pytest.mark.parametrize(
    "name",
    [
        "127.0.0.1",
        "127.8.8.8",
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.20",
        "169.254.7.7",
        "::1",
        "fd12:3456::1",
        "fe80::1",
        "fe80::1%eth0",
        "::ffff:192.168.1.5",
        "localhost",
        "LOCALHOST",
        "nas",
        "nas.",
        "nas.local",
        "Nas.Local.",
        "a.b.local",
        "nas.lan",
        "nas.home.arpa",
        "nas.internal",
        "db.localhost",
    ],
)
def test_in_house_accepts_private_names_and_addresses(name: str) -> None:
    assert hosts.in_house(name)


@pytest.mark.parametrize(
    "name",
    [
        "8.8.8.8",
        "203.0.113.7",  # documentation: Python calls it private
        "198.18.0.1",
        "192.0.2.1",
        "100.64.0.1",  # the provider's own network, shared by its customers
        "172.32.0.1",
        "172.15.255.255",
        "192.169.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "2001:db8::1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
        "example.org",
        "local.example.org",
        "nas.local.example.org",
        "notlocal.evil.example",
        "home.arpa.evil.example",
        "fritz.box",
        "134744072",  # 8.8.8.8 as one number
        "0x08080808",
        "8.8.2056",
        "",
        ".",
        "a..local",
        "..",
    ],
)
def test_in_house_refuses_anything_else(name: str) -> None:
    assert not hosts.in_house(name)


@pytest.mark.parametrize(
    "url",
    [
        "wss://api.openai.com/v1/realtime",
        "WSS://API.openai.com/v1",
        "wss://host:8443/v1?model=a%20b&max_tokens=3",
        "ws://[fe80::1%25eth0]:8080/v1",
        "ws://192.168.1.5:8080",
        "wss://xn--bcher-kva.example/v1",
        "wss://under_score.example/",
        "wss://host./v1",
    ],
)
def test_flaw_of_a_valid_address_is_empty(url: str) -> None:
    assert hosts.flaw(url) == ""


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://host/v1", "not a WebSocket address"),
        ("192.168.1.5:8080", "not a WebSocket address"),
        ("//host/v1", "not a WebSocket address"),
        ("wss://user:pw@host/", "user name or a password"),
        ("wss://openai.com@evil.example/", "user name or a password"),
        ("wss://evil.example\\@openai.com/", "user name or a password"),
        ("wss://", "no host"),
        ("wss:///v1", "no host"),
        ("wss://h:0/", "no host"),
        ("wss://h:99999/", "host and port"),
        ("wss://h:port/", "host and port"),
        ("wss://[::1/", "host and port"),
        ("wss://a..b/", "no host"),
        ("wss://-a/", "no host"),
        ("wss://" + "a" * 64 + ".example/", "no host"),
        ("wss://%6fpenai.com/", "no host"),
        ("wss://evil.example\\.openai.com/", "no host"),
        ("ws://0x7f000001/", "no host"),
        ("ws://127.1/", "no host"),
        ("ws://2130706433/", "no host"),
        ("wss://host/v1#x", '"#"'),
        ("wss://host/v1#", '"#"'),
        ("wss://exam ple.org/v1", "space"),
        ("wss://host/a b", "space"),
        ("wss://host/\r\nX-A: b", "space"),
        ("wss://\u03bfpenai.com/", "xn--"),  # a Greek omicron
        ("wss://\uff41pi.openai.com/", "xn--"),  # full width
        ("wss://host/\u00fc", "xn--"),
        ("wss://host/v1?api-key=sk-1", "key behind"),
        ("wss://host/v1?api_key=", "key behind"),
        ("wss://host/v1?model=a&access_token=b", "key behind"),
        ("wss://host/v1?key=b", "key behind"),
        ("wss://host/v1?x=sk-0123456789abcdef", "key behind"),
    ],
)
def test_flaw_of_an_invalid_address_is_named(url: str, words: str) -> None:
    assert words in hosts.flaw(url)


@pytest.mark.parametrize(
    ("server", "name"),
    [
        ("openai", "api.openai.com"),
        ("openai", "eu.api.openai.com"),
        ("openai", "API.OPENAI.COM."),
        ("azure", "mine.openai.azure.com"),
        ("azure", "mine.cognitiveservices.azure.com"),
        ("azure", "mine.services.ai.azure.com"),
        ("azure", "eastus.api.cognitive.microsoft.com"),
        ("azure", "mine.openai.azure.us"),
        ("azure", "mine.openai.azure.cn"),
        ("azure", "mine.privatelink.openai.azure.com"),
        ("xai", "api.x.ai"),
        ("xai", "us-east-1.api.x.ai"),
    ],
)
def test_belongs_to_accepts_each_profiles_own_hosts(server: str, name: str) -> None:
    assert hosts.belongs_to(name, PROFILES[server].hosts)
    others = [row for other, row in PROFILES.items() if other != server]
    assert not any(hosts.belongs_to(name, row.hosts) for row in others)


@pytest.mark.parametrize(
    "name",
    [
        "openai.com.evil.example",
        "evilopenai.com",
        "api-openai.com",
        "mine.openai.azure.com.evil.example",
        "notopenai.azure.com",
        "evil.azure.com",
        "x.ai.evil.example",
        "max.ai",
    ],
)
def test_belongs_to_refuses_similar_names(name: str) -> None:
    assert not any(hosts.belongs_to(name, row.hosts) for row in PROFILES.values())


@pytest.mark.parametrize(
    "name",
    [
        *("localhost", "a.localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"),
        *("127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::"),
    ],
)
def test_is_loopback_accepts_only_this_device(name: str) -> None:
    assert hosts.is_loopback(name)
    assert not hosts.is_loopback(f"{name}.evil.example")


def test_normal_lowers_the_host_and_drops_its_last_dot() -> None:
    assert hosts.normal("WSS://Api.OpenAI.com.:443/V1?M=a") == "wss://api.openai.com:443/V1?M=a"
    assert hosts.normal("ws://[FE80::1%25eth0]:80/x") == "ws://[fe80::1%eth0]:80/x"


@pytest.mark.parametrize(
    "url",
    [
        "wss://user:s3cret@host/v1",
        "user:s3cret@host",
        "wss://host/v1?key=s3cret",
        "wss://host/v1#s3cret",
        "wss://a@s3cret@host/",
    ],
)
def test_without_secrets_hides_them(url: str) -> None:
    assert "s3cret" not in hosts.without_secrets(url)
    assert "host" in hosts.without_secrets(url)


def test_without_secrets_is_one_short_line() -> None:
    told = hosts.without_secrets("wss://host/\x1b[31m\r\n\u202e" + "x" * 500)
    assert told.isprintable()
    assert len(told) < 150
