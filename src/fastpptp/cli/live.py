"""Screens that are shown anew: in place on a terminal, else one below the other as they come."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

Show = Callable[["RenderableType"], None]


def console(otherwise: int | None = None) -> Console:
    """Standard output; `otherwise` is its width where it is no terminal."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else otherwise, highlight=False)


@contextmanager
def screens(screen: Console) -> Iterator[Show]:
    """What shows a screen."""
    from rich.live import Live

    if not screen.is_terminal:
        yield screen.print
        return
    with Live(console=screen, screen=True, auto_refresh=False) as live:
        yield lambda made: live.update(made, refresh=True)
