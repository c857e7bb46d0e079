"""The last line of an installation: what to say, or the one thing to do first."""

from parleyd.diagnostics.findings import Finding, Severity
from parleyd.setup.closing import last_line

GOOD = Finding("wake word", Severity.OK, "listens")
WARNING = Finding("key", Severity.WARN, "no key", "put it there")
BROKEN = Finding("pins", Severity.FAIL, "there is no /dev/gpiochip0", "use a Raspberry Pi")
SERVICE = Finding("service", Severity.FAIL, "parleyd has failed", "journalctl -u parleyd -n 50")


def line(*findings: Finding, missing: str = "", runs: bool = True, after: str = "saved") -> str:
    return last_line(findings, ("hey_jarvis", "alexa"), missing=missing, runs=runs, after=after)


def test_healthy_device_ends_with_the_sentence_to_say() -> None:
    said = 'Say: "hey jarvis", and after the chime: "what can I say"'
    assert line(GOOD, WARNING) == said
    assert line(GOOD, runs=False) == f"Start it with: sudo parley run. {said}"


def test_first_failure_is_the_remedy() -> None:
    assert line(GOOD, BROKEN, SERVICE) == (
        "Pins: there is no /dev/gpiochip0. Do this first: use a Raspberry Pi"
    )


def test_missing_card_comes_before_its_consequences() -> None:
    told = line(SERVICE, missing="There is no sound card.")
    assert told.startswith("There is no sound card. Do this first: plug in")
    assert told.endswith("then: sudo parley setup")


def test_machine_without_cards_whose_sound_works_is_healthy() -> None:
    assert line(GOOD, missing="There is no sound card.").startswith("Say: ")


def test_open_questions_come_first() -> None:
    assert line(BROKEN, after="stopped").endswith("none is saved. Do this first: "
                                                  "sudo parley setup")  # fmt: skip
