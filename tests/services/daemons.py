"""Other people's daemons: found, started in the foreground, waited for and ended."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cannot import cannot
from tests.hosts import Host

LOOPBACK = "127.0.0.1"
PATIENCE = 20.0


def tool(name: str, package: str) -> str:
    """The path of a program, or a skip; in CI a program that is absent is a failure."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    return found or cannot(f"there is no {name} (Debian: {package})")


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port of the loopback that nobody has now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], object], complaint: Callable[[], str]) -> None:
    """Wait until `condition()` holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, complaint()
        time.sleep(0.02)


class Daemon:
    """A process that lives as long as its `with` block, and can be killed and started in it."""

    def __init__(
        self,
        folder: Path,
        *words: str,
        env: dict[str, str] | None = None,
        host: Host | None = None,
    ) -> None:
        """`host` None is this one."""
        self.folder = folder
        self.said = folder / f"{Path(words[0]).name}.said"
        self._words = words if host is None else host.command(words)
        self._env = {**os.environ, **(env or {})}
        self._process: subprocess.Popen[bytes] | None = None

    def ready(self) -> bool:
        """Whether it can be used; a subclass knows."""
        raise NotImplementedError

    def start(self) -> None:
        with self.said.open("ab") as out:
            self._process = subprocess.Popen(
                self._words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self._env,
            )  # fmt: skip
        self.wait(self.ready, "did not start")

    def wait(self, condition: Callable[[], object], complaint: str) -> None:
        """Until `condition()` holds; the daemon must not end before."""
        until(lambda: self._lives() and condition(), lambda: f"{complaint}: {self.tell()}")

    def tell(self) -> str:
        """What it has said, for a failure."""
        return self.said.read_text(errors="replace")[-4000:]

    def kill(self) -> None:
        """End it as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
            self._process = None

    def listens(self, port: int) -> bool:
        """Whether somebody on its host listens to a TCP port (proc(5): state 0A)."""
        assert self._process is not None
        table = Path(f"/proc/{self._process.pid}/net/tcp").read_text().splitlines()[1:]
        rows = [line.split() for line in table]
        return any(row[1].endswith(f":{port:04X}") and row[3] == "0A" for row in rows)

    def _lives(self) -> bool:
        assert self._process is not None
        ended = self._process.poll()
        assert ended is None, f"ended with {ended}: {self.tell()}"
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
