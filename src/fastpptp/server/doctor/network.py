"""Checks of what packets meet on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network, summarize_address_range
from typing import Any

from fastpptp.backends import ruleset
from fastpptp.backends.firewall import meets_gre
from fastpptp.backends.nftables import PREFIX
from fastpptp.backends.ruleset import Packet
from fastpptp.server.doctor.facts import Facts
from fastpptp.server.doctor.finding import Finding, failure, ok, warning
from fastpptp.settings.tree import PoolRange

LEGACY_TABLES = "net/ip_tables_names"

# The most that stands around an inner packet: IPv4 20, GRE 16 (RFC 2637 4.1), FF 03 and protocol 4,
# MPPE 4 (RFC 3078 3.1).
OVERHEAD = 20 + 16 + 4 + 4
NEARLY_FULL = 0.8


def forwarding(facts: Facts) -> Iterator[Finding]:
    on = facts.sysctl("net.ipv4.ip_forward") == "1"
    wanted = facts.policy is not None and facts.policy.system.forwarding
    if on:
        yield ok("forwarding", "this machine forwards packets")
    elif wanted:
        yield ok("forwarding", "the headend switches it on while it runs (Forwarding)")
    else:
        yield warning(
            "forwarding",
            "net.ipv4.ip_forward is 0: clients reach this machine and nothing behind it",
            "fastpptp system set --forwarding yes, or sysctl -w net.ipv4.ip_forward=1",
        )


def reverse_path(facts: Facts) -> Iterator[Finding]:
    """Strict reverse-path filtering drops GRE that comes in where its answer would not go out."""
    ways = {route.device for route in facts.routes if route.network.prefixlen == 0}
    strict = [d.name for d in facts.outer_devices() if _rp_filter(facts, d.name) == 1]
    if strict and len(ways) > 1:
        yield warning(
            "rp_filter",
            f"{', '.join(strict)}: rp_filter is strict and there are {len(ways)} default routes; "
            "GRE that comes in by one and would be answered by the other is dropped",
            "; ".join(f"sysctl -w net.ipv4.conf.{name}.rp_filter=2" for name in strict),
        )
    else:
        yield ok("rp_filter", "reverse-path filtering is in nobody's way")


def _rp_filter(facts: Facts, device: str) -> int:
    """The kernel takes the larger of the device's and `all`."""
    values = (facts.sysctl(f"net.ipv4.conf.{name}.rp_filter") for name in (device, "all"))
    return max(int(value or 0) for value in values)


def firewall(facts: Facts) -> Iterator[Finding]:
    """PPTP needs TCP 1723 and GRE in; clients need to be forwarded."""
    if facts.firewall is None:
        yield warning(
            "firewall",
            "nft could not be asked for its rules",
            "apt-get install nftables; without it make sure that GRE and TCP 1723 come in",
        )
        return
    found = [*_refusals(facts), *_legacy(facts)]
    yield from found
    if not found:
        yield ok("firewall", "GRE and the control connection come in, clients get through")


def _refusals(facts: Facts) -> Iterator[Finding]:
    rules, bootstrap = facts.firewall or [], facts.bootstrap
    for packet, name, words in (
        (
            Packet("tcp", bootstrap.port),
            f"TCP port {bootstrap.port}",
            f"tcp dport {bootstrap.port}",
        ),
        (Packet("gre"), "GRE", "meta l4proto gre"),
    ):
        chain = ruleset.refusing_chain(rules, "input", packet)
        if chain:
            yield failure(
                "firewall",
                f"nftables' chain {chain} drops {name}",
                f"nft insert rule {chain} {words} accept",
            )
    chain = ruleset.refusing_chain(rules, "forward", Packet(device=bootstrap.tun))
    if chain:
        yield warning(
            "firewall",
            f"nftables' chain {chain} drops what clients send to other networks",
            f"nft insert rule {chain} iifname {bootstrap.tun} accept; "
            f"nft insert rule {chain} oifname {bootstrap.tun} accept",
        )


def _legacy(facts: Facts) -> Iterator[Finding]:
    """iptables-legacy is not seen by nft."""
    try:
        tables = (facts.proc / LEGACY_TABLES).read_text().split()
    except OSError:
        return
    if "filter" in tables:
        yield warning(
            "firewall",
            "iptables-legacy has rules, which are not looked at here",
            f"iptables-legacy -C INPUT -p gre -j ACCEPT; "
            f"iptables-legacy -C INPUT -p tcp --dport {facts.bootstrap.port} -j ACCEPT",
        )


def outer(facts: Facts) -> Iterator[Finding]:
    """What the bootstrap setting `outer` has GRE go past."""
    kind = facts.bootstrap.outer
    theirs = [item for item in facts.firewall or () if not _is_ours(item)]
    if kind in ("packet", "xdp") and meets_gre(theirs):
        yield warning(
            "outer",
            f'outer is "{kind}": GRE goes past the firewall rules that look at it',
            'outer = "auto" in the bootstrap file (--outer auto) obeys them',
        )
    elif kind == "xdp":
        yield ok("outer", "GRE goes by AF_XDP; nftables and packet sniffers do not see it")
    else:
        yield ok("outer", f'outer is "{kind}"; no firewall rule is gone past')


def _is_ours(item: Mapping[str, Any]) -> bool:
    return any(str(part.get("table", "")).startswith(PREFIX) for part in item.values())


def connection_tracking(facts: Facts) -> Iterator[Finding]:
    """A full table of connections drops packets of whatever is tracked."""
    count, limit = (facts.sysctl(f"net.netfilter.nf_conntrack_{n}") for n in ("count", "max"))
    if not count or not limit or not _tracks(facts):
        yield ok("conntrack", "no rule has connections tracked")
    elif int(count) > NEARLY_FULL * int(limit):
        yield warning(
            "conntrack",
            f"{count} of {limit} connections are tracked; when the table is full, GRE is dropped",
            f"sysctl -w net.netfilter.nf_conntrack_max={2 * int(limit)}, or exempt GRE: nft add "
            "rule ... meta l4proto gre notrack at prerouting and output, priority raw",
        )
    else:
        yield ok("conntrack", f"{count} of {limit} connections are tracked")


def _tracks(facts: Facts) -> bool:
    rules = (item["rule"] for item in facts.firewall or () if "rule" in item)
    texts = (str(rule["expr"]) for rule in rules if not rule["table"].startswith(PREFIX))
    nat = facts.policy is not None and facts.policy.system.nat
    return nat or any(word in text for text in texts for word in ("'ct'", "masquerade", "nat'"))


def mtu(facts: Facts) -> Iterator[Finding]:
    """A full packet of a session should leave in one piece."""
    if facts.policy is None:
        return
    mru = facts.policy.system.mru
    small = [d for d in facts.outer_devices() if d.mtu < mru + OVERHEAD]
    for device in small:
        yield warning(
            "mtu",
            f"{device.name} has MTU {device.mtu}; a full packet of a session needs "
            f"{mru + OVERHEAD}, and is sent in two fragments",
            f"fastpptp system set --mru {device.mtu - OVERHEAD}",
        )
    if not small:
        yield ok("mtu", f"packets of {mru} octets go out in one piece")


def pools(facts: Facts) -> Iterator[Finding]:
    """Nothing else has the pools' addresses, or is routed to them."""
    if facts.policy is None:
        return
    found = [finding for pool in facts.policy.pools for finding in _pool(facts, pool)]
    yield from found
    if not found:
        yield ok("pools", f"{len(facts.policy.pools)} address pools, routed to nothing else")


def _pool(facts: Facts, pool: PoolRange) -> Iterator[Finding]:
    own = facts.bootstrap.tun
    for device in facts.devices:
        for address in device.addresses:
            if address.ip in pool and device.name != own:
                yield failure(
                    "pools",
                    f"pool {pool} has {address.ip}, this machine's own address on {device.name}",
                    "Give the pool a range without it: fastpptp pool set",
                )
    parts = list(summarize_address_range(pool.first, pool.last))
    for route in facts.routes:
        inside = any(_is_inside(route.network, part) for part in parts)
        if route.device != own and route.network.prefixlen and inside:
            yield warning(
                "pools",
                f"pool {pool}: {route.network} is routed to {route.device}, not to the clients",
                f"Take the route away (ip route del {route.network} dev {route.device}) or "
                "choose another pool",
            )


def _is_inside(route: IPv4Network, part: IPv4Network) -> bool:
    """A route as narrow as a part of the pool or narrower wins over ours."""
    return route.subnet_of(part)


def server_address(facts: Facts) -> Iterator[Finding]:
    """A Linux client routes our IPCP address into its tunnel, and then its GRE with it."""
    if facts.policy is None:
        return
    own = {pool.server_address for pool in facts.policy.pools} | {
        facts.policy.system.server_address
    }
    outer = sorted(address for address in facts.outer_addresses() if address in own)
    if outer:
        yield warning(
            "server address",
            f"{outer[0]} is the address that clients dial and the Server Address of IPCP too; "
            "Linux clients then send their GRE into its own tunnel",
            "fastpptp system set --server-address with an address inside the tunnels",
        )
    else:
        yield ok("server address", f"{facts.policy.system.server_address} is not dialled")
