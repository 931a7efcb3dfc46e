"""Our own nftables table: it keeps the kernel from telling peers that GRE has no receiver.

A raw socket whose buffer is full does not count as a receiver, so the kernel answers each
GRE packet that overruns it with ICMP protocol-unreachable, and peers hang up on that. The
one rule here drops such answers, and those alone: ICMP type 3 code 2 that quotes protocol 47.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from fastpptp.errors import UnavailableError

FAMILY = "ip"

# Into the ICMP message: its header of 8 octets, then the quoted IP header's protocol field at 9.
QUOTED_PROTOCOL = {"base": "th", "offset": (8 + 9) * 8, "len": 8}
GRE = 47


def rules(table: str) -> list[dict[str, Any]]:
    """The commands that make the table; an older one of the same name is replaced."""
    place = {"family": FAMILY, "table": table}
    chain = {"name": "output", "type": "filter", "hook": "output", "prio": 0, "policy": "accept"}
    icmp = [
        _equals({"payload": {"protocol": "icmp", "field": "type"}}, "destination-unreachable"),
        _equals({"payload": {"protocol": "icmp", "field": "code"}}, "prot-unreachable"),
        _equals({"payload": QUOTED_PROTOCOL}, GRE),
    ]
    rule = {"chain": "output", "expr": [*icmp, {"counter": None}, {"drop": None}]}
    return [
        {"add": {"table": {"family": FAMILY, "name": table}}},
        {"delete": {"table": {"family": FAMILY, "name": table}}},
        {"add": {"table": {"family": FAMILY, "name": table}}},
        {"add": {"chain": place | chain}},
        {"add": {"rule": place | rule}},
    ]


def _equals(left: dict[str, Any], right: object) -> dict[str, Any]:
    return {"match": {"op": "==", "left": left, "right": right}}


class IcmpGuard:
    """The table's life: `install`, and `remove` of what was installed.

    `command` is nft's; another may stand in for it.
    """

    def __init__(self, table: str, command: Sequence[str] = ("nft", "-j", "-f", "-")) -> None:
        self._table = table
        self._command = tuple(command)
        self._installed = False

    def install(self) -> None:
        """Make the table. UnavailableError where nft is absent or refuses."""
        self._run(rules(self._table))
        self._installed = True

    def remove(self) -> None:
        """Delete the table, if it was made."""
        if self._installed:
            self._installed = False
            self._run([{"delete": {"table": {"family": FAMILY, "name": self._table}}}])

    def _run(self, commands: list[dict[str, Any]]) -> None:
        try:
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
