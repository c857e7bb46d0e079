"""The picture of a calibration: levels over the volume, as SVG. Pure."""

from collections.abc import Iterator
from html import escape

from parleyd.calibration.figures import Calibrated
from parleyd.calibration.interrupting import GOOD_DB, USER_DBFS, EchoLevels, reliable
from parleyd.calibration.user_verdicts import user_dbfs
from parleyd.calibration.verdict import Installation, Verdict

_WIDTH, _HEIGHT = 720, 460
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 150, 76, 52
_LOUDEST, _SOFTEST = 0, -90  # dBFS
_INK, _FAINT, _ECHO, _USER, _NOISE = "#1f2430", "#8a90a0", "#c2571a", "#1d6fb8", "#6b7280"
_WELL = "#e3f1e4"
_CHARACTERS = 96  # of the line below the title


def picture(measured: Calibrated, installation: Installation, verdict: Verdict) -> str:
    """Return the SVG. `verdict`: its text stands below the title."""
    return "\n".join(_elements(measured, installation, verdict)) + "\n"


def _elements(measured: Calibrated, installation: Installation, verdict: Verdict) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="13" fill="{_INK}">'
    )
    yield f"<title>{escape(verdict.text)}</title>"
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>'
    yield f'<text x="{_LEFT}" y="28" font-size="18">Parley and you at the microphone</text>'
    shown = verdict.text
    if len(shown) > _CHARACTERS:
        shown = f"{shown[: _CHARACTERS - 1].rsplit(' ', 1)[0]} …"
    yield f'<text x="{_LEFT}" y="50" fill="{_FAINT}">{escape(shown)}</text>'
    said = user_dbfs(measured.words)
    user = USER_DBFS if said is None else said
    echo_is_heard = bool(reliable(measured.sweeps.sweeps))
    if echo_is_heard:
        yield _band(user + GOOD_DB)
    yield from _axes()
    labels = [
        (user, "your voice" if said is not None else "a voice at 2 m", _USER),
        (measured.silence.noise_dbfs, "the room", _NOISE),
    ]
    yield _level(user, _USER, "6 4")
    yield _level(measured.silence.noise_dbfs, _NOISE, "2 4")
    if echo_is_heard:
        levels = EchoLevels(measured.sweeps.sweeps)
        labels.append((levels.at(100), "Parley's voice", _ECHO))
        yield from _echo(measured, levels)
        yield from _present(installation.volume, levels.at(installation.volume))
    yield from _labels(labels)
    yield "</svg>"


def _x(volume: float) -> float:
    return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * volume / 100, 1)


def _y(dbfs: float) -> float:
    inside = min(max(dbfs, _SOFTEST), _LOUDEST)
    span = _HEIGHT - _TOP - _BOTTOM
    return round(_TOP + span * (_LOUDEST - inside) / (_LOUDEST - _SOFTEST), 1)


def _band(highest_dbfs: float) -> str:
    top = _y(highest_dbfs)
    return (
        f'<rect x="{_x(0)}" y="{top}" width="{_x(100) - _x(0)}" height="{_y(_SOFTEST) - top}" '
        f'fill="{_WELL}"/><text x="{_x(1)}" y="{top + 16}" fill="#3f7a46" font-size="12">'
        "here interrupting works well</text>"
    )


def _axes() -> Iterator[str]:
    for dbfs in range(_SOFTEST, _LOUDEST + 1, 15):
        yield (
            f'<line x1="{_x(0)}" x2="{_x(100)}" y1="{_y(dbfs)}" y2="{_y(dbfs)}" '
            'stroke="#d9dce3" stroke-width="0.7"/>'
            f'<text x="{_LEFT - 8}" y="{_y(dbfs) + 4}" text-anchor="end" fill="{_FAINT}">'
            f"{str(dbfs).replace('-', '−')}</text>"
        )
    for volume in range(0, 101, 20):
        yield (
            f'<text x="{_x(volume)}" y="{_y(_SOFTEST) + 18}" text-anchor="middle" '
            f'fill="{_FAINT}">{volume}</text>'
        )
    yield f'<text x="{_x(50)}" y="{_HEIGHT - 12}" text-anchor="middle">volume</text>'
    middle = (_TOP + _HEIGHT - _BOTTOM) / 2
    yield (
        f'<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle">'
        "level at the microphone, dBFS</text>"
    )


def _level(dbfs: float, colour: str, dashes: str) -> str:
    return (
        f'<line x1="{_x(0)}" x2="{_x(100)}" y1="{_y(dbfs)}" y2="{_y(dbfs)}" stroke="{colour}" '
        f'stroke-width="2" stroke-dasharray="{dashes}"/>'
    )


def _echo(measured: Calibrated, levels: EchoLevels) -> Iterator[str]:
    points = " ".join(f"{_x(volume)},{_y(levels.at(volume))}" for volume in range(10, 101, 2))
    yield f'<polyline points="{points}" fill="none" stroke="{_ECHO}" stroke-width="2.5"/>'
    for sweep in reliable(measured.sweeps.sweeps):
        yield (
            f'<circle cx="{_x(sweep.volume)}" cy="{_y(sweep.reply_dbfs)}" r="4.5" '
            f'fill="{_ECHO}"><title>volume {sweep.volume}: {sweep.reply_dbfs:.1f} dBFS</title>'
            "</circle>"
        )


def _present(volume: int, dbfs: float) -> Iterator[str]:
    yield (
        f'<line x1="{_x(volume)}" x2="{_x(volume)}" y1="{_y(dbfs)}" y2="{_y(_SOFTEST)}" '
        f'stroke="{_INK}"/><circle cx="{_x(volume)}" cy="{_y(dbfs)}" r="7" fill="none" '
        f'stroke="{_INK}" stroke-width="1.5"/>'
        f'<text x="{_x(volume) + 5}" y="{_y(_SOFTEST) - 8}">now {volume}</text>'
    )


def _labels(labels: list[tuple[float, str, str]]) -> Iterator[str]:
    """The names of the lines at their right ends, moved apart."""
    lowest = float(_TOP - 20)
    for dbfs, name, colour in sorted(labels, reverse=True):
        y = max(_y(dbfs) + 4, lowest + 17)
        lowest = y
        level = f"{dbfs:.0f}".replace("-", "−")
        yield f'<text x="{_x(100) + 8}" y="{y:.1f}" fill="{colour}">{name} {level}</text>'
