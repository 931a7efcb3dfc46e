"""ALTIGA-PPP-STATS: the links, and the resets of MPPE."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastpptp.snmp.mib import (
    ACTIVE,
    COUNTER32,
    ROW_STATUS,
    STATISTICS,
    TRUTH_VALUE,
    Branch,
    Column,
    Group,
    Scalar,
    State,
    Table,
    ranged,
)
from fastpptp.snmp.objects.pptp import log_out, session_index

NO_MPPC = "0: there is no MPPC"


def _none(number: int, name: str) -> Column:
    return Column(number, f"alPppStats{name}", COUNTER32, lambda state, link: 0, NO_MPPC)


LINKS = Table(2, "alPppStatsTable", "alPppStatsEntry", ("alPppStatsIfIndex",),
    lambda state: state.snapshot.sessions, session_index,
    (
        Column(1, "alPppStatsRowStatus", ROW_STATUS, lambda state, link: ACTIVE,
               "active; destroy(6) ends the session", end=log_out),
        Column(2, "alPppStatsIfIndex", ranged(0, 2**31 - 1), "id", "the link's number",
               note="the ID of `fastpptp sessions`"),
        Column(3, "alPppStatsOctetsSent", COUNTER32, "tx_octets", "octets of data sent"),
        Column(4, "alPppStatsOctetsRcvd", COUNTER32, "rx_octets", "octets of data received"),
        Column(5, "alPppStatsPacketsSent", COUNTER32, "tx_packets", "packets of data sent"),
        Column(6, "alPppStatsPacketsRcvd", COUNTER32, "rx_packets", "packets of data received"),
        Column(7, "alPppStatsMppcStatus", TRUTH_VALUE, lambda state, link: False,
               "whether MPPC is in use: false"),
        Column(8, "alPppStatsMppeStatus", TRUTH_VALUE, "bits", "whether MPPE is in use"),
        Column(9, "alPppStatsMppcMppeReset", COUNTER32,
               lambda state, link: link.mppe_resets_received + link.mppe_resets_sent,
               "CCP Reset-Requests of MPPE, received and sent"),
        _none(10, "MppcOctSentAfterComp"),
        _none(11, "MppcOctSentBeforeComp"),
        Column(12, "alPppStatsMppcOctSentUnComp", COUNTER32, "tx_octets",
               "octets of data sent, none of them compressed"),
        _none(13, "MppcOctRcvdBeforeDeComp"),
        _none(14, "MppcOctRcvdAfterDeComp"),
        Column(15, "alPppStatsMppcOctRcvdUnComp", COUNTER32, "rx_octets",
               "octets of data received, none of them compressed"),
    ),
    "A row for each session's PPP link.",
)  # fmt: skip


def _total(number: int, name: str, total: str, help: str) -> Scalar:
    read: Callable[[State], Any] = lambda state: state.snapshot.totals[total]  # noqa: E731
    return Scalar(number, f"alPppStatsGlob{name}", COUNTER32, read, help)


def _zero(number: int, name: str) -> Scalar:
    return Scalar(number, f"alPppStatsGlob{name}", COUNTER32, lambda state: 0, NO_MPPC)


GLOBALS = Branch(3, "alStatsPppMppcGlobal", (
    _total(1, "MppcMppeResetsRcvd", "payload_received_resets",
           "CCP Reset-Requests of MPPE received"),
    _total(2, "MppcMppeResetsSent", "payload_sent_resets", "CCP Reset-Requests of MPPE sent"),
    _zero(3, "MppcOctSentAfterComp"),
    _zero(4, "MppcOctSentBeforeComp"),
    _total(5, "MppcOctSentUnComp", "payload_sent_octets",
           "octets of data sent, none of them compressed"),
    _zero(6, "MppcOctRcvdBeforeDeComp"),
    _zero(7, "MppcOctRcvdAfterDeComp"),
    _total(8, "MppcOctRcvdUnComp", "payload_received_octets",
           "octets of data received, none of them compressed"),
))  # fmt: skip

PPP = Group(
    "alStatsPpp", "ALTIGA-PPP-STATS-MIB", (*STATISTICS, 6), (LINKS, GLOBALS),
    "PPP links and their encryption.",
)  # fmt: skip
