"""MPPE's rules against an independent peer: loss, outages, forgery, resets."""

from __future__ import annotations

import random

import pytest

from fastpptp.ports import CallEvent

from .rig import KEYS, RECEIVE, Mppe, Rig, downward, ipv4

MODES = [(bits, stateless) for bits in (40, 56, 128) for stateless in (True, False)]
RESET_REQUEST = bytes.fromhex("ff03 80fd 0e01 0004")


def ack_reset(rig: Rig) -> list[bytes]:
    """The Reset-Requests that the dataplane sent."""
    return [sent.payload for sent in rig.outside() if sent.payload[2:4] == b"\x80\xfd"]


def skip(rig: Rig, count: int) -> None:
    """The peer sends, the network loses."""
    for _ in range(count):
        rig.seal(ipv4())
        rig.sequence += 1


@pytest.mark.parametrize(("bits", "stateless"), MODES)
def test_both_ways_through_many_key_changes(call: Rig, bits: int, stateless: bool) -> None:
    call.encrypt(bits, stateless=stateless)
    rng = random.Random(bits + stateless)
    for _ in range(30):
        burst = [ipv4(rng.randbytes(rng.randrange(0, 1300))) for _ in range(rng.randrange(1, 50))]
        for packet in burst:
            call.give(call.seal(packet))
            call.inner.send(downward(packet[20:]))
        call.poll()
        assert call.inside() == burst
        data = [sent for sent in call.outside() if sent.payload]
        assert [call.unseal(sent) for sent in data] == [downward(packet[20:]) for packet in burst]
    assert call.drops() == {}


@pytest.mark.parametrize("bits", [40, 56, 128])
def test_stateless_goes_on_after_loss_and_reorder(call: Rig, bits: int) -> None:
    call.encrypt(bits)
    rng = random.Random(bits)
    expected = [ipv4(b"first")]
    sent = call.up(expected[0])
    for _ in range(40):
        frames = []
        for _ in range(rng.randrange(1, 20)):
            packet = ipv4(rng.randbytes(rng.randrange(0, 200)))
            frames.append((call.sequence, call.seal(packet), packet))
            call.sequence += 1
        kept = [frame for frame in frames if rng.random() > 0.2]
        expected += [packet for _, _, packet in kept]
        for at in range(len(kept) - 1):
            if rng.random() < 0.2:
                kept[at], kept[at + 1] = kept[at + 1], kept[at]
        for number, frame, _ in kept:
            call.give(frame, number)
        call.poll()
        call.poll(10)
        call.poll(10)
        sent += call.inside()
    assert sent == expected


@pytest.mark.parametrize("lost", [1, 17, 255, 256, 4095, 4096, 4097, 10_000, 60_000])
def test_an_outage_in_stateless_mode(call: Rig, lost: int) -> None:
    call.encrypt()
    assert call.up(ipv4()) == [ipv4()]
    skip(call, lost)
    for k in range(3):
        call.give(call.seal(ipv4(bytes([k]))))
    call.poll()
    call.poll(10)
    assert call.inside() == [ipv4(bytes([k])) for k in range(3)]
    assert call.row("lost") == lost


def test_control_frames_count_in_gre_but_not_in_mppe(call: Rig) -> None:
    call.encrypt()
    for k in range(200):
        call.give(bytes.fromhex("ff03 c021 0901 0008 00000000"))
        call.give(call.seal(ipv4(bytes([k]))))
        call.poll(20)
    assert call.inside() == [ipv4(bytes([k])) for k in range(200)]


@pytest.mark.parametrize("first", [0, 1])
def test_the_peer_may_drop_between_mppe_and_gre(call: Rig, first: int) -> None:
    call.encrypt()
    call.sequence = first
    call.up(ipv4())
    call.seal(ipv4())
    call.seal(ipv4())
    assert call.up(ipv4(b"next")) == [ipv4(b"next")]


@pytest.mark.parametrize("protocol", ["21", "0021"])
def test_the_protocol_inside_may_be_compressed(call: Rig, protocol: str) -> None:
    call.encrypt()
    assert call.to_us is not None
    call.give(b"\xfd" + call.to_us.encrypt(bytes.fromhex(protocol) + ipv4()))
    call.poll()
    assert call.inside() == [ipv4()]


@pytest.mark.parametrize("header", [0x0000, 0x3000, 0x5000, 0x8000, 0xF000])
def test_what_is_not_encrypted_or_is_compressed(call: Rig, header: int) -> None:
    call.encrypt()
    call.give(b"\xff\x03\x00\xfd" + header.to_bytes(2, "big") + b"\0\x21" + ipv4())
    call.poll()
    assert call.drops() == {"mppe header": 1}
    assert call.up(ipv4()) == []
    call.poll(10)
    assert call.inside() == [ipv4()]


# Forgery.


@pytest.mark.parametrize(
    ("bits", "stateless"), [(128, True), (40, True), (128, False), (40, False)]
)
@pytest.mark.parametrize("ahead", [1, 2, 100, 2000, 4095])
@pytest.mark.parametrize("flags", [0x9000, 0x1000])
def test_a_forged_packet_moves_no_key(
    call: Rig, bits: int, stateless: bool, ahead: int, flags: int
) -> None:
    call.encrypt(bits, stateless=stateless)
    rng = random.Random(ahead)
    assert call.up(ipv4()) == [ipv4()]
    assert call.to_us is not None
    forged = (flags | (call.to_us.count + ahead) & 0xFFF).to_bytes(2, "big") + rng.randbytes(60)
    for jump in (0, 1, 5000, 2**31 - 1):
        if jump == 1 and ahead == 2 and not stateless and flags == 0x1000:
            continue  # exactly what one lost packet looks like: a Reset-Request follows
        call.give(b"\xff\x03\x00\xfd" + forged, call.sequence + jump)
        call.poll(50)
        assert call.inside() == []
    for k in range(3):
        assert call.up(ipv4(bytes([k]))) == [ipv4(bytes([k]))]


@pytest.mark.parametrize("stateless", [True, False])
def test_forged_packets_between_real_ones_in_one_batch(call: Rig, stateless: bool) -> None:
    call.encrypt(stateless=stateless)
    rng = random.Random(1)
    real = [ipv4(bytes([k])) for k in range(20)]
    for packet in real:
        call.give(call.seal(packet))
        assert call.to_us is not None
        forged = (0x9000 | (call.to_us.count + 1) & 0xFFF).to_bytes(2, "big") + rng.randbytes(60)
        call.give(b"\xff\x03\x00\xfd" + forged, call.sequence + 1_000_000)
    call.poll()
    call.poll(10)
    assert call.inside() == real


def test_the_wrong_key_ends_in_a_resync(call: Rig) -> None:
    call.encrypt()
    call.to_us = Mppe(128, stateless=True)
    call.to_us.start = bytes(16)
    call.to_us.change()
    call.poll(3000)
    for _ in range(20):
        assert call.up(ipv4(b"x" * 50)) == []
        call.poll(20)
    assert call.events() & CallEvent.RESYNC_FAILED
    assert set(call.drops()) <= {"mppe implausible", "mppe coherency", "late"}
    for _ in range(20):
        call.up(ipv4(b"x" * 50), 20)
    assert not call.events() & CallEvent.RESYNC_FAILED


def test_catching_up_is_bounded(call: Rig) -> None:
    """A forger with a far sequence number gets so many key changes and no more."""
    call.encrypt()
    assert call.up(ipv4()) == [ipv4()]
    for k in range(20):
        call.give(b"\xff\x03\x00\xfd" + b"\x95\x55" + bytes(60), call.sequence + 20_000 + k)
        call.poll()
    assert call.drops()["mppe key steps"] >= 15
    assert call.up(ipv4()) == [ipv4()]


# Stateful: FLUSHED and Reset.


@pytest.mark.parametrize("linux", [True, False])
@pytest.mark.parametrize("lost", [1, 2, 200, 300, 600, 5000])
def test_stateful_loss_waits_for_flushed(call: Rig, linux: bool, lost: int) -> None:
    call.encrypt(stateless=False, linux=linux)
    assert call.up(ipv4()) == [ipv4()]
    skip(call, lost)
    assert call.up(ipv4(b"lost")) == []
    call.poll(10)
    assert ack_reset(call) == [RESET_REQUEST]
    assert call.up(ipv4(b"lost too")) == []
    assert ack_reset(call) == []
    assert call.to_us is not None
    call.to_us.flush = True
    for k in range(300):
        assert call.up(ipv4(bytes([k % 256]))) == [ipv4(bytes([k % 256]))]
    assert call.row("mppe_resets_sent") == 1


@pytest.mark.parametrize("linux", [True, False])
def test_the_way_of_the_peers_flush_is_learnt(call: Rig, linux: bool) -> None:
    call.encrypt(stateless=False, linux=linux)
    assert call.to_us is not None
    assert call.from_us is not None
    for _ in range(3):
        call.to_us.flush = True
        assert call.up(ipv4()) == [ipv4()]
    call.dataplane.own_lcp(call.handle, True)
    call.give(RESET_REQUEST)
    (sent,) = call.down(downward())
    assert sent.payload[4] & 0x80
    assert call.unseal(sent) == downward()
    assert [call.unseal(sent) for sent in call.down(downward(b"2"))] == [downward(b"2")]


def test_a_peer_that_takes_flushed_the_other_way_is_found_out(call: Rig) -> None:
    """Until it has sent a FLUSHED packet itself, only its Protocol-Rejects tell."""
    call.encrypt(stateless=False, linux=False)
    call.dataplane.own_lcp(call.handle, True)
    call.give(RESET_REQUEST)
    (sent,) = call.down(downward())
    garbage = call.unseal(sent)
    assert garbage != downward()
    call.give(bytes.fromhex("ff03 c021 0801 000a 8057 01010004"))
    call.poll()
    assert not call.events() & CallEvent.RESYNC_FAILED
    call.give(bytes.fromhex("ff03 c021 0801 000a 5a11 01010004"))
    call.poll()
    assert call.events() & CallEvent.RESYNC_FAILED
    call.encrypt(stateless=False, linux=False)
    call.poll(200)
    call.give(RESET_REQUEST)
    for k in range(3):
        (sent,) = call.down(downward(bytes([k])))
        assert call.unseal(sent) == downward(bytes([k]))


def test_a_flushed_packet_lost_on_linux(call: Rig) -> None:
    call.encrypt(stateless=False)
    call.up(ipv4())
    assert call.to_us is not None
    skip(call, 1)
    call.to_us.flush = True
    skip(call, 1)
    call.to_us.flush = True
    call.give(call.seal(ipv4(b"back")))
    call.poll()
    call.poll(10)
    assert call.inside() == [ipv4(b"back")]


def test_reset_requests_repeat_at_intervals_until_renegotiation(call: Rig) -> None:
    call.encrypt(stateless=False)
    call.up(ipv4())
    skip(call, 1)
    requests = []
    for _ in range(60):
        call.up(ipv4(), 250)
        requests += ack_reset(call)
    assert 16 <= len(requests) <= 31
    assert [frame[5] for frame in requests] == list(range(1, len(requests) + 1))
    assert call.events() & CallEvent.RESYNC_FAILED


def test_a_reset_request_is_answered_by_flushed_and_never_by_an_ack(call: Rig) -> None:
    call.encrypt(stateless=False)
    call.dataplane.own_lcp(call.handle, True)
    call.down(downward())
    call.from_us = Mppe(128, stateless=False)
    call.from_us.decrypt(bytes(2)[:0] + b"\x10\x00" + bytes(29))
    for _ in range(3):
        call.give(RESET_REQUEST)
    call.poll()
    assert call.outside() == []
    flags = [sent.payload[4] >> 7 for _ in range(4) for sent in call.down(downward())]
    assert flags == [1, 0, 0, 0]
    assert call.row("mppe_resets_received") == 3
    assert call.control() == []
    call.give(bytes.fromhex("ff03 80fd 0f01 0004"))
    call.poll()
    assert call.control() == []


def test_a_flood_of_reset_requests(call: Rig) -> None:
    call.encrypt(stateless=False)
    call.dataplane.own_lcp(call.handle, True)
    call.poll(1000)
    flushed = 0
    for _ in range(1000):
        call.give(RESET_REQUEST)
        for sent in call.down(downward(), 1):
            if sent.payload[2:4] == b"\0\xfd":
                flushed += sent.payload[4] >> 7
                assert call.unseal(sent) == downward()
    assert flushed <= 10 + 4


def test_a_reset_request_means_nothing_in_stateless_mode(call: Rig) -> None:
    call.encrypt()
    call.dataplane.own_lcp(call.handle, True)
    call.give(RESET_REQUEST)
    call.poll()
    for k in range(3):
        assert [call.unseal(sent) for sent in call.down(downward(bytes([k])))] == [
            downward(bytes([k]))
        ]


def test_new_keys_begin_anew(call: Rig) -> None:
    for _ in range(3):
        call.encrypt()
        for k in range(5):
            assert call.up(ipv4(bytes([k]))) == [ipv4(bytes([k]))]
            (sent,) = call.down(downward())
            assert call.unseal(sent) == downward()


def test_one_direction_may_be_stateful_and_the_other_not(call: Rig) -> None:
    call.dataplane.set_keys(call.handle, RECEIVE, KEYS[128], 128, False)
    call.dataplane.set_keys(call.handle, 1, KEYS[40], 40, True)
    call.to_us, call.from_us = Mppe(128, stateless=False), Mppe(40, stateless=True)
    for k in range(300):
        assert call.up(ipv4(bytes([k % 256]))) == [ipv4(bytes([k % 256]))]
        (sent,) = (one for one in call.down(downward()) if one.payload)
        assert call.unseal(sent) == downward()
