"""Configuration Options as objects: what we ask for, and our verdict on what the peer asks.

A control protocol is an OptionSet; no code outside an option's own class knows its values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import Any, ClassVar, TypeAlias

from fastpptp.ppp.frames import Code, Option


class Verdict(IntEnum):
    """On an option that the peer asks for; the values are the answers' codes."""

    ACK = Code.CONFIGURE_ACK
    NAK = Code.CONFIGURE_NAK
    REJECT = Code.CONFIGURE_REJECT


Judgement: TypeAlias = tuple[Verdict, bytes]


class OptionRule:
    """One option type, in both directions. The base class asks for nothing, rejects everything.

    `judge` must not change what was agreed on: that is `agree`, called when our
    Configure-Ack goes out. Data are the octets behind Type and Length, of any length.
    """

    __slots__ = ()

    type: int
    # The attributes that snapshot() holds: plain values.
    FIELDS: ClassVar[tuple[str, ...]] = ()

    @property
    def hopeless(self) -> bool:
        """Whether nothing is left to try."""
        return False

    def reset(self) -> None:
        """A new negotiation begins: ask again for what we want most."""

    def ask(self) -> bytes | None:
        """What our Configure-Request says, None to leave it out."""
        return None

    def judge(self, data: bytes) -> Judgement:
        """The verdict on what the peer asks for, and the data to answer with."""
        return Verdict.REJECT, data

    def absent(self) -> bytes | None:
        """What to append to a Configure-Nak when the peer leaves the option out."""
        return None

    def agree(self, data: bytes | None) -> None:
        """We acknowledge the peer's request; None: it leaves the option out."""

    def naked(self, data: bytes) -> None:
        """The peer would have something else in our request."""

    def rejected(self) -> None:
        """The peer does not know what we ask for, or will not discuss it."""

    def snapshot(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.FIELDS}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        for name in self.FIELDS:
            setattr(self, name, snapshot[name])


class OptionSet:
    """The options of one control protocol."""

    __slots__ = ("_rules",)

    def __init__(self, rules: Iterable[OptionRule]) -> None:
        self._rules = tuple(rules)

    def _by_type(self) -> dict[int, OptionRule]:
        return {rule.type: rule for rule in self._rules}

    @property
    def hopeless(self) -> bool:
        return any(rule.hopeless for rule in self._rules)

    def reset(self) -> None:
        for rule in self._rules:
            rule.reset()

    def request(self) -> tuple[Option, ...]:
        """The options of our Configure-Request."""
        asked = ((rule.type, rule.ask()) for rule in self._rules)
        return tuple(Option(kind, data) for kind, data in asked if data is not None)

    def judge(self, options: Sequence[Option], may_nak: bool) -> tuple[Verdict, tuple[Option, ...]]:
        """Our answer to the peer's request: the worst verdict, and the options that have it.

        Without `may_nak` (Max-Failure, RFC 1661 4.6) what would be a Nak is a Reject, and
        nothing is appended.
        """
        answers: dict[Verdict, list[Option]] = {verdict: [] for verdict in Verdict}
        missing = self._by_type()
        for option in options:
            rule = missing.pop(option.type, None)
            verdict, data = rule.judge(option.data) if rule else (Verdict.REJECT, option.data)
            if verdict is Verdict.NAK and not may_nak:
                verdict, data = Verdict.REJECT, option.data
            answers[verdict].append(Option(option.type, data))
        if may_nak:
            wanted = ((rule.type, rule.absent()) for rule in missing.values())
            answers[Verdict.NAK] += [Option(t, data) for t, data in wanted if data is not None]
        worst = next((v for v in reversed(Verdict) if answers[v]), Verdict.ACK)
        return worst, tuple(answers[worst])

    def agree(self, options: Iterable[Option]) -> None:
        """Our Configure-Ack to these options goes out."""
        asked = {option.type: option.data for option in options}
        for rule in self._rules:
            rule.agree(asked.get(rule.type))

    def naked(self, options: Iterable[Option]) -> None:
        """A Configure-Nak. Options that we did not ask for are hints that we do not take."""
        asked = {option.type for option in self.request()}
        rules = self._by_type()
        for option in options:
            if option.type in asked:
                rules[option.type].naked(option.data)

    def rejected(self, options: Iterable[Option]) -> None:
        """A Configure-Reject of options that were in our request."""
        rules = self._by_type()
        for option in options:
            rules[option.type].rejected()

    def snapshot(self) -> dict[str, dict[str, Any]]:
        return {str(rule.type): rule.snapshot() for rule in self._rules}

    def restore(self, snapshot: Mapping[str, Mapping[str, Any]]) -> None:
        rules = self._by_type()
        for kind, fields in snapshot.items():
            rules[int(kind)].restore(fields)
