"""What a packet of some kind would meet in nftables, as far as JSON rules tell.

For advice, not for decisions: a match that is not understood may or may not hold, so an accept
behind it counts as one, a drop behind it does not.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeAlias

Item: TypeAlias = Mapping[str, Any]

LIST = ("nft", "-j", "list", "ruleset")
FAMILIES = {"ip", "inet"}
NUMBERS = {"tcp": 6, "udp": 17, "gre": 47}
DEPTH = 16  # of jumps, nftables' own limit


class Holds(Enum):
    YES = 1
    MAYBE = 2
    NO = 3


@dataclass(frozen=True, slots=True)
class Packet:
    """The first packet of a connection: `protocol` by name, `device` where it comes in."""

    protocol: str | None = None
    port: int | None = None
    device: str | None = None


def read(command: Sequence[str] = LIST) -> list[Item] | None:
    """nft's ruleset, None when it cannot be had."""
    try:
        done = subprocess.run(command, capture_output=True, check=True, timeout=10)
        items: list[Item] = json.loads(done.stdout)["nftables"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError):
        return None
    return items


def refusing_chain(ruleset: Iterable[Item], hook: str, packet: Packet) -> str | None:
    """`inet filter input`, the chain at this hook that drops the packet; None = all let it in."""
    chains = [item["chain"] for item in ruleset if "chain" in item]
    rules: dict[tuple[str, str, str], list[Item]] = {}
    for item in ruleset:
        if rule := item.get("rule"):
            rules.setdefault((rule["family"], rule["table"], rule["chain"]), []).append(rule)
    for chain in chains:
        if chain.get("hook") != hook or chain["family"] not in FAMILIES:
            continue
        place = (chain["family"], chain["table"], chain["name"])
        admitted = _walk(rules, place, packet, DEPTH)
        if admitted is False or (admitted is None and chain.get("policy") == "drop"):
            return " ".join(place)
    return None


def _walk(
    rules: Mapping[tuple[str, str, str], list[Item]],
    place: tuple[str, str, str],
    packet: Packet,
    depth: int,
) -> bool | None:
    """Whether a chain admits the packet; None when it comes to no end there."""
    for rule in rules.get(place, ()) if depth else ():
        matches = [_holds(step["match"], packet) for step in rule["expr"] if "match" in step]
        if Holds.NO in matches:
            continue
        verdict = rule["expr"][-1] if rule["expr"] else {}
        if "accept" in verdict:
            return True
        if ("drop" in verdict or "reject" in verdict) and Holds.MAYBE not in matches:
            return False
        jump = verdict.get("jump") or verdict.get("goto")
        if jump:
            decided = _walk(rules, (*place[:2], jump["target"]), packet, depth - 1)
            if decided is not None:
                return decided
    return None


def _holds(match: Item, packet: Packet) -> Holds:
    found = _compare(match["left"], match["right"], packet)
    if match["op"] == "!=" and found is not Holds.MAYBE:
        return Holds.NO if found is Holds.YES else Holds.YES
    return found


def _compare(left: Item, right: Any, packet: Packet) -> Holds:
    payload, meta = left.get("payload", {}), left.get("meta", {}).get("key")
    if meta == "l4proto" or payload.get("field") in ("protocol", "nexthdr"):
        return _among(packet.protocol, right)
    if payload.get("protocol") in NUMBERS:
        if payload["protocol"] != packet.protocol:
            return Holds.NO if packet.protocol else Holds.MAYBE
        return _among(packet.port, right) if payload.get("field") == "dport" else Holds.MAYBE
    if meta in ("iifname", "iif"):
        return Holds.NO if right == "lo" else _among(packet.device, right)
    if left.get("ct", {}).get("key") == "state":
        return _among("new", right)
    return Holds.MAYBE


def _among(value: str | int | None, right: Any) -> Holds:
    """Whether a value is what stands on the right side: itself, in a set, in a range."""
    if value is None:
        return Holds.MAYBE
    items = right.get("set", right) if isinstance(right, Mapping) else right
    found = [_is(value, item) for item in (items if isinstance(items, list) else [items])]
    if Holds.YES in found:
        return Holds.YES
    return Holds.MAYBE if Holds.MAYBE in found else Holds.NO


def _is(value: str | int, item: Any) -> Holds:
    if isinstance(item, Mapping):
        low, high = item.get("range", (None, None))
        if isinstance(value, int) and isinstance(low, int) and isinstance(high, int):
            return Holds.YES if low <= value <= high else Holds.NO
        return Holds.MAYBE
    if isinstance(item, str) and (item.startswith("@") or item.endswith("*")):
        return Holds.MAYBE
    return Holds.YES if item == value or item == NUMBERS.get(str(value)) else Holds.NO
