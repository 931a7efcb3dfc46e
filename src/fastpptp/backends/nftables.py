"""Our own nftables table, and what stands in it.

Always: the kernel must not tell peers that GRE has no receiver. A raw socket whose buffer is
full does not count as a receiver, so the kernel answers each GRE packet that overruns it with
ICMP protocol-unreachable, and peers hang up on that. The rule drops such answers, and those
alone: ICMP type 3 code 2 that quotes protocol 47.

With NAT: what comes out of the tunnels leaves under this machine's address, and this machine's
own GRE is not tracked, since the packets of a busy headend would fill the table of connections.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any, TypeAlias

from fastpptp.backends.capabilities import Capability, lent
from fastpptp.errors import UnavailableError

Item: TypeAlias = dict[str, Any]

FAMILY = "ip"
PREFIX = "fastpptp_"  # of the names of our tables

# Into the ICMP message: its header of 8 octets, then the quoted IP header's protocol field at 9.
QUOTED_PROTOCOL = {"base": "th", "offset": (8 + 9) * 8, "len": 8}
GRE = 47

# Where netfilter's own raw table and source NAT are.
RAW, SOURCE_NAT = -300, 100


def rules(table: str, nat_device: str | None = None) -> list[Item]:
    """The commands that make the table; an older one of the same name is replaced.

    `nat_device`: translate what comes from this device.
    """
    named = {"table": {"family": FAMILY, "name": table}}
    made = _guard(table) + (_nat(table, nat_device) if nat_device else [])
    return [{"add": named}, {"delete": named}, {"add": named}, *made]


def _guard(table: str) -> list[Item]:
    icmp = [
        _equals({"payload": {"protocol": "icmp", "field": "type"}}, "destination-unreachable"),
        _equals({"payload": {"protocol": "icmp", "field": "code"}}, "prot-unreachable"),
        _equals({"payload": QUOTED_PROTOCOL}, GRE),
    ]
    return [
        _chain(table, "output", "filter", "output", 0),
        _rule(table, "output", *icmp, {"counter": None}, {"drop": None}),
    ]


def _nat(table: str, device: str) -> list[Item]:
    return [
        _chain(table, "translate", "nat", "postrouting", SOURCE_NAT),
        _rule(
            table, "translate",
            _equals({"meta": {"key": "iifname"}}, device),
            _equals({"meta": {"key": "oifname"}}, device, "!="),
            {"masquerade": None},
        ),
        _chain(table, "untracked_in", "filter", "prerouting", RAW),
        _rule(table, "untracked_in", *_own_gre("daddr"), {"notrack": None}),
        _chain(table, "untracked_out", "filter", "output", RAW),
        _rule(table, "untracked_out", *_own_gre("saddr"), {"notrack": None}),
    ]  # fmt: skip


def _own_gre(end: str) -> list[Item]:
    """GRE of which this end is this machine: what it forwards for others is left alone."""
    return [
        _equals({"payload": {"protocol": "ip", "field": "protocol"}}, "gre"),
        _equals({"fib": {"result": "type", "flags": [end]}}, "local"),
    ]


def _chain(table: str, name: str, kind: str, hook: str, priority: int) -> Item:
    made = {"family": FAMILY, "table": table, "name": name, "type": kind, "hook": hook}
    return {"add": {"chain": made | {"prio": priority, "policy": "accept"}}}


def _rule(table: str, chain: str, *steps: Item) -> Item:
    return {
        "add": {"rule": {"family": FAMILY, "table": table, "chain": chain, "expr": list(steps)}}
    }


def _equals(left: Item, right: object, op: str = "==") -> Item:
    return {"match": {"op": op, "left": left, "right": right}}


class OwnTable:
    """The life of the table of one TUN: `install`, again when it is to change, and `remove`.

    `command` is nft's; another may stand in for it.
    """

    def __init__(self, tun: str, command: Sequence[str] = ("nft", "-j", "-f", "-")) -> None:
        self._tun = tun
        self._name = f"{PREFIX}{tun}"
        self._command = tuple(command)
        self._nat: bool | None = None  # None = not installed

    def install(self, nat: bool = False) -> None:
        """Make the table, in one transaction. UnavailableError where nft is absent or refuses."""
        if nat != self._nat:
            self._run(rules(self._name, self._tun if nat else None))
            self._nat = nat

    def remove(self) -> None:
        """Delete the table, if it was made."""
        if self._nat is not None:
            self._nat = None
            self._run([{"delete": {"table": {"family": FAMILY, "name": self._name}}}])

    def _run(self, commands: list[Item]) -> None:
        try:
            with lent(Capability.NET_ADMIN):
                subprocess.run(
                    self._command, input=json.dumps({"nftables": commands}), text=True,
                    capture_output=True, check=True, timeout=10,
                )  # fmt: skip
        except FileNotFoundError:
            raise UnavailableError(
                "nft is not installed", "Debian: apt-get install nftables"
            ) from None
        except subprocess.TimeoutExpired:
            raise UnavailableError("nft did not answer within 10 s") from None
        except subprocess.CalledProcessError as error:
            said = (error.stderr or error.stdout or "").strip().splitlines()
            raise UnavailableError(
                f"nft refused: {said[0] if said else error.returncode}"
            ) from None
