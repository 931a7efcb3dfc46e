"""SNMPv3 with the User-based Security Model: HMAC-SHA-96 and AES-128 (RFC 3412, 3414, 3826).

One user. What is not as it must be is answered with a Report, which also is how a manager learns
our engine's identifier and time.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from fastpptp import ber
from fastpptp.snmp import message
from fastpptp.snmp.message import LARGEST, Pdu, PduType
from fastpptp.snmp.reading import DecodeError, Oid, Reader
from fastpptp.snmp.tree import binding
from fastpptp.usm import KEY, SALT, crypt, localized_key

USM = 3  # the security model's number
AUTHENTICATED, PRIVATE, REPORTABLE = 1, 2, 4  # msgFlags
HASH = "sha1"
DIGEST = 12
TIME_WINDOW = 150  # seconds
LEAST = 484  # octets that every engine takes


class Wrong(Enum):
    """What is not as it must be: its counter, and how it is told."""

    SECURITY_LEVEL = (1, 3, 6, 1, 6, 3, 15, 1, 1, 1, 0)
    TIME_WINDOW = (1, 3, 6, 1, 6, 3, 15, 1, 1, 2, 0)
    USER = (1, 3, 6, 1, 6, 3, 15, 1, 1, 3, 0)
    ENGINE = (1, 3, 6, 1, 6, 3, 15, 1, 1, 4, 0)
    DIGEST = (1, 3, 6, 1, 6, 3, 15, 1, 1, 5, 0)
    DECRYPTION = (1, 3, 6, 1, 6, 3, 15, 1, 1, 6, 0)
    CONTEXT = (1, 3, 6, 1, 6, 3, 12, 1, 5, 0)
    CONTEXT_ENGINE = (1, 3, 6, 1, 6, 3, 11, 2, 1, 3, 0)

    @property
    def counter(self) -> Oid:
        found: Oid = self.value
        return found


# A manager that asks for the first time, or again after a restart, does nothing wrong.
DISCOVERY = frozenset({Wrong.ENGINE, Wrong.TIME_WINDOW})


@dataclass(frozen=True, slots=True)
class User:
    """Who may ask. With a privacy password nothing is answered that is not encrypted."""

    name: str
    authentication: str = field(repr=False)
    privacy: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class _Security:
    """The parameters of a message (RFC 3414 2.4)."""

    engine: bytes
    boots: int
    time: int
    user: bytes
    digest: bytes
    salt: bytes


@dataclass(frozen=True, slots=True)
class _Message:
    """A message of SNMPv3 (RFC 3412 section 6); `data` is a scoped PDU, encrypted or not."""

    whole: bytes
    id: int
    largest: int
    flags: int
    security: _Security
    data: bytes

    @property
    def private(self) -> bool:
        return bool(self.flags & PRIVATE)


class WrongError(Exception):
    """A message that is answered with a Report, if with anything."""

    def __init__(self, wrong: Wrong, report: bytes | None) -> None:
        super().__init__(wrong)
        self.wrong = wrong
        self.report = report


@dataclass(frozen=True, slots=True)
class Request:
    """A request that may be answered: with `seal` around the Response PDU."""

    pdu: Pdu
    may_write: bool
    largest: int
    seal: Callable[[bytes], bytes]


class Engine:
    """Opens messages for one user. `boots` must be greater than at any start before."""

    def __init__(
        self, identifier: bytes, boots: int, user: User, clock: Callable[[], float]
    ) -> None:
        self.identifier = identifier
        self._boots = boots
        self._clock = clock
        self._began = clock()
        self._name = user.name.encode()
        self._authentication = localized_key(user.authentication, identifier, HASH)
        self._privacy = b""
        if user.privacy:
            self._privacy = localized_key(user.privacy, identifier, HASH)[:KEY]
        self._reports: dict[Wrong, int] = {}

    @property
    def _time(self) -> int:
        return int(self._clock() - self._began)

    def open(self, body: Reader, whole: bytes) -> Request:
        """The request in the rest of a message. DecodeError, WrongError: it is not answered."""
        asked = _read(body, whole)
        security = asked.security
        if security.engine != self.identifier:
            raise self._wrong(asked, Wrong.ENGINE)
        if security.user != self._name:
            raise self._wrong(asked, Wrong.USER)
        wanted = AUTHENTICATED | (PRIVATE if self._privacy else 0)
        if asked.flags & (AUTHENTICATED | PRIVATE) != wanted:
            raise self._wrong(asked, Wrong.SECURITY_LEVEL)
        if not self._is_authentic(asked):
            raise self._wrong(asked, Wrong.DIGEST)
        late = abs(security.time - self._time) > TIME_WINDOW
        if late or security.boots != self._boots:
            raise self._wrong(asked, Wrong.TIME_WINDOW, authenticated=True)
        return self._scoped(asked)

    def _scoped(self, asked: _Message) -> Request:
        data = asked.data
        if asked.private:
            data = self._decrypted(asked)
        try:
            scoped = Reader(data).sequence()  # there may be padding after it
            engine, context = scoped.octets(), scoped.octets()
            pdu = message.read_pdu(scoped)
        except DecodeError:
            if asked.private:
                raise self._wrong(asked, Wrong.DECRYPTION) from None
            raise
        if engine != self.identifier:
            raise self._wrong(asked, Wrong.CONTEXT_ENGINE, authenticated=True)
        if context:
            raise self._wrong(asked, Wrong.CONTEXT, authenticated=True)
        around = len(self.identifier) * 2 + len(self._name) + 64
        largest = min(max(asked.largest, LEAST), LARGEST) - around
        return Request(
            pdu, bool(self._privacy), largest, lambda answer: self._sealed(asked, answer)
        )

    def _is_authentic(self, asked: _Message) -> bool:
        digest = asked.security.digest
        if len(digest) != DIGEST or asked.whole.count(digest) != 1:
            return False
        blank = asked.whole.replace(digest, bytes(DIGEST))
        return hmac.compare_digest(digest, self._digest(blank))

    def _digest(self, whole: bytes) -> bytes:
        return hmac.digest(self._authentication, whole, HASH)[:DIGEST]

    def _decrypted(self, asked: _Message) -> bytes:
        security = asked.security
        if len(security.salt) != SALT:
            raise self._wrong(asked, Wrong.DECRYPTION)
        return crypt(
            self._privacy, security.boots, security.time, security.salt, asked.data, decrypt=True
        )

    def _wrong(self, asked: _Message, wrong: Wrong, *, authenticated: bool = False) -> WrongError:
        if not asked.flags & REPORTABLE:
            return WrongError(wrong, None)
        count = self._reports[wrong] = self._reports.get(wrong, 0) + 1
        listed = binding(wrong.counter, ber.integer(count, ber.COUNTER32))
        report = message.pdu(PduType.REPORT, 0, 0, 0, listed)
        flags = AUTHENTICATED if authenticated else 0
        return WrongError(wrong, self._message(asked, flags, self._scope(report)))

    def _sealed(self, asked: _Message, answer: bytes) -> bytes:
        return self._message(asked, asked.flags & (AUTHENTICATED | PRIVATE), self._scope(answer))

    def _scope(self, pdu: bytes) -> bytes:
        return ber.tagged(
            ber.SEQUENCE, ber.octet_string(self.identifier) + ber.octet_string(b"") + pdu
        )

    def _message(self, asked: _Message, flags: int, scoped: bytes) -> bytes:
        """An answer to `asked`, encrypted and authenticated as the flags say."""
        at, salt = self._time, b""
        if flags & PRIVATE:
            salt = secrets.token_bytes(SALT)
            scoped = ber.octet_string(crypt(self._privacy, self._boots, at, salt, scoped))
        head = ber.tagged(
            ber.SEQUENCE,
            ber.integer(asked.id) + ber.integer(LARGEST) + ber.octet_string(bytes((flags,)))
            + ber.integer(USM),
        )  # fmt: skip

        def whole(digest: bytes) -> bytes:
            security = ber.sequence(
                ber.octet_string(self.identifier), ber.integer(self._boots), ber.integer(at),
                ber.octet_string(asked.security.user), ber.octet_string(digest),
                ber.octet_string(salt),
            )  # fmt: skip
            body = ber.integer(message.V3) + head + ber.octet_string(security) + scoped
            return ber.tagged(ber.SEQUENCE, body)

        if not flags & AUTHENTICATED:
            return whole(b"")
        return whole(self._digest(whole(bytes(DIGEST))))


def _read(body: Reader, whole: bytes) -> _Message:
    head = body.sequence()
    number = head.integer(0)
    largest = head.integer(0)
    flags = head.octets()
    model = head.integer(1)
    head.end()
    if len(flags) != 1 or flags[0] & (AUTHENTICATED | PRIVATE) == PRIVATE:
        raise DecodeError("no flags that there are")
    if model != USM:
        raise DecodeError(f"security model {model} is not served")
    security = _security(body.octets())
    private = flags[0] & PRIVATE
    tag, data = body.any()
    if tag != (ber.OCTET_STRING if private else ber.SEQUENCE):
        raise DecodeError("the data are not as the flags say")
    body.end()
    return _Message(whole, number, largest, flags[0], security,
                    data if private else ber.tagged(tag, data))  # fmt: skip


def _security(octets: bytes) -> _Security:
    outer = Reader(octets)
    reader = outer.sequence()
    outer.end()
    found = _Security(
        reader.octets(), reader.integer(0), reader.integer(0), reader.octets(), reader.octets(),
        reader.octets(),
    )  # fmt: skip
    reader.end()
    return found
