"""10,000 users in 100 groups, 10 pools: what the store and whole commands on it take.

The baseline of each is the same on the store of a new installation: what is left of it is the
start of Python and the opening of the database.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.rows import Row, paired, ratio_of
from fastpptp.settings import profiles, toml
from fastpptp.settings.draft import Draft
from fastpptp.settings.tree import EMPTY, Configuration
from fastpptp.store import Store

USERS, GROUPS, POOLS = 10_000, 100, 10
SECTION = f"The store with {USERS:,} users, {GROUPS} groups, {POOLS} pools"
TARGET = 1.0  # seconds
COMMANDS = (
    ("user", "list"),
    ("user", "show", profiles.USER_NAME),
    ("user", "set", profiles.USER_NAME, "--generate-password"),
    ("group", "list"),
    ("config", "export"),
    ("config", "history"),
)


def large() -> Configuration:
    """A configuration of that size, in which every fourth user has something of its own."""
    draft = Draft(EMPTY)
    for number in range(GROUPS):
        draft.add_group(f"group{number}", {"idle_timeout": number, "primary_dns": "10.0.0.1"})
    for number in range(POOLS):
        draft.add_pool({"first": f"10.{number}.0.1", "last": f"10.{number}.255.254"})
    for number in range(USERS - 1):
        own = {"ip_address": f"11.0.{number >> 8}.{number & 255}", "simultaneous_logins": 1}
        values = {"password": f"secret{number:06}", "group": f"group{number % GROUPS}"}
        draft.add_user(f"user{number}", values | (own if number % 4 == 0 else {}))
    draft.add_user(profiles.USER_NAME, {"password": profiles.PASSWORD, "group": "group0"})
    return draft.finish()


class Place:
    """A state directory with a store in it."""

    def __init__(self, folder: Path, tree: Configuration) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder / 'fastpptp.db'}"
        self.key = folder / "fastpptp.key"
        Store.create(self.url, self.key, tree).close()

    def open(self) -> Store:
        return Store.open(self.url, self.key)

    def command(self, words: tuple[str, ...]) -> float:
        """Seconds that a whole command takes."""
        command = [sys.executable, "-m", "fastpptp", *words, "--state-dir", str(self.folder)]
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    def load(self) -> float:
        """Seconds to open the store and read all of it."""
        start = time.perf_counter()
        with self.open() as store:
            store.snapshot()
        return time.perf_counter() - start

    def resolve(self) -> float:
        """Seconds to read and resolve all that one user is given, from the file on."""
        start = time.perf_counter()
        with self.open() as store:
            assert store.snapshot().user(profiles.USER_NAME)
        return time.perf_counter() - start

    def names(self) -> float:
        with self.open() as store:
            policy = store.snapshot()
            start = time.perf_counter()
            policy.user_names()
            return time.perf_counter() - start

    def export(self) -> float:
        with self.open() as store:
            tree = store.tree()
        start = time.perf_counter()
        toml.dumps(tree)
        return time.perf_counter() - start

    def edit(self) -> float:
        """Seconds to change one user: read all, check all, write one, wait for the disk."""
        with self.open() as store:
            start = time.perf_counter()
            with store.edit() as draft:
                draft.set_user(profiles.USER_NAME, {"idle_timeout": time.monotonic_ns() % 1000 + 1})
            return time.perf_counter() - start


def measurements(place: Place) -> Mapping[str, Callable[[], float]]:
    library = {
        "load": place.load,
        "list the users": place.names,
        "load and resolve one user": place.resolve,
        "export as TOML": place.export,
        "change one user": place.edit,
    }
    commands = {
        f"`fastpptp {' '.join(words)}`": lambda words=words: place.command(words)
        for words in COMMANDS
    }
    return library | commands


def run(quick: bool) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        small = measurements(Place(_new(folder, "small"), profiles.default()))
        for name, measure in measurements(Place(_new(folder, "large"), large())).items():
            taken = paired({"large": measure, "small": small[name]}, runs=3 if quick else 7)
            row = Row(SECTION, name, statistics.median(taken["large"]), "s", less_is_better=True)
            row.samples = taken["large"]
            row.baseline, row.ratio = "a new store", ratio_of(taken["large"], taken["small"])
            row.target, row.met = f"<= {TARGET:g} s", row.figure <= TARGET
            yield row


def _new(folder: str, name: str) -> Path:
    path = Path(folder) / name
    path.mkdir(mode=0o700)
    return path
