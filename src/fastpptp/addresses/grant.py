"""What address assignment gives to a session."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Network


@dataclass(frozen=True, slots=True)
class AddressGrant:
    """What IPCP and IPv6CP may give to the peer, and the name of the method that found it.

    `networks` are behind the peer, and routed to it.
    """

    address: IPv4Address
    server_address: IPv4Address
    method: str = "pool"
    prefix: IPv6Network | None = None
    dns: tuple[IPv4Address, ...] = ()
    nbns: tuple[IPv4Address, ...] = ()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
