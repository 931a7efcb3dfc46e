"""Whatever a peer, a stranger or a capture holds: counted, never answered by mistake, no crash."""

from __future__ import annotations

import random
import struct
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP
from scapy.utils import rdpcap

from fastpptp.ports import CallPolicy, CallSpec

from .rig import HANDLE, KEYS, Rig, gre, ipv4, rig


def survive(wire: Rig, packets: list[bytes]) -> None:
    for packet in packets:
        wire.outer.send(packet or b"\0")
        if random.Random(len(packet)).random() < 0.2:
            wire.poll(1)
    for step in (0, 10, 500, 1000, 3000):
        wire.poll(step)
    wire.inside()
    wire.dataplane.read_punts(10000)
    wire.dataplane.read_events(10000)


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_any_octets_on_the_outer_socket(packets: list[bytes]) -> None:
    with rig(frames=1024) as wire:
        wire.open()
        survive(wire, packets)
        assert wire.outside() == []
        assert wire.up(ipv4()) == [ipv4()]


NUMBERS = st.integers(0, 2**32 - 1)
PAYLOADS = st.tuples(st.binary(max_size=120), NUMBERS, st.none() | NUMBERS)


@given(st.lists(PAYLOADS, max_size=20), st.booleans(), st.booleans())
def test_any_payload_under_any_number(
    packets: list[tuple[bytes, int, int | None]], encrypted: bool, stateless: bool
) -> None:
    with rig(frames=1024) as wire:
        wire.open()
        if encrypted:
            wire.encrypt(stateless=stateless)
        survive(wire, [gre(body, number, ack) for body, number, ack in packets])


@pytest.mark.parametrize("seed", range(4))
def test_mutations_of_good_packets(seed: int) -> None:
    rng = random.Random(seed)
    with rig(vnet_header=bool(seed % 2)) as wire:
        wire.open()
        wire.dataplane.own_lcp(wire.handle, True)
        if seed >= 2:
            wire.encrypt(stateless=seed == 2)
        frames = [
            lambda: wire.seal(ipv4(rng.randbytes(rng.randrange(60)))),
            lambda: bytes.fromhex("ff03c0210907000c0000000001020304"),
            lambda: bytes.fromhex("ff0380fd0e010004"),
            lambda: bytes.fromhex("ff038021010100040306"),
        ]
        packets = []
        for number in range(3000):
            packet = bytearray(
                gre(rng.choice(frames)(), number + rng.randrange(3), rng.choice([None, number]))
            )
            for _ in range(rng.randrange(3)):
                packet[rng.randrange(20, len(packet))] = rng.randrange(256)
            packets.append(
                bytes(packet[: rng.randrange(len(packet)) if rng.random() < 0.1 else None])
            )
        for at in range(0, len(packets), 100):
            survive(wire, packets[at : at + 100])
            wire.outside()


@pytest.mark.parametrize("seed", range(3))
def test_any_octets_from_the_inside(seed: int) -> None:
    rng = random.Random(seed)
    with rig(vnet_header=seed > 0, udp_offload=True) as wire:
        wire.open()
        for _ in range(2000):
            packet = bytearray(
                ipv4(rng.randbytes(rng.randrange(100)), target=IPv4Address("172.16.1.10"))
            )
            for _ in range(rng.randrange(4)):
                packet[rng.randrange(len(packet))] = rng.randrange(256)
            head = (
                rng.randbytes(10)
                if seed == 2
                else b"\1" + bytes([rng.choice([0, 1, 4, 5])]) + rng.randbytes(8)
            )
            wire.inner.send((head if seed else b"") + bytes(packet))
            if rng.random() < 0.1:
                wire.poll()
                wire.outside()
                wire.inside()


# Captures of the real world.


def sides(path: Path) -> dict[tuple[str, str], list[bytes]]:
    """GRE packets of a capture, from the IP header on, by direction.

    A client's Call-ID 0, which is real but never ours, becomes 1.
    """
    found: dict[tuple[str, str], list[bytes]] = {}
    for packet in rdpcap(str(path)):
        if IP in packet and packet[IP].proto == 47:
            raw = bytearray(bytes(packet[IP]))
            raw[27] |= raw[26:28] == b"\0\0"
            found.setdefault((packet[IP].src, packet[IP].dst), []).append(bytes(raw))
    return found


def replay(packets: list[bytes], source: str, target: str) -> Rig:
    """One direction of a capture into a dataplane with the right Call-ID; returns it, closed."""
    call_id = struct.unpack_from(">H", packets[0], 26)[0]
    with rig() as wire:
        wire.handle = 1 << 16 | call_id
        spec = CallSpec(1, IPv4Address(target), IPv4Address(source))
        wire.dataplane.open_call(wire.handle, spec)
        wire.dataplane.set_policy(wire.handle, CallPolicy(check_source=False))
        wire.dataplane.open_gate(wire.handle, 4)
        wire.poll()
        for packet in packets:
            wire.outer.send(packet)
            wire.poll()
            for handle, _ in wire.dataplane.read_punts():
                wire.dataplane.control_done(handle)
        wire.poll(10)
        return wire


def numbers(packets: list[bytes]) -> list[int]:
    """The sequence numbers in them."""
    return [struct.unpack_from(">I", packet, 28)[0] for packet in packets if packet[20] & 0x10]


@pytest.mark.parametrize("name", ["flowcontainer_pptp.pcap", "chapcrack_sample.dump.pcap"])
def test_a_capture_is_counted_as_it_is(captures: Path, name: str) -> None:
    total = alone = disordered = 0
    for (source, target), packets in sides(captures / name).items():
        call_ids = {struct.unpack_from(">H", packet, 26)[0] for packet in packets}
        assert len(call_ids) == 1
        wire = replay(packets, source, target)
        row = wire.dataplane.stats[wire.handle & 0xFFFF]
        sent = numbers(packets)
        highest, late = sent[0] - 1, 0
        for number in sent:
            late += number <= highest
            highest = max(highest, number)
        assert row["rx_zlb"] == len(packets) - len(sent)
        total += len(packets)
        alone += int(row["rx_zlb"])
        disordered += late
        assert set(wire.drops()) <= {"no keys", "inner malformed", "late", "cleartext"}
    facts = {"flowcontainer_pptp.pcap": (402, 37), "chapcrack_sample.dump.pcap": (None, 24)}[name]
    assert facts[0] in (None, total)
    assert alone == facts[1]
    if name.startswith("flow"):
        assert disordered == 2


def test_malformed_captures(captures: Path) -> None:
    for path in sorted(captures.glob("tcpdump_*.pcap")):
        with rig() as wire:
            wire.open()
            try:
                packets = [bytes(packet) for packet in rdpcap(str(path))]
            except (OSError, EOFError, struct.error):
                packets = [path.read_bytes()]
            for packet in packets:
                for start in (0, 4, 14, 16, 18):
                    wire.outer.send(packet[start : start + 2000] or b"\0")
                    wire.outer.send(gre(packet[start : start + 1500], wire.sequence))
                    wire.sequence += 1
                    wire.poll(1)
            wire.poll(1000)
            data = [one for one in wire.outside() if one.payload]
            assert data == []


def test_keys_leave_nothing_in_the_log_of_errors() -> None:
    with rig() as wire, pytest.raises(ValueError) as caught:
        wire.dataplane.set_keys(HANDLE, 0, KEYS[128], 40, True)
    assert KEYS[128].hex() not in str(caught.value)
