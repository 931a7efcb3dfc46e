"""ALTIGA-SESSION-STATS: Monitoring | Sessions, and the Top Ten Lists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import nlargest
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from fastpptp.admin.snapshot import SessionRow
from fastpptp.snmp.mib import (
    ACTIVE,
    COUNTER32,
    DISPLAY_STRING,
    GAUGE32,
    INTEGER32,
    IP_ADDRESS,
    ROW_STATUS,
    STATISTICS,
    TIME_TICKS,
    UNSIGNED32,
    Branch,
    Column,
    Group,
    Scalar,
    State,
    Syntax,
    Table,
    named,
    ranged,
)
from fastpptp.snmp.objects.pptp import log_out, session_index

TOP = 10
PPTP_PROTOCOL = 1

# By key length and whether stateless; the 56-bit ones are ours.
ENCRYPTION: Mapping[tuple[int, bool], int] = MappingProxyType(
    {
        (0, False): 1,
        (40, True): 5,
        (40, False): 6,
        (128, True): 7,
        (128, False): 8,
        (56, True): 200,
        (56, False): 201,
    }
)
ENCRYPTION_TYPE = named(
    none=1, des56=2, des40=3, des168=4, rc4Stateless40=5, rc4Statefull40=6, rc4Stateless128=7,
    rc4Statefull128=8, aes128=9, aes192=10, aes256=11, rc4Stateless56=200, rc4Statefull56=201,
)  # fmt: skip
PROTOCOL_TYPE = named(pptp=1, l2tp=2, ipsec=3, other=12)
NAC_RESULT = named(notApplicable=5)


def _scalar(number: int, name: str, syntax: Syntax, total: str, help: str) -> Scalar:
    read: Callable[[State], Any] = lambda state: state.snapshot.totals[total]  # noqa: E731
    return Scalar(number, name, syntax, read, help)


def _zero(number: int, name: str, help: str) -> Scalar:
    return Scalar(number, name, GAUGE32, lambda state: 0, help)


GLOBALS = Branch(1, "alStatsSessionGlobal", (
    _scalar(1, "alActiveSessionCount", GAUGE32, "active_sessions", "sessions now"),
    _scalar(2, "alTotalSessionCount", COUNTER32, "total_sessions", "sessions since the start"),
    Scalar(3, "alActiveSessionLastUpdate", TIME_TICKS, lambda state: state.snapshot.uptime,
           "sysUpTime when what is told here was read"),
    _scalar(4, "alActiveSessionMaxUsers", GAUGE32, "limit_sessions",
            "the most sessions that there may be"),
    Scalar(5, "alActiveSessionGroupIdLock", INTEGER32, lambda state: 0,
           "0: the lists are of all groups"),
    _scalar(6, "alMaxSessionCount", COUNTER32, "peak_sessions", "the most sessions at one time"),
    _zero(7, "alActiveLanToLanSessionCount", "0: there are no LAN-to-LAN sessions"),
    _zero(8, "alActiveManagementSessionCount", "0: they are not counted"),
    _scalar(9, "alActiveRemoteAccessSessionCount", GAUGE32, "active_sessions",
            "sessions of remote access: all"),
))  # fmt: skip


class Ranked(NamedTuple):
    """A session's place in a list, from 1, and what it is ranked by."""

    place: int
    data: int
    session: SessionRow


# Reads a SessionRow, wherever a row has it.
Reading: TypeAlias = Callable[[State, SessionRow], Any]


def _started(state: State, session: SessionRow) -> float:
    return max(0.0, state.snapshot.uptime - session.age)


def _encryption(state: State, session: SessionRow) -> int:
    return ENCRYPTION[session.bits, session.stateless]


def _field(name: str) -> Reading:
    return lambda state, session: getattr(session, name)


# What the table of sessions and the lists have in common: number, name, type, value, meaning.
COMMON: tuple[tuple[int, str, Syntax, Reading, str], ...] = (
    (3, "UserName", DISPLAY_STRING, _field("user"), "the user"),
    (4, "IpAddress", IP_ADDRESS, _field("address"), "the address that was assigned, or 0.0.0.0"),
    (5, "Protocol", PROTOCOL_TYPE, lambda state, session: PPTP_PROTOCOL, "pptp(1)"),
    (6, "EncrType", ENCRYPTION_TYPE, _encryption, "MPPE's key length and mode, none(1) without"),
    (7, "StartTime", TIME_TICKS, _started, "sysUpTime at the login"),
    (8, "ConnectTime", COUNTER32, lambda state, session: int(session.age),
     "seconds since the login"),
    (9, "OctetsSent", COUNTER32, _field("tx_octets"), "octets of data sent"),
    (10, "OctetsRcvd", COUNTER32, _field("rx_octets"), "octets of data received"),
    (11, "SepId", INTEGER32, _field("worker"), "the dataplane's worker that carries it, from 1"),
    (12, "GroupName", DISPLAY_STRING, _field("group"), "the group, empty for the base group"),
    (13, "GroupId", INTEGER32, lambda state, session: 0, "0: groups have no numbers"),
    (14, "PublicIpAddress", IP_ADDRESS, _field("peer"), "the peer's address"),
)  # fmt: skip

LOGIN_TIME = "time of day at the login, seconds since 1970, 0 before"


def _active_columns() -> tuple[Column, ...]:
    types = {"ConnectTime": UNSIGNED32}
    return (
        Column(1, "alActiveSessionRowStatus", ROW_STATUS, lambda state, session: ACTIVE,
               "active; destroy(6) ends the session", end=log_out),
        Column(2, "alActiveSessionIndex", ranged(1, 2**31 - 1), "id", "the session's number",
               note="the ID of `fastpptp sessions`; the product stopped at 10,000"),
        *(Column(number, f"alActiveSession{name}", types.get(name, syntax), read, help)
          for number, name, syntax, read, help in COMMON),
        Column(15, "alActiveSessionTopTenData", GAUGE32, lambda state, session: 0,
               "0: see the lists"),
        Column(16, "alActiveSessionLoginTime", UNSIGNED32, "login_time", LOGIN_TIME),
        Column(17, "alActiveSessionOS", DISPLAY_STRING, "client_type",
               "what the client calls its maker", note="a PPTP client says no more of itself"),
        Column(18, "alActiveSessionVersion", DISPLAY_STRING, lambda state, session: "", "empty"),
        Column(19, "alActiveSessionFilterId", INTEGER32, lambda state, session: 0,
               "0: filters have no numbers"),
        Column(20, "alActiveSessionNacResult", NAC_RESULT, lambda state, session: 5,
               "notApplicable(5)"),
    )  # fmt: skip


def _of_session(read: Reading) -> Callable[[State, Ranked], Any]:
    return lambda state, row: read(state, row.session)


def _top(number: int, of: str, data: Callable[[SessionRow], float], what: str) -> Table:
    def rows(state: State) -> list[Ranked]:
        sessions = state.snapshot.sessions
        best = nlargest(TOP, sessions, key=lambda session: (data(session), -session.id))
        return [Ranked(place, int(data(session)), session) for place, session in enumerate(best, 1)]

    name = f"alActiveSession{of}"
    columns = (
        Column(1, f"{name}RowStatus", ROW_STATUS, lambda state, row: ACTIVE, "active"),
        Column(2, f"{name}Index", ranged(1, TOP), "place", "the place in the list"),
        *(Column(number, f"{name}{column}", syntax, _of_session(read), help)
          for number, column, syntax, read, help in COMMON),
        Column(15, f"{name}TopTenData", GAUGE32, "data", f"what the list is ranked by: {what}"),
        Column(16, f"{name}LoginTime", UNSIGNED32, "session.login_time", LOGIN_TIME),
    )  # fmt: skip
    return Table(
        number, f"{name}Table", f"{name}Entry", (f"{name}Index",), rows,
        lambda row: (row.place,), columns, f"The ten sessions with the most {what}.",
    )  # fmt: skip


def _octets(session: SessionRow) -> int:
    return session.rx_octets + session.tx_octets


ACTIVE_SESSIONS = Table(
    2, "alActiveSessionTable", "alActiveSessionEntry", ("alActiveSessionIndex",),
    lambda state: state.snapshot.sessions, session_index, _active_columns(),
    "A row for each session.",
)  # fmt: skip

SESSION = Group(
    "alStatsSession", "ALTIGA-SESSION-STATS-MIB", (*STATISTICS, 17),
    (
        GLOBALS,
        ACTIVE_SESSIONS,
        _top(3, "Throughput", lambda session: _octets(session) / max(session.age, 1.0),
             "octets a second since the login"),
        _top(4, "Data", _octets, "octets, both ways together"),
        _top(5, "Duration", lambda session: session.age, "seconds since the login"),
    ),
    "Monitoring | Sessions, and its Top Ten Lists.",
)  # fmt: skip
