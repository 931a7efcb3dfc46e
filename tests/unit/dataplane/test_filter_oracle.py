"""Traffic filters against a second opinion: an evaluator that reads no packet, but its recipe.

scapy makes the packets. Hypothesis takes filters and packets from small worlds, so that they meet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption_LSRR, IPOption_NOP
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
)
from scapy.packet import Raw

from fastpptp.ports import ANY, FilterLog, PacketFilter, PacketRule

from .rig import POLICY, Rig, rig

EVERYWHERE = ((IPv4Address(0), 0), (IPv6Address(0), 0))
OPEN = replace(POLICY, check_source=False, routes=EVERYWHERE, peer_identifier=bytes(range(1, 9)))
BASE = {4: int(IPv4Address("198.51.100.0")), 6: int(IPv6Address("2001:db8::"))}
WIDTH = {4: 32, 6: 128}
ACK, RST = 0x10, 0x04
UNJUDGED, DEFAULT = "unjudged", "default"


@dataclass(frozen=True)
class Traffic:
    """What a packet is made of."""

    version: int
    source: int
    destination: int
    protocol: int
    first: int
    second: int
    flags: int
    extensions: tuple[str, ...]  # IPv6, in front of a Fragment header
    routed: bool
    fragmented: bool
    offset: int  # in units of 8 octets
    more: bool
    inner_extension: bool  # IPv6, behind the Fragment header
    kept: int  # octets of the transport header and its payload that are there

    @property
    def first_fragment(self) -> bool:
        return self.offset == 0

    @property
    def fragment(self) -> bool:
        if self.version == 6:
            return self.fragmented
        return self.fragmented and (self.offset != 0 or self.more)


def concerns(rule: PacketRule, packet: Traffic) -> bool:
    """By protocol and addresses."""
    if rule.version not in (0, packet.version):
        return False
    if rule.protocol is not None and rule.protocol != packet.protocol:
        return False
    ends = ((rule.source, packet.source), (rule.destination, packet.destination))
    return all(address & mask == found & mask for (address, mask), found in ends)


def looks_at(rule: PacketRule) -> int:
    """How many octets of the transport header a rule must see."""
    if rule.established:
        return 14
    if (rule.first, rule.second) == (ANY, ANY):
        return 0
    return 2 if rule.protocol in (1, 58) else 4


def fits(rule: PacketRule, packet: Traffic) -> bool:
    if rule.established and not packet.flags & (ACK | RST):
        return False
    return (
        rule.first[0] <= packet.first <= rule.first[1]
        and rule.second[0] <= packet.second <= rule.second[1]
    )


def decide(chosen: PacketFilter, packet: Traffic, inbound: bool) -> tuple[str, bool, bool]:
    """What decides (a rule's name, DEFAULT or UNJUDGED), and whether it forwards and logs."""
    dropped = UNJUDGED, False, False
    if packet.routed and not chosen.source_routing:
        return dropped
    if packet.fragment and not chosen.fragments:
        return dropped
    if packet.fragment and packet.offset == 1:
        return dropped
    if packet.fragment and packet.first_fragment and packet.inner_extension:
        return dropped
    doubt = False
    for rule in chosen.rules:
        if rule.inbound != inbound or not concerns(rule, packet):
            continue
        if looks_at(rule) and packet.fragment and not packet.first_fragment:
            if not rule.forward:
                doubt = True
                continue
        elif looks_at(rule) > packet.kept:
            return dropped
        elif looks_at(rule) and not fits(rule, packet):
            continue
        return rule.name, rule.forward, rule.log
    if doubt and chosen.forward:
        return dropped
    return DEFAULT, chosen.forward, chosen.log


# Packets.


def transport(packet: Traffic) -> bytes:
    if packet.protocol == 6:
        made: Any = TCP(sport=packet.first, dport=packet.second, flags=packet.flags)
    elif packet.protocol == 17:
        made = UDP(sport=packet.first, dport=packet.second)
    elif packet.protocol in (1, 58):
        made = ICMP(type=packet.first, code=packet.second)
    else:
        made = Raw(b"something else entirely, of some length")
    return (bytes(made) + bytes(40))[: packet.kept]


def build_4(packet: Traffic) -> bytes:
    options = [IPOption_NOP(), IPOption_LSRR(routers=["192.0.2.77"])] if packet.routed else []
    more = packet.fragmented and packet.more
    header = IP(
        src=str(IPv4Address(packet.source)), dst=str(IPv4Address(packet.destination)),
        proto=packet.protocol, frag=packet.offset if packet.fragmented else 0,
        flags="MF" if more else 0, options=options,
    )  # fmt: skip
    return bytes(header / Raw(transport(packet)))


def build_6(packet: Traffic) -> bytes:
    chain: list[Any] = []
    for name in packet.extensions:
        chain.append(IPv6ExtHdrHopByHop() if name == "hop" else IPv6ExtHdrDestOpt())
    if packet.routed:
        chain.append(IPv6ExtHdrRouting(type=0, segleft=1, addresses=["2001:db8::77"]))
    if packet.fragmented:
        chain.append(IPv6ExtHdrFragment(offset=packet.offset, m=int(packet.more), id=7))
        if packet.inner_extension:
            chain.append(IPv6ExtHdrDestOpt())
    made: Any = IPv6(
        src=str(IPv6Address(packet.source)), dst=str(IPv6Address(packet.destination)),
    )  # fmt: skip
    kinds = {
        IPv6ExtHdrHopByHop: 0, IPv6ExtHdrDestOpt: 60, IPv6ExtHdrRouting: 43, IPv6ExtHdrFragment: 44,
    }  # fmt: skip
    for above in chain:
        made.lastlayer().nh = kinds[type(above)]
        made = made / above
    made.lastlayer().nh = packet.protocol
    return bytes(made / Raw(transport(packet)))


def build(packet: Traffic) -> bytes:
    return build_4(packet) if packet.version == 4 else build_6(packet)


# Small worlds.


@st.composite
def traffic(draw: st.DrawFn) -> Traffic:
    version = draw(st.sampled_from((4, 6)))
    low = st.integers(0, 3)
    protocol = draw(st.sampled_from((1, 6, 17, 58, 253)))
    fragmented = draw(st.booleans())
    offset = draw(st.sampled_from((0, 0, 1, 2, 100))) if fragmented else 0
    inner = version == 6 and fragmented and draw(st.booleans())
    return Traffic(
        version,
        BASE[version] + draw(low),
        BASE[version] + draw(low),
        # A later fragment names what follows the Fragment header in the first one.
        60 if inner and offset else protocol,
        draw(low),
        draw(low),
        draw(st.sampled_from((0x02, ACK, RST, 0x18))),
        tuple(draw(st.lists(st.sampled_from(("hop", "destination")), max_size=2))),
        draw(st.sampled_from((False, False, False, True))),
        fragmented,
        offset,
        draw(st.booleans()),
        inner,
        draw(st.sampled_from((0, 1, 2, 3, 4, 8, 13, 14, 20, 40, 40, 40))),
    )


def span(draw: st.DrawFn) -> tuple[int, int]:
    if draw(st.booleans()):
        return ANY
    low, high = sorted((draw(st.integers(0, 3)), draw(st.integers(0, 3))))
    return low, high


def address(draw: st.DrawFn, version: int) -> tuple[int, int]:
    if version == 0 or draw(st.booleans()):
        return 0, 0
    whole = (1 << WIDTH[version]) - 1
    # Wildcard bits anywhere, also not in a row, and address bits under them.
    wild = draw(st.integers(0, 3)) | (draw(st.sampled_from((0, 1, 2**31, 0xFF00))))
    return BASE[version] + draw(st.integers(0, 3)), whole ^ wild


@st.composite
def rules(draw: st.DrawFn, number: int) -> PacketRule:
    version = draw(st.sampled_from((0, 4, 6)))
    protocol = draw(st.sampled_from((None, 1, 6, 17, 58, 253)))
    ported = protocol in (1, 6, 17, 58)
    return PacketRule(
        str(number),
        inbound=draw(st.booleans()),
        forward=draw(st.booleans()),
        log=draw(st.booleans()),
        version=version,
        protocol=protocol,
        established=protocol == 6 and draw(st.booleans()),
        source=address(draw, version),
        destination=address(draw, version),
        first=span(draw) if ported else ANY,
        second=span(draw) if ported else ANY,
    )


@st.composite
def filters(draw: st.DrawFn) -> PacketFilter:
    count = draw(st.integers(0, 6))
    return PacketFilter(
        tuple(draw(rules(number)) for number in range(count)),
        forward=draw(st.booleans()),
        log=draw(st.booleans()),
        fragments=draw(st.sampled_from((True, True, False))),
        source_routing=draw(st.booleans()),
    )


@pytest.fixture(scope="module")
def open_wire() -> Iterator[Rig]:
    """A call over which any address may come and go."""
    with rig() as wire:
        wire.open(policy=OPEN)
        wire.dataplane.open_gate(wire.handle, 6)
        wire.poll()
        yield wire


def named_counts(wire: Rig, chosen: PacketFilter) -> dict[str, tuple[int, int]]:
    names = [*(rule.name for rule in chosen.rules), DEFAULT, UNJUDGED]
    return dict(zip(names, wire.dataplane.filter_counts("f"), strict=True))


def passed(wire: Rig, packet: bytes, inbound: bool) -> list[bytes]:
    if not inbound:
        return [wire.unseal(sent) for sent in wire.down(packet)]
    wire.give(wire.seal(packet, 0x57 if packet[0] >> 4 == 6 else 0x21))
    wire.poll()
    return wire.inside()


@given(filters(), st.lists(traffic(), min_size=1, max_size=8), st.booleans())
def test_a_filter_decides_as_it_says(
    open_wire: Rig, chosen: PacketFilter, packets: list[Traffic], inbound: bool
) -> None:
    wire = open_wire
    plane = wire.dataplane
    plane.set_filters({})  # what stays equal would go on counting
    plane.set_filters({"f": chosen})
    plane.set_policy(wire.handle, replace(OPEN, filter="f"))
    wire.poll(1000)
    plane.read_filter_log()
    wire.outside()
    expected = dict.fromkeys(named_counts(wire, chosen), (0, 0))
    for packet in packets:
        octets = build(packet)
        name, forward, log = decide(chosen, packet, inbound)
        before = wire.drops()
        assert passed(wire, octets, inbound) == ([octets] if forward else []), (name, packet)
        reason = None if forward else "filter unjudged" if name == UNJUDGED else "filtered"
        assert grown(before, wire.drops()) == ({} if reason is None else {reason: 1})
        count = expected[name]
        expected[name] = count[0] + 1, count[1] + len(octets)
        logged = [FilterLog(*found) for found in plane.read_filter_log()]
        assert logged == [
            FilterLog(wire.handle, "f", None if name == DEFAULT else name, inbound, forward,
                      len(octets), 0, octets[:96])
        ] * log  # fmt: skip
    assert named_counts(wire, chosen) == expected


def grown(before: dict[str, int], after: dict[str, int]) -> dict[str, int]:
    return {name: n - before.get(name, 0) for name, n in after.items() if n != before.get(name, 0)}
