"""Local authentication: every cause, the order of the checks, events, claims."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from ipaddress import IPv4Address
from typing import Any

import pytest

from fastpptp.aaa import Decision, Identity
from fastpptp.aaa import local as local_module
from fastpptp.events.causes import Cause, Of
from fastpptp.ppp.auth.schemes import Refusal, scheme_of
from fastpptp.ppp.auth.types import (
    Accept,
    AuthMethod,
    ChangePasswordV1Credential,
    MsChapV1Credential,
    Reject,
)
from fastpptp.settings import profiles
from fastpptp.settings.hours import BUSINESS_HOURS, NEVER
from fastpptp.settings.resolve import PolicySnapshot
from tests.unit.aaa.support import (
    METHODS,
    PASSWORD,
    PEER,
    Users,
    authenticator,
    credential,
    request,
    rng,
)

every_method = pytest.mark.parametrize("method", METHODS)


def identity_of(decision: Decision) -> Identity:
    assert isinstance(decision.result, Accept)
    assert decision.identity is decision.result.identity
    assert decision.identity is not None
    return decision.identity


def texts(decision: Decision) -> list[str]:
    return [occurrence.text() for occurrence in decision.events]


# Accepting.


@every_method
def test_the_right_password(method: AuthMethod) -> None:
    users = Users().add("pptpuser", idle_timeout=7)
    decision = authenticator(users).authenticate(request(method=method))
    identity = identity_of(decision)
    assert (identity.user, identity.group, identity.name) == ("pptpuser", "pptpgroup", "pptpuser")
    assert identity.effective.idle_timeout == 7
    assert identity.method is method
    assert decision.events == ()
    assert decision.cause is None
    assert isinstance(decision.result, Accept)
    assert (decision.result.keys is None) == (method in METHODS[:2])
    proof = decision.result.message
    assert (proof.startswith(b"S=") and len(proof) > 42) == (method is AuthMethod.MSCHAP_V2)


def test_with_the_configuration_itself() -> None:
    policy = PolicySnapshot(profiles.default())
    decision = local_module.LocalAuthenticator(policy).authenticate(request())
    assert identity_of(decision).group == "pptpgroup"


@every_method
@pytest.mark.parametrize("name", ["Jürgen", "日本"])
def test_names_and_passwords_beyond_ascii(method: AuthMethod, name: str) -> None:
    users = Users().add(name, "pässwörd")
    identity_of(authenticator(users).authenticate(request(name, "pässwörd", method=method)))


def test_a_name_in_latin_1_is_hashed_as_it_was_sent() -> None:
    scheme = scheme_of(AuthMethod.MSCHAP_V2)
    data = scheme.answer(5, rng(16), "Jürgen".encode("latin-1"), PASSWORD, rng).data
    given = scheme.credential(5, rng(16), data[1:50])
    users = Users().add("Jürgen")
    identity_of(authenticator(users).authenticate(request("Jürgen", credential=given)))


@pytest.mark.parametrize("name", ["pptpuser@example.com", "EXAMPLE\\pptpuser"])
@every_method
def test_strip_realm(name: str, method: AuthMethod) -> None:
    stripping = authenticator(Users().add("pptpuser", strip_realm=True))
    identity = identity_of(stripping.authenticate(request(name, method=method)))
    assert (identity.user, identity.name) == ("pptpuser", name)
    plain = authenticator(Users().add("pptpuser")).authenticate(request(name, method=method))
    assert plain.cause is Cause.USER_NOT_FOUND
    exact = authenticator(Users().add(name).add("pptpuser", strip_realm=True))
    assert identity_of(exact.authenticate(request(name, method=method))).user == name


# Refusing.


@every_method
def test_unknown_user_and_wrong_password_look_alike(method: AuthMethod) -> None:
    unknown = authenticator(Users()).authenticate(request(method=method))
    users = Users().add("pptpuser")
    wrong = authenticator(users).authenticate(request(password="wrong", method=method))
    assert unknown.result == wrong.result == Reject()
    assert unknown.cause is Cause.USER_NOT_FOUND
    assert wrong.cause is Cause.WRONG_PASSWORD
    assert unknown.identity is wrong.identity is None


@every_method
def test_an_unknown_user_costs_the_same_work(
    method: AuthMethod, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[type] = []
    real = local_module.verify

    def counting(given: Any, name: str, password: str) -> Any:
        calls.append(type(given))
        return real(given, name, password)

    monkeypatch.setattr(local_module, "verify", counting)
    held = authenticator(Users().add("pptpuser"))
    for n in range(8):  # the last ones are throttled
        held.authenticate(request(password="wrong", method=method, now=n / 100))
        held.authenticate(request("nobody", method=method, now=n / 100))
    assert len(calls) == 16
    assert len(set(calls)) == 1


def test_the_dummy_password_opens_nothing() -> None:
    given = request(password=local_module._DUMMY_PASSWORD)
    assert authenticator(Users()).authenticate(given).cause is Cause.USER_NOT_FOUND


@pytest.mark.parametrize(
    ("attributes", "cause", "error"),
    [
        ({"simultaneous_logins": 0}, Cause.LOGIN_DISABLED, 647),
        ({"access_hours": NEVER}, Cause.OUTSIDE_HOURS, 646),
        ({"password_expired": True}, Cause.PASSWORD_EXPIRED, 648),
        ({"tunneling_protocols": frozenset({"L2TP"})}, Cause.TUNNELING_PROTOCOL, 649),
        ({"authentication_protocols": frozenset()}, Cause.METHOD_NOT_ALLOWED, 691),
    ],
)
@every_method
def test_what_keeps_a_user_out(
    attributes: dict[str, Any], cause: Cause, error: int, method: AuthMethod
) -> None:
    users = Users().add("pptpuser", **attributes)
    decision = authenticator(users).authenticate(request(method=method))
    assert decision.cause is cause
    not_allowed = cause is Cause.METHOD_NOT_ALLOWED
    assert decision.result == Reject(error, not_allowed=not_allowed, cause=cause)
    assert len(decision.events) == (0 if not_allowed else 1)


def test_what_keeps_a_user_out_is_told_only_with_the_right_password() -> None:
    users = Users().add("pptpuser", simultaneous_logins=0, access_hours=NEVER)
    wrong = authenticator(users).authenticate(request(password="wrong"))
    assert wrong.cause is Cause.WRONG_PASSWORD


def test_the_method_comes_before_the_password() -> None:
    users = Users().add("pptpuser", authentication_protocols=frozenset({AuthMethod.PAP}))
    decision = authenticator(users).authenticate(request(password="wrong"))
    assert decision.cause is Cause.METHOD_NOT_ALLOWED
    base = Users(authentication_protocols=frozenset({AuthMethod.PAP}))
    assert authenticator(base).authenticate(request()).cause is Cause.METHOD_NOT_ALLOWED


def test_access_hours() -> None:
    ours = authenticator(Users().add("pptpuser", access_hours=BUSINESS_HOURS))
    identity_of(ours.authenticate(request(wall=datetime(2026, 1, 5, 16, 59))))
    for wall in (datetime(2026, 1, 5, 17, 0), datetime(2026, 1, 4, 10, 0)):
        assert ours.authenticate(request(wall=wall)).cause is Cause.OUTSIDE_HOURS


@pytest.mark.parametrize("retries", [0, 2])
def test_a_retry_is_offered_where_retries_are_on(retries: int) -> None:
    users = Users(authentication_retries=retries).add("pptpuser")
    for given in (request(password="wrong"), request("nobody")):
        assert authenticator(users).authenticate(given).result == Reject(retries=retries)


def test_the_lan_manager_response_alone_is_refused() -> None:
    right = credential(AuthMethod.MSCHAP_V1, "pptpuser", PASSWORD)
    assert isinstance(right, MsChapV1Credential)
    given = request(method=AuthMethod.MSCHAP_V1, credential=replace(right, use_nt=False))
    decision = authenticator(Users().add("pptpuser")).authenticate(given)
    assert decision.cause is Cause.WRONG_PASSWORD


# Simultaneous Logins.


def test_simultaneous_logins() -> None:
    users = Users().add("pptpuser", simultaneous_logins=2)
    ours = authenticator(users)
    first, _ = (identity_of(ours.authenticate(request())) for _ in range(2))
    refused = ours.authenticate(request())
    assert refused.cause is Cause.LOGINS_EXCEEDED
    assert refused.result == Reject(691)
    assert "Reason = Simultaneous logins exceeded for user" in texts(refused)[0]
    for _ in range(2):  # giving one back twice frees one place
        ours.release(first)
    third = identity_of(ours.authenticate(request()))
    assert ours.authenticate(request()).cause is Cause.LOGINS_EXCEEDED
    assert ours.claims.held("pptpuser") == len(ours.claims) == 2
    assert third.claim != first.claim


def test_a_new_policy_keeps_the_claims() -> None:
    ours = authenticator(Users().add("pptpuser", simultaneous_logins=1))
    held = identity_of(ours.authenticate(request()))
    ours.update(Users().add("pptpuser", "other password", simultaneous_logins=1))
    assert ours.authenticate(request()).cause is Cause.WRONG_PASSWORD
    given = request(password="other password")
    assert ours.authenticate(given).cause is Cause.LOGINS_EXCEEDED
    ours.release(held)
    identity_of(ours.authenticate(given))


def test_a_refused_login_takes_no_claim() -> None:
    ours = authenticator(Users().add("pptpuser", access_hours=NEVER))
    ours.authenticate(request())
    ours.authenticate(request(password="wrong"))
    assert len(ours.claims) == 0


# Events.


def test_the_event_of_a_refusal() -> None:
    decision = authenticator(Users()).authenticate(request("nobody@example.com"))
    (event,) = decision.events
    assert (event.cls, event.number, event.peer, event.severity) == ("AUTH", 5, PEER, 3)
    assert event.text() == (
        "Authentication rejected: Reason = User was not found\n"
        "handle = 1, server = (none), user = nobody@example.com, domain = example.com"
    )
    again = authenticator(Users()).authenticate(request("nobody"))
    assert texts(again)[0].endswith("user = nobody, domain = <not specified>")


def test_handles_rise() -> None:
    ours = authenticator(Users())
    for handle in (1, 2, 3):
        assert f"handle = {handle}," in texts(ours.authenticate(request()))[0]


def test_every_cause_of_a_failed_login_has_words() -> None:
    words = [cause.login for cause in Cause if Of.LOGIN_FAILED in cause.of]
    assert all(words)
    assert len(set(words)) == len(words)


# Throttling.


def test_guessing_is_throttled() -> None:
    ours = authenticator(Users().add("pptpuser"))
    for n in range(5):
        assert len(ours.authenticate(request(password="wrong", now=float(n))).events) == 1
    sixth = ours.authenticate(request(password="wrong", now=5.0))
    assert texts(sixth)[1] == "Logins throttled for 1 s after 6 failures, user = pptpuser"
    # Even the right password waits, and costs what it always does.
    held = ours.authenticate(request(now=5.5))
    assert held.cause is Cause.THROTTLED
    assert held.result == Reject()
    # From elsewhere the user may come in.
    identity_of(ours.authenticate(request(now=5.5, peer=IPv4Address("198.51.100.1"))))
    identity_of(ours.authenticate(request(now=6.0)))
    # Success forgets.
    assert len(ours.authenticate(request(password="wrong", now=7.0)).events) == 1


def test_a_realm_does_not_evade_the_throttle() -> None:
    ours = authenticator(Users().add("pptpuser", strip_realm=True))
    for n in range(6):
        ours.authenticate(request(f"pptpuser@realm{n}", "wrong"))
    assert ours.authenticate(request(now=0.5)).cause is Cause.THROTTLED


# Changing the password.


def change(method: AuthMethod, new: str, old: str = PASSWORD, name: str = "pptpuser") -> Any:
    scheme = scheme_of(method)
    challenge = rng(scheme.challenge_octets)
    answer = scheme.change_answer(Refusal(648, version=3), challenge, name.encode(), old, new, rng)
    assert answer is not None
    given = scheme.change(answer.code, challenge, answer.data)
    return request(name, method=method, credential=given)


every_mschap = pytest.mark.parametrize("method", METHODS[2:])


@every_mschap
def test_an_expired_password_is_changed(method: AuthMethod) -> None:
    ours = authenticator(Users().add("pptpuser", password_expired=True))
    assert ours.authenticate(request(method=method)).result == Reject(648)
    decision = ours.authenticate(change(method, "a new passwörd"))
    identity_of(decision)
    assert decision.new_password == "a new passwörd"
    assert texts(decision) == ["User [pptpuser] changed the password"]
    assert isinstance(decision.result, Accept)
    assert decision.result.keys is not None


@every_mschap
@pytest.mark.parametrize(
    ("new", "attributes"),
    [
        ("short", {}),
        ("lettersonly", {"allow_alphabetic_only_passwords": False}),
        ("a good one 1", {"password_expired": False}),
    ],
)
def test_a_password_that_the_rules_forbid(
    method: AuthMethod, new: str, attributes: dict[str, Any]
) -> None:
    users = Users().add("pptpuser", **{"password_expired": True, **attributes})
    decision = authenticator(users).authenticate(change(method, new))
    assert decision.result == Reject(709)
    assert decision.cause is Cause.PASSWORD_NOT_CHANGED
    assert decision.new_password is None


@every_mschap
@pytest.mark.parametrize("field", ["encrypted_hash", "nt_response", "encrypted_password"])
def test_a_change_that_was_tampered_with(method: AuthMethod, field: str) -> None:
    good = change(method, "a new password")
    if method is AuthMethod.MSCHAP_V1 and field != "nt_response":
        field += "_nt"
    octets = getattr(good.credential, field)
    for octet in (0, len(octets) - 1):
        bad = octets[:octet] + bytes((octets[octet] ^ 0x41,)) + octets[octet + 1 :]
        given = replace(good, credential=replace(good.credential, **{field: bad}))
        users = Users().add("pptpuser", password_expired=True)
        if field.startswith("encrypted_password") and octet == 0:
            continue  # padding
        decision = authenticator(users).authenticate(given)
        assert decision.result == Reject(709)
        assert decision.cause is Cause.WRONG_PASSWORD
        assert decision.new_password is None


@every_mschap
def test_a_change_by_who_does_not_know_the_old_password(method: AuthMethod) -> None:
    users = Users().add("pptpuser", password_expired=True)
    decision = authenticator(users).authenticate(change(method, "a new password", "wrong"))
    assert decision.result == Reject(709)


@every_mschap
def test_no_login_is_left_for_the_changed_password(method: AuthMethod) -> None:
    users = Users().add("pptpuser", password_expired=True, simultaneous_logins=1)
    ours = authenticator(users)
    identity_of(ours.authenticate(change(method, "a new password")))
    second = ours.authenticate(change(method, "another password"))
    assert second.cause is Cause.LOGINS_EXCEEDED
    assert second.new_password is None


@every_mschap
def test_a_changed_password_that_could_not_be_kept(method: AuthMethod) -> None:
    users = Users().add("pptpuser", password_expired=True, simultaneous_logins=1)
    ours = authenticator(users)
    asked = change(method, "a new password")
    decision = ours.not_kept(asked, ours.authenticate(asked))
    assert decision.result == Reject(709)
    assert texts(decision)[0].startswith("Authentication rejected: Reason = Password could not")
    assert len(ours.claims) == 0
    identity_of(ours.authenticate(asked))


def test_change_password_version_1_and_lan_manager_forms_are_refused() -> None:
    users = Users().add("pptpuser", password_expired=True)
    hashes = ChangePasswordV1Credential(
        rng(8), 1, b"", b"", bytes(16), bytes(16), bytes(16), bytes(16), True
    )
    good = change(AuthMethod.MSCHAP_V1, "a new password")
    for given in (hashes, replace(good.credential, use_nt=False)):
        tried = request(method=AuthMethod.MSCHAP_V1, credential=given)
        assert authenticator(users).authenticate(tried).result == Reject(709)
