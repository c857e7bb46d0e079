"""The wiring of each board: from its profile, plus the pins of its sound."""

from dataclasses import dataclass
from functools import cache

from gpiozero.pins.pi import PiBoardInfo

from parleyd import config
from parleyd.config import boards

MOSI, SCLK = 10, 11
RESISTOR = "330 Ω"


@dataclass(frozen=True)
class Wire:
    """A wire from a pin of the header to a terminal of a part."""

    pin: int
    terminal: str
    hue: str
    through: str = ""


@dataclass(frozen=True)
class Part:
    """One part beside the Pi; wires from the top of the header down; `note`: lines of text."""

    name: str
    wires: tuple[Wire, ...] = ()
    note: tuple[str, ...] = ()


@dataclass(frozen=True)
class Board:
    """A wiring plan; `hat`: name of a board on the header, which needs no wires."""

    name: str
    left: tuple[Part, ...]
    right: tuple[Part, ...]
    hat: str = ""


RED, GREEN, BLUE, YELLOW = "#ff6b6b", "#4cc96f", "#5aa9ff", "#e3b341"
CYAN, VIOLET, ORANGE, GREY = "#3fd0d8", "#b78cff", "#f0883e", "#9aa4b0"
GROUND, PLUS_5, PLUS_3 = GREY, "#f85149", ORANGE

USB = Part("USB sound card", note=("in any USB port, with", "microphone and loudspeaker"))
AMPLIFIER = Part(
    "MAX98357A",
    (
        Wire(2, "VIN", PLUS_5),
        Wire(12, "BCLK", CYAN),
        Wire(34, "GND", GROUND),
        Wire(35, "LRC", GREEN),
        Wire(36, "SD", YELLOW),
        Wire(40, "DIN", VIOLET),
    ),
    ("amplifier of the loudspeaker",),
)
MICROPHONE = Part(
    "I2S microphone",
    (
        Wire(1, "VDD", PLUS_3),
        Wire(12, "SCK", CYAN),
        Wire(35, "WS", GREEN),
        Wire(38, "SD", BLUE),
        Wire(39, "GND, L/R", GROUND),
    ),
    ("INMP441, SPH0645, ICS-43434",),
)
HAT_PARTS = {
    "respeaker-2mic": Part(
        "WM8960, sound",
        (
            Wire(3, "I2C data", YELLOW),
            Wire(5, "I2C clock", YELLOW),
            Wire(12, "bit clock", CYAN),
            Wire(35, "word clock", CYAN),
            Wire(38, "from microphones", CYAN),
            Wire(40, "to loudspeaker", CYAN),
        ),
    ),
    "aiy-voice-kit": Part(
        "Voice HAT, sound",
        (
            Wire(12, "bit clock", CYAN),
            Wire(35, "word clock", CYAN),
            Wire(36, "amplifier on", CYAN),
            Wire(38, "from microphones", CYAN),
            Wire(40, "to loudspeaker", CYAN),
        ),
    ),
}
HATS = {
    "respeaker-2mic": "ReSpeaker 2-Mics Pi HAT",
    "aiy-voice-kit": "AIY Voice HAT",
}


def board(name: str) -> Board:
    """Return the plan of one profile of `parleyd.config.boards`."""
    settings = config.parse(f'board = "{name}"')
    light, buttons = _light(settings.lights, bool(HATS.get(name))), settings.buttons
    switches: list[Part] = []
    if buttons.push_pin is not None:
        switches.append(_contact("push button", buttons.push_pin, HATS.get(name)))
    if buttons.mute_pin is not None:
        switches.append(_contact("mute switch", buttons.mute_pin, HATS.get(name)))
    if name in HATS:
        return Board(name, (HAT_PARTS[name],), (*switches, light), HATS[name])
    if name == "max98357a-i2s":
        return Board(name, (light, MICROPHONE), (*switches, AMPLIFIER))
    return Board(name, (light,), (*switches, USB))


def names() -> list[str]:
    """Return the boards with a drawing; the second ReSpeaker is wired like the first."""
    return [name for name in boards.names() if name != "respeaker-2mic-v2"]


def _light(lights: config.LightsConfig, on_hat: bool) -> Part:
    ground = () if on_hat else (Wire(_ground_near(_pin(lights.led_pin)), "ground", GROUND),)
    if lights.output == "led":
        through = "" if on_hat else RESISTOR
        name = "lamp of the button" if on_hat else "LED"
        return Part(name, (Wire(_pin(lights.led_pin), "anode", YELLOW, through), *ground))
    if lights.output == "rgb":
        legs = (("red", lights.red_pin, RED), ("green", lights.green_pin, GREEN))
        wires = [
            Wire(_pin(pin), colour, hue, RESISTOR)
            for colour, pin, hue in (*legs, ("blue", lights.blue_pin, BLUE))
        ]
        return Part("RGB LED", (*ground, *wires), ("common cathode",))
    if lights.output == "apa102":
        wires = [Wire(_pin(MOSI), "data", VIOLET), Wire(_pin(SCLK), "clock", VIOLET)]
        return Part(f"{lights.leds} APA102", tuple(wires))
    return Part(
        f"ring of {lights.leds} WS2812",
        (
            Wire(4, "5 V", PLUS_5),
            Wire(_pin(MOSI), "DI", VIOLET, RESISTOR),
            Wire(_ground_near(_pin(MOSI)), "GND", GROUND),
        ),
    )


def _contact(name: str, gpio: int, hat: str | None) -> Part:
    pin = _pin(gpio)
    wires = [Wire(pin, "contact", YELLOW)]
    if hat is None:
        wires.append(Wire(_ground_near(pin), "ground", GROUND))
    return Part(name, tuple(sorted(wires, key=lambda wire: wire.pin)))


# --- the header ---------------------------------------------------------------------------


@cache
def header() -> dict[int, str]:
    """Return the name of each of the 40 pins (``GPIO17``, ``GND``, ``3V3``), from gpiozero."""
    pi_4 = 0xC03111
    pins = PiBoardInfo.from_revision(pi_4).headers["J8"].pins
    return {number: pin.name for number, pin in pins.items()}


def _pin(gpio: int) -> int:
    return next(number for number, name in header().items() if name == f"GPIO{gpio}")


def _ground_near(pin: int) -> int:
    """Return the nearest ground on the same side of the header."""
    grounds = [n for n, name in header().items() if name == "GND" and n % 2 == pin % 2]
    return min(grounds, key=lambda ground: abs(ground - pin))
