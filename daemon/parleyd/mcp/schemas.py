"""A tool's schema and texts, made safe for a realtime session; pure.

One declaration that a realtime server refuses would cost the whole session, so a schema is copied
part by part: unknown parts are dropped, and a schema that is too large is refused.
"""

from typing import Any

from parleyd.printable import printable
from parleyd.realtime.events import Json

DEEPEST = 8  # objects and lists within each other
MOST_PARTS = 600  # objects and values of one schema
LONGEST_TEXT = 400  # characters of a description within a schema
MOST_CHOICES = 200  # of one enum

_TYPES = frozenset({"string", "number", "integer", "boolean", "array", "object", "null"})
_NUMBERS = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf",
    "minItems", "maxItems", "minLength", "maxLength",
)  # fmt: skip
_UNIONS = ("anyOf", "oneOf", "allOf")


class UnusableSchema(ValueError):
    """It is too large, too deep, or describes no object."""


def parameters(schema: Json) -> Json:
    """The schema of a function's arguments. Raises `UnusableSchema`."""
    made = _Copy(schema).of(schema, 0)
    if made.get("type", "object") != "object":
        raise UnusableSchema("its arguments are not an object")
    for name in (*_UNIONS, "enum", "const"):  # servers refuse them here
        made.pop(name, None)
    return {"type": "object", "properties": {}, **made}


def plain(text: str, most: int) -> str:
    """A text on one line, without invisible characters."""
    return printable(" ".join(text.split())[:most], most)


class _Copy:
    """Copies one schema, with its references resolved."""

    def __init__(self, root: Json) -> None:
        self._root = root
        self._left = MOST_PARTS

    def of(self, schema: Any, depth: int) -> Json:
        if depth > DEEPEST:
            raise UnusableSchema("it is too deep")
        self._left -= 1
        if self._left < 0:
            raise UnusableSchema("it is too large")
        if not isinstance(schema, dict):
            return {}
        if isinstance(reference := schema.get("$ref"), str):
            return self.of(self._resolved(reference), depth + 1)
        made: Json = self._types(schema)
        if isinstance(text := schema.get("description"), str):
            made["description"] = plain(text, LONGEST_TEXT)
        for name in _NUMBERS:
            value = schema.get(name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                made[name] = value
        self._choices(schema, made)
        self._members(schema, made, depth)
        for name in _UNIONS:
            if isinstance(parts := schema.get(name), list) and parts:
                made[name] = [self.of(part, depth + 1) for part in parts]
        return made

    def _types(self, schema: Json) -> Json:
        given = schema.get("type")
        names = given if isinstance(given, list) else [given]
        known = [name for name in names if isinstance(name, str) and name in _TYPES]
        if not known:
            return {"type": "object"} if isinstance(schema.get("properties"), dict) else {}
        return {"type": known if len(known) > 1 else known[0]}

    def _choices(self, schema: Json, made: Json) -> None:
        choices = schema.get("enum", [schema["const"]] if "const" in schema else None)
        if not isinstance(choices, list):
            return
        plain_ones = [one for one in choices if one is None or isinstance(one, str | int | float)]
        self._left -= len(plain_ones)
        made["enum"] = [
            plain(one, LONGEST_TEXT) if isinstance(one, str) else one
            for one in plain_ones[:MOST_CHOICES]
        ]
        if not made["enum"]:
            del made["enum"]

    def _members(self, schema: Json, made: Json, depth: int) -> None:
        if isinstance(properties := schema.get("properties"), dict):
            required = schema.get("required")
            wanted = required if isinstance(required, list) else []
            if not all(isinstance(name, str) and _is_name(name) for name in (*properties, *wanted)):
                raise UnusableSchema("it has an argument whose name is not plain text")
            named = {**properties, **{n: {} for n in wanted if n not in properties}}
            made["properties"] = {name: self.of(inner, depth + 1) for name, inner in named.items()}
            if wanted:
                made["required"] = list(dict.fromkeys(wanted))
        more = schema.get("additionalProperties")
        if isinstance(more, bool):
            made["additionalProperties"] = more
        elif isinstance(more, dict):
            made["additionalProperties"] = self.of(more, depth + 1)
        if "items" in schema or made.get("type") == "array":  # some servers refuse a list without
            made["items"] = self.of(schema.get("items", {}), depth + 1)

    def _resolved(self, reference: str) -> Any:
        """The part of this schema that a reference names; {} for any other."""
        for table in ("$defs", "definitions"):
            name = reference.removeprefix(f"#/{table}/")
            parts = self._root.get(table)
            if name != reference and isinstance(parts, dict):
                return parts.get(name, {})
        return {}


def _is_name(name: str) -> bool:
    return 0 < len(name) <= 64 and name.isprintable()
