"""The exception tree.

A peer's fault is a RemoteProtocolError and carries the code to answer with; a
caller's fault is a LocalProtocolError. What a person must act on carries what was
wrong, where, and what to do. A packet's fault raises nothing: it is counted.
"""

from __future__ import annotations

from dataclasses import dataclass


class FastpptpError(Exception):
    """Base of all errors that fastpptp raises on purpose."""


class ProtocolError(FastpptpError):
    """A rule of the protocol was broken."""


class LocalProtocolError(ProtocolError):
    """Our caller asked for something the protocol does not allow now."""


class RemoteProtocolError(ProtocolError):
    """The peer sent something the protocol does not allow.

    `code` is the wire's own code for it (a PPTP General Error Code, RFC 2637 2.16,
    or a PPP code), 0 where the protocol has none.
    """

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a configuration: where it stands, what it is, what is allowed."""

    where: str
    what: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        return f"{text} ({self.remedy})" if self.remedy else text


class ConfigurationError(FastpptpError):
    """A configuration was refused whole; nothing has changed. `problems` lists all of it."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class UnavailableError(FastpptpError):
    """This machine or this process lacks something; `remedy` says what to do about it."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(f"{what}\n{remedy}" if remedy else what)
        self.what = what
        self.remedy = remedy
