"""What PAP and CHAP have in common in both roles: the table's drive, one timer, the snapshot."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from fastpptp.errors import LocalProtocolError, RemoteProtocolError
from fastpptp.ppp.auth.states import AUTHENTICATOR, Input, State, Table
from fastpptp.ppp.auth.steps import Ask, AuthStep, Failed, SendPacket, Succeeded
from fastpptp.ppp.auth.types import Accept, AuthMethod, AuthResult, Challenge, Credential, Reject
from fastpptp.ppp.frames import Packet, Protocol, decode_packet

# Seconds between two transmissions, and how many there are.
RESTART = 3.0
TRANSMISSIONS = 10
# Seconds that a peer has to begin, or its user to answer a prompt (RFC 2759 section 6: a
# permitted retry disables the short time-outs).
PATIENCE = 30.0
PROMPT = 60.0

# Reject.error of an expired password.
PASSWORD_EXPIRED = 648
AUTHENTICATION_FAILURE = 691

VERSION = 1


class Endpoint(ABC):
    """One end of one authentication protocol.

    `receive` silently discards what is malformed or out of place; it never raises for
    what a peer sent. Methods return steps (steps.py), whose order matters.
    """

    TABLE: ClassVar[Table]
    # What snapshot() holds: plain values under their attribute's name.
    FIELDS: ClassVar[tuple[str, ...]] = ("name", "identifier", "deadline", "left", "sent")

    method: AuthMethod
    protocol: int = Protocol.CHAP

    def __init__(self, name: str, rng: Callable[[int], bytes]) -> None:
        self.name = name
        self.rng = rng
        self.state = State.INITIAL
        self.identifier = rng(1)[0]
        self.deadline: float | None = None
        self.left = 0
        # What we sent last, sent again for a duplicate or a time-out.
        self.sent = b""

    def start(self, now: float) -> list[AuthStep]:
        return self._drive(Input.START, now)

    def receive(self, packet: bytes, now: float) -> list[AuthStep]:
        """A packet from its code octet on."""
        try:
            return self._received(decode_packet(packet), now)
        except RemoteProtocolError:
            return []

    def get_timer(self) -> float | None:
        return self.deadline

    def handle_timer(self, now: float) -> list[AuthStep]:
        if self.deadline is None or now < self.deadline:
            return []
        return self._drive(Input.TIMEOUT if self.left else Input.EXPIRED, now)

    def snapshot(self) -> dict[str, Any]:
        """A plain dict for restore_auth. Of a password it holds nothing."""
        fields = {name: getattr(self, name) for name in self.FIELDS}
        return {
            "version": VERSION,
            "authenticator": self.TABLE is AUTHENTICATOR,
            "method": self.method.value,
            "state": self.state.value,
            **fields,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take the place of the endpoint that made `snapshot`."""
        self.state = State(snapshot["state"])
        for name in self.FIELDS:
            setattr(self, name, snapshot[name])

    def _drive(self, symbol: Input, now: float, *arguments: Any) -> list[AuthStep]:
        action, state = self.TABLE.get((self.state, symbol), ("", self.state))
        if not action:
            return []
        self.state = state
        steps: list[AuthStep] = getattr(self, f"_{action}")(now, *arguments)
        return steps

    @abstractmethod
    def _received(self, packet: Packet, now: float) -> list[AuthStep]:
        """A packet whose Length is right. RemoteProtocolError discards it."""

    def _wait(self, deadline: float | None, left: int = 0) -> None:
        self.deadline, self.left = deadline, left

    def _send(self, code: int, data: bytes) -> SendPacket:
        self.sent = Packet(code, self.identifier, data).encode()
        return SendPacket(self.sent)

    def _give_up(self, now: float) -> list[AuthStep]:
        self._wait(None)
        return [Failed(self.method, self.name)]

    def _repeat(self, now: float) -> list[AuthStep]:
        self._wait(now + RESTART, self.left - 1)
        return [SendPacket(self.sent)]


class Authenticator(Endpoint):
    """The role of the headend. `name` is our own; `peer_name` what the peer says it is."""

    TABLE = AUTHENTICATOR
    FIELDS = (*Endpoint.FIELDS, "peer_name", "token", "retried")

    # Whether a Failure may allow a retry or a change of the password (MS-CHAP).
    coded: bool = False

    def __init__(self, name: str, rng: Callable[[int], bytes], tokens: Iterator[int]) -> None:
        super().__init__(name, rng)
        self.tokens = tokens
        self.retried = 0
        self.peer_name = ""
        self.token: int | None = None

    def complete(self, token: int, result: AuthResult, now: float) -> list[AuthStep]:
        """The policy's answer to Ask. One that is late or given twice changes nothing."""
        if isinstance(result, Challenge):
            raise LocalProtocolError(f"{self.method.value} has no further round")
        if token != self.token:
            return []
        self.token = None
        return self._drive(self._verdict(result), now, result)

    def _verdict(self, result: Accept | Reject) -> Input:
        if isinstance(result, Accept):
            return Input.ACCEPT
        if result.not_allowed or self.state is not State.ASKING:
            return Input.REJECT
        if result.error == PASSWORD_EXPIRED and self.coded:
            return Input.PASSWORD_EXPIRED
        if self.coded and self.retried < result.retries:
            return Input.RETRY
        return Input.REJECT

    def _ask(self, now: float, credential: Credential) -> list[AuthStep]:
        self._wait(None)
        self.token = next(self.tokens)
        return [Ask(self.token, self.peer_name, credential)]

    def _succeed(self, now: float, accept: Accept) -> list[AuthStep]:
        sent = self._accept(accept)
        return [sent, Succeeded(self.method, self.peer_name, accept.keys, accept.identity)]

    def _fail(self, now: float, reject: Reject) -> list[AuthStep]:
        # A method that is not allowed is told as any other failure: the peer learns no more.
        if reject.not_allowed:
            reject = Reject(AUTHENTICATION_FAILURE, reject.message, not_allowed=True)
        return [self._reject(reject), Failed(self.method, self.peer_name, reject.not_allowed)]

    def _give_up(self, now: float) -> list[AuthStep]:
        self._wait(None)
        return [Failed(self.method, self.peer_name)]

    def _answer_again(self, now: float) -> list[AuthStep]:
        return [SendPacket(self.sent)]

    @abstractmethod
    def _accept(self, accept: Accept) -> SendPacket:
        """The packet that lets the peer in."""

    @abstractmethod
    def _reject(self, reject: Reject) -> SendPacket:
        """The packet that keeps the peer out."""
