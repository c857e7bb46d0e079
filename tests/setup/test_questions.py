"""Which questions are asked, and what each answer means."""

import numpy as np
import pytest

from parleyd import config
from parleyd.alsa.card_names import KernelCard
from parleyd.errors import AudioError, ConfigError
from parleyd.setup import sound
from parleyd.setup.asking import TRIES, Stopped
from parleyd.setup.questions import QUESTIONS, Flags, Known, SetupAnswers, settle
from parleyd.setup.sound import SoundNames
from parleyd.units import Frames
from tests.setup.scripted_asker import ENTER, ScriptedAsker, ScriptedTrial, voice

STICK = KernelCard(2, "Device", "1-1.3", captures=True, plays=True)
SECOND = KernelCard(3, "Device_1", "1-1.4", captures=True, plays=True)
JACK = KernelCard(0, "Headphones", "", captures=False, plays=True)
HDMI = KernelCard(1, "vc4hdmi", "", captures=False, plays=True)
MICROPHONE = KernelCard(4, "Mini", "1-1.2", captures=True, plays=False)
HAT = KernelCard(0, "wm8960soundcard", "", captures=True, plays=True)
VOICE_HAT = KernelCard(0, "sndrpigooglevoi", "", captures=True, plays=True)
WORDS = ("alexa", "hey_jarvis", "okay_nabu")
KEY = "sk-proj-Zq7wXy9vBn3mKl5jHg8fDs2a"
HEARD = (ENTER, ENTER, ENTER)  # the tone, "press Enter", the recording
ALL = frozenset(QUESTIONS)


def known(
    *cards: KernelCard,
    toml: str = "",
    pins: bool = True,
    keys: tuple[str, ...] = (),
    answered: frozenset[str] = frozenset(),
) -> Known:
    return Known(
        config.parse(toml), cards, _title, WORDS, _flaw, pins, lambda name: name in keys, answered
    )


def _flaw(word: str) -> str:
    return "" if word in WORDS or word == "/etc/parley/mine.json" else "is unknown"


def _title(card: KernelCard) -> str:
    return f"title of {card.id}"


def ask(
    known_: Known, *answers: str, trial: ScriptedTrial | None = None
) -> tuple[SetupAnswers, str]:
    """The answers, and all that was shown; every prepared answer must be used."""
    asker = ScriptedAsker(*answers)
    found = settle(known_, Flags(), asker, trial or ScriptedTrial())
    assert asker.unused == []
    assert KEY not in asker.text
    return found, asker.text


def only(*asked: str) -> frozenset[str]:
    return ALL - set(asked)


# --- without a person -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("cards", "names"),
    [
        ([JACK, STICK], ("plughw:CARD=Device", "plughw:CARD=Device")),
        ([HDMI, MICROPHONE, JACK], ("plughw:CARD=Mini", "plughw:CARD=Headphones")),
        ([HDMI, MICROPHONE], ("plughw:CARD=Mini", "plughw:CARD=vc4hdmi")),
        ([STICK, SECOND], ("usb:1-1.3", "usb:1-1.3")),
        ([JACK], ("", "plughw:CARD=Headphones")),
        ([MICROPHONE], ("plughw:CARD=Mini", "")),
    ],
)
def test_default_is_what_a_person_would_take(
    cards: list[KernelCard], names: tuple[str, str]
) -> None:
    answers = settle(known(*cards), Flags(), None, ScriptedTrial())
    assert answers.sound == names
    assert not answers.given


@pytest.mark.parametrize(
    ("cards", "words"),
    [
        ([], "There is no sound card. Next, plug in a USB sound card"),
        ([JACK], "There is no microphone"),
        ([MICROPHONE], "There is no loudspeaker"),
    ],
)
def test_missing_card_is_named_with_the_next_step(cards: list[KernelCard], words: str) -> None:
    for asker in (None, ScriptedAsker(*[ENTER] * 9)):
        answers = settle(known(*cards), Flags(), asker, ScriptedTrial())
        (note,) = [note for note in answers.notes if words in note]
        assert note.endswith("then: sudo parley setup")
        assert "sound" not in answers.given


def test_nothing_is_asked_twice() -> None:
    answers, shown = ask(known(STICK, answered=ALL))
    assert answers == SetupAnswers()
    assert shown == ""


@pytest.mark.parametrize(("card", "board"), [(HAT, "respeaker-2mic"), (VOICE_HAT, ""), (STICK, "")])
def test_board_follows_from_its_card_alone(card: KernelCard, board: str) -> None:
    assert settle(known(card), Flags(), None, ScriptedTrial()).board == board


# --- the sound card -------------------------------------------------------------------


def test_single_card_is_not_a_question_but_is_heard() -> None:
    trial = ScriptedTrial()
    answers, shown = ask(known(STICK, answered=only("sound")), *HEARD, trial=trial)
    assert answers.sound == ("plughw:CARD=Device", "plughw:CARD=Device")
    assert "title of Device" in shown
    assert trial.played == ["plughw:CARD=Device"]
    assert len(trial.played_back) == 1
    assert answers.given == {"sound"}


def test_two_cards_are_asked_for_both_directions() -> None:
    answers, _ = ask(known(JACK, STICK, MICROPHONE, answered=only("sound")), "1", "2", *HEARD)
    assert answers.sound == ("plughw:CARD=Mini", "plughw:CARD=Headphones")


def test_tone_that_is_not_heard_leads_to_another_card() -> None:
    here = known(JACK, STICK, answered=only("sound"))
    trial = ScriptedTrial()
    answers, shown = ask(here, "1", "n", "cards", "2", *HEARD, trial=trial)
    assert trial.played == ["plughw:CARD=Headphones", "plughw:CARD=Device"]
    assert answers.sound == ("plughw:CARD=Device", "plughw:CARD=Device")
    assert "alsamixer -c Headphones" in shown


def test_card_that_cannot_be_opened_is_named_and_kept() -> None:
    trial = ScriptedTrial(fails=[AudioError("audio.playback: busy; end the program")])
    answers, shown = ask(known(STICK, answered=only("sound")), "keep", ENTER, ENTER, trial=trial)
    assert "end the program" in shown
    assert answers.given == {"sound"}


@pytest.mark.parametrize(
    ("recording", "words"),
    [
        (np.zeros(16_000, np.int16), "nothing but zeros"),
        (voice(peak=20), "very quiet"),
        (np.where(voice() > 0, 32_767, -32_768).astype(np.int16), "distorts"),
        (voice(), ""),
    ],
)
def test_useless_recording_is_named(recording: Frames, words: str) -> None:
    found = sound.recording_flaw(recording)
    assert (words in found) if words else found == ""


def test_microphone_of_zeros_is_tried_again() -> None:
    trial = ScriptedTrial(np.zeros(16_000, np.int16), voice())
    _, shown = ask(
        known(STICK, answered=only("sound")), ENTER, ENTER, "again", ENTER, ENTER, trial=trial
    )
    assert "mute switch" in shown
    assert len(trial.played_back) == 1


def test_muted_microphone_is_not_opened() -> None:
    trial = ScriptedTrial(closed="the mute switch is on")
    _, shown = ask(known(STICK, answered=only("sound")), ENTER, trial=trial)
    assert "The microphone is not opened: the mute switch is on." in shown


@pytest.mark.parametrize("name", ["hw:2", "plughw:2,0", "hw:CARD=2,DEV=0"])
def test_number_of_a_card_becomes_its_lasting_name(name: str) -> None:
    answers = settle(
        known(JACK, STICK), Flags(capture=name, playback="mine"), None, ScriptedTrial()
    )
    assert answers.sound == SoundNames("plughw:CARD=Device", "mine")


def test_number_without_a_card_is_refused_with_the_cards() -> None:
    with pytest.raises(AudioError, match=r"no card 7 for hw:7; the cards are .*CARD=Device"):
        settle(known(JACK, STICK), Flags(capture="hw:7"), None, ScriptedTrial())


# --- board and wake word --------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "board"),
    [
        ([ENTER], ""),
        (["usb-gpio"], "usb-gpio"),
        (["1"], ""),
        (["7"], "usb-ws2812"),
        (["0", "8", "-1", "2x", ENTER], ""),
        (["\u0662", "999999999999999999", ENTER], ""),
        (["y"] * TRIES, ""),
    ],
)
def test_board_is_chosen_by_number_or_name(typed: list[str], board: str) -> None:
    answers, _ = ask(known(answered=only("board")), *typed)
    assert answers.board == board
    assert "board" in answers.given


def test_machine_without_pins_is_not_asked_for_a_board() -> None:
    answers, shown = ask(known(pins=False, answered=only("board")))
    assert answers.board == ""
    assert shown == ""


def test_present_values_are_the_defaults() -> None:
    toml = 'board = "aiy-voice-kit"\n[wake]\nkeywords = ["okay_nabu"]\n'
    answers, shown = ask(known(toml=toml, answered=only("board", "wake_word")), ENTER, ENTER)
    assert answers.board == "aiy-voice-kit"
    assert answers.wake_words is None
    assert "Wake word [3]" in shown


def test_wake_word_is_one_that_the_engine_hears() -> None:
    answers, _ = ask(known(answered=only("wake_word")), "computer", "1")
    assert answers.wake_words == ("alexa",)
    answers, _ = ask(known(answered=only("wake_word")), '"Okay Nabu"')
    assert answers.wake_words == ("okay_nabu",)
    flags = Flags(wake_words=("Hey Jarvis", "/etc/parley/mine.json"))
    assert settle(known(), flags, None, ScriptedTrial()).wake_words == (
        "hey_jarvis",
        "/etc/parley/mine.json",
    )
    with pytest.raises(ConfigError, match=r"--wake-word: 'computer' is unknown"):
        settle(known(), Flags(wake_words=("computer",)), None, ScriptedTrial())


def test_word_of_the_owner_is_not_a_question() -> None:
    toml = '[wake]\nkeywords = ["/etc/parley/mine.json"]\n'
    assert ask(known(toml=toml, answered=only("wake_word")))[1] == ""


# --- the key --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (f'"{KEY}"', "quotes"),
        (f"Bearer {KEY}", 'without "Bearer"'),
        (f"export OPENAI_API_KEY={KEY}", "NAME="),
        (f"{KEY}\n{KEY}", "more than one line"),
        ("/home/pi/key.txt", "path of a file"),
        ("sk-ant-Zq7wXy9vBn3mKl5jHg8fDs2a", "a key of Anthropic"),
        ("y", "copy the whole key"),
    ],
)
def test_wrong_key_is_named_and_asked_again(typed: str, words: str) -> None:
    answers, shown = ask(known(answered=only("key")), typed, KEY)
    assert words in shown
    assert answers.key == ("OPENAI_API_KEY", KEY)
    assert typed[3:] not in shown or typed == "y"


def test_key_of_another_server_offers_that_server() -> None:
    key = "xai-Zq7wXy9vBn3mKl5jHg8fDs2a"
    answers, shown = ask(known(answered=only("key")), key, "y")
    assert (answers.server, answers.key) == ("xai", ("XAI_API_KEY", key))
    assert key not in shown
    answers, _ = ask(known(answered=only("key")), key, "n", ENTER)
    assert (answers.server, answers.key) == (None, None)


def test_key_of_an_unknown_form_is_taken_if_the_person_insists() -> None:
    key = "Zq7wXy9vBn3mKl5jHg8fDs2aZq7w"
    assert ask(known(answered=only("key")), key, "y")[0].key == ("OPENAI_API_KEY", key)
    assert ask(known(answered=only("key")), key, ENTER, ENTER)[0].key is None


def test_wrong_keys_end_without_a_key() -> None:
    answers, _ = ask(known(answered=only("key")), *["y"] * TRIES)
    assert answers.key is None


@pytest.mark.parametrize("server", ["embedded", "localai", "speech-to-speech", "compatible"])
def test_server_without_a_key_is_not_asked_for_one(server: str) -> None:
    extra = {"localai": 'model = "m"\n', "compatible": 'url = "ws://h.local/v1/realtime"\n'}
    toml = f'[realtime]\nserver = "{server}"\n{extra.get(server, "")}'
    assert ask(known(toml=toml, answered=only("key")))[1] == ""


@pytest.mark.parametrize(
    ("key", "words"),
    [(f"Bearer {KEY}", "Bearer"), ("sk-ant-Zq7wXy9vBn3mKl5jHg8fDs2a", "Anthropic")],
)
def test_key_of_a_file_in_a_wrong_form_is_refused(key: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as refused:
        settle(known(), Flags(key=key), None, ScriptedTrial())
    assert "Zq7wXy9v" not in str(refused.value)


@pytest.mark.parametrize(
    ("configured", "begins", "used"),
    [
        ("auto", "sk-proj-", None),
        ("auto", "xai-", "xai"),
        ("embedded", "sk-proj-", "openai"),
        ("embedded", "xai-", "xai"),
        ("embedded", "0123", "refused"),
        ("openai", "xai-", "refused"),
        ("xai", "sk-", "refused"),
    ],
)
def test_key_of_a_file_chooses_an_open_server(
    configured: str, begins: str, used: str | None
) -> None:
    here = known(toml=f'[realtime]\nserver = "{configured}"\n')
    key = f"{begins}Zq7wXy9vBn3mKl5jHg8fDs2a"
    if used == "refused":
        with pytest.raises(ConfigError, match="the key is not saved"):
            settle(here, Flags(key=key), None, ScriptedTrial())
        return
    answers = settle(here, Flags(key=key), None, ScriptedTrial())
    assert answers.server == used
    assert answers.key == ("XAI_API_KEY" if used == "xai" else "OPENAI_API_KEY", key)


def test_end_of_the_answers_stops_at_every_question() -> None:
    full = ["2", "1", *HEARD, "usb-gpio", "alexa", KEY]
    for given in range(len(full)):
        with pytest.raises(Stopped):
            settle(known(JACK, STICK, MICROPHONE), Flags(), ScriptedAsker(*full[:given]),
                   ScriptedTrial())  # fmt: skip
    assert ask(known(JACK, STICK, MICROPHONE), *full)[0].given == ALL
