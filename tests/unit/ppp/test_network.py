"""IPCP, IPv6CP and the phase they live in."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address

import pytest

from fastpptp.errors import LocalProtocolError
from fastpptp.ppp import AddressAnswer, Link
from fastpptp.ppp.events import (
    AddressRequest,
    IpUp,
    Ipv6Up,
    LinkEnd,
    LinkEnded,
    TokenVoid,
)
from fastpptp.ppp.frames import Code, Option, Packet, Protocol, decode_options, encode_frame
from fastpptp.ppp.ipcp import (
    GivenAddress,
    GivenServer,
    WantedAddress,
    WantedServer,
    requested_address,
)
from fastpptp.ppp.ipv6cp import InterfaceIdentifier
from fastpptp.ppp.options import Verdict

from .support import (
    ANSWER,
    CLIENT,
    LOCAL,
    REMOTE,
    anonymous,
    answer,
    configure,
    frame,
    kinds,
    last,
    open_ipcp,
    open_lcp,
    packets,
    seeded,
)

IPCP, IPV6CP, LCP = Protocol.IPCP, Protocol.IPV6CP, Protocol.LCP
ACK, NAK, REJECT = Verdict.ACK, Verdict.NAK, Verdict.REJECT
NONE = bytes(4)


def test_given_address() -> None:
    rule = GivenAddress()
    rule.assign(LOCAL, REMOTE)
    assert rule.ask() == LOCAL.packed
    assert rule.judge(NONE) == (NAK, REMOTE.packed)
    assert rule.judge(b"\x0a\0\0\1") == (NAK, REMOTE.packed)
    assert rule.judge(REMOTE.packed) == (ACK, REMOTE.packed)
    assert rule.judge(b"\0")[0] is REJECT
    assert rule.absent() == REMOTE.packed
    rule.rejected()
    assert rule.ask() is None
    rule.reset()
    assert rule.ask() == LOCAL.packed


def test_wanted_address() -> None:
    rule = WantedAddress(None)
    assert rule.ask() == NONE
    for useless in (NONE, b"\x7f\0\0\1", b"\xe0\0\0\1", b"\xff\xff\xff\xff", b"\1"):
        rule.naked(useless)
    assert rule.ask() == NONE
    rule.naked(REMOTE.packed)
    assert (rule.ask(), rule.local) == (REMOTE.packed, REMOTE)
    assert rule.judge(LOCAL.packed)[0] is ACK
    assert rule.judge(NONE)[0] is REJECT
    rule.agree(LOCAL.packed)
    assert rule.peer == LOCAL
    rule.agree(None)
    assert rule.peer == IPv4Address(0)
    rule.rejected()
    assert not rule.hopeless
    rule = WantedAddress(None)
    rule.rejected()
    assert rule.hopeless
    assert WantedAddress(REMOTE).ask() == REMOTE.packed


def test_servers() -> None:
    given = GivenServer(129)
    assert given.judge(NONE)[0] is REJECT
    given.assign(LOCAL)
    assert given.judge(NONE) == (NAK, LOCAL.packed)
    assert given.judge(LOCAL.packed)[0] is ACK
    assert given.judge(b"")[0] is REJECT
    wanted = WantedServer(129)
    wanted.naked(b"")
    assert (wanted.ask(), wanted.address) == (NONE, None)
    wanted.naked(LOCAL.packed)
    assert wanted.address == LOCAL
    wanted.rejected()
    assert (wanted.ask(), wanted.address) == (None, None)


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        (Option(3, b"\x0a\0\0\x05"), IPv4Address("10.0.0.5")),
        (Option(3, NONE), None),
        (Option(3, b"\x0a"), None),
        (Option(2, b"\x0a\0\0\x05"), None),
    ],
)
def test_requested_address(option, wanted) -> None:
    assert requested_address(Packet(1, 1, option.encode()).encode()) == wanted
    assert requested_address(Packet(2, 1, option.encode()).encode()) is None
    assert requested_address(b"") is None


def identifier(seed=1) -> InterfaceIdentifier:
    return InterfaceIdentifier(seeded(seed))


def test_interface_identifiers() -> None:
    rule = identifier()
    ours = rule.ask()
    assert ours is not None
    assert not ours[0] & 2
    assert rule.judge(b"12345678") == (ACK, b"12345678")
    assert rule.judge(b"1")[0] is REJECT
    verdict, suggested = rule.judge(bytes(8))
    assert verdict is NAK
    assert suggested not in (bytes(8), ours)
    assert rule.judge(ours) == (NAK, suggested)
    assert rule.absent() == suggested
    rule.agree(b"12345678")
    rule.naked(b"abcdefgh")
    assert rule.ask() == b"abcdefgh"
    for useless in (b"abcdefgh", bytes(8), b"12345678", b"x"):
        before = rule.ask()
        rule.naked(useless)
        assert rule.ask() not in (useless, before, bytes(8))
    rule.rejected()
    assert rule.ask() is None
    rule.reset()
    rule.assign(b"\0\0\0\0\0\0\0\1", b"\0\0\0\0\0\0\0\2")
    assert rule.ask() == b"\0\0\0\0\0\0\0\1"
    assert rule.judge(bytes(8))[1] == b"\0\0\0\0\0\0\0\2"
    rule.agree(None)
    assert rule.peer == 0


def test_answer_has_whole_identifiers() -> None:
    with pytest.raises(LocalProtocolError):
        AddressAnswer(LOCAL, REMOTE, local_identifier=b"short")


def test_ipcp_waits_for_the_address() -> None:
    """The request that came first is answered when the address is there, and never rejected."""
    link, told = anonymous()
    assert "AddressRequest" not in kinds(told)
    request = configure(
        IPCP, 1, 5, Option(2, b"\0\x2d\x0f\1"), Option(3, NONE), Option(129, NONE), Option(1, NONE)
    )
    (asked,) = link.receive_frame(request, 1.0)
    assert asked == AddressRequest(asked.token, None)
    assert link.receive_frame(request, 2.0) == []
    events = link.complete_address(asked.token, ANSWER, 2.5)
    first, reject = packets(events, IPCP)
    assert first == Packet(1, 1, Option(3, LOCAL.packed).encode())
    assert (reject.code, reject.identifier) == (Code.CONFIGURE_REJECT, 5)
    assert [option.type for option in decode_options(reject.data)] == [2, 1]
    events = link.receive_frame(configure(IPCP, 1, 6, Option(3, NONE), Option(129, NONE)), 3.0)
    nak = packets(events, IPCP)[0]
    assert decode_options(nak.data) == (Option(3, REMOTE.packed), Option(129, ANSWER.dns[0].packed))


def test_the_address_that_the_peer_asked_for_is_told() -> None:
    link, _ = anonymous()
    request = configure(IPCP, 1, 5, Option(3, b"\x0a\0\0\5"))
    asked = last(link.receive_frame(request, 1.0), AddressRequest)
    assert asked.requested == IPv4Address("10.0.0.5")


def test_a_silent_peer_is_asked_after_a_restart_period() -> None:
    link, _ = anonymous()
    assert link.get_timer() == 3.0
    events = link.handle_timer(3.0)
    assert kinds(events) == ["AddressRequest"]
    events = link.complete_address(events[0].token, ANSWER, 3.0)
    assert packets(events, IPCP)[0].code == Code.CONFIGURE_REQUEST


def test_no_address() -> None:
    link, _ = anonymous()
    (asked,) = link.handle_timer(3.0)
    events = link.complete_address(asked.token, None, 3.0)
    assert packets(events, LCP)[0].code == Code.TERMINATE_REQUEST
    events = link.receive_frame(frame(LCP, Code.TERMINATE_ACK, 1), 3.0)
    assert events == [LinkEnded(LinkEnd.NO_NETWORK_PROTOCOL)]


def test_a_late_address_is_not_wanted() -> None:
    link, _ = anonymous()
    (asked,) = link.handle_timer(3.0)
    events = link.receive_frame(configure(LCP, 1, 77), 4.0)
    assert TokenVoid(asked.token) in events
    assert link.complete_address(asked.token, ANSWER, 5.0) == []
    link.receive_frame(answer(LCP, events), 5.0)
    assert link.complete_address(asked.token, ANSWER, 5.0) == []


def test_request_times_out() -> None:
    link, _ = anonymous(request_timeout=7.0)
    (asked,) = link.handle_timer(3.0)
    assert link.get_timer() == 10.0
    events = link.handle_timer(10.0)
    assert events[0] == TokenVoid(asked.token)
    events = link.receive_frame(frame(LCP, Code.TERMINATE_ACK, 1), 11.0)
    assert events == [LinkEnded(LinkEnd.REQUEST_TIMED_OUT)]


def test_half_open_links_end() -> None:
    link, _ = anonymous(establish_timeout=20.0)
    (asked,) = link.handle_timer(3.0)
    link.complete_address(asked.token, ANSWER, 3.0)
    events = link.handle_timer(20.0)
    assert packets(events, LCP)[0].data == LinkEnd.NO_NETWORK_PROTOCOL.value.encode()


def test_a_peer_that_insists_gets_its_way_but_not_the_gate_of_another() -> None:
    """Naks are bounded; what the dataplane lets in is what was given."""
    link, _ = anonymous()
    request = configure(IPCP, 1, 1, Option(3, b"\x0a\0\0\5"))
    asked = last(link.receive_frame(request, 1.0), AddressRequest)
    link.complete_address(asked.token, ANSWER, 1.0)
    codes = [packets(link.receive_frame(request, 1.0), IPCP)[0].code for _ in range(6)]
    assert codes == [Code.CONFIGURE_NAK] * 4 + [Code.CONFIGURE_REJECT] * 2
    events = link.receive_frame(configure(IPCP, 1, 9), 1.0)
    assert packets(events, IPCP)[0].code == Code.CONFIGURE_ACK


def test_ipcp_terminated_by_the_peer_ends_what_has_nothing_else() -> None:
    link, _ = anonymous()
    open_ipcp(link, 1.0)
    events = link.receive_frame(frame(IPCP, Code.TERMINATE_REQUEST, 3), 2.0)
    assert kinds(events) == ["CloseGate", "IpDown", "SendFrame"]
    events = link.handle_timer(5.0)
    assert packets(events, LCP)[0].data == LinkEnd.NO_NETWORK_PROTOCOL.value.encode()


def test_one_ncp_going_down_is_not_the_link_going_down() -> None:
    link, _ = anonymous(ipv6=True)
    events = open_ipcp(link, 1.0)
    events = link.receive_frame(frame(IPV6CP, Code.TERMINATE_REQUEST, 3), 2.0)
    assert packets(events, IPV6CP)[0].code == Code.TERMINATE_ACK
    link.receive_frame(frame(LCP, Code.PROTOCOL_REJECT, 3, b"\x80\x57"), 2.0)
    link.receive_frame(frame(LCP, Code.PROTOCOL_REJECT, 3, b"\x12\x35"), 2.0)
    assert not link.ended
    assert link.get_timer() in (None, 30.0)


def test_ipv6_alone() -> None:
    link, _ = anonymous(ipv6=True)
    (asked,) = link.handle_timer(3.0)
    started = link.complete_address(asked.token, ANSWER, 3.0)
    events = link.receive_frame(frame(LCP, Code.PROTOCOL_REJECT, 3, b"\x80\x21"), 3.0)
    events += link.receive_frame(configure(IPV6CP, 1, 1, Option(1, b"12345678")), 3.0)
    events += link.receive_frame(answer(IPV6CP, started), 3.0)
    assert kinds(events) == ["ProtocolRejected", "SendFrame", "OpenGate", "Ipv6Up"]
    assert last(events, Ipv6Up).peer_identifier == b"12345678"
    events = link.receive_frame(configure(IPV6CP, 1, 2, Option(1, bytes(8))), 4.0)
    assert kinds(events)[:2] == ["CloseGate", "Ipv6Down"]


def test_an_answer_without_ipv6() -> None:
    link, _ = anonymous(ipv6=True)
    (asked,) = link.handle_timer(3.0)
    events = link.complete_address(asked.token, replace(ANSWER, ipv6=False), 3.0)
    assert packets(events, IPV6CP) == []
    events = link.receive_frame(frame(LCP, Code.PROTOCOL_REJECT, 3, b"\x80\x21"), 3.0)
    assert packets(events, LCP)[0].data == LinkEnd.NO_NETWORK_PROTOCOL.value.encode()


def test_ipv6_is_not_spoken_where_it_is_off() -> None:
    link, _ = anonymous()
    events = link.receive_frame(configure(IPV6CP, 1, 1, Option(1, bytes(8))), 1.0)
    assert packets(events, LCP)[0].code == Code.PROTOCOL_REJECT


def dialled(**changes: object) -> tuple[Link, bytes]:
    """A peer's Link that asked for its address, and the identifier of that request."""
    link = Link(replace(CLIENT, **changes), rng=seeded(5), now=0.0)
    events = open_lcp(link, 0.0)
    return link, packets(events, IPCP)[0]


def test_the_peer_that_gets_no_address_ends() -> None:
    for code in (Code.CONFIGURE_REJECT, Code.CONFIGURE_ACK):
        link, request = dialled()
        data = request.data if code is Code.CONFIGURE_ACK else Option(3, NONE).encode()
        link.receive_frame(frame(IPCP, code, request.identifier, data), 1.0)
        events = link.receive_frame(frame(IPCP, Code.TERMINATE_ACK, 2), 1.0)
        assert packets(events, LCP)[0].data == LinkEnd.NO_NETWORK_PROTOCOL.value.encode()


def test_the_peer_takes_what_it_is_given() -> None:
    link, request = dialled(request_address=REMOTE)
    assert decode_options(request.data)[0] == Option(3, REMOTE.packed)
    link.receive_frame(configure(IPCP, 1, 1, Option(3, LOCAL.packed)), 1.0)
    events = link.receive_frame(frame(IPCP, 2, request.identifier, request.data), 1.0)
    assert last(events, IpUp) == IpUp(REMOTE, LOCAL)


def test_garbage_for_the_ncps() -> None:
    link, _ = anonymous(ipv6=True)
    open_ipcp(link, 1.0)
    for protocol in (IPCP, IPV6CP):
        for data in (b"", b"\1\1\0\3", b"\1\1\0\5\3", b"\x63\1\0\4"):
            link.receive_frame(encode_frame(protocol, data), 1.0)
    assert not link.ended
