"""Decoders against anything that a peer may send."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.errors import LocalProtocolError, RemoteProtocolError
from fastpptp.ppp.auth import lcp_value, make_authenticator, method_of, packets
from fastpptp.ppp.auth.schemes import SCHEMES, ChapMd5, Refusal, scheme_of
from fastpptp.ppp.auth.types import (
    AuthMethod,
    ChangePasswordV1Credential,
    ChapCredential,
    MsChapV1Credential,
    MsChapV2Credential,
    Reject,
)
from fastpptp.ppp.frames import Packet, decode_packet
from tests.unit.ppp_auth.support import METHODS, rng_from

schemes = st.sampled_from(list(SCHEMES.values()))
fuzz = st.binary(max_size=80) | st.integers(0, 1200).map(bytes)


def quiet(decoder: Callable[..., Any], *arguments: Any) -> Any:
    """What the decoder gives, or None after the one exception it may raise."""
    try:
        return decoder(*arguments)
    except RemoteProtocolError:
        return None


@given(fuzz)
def test_decode_takes_anything(octets: bytes) -> None:
    packet = quiet(decode_packet, octets)
    if packet is not None:
        assert packet.encode() == octets[: len(packet.encode())]
    quiet(packets.decode_authenticate_request, octets)
    quiet(packets.decode_value, octets)


@given(schemes, st.integers(0, 255), fuzz)
def test_schemes_take_anything(scheme: ChapMd5, code: int, data: bytes) -> None:
    quiet(scheme.credential, code, b"c" * 16, data)
    for change in scheme.changes:
        quiet(scheme.change, change, b"c" * 16, data)
    quiet(scheme.check_challenge, data)
    assert isinstance(scheme.refusal(data), Refusal)


@given(st.from_regex(rb"\A(([ECRVM]=?[0-9A-Fx ]{0,40}) ?){0,6}\Z"))
def test_refusals_of_about_the_right_form(message: bytes) -> None:
    for scheme in SCHEMES.values():
        refusal = scheme.refusal(message)
        assert refusal.challenge is None or len(refusal.challenge) == scheme.challenge_octets


@pytest.mark.parametrize(
    "octets",
    [b"", b"\1\2\0", b"\1\2\0\3", b"\1\2\0\5", b"\1\2\xff\xff"],
    ids=["empty", "short header", "length in the header", "one too long", "far too long"],
)
def test_wrong_lengths(octets: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_packet(octets)


def test_padding_is_left_out() -> None:
    assert decode_packet(b"\1\2\0\6ab\0\0\0") == Packet(1, 2, b"ab")


@pytest.mark.parametrize(
    "data",
    [b"", b"\4Use", b"\4User", b"\4User\5pass"],
    ids=["empty", "name too long", "no password", "password too long"],
)
def test_authenticate_requests_that_lie(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        packets.decode_authenticate_request(data)


def test_an_authenticate_request() -> None:
    assert packets.decode_authenticate_request(b"\4User\2pw") == ("User", b"pw")
    assert packets.decode_authenticate_request(b"\0\0") == ("", b"")


@pytest.mark.parametrize("data", [b"", b"\0name", b"\5abc", b"\1a" + bytes(257)])
def test_values_that_lie(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        packets.decode_value(data)


def test_names_keep_their_octets() -> None:
    assert packets.text_of("é".encode()) == packets.text_of("é".encode("latin-1")) == "é"
    assert packets.octets_of("é") == (b"\xc3\xa9", b"\xe9")
    assert packets.octets_of("User") == (b"User",)
    assert packets.octets_of("日") == ("日".encode(),)


@given(st.binary(max_size=20))
def test_the_octets_of_a_name_are_among_its_encodings(octets: bytes) -> None:
    assert octets in packets.octets_of(packets.text_of(octets))


def test_a_counted_field_is_cut() -> None:
    assert packets.counted(b"x" * 300) == b"\xff" + b"x" * 255


def test_lcp_values() -> None:
    words = {"PAP": "c023", "CHAP": "c22305", "MSCHAP-V1": "c22380", "MSCHAP-V2": "c22381"}
    for method in AuthMethod:
        assert lcp_value(method).hex() == words.get(method.value, "c227")
        assert method_of(lcp_value(method)) is method
    for value in (b"", b"\xc0", b"\xc0\x23\0", b"\xc2\x23", b"\xc2\x23\x06", b"\xc2\x23\x81\0"):
        assert method_of(value) is None


def test_eap_has_no_scheme() -> None:
    with pytest.raises(LocalProtocolError):
        make_authenticator(AuthMethod.EAP, name="", rng=rng_from(), now=0.0, tokens=iter(()))
    assert all(method in SCHEMES or method is AuthMethod.PAP for method in METHODS)


def test_credentials_by_their_fields() -> None:
    md5, v1, v2 = SCHEMES.values()
    value = bytes(range(49))
    assert md5.credential(7, b"c", value[:16]) == ChapCredential(7, b"c", value[:16])
    lm, nt = value[:24], value[24:48]
    assert v1.credential(7, b"c", value) == MsChapV1Credential(b"c", lm, nt, False)
    assert v1.credential(7, b"c", value[:48] + b"\1") == MsChapV1Credential(b"c", lm, nt, True)
    assert v2.credential(7, b"c", value) == MsChapV2Credential(b"c", value[:16], nt)
    for scheme in (md5, v1, v2):
        for size in (0, 15, 17, 48, 50):
            with pytest.raises(RemoteProtocolError):
                scheme.credential(7, b"c", bytes(size))


def test_change_password_version_1() -> None:
    fields = [bytes((n,)) * 16 for n in range(1, 5)]
    data = b"".join(fields) + b"\0\7" + b"\0\1"
    old_lm, new_lm, old_nt, new_nt = fields
    assert scheme_of(AuthMethod.MSCHAP_V1).change(5, b"c", data) == ChangePasswordV1Credential(
        b"c", 1, b"", b"", new_nt, new_lm, old_nt, old_lm, True
    )


def test_chap_has_no_change_of_the_password() -> None:
    scheme = scheme_of(AuthMethod.CHAP)
    assert scheme.change_answer(Refusal(648), b"c", b"User", "old", "new", rng_from()) is None


def test_change_password_is_checked_for_its_length() -> None:
    for scheme in SCHEMES.values():
        for code, size in {**scheme.changes, 9: 0}.items():
            for wrong in (size - 1, size + 1) if size else (0,):
                if code == 9 and scheme.changes:
                    continue
                with pytest.raises(RemoteProtocolError):
                    scheme.change(code, b"c", bytes(max(wrong, 0)))


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"E=691 R=1 C=00112233445566778899AABBCCDDEEFF V=3 M=no", (691, True, 16, 3)),
        (b"E=648 R=0 C=00112233445566778899aabbccddeeff V=3", (648, False, 16, 3)),
        (b"E=691 R=0 V=3", (691, False, None, 3)),
        (b"E=691 R=0 C=0011223344556677 V=2", (691, False, None, 2)),
        (b"R=1", (691, True, None, 1)),
        (b"E=691 R=1 M=E=648 R=0", (691, True, None, 1)),
        (b"E=691 E=648", (691, False, None, 1)),
        (b"E=99999999999 R=2", (691, False, None, 1)),
        (b"Access denied", (691, False, None, 1)),
        (b"", (691, False, None, 1)),
    ],
)
def test_failures_as_mschap_v2_reads_them(message: bytes, expected: tuple[Any, ...]) -> None:
    refusal = scheme_of(AuthMethod.MSCHAP_V2).refusal(message)
    size = None if refusal.challenge is None else len(refusal.challenge)
    assert (refusal.error, refusal.retry, size, refusal.version) == expected


def test_failures_as_they_are_written() -> None:
    v2 = scheme_of(AuthMethod.MSCHAP_V2)
    challenge = bytes(range(0xA0, 0xB0))
    head = b"E=691 R=0 C=A0A1A2A3A4A5A6A7A8A9AAABACADAEAF V=3 M="
    assert v2.failure(Reject(), False, challenge) == head + b"Authentication failure"
    assert v2.failure(Reject(message=b"no"), False, challenge) == head + b"no"
    assert v2.failure(Reject(4711), True, challenge).startswith(b"E=4711 R=1 C=A0")
    v1 = scheme_of(AuthMethod.MSCHAP_V1)
    assert v1.failure(Reject(647), False, challenge[:8]) == (
        b"E=647 R=0 C=A0A1A2A3A4A5A6A7 V=3 M=The account is disabled"
    )
    assert v1.refusal(v1.failure(Reject(646), True, challenge[:8])).challenge == challenge[:8]
    assert scheme_of(AuthMethod.CHAP).failure(Reject(message=b"no"), False, b"") == b"no"
