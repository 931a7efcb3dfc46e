"""MPPE on one Link: the keys, what the policy demands, and when each direction is armed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from fastpptp.ppp.auth.types import KeySource
from fastpptp.ppp.ccp import STRENGTHS, Ccp, Mode
from fastpptp.ppp.config import MppePolicy, Timing
from fastpptp.ppp.events import (
    ClearKeys,
    Direction,
    EncryptionUp,
    LinkEvent,
    NoEncryption,
    SetKeys,
)
from fastpptp.ppp.fsm import Owner
from fastpptp.ppp.fsm_table import State

_NOT_NEGOTIATING = frozenset(
    {State.INITIAL, State.CLOSED, State.STOPPED, State.CLOSING, State.STOPPING}
)


class Encryption:
    """CCP, and what follows from its state. `policy` may change until begin()."""

    __slots__ = ("_armed", "_emit", "_keys", "_owner", "_timing", "ccp", "policy", "rejected")

    def __init__(
        self,
        policy: MppePolicy,
        timing: Timing,
        owner: Owner,
        emit: Callable[[LinkEvent], None],
    ) -> None:
        self.policy = policy
        self._timing = timing
        self._owner = owner
        self._emit = emit
        # Start keys (send, receive) by length: those that may be used, the strongest first.
        self._keys: Mapping[int, tuple[bytes, bytes]] = {}
        # What the dataplane has been told to receive with; None: it has no keys.
        self._armed: Mode | None = None
        # Whether the peer does not know CCP at all.
        self.rejected = False
        self.ccp = self._make_ccp()

    @property
    def wanted(self) -> bool:
        """Whether there are keys that the policy lets us use."""
        return bool(self._keys)

    @property
    def active(self) -> bool:
        """Whether both directions are encrypted."""
        return self.ccp.opened and None not in (self.ccp.mppe.receive, self.ccp.mppe.send)

    @property
    def lopsided(self) -> bool:
        """Whether one direction alone is encrypted: nothing to live with."""
        return self.ccp.opened and not self.active and bool(self._modes())

    @property
    def settled(self) -> bool:
        """Whether data may pass, encrypted or, where the policy allows it, in the clear."""
        return self.active or (not self.policy.required and (self._over or not self.wanted))

    @property
    def failed(self) -> bool:
        """Whether encryption is required and cannot be had."""
        lost = self._over or not self.wanted or self.ccp.mppe.refused
        return self.policy.required and not self.active and lost

    @property
    def absence(self) -> NoEncryption | None:
        """Why there is none where we wanted it and data may pass all the same."""
        if not self.wanted or self.active or not self.settled:
            return None
        if self.rejected:
            return NoEncryption.CCP_REJECTED
        if self.ccp.mppe.refused:
            return NoEncryption.MPPE_REJECTED
        heard = self.ccp.reached or self.ccp.requests
        return NoEncryption.NO_AGREEMENT if heard else NoEncryption.NO_ANSWER

    @property
    def _over(self) -> bool:
        """Whether nothing more is to be expected of CCP."""
        return self.ccp.opened or self.ccp.state in _NOT_NEGOTIATING

    def begin(self, keys: KeySource | None, now: float) -> None:
        """Authentication is over: negotiate, if there is something to negotiate."""
        self._keys = self._derive(keys)
        self.rejected = False
        self.ccp = self._make_ccp()
        if self.wanted:
            self.ccp.open(now)
        self.ccp.up(now)

    def end(self, now: float) -> None:
        """LCP is down."""
        self.ccp.down(now)
        self.down()

    def review(self) -> None:
        """Take back what was armed for an agreement that did not come about."""
        if self.settled and not self.active:
            self.down()

    def receive(self, information: bytes, now: float) -> None:
        """A CCP packet. Where we want nothing, a peer that does is answered all the same."""
        if self.ccp.state is State.CLOSED and not self.wanted:
            self.ccp.open(now)
        self.ccp.receive(information, now)

    def restart(self, now: float) -> None:
        """Negotiate anew, from the same start keys."""
        if self.active:
            self.ccp.restart(now)

    # What CCP tells.

    def permits(self) -> None:
        """Our Configure-Ack goes out: from it on the peer may send, so the receiver is armed."""
        if len(self._modes()) == 2:
            self._arm_receiver()

    def up(self) -> None:
        if not self.active:
            return
        self._arm_receiver()
        receive, send = self._modes()
        self._set_keys(Direction.SEND, send)
        bits = min(receive.bits, send.bits)
        self._emit(EncryptionUp(bits, receive.stateless, send.stateless))

    def down(self) -> None:
        if self._armed:
            self._armed = None
            self._emit(ClearKeys())

    def _modes(self) -> tuple[Mode, ...]:
        """What was agreed on: receiving, sending."""
        modes = (self.ccp.mppe.receive, self.ccp.mppe.send)
        return tuple(mode for mode in modes if mode)

    def _arm_receiver(self) -> None:
        receive = self._modes()[0]
        if receive != self._armed:
            self._armed = receive
            self._set_keys(Direction.RECEIVE, receive)

    def _set_keys(self, direction: Direction, mode: Mode) -> None:
        send, receive = self._keys[mode.bits]
        key = receive if direction is Direction.RECEIVE else send
        self._emit(SetKeys(direction, key, mode.bits, mode.stateless))

    def _derive(self, keys: KeySource | None) -> Mapping[int, tuple[bytes, bytes]]:
        if keys is None or not self.policy.enabled:
            return {}
        usable = (b for b in STRENGTHS if b in self.policy.bits and keys.allows(b))
        return {bits: keys.start_keys(bits) for bits in usable}

    def _make_ccp(self) -> Ccp:
        return Ccp(self.policy, tuple(self._keys), self._timing, self._owner)

    def snapshot(self) -> dict[str, Any]:
        """With the start keys: to be kept as secret as they are."""
        return {
            "policy": {**asdict(self.policy), "bits": sorted(self.policy.bits)},
            "keys": list(self._keys.items()),
            "armed": self._armed and asdict(self._armed),
            "rejected": self.rejected,
            "ccp": self.ccp.snapshot(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        policy = snapshot["policy"]
        self.policy = MppePolicy(**{**policy, "bits": frozenset(policy["bits"])})
        self._keys = dict(snapshot["keys"])
        self._armed = snapshot["armed"] and Mode(**snapshot["armed"])
        self.rejected = snapshot["rejected"]
        self.ccp = self._make_ccp()
        self.ccp.restore(snapshot["ccp"])
