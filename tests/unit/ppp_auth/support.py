"""Two ends of an authentication protocol tied together, with a policy that knows one password."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import count
from typing import Any

from fastpptp.aaa.verify import verify
from fastpptp.ppp.auth import AuthEndpoint, make_authenticator, make_peer
from fastpptp.ppp.auth.steps import Ask, AuthStep, Failed, SendPacket, Succeeded
from fastpptp.ppp.auth.types import Accept, AuthMethod, AuthResult, Reject

NAME = "User"
PASSWORD = "clientPass"
METHODS = (AuthMethod.PAP, AuthMethod.CHAP, AuthMethod.MSCHAP_V1, AuthMethod.MSCHAP_V2)
CHAPS = METHODS[1:]
MSCHAPS = METHODS[2:]

Policy = Callable[[Ask], AuthResult]


def rng_from(seed: int = 0) -> Callable[[int], bytes]:
    """Octets that differ from call to call, and never from run to run."""
    calls = count(seed)

    def rng(size: int) -> bytes:
        start = next(calls) * 7
        return bytes((start + i) % 256 for i in range(size))

    return rng


def authenticator(method: AuthMethod, seed: int = 1) -> Any:
    return make_authenticator(method, name="headend", rng=rng_from(seed), now=0.0, tokens=count(1))


def peer(method: AuthMethod, password: str = PASSWORD, name: str = NAME, **more: Any) -> Any:
    return make_peer(
        method, name=name, password=password, rng=rng_from(100), now=0.0, tokens=count(1), **more
    )


def knows(password: str = PASSWORD, **reject: Any) -> Policy:
    """A policy with one user, whoever it is."""

    def policy(ask: Ask) -> AuthResult:
        verified = verify(ask.credential, ask.name, password)
        if verified is None:
            return Reject(**reject)
        return Accept(verified.message, verified.keys, "identity")

    return policy


class Wire:
    """Carries packets between an authenticator and a peer until both are silent."""

    def __init__(self, server: AuthEndpoint, client: AuthEndpoint, policy: Policy) -> None:
        self.ends = (server, client)
        self.policy = policy
        self.now = 0.0
        # (who, step) in the order in which they were made; 0 is the authenticator.
        self.log: list[tuple[int, AuthStep]] = []
        # Packets that are lost: asked with (sender, packet).
        self.lost: Callable[[int, bytes], bool] = lambda sender, packet: False

    def run(self) -> Wire:
        first = [end.start(self.now) for end in self.ends]
        for who, steps in enumerate(first):
            self.carry(who, steps)
        return self

    def carry(self, who: int, steps: Iterable[AuthStep]) -> None:
        for step in steps:
            self.log.append((who, step))
            if isinstance(step, SendPacket) and not self.lost(who, step.data):
                other = 1 - who
                self.carry(other, self.ends[other].receive(step.data, self.now))
            elif isinstance(step, Ask):
                result = self.policy(step)
                self.carry(who, self.ends[who].complete(step.token, result, self.now))

    def tick(self) -> bool:
        """Go on to the next timer; False when there is none."""
        timers = [t for t in (end.get_timer() for end in self.ends) if t is not None]
        if not timers:
            return False
        self.now = min(timers)
        for who, end in enumerate(self.ends):
            self.carry(who, end.handle_timer(self.now))
        return True

    def ended(self, who: int) -> list[Succeeded | Failed]:
        return [s for w, s in self.log if w == who and isinstance(s, Succeeded | Failed)]

    def sent(self, who: int) -> list[bytes]:
        return [s.data for w, s in self.log if w == who and isinstance(s, SendPacket)]


def packets_of(steps: Iterable[AuthStep]) -> list[bytes]:
    return [step.data for step in steps if isinstance(step, SendPacket)]
