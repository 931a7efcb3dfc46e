"""How sessions are reached from this machine: routes into the TUN, and ARP on attached networks.

An address of a session that lies inside a network which this machine is attached to (the
reference's pool does) is answered for there by a neighbour proxy, while the session is up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from fastpptp.addresses.grant import AddressGrant
from fastpptp.backends.attached import Address, Attachment, Proxy, forwards
from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.server.routes import Device, InnerRoutes, Network
from fastpptp.settings.resolve import PolicySnapshot

OFF = "off"
ON = "on"


class Neighbourhood(Protocol):
    """The networks that this machine is attached to; `changed` is called when they change."""

    attached: tuple[Attachment, ...]
    changed: Callable[[], object]


class ProxyDevice(Protocol):
    """Neighbour proxies, changed in the order of the calls."""

    def add_proxies(self, proxies: list[Proxy]) -> None: ...

    def delete_proxies(self, proxies: list[Proxy]) -> None: ...


class NeighbourProxies:
    """Keeps a proxy for each announced address on each network that wants one.

    `record` is told once of each device whose kernel stays silent for want of forwarding.
    """

    def __init__(
        self,
        device: ProxyDevice,
        neighbourhood: Neighbourhood,
        record: Callable[[Occurrence], object],
        forwards: Callable[[str, int], bool] = forwards,
    ) -> None:
        self._device = device
        self._neighbourhood = neighbourhood
        self._record = record
        self._forwards = forwards
        self._mode = OFF
        self._made: dict[Address, tuple[Proxy, ...]] = {}
        self._silent: set[tuple[str, int]] = set()

    def follow(self, mode: str) -> None:
        """`off`, `auto` (inside attached networks) or `on` (on every Ethernet device)."""
        self._mode = mode
        self.settle()

    def settle(self) -> None:
        """The mode or the attached networks are others than they were."""
        for address in self._made:
            self._change(address, self._wanted(address))

    def announce(self, address: Address) -> None:
        self._made.setdefault(address, ())
        self._change(address, self._wanted(address))

    def withdraw(self, address: Address) -> None:
        self._change(address, ())
        self._made.pop(address, None)

    def _wanted(self, address: Address) -> tuple[Proxy, ...]:
        places = self._neighbourhood.attached if self._mode != OFF else ()
        wanted = {
            Proxy(place.device, place.name, address): None
            for place in places
            if place.interface.version == address.version
            and place.interface.ip != address
            and (self._mode == ON or address in place.network)
        }
        return tuple(wanted)

    def _change(self, address: Address, wanted: tuple[Proxy, ...]) -> None:
        made = self._made.get(address, ())
        if old := [proxy for proxy in made if proxy not in wanted]:
            self._device.delete_proxies(old)
        if new := [proxy for proxy in wanted if proxy not in made]:
            self._tell_silent(new)
            self._device.add_proxies(new)
        if made != wanted:
            self._made[address] = wanted

    def _tell_silent(self, proxies: Iterable[Proxy]) -> None:
        for proxy in proxies:
            key = proxy.name, proxy.address.version
            if key not in self._silent and not self._forwards(*key):
                self._silent.add(key)
                self._record(silence(proxy))


def silence(proxy: Proxy) -> Occurrence:
    family = f"ipv{proxy.address.version}"
    return occur("ADDRESS", 106, device=proxy.name, address=proxy.address, family=family)


class Reach:
    """Routes and proxies, as policy and grants want them."""

    def __init__(
        self, device: Device, proxies: NeighbourProxies, neighbourhood: Neighbourhood
    ) -> None:
        self._routes = InnerRoutes(device)
        self._proxies = proxies
        self._neighbourhood = neighbourhood
        self._announced: dict[Address, list[Address]] = {}

    def networks(self) -> list[Network]:
        """The networks that this machine is attached to now."""
        return [place.network for place in self._neighbourhood.attached]

    def start(self, call_soon: Callable[[Callable[[], object]], object]) -> None:
        """Follow what this machine is attached to; `call_soon` brings a call to our thread."""
        self._neighbourhood.changed = lambda: call_soon(self._proxies.settle)

    def follow(self, policy: PolicySnapshot) -> None:
        self._routes.follow(policy)
        self._proxies.follow(policy.system.proxy_arp)

    def granted(self, grant: AddressGrant) -> None:
        """A session is about to come up with this."""
        self._routes.granted(grant)

    def announce(self, grant: AddressGrant, address: Address) -> None:
        """A session that has this grant is up, and has this address."""
        self._announced.setdefault(grant.address, []).append(address)
        self._proxies.announce(address)

    def released(self, grant: AddressGrant) -> None:
        for address in self._announced.pop(grant.address, []):
            self._proxies.withdraw(address)
        self._routes.released(grant)
