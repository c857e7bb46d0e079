"""`python -m tests.english [FILE...]`: the count, and each place (of these files)."""

import sys
from collections import Counter
from pathlib import Path

from tests.english.patterns import MOST_PER_1000, PATTERNS
from tests.english.prose import ROOT, files, prose

AROUND = 30  # characters on each side of a place


def count(paths: list[Path]) -> tuple[Counter[str], Counter[Path], int]:
    """How often each pattern stands in these files, how many each file holds, and all words."""
    patterns: Counter[str] = Counter()
    holders: Counter[Path] = Counter()
    words = 0
    for path in paths:
        text = prose(path)
        words += len(text.split())
        for name, pattern in PATTERNS.items():
            found = len(pattern.findall(text))
            patterns[name] += found
            holders[path] += found
    return patterns, holders, words


def main() -> int:
    """The command; exit status 1 above the limit."""
    named = [Path(argument).resolve() for argument in sys.argv[1:]]
    chosen = [
        file for file in files() if not named or any(file == n or n in file.parents for n in named)
    ]
    patterns, holders, words = count(chosen)
    for path in chosen:
        text = " ".join(prose(path).split())
        for name, pattern in PATTERNS.items():
            for place in pattern.finditer(text):
                context = text[max(place.start() - AROUND, 0) : place.end() + AROUND]
                print(f"{path.relative_to(ROOT)}: ...{context}...  write {name}")
    print()
    for name, number in patterns.most_common():
        print(f"{1000 * number / max(words, 1):6.2f}  {number:5d}  {name}")
    total = 1000 * sum(patterns.values()) / max(words, 1)
    print(f"{total:6.2f}  {sum(patterns.values()):5d}  together, in {words} words")
    for path, number in holders.most_common(10):
        print(f"        {number:5d}  {path.relative_to(ROOT)}")
    return int(total > MOST_PER_1000)


if __name__ == "__main__":
    raise SystemExit(main())
