"""Whose an event is: the account and the group behind the user that it names.

The log is searched by them. What an event says itself is left as it is.
"""

from __future__ import annotations

from fastpptp.aaa import names
from fastpptp.aaa.policy import Policy
from fastpptp.events.catalogue import BASE_GROUP, Occurrence


class Whose:
    """Looks users up as a login would, by the policy that holds: see `update`."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy

    def update(self, policy: Policy) -> None:
        self._policy = policy

    def __call__(self, occurrence: Occurrence) -> Occurrence:
        """The event with `account` and `group`, if its user is one of ours."""
        typed = occurrence.fields.get("user")
        user = names.find(self._policy, typed) if typed else None
        if user is None:
            return occurrence
        known = {name: value for name, value in occurrence.fields.items() if value}
        fields = {**occurrence.fields, "account": user.name, "group": user.group or BASE_GROUP}
        return Occurrence(occurrence.cls, occurrence.number, occurrence.peer, {**fields, **known})
