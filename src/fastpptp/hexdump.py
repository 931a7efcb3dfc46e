"""Octets in hexadecimal, for people; octets that must not show are two asterisks each."""

from __future__ import annotations

from collections.abc import Iterable

HIDDEN = "**"
LINE = 16


def tokens(octets: bytes, hidden: Iterable[range] = ()) -> list[str]:
    """Two characters for each octet; those at the places in `hidden` do not show."""
    found = [f"{octet:02x}" for octet in octets]
    for places in hidden:
        for place in places:
            found[place] = HIDDEN
    return found


def line(octets: bytes, hidden: Iterable[range] = ()) -> str:
    """All on one line."""
    return " ".join(tokens(octets, hidden))


def dump(octets: bytes, hidden: Iterable[range] = ()) -> str:
    """Lines of sixteen, each after the offset of its first."""
    words = tokens(octets, hidden)
    return "\n".join(
        f"{start:04x}  {' '.join(words[start : start + LINE])}"
        for start in range(0, len(words), LINE)
    )
