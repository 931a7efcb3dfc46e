"""CCP with MPPE: what is agreed on, in which order keys are armed, and failing closed."""

from __future__ import annotations

import pytest

from fastpptp.ppp.ccp import Mode, MppeOption
from fastpptp.ppp.config import MppePolicy
from fastpptp.ppp.events import (
    AddressRequest,
    ClearKeys,
    Direction,
    EncryptionUp,
    InTheClear,
    LinkEnd,
    LinkEnded,
    NoEncryption,
    OpenGate,
    SendFrame,
    SetKeys,
)
from fastpptp.ppp.frames import Code, Option, Protocol, encode_frame
from fastpptp.ppp.options import Verdict

from .support import (
    ANSWER,
    REMOTE,
    anonymous,
    answer,
    configure,
    frame,
    keyed,
    kinds,
    last,
    mppe_option,
    open_ipcp,
    packets,
)

CCP, LCP = Protocol.CCP, Protocol.LCP
ALL = frozenset({40, 56, 128})
H, M, S, L, D, C = 0x01000000, 0x80, 0x40, 0x20, 0x10, 0x01
WINDOWS = 0x010000E1


def octets(value: int) -> bytes:
    return value.to_bytes(4, "big")


def rule(allowed=(128, 56, 40), **policy: object) -> MppeOption:
    return MppeOption(MppePolicy(**policy), allowed)


@pytest.mark.parametrize(
    ("allowed", "value", "wanted"),
    [
        ((128, 56, 40), WINDOWS, H | S),
        ((56, 40), WINDOWS, H | M),
        ((40,), WINDOWS, H | L),
        ((128, 56, 40), S | D, S),
        ((128, 56, 40), S | C, S),
        ((128, 56, 40), S | 0x02000000, S),
        ((128, 56, 40), 0, S),
        ((128,), L, S),
        ((128, 56, 40), M | L, M),
    ],
)
def test_naks_to_exactly_one_strength(allowed, value, wanted) -> None:
    assert rule(allowed).judge(octets(value)) == (Verdict.NAK, octets(wanted))
    assert rule(allowed).judge(octets(wanted)) == (Verdict.ACK, octets(wanted))


def test_require_stateless() -> None:
    option = rule(require_stateless=True, ask_stateful=True)
    assert option.judge(octets(S)) == (Verdict.NAK, octets(H | S))
    assert option.ask() == octets(H | S | M | L)
    option.naked(octets(S))
    assert option.ask() == octets(H | S)


def test_without_keys() -> None:
    option = rule(())
    assert option.ask() is None
    assert option.judge(octets(WINDOWS))[0] is Verdict.REJECT
    assert option.judge(octets(0)) == (Verdict.ACK, octets(0))
    assert option.judge(b"\0")[0] is Verdict.REJECT
    assert option.receive is option.send is None


def test_our_request_moves_with_the_nak() -> None:
    option = rule()
    option.naked(octets(L | M))
    assert (option.ask(), option.receive) == (octets(M), Mode(56, False))
    option.naked(octets(0))
    assert option.ask() is None
    option.reset()
    option.naked(b"bad")
    assert option.ask() is None
    option.reset()
    option.rejected()
    assert option.receive is None


def test_both_directions_alike_where_it_is_open() -> None:
    option = rule()
    option.agree(octets(H | L))
    assert (option.receive, option.send) == (Mode(40, True), Mode(40, True))
    option.agree(None)
    assert option.send is None


def test_absence_is_naked_when_required() -> None:
    assert rule(required=True).absent() == octets(H | S)
    assert rule((), required=True).absent() is None
    assert rule().absent() is None


def agree(link, now=1.0, value=H | S):
    """The peer asks for `value` and acknowledges ours; all that the Link told."""
    return link.receive_frame(configure(CCP, 1, 1, mppe_option(value)), now)


def test_receiver_is_armed_before_our_ack() -> None:
    link, started = keyed(bits=ALL, required=True)
    first = packets(started, CCP)[0]
    link.receive_frame(configure(CCP, 3, first.identifier, mppe_option(H | S)), 1.0)
    # Our second request is acknowledged first, then the peer asks.
    events = agree(link)
    assert kinds(events) == ["SetKeys", "SendFrame"]
    assert events[0] == SetKeys(Direction.RECEIVE, b"R" * 16, 128, True)
    assert agree(link) == [SendFrame(configure(CCP, 2, 1, mppe_option(H | S)))]


def test_order_when_the_peers_ack_comes_first() -> None:
    link, started = keyed(required=True)
    assert link.receive_frame(answer(CCP, started), 1.0) == []
    events = agree(link)
    assert kinds(events) == ["SetKeys", "SendFrame", "SetKeys", "EncryptionUp"]
    assert [e.direction for e in events if isinstance(e, SetKeys)] == [0, 1]
    assert last(events, EncryptionUp) == EncryptionUp(128, True, True)
    assert kinds(open_ipcp(link, 1.0))[-2:] == ["OpenGate", "IpUp"]


def test_gate_waits_for_ccp_and_opens_last() -> None:
    link, started = keyed()
    assert "OpenGate" not in kinds(open_ipcp(link, 1.0))
    agree(link)
    events = link.receive_frame(answer(CCP, started), 1.0)
    assert kinds(events) == ["SetKeys", "EncryptionUp", "OpenGate"]


def test_gate_opens_before_our_ack_that_completes_ipcp() -> None:
    link, started = keyed()
    agree(link)
    link.receive_frame(answer(CCP, started), 1.0)
    request = configure(Protocol.IPCP, 1, 1, Option(3, bytes(4)))
    asked = last(link.receive_frame(request, 1.0), AddressRequest)
    events = link.complete_address(asked.token, ANSWER, 1.0)
    link.receive_frame(answer(Protocol.IPCP, events), 1.0)
    events = link.receive_frame(configure(Protocol.IPCP, 1, 2, Option(3, REMOTE.packed)), 1.0)
    assert kinds(events) == ["OpenGate", "SendFrame", "IpUp"]


@pytest.mark.parametrize("required", [False, True])
def test_the_peer_rejects_mppe(required) -> None:
    link, started = keyed(required=required)
    events = link.receive_frame(answer(CCP, started, Code.CONFIGURE_REJECT), 1.0)
    assert packets(events, CCP)[0].data == b""
    if required:
        assert packets(events, LCP)[0].data == LinkEnd.ENCRYPTION_REQUIRED.value.encode()
        return
    link.receive_frame(answer(CCP, events), 1.0)
    link.receive_frame(configure(CCP, 1, 1), 1.0)
    assert "OpenGate" in kinds(open_ipcp(link, 1.0))


@pytest.mark.parametrize("protocol", [0x80FD, 0x00FD])
@pytest.mark.parametrize("required", [False, True])
def test_the_peer_protocol_rejects_ccp(required, protocol) -> None:
    link, _ = keyed(required=required)
    reject = frame(LCP, Code.PROTOCOL_REJECT, 1, protocol.to_bytes(2, "big"))
    events = link.receive_frame(reject, 1.0)
    if required:
        assert packets(events, LCP)[0].code == Code.TERMINATE_REQUEST
        events = link.receive_frame(frame(LCP, Code.TERMINATE_ACK, 1), 1.0)
        assert last(events, LinkEnded) == LinkEnded(LinkEnd.ENCRYPTION_REQUIRED)
    else:
        assert "OpenGate" in kinds(open_ipcp(link, 1.0))


@pytest.mark.parametrize("required", [False, True])
def test_ccp_goes_down(required) -> None:
    link, started = keyed(required=required)
    agree(link)
    link.receive_frame(answer(CCP, started), 1.0)
    open_ipcp(link, 1.0)
    events = link.receive_frame(frame(CCP, Code.TERMINATE_REQUEST, 7), 2.0)
    assert kinds(events)[:2] == ["CloseGate", "ClearKeys"]
    assert isinstance(events[1], ClearKeys)
    if required:
        assert packets(events, LCP)[0].code == Code.TERMINATE_REQUEST
        assert "OpenGate" not in kinds(events)
    else:
        assert events[-2:] == [OpenGate(4), InTheClear(NoEncryption.NO_AGREEMENT)]


@pytest.mark.parametrize("required", [False, True])
def test_one_direction_alone_is_nothing_to_live_with(required) -> None:
    link, started = keyed(required=required)
    link.receive_frame(answer(CCP, started), 1.0)
    empty = configure(CCP, 1, 1)
    events = [e for _ in range(6) for e in link.receive_frame(empty, 1.0)]
    codes = [packet.code for packet in packets(events, CCP)]
    if required:
        assert codes[:5] == [Code.CONFIGURE_NAK] * 5
        assert packets(events, LCP)[0].code == Code.TERMINATE_REQUEST
    else:
        assert codes[:2] == [Code.CONFIGURE_ACK, Code.TERMINATE_REQUEST]
        assert "OpenGate" in kinds(open_ipcp(link, 1.0))
    assert "SetKeys" not in kinds(events)


@pytest.mark.parametrize("required", [False, True])
def test_a_peer_that_never_answers(required) -> None:
    link, _ = keyed(required=required, bits=ALL)
    events = open_ipcp(link, 0.0)
    while "OpenGate" not in kinds(events) and "LcpClosed" not in kinds(events):
        events = link.handle_timer(link.get_timer())
    assert ("OpenGate" in kinds(events)) is not required


def test_reset_requests_are_ignored() -> None:
    link, started = keyed()
    agree(link)
    link.receive_frame(answer(CCP, started), 1.0)
    for code in (Code.RESET_REQUEST, Code.RESET_ACK):
        assert link.receive_frame(frame(CCP, code, 1), 1.0) == []


def test_without_keys_the_peer_is_answered_all_the_same() -> None:
    link, _ = anonymous()
    events = link.receive_frame(configure(CCP, 1, 1, mppe_option(WINDOWS)), 1.0)
    request, reject = packets(events, CCP)
    assert (request.code, request.data) == (Code.CONFIGURE_REQUEST, b"")
    assert reject.code == Code.CONFIGURE_REJECT
    events = link.receive_frame(configure(CCP, 1, 2), 1.0)
    events += link.receive_frame(frame(CCP, 2, request.identifier), 1.0)
    assert "EncryptionUp" not in kinds(events)
    assert "OpenGate" in kinds(open_ipcp(link, 1.0))


def test_garbage_in_ccp() -> None:
    link, _ = keyed()
    for data in (b"", b"\1\1\0\3", b"\1\1\0\6\x12\x06", b"\1\1\0\x07\x12\x03\0"):
        link.receive_frame(encode_frame(CCP, data), 1.0)
    assert not link.ended


def test_renegotiate_only_what_is_active() -> None:
    link, _ = keyed()
    assert link.renegotiate_ccp(1.0) == []
    other, _ = anonymous()
    assert other.renegotiate_ccp(1.0) == []
    other.close(1.0)
    assert other.renegotiate_ccp(1.0) == []
