"""PPP framing, control frames out to Python and in from it."""

from __future__ import annotations

import select

import pytest

from .rig import Rig, downward, gre, ipv4

CONFIGURE = bytes.fromhex("c021 0101 0004")


@pytest.mark.parametrize("framing", ["ff03 0021", "0021", "ff03 21", "21"])
def test_data_in_every_framing(call: Rig, framing: str) -> None:
    call.give(bytes.fromhex(framing) + ipv4())
    call.poll()
    assert call.inside() == [ipv4()]


@pytest.mark.parametrize("framing", ["ff03 c021", "c021"])
def test_control_frames_are_punted_with_a_whole_protocol(call: Rig, framing: str) -> None:
    call.give(bytes.fromhex(framing) + CONFIGURE[2:])
    call.poll()
    assert call.control() == [CONFIGURE]
    assert call.row("control_received") == 1


def test_unknown_protocols_are_control(call: Rig) -> None:
    call.give(bytes.fromhex("ff03 002b 0102"))
    call.give(bytes.fromhex("2d aabb"))
    call.poll()
    assert call.control() == [bytes.fromhex("002b 0102"), bytes.fromhex("002d aabb")]


@pytest.mark.parametrize("frame", ["", "ff03", "ff03 00", "ff03 0000", "c020 01", "02", "fefe"])
def test_no_protocol(call: Rig, frame: str) -> None:
    call.outer.send(gre(bytes.fromhex(frame), 0))
    call.poll()
    assert set(call.drops()) == {"ppp malformed"}
    assert call.control() == []


@pytest.mark.parametrize(
    ("address", "protocol", "framing"),
    [
        (False, False, "ff030021"),
        (True, False, "0021"),
        (False, True, "ff0321"),
        (True, True, "21"),
    ],
)
def test_data_is_compressed_as_negotiated(
    wire: Rig, address: bool, protocol: bool, framing: str
) -> None:
    wire.open(address_compression=address, protocol_compression=protocol)
    (sent,) = wire.down(downward())
    assert sent.payload == bytes.fromhex(framing) + downward()
    wire.dataplane.inject(wire.handle, CONFIGURE)
    wire.poll()
    (sent,) = wire.outside()
    assert sent.payload == b"\xff\x03" + CONFIGURE


def test_injected_frames_keep_their_order(call: Rig) -> None:
    frames = [CONFIGURE + k.to_bytes(2, "big") for k in range(300)]
    for frame in frames:
        call.dataplane.inject(call.handle, frame)
    call.poll()
    call.poll()
    sent = call.outside()
    assert [one.payload[2:] for one in sent] == frames
    assert [one.sequence for one in sent] == list(range(300))
    assert call.row("control_sent") == 300


@pytest.mark.parametrize("length", [0, 1, 1917])
def test_what_cannot_be_a_control_frame_is_refused(call: Rig, length: int) -> None:
    with pytest.raises(ValueError):
        call.dataplane.inject(call.handle, bytes(length))


def test_punts_have_a_budget(call: Rig) -> None:
    for _ in range(100):
        call.give(b"\xff\x03" + CONFIGURE)
    call.poll()
    call.poll()
    assert len(call.control()) == 64
    assert call.drops() == {"punt budget": 36}
    call.give(b"\xff\x03" + CONFIGURE)
    call.poll(1000)
    assert len(call.control()) == 1


def test_the_descriptor_tells_of_what_waits(call: Rig) -> None:
    def readable() -> bool:
        return bool(select.select([call.dataplane.fileno()], [], [], 0)[0])

    call.up(ipv4())
    call.events()
    assert not readable()
    for _ in range(3):
        call.give(b"\xff\x03" + CONFIGURE)
    call.poll()
    assert readable()
    assert len(call.dataplane.read_punts(2)) == 2
    assert readable()
    assert len(call.dataplane.read_punts(2)) == 1
    assert not readable()
    call.dataplane.close_call(call.handle)
    call.poll()
    assert readable()
    assert call.dataplane.read_punts() == []
    assert readable()
    call.events()
    assert not readable()


def test_the_punt_ring_goes_round(call: Rig) -> None:
    for round_ in range(40):
        frames = [b"\xc0\x21" + bytes([round_, k]) + b"x" * 1000 for k in range(50)]
        for frame in frames:
            call.give(frame)
        call.poll(1000)
        assert call.control() == frames
