"""LCP: its options, and the packets that it alone has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fastpptp.ppp import Link, LinkConfig, LinkRole
from fastpptp.ppp.auth import lcp_value
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.events import (
    LcpClosed,
    LcpOpened,
    LinkEnd,
    LinkEnded,
    PeerIdentified,
    ProbeAnswered,
    ProtocolRejected,
)
from fastpptp.ppp.frames import Code, Option, Packet, Protocol, decode_options, encode_frame
from fastpptp.ppp.lcp import (
    AddressAndControlFieldCompression,
    AsyncControlCharacterMap,
    DemandAuthentication,
    MagicNumber,
    MaximumReceiveUnit,
    OfferAuthentication,
)
from fastpptp.ppp.options import OptionRule, Verdict

from .support import (
    CHAP,
    CLIENT,
    PAP,
    SERVER,
    V1,
    V2,
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

LCP = Protocol.LCP
ACK, NAK, REJECT = Verdict.ACK, Verdict.NAK, Verdict.REJECT


def test_the_base_rule_wants_nothing() -> None:
    rule = OptionRule()
    rule.naked(b"")
    rule.rejected()
    assert rule.judge(b"x") == (REJECT, b"x")
    assert rule.ask() is None
    assert not rule.hopeless


@pytest.mark.parametrize(
    ("data", "verdict"),
    [
        (b"\x05\xdc", (ACK, b"\x05\xdc")),
        (b"\x00\x10", (NAK, b"\x00\x80")),
        (b"\x05", (REJECT, b"\x05")),
    ],
)
def test_mru_verdicts(data, verdict) -> None:
    assert MaximumReceiveUnit(1400).judge(data) == verdict


def test_mru_moves_within_what_we_take() -> None:
    mru = MaximumReceiveUnit(1400)
    mru.naked(b"\x05\xdc")
    assert mru.ask() == b"\x05\x78"
    mru.naked(b"\x04\x00")
    assert mru.ask() == b"\x04\x00"
    mru.naked(b"\x00\x01")
    assert mru.local == 1024
    mru.rejected()
    assert (mru.ask(), mru.local) == (None, 1500)
    mru.agree(b"\x05\x14")
    assert mru.peer == 1300
    mru.agree(None)
    assert mru.peer == 1500


def test_accm() -> None:
    accm = AsyncControlCharacterMap()
    assert accm.judge(b"\xff\xff\xff\xff")[0] is ACK
    assert accm.judge(b"\xff")[0] is REJECT
    assert accm.ask() is None


def test_flags() -> None:
    flag = AddressAndControlFieldCompression()
    assert flag.judge(b"") == (ACK, b"")
    assert flag.judge(b"x")[0] is REJECT
    flag.naked(b"")
    assert flag.ask() is None
    flag.reset()
    assert flag.ask() == b""
    flag.rejected()
    assert flag.ask() is None


def test_authentication_walks_and_never_leaves_the_policy() -> None:
    demand = DemandAuthentication((V2, V1, PAP))
    demand.naked(lcp_value(PAP))
    assert demand.method is PAP
    demand.naked(lcp_value(CHAP))
    assert demand.method is V1
    demand.naked(lcp_value(V2))
    assert demand.hopeless
    assert demand.ask() is None
    demand.reset()
    assert demand.method is V2
    demand.rejected()
    assert demand.hopeless


def test_authentication_is_offered() -> None:
    offer = OfferAuthentication((V2, CHAP))
    assert offer.judge(lcp_value(CHAP))[0] is ACK
    assert offer.judge(lcp_value(AuthMethod.EAP)) == (NAK, lcp_value(V2))
    assert offer.judge(b"") == (NAK, lcp_value(V2))
    assert OfferAuthentication(()).judge(lcp_value(PAP))[0] is REJECT
    offer.agree(lcp_value(CHAP))
    assert offer.method is CHAP
    offer.agree(None)
    assert offer.method is None


def test_magic_numbers() -> None:
    magic = MagicNumber(lambda n: bytes(n))
    assert magic.local == 1
    assert magic.judge(bytes(4))[0] is NAK
    assert magic.judge(b"\0\0\0\1")[0] is NAK
    assert magic.judge(b"\0\0\0\2")[0] is ACK
    assert magic.judge(b"\0")[0] is REJECT
    assert magic.loops == 0
    magic.rejected()
    assert (magic.ask(), magic.local) == (None, 0)


def test_what_is_not_ours_is_rejected() -> None:
    """The options that Windows brings: callback, MRRU, endpoint."""
    link = Link(SERVER, rng=seeded(1), now=0.0)
    link.open(0.0)
    foreign = (Option(13, b"\6"), Option(17, b"\x06\x4e"), Option(19, b"\1abc"))
    wanted = (Option(1, b"\x05\x78"), Option(5, b"abcd"), Option(7), Option(8))
    events = link.receive_frame(configure(LCP, 1, 1, *wanted, *foreign), 0.0)
    (reject,) = packets(events, LCP)
    assert reject.code == Code.CONFIGURE_REJECT
    assert decode_options(reject.data) == foreign
    events = link.receive_frame(configure(LCP, 1, 2, *wanted), 0.0)
    assert packets(events, LCP)[0].code == Code.CONFIGURE_ACK


def test_a_server_does_not_authenticate_itself() -> None:
    link = Link(SERVER, rng=seeded(1), now=0.0)
    link.open(0.0)
    events = link.receive_frame(configure(LCP, 1, 1, Option(3, lcp_value(PAP))), 0.0)
    assert packets(events, LCP)[0].code == Code.CONFIGURE_REJECT


def test_opened_tells_what_was_agreed() -> None:
    _link, events = anonymous()
    opened = last(events, LcpOpened)
    assert opened.local_magic
    assert opened == LcpOpened(
        peer_mru=1500,
        local_mru=1400,
        local_magic=opened.local_magic,
        peer_magic=0,
        protocol_compression=False,
        address_compression=False,
    )


def test_echo_reply_fits_the_peer() -> None:
    link = Link(replace(SERVER, methods=()), rng=seeded(1), now=0.0)
    open_lcp(link, 0.0, Option(1, b"\x00\x80"))
    events = link.receive_frame(frame(LCP, Code.ECHO_REQUEST, 9, b"\0\0\0\0" + bytes(900)), 1.0)
    (reply,) = packets(events, LCP)
    assert (reply.code, reply.identifier) == (Code.ECHO_REPLY, 9)
    assert len(reply.encode()) == 128


def test_echo_only_when_opened() -> None:
    link = Link(SERVER, rng=seeded(1), now=0.0)
    link.open(0.0)
    assert link.receive_frame(frame(LCP, Code.ECHO_REQUEST, 9, bytes(4)), 1.0) == []


@pytest.mark.parametrize(
    ("code", "data"),
    [(Code.DISCARD_REQUEST, bytes(4)), (Code.TIME_REMAINING, bytes(8)), (Code.ECHO_REQUEST, b"")],
)
def test_no_answer(code, data) -> None:
    link, _ = anonymous()
    assert link.receive_frame(frame(LCP, code, 9, data), 1.0) == []


def up(**changes: object) -> Link:
    link, _ = anonymous(**changes)
    open_ipcp(link, 0.0)
    return link


def test_keepalive() -> None:
    link = up(echo_interval=10.0, echo_failures=2)
    assert link.get_timer() == 10.0
    (echo,) = packets(link.handle_timer(10.0), LCP)
    assert (echo.code, len(echo.data)) == (Code.ECHO_REQUEST, 4)
    link.receive_frame(frame(LCP, Code.ECHO_REPLY, echo.identifier, bytes(4)), 11.0)
    assert len(packets(link.handle_timer(20.0) + link.handle_timer(30.0), LCP)) == 2
    events = link.handle_timer(40.0)
    assert packets(events, LCP)[0].code == Code.TERMINATE_REQUEST
    link.handle_timer(43.0)
    assert last(link.handle_timer(46.0), LinkEnded) == LinkEnded(LinkEnd.PEER_SILENT)


@pytest.mark.parametrize("changes", [{"echo_interval": 0}, {"offload": True}])
def test_no_keepalive(changes) -> None:
    assert up(**changes).get_timer() is None


def test_a_peer_without_echoes_is_not_asked_again() -> None:
    link = up(echo_interval=10.0)
    echo = packets(link.handle_timer(10.0), LCP)[0]
    link.receive_frame(frame(LCP, Code.CODE_REJECT, 1, echo.encode()), 10.0)
    assert link.handle_timer(20.0) == []
    assert link.get_timer() is None
    other = up(echo_interval=10.0)
    other.receive_frame(frame(LCP, Code.CODE_REJECT, 1, b"\x0c"), 10.0)
    assert len(packets(other.handle_timer(10.0), LCP)) == 1


def test_identification_is_told_a_few_times() -> None:
    link, _ = anonymous()

    def identify(text: bytes) -> list[str]:
        events = link.receive_frame(frame(LCP, 12, 1, bytes(4) + text), 1.0)
        return [event.text for event in events if isinstance(event, PeerIdentified)]

    assert identify(b"MSRASV5.20") == ["MSRASV5.20"]
    assert identify(b"MSRASV5.20") == []
    assert identify(b"") == []
    assert identify(b"a\nb\xff") == ["a.b."]
    told = sum(len(identify(b"flood %d" % n)) for n in range(100))
    assert told == 6


def test_protocol_reject_of_what_we_do_not_speak() -> None:
    link = Link(replace(SERVER, methods=()), rng=seeded(1), now=0.0)
    open_lcp(link, 0.0, Option(1, b"\x00\x80"))
    events = link.receive_frame(encode_frame(0x8281, bytes(1000)), 1.0)
    (reject,) = packets(events, LCP)
    assert reject.code == Code.PROTOCOL_REJECT
    assert reject.data[:2] == b"\x82\x81"
    assert len(reject.encode()) == 128


@pytest.mark.parametrize("protocol", [0x0021, 0x0057, 0x00FD])
def test_data_is_not_rejected(protocol) -> None:
    link, _ = anonymous()
    assert link.receive_frame(encode_frame(protocol, b"data"), 1.0) == []


def test_nothing_but_lcp_before_lcp_is_open() -> None:
    link = Link(SERVER, rng=seeded(1), now=0.0)
    assert link.receive_frame(encode_frame(0x8281, b"?"), 0.0) == []
    link.open(0.0)
    for protocol in (0x8281, 0x8021, 0x80FD, 0xC223):
        assert link.receive_frame(encode_frame(protocol, b"\1\1\0\4"), 0.0) == []
    assert link.receive_frame(frame(LCP, Code.PROTOCOL_REJECT, 1, b"\x80\x21"), 0.0) == []
    assert link.receive_frame(frame(LCP, Code.PROTOCOL_REJECT, 1, b"\x80"), 0.0) == []


def test_unknown_code_is_rejected() -> None:
    link, _ = anonymous()
    (reject,) = packets(link.receive_frame(frame(LCP, 77, 3, b"??"), 1.0), LCP)
    assert reject.code == Code.CODE_REJECT
    assert reject.data == Packet(77, 3, b"??").encode()


def test_loopback() -> None:
    """Every frame that we send comes back."""
    link = Link(SERVER, rng=seeded(1), now=0.0)
    events = told = link.open(0.0)
    for _ in range(40):
        back = [event.frame for event in events if type(event).__name__ == "SendFrame"]
        events = [e for f in back for e in link.receive_frame(f, 0.0)]
        told = told + events
    assert last(told, LinkEnded) == LinkEnded(LinkEnd.LOOPBACK)
    assert "LcpOpened" not in kinds(told)


def test_loopback_after_opened() -> None:
    link, events = anonymous()
    magic = last(events, LcpOpened).local_magic.to_bytes(4, "big")
    for n in range(4):
        assert link.receive_frame(frame(LCP, Code.ECHO_REQUEST, n, magic), 1.0) == []
    events = link.receive_frame(frame(LCP, Code.ECHO_REQUEST, 5, magic), 1.0)
    assert packets(events, LCP)[0].data == LinkEnd.LOOPBACK.value.encode()


def test_renegotiation_makes_everything_above_void() -> None:
    link = up()
    events = link.receive_frame(configure(LCP, 1, 77), 5.0)
    assert kinds(events) == ["CloseGate", "IpDown", "LcpClosed", "SendFrame", "SendFrame"]
    assert isinstance(events[2], LcpClosed)
    events = link.receive_frame(answer(LCP, events), 5.0)
    assert kinds(events)[:2] == ["LcpOpened", "Authenticated"]


def test_crossed_catastrophe() -> None:
    """The peer rejects Configure-Request itself."""
    link = up()
    events = link.receive_frame(frame(LCP, Code.CODE_REJECT, 1, b"\1"), 5.0)
    assert "LcpClosed" in kinds(events)
    events = link.receive_frame(frame(LCP, Code.TERMINATE_ACK, 1), 5.0)
    assert last(events, LinkEnded) == LinkEnded(LinkEnd.NEGOTIATION_FAILED)


def test_endless_naks_end_the_link() -> None:
    link = Link(SERVER, rng=seeded(1), now=0.0)
    events = link.open(0.0)
    for _ in range(11):
        request = packets(events, LCP)[0]
        nak = configure(LCP, Code.CONFIGURE_NAK, request.identifier, Option(1, b"\x05\xdc"))
        events = link.receive_frame(nak, 0.0)
    events += link.receive_frame(frame(LCP, Code.TERMINATE_ACK, 1), 0.0)
    assert last(events, LinkEnded) == LinkEnded(LinkEnd.NEGOTIATION_FAILED)


def test_peer_role_moves_its_flags_and_magic() -> None:
    link = Link(CLIENT, rng=seeded(1), now=0.0)
    assert isinstance(link.config, LinkConfig)
    assert link.config.role is LinkRole.PEER
    (request,) = packets(link.open(0.0), LCP)
    before = {o.type: o.data for o in decode_options(request.data)}
    nak = (Option(5, b"mine"), Option(7))
    events = link.receive_frame(configure(LCP, 3, request.identifier, *nak), 0.0)
    after = {o.type: o.data for o in decode_options(packets(events, LCP)[0].data)}
    assert after.keys() == before.keys() - {7}
    assert after[5] not in (before[5], b"mine")


def test_a_probe_and_its_answer() -> None:
    """An Echo-Request of exactly that size; its answer is told, other Echo-Replies are not."""
    link, _ = anonymous()
    (sent,) = packets(link.probe(1400, 1.0), LCP)
    assert (sent.code, len(sent.encode())) == (Code.ECHO_REQUEST, 1400)
    magic = b"\x01\x02\x03\x04"
    echo = frame(LCP, Code.ECHO_REPLY, sent.identifier, magic + sent.data[4:])
    assert link.receive_frame(echo, 1.0) == [ProbeAnswered(1400)]
    cut = frame(LCP, Code.ECHO_REPLY, sent.identifier, magic + sent.data[4:10])
    assert link.receive_frame(cut, 1.0) == [ProbeAnswered(1400)]
    for data in (magic, magic + b"fpT", magic + b"another echo's data"):
        assert link.receive_frame(frame(LCP, Code.ECHO_REPLY, 9, data), 1.0) == []


def test_no_probe_before_lcp_is_open() -> None:
    link = Link(SERVER, rng=seeded(1), now=0.0)
    link.open(0.0)
    assert link.probe(1400, 0.0) == []


def test_whether_the_peer_hears_us() -> None:
    link = Link(SERVER, rng=seeded(1), now=0.0)
    started = link.open(0.0)
    for number in (1, 2):
        link.receive_frame(configure(LCP, 1, number), 1.0)
        assert (link.reached, link.requests) == (False, number)
    link.receive_frame(configure(LCP, 2, 77), 1.0)  # an answer to what we did not send
    assert not link.reached
    link.receive_frame(answer(LCP, started), 1.0)
    assert link.reached


def test_a_protocol_reject_is_told() -> None:
    link, _ = anonymous()
    rejected = frame(LCP, Code.PROTOCOL_REJECT, 1, b"\x4b\x3d")
    assert link.receive_frame(rejected, 1.0) == [ProtocolRejected(0x4B3D)]
