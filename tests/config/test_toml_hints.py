"""The usual slips in a TOML file get a hint, and no hint repeats a value."""

import pytest

from parleyd.config.parser import parse
from parleyd.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[realtime]\nmodel = gpt-realtime-2.1-mini\n", 'a text needs quotes: model = "..."'),
        ("[audio]\ncapture = plughw:CARD=Device", 'a text needs quotes: capture = "..."'),
        ("[skills]\nfolder = /etc/skills\n", 'a text needs quotes: folder = "..."'),
        ("[realtime]\nmodel = \u201cgpt\u201d\n", "model has curly quotes, straight ones are"),
        ("[audio]\nvolume=50\nvolume=40\n", "volume is in the file twice, keep one of the lines"),
        ("[audio]\nboot_chime = True\n", "write boot_chime = true or boot_chime = false"),
        ("[audio]\nboot_chime = yes\n", "write boot_chime = true or boot_chime = false"),
        ("[wake]\nsensitivity = 0,5\n", "sensitivity has a comma, a point is expected"),
        ("[audio]\nvolume: 50\n", "write volume = ... instead of volume: ..."),
        ("[audio]\n[mqtt]\n[audio]\n", "[audio] is in the file already, write the keys below it"),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_usual_slip_has_a_hint(text: str, expected: str, ending: str) -> None:
    with pytest.raises(ConfigError) as found:
        parse(text.replace("\n", ending), source="parley.toml")
    (problem,) = found.value.problems
    assert expected in problem


def test_hint_never_repeats_a_value() -> None:
    with pytest.raises(ConfigError) as found:
        parse("[realtime]\nurl = sk-secret\n", source="parley.toml")
    assert "sk-secret" not in str(found.value.problems)
