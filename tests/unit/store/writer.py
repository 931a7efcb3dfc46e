"""A process that edits a store: `python -m tests.unit.store.writer URL KEY`.

Each line on standard input is a job. It is done by a forked child, which prints `pid PID`, then
`done N` after each edit that the store has acknowledged; `end` when it is over or was killed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fastpptp.settings import profiles
from fastpptp.store import Store

# Users whom every third edit changes all at once.
MANY = 200


def count(url: str, key: Path, me: int, times: int) -> None:
    """One setting of our own, and one that all writers count up, in each edit."""
    with Store.open(url, key) as store:
        for number in range(1, times + 1):
            with store.edit() as draft:
                total = draft.tree.section("pptp").get("max_tunnels", 0)
                draft.set_section("pptp", {"max_tunnels": total + 1})
                draft.set_user(f"user{me}", {"idle_timeout": number})
            say(f"done {number}")


def rise(url: str, key: Path, first: int) -> None:
    """For ever: a number that rises by one an edit, and sometimes in many rows at once."""
    with Store.open(url, key) as store:
        number = first
        while True:
            with store.edit() as draft:
                draft.set_section("pptp", {"max_tunnels": number})
                for user in range(MANY if number % 3 == 0 else 0):
                    draft.set_user(f"user{user}", {"idle_timeout": number})
            say(f"done {number}")
            number += 1


def create(url: str, key: Path) -> None:
    Store.create(url, key, profiles.default()).close()
    say("done 1")


JOBS = {"count": count, "rise": rise, "create": create}


def say(line: str) -> None:
    print(line, flush=True)


def main(url: str, key: Path) -> None:
    say("ready")
    for line in sys.stdin:
        job, *numbers = line.split()
        child = os.fork()
        if not child:
            say(f"pid {os.getpid()}")
            JOBS[job](url, key, *map(int, numbers))
            os._exit(0)
        os.waitpid(child, 0)
        say("end")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
