"""Authenticator and peer tied together: every method, every outcome, loss and duplicates."""

from __future__ import annotations

import random
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.aaa.verify import verify
from fastpptp.errors import LocalProtocolError
from fastpptp.ppp.auth import packets, restore_auth
from fastpptp.ppp.auth.packets import ChapCode
from fastpptp.ppp.auth.states import AUTHENTICATOR, CHAP_PEER, PAP_PEER, Input, State
from fastpptp.ppp.auth.steps import Ask, Failed, SendPacket, Succeeded
from fastpptp.ppp.auth.types import Accept, AuthMethod, Challenge, ChapCredential, Reject
from fastpptp.ppp.frames import Packet, decode_packet
from tests.unit.ppp_auth.support import (
    CHAPS,
    METHODS,
    MSCHAPS,
    NAME,
    PASSWORD,
    Wire,
    authenticator,
    knows,
    packets_of,
    peer,
    rng_from,
)

every_method = pytest.mark.parametrize("method", METHODS)
every_chap = pytest.mark.parametrize("method", CHAPS)
every_mschap = pytest.mark.parametrize("method", MSCHAPS)


def asked(server: Any, method: AuthMethod, **more: Any) -> tuple[Any, Ask]:
    """A peer that has sent its credential, and what the authenticator asks about it."""
    client = peer(method, **more)
    packets_ = packets_of(server.start(0.0))
    steps = client.start(0.0)
    for packet in packets_:
        steps += client.receive(packet, 0.0)
    (ask,) = server.receive(packets_of(steps)[-1], 0.0)
    return client, ask


# Outcomes.


@every_method
def test_the_right_password(method: AuthMethod) -> None:
    wire = Wire(authenticator(method), peer(method), knows()).run()
    (told,), (peer_told,) = wire.ended(0), wire.ended(1)
    assert isinstance(told, Succeeded)
    assert isinstance(peer_told, Succeeded)
    assert (told.method, told.name, told.identity) == (method, NAME, "identity")
    assert (peer_told.method, peer_told.name) == (method, NAME)
    assert not wire.tick()


@every_mschap
@pytest.mark.parametrize("bits", [40, 56, 128])
def test_both_ends_have_the_same_keys(method: AuthMethod, bits: int) -> None:
    wire = Wire(authenticator(method), peer(method), knows()).run()
    ours, theirs = (wire.ended(who)[0].keys for who in (0, 1))  # type: ignore[union-attr]
    assert ours is not None
    assert theirs is not None
    assert ours.start_keys(bits) == theirs.start_keys(bits)[::-1]


@pytest.mark.parametrize("method", METHODS[:2])
def test_pap_and_chap_give_no_keys(method: AuthMethod) -> None:
    wire = Wire(authenticator(method), peer(method), knows()).run()
    assert all(step.keys is None for who in (0, 1) for step in wire.ended(who))  # type: ignore[union-attr]


@every_method
@pytest.mark.parametrize("name", ["BIGCO\\User", "user@realm", "Jürgen", "日本", ""])
def test_names_of_all_kinds(method: AuthMethod, name: str) -> None:
    wire = Wire(authenticator(method), peer(method, "pässwörd", name), knows("pässwörd")).run()
    assert [type(wire.ended(who)[0]) for who in (0, 1)] == [Succeeded, Succeeded]
    assert wire.ended(0)[0].name == name


@every_method
def test_a_wrong_password(method: AuthMethod) -> None:
    wire = Wire(authenticator(method), peer(method, "wrong"), knows()).run()
    assert wire.ended(0) == wire.ended(1) == [Failed(method, NAME)]
    assert not wire.tick()


@every_method
def test_a_method_that_is_not_allowed_is_told_as_a_wrong_password(method: AuthMethod) -> None:
    def refuse(ask: Ask) -> Reject:
        return Reject(647, retries=3, not_allowed=True)

    wire = Wire(authenticator(method), peer(method), refuse).run()
    plain = Wire(authenticator(method), peer(method), lambda ask: Reject()).run()
    assert wire.sent(0) == plain.sent(0)
    assert wire.ended(0) == [Failed(method, NAME, not_allowed=True)]


@every_mschap
def test_the_failure_codes_are_on_the_wire(method: AuthMethod) -> None:
    for error in (646, 647, 649, 691, 709):
        wire = Wire(authenticator(method), peer(method), lambda ask, e=error: Reject(e)).run()  # type: ignore[misc]
        failure = wire.sent(0)[-1]
        assert failure[0] == ChapCode.FAILURE
        assert failure[4:].startswith(f"E={error} R=0 C=".encode())
        assert b" V=3 M=" in failure


def test_a_message_reaches_the_peer() -> None:
    for method, code in ((AuthMethod.PAP, 2), (AuthMethod.CHAP, 3)):
        wire = Wire(authenticator(method), peer(method), lambda ask: Accept(b"welcome")).run()
        assert wire.sent(0)[-1][0] == code
        assert b"welcome" in wire.sent(0)[-1]


@pytest.mark.parametrize("message", [b"", b"S=" + b"0" * 40, b"M=ok", b"S=407A"])
def test_the_peer_fails_closed_without_a_proof(message: bytes) -> None:
    """RFC 2759 section 5: the authenticator must know the password too."""
    method = AuthMethod.MSCHAP_V2
    wire = Wire(authenticator(method), peer(method), lambda ask: Accept(message)).run()
    assert isinstance(wire.ended(0)[0], Succeeded)
    assert wire.ended(1) == [Failed(method, NAME)]


# Retry and change of the password.


@every_mschap
@pytest.mark.parametrize(
    ("retries", "wrong", "success"), [(1, 1, True), (2, 2, True), (1, 2, False)]
)
def test_retries(method: AuthMethod, retries: int, wrong: int, success: bool) -> None:
    client = peer(method, "wrong", retry_passwords=["wrong", PASSWORD][2 - wrong :])
    wire = Wire(authenticator(method), client, knows(retries=retries)).run()
    assert [type(wire.ended(who)[0]) for who in (0, 1)] == [Succeeded if success else Failed] * 2
    identifiers = [data[1] for data in wire.sent(1)]
    first = identifiers[0]
    assert identifiers == [(first + n) % 256 for n in range(len(identifiers))]
    failures = [data for data in wire.sent(0) if data[0] == ChapCode.FAILURE]
    challenges = {data[4:].split()[2] for data in failures[:retries]}
    assert len(challenges) == min(retries, wrong)
    assert all(b" R=1 " in data for data in failures[:retries])


@every_mschap
def test_a_retry_that_the_peer_has_no_password_for(method: AuthMethod) -> None:
    wire = Wire(authenticator(method), peer(method, "wrong"), knows(retries=1)).run()
    assert wire.ended(0) == []
    assert wire.ended(1) == [Failed(method, NAME)]
    # The user's time runs out.
    assert wire.tick()
    assert wire.now == 60.0
    assert wire.ended(0) == [Failed(method, NAME)]
    assert not wire.tick()


@pytest.mark.parametrize("method", METHODS[:2])
def test_pap_and_chap_have_no_retry(method: AuthMethod) -> None:
    server = authenticator(method)
    wire = Wire(server, peer(method, "wrong"), knows(retries=1, error=648)).run()
    assert wire.ended(0) == wire.ended(1) == [Failed(method, NAME)]


def test_the_challenge_that_a_failure_implies() -> None:
    """RFC 2433 section 8: without C= it is the last one with 23 added to its first octet."""
    client = peer(AuthMethod.MSCHAP_V1, "wrong", retry_passwords=[PASSWORD])
    client.start(0.0)
    challenge = b"\xff" + bytes(7)
    client.receive(Packet(1, 5, b"\x08" + challenge).encode(), 0.0)
    (sent,) = client.receive(Packet(4, 5, b"E=691 R=1 V=2").encode(), 1.0)
    value, _ = packets.decode_value(decode_packet(sent.data).data)
    credential = client.scheme.credential(6, b"\x16" + bytes(7), value)
    assert isinstance(knows()(Ask(1, NAME, credential)), Accept)
    assert client.get_timer() == 4.0


def expiring(new: str) -> Any:
    """A policy whose password has expired; the new one must be `new`."""

    def policy(ask: Ask) -> Accept | Reject:
        verified = verify(ask.credential, ask.name, PASSWORD)
        if verified is None:
            return Reject(709)
        if verified.new_password is None:
            return Reject(648)
        assert verified.new_password == new
        return Accept(verified.message, verified.keys, "identity")

    return policy


@every_mschap
def test_change_of_an_expired_password(method: AuthMethod) -> None:
    client = peer(method, new_password="new secret 日本")
    wire = Wire(authenticator(method), client, expiring("new secret 日本")).run()
    told, theirs = wire.ended(0)[0], wire.ended(1)[0]
    assert isinstance(told, Succeeded)
    assert isinstance(theirs, Succeeded)
    assert told.keys.start_keys(128) == theirs.keys.start_keys(128)[::-1]  # type: ignore[union-attr]
    response, change = wire.sent(1)
    assert change[0] == (6 if method is AuthMethod.MSCHAP_V1 else 7)
    assert change[1] == (response[1] + 1) % 256
    assert len(change) == (1118 if method is AuthMethod.MSCHAP_V1 else 586)
    challenge, failure, _ = wire.sent(0)
    assert failure[4:].startswith(b"E=648 R=0 C=")
    same = challenge[5:].startswith(bytes.fromhex(failure[4:].split()[2][2:].decode()))
    assert same == (method is AuthMethod.MSCHAP_V1)


@every_mschap
def test_a_changed_password_answers_the_next_challenge(method: AuthMethod) -> None:
    client = peer(method, new_password="new")
    Wire(authenticator(method), client, expiring("new")).run()
    again = Wire(authenticator(method, seed=50), client, knows("new"))
    again.carry(0, again.ends[0].start(0.0))
    assert isinstance(again.ended(0)[0], Succeeded)
    assert client.state is State.OPEN


@every_mschap
def test_a_change_that_is_refused_ends_it(method: AuthMethod) -> None:
    """No retry is allowed after Change Password (RFC 2433 B.1), whatever the policy says."""
    results = iter([Reject(648), Reject(648, retries=1)])
    client = peer(method, new_password="new", retry_passwords=["other"])
    wire = Wire(authenticator(method), client, lambda ask: next(results)).run()
    assert wire.ended(0) == [Failed(method, NAME)]
    assert wire.ended(1) == [Failed(method, NAME, error=648)]
    assert b" R=0 " in wire.sent(0)[-1]


@every_mschap
def test_a_peer_without_a_new_password_gives_up(method: AuthMethod) -> None:
    wire = Wire(authenticator(method), peer(method), expiring("")).run()
    assert wire.ended(1) == [Failed(method, NAME, error=648)]
    assert wire.tick()
    assert wire.ended(0) == [Failed(method, NAME)]


def test_the_peer_does_not_send_change_password_version_1() -> None:
    """RFC 2433 section 9: it must not be sent where it can be overheard."""
    client = peer(AuthMethod.MSCHAP_V1, new_password="new")
    client.start(0.0)
    client.receive(Packet(1, 5, b"\x08" + bytes(8)).encode(), 0.0)
    steps = client.receive(Packet(4, 5, b"E=648 R=0").encode(), 0.0)
    assert steps == [Failed(AuthMethod.MSCHAP_V1, NAME, error=648)]


def test_an_expired_password_without_a_challenge_uses_the_last() -> None:
    client = peer(AuthMethod.MSCHAP_V1, new_password="new")
    client.start(0.0)
    client.receive(Packet(1, 5, b"\x08" + bytes(range(8))).encode(), 0.0)
    (sent,) = client.receive(Packet(4, 5, b"E=648 R=0 V=2").encode(), 0.0)
    change = client.scheme.change(6, bytes(range(8)), decode_packet(sent.data).data)
    assert isinstance(knows()(Ask(1, NAME, change)), Accept)


def test_change_password_version_1_is_taken() -> None:
    method = AuthMethod.MSCHAP_V1
    server = authenticator(method)
    client, ask = asked(server, method)
    server.complete(ask.token, Reject(648), 0.0)
    (ask,) = server.receive(Packet(5, client.identifier + 1, bytes(68)).encode(), 0.0)
    assert ask.credential.version == 1
    assert isinstance(knows()(ask), Reject)


# Duplicates, wrong identifiers, late answers.


@every_method
def test_a_repeated_credential_gets_the_same_answer_again(method: AuthMethod) -> None:
    for password in (PASSWORD, "wrong"):
        server = authenticator(method)
        wire = Wire(server, peer(method, password), knows()).run()
        answer, credential = wire.sent(0)[-1], wire.sent(1)[-1]
        for _ in range(3):
            assert server.receive(credential, 9.0) == [SendPacket(answer)]


def test_a_pap_answer_has_the_identifier_of_its_request() -> None:
    server = authenticator(AuthMethod.PAP)
    request = Packet(1, 7, b"\4User\2pw")
    server.start(0.0)
    (ask,) = server.receive(request.encode(), 0.0)
    assert server.receive(Packet(1, 8, request.data).encode(), 1.0) == []
    assert server.receive(Packet(1, 9, b"\5Other\0").encode(), 1.0) == []
    sent, _ = server.complete(ask.token, Accept(), 2.0)
    assert sent.data[1] == 8
    (again,) = server.receive(Packet(1, 10, request.data).encode(), 3.0)
    assert again.data == bytes((2, 10)) + sent.data[2:]


@every_method
def test_a_repeated_credential_is_absorbed_while_the_policy_thinks(method: AuthMethod) -> None:
    server = authenticator(method)
    client, ask = asked(server, method)
    assert server.get_timer() is None
    assert server.receive(client.sent, 1.0) == []
    steps = server.complete(ask.token, Reject(), 2.0)
    assert [type(step) for step in steps] == [SendPacket, Failed]


@every_mschap
def test_duplicates_while_a_retry_or_a_change_is_open(method: AuthMethod) -> None:
    for reject in (Reject(retries=1), Reject(648)):
        server = authenticator(method)
        client, ask = asked(server, method)
        (failure,) = server.complete(ask.token, reject, 0.0)
        assert server.receive(client.sent, 1.0) == [failure]
        # Neither the wrong identifier nor, for a retry, the wrong code.
        response = decode_packet(client.sent)
        for step in (2, 255):
            wrong = Packet(2, (response.identifier + step) % 256, response.data)
            assert server.receive(wrong.encode(), 1.0) == []
        unfit = [c for c in (2, 6, 7) if (c == 2) == (reject.error == 648)]
        for code in unfit:
            body = bytes(server.scheme.changes.get(code, 0)) or response.data
            packet = Packet(code, (response.identifier + 1) % 256, body)
            assert server.receive(packet.encode(), 1.0) == []
        assert server.receive(client.sent, 1.0) == [failure]


@every_chap
def test_wrong_identifiers_are_discarded(method: AuthMethod) -> None:
    server, client = authenticator(method), peer(method)
    (challenge,) = packets_of(server.start(0.0))
    client.start(0.0)
    (response,) = packets_of(client.receive(challenge, 0.0))
    wrong = response[:1] + bytes(((response[1] + 1) % 256,)) + response[2:]
    assert server.receive(wrong, 0.0) == []
    for code in (3, 4):
        assert client.receive(Packet(code, (response[1] + 1) % 256, b"").encode(), 0.0) == []
    assert [type(step) for step in server.receive(response, 0.0)] == [Ask]


@every_method
def test_a_late_or_doubled_answer_changes_nothing(method: AuthMethod) -> None:
    server = authenticator(method)
    _, ask = asked(server, method)
    assert server.complete(ask.token + 1, Accept(), 0.0) == []
    assert len(server.complete(ask.token, Reject(), 0.0)) == 2
    assert server.complete(ask.token, Accept(), 0.0) == []
    assert server.state is State.REJECTED


@every_method
def test_no_method_here_has_a_further_round(method: AuthMethod) -> None:
    server = authenticator(method)
    _, ask = asked(server, method)
    with pytest.raises(LocalProtocolError):
        server.complete(ask.token, Challenge(b""), 0.0)
    assert peer(method).complete(1, Accept(), 0.0) == []


@every_chap
def test_a_challenge_after_success_is_answered(method: AuthMethod) -> None:
    client = peer(method)
    wire = Wire(authenticator(method), client, knows()).run()
    keys = client.keys
    again = Wire(authenticator(method, seed=50), client, knows())
    again.carry(0, again.ends[0].start(0.0))
    assert isinstance(again.ended(0)[0], Succeeded)
    assert again.ended(1) == []
    assert client.get_timer() is None
    assert client.state is State.OPEN
    # A Failure now ends it; one that answers nothing does not.
    assert client.receive(Packet(4, client.identifier, b"").encode(), 0.0) == []
    third = Wire(authenticator(method, seed=70), client, lambda ask: Reject())
    third.carry(0, third.ends[0].start(0.0))
    assert third.ended(1) == [Failed(method, NAME)]
    assert wire.ended(1)[0].keys is keys  # type: ignore[union-attr]


@every_chap
def test_a_repeated_challenge_gets_the_same_response(method: AuthMethod) -> None:
    server, client = authenticator(method), peer(method)
    (challenge,) = packets_of(server.start(0.0))
    client.start(0.0)
    first = client.receive(challenge, 0.0)
    assert client.receive(challenge, 1.0) == first
    other = challenge[:5] + bytes((challenge[5] ^ 1,)) + challenge[6:]
    assert client.receive(other, 2.0) != first


def test_chap_md5_is_what_the_rfc_says() -> None:
    server = authenticator(AuthMethod.CHAP)
    _, ask = asked(server, AuthMethod.CHAP)
    assert isinstance(ask.credential, ChapCredential)
    assert ask.credential.identifier == server.identifier
    assert ask.credential.challenge == server.challenge
    assert server.sent[5:21] == server.challenge
    assert server.sent[21:] == b"headend"


# Time.


@every_chap
def test_an_unanswered_challenge_is_repeated_ten_times(method: AuthMethod) -> None:
    server = authenticator(method)
    sent = packets_of(server.start(0.0))
    times = []
    steps: list[Any] = []
    while (at := server.get_timer()) is not None:
        assert server.handle_timer(at - 0.001) == []
        times.append(at)
        steps = server.handle_timer(at)
        sent += packets_of(steps)
    assert times == [3.0 * n for n in range(1, 11)]
    assert len(sent) == 10
    assert len(set(sent)) == 1
    assert steps == [Failed(method, "")]


def test_a_pap_authenticator_waits_thirty_seconds() -> None:
    server = authenticator(AuthMethod.PAP)
    assert server.start(1.0) == []
    assert server.get_timer() == 31.0
    assert server.handle_timer(31.0) == [Failed(AuthMethod.PAP, "")]
    assert server.get_timer() is None


def test_a_pap_peer_changes_the_identifier_of_each_request() -> None:
    client = peer(AuthMethod.PAP)
    sent = packets_of(client.start(0.0))
    while (at := client.get_timer()) is not None:
        steps = client.handle_timer(at)
        sent += packets_of(steps)
    assert len({data[1] for data in sent}) == len(sent) == 10
    assert len({data[2:] for data in sent}) == 1
    assert steps == [Failed(AuthMethod.PAP, NAME)]


def test_a_pap_answer_to_an_earlier_request_will_do() -> None:
    for code, end in ((2, Succeeded), (3, Failed)):
        client = peer(AuthMethod.PAP)
        (first,) = packets_of(client.start(0.0))
        client.handle_timer(3.0)
        client.handle_timer(6.0)
        for wrong in (first[1] - 1, first[1] + 3):
            assert client.receive(Packet(code, wrong % 256, b"\0").encode(), 7.0) == []
        assert client.receive(Packet(1, first[1], b"\0").encode(), 7.0) == []
        assert client.receive(Packet(2, first[1], b"\5abc").encode(), 7.0) == []
        (told,) = client.receive(Packet(code, (first[1] + 1) % 256, b"").encode(), 7.0)
        assert type(told) is end
        assert client.get_timer() is None


@every_chap
def test_a_peer_that_is_never_challenged_gives_up(method: AuthMethod) -> None:
    client = peer(method)
    assert client.start(0.0) == []
    assert client.get_timer() == 30.0
    assert client.handle_timer(30.0) == [Failed(method, NAME)]
    assert client.handle_timer(99.0) == []


@every_method
def test_a_lost_answer_is_fetched_by_the_peer(method: AuthMethod) -> None:
    wire = Wire(authenticator(method), peer(method), knows())
    answers = count()
    wire.lost = lambda who, data: who == 0 and data[0] in (2, 3) and next(answers) < 3
    wire.run()
    assert wire.ended(1) == []
    while wire.tick():
        pass
    assert [len(wire.ended(who)) for who in (0, 1)] == [1, 1]
    assert isinstance(wire.ended(1)[0], Succeeded)


@every_method
@pytest.mark.parametrize("seed", range(6))
def test_over_a_lossy_link(method: AuthMethod, seed: int) -> None:
    chance = random.Random(seed)
    wire = Wire(authenticator(method), peer(method), knows())
    wire.lost = lambda who, data: chance.random() < 0.4
    wire.run()
    while wire.tick():
        pass
    assert [type(step) for who in (0, 1) for step in wire.ended(who)] == [Succeeded, Succeeded]


@every_method
def test_with_a_dead_link_both_ends_give_up(method: AuthMethod) -> None:
    wire = Wire(authenticator(method), peer(method), knows())
    wire.lost = lambda who, data: True
    wire.run()
    while wire.tick():
        pass
    assert [wire.ended(0), wire.ended(1)] == [[Failed(method, "")], [Failed(method, NAME)]]


# The tables, hostile input, snapshots.


def test_the_tables_name_what_there_is() -> None:
    ends = [
        (AUTHENTICATOR, [authenticator(m) for m in METHODS]),
        (CHAP_PEER, [peer(m) for m in CHAPS]),
        (PAP_PEER, [peer(AuthMethod.PAP)]),
    ]
    changing = {"allow_retry", "allow_change", "repeat"}
    for table, endpoints in ends:
        for action, _ in table.values():
            for endpoint in endpoints:
                bare = endpoint.method is AuthMethod.PAP and action in changing
                assert bare or hasattr(endpoint, f"_{action}")


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("symbol", Input)
def test_every_state_and_input_is_decided(state: State, symbol: Input) -> None:
    final = {State.ACCEPTED, State.REJECTED, State.CLOSED}
    for table in (AUTHENTICATOR, CHAP_PEER, PAP_PEER):
        action, to = table.get((state, symbol), ("", state))
        if state in final:
            assert to is state
            assert action in ("", "answer_again")
        if symbol in (Input.TIMEOUT, Input.DUPLICATE):
            assert to is state
        if symbol is Input.EXPIRED and action:
            assert to in (State.REJECTED, State.CLOSED)


@pytest.mark.parametrize("make", [authenticator, peer])
@every_method
@given(data=st.data())
def test_any_octets_in_any_state_are_harmless(make: Any, method: AuthMethod, data: Any) -> None:
    end = make(method)
    headed = st.builds(
        lambda code, identifier, body: Packet(code, identifier, body).encode(),
        st.integers(0, 8),
        st.sampled_from([end.identifier, (end.identifier + 1) % 256, 77]),
        st.binary(max_size=60) | st.sampled_from([68, 582, 1114]).map(bytes),
    )
    end.start(0.0)
    done = 0
    tokens = []
    for packet in data.draw(st.lists(st.binary(max_size=60) | headed, max_size=8)):
        for step in end.receive(packet, 0.0):
            done += isinstance(step, Succeeded | Failed)
            if isinstance(step, Ask):
                tokens.append(step.token)
        if tokens and data.draw(st.booleans()):
            result = data.draw(st.sampled_from([Accept(), Reject(), Reject(648)]))
            steps = end.complete(tokens.pop(), result, 0.0)
            done += sum(isinstance(step, Succeeded | Failed) for step in steps)
    assert done <= 1 or end.TABLE is CHAP_PEER


def rebuilt(end: Any, passwords: dict[str, Any]) -> Any:
    # The octets to come, and the tokens, are the owner's to continue.
    made = restore_auth(end.snapshot(), rng=end.rng, tokens=count(500), **passwords)
    assert made.snapshot() == end.snapshot()
    return made


@every_method
@pytest.mark.parametrize("flow", ["plain", "retry", "change"])
def test_a_snapshot_in_the_middle_changes_nothing(method: AuthMethod, flow: str) -> None:
    """Both ends are rebuilt from their snapshots after every packet."""
    passwords: dict[str, Any] = {
        "plain": {"password": PASSWORD},
        "retry": {"password": "wrong", "retry_passwords": [PASSWORD]},
        "change": {"password": PASSWORD, "new_password": "new"},
    }[flow]
    policy = expiring("new") if flow == "change" else knows(retries=1)
    wire = Wire(authenticator(method), peer(method, **passwords), policy)

    def swap(who: int, data: bytes) -> bool:
        wire.ends = (rebuilt(wire.ends[0], {}), rebuilt(wire.ends[1], passwords))
        return False

    # The end that sent keeps its steps, so the swap happens while its packet is under way.
    wire.lost = swap
    wire.run()
    plain = flow == "plain" or method in MSCHAPS
    assert [type(wire.ended(who)[0]) for who in (0, 1)] == [Succeeded if plain else Failed] * 2


def test_a_snapshot_holds_no_password_and_has_a_version() -> None:
    client = peer(AuthMethod.MSCHAP_V2)
    assert PASSWORD not in repr(client.snapshot())
    assert client.snapshot()["version"] == 1
    with pytest.raises(LocalProtocolError):
        restore_auth({**client.snapshot(), "version": 2}, rng=rng_from(), tokens=count())
