"""What requests of the control API say in their URLs and bodies; each wrong word is named."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from fastpptp.errors import ConfigurationError, Problem
from fastpptp.events.catalogue import BASE_GROUP, CLASSES
from fastpptp.events.causes import Cause, Of
from fastpptp.events.log import EVERY_CLIENT, LAST_PAGE, EventQuery
from fastpptp.ppp.auth.types import AuthMethod
from fastpptp.session import SessionState, SessionView

LARGEST_PAGE = 10_000  # what stands on it
LAST_NUMBER = 1_000_000_000  # of a page
ENDED_PAGE = 1000
LARGEST_SEQUENCE = (1 << 63) - 1
UNITS = {
    "s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1),
    "d": timedelta(days=1),
}  # fmt: skip
NO_ENCRYPTION = "None"
RANK_NAMES = ("throughput", "data", "duration", "user", "address")

Wanted = Callable[[SessionView], bool]


@dataclass(frozen=True, slots=True)
class Word:
    """How a word's value is read (ValueError if it is wrong), and what people may write."""

    read: Callable[[str], Any]
    allowed: str


def read_words(words: Mapping[str, str], known: Mapping[str, Word]) -> dict[str, Any]:
    """The values of a query's words. ConfigurationError names the one that is wrong."""
    unknown = words.keys() - known.keys()
    if unknown:
        raise wrong(min(unknown), "is not known", "one of: " + ", ".join(known))
    values: dict[str, Any] = {}
    for word, text in words.items():
        try:
            values[word] = known[word].read(text)
        except ValueError:
            remedy = f"allowed: {known[word].allowed}"
            raise wrong(word, f"{text!r} is not valid", remedy) from None
    return values


def within(low: float, high: float, read: Callable[[str], float] = int) -> Callable[[str], float]:
    """Reads a number between these, both included."""

    def number(text: str) -> float:
        found = read(text)
        if not low <= found <= high:
            raise ValueError
        return found

    return number


def wrong(where: str, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(Problem(where, what, remedy))


# Sessions.


def encryption_of(view: SessionView) -> str:
    return str(view.encryption) if view.encryption else NO_ENCRYPTION


def _of_method(view: SessionView, method: AuthMethod) -> bool:
    return view.method is method


def _encrypted(view: SessionView, text: str) -> bool:
    return text in encryption_of(view).casefold()


def _of_user(view: SessionView, user: str) -> bool:
    return user in (view.user, view.account)


def _of_group(view: SessionView, group: str) -> bool:
    return (view.group or BASE_GROUP) == group


def _group(text: str) -> str:
    """Who is in no group is in the base group; that may be said by nothing as well."""
    return text or BASE_GROUP


def _at(view: SessionView, address: IPv4Address) -> bool:
    return address in (view.peer, view.assigned)


_METHODS = {method.value.casefold(): method for method in AuthMethod}
_STATES = {state.value: state for state in SessionState}


def _one_of(names: Mapping[str, Any]) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        if text.casefold() not in names:
            raise ValueError
        return names[text.casefold()]

    return read


_NETWORK = Word(IPv4Network, "an IPv4 address or network such as 172.16.1.0/24")
SESSION_WORDS: Mapping[str, Word] = {
    "user": Word(str, "a user"),
    "group": Word(_group, "a group"),
    "client": _NETWORK,
    "address": _NETWORK,
    "method": Word(_one_of(_METHODS), ", ".join(method.value for method in AuthMethod)),
    "encryption": Word(str.casefold, "none, 40, 128, stateless, ..."),
    "state": Word(_one_of(_STATES), ", ".join(_STATES)),
}
_SESSION_TESTS: Mapping[str, Callable[[SessionView, Any], bool]] = {
    "user": _of_user,
    "group": _of_group,
    "client": lambda view, network: view.peer in network,
    "address": lambda view, network: view.assigned is not None and view.assigned in network,
    "method": _of_method,
    "encryption": _encrypted,
    "state": lambda view, state: view.state is state,
}


def session_filter(words: Mapping[str, str]) -> Wanted:
    """Whether a session has all that a query's words ask for."""
    values = read_words(words, SESSION_WORDS)
    return lambda view: all(_SESSION_TESTS[word](view, values[word]) for word in values)


def _place(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _rank(text: str) -> str:
    if text not in RANK_NAMES:
        raise ValueError
    return text


_PAGE_OF_TOP = {"by": "throughput", "first": 0, "limit": 10, "watcher": ""}
_TOP_WORDS = {
    "by": Word(_rank, ", ".join(RANK_NAMES)),
    "first": Word(_place, "a number from 0"),
    "limit": Word(_place, "a number from 0"),
    "watcher": Word(str, "a name"),
}


def top_query(words: Mapping[str, str]) -> tuple[Wanted, dict[str, Any]]:
    """Which sessions, as session_filter; and the page of Ranking.page."""
    about = {word: text for word, text in words.items() if word not in _TOP_WORDS}
    page = {word: text for word, text in words.items() if word in _TOP_WORDS}
    return session_filter(about), _PAGE_OF_TOP | read_words(page, _TOP_WORDS)


def _code_of(what: str, causes: Iterable[Cause]) -> Word:
    codes = {cause.code: cause.code for cause in causes}
    return Word(_one_of(codes), f"the code of {what}, as docs/events.md lists them")


_ENDS = [cause for cause in Cause if Of.SESSION_ENDED in cause.of]


# Sessions that ended, as rows of JSON: they may be of a run that is long over.
_ENDED_WORDS = {**SESSION_WORDS, "cause": _code_of("a cause that ends sessions", _ENDS)}
_ROW_TESTS: Mapping[str, Callable[[Mapping[str, Any], Any], bool]] = {
    "user": lambda row, user: user in (row["user"], row["account"]),
    "group": lambda row, group: (row["group"] or BASE_GROUP) == group,
    "client": lambda row, network: IPv4Address(row["peer"]) in network,
    "address": lambda row, network: bool(row["address"]) and IPv4Address(row["address"]) in network,
    "method": lambda row, method: row["method"] == method.value,
    "encryption": lambda row, text: text in (row["encryption"] or NO_ENCRYPTION).casefold(),
    "state": lambda row, state: row["state"] == state.value,
    "cause": lambda row, code: row["cause"] == code,
}


def ended_query(
    words: Mapping[str, str],
) -> tuple[Callable[[Mapping[str, Any]], bool], int, int]:
    """Whether a session that ended has all that is asked for; the page, and its size."""
    values = read_words(words, {**_ENDED_WORDS, **_PAGE_WORDS})
    page, per_page = values.pop("page", 1), values.pop("per_page", ENDED_PAGE)
    return lambda row: all(_ROW_TESTS[word](row, values[word]) for word in values), page, per_page


def selection(body: Mapping[str, Any]) -> Wanted:
    """Whom a logout is for: one word says it."""
    match body:
        case {"session": int(number), **rest} if not rest:
            return lambda view: view.id == number
        case {"user": str(user), **rest} if not rest:
            return lambda view: _of_user(view, user)
        case {"users": [*users], **rest} if not rest and all(isinstance(u, str) for u in users):
            names = set(users)
            return lambda view: bool(names & {view.user, view.account})
        case {"group": str(group), **rest} if not rest:
            return lambda view: _of_group(view, _group(group))
        case {"address": str(text), **rest} if not rest:
            address = read_words({"address": text}, _ADDRESS)["address"]
            return lambda view: _at(view, address)
        case {"all": True, **rest} if not rest:
            return lambda view: True
    remedy = "one of: session, user, users, group, address, all"
    raise wrong("body", "it does not say whom to log out", remedy)


def peer(body: Mapping[str, Any]) -> IPv4Address:
    """Whose tunnels a stop is for."""
    match body:
        case {"peer": str(text), **rest} if not rest:
            found: IPv4Address = read_words({"address": text}, _ADDRESS)["address"]
            return found
    raise wrong("body", "it does not say whose tunnels to end", "peer: an IPv4 address")


_ADDRESS = {"address": Word(IPv4Address, "an IPv4 address, assigned or public")}


# Events.


def event_query(words: Mapping[str, str]) -> EventQuery:
    values = read_words(words, _EVENT_WORDS)
    return EventQuery(**{_EVENT_FIELDS.get(word, word): value for word, value in values.items()})


def _numbers(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        low, high = int(first), int(last if dash else first)
        if not 1 <= low <= high <= 13:
            raise ValueError
        found.update(range(low, high + 1))
    return frozenset(found)


def _classes(text: str) -> frozenset[str]:
    found = frozenset(name.strip().upper() for name in text.split(","))
    if not found <= frozenset(CLASSES):
        raise ValueError
    return found


def _page(text: str) -> float:
    return LAST_PAGE if text == "last" else 1 if text == "first" else _PAGE.read(text)


def _sequence(text: str) -> int:
    number = int(text)
    if not 0 <= number <= LARGEST_SEQUENCE:
        raise ValueError
    return number


def _time(text: str) -> datetime:
    """A time of day of this machine's zone unless it names one, or how long ago."""
    try:
        if ago := re.fullmatch(r"([0-9]{1,9})([smhd])", text):
            return datetime.now(UTC) - int(ago[1]) * UNITS[ago[2]]
        return _day_and_time(text).astimezone()
    except OverflowError:
        raise ValueError from None


def _day_and_time(text: str) -> datetime:
    """As ISO 8601 or as the event log has it."""
    if "/" not in text:
        return datetime.fromisoformat(text)
    return datetime.strptime(text, "%m/%d/%Y %H:%M:%S.%f" if "." in text else "%m/%d/%Y %H:%M:%S")


def read_flag(text: str) -> bool:
    """0 or 1."""
    if text not in ("0", "1"):
        raise ValueError
    return text == "1"


_TIME = Word(
    _time, "2026-01-31T18:00, 2026-01-31, 01/31/2026 18:00:00, or how long ago: 90s, 15m, 2h, 3d"
)
_SEQUENCE = Word(_sequence, "a sequence number")
_PAGE = Word(within(1, LAST_NUMBER), f"1 to {LAST_NUMBER}")
_PER_PAGE = Word(within(1, LARGEST_PAGE), f"1 to {LARGEST_PAGE}")
_PAGE_WORDS = {"page": _PAGE, "per_page": _PER_PAGE}
_EVENT_WORDS: Mapping[str, Word] = {
    "class": Word(_classes, f"any of {', '.join(CLASSES)}"),
    "severity": Word(_numbers, "1 to 13, as 1-5 or 1,3"),
    "client": Word(IPv4Address, f"an IPv4 address, {EVERY_CLIENT} = all"),
    "group": Word(_group, "a group"),
    "user": Word(str, "a user"),
    "cause": _code_of("a cause", Cause),
    "since": _TIME,
    "until": _TIME,
    "text": Word(str, "a text"),
    "after": _SEQUENCE,
    "before": _SEQUENCE,
    "newest": Word(read_flag, "0 or 1"),
    "per_page": _PER_PAGE,
    "page": Word(_page, f"{_PAGE.allowed}, first, last"),
}
_EVENT_FIELDS = {"class": "classes", "severity": "severities", "newest": "newest_first"}
