"""Class PPP: links, logins as PPP sees them, encryption."""

from __future__ import annotations

from fastpptp.events.catalogue.kind import (
    INFORMATION,
    INFORMATION_HIGH,
    INFORMATION_LOW,
    WARNING,
    EventType,
    Kinds,
)

_GONE = "User [{user}] disconnected"

PPP: Kinds = {
    6: EventType(
        INFORMATION_HIGH,
        f"{_GONE}\nPPTP Encryption configured as REQUIRED.. remote client not supporting it.",
        "Required is set, and CCP did not agree on MPPE with a key length that is allowed.",
        "Turn encryption on at the client, or allow its key length (PPTP Encryption). Encryption "
        "needs MSCHAP: with PAP or CHAP there are no keys.",
        caused=True,
    ),
    8: EventType(
        INFORMATION,
        "User [{user}]\nAuthenticated successfully with {method}",
        "The login is good.",
    ),
    9: EventType(
        INFORMATION,
        "User [{user}]\ndisconnected.. failed authentication ( {method} )",
        "The login failed. Why is told by AUTH/5 just before it, and by the cause.",
        "See its cause below.",
        caused=True,
    ),
    12: EventType(
        INFORMATION,
        f"{_GONE}. Authentication protocol not allowed.",
        "The authentication protocol is outside the user's own set; without a name, the client "
        "refused every protocol that the base group allows.",
        "Allow the client's protocol (PPTP Authentication Protocols), or turn an allowed one on "
        "at the client.",
        caused=True,
    ),
    100: EventType(
        INFORMATION_HIGH,
        f"{_GONE}. Idle Timeout of {{minutes}} minutes reached.",
        "No data passed for so long.",
        "A longer Idle Timeout, or 0 for never.",
        caused=True,
    ),
    101: EventType(
        INFORMATION_HIGH,
        f"{_GONE}. Maximum Connect Time of {{minutes}} minutes reached.",
        "The session lasted for so long.",
        "A longer Maximum Connect Time, or 0 for no limit.",
        caused=True,
    ),
    102: EventType(
        WARNING,
        f"{_GONE}. Peer does not answer LCP Echo-Requests.",
        "GRE from the peer stopped: the client or its network is gone, or a NAT forgot the flow.",
        "If it is frequent, lower Echo Interval so that a NAT keeps the flow.",
        caused=True,
    ),
    103: EventType(
        WARNING,
        f"{_GONE}. Link is looped back.",
        "Our own LCP magic number came back.",
        "Something between echoes GRE to us, or the peer is this machine.",
        caused=True,
    ),
    104: EventType(
        INFORMATION_HIGH,
        f"{_GONE}. {{reason}}.",
        "PPP did not come up, and the reason says how far it came.",
        "See its cause below; debug the session to see what the two ends argue about.",
        caused=True,
    ),
    105: EventType(
        INFORMATION_HIGH,
        f"{_GONE}. Access Hours [{{hours}}] ended.",
        "The Access Hours in which the user logged in are over.",
        "Other Access Hours, or nothing.",
        caused=True,
    ),
    110: EventType(
        WARNING,
        "User [{user}] MPPE lost step with the peer and is negotiated again.",
        "So many packets were lost that the keys could not be brought back in step; CCP is "
        "negotiated anew and the session goes on.",
        "If it is frequent, look for loss on the path; stateless mode bears it better.",
    ),
    111: EventType(
        WARNING,
        "User [{user}] authenticated with MSCHAP-V1: both directions of MPPE use the same "
        "key stream (RFC 3079 section 2); allow MSCHAPv2 alone.",
        "Whoever records both directions can cancel the key stream and read them.",
        "Allow MSCHAPv2 alone (PPTP Authentication Protocols).",
    ),
    112: EventType(
        INFORMATION,
        "User [{user}] encryption is up: MPPE {bits}-bit {mode}",
        "CCP agreed on encryption.",
    ),
    113: EventType(
        WARNING,
        "User [{user}] data frames were dropped: the session is not open",
        "Data came before the session was open and waited longer than a second.",
        "Nothing if it is rare: the client sent too early. Else debug the session.",
    ),
    114: EventType(
        INFORMATION_LOW,
        "User [{user}] peer identifies itself as {text}",
        "LCP Identification: what the client says that it is.",
    ),
    120: EventType(
        INFORMATION,
        "User [{user}] is up: address {address}, server {server}",
        "IPCP is open: IPv4 passes.",
    ),
    121: EventType(
        INFORMATION,
        "User [{user}] IPv6 is up: prefix {prefix}",
        "IPv6CP is open: IPv6 passes.",
    ),
}
