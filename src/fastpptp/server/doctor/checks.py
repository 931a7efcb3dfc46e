"""All checks, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fastpptp.server.doctor import network, process
from fastpptp.server.doctor.facts import Facts
from fastpptp.server.doctor.finding import Finding

CHECKS: tuple[Callable[[Facts], Iterator[Finding]], ...] = (
    process.capabilities,
    process.tun_device,
    process.port,
    process.gre,
    process.dhcp,
    process.store,
    process.events,
    process.files,
    process.clock,
    network.forwarding,
    network.reverse_path,
    network.firewall,
    network.outer,
    network.connection_tracking,
    network.mtu,
    network.pools,
    network.server_address,
)


def examine(facts: Facts) -> list[Finding]:
    """Every check's findings."""
    return [finding for check in CHECKS for finding in check(facts)]
