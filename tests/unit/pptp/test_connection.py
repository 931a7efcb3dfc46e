"""The control connection: start, stop, versions, collisions, keep-alives, time-outs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fastpptp.errors import LocalProtocolError
from fastpptp.pptp import (
    CallEnd,
    CallEnded,
    CallRequested,
    ControlConfig,
    ControlConnection,
    ControlEnd,
    ControlEnded,
    ControlEstablished,
    ControlState,
    MessageTrace,
    Role,
    StartResult,
    StopReason,
    encode,
)
from fastpptp.pptp.events import CallStep, ControlStep
from fastpptp.pptp.inspect import (
    describe_call_step,
    describe_control_step,
    describe_header,
    describe_trace,
    header_of,
)
from fastpptp.pptp.messages import (
    EchoReply,
    EchoRequest,
    IncomingCallConnected,
    IncomingCallReply,
    Message,
    OutgoingCallReply,
    OutgoingCallRequest,
    StartControlConnectionReply,
    StartControlConnectionRequest,
    StopControlConnectionReply,
    StopControlConnectionRequest,
)
from tests.unit.pptp.support import (
    CONFIG,
    HIGH,
    LOW,
    alone,
    established,
    feed,
    new_pair,
    reply_of,
    sent,
)

START = StartControlConnectionRequest(0x0100, 1, 1, 0, 0x0A28, "", "Microsoft")


def waiting(role: Role = Role.PNS, **addresses: object) -> ControlConnection:
    """A connection that has sent its request."""
    connection = ControlConnection(role, CONFIG, now=0.0, **addresses)  # type: ignore[arg-type]
    assert connection.initiate(0.0) == []
    assert [type(m) for m in sent(connection)] == [StartControlConnectionRequest]
    return connection


@pytest.mark.parametrize("piece", [1, 3, 1 << 16])
def test_both_ends_meet(piece: int) -> None:
    pair = new_pair()
    pair.pns_events += pair.pns.initiate(0.0)
    pair.run(piece)
    [pns_up], [pac_up] = pair.pns_events, pair.pac_events
    assert isinstance(pns_up, ControlEstablished)
    assert isinstance(pac_up, ControlEstablished)
    assert pns_up.peer.host_name == "vpn.example"
    assert pns_up.peer.maximum_channels == 100
    # A PNS says 0 (2.1).
    assert pac_up.peer.maximum_channels == 0
    assert pair.pac.peer == pac_up.peer
    assert (pair.pns.originator, pair.pac.originator) == (True, False)


def test_either_role_may_originate() -> None:
    pac = waiting(Role.PAC)
    pns = ControlConnection(Role.PNS, CONFIG, now=0.0)
    feed(pns, StartControlConnectionRequest(), now=0.0)
    assert pac.receive_data(pns.data_to_send(), 0.0)
    assert pac.established
    assert pns.established


def test_the_peers_names_are_made_fit_for_a_log() -> None:
    pac = ControlConnection(Role.PAC, CONFIG, now=0.0)
    [up] = feed(pac, replace(START, host_name="a\nb"))
    assert isinstance(up, ControlEstablished)
    assert up.peer.host_name == "a\\x0ab"


def test_our_names_are_cut_to_their_fields() -> None:
    pac = ControlConnection(Role.PAC, ControlConfig(host_name="h" * 255), now=0.0)
    feed(pac, START)
    [reply] = sent(pac)
    assert isinstance(reply, StartControlConnectionReply)
    assert reply.host_name == "h" * 64


@pytest.mark.parametrize("version", [0, 0x00FF, 0x0101, 0x0200, 0xFFFF])
def test_another_version_is_answered_and_closed(version: int) -> None:
    pac = ControlConnection(Role.PAC, CONFIG, now=0.0)
    [ended] = feed(pac, replace(START, version=version))
    assert ended == ControlEnded(ControlEnd.VERSION, 5, 0, f"version {version:#06x}")
    [reply] = sent(pac)
    assert isinstance(reply, StartControlConnectionReply)
    assert (reply.version, reply.result) == (0x0100, StartResult.BAD_VERSION)
    assert pac.closed


def test_a_reply_of_another_version_is_stopped() -> None:
    pns = waiting()
    assert feed(pns, StartControlConnectionReply(0x0001), now=1.0) == []
    assert sent(pns) == [StopControlConnectionRequest(StopReason.STOP_PROTOCOL)]
    assert pns.state is ControlState.WAIT_STOP_REPLY
    assert feed(pns, StopControlConnectionReply()) == [
        ControlEnded(ControlEnd.VERSION, detail="version 0x0001")
    ]


@pytest.mark.parametrize(("result", "error"), [(2, 4), (3, 0), (4, 0), (5, 0), (0, 0), (77, 0)])
def test_refused_by_the_peer(result: int, error: int) -> None:
    pns = waiting()
    [ended] = feed(pns, StartControlConnectionReply(result=result, error=error))
    assert isinstance(ended, ControlEnded)
    assert (ended.end, ended.result, ended.error) == (ControlEnd.REFUSED_PEER, result, error)
    assert pns.closed
    assert pns.get_timer() is None


def test_refused_by_our_owner() -> None:
    pac = ControlConnection(Role.PAC, CONFIG, now=0.0)
    assert pac.refuse(0.0, StartResult.GENERAL_ERROR, 4) == []
    assert feed(pac, START) == [ControlEnded(ControlEnd.REFUSED_LOCAL, 2, 4)]
    assert sent(pac) == [replace(reply_of(pac), result=2, error=4)]


@pytest.mark.parametrize("result", [0, 1, 3, 5])
def test_what_is_no_refusal(result: int) -> None:
    pac = ControlConnection(Role.PAC, CONFIG, now=0.0)
    with pytest.raises(LocalProtocolError):
        pac.refuse(0.0, result)


def test_only_a_waiting_connection_is_refused() -> None:
    for connection in (waiting(), alone()):
        with pytest.raises(LocalProtocolError):
            connection.refuse(0.0, StartResult.NOT_AUTHORIZED)


def test_initiate_once() -> None:
    for connection in (waiting(), alone()):
        with pytest.raises(LocalProtocolError):
            connection.initiate(0.0)


# Collisions (3.1.3): 192.33.45.89 wins over 192.33.45.17.


def test_two_connections_collide() -> None:
    """Each end has its own connection and the other's; one control connection is left."""
    low_own, low_other = (
        waiting(local_address=LOW, peer_address=HIGH),
        ControlConnection(Role.PNS, CONFIG, now=0.0, local_address=LOW, peer_address=HIGH),
    )
    high_own, high_other = (
        waiting(Role.PAC, local_address=HIGH, peer_address=LOW),
        ControlConnection(Role.PAC, CONFIG, now=0.0, local_address=HIGH, peer_address=LOW),
    )
    assert low_own.collide(0.0) == [ControlEnded(ControlEnd.COLLISION)]
    assert low_other.collide(0.0) == []
    assert high_own.collide(0.0) == []
    assert high_other.collide(0.0) == []
    # The winner says nothing on the loser's connection, and waits for it to be closed.
    assert feed(high_other, START, EchoRequest(1), StopControlConnectionRequest()) == []
    assert high_other.data_to_send() == b""
    assert high_other.receive_eof(1.0) == [ControlEnded(ControlEnd.COLLISION)]
    # The loser answers on the winner's.
    feed(low_other, START)
    high_own.receive_data(low_other.data_to_send(), 0.0)
    assert low_other.established
    assert high_own.established


def test_a_loser_that_does_not_close() -> None:
    other = ControlConnection(Role.PAC, CONFIG, now=0.0, local_address=HIGH, peer_address=LOW)
    other.collide(5.0)
    assert other.get_timer() == 65.0
    assert other.handle_timer(65.0) == [ControlEnded(ControlEnd.COLLISION)]


def test_the_winner_may_stop_on_the_losers_connection_in_silence() -> None:
    other = ControlConnection(Role.PAC, CONFIG, now=0.0, local_address=HIGH, peer_address=LOW)
    other.collide(0.0)
    assert other.stop(0.0) == [ControlEnded(ControlEnd.STOPPED_LOCAL, detail="None")]
    assert other.data_to_send() == b""


def test_both_requests_on_one_connection() -> None:
    low = waiting(local_address=LOW, peer_address=HIGH)
    high = waiting(Role.PAC, local_address=HIGH, peer_address=LOW)
    assert feed(high, START) == []
    assert isinstance(feed(low, START)[0], ControlEstablished)
    assert isinstance(high.receive_data(low.data_to_send(), 0.0)[0], ControlEstablished)


def test_a_collision_that_no_address_decides() -> None:
    cases: list[dict[str, Any]] = [
        {},
        {"local_address": LOW},
        {"local_address": LOW, "peer_address": LOW},
    ]
    for addresses in cases:
        connection = waiting(**addresses)
        with pytest.raises(LocalProtocolError):
            connection.collide(0.0)
        [ended] = feed(connection, START)
        assert isinstance(ended, ControlEnded)
        assert ended.end is ControlEnd.PROTOCOL_ERROR


def test_nothing_collides_with_an_established_connection() -> None:
    pair = established()
    with pytest.raises(LocalProtocolError):
        pair.pac.collide(0.0)


# Stop.


@pytest.mark.parametrize("by_pac", [True, False])
def test_stop(by_pac: bool) -> None:
    pair = established()
    pns_call, pac_call = pair.place_outgoing()
    pair.clear()
    one, other = (pair.pac, pair.pns) if by_pac else (pair.pns, pair.pac)
    mine, theirs = (pac_call, pns_call) if by_pac else (pns_call, pac_call)
    assert one.stop(0.0, StopReason.STOP_LOCAL_SHUTDOWN) == [CallEnded(mine, CallEnd.ENDED_LOCAL)]
    assert one.stop(0.0) == []
    assert other.receive_data(one.data_to_send(), 0.0) == [
        CallEnded(theirs, CallEnd.CONTROL_CLOSED),
        ControlEnded(ControlEnd.STOPPED_PEER, detail="Stop-Local-Shutdown"),
    ]
    assert one.receive_data(other.data_to_send(), 0.0) == [
        ControlEnded(ControlEnd.STOPPED_LOCAL, detail="Stop-Local-Shutdown")
    ]
    assert one.calls == other.calls == ()
    assert one.stop(0.0) == []


def test_both_stop_at_once() -> None:
    pair = established()
    pair.pns.stop(0.0)
    pair.pac.stop(0.0)
    to_pac, to_pns = pair.pns.data_to_send(), pair.pac.data_to_send()
    for one, data in ((pair.pac, to_pac), (pair.pns, to_pns)):
        [ended] = one.receive_data(data, 0.0)
        assert isinstance(ended, ControlEnded)
        assert ended.end is ControlEnd.STOPPED_LOCAL
        assert sent(one) == [StopControlConnectionReply()]


def test_a_stop_without_an_answer() -> None:
    pac = alone()
    pac.stop(10.0)
    assert pac.get_timer() == 70.0
    assert pac.handle_timer(69.0) == []
    assert pac.handle_timer(70.0) == [ControlEnded(ControlEnd.STOPPED_LOCAL, detail="None")]


def test_a_stop_that_is_answered_by_a_close() -> None:
    pac = alone()
    pac.stop(10.0)
    assert pac.receive_eof(11.0) == [ControlEnded(ControlEnd.STOPPED_LOCAL, detail="None")]


@pytest.mark.parametrize(
    "message",
    [
        START,
        replace(START, version=1),
        StartControlConnectionReply(),
        StartControlConnectionReply(1),
        StartControlConnectionReply(result=4),
        EchoReply(1),
        OutgoingCallRequest(1),
        OutgoingCallReply(1, 1),
    ],
)
def test_what_crosses_a_stop_is_ignored(message: Message) -> None:
    pac = alone()
    pac.stop(0.0)
    sent(pac)
    assert feed(pac, message) == []
    assert pac.data_to_send() == b""
    assert feed(pac, EchoRequest(9)) == []
    assert sent(pac) == [EchoReply(9)]


def test_stop_before_the_start() -> None:
    for connection in (waiting(), ControlConnection(Role.PAC, CONFIG, now=0.0)):
        assert connection.stop(0.0) == [ControlEnded(ControlEnd.STOPPED_LOCAL, detail="None")]
        assert connection.data_to_send() == b""


def test_a_peer_that_stops_instead_of_answering() -> None:
    pns = waiting()
    assert feed(pns, StopControlConnectionRequest(2)) == [
        ControlEnded(ControlEnd.STOPPED_PEER, detail="Stop-Protocol")
    ]
    assert sent(pns) == [StopControlConnectionReply()]


def test_a_stop_reply_to_nothing() -> None:
    pac = alone()
    assert feed(pac, StopControlConnectionReply()) == []
    assert pac.established


def test_a_reason_that_does_not_fit() -> None:
    pair = established()
    pair.place_outgoing()
    with pytest.raises(LocalProtocolError):
        pair.pac.stop(0.0, 256)
    assert pair.pac.established
    assert len(pair.pac.calls) == 1


# Keep-alives and timers (3.1.4).


def test_echo_after_silence() -> None:
    pair = established()
    pair.now = 60.0
    assert pair.pac.get_timer() == 60.0
    assert pair.pac.handle_timer(59.9) == []
    assert pair.pac.data_to_send() == b""
    pair.pac.handle_timer(60.0)
    assert pair.pac.get_timer() == 120.0
    pair.run()
    # The answer is a control message too: 60 s of silence begin anew, at both ends.
    assert pair.pac.get_timer() == 120.0
    assert pair.pns.get_timer() == 120.0
    pair.pac.handle_timer(120.0)
    assert sent(pair.pac) == [EchoRequest(2)]


def test_no_echo_reply() -> None:
    pair = established()
    _, call = pair.place_outgoing()
    pair.pac.handle_timer(60.0)
    # Only the reply with this identifier counts.
    feed(pair.pac, EchoReply(2), EchoReply(0), EchoRequest(1), now=70.0)
    assert pair.pac.handle_timer(119.0) == []
    assert pair.pac.handle_timer(120.0) == [
        CallEnded(call, CallEnd.CONTROL_CLOSED),
        ControlEnded(ControlEnd.ECHO_TIMEOUT),
    ]
    assert pair.pac.get_timer() is None


def test_an_echo_reply_that_nobody_asked_for() -> None:
    pac = alone()
    assert feed(pac, EchoReply(0), now=5.0) == []
    assert pac.get_timer() == 65.0


def test_echo_identifiers_wrap() -> None:
    pac = alone()
    plain = {**pac.snapshot(), "echo_identifier": 0xFFFFFFFF}
    pac = ControlConnection.restore(plain, CONFIG)
    pac.handle_timer(60.0)
    assert sent(pac) == [EchoRequest(0)]


def test_no_echoes_of_ours() -> None:
    pac = alone(config=ControlConfig(echo_interval=0))
    assert pac.get_timer() is None
    assert pac.handle_timer(1e6) == []
    feed(pac, EchoRequest(5))
    assert sent(pac) == [EchoReply(5)]


@pytest.mark.parametrize("make", [waiting, lambda: ControlConnection(Role.PAC, CONFIG, now=0.0)])
def test_not_established_in_time(make: object) -> None:
    connection = make()  # type: ignore[operator]
    assert connection.get_timer() == 60.0
    # Octets that are no message do not win time.
    connection.receive_data(encode(START)[:20], 59.0)
    assert connection.handle_timer(60.0) == [ControlEnded(ControlEnd.ESTABLISH_TIMEOUT)]


# The end of the TCP connection, and what breaks it.


@pytest.mark.parametrize(
    "make", [waiting, alone, lambda: ControlConnection(Role.PAC, CONFIG, now=0.0)]
)
def test_carrier_lost(make: object) -> None:
    connection = make()  # type: ignore[operator]
    assert connection.receive_eof(1.0) == [ControlEnded(ControlEnd.CARRIER_LOST)]
    assert connection.receive_eof(1.0) == []
    assert connection.receive_data(encode(START), 1.0) == []
    assert connection.handle_timer(1e9) == []


def test_carrier_lost_in_the_middle_of_a_message() -> None:
    pair = established()
    _, call = pair.place_outgoing()
    pair.pac.receive_data(encode(EchoRequest(1))[:9], 0.0)
    assert pair.pac.receive_eof(0.0) == [
        CallEnded(call, CallEnd.CONTROL_CLOSED),
        ControlEnded(ControlEnd.CARRIER_LOST, detail="in the middle of a message"),
    ]


@pytest.mark.parametrize(
    ("data", "code", "detail"),
    [
        (b"\0\0", 2, "Length 0"),
        (b"\xff\xff", 2, "Length 65535"),
        (bytes.fromhex("0010 0001 1a2b3c4e 0005 0000"), 2, "Magic Cookie 0x1a2b3c4e"),
        (bytes.fromhex("0010 0002 1a2b3c4d 0005 0000"), 3, "PPTP Message Type 2"),
        (bytes.fromhex("0010 0001 1a2b3c4d 0063 0000"), 3, "Control Message Type 99"),
        (bytes.fromhex("0014 0001 1a2b3c4d 0005 0000"), 2, "Echo-Request of Length 20"),
        (b"GET / HTTP/1.1\r\n\r\n", 2, "Length 18245"),
    ],
)
def test_a_broken_stream(data: bytes, code: int, detail: str) -> None:
    pair = established()
    _, call = pair.place_outgoing()
    good = encode(EchoRequest(1))
    assert pair.pac.receive_data(good + data + good, 0.0) == [
        CallEnded(call, CallEnd.CONTROL_CLOSED),
        ControlEnded(ControlEnd.PROTOCOL_ERROR, 0, code, detail),
    ]
    # What was good before it was answered, and nothing after it.
    assert sent(pair.pac) == [EchoReply(1)]
    assert pair.pac.receive_data(good, 0.0) == []
    assert pair.pac.data_to_send() == b""


@pytest.mark.parametrize(
    "message",
    [
        StartControlConnectionReply(),
        StartControlConnectionReply(5),
        StartControlConnectionReply(result=2),
        StopControlConnectionRequest(),
        StopControlConnectionReply(),
        EchoRequest(1),
        EchoReply(1),
        OutgoingCallRequest(1),
        IncomingCallReply(1, 1),
    ],
)
def test_before_the_start_nothing_else_is_allowed(message: Message) -> None:
    pac = ControlConnection(Role.PAC, CONFIG, now=0.0)
    [ended] = feed(pac, message)
    assert isinstance(ended, ControlEnded)
    assert ended.end is ControlEnd.PROTOCOL_ERROR
    assert ended.detail == f"{message.LAYOUT.kind.text} in idle"
    assert pac.data_to_send() == b""


@pytest.mark.parametrize(
    "message", [EchoRequest(1), OutgoingCallReply(1, 1), StopControlConnectionReply()]
)
def test_before_the_reply_nothing_else_is_allowed(message: Message) -> None:
    pns = waiting()
    [ended] = feed(pns, message)
    assert isinstance(ended, ControlEnded)
    assert ended.end is ControlEnd.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "message", [START, replace(START, version=9), StartControlConnectionReply()]
)
def test_a_second_start_breaks_the_connection(message: Message) -> None:
    pac = alone()
    [ended] = feed(pac, message)
    assert isinstance(ended, ControlEnded)
    assert ended.end is ControlEnd.PROTOCOL_ERROR


def test_trace() -> None:
    pac = ControlConnection(Role.PAC, ControlConfig(trace=True), now=0.0)
    events = feed(pac, START, EchoRequest(1))
    traces = [event for event in events if isinstance(event, MessageTrace)]
    assert [(trace.sent, describe_header(trace)) for trace in traces] == [
        (False, "[PPTP Start-Control-Connection-Request len=156]"),
        (True, "[PPTP Start-Control-Connection-Reply len=156]"),
        (False, "[PPTP Echo-Request len=16]"),
        (True, "[PPTP Echo-Reply len=20]"),
    ]
    assert traces[2].octets == encode(EchoRequest(1))
    assert describe_trace(traces[2]) == "[PPTP Echo-Request <identifier 0x1>]"
    assert header_of(traces[2]).hex() == "001000011a2b3c4d00050000"
    assert isinstance(events[2], ControlEstablished)


def test_what_is_no_message_is_traced() -> None:
    pac = ControlConnection(Role.PAC, ControlConfig(trace=True, debug=True), now=0.0)
    octets = b"GET / HTTP/1.0\r\n\r\n"
    trace, step, ended = pac.receive_data(octets, 0.0)
    assert trace == MessageTrace(False, None, octets)
    assert describe_header(trace) == "[no PPTP message: 18 octets]"
    assert describe_trace(trace) == f"[no PPTP message: {octets[:16].hex()}]"
    assert isinstance(step, ControlStep)
    assert describe_control_step(step, 0.0) == (
        "control connection idle -> closed on what is no message"
    )
    assert isinstance(ended, ControlEnded)


def test_steps_are_told_to_who_debugs() -> None:
    pac = ControlConnection(Role.PAC, ControlConfig(), now=0.0)
    pac.debug = True
    steps = [e for e in feed(pac, START) if isinstance(e, ControlStep)]
    assert [describe_control_step(step, 0.0) for step in steps] == [
        "control connection idle -> established on Start-Control-Connection-Request; timer in 60 s"
    ]
    request = OutgoingCallRequest(7)
    asked, step = feed(pac, request)
    assert isinstance(asked, CallRequested)
    assert isinstance(step, CallStep)
    assert describe_call_step(step, 1.0) == (
        "call 0x0 (peer 0x7) idle -> wait_cs_ans on Outgoing- or Incoming-Call-Request; "
        "timer in 59 s"
    )
    _, step = pac.answer_call(asked.call, 9, 1.0)
    assert isinstance(step, CallStep)
    assert describe_call_step(step, 1.0) == (
        "call 0x9 (peer 0x7) wait_cs_ans -> established on our owner takes the call"
    )
    pac.debug = False
    assert feed(pac, EchoRequest(1)) == []


def test_a_message_that_fits_no_state_is_told_as_ignored() -> None:
    pns = ControlConnection(Role.PNS, ControlConfig(debug=True), now=0.0)
    pns.initiate(0.0)
    feed(pns, StartControlConnectionReply())
    pns.place_call(5, 0.0)
    feed(pns, OutgoingCallReply(1, 5))
    (step,) = feed(pns, IncomingCallConnected(5))
    assert isinstance(step, CallStep)
    assert describe_call_step(step, 0.0) == (
        "call 0x5 (peer 0x1) established: Incoming-Call-Connected ignored"
    )
