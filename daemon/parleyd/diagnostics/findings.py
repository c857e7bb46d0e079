"""The finding of a check of `parley doctor`."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """The severity of a finding."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report; never contains a key."""

    check: str
    level: Severity
    text: str
    remedy: str = ""
