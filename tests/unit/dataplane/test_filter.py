"""Traffic filters: their life, their counts, their log, fragments, super-packets."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP, UDP, fragment
from scapy.layers.inet6 import ICMPv6ND_RS, IPv6, IPv6ExtHdrFragment, fragment6

from fastpptp.dataplane import Dataplane
from fastpptp.ports import FilterLog, PacketFilter, PacketRule

from .rig import ASSIGNED, INSIDE, POLICY, SPEC, Rig, checksum, drain, ipv4, rig
from .test_filter_oracle import OPEN
from .test_inner import SIX, built
from .test_offload import TCP4, super_packet

WEB, MAIL = 80, 25


def tcp(port: int, *, inbound: bool = True, flags: str = "S") -> bytes:
    ends = (str(ASSIGNED), str(INSIDE)) if inbound else (str(INSIDE), str(ASSIGNED))
    ports = (1025, port) if inbound else (port, 1025)
    return bytes(IP(src=ends[0], dst=ends[1]) / TCP(sport=ports[0], dport=ports[1], flags=flags))


def port_rule(port: int, *, forward: bool, inbound: bool = True, log: bool = False) -> PacketRule:
    where = {"second" if inbound else "first": (port, port)}
    return PacketRule(str(port), inbound, forward, log, protocol=6, **where)


NO_MAIL = PacketFilter((port_rule(MAIL, forward=False),), forward=True)
ONLY_WEB = PacketFilter((port_rule(WEB, forward=True),))


def use(wire: Rig, chosen: PacketFilter, name: str = "f") -> None:
    wire.dataplane.set_filters({name: chosen})
    wire.dataplane.set_policy(wire.handle, replace(POLICY, filter=name))
    wire.poll()


# Their life.


def test_without_a_filter_everything_passes(call: Rig) -> None:
    call.dataplane.set_filters({"f": PacketFilter()})
    assert call.up(tcp(MAIL)) == [tcp(MAIL)]


def test_a_change_holds_for_a_call_that_is_up(call: Rig) -> None:
    use(call, NO_MAIL)
    assert call.up(tcp(MAIL)) == []
    assert call.up(tcp(WEB)) != []
    call.dataplane.set_filters({"f": ONLY_WEB})
    assert call.up(tcp(443)) == []
    assert call.up(tcp(WEB)) != []
    call.dataplane.set_policy(call.handle, POLICY)
    assert call.up(tcp(443)) != []


def test_a_filter_that_is_gone_lets_nothing_pass(call: Rig) -> None:
    use(call, NO_MAIL)
    call.dataplane.set_filters({})
    assert call.up(tcp(WEB)) == []
    assert call.down(tcp(WEB, inbound=False)) == []
    assert call.drops() == {"filtered": 2}


def test_a_slot_that_a_call_still_has_is_not_given_to_another_filter(call: Rig) -> None:
    use(call, NO_MAIL)
    call.dataplane.set_filters({"other": PacketFilter(forward=True)})
    assert call.up(tcp(WEB)) == []
    call.dataplane.close_call(call.handle)
    call.dataplane.set_filters({"another": PacketFilter(forward=True)})


def test_a_call_is_opened_without_a_filter(call: Rig) -> None:
    use(call, PacketFilter())
    call.dataplane.close_call(call.handle)
    call.poll()
    call.dataplane.read_events()
    call.handle = 2 << 16 | call.handle & 0xFFFF
    call.sequence = 0
    call.open()
    assert call.up(tcp(WEB)) != []


def test_mistakes_change_nothing(call: Rig) -> None:
    plane = call.dataplane
    use(call, NO_MAIL)
    with pytest.raises(ValueError, match="there is no filter 'g'"):
        plane.set_policy(call.handle, replace(POLICY, filter="g"))
    rule = PacketRule("r", True, True)
    for wrong, complaint in (
        (replace(rule, protocol=256), "the protocol of a rule is 256"),
        (replace(rule, first=(2, 1)), "a port of a rule is 2"),
        (replace(rule, protocol=6, second=(0, 65536)), "a port of a rule is 65536"),
        (replace(rule, second=(1, 1)), "protocol None has no ports"),
        (replace(rule, protocol=17, established=True), "established is of TCP alone"),
        (replace(rule, version=7), "the IP version of a rule is 7"),
    ):
        with pytest.raises(ValueError, match=complaint):
            plane.set_filters({"f": ONLY_WEB, "h": PacketFilter((wrong,))})
    with pytest.raises(ValueError, match=r"257: 0\.\.256"):
        plane.set_filters({"f": PacketFilter((rule,) * 257)})
    with pytest.raises(ValueError, match="more than 2047 filters"):
        plane.set_filters({str(k): ONLY_WEB for k in range(2048)})
    with pytest.raises(KeyError):
        plane.filter_counts("h")
    assert call.up(tcp(MAIL)) == []
    assert call.up(tcp(WEB)) != []


# Counts.


def test_counts_of_what_did_not_change_go_on(call: Rig) -> None:
    use(call, replace(NO_MAIL, rules=(port_rule(443, forward=True), *NO_MAIL.rules)))
    for port in (443, MAIL, MAIL, WEB):
        call.up(tcp(port))
    assert call.dataplane.filter_counts("f") == [(1, 40), (2, 80), (1, 40), (0, 0)]
    for _ in range(2):
        call.dataplane.set_filters(
            {"f": replace(NO_MAIL, rules=(*NO_MAIL.rules, port_rule(1, forward=True)))}
        )
        call.up(tcp(MAIL))
    assert call.dataplane.filter_counts("f") == [(4, 160), (0, 0), (1, 40), (0, 0)]
    call.dataplane.set_filters({"f": NO_MAIL, "g": NO_MAIL})
    assert call.dataplane.filter_counts("f") == [(4, 160), (1, 40), (0, 0)]
    assert call.dataplane.filter_counts("g") == [(0, 0)] * 3


def test_a_filter_is_replaced_under_traffic() -> None:
    """Threads run, sets come and go: nothing is counted twice or lost, memory is let go."""
    with rig() as wire:
        wire.open()
        use(wire, NO_MAIL)
        wire.dataplane.start()
        wire.outer.setblocking(True)
        wire.inner.settimeout(10)
        sent = 0
        for round_ in range(300):
            wire.give(wire.seal(tcp(WEB)))
            sent += 1
            rules = (*NO_MAIL.rules, port_rule(1000 + round_, forward=True))
            wire.dataplane.set_filters({"f": replace(NO_MAIL, rules=rules)})
            wire.inner.recv(2000)
        assert wire.dataplane.filter_counts("f")[-2] == (sent, 40 * sent)
        wire.dataplane.stop()


def test_two_workers_count_apart_and_are_summed() -> None:
    pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(4)]
    try:
        for pair in pairs:
            for end in pair:
                end.setblocking(False)
        plane = Dataplane([p[1].fileno() for p in pairs[:2]], [p[1].fileno() for p in pairs[2:]])
        with plane:
            plane.set_filters({"f": PacketFilter()})
            for call_id in (0x10, 0x11):
                plane.open_call(1 << 16 | call_id, SPEC)
                address = IPv4Address(f"172.16.1.{call_id}")
                policy = replace(POLICY, peer_address=address, filter="f")
                plane.set_policy(1 << 16 | call_id, policy)
                plane.open_gate(1 << 16 | call_id, 4)
                plane.poll_once(1000)
                pairs[2 + call_id % 2][0].send(ipv4(source=INSIDE, target=address))
            plane.poll_once(1000)
            assert plane.filter_counts("f")[0] == (2, 54)
            assert drain(pairs[0][0]) == drain(pairs[1][0]) == []
    finally:
        for pair in pairs:
            for end in pair:
                end.close()


# The log.


def test_the_log_is_bounded_and_says_what_it_left_out(call: Rig) -> None:
    use(call, PacketFilter((port_rule(MAIL, forward=False, log=True),), forward=True))
    for _ in range(100):
        call.up(tcp(MAIL))
    found = [FilterLog(*entry) for entry in call.dataplane.read_filter_log()]
    assert len(found) == 32
    assert found[0] == FilterLog(call.handle, "f", str(MAIL), True, False, 40, 0, tcp(MAIL))
    call.up(tcp(MAIL), milliseconds=1000)
    (entry,) = call.dataplane.read_filter_log()
    assert FilterLog(*entry).suppressed == 68


def test_a_log_record_of_a_form_that_is_gone_names_its_filter(call: Rig) -> None:
    use(call, PacketFilter(log=True))
    call.up(tcp(MAIL))
    call.dataplane.set_filters({"f": NO_MAIL})
    (entry,) = call.dataplane.read_filter_log()
    assert FilterLog(*entry)[1:3] == ("f", None)


def test_nobody_reads_the_log(call: Rig) -> None:
    use(call, PacketFilter(log=True))
    for _ in range(1000):
        call.up(tcp(MAIL), milliseconds=100)
    assert 500 < len(call.dataplane.read_filter_log(1000)) < 1000
    assert call.drops() == {"filtered": 1000}


# Fragments: what arrives of a datagram that the filter drops can never be put together.


@pytest.fixture
def wide(wire: Rig) -> Rig:
    """Any address both ways, IPv6 too."""
    wire.open(policy=OPEN)
    wire.dataplane.open_gate(wire.handle, 6)
    wire.poll()
    return wire


def whole_again(octets: list[bytes], length: int) -> list[bytes]:
    """The starts that a host could put together, whether it lets earlier or later octets win."""
    made = []
    for order in (octets, octets[::-1]):
        kept: dict[int, int] = {}
        for packet in order:
            offset, payload = placed(packet)
            kept |= {offset + k: octet for k, octet in enumerate(payload)}
        if all(k in kept for k in range(length)):
            made.append(bytes(kept[k] for k in range(length)))
    return made


def placed(packet: bytes) -> tuple[int, bytes]:
    """Where a fragment's payload belongs, and the payload."""
    if packet[0] >> 4 == 4:
        (place,) = struct.unpack_from(">H", packet, 6)
        return (place & 0x1FFF) * 8, packet[(packet[0] & 15) * 4 :]
    (place,) = struct.unpack_from(">H", packet, 42)
    return place & 0xFFF8, packet[48:]


def datagram(port: int) -> bytes:
    """Mail goes on, the web begins: SYN."""
    flags = b"\x50\x10" if port == MAIL else b"\x50\x02"
    return struct.pack(">HH", 1025, port) + bytes(8) + flags + bytes(6) + bytes(range(44))


# Filters that take one of the two kinds of datagram, and which; with what a host has to know.
REST = PacketRule("rest", True, True, protocol=6)
ESTABLISHED = PacketRule("established", True, True, protocol=6, established=True)
TAKES = (
    (replace(NO_MAIL, rules=(*NO_MAIL.rules, REST)), lambda start: start[2:4] == b"\0\x50", 4),
    (ONLY_WEB, lambda start: start[2:4] == b"\0\x50", 4),
    (PacketFilter((ESTABLISHED,)), lambda start: start[13] == 0x10, 14),
)


def piece(payload: bytes, offset: int, more: bool, version: int) -> bytes:
    if version == 4:
        header = IP(src="198.51.100.1", dst="198.51.100.2", proto=6, id=7, frag=offset // 8,
                    flags="MF" if more else 0)  # fmt: skip
        return bytes(header / payload)
    header = IPv6(src="2001:db8::1", dst="2001:db8::2", nh=44) / IPv6ExtHdrFragment(
        nh=6, offset=offset // 8, m=int(more), id=7
    )
    return bytes(header / payload)


@given(
    st.sampled_from((4, 6)),
    st.sampled_from(TAKES),
    st.lists(
        st.tuples(
            st.sampled_from((WEB, MAIL)), st.integers(0, 3), st.integers(1, 3), st.booleans()
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_no_pieces_of_any_make_put_a_dropped_datagram_together(
    version: int,
    takes: tuple[PacketFilter, Callable[[bytes], bool], int],
    pieces: list[tuple[int, int, int, bool]],
) -> None:
    """Overlapping, tiny, repeated, in any order: of one that may pass and one that may not."""
    chosen, taken, length = takes
    with rig() as wire:
        wire.open(policy=OPEN)
        wire.dataplane.open_gate(wire.handle, 6)
        wire.dataplane.set_filters({"f": chosen})
        wire.dataplane.set_policy(wire.handle, replace(OPEN, filter="f"))
        wire.poll()
        came: list[bytes] = []
        for port, start, count, more in pieces:
            data = datagram(port)[start * 8 : (start + count) * 8]
            octets = piece(data, start * 8, more, version)
            wire.give(wire.seal(octets, 0x21 if version == 4 else 0x57))
            wire.poll()
            came += wire.inside()
        assert all(map(taken, whole_again(came, length)))


@pytest.mark.parametrize("port", [WEB, MAIL])
def test_fragments_of_a_large_datagram(wide: Rig, port: int) -> None:
    rule = replace(port_rule(WEB, forward=True), protocol=17)
    wide.dataplane.set_filters({"f": PacketFilter((rule,))})
    wide.dataplane.set_policy(wide.handle, replace(OPEN, filter="f"))
    body = bytes(3000)
    four = IP(src="198.51.100.1", dst="198.51.100.2") / UDP(sport=1, dport=port) / body
    six = (
        IPv6(src="2001:db8::1", dst="2001:db8::2")
        / IPv6ExtHdrFragment()
        / UDP(sport=1, dport=port)
        / body
    )
    for parts, protocol in ((fragment(four, 1200), 0x21), (fragment6(six, 1280), 0x57)):
        came = []
        for part in parts:
            wide.give(wide.seal(bytes(part), protocol))
            wide.poll()
            came += wide.inside()
        # The later ones concern the rule by their addresses; without the first they are nothing.
        assert len(came) == len(parts) - (port == MAIL)


def test_a_later_fragment_that_a_rule_may_have_dropped(wide: Rig) -> None:
    later = piece(bytes(16), 64, False, 4)
    for chosen, passes in (
        (NO_MAIL, False),
        (replace(NO_MAIL, rules=(*NO_MAIL.rules, PacketRule("all", True, True))), True),
        (PacketFilter((replace(NO_MAIL.rules[0], protocol=17),), forward=True), True),
    ):
        wide.dataplane.set_filters({"f": chosen})
        wide.dataplane.set_policy(wide.handle, replace(OPEN, filter="f"))
        assert (wide.up(later) != []) == passes


# Super-packets.


@pytest.fixture
def vnet() -> Iterator[Rig]:
    with rig(vnet_header=True) as wire:
        wire.open()
        yield wire


@pytest.mark.parametrize("port", [WEB, MAIL])
def test_a_super_packet_is_judged_once_and_counts_as_its_segments(vnet: Rig, port: int) -> None:
    rule = port_rule(WEB, forward=True, inbound=False, log=True)
    use(vnet, PacketFilter((rule,)))
    whole = IP(src=str(INSIDE), dst=str(ASSIGNED)) / TCP(sport=port, dport=5) / bytes(3001)
    vnet.inner.send(super_packet(whole, TCP4, 1000))
    vnet.poll()
    sent = vnet.outside()
    counts = vnet.dataplane.filter_counts("f")
    total = (4, 3001 + 4 * 40)
    if port == WEB:
        assert len(sent) == 4
        assert counts == [total, (0, 0), (0, 0)]
        assert len(vnet.dataplane.read_filter_log()) == 1
    else:
        assert sent == []
        assert counts == [(0, 0), total, (0, 0)]


def test_the_router_answers_whatever_the_filter_says(wire: Rig) -> None:
    """A Router Solicitation goes no further than to us: no traffic to be filtered."""
    wire.dataplane.set_filters({"f": PacketFilter()})
    wire.open(policy=replace(SIX, filter="f"))
    wire.dataplane.open_gate(wire.handle, 6)
    wire.poll()
    wire.outside()
    solicitation = built(IPv6(src="fe80::200:ff:fe00:9", dst="ff02::2", hlim=255) / ICMPv6ND_RS())
    wire.give(wire.seal(solicitation, 0x57))
    wire.poll()
    assert len(wire.outside()) == 1


# Hostile octets.


@given(
    st.binary(min_size=1, max_size=120), st.sampled_from((0x45, 0x46, 0x4F, 0x60)), st.booleans()
)
def test_hostile_octets(octets: bytes, start: int, inbound: bool) -> None:
    """Whatever comes: it is read within its bounds, and one thing decides."""
    packet = bytearray(bytes([start]) + octets + bytes(60))
    if start == 0x60:
        packet[4:6] = struct.pack(">H", len(packet) - 40)
    else:
        packet[2:4] = struct.pack(">H", len(packet))
        header = (start & 15) * 4
        packet[10:12] = b"\0\0"
        packet[10:12] = struct.pack(">H", checksum(bytes(packet[:header])))
    rules = (port_rule(WEB, forward=True), replace(port_rule(MAIL, forward=True), protocol=58),
             PacketRule("e", False, True, protocol=6, established=True))  # fmt: skip
    with rig() as wire:
        wire.open(policy=OPEN)
        wire.dataplane.open_gate(wire.handle, 6)
        wire.dataplane.set_filters({"f": PacketFilter(rules, forward=True, log=True)})
        wire.dataplane.set_policy(wire.handle, replace(OPEN, filter="f"))
        wire.poll()
        if inbound:
            wire.give(wire.seal(bytes(packet), 0x57 if start == 0x60 else 0x21))
        else:
            wire.inner.send(bytes(packet))
        wire.poll()
        judged = sum(packets for packets, _ in wire.dataplane.filter_counts("f"))
        assert judged + sum(n for name, n in wire.drops().items() if name.startswith("inner")) == 1
