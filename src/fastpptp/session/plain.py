"""Frozen dataclasses as plain data (numbers, text, lists) and back, for snapshots."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")

_REVIVERS: Mapping[type, Callable[[Any], Any]] = {
    IPv4Address: ip_address,  # where a field takes either version, the text tells which
    IPv6Network: IPv6Network,
    bytes: bytes.fromhex,
}


_AS_TEXT = (IPv4Address, IPv4Network, IPv6Address, IPv6Network)


def plain(value: Any) -> Any:
    """`value` as JSON can carry it: octets in hexadecimal, addresses as text, enums by name."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        return value.hex()
    return str(value) if isinstance(value, _AS_TEXT) else value


def revive(cls: type[T], value: Mapping[str, Any] | None) -> T | None:
    """The dataclass that plain() told of, by the annotations of its fields; None for None."""
    if value is None:
        return None
    hints = get_type_hints(cls)
    return cls(**{name: _revive(hints[name], item) for name, item in value.items()})


def _revive(hint: Any, value: Any) -> Any:
    if value is None:
        return None
    if get_origin(hint) is tuple:
        return tuple(map(_revive, _parts(hint, value), value))
    choices = [choice for choice in get_args(hint) if choice is not type(None)]
    kind = choices[0] if choices else hint
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind[value]
    return _REVIVERS.get(kind, lambda item: item)(value)


def _parts(hint: Any, value: Any) -> list[Any]:
    """The annotation of each item of a tuple."""
    args = get_args(hint)
    return [args[0]] * len(value) if args[-1] is Ellipsis else list(args)
