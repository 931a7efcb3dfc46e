"""Who is debugged now, and which debug and decode events anybody wants to hear.

An order names a user, by the account that a name stands for, or an address or network of clients,
and ends by itself. Its sessions' events up to its severity go into the log, whatever the policy
says; nobody else's do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from itertools import count

from fastpptp.effects import Effect, Emit
from fastpptp.errors import FastpptpError
from fastpptp.events.catalogue import (
    CLASSES,
    DEBUG_HIGH,
    DECODE_HEADER,
    DECODE_PACKET_HEX,
    Occurrence,
    occur,
)
from fastpptp.events.routing import EventPolicy
from fastpptp.manager.deadlines import Deadlines, Timer

# Orders at one time: each is asked about every event.
MOST_ORDERS = 32

_DEBUG = range(DEBUG_HIGH, DECODE_HEADER)
_DECODE = range(DECODE_HEADER, DECODE_PACKET_HEX + 1)
_OF_CLASS = {
    cls: _DEBUG if cls.endswith("DBG") else _DECODE
    for cls in CLASSES
    if cls.endswith(("DBG", "DECODE"))
}


@dataclass(frozen=True, slots=True)
class Ears:
    """The severities of each *DBG and *DECODE class that somebody wants to hear.

    Up to the severity `forced` because of an order.
    """

    wanted: Mapping[str, frozenset[int]]
    forced: int = 0

    def hears(self, *classes: str) -> bool:
        """Whether anything of these classes is wanted: else nothing is to be made of it."""
        return any(self.wanted[cls] for cls in classes)


def ears(policy: EventPolicy, forced: int = 0) -> Ears:
    """What the policy sends anywhere, and all up to the severity `forced`."""
    return Ears(
        {
            cls: frozenset(
                severity
                for severity in severities
                if severity <= forced or policy.destinations(cls, severity)
            )
            for cls, severities in _OF_CLASS.items()
        },
        forced,
    )


@dataclass(frozen=True, slots=True)
class DebugOrder:
    """Debug of a user, or else of clients at `address`, by `who`, until monotonic `until` (s).

    `until_wall` is that time in words.
    """

    number: int
    user: str | None
    address: IPv4Network | None
    severity: int
    until: float
    until_wall: str
    who: str

    @property
    def target(self) -> str:
        """Whom it is about, in words."""
        return f"user [{self.user}]" if self.user is not None else f"address {self.where}"

    @property
    def where(self) -> str:
        """The address or network as people write it."""
        return str(self.address).removesuffix("/32")

    def concerns(self, peer: IPv4Address | None, accounts: tuple[str, ...]) -> bool:
        if self.user is not None:
            return self.user in accounts
        return self.address is not None and peer is not None and peer in self.address


class Debugging:
    """The orders that hold.

    `account` tells which user a name stands for, None where it is none; `listen` has every tunnel
    and session make what is wanted now, and is called when that has changed.
    """

    def __init__(
        self,
        policy: EventPolicy,
        account: Callable[[str], str | None],
        deadlines: Deadlines,
        listen: Callable[[], list[Effect]],
    ) -> None:
        self._account = account
        self._deadlines = deadlines
        self._listen = listen
        self._orders: dict[int, DebugOrder] = {}
        self._numbers = count(1)
        self.follow(policy)
        deadlines.on(Timer.DEBUG, self._orders.get, self._over)

    def __len__(self) -> int:
        return len(self._orders)

    def __iter__(self) -> Iterator[DebugOrder]:
        """Oldest first."""
        return iter(self._orders.values())

    def follow(self, policy: EventPolicy) -> None:
        """Listen as this policy says from now on; orders stay."""
        self._policy = policy
        # Sessions share what they hear with.
        self._ears = {0: ears(policy)}

    # Orders.

    def start(
        self,
        user: str | None,
        address: IPv4Network | None,
        severity: int,
        until: float,
        until_wall: str,
        who: str,
    ) -> tuple[DebugOrder, list[Effect]]:
        """A new order, in the place of one before for the same whom.

        FastpptpError: there are too many.
        """
        replaced = [order for order in self if (order.user, order.address) == (user, address)]
        if len(self) - len(replaced) >= MOST_ORDERS:
            raise FastpptpError(f"{MOST_ORDERS} users and addresses are debugged already")
        for old in replaced:
            self._forget(old)
        number = next(self._numbers)
        order = DebugOrder(number, user, address, severity, until, until_wall, who)
        self._orders[number] = order
        self._deadlines.set((Timer.DEBUG, number), until)
        told = occur(
            "CONFIG", 105, whom=order.target, severity=severity, until=until_wall, who=who
        )  # fmt: skip
        return order, [Emit(told), *self._listen()]

    def stop(
        self, user: str | None, address: IPv4Network | None, who: str
    ) -> tuple[list[DebugOrder], list[Effect]]:
        """End the order of this user and that of this address, all of them for neither."""
        every = user is None and address is None
        ended = [
            order
            for order in self
            if every
            or (user is not None and order.user == user)
            or (address is not None and order.address == address)
        ]
        effects: list[Effect] = []
        for order in ended:
            effects += self._end(order, f"ended by {who}")
        return ended, effects

    def _over(self, order: DebugOrder, now: float) -> list[Effect]:
        return self._end(order, "its time is over")

    def _end(self, order: DebugOrder, reason: str) -> list[Effect]:
        self._forget(order)
        told = occur("CONFIG", 106, whom=order.target, who=order.who, reason=reason)
        return [Emit(told), *self._listen()]

    def _forget(self, order: DebugOrder) -> None:
        del self._orders[order.number]
        self._deadlines.cancel((Timer.DEBUG, order.number))

    # What is wanted.

    def severity(self, peer: IPv4Address | None, name: str) -> int:
        """Up to which severity events of this client and name are debugged; 0: not at all."""
        if not self._orders:
            return 0
        known = self._account(name) if name else None
        accounts = (name,) if known is None else (known,)
        found = (o.severity for o in self if o.concerns(peer, accounts if name else ()))
        return max(found, default=0)

    def covers(self, occurrence: Occurrence) -> bool:
        """Whether this event is to go into the log even if the policy does not send it there."""
        if not self._orders:
            return False
        name = occurrence.fields.get("user", "")
        return occurrence.severity <= self.severity(occurrence.peer, name)

    def ears(self, peer: IPv4Address, name: str) -> Ears:
        """What is wanted of this client's and user's *DBG and *DECODE classes."""
        forced = self.severity(peer, name)
        found = self._ears.get(forced)
        if found is None:
            found = self._ears[forced] = ears(self._policy, forced)
        return found
