"""How clients get through this machine to other networks: Forwarding and NAT."""

from __future__ import annotations

from fastpptp.backends.forwarding import Forwarding
from fastpptp.backends.nftables import OwnTable
from fastpptp.server.routes import DeviceThread
from fastpptp.settings.resolve import PolicySnapshot


class Passage:
    """Has the machine follow the two settings."""

    def __init__(self, thread: DeviceThread, table: OwnTable, forwarding: Forwarding) -> None:
        self._thread = thread
        self._table = table
        self._forwarding = forwarding

    def follow(self, policy: PolicySnapshot) -> None:
        """Have the machine's thread change what differs; it reports what the kernel refuses."""
        system = policy.system
        self._thread.run(
            self._forwarding.set,
            ipv4=system.forwarding,
            ipv6=system.forwarding and system.ipv6_prefix is not None,
        )
        self._thread.run(self._table.install, system.nat)
