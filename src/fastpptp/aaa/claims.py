"""Login claims: who is logged in how often, held against Simultaneous Logins."""

from __future__ import annotations

from itertools import count


class LoginClaims:
    """Claims by user. A claim is taken before Success is sent, and given back once."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._held: dict[str, set[int]] = {}

    def claim(self, user: str, limit: int) -> int | None:
        """A claim's number, or None when `user` holds `limit` of them already."""
        held = self._held.get(user, set())
        if len(held) >= limit:
            return None
        number = next(self._numbers)
        self._held.setdefault(user, held).add(number)
        return number

    def release(self, user: str, number: int) -> None:
        """Give a claim back. One that is not held changes nothing."""
        held = self._held.get(user, set())
        held.discard(number)
        if not held:
            self._held.pop(user, None)

    def held(self, user: str) -> int:
        """How many logins `user` has."""
        return len(self._held.get(user, ()))

    def __len__(self) -> int:
        return sum(map(len, self._held.values()))
