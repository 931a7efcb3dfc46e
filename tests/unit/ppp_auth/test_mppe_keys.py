"""Keys against RFC 3079's samples (sections 2.5 and 3.5)."""

from __future__ import annotations

import pytest
from Crypto.Cipher import ARC4

from fastpptp.errors import LocalProtocolError
from fastpptp.ppp.auth import mppe_keys, mschap
from fastpptp.ppp.auth.mppe_keys import MsChapV1Keys, MsChapV2Keys, restore_keys
from tests.unit.ppp_auth import test_mschap as rfc2759

PASSWORD = "clientPass"
V1_CHALLENGE = bytes.fromhex("102db5df085d3041")
V1 = MsChapV1Keys.derive(PASSWORD, V1_CHALLENGE)
SERVER = MsChapV2Keys.derive(PASSWORD, rfc2759.NT_RESPONSE, is_server=True)
CLIENT = MsChapV2Keys.derive(PASSWORD, rfc2759.NT_RESPONSE, is_server=False)


def session_key(start: bytes, bits: int) -> bytes:
    """The first session key, as MPPE makes it of a start key."""
    key = mppe_keys.get_new_key_from_sha(start, start, len(start))
    return mppe_keys.reduce_key(key, bits)


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (40, "d1269e538cec4a08"),
        (56, "d10801538cec4a08"),
        (128, "59d159bc09f76f1da2a86a28ffec0b1e"),
    ],
)
def test_samples_of_mschap_v1(bits: int, expected: str) -> None:
    send, receive = V1.start_keys(bits)
    assert send == receive
    assert session_key(send, bits) == bytes.fromhex(expected)


def test_intermediate_values_of_mschap_v1() -> None:
    # Step 3 of 2.5.3 has a misprint in its eighth octet; as in step 4 it leads to step 5.
    assert V1.start_keys(128)[0] == bytes.fromhex("a8947850cfc0acc1d1789fb62ddcddb0")
    assert V1.start_keys(40)[0] == bytes.fromhex("76a152936096d783")


@pytest.mark.parametrize(
    ("bits", "start", "first", "text"),
    [
        (40, "8B7CDC149B993A1B", "D1269EC49FA62E3E", "929137917E5803D668D75898"),
        # The RFC prints the last octet of this text as 58; RC4 under its own key gives B8.
        (56, "8B7CDC149B993A1B", "D15C00C49FA62E3E", "3F106833FA448DA842BC57B8"),
        (
            128,
            "8B7CDC149B993A1BA118CB153F56DCCB",
            "405CB2247A7956E6E211007AE27B22D4",
            "81848317DF68846272FB5ABE",
        ),
    ],
)
def test_samples_of_mschap_v2(bits: int, start: str, first: str, text: str) -> None:
    send, receive = SERVER.start_keys(bits)
    assert send == bytes.fromhex(start)
    assert receive != send
    key = session_key(send, bits)
    assert key == bytes.fromhex(first)
    assert ARC4.new(key).encrypt(b"test message") == bytes.fromhex(text)


def test_the_master_key() -> None:
    assert SERVER.master_key == bytes.fromhex("FDECE3717A8C838CB388E527AE3CDD31")


@pytest.mark.parametrize("bits", [40, 56, 128])
def test_the_ends_use_the_same_keys_crosswise(bits: int) -> None:
    assert SERVER.start_keys(bits) == CLIENT.start_keys(bits)[::-1]


def test_keys_that_do_not_exist() -> None:
    for source in (V1, SERVER):
        assert [source.allows(bits) for bits in (40, 56, 64, 128)] == [True, True, False, True]
        with pytest.raises(LocalProtocolError):
            source.start_keys(64)
    without = MsChapV1Keys.derive("a password of many characters", V1_CHALLENGE)
    assert [without.allows(bits) for bits in (40, 56, 128)] == [False, False, True]
    assert len(without.start_keys(128)[0]) == 16
    with pytest.raises(LocalProtocolError):
        without.start_keys(40)


@pytest.mark.parametrize("source", [V1, SERVER, CLIENT, MsChapV1Keys(bytes(16), None)])
def test_keys_survive_a_snapshot(source: MsChapV1Keys | MsChapV2Keys) -> None:
    assert restore_keys(source.snapshot()) == source


def test_keys_are_not_shown() -> None:
    assert "8b" not in repr(SERVER) + repr(V1)
    assert str(mschap.nt_password_hash(PASSWORD)) not in repr(SERVER)
