"""What `fastpptp serve` takes from a machine, on a test host, without its control plane."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from fastpptp.bootstrap import Bootstrap
from fastpptp.server.machine import Machine
from fastpptp.settings.resolve import PolicySnapshot
from fastpptp.settings.tree import Configuration
from tests.hosts import Host
from tests.netns.test_dataplane import within

TUN = "pptp0"
SETTLING = 2.5  # seconds until a dataplane knows its next hops
EVENTS = 0.2  # seconds between two looks at its events


@contextmanager
def machine(host: Host, address: IPv4Address, outer: str, workers: int = 1) -> Iterator[Any]:
    """A headend's dataplane, not running, and TUN `pptp0` on `host`."""
    bootstrap = Bootstrap(listen=(address,), workers=workers, outer=outer, tun=TUN)
    made = Machine(bootstrap, share_gre=True)
    within(host, made.__enter__)
    try:
        policy = PolicySnapshot(Configuration())
        within(host, lambda: made.start(policy, lambda occurrence: None))
        made.dataplane.stop()
        yield made.dataplane
    finally:
        within(host, lambda: made.__exit__(None, None, None))


@contextmanager
def running(dataplane: Any, cpu: int) -> Iterator[None]:
    """Its worker by itself, on this core."""
    tasks = Path("/proc/self/task")
    before = set(os.listdir(tasks))
    dataplane.start()
    for task in set(os.listdir(tasks)) - before:
        os.sched_setaffinity(int(task), {cpu})
    try:
        yield
    finally:
        dataplane.stop()


@contextmanager
def attended(dataplane: Any) -> Iterator[None]:
    """Its events are read by a thread, as a control plane does: next hops come with them."""
    over = threading.Event()

    def body() -> None:
        while not over.wait(EVENTS):
            dataplane.read_events()

    thread = threading.Thread(target=body)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def settle(dataplane: Any) -> None:
    """Wait until it knows the next hops of calls that are open."""
    end = time.monotonic() + SETTLING
    while time.monotonic() < end:
        dataplane.read_events()
        time.sleep(0.05)
