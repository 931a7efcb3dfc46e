"""The agent: who may ask what, datagram by datagram. One that is not answered is counted."""

from __future__ import annotations

import hmac
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from fastpptp.admin.client import AdminClient
from fastpptp.errors import FastpptpError
from fastpptp.snmp import message, responder
from fastpptp.snmp.message import LARGEST, V1, V2C, V3, Pdu, PduType
from fastpptp.snmp.notices import Ended, Failure, Failures, Tell
from fastpptp.snmp.objects import GROUPS
from fastpptp.snmp.reading import DecodeError, Reader
from fastpptp.snmp.source import Source
from fastpptp.snmp.tree import Instance, Tree
from fastpptp.snmp.usm import DISCOVERY, Engine, User, WrongError


@dataclass(frozen=True, slots=True)
class Access:
    """Who may ask: no community is none of that kind, no managers is every address."""

    read_community: str = field(default="", repr=False)
    write_community: str = field(default="", repr=False)
    user: User | None = None
    managers: tuple[IPv4Network, ...] = ()


class Agent:
    """Answers datagrams: `handle`. `tell` is told of failures, and of what was ended.

    `engine` is the identifier of an SNMPv3 engine, `boots` its number of starts or what rises so.
    """

    def __init__(
        self,
        access: Access,
        admin: AdminClient,
        tell: Tell,
        *,
        engine: bytes,
        boots: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._access = access
        self._clock = clock
        self._tell = tell
        self._failures = Failures(tell)
        self.counts: Counter[str] = Counter()
        self._source = Source(admin, Tree(GROUPS), self.counts, clock)
        self._read = access.read_community.encode()
        self._write = access.write_community.encode()
        user = access.user
        self._engine = None if user is None else Engine(engine, boots, user, clock)

    def handle(self, data: bytes, address: str) -> bytes | None:
        """The answer to a datagram of any octets from this address, or None."""
        self.counts["received"] += 1
        if not self._is_manager(address):
            return self._failed(Failure.MANAGER, address)
        try:
            version, body = message.version_of(data)
            if version in (V1, V2C):
                return self._community_message(version, body, address)
            if version == V3 and self._engine is not None:
                return self._user_message(self._engine, body, data, address)
            self.counts["bad_version"] += 1
        except DecodeError:
            self.counts["malformed"] += 1
        return self._failed(Failure.MALFORMED, address)

    def _is_manager(self, address: str) -> bool:
        managers = self._access.managers
        return not managers or any(IPv4Address(address) in network for network in managers)

    def _failed(self, failure: Failure, address: str) -> bytes | None:
        self._failures.add(failure, address, self._clock())
        return None

    def _community_message(self, version: int, body: Reader, address: str) -> bytes | None:
        asked = message.read_community_message(version, body)
        may_write = _same(asked.community, self._write)
        if not may_write and not _same(asked.community, self._read):
            self.counts["bad_community"] += 1
            return self._failed(Failure.COMMUNITY, address)
        if asked.pdu.type is PduType.SET and not may_write:
            self.counts["bad_use"] += 1
            self._failed(Failure.WRITE, address)
        largest = LARGEST - len(asked.community)
        answer = self._answer(asked.pdu, version, may_write, largest, address)
        return message.community_message(version, asked.community, answer)

    def _user_message(
        self, engine: Engine, body: Reader, data: bytes, address: str
    ) -> bytes | None:
        try:
            asked = engine.open(body, data)
        except WrongError as error:
            if error.wrong not in DISCOVERY:
                self._failed(Failure.USER, address)
            return error.report
        answer = self._answer(asked.pdu, V2C, asked.may_write, asked.largest, address)
        return asked.seal(answer)

    def _answer(self, pdu: Pdu, version: int, may_write: bool, largest: int, address: str) -> bytes:
        try:
            view = self._source.view()
        except FastpptpError:
            return responder.failed(pdu, version)

        def end(found: Instance) -> None:
            self._source.end(found)
            self._tell(Ended(str(found), address))

        return responder.respond(
            pdu, view, version=version, may_write=may_write, end=end, largest=largest
        )


def _same(community: bytes, known: bytes) -> bool:
    return bool(known) and hmac.compare_digest(community, known)
