"""A snapshot at any step of a random conversation: the rest goes as if nothing had been."""

from __future__ import annotations

import json
from collections.abc import Callable
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.errors import LocalProtocolError
from fastpptp.pptp import (
    Call,
    CallRequested,
    ControlConfig,
    ControlConnection,
    ControlEvent,
    Role,
    encode,
)
from fastpptp.pptp.messages import (
    CallClearRequest,
    CallDisconnectNotify,
    EchoReply,
    EchoRequest,
    IncomingCallConnected,
    IncomingCallReply,
    IncomingCallRequest,
    Message,
    OutgoingCallReply,
    OutgoingCallRequest,
    SetLinkInfo,
    StartControlConnectionReply,
    StartControlConnectionRequest,
    StopControlConnectionReply,
    StopControlConnectionRequest,
    WanErrorNotify,
)
from tests.unit.pptp.support import CONFIG, HIGH, LOW, established

TRACED = ControlConfig(trace=True)
IDS = st.integers(0, 3)

# What a peer may say; few Call IDs, so that messages meet.
peer_messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(StartControlConnectionRequest, st.sampled_from([0x0100, 0x0100, 0x0200])),
    st.builds(StartControlConnectionReply, st.just(0x0100), st.sampled_from([1, 1, 1, 2])),
    st.builds(StopControlConnectionRequest),
    st.builds(StopControlConnectionReply),
    st.builds(EchoRequest, IDS),
    st.builds(EchoReply, IDS),
    st.builds(OutgoingCallRequest, IDS),
    st.builds(OutgoingCallReply, IDS, IDS, st.sampled_from([1, 1, 2])),
    st.builds(IncomingCallRequest, IDS),
    st.builds(IncomingCallReply, IDS, IDS, st.sampled_from([1, 1, 3])),
    st.builds(IncomingCallConnected, IDS),
    st.builds(CallClearRequest, IDS),
    st.builds(CallDisconnectNotify, IDS),
    st.builds(WanErrorNotify, IDS),
    st.builds(SetLinkInfo, IDS),
)
Step = tuple[str, object]
steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("message"), peer_messages),
    st.tuples(st.just("part"), st.tuples(peer_messages, st.integers(1, 30))),
    st.tuples(st.just("answer"), IDS),
    st.tuples(st.just("refuse"), IDS),
    st.tuples(st.just("place"), IDS),
    st.tuples(st.just("end"), IDS),
    st.tuples(st.just("inform"), IDS),
    st.tuples(st.just("wait"), st.sampled_from([1.0, 30.0, 60.0])),
    st.tuples(st.just("timer"), st.none()),
    st.tuples(st.just("collide"), st.none()),
    st.tuples(st.just("stop"), st.none()),
    st.tuples(st.just("eof"), st.none()),
)
starts = st.sampled_from(["accept", "initiate", "refuse", "none"])


class Player:
    """Plays steps on a connection, and writes down all that can be seen of it."""

    def __init__(self, role: Role, connection: ControlConnection) -> None:
        self.role = role
        self.connection = connection
        self.now = 0.0
        self.seen: list[str] = []

    def start(self, how: str) -> None:
        if how == "initiate":
            self.order(lambda: self.connection.initiate(self.now))
        if how == "refuse":
            self.order(lambda: self.connection.refuse(self.now, 2, 4))
        if how == "accept":
            self.play(("message", StartControlConnectionRequest()))

    def order(self, what: Callable[[], list[ControlEvent]]) -> None:
        try:
            events = what()
        except LocalProtocolError as error:
            self.seen.append(str(error))
            events = []
        for event in events:
            self.seen.append(repr(event))
        timer = self.connection.get_timer()
        self.seen.append(f"{self.connection.data_to_send().hex()} {timer}")

    def play(self, step: Step) -> None:
        kind, value = step
        one = self.connection
        call = self.call(value)
        now = self.now
        orders: dict[str, Callable[[], list[ControlEvent]]] = {
            "message": lambda: one.receive_data(encode(value), now),  # type: ignore[arg-type]
            "part": lambda: one.receive_data(encode(value[0])[: value[1]], now),  # type: ignore[index]
            "place": lambda: one.place_call(value, now),  # type: ignore[arg-type]
            "timer": lambda: one.handle_timer(now),
            "collide": lambda: one.collide(now),
            "stop": lambda: one.stop(now),
            "eof": lambda: one.receive_eof(now),
        }
        if call is not None:
            orders |= {
                "answer": lambda: one.answer_call(call, value, now),  # type: ignore[arg-type]
                "refuse": lambda: one.refuse_call(call, now, result=2, error=4),
                "end": lambda: one.end_call(call, now),
                "inform": lambda: self.inform(call),
            }
        if kind == "wait":
            self.now += value  # type: ignore[operator]
        self.order(orders.get(kind, list))

    def inform(self, call: Call) -> list[ControlEvent]:
        if self.role is Role.PNS:
            return self.connection.set_link_info(call, self.now)
        return self.connection.wan_error_notify(call, self.now, crc_errors=1)

    def call(self, value: object) -> Call | None:
        calls = self.connection.calls
        return calls[value % len(calls)] if calls and isinstance(value, int) else None


@given(
    st.sampled_from(Role), starts, st.lists(steps, max_size=25), st.integers(0, 25), st.booleans()
)
def test_a_snapshot_changes_nothing(
    role: Role, start: str, script: list[Step], at: int, higher: bool
) -> None:
    players = []
    for interrupted in (False, True):
        local, peer = (HIGH, LOW) if higher else (LOW, HIGH)
        connection = ControlConnection(
            role, TRACED, now=0.0, local_address=local, peer_address=peer
        )
        player = Player(role, connection)
        player.start(start)
        for number, step in enumerate(script):
            if interrupted and number == at:
                plain = json.loads(json.dumps(player.connection.snapshot()))
                player.connection = ControlConnection.restore(plain, TRACED)
                assert json.loads(json.dumps(player.connection.snapshot())) == plain
            player.play(step)
        players.append(player)
    assert players[0].seen == players[1].seen


def test_octets_in_both_directions_survive() -> None:
    pair = established()
    pair.pac.receive_data(encode(EchoRequest(1)) + encode(EchoRequest(2))[:7], 3.0)
    copy = ControlConnection.restore(pair.pac.snapshot(), CONFIG)
    copy.receive_data(encode(EchoRequest(2))[7:], 3.0)
    assert copy.data_to_send() == encode(EchoReply(1)) + encode(EchoReply(2))
    assert copy.peer == pair.pac.peer
    assert copy.local_address == IPv4Address("192.33.45.89")


def test_a_connection_without_addresses_or_peer() -> None:
    connection = ControlConnection(Role.PAC, CONFIG, now=4.0)
    copy = ControlConnection.restore(connection.snapshot(), CONFIG)
    assert copy.snapshot() == connection.snapshot()
    assert copy.local_address is None
    assert copy.get_timer() == 64.0


def test_a_refusal_survives() -> None:
    connection = ControlConnection(Role.PAC, CONFIG, now=4.0)
    connection.refuse(4.0, 4)
    copy = ControlConnection.restore(connection.snapshot(), CONFIG)
    [ended] = copy.receive_data(encode(StartControlConnectionRequest()), 5.0)
    assert ended.result == 4  # type: ignore[union-attr]


def test_a_call_by_itself() -> None:
    pair = established()
    pair.pns.place_call(3, 0.0, phone_number="5")
    pair.run()
    [event] = pair.pac_events
    assert isinstance(event, CallRequested)
    copy = Call.restore(json.loads(json.dumps(event.call.snapshot())))
    assert copy.snapshot() == event.call.snapshot()
    assert copy is not event.call
    assert copy != event.call


@pytest.mark.parametrize("version", [0, 2, None, "1"])
def test_another_version(version: object) -> None:
    pair = established()
    _, call = pair.place_outgoing()
    with pytest.raises(LocalProtocolError, match="ControlConnection snapshot of version"):
        ControlConnection.restore({**pair.pac.snapshot(), "version": version}, CONFIG)
    with pytest.raises(LocalProtocolError, match="Call snapshot of version"):
        Call.restore({**call.snapshot(), "version": version})


# The same player as a fuzzer.


@given(
    st.sampled_from(Role), starts, st.lists(steps, max_size=60), st.booleans(), st.integers(1, 40)
)
def test_nothing_ever_breaks_it(
    role: Role, start: str, script: list[Step], higher: bool, piece: int
) -> None:
    """Only LocalProtocolError for an order out of place, and in the end nothing is left over."""
    local, peer = (HIGH, LOW) if higher else (LOW, HIGH)
    connection = ControlConnection(role, CONFIG, now=0.0, local_address=local, peer_address=peer)
    player = Player(role, connection)
    player.start(start)
    open_calls: set[Call] = set()
    for step in script:
        player.play(step)
        open_calls |= set(connection.calls)
    connection.receive_eof(player.now)
    connection.receive_eof(player.now)
    assert connection.closed
    assert connection.calls == ()
    assert all(call.ended for call in open_calls)
    assert connection.get_timer() is None
    assert connection.snapshot()["deadlines"] == []


@given(st.sampled_from(Role), st.lists(peer_messages, max_size=12), st.binary(max_size=40))
def test_a_connection_fed_whole_and_octet_by_octet(
    role: Role, said: list[Message], junk: bytes
) -> None:
    data = encode(StartControlConnectionRequest()) + b"".join(map(encode, said)) + junk
    seen = []
    for size in (len(data), 1):
        connection = ControlConnection(role, CONFIG, now=0.0, local_address=LOW, peer_address=HIGH)
        events: list[ControlEvent] = []
        for at in range(0, len(data), size):
            events += connection.receive_data(data[at : at + size], 0.0)
        seen.append((list(map(repr, events)), connection.data_to_send(), connection.closed))
    assert seen[0] == seen[1]
