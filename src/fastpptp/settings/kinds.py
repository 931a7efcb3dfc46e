"""The kinds of value that an attribute can have.

A kind reads what a TOML file, a JSON request or the store holds (`load`), what a person
types (`parse`), and writes it back in one canonical plain form (`dump`) and for people
(`shown`). `allowed` says in words what it takes. Types and ranges are pydantic's work; the
words are ours.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import Annotated, Any, Generic, TypeAlias, TypeVar

from pydantic import Field, TypeAdapter, ValidationError

from fastpptp.events.routing import NONE, Severities
from fastpptp.methods import AuthMethod

T = TypeVar("T")
Plain: TypeAlias = bool | int | str | list[str]

ON = frozenset({"yes", "on", "true", "1"})
OFF = frozenset({"no", "off", "false", "0"})
NOTHING = "none"
MASK = "********"


class Kind(ABC, Generic[T]):
    """Reads and writes values of one kind. A value it does not take is a ValueError.

    A value of a `secret` kind is in no error and on no screen.
    """

    allowed: str
    secret = False

    @abstractmethod
    def load(self, raw: object) -> T:
        """The Python value of a plain one."""

    @abstractmethod
    def dump(self, value: T) -> Plain:
        """The canonical plain value: what the store and TOML keep."""

    def parse(self, text: str) -> Plain:
        """The canonical plain value of what a person typed."""
        return self.dump(self.load(text.strip()))

    def canonical(self, raw: object) -> Plain:
        return self.dump(self.load(raw))

    def shown(self, plain: Plain) -> str:
        """A canonical plain value as people read it."""
        return str(plain)

    def told(self, plain: Plain) -> Plain:
        """A canonical plain value as programs are told it: no secret."""
        return self.shown(plain) if self.secret else plain

    def boxes(self, plain: Plain) -> Mapping[str, bool]:
        """The boxes that a screen has for it, checked or not; none but for word sets."""
        return {}


class _Adapted(Kind[T]):
    """A kind whose check is a pydantic type."""

    def __init__(self, type_: Any, allowed: str) -> None:
        self._adapter: TypeAdapter[T] = TypeAdapter(type_)
        self.allowed = allowed

    def load(self, raw: object) -> T:
        try:
            return self._adapter.validate_python(raw)
        except ValidationError:
            raise ValueError(self.allowed) from None


class Flag(_Adapted[bool]):
    """Yes or no."""

    def __init__(self) -> None:
        super().__init__(Annotated[bool, Field(strict=True)], "true or false")

    def dump(self, value: bool) -> Plain:
        return value

    def parse(self, text: str) -> Plain:
        word = text.strip().lower()
        if word not in ON | OFF:
            raise ValueError("yes or no")
        return word in ON

    def shown(self, plain: Plain) -> str:
        return "yes" if plain else "no"


class Integer(_Adapted[int]):
    """A whole number from `low` to `high`; `zero` says what 0 means, also when it lies outside."""

    def __init__(self, low: int, high: int, *, unit: str = "", zero: str = "") -> None:
        span: Any = Annotated[int, Field(strict=True, ge=low, le=high)]
        if zero and low > 0:
            span = span | Annotated[int, Field(strict=True, ge=0, le=0)]
        words = f"{low} to {high}" + (f" {unit}" if unit else "")
        super().__init__(span, f"{words}, 0 = {zero}" if zero else words)
        self._unit, self._zero = unit, zero

    def dump(self, value: int) -> Plain:
        return value

    def parse(self, text: str) -> Plain:
        try:
            number = int(text)
        except ValueError:
            raise ValueError(self.allowed) from None
        return self.dump(self.load(number))

    def shown(self, plain: Plain) -> str:
        if self._zero and plain == 0:
            return f"0 ({self._zero})"
        return f"{plain} {self._unit}".rstrip()


class Text(_Adapted[str]):
    """Printable text of bounded length."""

    def __init__(self, low: int, high: int) -> None:
        span = Annotated[str, Field(strict=True, min_length=low, max_length=high)]
        super().__init__(span, f"{low} to {high} printable characters")

    def load(self, raw: object) -> str:
        value = super().load(raw)
        if not value.isprintable():
            raise ValueError(self.allowed)
        return value

    def dump(self, value: str) -> Plain:
        return value


class Secret(_Adapted[str]):
    """A password: any text of bounded length."""

    secret = True

    def __init__(self, low: int, high: int) -> None:
        span = Annotated[str, Field(strict=True, min_length=low, max_length=high)]
        super().__init__(span, f"{low} to {high} characters")

    def parse(self, text: str) -> Plain:
        return self.dump(self.load(text))  # spaces count

    def dump(self, value: str) -> Plain:
        return value

    def shown(self, plain: Plain) -> str:
        return MASK if plain else NOTHING


class Choice(Kind[str]):
    """One of some words; case does not matter when it is read."""

    def __init__(self, words: Sequence[str], allowed: str = "") -> None:
        self.words = tuple(words)
        self._folded = {word.casefold(): word for word in words}
        self.allowed = allowed or " | ".join(words)

    def load(self, raw: object) -> str:
        word = self._folded.get(raw.casefold()) if isinstance(raw, str) else None
        if word is None:
            raise ValueError(self.allowed)
        return word

    def dump(self, value: str) -> Plain:
        return value


class Several(Kind[frozenset[T]]):
    """Any of some words, each standing for a value; kept as a list in the order declared."""

    def __init__(self, values: Mapping[str, T]) -> None:
        self._values = dict(values)
        self._word = Choice(tuple(values))
        self.allowed = f"any of {', '.join(values)}"

    def load(self, raw: object) -> frozenset[T]:
        if isinstance(raw, str):
            raw = [] if raw in ("", NOTHING) else [part.strip() for part in raw.split(",")]
        if not isinstance(raw, (list, tuple)):
            raise ValueError(self.allowed)
        try:
            return frozenset(self._values[self._word.load(part)] for part in raw)
        except ValueError:
            raise ValueError(self.allowed) from None

    def dump(self, value: frozenset[T]) -> Plain:
        return [word for word, meant in self._values.items() if meant in value]

    def shown(self, plain: Plain) -> str:
        return ", ".join(word for word, checked in self.boxes(plain).items() if checked) or NOTHING

    def boxes(self, plain: Plain) -> Mapping[str, bool]:
        checked = self.load(plain)
        return {word: meant in checked for word, meant in self._values.items()}


def words(*given: str) -> Several[str]:
    """Several words that stand for themselves."""
    return Several({word: word for word in given})


class Address(_Adapted[IPv4Address]):
    """An IPv4 address."""

    def __init__(self) -> None:
        super().__init__(IPv4Address, "an IPv4 address such as 172.16.1.1")

    def load(self, raw: object) -> IPv4Address:
        if not isinstance(raw, (str, IPv4Address)):
            raise ValueError(self.allowed)
        return super().load(raw)

    def dump(self, value: IPv4Address) -> Plain:
        return str(value)


class Network(_Adapted[IPv4Network]):
    """An IPv4 network."""

    def __init__(self) -> None:
        super().__init__(IPv4Network, "an IPv4 network such as 172.16.1.0/24")

    def load(self, raw: object) -> IPv4Network:
        if not isinstance(raw, (str, IPv4Network)):
            raise ValueError(self.allowed)
        return super().load(raw)

    def dump(self, value: IPv4Network) -> Plain:
        return str(value)


class Prefix(_Adapted[IPv6Network]):
    """An IPv6 network to cut /64s from, one a session."""

    def __init__(self) -> None:
        super().__init__(IPv6Network, "an IPv6 prefix of 16 to 64 bits such as 2001:db8::/48")

    def load(self, raw: object) -> IPv6Network:
        if not isinstance(raw, (str, IPv6Network)):
            raise ValueError(self.allowed)
        value = super().load(raw)
        if not 16 <= value.prefixlen <= 64 or value.is_multicast:
            raise ValueError(self.allowed)
        return value

    def dump(self, value: IPv6Network) -> Plain:
        return str(value)


class AnyNetwork(_Adapted[IPv4Network | IPv6Network]):
    """An IPv4 or IPv6 network."""

    def __init__(self) -> None:
        super().__init__(IPv4Network | IPv6Network, "networks such as 192.168.7.0/24")

    def load(self, raw: object) -> IPv4Network | IPv6Network:
        if not isinstance(raw, (str, IPv4Network, IPv6Network)):
            raise ValueError(self.allowed)
        return super().load(raw)

    def dump(self, value: IPv4Network | IPv6Network) -> Plain:
        return str(value)


class Listed(Kind[tuple[T, ...]]):
    """At most `most` different values of a kind, in their order; `none` is none of them."""

    def __init__(self, kind: Kind[T], most: int) -> None:
        self._kind = kind
        self._most = most
        self.allowed = f"{kind.allowed}, at most {most} of them"

    def load(self, raw: object) -> tuple[T, ...]:
        if isinstance(raw, str):
            raw = [] if raw in ("", NOTHING) else [part.strip() for part in raw.split(",")]
        if not isinstance(raw, (list, tuple)) or len(raw) > self._most:
            raise ValueError(self.allowed)
        try:
            return tuple(dict.fromkeys(self._kind.load(part) for part in raw))
        except ValueError:
            raise ValueError(self.allowed) from None

    def dump(self, value: tuple[T, ...]) -> Plain:
        return [str(self._kind.dump(item)) for item in value]

    def shown(self, plain: Plain) -> str:
        return ", ".join(plain) if isinstance(plain, list) and plain else NOTHING


class Optional(Kind[T | None]):
    """A kind, or `none`."""

    def __init__(self, kind: Kind[T]) -> None:
        self._kind = kind
        self.allowed = f"{kind.allowed}, or {NOTHING}"
        self.secret = kind.secret

    def load(self, raw: object) -> T | None:
        if isinstance(raw, str) and raw.casefold() == NOTHING:
            return None
        try:
            return self._kind.load(raw)
        except ValueError:
            raise ValueError(self.allowed) from None

    def dump(self, value: T | None) -> Plain:
        return NOTHING if value is None else self._kind.dump(value)

    def shown(self, plain: Plain) -> str:
        return NOTHING if plain == NOTHING else self._kind.shown(plain)


class SeverityRange(Kind[Severities]):
    """A range of event severities: `1-5`, `3` or `none`."""

    allowed = "a range of severities within 1-13 such as 1-5, or none"

    def load(self, raw: object) -> Severities:
        if isinstance(raw, int) and not isinstance(raw, bool):
            raw = str(raw)
        if not isinstance(raw, str):
            raise ValueError(self.allowed)
        if raw.casefold() == NOTHING:
            return NONE
        first, _, last = raw.partition("-")
        if not (first.strip().isdecimal() and (last or first).strip().isdecimal()):
            raise ValueError(self.allowed)
        found = Severities(int(first), int(last or first))
        if not 1 <= found.first <= found.last <= 13:
            raise ValueError(self.allowed)
        return found

    def dump(self, value: Severities) -> Plain:
        return str(value)


AUTHENTICATION_PROTOCOLS: Several[AuthMethod] = Several(
    {
        "PAP": AuthMethod.PAP,
        "CHAP": AuthMethod.CHAP,
        "MSCHAPv1": AuthMethod.MSCHAP_V1,
        "MSCHAPv2": AuthMethod.MSCHAP_V2,
        "EAP Proxy": AuthMethod.EAP,
    }
)
