"""The functions of MS-CHAP against the RFCs' vectors and independent oracles."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha1

import pytest
from Crypto.Cipher import ARC4, DES
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.errors import LocalProtocolError, RemoteProtocolError
from fastpptp.ppp.auth import mschap
from tests.unit.ppp_auth.support import rng_from

# RFC 2759 section 9.2.
NAME = b"User"
PASSWORD = "clientPass"
AUTHENTICATOR_CHALLENGE = bytes.fromhex("5B5D7C7D7B3F2F3E3C2C602132262628")
PEER_CHALLENGE = bytes.fromhex("21402324255E262A28295F2B3A337C7E")
CHALLENGE = bytes.fromhex("D02E4386BCE91226")
PASSWORD_HASH = bytes.fromhex("44EBBA8D5312B8D611474411F56989AE")
PASSWORD_HASH_HASH = bytes.fromhex("41C00C584BD2D91C4017A2A12FA59F3F")
NT_RESPONSE = bytes.fromhex("82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF")
AUTHENTICATOR_RESPONSE = b"S=407A5589115FD0D6209F510FE9C04566932CDA56"

passwords = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def test_rfc_2759_vectors() -> None:
    assert mschap.nt_password_hash(PASSWORD) == PASSWORD_HASH
    assert mschap.hash_nt_password_hash(PASSWORD_HASH) == PASSWORD_HASH_HASH
    assert mschap.challenge_hash(PEER_CHALLENGE, AUTHENTICATOR_CHALLENGE, NAME) == CHALLENGE
    assert mschap.challenge_response(CHALLENGE, PASSWORD_HASH) == NT_RESPONSE
    args = AUTHENTICATOR_CHALLENGE, PEER_CHALLENGE
    assert mschap.generate_nt_response(*args, NAME, PASSWORD) == NT_RESPONSE
    response = mschap.generate_authenticator_response(
        PASSWORD, NT_RESPONSE, PEER_CHALLENGE, AUTHENTICATOR_CHALLENGE, NAME
    )
    assert response == AUTHENTICATOR_RESPONSE
    assert mschap.check_authenticator_response(response, AUTHENTICATOR_RESPONSE + b" M=hello")
    assert not mschap.check_authenticator_response(response, AUTHENTICATOR_RESPONSE[:-1])
    assert not mschap.check_authenticator_response(response, b"")


def test_rfc_2433_vectors() -> None:
    challenge = bytes.fromhex("102DB5DF085D3041")
    assert mschap.unicode_password("MyPw") == bytes.fromhex("4D00790050007700")
    hashed = mschap.nt_password_hash("MyPw")
    assert hashed == bytes.fromhex("FC156AF7EDCD6C0EDDE3337D427F4EAC")
    response = bytes.fromhex("4E9D3C8F9CFD385D5BF4D3246791956CA4C351AB409A3D61")
    assert mschap.challenge_response(challenge, hashed) == response
    # RFC 2433 B.3 and RFC 2759 section 9.3: DES keys.
    assert mschap.des_key(hashed[:7]) == bytes.fromhex("FD0B5B5E7F6E34D9")
    assert mschap.des_key(hashed[7:14]) == bytes.fromhex("0E6E796737EA08FE")


def test_lm_password_hash() -> None:
    # RFC 3079 section 2.5.1.
    expected = bytes.fromhex("76a152936096d7830e2390227404afd2")
    assert mschap.lm_password_hash("clientPass") == expected
    assert mschap.lm_password_hash("CLIENTPASS") == expected
    # The well-known hash of nothing.
    assert mschap.lm_password_hash("") == bytes.fromhex("aad3b435b51404eeaad3b435b51404ee")
    assert mschap.lm_password_hash("a" * 14) is not None
    assert mschap.lm_password_hash("a" * 15) is None
    assert mschap.lm_password_hash("日本") is None


@pytest.mark.parametrize(
    ("name", "hashed"),
    [
        (b"User", b"User"),
        (b"BIGCO\\User", b"User"),
        (b"\\User", b"User"),
        (b"A\\B\\User", b"User"),
        (b"User@realm", b"User@realm"),
        (b"", b""),
    ],
)
def test_the_domain_is_left_out_of_the_challenge_hash(name: bytes, hashed: bytes) -> None:
    expected = sha1(PEER_CHALLENGE + AUTHENTICATOR_CHALLENGE + hashed).digest()[:8]
    assert mschap.challenge_hash(PEER_CHALLENGE, AUTHENTICATOR_CHALLENGE, name) == expected


@given(st.binary(min_size=7, max_size=7), st.binary(min_size=8, max_size=8))
def test_des_encrypt_against_its_inverse(key: bytes, clear: bytes) -> None:
    spread = mschap.des_key(key)
    assert all(octet.bit_count() % 2 for octet in spread)
    cypher = mschap.des_encrypt(clear, key)
    assert DES.new(spread, DES.MODE_ECB).decrypt(cypher) == clear


@given(passwords, passwords)
def test_a_new_password_comes_out_as_it_went_in(new: str, old: str) -> None:
    rng = rng_from(3)
    block = mschap.new_password_encrypted_with_old_nt_password_hash(new, old, rng)
    assert len(block) == 516
    assert mschap.decrypt_pw_block(block, mschap.nt_password_hash(old)) == new
    crossed = mschap.old_nt_password_hash_encrypted_with_new_nt_password_hash(new, old)
    old_hash, new_hash = mschap.nt_password_hash(old), mschap.nt_password_hash(new)
    halves = (old_hash[:8], new_hash[:7]), (old_hash[8:], new_hash[7:14])
    assert crossed == b"".join(mschap.des_encrypt(*half) for half in halves)


def test_a_pw_block_is_laid_out_as_the_rfc_says() -> None:
    hashed = mschap.nt_password_hash("old")
    block = mschap.encrypt_pw_block_with_password_hash("né", hashed, rng_from(9))
    clear = ARC4.new(hashed).decrypt(block)
    assert clear == rng_from(9)(508) + b"n\0\xe9\0" + b"\4\0\0\0"


def test_a_password_of_256_characters_is_the_longest() -> None:
    hashed = mschap.nt_password_hash("old")
    block = mschap.encrypt_pw_block_with_password_hash("x" * 256, hashed, rng_from())
    assert mschap.decrypt_pw_block(block, hashed) == "x" * 256
    with pytest.raises(LocalProtocolError):
        mschap.encrypt_pw_block_with_password_hash("x" * 257, hashed, rng_from())


@pytest.mark.parametrize(
    "clear",
    [
        bytes(512) + (513).to_bytes(4, "little"),
        bytes(512) + b"\xff\xff\xff\xff",
        bytes(512) + (3).to_bytes(4, "little"),
        bytes(510) + b"\0\xd8" + (2).to_bytes(4, "little"),
    ],
    ids=["one too long", "huge", "odd", "half a surrogate"],
)
def test_a_pw_block_that_holds_no_password(clear: bytes) -> None:
    hashed = mschap.nt_password_hash("old")
    with pytest.raises(RemoteProtocolError):
        mschap.decrypt_pw_block(ARC4.new(hashed).encrypt(clear), hashed)


@given(st.binary(min_size=516, max_size=516))
def test_any_pw_block_is_a_password_or_refused(block: bytes) -> None:
    with suppress(RemoteProtocolError):
        assert len(mschap.decrypt_pw_block(block, PASSWORD_HASH)) <= 256
