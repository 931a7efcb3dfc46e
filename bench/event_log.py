"""An event log as a busy headend leaves it: logins, failures, and every message decoded."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from itertools import islice
from pathlib import Path
from random import Random

from fastpptp.events.catalogue import Occurrence, occur
from fastpptp.events.log import EventRecord
from fastpptp.events.routing import Destination
from fastpptp.recorder.log import EventDatabase

START = datetime(2026, 1, 1, tzinfo=UTC)
LOGGED = frozenset({Destination.LOG})
USERS, GROUPS, PEERS = 5_000, 20, 20_000
BATCH = 1_000

FRAMES = (
    "rcvd [LCP ConfReq id=0x{id:x} <mru 1400> <magic 0x{magic:08x}> <pcomp> <accomp>]",
    "sent [LCP ConfReq id=0x{id:x} <mru 1400> <auth chap MS-v2> <magic 0x{magic:08x}>]",
    "sent [CHAP Challenge id=0x{id:x} <{magic:08x}{magic:08x}>, name = 'fastpptp']",
    "rcvd [CCP ConfReq id=0x{id:x} <mppe +H -M +S -L -D -C>]",
    "rcvd [IPCP ConfReq id=0x{id:x} <addr 0.0.0.0> <ms-dns1 0.0.0.0> <ms-wins 0.0.0.0>]",
    "sent [IPCP ConfNak id=0x{id:x} <addr 172.16.{a}.{b}> <ms-dns1 10.9.9.1>]",
)  # fmt: skip


def login(rng: Random) -> Iterator[Occurrence]:
    """What one login, or one that fails, leaves."""
    number = rng.randrange(USERS)
    user, group = f"user{number:05}", f"group{number % GROUPS:02}"
    peer = IPv4Address(0xC6336400 + rng.randrange(PEERS))
    local, magic, a, b = rng.randrange(65536), rng.getrandbits(32), rng.randrange(256), number % 256
    yield occur("PPTP", 47, peer=peer)
    yield occur("PPTP", 42, peer=peer)
    for step, form in enumerate(FRAMES):
        text = form.format(id=step, magic=magic, a=a, b=b)
        yield occur("PPPDECODE", 101, peer=peer, text=text)
    if rng.random() < 0.1:
        yield occur(
            "AUTH", 5, peer=peer, reason="Invalid password", handle=local, user=user,
            domain="", server="", code="wrong-password",
        )  # fmt: skip
        return
    yield occur("PPP", 8, peer=peer, user=user, method="MSCHAP-V2")
    yield occur("AUTH", 22, peer=peer, user=user, group=group)
    yield occur("ADDRESS", 101, peer=peer, user=user, address=f"172.16.{a}.{b}", method="pool")
    yield occur("PPP", 112, peer=peer, user=user, bits=128, mode="stateless")


def occurrences(seed: int = 0) -> Iterator[Occurrence]:
    rng = Random(seed)
    while True:
        yield from login(rng)


def records(count: int) -> Iterator[EventRecord]:
    for number, happened in enumerate(islice(occurrences(), count), 1):
        wall = START + timedelta(milliseconds=20 * number)
        yield EventRecord(number, wall, number, happened, LOGGED)


def fill(path: Path, count: int) -> None:
    """A log of so many events."""
    database = EventDatabase(path, count, patience=0.0)
    made = records(count)
    while batch := list(islice(made, BATCH)):
        database.deliver(batch)
    database.clean = True
    database.close()
