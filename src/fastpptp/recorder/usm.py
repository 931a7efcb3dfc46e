"""SNMPv3 notifications: the User-based Security Model, as far as who sends them needs it.

A trap is in the sender's time and under its engine ID (RFC 3414 1.5.1), so nothing is asked of the
receiver first; it must know engine ID, user and passwords. RFC 3412 section 6, RFC 3414, RFC 7860,
RFC 3826.
"""

from __future__ import annotations

import hmac
import os
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from fastpptp.ber import integer, octet_string, sequence
from fastpptp.events.routing import SnmpAuthentication
from fastpptp.usm import KEY, SALT, crypt, localized_key

ENTERPRISE = 3076
TEXT_FORMAT = 4  # RFC 3411 section 5: SnmpEngineID
MOST_TEXT = 27
MAX_SIZE = 65_507
USM = 3
AUTHENTICATED, ENCRYPTED = 1, 2  # msgFlags

# How many octets of the HMAC are sent: RFC 3414 6.3.1, RFC 7860 4.2.
MAC_OCTETS = {SnmpAuthentication.SHA: 12, SnmpAuthentication.SHA_256: 24}
HASHES = {SnmpAuthentication.SHA: "sha1", SnmpAuthentication.SHA_256: "sha256"}

# snmpEngineBoots must rise with every start and need not count them: seconds since 2020 do, without
# a file. One for all destinations, since a receiver knows one for an engine.
_YEAR_2020 = 1_577_836_800
_STARTED = time.monotonic()
_BOOTS = max(1, int(time.time()) - _YEAR_2020)


def engine_id(host: str = "") -> bytes:
    """This machine's engine ID: 0x80000c0404 and its host name."""
    name = (host or socket.gethostname()).encode()[:MOST_TEXT]
    return (1 << 31 | ENTERPRISE).to_bytes(4, "big") + bytes([TEXT_FORMAT]) + name


@dataclass(frozen=True, slots=True)
class Moment:
    """snmpEngineBoots and snmpEngineTime, in seconds."""

    boots: int
    time: int


def now() -> Moment:
    return Moment(_BOOTS, int(time.monotonic() - _STARTED))


class UsmUser:
    """Wraps PDUs for one user. No password is neither authenticated nor encrypted."""

    def __init__(
        self,
        name: str,
        algorithm: SnmpAuthentication,
        authentication: str,
        privacy: str,
        *,
        engine: bytes | None = None,
        moment: Callable[[], Moment] = now,
    ) -> None:
        self._name = name.encode()
        self._algorithm = algorithm
        self._engine = engine_id() if engine is None else engine
        self._moment = moment
        self._authentication = self._key(authentication)
        self._privacy = self._key(privacy)[:KEY]
        self._ids = count(1)
        self._salts = count(int.from_bytes(os.urandom(SALT), "big"))

    def _key(self, password: str) -> bytes:
        if not password:
            return b""
        return localized_key(password, self._engine, HASHES[self._algorithm])

    def wrap(self, pdu: bytes) -> bytes:
        """The message that carries an encoded PDU."""
        moment = self._moment()
        scoped = sequence(octet_string(self._engine), octet_string(b""), pdu)
        data, salt = self._encrypted(scoped, moment) if self._privacy else (scoped, b"")
        number = next(self._ids) & 0x7FFFFFFF
        size = MAC_OCTETS[self._algorithm] if self._authentication else 0
        message = self._message(number, moment, data, salt, bytes(size))
        if not size:
            return message
        mac = hmac.digest(self._authentication, message, HASHES[self._algorithm])[:size]
        return self._message(number, moment, data, salt, mac)

    def _message(self, number: int, moment: Moment, data: bytes, salt: bytes, mac: bytes) -> bytes:
        flags = (AUTHENTICATED if self._authentication else 0) | (ENCRYPTED if salt else 0)
        header = sequence(
            integer(number), integer(MAX_SIZE), octet_string(bytes([flags])), integer(USM)
        )
        security = sequence(
            octet_string(self._engine), integer(moment.boots), integer(moment.time),
            octet_string(self._name), octet_string(mac), octet_string(salt),
        )  # fmt: skip
        return sequence(integer(3), header, octet_string(security), data)

    def _encrypted(self, scoped: bytes, moment: Moment) -> tuple[bytes, bytes]:
        """RFC 3826 3.1: no IV is used twice with a key."""
        salt = (next(self._salts) % (1 << 64)).to_bytes(SALT, "big")
        found = crypt(self._privacy, moment.boots, moment.time, salt, scoped)
        return octet_string(found), salt
