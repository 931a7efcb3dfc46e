"""Inner packets: sources, sizes, MSS, routes, IPv6."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6ND_RA,
    ICMPv6ND_RS,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6PacketTooBig,
    IPv6,
)

from .rig import ASSIGNED, INSIDE, POLICY, SPEC, Rig, downward, gre, ipv4

PREFIX = IPv6Network("2001:db8:1::/64")
IDENTIFIER = bytes.fromhex("0200 00ff fe00 0009")
OURS = bytes.fromhex("0200 00ff fe00 0001")
LINK_LOCAL = "fe80::200:ff:fe00:9"
SIX = replace(POLICY, peer_prefix=PREFIX, peer_identifier=IDENTIFIER, local_identifier=OURS)
OUTSIDE6 = "2001:db8:ffff::1"


def built(packet: IP | IPv6) -> bytes:
    return bytes(packet.__class__(bytes(packet)))


def syn(source: IPv4Address, target: IPv4Address, options: list[object], flags: str = "S") -> bytes:
    return built(
        IP(src=str(source), dst=str(target)) / TCP(sport=1, dport=2, flags=flags, options=options)
    )


@pytest.fixture
def six(wire: Rig) -> Rig:
    """A call with both gates open; its first router advertisement is taken away."""
    wire.open(policy=SIX)
    wire.dataplane.open_gate(wire.handle, 6)
    wire.poll()
    wire.outside()
    return wire


# Sources.


@pytest.mark.parametrize("source", ["172.16.1.11", "0.0.0.0", "255.255.255.255", "198.51.100.7"])
def test_a_peer_may_send_only_from_its_address(call: Rig, source: str) -> None:
    assert call.up(ipv4(source=IPv4Address(source))) == []
    assert call.drops() == {"inner source": 1}


def test_networks_behind_the_peer(wire: Rig) -> None:
    wire.open(routes=((IPv4Address("10.5.0.0"), 16), (IPv4Address("10.6.7.8"), 32)))
    for allowed in ("10.5.200.1", "10.6.7.8", str(ASSIGNED)):
        packet = ipv4(source=IPv4Address(allowed))
        assert wire.up(packet) == [packet]
        assert len(wire.down(downward(target=IPv4Address(allowed)))) == 1
    assert wire.up(ipv4(source=IPv4Address("10.6.7.9"))) == []
    assert wire.down(downward(target=IPv4Address("10.6.7.9"))) == []
    assert wire.drops() == {"inner source": 1, "inner unknown": 1}


def test_a_client_routes_everything_to_its_call(wire: Rig) -> None:
    wire.open(routes=((IPv4Address("0.0.0.0"), 0),))
    anywhere = ipv4(source=IPv4Address("203.0.113.9"), target=ASSIGNED)
    assert wire.up(anywhere) == [anywhere]
    assert len(wire.down(downward(target=IPv4Address("203.0.113.9")))) == 1


def test_the_check_can_be_left_out(wire: Rig) -> None:
    wire.open(check_source=False)
    packet = ipv4(source=IPv4Address("203.0.113.9"))
    assert wire.up(packet) == [packet]


@pytest.mark.parametrize(
    "packet",
    [b"", b"\x45", ipv4()[:-1], b"\x55" + ipv4()[1:], b"\x44" + ipv4()[1:], b"\x65" + ipv4()[1:],
     ipv4()[:10] + b"\0\0" + ipv4()[12:], b"\x4f" + ipv4()[1:]],
)  # fmt: skip
def test_what_is_no_ip_packet(call: Rig, packet: bytes) -> None:
    assert call.up(packet) == []
    assert call.drops() == {"inner malformed": 1}


def test_ppp_padding_is_cut_off(call: Rig) -> None:
    assert call.up(ipv4() + b"padding") == [ipv4()]


# From one client to another.


def two(wire: Rig, allowed: bool) -> None:
    wire.open(client_to_client=allowed)
    other = 1 << 16 | 0x99
    wire.dataplane.open_call(other, SPEC)
    wire.dataplane.set_policy(other, replace(POLICY, peer_address=IPv4Address("172.16.1.11")))
    wire.poll()


@pytest.mark.parametrize("allowed", [True, False])
def test_client_to_client_is_a_policy(wire: Rig, allowed: bool) -> None:
    two(wire, allowed)
    packet = ipv4(target=IPv4Address("172.16.1.11"))
    assert wire.up(packet) == ([packet] if allowed else [])
    assert wire.up(ipv4()) == [ipv4()]
    assert wire.drops() == ({} if allowed else {"inner peer": 1})


def test_an_address_moves_with_its_call(wire: Rig) -> None:
    two(wire, True)
    wire.dataplane.close_call(wire.handle)
    wire.dataplane.set_policy(1 << 16 | 0x99, POLICY)
    wire.dataplane.open_gate(1 << 16 | 0x99, 4)
    wire.poll()
    assert len(wire.down(downward())) == 1
    assert wire.down(downward(target=IPv4Address("172.16.1.11"))) == []


# Sizes.


@pytest.mark.parametrize(("encrypted", "largest"), [(False, 1400), (True, 1396)])
def test_the_largest_packet_fills_the_mru(call: Rig, encrypted: bool, largest: int) -> None:
    if encrypted:
        call.encrypt()
    fits = downward(b"x" * (largest - 20))
    (sent,) = call.down(fits)
    assert len(sent.payload) == 4 + 1400
    assert call.unseal(sent) == fits


def test_too_big_with_df_is_answered(call: Rig) -> None:
    big = downward(b"x" * 1400)
    assert call.down(big) == []
    (answer,) = call.inside()
    packet = IP(answer)
    assert built(packet) == answer
    assert (packet.src, packet.dst) == (str(ASSIGNED), str(INSIDE))
    assert (packet[ICMP].type, packet[ICMP].code, packet[ICMP].nexthopmtu) == (3, 4, 1400)
    assert answer[28:] == big[:28]
    checked = packet[ICMP].chksum
    del packet[ICMP].chksum
    assert IP(bytes(packet))[ICMP].chksum == checked


def test_answers_to_too_big_packets_are_rationed(call: Rig) -> None:
    for _ in range(200):
        call.inner.send(downward(b"x" * 1400))
    while call.poll():
        pass
    assert len(call.inside()) == 64
    assert call.drops() == {"inner too big": 200}


@pytest.mark.parametrize("length", [1401, 1420, 1500, 2776])
def test_too_big_without_df_is_fragmented(wire: Rig, length: int) -> None:
    wire.open(mru=1400 if length < 1600 else 700)
    length = min(length, 1900)
    packet = (
        IP(src=str(INSIDE), dst=str(ASSIGNED), proto=253, id=7, flags=0)
        / (bytes(range(250)) * 12)[: length - 20]
    )
    fragments = [IP(wire.unseal(sent)) for sent in wire.down(built(packet))]
    assert len(fragments) > 1
    whole = b""
    for at, fragment in enumerate(fragments):
        assert built(fragment) == bytes(fragment)
        assert fragment.frag * 8 == len(whole)
        assert bool(fragment.flags & 1) == (at < len(fragments) - 1)
        assert fragment.id == 7
        whole += bytes(fragment.payload)
    assert whole == built(packet)[20:]


# MSS.


@pytest.mark.parametrize(("encrypted", "expected"), [(False, 1360), (True, 1356)])
@pytest.mark.parametrize("lead", [[], [("NOP", None)], [("SAckOK", b""), ("NOP", None)]])
@pytest.mark.parametrize("flags", ["S", "SA"])
def test_the_mss_is_clamped_both_ways(
    call: Rig, encrypted: bool, expected: int, lead: list[object], flags: str
) -> None:
    if encrypted:
        call.encrypt()
    options = [*lead, ("MSS", 1460), ("WScale", 7)]
    changed = [*lead, ("MSS", expected), ("WScale", 7)]
    upward = syn(ASSIGNED, INSIDE, options, flags)
    (packet,) = call.up(upward)
    assert packet == syn(ASSIGNED, INSIDE, changed, flags)
    (sent,) = call.down(syn(INSIDE, ASSIGNED, options, flags))
    assert call.unseal(sent) == syn(INSIDE, ASSIGNED, changed, flags)


def test_a_smaller_mss_stays(call: Rig) -> None:
    packet = syn(ASSIGNED, INSIDE, [("MSS", 536)])
    assert call.up(packet) == [packet]


def test_a_set_mss_is_the_limit(wire: Rig) -> None:
    wire.open(mss=1000)
    assert wire.up(syn(ASSIGNED, INSIDE, [("MSS", 1460)])) == [
        syn(ASSIGNED, INSIDE, [("MSS", 1000)])
    ]


def test_only_syns_are_touched(call: Rig) -> None:
    packet = syn(ASSIGNED, INSIDE, [("MSS", 1460)], "A")
    assert call.up(packet) == [packet]


@pytest.mark.parametrize(
    "options", ["0204", "020405", "0300", "01010102", "020500", "00020405b4", "ff"]
)
def test_malformed_tcp_options_are_left_alone(call: Rig, options: str) -> None:
    raw = bytes.fromhex(options).ljust(8, b"\1")
    packet = bytearray(syn(ASSIGNED, INSIDE, [("NOP", None)] * 8))
    packet[40:48] = raw
    assert call.up(bytes(packet)) == [bytes(packet)]


def test_a_tcp_header_cut_short_is_left_alone(call: Rig) -> None:
    packet = IP(syn(ASSIGNED, INSIDE, [("MSS", 1460)]))
    for length in range(20, 44):
        short = IP(src=packet.src, dst=packet.dst, proto=6) / bytes(packet)[20:length]
        assert call.up(built(short)) == [built(short)]


# IPv6.


def up6(rig: Rig, packet: bytes) -> list[bytes]:
    rig.give(rig.seal(packet, 0x0057))
    rig.poll()
    return rig.inside()


@pytest.mark.parametrize("encrypted", [False, True])
def test_ipv6_both_ways(six: Rig, encrypted: bool) -> None:
    if encrypted:
        six.encrypt()
    packet = built(IPv6(src="2001:db8:1::5", dst=OUTSIDE6) / UDP(dport=9) / b"up")
    assert up6(six, packet) == [packet]
    back = built(IPv6(src=OUTSIDE6, dst="2001:db8:1::5") / UDP(dport=9) / b"down")
    (sent,) = (one for one in six.down(back) if one.payload)
    assert six.unseal(sent) == back


def test_a_client_routes_all_ipv6_to_its_call(wire: Rig) -> None:
    wire.open(routes=((IPv4Address(0), 0), (IPv6Address("::"), 0)), check_source=False)
    wire.dataplane.open_gate(wire.handle, 6)
    wire.poll()
    assert wire.outside() == []  # a client advertises nothing
    solicitation = built(IPv6(src="fe80::1", dst="ff02::2", hlim=255) / ICMPv6ND_RS())
    assert len(wire.down(solicitation)) == 1
    assert up6(wire, solicitation) == [solicitation]
    assert len(wire.down(downward(target=IPv4Address("203.0.113.9")))) == 1


@pytest.mark.parametrize("source", ["2001:db8:2::1", "fe80::1", "::1"])
def test_ipv6_sources(six: Rig, source: str) -> None:
    assert up6(six, built(IPv6(src=source, dst=OUTSIDE6) / UDP())) == []
    assert six.drops() == {"inner source": 1}


def test_ipv6_networks_behind_the_peer(wire: Rig) -> None:
    wire.open(policy=replace(SIX, routes=((IPv6Address("2001:db8:7::"), 64),)))
    wire.dataplane.open_gate(wire.handle, 6)
    wire.poll()
    wire.outside()
    packet = built(IPv6(src="2001:db8:7::9", dst=OUTSIDE6) / UDP(dport=9))
    assert up6(wire, packet) == [packet]
    assert len(wire.down(built(IPv6(src=OUTSIDE6, dst="2001:db8:7::9") / UDP(dport=9)))) == 1
    assert up6(wire, built(IPv6(src="2001:db8:8::9", dst=OUTSIDE6) / UDP())) == []
    assert wire.drops() == {"inner source": 1}


def test_link_local_sources_and_destinations(six: Rig) -> None:
    packet = built(IPv6(src=LINK_LOCAL, dst="ff02::16") / UDP())
    assert up6(six, packet) == [packet]
    assert len(six.down(built(IPv6(src="fe80::1", dst=LINK_LOCAL) / UDP()))) == 1


def test_a_router_solicitation_is_answered(six: Rig) -> None:
    solicitation = built(IPv6(src=LINK_LOCAL, dst="ff02::2", hlim=255) / ICMPv6ND_RS())
    assert up6(six, solicitation) == []
    (sent,) = six.outside()
    packet = IPv6(six.unseal(sent))
    assert built(packet) == bytes(packet)
    assert (packet.src, packet.dst, packet.hlim) == ("fe80::200:ff:fe00:1", "ff02::1", 255)
    assert packet[ICMPv6ND_RA].routerlifetime == 1800
    assert packet[ICMPv6NDOptMTU].mtu == 1400
    prefix = packet[ICMPv6NDOptPrefixInfo]
    assert (IPv6Address(prefix.prefix), prefix.prefixlen) == (PREFIX.network_address, 64)
    assert (prefix.A, prefix.L) == (1, 0)
    checked = packet[ICMPv6ND_RA].cksum
    del packet[ICMPv6ND_RA].cksum
    assert IPv6(bytes(packet))[ICMPv6ND_RA].cksum == checked


def test_the_prefix_is_advertised_at_once_and_again(wire: Rig) -> None:
    wire.open(policy=SIX)
    wire.dataplane.open_gate(wire.handle, 6)
    wire.poll()
    assert len(wire.outside()) == 1
    wire.poll(599_999)
    assert len(wire.outside()) == 0
    wire.poll(1)
    assert len(wire.outside()) == 1


def test_no_prefix_no_advertisement(wire: Rig) -> None:
    wire.open(policy=replace(SIX, peer_prefix=None))
    wire.dataplane.open_gate(wire.handle, 6)
    solicitation = built(IPv6(src=LINK_LOCAL, dst="ff02::2", hlim=255) / ICMPv6ND_RS())
    assert up6(wire, solicitation) == [solicitation]
    assert wire.outside() == []


def test_ipv6_too_big(six: Rig) -> None:
    big = built(IPv6(src=OUTSIDE6, dst="2001:db8:1::5") / UDP() / (b"x" * 1400))
    assert six.down(big) == []
    (answer,) = six.inside()
    packet = IPv6(answer)
    assert packet[ICMPv6PacketTooBig].mtu == 1400
    assert (packet.src, packet.dst) == ("2001:db8:1::5", OUTSIDE6)
    assert len(answer) == 1280
    assert answer[48:] == big[: 1280 - 48]
    checked = packet[ICMPv6PacketTooBig].cksum
    del packet[ICMPv6PacketTooBig].cksum
    assert IPv6(bytes(packet))[ICMPv6PacketTooBig].cksum == checked


def test_the_mss_of_ipv6(six: Rig) -> None:
    packet = IPv6(src="2001:db8:1::5", dst=OUTSIDE6) / TCP(flags="S", options=[("MSS", 1440)])
    expected = IPv6(src="2001:db8:1::5", dst=OUTSIDE6) / TCP(flags="S", options=[("MSS", 1340)])
    assert up6(six, built(packet)) == [built(expected)]


def test_ipv6_needs_its_own_gate(call: Rig) -> None:
    assert up6(call, built(IPv6(src="2001:db8:1::5", dst=OUTSIDE6) / UDP())) == []
    assert call.drops() == {"gate closed": 1}


@pytest.mark.parametrize("length", [0, 1, 39, 47])
def test_short_ipv6(six: Rig, length: int) -> None:
    packet = built(IPv6(src="2001:db8:1::5", dst=OUTSIDE6) / UDP())
    six.outer.send(gre(b"\x57" + packet[:length], 0))
    six.poll()
    assert six.drops() == {"inner malformed": 1}
