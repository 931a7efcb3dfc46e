"""Many leases: who is who, what is bounded, what is told, and what strangers may send."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from ipaddress import IPv4Address, IPv4Network
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from fastpptp.addresses.dhcp import MOST_ASKING, Answered, Asking, DhcpLeases, Gone, Outcome
from fastpptp.dhcp.client import DhcpConfig, Send
from fastpptp.dhcp.message import Code, Message, decode
from fastpptp.events.catalogue import Occurrence
from tests.unit.dhcp.server import FIRST, SERVER, Server

CONFIG = DhcpConfig((SERVER,))
PEER = IPv4Address("171.69.89.129")


@dataclass
class World:
    """DhcpLeases and one server on a clock. `answers` is what askings were answered with."""

    server: Server = field(default_factory=Server)
    config: DhcpConfig = CONFIG
    used: set[IPv4Address] = field(default_factory=set)
    seed: int = 1
    now: float = 1000.0

    def __post_init__(self) -> None:
        self.leases = DhcpLeases(
            self.config, name="vpn1", take=self._take, rng=Random(self.seed).randbytes
        )
        self.answers: dict[int, IPv4Address | None] = {}
        self.gone: list[int] = []
        self.texts: list[str] = []
        self.sent: list[Message] = []

    def _take(self, address: IPv4Address) -> bool:
        free = address not in self.used
        self.used.add(address)
        return free

    def ask(self, token: int, user: str = "alice") -> IPv4Address | None:
        self.carry_out(self.leases.ask(token, Asking(user, None, PEER), self.now))
        return self.answers.get(token)

    def release(self, address: IPv4Address) -> None:
        self.carry_out(self.leases.release(address, self.now))
        self.used.discard(address)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while (deadline := self.leases.get_timer()) is not None and deadline <= end:
            self.now = deadline
            self.carry_out(self.leases.handle_timer(self.now))
        self.now = end

    def carry_out(self, outcomes: Iterable[Outcome]) -> None:
        waiting = deque(outcomes)
        while waiting:
            outcome = waiting.popleft()
            if isinstance(outcome, Send):
                self.sent.append(outcome.message)
                answer = self.server.answer(decode(outcome.message.encode()))
                if answer is not None:
                    waiting += self.leases.receive(answer.encode(), SERVER, self.now)
            elif isinstance(outcome, Answered):
                assert outcome.token not in self.answers, "answered twice"
                self.answers[outcome.token] = outcome.lease and outcome.lease.address
            elif isinstance(outcome, Gone):
                self.gone.append(outcome.token)
            else:
                assert isinstance(outcome, Occurrence)
                self.texts.append(f"{outcome.cls}/{outcome.number} {outcome.text()}")


def identifiers(world: World) -> list[bytes]:
    return list(dict.fromkeys(sent.options[Code.CLIENT_IDENTIFIER] for sent in world.sent))


def test_each_session_of_a_user_has_a_lease_and_the_same_one_again() -> None:
    world = World()
    assert [world.ask(1), world.ask(2), world.ask(3, "bob")] == [FIRST, FIRST + 1, FIRST + 2]
    assert identifiers(world) == [b"\0vpn1/alice/1", b"\0vpn1/alice/2", b"\0vpn1/bob/1"]
    chaddrs = {sent.chaddr for sent in world.sent}
    assert len(chaddrs) == 3
    assert all(chaddr[0] & 3 == 2 for chaddr in chaddrs), "locally administered, no group's"
    world.release(FIRST)
    assert world.leases.holdings() == {"dhcp_leases": 2, "dhcp_requests": 0}
    assert world.ask(4) == FIRST
    assert len(identifiers(world)) == 3
    assert {sent.chaddr for sent in world.sent} == chaddrs
    for address in (FIRST, FIRST + 1, FIRST + 2):
        world.release(address)
    world.release(FIRST)
    assert world.server.leases == {}
    assert world.leases.holdings() == {"dhcp_leases": 0, "dhcp_requests": 0}
    assert world.leases.get_timer() is None


def test_a_long_name_and_a_host_name() -> None:
    world = World(config=replace(CONFIG, send_host_name=True))
    world.ask(1, "alice")
    world.ask(2, "é" * 200)
    first, *_, last = world.sent
    assert first.options[Code.HOST_NAME] == b"alice"
    assert len(last.options[Code.CLIENT_IDENTIFIER]) == 65
    assert Code.HOST_NAME not in last.options


def test_what_is_told() -> None:
    world = World(used={FIRST})
    world.ask(1)
    world.run(1800)
    world.release(FIRST + 1)
    assert world.texts == [
        "DHCP/103 User [alice] address 172.16.1.100 of DHCP server 192.0.2.67 is in use here and "
        "was declined",
        "DHCP/100 User [alice] address 172.16.1.101 leased by DHCP server 192.0.2.67 for 3600 s",
        "DHCP/101 User [alice] address 172.16.1.101 extended by DHCP server 192.0.2.67 for 3600 s",
        "DHCP/105 User [alice] address 172.16.1.101 given back to DHCP server 192.0.2.67",
    ]


def test_dead_servers_are_told_of_once_with_a_count() -> None:
    world = World(Server(dead=True))
    for token in range(5):
        world.ask(token)
    world.run(30)
    assert world.answers == dict.fromkeys(range(5))
    assert world.texts == [
        "DHCP/102 No DHCP server gave an address: 192.0.2.67 (1 since this was last told)\n"
        "They must be reachable, have a subnet for the DHCP Network Scope or this machine's "
        "address, and answer to UDP port 67 here"
    ]
    world.run(60)
    world.ask(9)
    world.run(30)
    assert "(5 since" in world.texts[-1]


def test_a_refusal_and_a_loss() -> None:
    world = World()
    world.ask(1)
    world.server.refuses = True
    world.run(1800)
    assert world.texts[1:] == [
        "DHCP/104 User [alice] DHCP server 192.0.2.67 refused: no more",
        "DHCP/109 User [alice] address 172.16.1.100 is lost: the DHCP server refused to extend "
        "the lease",
    ]
    assert world.gone == [1]
    world.release(FIRST)
    assert world.sent[-1].type.name == "REQUEST", "there is nothing left to give back"


def test_askings_are_bounded() -> None:
    world = World(Server(dead=True))
    for token in range(MOST_ASKING + 3):
        world.ask(token, f"u{token}")
    assert list(world.answers) == [MOST_ASKING, MOST_ASKING + 1, MOST_ASKING + 2]
    assert world.texts == [
        f"DHCP/106 {MOST_ASKING} DHCP requests are under way; 1 more went without "
        "(since this was last told)"
    ]
    world.run(60)
    assert len(world.answers) == MOST_ASKING + 3
    world.server.dead = False
    assert world.ask(5000) == FIRST


def test_everything_is_given_back_at_the_end() -> None:
    world = World()
    for token in range(3):
        world.ask(token)
    world.carry_out(world.leases.release_all(world.now))
    assert world.server.leases == {}
    assert world.leases.holdings() == {"dhcp_leases": 0, "dhcp_requests": 0}


def test_strangers_and_rubbish() -> None:
    world = World(Server(dead=True))
    world.ask(1)
    (discover,) = world.sent
    world.server.dead = False
    offer = world.server.answer(discover)
    assert offer is not None
    stranger = IPv4Address("192.0.2.99")
    assert world.leases.receive(offer.encode(), stranger, world.now) == []
    other = replace(offer, chaddr=bytes(6))
    assert world.leases.receive(other.encode(), SERVER, world.now) == []
    broken = replace(offer, options={**offer.options, Code.LEASE_TIME: b"x"})
    for data in (b"", broken.encode(), b"rubbish" * 50):
        world.carry_out(world.leases.receive(data, SERVER, world.now))
    assert world.texts == [
        "DHCP/107 A wrong message from DHCP server 192.0.2.67: 0 octets are no message "
        "(1 since this was last told)"
    ]
    world.carry_out(world.leases.receive(offer.encode(), SERVER, world.now))
    assert world.answers == {1: FIRST}


def test_a_scope_that_a_group_has() -> None:
    world = World()
    scope = IPv4Network("172.16.1.0/24")
    world.carry_out(world.leases.ask(1, Asking("alice", scope), world.now))
    assert world.sent[0].address(Code.SUBNET_SELECTION) == scope.network_address


@given(st.lists(st.tuples(st.sampled_from(["ask", "free", "wait", "die"]), st.integers(0, 7)),
                max_size=40))  # fmt: skip
def test_nothing_is_lost_or_answered_twice(steps: list[tuple[str, int]]) -> None:
    world = World(Server(addresses=[FIRST + n for n in range(4)], seconds=40))
    asked = 0
    for step, number in steps:
        if step == "ask":
            asked += 1
            world.ask(asked, f"u{number % 3}")
        elif step == "free" and (held := sorted(world.leases.addresses)):
            world.release(held[number % len(held)])
        elif step == "wait":
            world.run(5.0 * number)
        elif step == "die":
            world.server.dead = not world.server.dead
        held = list(world.leases.addresses)
        assert len(set(held)) == len(held)
    world.run(100)
    assert len(world.answers) == asked
    world.server.dead = False
    for address in list(world.leases.addresses):
        world.release(address)
    assert world.leases.holdings() == {"dhcp_leases": 0, "dhcp_requests": 0}
    assert world.leases.get_timer() is None
