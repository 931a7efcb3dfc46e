"""Snapshots as JSON can carry them: octets as `{"octets": hexadecimal}`, tuples as lists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OCTETS = "octets"


def freeze(value: Any) -> Any:
    """Numbers, text, octets, None, and tuples, lists and dictionaries of them, for JSON."""
    if isinstance(value, bytes):
        return {_OCTETS: value.hex()}
    if isinstance(value, Mapping):
        return {name: freeze(item) for name, item in value.items()}
    return [freeze(item) for item in value] if isinstance(value, (list, tuple)) else value


def thaw(value: Any) -> Any:
    """What freeze() was given, but tuples are lists."""
    if isinstance(value, Mapping):
        if value.keys() == {_OCTETS}:
            return bytes.fromhex(value[_OCTETS])
        return {name: thaw(item) for name, item in value.items()}
    return [thaw(item) for item in value] if isinstance(value, list) else value
