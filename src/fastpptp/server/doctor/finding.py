"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """OK; WARNING: some clients or networks will not work; FAILURE: the headend will not."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """`remedy` is what to do, empty when all is well."""

    check: str
    state: State
    what: str
    remedy: str = ""


def ok(check: str, what: str) -> Finding:
    return Finding(check, State.OK, what)


def warning(check: str, what: str, remedy: str) -> Finding:
    return Finding(check, State.WARNING, what, remedy)


def failure(check: str, what: str, remedy: str) -> Finding:
    return Finding(check, State.FAILURE, what, remedy)
