"""The Link itself: authentication as its owner sees it, deadlines, ends, traces."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fastpptp.errors import LocalProtocolError
from fastpptp.ppp import Link, MppePolicy, Phase
from fastpptp.ppp.auth.types import Accept, Reject
from fastpptp.ppp.events import (
    AuthRequest,
    AutomatonStep,
    EncryptionUp,
    FrameTrace,
    LinkEnd,
    LinkEnded,
    PhaseChange,
    RequestJudged,
    TokenVoid,
)
from fastpptp.ppp.frames import Code, Protocol
from fastpptp.ppp.inspect import describe_frame, describe_judgement, describe_phase, describe_step

from .support import (
    CHAP,
    PAP,
    SERVER,
    V2,
    Keys,
    Pair,
    anonymous,
    answer,
    configure,
    frame,
    keyed,
    kinds,
    last,
    mppe_option,
    open_ipcp,
    open_lcp,
    packets,
    seeded,
)

LCP, CCP = Protocol.LCP, Protocol.CCP
REQUEST = frame(Protocol.PAP, 1, 7, b"\4user\4pass")


def asking(**changes: object) -> tuple[Link, AuthRequest]:
    """A Link whose peer has sent its PAP credential."""
    link = Link(replace(SERVER, methods=(PAP,), **changes), rng=seeded(1), now=0.0)
    open_lcp(link, 0.0)
    (request,) = link.receive_frame(REQUEST, 1.0)
    assert isinstance(request, AuthRequest)
    return link, request


def terminated(link: Link, now: float) -> LinkEnded:
    return last(link.receive_frame(frame(LCP, Code.TERMINATE_ACK, 1), now), LinkEnded)


def test_retransmissions_are_absorbed_and_answered_again() -> None:
    link, request = asking()
    assert (request.name, request.method) == ("user", PAP)
    assert link.receive_frame(REQUEST, 2.0) == []
    events = link.complete_auth(request.token, Accept(b"hi"), 3.0)
    assert kinds(events) == ["SendFrame", "Authenticated"]
    again = link.receive_frame(REQUEST, 4.0)
    assert again == events[:1]
    assert link.complete_auth(request.token, Accept(), 5.0) == []


def test_reject_ends_after_the_answer() -> None:
    link, request = asking()
    events = link.complete_auth(request.token, Reject(message=b"no"), 2.0)
    assert packets(events, Protocol.PAP)[0].code == 3
    assert kinds(events) == ["SendFrame", "LcpClosed", "SendFrame"]
    assert link.phase is Phase.TERMINATE
    assert link.receive_frame(REQUEST, 2.0) == []
    assert terminated(link, 3.0) == LinkEnded(LinkEnd.AUTHENTICATION_FAILED, "user", PAP)
    assert link.phase is Phase.DEAD


def test_not_allowed() -> None:
    link, request = asking()
    link.complete_auth(request.token, Reject(not_allowed=True), 2.0)
    assert terminated(link, 3.0) == LinkEnded(LinkEnd.AUTHENTICATION_NOT_ALLOWED, "user", PAP)


def test_void_tokens() -> None:
    link, request = asking()
    events = link.receive_frame(configure(LCP, 1, 77), 2.0)
    assert TokenVoid(request.token) in events
    assert link.complete_auth(request.token, Accept(), 2.0) == []
    assert link.complete_auth(999, Accept(), 2.0) == []


def test_an_answer_that_never_comes() -> None:
    link, request = asking(request_timeout=5.0)
    assert link.get_timer() == 6.0
    assert TokenVoid(request.token) in link.handle_timer(6.0)
    assert terminated(link, 7.0) == LinkEnded(LinkEnd.REQUEST_TIMED_OUT)
    assert link.complete_auth(request.token, Accept(), 8.0) == []


def test_the_users_policy_is_the_one_that_counts() -> None:
    link = Link(replace(SERVER, methods=(V2,)), rng=seeded(3), now=0.0)
    challenge = packets(open_lcp(link, 0.0), Protocol.CHAP)[0]
    response = bytes((49,)) + bytes(49) + b"user"
    events = link.receive_frame(frame(Protocol.CHAP, 2, challenge.identifier, response), 0.0)
    link.set_mppe_policy(MppePolicy(required=True, bits=frozenset({40})))
    events = link.complete_auth(events[0].token, Accept(b"S=0", Keys()), 0.0)
    assert packets(events, CCP)[0].data == mppe_option(0x01000020).encode()
    link.receive_frame(answer(CCP, events), 0.0)
    events = link.receive_frame(configure(CCP, 1, 1, mppe_option(0x20)), 0.0)
    assert last(events, EncryptionUp) == EncryptionUp(40, True, False)
    with pytest.raises(LocalProtocolError):
        link.set_mppe_policy(MppePolicy())


def test_opened_once() -> None:
    link, _ = anonymous()
    with pytest.raises(LocalProtocolError):
        link.open(1.0)
    dead = Link(SERVER, rng=seeded(1), now=0.0)
    assert dead.close(0.0) == [LinkEnded(LinkEnd.LOCAL)]
    with pytest.raises(LocalProtocolError):
        dead.open(1.0)


def test_a_dead_link_is_deaf() -> None:
    link, _ = anonymous()
    assert link.lower_down(1.0)[-1] == LinkEnded(LinkEnd.LOWER_LAYER_DOWN)
    assert link.ended
    assert link.lower_down(2.0) == link.close(2.0) == link.handle_timer(99.0) == []
    assert link.receive_frame(configure(LCP, 1, 1), 2.0) == []
    assert link.get_timer() is None


def test_no_answer() -> None:
    link = Link(SERVER, rng=seeded(1), now=0.0)
    events = link.open(0.0)
    while not link.ended:
        events += link.handle_timer(link.get_timer())
    assert len(packets(events, LCP)) == 10
    assert events[-1] == LinkEnded(LinkEnd.NO_ANSWER)


@pytest.mark.parametrize("timeout", [5.0, 99.0], ids=["deadline", "transmissions"])
def test_lcp_that_does_not_converge(timeout) -> None:
    """A peer that asks, and answers nothing."""
    link = Link(replace(SERVER, establish_timeout=timeout), rng=seeded(1), now=0.0)
    link.open(0.0)
    link.receive_frame(configure(LCP, 1, 1), 1.0)
    events = []
    while not link.ended:
        events = link.handle_timer(link.get_timer())
    assert events[-1] == LinkEnded(LinkEnd.NEGOTIATION_FAILED)


def test_stuck_in_authentication() -> None:
    link = Link(replace(SERVER, methods=(CHAP,), establish_timeout=4.0), rng=seeded(1), now=0.0)
    open_lcp(link, 0.0)
    link.handle_timer(3.0)
    link.handle_timer(4.0)
    assert terminated(link, 5.0).end is LinkEnd.AUTHENTICATION_FAILED


def test_stuck_before_encryption() -> None:
    link, _ = keyed(required=True)
    open_ipcp(link, 0.0)
    link.handle_timer(3.0)
    link._established_by = 3.0
    link.handle_timer(3.0)
    assert terminated(link, 5.0).end is LinkEnd.ENCRYPTION_REQUIRED


def test_a_peer_that_never_authenticates() -> None:
    pair = Pair()
    link = pair.server.link
    pair.server.take(open_lcp(link, 0.0), 0.0)
    while not link.ended:
        pair.server.take(link.handle_timer(link.get_timer()), 0.0)
    assert pair.server.last(LinkEnded).end is LinkEnd.AUTHENTICATION_FAILED


@pytest.mark.parametrize(
    ("protocol", "end"),
    [
        (Protocol.PAP, LinkEnd.NO_COMMON_AUTHENTICATION),
        (Protocol.LCP, LinkEnd.NEGOTIATION_FAILED),
    ],
)
def test_the_peer_rejects_what_it_must_speak(protocol, end) -> None:
    link, _ = asking()
    reject = frame(LCP, Code.PROTOCOL_REJECT, 1, protocol.to_bytes(2, "big") + b"rest")
    link.receive_frame(reject, 2.0)
    assert terminated(link, 3.0) == LinkEnded(end)


def test_the_first_reason_to_end_stands() -> None:
    link, request = asking()
    link.complete_auth(request.token, Reject(), 2.0)
    link.close(2.5, "too late")
    assert link.lower_down(3.0)[-1].end is LinkEnd.AUTHENTICATION_FAILED


def test_the_peer_hangs_up_while_we_do() -> None:
    link, _ = anonymous()
    link.close(1.0, "bye")
    events = link.receive_frame(frame(LCP, Code.TERMINATE_REQUEST, 9), 1.0)
    assert kinds(events) == ["SendFrame", "LinkEnded"]


def test_close_carries_its_message() -> None:
    link, _ = anonymous()
    assert packets(link.close(1.0, "maintenance"), LCP)[0].data == b"maintenance"
    assert packets(anonymous()[0].close(1.0), LCP)[0].data == b""


def test_trace() -> None:
    _link, told = anonymous(trace=True)
    traces = [event for event in told if isinstance(event, FrameTrace)]
    assert [trace.sent for trace in traces] == [True, False, False, True]
    assert describe_frame(traces[0].frame).startswith("[LCP ConfReq id=0x1 <mru 1400> <magic 0x")
    assert describe_frame(traces[3].frame) == "[LCP ConfAck id=0x1]"
    assert kinds(told)[:2] == ["FrameTrace", "SendFrame"]


def test_debug() -> None:
    """Every step is told before what comes of it, and nothing but when asked."""
    link, told = anonymous(debug=True)
    told += link.close(1.0)
    steps = [event for event in told if isinstance(event, AutomatonStep)]
    assert {step.protocol for step in steps} == {LCP, Protocol.CCP, Protocol.IPCP}
    assert kinds(told)[:3] == ["PhaseChange", "AutomatonStep", "AutomatonStep"]
    assert describe_step(steps[1]) == "LCP STARTING -> REQ_SENT on Up (irc, scr)"
    (judged,) = [event for event in told if isinstance(event, RequestJudged)]
    assert describe_judgement(judged) == "LCP answers ConfReq id=0x1 with ConfAck"
    phases = [describe_phase(event) for event in told if isinstance(event, PhaseChange)]
    assert phases == [
        "phase dead -> establish", "phase establish -> authenticate",
        "phase authenticate -> network", "phase network -> terminate",
    ]  # fmt: skip
    quiet = anonymous()[1]
    assert {"FrameTrace", "PhaseChange", "AutomatonStep", "RequestJudged"}.isdisjoint(kinds(quiet))
