"""Two connections tied together: each is the other's test peer."""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address

from fastpptp.pptp import (
    Call,
    CallConnected,
    CallRequested,
    ControlConfig,
    ControlConnection,
    ControlEvent,
    Role,
    encode,
)
from fastpptp.pptp.framing import MessageReader
from fastpptp.pptp.messages import (
    Message,
    StartControlConnectionReply,
    StartControlConnectionRequest,
)

LOW = IPv4Address("192.33.45.17")
HIGH = IPv4Address("192.33.45.89")
CONFIG = ControlConfig(host_name="vpn.example", vendor_name="fastpptp", maximum_channels=100)


@dataclass
class Pair:
    """The PNS dials, the PAC answers; each list has what its owner was told."""

    pns: ControlConnection
    pac: ControlConnection
    now: float = 0.0
    pns_events: list[ControlEvent] = field(default_factory=list)
    pac_events: list[ControlEvent] = field(default_factory=list)

    def run(self, piece: int = 1 << 16) -> None:
        """Carry octets both ways, `piece` at a time, until both are quiet."""
        while True:
            to_pac, to_pns = self.pns.data_to_send(), self.pac.data_to_send()
            if not to_pac and not to_pns:
                return
            for at in range(0, len(to_pac), piece):
                self.pac_events += self.pac.receive_data(to_pac[at : at + piece], self.now)
            for at in range(0, len(to_pns), piece):
                self.pns_events += self.pns.receive_data(to_pns[at : at + piece], self.now)

    def requested(self) -> Call:
        """The call that the PAC or the PNS was asked for last."""
        events = [*self.pac_events, *self.pns_events]
        return [event.call for event in events if isinstance(event, CallRequested)][-1]

    def place_outgoing(self, pns_id: int = 7, pac_id: int = 0x1F3A) -> tuple[Call, Call]:
        """An established outgoing call: the PNS's Call and the PAC's."""
        self.pns_events += self.pns.place_call(pns_id, self.now)
        self.run()
        pac_call = self.requested()
        self.pac_events += self.pac.answer_call(pac_call, pac_id, self.now)
        self.run()
        pns_call = self.pns.find_call(pns_id)
        assert pns_call is not None
        return pns_call, pac_call

    def place_incoming(self, pac_id: int = 0x1F3A, pns_id: int = 7) -> tuple[Call, Call]:
        """An established incoming call: the PNS's Call and the PAC's."""
        self.pac_events += self.pac.place_call(pac_id, self.now)
        self.run()
        pns_call = self.requested()
        self.pns_events += self.pns.answer_call(pns_call, pns_id, self.now)
        self.run()
        pac_call = self.pac.find_call(pac_id)
        assert pac_call is not None
        return pns_call, pac_call

    def clear(self) -> None:
        self.pns_events.clear()
        self.pac_events.clear()


def new_pair(config: ControlConfig = CONFIG) -> Pair:
    return Pair(
        ControlConnection(Role.PNS, config, now=0.0, local_address=LOW, peer_address=HIGH),
        ControlConnection(Role.PAC, config, now=0.0, local_address=HIGH, peer_address=LOW),
    )


def established(config: ControlConfig = CONFIG) -> Pair:
    pair = new_pair(config)
    pair.pns_events += pair.pns.initiate(0.0)
    pair.run()
    assert pair.pns.established
    assert pair.pac.established
    pair.clear()
    return pair


def alone(role: Role = Role.PAC, config: ControlConfig = CONFIG) -> ControlConnection:
    """An established connection whose peer is the test itself."""
    connection = ControlConnection(role, config, now=0.0)
    connection.receive_data(encode(StartControlConnectionRequest()), 0.0)
    assert sent(connection) == [reply_of(connection)]
    return connection


def reply_of(connection: ControlConnection) -> StartControlConnectionReply:
    config = connection.config
    return StartControlConnectionReply(
        framing_capabilities=config.framing_capabilities,
        bearer_capabilities=config.bearer_capabilities,
        maximum_channels=config.maximum_channels if connection.role is Role.PAC else 0,
        firmware_revision=config.firmware_revision,
        host_name=config.host_name,
        vendor_name=config.vendor_name,
    )


def messages(data: bytes) -> list[Message]:
    reader = MessageReader()
    reader.feed(data)
    found = []
    while (message := reader.next()) is not None:
        found.append(message)
    assert not reader.pending
    return found


def sent(connection: ControlConnection) -> list[Message]:
    """What the connection wants to send, as messages; taken."""
    return messages(connection.data_to_send())


def feed(connection: ControlConnection, *given: Message, now: float = 0.0) -> list[ControlEvent]:
    return connection.receive_data(b"".join(map(encode, given)), now)


def connected(events: list[ControlEvent]) -> list[Call]:
    return [event.call for event in events if isinstance(event, CallConnected)]
