"""The Compression Control Protocol (RFC 1962), for MPPE alone (RFC 3078 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from fastpptp.ppp.config import MppePolicy, Timing
from fastpptp.ppp.frames import Code, Packet, Protocol
from fastpptp.ppp.fsm import ControlProtocol, Owner
from fastpptp.ppp.options import Judgement, OptionRule, OptionSet, Verdict

STATELESS = 0x01000000
# The Supported Bits of each key length. D (0x10) is obsolete, C (0x01) is MPPC's: neither
# is ever accepted.
STRENGTHS: Mapping[int, int] = MappingProxyType({128: 0x40, 56: 0x80, 40: 0x20})


@dataclass(frozen=True, slots=True)
class Mode:
    """How one direction is encrypted."""

    bits: int
    stateless: bool


def strengths_of(value: int) -> tuple[int, ...]:
    """The key lengths among the Supported Bits, strongest first."""
    return tuple(bits for bits, bit in STRENGTHS.items() if value & bit)


def value_of(bits: tuple[int, ...], stateless: bool) -> int:
    return sum(STRENGTHS[b] for b in bits) | (STATELESS if stateless else 0)


class MppeOption(OptionRule):
    """Each side's request says what it receives, so that a direction is as its receiver asked.

    `allowed` are the key lengths that the policy and the keys allow, strongest first; with
    none of them MPPE is not to be had.
    """

    __slots__ = ("_agreed", "_asking", "_policy", "_stateless", "allowed")

    type = 18
    FIELDS = ("_asking", "_agreed", "_stateless")

    def __init__(self, policy: MppePolicy, allowed: tuple[int, ...]) -> None:
        self._policy = policy
        self.allowed = allowed
        # What our request says, empty when the peer would not have it; what the peer's says.
        self._asking: tuple[int, ...] = ()
        self._stateless = True
        self._agreed = 0
        self.reset()

    @property
    def refused(self) -> bool:
        """Whether the peer will not have what we ask for."""
        return bool(self.allowed) and not self._asking

    @property
    def receive(self) -> Mode | None:
        """What we ask for; of several strengths that the peer acknowledges, the strongest."""
        return Mode(self._asking[0], self._stateless) if self._asking else None

    @property
    def send(self) -> Mode | None:
        """What the peer asked for and we acknowledged."""
        bits = strengths_of(self._agreed)
        return Mode(bits[0], bool(self._agreed & STATELESS)) if bits else None

    def reset(self) -> None:
        self._asking = self.allowed
        self._stateless = self._policy.require_stateless or not self._policy.ask_stateful

    def ask(self) -> bytes | None:
        return self._octets(value_of(self._asking, self._stateless)) if self._asking else None

    def judge(self, data: bytes) -> Judgement:
        if len(data) != 4:
            return Verdict.REJECT, data
        value = int.from_bytes(data, "big")
        if not self.allowed:
            # All zero: neither encryption nor compression, which is what there is.
            return (Verdict.REJECT if value else Verdict.ACK), data
        wanted = self._wanted(value)
        return (Verdict.ACK if value == wanted else Verdict.NAK), self._octets(wanted)

    def absent(self) -> bytes | None:
        """A peer that asks for nothing would be sent everything in the clear."""
        if not (self._policy.required and self.allowed):
            return None
        return self._octets(value_of(self.allowed[:1], True))

    def agree(self, data: bytes | None) -> None:
        self._agreed = int.from_bytes(data or b"", "big")
        # Both directions alike, where it is still open to us.
        bits = strengths_of(self._agreed)
        if len(self._asking) > 1 and bits:
            self._asking = bits

    def naked(self, data: bytes) -> None:
        value = int.from_bytes(data, "big") if len(data) == 4 else 0
        self._asking = self._common(value)[:1]
        self._stateless = self._policy.require_stateless or bool(value & STATELESS)

    def rejected(self) -> None:
        self._asking = ()

    def _common(self, value: int) -> tuple[int, ...]:
        return tuple(bits for bits in strengths_of(value) if bits in self.allowed)

    def _wanted(self, value: int) -> int:
        """The one strength that we would send with, nearest to what the peer asks for."""
        bits = (self._common(value) or self.allowed)[:1]
        return value_of(bits, bool(value & STATELESS) or self._policy.require_stateless)

    @staticmethod
    def _octets(value: int) -> bytes:
        return value.to_bytes(4, "big")


class Ccp(ControlProtocol):
    """CCP. MPPE's Reset-Requests are the dataplane's; one that gets here asks for nothing."""

    __slots__ = ("mppe",)

    protocol = Protocol.CCP

    def __init__(
        self, policy: MppePolicy, allowed: tuple[int, ...], timing: Timing, owner: Owner
    ) -> None:
        self.mppe = MppeOption(policy, allowed)
        super().__init__(OptionSet((self.mppe,)), timing, owner)

    _CODES: ClassVar[Mapping[int, str]] = MappingProxyType(
        {
            **ControlProtocol._CODES,
            Code.RESET_REQUEST: "_reset",
            Code.RESET_ACK: "_reset",
        }
    )

    def _reset(self, packet: Packet, now: float) -> None:
        """MPPE has no Reset-Ack, and Reset-Requests are answered by a flushed packet."""
