"""A packet that a traffic filter logs, in words."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from fastpptp.ports import FilterLog
from fastpptp.settings.filters import DEFAULT_ACTION
from fastpptp.settings.matching import TCP, UDP, protocol_name


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
    if packet[0] >> 4 == 6:
        source, target = str(IPv6Address(packet[8:24])), str(IPv6Address(packet[24:40]))
        protocol, transport, first = packet[6], packet[40:], True
    else:
        source, target = str(IPv4Address(packet[12:16])), str(IPv4Address(packet[16:20]))
        protocol, transport = packet[9], packet[(packet[0] & 15) * 4 :]
        first = not int.from_bytes(packet[6:8], "big") & 0x1FFF
    if protocol in (TCP, UDP) and first and len(transport) >= 4:
        source += f" port {int.from_bytes(transport[:2], 'big')}"
        target += f" port {int.from_bytes(transport[2:4], 'big')}"
    return f"{protocol_name(protocol)} {source} -> {target}"
