"""Classes ADDRESS, DHCP and FILTER: addresses, their leases, and packets that are logged."""

from __future__ import annotations

from fastpptp.events.catalogue.kind import (
    INFORMATION,
    INFORMATION_LOW,
    WARNING,
    WARNING_HIGH,
    EventType,
    Kinds,
)

ADDRESS: Kinds = {
    100: EventType(
        WARNING,
        "User [{user}] no address available: {reason}",
        "No method of address assignment that is on had an address; the session ends.",
        "Add an address pool, or turn another method on (`fastpptp assignment set`).",
    ),
    101: EventType(
        INFORMATION,
        "User [{user}] address {address} assigned by {method}",
        "The user's session gets this address.",
    ),
    102: EventType(
        INFORMATION,
        "User [{user}] address {address} released",
        "The session gave its address back.",
    ),
    103: EventType(
        WARNING,
        "User [{user}] address {address} is in use and was not assigned by {method}",
        "The method's address belongs to another session or user; the next method is tried.",
        "Give every user an IP Address of its own, outside what clients may ask for.",
    ),
    104: EventType(
        WARNING_HIGH,
        "The address pools are used up: {size} addresses are in use or kept for their users, "
        "{count} more asked for since this was last told",
        "Sessions end for want of an address. Told at most once a minute.",
        "Enlarge a pool or add one; `fastpptp pool list` shows what is in use.",
    ),
    105: EventType(
        WARNING,
        "User [{user}] the network {network} behind it is not routed: this machine is itself "
        "attached to {attached}",
        "A route to it would take this machine's own network away; the session goes on without.",
        "Correct the user's Static Routes, or one of the two networks' addresses.",
    ),
    106: EventType(
        WARNING,
        "Proxy ARP for {address} on {device} is not answered: {device} does not forward\n"
        "Turn Forwarding on (fastpptp config set system.forwarding true), or: "
        "sysctl -w net.{family}.conf.{device}.forwarding=1",
        "Linux answers for another's address only on a device that forwards.",
        "Turn Forwarding on.",
    ),
}

_SELDOM = "since this was last told"

DHCP: Kinds = {
    100: EventType(
        INFORMATION,
        "User [{user}] address {address} leased by DHCP server {server} for {seconds} s",
        "The lease is renewed while the session lasts.",
    ),
    101: EventType(
        INFORMATION_LOW,
        "User [{user}] address {address} extended by DHCP server {server} for {seconds} s",
        "The lease was renewed.",
    ),
    102: EventType(
        WARNING_HIGH,
        f"No DHCP server gave an address: {{servers}} ({{count}} {_SELDOM})\n"
        "They must be reachable, have a subnet for the DHCP Network Scope or this machine's "
        "address, and answer to UDP port 67 here",
        "The next method of address assignment is tried. Told at most once a minute.",
        "Look at the DHCP server's log: it names what it lacks.",
        shows_peer=False,
    ),
    103: EventType(
        WARNING,
        "User [{user}] address {address} of DHCP server {server} is in use here and was declined",
        "The server gave an address that a session, pool or user here has.",
        "Keep the DHCP server's range apart from pools and users' IP Addresses.",
    ),
    104: EventType(
        WARNING,
        "User [{user}] DHCP server {server} refused: {text}",
        "The server took its offer back, or does not extend the lease.",
        "Look at the DHCP server's log.",
    ),
    105: EventType(
        INFORMATION,
        "User [{user}] address {address} given back to DHCP server {server}",
        "The session has ended.",
    ),
    106: EventType(
        WARNING_HIGH,
        f"{{limit}} DHCP requests are under way; {{count}} more went without ({_SELDOM})",
        "More logins at once than DHCP servers answer; these try the next method. Told at most "
        "once a minute.",
        "Look at the DHCP server's speed, or turn Address Pools on as well.",
        shows_peer=False,
    ),
    107: EventType(
        WARNING,
        f"A wrong message from DHCP server {{server}}: {{problem}} ({{count}} {_SELDOM})",
        "It was dropped. Told at most once a minute.",
        "The server has a fault, or somebody forges its messages.",
        shows_peer=False,
    ),
    108: EventType(
        WARNING_HIGH,
        "DHCP cannot be used: {problem}\n{remedy}",
        "No lease can be asked for; the other methods go on.",
        "What its second line says.",
        shows_peer=False,
    ),
    109: EventType(
        WARNING_HIGH,
        "User [{user}] address {address} is lost: {reason}",
        "The lease could not be extended; the session ends.",
        "Look at the DHCP server.",
    ),
}

FILTER: Kinds = {
    100: EventType(
        INFORMATION,
        "User [{user}] Filter [{filter}] Rule [{rule}]: {direction} packet {action}\n"
        "{packet}, {length} octets; {suppressed} more before it were not logged",
        "A rule of the user's traffic filter that logs concerned this packet.",
    ),
}
