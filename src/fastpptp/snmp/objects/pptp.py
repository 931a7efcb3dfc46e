"""ALTIGA-PPTP-STATS: Monitoring | Statistics | PPTP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address
from typing import Any

from fastpptp.admin.client import AdminClient
from fastpptp.admin.snapshot import SessionRow, TunnelRow
from fastpptp.pptp import PROTOCOL_VERSION, ControlConfig
from fastpptp.snmp.mib import (
    ACTIVE,
    COUNTER32,
    DISPLAY_STRING,
    GAUGE32,
    INTEGER32,
    IP_ADDRESS,
    ROW_STATUS,
    STATISTICS,
    TRUTH_VALUE,
    TWO_OCTETS,
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

OURS = ControlConfig()
CAPABILITIES = ranged(0, 3)
NUMBER16 = ranged(0, 65_535)
LOCAL, PEER = 1, 2  # the bits of SessionRow.flow


def _total(number: int, name: str, syntax: Syntax, total: str, help: str, note: str = "") -> Scalar:
    read: Callable[[State], Any] = lambda state: state.snapshot.totals[total]  # noqa: E731
    return Scalar(number, f"alPptpStats{name}", syntax, read, help, note=note)


GLOBALS = Branch(1, "alStatsPptpGlobal", (
    Scalar(1, "alPptpStatsLocalProtVers", TWO_OCTETS, lambda state: PROTOCOL_VERSION,
           "our protocol version and revision"),
    Scalar(2, "alPptpStatsLocalFraming", CAPABILITIES, lambda state: OURS.framing_capabilities,
           "our framing capabilities: 1 asynchronous, 2 synchronous"),
    Scalar(3, "alPptpStatsLocalBearer", CAPABILITIES, lambda state: OURS.bearer_capabilities,
           "our bearer capabilities: 1 analog, 2 digital"),
    Scalar(4, "alPptpStatsLocalFirmwareRev", TWO_OCTETS, lambda state: OURS.firmware_revision,
           "our firmware revision, as it is told to peers"),
    _total(5, "TotalTunnels", GAUGE32, "total_tunnels", "tunnels since the start",
           "those that were established, as on the screen"),
    _total(6, "ActiveTunnels", GAUGE32, "active_tunnels", "tunnels now"),
    _total(7, "MaxTunnels", GAUGE32, "peak_tunnels", "the most tunnels at one time"),
    _total(8, "TotalSessions", GAUGE32, "total_sessions", "sessions since the start"),
    _total(9, "ActiveSessions", GAUGE32, "active_sessions", "sessions now"),
    _total(10, "MaxSessions", GAUGE32, "peak_sessions", "the most sessions at one time"),
    _total(11, "ControlRecvOctets", COUNTER32, "control_received_octets",
           "octets of control messages received"),
    _total(12, "ControlRecvPackets", COUNTER32, "control_received_packets",
           "control messages received"),
    _total(13, "ControlRecvDiscards", COUNTER32, "control_received_discards",
           "control messages received that were malformed or out of place"),
    _total(14, "ControlSendOctets", COUNTER32, "control_sent_octets",
           "octets of control messages sent"),
    _total(15, "ControlSendPackets", COUNTER32, "control_sent_packets", "control messages sent"),
    _total(16, "PayloadRecvOctets", COUNTER32, "payload_received_octets",
           "octets of data received"),
    _total(17, "PayloadRecvPackets", COUNTER32, "payload_received_packets",
           "packets of data received"),
    _total(18, "PayloadRecvDiscards", COUNTER32, "payload_received_discards",
           "packets of data received that were dropped"),
    _total(19, "PayloadSendOctets", COUNTER32, "payload_sent_octets", "octets of data sent"),
    _total(20, "PayloadSendPackets", COUNTER32, "payload_sent_packets", "packets of data sent"),
))  # fmt: skip


def _of_peers(state: State) -> list[TunnelRow]:
    """The oldest tunnel of each peer, with the sessions of all its tunnels."""
    sessions: Counter[int] = Counter()
    for tunnel in state.snapshot.tunnels:
        sessions[tunnel.peer] += tunnel.sessions
    first = {tunnel.peer: tunnel for tunnel in reversed(state.snapshot.tunnels)}
    return [tunnel._replace(sessions=sessions[peer]) for peer, tunnel in first.items()]


def _stop(admin: AdminClient, tunnel: TunnelRow) -> object:
    return admin.stop_tunnels(str(IPv4Address(tunnel.peer)))


def _tunnel_index(tunnel: TunnelRow) -> tuple[int, ...]:
    return tuple(tunnel.peer.to_bytes(4))


TUNNELS = Table(2, "alPptpStatsTunnelTable", "alPptpStatsTunnelEntry",
    ("alPptpStatsTunnelPeerIpAddr",), _of_peers, _tunnel_index,
    (
        Column(1, "alPptpStatsTunnelRowStatus", ROW_STATUS, lambda state, tunnel: ACTIVE,
               "active; destroy(6) ends the tunnels to this peer, and their sessions", end=_stop),
        Column(2, "alPptpStatsTunnelPeerIpAddr", IP_ADDRESS, "peer", "the peer's address"),
        Column(3, "alPptpStatsTunnelDatastreamId", INTEGER32, "connection",
               "the number of the control connection", note="a number of the headend's"),
        Column(4, "alPptpStatsTunnelLocalIpAddr", IP_ADDRESS, "local", "our address"),
        Column(5, "alPptpStatsTunnelPeerHostName", DISPLAY_STRING, "host_name",
               "the peer's host name, as it said"),
        Column(6, "alPptpStatsTunnelPeerVendorName", DISPLAY_STRING, "vendor",
               "the peer's vendor, as it said"),
        Column(7, "alPptpStatsTunnelPeerFirmwareRev", TWO_OCTETS, "firmware",
               "the peer's firmware revision"),
        Column(8, "alPptpStatsTunnelPeerProtVers", TWO_OCTETS, "version",
               "the peer's protocol version and revision"),
        Column(9, "alPptpStatsTunnelPeerFramingCap", CAPABILITIES, "framing",
               "the peer's framing capabilities"),
        Column(10, "alPptpStatsTunnelPeerBearerCap", CAPABILITIES, "bearer",
               "the peer's bearer capabilities"),
        Column(11, "alPptpStatsTunnelPeerMaxChan", INTEGER32, "max_channels",
               "the channels that the peer says it has"),
        Column(12, "alPptpStatsTunnelActiveSessions", COUNTER32, "sessions",
               "sessions on the tunnels to this peer"),
    ),
    "A row for each peer that has a tunnel.",
    note="clients behind one NAT share an address, and so a row: that of the oldest tunnel, with "
         "the sessions of all",
)  # fmt: skip


def session_index(session: SessionRow) -> tuple[int, ...]:
    return (session.id,)


def log_out(admin: AdminClient, session: SessionRow) -> object:
    return admin.logout(session=session.id)


SESSIONS = Table(3, "alPptpStatsSessionTable", "alPptpStatsSessionEntry",
    ("alPptpStatsSessionDatastreamId",), lambda state: state.snapshot.sessions, session_index,
    (
        Column(1, "alPptpStatsSessionRowStatus", ROW_STATUS, lambda state, session: ACTIVE,
               "active; destroy(6) ends the session", end=log_out),
        Column(2, "alPptpStatsSessionDatastreamId", INTEGER32, "id", "the session's number",
               note="the ID of `fastpptp sessions`"),
        Column(3, "alPptpStatsSessionLocalCallId", NUMBER16, "local_call_id", "our Call ID"),
        Column(4, "alPptpStatsSessionPeerCallId", NUMBER16, "peer_call_id", "the peer's Call ID"),
        Column(5, "alPptpStatsSessionUserName", DISPLAY_STRING, "user",
               "the user, empty before a name is known"),
        Column(6, "alPptpStatsSessionSerial", NUMBER16, "serial", "the call's serial number"),
        Column(7, "alPptpStatsSessionMinimumSpeed", INTEGER32, "minimum_speed",
               "the lowest line speed that the peer asked for, bit/s"),
        Column(8, "alPptpStatsSessionMaximumSpeed", INTEGER32, "maximum_speed",
               "the highest line speed that the peer asked for, bit/s"),
        Column(9, "alPptpStatsSessionConnectSpeed", INTEGER32, "connect_speed",
               "the line speed that we told the peer, bit/s"),
        Column(10, "alPptpStatsSessionBearerType", named(analog=1, digital=2, any=3),
               "bearer_type", "the bearer that the peer asked for"),
        Column(11, "alPptpStatsSessionFramingType",
               named(asynchronous=1, synchronous=2, either=3), "framing_type",
               "the framing that the peer asked for"),
        Column(12, "alPptpStatsSessionPhysicalChannel", INTEGER32, "physical_channel",
               "the physical channel, 0"),
        Column(13, "alPptpStatsSessionLocalWindowSize", INTEGER32, "local_window",
               "our receive window, packets"),
        Column(14, "alPptpStatsSessionPeerWindowSize", INTEGER32, "peer_window",
               "the peer's receive window, packets"),
        Column(15, "alPptpStatsSessionLocalPpd", INTEGER32, "local_delay",
               "our Packet Processing Delay, tenths of a second"),
        Column(16, "alPptpStatsSessionPeerPpd", INTEGER32, "peer_delay",
               "the peer's Packet Processing Delay, tenths of a second"),
        Column(17, "alPptpStatsSessionRecvOctets", COUNTER32, "rx_octets",
               "octets of data received"),
        Column(18, "alPptpStatsSessionRecvPackets", COUNTER32, "rx_packets",
               "packets of data received"),
        Column(19, "alPptpStatsSessionRecvDiscards", COUNTER32, "rx_discards",
               "packets of data received that were dropped"),
        Column(20, "alPptpStatsSessionRecvZLB", COUNTER32, "rx_zlb",
               "acknowledgements without data received"),
        Column(21, "alPptpStatsSessionSendOctets", COUNTER32, "tx_octets", "octets of data sent"),
        Column(22, "alPptpStatsSessionSendPackets", COUNTER32, "tx_packets",
               "packets of data sent"),
        Column(23, "alPptpStatsSessionSendZLB", COUNTER32, "tx_zlb",
               "acknowledgements without data sent"),
        Column(24, "alPptpStatsSessionAckTimeouts", COUNTER32, "ack_timeouts",
               "expiries of the Acknowledgement Delay",
               note="fewer than SendZLB where half of our window waited: that is acknowledged "
                    "before the delay is over"),
        Column(25, "alPptpStatsSessionLocalFlowOff", TRUTH_VALUE,
               lambda state, session: session.flow & LOCAL, "whether our buffer is full"),
        Column(26, "alPptpStatsSessionPeerFlowOff", TRUTH_VALUE,
               lambda state, session: session.flow & PEER, "whether the peer's window is full"),
        Column(27, "alPptpStatsSessionOutOfWindow", COUNTER32, "out_of_window",
               "packets of data received outside of our window"),
        Column(28, "alPptpStatsSessionOutOfSequence", COUNTER32, "out_of_sequence",
               "packets of data received out of order"),
        Column(29, "alPptpStatsSessionTunnelPeerIpAddr", IP_ADDRESS, "peer",
               "the peer's address"),
    ),
    "A row for each session.",
)  # fmt: skip

PPTP = Group(
    "alStatsPptp", "ALTIGA-PPTP-STATS-MIB", (*STATISTICS, 3), (GLOBALS, TUNNELS, SESSIONS),
    "Monitoring | Statistics | PPTP.",
)  # fmt: skip
