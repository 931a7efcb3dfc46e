"""The deadlines of one headend, all in one queue: what each is for, and who acts on it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Any, TypeVar

from fastpptp.effects import Effect
from fastpptp.timers import TimerQueue

S = TypeVar("S")


class Timer(Enum):
    """What a deadline is for. The key beside it is a connection, session, handle or token."""

    CONTROL = auto()
    TUNNEL_IDLE = auto()
    LINK = auto()
    NO_GRE = auto()
    PROBE = auto()
    CONNECT_TIME = auto()
    HOURS = auto()
    CLOSED = auto()
    VOID = auto()
    DEBUG = auto()


class Deadlines(TimerQueue[tuple[Timer, int]]):
    """A queue of keys that knows whom to call for each kind."""

    def __init__(self) -> None:
        super().__init__()
        self._handlers: dict[
            Timer, tuple[Callable[[int], Any], Callable[[Any, float], list[Effect]]]
        ] = {}

    def on(
        self, kind: Timer, find: Callable[[int], S | None], act: Callable[[S, float], list[Effect]]
    ) -> None:
        """How the subject of such a deadline is found by its key, and what is done with it."""
        self._handlers[kind] = find, act

    def run(self, now: float) -> list[Effect]:
        """Act on all that are due, earliest first."""
        effects: list[Effect] = []
        for kind, key in self.due(now):
            find, act = self._handlers[kind]
            # What one deadline does may end what another is for.
            subject = find(key)
            if subject is not None:
                effects += act(subject, now)
        return effects
