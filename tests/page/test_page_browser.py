"""The page in a real browser: sight, hands, keyboard and screen reader of its users."""

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from parleyd.core.states import Indication
from parleyd.lights.patterns import LED_PATTERNS
from parleyd.lights.terminal import on_screen
from tests.page import scenes
from tests.page.chromium import Tab, needs_browser, tab
from tests.page.page_rig import TOKEN, PageProcess, PageRig, Speaker, until

pytestmark = [pytest.mark.slow, needs_browser]

HTML = files("parleyd.page").joinpath("page.html").read_text("utf-8")
TEXT = "[audio]\nvolume = 40   # Anna's\n"
PHONE, DESKTOP = (375, 812), (1280, 900)


class Setting:
    """A speaker with turns and timers, the page, and a browser that has signed in."""

    def __init__(self, place: PageRig, browser: Tab) -> None:
        self.speaker: Speaker = place.speaker()
        self.speaker.turns, self.speaker.timers = scenes.TURNS[:1], scenes.TIMERS
        self.page: PageProcess = place.page(TEXT)
        self.tab = browser
        self.tab.shape(*PHONE, dark=False)
        self.tab.open(f"http://127.0.0.1:{self.page.port}/")
        self.tab.wait("!$('entrance').hidden")

    def sign_in(self) -> None:
        self.tab.type(TOKEN)  # the field has the focus
        self.tab.key("Enter")
        self.tab.wait("$('word').textContent === 'idle'")

    def click(self, name: str) -> None:
        self.tab.run(f"document.getElementById({json.dumps(name)}).click()")

    def set(self, name: str, value: object) -> None:
        """Change a setting as a user does."""
        found = f"document.getElementById({json.dumps(name)})"
        self.tab.run(
            f"{found}.value = {json.dumps(value)}; {found}.dispatchEvent(new Event('input'))"
        )


@pytest.fixture
def setting(place: PageRig, tmp_path: Path) -> Iterator[Setting]:
    with tab(tmp_path) as browser:
        found = Setting(place, browser)
        yield found
        assert browser.errors == []


def test_token_opens_the_page_and_signing_out_closes_it(setting: Setting) -> None:
    setting.tab.type("not the token")
    setting.tab.key("Enter")
    setting.tab.wait("$('wrong').textContent.includes('not the token')")
    setting.tab.run("$('token').value = ''")
    setting.sign_in()
    assert TOKEN not in setting.tab.run("document.documentElement.outerHTML + location.href")
    assert setting.tab.run("document.cookie + Object.keys(localStorage)") == ""
    setting.tab.open(f"http://127.0.0.1:{setting.page.port}/")  # the session outlives the tab
    setting.tab.wait("$('word').textContent === 'idle'")
    setting.click("logout")
    setting.tab.wait("!$('entrance').hidden && $('page').hidden")
    until(lambda: not setting.speaker.server.measures, "the end of the stream")


def test_state_microphone_and_volume_follow_the_daemon_and_command_it(setting: Setting) -> None:
    setting.sign_in()
    speaker, page = setting.speaker, setting.tab
    speaker.show("error", "no sound card: <b>plug</b> one in")
    page.wait("$('word').textContent === 'error' && $('light').dataset.state === 'error'")
    assert page.run("$('detail').textContent") == "no sound card: <b>plug</b> one in"
    setting.click("mute")
    page.wait("!$('closed').hidden && $('listen').disabled")
    assert "50 min" in page.run("$('why').textContent")
    setting.click("unmute")
    page.wait("!$('closing').hidden")
    speaker.by_switch = True
    speaker.show("muted")
    page.wait("$('unmute').disabled && $('why').textContent.includes('switch')")
    speaker.by_switch = False
    speaker.show("idle")
    page.wait("!$('volume').disabled && $('percent').textContent === '70 %'")
    page.run("$('volume').focus()")
    page.key("ArrowRight")
    until(lambda: speaker.volume == 75, "the volume from the keyboard")
    speaker.volume = 20
    page.wait("$('percent').textContent === '20 %'")
    speaker.close()
    page.wait("$('word').textContent === 'no connection' && $('listen').disabled")


def test_setting_is_changed_previewed_and_saved(setting: Setting, place: PageRig) -> None:
    setting.sign_in()
    page = setting.tab
    setting.set("audio.volume", 55)
    setting.set("lights.night", "22-7")
    page.wait("$('count').textContent === '2 changes'")
    setting.click("preview")
    page.wait("$('dialog').open && $('problems').textContent.includes('22:00-07:00')")
    assert page.run("$('save').hidden")
    setting.click("back")
    setting.set("lights.night", "22:00-07:00")
    setting.click("preview")
    page.wait("$('dialog').open && !$('problems').textContent")
    assert page.run("$('save').hidden"), "nothing may write the file"
    assert "sudo systemctl reload parleyd" in page.run("$('hint').textContent")
    setting.click("back")
    place.saving(setting.page)
    page.open(f"http://127.0.0.1:{setting.page.port}/")
    page.wait("$('word').textContent === 'idle' && settings.saves")
    setting.set("audio.volume", 55)
    setting.click("preview")
    page.wait("$('dialog').open && !$('save').hidden")
    assert page.run("$('diff').textContent").splitlines() == [
        "[audio]", "- volume = 40   # Anna's", "+ volume = 55   # Anna's",
    ]  # fmt: skip
    setting.click("save")
    page.wait("$('said').textContent.startsWith('Saved') && $('bar').hidden")
    assert setting.page.config.read_text().startswith("[audio]\nvolume = 55   # Anna's\n")


def test_page_that_is_hidden_asks_for_nothing(setting: Setting) -> None:
    setting.sign_in()
    until(lambda: setting.speaker.server.measures, "levels")
    hide = "Object.defineProperty(document, 'hidden', {value: true, configurable: true});"
    setting.tab.run(hide + "document.dispatchEvent(new Event('visibilitychange'))")
    until(lambda: not setting.speaker.server.measures, "the end of the stream")
    show = "Object.defineProperty(document, 'hidden', {value: false});"
    setting.tab.run(show + "document.dispatchEvent(new Event('visibilitychange'))")
    until(lambda: setting.speaker.server.measures, "levels again")


def test_keyboard_reaches_everything_and_a_screen_reader_names_it(setting: Setting) -> None:
    setting.sign_in()
    setting.tab.run("document.activeElement.blur()")
    reached = []
    for _ in range(40):
        setting.tab.key("Tab")
        reached.append(
            setting.tab.run("document.activeElement.id || document.activeElement.tagName")
        )
    for name in ("logout", "listen", "stop", "minutes", "mute", "volume", "SUMMARY"):
        assert name in reached
    setting.tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    setting.tab.wait("bars[0].value.textContent !== ''")
    named = setting.tab.accessible()
    controls = {"button", "slider", "combobox", "checkbox", "spinbutton", "textbox", "meter"}
    nameless = [role for role, name in named if role in controls and not name]
    assert nameless == []
    for wanted in (
        ("button", "Listen"),
        ("slider", "Volume"),
        ("meter", "microphone"),
        ("columnheader", "To answer"),
        ("checkbox", "hearing.barge_in"),
        ("heading", "Last interruption"),
    ):
        assert wanted in named


def test_policy_stops_what_a_hole_would_need(setting: Setting) -> None:
    """A script that gets into the page neither runs nor reaches another host."""
    setting.sign_in()
    ran = setting.tab.run(
        """(async () => {
          const script = document.createElement('script');
          script.textContent = 'window.ran = true';
          document.body.append(script);
          const image = document.createElement('div');
          image.innerHTML = '<img src=x onerror="window.ran = true">';
          document.body.append(image);
          const sent = await fetch('http://127.0.0.2:1/').then(() => 1, () => 0);
          await new Promise((done) => setTimeout(done, 200));
          return String(window.ran) + sent;
        })()"""
    )
    assert ran == "undefined0"
    assert setting.tab.errors, "the browser reports each refusal"
    setting.tab.errors.clear()


def test_light_has_the_colours_of_the_device() -> None:
    for indication in Indication:
        hue = LED_PATTERNS[indication].hue
        if any(hue):
            colour = "#{:02x}{:02x}{:02x}".format(*on_screen(hue))
            rule = rf"\[data-state={indication}\][^{{}}]*{{ --glow: {colour}; }}"
            assert re.search(rule, HTML), f"{indication} is {colour}"
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", HTML)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_page_fits_phone_and_desktop(setting: Setting, dark: bool) -> None:
    setting.sign_in()
    scenes.interruption(setting.speaker)
    setting.speaker.turn(**scenes.TURNS[2])
    setting.speaker.levels = scenes.levels(-1.3)
    setting.speaker.show("speaking")
    setting.tab.wait("!$('shot').hidden && $('word').textContent === 'speaking'")
    for size in (PHONE, DESKTOP):
        setting.tab.shape(*size, dark=dark)
        setting.tab.wait(
            "$('chart').firstChild.getAttribute('viewBox').split(' ')[2] == $('chart').clientWidth"
        )
        assert setting.tab.run("document.documentElement.scrollWidth") == size[0]
        small = setting.tab.run(
            "[...document.querySelectorAll('button, select, summary, input')]"
            ".filter((each) => each.offsetParent && each.type !== 'checkbox')"
            ".filter((each) => each.getBoundingClientRect().height < 44).map((each) => each.id)"
        )
        assert small == [], "too small for a finger"
