"""A DHCP server that does as it is told, and the exchange with it, on a clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address
from typing import Any

from fastpptp.dhcp.message import NOWHERE, REPLY, Code, Message, MessageType

SERVER = IPv4Address("192.0.2.67")
OTHER = IPv4Address("192.0.2.68")
FIRST = IPv4Address("172.16.1.100")
REPLIES = {MessageType.DISCOVER: MessageType.OFFER, MessageType.REQUEST: MessageType.ACK}


@dataclass
class Server:
    """Leases `addresses` in their order, by client identifier; silent when it is `dead`."""

    address: IPv4Address = SERVER
    addresses: list[IPv4Address] = field(default_factory=lambda: [FIRST + n for n in range(5)])
    seconds: int = 3600
    dead: bool = False
    refuses: bool = False
    options: dict[int, bytes] = field(default_factory=dict)
    leases: dict[bytes, IPv4Address] = field(default_factory=dict)
    seen: list[Message] = field(default_factory=list)
    declined: list[IPv4Address] = field(default_factory=list)

    def answer(self, message: Message) -> Message | None:
        self.seen.append(message)
        if self.dead:
            return None
        who = message.options[Code.CLIENT_IDENTIFIER]
        if message.type is MessageType.RELEASE:
            self.leases.pop(who, None)
        if message.type is MessageType.DECLINE:
            self.declined.append(self.leases.pop(who))
        if message.type not in REPLIES or not self._for_us(message):
            return None
        if self.refuses and message.type is MessageType.REQUEST:
            return self.reply(message, MessageType.NAK, NOWHERE, {Code.MESSAGE: b"no more"})
        address = self._lease(who)
        if address is None:
            return None
        lease = {Code.LEASE_TIME: self.seconds.to_bytes(4, "big"), **self.options}
        return self.reply(message, REPLIES[message.type], address, lease)

    def reply(
        self, message: Message, kind: MessageType, address: IPv4Address, options: dict[Any, bytes]
    ) -> Message:
        own = {Code.SERVER_IDENTIFIER: self.address.packed}
        return replace(message, op=REPLY, type=kind, yiaddr=address, options=own | options)

    def types(self) -> list[str]:
        return [message.type.name for message in self.seen]

    def _for_us(self, message: Message) -> bool:
        chosen = message.address(Code.SERVER_IDENTIFIER)
        return chosen in (None, self.address)

    def _lease(self, who: bytes) -> IPv4Address | None:
        taken = {*self.leases.values(), *self.declined}
        free = (address for address in self.addresses if address not in taken)
        if who not in self.leases and (address := next(free, None)):
            self.leases[who] = address
        return self.leases.get(who)
