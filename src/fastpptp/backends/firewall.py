"""Whether somebody's rules look at the GRE that this host sends.

Frames that go out by AF_PACKET pass neither netfilter nor IPsec. They may be sent only where
that changes nothing.
"""

from __future__ import annotations

import json
import socket
import struct
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from fastpptp.backends.capabilities import Capability, lent
from fastpptp.backends.nexthops import Changes
from fastpptp.backends.nftables import PREFIX

LIST = ("nft", "-j", "list", "ruleset")
LEGACY_TABLES = Path("/proc/net/ip_tables_names")
OUTGOING = {"output", "postrouting", "egress"}
FAMILIES = {"ip", "inet", "netdev"}
GRE = {"gre", 47}
OTHER_HEADERS = {"tcp", "udp", "udplite", "icmp", "icmpv6", "igmp", "sctp", "dccp", "ip6", "arp"}

NETLINK_XFRM = 6
NETLINK_NETFILTER = 12
NFTABLES = 1 << 6  # NFNLGRP_NFTABLES, 7, as a mask
XFRM_POLICIES = 8  # XFRMGRP_POLICY
XFRM_MSG_GETPOLICY = 0x15
USERPOLICY_ID = 64  # octets of struct xfrm_userpolicy_id
REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
NLMSG_DONE = 3


def meets_gre(ruleset: Iterable[Mapping[str, Any]]) -> bool:
    """Whether nft's JSON ruleset may treat GRE on its way out, or remember that it went.

    Rules that ask for the state of a connection count wherever they are, but for forwarding:
    a peer's GRE may be let in because ours went out.
    """
    chains = {}
    rules = []
    for item in ruleset:
        chain, rule = item.get("chain", {}), item.get("rule", {})
        if _is_others(chain) and "hook" in chain:
            if chain["hook"] in OUTGOING and chain.get("policy") == "drop":
                return True
            chains[_place(chain, chain["name"])] = chain
        if _is_others(rule):
            rules.append(rule)
    return any(_counts(chains.get(_place(rule, rule["chain"])), rule["expr"]) for rule in rules)


def _is_others(item: Mapping[str, Any]) -> bool:
    """Of a family that meets GRE, and not in a table of ours."""
    return item.get("family") in FAMILIES and not item["table"].startswith(PREFIX)


def _place(item: Mapping[str, Any], chain: str) -> tuple[str, str, str]:
    return item["family"], item["table"], chain


def _counts(chain: Mapping[str, Any] | None, steps: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a rule does; without a hook its chain is jumped to."""
    hook = chain["hook"] if chain else ""
    if chain and hook in OUTGOING:
        return _sees_gre(chain["type"], steps)
    if hook == "forward" or any(_excludes(step) for step in steps):
        return False
    said = json.dumps(steps)
    return '"ct"' in said or '"xt"' in said  # iptables' own matches are not spelt out


def _sees_gre(kind: str, steps: Sequence[Mapping[str, Any]]) -> bool:
    if any(_excludes(step) for step in steps):
        return False
    # Address translation leaves our packets, which have this host's address, as they are.
    return kind != "nat" or any(_names_gre(step) for step in steps)


def _excludes(step: Mapping[str, Any]) -> bool:
    """Whether this step of a rule lets no GRE packet through to the rest."""
    match = step.get("match")
    if match is None or match["op"] not in ("==", "in"):
        return False
    left, right = match["left"], _values(match["right"])
    payload, meta = left.get("payload", {}), left.get("meta", {})
    if payload.get("protocol") in OTHER_HEADERS:
        return True
    if meta.get("key") == "l4proto" or payload.get("field") == "protocol":
        return not right & GRE
    return meta.get("key") in ("oifname", "oif") and right == {"lo"}


def _names_gre(step: Mapping[str, Any]) -> bool:
    match = step.get("match")
    return match is not None and bool(_values(match["right"]) & GRE)


def _values(right: Any) -> set[Any]:
    """The right side of a match: one value, or those of a set that is written out."""
    items = right["set"] if isinstance(right, Mapping) and "set" in right else right
    listed = items if isinstance(items, list) else [items]
    if all(isinstance(item, int) or _is_word(item) for item in listed):
        return set(listed)
    return set(GRE)  # what cannot be read may be anything


def _is_word(item: Any) -> bool:
    """Not `@name`, which is a set that lies elsewhere."""
    return isinstance(item, str) and not item.startswith("@")


class Firewall:
    """Looks again when nftables or IPsec policies have changed. For one thread."""

    def __init__(self, command: Sequence[str] = LIST, legacy: Path = LEGACY_TABLES) -> None:
        self._command = tuple(command)
        self._legacy = legacy
        self._changes: list[Changes] | None = None
        self._clear = False

    def leaves_gre_alone(self) -> bool:
        """Whether no rule looks at outgoing GRE; what cannot be read is taken for a rule."""
        if self._changes is None:
            self._changes = list(_subscribe())
            self._clear = self._look()
        elif sum(changes.seen() for changes in self._changes):  # every one of them is emptied
            self._clear = self._look()
        return self._clear

    def close(self) -> None:
        for changes in self._changes or ():
            changes.close()

    def _look(self) -> bool:
        if self._has_legacy_rules():
            return False
        try:
            with lent(Capability.NET_ADMIN):
                done = subprocess.run(self._command, capture_output=True, check=True, timeout=10)
            ruleset = json.loads(done.stdout)["nftables"]
        except (OSError, subprocess.SubprocessError, ValueError):
            return False
        return not meets_gre(ruleset) and not ipsec_in_use()

    def _has_legacy_rules(self) -> bool:
        """Only root may read which tables there are."""
        try:
            return bool(self._legacy.read_text().strip())
        except OSError as error:
            return isinstance(error, PermissionError)


def _subscribe() -> Iterable[Changes]:
    for family, groups in ((NETLINK_NETFILTER, NFTABLES), (NETLINK_XFRM, XFRM_POLICIES)):
        with suppress(OSError):  # a kernel without it has no rules of it
            yield Changes(family, groups)


def ipsec_in_use() -> bool:
    """Whether the kernel has any IPsec policy."""
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_XFRM) as netlink:
            length = 16 + USERPOLICY_ID
            head = struct.pack("=IHHII", length, XFRM_MSG_GETPOLICY, REQUEST_DUMP, 1, 0)
            netlink.sendto(head + bytes(USERPOLICY_ID), (0, 0))
            (kind,) = struct.unpack_from("=4xH", netlink.recv(65536))
    except OSError:
        return False
    return bool(kind != NLMSG_DONE)
