"""A password never shows, in words or in hexadecimal, whatever a peer wraps it in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastpptp.hexdump import dump, line
from fastpptp.ppp.auth import make_peer
from fastpptp.ppp.auth.schemes import Refusal, scheme_of
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.ppp.frames import Packet
from fastpptp.ppp.hidden import hidden
from fastpptp.ppp.inspect import describe_frame, describe_header

PASSWORD = b"\xf1\xf2\xf3\xf4"
NEW = "Zq9!Zq9!"


def wrapped(protocol: str, packet: bytes) -> list[bytes]:
    """A packet as a peer may send it: bare, behind FF 03, and in a Protocol-Reject."""
    bare = bytes.fromhex(protocol) + packet
    reject = bytes.fromhex("c021") + Packet(8, 3, bare).encode()
    return [bare, b"\xff\x03" + bare, reject, b"\xff\x03" + reject]


def shown(frame: bytes) -> str:
    """All that is ever shown of a frame; its octets without spaces and offsets."""
    octets = dump(frame, hidden(frame))
    joined = "".join(row[6:] for row in octets.split("\n"))
    return " ".join((describe_frame(frame), describe_header(frame), joined.replace(" ", "")))


def pap(name: bytes, password: bytes, code: int = 1) -> bytes:
    data = bytes((len(name),)) + name + bytes((len(password),)) + password
    return Packet(code, 9, data).encode()


@given(
    name=st.binary(max_size=20).filter(lambda name: not set(name) & set(PASSWORD)),
    padding=st.sampled_from([b"", b"\0\0"]),
)
def test_paps_password(name: bytes, padding: bytes) -> None:
    for frame in wrapped("c023", pap(name, PASSWORD) + padding):
        text = shown(frame)
        assert PASSWORD.hex() not in text
        assert name.hex() in text
        assert "********" in text


@pytest.mark.parametrize(
    "packet",
    [
        pap(b"user", PASSWORD, code=7),
        Packet(1, 9, b"\xff" + PASSWORD).encode(),
        Packet(1, 9, b"\4user\7" + PASSWORD).encode(),
        Packet(1, 9, b"\4use" + PASSWORD[:0]).encode() + PASSWORD,
        b"\1\x09\xff\xff\4user\4" + PASSWORD,
        b"\1\x09\0\4" + PASSWORD,
        b"\2\x09\0\5\0" + PASSWORD,
    ],
    ids=["code", "id length", "password length", "cut", "Length", "no data", "padding"],
)
def test_lengths_that_lie(packet: bytes) -> None:
    for frame in wrapped("c023", packet):
        assert PASSWORD.hex() not in shown(frame)


def test_an_answer_shows() -> None:
    frame = bytes.fromhex("c023") + Packet(3, 9, b"\2no").encode()
    assert hidden(frame) == [range(6, 6), range(9, 9)]
    assert shown(frame).endswith("c0230309000702" + b"no".hex())


@pytest.mark.parametrize(
    ("method", "secret"), [(AuthMethod.MSCHAP_V1, 1064), (AuthMethod.MSCHAP_V2, 532)]
)
def test_mschaps_new_password(method: AuthMethod, secret: int) -> None:
    scheme = scheme_of(method)
    refusal = Refusal(648, False, None, 3)
    challenge = bytes(scheme.challenge_octets)
    answer = scheme.change_answer(refusal, challenge, b"user", "old", NEW, lambda n: b"\7" * n)
    assert answer is not None
    packet = Packet(answer.code, 5, answer.data).encode()
    for frame in wrapped("c223", packet):
        text = shown(frame)
        assert answer.data[:64].hex() not in text
        assert "**" * secret in text
        assert answer.data[secret:].hex() in text
    for cut in (packet[:-1], Packet(answer.code, 5, answer.data[:-1]).encode()):
        (whole,) = [r for r in hidden(bytes.fromhex("c223") + cut) if len(r)]
        assert whole == range(6, 2 + len(cut))


def test_change_password_1() -> None:
    frame = bytes.fromhex("c223") + Packet(5, 5, bytes(range(68))).encode()
    assert hidden(frame)[0] == range(6, 70)


def test_what_chap_always_shows() -> None:
    peer = make_peer(AuthMethod.CHAP, name="user", password="secret", rng=bytes, now=0.0)
    peer.start(0.0)
    (sent,) = peer.receive(Packet(1, 1, b"\4\1\2\3\4srv").encode(), 0.0)
    frame = bytes.fromhex("c223") + sent.data
    assert not any(len(places) for places in hidden(frame))


@pytest.mark.parametrize(
    ("packet", "visible"),
    [
        (Packet(2, 1, b"\1user").encode(), True),
        (Packet(2, 1, b"\6" + PASSWORD).encode(), False),
        (Packet(1, 1, b"\6" + PASSWORD).encode(), True),
        (Packet(3, 1).encode(), True),
    ],
)
def test_eap(packet: bytes, visible: bool) -> None:
    for frame in wrapped("c227", packet)[:2]:
        assert ("**" in shown(frame)) != visible


@given(st.binary(max_size=60))
def test_anything_can_be_shown(frame: bytes) -> None:
    octets = dump(frame, hidden(frame))
    assert len(octets.replace("\n", " ").split()) == len(frame) + -(-len(frame) // 16)


def test_dumps() -> None:
    assert dump(b"") == ""
    assert dump(bytes(range(18)), [range(2, 4)]) == (
        "0000  00 01 ** ** 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f\n0010  10 11"
    )
    assert line(b"\1\2") == "01 02"
