"""Where events go: numbered by the EventLog, then to the console and the log file by logging.

Severities 1, 2-3, 4-6 and above become the levels ERROR, WARNING, INFO and DEBUG.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import TextIO

from fastpptp.errors import UnavailableError
from fastpptp.events.catalogue import DEBUG_HIGH, FAULT, INFORMATION_HIGH, Occurrence
from fastpptp.events.format import reference
from fastpptp.events.log import EventLog
from fastpptp.events.routing import Destination

# Destinations that are logging's, and the names of their loggers.
LOGGERS = {
    Destination.CONSOLE: "fastpptp.console",
    Destination.LOG: "fastpptp.log",
}


def wall_clock() -> datetime:
    """Now, with the local zone: access hours and the log are told in local time."""
    return datetime.now().astimezone()


class EventSink:
    """Records events: `record(occurrence)`."""

    def __init__(self, log: EventLog, wall: Callable[[], datetime] = wall_clock) -> None:
        self.log = log
        self._wall = wall
        self._loggers = {place: logging.getLogger(name) for place, name in LOGGERS.items()}

    def record(self, occurrence: Occurrence) -> None:
        made = self.log.record(occurrence, self._wall())
        text = None
        for place, logger in self._loggers.items():
            if place in made.destinations and logger.handlers:
                text = text or reference(made)
                logger.log(level(made.severity), "%s", text)


def level(severity: int) -> int:
    """logging's level for a severity of 1 to 13."""
    if severity <= FAULT:
        return logging.ERROR
    if severity < INFORMATION_HIGH:
        return logging.WARNING
    return logging.INFO if severity < DEBUG_HIGH else logging.DEBUG


def open_outputs(log_file: Path | None, console: TextIO = sys.stderr) -> Callable[[], None]:
    """Attach the console and, if there is one, the file; the answer detaches them.

    The file may be moved away and is then made anew (logrotate).
    """
    handlers: dict[Destination, logging.Handler] = {
        Destination.CONSOLE: logging.StreamHandler(console)
    }
    if log_file is not None:
        try:
            handlers[Destination.LOG] = WatchedFileHandler(log_file, encoding="utf-8")
        except OSError as error:
            raise UnavailableError(
                f"the log file {log_file} cannot be written: {error.strerror}",
                "Make its directory, or name another file (log_file).",
            ) from None
    for place, handler in handlers.items():
        logger = logging.getLogger(LOGGERS[place])
        logger.setLevel(logging.DEBUG)
        logger.propagate = False
        logger.addHandler(handler)
    return lambda: _detach(handlers)


def _detach(handlers: dict[Destination, logging.Handler]) -> None:
    for place, handler in handlers.items():
        logging.getLogger(LOGGERS[place]).removeHandler(handler)
        handler.close()
