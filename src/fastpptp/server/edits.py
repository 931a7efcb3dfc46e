"""What the event log says of edits of the store: who changed what, with the revision it made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.store.history import Recorded

# Changes of one edit that are told in full; `fastpptp config history` has all.
TOLD = 5


def told(found: Iterable[Recorded]) -> Iterator[Occurrence]:
    """CONFIG/100 for each revision; its changes come in their order, none holds a password."""
    for revision, changes in groupby(found, key=lambda change: change.revision):
        made = list(changes)
        words = [f"{change.path}: {change.old} -> {change.new}" for change in made[:TOLD]]
        if len(made) > TOLD:
            words.append(f"and {len(made) - TOLD} more")
        yield occur(
            "CONFIG", 100, what=f"revision {revision} by {made[0].author}: {'; '.join(words)}"
        )
