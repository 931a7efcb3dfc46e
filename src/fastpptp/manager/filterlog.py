"""A packet that a traffic filter logs, in words."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from fastpptp.ports import FilterLog
from fastpptp.settings.filters import DEFAULT_ACTION
from fastpptp.settings.matching import ICMP, ICMPV6, TCP, UDP, protocol_name


def filter_fields(log: FilterLog) -> dict[str, object]:
    """The fields of FILTER/100."""
    return {
        "filter": log.filter,
        "rule": log.rule or DEFAULT_ACTION,
        "action": "forwarded" if log.forwarded else "dropped",
        "direction": "inbound" if log.inbound else "outbound",
        "packet": packet_text(log.packet),
        "length": log.length,
        "suppressed": log.suppressed,
    }


def packet_text(packet: bytes) -> str:
    """Protocol, addresses and, where the start of the packet has them, ports."""
    protocol, start, first = _transport(packet)
    if packet[0] >> 4 == 6:
        source, target = str(IPv6Address(packet[8:24])), str(IPv6Address(packet[24:40]))
    else:
        source, target = str(IPv4Address(packet[12:16])), str(IPv4Address(packet[16:20]))
    ports = packet[start : start + 4]
    if protocol in (TCP, UDP) and first and len(ports) == 4:
        source += f" port {int.from_bytes(ports[:2], 'big')}"
        target += f" port {int.from_bytes(ports[2:], 'big')}"
    return f"{protocol_name(protocol)} {source} -> {target}"


def headers_of(packet: bytes) -> bytes:
    """The headers of IP and transport, as far as they are there: nothing of what a user says."""
    protocol, start, first = _transport(packet)
    length = 0
    if first and protocol == TCP and len(packet) > start + 12:
        length = (packet[start + 12] >> 4) * 4
    elif first and protocol in (UDP, ICMP, ICMPV6):
        length = 8
    return packet[: start + length]


def _transport(packet: bytes) -> tuple[int, int, bool]:
    """Its protocol, where it begins, and whether its beginning is there at all."""
    if packet[0] >> 4 == 6:
        return packet[6], 40, True
    first = not int.from_bytes(packet[6:8], "big") & 0x1FFF
    return packet[9], (packet[0] & 15) * 4, first
