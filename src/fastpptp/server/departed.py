"""Sessions that ended, until the recorder says that they are kept."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from fastpptp.recorder.past import ENDED_KEPT


class Departed:
    """Their lines, by the number of the message that brought them to the recorder."""

    def __init__(self) -> None:
        self._lines: deque[tuple[int, str]] = deque(maxlen=ENDED_KEPT)
        self._number = 0

    def add(self, lines: Sequence[str]) -> int:
        """The number of their message."""
        self._number += 1
        self._lines.extend((self._number, line) for line in lines)
        return self._number

    def settle(self, number: int) -> None:
        """What came up to this message is kept."""
        while self._lines and self._lines[0][0] <= number:
            self._lines.popleft()

    def again(self) -> tuple[int, list[str]]:
        """All that may not be kept, for the next recorder, and the number of the last message."""
        return self._number, [line for _, line in self._lines]
