"""What a process with very many connections asks of the system and of the interpreter."""

from __future__ import annotations

import gc
import resource

# Net new objects between two rounds of the garbage collector, and rounds between deeper ones.
# A session is about 150 objects that live for hours: the interpreter's own 700 would have each
# of them looked at again and again while sessions come up.
YOUNG, MIDDLE, OLD = 10_000, 10, 10


def lift_descriptor_limit() -> None:
    """As many descriptors as this process may have: each control connection takes one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def calm_collector() -> None:
    """Have the garbage collector pass over what is loaded by now, and come less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
