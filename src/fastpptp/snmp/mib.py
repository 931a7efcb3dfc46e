"""How an object is declared: what the agent serves, docs/snmp.md and docs/mibs follow from it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeAlias

from fastpptp import ber
from fastpptp.admin.client import AdminClient
from fastpptp.admin.snapshot import Snapshot
from fastpptp.snmp.reading import Oid

TICKS = 100  # TimeTicks are hundredths of a second

ALTIGA: Oid = (1, 3, 6, 1, 4, 1, 3076)
STATISTICS: Oid = (*ALTIGA, 2, 1, 2)
SYSTEM: Oid = (1, 3, 6, 1, 2, 1, 1)
SNMP: Oid = (1, 3, 6, 1, 2, 1, 11)


@dataclass(frozen=True, slots=True)
class State:
    """What objects are read from: the headend `elapsed()` seconds ago, and the agent's `counts`."""

    snapshot: Snapshot
    elapsed: Callable[[], float]
    counts: Mapping[str, int]

    @property
    def uptime(self) -> float:
        """The headend's now, seconds."""
        return self.snapshot.uptime + self.elapsed()


Row: TypeAlias = Any
Read: TypeAlias = Callable[[State, Row], Any]


@dataclass(frozen=True, slots=True)
class Syntax:
    """A type: its name in a MIB, and how a value is put on the wire."""

    smi: str
    encode: Callable[[Any], bytes]


def _counter(value: int) -> bytes:
    return ber.integer(value & 0xFFFFFFFF, ber.COUNTER32)


def _gauge(value: int) -> bytes:
    return ber.integer(min(max(value, 0), 0xFFFFFFFF), ber.GAUGE32)


def _ticks(seconds: float) -> bytes:
    return ber.integer(int(seconds * TICKS) & 0xFFFFFFFF, ber.TIME_TICKS)


def _signed(value: int) -> bytes:
    """Integer32: of a larger number the largest."""
    return ber.integer(min(value, 0x7FFFFFFF))


def _display(text: str) -> bytes:
    """NVT ASCII (RFC 2579 DisplayString); what is not is shown as the log shows it."""
    return ber.octet_string(text.encode("ascii", "backslashreplace")[:255])


INTEGER32 = Syntax("Integer32", _signed)
COUNTER32 = Syntax("Counter32", _counter)
GAUGE32 = Syntax("Gauge32", _gauge)
UNSIGNED32 = Syntax("Unsigned32", _gauge)
TIME_TICKS = Syntax("TimeTicks", _ticks)
IP_ADDRESS = Syntax("IpAddress", lambda value: ber.tagged(ber.IP_ADDRESS, value.to_bytes(4)))
DISPLAY_STRING = Syntax("DisplayString", _display)
TWO_OCTETS = Syntax("OCTET STRING (SIZE(2))", lambda value: ber.octet_string(value.to_bytes(2)))
OBJECT_IDENTIFIER = Syntax("OBJECT IDENTIFIER", ber.object_identifier)
ROW_STATUS = Syntax("RowStatus", _signed)
TRUTH_VALUE = Syntax("TruthValue", lambda value: ber.integer(1 if value else 2))

ACTIVE, DESTROY = 1, 6  # RFC 2579 RowStatus


def ranged(low: int, high: int) -> Syntax:
    return Syntax(f"Integer32 ({low}..{high})", _signed)


def named(**numbers: int) -> Syntax:
    """An INTEGER whose values have names."""
    listed = ", ".join(f"{name}({number})" for name, number in numbers.items())
    return Syntax(f"INTEGER {{ {listed} }}", _signed)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, or with number 0 no column: see Scalar.

    `read` is the value of a row: a field's name, or a function of State and row. `end` is what
    destroy(6) does to a row. `note` says what is ours where the published MIB leaves it open.
    """

    number: int
    name: str
    syntax: Syntax
    read: str | Read
    help: str
    note: str = field(default="", kw_only=True)
    end: Callable[[AdminClient, Row], object] | None = field(default=None, kw_only=True)
    value: Read = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", _reader(self.read))

    def encoded(self, state: State, row: Row) -> bytes:
        return self.syntax.encode(self.value(state, row))


def _reader(read: str | Read) -> Read:
    if callable(read):
        return read
    get = attrgetter(read)
    return lambda state, row: get(row)


@dataclass(frozen=True, slots=True)
class Scalar:
    """An object that is there once, below its group. `read` is its value."""

    number: int
    name: str
    syntax: Syntax
    read: Callable[[State], Any]
    help: str
    note: str = field(default="", kw_only=True)

    def encoded(self, state: State) -> bytes:
        return self.syntax.encode(self.read(state))


@dataclass(frozen=True, slots=True)
class Branch:
    """Scalars with a common parent below a group; number 0 is the group itself."""

    number: int
    name: str
    scalars: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table below its group: `rows` gives its rows, `index` a row's part of the identifier.

    `indices` names the columns that the index is made of, in its order.
    """

    number: int
    name: str
    entry: str
    indices: tuple[str, ...]
    rows: Callable[[State], Iterable[Row]]
    index: Callable[[Row], Oid]
    columns: tuple[Column, ...]
    help: str
    note: str = field(default="", kw_only=True)


@dataclass(frozen=True, slots=True)
class Group:
    """What a published MIB module has, as far as it is served. `own`: we print it as a MIB."""

    name: str
    module: str
    oid: Oid
    parts: Sequence[Branch | Table]
    help: str
    own: bool = True
