"""Skills: the functions that the model may call.

A skill is a Python function with the decorator `skill`. Its name, docstring and types are
what the model is told; what it returns is what the model gets as its result:

    @skill
    def feed_the_cat(grams: Annotated[int, Meta(ge=5, le=80)], wet: bool = False) -> str:
        \"\"\"Give the cat this much food.\"\"\"
        ...
        return "The cat is fed."
"""

import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from parleyd.boundary import Then
from parleyd.realtime.events import Json

_MARK = "__parley_skill__"
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result together with what the speaker is to do then."""

    output: str
    then: Then


def skill(function: _Function) -> _Function:
    """Mark a function or method, sync or async, as one that the model may call."""
    setattr(function, _MARK, True)
    return function


def is_skill(thing: object) -> bool:
    """Marked with `skill`."""
    return callable(thing) and getattr(thing, _MARK, False)


@dataclass(frozen=True, slots=True)
class Skill:
    """One function: what the model is told of it, and how it is called."""

    name: str
    description: str
    parameters: Json
    """JSON schema of the arguments."""
    function: Callable[..., Any]
    blocking: bool
    """It may take its time, so it runs on a thread; others run on the event loop, at once."""
    arguments: type[msgspec.Struct]

    @classmethod
    def of(cls, function: Callable[..., Any], *, blocking: bool) -> "Skill":
        """Made from a function's name, docstring and types.

        Raises TypeError, with what is allowed, when there is no docstring or a type that
        JSON has no word for.
        """
        name = function.__name__
        description = inspect.getdoc(function)
        if not description:
            raise TypeError(f"{name} has no docstring, which is what the model is told of it")
        arguments = _arguments(name, function)
        return cls(name, description, _schema(name, arguments), function, blocking, arguments)

    def declaration(self) -> Json:
        """The tool as the server's session is told of it."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }

    def bind(self, given: Json) -> dict[str, Any]:
        """The keyword arguments that the model wrote, checked and converted.

        Null stands for "not given" where there is a default, as models write it. Raises
        ValueError with what is wrong, in words for the model.
        """
        required = self.parameters.get("required", ())
        wanted = {k: v for k, v in given.items() if v is not None or k in required}
        try:
            bound = msgspec.convert(wanted, self.arguments, strict=False)
        except msgspec.ValidationError as error:
            raise ValueError(_in_words(error)) from None
        return {name: getattr(bound, name) for name in self.arguments.__struct_fields__}


def skills_of(owner: object, *, blocking: bool = False) -> list[Skill]:
    """All marked functions of a module, or methods of an object, in the order of definition.

    Raises TypeError as `Skill.of` does.
    """
    names = vars(owner) if inspect.ismodule(owner) else vars(type(owner))
    found = (getattr(owner, name) for name in names if not name.startswith("_"))
    return [Skill.of(f, blocking=blocking) for f in found if is_skill(f)]


def _arguments(name: str, function: Callable[..., Any]) -> type[msgspec.Struct]:
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except NameError as error:
        raise TypeError(f"{name} has a type that is not defined: {error}") from None
    fields: list[Any] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{name} takes *{parameter.name}, only named parameters are allowed")
        if parameter.name not in hints:
            raise TypeError(f"{name}: the parameter {parameter.name} needs a type")
        default = () if parameter.default is parameter.empty else (parameter.default,)
        fields.append((parameter.name, hints[parameter.name], *default))
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)


def _schema(name: str, arguments: type[msgspec.Struct]) -> Json:
    try:
        _, parts = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None
    schema: Json = {k: v for k, v in parts.pop(name).items() if k != "title"}
    return {**schema, "$defs": parts} if parts else schema


def _in_words(error: msgspec.ValidationError) -> str:
    """``Expected `int` <= 100 - at `$.percent` `` as ``percent: expected int <= 100``."""
    what, _, where = str(error).partition(" - at ")
    what = what.replace("`", "")
    path = where.strip("`").removeprefix("$.")
    return f"{path}: {what[:1].lower()}{what[1:]}" if path else what[:1].lower() + what[1:]
