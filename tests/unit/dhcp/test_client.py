"""One lease: asking, holding, extending, losing, giving back; and servers that do wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.dhcp.client import (
    FOREVER,
    Bound,
    Declined,
    DhcpConfig,
    DhcpEvent,
    Extended,
    Failed,
    LeaseClient,
    Lost,
    Refused,
    Send,
    Subscriber,
)
from fastpptp.dhcp.message import NOWHERE, Code, Message, MessageType
from fastpptp.errors import RemoteProtocolError
from tests.unit.dhcp.server import FIRST, OTHER, SERVER, Server

SCOPE = IPv4Network("172.16.1.0/24")
ALICE = Subscriber(b"\0alice/1", bytes.fromhex("020000000001"), SCOPE)
CONFIG = DhcpConfig((SERVER,))


@dataclass
class World:
    """A client and its servers on one clock. `events` is what came of it, but what was sent."""

    servers: list[Server]
    client: LeaseClient
    now: float = 1000.0
    events: list[DhcpEvent] = field(default_factory=list)
    sent: list[tuple[float, Send]] = field(default_factory=list)

    def carry_out(self, events: list[DhcpEvent]) -> None:
        for event in events:
            if isinstance(event, Send):
                self.sent.append((self.now, event))
                self._deliver(event)
            else:
                self.events.append(event)

    def _deliver(self, send: Send) -> None:
        for server in self.servers:
            if server.address == send.server and (answer := server.answer(send.message)):
                self.carry_out(self.client.receive(answer, server.address, self.now))

    def run(self, seconds: float) -> None:
        """Let the client's deadlines pass."""
        end = self.now + seconds
        while (deadline := self.client.get_timer()) is not None and deadline <= end:
            self.now = deadline
            self.carry_out(self.client.handle_timer(self.now))
        self.now = end

    def start(self) -> World:
        self.carry_out(self.client.start(self.now))
        return self

    def taken(self) -> list[DhcpEvent]:
        found, self.events = self.events, []
        return found

    def times(self, kind: MessageType) -> list[float]:
        return [at - 1000 for at, send in self.sent if send.message.type is kind]


def world(
    *servers: Server, config: DhcpConfig = CONFIG, used: tuple[IPv4Address, ...] = (), seed: int = 1
) -> World:
    client = LeaseClient(
        ALICE, config, take=lambda address: address not in used, rng=Random(seed).randbytes
    )
    return World(list(servers or [Server()]), client)


def test_a_lease() -> None:
    dns, nbns = IPv4Address("10.9.9.1"), IPv4Address("10.9.9.3")
    server = Server(options={Code.DNS: dns.packed * 3, Code.NBNS: nbns.packed})
    made = world(server).start()
    (bound,) = made.taken()
    assert isinstance(bound, Bound)
    lease = bound.lease
    assert (lease.address, lease.server, lease.identifier) == (FIRST, SERVER, SERVER)
    assert (lease.dns, lease.nbns) == ((dns, dns), (nbns,))
    assert (lease.renew_at, lease.rebind_at, lease.expires_at) == (2800.0, 4150.0, 4600.0)
    assert server.types() == ["DISCOVER", "REQUEST"]
    discover, request = server.seen
    for message in server.seen:
        assert message.options[Code.CLIENT_IDENTIFIER] == b"\0alice/1"
        assert message.address(Code.SUBNET_SELECTION) == SCOPE.network_address
        assert list(message.options)[-1] == Code.RELAY_AGENT, "RFC 3046 2.1: the last one"
        assert message.options[Code.RELAY_AGENT] == b"\x05\x04" + SCOPE.network_address.packed
        assert message.ciaddr == NOWHERE
    assert Code.SERVER_IDENTIFIER not in discover.options
    assert request.address(Code.REQUESTED_ADDRESS) == FIRST
    assert request.address(Code.SERVER_IDENTIFIER) == SERVER


def test_without_a_scope_and_with_a_host_name() -> None:
    client = LeaseClient(
        Subscriber(b"\0x", ALICE.chaddr, None, "alice"), CONFIG, take=lambda _: True,
        rng=Random(1).randbytes,
    )  # fmt: skip
    (send,) = client.start(0.0)
    assert isinstance(send, Send)
    assert send.message.options[Code.HOST_NAME] == b"alice"
    assert not {Code.SUBNET_SELECTION, Code.RELAY_AGENT} & send.message.options.keys()


def test_a_dead_server_is_asked_with_back_off_and_given_up() -> None:
    made = world(Server(dead=True)).start()
    made.run(60)
    assert made.taken() == [Failed(answered=False)]
    first, second, third = made.times(MessageType.DISCOVER)
    assert (first, round(second), round(third)) == (0, 2, 6)
    assert made.now - 1000 == 60
    assert made.client.get_timer() is None


def test_the_second_server_answers() -> None:
    dead, other = Server(dead=True), Server(OTHER)
    made = world(dead, other, config=replace(CONFIG, servers=(SERVER, OTHER))).start()
    (bound,) = made.taken()
    assert isinstance(bound, Bound)
    assert bound.lease.server == OTHER
    assert dead.types() == ["DISCOVER", "REQUEST"], "it hears that it was not chosen"


def test_of_two_offers_the_first_is_taken() -> None:
    first, second = Server(), Server(OTHER)
    made = world(first, second, config=replace(CONFIG, servers=(SERVER, OTHER))).start()
    assert len(made.taken()) == 1
    assert made.client.lease is not None
    assert made.client.lease.server == SERVER


def test_a_server_without_an_address_stays_silent() -> None:
    made = world(Server(addresses=[])).start()
    made.run(60)
    assert made.taken() == [Failed(answered=False)]


def test_a_refusal_begins_anew_a_few_times() -> None:
    made = world(Server(refuses=True)).start()
    made.run(60)
    assert made.taken() == [*[Refused(SERVER, "no more")] * 4, Failed(answered=True)]


def test_an_address_that_is_in_use_here_is_declined() -> None:
    server = Server()
    made = world(server, used=(FIRST,)).start()
    declined, bound = made.taken()
    assert declined == Declined(FIRST, SERVER)
    assert isinstance(bound, Bound)
    assert bound.lease.address == FIRST + 1
    assert server.declined == [FIRST]
    (decline,) = [message for message in server.seen if message.type is MessageType.DECLINE]
    assert decline.address(Code.REQUESTED_ADDRESS) == FIRST
    assert decline.address(Code.SERVER_IDENTIFIER) == SERVER


def test_everything_is_in_use_here() -> None:
    made = world(used=tuple(FIRST + n for n in range(5))).start()
    assert [type(event) for event in made.taken()] == [*[Declined] * 4, Failed]


def test_it_renews_at_t1_with_its_own_server() -> None:
    server = Server()
    made = world(server).start()
    made.taken()
    made.run(1800)
    (extended,) = made.taken()
    assert isinstance(extended, Extended)
    assert extended.lease.expires_at == 2800 + 3600
    renewal = server.seen[-1]
    assert (renewal.type, renewal.ciaddr, renewal.secs) == (MessageType.REQUEST, FIRST, 0)
    assert not {Code.SERVER_IDENTIFIER, Code.REQUESTED_ADDRESS} & renewal.options.keys()
    assert renewal.xid != server.seen[0].xid
    made.run(1800 * 20)
    assert len(made.taken()) == 20


def test_the_servers_own_times() -> None:
    times = {
        Code.RENEWAL_TIME: (100).to_bytes(4, "big"), Code.REBINDING_TIME: (200).to_bytes(4, "big"),
    }  # fmt: skip
    lease = world(Server(options=dict(times))).start().client.lease
    assert lease is not None
    assert (lease.renew_at, lease.rebind_at) == (1100.0, 1200.0)
    times[Code.REBINDING_TIME] = (50).to_bytes(4, "big")
    lease = world(Server(options=dict(times))).start().client.lease
    assert lease is not None
    assert (lease.renew_at, lease.rebind_at) == (2800.0, 4150.0), "T2 before T1 makes no sense"


def test_it_rebinds_at_t2_with_any_server() -> None:
    first, second = Server(), Server(OTHER)
    made = world(first, second, config=replace(CONFIG, servers=(SERVER, OTHER))).start()
    first.dead = True
    made.taken()
    made.run(3150)
    (extended,) = made.taken()
    assert isinstance(extended, Extended)
    assert extended.lease.server == OTHER
    assert [round(at) for at in made.times(MessageType.REQUEST)][2:] == [
        1800, 2475, 2812, 2981, 3066, 3126, 3150, 3150,
    ]  # fmt: skip


def test_a_lease_that_nobody_extends_expires() -> None:
    server = Server()
    made = world(server).start()
    made.taken()
    server.dead = True
    made.run(3599)
    assert made.taken() == []
    made.run(1)
    (lost,) = made.taken()
    assert isinstance(lost, Lost)
    assert (lost.lease.address, lost.reason) == (FIRST, "the lease expired")
    assert made.client.get_timer() is None
    assert made.client.release(made.now) == []


def test_a_lease_that_is_taken_back() -> None:
    server = Server()
    made = world(server).start()
    made.taken()
    server.refuses = True
    made.run(1800)
    refused, lost = made.taken()
    assert refused == Refused(SERVER, "no more")
    assert isinstance(lost, Lost)


def test_a_renewal_with_another_address() -> None:
    server = Server()
    made = world(server).start()
    made.taken()
    server.leases[ALICE.identifier] = FIRST + 3
    made.run(1800)
    (lost,) = made.taken()
    assert isinstance(lost, Lost)
    assert lost.reason == "the DHCP server gave 172.16.1.103 in its place"


def test_a_lease_for_ever() -> None:
    made = world(Server(seconds=FOREVER)).start()
    assert made.client.get_timer() is None
    lease = made.client.lease
    assert lease is not None
    assert (lease.renew_at, lease.expires_at) == (None, None)


def test_it_is_given_back() -> None:
    server = Server()
    made = world(server).start()
    made.carry_out(made.client.release(made.now))
    assert server.leases == {}
    release = server.seen[-1]
    assert (release.type, release.ciaddr) == (MessageType.RELEASE, FIRST)
    assert release.address(Code.SERVER_IDENTIFIER) == SERVER
    assert made.client.release(made.now) == []


# Servers, and others, that do wrong.


def offer(made: World, **changes: object) -> Message:
    """An offer that would be taken, but for the changes."""
    (send,) = made.client.start(made.now)
    assert isinstance(send, Send)
    good = Server().answer(send.message)
    assert good is not None
    options = {**good.options, **changes.pop("options", {})}  # type: ignore[dict-item]
    return replace(good, options=options, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"xid": 5},
        {"op": 1},
        {"chaddr": bytes(6)},
        {"type": MessageType.ACK},
        {"type": MessageType.NAK},
        {"yiaddr": NOWHERE},
        {"yiaddr": IPv4Address("224.0.0.1")},
        {"yiaddr": IPv4Address("127.0.0.1")},
        {"options": {Code.LEASE_TIME: b"\0\0\0\x09"}},
        {"options": {Code.LEASE_TIME: bytes(4)}},
    ],
)
def test_an_offer_that_is_passed_over(changes: dict[str, object]) -> None:
    made = world()
    message = offer(made, **changes)
    assert made.client.receive(message, SERVER, made.now) == []


def test_an_offer_that_makes_no_sense() -> None:
    made = world()
    message = offer(made, options={Code.SERVER_IDENTIFIER: b"abc"})
    with pytest.raises(RemoteProtocolError, match="option 54 has 3 octets"):
        made.client.receive(message, SERVER, made.now)


def test_an_acknowledgement_of_something_else() -> None:
    made = world()
    (send,) = made.client.receive(offer(made), SERVER, made.now)
    assert isinstance(send, Send)
    ack = Server().answer(send.message)
    assert ack is not None
    for wrong in (
        replace(ack, yiaddr=FIRST + 1),
        replace(ack, options={**ack.options, Code.SERVER_IDENTIFIER: OTHER.packed}),
        replace(ack, type=MessageType.NAK,
                options={Code.SERVER_IDENTIFIER: OTHER.packed}),
        replace(ack, options={Code.SERVER_IDENTIFIER: SERVER.packed}),
    ):  # fmt: skip
        assert made.client.receive(wrong, SERVER, made.now) == []
    (bound,) = made.client.receive(ack, SERVER, made.now)
    assert isinstance(bound, Bound)
    assert made.client.receive(ack, SERVER, made.now) == [], "a second one"


def hostile(rng: Random) -> Iterator[dict[int, bytes]]:
    while True:
        yield {rng.choice(list(Code)): rng.randbytes(rng.choice([0, 1, 3, 4, 8, 60]))
               for _ in range(rng.randrange(8))}  # fmt: skip


@given(st.integers(0, 2**32))
def test_whatever_a_server_says_the_client_ends_or_holds(seed: int) -> None:
    """Random answers: no other error than RemoteProtocolError, and never without a deadline."""
    rng = Random(seed)
    made = world(Server(dead=True), seed=seed)
    made.carry_out(made.client.start(made.now))
    options = hostile(rng)
    for _ in range(60):
        kind = rng.choice(list(MessageType))
        yiaddr = rng.choice([FIRST, FIRST + 1, NOWHERE])
        own = {
            Code.SERVER_IDENTIFIER: SERVER.packed,
            Code.LEASE_TIME: rng.choice([10, 60, 3600, FOREVER]).to_bytes(4, "big"),
        }
        mixed = own | next(options) if rng.random() < 0.5 else own
        message = Message(2, kind, made.client.xid, ALICE.chaddr, yiaddr=yiaddr, options=mixed)
        with suppress(RemoteProtocolError):
            made.carry_out(made.client.receive(message, SERVER, made.now))
        made.run(rng.choice([0, 0, 1, 30, 2000]))
    ended = [event for event in made.events if isinstance(event, Failed | Lost)]
    lease = made.client.lease
    assert len(ended) <= 1
    assert ended or made.client.get_timer() is not None or (lease and lease.seconds == FOREVER)
