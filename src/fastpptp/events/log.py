"""What an event record is, what can be asked of a log of them, and a log in memory.

The headend's own log is a database that a process of its own keeps (recorder/); EventLog is for
who embeds a headend without one, and says in plain Python what the database must answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address
from itertools import islice
from typing import NamedTuple

from fastpptp.events.catalogue import EVENTS, Occurrence
from fastpptp.events.routing import Destination, EventPolicy

EVERY_CLIENT = IPv4Address(0)

# Pages count from 1, and one beyond the last is the last.
LAST_PAGE = 1 << 62


@dataclass(frozen=True, slots=True)
class Told(Occurrence):
    """An event as it was told once: its words, severity and look, whatever the catalogue says now.

    Of its fields `group`, `user`, `account` and `code` are known.
    """

    words: str
    rank: int
    shown: bool

    @property
    def severity(self) -> int:
        return self.rank

    @property
    def shows_peer(self) -> bool:
        return self.shown

    def text(self) -> str:
        return self.words


class EventRecord(NamedTuple):
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

    @property
    def user(self) -> str:
        """The name as it was typed."""
        return self.occurrence.fields.get("user", "")

    @property
    def account(self) -> str:
        """The user that the name stands for."""
        return self.occurrence.fields.get("account", "")

    def text(self) -> str:
        return self.occurrence.text()


@dataclass(frozen=True, slots=True)
class EventQuery:
    """What to show. Empty sets, strings, None and 0.0.0.0 mean every one; pages count from 1.

    `user` is the name that was typed, or the user that it stands for.
    `since` and `until` are aware times, both included. `text` is looked for in the event's words,
    upper and lower case alike. `after` and `before` are sequence numbers, both left out.
    """

    classes: frozenset[str] = frozenset()
    severities: frozenset[int] = frozenset()
    client: IPv4Address = EVERY_CLIENT
    group: str = ""
    user: str = ""
    cause: str = ""
    since: datetime | None = None
    until: datetime | None = None
    text: str = ""
    after: int | None = None
    before: int | None = None
    newest_first: bool = False
    per_page: int = 100
    page: int = 1

    def matches(self, record: EventRecord) -> bool:
        return (
            (not self.classes or record.cls in self.classes)
            and (not self.severities or record.severity in self.severities)
            and self.client in (EVERY_CLIENT, record.peer)
            and self.group in ("", record.group)
            and self.user in ("", record.user, record.account)
            and self.cause in ("", record.occurrence.cause)
            and (self.since is None or record.wall >= self.since)
            and (self.until is None or record.wall <= self.until)
            and (self.after is None or record.sequence > self.after)
            and (self.before is None or record.sequence < self.before)
            and self.has_text(record.text())
        )

    def has_text(self, words: str) -> bool:
        return not self.text or self.text.casefold() in words.casefold()


@dataclass(frozen=True, slots=True)
class EventPage:
    """One page of what a query found: `page` of `pages`, `total` records in all.

    Where it is not `exact`, there are at most `total`, and a page may be shorter than was asked.
    `newest` is the sequence number of the log's newest record, whatever was asked for.
    """

    records: tuple[EventRecord, ...]
    page: int
    pages: int
    total: int
    exact: bool = True
    newest: int = 0


def turn_to(query: EventQuery, total: int) -> tuple[int, int, int]:
    """The page that a query means where `total` match: its number, of how many, its first rank."""
    size = max(1, query.per_page)
    pages = max(1, -(-total // size))
    page = min(max(1, query.page), pages)
    return page, pages, (page - 1) * size


@dataclass(slots=True)
class Tally:
    """Of a kind of events: its severity, where they go, and how often they happened (RPT)."""

    kind: tuple[str, int]
    severity: int
    places: frozenset[Destination]
    repeat: int = 0


class Numbering:
    """Numbers and counts events, and knows where each goes.

    Numbers, from `last` + 1 on, and RPT go on for events that no destination takes, so gaps show
    what was hidden.
    """

    def __init__(self, policy: EventPolicy, last: int = 0) -> None:
        self._policy = policy
        self._tallies: dict[tuple[str, int], Tally] = {}
        self.sequence = last  # the last that was given

    @property
    def policy(self) -> EventPolicy:
        return self._policy

    @property
    def repeats(self) -> Mapping[tuple[str, int], int]:
        """RPT of every (class, number) that happened since start."""
        return {kind: tally.repeat for kind, tally in self._tallies.items() if tally.repeat}

    def update(self, policy: EventPolicy) -> None:
        """Route by this policy from now on."""
        self._policy = policy
        for (cls, _), tally in self._tallies.items():
            tally.places = policy.destinations(cls, tally.severity)

    def go_on_above(self, sequence: int) -> None:
        """Give higher numbers than this from now on."""
        self.sequence = max(self.sequence, sequence)

    def places(self, cls: str, number: int) -> frozenset[Destination]:
        """Where an event of this kind goes."""
        return self._tally((cls, number)).places

    def count(self, cls: str, number: int) -> Tally:
        """Give an event of this kind that happened now its number and its RPT."""
        self.sequence += 1
        tally = self._tally((cls, number))
        tally.repeat += 1
        return tally

    def _tally(self, kind: tuple[str, int]) -> Tally:
        found = self._tallies.get(kind)
        if found is None:
            severity = EVENTS[kind].severity
            places = self._policy.destinations(kind[0], severity)
            found = self._tallies[kind] = Tally(kind, severity, places)
        return found


class EventLog:
    """Numbers events and keeps the newest of those that the policy sends to the log.

    Not thread-safe: it belongs to one event loop.
    """

    def __init__(self, policy: EventPolicy | None = None) -> None:
        self._numbering = Numbering(policy or EventPolicy())
        self._records: deque[EventRecord] = deque(maxlen=self._numbering.policy.capacity)

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[EventRecord]:
        """Oldest first."""
        return iter(self._records)

    @property
    def policy(self) -> EventPolicy:
        return self._numbering.policy

    @property
    def repeats(self) -> Mapping[tuple[str, int], int]:
        """RPT of every (class, number) that happened since start."""
        return self._numbering.repeats

    def update(self, policy: EventPolicy) -> None:
        """Route by this policy from now on; a smaller capacity drops the oldest records."""
        if policy.capacity != self.policy.capacity:
            self._records = deque(self._records, maxlen=policy.capacity)
        self._numbering.update(policy)

    def record(self, occurrence: Occurrence, wall: datetime) -> EventRecord:
        """Number and count an event that happened at `wall`, and keep it where the log takes it."""
        tally = self._numbering.count(occurrence.cls, occurrence.number)
        sequence = self._numbering.sequence
        made = EventRecord(sequence, wall, tally.repeat, occurrence, tally.places)
        self.keep(made)
        return made

    def keep(self, record: EventRecord) -> None:
        """Keep a record that was numbered elsewhere, if it goes to the log."""
        if Destination.LOG in record.destinations:
            self._records.append(record)

    def query(self, query: EventQuery) -> EventPage:
        """One page of the matching records; a page beyond the last is the last."""
        found = [record for record in self._records if query.matches(record)]
        if query.newest_first:
            found.reverse()
        page, pages, first = turn_to(query, len(found))
        records = tuple(islice(found, first, first + max(1, query.per_page)))
        newest = self._records[-1].sequence if self._records else 0
        return EventPage(records, page, pages, len(found), newest=newest)

    def clear(self) -> None:
        """Forget the records; sequence numbers and RPT go on."""
        self._records.clear()
