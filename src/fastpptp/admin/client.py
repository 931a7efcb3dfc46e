"""A client of the control API that waits for its answers: what the command line uses."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection, HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastpptp.admin import PREFIX, snapshot
from fastpptp.errors import ConfigurationError, FastpptpError, Problem, UnavailableError

TIMEOUT = 30.0
QUERY_LIMIT = 8000  # octets; the headend reads request lines of 8,190


class AdminError(FastpptpError):
    """The headend refused a request: what was asked for is not there, or not possible now."""


class NotRunningError(UnavailableError):
    """Nothing answers on the socket."""


class _UnixConnection(HTTPConnection):
    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class AdminClient:
    """The headend behind the unix socket `path`. Answers are those of admin/api.py."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def version(self) -> dict[str, Any]:
        return self._ask("GET", "/version")

    def sessions(self, **filters: object) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._get("/sessions", filters)["sessions"]
        return found

    def top(self, **query: object) -> dict[str, Any]:
        """A page of the sessions that have most of something: as filters, and by, first, limit,
        watcher (whose throughput is since it last asked)."""
        return self._get("/sessions/top", query)

    def session(self, number: int) -> dict[str, Any]:
        return self._ask("GET", f"/sessions/{number}")

    def ping(self, number: int) -> dict[str, Any]:
        """An Echo-Request to the session's client; `rtt` is None if nothing came back."""
        return self._ask("POST", f"/sessions/{number}/ping")

    def logout(self, **whom: object) -> list[int]:
        """End the sessions that one word says, such as `user=` or `all=True`; their numbers.

        `edited=True`: because their account was changed.
        """
        ended: list[int] = self._ask("POST", "/logout", whom)["sessions"]
        return ended

    def stop_tunnels(self, peer: str) -> int:
        """End the tunnels to the address `peer`; how many there were."""
        return int(self._ask("POST", "/tunnels/stop", {"peer": peer})["tunnels"])

    def snapshot(self) -> snapshot.Snapshot:
        """Everything at once: the real counters, tunnels, sessions, events."""
        with self._response("GET", "/snapshot") as response:
            return snapshot.read(response)

    def events(self, **query: object) -> dict[str, Any]:
        return self._get("/events", query)

    def clear_events(self) -> None:
        self._ask("DELETE", "/events")

    def sinks(self) -> list[dict[str, Any]]:
        """Where events go, and the counters of each place."""
        found: list[dict[str, Any]] = self._ask("GET", "/sinks")["sinks"]
        return found

    def ended(self, **query: object) -> dict[str, Any]:
        """A page of the sessions that ended, newest first."""
        return self._get("/ended", query)

    def statistics(self) -> dict[str, Any]:
        return self._ask("GET", "/statistics")

    def pptp_statistics(self) -> dict[str, Any]:
        return self._ask("GET", "/statistics/pptp")

    def reset(self) -> None:
        """Count from 0 in what this user is shown."""
        self._ask("POST", "/statistics/reset")

    def restore(self) -> None:
        """Show the real counters again."""
        self._ask("POST", "/statistics/restore")

    def pools(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("GET", "/pools")["pools"]
        return found

    def filter_counts(self, name: str) -> dict[str, Any]:
        return self._ask("GET", f"/filters/{quote(name, safe='')}")

    def reload(self) -> dict[str, Any]:
        """Have the headend follow store and bootstrap file; what it follows now."""
        return self._ask("POST", "/reload")

    def debug(self, **order: object) -> dict[str, Any]:
        """Debug the sessions of a `user` or `address`, up to `severity`, for so many `minutes`."""
        return self._ask("POST", "/debug", {n: v for n, v in order.items() if v is not None})

    def debugged(self) -> list[dict[str, Any]]:
        """Whose sessions are debugged now."""
        found: list[dict[str, Any]] = self._ask("GET", "/debug")["debug"]
        return found

    def end_debug(self, **whom: object) -> list[dict[str, Any]]:
        """End the debug of a `user` or `address`, or of all; what ended."""
        words = urlencode({name: value for name, value in whom.items() if value is not None})
        found: list[dict[str, Any]] = self._ask("DELETE", f"/debug?{words}")["debug"]
        return found

    def trace(self, **query: object) -> TraceStream:
        """The packets of whom one word says, `session=`, `user=` or `address=`, as pcapng.

        The stream must be closed.
        """
        words = {name: value for name, value in query.items() if value is not None}
        with ExitStack() as stack:
            # A session may be silent for as long as it likes.
            asked = self._response("GET", f"/trace?{urlencode(words)}", timeout=None)
            return TraceStream(stack.enter_context(asked), stack.pop_all())

    def end_trace(self, number: int) -> None:
        """Have a trace's file come to its end."""
        self._ask("DELETE", f"/trace/{number}")

    def _get(self, path: str, query: Mapping[str, object]) -> dict[str, Any]:
        words = urlencode({name: value for name, value in query.items() if value is not None})
        if len(words) > QUERY_LIMIT:
            raise AdminError(f"filters of {len(words)} octets are longer than the headend takes")
        return self._ask("GET", f"{path}?{words}")

    def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None = None
    ) -> dict[str, Any]:
        with self._response(method, path, body) as response:
            answer: dict[str, Any] = json.loads(response.read())
        return answer

    @contextmanager
    def _response(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        timeout: float | None = TIMEOUT,
    ) -> Iterator[HTTPResponse]:
        """An answer that is no error, to be read within; what goes wrong there is told as ours."""
        content = _content(body) if body else None
        connection = _UnixConnection(self._path, timeout)
        try:
            connection.request(method, PREFIX + path, content)
            response = connection.getresponse()
            if response.status >= 400:
                raise _as_error(response.status, json.loads(response.read()))
            yield response
        except (FileNotFoundError, ConnectionRefusedError):
            raise NotRunningError(
                f"no headend is running: nothing answers on {self._path}",
                "Start it with `fastpptp serve`, or name its state directory with --state-dir.",
            ) from None
        except PermissionError:
            raise UnavailableError(
                f"the admin socket {self._path} may not be opened by this user",
                "Run as the user that runs the headend (root).",
            ) from None
        except (OSError, HTTPException, ValueError) as error:
            raise UnavailableError(
                f"the headend behind {self._path} did not answer: {error}"
            ) from None
        finally:
            connection.close()


def _content(body: Mapping[str, object]) -> str:
    """JSON, which would escape what is no UTF-8: UnicodeEncodeError has that text."""
    for value in body.values():
        if isinstance(value, str):
            value.encode()
    return json.dumps(body)


class TraceStream:
    """A trace that runs: `number` names it, of `sessions` sessions to begin with."""

    def __init__(self, response: HTTPResponse, held: ExitStack) -> None:
        self._response = response
        self._held = held
        self.number = int(response.headers["Trace-Number"])
        self.sessions = int(response.headers["Trace-Sessions"])

    def read(self) -> bytes:
        """The next octets of the file, waiting for some; none at its end."""
        try:
            return self._response.read1(1 << 20)
        except (OSError, HTTPException) as error:
            raise UnavailableError(
                f"the headend broke the trace off: {error}",
                "What was written until then can be read.",
            ) from None

    def close(self) -> None:
        self._response.close()
        self._held.close()


def _as_error(status: int, answer: Mapping[str, Any]) -> FastpptpError:
    """The API's error as the exception that it was."""
    if status == 422:
        return ConfigurationError(*(Problem(**problem) for problem in answer["problems"]))
    if status == 503:
        return UnavailableError(answer["error"], answer.get("remedy", ""))
    return AdminError(answer["error"])
