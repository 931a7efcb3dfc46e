"""The log file and the console: events in the reference's two lines and more."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fastpptp.events.format import reference
from fastpptp.events.log import EventRecord

MODE = 0o640


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file that is appended to."""

    path: Path

    def __str__(self) -> str:
        return f"log file {self.path}"


@dataclass(frozen=True, slots=True)
class Console:
    """Standard error."""

    def __str__(self) -> str:
        return "console"


class FileSink:
    """Appends to a file, which may be moved away and is then made anew (logrotate)."""

    def __init__(self, spec: LogFile) -> None:
        self._path = spec.path
        self._file = self._open()

    def deliver(self, records: Sequence[EventRecord]) -> None:
        self._follow()
        size = os.fstat(self._file).st_size
        try:
            write(self._file, as_text(records))
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._file, size)  # they are written again, whole
            raise

    def close(self) -> None:
        os.close(self._file)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, MODE)

    def _follow(self) -> None:
        """Open the file anew if another, or none, is under its name by now."""
        with suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self._path), os.fstat(self._file)):
                return
        opened = self._open()
        os.close(self._file)
        self._file = opened


class ConsoleSink:
    """Writes to standard error, which it shares with the headend."""

    def __init__(self, spec: Console) -> None:
        self._file = sys.stderr.fileno()

    def deliver(self, records: Sequence[EventRecord]) -> None:
        write(self._file, as_text(records))

    def close(self) -> None: ...


def as_text(records: Sequence[EventRecord]) -> bytes:
    return "".join(f"{reference(record)}\n" for record in records).encode(errors="backslashreplace")


def write(file: int, data: bytes) -> None:
    """All of it."""
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]
