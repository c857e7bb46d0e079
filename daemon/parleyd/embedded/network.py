"""A grammar as the recogniser's network of words, with few arcs that carry no word.

The recogniser's own reading of JSGF adds such an arc for each rule and each pair of
parentheses. Each of them costs time and memory in each frame: a word that ends
goes down all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Arc = tuple[int, int, float, str] | tuple[int, int, float]
"""From, to, probability, and the word if there is one."""
START, END = 0, 1


@dataclass(slots=True)
class Network:
    """The paths of expansions between states; sentences lead from `START` to `END`."""

    rules: Mapping[str, Sequence[str]]
    """Tokens of each rule: words, ``<rule>``, and ``( ) [ ] |``; no rule contains itself."""
    rare: Mapping[str, float] = field(default_factory=dict)
    """How likely an optional rule is, for those that are said more seldom than every other time."""
    _arcs: dict[tuple[int, int, str], float] = field(default_factory=dict)
    _states: int = 2

    def arcs(self) -> list[Arc]:
        """All arcs; those without a word are joined, as the recogniser goes down one at most."""
        joined = self._joined()
        words = {arc: share for arc, share in self._arcs.items() if arc[2]}
        merged = _merged(words | {(*arc, ""): share for arc, share in joined.items()})
        return [
            (start, after, share, word) if word else (start, after, share)
            for (start, after, word), share in merged.items()
        ]

    def add(
        self, tokens: Sequence[str], start: int = START, end: int = END, share: float = 1.0
    ) -> None:
        """Lay the paths of an expansion from one state to another; they have equal shares."""
        branches = _split(tokens, "|")
        for branch in branches:
            parts = _parts(branch)
            at, rest = start, share / len(branches)
            for number, part in enumerate(parts, 1):
                after = end if number == len(parts) else self._state()
                self._part(part, at, after, rest)
                at, rest = after, 1.0

    def _joined(self) -> dict[tuple[int, int], float]:
        free: dict[int, list[tuple[int, float]]] = {}
        for (start, after, word), share in self._arcs.items():
            if not word:
                free.setdefault(start, []).append((after, share))
        joined: dict[tuple[int, int], float] = {}
        for start in free:
            waiting = [(start, 1.0)]
            while waiting:
                at, so_far = waiting.pop()
                for after, share in free.get(at, ()):
                    if so_far * share > joined.get((start, after), 0.0):
                        joined[start, after] = so_far * share
                        waiting.append((after, so_far * share))
        return joined

    def _part(self, part: Sequence[str], at: int, after: int, share: float) -> None:
        first = part[0]
        if first == "[":
            taken = self.rare.get(part[1].strip("<>"), 0.5) if len(part) == 3 else 0.5
            self._arc(at, after, "", share * (1 - taken))
            share *= taken
        if first in "([":
            self.add(part[1:-1], at, after, share)
        elif first[0] == "<":
            self.add(self.rules[first[1:-1]], at, after, share)
        else:
            self._arc(at, after, first, share)

    def _arc(self, start: int, end: int, word: str, share: float) -> None:
        arc = start, end, word
        self._arcs[arc] = max(share, self._arcs.get(arc, 0.0))

    def _state(self) -> int:
        self._states += 1
        return self._states - 1


_Arcs = dict[tuple[int, int, str], float]


def _merged(arcs: _Arcs) -> _Arcs:
    """The same paths with one state for all that have the same way to the end."""
    ways: dict[int, list[tuple[int, str, float]]] = {}
    for (start, after, word), share in arcs.items():
        ways.setdefault(start, []).append((after, word, round(share, 12)))
    first: dict[frozenset[tuple[int, str, float]], int] = {}
    same = {END: END}

    def kept(state: int) -> int:
        if state not in same:  # no path comes back to a state, so this ends
            way = frozenset((kept(after), word, share) for after, word, share in ways[state])
            same[state] = first.setdefault(way, state)
        return same[state]

    kept(START)
    return {
        (start, same[after], word): share
        for (start, after, word), share in arcs.items()
        if same.get(start) == start
    }


def _split(tokens: Sequence[str], mark: str) -> list[list[str]]:
    """The pieces between marks that stand in no parentheses."""
    pieces: list[list[str]] = [[]]
    depth = 0
    for token in tokens:
        depth += (token in "([") - (token in ")]")
        if token == mark and depth == 0:
            pieces.append([])
        else:
            pieces[-1].append(token)
    return pieces


def _parts(branch: Sequence[str]) -> list[list[str]]:
    """Words, rules, and whole parentheses."""
    parts: list[list[str]] = []
    depth = 0
    for token in branch:
        if depth == 0:
            parts.append([])
        parts[-1].append(token)
        depth += (token in "([") - (token in ")]")
    return parts
