"""The proxy of the environment: its addresses, and its notation."""

import pytest

from parleyd.realtime import proxies

WSS = "wss://api.openai.com/v1/realtime?model=m"
WS = "ws://nas.lan:8080/v1"


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        (WSS, {}, None),
        (WSS, {"https_proxy": "http://p:3128"}, "http://p:3128"),
        (WSS, {"HTTPS_PROXY": "http://p:3128"}, "http://p:3128"),
        (WSS, {"HTTPS_PROXY": "http://big:1", "https_proxy": "http://small:2"}, "http://small:2"),
        (WSS, {"HTTPS_PROXY": "http://big:1", "https_proxy": ""}, None),
        (WSS, {"http_proxy": "http://p:3128"}, None),
        (WSS, {"all_proxy": "http://p:3128"}, "http://p:3128"),
        (WSS, {"ALL_PROXY": "socks://127.0.0.1:1080/"}, "socks5h://127.0.0.1:1080/"),
        (WSS, {"all_proxy": "http://a:1", "https_proxy": "http://b:2"}, "http://b:2"),
        (WSS, {"socks_proxy": "socks5://s:1", "https_proxy": "http://b:2"}, "socks5://s:1"),
        (WSS, {"socks_proxy": "http://s:1"}, "socks5h://s:1"),
        (WSS, {"socks_proxy": "s:1"}, "socks5h://s:1"),
        (WSS, {"wss_proxy": "http://w:1", "socks_proxy": "socks5://s:1"}, "http://w:1"),
        (WSS, {"https_proxy": "p:3128"}, "http://p:3128"),
        (WSS, {"https_proxy": " HTTP://P:3128 "}, "http://P:3128"),
        (WSS, {"https_proxy": "http://me:p%40ss@p:1"}, "http://me:p@ss@p:1"),
        (WSS, {"https_proxy": "http://me:p%2Fss@p:1"}, "http://me:p%2Fss@p:1"),
        (WSS, {"https_proxy": "http://me@p:1"}, "http://me:@p:1"),
        (WS, {"http_proxy": "http://p:3128"}, "http://p:3128"),
        (WS, {"http_proxy": "http://a:1", "https_proxy": "http://b:2"}, "http://b:2"),
    ],
)
def test_proxy_for_an_address_comes_from_the_environment(
    url: str, environ: dict[str, str], proxy: str | None
) -> None:
    assert proxies.proxy_for(url, environ) == proxy


@pytest.mark.parametrize(
    "url",
    ["ws://127.0.0.1:9", "ws://127.3.2.1:9", "ws://[::1]:9", "ws://localhost:9", "wss://LocalHost"],
)
@pytest.mark.parametrize("name", ["http", "https", "all", "socks", "ws", "wss"])
def test_proxy_for_this_device_is_none(url: str, name: str) -> None:
    assert proxies.proxy_for(url, {f"{name}_proxy": "http://p:1"}) is None


@pytest.mark.parametrize(
    ("url", "no_proxy", "bypassed"),
    [
        (WSS, "*", True),
        (WSS, "openai.com", True),
        (WSS, ".openai.com", True),
        (WSS, "*.openai.com", True),
        (WSS, "API.OpenAI.com", True),
        (WSS, "x.org, openai.com", True),
        (WSS, "x.org openai.com", True),
        (WSS, "api.openai.com:443", True),
        (WSS, "api.openai.com:80", False),
        (WSS, "penai.com", False),
        (WSS, "ai.com", False),
        (WSS, "", False),
        (WSS, ",", False),
        ("ws://192.168.1.20:8080", "192.168.1.20", True),
        ("ws://192.168.1.20:8080", "192.168.1.20:8080", True),
        ("ws://192.168.1.20:8080", "192.168.0.0/16", True),
        ("ws://192.168.1.20:8080", "10.0.0.0/8", False),
        ("ws://[fd00::7]:8080", "fd00::/8", True),
        ("ws://[fd00::7]:8080", "[fd00::7]", True),
        ("ws://[fd00::7]:8080", "fd00::7", True),
        ("ws://[fd00::7]:8080", "[fd00::7]:8080", True),
        ("ws://nas.lan:8080", "lan", True),
    ],
)
@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_no_proxy_accepts_names_ports_and_networks(
    url: str, no_proxy: str, bypassed: bool, name: str
) -> None:
    environ = {"all_proxy": "http://p:1", name: no_proxy}
    assert (proxies.proxy_for(url, environ) is None) is bypassed


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("http://p:3128", ""),
        ("https://p", ""),
        ("ftp://p:1", "scheme is unknown"),
        ("http://p:port", "cannot be read"),
        ("http://p:99999", "cannot be read"),
        ("http://", "cannot be read"),
        ("http://p:1/path", "cannot be read"),
        ("http://p:1?x", "cannot be read"),
        ("http://[::1", "cannot be read"),
        ("'http://p:1'", "scheme is unknown"),
    ],
)
def test_flaw_of_a_proxy_is_named(proxy: str, words: str) -> None:
    assert words in proxies.flaw(proxy)
    assert bool(words) is bool(proxies.flaw(proxy))


def test_flaw_of_socks_without_its_package_names_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(proxies, "find_spec", lambda name: None)
    assert "python-socks" in proxies.flaw("socks5://p:1")
    monkeypatch.setattr(proxies, "find_spec", lambda name: object())
    assert proxies.flaw("socks5://p:1") == ""


@pytest.mark.parametrize(
    "proxy", ["http://me:s3cret@p:1", "http://me:s3@cret@p:1", "socks5://s3cret@p:1"]
)
def test_shown_proxy_has_no_password(proxy: str) -> None:
    told = proxies.shown(proxy)
    assert "cret" not in told
    assert told.endswith("//p:1")
