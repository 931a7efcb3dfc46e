"""The policy that is followed, and what it says for tunnels and sessions that begin now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fastpptp.aaa import names
from fastpptp.effects import Effect, SetFilters
from fastpptp.manager.headend import HeadendSession
from fastpptp.manager.translate import control_config, first_policy, link_config
from fastpptp.ports import PacketFilter
from fastpptp.settings.resolve import Effective, PolicySnapshot


class Terms:
    """`control`, `link` and `call` are shared by all that begin under one policy.

    `call` holds until somebody has logged in.
    """

    def __init__(self, policy: PolicySnapshot, host_name: str) -> None:
        self._host_name = host_name
        # Those that the dataplane has.
        self._filters: Mapping[str, PacketFilter] = policy.filters
        self._take(policy)

    def _take(self, policy: PolicySnapshot) -> None:
        self.policy = policy
        self.control = control_config(policy, self._host_name)
        self.link = link_config(policy, self._host_name)
        self.call = first_policy(policy)

    def follow(self, policy: PolicySnapshot, sessions: Iterable[HeadendSession]) -> list[Effect]:
        """Go by another policy; `sessions` are those that there are."""
        self._take(policy)
        filters = {**self._orphaned(sessions), **policy.filters}
        if filters == self._filters:
            return []
        self._filters = filters
        return [SetFilters(filters)]

    def _orphaned(self, sessions: Iterable[HeadendSession]) -> dict[str, PacketFilter]:
        """Filters that are deleted, like the users whose sessions still go by them."""
        named = {
            session.effective.filter for session in sessions if self.holds_for(session) is None
        }
        return {name: self._filters[name] for name in self._filters.keys() & named}

    def holds_for(self, session: HeadendSession) -> Effective | None:
        """What its user has, the base group before one has logged in; None: a user that is gone."""
        if session.account is None:
            return self.policy.base
        user = self.policy.user(session.account)
        return None if user is None else user.effective

    def account_of(self, name: str) -> str | None:
        """Which user a name stands for, None where it is none."""
        user = names.find(self.policy, name)
        return None if user is None else user.name
