"""Two Links tied together: every way to authenticate and to encrypt, over good and bad links."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from fastpptp.ppp.auth.types import Reject
from fastpptp.ppp.events import (
    Authenticated,
    Direction,
    EncryptionUp,
    IpUp,
    Ipv6Up,
    LinkEnd,
    LinkEnded,
)

from .support import CHAP, CLIENT, PAP, SERVER, USER, V1, V2, Pair, Side, judge, mppe

KEYED = (V1, V2)
METHODS = (PAP, CHAP, V1, V2)


def hold_keys_together(one: Side, other: Side) -> None:
    """What one receives with is what the other sends with."""
    for here, there in ((one, other), (other, one)):
        receive = here.dataplane.keys[Direction.RECEIVE]
        send = there.dataplane.keys[Direction.SEND]
        assert (receive.start_key, receive.bits, receive.stateless) == (
            send.start_key,
            send.bits,
            send.stateless,
        )


@pytest.mark.parametrize("bad", [False, True], ids=["good", "bad"])
@pytest.mark.parametrize("ask_stateful", [False, True], ids=["stateless", "stateful"])
@pytest.mark.parametrize(("method", "bits"), list(product(METHODS, [{40}, {56}, {128}, {40, 128}])))
def test_every_method_and_strength(method, bits, ask_stateful, bad) -> None:
    trouble = {"loss": 0.2, "jitter": 0.05, "duplicate": 0.1} if bad else {}
    server = mppe(replace(SERVER, methods=(method,)), bits=frozenset(bits))
    client = mppe(CLIENT, bits=frozenset({40, 56, 128}), ask_stateful=ask_stateful)
    pair = Pair(server, client, seed=7, **trouble).open().until_up()
    for side in pair.sides:
        assert side.last(Authenticated) == Authenticated(method, USER)
        assert side.is_up
    if method in KEYED:
        hold_keys_together(pair.client, pair.server)
        strongest = max(bits)
        assert pair.server.last(EncryptionUp) == EncryptionUp(strongest, True, not ask_stateful)
        assert pair.client.last(EncryptionUp) == EncryptionUp(strongest, not ask_stateful, True)
    else:
        assert pair.server.last(EncryptionUp) is None


@pytest.mark.parametrize("seed", range(25))
def test_lossy_links_converge_or_end(seed) -> None:
    """A link that loses a third of the frames: up in the end, or ended on both sides."""
    server = mppe(replace(SERVER, ipv6=True), required=True, bits=frozenset({40, 128}))
    pair = Pair(
        server,
        replace(CLIENT, ipv6=True),
        seed=seed,
        loss=0.33,
        jitter=0.1,
        duplicate=0.2,
    )
    pair.open().until_up()
    if all(side.is_up for side in pair.sides):
        hold_keys_together(*pair.sides)
    pair.server.take(pair.server.link.close(pair.now), pair.now)
    pair.run()
    assert pair.server.link.ended
    assert pair.server.link.get_timer() is None


def test_addresses_and_servers() -> None:
    pair = Pair(replace(SERVER, ipv6=True), replace(CLIENT, ipv6=True)).open().until_up().run(1)
    ours, theirs = pair.server.last(IpUp), pair.client.last(IpUp)
    assert ours is not None
    assert theirs is not None
    assert (ours.local, ours.peer, ours.dns) == (theirs.peer, theirs.local, theirs.dns)
    assert str(ours.nbns[0]) == "172.16.1.3"
    assert theirs.nbns == ours.nbns
    up6, down6 = pair.server.last(Ipv6Up), pair.client.last(Ipv6Up)
    assert up6 is not None
    assert down6 is not None
    assert (up6.local_identifier, up6.peer_identifier) == (
        down6.peer_identifier,
        down6.local_identifier,
    )
    assert {4, 6} == pair.server.dataplane.gates == pair.client.dataplane.gates


def test_up_without_a_wait() -> None:
    """On a good link nothing waits for a time-out."""
    pair = Pair(mppe(SERVER, required=True)).open().until_up()
    assert pair.now < 101.0


@pytest.mark.parametrize("by", ["server", "client"])
def test_close_tells_the_other(by) -> None:
    pair = Pair().open().until_up()
    side = getattr(pair, by)
    side.take(side.link.close(pair.now, "bye"), pair.now)
    pair.run(10)
    other = pair.client if by == "server" else pair.server
    assert side.last(LinkEnded) == LinkEnded(LinkEnd.LOCAL)
    assert other.last(LinkEnded) == LinkEnded(LinkEnd.PEER_TERMINATED)
    assert [s.link.get_timer() for s in pair.sides] == [None, None]


def test_wrong_password() -> None:
    pair = Pair(SERVER, replace(CLIENT, password="wrong")).open().run()
    assert pair.server.last(LinkEnded) == LinkEnded(LinkEnd.AUTHENTICATION_FAILED, USER, V2)
    assert pair.client.link.ended


@pytest.mark.parametrize(
    ("server", "client", "method"),
    [
        ((V2, V1, CHAP, PAP), (PAP,), PAP),
        ((V2, V1, CHAP, PAP), (CHAP, PAP), CHAP),
        ((V2, PAP), (V1, PAP), PAP),
        ((PAP,), (V2, PAP), PAP),
    ],
)
def test_the_nak_moves_the_method(server, client, method) -> None:
    pair = Pair(replace(SERVER, methods=server), replace(CLIENT, methods=client))
    pair.open().until_up()
    assert pair.server.last(Authenticated) == Authenticated(method, USER)


@pytest.mark.parametrize("client", [(PAP,), ()], ids=["other", "none"])
def test_no_common_method(client) -> None:
    pair = Pair(replace(SERVER, methods=(V2, V1)), replace(CLIENT, methods=client)).open().run()
    assert pair.server.last(LinkEnded) == LinkEnded(LinkEnd.NO_COMMON_AUTHENTICATION)
    assert pair.server.last(Authenticated) is None


def test_anonymous() -> None:
    pair = Pair(replace(SERVER, methods=())).open().until_up()
    assert pair.server.last(Authenticated) == Authenticated(None, "")
    assert pair.client.last(Authenticated) == Authenticated(None, "")
    assert pair.server.is_up


@pytest.mark.parametrize("who", ["server", "client"])
@pytest.mark.parametrize(
    "other", [{"enabled": False}, {"bits": frozenset({40})}, {"bits": frozenset()}]
)
def test_required_and_not_to_be_had_fails_closed(who, other) -> None:
    server, client = mppe(SERVER, required=True), mppe(CLIENT, **other)
    if who == "client":
        server, client = mppe(SERVER, **other), mppe(CLIENT, required=True)
    pair = Pair(server, client).open().run()
    assert getattr(pair, who).last(LinkEnded) == LinkEnded(LinkEnd.ENCRYPTION_REQUIRED)
    assert "OpenGate" not in {type(e).__name__ for e in getattr(pair, who).events}


def test_required_without_keys_ends_at_once() -> None:
    pair = Pair(mppe(replace(SERVER, methods=(PAP,)), required=True)).open().run()
    assert pair.server.last(LinkEnded) == LinkEnded(LinkEnd.ENCRYPTION_REQUIRED)


def test_not_required_and_not_to_be_had_goes_in_the_clear() -> None:
    pair = Pair(SERVER, mppe(CLIENT, enabled=False)).open().until_up()
    assert pair.server.is_up
    assert pair.server.dataplane.keys == {}
    assert pair.server.last(EncryptionUp) is None


def test_require_stateless_moves_a_stateful_peer() -> None:
    pair = Pair(mppe(SERVER, require_stateless=True), mppe(CLIENT, ask_stateful=True))
    pair.open().until_up()
    assert pair.server.last(EncryptionUp) == EncryptionUp(128, True, True)


def test_renegotiating_ccp_shuts_the_gate_meanwhile() -> None:
    pair = Pair(mppe(SERVER, required=True)).open().until_up()
    before = len(pair.server.events)
    pair.server.take(pair.server.link.renegotiate_ccp(pair.now), pair.now)
    assert not pair.server.is_up
    pair.run(1)
    names = [type(e).__name__ for e in pair.server.events[before:]]
    assert names[:3] == ["CloseGate", "ClearKeys", "SendFrame"]
    assert names[-3:] == ["SetKeys", "EncryptionUp", "OpenGate"]
    assert all(side.is_up for side in pair.sides)
    hold_keys_together(*pair.sides)


def test_retry() -> None:
    answers = [Reject(retries=1), None]
    client = replace(CLIENT, password="old", retry_passwords=("cisco123",))
    pair = Pair(SERVER, client)
    pair.server.judge = lambda request: answers.pop(0) or judge(request)
    pair.open().until_up()
    assert pair.server.last(Authenticated) == Authenticated(V2, USER)
    assert pair.server.is_up
