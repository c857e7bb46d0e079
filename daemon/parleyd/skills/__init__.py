"""Skills: the functions that the model may call.

A skill is a Python function with the decorator `skill`. The model sees its name, docstring and
types, and receives its return value as the result:

    @skill
    def feed_the_cat(grams: Annotated[int, Meta(ge=5, le=80)], wet: bool = False) -> str:
        \"\"\"Give the cat this much food.\"\"\"
        ...
        return "The cat is fed."
"""

import inspect
import json
import re
import typing
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from parleyd.core.events import AfterTool
from parleyd.printable import printable
from parleyd.realtime.events import Json
from parleyd.skills.wording import message

LONGEST_NAME = 64  # characters; the limit of servers
LONGEST_DESCRIPTION = 1024  # characters; a server refuses the whole session for a longer one
LONGEST_DECLARATION = 16_384  # bytes of JSON; the largest built-in declaration takes 600

_MARK = "__parley_skill__"
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_SPELT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue",
                        "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa"})  # fmt: skip
_Function = TypeVar("_Function", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class SkillResult:
    """A result, and the next action of the speaker."""

    output: str
    after: AfterTool


class WrongArguments(ValueError):
    """The arguments do not fit; the message explains why, in words for the model."""


def skill(function: _Function) -> _Function:
    """Mark a function or method, sync or async, as callable by the model."""
    setattr(function, _MARK, True)
    return function


def is_skill(thing: object) -> bool:
    """Whether `skill` marks it. Never raises."""
    try:
        return callable(thing) and getattr(thing, _MARK, False) is True
    except BaseException:  # attribute access on a user's object can run any code
        return False


@dataclass(frozen=True, slots=True)
class Skill:
    """One function: its description for the model, and how to call it."""

    name: str
    description: str
    parameters: Json
    """JSON schema of the arguments."""
    function: Callable[..., Any]
    blocking: bool
    """It may block, so it runs on a thread; other skills run directly on the event loop."""
    arguments: type[msgspec.Struct]

    @classmethod
    def of(cls, function: Callable[..., Any], *, blocking: bool) -> "Skill":
        """Build a skill from a function's name, docstring and types.

        Raises TypeError, with the limits, if it is not a function, if it has no docstring, if a
        server would refuse its name, or if JSON cannot express a type or a default.
        """
        name = _name(function)
        description = inspect.getdoc(function)
        if not description:
            raise TypeError(f"{name} has no docstring, which is its description for the model")
        if len(description) > LONGEST_DESCRIPTION:
            raise TypeError(
                f"{name} has a docstring of {len(description)} characters, "
                f"at most {LONGEST_DESCRIPTION} are allowed"
            )
        arguments = _arguments(name, function)
        made = cls(name, description, _schema(name, arguments), function, blocking, arguments)
        _check_encodable(made)
        return made

    @property
    def place(self) -> str:
        """``file:line`` of its definition."""
        return place(self.function)

    def declaration(self) -> Json:
        """The tool's declaration for the server's session."""
        return {
            "type": "function",
            "name": self.name,
            "description": self.description,
            "parameters": self.parameters,
        }

    def bind(self, given: Json) -> dict[str, Any]:
        """Check and convert the keyword arguments that the model wrote.

        Null means "not given" for a parameter with a default, because models write it that way.
        Raises `WrongArguments`.
        """
        required = self.parameters.get("required", ())
        wanted = {k: v for k, v in given.items() if v is not None or k in required}
        try:
            bound = msgspec.convert(wanted, self.arguments, strict=False)
        except msgspec.ValidationError as error:
            raise WrongArguments(_in_words(error)) from None
        return {name: getattr(bound, name) for name in self.arguments.__struct_fields__}


def skills_of(owner: object, *, blocking: bool = False) -> list[Skill]:
    """All marked functions of a module, or methods of an object, in the order of definition.

    Raises TypeError as `Skill.of` does.
    """
    members = vars(owner) if inspect.ismodule(owner) else vars(type(owner))
    names = (name for name, member in members.items() if not isinstance(member, property))
    found = (getattr(owner, name) for name in names if not name.startswith("_"))
    return [Skill.of(f, blocking=blocking) for f in found if is_skill(f)]


def place(thing: Callable[..., Any]) -> str:
    """``file:line`` of a definition, decorators included, or of an object's class; "" if there
    is none. Never raises."""
    for definition in (inspect.unwrap, lambda same: same, type):
        try:
            return printable(_place(definition(thing)))
        except BaseException:  # attribute access on a user's object
            continue
    return ""


def _place(defined: Any) -> str:
    code = getattr(defined, "__code__", None)
    if code is not None:
        return f"{code.co_filename}:{code.co_firstlineno}"
    return f"{inspect.getsourcefile(defined)}:{inspect.getsourcelines(defined)[1]}"


def _name(function: Callable[..., Any]) -> str:
    if isinstance(function, type):
        raise TypeError(f"{function.__name__} is a class, only a function can be a skill")
    plain = inspect.unwrap(function)
    if not inspect.isroutine(plain):
        raise TypeError(f"a {type(plain).__name__} is not a function; a skill must be one")
    if inspect.isgeneratorfunction(plain) or inspect.isasyncgenfunction(plain):
        raise TypeError(f"{plain.__name__} is a generator, a skill returns one result")
    name = function.__name__
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise TypeError(
            f"{printable(str(name))} is not a valid name for a skill: use 1 to {LONGEST_NAME} "
            f"of the letters a to z and A to Z, digits, _ and -, such as {_plain(str(name))}"
        )
    return name


def _plain(name: str) -> str:
    """``küche_licht`` as ``kueche_licht``."""
    spelt = name.translate(_SPELT)
    ascii_only = unicodedata.normalize("NFKD", spelt).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-zA-Z0-9_-]", "", ascii_only)[:LONGEST_NAME] or "light"


def _arguments(name: str, function: Callable[..., Any]) -> type[msgspec.Struct]:
    try:
        hints = typing.get_type_hints(function, include_extras=True)
        parameters = inspect.signature(function).parameters.values()
    except NameError as error:
        raise TypeError(f"{name} has a type that is not defined: {message(error)}") from None
    except Exception as error:  # an annotation in quotes can be any expression
        raise TypeError(f"{name} has a type that is not valid: {message(error)}") from None
    fields: list[Any] = []
    for parameter in parameters:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise TypeError(f"{name} takes *{parameter.name}, only named parameters are allowed")
        if parameter.name not in hints:
            raise TypeError(f"{name}: the parameter {parameter.name} needs a type")
        default = () if parameter.default is parameter.empty else (parameter.default,)
        fields.append((parameter.name, hints[parameter.name], *default))
    try:
        return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{name}: {message(error)}") from None


def _schema(name: str, arguments: type[msgspec.Struct]) -> Json:
    try:
        _, parts = msgspec.json.schema_components([arguments], ref_template="#/$defs/{name}")
    except (TypeError, ValueError, RecursionError) as error:
        raise TypeError(f"{name}: {message(error)}") from None
    schema: Json = {k: v for k, v in parts.pop(name).items() if k != "title"}
    return {**schema, "$defs": parts} if parts else schema


def _check_encodable(made: Skill) -> None:
    """All declarations go to a server in one message: none may make it invalid or huge."""
    try:
        text = json.dumps(made.declaration(), allow_nan=False, ensure_ascii=False)
        size = len(text.encode())
    except (TypeError, ValueError, RecursionError) as error:  # a default, or a text
        raise TypeError(f"{made.name} cannot be declared in JSON: {message(error)}") from None
    if size > LONGEST_DECLARATION:
        raise TypeError(
            f"{made.name} takes {size} bytes to declare, at most {LONGEST_DECLARATION} are allowed"
        )


def _in_words(error: msgspec.ValidationError) -> str:
    """``Expected `int` <= 100 - at `$.percent` `` as ``percent: expected int <= 100``."""
    what, _, where = str(error).partition(" - at ")
    what = what.replace("`", "")
    path = where.strip("`").removeprefix("$.")
    return f"{path}: {what[:1].lower()}{what[1:]}" if path else what[:1].lower() + what[1:]
