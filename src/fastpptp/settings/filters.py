"""Traffic filters: what a rule's settings must be together, and what they are to the dataplane."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fastpptp.errors import Problem
from fastpptp.ports import ANY, PacketFilter, PacketRule
from fastpptp.settings import attributes
from fastpptp.settings.attributes import ESTABLISHED, FORWARD, INBOUND, LOG
from fastpptp.settings.kinds import NOTHING
from fastpptp.settings.matching import EVERY, ICMP, ICMPV6, TCP, UDP, protocol_name
from fastpptp.settings.tree import FilterEntry, Values

MAX_NAME = 48
MAX_RULES = 256
MAX_FILTERS = 1024
DEFAULT_ACTION = "Default Action"

PORTS = ("source_port", "destination_port")
ICMP_FIELDS = ("icmp_type", "icmp_code")
ADDRESSES = ("source_address", "destination_address")
_FAMILY = {ICMP: 4, ICMPV6: 6}


def filter_problems(filters: Mapping[str, FilterEntry]) -> Iterator[Problem]:
    """What is wrong with the filters, but for the form of their names."""
    if len(filters) > MAX_FILTERS:
        yield Problem("filters", f"are {len(filters)}", f"at most {MAX_FILTERS}")
    for name, entry in filters.items():
        where = f"filters.{name}"
        if name.casefold() == NOTHING:
            yield Problem(where, "would be no filter", "choose another name")
        if len(entry.rules) > MAX_RULES:
            yield Problem(where, f"has {len(entry.rules)} rules", f"at most {MAX_RULES}")
        places: dict[Any, int] = {}
        for place, rule in enumerate(entry.rules, 1):
            first = places.setdefault(rule.get("name"), place)
            if first != place:
                problem = f"{rule.get('name')!r} is the name of rules[{first}] already"
                yield Problem(f"{where}.rules[{place}].name", problem, "choose another name")
            if "name" in rule:  # else check.py tells that it has none
                yield from rule_problems(f"{where}.rules[{place}]", rule)


def rule_problems(where: str, rule: Values) -> Iterator[Problem]:
    """What in a rule does not go together."""
    values = _loaded(rule)
    protocol = values["protocol"]
    named = "any protocol" if protocol is None else f"the protocol {protocol_name(protocol)}"
    for name, wanted in (
        *((port, (TCP, UDP)) for port in PORTS),
        *((field, (ICMP, ICMPV6)) for field in ICMP_FIELDS),
    ):
        if rule.get(name, EVERY) != EVERY and protocol not in wanted:
            allowed = " or ".join(map(protocol_name, wanted))
            yield Problem(
                f"{where}.{name}", f"is set for {named}", f"set the protocol to {allowed}"
            )
    if values["tcp_connection"] == ESTABLISHED and protocol != TCP:
        yield Problem(
            f"{where}.tcp_connection", f"is {ESTABLISHED} for {named}", "set the protocol to TCP"
        )
    yield from _families(where, values)


def _families(where: str, values: Mapping[str, Any]) -> Iterator[Problem]:
    versions = {name: values[name].version for name in ADDRESSES if values[name].version}
    if len(set(versions.values())) > 1:
        yield Problem(
            where,
            "its addresses are of IPv4 and of IPv6, and no packet has both",
            "make a rule for each",
        )
        return
    family = _FAMILY.get(values["protocol"])
    for name, version in versions.items():
        if family not in (None, version):
            problem = f"is of IPv{version}, and {protocol_name(values['protocol'])} of IPv{family}"
            yield Problem(f"{where}.{name}", problem, "choose another protocol or address")


def rule_text(rule: Values) -> str:
    """A rule in one line."""
    own = {**_defaults(), **rule}
    ends = (
        f"{word} {own[address]}" + ("" if own[port] == EVERY else f" port {own[port]}")
        for word, address, port in zip(("from", "to"), ADDRESSES, PORTS, strict=True)
    )
    icmp = (f"{name[5:]} {own[name]}" for name in ICMP_FIELDS if own[name] != EVERY)
    tcp = [ESTABLISHED] if own["tcp_connection"] == ESTABLISHED else []
    words = (own["direction"], own["action"], own["protocol"], *icmp, *ends, *tcp)
    return f"{own['name']}: {' '.join(map(str, words))}"


def packet_filter(entry: FilterEntry) -> PacketFilter:
    """A filter as the dataplane takes it."""
    declared = attributes.FILTER_ATTRIBUTES
    own = {name: a.kind.load(entry.attributes.get(name, a.default)) for name, a in declared.items()}
    return PacketFilter(
        tuple(map(_packet_rule, entry.rules)),
        forward=FORWARD in own["default_action"],
        log=LOG in own["default_action"],
        fragments=own["fragments"],
        source_routing=own["source_routing"],
    )


def _packet_rule(rule: Values) -> PacketRule:
    own = _loaded(rule)
    source, destination = (own[name] for name in ADDRESSES)
    first, second = PORTS if own["protocol"] not in _FAMILY else ICMP_FIELDS
    return PacketRule(
        name=own["name"],
        inbound=own["direction"] == INBOUND,
        forward=FORWARD in own["action"],
        log=LOG in own["action"],
        version=source.version or destination.version,
        protocol=own["protocol"],
        established=own["tcp_connection"] == ESTABLISHED,
        source=(source.address, source.mask),
        destination=(destination.address, destination.mask),
        first=own[first] if rule.get(first, EVERY) != EVERY else ANY,
        second=own[second] if rule.get(second, EVERY) != EVERY else ANY,
    )


def _defaults() -> dict[str, Any]:
    return {name: a.default for name, a in attributes.RULE_ATTRIBUTES.items()}


def _loaded(rule: Values) -> dict[str, Any]:
    """A rule's settings as Python objects, defaults included."""
    declared = attributes.RULE_ATTRIBUTES
    return {name: a.kind.load(rule.get(name, a.default)) for name, a in declared.items()}
