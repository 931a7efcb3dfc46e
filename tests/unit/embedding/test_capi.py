"""The C API: oracle, loss, refusals; nothing written where it must not be."""

from __future__ import annotations

import ctypes as c
import struct
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.crypto.reference import Reference
from tests.unit.dataplane.rig import CALL_ID, LOCAL, PEER, gre
from tests.unit.embedding.capi import (
    ACKNOWLEDGED,
    ARGUMENT,
    FLUSH,
    LATE,
    LENGTH,
    MALFORMED,
    NO_KEYS,
    OK,
    OUT_OF_STEP,
    SEQUENCE,
    VERSION,
    GrePacket,
    Mppe,
    Packet,
    load,
)

API = load()
KEY = bytes(range(16))
MARGIN = b"\xa5" * 16


@pytest.fixture
def engine() -> Iterator[int]:
    made = API.engine_new()
    assert made
    yield made
    API.engine_free(made)


def state(bits: int = 128, stateless: bool = True, key: bytes = KEY) -> Mppe:
    made = Mppe()
    length = 16 if bits == 128 else 8
    assert API.mppe_init(c.byref(made), key[:length], bits, stateless) == OK
    return made


def packet(owner: Mppe, data: bytes, flags: int = 0) -> tuple[Packet, c.Array[c.c_char]]:
    """A packet in place, with a margin on both sides of its buffer."""
    buffer = c.create_string_buffer(MARGIN + data + MARGIN, len(data) + 32)
    place = c.addressof(buffer) + 16
    return Packet(c.pointer(owner), place, place, len(data) - 2, flags), buffer


def run(step: str, engine: int, owner: Mppe, *texts: bytes, flags: int = 0) -> list[Any]:
    """Each packet's octets, header included, or its status; catch_up is 64."""
    made = [packet(owner, text, flags) for text in texts]
    batch = (Packet * len(made))(*(one for one, _ in made))
    more = (64,) if step == "mppe_decrypt" else ()
    good = getattr(API, step)(engine, batch, len(batch), *more)
    assert good == sum(one.status == OK for one in batch)
    for _, buffer in made:
        assert buffer.raw[:16] == buffer.raw[-16:] == MARGIN
    return [
        one.status if one.status != OK else buffer.raw[16:-16]
        for one, (_, buffer) in zip(batch, made, strict=True)
    ]


def room(text: bytes) -> bytes:
    return b"\0\0" + text


@pytest.mark.parametrize("bits", [40, 56, 128])
@pytest.mark.parametrize("stateless", [True, False])
def test_against_an_oracle(engine: int, bits: int, stateless: bool) -> None:
    """Several windows of packets in one batch, over several flag packets."""
    random = Random(bits)
    texts = [random.randbytes(random.randrange(1, 200)) for _ in range(700)]
    sender, receiver = state(bits, stateless), state(bits, stateless)
    wire = run("mppe_encrypt", engine, sender, *map(room, texts))
    oracle = Reference(KEY[: 16 if bits == 128 else 8], bits, stateless)
    for count, (text, sealed) in enumerate(zip(texts, wire, strict=True)):
        flagged = stateless or count & 0xFF == 0xFF
        header = struct.pack(">H", 0x1000 | 0x8000 * flagged | count)
        assert sealed == header + oracle.crypt(text, flagged, flagged)
    opened = run("mppe_decrypt", engine, receiver, *wire)
    assert [got[2:] for got in opened] == texts


def test_two_buffers(engine: int) -> None:
    """Text in one buffer, packet in another; the source stays as it is."""
    owner, text = state(), b"--text"
    source, target = c.create_string_buffer(text, 6), c.create_string_buffer(6)
    one = Packet(c.pointer(owner), c.addressof(source), c.addressof(target), 4)
    assert API.mppe_encrypt(engine, c.byref(one), 1) == 1
    assert source.raw == text
    assert target.raw == b"\x90\x00" + Reference(KEY, 128, True).crypt(b"text", 1)


def test_loss(engine: int) -> None:
    sender, receiver = state(), state()
    wire = run("mppe_encrypt", engine, sender, *[room(b"%d" % k) for k in range(100)])
    got = run("mppe_decrypt", engine, receiver, wire[0], wire[40], wire[39], wire[99])
    assert [one if isinstance(one, int) else one[2:] for one in got] == [b"0", b"40", LATE, b"99"]
    assert run("mppe_decrypt", engine, receiver, wire[99]) == [LATE]


def test_too_far_ahead(engine: int) -> None:
    sender, receiver = state(), state()
    wire = run("mppe_encrypt", engine, sender, *[room(b"%d" % k) for k in range(65)])
    before = bytes(receiver)
    assert run("mppe_decrypt", engine, receiver, wire[64]) == [LATE]
    assert bytes(receiver) == before
    assert run("mppe_decrypt", engine, receiver, wire[63])[0][2:] == b"63"


def test_stateful_loss_and_flush(engine: int) -> None:
    """RFC 3078 8.2: after a loss only FLUSHED, which restarts RC4 under the same key, helps."""
    sender, receiver = state(stateless=False), state(stateless=False)
    run("mppe_encrypt", engine, sender, room(b"lost"))
    wire = run("mppe_encrypt", engine, sender, room(b"next"))
    assert run("mppe_decrypt", engine, receiver, *wire) == [OUT_OF_STEP]
    (flushed,) = run("mppe_encrypt", engine, sender, room(b"again"), flags=FLUSH)
    assert flushed == b"\x90\x02" + Reference(KEY, 128, False).crypt(b"again", 0, True)
    assert run("mppe_decrypt", engine, receiver, flushed)[0][2:] == b"again"


def test_one_bad_packet_does_not_hold_up_the_others(engine: int) -> None:
    sender, receiver, other = state(), state(), state(key=KEY[::-1])
    wire = run("mppe_encrypt", engine, sender, room(b"one"), room(b"two"))
    far = run("mppe_encrypt", engine, other, room(b"other"))
    made = [
        packet(receiver, wire[0]),
        packet(receiver, b"\x80\x01not encrypted"),
        packet(receiver, b"\xb0\x01compressed"),
        packet(Mppe(), b"\x90\x01no keys"),
        packet(state(key=KEY[::-1]), far[0]),
        packet(receiver, wire[1]),
    ]
    made[3][0].length = 7
    batch = (Packet * 6)(*(one for one, _ in made))
    assert API.mppe_decrypt(engine, batch, 6, 64) == 3
    assert [one.status for one in batch] == [OK, MALFORMED, MALFORMED, NO_KEYS, OK, OK]
    assert made[4][1].raw[18:-16] == b"other"
    assert made[5][1].raw[18:-16] == b"two"


@pytest.mark.parametrize("bits", [0, 64, 129, 128 + 2**31])
def test_other_key_lengths(bits: int) -> None:
    made = state()
    assert API.mppe_init(c.byref(made), KEY, bits, True) == ARGUMENT
    assert bytes(made) == bytes(len(bytes(made)))


def test_wiped(engine: int) -> None:
    owner = state()
    run("mppe_encrypt", engine, owner, room(b"text"))
    API.mppe_wipe(engine, c.byref(owner))
    assert bytes(owner) == bytes(len(bytes(owner)))
    assert run("mppe_encrypt", engine, owner, room(b"text")) == [NO_KEYS]
    other = state()
    API.mppe_wipe(None, c.byref(other))
    assert not any(bytes(other))
    API.engine_free(None)


@pytest.mark.parametrize("catch_up", [0, 4096])
def test_catch_up_out_of_range(engine: int, catch_up: int) -> None:
    one, _ = packet(state(), b"\x90\x00text")
    assert API.mppe_decrypt(engine, c.byref(one), 1, catch_up) == 0
    assert one.status == ARGUMENT


def test_too_long(engine: int) -> None:
    one, _ = packet(state(), room(b"text"))
    one.length = 65536
    assert API.mppe_encrypt(engine, c.byref(one), 1) == 0
    assert one.status == LENGTH


def test_nothing_to_do(engine: int) -> None:
    assert API.mppe_encrypt(engine, None, 0) == API.gre_encap(None, 0) == 0


# GRE.


def encap(payload: bytes, **fields: int) -> tuple[int, bytes, GrePacket]:
    """Status and packet, from a buffer of which everything else stays as it was."""
    buffer = c.create_string_buffer(MARGIN * 2 + payload + MARGIN, len(payload) + 48)
    one = GrePacket(payload=c.addressof(buffer) + 32, payload_length=len(payload), headroom=16)
    for name, value in fields.items():
        setattr(one, name, value)
    good = API.gre_encap(c.byref(one), 1)
    assert good == (one.status == OK)
    assert buffer.raw[:16] == buffer.raw[-16:] == MARGIN
    return one.status, c.string_at(one.packet, one.packet_length) if good else b"", one


def test_encap_is_what_another_makes() -> None:
    for payload, flags, acknowledged in (
        (b"ppp frame", 0, None),
        (b"ppp frame", ACKNOWLEDGED, 0xFFFFFFFF),
        (b"", ACKNOWLEDGED, 7),
    ):
        fields = {
            "sequence": 0x80000001,
            "acknowledged": 0 if acknowledged is None else acknowledged,
        }
        status, made, one = encap(payload, call_id=CALL_ID, flags=flags, **fields)
        sequence = fields["sequence"] if payload else None
        assert (status, made) == (OK, gre(payload, sequence, acknowledged)[20:])
        assert one.flags == flags | (SEQUENCE if payload else 0)


@pytest.mark.parametrize(
    ("payload", "flags", "needed"), [(b"x", 0, 12), (b"x", 1, 16), (b"", 1, 12)]
)
def test_headroom(payload: bytes, flags: int, needed: int) -> None:
    assert encap(payload, flags=flags, headroom=needed)[0] == OK
    assert encap(payload, flags=flags, headroom=needed - 1)[0] == LENGTH


def test_payload_beyond_16_bits() -> None:
    assert encap(b"x", payload_length=65536)[0] == LENGTH


def decap(data: bytes, step: str = "gre_decap") -> tuple[int, bytes, GrePacket]:
    buffer = c.create_string_buffer(data, max(1, len(data)))
    one = GrePacket(packet=c.addressof(buffer), packet_length=len(data))
    good = getattr(API, step)(c.byref(one), 1)
    assert good == (one.status == OK)
    return one.status, c.string_at(one.payload, one.payload_length) if good else b"", one


def test_decap() -> None:
    data = gre(b"ppp frame", 5, 0xFFFFFFFE, padding=b"padding")
    status, payload, one = decap(data, "gre_decap_ipv4")
    assert (status, payload) == (OK, b"ppp frame")
    assert (one.call_id, one.sequence, one.acknowledged) == (CALL_ID, 5, 0xFFFFFFFE)
    assert one.flags == ACKNOWLEDGED | SEQUENCE
    assert struct.pack("=II", one.source_address, one.target_address) == PEER.packed + LOCAL.packed
    assert decap(data[20:])[:2] == (OK, b"ppp frame")
    assert decap(gre(acknowledged=9)[20:])[:2] == (OK, b"")


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"", MALFORMED),
        (gre(b"frame", 5)[20:27], MALFORMED),
        (gre(b"frame", 5)[20:30], MALFORMED),
        (gre(b"frame", 5)[20:-1], LENGTH),
        (gre(b"frame")[20:], LENGTH),
        (b"\x30\x00" + gre(b"frame", 5)[22:], VERSION),
        (b"\x10\x01" + gre(b"frame", 5)[22:], MALFORMED),
    ],
)
def test_decap_refuses(data: bytes, status: int) -> None:
    assert decap(data)[0] == status


@given(st.binary(max_size=80))
def test_decap_of_anything(data: bytes) -> None:
    """Whatever comes, a payload lies in its packet."""
    for step in ("gre_decap", "gre_decap_ipv4"):
        status, payload, one = decap(data, step)
        assert status in (OK, MALFORMED, VERSION, LENGTH)
        assert status != OK or payload in data
        assert status != OK or one.packet <= one.payload <= one.packet + len(data)
