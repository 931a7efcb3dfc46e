"""How a sink says what became of the records it was given."""

from __future__ import annotations


class PartlyDeliveredError(OSError):
    """The first `done` records were handed on, the next `lost` never will be, the rest was not."""

    def __init__(self, done: int, problem: str, *, lost: int = 0) -> None:
        super().__init__(problem)
        self.done = done
        self.lost = lost


def reason(error: OSError) -> str:
    """An error in words."""
    return error.strerror or str(error) or type(error).__name__
