"""Class PPTP: tunnels and calls."""

from __future__ import annotations

from fastpptp.events.catalogue.kind import (
    INFORMATION,
    INFORMATION_HIGH,
    WARNING,
    EventType,
    Kinds,
)

_BY_CAUSE = "See its cause below."

PPTP: Kinds = {
    34: EventType(
        INFORMATION_HIGH,
        "Tunnel to peer {peer} closed, reason: {reason} ({info})",
        "A control connection that was established has ended. None is an orderly end, or one "
        "without sessions; an Error is named in parentheses.",
        _BY_CAUSE,
        caused=True,
    ),
    35: EventType(
        INFORMATION_HIGH,
        "Session closed on tunnel {peer} (peer {peer_call_id}, local {local_call_id}, "
        "serial {serial}), reason: {reason} ({info})",
        "A call has ended, whether or not anybody had logged in on it.",
        _BY_CAUSE,
        caused=True,
    ),
    42: EventType(
        INFORMATION_HIGH,
        "Session started on tunnel {peer}",
        "A call is connected: PPP begins.",
    ),
    47: EventType(
        INFORMATION_HIGH,
        "Tunnel to peer {peer} established",
        "A control connection stands.",
    ),
    # Refusals.
    100: EventType(
        WARNING,
        "Tunnel to peer {peer} refused: Max. Tunnels ({limit}) reached",
        "There are as many control connections as Max. Tunnels allows. Told at most once a second.",
        "Raise Max. Tunnels; 0 is without limit.",
        caused=True,
    ),
    101: EventType(
        WARNING,
        "Session refused on tunnel {peer}: Max. Sessions/Tunnel ({limit}) reached",
        "The tunnel has as many sessions as Max. Sessions/Tunnel allows. Told at most once a "
        "second.",
        "Raise Max. Sessions/Tunnel; 0 is without limit.",
        caused=True,
    ),
    102: EventType(
        WARNING,
        "Session refused on tunnel {peer}: no Call-ID is free",
        "All 65,535 Call-IDs of this headend are in use. Told at most once a second.",
        "Spread the users over several headends.",
        caused=True,
    ),
    103: EventType(
        WARNING,
        "Session refused on tunnel {peer}: {limit} handshakes are in flight",
        "So many sessions are being negotiated already, in all or from this address. Told at most "
        "once a second.",
        "Clients that redial are let in as others finish. If the CPU has room, raise Handshakes "
        "in Flight or, for many clients behind one NAT, Handshakes in Flight per Source.",
        caused=True,
    ),
    104: EventType(
        WARNING,
        "Tunnel to peer {peer} refused: PPTP is not enabled",
        "A client dialled while PPTP is turned off. Told at most once a second.",
        "`fastpptp pptp set --enabled yes`.",
        caused=True,
    ),
    105: EventType(
        WARNING,
        "Tunnel to peer {peer} refused: {limit} of its connections are half open",
        "Too many TCP connections from one address have not sent their first request. Told at "
        "most once a second.",
        "A scan or a flood: block the address in front of this machine.",
        caused=True,
    ),
    106: EventType(
        WARNING,
        "Tunnel to peer {peer} refused: {limit} connections are half open",
        "Too many TCP connections in all have not sent their first request. Told at most once a "
        "second.",
        "A flood from many addresses: limit new connections in front of this machine.",
        caused=True,
    ),
    107: EventType(
        WARNING,
        "Session refused on tunnel {peer}: {reason}",
        "A call request that no PPTP client may make: a Call ID that is in use on its tunnel, or "
        "an incoming call. Told at most once a second.",
        "The peer's PPTP has a fault, or it is no client.",
        caused=True,
    ),
    108: EventType(
        WARNING,
        "Tunnel to peer {peer} refused: the headend is stopping",
        "A client dialled while the headend said goodbye to the others.",
        "Have it dial again once the headend runs.",
        caused=True,
    ),
    # What peers do wrong.
    110: EventType(
        WARNING,
        "Peer {peer} sent a wrong control message: {detail}",
        "A control message was malformed, out of place or of another version of PPTP; its "
        "connection is closed, others are not touched.",
        "Something else than a PPTP client talks to port 1723 (a scan, a health check), or the "
        "client has a fault.",
        caused=True,
    ),
    112: EventType(
        WARNING,
        "Peer {peer} sent no Echo-Reply in {seconds} s",
        "The control connection is silent and its keep-alive was not answered (RFC 2637 3.1.4).",
        "The client or its network is gone; nothing needs to be done here.",
        caused=True,
    ),
    113: EventType(
        WARNING,
        "Peer {peer} did not establish the control connection in {seconds} s",
        "The TCP connection stood, but no Start-Control-Connection-Request came.",
        "A port scan or a health check.",
        caused=True,
    ),
    115: EventType(
        INFORMATION,
        "WAN errors of peer {peer}: crc {crc_errors}, framing {framing_errors}, "
        "hardware overruns {hardware_overruns}, buffer overruns {buffer_overruns}, "
        "time-outs {timeout_errors}, alignment {alignment_errors}",
        "The peer told its line's error counters (WAN-Error-Notify). Told at most once a second.",
    ),
    # Our own time-outs.
    120: EventType(
        INFORMATION,
        "Tunnel to peer {peer} has had no session for {seconds} s",
        "Maximum Tunnel Idle Time is over: the control connection is stopped.",
        "Nothing: the client makes another when it dials.",
        caused=True,
    ),
}
