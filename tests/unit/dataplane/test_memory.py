"""What an idle call costs: 60,000 of them must fit into a small machine."""

from __future__ import annotations

import os
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path

from fastpptp.ports import CallPolicy
from tests.unit.dataplane.rig import KEYS, POLICY, RECEIVE, SEND, SPEC, rig

# Enough for the route table, whose slots are hashed, to be shared by many.
CALLS = 30_000
LIMIT = 2048
FIRST = IPv4Address("10.0.0.0")


def resident() -> int:
    """Octets of memory of this process that are there, those it shares included."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def grown(calls: int) -> int:
    """Octets that a dataplane takes with calls that are up, with stateful keys, and carry nothing.

    The policies are the caller's: they are made before and not counted.
    """
    policies: list[CallPolicy] = [
        replace(POLICY, peer_address=FIRST + number) for number in range(1, calls + 1)
    ]
    with rig() as made:
        before = resident()
        for call_id, policy in enumerate(policies, 1):
            handle = 1 << 16 | call_id
            made.dataplane.open_call(handle, SPEC)
            made.dataplane.set_policy(handle, policy)
            for direction in (RECEIVE, SEND):
                made.dataplane.set_keys(handle, direction, KEYS[128], 128, False)
            made.dataplane.open_gate(handle, 4)
            if not call_id % 64:
                made.poll()
        made.poll()
        return resident() - before


def test_an_idle_call_takes_two_kibibytes_at_most() -> None:
    grown(1)
    assert (grown(CALLS) - grown(1)) / (CALLS - 1) <= LIMIT
