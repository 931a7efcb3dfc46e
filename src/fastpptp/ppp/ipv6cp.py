"""The IPv6 Control Protocol (RFC 5072): interface identifiers."""

from __future__ import annotations

from collections.abc import Callable

from fastpptp.ppp.config import Timing
from fastpptp.ppp.frames import Protocol
from fastpptp.ppp.fsm import ControlProtocol, Owner
from fastpptp.ppp.options import Judgement, OptionRule, OptionSet, Verdict

OCTETS = 8

# RFC 5072 4.1: an identifier that is drawn is not unique in the world.
_UNIVERSAL = 1 << 57


class InterfaceIdentifier(OptionRule):
    """RFC 5072 4.1. Both identifiers differ and none is zero."""

    __slots__ = ("_asking", "_rng", "_suggestion", "local", "peer")

    type = 1
    FIELDS = ("local", "peer", "_suggestion", "_asking")

    def __init__(self, rng: Callable[[int], bytes]) -> None:
        self._rng = rng
        self.local = self._draw()
        self.peer = 0
        self._suggestion = 0
        self._asking = True

    def assign(self, local: bytes, peer: bytes) -> None:
        """Identifiers to use and to suggest; empty ones are drawn."""
        self.local = int.from_bytes(local, "big") or self.local
        self._suggestion = int.from_bytes(peer, "big")

    def reset(self) -> None:
        self._asking = True

    def ask(self) -> bytes | None:
        return self.local.to_bytes(OCTETS, "big") if self._asking else None

    def judge(self, data: bytes) -> Judgement:
        if len(data) != OCTETS:
            return Verdict.REJECT, data
        if int.from_bytes(data, "big") in (0, self.local):
            return Verdict.NAK, self._suggest()
        return Verdict.ACK, data

    def absent(self) -> bytes | None:
        return self._suggest()

    def agree(self, data: bytes | None) -> None:
        self.peer = int.from_bytes(data or b"", "big")

    def naked(self, data: bytes) -> None:
        offered = int.from_bytes(data, "big") if len(data) == OCTETS else 0
        self.local = self._draw() if offered in (0, self.local, self.peer) else offered

    def rejected(self) -> None:
        self._asking = False

    def _suggest(self) -> bytes:
        if self._suggestion in (0, self.local):
            self._suggestion = self._draw()
        return self._suggestion.to_bytes(OCTETS, "big")

    def _draw(self) -> int:
        return (int.from_bytes(self._rng(OCTETS), "big") & ~_UNIVERSAL) or 1


class Ipv6cp(ControlProtocol):
    """IPv6CP; IPv6-Compression-Protocol is rejected."""

    __slots__ = ("identifier",)

    protocol = Protocol.IPV6CP

    def __init__(self, timing: Timing, owner: Owner, *, rng: Callable[[int], bytes]) -> None:
        self.identifier = InterfaceIdentifier(rng)
        super().__init__(OptionSet((self.identifier,)), timing, owner)

    @property
    def local(self) -> bytes:
        return self.identifier.local.to_bytes(OCTETS, "big")

    @property
    def peer(self) -> bytes:
        return self.identifier.peer.to_bytes(OCTETS, "big")
