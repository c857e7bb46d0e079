"""Hints for the usual slips in a TOML file; pure."""

import re

_PLACE = re.compile(r"\(at line (\d+), column (\d+)\)")
_TWICE = re.compile(r"declare \('([\w-]+)',\) twice")
_CURLY = re.compile("[\u201c\u201d\u201e\u2018\u2019]")
_PAIR = re.compile(r"\s*([\w.-]+)\s*=\s*(.*)")


def hint(text: str, error: str) -> str:
    """What to write instead, or "" for an unusual slip. Never quotes a value of the file.

    `error`: the message of `tomllib` about `text`.
    """
    if twice := _TWICE.search(error):
        return f"[{twice[1]}] is in the file already, write the keys below it"
    line = _line(text, error)
    pair = _PAIR.match(line)
    if pair is None:
        colon = re.match(r"\s*([\w.-]+)\s*:", line)
        return f"write {colon[1]} = ... instead of {colon[1]}: ..." if colon else ""
    key, value = pair.groups()
    if "overwrite a value" in error:
        return f"{key} is in the file twice, keep one of the lines"
    if _CURLY.match(value):
        return f'{key} has curly quotes, straight ones are expected: {key} = "..."'
    if re.match(r"(?i)(true|false|yes|no|on|off)\b", value):
        return f"write {key} = true or {key} = false, in small letters"
    if re.match(r"\d+,\d", value):
        return f"{key} has a comma, a point is expected: {key} = 0.5"
    if re.match(r"[^\W\d]|[/~.]|\d+[:.\w-]*[^\W\d]", value):
        return f'a text needs quotes: {key} = "..."'
    return ""


def _line(text: str, error: str) -> str:
    place = _PLACE.search(error)
    lines = text.split("\n")
    number = int(place[1]) if place else 0
    return lines[number - 1] if 0 < number <= len(lines) else ""
