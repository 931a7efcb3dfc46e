"""Super-packets: cutting what the TUN hands over, joining what it is given."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv6Network
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6

from fastpptp._core import CPU_LEVELS, cpu_level, set_cpu_level

from .rig import ASSIGNED, INSIDE, Rig, downward, ipv4, rig

TCP4, TCP6, UDP_L4, ECN = 1, 4, 5, 0x80
SIX = "2001:db8:1::5"
OUTSIDE6 = "2001:db8:ffff::1"


@dataclass
class Vnet:
    """A packet behind its virtio header."""

    flags: int
    kind: int
    headers: int
    size: int
    start: int
    offset: int
    packet: bytes

    @classmethod
    def parse(cls, data: bytes) -> Vnet:
        flags, kind, headers, size, start, offset = struct.unpack_from("<BBHHHH", data)
        return cls(flags, kind, headers, size, start, offset, data[10:])

    def pack(self) -> bytes:
        fields = (self.flags, self.kind, self.headers, self.size, self.start, self.offset)
        return struct.pack("<BBHHHH", *fields) + self.packet


@pytest.fixture
def vnet() -> Iterator[Rig]:
    with rig(vnet_header=True, udp_offload=True) as wire:
        wire.open(peer_prefix=IPv6Network("2001:db8:1::/64"), peer_identifier=bytes(7) + b"\x09")
        wire.dataplane.open_gate(wire.handle, 6)
        wire.poll()
        wire.outside()
        yield wire


def built(packet: Any) -> bytes:
    return bytes(packet.__class__(bytes(packet)))


def super_packet(packet: Any, kind: int, size: int) -> bytes:
    """As the kernel hands it over: the checksum field holds the pseudo-header's sum alone."""
    transport = 40 if isinstance(packet, IPv6) else 20
    raw = bytearray(built(packet))
    tcp = kind & 0x7F != UDP_L4
    offset = 16 if tcp else 6
    headers = transport + ((raw[transport + 12] >> 4) * 4 if tcp else 8)
    raw[transport + offset : transport + offset + 2] = partial(bytes(raw), transport).to_bytes(
        2, "big"
    )
    return Vnet(1, kind, headers, size, transport, offset, bytes(raw)).pack()


def partial(packet: bytes, transport: int) -> int:
    addresses = packet[8:40] if packet[0] >> 4 == 6 else packet[12:20]
    protocol = packet[6] if packet[0] >> 4 == 6 else packet[9]
    words = addresses + struct.pack(">HH", protocol, len(packet) - transport)
    total: int = sum(struct.unpack(f">{len(words) // 2}H", words))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def payload(length: int, seed: int = 1) -> bytes:
    return bytes((seed * 31 + k * 7) & 0xFF for k in range(length))


def ip(version: int, *, up: bool, **fields: Any) -> Any:
    ends = (SIX, OUTSIDE6) if version == 6 else (str(ASSIGNED), str(INSIDE))
    source, target = ends if up else ends[::-1]
    return (
        IPv6(src=source, dst=target, **fields)
        if version == 6
        else IP(src=source, dst=target, **fields)
    )


# Down: cutting.


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("encrypted", [False, True])
@pytest.mark.parametrize("length", [1000, 1001, 1300 * 2, 1300 * 7 + 13, 60_000])
def test_tcp_is_cut_into_exactly_its_segments(
    vnet: Rig, version: int, encrypted: bool, length: int
) -> None:
    if encrypted:
        vnet.encrypt()
    data = payload(length)
    options = [("NOP", None), ("NOP", None), ("Timestamp", (7, 8))]
    whole = ip(version, up=False) / TCP(sport=80, dport=5, seq=2**32 - 500, ack=9, flags="PAC", options=options) / data  # fmt: skip # noqa: E501
    if version == 4:
        whole.id, whole.flags = 65535, "DF"
    vnet.inner.send(super_packet(whole, TCP4 if version == 4 else TCP6, 1300))
    vnet.poll()
    pieces = [vnet.unseal(sent) for sent in vnet.outside()]
    assert len(pieces) == -(-length // 1300)
    for k, piece in enumerate(pieces):
        last = k == len(pieces) - 1
        part = data[k * 1300 : (k + 1) * 1300]
        expected = ip(version, up=False) / TCP(
            sport=80, dport=5, seq=(2**32 - 500 + k * 1300) % 2**32, ack=9, options=options,
            flags=("P" if last else "") + "A" + ("C" if k == 0 else ""),
        ) / part  # fmt: skip
        if version == 4:
            expected.id, expected.flags = (65535 + k) & 0xFFFF, "DF"
        assert piece == built(expected)


@pytest.mark.parametrize("version", [4, 6])
def test_udp_is_cut_into_datagrams(vnet: Rig, version: int) -> None:
    data = payload(5000)
    whole = ip(version, up=False) / UDP(sport=1, dport=2) / data
    vnet.inner.send(super_packet(whole, UDP_L4, 1200))
    vnet.poll()
    pieces = [vnet.unseal(sent) for sent in vnet.outside()]
    for k, piece in enumerate(pieces):
        expected = ip(version, up=False) / UDP(sport=1, dport=2) / data[k * 1200 : (k + 1) * 1200]
        if version == 4:
            expected.id = 1 + k
        assert piece == built(expected)
    assert len(pieces) == 5


def test_an_unfinished_checksum_is_completed(vnet: Rig) -> None:
    packet = ip(4, up=False) / UDP(sport=1, dport=2) / b"odd length!"
    raw = super_packet(packet, 0, 0)
    vnet.inner.send(raw)
    vnet.poll()
    (sent,) = vnet.outside()
    assert vnet.unseal(sent) == built(packet)


def test_the_mss_is_clamped_after_the_checksum(vnet: Rig) -> None:
    packet = ip(4, up=False) / TCP(flags="S", options=[("MSS", 1460)])
    vnet.inner.send(super_packet(packet, 0, 0))
    vnet.poll()
    (sent,) = vnet.outside()
    assert vnet.unseal(sent) == built(ip(4, up=False) / TCP(flags="S", options=[("MSS", 1360)]))


def test_a_super_packet_with_too_large_segments_is_answered(vnet: Rig) -> None:
    whole = ip(4, up=False, flags="DF") / TCP(flags="A") / payload(6000)
    vnet.inner.send(super_packet(whole, TCP4, 1460))
    vnet.poll()
    # The last segment is short enough to go.
    assert [len(sent.payload) for sent in vnet.outside()] == [4 + 40 + 6000 - 4 * 1460]
    answers = [IP(Vnet.parse(data).packet) for data in vnet.inside()]
    assert len(answers) == 4
    assert all(answer.payload.type == 3 and answer.payload.code == 4 for answer in answers)


@pytest.mark.parametrize(
    ("kind", "size", "start"),
    [(3, 1300, 20), (TCP4, 0, 20), (TCP4, 1300, 24), (TCP4, 3000, 20), (0x7F, 100, 20)],
)
def test_strange_virtio_headers_are_dropped(vnet: Rig, kind: int, size: int, start: int) -> None:
    whole = built(ip(4, up=False) / TCP(flags="A") / payload(5000))
    vnet.inner.send(Vnet(1, kind, 40, size, start, 16, whole).pack())
    vnet.inner.send(b"short")
    vnet.inner.send(Vnet(1, 0, 0, 0, 65535, 65535, whole[:100]).pack())
    vnet.poll()
    vnet.poll()
    assert vnet.drops()["inner malformed"] >= 1
    assert vnet.outside() == []


def test_a_long_packet_that_is_none(vnet: Rig) -> None:
    vnet.inner.send(Vnet(0, 0, 0, 0, 0, 0, downward(payload(3000))).pack())
    vnet.poll()
    assert vnet.drops() == {"inner too big": 1}


def test_super_packets_between_others_keep_the_order(vnet: Rig) -> None:
    """They are read in batches, and one buffer takes what is long."""
    sent = []
    for k in range(4):
        whole = ip(4, up=False) / TCP(flags="A", seq=k) / payload(4000, seed=k)
        vnet.inner.send(super_packet(whole, TCP4, 1300))
        sent += [payload(4000, seed=k)[at : at + 1300] for at in range(0, 4000, 1300)]
        vnet.inner.send(Vnet(0, 0, 0, 0, 0, 0, downward(payload(20 + k))).pack())
        sent.append(payload(20 + k))
    vnet.poll()
    packets = [vnet.unseal(packet) for packet in vnet.outside()]
    assert [packet[40 if packet[9] == 6 else 20 :] for packet in packets] == sent


# Up: joining.


def raise_up(vnet: Rig, packets: list[bytes]) -> list[Vnet]:
    for packet in packets:
        vnet.give(vnet.seal(packet, 0x57 if packet[0] >> 4 == 6 else 0x21))
    vnet.poll()
    vnet.poll()
    return [Vnet.parse(data) for data in vnet.inside()]


def split(version: int, lengths: list[int], *, first: int = 100, **tcp: Any) -> list[bytes]:
    packets, at = [], first
    for k, length in enumerate(lengths):
        head = ip(version, up=True)
        if version == 4:
            head.id, head.flags = 5 + k, tcp.get("df", "DF")
        fields: dict[str, Any] = {"sport": 4, "dport": 80, "ack": 1, "flags": "A", "window": 99}
        fields |= {name: value for name, value in tcp.items() if name != "df"}
        packets.append(built(head / TCP(seq=at, **fields) / payload(length, k)))
        at += length
    return packets


def recut(data: Vnet) -> list[bytes]:
    """Cut a super-packet the way the kernel would."""
    if data.kind == 0:
        return [data.packet]
    version = data.packet[0] >> 4
    body = data.packet[data.headers :]
    pieces = []
    for k, at in enumerate(range(0, len(body), data.size)):
        packet = (IPv6 if version == 6 else IP)(data.packet[: data.headers])
        part = body[at : at + data.size]
        if version == 4:
            packet.id = (packet.id + k) & 0xFFFF
            del packet.len, packet.chksum
        else:
            del packet.plen
        if TCP in packet:
            packet[TCP].seq = (packet[TCP].seq + at) % 2**32
            if at + data.size < len(body):
                packet[TCP].flags &= ~0x08
            del packet[TCP].chksum
        else:
            del packet[UDP].chksum, packet[UDP].len
        pieces.append(built(packet / part))
    return pieces


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("encrypted", [False, True])
def test_segments_that_follow_are_joined(vnet: Rig, version: int, encrypted: bool) -> None:
    if encrypted:
        vnet.encrypt()
    packets = split(version, [1000] * 20 + [300])
    (one,) = raise_up(vnet, packets)
    assert (one.flags, one.kind, one.size) == (1, TCP4 if version == 4 else TCP6, 1000)
    transport = 40 if version == 6 else 20
    assert (one.start, one.offset, one.headers) == (transport, 16, transport + 20)
    assert int.from_bytes(one.packet[transport + 16 : transport + 18], "big") == partial(one.packet, transport)  # fmt: skip # noqa: E501
    assert recut(one) == packets
    assert vnet.drops() == {}


def test_at_most_64_segments(vnet: Rig) -> None:
    packets = split(4, [100] * 60)
    assert [len(recut(one)) for one in raise_up(vnet, packets)] == [60]
    more = split(4, [1000] * 64, first=100 + 6000)
    found = raise_up(vnet, more)
    assert [piece for one in found for piece in recut(one)] == more


@pytest.mark.parametrize(
    "change",
    [
        {"ack": 2},
        {"window": 98},
        {"flags": "FA"},
        {"flags": "UA"},
        {"options": [("NOP", None)] * 4},
    ],
    ids=str,
)
def test_what_differs_is_not_joined(vnet: Rig, change: dict[str, object]) -> None:
    packets = split(4, [500] * 3)
    packets[1] = split(4, [500], first=600, **change)[0]
    found = raise_up(vnet, packets)
    assert [piece for one in found for piece in recut(one)] == packets
    assert len(found) == 3


@pytest.mark.parametrize("field", ["tos", "ttl", "flags"])
def test_ip_fields_that_differ(vnet: Rig, field: str) -> None:
    packets = split(4, [500] * 3)
    odd = IP(packets[1])
    setattr(odd, field, 0 if field == "flags" else 7)
    del odd.chksum
    packets[1] = bytes(odd)
    assert [one.packet for one in raise_up(vnet, packets)] == packets


def test_a_push_ends_a_super_packet(vnet: Rig) -> None:
    packets = split(4, [500] * 2)
    packets += split(4, [500], first=1100, flags="PA")
    packets += split(4, [500], first=1600)
    found = raise_up(vnet, packets)
    assert [len(recut(one)) for one in found] == [3, 1]
    assert [piece[20:] for one in found for piece in recut(one)] == [
        packet[20:] for packet in packets
    ]


def test_a_wrong_checksum_is_left_for_the_kernel_to_see(vnet: Rig) -> None:
    packets = split(4, [500] * 5)
    packets[2] = packets[2][:-1] + b"\xee"
    found = raise_up(vnet, packets)
    assert [piece for one in found for piece in recut(one)] == packets
    assert [one.kind for one in found] == [TCP4, 0, TCP4]


def test_without_df_the_identification_must_go_on(vnet: Rig) -> None:
    packets = split(4, [500] * 4, df=0)
    assert len(raise_up(vnet, packets)) == 1
    odd = IP(split(4, [500], first=2100, df=0)[0])
    odd.id = 77
    del odd.chksum
    more = [*split(4, [500], first=2600, df=0), bytes(odd)]
    assert len(raise_up(vnet, more)) == 2


def test_flows_are_kept_apart_and_in_order(vnet: Rig) -> None:
    flows = [split(4, [400] * 6, sport=1000 + k) for k in range(10)]
    mixed = [flow[k] for k in range(6) for flow in flows]
    found = raise_up(vnet, mixed)
    assert len(found) == 10
    for flow in flows:
        assert flow in [recut(one) for one in found]


def test_more_flows_than_the_table_holds(vnet: Rig) -> None:
    vnet.encrypt()
    packets = [split(4, [50], sport=1000 + k)[0] for k in range(63)]
    found = raise_up(vnet, packets)
    assert [one.packet for one in found] == packets


def test_udp_datagrams_are_joined(vnet: Rig) -> None:
    def datagram(length: int, number: int) -> bytes:
        head = ip(4, up=True, flags="DF", id=number)
        return built(head / UDP(sport=1, dport=2) / payload(length, number))

    packets = [datagram(length, k) for k, length in enumerate([700, 700, 700, 50, 700])]
    found = raise_up(vnet, packets)
    assert [len(recut(one)) for one in found] == [4, 1]
    assert [piece for one in found for piece in recut(one)] == packets
    assert (found[0].kind, found[0].size, found[0].offset) == (UDP_L4, 700, 6)


@pytest.mark.parametrize("protocol", [1, 47, 253])
def test_others_go_alone(vnet: Rig, protocol: int) -> None:
    packets = [ipv4(bytes([k]) * 30, protocol=protocol) for k in range(3)]
    found = raise_up(vnet, packets)
    assert [one.packet for one in found] == packets
    assert all(data.pack()[:10] == bytes(10) for data in found)


@pytest.mark.parametrize("length", range(24))
def test_short_transport_headers_go_alone(vnet: Rig, length: int) -> None:
    for protocol in (6, 17):
        packet = ipv4(b"\xff" * length, protocol=protocol)
        assert [one.packet for one in raise_up(vnet, [packet])] == [packet]


# The checksum's kernels, against their twin and scapy.


@pytest.fixture(params=CPU_LEVELS[: CPU_LEVELS.index(cpu_level()) + 1])
def level(request: pytest.FixtureRequest) -> Iterator[None]:
    set_cpu_level(request.param)
    yield
    set_cpu_level("auto")


@pytest.mark.parametrize("size", [*range(1, 200, 13), *range(120, 136), 576, 1341, 1360])
def test_checksums_of_every_kernel(level: None, vnet: Rig, size: int) -> None:
    """Cut, then joined again: cutting copies and sums, joining verifies."""
    data = payload(3 * size - 1, seed=size)
    whole = ip(4, up=False) / TCP(sport=80, dport=5, seq=7, ack=9, flags="A") / data
    vnet.inner.send(super_packet(whole, TCP4, size))
    vnet.poll()
    pieces = [vnet.unseal(sent) for sent in vnet.outside()]
    assert b"".join(piece[40:] for piece in pieces) == data
    for piece in pieces:
        assert piece == built(rid_of_checksums(piece))
    turned = [rid_of_checksums(piece) for piece in pieces]
    for packet in turned:
        packet.src, packet.dst = packet.dst, packet.src
    (whole,) = raise_up(vnet, [built(packet) for packet in turned])
    assert whole.packet[40:] == data


def rid_of_checksums(packet: bytes) -> Any:
    """For scapy to compute them."""
    parsed = IP(packet)
    del parsed.chksum, parsed[TCP].chksum
    return parsed
