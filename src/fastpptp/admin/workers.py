"""What the dataplane's workers have cost."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

TASKS = Path("/proc/self/task")
WORKER_THREADS = "fastpptp-"  # then the worker's number, from 0 (dataplane/life.pxi)
FIRST = 1  # what people are told of as SEP Card Assignment, SepId and a session's detail count


def worker_seconds() -> dict[str, float]:
    """User and system time of each worker's thread (proc_pid_stat(5), fields 14 and 15), by its
    number from 1.
    """
    tick, found = os.sysconf("SC_CLK_TCK"), {}
    for thread in threading.enumerate():
        number = thread.name.removeprefix(WORKER_THREADS)
        if number != thread.name and number.isdigit():
            with suppress(OSError):  # it has just ended
                text = (TASKS / str(thread.native_id) / "stat").read_text()
                fields = text.rpartition(")")[2].split()
                found[str(int(number) + FIRST)] = (int(fields[11]) + int(fields[12])) / tick
    return found
