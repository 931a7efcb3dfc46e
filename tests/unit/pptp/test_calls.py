"""Calls: outgoing and incoming, several at once, cleared from either side, hostile IDs."""

from __future__ import annotations

import pytest

from fastpptp.errors import LocalProtocolError
from fastpptp.pptp import (
    CallConnected,
    CallEnd,
    CallEnded,
    CallKind,
    CallRequested,
    CallState,
    CallTurnedDown,
    Cause,
    ControlEnd,
    ControlEnded,
    GeneralError,
    IncomingCallResult,
    LinkInfo,
    OutgoingCallResult,
    Role,
    WanError,
)
from fastpptp.pptp.messages import (
    CallClearRequest,
    CallDisconnectNotify,
    IncomingCallConnected,
    IncomingCallReply,
    IncomingCallRequest,
    Message,
    OutgoingCallReply,
    OutgoingCallRequest,
    SetLinkInfo,
    WanErrorNotify,
)
from tests.unit.pptp.support import alone, connected, established, feed, sent

WINDOWS = OutgoingCallRequest(0x8000, 3, 300, 100_000_000, 3, 3, 64)
PPTP_LINUX = OutgoingCallRequest(0, 1, 2400, 10_000_000, 3, 3, 3)


# Outgoing calls (3.2.4).


def test_an_outgoing_call() -> None:
    pair = established()
    pair.pns_events += pair.pns.place_call(
        7, 0.0, serial=5, receive_window=64, phone_number="5551", subaddress="x"
    )
    pair.run()
    call = pair.requested()
    assert (call.kind, call.serial, call.peer_call_id) == (CallKind.OUTGOING, 5, 7)
    assert (call.peer_window, call.phone_number, call.subaddress) == (64, "5551", "x")
    assert call.state is CallState.WAIT_CS_ANS
    assert not call.has_local_id
    assert pair.pac.answer_call(
        call, 0x1F3A, 0.0, connect_speed=64_000, receive_window=32, processing_delay=4,
        physical_channel=9,
    ) == [CallConnected(call)]  # fmt: skip
    pair.run()
    [mine] = connected(pair.pns_events)
    assert mine is pair.pns.find_call(7)
    assert pair.pac.find_call(0x1F3A) is call
    assert mine.established
    assert call.established
    assert (mine.peer_call_id, mine.connect_speed, mine.physical_channel) == (0x1F3A, 64_000, 9)
    assert (mine.peer_window, mine.peer_processing_delay, mine.receive_window) == (32, 4, 64)


@pytest.mark.parametrize("request_", [WINDOWS, PPTP_LINUX])
def test_what_real_clients_ask_for(request_: OutgoingCallRequest) -> None:
    pac = alone()
    [asked] = feed(pac, request_)
    assert isinstance(asked, CallRequested)
    assert asked.call.peer_call_id == request_.call_id
    assert asked.call.has_peer_id
    pac.answer_call(asked.call, 99, 0.0)
    [reply] = sent(pac)
    assert isinstance(reply, OutgoingCallReply)
    assert (reply.call_id, reply.peer_call_id, reply.result) == (99, request_.call_id, 1)
    assert feed(pac, CallClearRequest(request_.call_id)) == [
        CallEnded(asked.call, CallEnd.CLEARED_PEER, 4)
    ]
    assert sent(pac) == [CallDisconnectNotify(99, 4)]
    assert pac.calls == ()


def test_an_outgoing_call_is_refused() -> None:
    pair = established()
    pair.pns.place_call(7, 0.0)
    pair.run()
    call = pair.requested()
    codes = {"result": OutgoingCallResult.GENERAL_ERROR, "error": 4, "cause": Cause.USER_BUSY}
    assert pair.pac.refuse_call(call, 0.0, **codes) == [
        CallEnded(call, CallEnd.REFUSED_LOCAL, 2, 4, 17)
    ]
    mine = pair.pns.find_call(7)
    pair.run()
    assert mine is not None
    assert pair.pns_events == [CallEnded(mine, CallEnd.REFUSED_PEER, 2, 4, 17)]
    assert pair.pns.calls == pair.pac.calls == ()


def test_our_owner_ends_a_call_that_it_never_answered() -> None:
    pac = alone()
    [asked] = feed(pac, WINDOWS)
    assert isinstance(asked, CallRequested)
    assert pac.end_call(asked.call, 0.0, result=1) == [
        CallEnded(asked.call, CallEnd.ENDED_LOCAL, OutgoingCallResult.DO_NOT_ACCEPT)
    ]
    assert sent(pac) == [OutgoingCallReply(0, 0x8000, 7)]


def test_a_pac_ends_a_call() -> None:
    pair = established()
    mine, call = pair.place_outgoing()
    pair.clear()
    assert pair.pac.end_call(call, 0.0, result=1, cause=16, statistics="octets 5") == [
        CallEnded(call, CallEnd.ENDED_LOCAL, 1, 0, 16)
    ]
    pair.run()
    assert pair.pns_events == [CallEnded(mine, CallEnd.DISCONNECTED_PEER, 1, 0, 16)]
    assert pair.pns.calls == pair.pac.calls == ()
    assert pair.pac.end_call(call, 0.0) == []


def test_a_call_disconnect_notify_has_our_call_id_and_statistics() -> None:
    pac = alone()
    [asked] = feed(pac, WINDOWS)
    assert isinstance(asked, CallRequested)
    pac.answer_call(asked.call, 0x1F3A, 0.0)
    sent(pac)
    pac.end_call(asked.call, 0.0, statistics="octets 5")
    assert sent(pac) == [CallDisconnectNotify(0x1F3A, 3, 0, 0, "octets 5")]


def test_a_pns_ends_a_call() -> None:
    pair = established()
    mine, call = pair.place_outgoing()
    pair.clear()
    assert pair.pns.end_call(mine, 0.0) == [CallEnded(mine, CallEnd.ENDED_LOCAL, 3)]
    assert mine.state is CallState.WAIT_DISCONNECT
    assert pair.pns.end_call(mine, 0.0) == []
    # Its Call ID is taken until the PAC has answered.
    with pytest.raises(LocalProtocolError, match="in use"):
        pair.pns.place_call(7, 0.0)
    pair.run()
    assert pair.pac_events == [CallEnded(call, CallEnd.CLEARED_PEER, 4)]
    assert pair.pns_events == []
    assert pair.pns.calls == pair.pac.calls == ()
    pair.place_outgoing()


def test_a_pns_gives_up_before_the_reply() -> None:
    pair = established()
    pair.pns.place_call(7, 0.0)
    mine = pair.pns.find_call(7)
    assert mine is not None
    pair.pns.end_call(mine, 0.0)
    assert pair.pns.data_to_send()[168:176].hex() == "001000011a2b3c4d"
    # The PAC's Call-Disconnect-Notify carries a Call ID that was never told (2.13).
    feed(pair.pns, CallDisconnectNotify(0x4242, 4))
    assert pair.pns.calls == ()


def test_request_and_clear_in_one_segment() -> None:
    pac = alone()
    asked, ended = feed(pac, WINDOWS, CallClearRequest(0x8000))
    assert isinstance(asked, CallRequested)
    assert ended == CallEnded(asked.call, CallEnd.CLEARED_PEER, 4)
    sent(pac)
    # The owner is still at the first event: its answer has no effect any more.
    assert pac.answer_call(asked.call, 99, 0.0) == []
    assert pac.refuse_call(asked.call, 0.0, result=7) == []
    assert pac.end_call(asked.call, 0.0) == []
    assert pac.data_to_send() == b""
    assert pac.find_call(99) is None


def test_clear_and_close_in_one_segment() -> None:
    pair = established()
    _, call = pair.place_outgoing()
    assert feed(pair.pac, CallClearRequest(7)) == [CallEnded(call, CallEnd.CLEARED_PEER, 4)]
    assert pair.pac.receive_eof(0.0) == [ControlEnded(ControlEnd.CARRIER_LOST)]
    assert sent(pair.pac) == [CallDisconnectNotify(0x1F3A, 4)]


def test_a_reply_that_crosses_our_clear() -> None:
    pns = alone(Role.PNS)
    pns.place_call(7, 0.0)
    mine = pns.find_call(7)
    assert mine is not None
    pns.end_call(mine, 0.0)
    assert feed(pns, OutgoingCallReply(0x55, 7)) == []
    assert mine.peer_call_id == 0x55
    assert feed(pns, CallDisconnectNotify(0x55, 4)) == []
    assert pns.calls == ()


def test_a_refusal_that_crosses_our_clear() -> None:
    pns = alone(Role.PNS)
    pns.place_call(7, 0.0)
    mine = pns.find_call(7)
    assert mine is not None
    pns.end_call(mine, 0.0)
    assert feed(pns, OutgoingCallReply(0, 7, 4)) == []
    assert pns.calls == ()


def test_a_repeated_reply_changes_nothing() -> None:
    pns = alone(Role.PNS)
    pns.place_call(7, 0.0)
    assert len(connected(feed(pns, OutgoingCallReply(0x55, 7), OutgoingCallReply(0x56, 7)))) == 1
    assert feed(pns, OutgoingCallReply(0, 7, 4)) == []
    [call] = pns.calls
    assert call.peer_call_id == 0x55


# Incoming calls (3.2.3).


def test_an_incoming_call() -> None:
    pair = established()
    pair.pac.place_call(
        9, 0.0, serial=2, dialed_number="1", dialing_number="22", subaddress="s",
        physical_channel=3, bearer_type=1, framing_type=2, connect_speed=9600,
        receive_window=8, processing_delay=1,
    )  # fmt: skip
    pair.run()
    call = pair.requested()
    assert (call.kind, call.serial, call.peer_call_id) == (CallKind.INCOMING, 2, 9)
    assert (call.dialed_number, call.dialing_number, call.subaddress) == ("1", "22", "s")
    assert (call.physical_channel, call.bearer_type) == (3, 1)
    assert pair.pns.answer_call(call, 7, 0.0, receive_window=4, connect_speed=1) == []
    assert call.state is CallState.WAIT_CONNECT
    pair.run()
    assert connected(pair.pns_events) == [call]
    [theirs] = connected(pair.pac_events)
    assert (theirs.peer_call_id, theirs.peer_window) == (7, 4)
    assert (call.connect_speed, call.framing_type) == (9600, 2)
    assert (call.peer_window, call.peer_processing_delay) == (8, 1)


@pytest.mark.parametrize("by_pac", [True, False])
def test_an_incoming_call_is_ended(by_pac: bool) -> None:
    pair = established()
    pns_call, pac_call = pair.place_incoming()
    pair.clear()
    if by_pac:
        pair.pac.end_call(pac_call, 0.0)
        pair.run()
        assert pair.pns_events == [CallEnded(pns_call, CallEnd.DISCONNECTED_PEER, 3)]
    else:
        pair.pns.end_call(pns_call, 0.0)
        pair.run()
        assert pair.pac_events == [CallEnded(pac_call, CallEnd.CLEARED_PEER, 4)]
    assert pair.pns.calls == pair.pac.calls == ()


def test_an_incoming_call_is_refused() -> None:
    pair = established()
    pair.pac.place_call(9, 0.0)
    mine = pair.pac.find_call(9)
    pair.run()
    pair.pns.refuse_call(pair.requested(), 0.0, result=IncomingCallResult.DO_NOT_ACCEPT)
    pair.run()
    assert mine is not None
    assert pair.pac_events == [CallEnded(mine, CallEnd.REFUSED_PEER, 3)]


def test_the_caller_hangs_up_before_the_reply() -> None:
    pair = established()
    pair.pac.place_call(9, 0.0)
    mine = pair.pac.find_call(9)
    assert mine is not None
    assert pair.pac.end_call(mine, 0.0, result=1) == [CallEnded(mine, CallEnd.ENDED_LOCAL, 1)]
    pair.run()
    call = pair.requested()
    assert pair.pns_events[-1] == CallEnded(call, CallEnd.DISCONNECTED_PEER, 1)
    assert pair.pns.calls == pair.pac.calls == ()


def test_the_pns_gives_an_incoming_call_up_while_it_waits() -> None:
    pns = alone(Role.PNS)
    [asked] = feed(pns, IncomingCallRequest(9))
    assert isinstance(asked, CallRequested)
    pns.answer_call(asked.call, 7, 0.0)
    pns.end_call(asked.call, 0.0)
    assert sent(pns)[1:] == [CallClearRequest(7)]
    assert feed(pns, IncomingCallConnected(7, 1)) == []
    assert asked.call.connect_speed == 0
    assert feed(pns, CallDisconnectNotify(9, 4)) == []
    assert pns.calls == ()


def test_terms_that_the_third_message_could_not_say() -> None:
    pac = alone()
    with pytest.raises(LocalProtocolError):
        pac.place_call(9, 0.0, connect_speed=1 << 32)
    assert pac.calls == ()
    assert pac.data_to_send() == b""


# Several calls, and Call IDs.


def test_several_calls_on_one_connection() -> None:
    pair = established()
    calls = [pair.place_outgoing(10 + n, 100 + n) for n in range(5)]
    calls += [pair.place_incoming(200 + n, 50 + n) for n in range(5)]
    assert len(pair.pac.calls) == len(pair.pns.calls) == 10
    pair.clear()
    for mine, theirs in calls[::2]:
        pair.pns.end_call(mine, 0.0)
        pair.run()
        assert pair.pac_events.pop() == CallEnded(theirs, CallEnd.CLEARED_PEER, 4)
    assert len(pair.pac.calls) == len(pair.pns.calls) == 5
    pair.pns.stop(0.0)
    pair.run()
    assert pair.pac_events[:-1] == [
        CallEnded(theirs, CallEnd.CONTROL_CLOSED) for _, theirs in calls[1::2]
    ]


def test_a_peers_call_id_twice() -> None:
    pac = alone()
    [asked] = feed(pac, PPTP_LINUX)
    assert isinstance(asked, CallRequested)
    for answered in (False, True):
        if answered:
            pac.answer_call(asked.call, 99, 0.0)
        sent(pac)
        assert feed(pac, PPTP_LINUX) == [CallTurnedDown(asked.call.peer_call_id, False)]
        assert sent(pac) == [OutgoingCallReply(0, 0, 2, GeneralError.BAD_CALL_ID)]
    assert pac.calls == (asked.call,)


def test_an_incoming_call_id_twice() -> None:
    pns = alone(Role.PNS)
    _, second = feed(pns, IncomingCallRequest(9), IncomingCallRequest(9))
    assert second == CallTurnedDown(9, False)
    assert sent(pns) == [IncomingCallReply(0, 9, 2, GeneralError.BAD_CALL_ID)]


def test_a_reply_with_a_call_id_that_another_call_has() -> None:
    pns = alone(Role.PNS)
    pns.place_call(7, 0.0)
    pns.place_call(8, 0.0)
    feed(pns, OutgoingCallReply(0x55, 7))
    second = pns.find_call(8)
    assert second is not None
    sent(pns)
    assert feed(pns, OutgoingCallReply(0x55, 8)) == [
        CallEnded(second, CallEnd.REFUSED_LOCAL, 2, GeneralError.BAD_CALL_ID)
    ]
    assert sent(pns) == [CallClearRequest(8)]
    assert feed(pns, OutgoingCallReply(0x55, 8)) == []
    assert len(connected([CallConnected(call) for call in pns.calls if call.established])) == 1


def test_our_own_call_id_twice() -> None:
    pac = alone()
    first, second = feed(pac, WINDOWS, PPTP_LINUX)
    assert isinstance(first, CallRequested)
    assert isinstance(second, CallRequested)
    pac.answer_call(first.call, 99, 0.0)
    with pytest.raises(LocalProtocolError, match="in use"):
        pac.answer_call(second.call, 99, 0.0)
    with pytest.raises(LocalProtocolError, match="in use"):
        pac.place_call(99, 0.0)
    pac.answer_call(second.call, 100, 0.0)
    assert len(pac.calls) == 2


def test_an_answer_that_does_not_fit_leaves_the_call_as_it_was() -> None:
    pac = alone()
    [asked] = feed(pac, WINDOWS)
    assert isinstance(asked, CallRequested)
    before = asked.call.snapshot()
    for local_call_id, window in ((0x10000, 16), (-1, 16), (99, 0x10000)):
        with pytest.raises(LocalProtocolError):
            pac.answer_call(asked.call, local_call_id, 0.0, receive_window=window)
    assert asked.call.snapshot() == before
    assert pac.data_to_send() == b""
    pac.answer_call(asked.call, 99, 0.0)
    assert pac.find_call(99) is asked.call


def test_orders_that_do_not_fit_the_state() -> None:
    pair = established()
    mine, call = pair.place_outgoing()
    with pytest.raises(LocalProtocolError, match="has its Call ID"):
        pair.pac.answer_call(call, 5, 0.0)
    with pytest.raises(LocalProtocolError, match="established"):
        pair.pac.refuse_call(call, 0.0, result=7)
    with pytest.raises(LocalProtocolError, match="has its Call ID"):
        pair.pns.answer_call(mine, 5, 0.0)
    pair.pns.stop(0.0)
    with pytest.raises(LocalProtocolError, match="wait_stop_reply"):
        pair.pns.place_call(70, 0.0)


@pytest.mark.parametrize(
    ("role", "request_", "reply"),
    [
        (Role.PNS, OutgoingCallRequest(5), OutgoingCallReply(0, 5, 7)),
        (Role.PAC, IncomingCallRequest(5), IncomingCallReply(0, 5, 3)),
    ],
)
def test_a_request_to_the_wrong_side(role: Role, request_: Message, reply: Message) -> None:
    connection = alone(role)
    assert feed(connection, request_) == [CallTurnedDown(5, True)]
    assert sent(connection) == [reply]
    assert connection.established


@pytest.mark.parametrize(
    "message",
    [
        OutgoingCallReply(1, 2),
        IncomingCallReply(1, 2),
        IncomingCallConnected(2),
        CallClearRequest(2),
        CallDisconnectNotify(2),
        WanErrorNotify(2),
        SetLinkInfo(2),
    ],
)
@pytest.mark.parametrize("role", Role)
def test_messages_about_no_call_are_ignored(role: Role, message: Message) -> None:
    connection = alone(role)
    assert feed(connection, message) == []
    assert connection.data_to_send() == b""


@pytest.mark.parametrize("call_id", [0x8000, 99])
def test_a_clear_with_either_call_id(call_id: int) -> None:
    pac = alone()
    [asked] = feed(pac, WINDOWS)
    assert isinstance(asked, CallRequested)
    pac.answer_call(asked.call, 99, 0.0)
    assert len(feed(pac, CallClearRequest(call_id))) == 1


@pytest.mark.parametrize("call_id", [0x55, 7])
def test_a_disconnect_with_either_call_id(call_id: int) -> None:
    pns = alone(Role.PNS)
    pns.place_call(7, 0.0)
    [up] = feed(pns, OutgoingCallReply(0x55, 7))
    assert isinstance(up, CallConnected)
    assert feed(pns, CallDisconnectNotify(call_id, 2, 6)) == [
        CallEnded(up.call, CallEnd.DISCONNECTED_PEER, 2, 6)
    ]


def test_a_disconnect_from_a_pns() -> None:
    pair = established()
    _, call = pair.place_outgoing()
    assert feed(pair.pac, CallDisconnectNotify(7, 1)) == [
        CallEnded(call, CallEnd.DISCONNECTED_PEER, 1)
    ]


def test_a_clear_from_a_pac() -> None:
    pair = established()
    mine, _ = pair.place_outgoing()
    assert feed(pair.pns, CallClearRequest(0x1F3A)) == [CallEnded(mine, CallEnd.CLEARED_PEER, 4)]
    assert sent(pair.pns) == [CallDisconnectNotify(7, 4)]


def test_a_disconnect_for_another_unknown_call() -> None:
    pair = established()
    pair.place_outgoing()
    pair.clear()
    pair.pns.place_call(8, 0.0)
    assert feed(pair.pns, CallDisconnectNotify(0x7777)) == []
    assert len(pair.pns.calls) == 2


# Set-Link-Info and WAN-Error-Notify (2.14, 2.15).


def test_set_link_info() -> None:
    pair = established()
    mine, call = pair.place_outgoing()
    pair.clear()
    pair.pns.set_link_info(mine, 0.0, send_accm=0)
    pair.pns.set_link_info(mine, 0.0, send_accm=0xA0000, receive_accm=1)
    pair.run()
    assert pair.pac_events == [LinkInfo(call, 0, 0xFFFFFFFF), LinkInfo(call, 0xA0000, 1)]
    with pytest.raises(LocalProtocolError, match="PNS"):
        pair.pac.set_link_info(call, 0.0)


@pytest.mark.parametrize("call_id", [7, 0x55])
def test_set_link_info_from_the_wrong_side(call_id: int) -> None:
    # Windows RRAS as PAC sends it, with the PNS's Call ID.
    pns = alone(Role.PNS)
    pns.place_call(7, 0.0)
    assert feed(pns, SetLinkInfo(7)) == []
    [up] = feed(pns, OutgoingCallReply(0x55, 7))
    assert isinstance(up, CallConnected)
    assert feed(pns, SetLinkInfo(call_id, 1, 2)) == [LinkInfo(up.call, 1, 2)]


def test_wan_error_notify_once_a_minute() -> None:
    pair = established()
    mine, call = pair.place_outgoing()
    pair.clear()
    pair.pac.wan_error_notify(call, 0.0, crc_errors=1, framing_errors=2)
    pair.pac.wan_error_notify(call, 59.0, crc_errors=2)
    pair.pac.wan_error_notify(
        call, 60.0, crc_errors=3, hardware_overruns=4, buffer_overruns=5, timeout_errors=6,
        alignment_errors=7,
    )  # fmt: skip
    pair.run()
    assert pair.pns_events == [
        WanError(mine, 1, 2, 0, 0, 0, 0),
        WanError(mine, 3, 0, 4, 5, 6, 7),
    ]
    assert feed(pair.pac, WanErrorNotify(0x1F3A, 1)) == [WanError(call, 1, 0, 0, 0, 0, 0)]
    with pytest.raises(LocalProtocolError, match="PAC"):
        pair.pns.wan_error_notify(mine, 0.0)


def test_neither_before_the_call_is_up_nor_after_it() -> None:
    pns, pac = alone(Role.PNS), alone()
    pns.place_call(7, 0.0)
    [mine] = pns.calls
    [asked] = feed(pac, WINDOWS)
    assert isinstance(asked, CallRequested)
    with pytest.raises(LocalProtocolError, match="wait_reply"):
        pns.set_link_info(mine, 0.0)
    with pytest.raises(LocalProtocolError, match="wait_cs_ans"):
        pac.wan_error_notify(asked.call, 0.0)
    pns.end_call(mine, 0.0)
    pac.end_call(asked.call, 0.0)
    sent(pns)
    sent(pac)
    assert pns.set_link_info(mine, 0.0) == []
    assert pac.wan_error_notify(asked.call, 0.0) == []
    assert pns.data_to_send() + pac.data_to_send() == b""


# Time-outs (3.2.1, 3.2.4.1).


def test_our_owner_does_not_answer_in_time() -> None:
    pac, pns = alone(), alone(Role.PNS)
    [outgoing] = feed(pac, WINDOWS, now=5.0)
    [incoming] = feed(pns, IncomingCallRequest(9), now=5.0)
    assert isinstance(outgoing, CallRequested)
    assert isinstance(incoming, CallRequested)
    assert pac.get_timer() == pns.get_timer() == 65.0
    assert pac.handle_timer(65.0) == [CallEnded(outgoing.call, CallEnd.REFUSED_LOCAL, 6)]
    assert pns.handle_timer(65.0) == [CallEnded(incoming.call, CallEnd.REFUSED_LOCAL, 3)]
    assert sent(pac)[-1] == OutgoingCallReply(0, 0x8000, 6)
    assert sent(pns)[-1] == IncomingCallReply(0, 9, 3)
    assert pac.established
    assert pns.established


def test_the_peer_does_not_answer_in_time() -> None:
    pns = alone(Role.PNS)
    pns.place_call(7, 0.0)
    feed(pns, OutgoingCallReply(0x55, 7))
    pns.place_call(8, 10.0)
    up, waits = pns.calls
    feed(pns, OutgoingCallReply(0x56, 12), now=69.0)
    assert pns.get_timer() == 70.0
    assert pns.handle_timer(70.0) == [
        CallEnded(waits, CallEnd.NO_ANSWER),
        CallEnded(up, CallEnd.CONTROL_CLOSED),
        ControlEnded(
            ControlEnd.PROTOCOL_ERROR, detail="call 0x8: no answer in wait_reply for 60 s"
        ),
    ]


def test_a_cleared_call_that_the_pac_never_confirms() -> None:
    pns = alone(Role.PNS)
    pns.place_call(7, 0.0)
    [call] = pns.calls
    pns.end_call(call, 1.0)
    [ended] = pns.handle_timer(61.0)
    assert isinstance(ended, ControlEnded)
    assert ended.detail == "call 0x7: no answer in wait_disconnect for 60 s"


def test_an_established_call_has_no_deadline() -> None:
    pair = established()
    pair.place_outgoing()
    pair.place_incoming(8, 9)
    for at in range(60, 6000, 60):
        pair.now = float(at)
        pair.pns_events += pair.pns.handle_timer(pair.now)
        pair.run()
    assert len(pair.pac.calls) == len(pair.pns.calls) == 2
