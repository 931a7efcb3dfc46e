"""The Filterable Event Log: a bounded ring of numbered records, and questions about it."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from itertools import islice

from fastpptp.events.catalogue import EVENTS, Occurrence
from fastpptp.events.routing import Destination, EventPolicy

EVERY_CLIENT = IPv4Address(0)


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event with its place in time: `repeat` is RPT, how often it happened since start.

    `destinations` is where the policy of that moment sent it.
    """

    sequence: int
    wall: datetime
    repeat: int
    occurrence: Occurrence
    destinations: frozenset[Destination]

    @property
    def cls(self) -> str:
        return self.occurrence.cls

    @property
    def number(self) -> int:
        return self.occurrence.number

    @property
    def severity(self) -> int:
        return self.occurrence.severity

    @property
    def peer(self) -> IPv4Address | None:
        return self.occurrence.peer

    @property
    def group(self) -> str:
        return self.occurrence.fields.get("group", "")

    def text(self) -> str:
        return self.occurrence.text()


@dataclass(frozen=True, slots=True)
class EventQuery:
    """What to show. Empty sets, 0.0.0.0 and an empty group mean every one; pages count from 1."""

    classes: frozenset[str] = frozenset()
    severities: frozenset[int] = frozenset()
    client: IPv4Address = EVERY_CLIENT
    group: str = ""
    newest_first: bool = False
    per_page: int = 100
    page: int = 1

    def matches(self, record: EventRecord) -> bool:
        return (
            (not self.classes or record.cls in self.classes)
            and (not self.severities or record.severity in self.severities)
            and self.client in (EVERY_CLIENT, record.peer)
            and self.group in ("", record.group)
        )


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page of what a query found: `page` of `pages`, `total` records in all."""

    records: tuple[EventRecord, ...]
    page: int
    pages: int
    total: int


class EventLog:
    """Numbers events, counts them and keeps the newest of those that the policy sends to the log.

    Sequence numbers and RPT go on for events that no destination takes, so gaps show what was
    hidden. Not thread-safe: it belongs to one event loop.
    """

    def __init__(self, policy: EventPolicy | None = None) -> None:
        self._policy = policy or EventPolicy()
        self._records: deque[EventRecord] = deque(maxlen=self._policy.capacity)
        self._repeats: Counter[tuple[str, int]] = Counter()
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[EventRecord]:
        """Oldest first."""
        return iter(self._records)

    @property
    def policy(self) -> EventPolicy:
        return self._policy

    @property
    def repeats(self) -> Mapping[tuple[str, int], int]:
        """RPT of every (class, number) that happened since start."""
        return self._repeats

    def update(self, policy: EventPolicy) -> None:
        """Route by this policy from now on; a smaller capacity drops the oldest records."""
        if policy.capacity != self._policy.capacity:
            self._records = deque(self._records, maxlen=policy.capacity)
        self._policy = policy

    def wants(self, cls: str, number: int) -> bool:
        """Whether any destination takes this event: ask before a costly text is made."""
        return bool(self._policy.destinations(cls, EVENTS[cls, number].severity))

    def record(self, occurrence: Occurrence, wall: datetime) -> EventRecord:
        """Number and count an event that happened at `wall`, and keep it where the log takes it."""
        self._sequence += 1
        kind = (occurrence.cls, occurrence.number)
        self._repeats[kind] += 1
        places = self._policy.destinations(occurrence.cls, occurrence.severity)
        made = EventRecord(self._sequence, wall, self._repeats[kind], occurrence, places)
        if Destination.LOG in places:
            self._records.append(made)
        return made

    def query(self, query: EventQuery) -> EventPage:
        """One page of the matching records; a page beyond the last is the last."""
        found = [record for record in self._records if query.matches(record)]
        if query.newest_first:
            found.reverse()
        size = max(1, query.per_page)
        pages = max(1, -(-len(found) // size))
        page = min(max(1, query.page), pages)
        records = tuple(islice(found, (page - 1) * size, page * size))
        return EventPage(records, page, pages, len(found))

    def clear(self) -> None:
        """Forget the records; sequence numbers and RPT go on."""
        self._records.clear()
