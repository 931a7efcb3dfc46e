"""What the headend says, asked for seldom and kept between requests.

A walk is thousands of requests. They are answered out of one snapshot for as long as it is fresh:
a second, or so long that asking takes the headend less than a twentieth of its time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from fastpptp.admin.client import AdminClient
from fastpptp.errors import FastpptpError
from fastpptp.snmp.mib import State
from fastpptp.snmp.tree import Instance, Tree, View

LIFETIME = 1.0  # seconds
SHARE = 20


class Source:
    """A headend's objects. `counts` are the agent's own."""

    def __init__(
        self,
        admin: AdminClient,
        tree: Tree,
        counts: Mapping[str, int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._admin = admin
        self._tree = tree
        self._counts = counts
        self._clock = clock
        self._known: View | FastpptpError | None = None
        self._until = 0.0

    def view(self) -> View:
        """The objects as they are, or were a moment ago. FastpptpError: it does not answer."""
        if self._known is None or self._clock() >= self._until:
            self._known = self._ask()
        if isinstance(self._known, FastpptpError):
            raise self._known
        return self._known

    def end(self, found: Instance) -> None:
        """Carry out a destroy(6). FastpptpError: the headend would not."""
        if found.column.end is not None:
            found.column.end(self._admin, found.row)
        self._known = None

    def _ask(self) -> View | FastpptpError:
        begun = self._clock()
        found: View | FastpptpError
        try:
            state = State(self._admin.snapshot(), lambda: self._clock() - begun, self._counts)
            found = self._tree.view(state)
        except FastpptpError as error:
            found = error
        now = self._clock()
        self._until = now + max(LIFETIME, SHARE * (now - begun))
        return found
