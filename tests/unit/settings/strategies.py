"""Configurations of any shape, made from the declarations."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any

from hypothesis import strategies as st

from fastpptp.events.catalogue import CLASSES
from fastpptp.settings import attributes
from fastpptp.settings.attributes import Attribute, Level
from fastpptp.settings.entries import LISTS, EntryList
from fastpptp.settings.kinds import Plain
from fastpptp.settings.tree import (
    Configuration,
    FilterEntry,
    GroupEntry,
    PoolRange,
    UserEntry,
)

# One of them or another is taken by every kind.
CANDIDATES: tuple[Any, ...] = (
    True, False, 0, 1, 3, 10, 100, 600, 5000, "none", "1-5", "1-13", "10.9.8.7", "10.9.0.0/16",
    "2001:db8::/48", "auto", "on", "off", "a community", "Original", "Cisco IOS Compatible",
    "Never", "MPPC", [],
    ["PAP"], ["CHAP", "MSCHAPv2"], ["Required", "40-bit", "128-bit"], ["PPTP"], ["2", "3"],
    "Inbound", "Forward and Log", "Established", "TCP", "log.example.com", "/dev/log",
    "ops@example.com", "Local 3", "unix", "STARTTLS", "SNMPv1", "SHA", "\x01a secret",
)  # fmt: skip
NAMES = st.text(min_size=1, max_size=12).filter(lambda s: s.isprintable() and s == s.strip())
# Marked, so that it is not by chance a part of something else that is told.
PASSWORDS = st.text(min_size=4, max_size=12).map(lambda text: f"\x01{text}")
ADDRESSES = st.integers(1, 2**32 - 1).map(IPv4Address)


def values_of(attribute: Attribute) -> st.SearchStrategy[Plain]:
    """Canonical plain values of an attribute."""
    found = []
    for candidate in CANDIDATES:
        try:
            found.append(attribute.kind.canonical(candidate))
        except ValueError:
            continue
    assert found, attribute.name
    return st.sampled_from(found)


def some_of(declared: Mapping[str, Attribute]) -> st.SearchStrategy[dict[str, Plain]]:
    return st.fixed_dictionaries(
        {}, optional={name: values_of(attribute) for name, attribute in declared.items()}
    )


def own(level: Level) -> st.SearchStrategy[dict[str, Plain]]:
    return some_of(attributes.at(level))


SECTIONS = st.fixed_dictionaries(
    {}, optional={name: some_of(declared) for name, declared in attributes.SECTIONS.items()}
).map(lambda sections: {name: values for name, values in sections.items() if values})
POOLS = st.builds(PoolRange, ADDRESSES, ADDRESSES, st.none() | ADDRESSES)
SPANS = st.sampled_from([(), ("Mon 09:00-10:00",), ("Sat,Sun 00:00-24:00", "Mon 01:00-02:00")])
GROUPS = st.builds(
    GroupEntry,
    st.sampled_from([attributes.INTERNAL, attributes.EXTERNAL]),
    st.just("") | PASSWORDS,
    own(Level.GROUP),
)
USERS = st.builds(
    UserEntry,
    PASSWORDS,
    st.none() | NAMES.filter(lambda name: name.casefold() != "none"),
    st.none() | ADDRESSES,
    st.none() | ADDRESSES,
    own(Level.USER),
)
RULES = some_of(attributes.RULE_ATTRIBUTES).flatmap(
    lambda own: NAMES.map(lambda name: {**own, "name": name})
)
FILTERS = st.builds(
    FilterEntry,
    some_of(attributes.FILTER_ATTRIBUTES),
    st.lists(RULES, max_size=3).map(tuple),
)


def entries(of: EntryList) -> st.SearchStrategy[tuple[tuple[str, dict[str, Plain]], ...]]:
    required = {name: values_of(of.attributes[name]) for name in of.required}
    optional = {name: values_of(attribute) for name, attribute in of.optional.items()}
    values = st.fixed_dictionaries(required, optional=optional)
    return st.dictionaries(NAMES, values, min_size=1, max_size=3).map(lambda d: tuple(d.items()))


ENTRY_LISTS = st.fixed_dictionaries({}, optional={name: entries(of) for name, of in LISTS.items()})
# Of the right form; what fits together is another question.
TREES = st.builds(
    Configuration,
    sections=SECTIONS,
    base=own(Level.BASE),
    groups=st.dictionaries(NAMES, GROUPS, max_size=2),
    users=st.dictionaries(NAMES, USERS, max_size=2),
    pools=st.lists(POOLS, max_size=2).map(tuple),
    hours=st.dictionaries(NAMES, SPANS, max_size=2),
    filters=st.dictionaries(NAMES, FILTERS, max_size=2),
    lists=ENTRY_LISTS,
    event_classes=st.dictionaries(
        st.sampled_from(CLASSES), some_of(attributes.EVENT_CLASS_ATTRIBUTES), max_size=2
    ),
)
