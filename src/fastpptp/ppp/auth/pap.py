"""The Password Authentication Protocol, RFC 1334 section 2, both roles."""

from __future__ import annotations

from collections.abc import Callable

from fastpptp.ppp.auth import packets
from fastpptp.ppp.auth.endpoint import (
    PATIENCE,
    RESTART,
    TRANSMISSIONS,
    Authenticator,
    Endpoint,
)
from fastpptp.ppp.auth.packets import PapCode, counted, octets_of, take
from fastpptp.ppp.auth.states import PAP_PEER, Input, State
from fastpptp.ppp.auth.steps import AuthStep, SendPacket, Succeeded
from fastpptp.ppp.auth.types import Accept, AuthMethod, AuthResult, PapCredential, Reject
from fastpptp.ppp.frames import Packet, Protocol, decode_packet


class PapAuthenticator(Authenticator):
    """Waits for an Authenticate-Request and answers it.

    Each request has its own identifier, which the answer repeats (section 2.2.2).
    """

    method = AuthMethod.PAP
    protocol = Protocol.PAP

    def _received(self, packet: Packet, now: float) -> list[AuthStep]:
        if packet.code != PapCode.AUTHENTICATE_REQUEST:
            return []
        name, password = packets.decode_authenticate_request(packet.data)
        if self.state is State.ASKING and name != self.peer_name:
            return []
        self.identifier = packet.identifier
        if self.state is not State.WAITING:
            return self._drive(Input.DUPLICATE, now)
        self.peer_name = name
        return self._drive(Input.RESPONSE, now, PapCredential(password))

    def _begin(self, now: float) -> list[AuthStep]:
        self._wait(now + PATIENCE)
        return []

    def _answer_again(self, now: float) -> list[AuthStep]:
        answer = decode_packet(self.sent)
        return [self._send(answer.code, answer.data)]

    def _accept(self, accept: Accept) -> SendPacket:
        return self._send(PapCode.AUTHENTICATE_ACK, counted(accept.message))

    def _reject(self, reject: Reject) -> SendPacket:
        return self._send(PapCode.AUTHENTICATE_NAK, counted(reject.message))


class PapPeer(Endpoint):
    """Sends Authenticate-Requests until one is answered."""

    TABLE = PAP_PEER
    FIELDS = (*Endpoint.FIELDS, "first")
    method = AuthMethod.PAP
    protocol = Protocol.PAP

    def __init__(self, name: str, password: str, rng: Callable[[int], bytes]) -> None:
        super().__init__(name, rng)
        self.password = password
        self.first = self.identifier

    def complete(self, token: int, result: AuthResult, now: float) -> list[AuthStep]:
        """A peer asks for nothing."""
        return []

    def _received(self, packet: Packet, now: float) -> list[AuthStep]:
        # An answer to any request sent so far will do: they were all the same.
        if (packet.identifier - self.first) % 256 > (self.identifier - self.first) % 256:
            return []
        if packet.code == PapCode.AUTHENTICATE_ACK:
            self._check_message(packet.data)
            return self._drive(Input.SUCCESS, now)
        if packet.code == PapCode.AUTHENTICATE_NAK:
            return self._drive(Input.FAILURE, now)
        return []

    @staticmethod
    def _check_message(data: bytes) -> None:
        # Some authenticators leave out the length octet of an empty message.
        if data:
            take(data, 0)

    def _request(self, now: float, left: int = TRANSMISSIONS) -> list[AuthStep]:
        name, password = (counted(octets_of(text)[0]) for text in (self.name, self.password))
        self._wait(now + RESTART, left - 1)
        return [self._send(PapCode.AUTHENTICATE_REQUEST, name + password)]

    def _repeat(self, now: float) -> list[AuthStep]:
        # The identifier must change with each request (section 2.2.1).
        self.identifier = (self.identifier + 1) % 256
        return self._request(now, self.left)

    def _succeed(self, now: float) -> list[AuthStep]:
        self._wait(None)
        return [Succeeded(self.method, self.name)]
