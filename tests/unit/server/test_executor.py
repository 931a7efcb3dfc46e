from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any, get_args

import pytest

from fastpptp import effects as e
from fastpptp.addresses.grant import AddressGrant
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.ports import CallPolicy, CallSpec
from fastpptp.ppp.auth.types import AuthMethod, AuthResult, PapCredential, Reject
from fastpptp.server.executor import Executor
from fastpptp.testing.dataplane import FakeDataplane

PEER = IPv4Address("192.0.2.9")
HANDLE = 1 << 16 | 77
SPEC = CallSpec(5, IPv4Address("192.0.2.1"), PEER)
GRANT = AddressGrant(IPv4Address("10.0.0.2"), IPv4Address("10.0.0.1"))
AUTHENTICATE = e.Authenticate(7, 1, PEER, AuthMethod.PAP, "alice", PapCredential(b"x"))


class Wire:
    """executor.ControlTransport."""

    def __init__(self) -> None:
        self.sent: list[bytes | None] = []

    def send(self, data: bytes) -> None:
        self.sent.append(data)

    def close(self) -> None:
        self.sent.append(None)


class World:
    """executor.Answers, and all that the executor was given, in one record."""

    def __init__(self) -> None:
        self.said: list[Any] = []
        self.dataplane = FakeDataplane()
        self.wire = Wire()
        self.completions: list[tuple[int, object, float]] = []
        self.then: list[e.Effect] = []
        self.executor = Executor(self.dataplane, {1: self.wire}, self, self.complete)

    def authenticate(self, request: e.Authenticate, now: float) -> AuthResult:
        return Reject()

    def logout(self, identity: object) -> None:
        self.said.append(identity)

    def lease(self, request: e.Lease, now: float) -> AddressGrant | None:
        return None

    def release(self, grant: AddressGrant) -> None:
        self.said.append(grant)

    def announce(self, grant: AddressGrant, address: object) -> None:
        self.said.append(address)

    def record(self, occurrence: Occurrence) -> None:
        self.said.append(occurrence)

    def complete(self, token: int, result: object, now: float) -> list[e.Effect]:
        self.completions.append((token, result, now))
        then, self.then = self.then, []
        return then


def test_an_effect_that_nobody_carries_out_is_met_at_the_start() -> None:
    carried = e.carriers(World().executor)
    assert set(carried) == set(get_args(e.Effect))
    assert carried[e.SendControl].__name__ == "_send_control"
    with pytest.raises(AttributeError, match="_send_control"):
        e.carriers(object())


def test_the_dataplane_gets_its_commands_in_order() -> None:
    world = World()
    policy = CallPolicy(peer_address=PEER)
    key = bytes(16)
    world.executor.run(
        [
            e.OpenCall(HANDLE, SPEC),
            e.MoveCall(HANDLE, 0),
            e.SetPolicy(HANDLE, policy),
            e.ArmKeys(HANDLE, 0, key, 128, True),
            e.Gate(HANDLE, 4, True),
            e.Inject(HANDLE, b"\xc0\x21\x01\x01\x00\x04"),
            e.Gate(HANDLE, 4, False),
            e.DropKeys(HANDLE),
            e.CloseCall(HANDLE),
        ],
        0.0,
    )
    assert world.said == []
    assert [command[0] for command in world.dataplane.commands] == [
        "open_call", "move_call", "set_policy", "set_keys", "open_gate", "inject", "close_gate",
        "clear_keys", "close_call",
    ]  # fmt: skip


def test_control_connections_that_are_gone_are_passed_over() -> None:
    world = World()
    world.executor.run(
        [e.SendControl(1, b"x"), e.SendControl(2, b"y"), e.CloseControl(2), e.CloseControl(1)], 0.0
    )
    assert world.wire.sent == [b"x", None]


def test_answers_come_after_the_effects_that_stood_beside_the_request() -> None:
    world = World()
    world.then = [e.SendControl(1, b"after")]
    world.executor.run([AUTHENTICATE, e.SendControl(1, b"before")], 3.0)
    assert world.completions == [(7, Reject(), 3.0)]
    assert world.wire.sent == [b"before", b"after"]


def test_an_answer_of_nothing_is_an_answer() -> None:
    world = World()
    world.executor.run([e.Lease(8, 1, None, None)], 3.0)
    assert world.completions == [(8, None, 3.0)]


def test_what_is_given_back_and_recorded() -> None:
    world = World()
    occurrence = occur("SYSTEM", 103)
    world.executor.run(
        [e.Logout("me"), e.Announce(GRANT, PEER), e.Release(GRANT), e.Emit(occurrence)], 0.0
    )
    assert world.said == ["me", PEER, GRANT, occurrence]


def test_a_fault_is_told_and_the_rest_is_carried_out() -> None:
    world = World()
    world.executor.run([e.CloseCall(HANDLE), e.SendControl(1, b"x")], 0.0)
    (told,) = world.said
    assert (told.cls, told.number) == ("SYSTEM", 123)
    assert "no call is open under handle" in told.text()
    assert world.wire.sent == [b"x"]


def test_keys_are_never_told() -> None:
    world = World()
    world.executor.run([e.ArmKeys(HANDLE, 0, b"secretsecretkey!", 128, True)], 0.0)
    assert "secret" not in world.said[0].text()


def test_a_call_is_examined() -> None:
    """Its row of the stats once the call is open, not that of the Call-ID's last life."""
    world = World()
    stats = world.dataplane.stats
    stats[77]["handle"], stats[77]["tx_packets"] = HANDLE, 9
    begun, found = e.Look.BEGUN, e.Look.NO_GRE
    later = HANDLE + (1 << 16)
    world.executor.run(
        [e.Examine(HANDLE, begun), e.Examine(HANDLE, found), e.Examine(later, found)], 4.0
    )
    tokens, readings, _ = zip(*world.completions, strict=True)
    assert tokens == (HANDLE, HANDLE, later)
    first, second, third = readings
    assert isinstance(first, e.Reading)
    assert isinstance(second, e.Reading)
    assert isinstance(third, e.Reading)
    assert (first.look, second.look) == (begun, found)
    assert (second.counters["tx_packets"], first.counters, third.counters) == (9, {}, {})
    assert first.checksum_errors == second.checksum_errors is not None
