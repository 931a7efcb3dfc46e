"""A process of ours that lives as long as the headend wants, and no longer than it does."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

# Seconds before one that ended is started again: doubled each time, up to the last, and the
# first once more when it has run for so long.
RESTART, LONGEST_RESTART = 0.1, 30.0
WELL = 60.0

# Seconds that it has to end in when it is told to.
STOP_WAIT = 6.0


class Child:
    """`python -m MODULE FD WORDS`, on one end of a socket pair.

    What is said over it is theirs. Its end, EOF, tells the child that the headend is gone or wants
    it to end: no signal is needed, and nothing that was sent before is lost.

    `started` gets our end each time that it was started, `ended` why it is not there any more.
    `start` it at once, `supervise` it on an event loop; `detach` it before that loop is closed.
    """

    def __init__(
        self,
        module: str,
        *words: str,
        started: Callable[[socket.socket], object],
        ended: Callable[[str], object],
    ) -> None:
        self._module = module
        self._words = words
        self._started = started
        self._ended = ended
        self._process: subprocess.Popen[bytes] | None = None
        self._ours: socket.socket | None = None
        self._pidfd = -1
        self._since = 0.0
        self._killed_for = ""
        self._delay = RESTART
        self._loop: asyncio.AbstractEventLoop | None = None
        self._restart: asyncio.TimerHandle | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it. OSError where no process can be made."""
        ours, theirs = socket.socketpair()
        number = str(theirs.fileno())
        command = [sys.executable, "-P", "-m", self._module, number, *self._words]
        with theirs:
            try:
                self._process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),)
                )
            except OSError:
                ours.close()
                raise
        self._ours = ours
        self._pidfd = os.pidfd_open(self._process.pid)
        self._since = time.monotonic()
        self._killed_for = ""
        self._watch()
        self._started(ours)

    def supervise(self) -> None:
        """Start it again when it ends, from the running loop."""
        self._loop = asyncio.get_running_loop()
        self._watch()

    def kill(self, reason: str) -> None:
        """End it by force, for this reason, as soon as the system lets it go."""
        if self._process is not None:
            self._killed_for = reason
            self._process.kill()

    def detach(self) -> None:
        """Let go of the loop."""
        if self._restart is not None:
            self._restart.cancel()
            self._restart = None
        if self._loop is not None and self._pidfd >= 0:
            self._loop.remove_reader(self._pidfd)
        self._loop = None

    def stop(self, wait: float = STOP_WAIT) -> str:
        """Have it end: by EOF, and after `wait` seconds by force. This waits for it.

        What was wrong with its end, or nothing.
        """
        self.detach()
        process = self._process
        if process is None:
            return ""
        if self._ours is not None:
            with suppress(OSError):
                self._ours.shutdown(socket.SHUT_WR)
        try:
            status = process.wait(wait)
            problem = _reason(status) if status else ""
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            problem = f"killed, for it did not end in {wait:.0f} s"
        self._let_go()
        return problem

    def _watch(self) -> None:
        if self._loop is not None and self._pidfd >= 0:
            self._loop.add_reader(self._pidfd, self._has_ended)

    def _has_ended(self) -> None:
        assert self._process is not None
        assert self._loop is not None
        status = self._process.wait()
        self._loop.remove_reader(self._pidfd)
        self._ended(self._killed_for or _reason(status))
        self._let_go()
        ran = time.monotonic() - self._since
        self._delay = RESTART if ran >= WELL else min(2 * self._delay, LONGEST_RESTART)
        self._restart = self._loop.call_later(self._delay, self._start_again)

    def _start_again(self) -> None:
        self._restart = None
        try:
            self.start()
        except OSError as error:
            assert self._loop is not None
            self._delay = min(2 * self._delay, LONGEST_RESTART)
            self._restart = self._loop.call_later(self._delay, self._start_again)
            self._ended(f"it cannot be started: {error.strerror}")

    def _let_go(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
        if self._ours is not None:
            self._ours.close()
        self._process, self._ours, self._pidfd = None, None, -1


def _reason(status: int) -> str:
    """What a process' return code says."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
