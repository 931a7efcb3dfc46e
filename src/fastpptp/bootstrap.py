"""The few settings that exist before the store: a TOML file, and how TOML files are read.

Everything else is in the store (settings/, store/).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from difflib import get_close_matches
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from fastpptp.errors import ConfigurationError, FastpptpError, Problem, UnavailableError

DEFAULT_PATH = Path("/etc/fastpptp/fastpptp.toml")
PPTP_PORT = 1723
OUTER_BACKENDS = ("auto", "raw", "packet", "xdp")
PROFILES = ("default", "reference", "empty")
MAX_WORKERS = 64
TUN_NAME_OCTETS = 15  # IFNAMSIZ without its NUL


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """What `fastpptp serve` must know before it can open the store.

    `workers` 0 is one a core but one; a path of None lies in the state directory, except
    log_file: there None is no file. `metrics_listen` is an address and port, None: metrics are
    had on the admin socket alone. `user` is who the headend is once its sockets are open, None: who
    started it.
    """

    listen: tuple[IPv4Address, ...] = (IPv4Address(0),)
    port: int = PPTP_PORT
    state_directory: Path = Path("/var/lib/fastpptp")
    store: str | None = None
    key_file: Path | None = None
    admin_socket: Path | None = None
    log_file: Path | None = None
    metrics_listen: tuple[IPv4Address, int] | None = None
    user: str | None = None
    tun: str = "pptp0"
    workers: int = 0
    outer: str = "auto"
    profile: str = "default"

    @property
    def store_url(self) -> str:
        return self.store or f"sqlite:///{(self.state_directory / 'fastpptp.db').absolute()}"

    @property
    def key_path(self) -> Path:
        return self.key_file or self.state_directory / "fastpptp.key"

    @property
    def admin_path(self) -> Path:
        return self.admin_socket or self.state_directory / "admin.sock"

    @property
    def events_path(self) -> Path:
        """The database of the event log."""
        return self.state_directory / "events.db"

    @property
    def worker_count(self) -> int:
        """Dataplane workers: Python, the store and softirq need a core of their own."""
        return self.workers or max(1, min(MAX_WORKERS, (os.cpu_count() or 1) - 1))


def load(path: Path | None = None) -> Bootstrap:
    """The bootstrap settings of the file `path`.

    Without a path: of /etc/fastpptp/fastpptp.toml, and the defaults when that is absent.
    Raises ConfigurationError with all that is wrong, UnavailableError for an unreadable file.
    """
    found, refusal = look_at(path)
    if refusal is not None:
        raise refusal
    return found


def look_at(path: Path | None = None) -> tuple[Bootstrap, FastpptpError | None]:
    """What can be read of that file, and what `load` raises."""
    if path is None and not DEFAULT_PATH.exists():
        return Bootstrap(), None
    chosen = path or DEFAULT_PATH
    try:
        raw = parse_toml(read_text(chosen), str(chosen))
    except FastpptpError as error:
        return Bootstrap(), error
    values, problems = _judged(raw, str(chosen))
    found = replace(Bootstrap(), **values)
    return found, ConfigurationError(*problems) if problems else None


def _judged(raw: Mapping[str, object], source: str) -> tuple[dict[str, Any], list[Problem]]:
    """The settings of a parsed file that are valid, and what is wrong with the others."""
    problems: list[Problem] = []
    values: dict[str, Any] = {}
    for key, value in raw.items():
        if key not in _READERS:
            problems.append(unknown_key(f"{source}: {key}", key, _READERS))
            continue
        allowed, reader = _READERS[key]
        try:
            values[key] = reader(value)
        except (ValueError, TypeError):
            problems.append(Problem(f"{source}: {key}", f"{value!r} is not valid", _take(allowed)))
    return values, problems


def read_text(path: Path) -> str:
    """The text of a configuration file; UnavailableError when it cannot be had."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UnavailableError(f"{path} does not exist", "name an existing file") from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            Problem(str(path), f"octet {error.start} is not UTF-8", "TOML is UTF-8 text")
        ) from None
    except OSError as error:
        raise UnavailableError(f"{path}: {error.strerror}", "check its permissions") from None


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """A parsed TOML document; a syntax error is a ConfigurationError with line and column."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, where = _place(str(error), text)
        raise ConfigurationError(Problem(f"{source}{where}", what, "TOML syntax")) from None


def unknown_key(where: str, key: str, known: Iterable[str]) -> Problem:
    """The problem of a key that nobody knows, with the nearest one that somebody does."""
    names = sorted(known)
    near = get_close_matches(key, names, n=1)
    remedy = f"did you mean {near[0]}?" if near else _take(", ".join(names))
    return Problem(where, "unknown key", remedy)


def _take(allowed: str) -> str:
    return f"allowed: {allowed}"


def _place(message: str, text: str) -> tuple[str, str]:
    """tomllib's message without its place, and the place as `:line:column`."""
    found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if found:
        return message[: found.start()], f":{found[1]}:{found[2]}"
    line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    return message.removesuffix(" (at end of document)"), f":{line}:{column}"


def _addresses(value: object) -> tuple[IPv4Address, ...]:
    listed = value if isinstance(value, list) else [value]
    if not listed:
        raise ValueError
    return tuple(IPv4Address(_text(item)) for item in listed)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError
    return value


def _path(value: object) -> Path:
    return Path(_text(value))


def _url(value: object) -> str:
    if "://" not in _text(value):
        raise ValueError
    return _text(value)


def _endpoint(value: object) -> tuple[IPv4Address, int]:
    address, _, port = _text(value).rpartition(":")
    return IPv4Address(address), _number(1, 65_535)(int(port))


def _tun(value: object) -> str:
    if not re.fullmatch(rf"[A-Za-z0-9_.-]{{1,{TUN_NAME_OCTETS}}}", name := _text(value)):
        raise ValueError
    if name in (".", ".."):
        raise ValueError
    return name


def _number(low: int, high: int) -> Callable[[object], int]:
    def read_number(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ValueError
        return value

    return read_number


def _one_of(*words: str) -> Callable[[object], str]:
    def read_word(value: object) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return read_word


_READERS: Mapping[str, tuple[str, Callable[[object], Any]]] = {
    "listen": ("a list of IPv4 addresses, 0.0.0.0 = all", _addresses),
    "port": ("1 to 65535", _number(1, 65_535)),
    "state_directory": ("a path", _path),
    "store": ("a URL: sqlite:///PATH or postgresql+psycopg://...", _url),
    "key_file": ("a path", _path),
    "admin_socket": ("a path", _path),
    "log_file": ("a path", _path),
    "metrics_listen": ("an IPv4 address and a port: 127.0.0.1:9723", _endpoint),
    "user": ("the name of a user of this machine", _text),
    "tun": (f"an interface name of at most {TUN_NAME_OCTETS} characters", _tun),
    "workers": (f"0 to {MAX_WORKERS}, 0 = one a core but one", _number(0, MAX_WORKERS)),
    "outer": (" | ".join(OUTER_BACKENDS), _one_of(*OUTER_BACKENDS)),
    "profile": (" | ".join(PROFILES), _one_of(*PROFILES)),
}

assert {known.name for known in fields(Bootstrap)} == _READERS.keys()
