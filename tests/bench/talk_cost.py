"""What talks of a usual length cost with each model: `python -m tests.bench.talk_cost`.

No account is used. The tokens are counted as OpenAI's guide to costs describes it: 10 a second of
the user's speech, 20 a second of an answer, and each answer reads the whole conversation before it.
`parley turns` then estimates the costs. The first table assumes that the server's cache held all
that it had read before, the second that it held nothing: the truth is between them.
"""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from parleyd import config
from parleyd.app.skill_runtime import SkillRuntime
from parleyd.cli.main import parley
from parleyd.diagnostics.prices import price_table
from parleyd.realtime.events import Json
from parleyd.realtime.settings import session_settings
from parleyd.realtime.usage import LISTENED_TOKENS_S, SPOKEN_TOKENS_S
from parleyd.skills.store import Store

CHARACTERS_PER_TOKEN = 4  # of English text, a common estimate
WRITTEN_PER_SPOKEN = 51 / 151  # tokens of text and of audio in four captured answers
STAMP = "2026-11-30 10:00:00,000 INFO parleyd.turns: "


@dataclass(frozen=True, slots=True)
class Talk:
    """Questions with their answers, all in one conversation."""

    name: str
    turns: int
    question_s: float
    answer_s: float


TALKS = (
    Talk("one question", 1, 4.0, 8.0),
    Talk("six questions in a row", 6, 4.0, 8.0),
    Talk("four long answers", 4, 4.0, 90.0),
)


def instructions_tokens() -> int:
    """The text that each answer reads first: the instructions and the built-in functions."""
    settings = config.Config()
    tools = asyncio.run(_built_in(settings))
    session = session_settings(settings.realtime, settings.turn, tools)
    text = session["instructions"] + json.dumps(session["tools"])
    return len(text) // CHARACTERS_PER_TOKEN


async def _built_in(settings: config.Config) -> list[Json]:
    with tempfile.TemporaryDirectory() as folder:
        skills = SkillRuntime(settings, Store(Path(folder) / "state.json"), lambda event: None)
        return (await skills.book(own=())).declarations()


def log_of(talk: Talk, first: int, *, cached: bool) -> Iterator[str]:
    """The daemon's log lines of a talk. `first`: tokens of text before the first question.

    `cached`: the server had all earlier text and speech in its cache.
    """
    heard = spoken = 0
    read_before = read_audio_before = 0
    for turn in range(1, talk.turns + 1):
        heard += round(LISTENED_TOKENS_S * talk.question_s)
        answer = round(SPOKEN_TOKENS_S * talk.answer_s)
        audio = heard + spoken
        usage = {
            "input_tokens": first + audio,
            "cached_tokens": read_before if cached else 0,
            "output_tokens": answer + round(WRITTEN_PER_SPOKEN * answer),
            "input_audio_tokens": audio,
            "cached_audio_tokens": read_audio_before if cached else 0,
            "output_audio_tokens": answer,
        }
        read_before, read_audio_before = first + audio, audio
        spoken += answer
        yield f"{STAMP}usage turn={turn} {' '.join(f'{k}={v}' for k, v in usage.items())}\n"
        yield f"{STAMP}turn turn={turn} begun_by=wake heard_ms={talk.answer_s * 1000:.0f}\n"


def costs(talk: Talk, first: int, *, cached: bool) -> dict[str, float]:
    """US dollars by model, as `parley turns` estimates them."""
    models = [part for name in price_table().models for part in ("--model", name)]
    log = "".join(log_of(talk, first, cached=cached))
    shown = CliRunner().invoke(parley, ["turns", "--json", *models, "-"], input=log)
    turns = json.loads(shown.output)["turns"]
    return {name: sum(turn[f"cost of {name}"] for turn in turns) for name in price_table().models}


def rows(first: int) -> Iterator[str]:
    """A table in Markdown: US cents by model and talk, with and without a cache."""
    yield f"| model | {' | '.join(talk.name for talk in TALKS)} |"
    yield f"|---|{'---|' * len(TALKS)}"
    kinds = [[costs(talk, first, cached=cached) for cached in (True, False)] for talk in TALKS]
    for name in price_table().models:
        cells = (f"{100 * low[name]:.1f}-{100 * high[name]:.1f}" for low, high in kinds)
        yield f"| `{name}` | {' | '.join(cells)} |"


def main() -> None:
    first = instructions_tokens()
    print(f"instructions and functions: about {first} tokens of text")
    print(f"US cents, list prices of {price_table().read_on}; from all in the cache to nothing")
    print("\n".join(rows(first)))
    for talk in TALKS:
        print(f"{talk.name}: questions of {talk.question_s:g} s, answers of {talk.answer_s:g} s")


if __name__ == "__main__":
    main()
