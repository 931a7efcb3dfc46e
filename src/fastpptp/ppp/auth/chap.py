"""The Challenge Handshake Authentication Protocol (RFC 1994), both roles, over a scheme."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from fastpptp.ppp.auth import mppe_keys, mschap, packets
from fastpptp.ppp.auth.endpoint import (
    AUTHENTICATION_FAILURE,
    PASSWORD_EXPIRED,
    PATIENCE,
    PROMPT,
    RESTART,
    TRANSMISSIONS,
    Authenticator,
    Endpoint,
)
from fastpptp.ppp.auth.packets import ChapCode
from fastpptp.ppp.auth.schemes import Answer, ChapMd5, Refusal
from fastpptp.ppp.auth.states import CHAP_PEER, Input, State
from fastpptp.ppp.auth.steps import AuthStep, Failed, SendPacket, Succeeded
from fastpptp.ppp.auth.types import Accept, AuthResult, Credential, Reject
from fastpptp.ppp.frames import Packet


class ChapAuthenticator(Authenticator):
    """Challenges the peer. A Challenge is repeated as it was until it is answered."""

    FIELDS = (*Authenticator.FIELDS, "challenge")

    def __init__(
        self,
        scheme: ChapMd5,
        name: str,
        rng: Callable[[int], bytes],
        tokens: Iterator[int],
    ) -> None:
        super().__init__(name, rng, tokens)
        self.scheme = scheme
        self.method = scheme.method
        self.coded = scheme.coded
        self.challenge = b""

    def _received(self, packet: Packet, now: float) -> list[AuthStep]:
        if packet.code == ChapCode.RESPONSE:
            symbol = Input.RESPONSE
        elif packet.code in self.scheme.changes:
            symbol = Input.CHANGE
        else:
            return []
        if (self.state, symbol) in self.TABLE and packet.identifier == self._awaited:
            credential = self._credential(packet)
            self.identifier = packet.identifier
            return self._drive(symbol, now, credential)
        if packet.identifier == self.identifier:
            return self._drive(Input.DUPLICATE, now)
        return []

    @property
    def _awaited(self) -> int:
        """The identifier of the next credential: after a Failure its plus one (RFC 2759 9.1)."""
        return (self.identifier + (self.state is not State.WAITING)) % 256

    def _credential(self, packet: Packet) -> Credential:
        if packet.code != ChapCode.RESPONSE:
            return self.scheme.change(packet.code, self.challenge, packet.data)
        value, name = packets.decode_value(packet.data)
        credential = self.scheme.credential(packet.identifier, self.challenge, value)
        self.peer_name = name
        return credential

    def _begin(self, now: float) -> list[AuthStep]:
        self._wait(now + RESTART, TRANSMISSIONS - 1)
        self.challenge = self.rng(self.scheme.challenge_octets)
        value = bytes((len(self.challenge),)) + self.challenge
        return [self._send(ChapCode.CHALLENGE, value + packets.octets_of(self.name)[0])]

    def _allow_retry(self, now: float, reject: Reject) -> list[AuthStep]:
        self.retried += 1
        self._wait(now + PROMPT)
        self.challenge = self.rng(self.scheme.challenge_octets)
        return [self._failure(reject, retry=True)]

    def _allow_change(self, now: float, reject: Reject) -> list[AuthStep]:
        self._wait(now + PROMPT)
        # Version 1 wants the new password under the challenge of the last response (RFC 2433
        # section 10), version 2 under the Failure's own (RFC 2759 section 7).
        if self.scheme.fresh_for_change:
            self.challenge = self.rng(self.scheme.challenge_octets)
        return [self._failure(reject, retry=False)]

    def _accept(self, accept: Accept) -> SendPacket:
        return self._send(ChapCode.SUCCESS, accept.message)

    def _reject(self, reject: Reject) -> SendPacket:
        return self._failure(reject, retry=False)

    def _failure(self, reject: Reject, retry: bool) -> SendPacket:
        return self._send(ChapCode.FAILURE, self.scheme.failure(reject, retry, self.challenge))


class ChapPeer(Endpoint):
    """Answers Challenges.

    `retry_passwords` are tried, in order, when the authenticator allows a retry;
    `new_password` takes the place of an expired one.
    """

    TABLE = CHAP_PEER
    FIELDS = (*Endpoint.FIELDS, "challenge", "challenged", "proof", "tries", "changed", "error")

    def __init__(
        self,
        scheme: ChapMd5,
        name: str,
        password: str,
        rng: Callable[[int], bytes],
        *,
        retry_passwords: Sequence[str] = (),
        new_password: str | None = None,
    ) -> None:
        super().__init__(name, rng)
        self.scheme = scheme
        self.method = scheme.method
        self.passwords = (password, *retry_passwords)
        self.new_password = new_password
        self.challenge = b""
        # The identifier of the Challenge that was answered last.
        self.challenged: int | None = None
        self.proof = b""
        self.keys: Any = None
        # How many of the passwords were refused; whether the new one is in use.
        self.tries = 0
        self.changed = False
        # Why we were refused, where the code says more than that we were.
        self.error = 0

    @property
    def password(self) -> str:
        if self.changed and self.new_password is not None:
            return self.new_password
        return self.passwords[self.tries]

    def complete(self, token: int, result: AuthResult, now: float) -> list[AuthStep]:
        """A peer asks for nothing."""
        return []

    def snapshot(self) -> dict[str, Any]:
        return {**super().snapshot(), "keys": self.keys and self.keys.snapshot()}

    def restore(self, snapshot: dict[str, Any]) -> None:
        super().restore(snapshot)
        keys = snapshot["keys"]
        self.keys = keys and mppe_keys.restore_keys(keys)

    def _received(self, packet: Packet, now: float) -> list[AuthStep]:
        if packet.code == ChapCode.CHALLENGE:
            value, _ = packets.decode_value(packet.data)
            self.scheme.check_challenge(value)
            return self._drive(Input.CHALLENGE, now, packet.identifier, value)
        if packet.identifier != self.identifier:
            return []
        if packet.code == ChapCode.SUCCESS:
            # The authenticator must prove that it knows the password too (RFC 2759 section 5).
            proven = mschap.check_authenticator_response(self.proof, packet.data)
            return self._drive(Input.SUCCESS if proven else Input.FAILURE, now)
        if packet.code == ChapCode.FAILURE:
            return self._refused(self.scheme.refusal(packet.data), now)
        return []

    def _refused(self, refusal: Refusal, now: float) -> list[AuthStep]:
        if refusal.retry and self.tries + 1 < len(self.passwords) and not self.changed:
            return self._drive(Input.RETRY, now, refusal)
        change = self._change(refusal)
        if change is not None:
            return self._drive(Input.PASSWORD_EXPIRED, now, change, refusal)
        self.error = 0 if refusal.error == AUTHENTICATION_FAILURE else refusal.error
        return self._drive(Input.FAILURE, now)

    def _change(self, refusal: Refusal) -> Answer | None:
        if refusal.error != PASSWORD_EXPIRED or self.new_password is None or self.changed:
            return None
        challenge = refusal.challenge or self.challenge
        return self.scheme.change_answer(
            refusal, challenge, self._name, self.password, self.new_password, self.rng
        )

    @property
    def _name(self) -> bytes:
        return packets.octets_of(self.name)[0]

    def _listen(self, now: float) -> list[AuthStep]:
        self._wait(now + PATIENCE)
        return []

    def _respond(self, now: float, identifier: int, challenge: bytes) -> list[AuthStep]:
        self._wait(now + RESTART, TRANSMISSIONS - 1)
        if (identifier, challenge) == (self.challenged, self.challenge):
            return [SendPacket(self.sent)]
        self.identifier = self.challenged = identifier
        self.challenge = challenge
        return [self._answer()]

    def _answer(self) -> SendPacket:
        answer = self.scheme.answer(
            self.identifier, self.challenge, self._name, self.password, self.rng
        )
        return self._sent(answer)

    def _sent(self, answer: Answer) -> SendPacket:
        self.proof, self.keys = answer.proof, answer.keys
        return self._send(answer.code, answer.data)

    def _try_again(self, now: float, refusal: Refusal) -> list[AuthStep]:
        self._wait(now + RESTART, TRANSMISSIONS - 1)
        self.tries += 1
        self.identifier = (self.identifier + 1) % 256
        self.challenge = refusal.challenge or _implied(self.challenge)
        return [self._answer()]

    def _change_password(self, now: float, answer: Answer, refusal: Refusal) -> list[AuthStep]:
        self._wait(now + RESTART, TRANSMISSIONS - 1)
        self.changed = True
        self.identifier = (self.identifier + 1) % 256
        self.challenge = refusal.challenge or self.challenge
        return [self._sent(answer)]

    def _succeed(self, now: float) -> list[AuthStep]:
        self._wait(None)
        return [Succeeded(self.method, self.name, self.keys)]

    def _give_up(self, now: float) -> list[AuthStep]:
        self._wait(None)
        return [Failed(self.method, self.name, error=self.error)]

    def _rest(self, now: float) -> list[AuthStep]:
        self._wait(None)
        return []


def _implied(challenge: bytes) -> bytes:
    """The challenge that follows where a Failure names none (RFC 2433 section 8)."""
    return bytes(((challenge[0] + 23) % 256,)) + challenge[1:]
