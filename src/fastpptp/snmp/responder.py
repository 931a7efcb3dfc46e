"""What a request is answered with: Get, GetNext, GetBulk and Set (RFC 3416 section 4.2).

SNMPv1 has other words for what went wrong (RFC 3584 section 4.4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeAlias

from fastpptp import ber
from fastpptp.errors import FastpptpError
from fastpptp.snmp import message
from fastpptp.snmp.message import LARGEST, UNFRAGMENTED, V1, Binding, ErrorStatus, Pdu, PduType
from fastpptp.snmp.mib import DESTROY
from fastpptp.snmp.reading import Oid
from fastpptp.snmp.tree import END_OF_MIB_VIEW, Instance, View, binding

# What a message and a PDU have around the variable bindings, the community aside: more than that.
AROUND = 64

# Carries out a destroy(6).
End: TypeAlias = Callable[[Instance], object]

# RFC 3584 section 4.4.
IN_VERSION_1: Mapping[ErrorStatus, ErrorStatus] = MappingProxyType(
    {
        ErrorStatus.NO_ACCESS: ErrorStatus.NO_SUCH_NAME,
        ErrorStatus.NO_CREATION: ErrorStatus.NO_SUCH_NAME,
        ErrorStatus.NOT_WRITABLE: ErrorStatus.NO_SUCH_NAME,
        ErrorStatus.WRONG_TYPE: ErrorStatus.BAD_VALUE,
        ErrorStatus.WRONG_VALUE: ErrorStatus.BAD_VALUE,
        ErrorStatus.COMMIT_FAILED: ErrorStatus.GEN_ERR,
    }
)
EXCEPTIONS = (ber.NO_SUCH_OBJECT, ber.NO_SUCH_INSTANCE, ber.END_OF_MIB_VIEW)


class _RefusedError(Exception):
    """The request fails as a whole, because of the variable at `index`, from 1."""

    def __init__(self, status: ErrorStatus, index: int = 0) -> None:
        super().__init__(status)
        self.status = status
        self.index = index


def respond(
    pdu: Pdu,
    view: View,
    *,
    version: int,
    may_write: bool,
    end: End,
    largest: int = LARGEST,
) -> bytes:
    """The Response PDU. `largest` is the most octets that a message to who asks may have."""
    try:
        listed = _carry_out(pdu, view, version, may_write, end, largest - AROUND)
    except _RefusedError as refusal:
        return _refusal(pdu, version, refusal.status, refusal.index)
    return message.pdu(PduType.RESPONSE, pdu.request_id, 0, 0, listed)


def too_big(pdu: Pdu, version: int) -> bytes:
    """The answer that says that the answer does not fit."""
    return _refusal(pdu, version, ErrorStatus.TOO_BIG, 0)


def failed(pdu: Pdu, version: int) -> bytes:
    """The answer when there is nothing to answer with."""
    return _refusal(pdu, version, ErrorStatus.GEN_ERR, 1 if pdu.bindings else 0)


def _refusal(pdu: Pdu, version: int, status: ErrorStatus, index: int) -> bytes:
    if version == V1:
        status = IN_VERSION_1.get(status, status)
    listed = b"" if status is ErrorStatus.TOO_BIG and version != V1 else pdu.listed
    return message.pdu(PduType.RESPONSE, pdu.request_id, status, index, listed)


def _carry_out(pdu: Pdu, view: View, version: int, may_write: bool, end: End, room: int) -> bytes:
    if pdu.type is PduType.SET:
        _set(pdu, view, may_write, end)
        return pdu.listed
    if pdu.type is PduType.BULK:
        return _bulk(pdu, view, min(room, UNFRAGMENTED - AROUND))
    find = _get if pdu.type is PduType.GET else _next
    listed = b"".join(
        find(view, wanted, version, index) for index, wanted in enumerate(pdu.bindings, 1)
    )
    if len(listed) > room:
        raise _RefusedError(ErrorStatus.TOO_BIG)
    return listed


def _get(view: View, wanted: Binding, version: int, index: int) -> bytes:
    value = view.get(wanted.name)
    if version == V1 and value[0] in EXCEPTIONS:
        raise _RefusedError(ErrorStatus.NO_SUCH_NAME, index)
    return binding(wanted.name, value)


def _next(view: View, wanted: Binding, version: int, index: int) -> bytes:
    found = view.after(wanted.name)
    if found is not None:
        return found[1]
    if version == V1:
        raise _RefusedError(ErrorStatus.NO_SUCH_NAME, index)
    return binding(wanted.name, END_OF_MIB_VIEW)


def _bulk(pdu: Pdu, view: View, room: int) -> bytes:
    """RFC 3416 4.2.3: what does not fit is left out."""
    once = min(max(pdu.first, 0), len(pdu.bindings))
    names = [wanted.name for wanted in pdu.bindings]
    filled = _Filled(room)
    if filled.takes(_after(view, names[:once])[1]):
        names = names[once:]
        for _ in range(max(pdu.second, 0)):
            behind, row = _after(view, names)
            if not filled.takes(row) or behind == names:
                break
            names = behind
    if pdu.bindings and pdu.second > 0 and not filled.parts:
        raise _RefusedError(ErrorStatus.TOO_BIG)
    return b"".join(filled.parts)


class _Filled:
    """Variable bindings up to a number of octets."""

    def __init__(self, room: int) -> None:
        self.parts: list[bytes] = []
        self._room = room

    def takes(self, row: Iterable[bytes]) -> bool:
        """Whether all of the row went in."""
        for part in row:
            self._room -= len(part)
            if self._room < 0:
                return False
            self.parts.append(part)
        return True


def _after(view: View, names: list[Oid]) -> tuple[list[Oid], list[bytes]]:
    """What comes after each name: the names, which stay as they are at the end, and bindings."""
    behind, found = [], []
    for name in names:
        step = view.after(name) or (name, binding(name, END_OF_MIB_VIEW))
        behind.append(step[0])
        found.append(step[1])
    return behind, found


def _set(pdu: Pdu, view: View, may_write: bool, end: End) -> None:
    """All is judged before anything is done (RFC 3416 4.2.5)."""
    ends = [_judged(view, wanted, may_write, index) for index, wanted in enumerate(pdu.bindings, 1)]
    for index, found in enumerate(ends, 1):
        try:
            end(found)
        except FastpptpError:
            raise _RefusedError(ErrorStatus.COMMIT_FAILED, index) from None


def _judged(view: View, wanted: Binding, may_write: bool, index: int) -> Instance:
    """What this Set ends."""
    if not may_write:
        raise _RefusedError(ErrorStatus.NO_ACCESS, index)
    found = view.instance(wanted.name)
    if found is None:
        known = view.get(wanted.name)[0] not in EXCEPTIONS
        raise _RefusedError(ErrorStatus.NOT_WRITABLE if known else ErrorStatus.NO_CREATION, index)
    if found.column.end is None:
        raise _RefusedError(ErrorStatus.NOT_WRITABLE, index)
    if wanted.tag != ber.INTEGER:
        raise _RefusedError(ErrorStatus.WRONG_TYPE, index)
    if wanted.content != bytes((DESTROY,)):
        raise _RefusedError(ErrorStatus.WRONG_VALUE, index)
    return found
