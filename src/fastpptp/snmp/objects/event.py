"""ALTIGA-EVENT-STATS: how often each event happened, the log's RPT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from fastpptp.admin.snapshot import EventCount
from fastpptp.snmp.mib import COUNTER32, STATISTICS, Column, Group, State, Table, ranged

# The numbers of the classes are ours: the published MIBs do not list the product's.
CLASS_NUMBERS: Mapping[str, int] = MappingProxyType(
    {
        "PPTP": 1, "PPTPDBG": 2, "PPTPDECODE": 3,
        "PPP": 4, "PPPDBG": 5, "PPPDECODE": 6,
        "AUTH": 7, "AUTHDBG": 8, "AUTHDECODE": 9,
        "CONFIG": 10, "SYSTEM": 11, "ADDRESS": 12, "DHCP": 13, "FILTER": 14, "SNMP": 15,
        "HTTP": 16,
    }
)  # fmt: skip

NUMBER = ranged(0, 65_535)


def _known(state: State) -> Iterator[EventCount]:
    return (event for event in state.snapshot.events if event.cls in CLASS_NUMBERS)


COUNTS = Table(2, "alEventStatsTable", "alEventStatsEntry",
    ("alEventStatsClass", "alEventStatsEventNumber"),
    _known, lambda event: (CLASS_NUMBERS[event.cls], event.number),
    (
        Column(1, "alEventStatsClass", NUMBER, lambda state, event: CLASS_NUMBERS[event.cls],
               "the event's class", note="numbers of our own: see above"),
        Column(2, "alEventStatsEventNumber", NUMBER, "number", "its number in the class"),
        Column(3, "alEventStatsCount", COUNTER32, "times", "how often it happened"),
    ),
    "A row for each event that has happened since the start.",
)  # fmt: skip

EVENT = Group(
    "alStatsEvent", "ALTIGA-EVENT-STATS-MIB", (*STATISTICS, 4), (COUNTS,),
    "Events by class and number. The classes are "
    + ", ".join(f"{number} {name}" for name, number in CLASS_NUMBERS.items()) + ".",
)  # fmt: skip
