"""Kinds of value that name somebody else: a host, a socket on this machine, a mailbox."""

from __future__ import annotations

import re
from ipaddress import ip_address

from fastpptp.settings.kinds import Kind, Plain

MAX_PATH = 107  # unix(7): sun_path without its NUL
MAX_HOST = 253  # RFC 1035 2.3.4, as text
MAX_LOCAL_PART = 64  # RFC 5321 4.5.3.1.1
MAX_MAILBOX = 254

_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LOCAL_PART = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")  # RFC 5321 4.1.2: Dot-string


def is_host(text: str) -> bool:
    """Whether it is an address of IPv4 or IPv6, or has the form of a host's name."""
    try:
        ip_address(text)
    except ValueError:
        last = text.rpartition(".")[2]
        return len(text) <= MAX_HOST and bool(_HOST.fullmatch(text)) and not last.isdecimal()
    return "%" not in text


class Host(Kind[str]):
    """A host by name or address."""

    allowed = "a host's name or address such as 192.0.2.9"

    def load(self, raw: object) -> str:
        if not isinstance(raw, str) or not is_host(raw):
            raise ValueError(self.allowed)
        return raw

    def dump(self, value: str) -> Plain:
        return value


class HostOrPath(Kind[str]):
    """A host, or the absolute path of a unix socket."""

    allowed = f"{Host.allowed}, or the path of a socket such as /dev/log"

    def load(self, raw: object) -> str:
        if not isinstance(raw, str) or not (is_host(raw) or _is_path(raw)):
            raise ValueError(self.allowed)
        return raw

    def dump(self, value: str) -> Plain:
        return value


def _is_path(text: str) -> bool:
    return text.startswith("/") and text.isprintable() and len(text.encode()) <= MAX_PATH


class MailAddress(Kind[str]):
    """A mailbox of ASCII characters, without quotes (RFC 5321 4.1.2)."""

    allowed = "an email address such as ops@example.com"

    def load(self, raw: object) -> str:
        if not isinstance(raw, str) or len(raw) > MAX_MAILBOX:
            raise ValueError(self.allowed)
        local, _, host = raw.rpartition("@")
        if len(local) > MAX_LOCAL_PART or not (_LOCAL_PART.fullmatch(local) and is_host(host)):
            raise ValueError(self.allowed)
        return raw

    def dump(self, value: str) -> Plain:
        return value
