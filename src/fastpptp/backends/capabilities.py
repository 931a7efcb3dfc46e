"""Capabilities of the calling thread (capabilities(7)): each thread has its own.

A new thread has those of the one that makes it; a program that is started has those that are
lent to it, and no others, unless it runs as root.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import IntEnum

VERSION_3 = 0x20080522  # _LINUX_CAPABILITY_VERSION_3: two words of 32 bits a set
WORD = 32

PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_CAP_AMBIENT_LOWER = 3
PR_CAP_AMBIENT_CLEAR_ALL = 4

LOW_PORT = "Ports below 1024 need root or CAP_NET_BIND_SERVICE."


class Capability(IntEnum):
    """Those that the headend knows."""

    NET_BIND_SERVICE = 10
    NET_ADMIN = 12
    NET_RAW = 13
    IPC_LOCK = 14
    BPF = 39


@dataclass(frozen=True, slots=True)
class Sets:
    """A thread's three sets, as masks."""

    effective: int
    permitted: int
    inheritable: int


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Words(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in Sets.__slots__)


_libc = ctypes.CDLL(None, use_errno=True)


def mask(capabilities: Iterable[Capability]) -> int:
    """As the kernel has them: a bit each."""
    return sum(1 << capability for capability in set(capabilities))


def current() -> Sets:
    """What this thread has."""
    header, words = _Header(VERSION_3, 0), (_Words * 2)()
    _checked(_libc.capget(ctypes.byref(header), words))
    return Sets(
        *(getattr(words[0], name) | getattr(words[1], name) << WORD for name in Sets.__slots__)
    )


def change(sets: Sets) -> None:
    """Have these from now on. PermissionError: a set would get what is not permitted."""
    header, words = _Header(VERSION_3, 0), (_Words * 2)()
    for name in Sets.__slots__:
        value = getattr(sets, name)
        setattr(words[0], name, value & 0xFFFFFFFF)
        setattr(words[1], name, value >> WORD)
    _checked(_libc.capset(ctypes.byref(header), words))


def prctl(option: int, *arguments: int) -> None:
    """prctl(2); OSError as it gives it."""
    padded = (*arguments, 0, 0, 0, 0)[:4]
    _checked(_libc.prctl(option, *map(ctypes.c_ulong, padded)))


@contextmanager
def raised(*wanted: Capability) -> Iterator[None]:
    """Have these in effect in the block, as far as they are permitted."""
    before = current()
    change(replace(before, effective=before.effective | (mask(wanted) & before.permitted)))
    try:
        yield
    finally:
        change(before)


@contextmanager
def lent(capability: Capability) -> Iterator[None]:
    """Have the programs that this thread starts in the block hold a capability, if it is ours.

    Root's programs have all of root's anyway.
    """
    sets = current()
    if os.geteuid() == 0 or not (sets.permitted & sets.inheritable) >> capability & 1:
        yield
        return
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability)
    try:
        yield
    finally:
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, capability)


def _checked(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
